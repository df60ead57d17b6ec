// What backends whose memory is the process's own have in common: weights in the file's blocks, plain buffers and pages, and a step
// that keeps its first error. `Context` is what such a backend's operations take; it has a member `plan`.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "backend/backend.h"
#include "backend/host_buffer.h"
#include "backend/host_pages.h"
#include "backend/host_weight.h"
#include "backend/packed_weights.h"
#include "backend/step_errors.h"
#include "base/fp_environment.h"
#include "quant/formats.h"

namespace scout {

template <typename Context>
class HostBackend : public Backend, public PackedWeights {
 public:
  bool Supports(DType format, WeightRole) const override { return quant::CanDecode(format); }

  std::unique_ptr<Weight> PrepareWeight(const WeightDesc& desc) override {
    return HostWeight::Read(desc, IsServedAsF32(desc.role));
  }

  // The file's rows one after the other: the same for every such backend.
  std::string LayoutId() const override { return "rows, version 1"; }
  std::vector<StoredPart> ExportWeight(const Weight& weight) const override {
    return static_cast<const HostWeight&>(weight).Export();
  }
  std::unique_ptr<Weight> ImportWeight(const WeightDesc& desc, std::span<const StoredPart> parts,
                                       std::shared_ptr<const void> owner) const override {
    return HostWeight::Import(desc, IsServedAsF32(desc.role), nullptr, parts, std::move(owner));
  }

  std::unique_ptr<Buffer> Alloc(MemoryKind, size_t bytes) override { return std::make_unique<HostBuffer>(bytes); }
  void Upload(Buffer& to, size_t offset, std::span<const std::byte> from) override { HostUpload(to, offset, from); }
  void Download(const Buffer& from, size_t offset, std::span<std::byte> to) override { HostDownload(from, offset, to); }

  std::unique_ptr<KvPages> AllocPages(const PageGroupSpec& spec) override { return std::make_unique<HostPages>(spec); }
  size_t PageBytes(const KvPages& pages) const override { return static_cast<const HostPages&>(pages).page_bytes(); }
  void ReadPage(const KvPages& pages, int64_t page, std::span<std::byte> out) override {
    static_cast<const HostPages&>(pages).ReadPage(page, out);
  }
  void WritePage(KvPages& pages, int64_t page, std::span<const std::byte> in) override {
    static_cast<HostPages&>(pages).WritePage(page, in);
  }
  void CopyPage(KvPages& pages, int64_t from, int64_t to) override { static_cast<HostPages&>(pages).CopyPage(from, to); }

  void BeginStep(const StepPlan& plan) noexcept override {
    errors_.Clear();
    context_.plan = &plan;
  }
  std::optional<Error> EndStep() noexcept override {
    context_.plan = nullptr;
    return errors_.Take();
  }

 protected:
  static bool IsServedAsF32(WeightRole role) { return role == WeightRole::kVector || role == WeightRole::kRouter; }

  // Runs one operation; the first error of a step ends its work and waits for EndStep.
  template <typename Operation>
  void RunOperation(const Operation& operation) noexcept {
    const FpEnvironment environment;
    errors_.Run(operation);
  }

  Context context_;

 private:
  StepErrors errors_{"a step"};
};

}  // namespace scout
