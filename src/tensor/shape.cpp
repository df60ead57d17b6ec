#include "tensor/shape.h"

#include "base/checked.h"

namespace scout {

std::string ToString(const Shape& shape) {
  std::string out = "[";
  for (int i = 0; i < shape.rank; ++i) {
    if (i > 0) out += ", ";
    out += std::to_string(shape[i]);
  }
  return out + "]";
}

uint64_t ElementCount(const Shape& shape) {
  uint64_t count = 1;
  for (int i = 0; i < shape.rank; ++i) count = CheckedMul(count, shape[i], "elements of a tensor");
  return count;
}

uint64_t RowCount(const Shape& shape) {
  uint64_t count = 1;
  for (int i = 0; i + 1 < shape.rank; ++i) count = CheckedMul(count, shape[i], "rows of a tensor");
  return count;
}

}  // namespace scout
