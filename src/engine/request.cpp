#include "engine/request.h"

#include <algorithm>
#include <utility>

namespace scout::engine {

void Clear(Event& event) {
  event.tag = 0;
  event.text.clear();
  event.ids.clear();
  event.logprobs.clear();
  event.top_ids.clear();
  event.top_logprobs.clear();
  event.stop = StopReason::kNone;
  event.status = 0;
  event.message.clear();
  event.timings = {};
  event.prompt_tokens = event.cached_tokens = event.generated_tokens = 0;
}

void EventQueue::Push(Event& event) {
  if (size_ == ring_.size()) {
    std::vector<Event> larger(size_ == 0 ? 4 : size_ * 2);
    for (size_t i = 0; i < size_; ++i) larger[i] = std::move(ring_[(first_ + i) % size_]);
    ring_ = std::move(larger);
    first_ = 0;
  }
  Event& slot = ring_[(first_ + size_) % ring_.size()];
  std::swap(slot, event);
  ++size_;
  Clear(event);
}

void EventQueue::Pop(Event& event) {
  std::swap(ring_[first_], event);
  Clear(ring_[first_]);
  first_ = (first_ + 1) % ring_.size();
  --size_;
}

int64_t RequestState::ready_end() const {
  for (const RequestPicture& one : pictures) {
    if (one.features != nullptr || one.end() <= pages.computed) continue;
    for (const PatchRun& run : one.picture.patches) {
      if (run.first + run.count > pages.computed) return std::max(run.first, pages.computed);
    }
  }
  return target();
}

bool RequestState::paused() const {
  if (scoring) return score.Full();
  return events.size() >= static_cast<size_t>(unread_limit);
}

}  // namespace scout::engine
