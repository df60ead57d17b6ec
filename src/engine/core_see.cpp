// The stepper's work on pictures: through the vision tower between two steps, so that other requests go on.
//
// A picture is taken up when its request runs and the next step might reach it. All that the next step might reach go through the
// tower as one batch, as far as their tiles fit its workspace; a larger picture goes alone, and the tower cuts it. Encoding gets as
// much time as the steps before it took, and at least a layer; what comes out depends on neither. A batch is given up when nobody
// waits for any of its pictures any more. One that fails is repeated picture by picture, so that only the one at fault fails.
#include <algorithm>
#include <array>
#include <utility>

#include "engine/core.h"

namespace scout::engine {
namespace {

bool Lacks(const RequestState& request, const RequestPicture& one) {
  return one.features == nullptr && one.end() > request.pages.computed;
}

}  // namespace

int64_t Core::GiveFeatures(const PictureKey& key, const std::shared_ptr<const model::Features>& features) noexcept {
  int64_t given = 0;
  for (const auto& request : scheduler_.running()) {
    for (RequestPicture& one : request->pictures) {
      if (one.picture.key != key || !Lacks(*request, one)) continue;
      one.features = features;
      ++given;
    }
  }
  return given;
}

bool Core::PictureIsWanted(const PictureKey& key) const {
  const auto wants = [&](const std::shared_ptr<RequestState>& request) {
    return std::any_of(request->pictures.begin(), request->pictures.end(),
                       [&](const RequestPicture& one) { return one.picture.key == key && Lacks(*request, one); });
  };
  return std::any_of(scheduler_.running().begin(), scheduler_.running().end(), wants) ||
         std::any_of(scheduler_.waiting().begin(), scheduler_.waiting().end(), wants);
}

// Unless some are on their way: those that the running requests need soon, the oldest request's first. True when a request got
// features from the cache instead. None while older requests have features for a whole step: what waits to be computed is then a
// step's worth of pictures and one more, however many requests there are. A younger request's never hold back an older one, which
// would wait for ever where the pages are the older's.
bool Core::ChoosePictures() {
  bool given = false, more = seeing_.empty();
  const int64_t tile_bytes = vision_config_->tile_bytes();
  int64_t tiles = 0;
  int64_t ahead = 0;  // rows of features that are there or chosen, and not computed yet
  for (const auto& request : scheduler_.running()) {
    if (request->paused() || request->phase != Phase::kRunning) continue;
    const int64_t soon = request->pages.computed + options_.step_rows;
    const auto to_come = [&](const RequestPicture& one) {
      return std::max<int64_t>(0, one.end() - std::max(one.first(), request->pages.computed));
    };
    for (RequestPicture& one : request->pictures) {
      if (one.features != nullptr) ahead += to_come(one);
      if (!Lacks(*request, one) || one.first() >= soon || ahead >= options_.step_rows) continue;
      one.features = features_.Find(one.picture.key);
      stats_.picture_hits += one.features != nullptr;
      given = given || one.features != nullptr;
      if (one.features != nullptr) ahead += to_come(one);
      const auto same = [&](const Seen& seen) { return seen.key == one.picture.key; };
      if (one.features != nullptr || !more || std::any_of(seeing_.begin(), seeing_.end(), same)) continue;
      tiles += static_cast<int64_t>(one.picture.tiles->size()) / tile_bytes;
      more = seeing_.empty() || (tiles <= vision_->tiles_at_once() && alone_ == 0 && seeing_.size() < kMostSeen);
      if (!more) continue;
      int64_t rows = 0;
      for (const PatchRun& run : one.picture.patches) rows += run.count;
      ahead += rows;
      seeing_.push_back({request, one.picture.key, one.picture.tiles, rows});
      stats_.picture_misses += alone_ == 0;  // those that are repeated were counted
    }
  }
  return given;
}

bool Core::See(const std::optional<Clock::time_point>& until) noexcept {
  if (vision_ == nullptr) return false;
  const Clock::duration allowed = std::exchange(owed_, {});
  const Clock::time_point began = Clock::now();
  const auto wanted = [&] {
    return !closed_ && std::any_of(seeing_.begin(), seeing_.end(), [&](const Seen& one) { return PictureIsWanted(one.key); });
  };
  bool given = false;
  {
    const std::lock_guard lock(mutex_);
    if (!seeing_.empty() && !wanted()) {
      vision_->Abort();
      seeing_.clear();
    }
    const bool had = !seeing_.empty();
    if (!closed_) given = ChoosePictures();
    if (seeing_.empty()) return given;
    if (!had) {
      std::array<std::span<const uint8_t>, kMostSeen> tiles;
      for (size_t i = 0; i < seeing_.size(); ++i) tiles[i] = *seeing_[i].tiles;
      vision_->Begin(std::span(tiles).first(seeing_.size()), pixel_table_);
    }
  }
  for (;;) {
    if (vision_->Advance()) {
      FinishPictures();
      return true;
    }
    const Clock::time_point now = Clock::now();
    if (now - began >= allowed || (until && now >= *until)) return true;
    const std::lock_guard lock(mutex_);
    if (!wanted()) return true;  // the next call lets go of them
  }
}

void Core::FinishPictures() noexcept {
  std::optional<Error> error = vision_->Finish(&seen_);
  const std::lock_guard lock(mutex_);
  try {
    if (!error && seen_.size() != seeing_.size())
      Fail(ErrorCode::kInternal, "internal error: features of ", seen_.size(), " pictures for ", seeing_.size());
    for (size_t i = 0; !error && i < seeing_.size(); ++i) {
      if (seen_[i]->rows() != seeing_[i].rows)
        Fail(ErrorCode::kInternal, "internal error: ", seen_[i]->rows(), " rows of features for ", seeing_[i].rows, " patches");
    }
  } catch (const Error& thrown) {
    error.emplace(thrown);
  } catch (...) {
    error.emplace(ErrorCode::kInternal, "internal error");
  }
  if (alone_ > 0) --alone_;
  if (!error) {
    stats_.pictures += static_cast<int64_t>(seeing_.size());
    for (size_t i = 0; i < seeing_.size(); ++i) {
      const int64_t given = GiveFeatures(seeing_[i].key, seen_[i]);
      stats_.picture_hits += std::max<int64_t>(0, given - 1);  // but the one for which it was encoded
    }
    try {
      for (size_t i = 0; i < seeing_.size(); ++i) features_.Insert(seeing_[i].key, seen_[i]);
    } catch (...) {
      // No memory to keep them for later: those who wait have them.
    }
  } else if (seeing_.size() > 1) {
    alone_ = seeing_.size();
  } else {
    End(*seeing_[0].request, StopReason::kError, static_cast<int>(error->code()), error->what());
  }
  seeing_.clear();
  seen_.clear();
}

// Under the lock, when no step runs.
void Core::DropRunner() noexcept {
  if (!seeing_.empty()) vision_->Abort();
  seeing_.clear();
  vision_.reset();
  features_.Clear();
  runner_.reset();
}

}  // namespace scout::engine
