// A weight in the process's own memory, in the file's own block layout: rows stacked from parts, each part in its own format.
// Quantised blocks are used where they lie (the mapped file) or are read once into one aligned block of the same size; nothing
// is expanded, so that resident memory is the size of the file.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "backend/packed_weights.h"
#include "base/host_memory.h"

namespace scout {

// How a backend reads weights: with which threads, and in which arrangement of its own, if it has one, sixteen rows are kept.
class PanelPacker {
 public:
  static constexpr int64_t kRows = 16;
  virtual ~PanelPacker() = default;
  // Bytes of a panel of kRows rows of k values, a multiple of 64; 0 for a format that stays as it is.
  virtual size_t PanelBytes(DType format, int64_t k) const = 0;
  // rows: kRows rows in the file's blocks. panel: [PanelBytes], aligned to 64. Any thread.
  virtual void Pack(DType format, const std::byte* rows, int64_t k, std::byte* panel) const = 0;
  // task(i, staging) for 0 .. count - 1, which read `bytes` bytes together, on as many threads as keep both the disk and the
  // processor at work; no two tasks that run at once have the same staging. The first exception is thrown here.
  virtual void ForEach(int64_t count, uint64_t bytes, const std::function<void(int64_t, StagingBuffer&)>& task) const = 0;
};

class HostWeight final : public Weight {
 public:
  struct Part {
    DType format = DType::kF32;
    int64_t first_row = 0;  // in the stacked weight
    int64_t rows = 0;
    size_t row_bytes = 0;
    size_t panel_bytes = 0;                // not 0: packed in panels, and there is no Row
    std::vector<const std::byte*> expert;  // [experts] first byte of each expert's rows
    const std::byte* Row(int64_t e, int64_t row_of_part) const {
      return expert[static_cast<size_t>(e)] + static_cast<size_t>(row_of_part) * row_bytes;
    }
    // The panel that starts at `row_of_part`, a multiple of PanelPacker::kRows.
    const std::byte* Panel(int64_t e, int64_t row_of_part) const {
      return expert[static_cast<size_t>(e)] + static_cast<size_t>(row_of_part / PanelPacker::kRows) * panel_bytes;
    }
  };

  // Reads `desc`. With `as_f32` the rows are decoded to float32 (norm weights, routers), and become one part. Parts whose file
  // layout is transposed are turned; that is defined for F32, F16 and BF16. With a packer, bytes are read by its threads, and a
  // weight whose parts are whole panels (an even number of them in all, so that either half is too) is packed part by part, unless
  // its bytes are mapped: those stay in their place, shared. Throws kUnsupported, kFormat, kNoMemory naming desc.name.
  static std::unique_ptr<HostWeight> Read(const WeightDesc& desc, bool as_f32, const PanelPacker* packer = nullptr);

  // The same weight over bytes that `owner` keeps: what Export gave for one that Read made with the same arguments. Throws kFormat
  // naming desc.name and the first field that differs.
  static std::unique_ptr<HostWeight> Import(const WeightDesc& desc, bool as_f32, const PanelPacker* packer,
                                            std::span<const StoredPart> stored, std::shared_ptr<const void> owner);
  std::vector<StoredPart> Export() const;

  int64_t rows() const override { return rows_; }
  int64_t cols() const override { return cols_; }
  int64_t experts() const override { return experts_; }
  size_t size_bytes() const override;

  const std::vector<Part>& parts() const { return parts_; }
  const Part& PartOfRow(int64_t row) const;
  bool quantised() const;  // any part in a block format: activations are then rounded for it
  // Whether activations stay float32 whatever the format is: a weight of the role kManyRows. None of its parts is packed.
  bool meets_floats() const { return meets_floats_; }
  // One row as float32, of a part that is not packed. out: [cols]
  void DecodeRow(int64_t e, int64_t row, float* out) const;

 private:
  explicit HostWeight(const WeightDesc& desc);  // without its parts
  void JoinParts();

  int64_t rows_ = 0, cols_ = 0, experts_ = 1;
  bool meets_floats_ = false;
  size_t mapped_bytes_ = 0;
  std::vector<Part> parts_;
  std::vector<HostMemory> memory_;                            // one per part that was read
  std::vector<std::shared_ptr<const WeightSource>> sources_;  // kept while their mapped bytes are used
  std::shared_ptr<const void> owner_;                         // of imported bytes
};

}  // namespace scout
