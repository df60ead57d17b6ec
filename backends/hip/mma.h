// MatrixI8 and MatrixHalf by MFMA: a tile of 16 x 16. Lane 16 g + i holds row i of either factor at bytes 4 g .. 4 g + 3 of
// sixteen, and column i of the result at rows 4 g .. 4 g + 3.
#pragma once

namespace scout::SCOUT_GPU {

template <int kK>
struct MfmaMatrix {
  static constexpr int kRows = 16, kCols = 16, kValues = 4;
  GPU_FUNCTION static int Row(int lane, int i) { return 4 * (lane / 16) + i; }
  GPU_FUNCTION static int Col(int lane, int) { return lane % 16; }
  GPU_FUNCTION static void MultiplyAdd(int32_t (&c)[4], Shared<uint32_t> a, int a_stride, Shared<uint32_t> b, int b_stride) {
    const int row = Thread() % 16, g = Thread() % 64 / 16;
    for (int i = 0; i < kK / 16; ++i) MfmaS8(~uint64_t{0}, c, a[row * a_stride + 4 * i + g], b[row * b_stride + 4 * i + g]);
  }
};

// MatrixHalf the same way: a lane's four halves are words 2 g and 2 g + 1 of eight.
template <bool kBf16>
struct MfmaHalf {
  static constexpr bool kInstruction = true;
  static constexpr int kRows = 16, kCols = 16, kValues = 4;
  GPU_FUNCTION static int Row(int lane, int i) { return 4 * (lane / 16) + i; }
  GPU_FUNCTION static int Col(int lane, int) { return lane % 16; }
  GPU_FUNCTION static void MultiplyAdd(float (&c)[4], Shared<uint32_t> a, int a_stride, Shared<uint32_t> b, int b_stride) {
    const int row = Thread() % 16, g = Thread() % 64 / 16;
    const uint32_t a_words[2] = {a[row * a_stride + 2 * g], a[row * a_stride + 2 * g + 1]};
    const uint32_t b_words[2] = {b[row * b_stride + 2 * g], b[row * b_stride + 2 * g + 1]};
    MfmaF32<kBf16>(~uint64_t{0}, c, a_words, b_words);
  }
};

}  // namespace scout::SCOUT_GPU
