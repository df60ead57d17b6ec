// What the engine sees of a model: steps over page pools, never a tensor. A runner owns the pages and the workspace of one
// engine; the weights belong to the model and are shared.
//
// Thread rule: one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "backend/ops.h"
#include "backend/step_plan.h"
#include "base/error.h"
#include "model/features.h"

namespace scout::model {

struct RunnerOptions {
  int32_t page_size = 64;        // positions per page
  DType k_format = DType::kF16;  // kF32, kF16, kBF16, kQ8_0; both groups
  DType v_format = DType::kF16;
  std::array<int64_t, kPageGroups> page_count{};  // per group; 0 where the model has no such layers
  int32_t max_rows = 512;                         // N of the largest step
  int32_t max_logit_rows = 64;                    // M of the largest step
};

class Runner {
 public:
  virtual ~Runner() = default;

  virtual int64_t vocabulary() const = 0;
  virtual const RunnerOptions& options() const = 0;
  virtual PageGeometry geometry(int group) const = 0;
  virtual size_t page_bytes(int group) const = 0;  // of one page, all layers of the group; 0 where the group has no layers
  virtual size_t memory_bytes() const = 0;         // pages and workspace

  // A step: Begin, Advance until it returns true (one layer a call, so that cancelling and a caller's time slice are honoured
  // between layers), Finish. The plan must live until Finish or Abort. After Abort, or a Finish that returns an error, the pages
  // written by the step hold nothing that counts; everything older is intact.
  virtual void Begin(const StepPlan& plan) noexcept = 0;
  // Before Begin: the features of pictures that the step's feature_row counts through, one behind the other. They are held until
  // the step ends, whichever way. Made by the same model's Vision.
  virtual void UseFeatures(std::vector<std::shared_ptr<const Features>> /*features*/) noexcept {}
  virtual bool Advance() noexcept = 0;
  virtual std::optional<Error> Finish() noexcept = 0;
  virtual void Abort() noexcept = 0;

  // Over the logits of the last finished step; SampleRow::row counts its logit rows (M).
  virtual std::optional<Error> Sample(std::span<const SampleRow> rows, std::span<SampleResult> results) noexcept = 0;
  // Copies one row of logits. out.size() == vocabulary.
  virtual void ReadLogits(int32_t row, std::span<float> out) = 0;

  virtual void ReadPage(int group, int64_t page, std::span<std::byte> out) = 0;
  virtual void WritePage(int group, int64_t page, std::span<const std::byte> in) = 0;
  virtual void CopyPage(int group, int64_t from, int64_t to) = 0;
};

}  // namespace scout::model
