// The engine's inside, shared by the Engine object, its thread and the requests' handles, so that they may go in any order.
//
// One lock guards everything but the step itself. The stepper (the engine's thread, or whoever is inside Step) plans under the
// lock, runs the model and picks tokens without it, and publishes under it again.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "engine/engine.h"
#include "engine/feature_cache.h"
#include "engine/request.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/token_text.h"

namespace scout::engine {

class Core;

// What the caller holds.
class RequestHandle final : public Request {
 public:
  RequestHandle(std::shared_ptr<Core> core, std::shared_ptr<RequestState> state);
  ~RequestHandle() override;
  void Cancel() noexcept override;
  std::vector<int32_t> GeneratedIds() const override;
  int64_t prompt_tokens() const override;
  uint64_t tag() const override;
  bool finished() const override;
  int descriptor() override;

  Core& core() const { return *core_; }
  const std::shared_ptr<RequestState>& state() const { return state_; }

 private:
  std::shared_ptr<Core> core_;
  std::shared_ptr<RequestState> state_;
};

class Core : public std::enable_shared_from_this<Core> {
 public:
  Core(std::unique_ptr<model::Runner> runner, std::shared_ptr<const TokenText> text, std::vector<int32_t> stop_tokens,
       uint64_t model_fingerprint, const EngineOptions& options, std::unique_ptr<model::Vision> vision);

  // As Engine's functions of the same names.
  std::shared_ptr<Request> Submit(std::vector<int32_t> prompt, std::vector<Picture> pictures, const RequestOptions& options);
  std::shared_ptr<Request> SubmitScore(std::vector<int32_t> tokens, std::vector<Picture> pictures, const ScoreOptions& options);
  Next NextEvent(Request& request, int64_t timeout_ms, Event& event);
  Next NextEvent(int64_t timeout_ms, Event& event, std::shared_ptr<Request>* from);
  Next NextBlock(Request& request, int64_t timeout_ms, ScoreBlock& block);
  bool Step(int64_t budget_ms);
  EngineStats Stats() const;
  int descriptor() const { return wake_.descriptor(); }
  const EngineOptions& options() const { return options_; }
  void WakeReader();
  void Close() noexcept;  // all but joining the thread

  void RunThread() noexcept;      // the engine's thread: until Close
  void ReleaseRunner() noexcept;  // after Close, when no step runs

  void Cancel(RequestState& request) noexcept;
  void Abandon(RequestState& request) noexcept;  // its handle goes
  std::vector<int32_t> GeneratedIds(const RequestState& request) const;
  bool Ended(const RequestState& request) const;
  int Descriptor(RequestState& request);

 private:
  struct Outcome {  // of one logit row
    int32_t token = -1;
    float logprob = 0;
    bool finite = true;
    size_t logits = 0;  // scoring: where its row begins in score_logits_
  };

  // Under the lock.
  int64_t GiveFeatures(const PictureKey& key, const std::shared_ptr<const model::Features>& features) noexcept;
  bool PictureIsWanted(const PictureKey& key) const;
  bool ChoosePictures();
  std::shared_ptr<Request> Enter(std::shared_ptr<RequestState> state);
  void End(RequestState& request, StopReason reason, int status, std::string_view message) noexcept;
  void EndAll(StopReason reason, int status, std::string_view message) noexcept;
  void FinishStep() noexcept;
  void Emit(RequestState& request);
  void SetReady(RequestState& request, bool ready);
  void ShowReady() noexcept;                       // in the engine's descriptor
  void ShowReady(RequestState& request) noexcept;  // in the request's, where it has one
  void Take(RequestState& request, Event& event);
  void Wake();
  bool WorkLeft() const;
  void PublishToken(RequestState& request, const Outcome& outcome, const SampleResult& result);
  void PublishScores(RequestState& request, const Planned& part);
  void Publish();
  void FailStep(const Error& error) noexcept;

  // The stepper's.
  bool Slice(const std::optional<Clock::time_point>& until) noexcept;  // false: there was nothing to do
  bool StepSlice(const std::optional<Clock::time_point>& until) noexcept;
  bool See(const std::optional<Clock::time_point>& until) noexcept;  // as Slice, of encoding pictures
  void FinishPictures() noexcept;
  void DropRunner() noexcept;
  bool BeginStep();
  std::optional<Error> Sample();
  std::optional<Error> SampleChosen();
  void CheckProcess() const;
  RequestHandle& Mine(Request& request) const;

  const std::shared_ptr<const TokenText> text_;
  std::vector<int32_t> stop_tokens_;  // ascending
  EngineOptions options_;
  const int64_t vocabulary_;
  const int64_t process_;

  mutable std::mutex mutex_;
  std::condition_variable work_;       // the engine's thread waits on it
  std::condition_variable any_event_;  // readers of any request's events
  Scheduler scheduler_;
  std::list<RequestState*> ready_;  // requests with unread events, in the order in which they will be served
  WakeDescriptor wake_;
  bool reader_woken_ = false;  // and no NextEvent has answered it yet
  EngineStats stats_;
  uint64_t next_number_ = 1;
  FeatureCache features_;
  uint64_t work_version_ = 0;  // changes whenever there may be more to do
  bool closed_ = false;

  // The stepper's own.
  std::mutex step_mutex_;  // held inside Step
  std::unique_ptr<model::Runner> runner_;
  bool step_active_ = false;
  struct Seen {                             // a picture on its way through the vision tower
    std::shared_ptr<RequestState> request;  // which ends where that fails
    PictureKey key{};
    std::shared_ptr<const std::vector<uint8_t>> tiles;
    int64_t rows = 0;  // of its features
  };
  std::unique_ptr<model::Vision> vision_;
  const std::optional<model::VisionConfig> vision_config_;
  const std::array<float, 256> pixel_table_;
  static constexpr size_t kMostSeen = 64;  // pictures together, whose tiles fit the tower's workspace
  std::vector<Seen> seeing_;               // room for kMostSeen
  std::vector<std::shared_ptr<const model::Features>> seen_;
  size_t alone_ = 0;              // so many pictures go one by one: together they failed
  bool step_is_next_ = false;     // pictures had their turn, however short
  Clock::duration owed_{};        // how long steps ran since pictures were last encoded
  std::atomic<int64_t> live_{0};  // requests of the running step that still want its result
  StepPlan plan_;
  std::vector<Planned> planned_;
  std::vector<SampleRow> rows_, chosen_rows_;
  std::vector<SampleResult> results_, chosen_results_;
  std::vector<size_t> chosen_;       // logit rows whose token's own logit has to be asked for
  std::vector<Outcome> outcomes_;    // [M]
  std::vector<float> score_logits_;  // [.., V]
  std::vector<ScoredRow> scored_;
  SamplerScratch scratch_;
};

// As Engine::Make, for any source of token texts.
std::shared_ptr<Engine> MakeEngine(std::unique_ptr<model::Runner> runner, std::shared_ptr<const TokenText> text,
                                   std::vector<int32_t> stop_tokens, uint64_t model_fingerprint, const EngineOptions& options,
                                   std::unique_ptr<model::Vision> vision = nullptr);

// Throw kArgument (or kLimit) naming the option, its value and its range.
void CheckEngineOptions(const EngineOptions& options, const model::Runner& runner);
void CheckRequestOptions(const RequestOptions& options, int64_t vocabulary, bool has_text);
void CheckTokens(std::span<const int32_t> tokens, int64_t vocabulary);
// `vision` is null where there is no tower.
void CheckPictures(std::span<const Picture> pictures, int64_t tokens, const model::VisionConfig* vision);

}  // namespace scout::engine
