#include "backend/host_weight.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "quant/formats.h"

namespace scout {
namespace {

// Bytes that a read stages at most, where bytes cannot go straight to their place.
constexpr uint64_t kStagingBytes = 4 << 20;

struct Place {
  const WeightSource* source;
  uint64_t offset;
};

Place PlaceOf(const WeightPart& part, int64_t expert) {
  if (part.sources.size() > 1) return {part.sources[static_cast<size_t>(expert)].get(), 0};
  return {part.sources[0].get(), CheckedMul(static_cast<uint64_t>(expert), part.expert_bytes, "expert offset")};
}

void CheckPart(const WeightDesc& desc, const WeightPart& part, int64_t cols) {
  if (!quant::CanDecode(part.format)) {
    Fail(ErrorCode::kUnsupported, "tensor ", Escape(desc.name), ": the format ", InfoOf(part.format).name, " is not served here");
  }
  const bool value_sized = InfoOf(part.format).values_per_block == 1;
  if (part.transposed && !value_sized) {
    Fail(ErrorCode::kUnsupported, "tensor ", Escape(desc.name), ": transposed rows of ", InfoOf(part.format).name, " blocks");
  }
  SCOUT_CHECK(part.rows > 0 && part.cols == cols && cols > 0, desc.name, ": a part of ", part.rows, " x ", part.cols,
              " in a weight of ", cols, " columns");
  SCOUT_CHECK(part.sources.size() == 1 || part.sources.size() == static_cast<size_t>(desc.experts), desc.name, ": ",
              part.sources.size(), " sources");
  const int64_t last_value = part.transposed ? part.first_value + part.rows : part.cols;
  const int64_t row_values = part.transposed ? part.row_values : part.cols;
  SCOUT_CHECK(part.first_value >= 0 && last_value <= row_values, desc.name, ": values ", part.first_value, " to ", last_value,
              " of ", row_values);
  const uint64_t file_rows = static_cast<uint64_t>(part.transposed ? part.cols : part.rows);
  const uint64_t need = CheckedMul(RowBytes(part.format, static_cast<uint64_t>(row_values)), file_rows, "tensor");
  for (int64_t e = 0; e < desc.experts; ++e) {
    const Place place = PlaceOf(part, e);
    const uint64_t size = place.source->size_bytes();
    if (place.offset > size || need > size - place.offset) {
      Fail(ErrorCode::kTruncated, "tensor ", Escape(desc.name), ": needs ", need, " bytes at ", place.offset, " of a source of ",
           size);
    }
  }
}

// Reads file rows [cols][row_values] and writes part rows [rows][cols] of `value_bytes`-sized values.
void ReadTransposed(const WeightPart& part, const Place& place, size_t value_bytes, std::byte* out) {
  const uint64_t file_row_bytes = static_cast<uint64_t>(part.row_values) * value_bytes;
  const size_t run_bytes = static_cast<size_t>(part.rows) * value_bytes;  // what a file row holds for us
  const uint64_t skip = static_cast<uint64_t>(part.first_value) * value_bytes;
  const auto rows_at_once = static_cast<int64_t>(std::max<uint64_t>(1, kStagingBytes / std::max<uint64_t>(run_bytes, 1)));
  const std::byte* const mapped = place.source->Mapped();
  std::vector<std::byte> staging(mapped ? 0 : static_cast<size_t>(std::min(rows_at_once, part.cols)) * run_bytes);
  const size_t out_row_bytes = static_cast<size_t>(part.cols) * value_bytes;
  for (int64_t first = 0; first < part.cols; first += rows_at_once) {
    const int64_t count = std::min(rows_at_once, part.cols - first);
    const std::byte* rows = nullptr;
    size_t stride = 0;
    if (mapped) {
      rows = mapped + place.offset + static_cast<uint64_t>(first) * file_row_bytes + skip;
      stride = file_row_bytes;
    } else {
      for (int64_t i = 0; i < count; ++i) {
        place.source->Read(place.offset + static_cast<uint64_t>(first + i) * file_row_bytes + skip,
                           {staging.data() + static_cast<size_t>(i) * run_bytes, run_bytes});
      }
      rows = staging.data();
      stride = run_bytes;
    }
    // Tiles of 32 x 32 values keep both sides in the first cache.
    constexpr int64_t kTile = 32;
    for (int64_t r0 = 0; r0 < part.rows; r0 += kTile) {
      for (int64_t i0 = 0; i0 < count; i0 += kTile) {
        for (int64_t r = r0; r < std::min(r0 + kTile, part.rows); ++r) {
          std::byte* to = out + static_cast<size_t>(r) * out_row_bytes + static_cast<size_t>(first + i0) * value_bytes;
          const std::byte* from = rows + static_cast<size_t>(i0) * stride + static_cast<size_t>(r) * value_bytes;
          for (int64_t i = i0; i < std::min(i0 + kTile, count); ++i, to += value_bytes, from += stride)
            std::memcpy(to, from, value_bytes);
        }
      }
    }
  }
}

bool IsWholePanels(const WeightDesc& desc) {
  int64_t rows = 0;
  for (const WeightPart& part : desc.parts) {
    if (part.rows % PanelPacker::kRows != 0) return false;
    rows += part.rows;
  }
  return rows % (2 * PanelPacker::kRows) == 0;
}

// Reads and packs every expert's rows. Each task stages a few panels, so that reading, packing and the memory for staging are spread.
void ReadPacked(const WeightPart& from, int64_t experts, const PanelPacker& packer, size_t panel_bytes, std::byte* out) {
  const size_t staged_panel = RowBytes(from.format, static_cast<uint64_t>(from.cols)) * static_cast<size_t>(PanelPacker::kRows);
  const int64_t panels = from.rows / PanelPacker::kRows;
  const int64_t per_task = std::clamp<int64_t>(static_cast<int64_t>(kStagingBytes / 4 / staged_panel), 1, panels);
  const int64_t tasks = (panels + per_task - 1) / per_task;
  packer.ForEach(experts * tasks, [&](int64_t task) {
    const int64_t e = task / tasks, first = task % tasks * per_task, count = std::min(per_task, panels - first);
    const Place place = PlaceOf(from, e);
    const size_t bytes = static_cast<size_t>(count) * staged_panel;
    const std::unique_ptr<std::byte[]> staging(new std::byte[bytes]);  // not zeroed, and from the heap after the first time
    place.source->Read(place.offset + static_cast<uint64_t>(first) * staged_panel, {staging.get(), bytes});
    for (int64_t i = 0; i < count; ++i) {
      packer.Pack(from.format, staging.get() + static_cast<size_t>(i) * staged_panel, from.cols,
                  out + static_cast<size_t>(e * panels + first + i) * panel_bytes);
    }
  });
}

}  // namespace

std::unique_ptr<HostWeight> HostWeight::Read(const WeightDesc& desc, bool as_f32, const PanelPacker* packer) {
  SCOUT_CHECK(!desc.parts.empty() && desc.experts > 0, desc.name, ": a weight of no parts or experts");
  std::unique_ptr<HostWeight> weight(new HostWeight);
  weight->cols_ = desc.parts[0].cols;
  weight->experts_ = desc.experts;
  for (const WeightPart& from : desc.parts) {
    CheckPart(desc, from, weight->cols_);
    Part part;
    part.format = from.format;
    part.first_row = weight->rows_;
    part.rows = from.rows;
    part.row_bytes = RowBytes(from.format, static_cast<uint64_t>(from.cols));
    weight->rows_ += from.rows;
    const size_t value_bytes = InfoOf(from.format).bytes_per_block;
    const size_t expert_bytes = CheckedMul(part.row_bytes, static_cast<uint64_t>(from.rows), "tensor");

    bool in_place = !from.transposed && !as_f32;
    for (int64_t e = 0; e < desc.experts && in_place; ++e) {
      const Place place = PlaceOf(from, e);
      const std::byte* const mapped = place.source->Mapped();
      // Single values are read as what they are; blocks may lie anywhere.
      const bool aligned =
          InfoOf(from.format).values_per_block > 1 || reinterpret_cast<uintptr_t>(mapped + place.offset) % value_bytes == 0;
      in_place = mapped != nullptr && aligned;
    }
    if (packer && !in_place && !from.transposed && !as_f32 && IsWholePanels(desc))
      part.panel_bytes = packer->PanelBytes(from.format, from.cols);
    if (part.panel_bytes > 0) {
      const size_t packed_bytes =
          CheckedMul(part.panel_bytes, static_cast<uint64_t>(from.rows / PanelPacker::kRows), "packed tensor");
      HostMemory memory(CheckedMul(packed_bytes, static_cast<uint64_t>(desc.experts), "packed tensor"));
      ReadPacked(from, desc.experts, *packer, part.panel_bytes, memory.data());
      for (int64_t e = 0; e < desc.experts; ++e) part.expert.push_back(memory.data() + static_cast<size_t>(e) * packed_bytes);
      for (const auto& source : from.sources) source->Drop();
      weight->memory_.push_back(std::move(memory));
    } else if (in_place) {
      for (int64_t e = 0; e < desc.experts; ++e) {
        const Place place = PlaceOf(from, e);
        part.expert.push_back(place.source->Mapped() + place.offset);
      }
      weight->sources_.insert(weight->sources_.end(), from.sources.begin(), from.sources.end());
      weight->mapped_bytes_ += expert_bytes * static_cast<size_t>(desc.experts);
    } else {
      HostMemory memory(CheckedMul(expert_bytes, static_cast<uint64_t>(desc.experts), "tensor"));
      for (int64_t e = 0; e < desc.experts; ++e) {
        const Place place = PlaceOf(from, e);
        std::byte* const to = memory.data() + static_cast<size_t>(e) * expert_bytes;
        if (from.transposed)
          ReadTransposed(from, place, value_bytes, to);
        else
          place.source->Read(place.offset, {to, expert_bytes});
        part.expert.push_back(to);
      }
      for (const auto& source : from.sources) source->Drop();
      if (as_f32 && from.format != DType::kF32) {
        const auto values = static_cast<size_t>(from.rows) * static_cast<size_t>(from.cols);
        HostMemory decoded(CheckedMul(CheckedMul(values, 4, "tensor"), static_cast<uint64_t>(desc.experts), "tensor"));
        for (int64_t e = 0; e < desc.experts; ++e) {
          std::byte* const to = decoded.data() + static_cast<size_t>(e) * values * 4;
          quant::DecodeRow(from.format, part.expert[static_cast<size_t>(e)], reinterpret_cast<float*>(to), values);
          part.expert[static_cast<size_t>(e)] = to;
        }
        part.format = DType::kF32;
        part.row_bytes = static_cast<size_t>(from.cols) * 4;
        memory = std::move(decoded);
      }
      weight->memory_.push_back(std::move(memory));
    }
    weight->parts_.push_back(std::move(part));
  }
  return weight;
}

size_t HostWeight::size_bytes() const {
  size_t sum = mapped_bytes_;
  for (const HostMemory& memory : memory_) sum += memory.size();
  return sum;
}

const HostWeight::Part& HostWeight::PartOfRow(int64_t row) const {
  for (const Part& part : parts_)
    if (row < part.first_row + part.rows) return part;
  Fail(ErrorCode::kInternal, "internal error: row ", row, " of a weight of ", rows_);
}

bool HostWeight::quantised() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) { return InfoOf(part.format).values_per_block > 1; });
}

void HostWeight::DecodeRow(int64_t e, int64_t row, float* out) const {
  const Part& part = PartOfRow(row);
  SCOUT_CHECK(part.panel_bytes == 0, "a row of a packed weight");
  quant::DecodeRow(part.format, part.Row(e, row - part.first_row), out, static_cast<size_t>(cols_));
}

}  // namespace scout
