#include "engine/scheduler.h"

#include <algorithm>

namespace scout::engine {
namespace {

// Rows (of all, or of those with logits) that decoding requests may take while others want some too: three quarters, and
// where there is only one row, every second step.
int32_t DecodingShare(int32_t limit, bool others, uint64_t turn) {
  if (!others) return limit;
  if (limit == 1) return turn % 2 == 0 ? 1 : 0;
  return limit - std::max(1, limit / 4);
}

auto ByNumber(const RequestState& request) {
  return [&](const std::shared_ptr<RequestState>& other) { return other->number < request.number; };
}

}  // namespace

Scheduler::Scheduler(const PageStore::Options& pages, const Limits& limits, uint64_t cache_salt)
    : limits_(limits), cache_salt_(cache_salt), store_(pages) {
  running_.reserve(static_cast<size_t>(limits.running));
  decoding_.reserve(static_cast<size_t>(limits.running));
}

void Scheduler::Enqueue(std::shared_ptr<RequestState> request) {
  const auto at = std::partition_point(waiting_.begin(), waiting_.end(), ByNumber(*request));
  request->phase = Phase::kWaiting;
  waiting_.insert(at, std::move(request));
}

bool Scheduler::Fits(const RequestState& request) const {
  if (running_.empty()) return true;  // what can never fit is refused when it is submitted
  const int64_t capacity = store_.capacity();
  std::array<int64_t, kPageGroups> need = store_.Need(std::min(request.target() + 1, capacity));
  for (const auto& other : running_) {
    const auto other_need = store_.Need(std::min(other->target() + 1, capacity));
    for (size_t group = 0; group < kPageGroups; ++group)
      need[group] += std::max<int64_t>(0, other_need[group] - static_cast<int64_t>(other->pages.page[group].size()));
  }
  // Beside that, one page for each that runs: else what has just been admitted would be the first to go.
  const auto growth = static_cast<int64_t>(running_.size());
  std::array<int64_t, kPageGroups> shared{};
  bool asked = false;
  for (int group = 0; group < kPageGroups; ++group) {
    if (!store_.active(group)) continue;
    const auto g = static_cast<size_t>(group);
    const int64_t room = store_.pool(group).available() - growth;
    if (need[g] <= room) continue;
    if (!asked) {
      SequencePages empty;
      store_.Start(empty, cache_salt_ ^ request.options.cache_salt);
      shared = store_.SharedPages(empty, request.content(), request.reusable());
      asked = true;
    }
    if (need[g] - shared[g] > room) return false;
  }
  return true;
}

void Scheduler::Admit() {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const std::shared_ptr<RequestState> request = *at;
    if (request->paused()) {
      ++at;
      continue;
    }
    while (running_.size() >= static_cast<size_t>(limits_.running) || !MayFit(*request)) {
      if (!PauseOne()) return;
      at = std::find(waiting_.begin(), waiting_.end(), request);  // what paused waits now, too
    }
    store_.Start(request->pages, cache_salt_ ^ request->options.cache_salt);
    const int64_t cached = store_.Adopt(request->pages, request->content(), request->reusable());
    if (!request->was_admitted) {
      request->was_admitted = true;
      request->admitted = Clock::now();
      request->cached_tokens = cached;
    }
    request->phase = Phase::kRunning;
    const int64_t most = std::min(request->scoring ? request->target() : request->end, store_.capacity());
    request->pages.page[kGlobalPages].reserve(static_cast<size_t>(store_.Need(most)[kGlobalPages]));
    running_.insert(std::partition_point(running_.begin(), running_.end(), ByNumber(*request)), request);
    at = waiting_.erase(at);
  }
}

// As Fits, but does not ask again before something has come back.
bool Scheduler::MayFit(const RequestState& request) {
  const int64_t returns = store_.returns();
  if (!running_.empty() && refused_number_ == request.number && refused_returns_ == returns) return false;
  if (Fits(request)) return true;
  refused_number_ = request.number;
  refused_returns_ = returns;
  return false;
}

void Scheduler::Preempt(RequestState& request) {
  store_.Release(request.pages);
  request.phase = Phase::kWaiting;
  request.has_room = false;
  ++preemptions_;
}

void Scheduler::RequeuePreempted() {
  for (const auto& request : running_) {
    if (request->phase == Phase::kWaiting) Enqueue(request);
  }
  std::erase_if(running_, [](const auto& request) { return request->phase == Phase::kWaiting; });
}

// The youngest running request whose reader is behind gives up its place to those who wait.
bool Scheduler::PauseOne() {
  for (size_t i = running_.size(); i > 0; --i) {
    if (!running_[i - 1]->paused()) continue;
    Preempt(*running_[i - 1]);
    RequeuePreempted();
    return true;
  }
  return false;
}

RequestState* Scheduler::Victim(const RequestState& wanting) const {
  RequestState* youngest = nullptr;
  RequestState* behind = nullptr;
  for (const auto& other : running_) {
    const bool has_pages = !other->pages.page[kLocalPages].empty() || !other->pages.page[kGlobalPages].empty();
    if (other.get() == &wanting || !has_pages) continue;
    if (other->paused()) behind = other.get();
    if (other->number > wanting.number) youngest = other.get();
  }
  return behind != nullptr ? behind : youngest;
}

// Reserves pages for one row of every running request, oldest first.
void Scheduler::MakeRoom() {
  bool moved = false;
  for (const auto& request : running_) {
    request->has_room = false;
    if (request->phase != Phase::kRunning || request->paused()) continue;
    const int64_t end = request->pages.computed + 1;
    while (store_.Grow(request->pages, end) < end) {
      RequestState* victim = Victim(*request);
      if (victim == nullptr) break;
      Preempt(*victim);
      moved = true;
    }
    request->has_room = store_.Grow(request->pages, end) >= end;
  }
  if (moved) RequeuePreempted();
}

// The rows of pictures among positions [first, end), which are the plan's last.
void Scheduler::AddFeatures(StepPlan& plan, const RequestState& request, int64_t first, int64_t end) {
  for (const RequestPicture& one : request.pictures) {
    if (one.end() <= first || one.first() >= end) continue;
    plan.feature_row.resize(static_cast<size_t>(plan.rows()), -1);
    const int64_t row_of_first = plan.rows() - (end - first);
    int64_t feature = feature_rows_;
    for (const PatchRun& run : one.picture.patches) {
      for (int64_t at = std::max(run.first, first); at < std::min(run.first + run.count, end); ++at)
        plan.feature_row[static_cast<size_t>(row_of_first + at - first)] = static_cast<int32_t>(feature + at - run.first);
      feature += run.count;
    }
    features_.push_back(one.features);
    feature_rows_ += one.features->rows();
  }
}

bool Scheduler::AddRows(StepPlan& plan, std::vector<Planned>& planned, RequestState& request, int32_t rows) {
  const int64_t first = request.pages.computed;
  const int64_t end = store_.Grow(request.pages, first + rows);
  if (end <= first) return false;
  Planned part{&request, first, static_cast<int32_t>(end - first), static_cast<int32_t>(plan.logit_row.size()), 0};
  for (int64_t position = first; position < end; ++position) {
    if (request.NeedsLogits(position)) {
      plan.logit_row.push_back(plan.rows());
      ++part.logits;
    }
    plan.token.push_back(request.tokens[static_cast<size_t>(position)]);
    plan.position.push_back(static_cast<int32_t>(position));
  }
  if (!request.pictures.empty()) AddFeatures(plan, request, first, end);
  plan.sequence_begin.push_back(plan.rows());
  plan.sequence_length.push_back(static_cast<int32_t>(end));
  for (int group = 0; group < kPageGroups; ++group) {
    StepPlan::Pages& pages = plan.pages[static_cast<size_t>(group)];
    const std::vector<int32_t>& list = request.pages.page[static_cast<size_t>(group)];
    const PageGeometry& shape = store_.geometry(group);
    const int64_t list_first = group == kLocalPages ? request.pages.local_first : 0;
    if (store_.active(group)) {
      for (int64_t position = first; position < end; ++position) {
        const PageGeometry::Place place = shape.Find(position, list_first);
        pages.slot.push_back(int64_t{list[static_cast<size_t>(place.page)]} * shape.page_size + place.index);
      }
      // Reserved pages beyond the step's last position stay out.
      pages.page.insert(pages.page.end(), list.begin(),
                        list.begin() + static_cast<std::ptrdiff_t>(shape.PagesFor(list_first, end)));
    } else {
      pages.slot.insert(pages.slot.end(), static_cast<size_t>(part.rows), -1);
    }
    pages.begin.push_back(static_cast<int32_t>(pages.page.size()));
    pages.first_position.push_back(static_cast<int32_t>(list_first));
  }
  request.in_step = true;
  planned.push_back(part);
  return true;
}

bool Scheduler::PlanAlone(StepPlan& plan, std::vector<Planned>& planned) {
  while (!alone_.empty()) {
    const std::shared_ptr<RequestState> request = std::move(alone_.front());
    alone_.pop_front();
    if (request->phase != Phase::kRunning || !request->has_room || !request->ready()) continue;
    if (request->decoding()) {
      AddRows(plan, planned, *request, 1);
    } else {
      running_alone_ = request.get();
      PlanPrompts(plan, planned, limits_.step_rows);
      running_alone_ = nullptr;
    }
    if (!planned.empty()) return true;
  }
  return false;
}

void Scheduler::PlanDecoding(StepPlan& plan, std::vector<Planned>& planned, bool others) {
  const int32_t most = std::min(DecodingShare(limits_.max_rows, others, turn_), DecodingShare(limits_.logit_rows, others, turn_));
  const size_t count = std::min(decoding_.size(), static_cast<size_t>(most));
  const size_t start = count < decoding_.size() ? turn_ % decoding_.size() : 0;
  for (size_t i = 0; i < count; ++i) AddRows(plan, planned, *decoding_[(start + i) % decoding_.size()], 1);
  turn_ += std::max<size_t>(count, 1);
}

void Scheduler::PlanPrompts(StepPlan& plan, std::vector<Planned>& planned, int32_t budget) {
  for (const auto& request : running_) {
    if (!request->has_room || request->in_step || request->decoding()) continue;
    if (running_alone_ != nullptr && request.get() != running_alone_) continue;
    auto rows = static_cast<int32_t>(std::min<int64_t>(request->ready_end() - request->pages.computed, budget - plan.rows()));
    if (rows <= 0) continue;
    // Only so many rows that their logits have room.
    int32_t logits = limits_.logit_rows - static_cast<int32_t>(plan.logit_row.size());
    if (request->scoring) {
      int32_t fit = 0;
      for (; fit < rows; ++fit) {
        if (request->NeedsLogits(request->pages.computed + fit) && logits-- <= 0) break;
      }
      rows = fit;
    } else if (rows == request->remaining() && logits <= 0) {
      --rows;
    }
    if (rows > 0) AddRows(plan, planned, *request, rows);
  }
}

bool Scheduler::Plan(StepPlan& plan, std::vector<Planned>& planned) {
  plan.token.clear();
  plan.position.clear();
  plan.sequence_begin.assign(1, 0);
  plan.sequence_length.clear();
  plan.logit_row.clear();
  plan.feature_row.clear();
  features_.clear();
  feature_rows_ = 0;
  for (StepPlan::Pages& pages : plan.pages) {
    pages.slot.clear();
    pages.page.clear();
    pages.begin.assign(1, 0);
    pages.first_position.clear();
  }
  planned.clear();

  Admit();
  MakeRoom();
  PlanRows(plan, planned);
  if (!plan.feature_row.empty()) plan.feature_row.resize(static_cast<size_t>(plan.rows()), -1);
  return !planned.empty();
}

void Scheduler::PlanRows(StepPlan& plan, std::vector<Planned>& planned) {
  if (PlanAlone(plan, planned)) return;

  decoding_.clear();
  bool others = false;
  for (const auto& request : running_) {
    if (!request->has_room || !request->ready()) continue;
    if (request->decoding()) {
      decoding_.push_back(request.get());
    } else {
      others = true;
    }
  }
  if (!decoding_.empty()) PlanDecoding(plan, planned, others);
  if (others) {
    int32_t budget = limits_.step_rows;
    if (!planned.empty()) {
      // At least a quarter of the step goes to prompts, however many requests decode.
      const int32_t least = plan.rows() + std::max(1, limits_.decode_step_rows / 4);
      budget = std::min(limits_.max_rows, std::max(limits_.decode_step_rows, least));
    }
    PlanPrompts(plan, planned, budget);
  }
}

void Scheduler::Commit(const std::vector<Planned>& planned) {
  for (const Planned& part : planned) {
    RequestState& request = *part.request;
    if (request.phase != Phase::kRunning) continue;
    store_.Commit(request.pages, request.content(), part.first_position + part.rows);
    for (RequestPicture& one : request.pictures) {
      if (one.end() <= request.pages.computed) one.features.reset();
    }
  }
}

void Scheduler::Finish(const std::vector<Planned>& planned) {
  for (const Planned& part : planned) {
    RequestState& request = *part.request;
    request.in_step = false;
    if (request.phase == Phase::kEnded) Remove(request);
  }
}

void Scheduler::RetryAlone(const std::vector<Planned>& planned) {
  for (const Planned& part : planned) {
    for (const auto& request : running_) {
      if (request.get() == part.request) alone_.push_back(request);
    }
  }
}

void Scheduler::Remove(RequestState& request) {
  request.phase = Phase::kEnded;
  if (request.in_step) return;
  std::shared_ptr<RequestState> last;  // the lists may hold the last references
  const auto same = [&](const std::shared_ptr<RequestState>& other) {
    if (other.get() != &request) return false;
    last = other;
    return true;
  };
  if (std::erase_if(waiting_, same) == 0) std::erase_if(running_, same);
  store_.Release(request.pages);
  request.pictures.clear();  // megabytes, while the handle may live on
}

}  // namespace scout::engine
