// Dense products by a library in a plug-in: libscout-onednn.so. These headers are the contract between it and libscout; plain C
// structs and functions cross the line, nothing throws across it.
#pragma once

#include <cstdint>

namespace scout {

// y[n * y_stride + o] = sum over i < depth of x[n * x_stride + i] * w[i * w_stride + o], for n < rows and o < outputs, in float32:
// products and sums are not rounded to less, in which order they are added is the library's affair.
struct ProductTile {
  int64_t rows, depth, outputs;
  const float* x;
  int64_t x_stride;
  const float* w;
  int64_t w_stride;
  float* y;
  int64_t y_stride;
};

struct ProductMessage {
  char text[500];
};

struct ProductPluginTable {
  // Makes the library ready; before the first product. "oneDNN 2.6.3", static; null, and `message` filled, on failure. Any thread.
  const char* (*open)(ProductMessage* message) noexcept;
  // Computes one tile on the calling thread and no other, in the floating-point environment that it has. 0; else `message` says why
  // not, and `y` is anything. Any thread, several at once.
  int32_t (*multiply)(const ProductTile* tile, ProductMessage* message) noexcept;
};

}  // namespace scout
