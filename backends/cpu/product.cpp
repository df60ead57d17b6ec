#include "cpu/product.h"

#include <algorithm>

#include "quant/activation.h"

namespace scout::cpu {
namespace {

RoundedPanel RoundedKernel(const Kernels& kernels, DType format) {
  switch (format) {
    case DType::kQ4_0:
      return kernels.q4_0;
    case DType::kQ4_1:
      return kernels.q4_1;
    case DType::kQ5_0:
      return kernels.q5_0;
    case DType::kQ5_1:
      return kernels.q5_1;
    case DType::kQ8_0:
      return kernels.q8_0;
    case DType::kQ2_K:
      return kernels.q2_k;
    case DType::kQ3_K:
      return kernels.q3_k;
    case DType::kQ4_K:
      return kernels.q4_k;
    case DType::kQ5_K:
      return kernels.q5_k;
    case DType::kQ6_K:
      return kernels.q6_k;
    default:
      return nullptr;
  }
}

PackedProduct FindPackedKernel(const Kernels& kernels, DType format) {
  switch (format) {
    case DType::kQ4_0:
      return kernels.packed_q4_0;
    case DType::kQ4_1:
      return kernels.packed_q4_1;
    case DType::kQ5_0:
      return kernels.packed_q5_0;
    case DType::kQ5_1:
      return kernels.packed_q5_1;
    case DType::kQ8_0:
      return kernels.packed_q8_0;
    case DType::kQ2_K:
      return kernels.packed_q2_k;
    case DType::kQ3_K:
      return kernels.packed_q3_k;
    case DType::kQ4_K:
      return kernels.packed_q4_k;
    case DType::kQ5_K:
      return kernels.packed_q5_k;
    case DType::kQ6_K:
      return kernels.packed_q6_k;
    default:
      return nullptr;
  }
}

PackedProduct PackedKernel(const Kernels& kernels, DType format) {
  const PackedProduct kernel = FindPackedKernel(kernels, format);
  SCOUT_CHECK(kernel, "a packed ", InfoOf(format).name, " weight on an instruction set that packs none");
  return kernel;
}

RoundedRows Take(Context& context, bool packed, int64_t rows, int64_t k, int64_t group, int64_t sum_group) {
  Arena& arena = context.arena;
  RoundedRows taken = {};
  taken.codes = arena.Take<int8_t>(rows * k);
  if (packed && group == 256) {
    taken.blocks = arena.Take<CodeSums>(rows * (k / 256));
  } else {
    taken.scales = arena.Take<float>(rows * (k / group));
    taken.sums = arena.Take<int16_t>(rows * (k / sum_group));
    if (packed) taken.starts = arena.Take<int32_t>(rows * (k / 32));
  }
  if (packed) taken.rows = rows;
  return taken;
}

// The activations that meet a format.
RoundedRows RoundedFor(DType format, const Inputs& in, int64_t first) {
  const int64_t group = quant::ActivationGroup(format);
  return RowsFrom(group == 32 ? in.per32 : in.per256, first, in.k, group);
}

const unsigned char* PackedPanel(const HostWeight::Part& part, int64_t expert, int64_t row) {
  return reinterpret_cast<const unsigned char*>(part.Panel(expert, row - part.first_row));
}

void OnePanel(const Kernels& kernels, const HostWeight& weight, int64_t expert, const PanelOfWeight& wanted, const Inputs& in,
              int64_t first, int64_t count, float* y) {
  // Nearly always one piece; two where a panel lies across parts.
  for (int done = 0; done < wanted.rows;) {
    const int64_t row = wanted.first_row + done;
    const HostWeight::Part& part = weight.PartOfRow(row);
    if (part.panel_bytes > 0) {  // parts are whole panels
      const PackedPanels packed = {{PackedPanel(part, expert, row), nullptr}, 1, in.k, kernels.amd};
      return PackedKernel(kernels, part.format)(packed, RoundedFor(part.format, in, first), count, y);
    }
    const int64_t row_of_part = row - part.first_row;
    const int piece = static_cast<int>(std::min<int64_t>(wanted.rows - done, part.rows - row_of_part));
    const Panel panel{reinterpret_cast<const unsigned char*>(part.Row(expert, row_of_part)), part.row_bytes, piece, in.k};
    if (quant::ActivationGroup(part.format) > 0)
      RoundedKernel(kernels, part.format)(panel, RoundedFor(part.format, in, first), count, y + done);
    else if (quant::MeetsBf16(part.format))
      kernels.bf16(panel, in.bf16 + first * in.bf16_stride, count, y + done);
    else
      (part.format == DType::kF16 ? kernels.f16 : kernels.f32)(panel, in.values + first * in.k, count, y + done);
    done += piece;
  }
}

}  // namespace

InputForms FormsOf(const HostWeight& weight) {
  InputForms forms;
  for (const HostWeight::Part& part : weight.parts()) {
    const int group = quant::ActivationGroup(part.format);
    forms.bf16 |= quant::MeetsBf16(part.format);
    forms.values |= group == 0 && !quant::MeetsBf16(part.format);
    forms.per32 |= group == 32;
    forms.per256 |= group == 256;
    forms.packed |= part.panel_bytes > 0;
    forms.winograd |= part.panel_bytes > 0 && part.format == DType::kQ4_K;
  }
  return forms;
}

Inputs TakeInputs(Context& context, InputForms forms, int64_t rows, int64_t k) {
  Inputs inputs;
  inputs.rows = rows;
  inputs.k = k;
  const int64_t bytes = forms.values ? 4 : forms.bf16 ? context.kernels->bf16_bytes : 0;
  if (bytes > 0) inputs.block = std::clamp<int64_t>(kRowBytes / bytes / k, 5, kRowBlock);
  if (forms.bf16) {
    inputs.bf16_stride = (k + 31) / 32 * 32 * context.kernels->bf16_bytes;
    inputs.bf16 = context.arena.Take<std::byte>(rows * inputs.bf16_stride);
  }
  if (forms.per32) inputs.per32 = Take(context, forms.packed, rows, k, 32, 32);
  if (forms.per256) inputs.per256 = Take(context, forms.packed, rows, k, 256, 16);
  if (forms.winograd && context.kernels->amd && rows > kStreamedRows)
    inputs.per256.winograd = context.arena.Take<WinogradCodes>(rows * (k / 256));
  return inputs;
}

// The rows lie in scratch memory that is ours to write; the kernels that use them see them as constant.
void RoundRow(const Kernels& kernels, const float* values, int64_t row, const Inputs& inputs) {
  const int64_t k = inputs.k;
  if (inputs.bf16) kernels.round_bf16(values, k, inputs.bf16 + row * inputs.bf16_stride);
  if (inputs.per32.codes) {
    const bool packed = inputs.per32.rows > 0;
    const int64_t run = packed ? 32 : k;  // values that lie together
    RoundedRows rows = RowsFrom(inputs.per32, row, k, 32);
    for (int64_t at = 0; at < k; at += run) {
      kernels.round32(values + at, run, const_cast<int8_t*>(rows.codes), const_cast<float*>(rows.scales),
                      const_cast<int16_t*>(rows.sums));
      if (!packed) break;
      // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what is packed has sums
      *const_cast<int32_t*>(rows.starts) = kFloatStart - 128 * *rows.sums;
      rows = RowsFrom(rows, rows.rows, k, 32);  // the same row of the next block
    }
  }
  if (inputs.per256.blocks) {
    RoundedRows rows = RowsFrom(inputs.per256, row, k, 256);
    for (int64_t at = 0; at < k; at += 256) {
      kernels.round_block(values + at, const_cast<int8_t*>(rows.codes), const_cast<CodeSums*>(rows.blocks),
                          const_cast<WinogradCodes*>(rows.winograd));
      rows = RowsFrom(rows, rows.rows, k, 256);
    }
  } else if (inputs.per256.codes) {
    const RoundedRows rows = RowsFrom(inputs.per256, row, k, 256);
    kernels.round256(values, k, const_cast<int8_t*>(rows.codes), const_cast<float*>(rows.scales), const_cast<int16_t*>(rows.sums));
  }
}

Inputs RoundRows(Context& context, const HostWeight& weight, const float* values, int64_t rows) {
  const InputForms forms = FormsOf(weight);
  Inputs inputs = TakeInputs(context, forms, rows, weight.cols());
  inputs.values = values;
  if (forms.bf16 || forms.per32 || forms.per256) {
    context.ParallelRows(rows, 4, [&](int64_t row) { RoundRow(*context.kernels, values + row * inputs.k, row, inputs); });
  }
  return inputs;
}

void PanelProducts(const Kernels& kernels, const HostWeight& weight, int64_t expert, std::span<const PanelOfWeight> panels,
                   const Inputs& in, int64_t first, int64_t count, float* y) {
  if (panels.size() == 2) {
    const HostWeight::Part& part = weight.PartOfRow(panels[0].first_row);
    const HostWeight::Part& other = weight.PartOfRow(panels[1].first_row);
    if (part.panel_bytes > 0 && other.panel_bytes > 0 && part.format == other.format) {
      const PackedPanels packed = {
          {PackedPanel(part, expert, panels[0].first_row), PackedPanel(other, expert, panels[1].first_row)}, 2, in.k, kernels.amd};
      return PackedKernel(kernels, part.format)(packed, RoundedFor(part.format, in, first), count, y);
    }
  }
  for (size_t p = 0; p < panels.size(); ++p)
    OnePanel(kernels, weight, expert, panels[p], in, first, count, y + static_cast<int64_t>(p) * count * kPanelRows);
}

void SwiGluPanels(const Kernels& kernels, const HostWeight& gate_up, int64_t expert, int64_t first_panel, int64_t end_panel,
                  const Inputs& in, RowBlock rows, float* hidden) {
  const int64_t width = gate_up.rows() / 2, count = rows.count;
  alignas(64) float y[2 * kRowBlock * kPanelRows];
  // Gate and up lie apart. A few rows meet many panels of the one, as they follow each other in memory, and then of the other.
  const int64_t together = count <= kMemoryBoundRows ? kRowBlock / count : 1;
  for (int64_t panel = first_panel; panel < end_panel; panel += together) {
    const int64_t panels = std::min(together, end_panel - panel);
    float* const up = y + panels * count * kPanelRows;
    const auto at = [&](int64_t p) {
      const int64_t j = (panel + p) * kPanelRows;
      return PanelOfWeight{j, static_cast<int>(std::min<int64_t>(kPanelRows, width - j))};
    };
    if (panels == 1) {
      const PanelOfWeight gate = at(0), pair[2] = {gate, {width + gate.first_row, gate.rows}};
      PanelProducts(kernels, gate_up, expert, pair, in, rows.first, count, y);
    } else {
      float* to = y;
      for (const int64_t side : {int64_t{0}, width})
        for (int64_t p = 0; p < panels; ++p, to += count * kPanelRows) {
          const PanelOfWeight one = {side + at(p).first_row, at(p).rows};
          PanelProducts(kernels, gate_up, expert, {&one, 1}, in, rows.first, count, to);
        }
    }
    for (int64_t p = 0; p < panels; ++p)
      for (int64_t n = 0; n < count; ++n)
        kernels.swiglu(y + (p * count + n) * kPanelRows, up + (p * count + n) * kPanelRows, at(p).rows,
                       hidden + (rows.first + n) * width + at(p).first_row);
  }
}

}  // namespace scout::cpu
