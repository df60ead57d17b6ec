// A tensor of a checkpoint as a weight source: counts what is read, notices a cancel, and looks for NaN on the way.
#pragma once

#include <atomic>
#include <memory>

#include "backend/weight_source.h"
#include "io/checkpoint.h"
#include "model/weights.h"

namespace scout::model {

class TensorSource final : public WeightSource {
 public:
  TensorSource(std::shared_ptr<const io::Checkpoint> checkpoint, const io::TensorInfo& tensor, std::shared_ptr<LoadMonitor> monitor)
      : checkpoint_(std::move(checkpoint)), tensor_(tensor), monitor_(std::move(monitor)) {}

  uint64_t size_bytes() const override { return tensor_.bytes; }
  void Read(uint64_t offset, std::span<std::byte> out) const override;
  std::span<const std::byte> ReadStaged(uint64_t offset, size_t size, StagingBuffer& staging) const override;
  void Check(uint64_t offset, std::span<const std::byte> bytes) const override;
  const std::byte* Mapped() const override;
  void Drop() const override { checkpoint_->DropPages(tensor_); }

 private:
  void Count(uint64_t bytes) const;

  std::shared_ptr<const io::Checkpoint> checkpoint_;
  const io::TensorInfo& tensor_;  // lives in the checkpoint
  std::shared_ptr<LoadMonitor> monitor_;
  mutable std::atomic<uint64_t> counted_{0};
  mutable std::atomic<bool> mapped_checked_{false};
};

}  // namespace scout::model
