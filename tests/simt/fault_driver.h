// A driver that does what another does and fails where a test says.
#pragma once

#include <memory>
#include <mutex>

#include "simt_driver.h"

namespace scout::simt {

enum class DriverFault {
  kFailure,   // one call fails; it has done nothing, except a wait, which has waited
  kNoMemory,  // the same, for want of memory
  kEaten,     // from that call on somebody else has the device's memory: nothing more is given out
  kLost,      // from that call on no call does anything
};

struct FaultPlan {
  DriverFault fault = DriverFault::kFailure;
  int64_t at = -1;  // the call, from 0; -1: never
};

class FaultDriver final : public gpu::Driver {
 public:
  FaultDriver(std::shared_ptr<SimtDriver> inner, const FaultPlan& plan)
      : inner_(std::move(inner)), plan_(plan), table_(inner_->Kernels()) {}
  const SimtDriver& inner() const { return *inner_; }
  int64_t calls() const { return calls_; }
  bool fired() const { return plan_.at >= 0 && calls_ > plan_.at; }
  bool refused_graph() const { return refused_graph_; }  // what failed was the making of a graph, or an update
  void Plan(const FaultPlan& plan) {                     // calls are counted from here
    calls_ = 0;
    plan_ = plan;
  }
  void Heal() { plan_.at = -1; }  // the memory is given back; what is lost stays so

  // Takes kernels for others, before the driver is used.
  template <typename Changes>
  void Change(const Changes& changes) {
    changes(table_);
  }

  const gpu::KernelTable& Kernels() const override { return table_; }
  gpu::DriverStatus Facts(gpu::DeviceFacts& out) override {
    return Do([&] {
      const gpu::DriverStatus facts = inner_->Facts(out);
      if (plan_.fault == DriverFault::kEaten && fired()) out.memory_free_bytes = 0;
      return facts;
    });
  }
  gpu::DriverStatus Allocate(size_t bytes, void** out) override {
    return Do([&] { return inner_->Allocate(bytes, out); }, true);
  }
  void Free(void* block) override { inner_->Free(block); }
  gpu::DriverStatus AllocateStaging(size_t bytes, void** out) override {
    return Do([&] { return inner_->AllocateStaging(bytes, out); });
  }
  void FreeStaging(void* block) override { inner_->FreeStaging(block); }
  gpu::DriverStatus MakeStream(gpu::Stream* out) override {
    return Do([&] { return inner_->MakeStream(out); });
  }
  void FreeStream(gpu::Stream stream) override {
    if (stream) inner_->FreeStream(stream);
  }
  gpu::DriverStatus CopyIn(gpu::Stream stream, void* to, const void* from, size_t bytes) override {
    return Do([&] { return inner_->CopyIn(stream, to, from, bytes); });
  }
  gpu::DriverStatus CopyOut(gpu::Stream stream, void* to, const void* from, size_t bytes) override {
    return Do([&] { return inner_->CopyOut(stream, to, from, bytes); });
  }
  gpu::DriverStatus CopyWithin(gpu::Stream stream, void* to, const void* from, size_t bytes) override {
    return Do([&] { return inner_->CopyWithin(stream, to, from, bytes); });
  }
  gpu::DriverStatus Launch(gpu::Stream stream, const gpu::KernelLaunch& launch) override {
    return Do([&] { return inner_->Launch(stream, launch); });
  }
  gpu::DriverStatus MakeGraph(std::span<const gpu::KernelLaunch> launches, gpu::Graph* out) override {
    return Refused(Do([&] { return inner_->MakeGraph(launches, out); }));
  }
  gpu::DriverStatus UpdateGraph(gpu::Graph graph, size_t at, const gpu::KernelLaunch& launch) override {
    return Refused(Do([&] { return inner_->UpdateGraph(graph, at, launch); }));
  }
  gpu::DriverStatus LaunchGraph(gpu::Stream stream, gpu::Graph graph) override {
    return Do([&] { return inner_->LaunchGraph(stream, graph); });
  }
  void FreeGraph(gpu::Graph graph) override { inner_->FreeGraph(graph); }
  gpu::OpenedLibrary OpenLibrary() override {
    gpu::OpenedLibrary opened = inner_->OpenLibrary();
    if (opened.library) opened.library = std::make_unique<FaultLibrary>(*this, std::move(opened.library));
    return opened;
  }
  gpu::DriverStatus Synchronize(gpu::Stream stream) override {
    const std::lock_guard lock(mutex_);
    const gpu::DriverStatus status = Next(false);
    if (status.lost) return status;
    const gpu::DriverStatus waited = inner_->Synchronize(stream);
    return status.ok() ? waited : status;
  }

 private:
  // Its products are calls of the driver's.
  class FaultLibrary final : public gpu::Library {
   public:
    FaultLibrary(FaultDriver& driver, std::unique_ptr<gpu::Library> inner) : driver_(driver), inner_(std::move(inner)) {}
    gpu::LibraryStatus Multiply(gpu::Stream stream, const gpu::HalfProduct& product, void* workspace, size_t bytes) override {
      gpu::LibraryStatus status;
      const gpu::DriverStatus done = driver_.Do([&] {
        status = inner_->Multiply(stream, product, workspace, bytes);
        return status.status;
      });
      return {status.ok() ? "a product by a library" : status.call, done, status.refused};
    }

   private:
    FaultDriver& driver_;
    const std::unique_ptr<gpu::Library> inner_;
  };

  // A call and what comes of it are one: between the two, another thread's call may not lose the device.
  template <typename Call>
  gpu::DriverStatus Do(const Call& call, bool allocates = false) {
    const std::lock_guard lock(mutex_);
    const gpu::DriverStatus status = Next(allocates);
    return status.ok() ? call() : status;
  }

  gpu::DriverStatus Refused(const gpu::DriverStatus& status) {
    refused_graph_ = refused_graph_ || !status.ok();
    return status;
  }

  // The status that the next call begins with.
  gpu::DriverStatus Next(bool allocates) {
    const int64_t call = calls_++;
    if (lost_) return kLoss;
    if (plan_.at < 0 || call < plan_.at) return {};
    switch (plan_.fault) {
      case DriverFault::kFailure:
        return call == plan_.at ? gpu::DriverStatus{999, "planted"} : gpu::DriverStatus{};
      case DriverFault::kNoMemory:
        return call == plan_.at ? gpu::DriverStatus{2, "out of memory", true} : gpu::DriverStatus{};
      case DriverFault::kEaten:
        return allocates ? gpu::DriverStatus{2, "out of memory", true} : gpu::DriverStatus{};
      case DriverFault::kLost:
        break;
    }
    lost_ = true;
    inner_->DropWork();
    return kLoss;
  }

  static constexpr gpu::DriverStatus kLoss{46, "the device has fallen off the bus", false, true};

  const std::shared_ptr<SimtDriver> inner_;
  FaultPlan plan_;
  gpu::KernelTable table_;
  std::mutex mutex_;
  int64_t calls_ = 0;
  bool lost_ = false;
  bool refused_graph_ = false;
};

}  // namespace scout::simt
