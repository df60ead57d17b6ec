// The stepper's work on pictures: one at a time through the vision tower, between two steps, so that other requests go on.
//
// A picture is taken up when its request runs and the next step might reach it. Encoding gets as much time as the steps before it
// took, and at least a layer; what comes out does not depend on that.
#include <algorithm>
#include <utility>

#include "engine/core.h"

namespace scout::engine {
namespace {

bool Lacks(const RequestState& request, const RequestPicture& one) {
  return one.features == nullptr && one.end() > request.pages.computed;
}

}  // namespace

void Core::GiveFeatures(const PictureKey& key, const std::shared_ptr<const model::Features>& features) noexcept {
  for (const auto& request : scheduler_.running()) {
    for (RequestPicture& one : request->pictures) {
      if (one.picture.key != key || !Lacks(*request, one)) continue;
      one.features = features;
      ++stats_.picture_hits;
    }
  }
}

bool Core::PictureIsWanted(const PictureKey& key) const {
  const auto wants = [&](const std::shared_ptr<RequestState>& request) {
    return std::any_of(request->pictures.begin(), request->pictures.end(),
                       [&](const RequestPicture& one) { return one.picture.key == key && Lacks(*request, one); });
  };
  return std::any_of(scheduler_.running().begin(), scheduler_.running().end(), wants) ||
         std::any_of(scheduler_.waiting().begin(), scheduler_.waiting().end(), wants);
}

// The first picture that the oldest request needs soon; true when a request got features from the cache instead.
bool Core::ChoosePicture() {
  bool given = false;
  for (const auto& request : scheduler_.running()) {
    if (request->paused() || request->phase != Phase::kRunning) continue;
    const int64_t soon = request->pages.computed + options_.step_rows;
    for (RequestPicture& one : request->pictures) {
      if (!Lacks(*request, one) || one.first() >= soon) continue;
      one.features = features_.Find(one.picture.key);
      stats_.picture_hits += one.features != nullptr;
      given = given || one.features != nullptr;
      if (one.features != nullptr || seeing_) continue;
      int64_t rows = 0;
      for (const PatchRun& run : one.picture.patches) rows += run.count;
      seeing_.emplace(Seeing{request, one.picture.key, one.picture.tiles, rows});
      ++stats_.picture_misses;
    }
  }
  return given;
}

bool Core::See(const std::optional<Clock::time_point>& until) noexcept {
  if (vision_ == nullptr) return false;
  const Clock::duration allowed = std::exchange(owed_, {});
  const Clock::time_point began = Clock::now();
  const auto wanted = [&] { return !closed_ && PictureIsWanted(seeing_->key); };
  bool given = false;
  {
    const std::lock_guard lock(mutex_);
    if (seeing_ && !wanted()) {
      vision_->Abort();
      seeing_.reset();
    }
    const bool had = seeing_.has_value();
    if (!closed_) given = ChoosePicture();
    if (!seeing_) return given;
    if (!had) vision_->Begin(*seeing_->tiles, pixel_table_);
  }
  for (;;) {
    if (vision_->Advance()) {
      FinishPicture();
      return true;
    }
    const Clock::time_point now = Clock::now();
    if (now - began >= allowed || (until && now >= *until)) return true;
    const std::lock_guard lock(mutex_);
    if (!wanted()) return true;  // the next call lets go of it
  }
}

void Core::FinishPicture() noexcept {
  std::shared_ptr<const model::Features> features;
  std::optional<Error> error = vision_->Finish(&features);
  const std::lock_guard lock(mutex_);
  try {
    if (!error && features->rows() != seeing_->rows)
      Fail(ErrorCode::kInternal, "internal error: ", features->rows(), " rows of features for ", seeing_->rows, " patches");
    if (!error) {
      ++stats_.pictures;
      --stats_.picture_hits;  // the one for which it was encoded
      GiveFeatures(seeing_->key, features);
      features_.Insert(seeing_->key, features);
    }
  } catch (const Error& thrown) {
    error.emplace(thrown);
  } catch (...) {
    // No memory to keep them for later: those who wait have them.
  }
  if (error) End(*seeing_->request, StopReason::kError, static_cast<int>(error->code()), error->what());
  seeing_.reset();
}

// Under the lock, when no step runs.
void Core::DropRunner() noexcept {
  if (seeing_) vision_->Abort();
  seeing_.reset();
  vision_.reset();
  features_.Clear();
  runner_.reset();
}

}  // namespace scout::engine
