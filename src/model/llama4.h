// The forward pass of a Llama 4 text model over the coarse operations of a backend.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/runner.h"
#include "model/weights.h"
#include "model/workspace.h"

namespace scout::model {

class Model;

class Llama4 final : public Runner {
 public:
  // `owner` keeps `config` and `weights` alive; the backend is this runner's own.
  Llama4(std::shared_ptr<const Model> owner, const Config& config, const Weights& weights, std::unique_ptr<Backend> backend,
         const RunnerOptions& options);

  int64_t vocabulary() const override { return config_.vocabulary; }
  const RunnerOptions& options() const override { return options_; }
  PageGeometry geometry(int group) const override { return cache_.geometry(group); }
  size_t page_bytes(int group) const override { return cache_.page_bytes(group); }
  size_t memory_bytes() const override { return cache_.memory_bytes() + workspace_.size_bytes(); }

  void UseFeatures(std::vector<std::shared_ptr<const Features>> features) noexcept override { given_ = std::move(features); }
  void Begin(const StepPlan& plan) noexcept override;
  bool Advance() noexcept override;
  std::optional<Error> Finish() noexcept override;
  void Abort() noexcept override;

  std::optional<Error> Sample(std::span<const SampleRow> rows, std::span<SampleResult> results) noexcept override;
  void ReadLogits(int32_t row, std::span<float> out) override;

  void ReadPage(int group, int64_t page, std::span<std::byte> out) override;
  void WritePage(int group, int64_t page, std::span<const std::byte> in) override;
  void CopyPage(int group, int64_t from, int64_t to) override;

 private:
  void Embed();
  void AttentionBlock(int64_t layer);
  void FeedForwardBlock(int64_t layer);
  void Logits();
  void CheckPlan(const StepPlan& plan) const;
  KvPages& PagesOf(int group, int64_t page) const;

  std::shared_ptr<const Model> owner_;
  const Config& config_;
  const Weights& weights_;
  std::unique_ptr<Backend> backend_;
  RunnerOptions options_;
  KvCache cache_;
  Workspace workspace_;

  std::vector<std::shared_ptr<const Features>> given_;     // for the next step
  std::vector<std::shared_ptr<const Features>> features_;  // of the step in progress
  const StepPlan* plan_ = nullptr;                         // of the step in progress
  Activations a_;                                          // of the step in progress, or the last one
  int64_t next_layer_ = 0;
  bool begun_ = false;  // the backend is inside a step
  int32_t finished_logit_rows_ = 0;
  std::optional<Error> error_;                                                // ours, before the backend was asked anything
  const Error no_memory_{ErrorCode::kNoMemory, "no memory to begin a step"};  // made while there was some; copies take none
};

}  // namespace scout::model
