// The stepper's half of the core: one step from plan to events.
#include <algorithm>
#include <limits>
#include <new>

#include "base/fp_environment.h"
#include "base/text.h"
#include "engine/core.h"
#include "engine/invariants.h"

namespace scout::engine {
namespace {

Error Caught() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kNoMemory, "no memory for a step");
  } catch (const std::exception& other) {
    return Error(ErrorCode::kInternal, other.what());
  } catch (...) {
    return Error(ErrorCode::kInternal, "internal error: something unknown was thrown");
  }
}

}  // namespace

bool Core::WorkLeft() const {
  const auto can = [](const auto& request) { return !request->paused(); };
  return std::any_of(scheduler_.running().begin(), scheduler_.running().end(), can) ||
         std::any_of(scheduler_.waiting().begin(), scheduler_.waiting().end(), can);
}

void Core::RunThread() noexcept {
  std::unique_lock lock(mutex_);
  while (!closed_) {
    const uint64_t version = work_version_;
    lock.unlock();
    const bool did = Slice(std::nullopt);
    lock.lock();
    if (!did) work_.wait(lock, [&] { return closed_ || work_version_ != version; });
  }
}

bool Core::Step(int64_t budget_ms) {
  CheckProcess();
  if (options_.mode != Mode::kStepped) Fail(ErrorCode::kState, "the engine runs its steps on a thread of its own");
  const std::unique_lock stepping(step_mutex_, std::try_to_lock);
  if (!stepping) Fail(ErrorCode::kState, "another thread is inside Step");
  std::optional<Clock::time_point> until;
  if (budget_ms >= 0) until = Clock::now() + std::chrono::milliseconds(std::min<int64_t>(budget_ms, 1000000000));
  bool more = true;
  do {
    more = Slice(until);
  } while (more && (!until || Clock::now() < *until));
  const std::lock_guard lock(mutex_);
  if (!closed_) return more && (step_active_ || WorkLeft());
  if (!step_active_) DropRunner();  // closed while this step ran
  return step_active_;
}

void Core::ReleaseRunner() noexcept {
  const std::unique_lock stepping(step_mutex_, std::try_to_lock);
  if (!stepping) return;  // whoever steps now sees that nobody wants the step; the runner goes with the last handle
  if (step_active_) {
    runner_->Abort();
    step_active_ = false;
    const std::lock_guard lock(mutex_);
    FinishStep();
  }
  const std::lock_guard lock(mutex_);
  DropRunner();
}

bool Core::BeginStep() {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  try {
    if (!scheduler_.Plan(plan_, planned_)) return false;
  } catch (...) {
    const Error error = Caught();
    FinishStep();
    EndAll(StopReason::kError, static_cast<int>(error.code()), error.what());
    return false;
  }
  live_.store(static_cast<int64_t>(planned_.size()), std::memory_order_relaxed);
  ++stats_.steps;
  stats_.rows += plan_.rows();
  return true;
}

bool Core::Slice(const std::optional<Clock::time_point>& until) noexcept {
  const FpEnvironment environment;  // the same tokens whatever the host has set on this thread
  if (!step_active_) {
    const bool saw = !step_is_next_ && See(until);
    step_is_next_ = saw;
    if (saw && until && Clock::now() >= *until) return true;
    // A request that has just been admitted may wait for a picture at once.
    if (!BeginStep()) return saw || See(until);
    if (vision_ != nullptr) runner_->UseFeatures(scheduler_.TakeFeatures());
    runner_->Begin(plan_);
    step_active_ = true;
    step_is_next_ = false;
  }
  const Clock::time_point began = Clock::now();
  const bool did = StepSlice(until);
  owed_ += Clock::now() - began;
  return did;
}

bool Core::StepSlice(const std::optional<Clock::time_point>& until) noexcept {
  while (live_.load(std::memory_order_relaxed) > 0) {
    const bool complete = runner_->Advance();
    if (!complete) {
      if (until && Clock::now() >= *until) return true;
      continue;
    }
    std::optional<Error> error = runner_->Finish();
    step_active_ = false;
    try {
      if (!error) error = Sample();
      if (!error) {
        const std::lock_guard lock(mutex_);
        Publish();
      }
    } catch (...) {
      error = Caught();
    }
    if (error) FailStep(*error);
    return true;
  }
  runner_->Abort();
  step_active_ = false;
  const std::lock_guard lock(mutex_);
  FinishStep();
  return true;
}

void Core::FinishStep() noexcept {
  try {
    scheduler_.Finish(planned_);
  } catch (...) {
    // Only a defect of ours gets here: nothing that runs can be trusted any longer.
    EndAll(StopReason::kError, static_cast<int>(ErrorCode::kInternal), "internal error: a step could not be closed");
  }
}

// Asks the device what the rows' requests need, and picks their tokens.
std::optional<Error> Core::Sample() {
  rows_.clear();
  score_logits_.clear();
  for (const Planned& part : planned_) {
    for (int32_t i = 0; i < part.logits; ++i) {
      SampleRow row;
      row.row = part.first_logit + i;
      const int64_t position = plan_.position[static_cast<size_t>(plan_.logit_row[static_cast<size_t>(row.row)])];
      if (!part.request->scoring) {
        part.request->sampler->Describe(row);
      } else if (position + 1 < part.request->prompt_tokens) {
        row.target = part.request->tokens[static_cast<size_t>(position + 1)];
      }
      rows_.push_back(row);
    }
  }
  if (rows_.empty()) return std::nullopt;
  if (auto error = runner_->Sample(rows_, std::span(results_).first(rows_.size()))) return error;

  chosen_.clear();
  for (const Planned& part : planned_) {
    for (int32_t i = 0; i < part.logits; ++i) {
      const auto at = static_cast<size_t>(part.first_logit + i);
      const SampleResult& result = results_[at];
      Outcome& outcome = outcomes_[at];
      outcome = {};
      outcome.finite = result.finite;
      if (!result.finite) continue;
      const int64_t position = plan_.position[static_cast<size_t>(plan_.logit_row[at])];
      if (part.request->scoring) {
        outcome.logprob = result.target_logit - result.lse;
        if (part.request->score.WantsLogits(position)) {
          outcome.logits = score_logits_.size();
          score_logits_.resize(score_logits_.size() + static_cast<size_t>(vocabulary_));
          runner_->ReadLogits(rows_[at].row, std::span(score_logits_).subspan(outcome.logits));
        }
        continue;
      }
      const Sampler& sampler = *part.request->sampler;
      const int32_t row = rows_[at].row;
      outcome.token = sampler.Pick(
          result, position + 1, [this, row](std::span<float> out) { runner_->ReadLogits(row, out); }, scratch_);
      if (outcome.token < 0 || !part.request->options.sampling.logprobs) continue;
      if (sampler.OwnLogit(result, outcome.token, outcome.logprob)) {
        outcome.logprob -= result.lse;
      } else {
        chosen_.push_back(at);
      }
    }
  }
  return chosen_.empty() ? std::nullopt : SampleChosen();
}

// The own logits of chosen tokens whose logits had been edited.
std::optional<Error> Core::SampleChosen() {
  chosen_rows_.clear();
  for (const size_t at : chosen_) {
    SampleRow row;
    row.row = rows_[at].row;
    row.target = outcomes_[at].token;
    chosen_rows_.push_back(row);
  }
  if (auto error = runner_->Sample(chosen_rows_, std::span(chosen_results_).first(chosen_rows_.size()))) return error;
  for (size_t i = 0; i < chosen_.size(); ++i) {
    const size_t at = chosen_[i];
    outcomes_[at].logprob = chosen_results_[i].target_logit - results_[at].lse;
  }
  return std::nullopt;
}

void Core::Publish() {
  scheduler_.Commit(planned_);
  for (const Planned& part : planned_) {
    RequestState& request = *part.request;
    if (request.phase != Phase::kRunning) continue;
    try {
      int64_t bad = -1;
      for (int32_t i = 0; i < part.logits && bad < 0; ++i) {
        const auto at = static_cast<size_t>(part.first_logit + i);
        if (!outcomes_[at].finite) bad = plan_.position[static_cast<size_t>(plan_.logit_row[at])];
      }
      if (bad >= 0) {
        End(request, StopReason::kError, static_cast<int>(ErrorCode::kState), StrCat("non-finite logits at position ", bad));
      } else if (request.scoring) {
        PublishScores(request, part);
      } else if (part.logits > 0) {
        const auto at = static_cast<size_t>(part.first_logit);
        PublishToken(request, outcomes_[at], results_[at]);
      }
    } catch (...) {
      const Error error = Caught();
      End(request, StopReason::kError, static_cast<int>(error.code()), error.what());
    }
  }
  scheduler_.Finish(planned_);
  if (score_logits_.capacity() > 0) score_logits_ = {};  // megabytes, wanted only while logits are being read
  if (options_.check_invariants) {
    try {
      CheckInvariants(scheduler_);
    } catch (const Error& error) {
      EndAll(StopReason::kError, static_cast<int>(error.code()), error.what());
    }
  }
}

void Core::PublishToken(RequestState& request, const Outcome& outcome, const SampleResult& result) {
  if (outcome.token < 0) {
    End(request, StopReason::kError, static_cast<int>(ErrorCode::kState),
        StrCat("no token is left to choose from at position ", request.tokens.size()));
    return;
  }
  const int32_t token = outcome.token;
  const Sampling& sampling = request.options.sampling;
  if (!request.has_first_token) {
    request.has_first_token = true;
    request.first_token = Clock::now();
    stats_.prompt_tokens += request.prompt_tokens;
    stats_.cached_tokens += request.cached_tokens;
  }
  ++stats_.generated_tokens;
  request.tokens.push_back(token);
  request.sampler->Accept(token);
  Event& event = request.pending;
  event.ids.push_back(token);
  if (sampling.logprobs) {
    event.logprobs.push_back(outcome.logprob);
    for (int32_t i = 0; i < sampling.top_logprobs; ++i) {
      const auto at = static_cast<size_t>(i);
      const bool there = at < result.top_id.size();  // a vocabulary may be smaller than what is asked for
      event.top_ids.push_back(there ? result.top_id[at] : -1);
      event.top_logprobs.push_back(there ? result.top_logit[at] - result.lse : -std::numeric_limits<float>::infinity());
    }
  }

  const auto among = [&](const std::vector<int32_t>& ids) { return std::binary_search(ids.begin(), ids.end(), token); };
  if ((!request.options.ignore_end && among(stop_tokens_)) || among(request.options.stop_tokens)) {
    End(request, StopReason::kEnd, 0, {});
    return;
  }
  bool stopped = false;
  if (text_ != nullptr && (request.options.include_special || !text_->IsSpecial(token)))
    stopped = request.stream.Append(text_->Bytes(token), event.text);
  if (stopped) {
    End(request, StopReason::kStopString, 0, {});
  } else if (static_cast<int64_t>(request.tokens.size()) >= request.end) {
    End(request, StopReason::kLength, 0, request.end_reason);
  } else if (!event.text.empty() || !request.stream.holding()) {
    Emit(request);
  }
}

void Core::PublishScores(RequestState& request, const Planned& part) {
  scored_.clear();
  size_t first_logits = score_logits_.size();
  for (int32_t i = 0; i < part.logits; ++i) {
    const auto at = static_cast<size_t>(part.first_logit + i);
    const int64_t position = plan_.position[static_cast<size_t>(plan_.logit_row[at])];
    scored_.push_back({position, outcomes_[at].logprob});
    if (request.score.WantsLogits(position)) first_logits = std::min(first_logits, outcomes_[at].logits);
  }
  const bool first = !request.has_first_token;
  request.has_first_token = true;
  if (first) stats_.prompt_tokens += request.prompt_tokens;
  request.score.Deliver(request.pages.computed, scored_, std::span<const float>(score_logits_).subspan(first_logits), vocabulary_);
  request.changed.notify_all();
  ShowReady(request);
  if (request.pages.computed >= request.score.rows) End(request, StopReason::kNone, 0, {});
}

// Nothing of the step counts. The request at fault ends; where several shared the step, each gets a step of its own to show.
void Core::FailStep(const Error& error) noexcept {
  const std::lock_guard lock(mutex_);
  try {
    if (planned_.size() == 1) {
      End(*planned_[0].request, StopReason::kError, static_cast<int>(error.code()), error.what());
    } else {
      scheduler_.RetryAlone(planned_);
    }
  } catch (...) {
    EndAll(StopReason::kError, static_cast<int>(ErrorCode::kNoMemory), "no memory to repeat a step that failed");
  }
  FinishStep();
}

}  // namespace scout::engine
