// Experts of one layer that lie on several instances of a placed backend, or elsewhere than the rest of their layer.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "backend/backend.h"

namespace scout {

inline size_t EndOf(const Act& act) { return act.offset + static_cast<size_t>(act.rows) * static_cast<size_t>(act.cols) * 4; }

// A buffer of each instance that grows to the largest use.
using ScratchBuffers = std::array<std::unique_ptr<Buffer>, 16>;

// What a placed backend lends to the code of its operations: instances, and its buffers as views of an instance's own.
class PlacedMemory {
 public:
  virtual Backend& At(int instance) const = 0;
  virtual Act In(const Act& act, int instance) = 0;     // brought there where it lies elsewhere
  virtual Act Out(const Act& act, int instance) = 0;    // to be written as a whole
  virtual Act InOut(const Act& act, int instance) = 0;  // to be changed

  Buffer& Scratch(ScratchBuffers& buffers, int instance, size_t bytes) const {
    auto& buffer = buffers[static_cast<size_t>(instance)];
    if (!buffer || buffer->size_bytes() < bytes) {
      // What was asked for may still be about to read the old one: a read of it waits.
      std::byte settled[4];
      if (buffer) At(instance).Download(*buffer, 0, settled);
      buffer.reset();
      buffer = At(instance).Alloc(MemoryKind::kWorkspace, bytes);
    }
    return *buffer;
  }

 protected:
  ~PlacedMemory() = default;
};

class PlacedExperts {
 public:
  explicit PlacedExperts(PlacedMemory& memory) : memory_(memory) {}

  // `home` has the router and the shared expert, and gets the sum.
  void Run(const ExpertsOp& op, int home);

 private:
  // What one piece of the experts gets and gives: R of the N rows, those of which a choice lies in it.
  struct Share {
    int owner = 0;
    int32_t first = 0, last = 0;  // experts
    const Weight* gate_up = nullptr;
    const Weight* down = nullptr;
    std::vector<int32_t> rows;   // [R], ascending
    std::vector<int32_t> ids;    // [R, k], counted from `first`; -1 = another's
    std::vector<float> gates;    // [R, k]
    std::vector<std::byte> out;  // [R k, D] once collected
    Act addends;                 // on its owner
  };
  // Memory on one instance, piece by piece.
  struct Cursor {
    Buffer* buffer = nullptr;
    size_t used = 0;
    Act Take(int64_t rows, int64_t cols);
  };

  void Fetch(const ExpertsOp& op, int home);
  void Deal(const ExpertsOp& op, int home);
  void Reserve(const ExpertsOp& op, int home);
  void Start(const ExpertsOp& op, Share& share);
  void StartHome(const ExpertsOp& op, int home);
  void Collect(const ExpertsOp& op, int home, Share& share);

  PlacedMemory& memory_;
  ScratchBuffers buffers_;
  std::array<Cursor, 16> cursor_;
  std::vector<float> y_;          // [N, D]
  std::vector<int32_t> ids_;      // [N, k]
  std::vector<float> gates_;      // [N, k]
  std::vector<float> packed_;     // [R, D]
  std::vector<int32_t> scatter_;  // [N k]
  std::vector<Share> shares_;     // some of them in use
  size_t share_count_ = 0;
  Act home_addends_, home_shared_, home_hidden_, home_in_;
};

}  // namespace scout
