// The inner loops of resizing. Rows are RGB, interleaved; see image_resize.h for the arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

namespace scout::prompt::kernels {

// Bytes behind each row, read or written, that may be touched and do not matter.
inline constexpr size_t kTailBytes = 32;

// Along a row: output pixel o is made of count[o] input pixels from first[o] on, with weights[o * taps ...]. `taps` is a multiple
// of 4, and the weights behind the count are 0.
void AcrossNarrow(const uint8_t* from, const int32_t* first, const int32_t* count, const int16_t* weights, int64_t taps,
                  int precision, int64_t outputs, uint8_t* to);
void AcrossWide(const uint8_t* from, const int32_t* first, const int32_t* count, const int32_t* weights, int64_t taps,
                int64_t outputs, uint8_t* to);

// Down the columns: `bytes` samples of `to` out of `count` rows.
void DownNarrow(const uint8_t* const* rows, const int16_t* weights, int64_t count, int precision, int64_t bytes, uint8_t* to);
void DownWide(const uint8_t* const* rows, const int32_t* weights, int64_t count, int64_t bytes, uint8_t* to);

}  // namespace scout::prompt::kernels
