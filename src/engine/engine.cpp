// The Engine object and the requests' handles: thin, over the core that they share.
#include "engine/engine.h"

#include <mutex>
#include <utility>

#include "base/own_thread.h"
#include "base/process.h"
#include "engine/core.h"

namespace scout::engine {
namespace {

class EngineImpl final : public Engine {
 public:
  EngineImpl(std::shared_ptr<Core> core, Mode mode) : core_(std::move(core)), mode_(mode), process_(CurrentProcess()) {
    if (mode_ == Mode::kThread) thread_ = OwnThread("scout-engine", [shared = core_] { shared->RunThread(); });
  }
  ~EngineImpl() override { EngineImpl::Close(); }

  std::shared_ptr<Request> Submit(std::vector<int32_t> prompt, std::vector<Picture> pictures,
                                  const RequestOptions& options) override {
    return core_->Submit(std::move(prompt), std::move(pictures), options);
  }
  std::shared_ptr<Request> SubmitScore(std::vector<int32_t> tokens, std::vector<Picture> pictures,
                                       const ScoreOptions& options) override {
    return core_->SubmitScore(std::move(tokens), std::move(pictures), options);
  }
  Next NextEvent(Request& request, int64_t timeout_ms, Event& event) override {
    return core_->NextEvent(request, timeout_ms, event);
  }
  Next NextEvent(int64_t timeout_ms, Event& event, std::shared_ptr<Request>* from) override {
    return core_->NextEvent(timeout_ms, event, from);
  }
  Next NextBlock(Request& request, int64_t timeout_ms, ScoreBlock& block) override {
    return core_->NextBlock(request, timeout_ms, block);
  }
  bool Step(int64_t budget_ms) override { return core_->Step(budget_ms); }
  void Wake() override { core_->WakeReader(); }
  int descriptor() const override { return core_->descriptor(); }
  const EngineOptions& options() const override { return core_->options(); }
  EngineStats Stats() const override { return core_->Stats(); }

  void Close() noexcept override {
    if (CurrentProcess() != process_) {
      // In a fork's child the thread does not exist: there is nothing to join, and the lock may never be free.
      if (thread_.joinable()) thread_.Abandon();
      return;
    }
    core_->Close();
    const std::lock_guard lock(joining_);
    if (thread_.joinable()) thread_.Join();
    core_->ReleaseRunner();
  }

 private:
  std::shared_ptr<Core> core_;
  Mode mode_;
  int64_t process_;
  std::mutex joining_;
  OwnThread thread_;
};

}  // namespace

RequestHandle::RequestHandle(std::shared_ptr<Core> core, std::shared_ptr<RequestState> state)
    : core_(std::move(core)), state_(std::move(state)) {}
RequestHandle::~RequestHandle() { core_->Abandon(*state_); }
void RequestHandle::Cancel() noexcept { core_->Cancel(*state_); }
std::vector<int32_t> RequestHandle::GeneratedIds() const { return core_->GeneratedIds(*state_); }
int64_t RequestHandle::prompt_tokens() const { return state_->prompt_tokens; }
uint64_t RequestHandle::tag() const { return state_->options.tag; }
bool RequestHandle::finished() const { return core_->Ended(*state_); }
int RequestHandle::descriptor() { return core_->Descriptor(*state_); }

std::shared_ptr<Engine> MakeEngine(std::unique_ptr<model::Runner> runner, std::shared_ptr<const TokenText> text,
                                   std::vector<int32_t> stop_tokens, uint64_t model_fingerprint, const EngineOptions& options,
                                   std::unique_ptr<model::Vision> vision) {
  if (runner == nullptr) Fail(ErrorCode::kArgument, "an engine needs a runner");
  CheckEngineOptions(options, *runner);
  auto core = std::make_shared<Core>(std::move(runner), std::move(text), std::move(stop_tokens), model_fingerprint, options,
                                     std::move(vision));
  return std::make_shared<EngineImpl>(std::move(core), options.mode);
}

}  // namespace scout::engine
