// A backend that passes everything on: what decorators derive from.
#pragma once

#include <utility>

#include "backend/backend.h"

namespace scout {

class ForwardingBackend : public Backend {
 public:
  explicit ForwardingBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  DeviceInfo Info() const override { return inner_->Info(); }
  bool Supports(DType format, WeightRole role) const override { return inner_->Supports(format, role); }
  std::unique_ptr<Weight> PrepareWeight(const WeightDesc& desc) override { return inner_->PrepareWeight(desc); }
  std::unique_ptr<Buffer> Alloc(MemoryKind kind, size_t bytes) override { return inner_->Alloc(kind, bytes); }
  void Upload(Buffer& to, size_t offset, std::span<const std::byte> from) override { inner_->Upload(to, offset, from); }
  void Download(const Buffer& from, size_t offset, std::span<std::byte> to) override { inner_->Download(from, offset, to); }
  std::unique_ptr<KvPages> AllocPages(const PageGroupSpec& spec) override { return inner_->AllocPages(spec); }
  size_t PageBytes(const KvPages& pages) const override { return inner_->PageBytes(pages); }
  void ReadPage(const KvPages& pages, int64_t page, std::span<std::byte> out) override { inner_->ReadPage(pages, page, out); }
  void WritePage(KvPages& pages, int64_t page, std::span<const std::byte> in) override { inner_->WritePage(pages, page, in); }
  void CopyPage(KvPages& pages, int64_t from, int64_t to) override { inner_->CopyPage(pages, from, to); }

  void BeginStep(const StepPlan& plan) noexcept override { inner_->BeginStep(plan); }
  bool IsAsynchronous() const override { return inner_->IsAsynchronous(); }
  void Submit() noexcept override { inner_->Submit(); }
  void Embed(const EmbedOp& op) noexcept override { inner_->Embed(op); }
  void RmsNorm(const RmsNormOp& op) noexcept override { inner_->RmsNorm(op); }
  void Linear(const LinearOp& op) noexcept override { inner_->Linear(op); }
  void RopeNormStore(const RopeNormStoreOp& op) noexcept override { inner_->RopeNormStore(op); }
  void Attention(const AttentionOp& op) noexcept override { inner_->Attention(op); }
  void MergeAttention(const MergeAttentionOp& op) noexcept override { inner_->MergeAttention(op); }
  void Route(const RouteOp& op) noexcept override { inner_->Route(op); }
  void Experts(const ExpertsOp& op) noexcept override { inner_->Experts(op); }
  void CombineExperts(const CombineExpertsOp& op) noexcept override { inner_->CombineExperts(op); }
  void GatherRows(const GatherRowsOp& op) noexcept override { inner_->GatherRows(op); }
  void ScatterRows(const ScatterRowsOp& op) noexcept override { inner_->ScatterRows(op); }
  void Unfold(const UnfoldOp& op) noexcept override { inner_->Unfold(op); }
  void AddPositions(const AddPositionsOp& op) noexcept override { inner_->AddPositions(op); }
  void LayerNorm(const LayerNormOp& op) noexcept override { inner_->LayerNorm(op); }
  void Rotate(const RotateOp& op) noexcept override { inner_->Rotate(op); }
  void GroupAttention(const GroupAttentionOp& op) noexcept override { inner_->GroupAttention(op); }
  void PixelShuffle(const PixelShuffleOp& op) noexcept override { inner_->PixelShuffle(op); }
  void Sample(const SampleOp& op, std::span<SampleResult> results) noexcept override { inner_->Sample(op, results); }
  std::optional<Error> EndStep() noexcept override { return inner_->EndStep(); }

 protected:
  Backend& inner() { return *inner_; }
  const Backend& inner() const { return *inner_; }

 private:
  std::unique_ptr<Backend> inner_;
};

}  // namespace scout
