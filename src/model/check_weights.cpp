#include "model/check_weights.h"

#include "base/error.h"
#include "quant/formats.h"

namespace scout::model {

void CheckFinite(const io::TensorInfo& tensor, uint64_t offset, std::span<const std::byte> bytes) {
  const DTypeInfo& info = InfoOf(tensor.dtype);
  if (!quant::CanDecode(tensor.dtype)) return;
  const uint64_t block_bytes = info.bytes_per_block;
  const uint64_t first = (offset + block_bytes - 1) / block_bytes;  // whole blocks only
  const uint64_t last = (offset + bytes.size()) / block_bytes;
  if (first >= last) return;
  const auto bad = quant::FirstNonFiniteBlock(tensor.dtype, bytes.data() + (first * block_bytes - offset),
                                              static_cast<size_t>((last - first) * info.values_per_block));
  if (!bad) return;
  const uint64_t block = first + *bad;
  Fail(ErrorCode::kCorrupt, "tensor ", Escape(tensor.name), ": ", info.values_per_block == 1 ? "value " : "a scale of block ",
       block, " at file offset ", tensor.offset + block * block_bytes, " is NaN or infinite");
}

}  // namespace scout::model
