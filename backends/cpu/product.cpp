#include "cpu/product.h"

#include <algorithm>

#include "quant/activation.h"

namespace scout::cpu {
namespace {

FloatPanel FloatKernel(const Kernels& kernels, DType format) {
  switch (format) {
    case DType::kF32:
      return kernels.f32;
    case DType::kF16:
      return kernels.f16;
    case DType::kBF16:
      return kernels.bf16;
    default:
      return nullptr;
  }
}

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

RoundedRows Take(Context& context, int64_t rows, int64_t k, int64_t group, int64_t sum_group) {
  return {context.arena.Take<int8_t>(rows * k), context.arena.Take<float>(rows * (k / group)),
          context.arena.Take<int16_t>(rows * (k / sum_group))};
}

RoundedRows From(const RoundedRows& all, int64_t row, int64_t k, int64_t group, int64_t sum_group) {
  return {all.codes + row * k, all.scales + row * (k / group), all.sums + row * (k / sum_group)};
}

}  // namespace

InputForms FormsOf(const HostWeight& weight) {
  InputForms forms;
  for (const HostWeight::Part& part : weight.parts()) {
    const int group = quant::ActivationGroup(part.format);
    forms.values |= group == 0;
    forms.per32 |= group == 32;
    forms.per256 |= group == 256;
  }
  return forms;
}

Inputs TakeInputs(Context& context, InputForms forms, int64_t rows, int64_t k) {
  Inputs inputs;
  inputs.rows = rows;
  inputs.k = k;
  if (forms.per32) inputs.per32 = Take(context, rows, k, 32, 32);
  if (forms.per256) inputs.per256 = Take(context, rows, k, 256, 16);
  return inputs;
}

void RoundRow(const Kernels& kernels, const float* values, int64_t row, const Inputs& inputs) {
  const int64_t k = inputs.k;
  // The rows lie in scratch memory that is ours to write; the kernels that use them see them as constant.
  const auto write = [&](auto round, const RoundedRows& rows) {
    round(values, k, const_cast<int8_t*>(rows.codes), const_cast<float*>(rows.scales), const_cast<int16_t*>(rows.sums));
  };
  if (inputs.per32.codes) write(kernels.round32, From(inputs.per32, row, k, 32, 32));
  if (inputs.per256.codes) write(kernels.round256, From(inputs.per256, row, k, 256, 16));
}

Inputs RoundRows(Context& context, const HostWeight& weight, const float* values, int64_t rows) {
  const InputForms forms = FormsOf(weight);
  Inputs inputs = TakeInputs(context, forms, rows, weight.cols());
  inputs.values = values;
  if (forms.per32 || forms.per256) {
    context.ParallelRows(rows, 4, [&](int64_t row) { RoundRow(*context.kernels, values + row * inputs.k, row, inputs); });
  }
  return inputs;
}

void PanelProduct(const Kernels& kernels, const HostWeight& weight, int64_t expert, int64_t first_row, int rows, const Inputs& in,
                  int64_t first, int64_t count, float* y) {
  // Nearly always one piece; two where a panel lies across parts.
  for (int done = 0; done < rows;) {
    const HostWeight::Part& part = weight.PartOfRow(first_row + done);
    const int64_t row_of_part = first_row + done - part.first_row;
    const int piece = static_cast<int>(std::min<int64_t>(rows - done, part.rows - row_of_part));
    const Panel panel{reinterpret_cast<const unsigned char*>(part.Row(expert, row_of_part)), part.row_bytes, piece, in.k};
    switch (quant::ActivationGroup(part.format)) {
      case 32:
        RoundedKernel(kernels, part.format)(panel, From(in.per32, first, in.k, 32, 32), count, y + done);
        break;
      case 256:
        RoundedKernel(kernels, part.format)(panel, From(in.per256, first, in.k, 256, 16), count, y + done);
        break;
      default:
        FloatKernel(kernels, part.format)(panel, in.values + first * in.k, count, y + done);
    }
    done += piece;
  }
}

int64_t PanelsPerTask(int64_t panels, int threads) {
  if (threads == 1) return std::min<int64_t>(panels, 16);
  return std::clamp<int64_t>(panels / (threads * 8), 1, 16);
}

void SwiGluPanels(const Kernels& kernels, const HostWeight& gate_up, int64_t expert, int64_t first_panel, int64_t end_panel,
                  const Inputs& in, float* hidden) {
  const int64_t width = gate_up.rows() / 2;
  alignas(64) float gate[kRowBlock * kPanelRows], up[kRowBlock * kPanelRows];
  for (int64_t first = 0; first < in.rows; first += kRowBlock) {
    const int64_t count = std::min(kRowBlock, in.rows - first);
    for (int64_t panel = first_panel; panel < end_panel; ++panel) {
      const int64_t j = panel * kPanelRows;
      const int rows = static_cast<int>(std::min<int64_t>(kPanelRows, width - j));
      PanelProduct(kernels, gate_up, expert, j, rows, in, first, count, gate);
      PanelProduct(kernels, gate_up, expert, width + j, rows, in, first, count, up);
      for (int64_t n = 0; n < count; ++n)
        kernels.swiglu(gate + n * kPanelRows, up + n * kPanelRows, rows, hidden + (first + n) * width + j);
    }
  }
}

}  // namespace scout::cpu
