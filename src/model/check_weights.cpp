#include "model/check_weights.h"

#include <array>
#include <cstring>

#include "base/error.h"

namespace scout::model {
namespace {

// Where a block keeps its floating-point scales. A value is not finite exactly when all its exponent bits are set.
struct ScaleLayout {
  DType format;
  uint32_t width;                      // bytes of one value
  uint32_t exponent;                   // its exponent bits
  uint32_t count;                      // scales in a block
  std::array<uint32_t, 2> offset;      // of each inside the block
};

constexpr uint32_t kF32Exponent = 0x7f800000, kF16Exponent = 0x7c00, kBF16Exponent = 0x7f80;
constexpr ScaleLayout kLayouts[] = {
    {DType::kF32, 4, kF32Exponent, 1, {0, 0}},     {DType::kF16, 2, kF16Exponent, 1, {0, 0}},
    {DType::kBF16, 2, kBF16Exponent, 1, {0, 0}},   {DType::kQ4_0, 2, kF16Exponent, 1, {0, 0}},
    {DType::kQ4_1, 2, kF16Exponent, 2, {0, 2}},    {DType::kQ5_0, 2, kF16Exponent, 1, {0, 0}},
    {DType::kQ5_1, 2, kF16Exponent, 2, {0, 2}},    {DType::kQ8_0, 2, kF16Exponent, 1, {0, 0}},
    {DType::kQ2_K, 2, kF16Exponent, 2, {80, 82}},  {DType::kQ3_K, 2, kF16Exponent, 1, {108, 0}},
    {DType::kQ4_K, 2, kF16Exponent, 2, {0, 2}},    {DType::kQ5_K, 2, kF16Exponent, 2, {0, 2}},
    {DType::kQ6_K, 2, kF16Exponent, 1, {208, 0}},
};

template <typename Bits>
bool NotFinite(const std::byte* at, uint32_t exponent) {
  Bits bits;
  std::memcpy(&bits, at, sizeof bits);
  return (bits & exponent) == exponent;
}

}  // namespace

void CheckFinite(const io::TensorInfo& tensor, uint64_t offset, std::span<const std::byte> bytes) {
  const ScaleLayout* layout = nullptr;
  for (const ScaleLayout& row : kLayouts)
    if (row.format == tensor.dtype) layout = &row;
  if (layout == nullptr) return;
  const uint64_t stride = InfoOf(tensor.dtype).bytes_per_block;
  const uint64_t end = offset + bytes.size();
  for (uint32_t s = 0; s < layout->count; ++s) {
    const uint64_t inside = layout->offset[s];
    uint64_t block = offset <= inside ? 0 : (offset - inside + stride - 1) / stride;
    for (uint64_t at = block * stride + inside; at + layout->width <= end; at += stride, ++block) {
      const std::byte* value = bytes.data() + (at - offset);
      if (layout->width == 4 ? !NotFinite<uint32_t>(value, layout->exponent) : !NotFinite<uint16_t>(value, static_cast<uint16_t>(layout->exponent)))
        continue;
      Fail(ErrorCode::kCorrupt, "tensor ", Escape(tensor.name), ": ", stride == layout->width ? "value " : "the scale of block ", block,
           " at file offset ", tensor.offset + at, " is NaN or infinite");
    }
  }
}

}  // namespace scout::model
