#include "engine/core.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

#include "base/text.h"
#include "base/wait.h"
#include "prompt/image_tiles.h"

namespace scout::engine {
namespace {

PrefixKey Secret() noexcept {
  try {
    std::random_device device;
    const auto draw = [&] { return uint64_t{device()} << 32 | device(); };
    return {draw(), draw()};
  } catch (...) {
    return {};  // the machine has no entropy to give: names can then be predicted, nothing else changes
  }
}

PageStore::Options Pages(const model::Runner& runner, uint64_t model_fingerprint, const EngineOptions& options) {
  const model::RunnerOptions& with = runner.options();
  PageStore::Options pages;
  for (int group = 0; group < kPageGroups; ++group) {
    pages.geometry[static_cast<size_t>(group)] = runner.geometry(group);
    pages.count[static_cast<size_t>(group)] = runner.page_bytes(group) == 0 ? 0 : with.page_count[static_cast<size_t>(group)];
  }
  pages.cache = options.prefix_cache;
  pages.secret = Secret();
  PrefixHasher hasher;
  hasher.Add64(model_fingerprint);
  hasher.Add(static_cast<uint32_t>(with.k_format));
  hasher.Add(static_cast<uint32_t>(with.v_format));
  hasher.Add(static_cast<uint32_t>(with.page_size));
  pages.fingerprint = hasher.Finish().low;
  return pages;
}

Scheduler::Limits Limits(const model::Runner& runner, const EngineOptions& options) {
  const model::RunnerOptions& with = runner.options();
  Scheduler::Limits limits;
  limits.max_rows = with.max_rows;
  limits.step_rows = std::min(options.step_rows, with.max_rows);
  limits.decode_step_rows = std::min(options.decode_step_rows, with.max_rows);
  limits.logit_rows = with.max_logit_rows;
  limits.running = options.max_running;
  return limits;
}

void TakePictures(RequestState& state, std::vector<Picture> pictures) {
  for (Picture& picture : pictures) {
    state.marks.push_back({picture.patches.front().first, picture.key});
    state.pictures.push_back({std::move(picture), nullptr});
  }
}

}  // namespace

Core::Core(std::unique_ptr<model::Runner> runner, std::shared_ptr<const TokenText> text, std::vector<int32_t> stop_tokens,
           uint64_t model_fingerprint, const EngineOptions& options, std::unique_ptr<model::Vision> vision)
    : text_(std::move(text)),
      stop_tokens_(std::move(stop_tokens)),
      options_(options),
      vocabulary_(runner->vocabulary()),
      process_(CurrentProcess()),
      scheduler_(Pages(*runner, model_fingerprint, options), Limits(*runner, options), options.cache_salt),
      features_(options.picture_cache_bytes),
      runner_(std::move(runner)),
      vision_(std::move(vision)),
      vision_config_(vision_ == nullptr ? std::nullopt : std::optional(vision_->config())),
      pixel_table_(prompt::NormalisationTable()) {
  std::sort(stop_tokens_.begin(), stop_tokens_.end());
  seeing_.reserve(kMostSeen);
  const int64_t capacity = scheduler_.store().capacity();
  if (options_.context == 0) options_.context = capacity;
  const model::RunnerOptions& with = runner_->options();
  const auto rows = static_cast<size_t>(with.max_rows);
  const auto logit_rows = static_cast<size_t>(with.max_logit_rows);
  plan_.token.reserve(rows);
  plan_.position.reserve(rows);
  plan_.logit_row.reserve(logit_rows);
  for (int group = 0; group < kPageGroups; ++group) {
    plan_.pages[static_cast<size_t>(group)].slot.reserve(rows);
    plan_.pages[static_cast<size_t>(group)].page.reserve(static_cast<size_t>(scheduler_.store().pool(group).count()));
    stats_.pages_total[group] = scheduler_.store().pool(group).count();
  }
  results_.resize(logit_rows);
  chosen_results_.resize(logit_rows);
  outcomes_.resize(logit_rows);
  rows_.reserve(logit_rows);
  chosen_rows_.reserve(logit_rows);
  chosen_.reserve(logit_rows);
  scored_.reserve(logit_rows);
}

// Threads do not survive fork: in the child nobody would ever run a step, and the lock may be held for ever.
void Core::CheckProcess() const {
  if (CurrentProcess() != process_)
    Fail(ErrorCode::kState, "the engine was made before a fork and serves only the process that made it");
}

RequestHandle& Core::Mine(Request& request) const {
  auto* handle = dynamic_cast<RequestHandle*>(&request);
  if (handle == nullptr || &handle->core() != this) Fail(ErrorCode::kArgument, "the request belongs to another engine");
  return *handle;
}

std::shared_ptr<Request> Core::Submit(std::vector<int32_t> prompt, std::vector<Picture> pictures, const RequestOptions& options) {
  CheckProcess();
  CheckTokens(prompt, vocabulary_);
  CheckPictures(pictures, static_cast<int64_t>(prompt.size()), vision_config_ ? &*vision_config_ : nullptr);
  CheckRequestOptions(options, vocabulary_, text_ != nullptr);
  const auto size = static_cast<int64_t>(prompt.size());
  const int64_t capacity = scheduler_.store().capacity();
  if (size >= options_.context)
    Fail(ErrorCode::kLimit, "the prompt has ", size, " tokens; the context holds ", options_.context,
         " and the answer needs at least one");
  if (size > capacity) Fail(ErrorCode::kLimit, "the prompt has ", size, " tokens; the page pool holds ", capacity, " positions");

  auto state = std::make_shared<RequestState>();
  state->options = options;
  std::sort(state->options.stop_tokens.begin(), state->options.stop_tokens.end());
  state->prompt_tokens = size;
  state->end = options_.context;
  state->end_reason = StrCat("the context of ", options_.context, " positions is full");
  if (capacity + 1 < state->end) {  // the last token's own keys and values are never needed
    state->end = capacity + 1;
    state->end_reason = StrCat("the page pool is full: it holds ", capacity, " positions");
  }
  if (options.max_tokens > 0 && options.max_tokens <= state->end - size) {
    state->end = size + options.max_tokens;
    state->end_reason = StrCat("max_tokens is ", options.max_tokens);
  }
  state->unread_limit = options_.max_queued_events;
  state->sampler.emplace(options.sampling, prompt, vocabulary_);
  state->stream = Stream(options.stop);
  state->tokens = std::move(prompt);
  TakePictures(*state, std::move(pictures));
  // Enough for most answers, so that their steps allocate nothing.
  state->tokens.reserve(static_cast<size_t>(std::min(state->end, size + 8192)));
  return Enter(std::move(state));
}

std::shared_ptr<Request> Core::SubmitScore(std::vector<int32_t> tokens, std::vector<Picture> pictures,
                                           const ScoreOptions& options) {
  CheckProcess();
  CheckTokens(tokens, vocabulary_);
  CheckPictures(pictures, static_cast<int64_t>(tokens.size()), vision_config_ ? &*vision_config_ : nullptr);
  const auto size = static_cast<int64_t>(tokens.size());
  CheckScoring(options, size);
  const int64_t capacity = scheduler_.store().capacity();
  if (size > options_.context) Fail(ErrorCode::kLimit, size, " tokens to score; the context holds ", options_.context);
  if (size > capacity) Fail(ErrorCode::kLimit, size, " tokens to score; the page pool holds ", capacity, " positions");
  auto state = std::make_shared<RequestState>();
  state->prompt_tokens = size;
  state->scoring = true;
  state->score.Start(options, size);
  state->tokens = std::move(tokens);
  TakePictures(*state, std::move(pictures));
  return Enter(std::move(state));
}

std::shared_ptr<Request> Core::Enter(std::shared_ptr<RequestState> state) {
  state->ready_link.push_back(state.get());
  state->ready_at = state->ready_link.begin();
  auto handle = std::make_shared<RequestHandle>(shared_from_this(), state);
  state->handle = handle;
  const std::lock_guard lock(mutex_);
  const auto refuse = [&](bool closed) {
    state->phase = Phase::kEnded;  // so that the handle has nothing to cancel
    if (closed) Fail(ErrorCode::kState, "the engine was closed");
  };
  if (closed_) refuse(true);
  if (scheduler_.waiting().size() >= static_cast<size_t>(options_.max_waiting)) {
    refuse(false);
    return nullptr;
  }
  state->number = next_number_++;
  state->submitted = Clock::now();
  if (state->scoring && state->score.rows == 0) {
    state->phase = Phase::kEnded;
  } else {
    scheduler_.Enqueue(state);
    Wake();
  }
  return handle;
}

void Core::Wake() {
  ++work_version_;
  work_.notify_all();
}

void Core::SetReady(RequestState& request, bool ready) {
  const bool is = request.ready_link.empty();  // its link is in the list then
  if (ready && !is && !request.abandoned && request.reader != RequestState::Reader::kOwn) {
    ready_.splice(ready_.end(), request.ready_link);
  } else if (!ready && is) {
    request.ready_link.splice(request.ready_link.begin(), ready_, request.ready_at);
  }
  ShowReady();
  ShowReady(request);
}

void Core::ShowReady() noexcept {
  if (ready_.empty() && !reader_woken_) {
    wake_.Clear();
  } else {
    wake_.Set();
  }
}

void Core::ShowReady(RequestState& request) noexcept {
  if (request.descriptor == nullptr) return;
  if (request.events.size() > 0 || !request.score.blocks.empty() || request.phase == Phase::kEnded) {
    request.descriptor->Set();
  } else {
    request.descriptor->Clear();
  }
}

int Core::Descriptor(RequestState& request) {
  CheckProcess();
  const std::lock_guard lock(mutex_);
  if (request.descriptor == nullptr) request.descriptor = std::make_unique<WakeDescriptor>();
  ShowReady(request);
  return request.descriptor->descriptor();
}

void Core::WakeReader() {
  CheckProcess();
  const std::lock_guard lock(mutex_);
  reader_woken_ = true;
  ShowReady();
  any_event_.notify_all();
}

void Core::Emit(RequestState& request) {
  request.pending.tag = request.options.tag;
  request.events.Push(request.pending);
  SetReady(request, true);
  request.changed.notify_all();
  any_event_.notify_all();
}

void Core::End(RequestState& request, StopReason reason, int status, std::string_view message) noexcept {
  if (request.phase == Phase::kEnded) return;
  const bool running = request.in_step;
  request.phase = Phase::kEnded;
  try {
    if (request.scoring) {
      if (status != 0) request.score.error.emplace(static_cast<ErrorCode>(status), std::string(message));
    } else if (!request.abandoned) {
      Event& last = request.pending;
      if (request.stream.Flush(last.text) && reason == StopReason::kLength) {
        reason = StopReason::kStopString;
        status = 0;
      }
      last.stop = reason;
      last.status = status;
      if (reason != StopReason::kStopString) last.message = message;
      const auto now = Clock::now();
      const auto span = [](Clock::time_point from, Clock::time_point to) {
        return std::chrono::duration<double, std::milli>(to - from).count();
      };
      last.timings.queue_ms = span(request.submitted, request.was_admitted ? request.admitted : now);
      if (request.was_admitted)
        last.timings.prefill_ms = span(request.admitted, request.has_first_token ? request.first_token : now);
      if (request.has_first_token) last.timings.decode_ms = span(request.first_token, now);
      last.prompt_tokens = request.prompt_tokens;
      last.cached_tokens = request.cached_tokens;
      last.generated_tokens = request.generated();
      Emit(request);
    }
  } catch (...) {
    // No memory even for the last event: the reader is told kDone without one.
  }
  ShowReady(request);
  request.changed.notify_all();
  any_event_.notify_all();
  if (running) {
    live_.fetch_sub(1, std::memory_order_relaxed);
  } else {
    try {
      scheduler_.Remove(request);
    } catch (...) {
      // Only a defect of ours gets here, and the request has left the lists already.
    }
  }
  Wake();
}

void Core::EndAll(StopReason reason, int status, std::string_view message) noexcept {
  while (!scheduler_.waiting().empty()) {
    const std::shared_ptr<RequestState> request = scheduler_.waiting().back();
    End(*request, reason, status, message);
  }
  // Those in a step stay in the list until it is over; so walk, from the back because the others leave.
  for (size_t i = scheduler_.running().size(); i > 0; --i) {
    const std::shared_ptr<RequestState> request = scheduler_.running()[i - 1];
    End(*request, reason, status, message);
  }
}

void Core::Take(RequestState& request, Event& event) {
  const bool was_paused = request.paused();
  request.events.Pop(event);
  request.taken_tokens += static_cast<int64_t>(event.ids.size());
  if (was_paused) Wake();
}

Next Core::NextEvent(Request& request, int64_t timeout_ms, Event& event) {
  CheckProcess();
  const std::shared_ptr<RequestState> state = Mine(request).state();
  if (state->scoring) Fail(ErrorCode::kState, "a scoring request has blocks, not events");
  std::unique_lock lock(mutex_);
  if (state->reader == RequestState::Reader::kEngine)
    Fail(ErrorCode::kState, "this request's events are taken with those of its engine: the first of them was");
  if (state->reader == RequestState::Reader::kNobodyYet) {
    state->reader = RequestState::Reader::kOwn;
    SetReady(*state, false);
  }
  const auto something = [&] { return state->events.size() > 0 || state->phase == Phase::kEnded; };
  if (options_.mode == Mode::kThread) WaitFor(state->changed, lock, timeout_ms, something);
  if (state->events.size() == 0) return state->phase == Phase::kEnded ? Next::kDone : Next::kAgain;
  Take(*state, event);
  ShowReady(*state);
  return Next::kEvent;
}

Next Core::NextEvent(int64_t timeout_ms, Event& event, std::shared_ptr<Request>* from) {
  CheckProcess();
  // Handles let go of after the lock: the last one's end takes it.
  std::shared_ptr<Request> handle;
  std::unique_lock lock(mutex_);
  const auto something = [&] { return !ready_.empty() || closed_ || reader_woken_; };
  if (options_.mode == Mode::kThread) WaitFor(any_event_, lock, timeout_ms, something);
  for (size_t left = ready_.size(); left > 0; --left) {
    RequestState& state = *ready_.front();
    ready_.splice(ready_.end(), ready_, ready_.begin());  // each in turn
    handle = state.handle.lock();
    if (handle == nullptr) continue;  // it is going, and will leave the list
    state.reader = RequestState::Reader::kEngine;
    Take(state, event);
    if (state.events.size() == 0) SetReady(state, false);
    lock.unlock();
    if (from != nullptr) from->swap(handle);
    return Next::kEvent;
  }
  reader_woken_ = false;
  ShowReady();
  return closed_ ? Next::kDone : Next::kAgain;
}

Next Core::NextBlock(Request& request, int64_t timeout_ms, ScoreBlock& block) {
  CheckProcess();
  const std::shared_ptr<RequestState> state = Mine(request).state();
  if (!state->scoring) Fail(ErrorCode::kState, "only a scoring request has blocks");
  std::unique_lock lock(mutex_);
  const auto something = [&] { return !state->score.blocks.empty() || state->phase == Phase::kEnded; };
  if (options_.mode == Mode::kThread) WaitFor(state->changed, lock, timeout_ms, something);
  std::vector<ScoreBlock>& blocks = state->score.blocks;
  if (!blocks.empty()) {
    block = std::move(blocks.front());
    blocks.erase(blocks.begin());
    ShowReady(*state);
    Wake();
    return Next::kEvent;
  }
  if (state->score.error) throw *state->score.error;
  return state->phase == Phase::kEnded ? Next::kDone : Next::kAgain;
}

void Core::Cancel(RequestState& request) noexcept {
  if (CurrentProcess() != process_) return;
  const std::lock_guard lock(mutex_);
  End(request, StopReason::kCancelled, static_cast<int>(ErrorCode::kCancelled), "cancelled");
}

void Core::Abandon(RequestState& request) noexcept {
  if (CurrentProcess() != process_) return;
  const std::lock_guard lock(mutex_);
  request.abandoned = true;
  SetReady(request, false);
  End(request, StopReason::kCancelled, static_cast<int>(ErrorCode::kCancelled), "cancelled");
}

std::vector<int32_t> Core::GeneratedIds(const RequestState& request) const {
  CheckProcess();
  const std::lock_guard lock(mutex_);
  return {request.tokens.begin(),
          request.tokens.begin() + static_cast<std::ptrdiff_t>(request.prompt_tokens + request.taken_tokens)};
}

bool Core::Ended(const RequestState& request) const {
  CheckProcess();
  const std::lock_guard lock(mutex_);
  return request.phase == Phase::kEnded;
}

EngineStats Core::Stats() const {
  CheckProcess();
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.waiting = static_cast<int64_t>(scheduler_.waiting().size());
  stats.running = static_cast<int64_t>(scheduler_.running().size());
  stats.picture_cache_bytes = features_.bytes();
  stats.picture_cache_entries = static_cast<int64_t>(features_.size());
  stats.preemptions = scheduler_.preemptions();
  for (int group = 0; group < kPageGroups; ++group) {
    const PagePool& pool = scheduler_.store().pool(group);
    stats.pages_used[group] = pool.held();
    stats.pages_cached[group] = pool.idle();
    stats.pages_peak[group] = pool.peak_held();
  }
  return stats;
}

void Core::Close() noexcept {
  if (CurrentProcess() != process_) return;
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = true;
  EndAll(StopReason::kCancelled, static_cast<int>(ErrorCode::kState), "the engine was closed");
  any_event_.notify_all();
  Wake();
}

}  // namespace scout::engine
