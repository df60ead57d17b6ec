// MatrixI8 and MatrixHalf by mma.sync: a tile of 16 x 8. Lane 4 g + t holds rows g and g + 8 of the first factor at bytes 4 t .. 4
// t + 3 (and 16 further), column g of the second there, and columns 2 t, 2 t + 1 of the result.
#pragma once

namespace scout::SCOUT_GPU {

template <int kK>
struct MmaMatrix {
  static constexpr int kRows = 16, kCols = 8, kValues = 4;
  GPU_FUNCTION static int Row(int lane, int i) { return lane / 4 + 8 * (i / 2); }
  GPU_FUNCTION static int Col(int lane, int i) { return 2 * (lane % 4) + i % 2; }
  GPU_FUNCTION static void MultiplyAdd(int32_t (&c)[4], Shared<uint32_t> a, int a_stride, Shared<uint32_t> b, int b_stride) {
    const int g = Thread() % 32 / 4, t = Thread() % 4;
    uint32_t a_words[kK / 8], b_words[kK / 16];
    for (int i = 0; i < kK / 16; ++i) {
      a_words[2 * i] = a[g * a_stride + 4 * i + t];
      a_words[2 * i + 1] = a[(g + 8) * a_stride + 4 * i + t];
      b_words[i] = b[g * b_stride + 4 * i + t];
    }
    MmaS8<kK>(~uint32_t{0}, c, a_words, b_words);
  }
};

// Products of four warps: wgmma m64nNk16. Thread 32 w + 4 g + t of 128 holds of the first factor, [64, 16], the rows 16 w + g and
// 16 w + g + 8 at 2 t, 2 t + 1, then at 2 t + 8, 2 t + 9, and of the result these rows at columns 2 t, 2 t + 1 of each eight.
struct WideFragment {
  GPU_FUNCTION static int Row(int thread, int i) { return thread / 32 * 16 + thread % 32 / 4 + 8 * (i / 2 % 2); }
  GPU_FUNCTION static int Col(int thread, int i) { return 8 * (i / 4) + 2 * (thread % 4) + i % 2; }
  // The second factor in shared memory: `at` has eight values of each of eight columns, the next eight columns follow, and the next
  // eight values of K lie `next_k` bytes further.
  GPU_FUNCTION static uint64_t Tile(Shared<Int4> at, int next_k) {
    return static_cast<uint64_t>(SharedAddress(at[0]) >> 4 & 0x3fff) | static_cast<uint64_t>(next_k >> 4) << 16 |
           uint64_t{128 >> 4} << 32;
  }
};

// Products with sums in tensor memory: tcgen05.mma m128nNk16, kind::f16. Lane i of tensor memory is row i; sixteen values of the
// first factor are eight columns of two, a sum is a column. What warps store and load are sixteen rows with the fragments above: a
// warp's are lanes 32 (w mod 4) on, or sixteen further.
struct TensorFragment {
  static constexpr int kRows = 128;
  // Of two times four warps that reach all lanes.
  GPU_FUNCTION static int FirstRow(int warp) { return warp % 4 * 32 + warp / 4 % 2 * 16; }
  GPU_FUNCTION static uint32_t At(uint32_t begin, int row, int column) {
    return begin + (static_cast<uint32_t>(row) << 16) + static_cast<uint32_t>(column);
  }
  // As wgmma's, and the version that architecture 10.0 wants in bit 46.
  GPU_FUNCTION static uint64_t Tile(Shared<Int4> at, int next_k) { return WideFragment::Tile(at, next_k) | uint64_t{1} << 46; }
  // Sums in float32, both factors' formats, columns, rows.
  GPU_FUNCTION static uint32_t Instruction(bool bf16, int columns) {
    return 1u << 4 | (bf16 ? 1u << 7 | 1u << 10 : 0u) | static_cast<uint32_t>(columns / 8) << 17 | uint32_t{kRows / 16} << 24;
  }
};

// MatrixHalf the same way: m16n8k16, each word two halves.
template <bool kBf16>
struct MmaHalf {
  static constexpr bool kInstruction = true;
  static constexpr int kRows = 16, kCols = 8, kValues = 4;
  GPU_FUNCTION static int Row(int lane, int i) { return lane / 4 + 8 * (i / 2); }
  GPU_FUNCTION static int Col(int lane, int i) { return 2 * (lane % 4) + i % 2; }
  GPU_FUNCTION static void MultiplyAdd(float (&c)[4], Shared<uint32_t> a, int a_stride, Shared<uint32_t> b, int b_stride) {
    const int g = Thread() % 32 / 4, t = Thread() % 4;
    const uint32_t a_words[4] = {a[g * a_stride + t], a[(g + 8) * a_stride + t], a[g * a_stride + 4 + t],
                                 a[(g + 8) * a_stride + 4 + t]};
    const uint32_t b_words[2] = {b[g * b_stride + t], b[g * b_stride + 4 + t]};
    MmaF32<kBf16>(~uint32_t{0}, c, a_words, b_words);
  }
};

}  // namespace scout::SCOUT_GPU
