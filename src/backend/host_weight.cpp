#include "backend/host_weight.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "quant/formats.h"

namespace scout {
namespace {

// Bytes that a read stages at most: large enough for the rate of a disk, and a little less than two large pages, for what is around
// them in whole blocks comes too.
constexpr uint64_t kStagingBytes = (4 << 20) - 4 * StagingBuffer::kAlignment;

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

// Without a packer the caller's thread does everything.
void ForEach(const PanelPacker* packer, int64_t count, uint64_t bytes, const std::function<void(int64_t, StagingBuffer&)>& task) {
  if (packer) return packer->ForEach(count, bytes, task);
  StagingBuffer staging;
  for (int64_t i = 0; i < count; ++i) task(i, staging);
}

// Where file row `first` of a transposed part lies, `count` rows of which are wanted, and how far apart the rows are.
struct FileRows {
  const std::byte* first;
  size_t stride;
};

FileRows ReadFileRows(const WeightPart& part, const Place& place, size_t value_bytes, int64_t first, int64_t count,
                      StagingBuffer& staging) {
  const uint64_t file_row_bytes = static_cast<uint64_t>(part.row_values) * value_bytes;
  const size_t run_bytes = static_cast<size_t>(part.rows) * value_bytes;  // what a file row holds for us
  const uint64_t skip = static_cast<uint64_t>(part.first_value) * value_bytes;
  const uint64_t offset = place.offset + static_cast<uint64_t>(first) * file_row_bytes + skip;
  if (const std::byte* const mapped = place.source->Mapped()) return {mapped + offset, file_row_bytes};
  if (run_bytes == file_row_bytes) {
    const auto bytes = place.source->ReadStaged(offset, static_cast<size_t>(count) * run_bytes, staging);
    place.source->Check(offset, bytes);
    return {bytes.data(), run_bytes};
  }
  std::byte* const rows = staging.Reserve(static_cast<size_t>(count) * run_bytes);
  for (int64_t i = 0; i < count; ++i)
    place.source->Read(offset + static_cast<uint64_t>(i) * file_row_bytes, {rows + static_cast<size_t>(i) * run_bytes, run_bytes});
  return {rows, run_bytes};
}

// Reads every expert's file rows [cols][row_values] and writes part rows [rows][cols] of `value_bytes`-sized values.
void ReadTransposed(const WeightPart& part, int64_t experts, const PanelPacker* packer, size_t value_bytes, std::byte* out) {
  const size_t run_bytes = static_cast<size_t>(part.rows) * value_bytes;
  const auto rows_at_once = static_cast<int64_t>(std::max<uint64_t>(1, kStagingBytes / std::max<uint64_t>(run_bytes, 1)));
  const size_t out_row_bytes = static_cast<size_t>(part.cols) * value_bytes;
  const int64_t tasks = (part.cols + rows_at_once - 1) / rows_at_once;
  const uint64_t expert_bytes = run_bytes * static_cast<uint64_t>(part.cols);
  ForEach(packer, experts * tasks, static_cast<uint64_t>(experts) * expert_bytes, [&](int64_t task, StagingBuffer& staging) {
    const int64_t e = task / tasks, first = task % tasks * rows_at_once, count = std::min(rows_at_once, part.cols - first);
    const FileRows rows = ReadFileRows(part, PlaceOf(part, e), value_bytes, first, count, staging);
    std::byte* const expert = out + static_cast<size_t>(e) * static_cast<size_t>(part.rows) * out_row_bytes;
    // Tiles of 32 x 32 values keep both sides in the first cache.
    constexpr int64_t kTile = 32;
    for (int64_t r0 = 0; r0 < part.rows; r0 += kTile) {
      for (int64_t i0 = 0; i0 < count; i0 += kTile) {
        for (int64_t r = r0; r < std::min(r0 + kTile, part.rows); ++r) {
          std::byte* to = expert + static_cast<size_t>(r) * out_row_bytes + static_cast<size_t>(first + i0) * value_bytes;
          const std::byte* from = rows.first + static_cast<size_t>(i0) * rows.stride + static_cast<size_t>(r) * value_bytes;
          for (int64_t i = i0; i < std::min(i0 + kTile, count); ++i, to += value_bytes, from += rows.stride)
            std::memcpy(to, from, value_bytes);
        }
      }
    }
  });
}

// Reads every expert's rows as they are.
void ReadAsStored(const WeightPart& from, int64_t experts, const PanelPacker* packer, size_t row_bytes, std::byte* out) {
  const auto rows_at_once = static_cast<int64_t>(std::max<uint64_t>(1, kStagingBytes / row_bytes));
  const int64_t tasks = (from.rows + rows_at_once - 1) / rows_at_once;
  const size_t expert_bytes = static_cast<size_t>(from.rows) * row_bytes;
  ForEach(packer, experts * tasks, static_cast<uint64_t>(experts) * expert_bytes, [&](int64_t task, StagingBuffer& staging) {
    const int64_t e = task / tasks, first = task % tasks * rows_at_once, count = std::min(rows_at_once, from.rows - first);
    const Place place = PlaceOf(from, e);
    const uint64_t offset = place.offset + static_cast<uint64_t>(first) * row_bytes;
    std::byte* const to = out + static_cast<size_t>(e * from.rows + first) * row_bytes;
    const size_t bytes = static_cast<size_t>(count) * row_bytes;
    if (expert_bytes < StagingBuffer::kLeastDirect) return place.source->Read(offset, {to, bytes});
    const auto staged = place.source->ReadStaged(offset, bytes, staging);
    for (size_t at = 0; at < bytes; at += row_bytes) {  // checked while it is in the first cache
      place.source->Check(offset + at, staged.subspan(at, row_bytes));
      std::memcpy(to + at, staged.data() + at, row_bytes);
    }
  });
}

bool IsWholePanels(const WeightDesc& desc) {
  int64_t rows = 0;
  for (const WeightPart& part : desc.parts) {
    if (part.rows % PanelPacker::kRows != 0) return false;
    rows += part.rows;
  }
  return rows % (2 * PanelPacker::kRows) == 0;
}

// Of a panel of the part, 0 where its rows stay as they are.
size_t PanelBytesOf(const WeightDesc& desc, const WeightPart& part, bool as_f32, const PanelPacker* packer) {
  const bool packs = packer && !part.transposed && !as_f32 && desc.role != WeightRole::kManyRows && IsWholePanels(desc);
  return packs ? packer->PanelBytes(part.format, part.cols) : 0;
}

// Of all rows of one expert, as they are kept.
uint64_t ExpertBytes(const HostWeight::Part& part) {
  return part.panel_bytes > 0 ? CheckedMul(static_cast<uint64_t>(part.rows / PanelPacker::kRows), part.panel_bytes, "packed tensor")
                              : CheckedMul(static_cast<uint64_t>(part.rows), part.row_bytes, "tensor");
}

// Reads and packs every expert's rows, a few panels at a time.
void ReadPacked(const WeightPart& from, int64_t experts, const PanelPacker& packer, size_t panel_bytes, std::byte* out) {
  const size_t staged_panel = RowBytes(from.format, static_cast<uint64_t>(from.cols)) * static_cast<size_t>(PanelPacker::kRows);
  const int64_t panels = from.rows / PanelPacker::kRows;
  const int64_t per_task = std::clamp<int64_t>(static_cast<int64_t>(kStagingBytes / staged_panel), 1, panels);
  const int64_t tasks = (panels + per_task - 1) / per_task;
  packer.ForEach(
      experts * tasks, static_cast<uint64_t>(experts * panels) * staged_panel, [&](int64_t task, StagingBuffer& staging) {
        const int64_t e = task / tasks, first = task % tasks * per_task, count = std::min(per_task, panels - first);
        const Place place = PlaceOf(from, e);
        const uint64_t offset = place.offset + static_cast<uint64_t>(first) * staged_panel;
        const auto staged = place.source->ReadStaged(offset, static_cast<size_t>(count) * staged_panel, staging);
        for (int64_t i = 0; i < count; ++i) {
          const auto panel = staged.subspan(static_cast<size_t>(i) * staged_panel, staged_panel);
          place.source->Check(offset + static_cast<uint64_t>(i) * staged_panel, panel);  // and then it is in the cache
          packer.Pack(from.format, panel.data(), from.cols, out + static_cast<size_t>(e * panels + first + i) * panel_bytes);
        }
      });
}

}  // namespace

HostWeight::HostWeight(const WeightDesc& desc) : experts_(desc.experts), meets_floats_(desc.role == WeightRole::kManyRows) {
  SCOUT_CHECK(!desc.parts.empty() && desc.experts > 0, desc.name, ": a weight of no parts or experts");
  cols_ = desc.parts[0].cols;
}

std::unique_ptr<HostWeight> HostWeight::Read(const WeightDesc& desc, bool as_f32, const PanelPacker* packer) {
  std::unique_ptr<HostWeight> weight(new HostWeight(desc));
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
    if (!in_place) part.panel_bytes = PanelBytesOf(desc, from, as_f32, packer);
    if (part.panel_bytes > 0) {
      const size_t packed_bytes = ExpertBytes(part);
      HostMemory memory(CheckedMul(packed_bytes, static_cast<uint64_t>(desc.experts), "packed tensor"));
      // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a part is packed only where there is a packer
      ReadPacked(from, desc.experts, *packer, part.panel_bytes, memory.data());
      for (int64_t e = 0; e < desc.experts; ++e) part.expert.push_back(memory.data() + static_cast<size_t>(e) * packed_bytes);
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
      if (from.transposed)
        ReadTransposed(from, desc.experts, packer, value_bytes, memory.data());
      else
        ReadAsStored(from, desc.experts, packer, part.row_bytes, memory.data());
      for (int64_t e = 0; e < desc.experts; ++e) part.expert.push_back(memory.data() + static_cast<size_t>(e) * expert_bytes);
      if (expert_bytes < StagingBuffer::kLeastDirect)  // what is staged leaves nothing behind
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
  if (as_f32) weight->JoinParts();
  return weight;
}

// Several parts of float32 rows become one block.
void HostWeight::JoinParts() {
  if (parts_.size() < 2) return;
  SCOUT_CHECK(experts_ == 1, "float32 parts of several experts");
  HostMemory joined(CheckedMul(CheckedMul(static_cast<uint64_t>(rows_), static_cast<uint64_t>(cols_), "tensor"), 4, "tensor"));
  const size_t row_bytes = static_cast<size_t>(cols_) * 4;
  for (const Part& part : parts_)
    std::memcpy(joined.data() + static_cast<size_t>(part.first_row) * row_bytes, part.Row(0, 0),
                static_cast<size_t>(part.rows) * row_bytes);
  Part all;
  all.rows = rows_;
  all.row_bytes = row_bytes;
  all.expert.push_back(joined.data());
  parts_.assign(1, std::move(all));
  memory_.clear();
  memory_.push_back(std::move(joined));
}

std::vector<StoredPart> HostWeight::Export() const {
  std::vector<StoredPart> stored;
  for (const Part& part : parts_) {
    const uint64_t unit = ExpertBytes(part);
    for (size_t e = 1; e < part.expert.size(); ++e)
      if (part.expert[e] != part.expert[e - 1] + unit)
        Fail(ErrorCode::kUnsupported, "a weight that stays in its mapped file is not packed: load without mapping");
    stored.push_back({InfoOf(part.format).name,
                      static_cast<uint64_t>(part.rows),
                      static_cast<uint64_t>(cols_),
                      static_cast<uint64_t>(experts_),
                      part.row_bytes,
                      part.panel_bytes,
                      {part.expert[0], unit * part.expert.size()}});
  }
  return stored;
}

std::unique_ptr<HostWeight> HostWeight::Import(const WeightDesc& desc, bool as_f32, const PanelPacker* packer,
                                               std::span<const StoredPart> stored, std::shared_ptr<const void> owner) {
  std::unique_ptr<HostWeight> weight(new HostWeight(desc));
  weight->owner_ = std::move(owner);
  for (const WeightPart& from : desc.parts) {
    CheckPart(desc, from, weight->cols_);
    Part part;
    part.format = as_f32 ? DType::kF32 : from.format;
    part.first_row = weight->rows_;
    part.rows = from.rows;
    part.row_bytes = RowBytes(part.format, static_cast<uint64_t>(from.cols));
    part.panel_bytes = PanelBytesOf(desc, from, as_f32, packer);
    weight->rows_ += from.rows;
    if (as_f32 && !weight->parts_.empty())
      weight->parts_[0].rows += part.rows;  // as JoinParts does
    else
      weight->parts_.push_back(std::move(part));
  }
  const auto same = [&](size_t i, std::string_view field, const auto& found, const auto& expected) {
    if (found != expected)
      Fail(ErrorCode::kFormat, "packed tensor ", Escape(desc.name), ", part ", i, ": ", field, " is ", found, ", expected ",
           expected);
  };
  same(0, "the number of parts", stored.size(), weight->parts_.size());
  for (size_t i = 0; i < stored.size(); ++i) {
    Part& part = weight->parts_[i];
    const StoredPart& given = stored[i];
    same(i, "the format", Escape(given.format), std::string(InfoOf(part.format).name));
    same(i, "rows", given.rows, static_cast<uint64_t>(part.rows));
    same(i, "columns", given.cols, static_cast<uint64_t>(weight->cols_));
    same(i, "experts", given.experts, static_cast<uint64_t>(desc.experts));
    same(i, "bytes of a row", given.row_bytes, uint64_t{part.row_bytes});
    same(i, "bytes of a panel", given.panel_bytes, uint64_t{part.panel_bytes});
    const uint64_t unit = ExpertBytes(part);
    same(i, "bytes", uint64_t{given.bytes.size()}, CheckedMul(unit, given.experts, "packed tensor"));
    same(i, "the place past a line of 64 bytes", reinterpret_cast<uintptr_t>(given.bytes.data()) % 64, uintptr_t{0});
    for (int64_t e = 0; e < desc.experts; ++e) part.expert.push_back(given.bytes.data() + static_cast<uint64_t>(e) * unit);
    weight->mapped_bytes_ += given.bytes.size();
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
