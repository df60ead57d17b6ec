// The table of number formats that can be decoded here, and row-wise access to them.
//
// A block's layout and arithmetic are told in the format's own header; this is the one place that knows them all. Adding a
// format is a header with a block and a Decode, and one line in formats.cpp.
#pragma once

#include <cstddef>
#include <optional>

#include "tensor/dtype.h"

namespace scout::quant {

// `values` is a whole number of blocks. Blocks are read and written byte-wise: no alignment is asked for.
using DecodeRowFunction = void (*)(const std::byte* blocks, float* out, size_t values);
using EncodeRowFunction = void (*)(const float* in, std::byte* blocks, size_t values);
// Index of the first block whose scale or value is NaN or infinite, or `values / values per block` when there is none.
using FirstNonFiniteFunction = size_t (*)(const std::byte* blocks, size_t values);

struct Format {
  DType dtype = DType::kUnknown;
  DecodeRowFunction decode_row = nullptr;             // null: cannot be a weight here
  EncodeRowFunction encode_row = nullptr;             // null: read only
  FirstNonFiniteFunction first_non_finite = nullptr;  // null exactly when decode_row is
};

const Format& FormatOf(DType dtype);

inline bool CanDecode(DType dtype) { return FormatOf(dtype).decode_row != nullptr; }

// Decodes `values` elements, a whole number of blocks, to float32: out[values]. Throws kUnsupported for a format without
// decoder and kFormat for a broken block.
void DecodeRow(DType dtype, const std::byte* blocks, float* out, size_t values);

// Encodes `values` elements: blocks[RowBytes(dtype, values)]. Throws kUnsupported for a format without encoder.
void EncodeRow(DType dtype, const float* in, std::byte* blocks, size_t values);

// For the validation of weights at load: the index, within these `values` elements, of the first block with a scale, minimum
// or value that is NaN or infinite; nothing when all are finite.
std::optional<size_t> FirstNonFiniteBlock(DType dtype, const std::byte* blocks, size_t values);

}  // namespace scout::quant
