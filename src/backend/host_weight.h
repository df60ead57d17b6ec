// A weight in the process's own memory, in the file's own block layout: rows stacked from parts, each part in its own format.
// Quantised blocks are used where they lie (the mapped file) or are read once into one aligned block of the same size; nothing
// is expanded, so that resident memory is the size of the file.
#pragma once

#include <memory>
#include <vector>

#include "backend/ops.h"
#include "base/host_memory.h"

namespace scout {

class HostWeight final : public Weight {
 public:
  struct Part {
    DType format = DType::kF32;
    int64_t first_row = 0;  // in the stacked weight
    int64_t rows = 0;
    size_t row_bytes = 0;
    std::vector<const std::byte*> expert;  // [experts] first byte of each expert's rows
    const std::byte* Row(int64_t e, int64_t row_of_part) const {
      return expert[static_cast<size_t>(e)] + static_cast<size_t>(row_of_part) * row_bytes;
    }
  };

  // Reads `desc`. With `as_f32` the rows are decoded to float32 (norm weights, routers). Parts whose file layout is transposed
  // are turned; that is defined for F32, F16 and BF16. Throws kUnsupported, kFormat, kNoMemory naming desc.name.
  static std::unique_ptr<HostWeight> Read(const WeightDesc& desc, bool as_f32);

  int64_t rows() const override { return rows_; }
  int64_t cols() const override { return cols_; }
  int64_t experts() const override { return experts_; }
  size_t size_bytes() const override;

  const std::vector<Part>& parts() const { return parts_; }
  const Part& PartOfRow(int64_t row) const;
  bool quantised() const;  // any part in a block format: activations are then rounded for it
  // One row as float32. out: [cols]
  void DecodeRow(int64_t e, int64_t row, float* out) const;

 private:
  HostWeight() = default;

  int64_t rows_ = 0, cols_ = 0, experts_ = 1;
  size_t mapped_bytes_ = 0;
  std::vector<Part> parts_;
  std::vector<HostMemory> memory_;                            // one per part that was read
  std::vector<std::shared_ptr<const WeightSource>> sources_;  // kept while their mapped bytes are used
};

}  // namespace scout
