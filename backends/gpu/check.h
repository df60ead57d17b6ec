// What the emulator cannot see: whether a device's own instructions do what the words of gpu.h say. One warp multiplies a tile of
// signed bytes that came by asynchronous copies, shuffles, votes and rounds; the host knows the right answers (check_device.cpp).
#pragma once

#include "gpu/arguments.h"
#include "gpu/math.h"

namespace scout::SCOUT_GPU {

template <int kK>
GPU_FUNCTION void CheckProduct(Shared<uint32_t> a, Shared<uint32_t> b, int stride, int32_t* out) {
  using Matrix = MatrixI8<kK>;
  for (int col0 = 0; col0 < gpu::kCheckRows; col0 += Matrix::kCols) {
    int32_t c[Matrix::kValues];
    for (int i = 0; i < Matrix::kValues; ++i) c[i] = i;  // what was there before stays in the sum
    Matrix::MultiplyAdd(c, a, stride, b.From(col0 * stride), stride);
    for (int i = 0; i < Matrix::kValues; ++i)
      out[Matrix::Row(Thread(), i) * gpu::kCheckRows + col0 + Matrix::Col(Thread(), i)] = c[i] - i;
  }
}

// The same over halves, whose products of such small whole numbers are exact in any order.
template <bool kBf16>
GPU_FUNCTION void CheckHalves(const gpu::CheckArgs& args, Shared<uint32_t> a, Shared<uint32_t> b, int stride, int32_t* out) {
  using Matrix = MatrixHalf<kBf16>;
  const auto half = [](uint8_t byte) {
    const float value = static_cast<float>(static_cast<int8_t>(byte));
    return static_cast<uint32_t>(kBf16 ? RoundToBf16(value) : F32ToF16(value));
  };
  constexpr int kWords = gpu::kCheckBytes / 2;
  SyncBlock();
  for (int i = Thread(); i < gpu::kCheckRows * kWords; i += kWarp) {
    const int row = i / kWords, word = i % kWords;
    const uint8_t *const left = args.a + 2 * i, *const right = args.b + 2 * i;
    a[row * stride + word] = half(left[0]) | half(left[1]) << 16;
    b[row * stride + word] = half(right[0]) | half(right[1]) << 16;
  }
  SyncBlock();
  for (int col0 = 0; col0 < gpu::kCheckRows; col0 += Matrix::kCols) {
    float c[Matrix::kValues];
    for (int i = 0; i < Matrix::kValues; ++i) c[i] = static_cast<float>(i);
    for (int step = 0; step < kWords / 8; ++step)
      Matrix::MultiplyAdd(c, a.From(8 * step), stride, b.From(col0 * stride + 8 * step), stride);
    for (int i = 0; i < Matrix::kValues; ++i)
      out[Matrix::Row(Thread(), i) * gpu::kCheckRows + col0 + Matrix::Col(Thread(), i)] = RoundToInt(c[i] - static_cast<float>(i));
  }
}

// grid: one block of one warp. Shared: two tiles of kCheckRows rows of kCheckBytes halves and 16 bytes, which bytes are first in.
GPU_KERNEL CheckInstructions(gpu::CheckArgs args) {
  constexpr int kStride = gpu::kCheckBytes / 4 + 4;
  SharedCursor cursor;
  constexpr int kHalfStride = gpu::kCheckBytes / 2 + 4;
  auto a = cursor.Take<uint32_t>(gpu::kCheckRows * kHalfStride);
  auto b = cursor.Take<uint32_t>(gpu::kCheckRows * kHalfStride);
  constexpr int kPieces = gpu::kCheckBytes / 16;
  for (int i = Thread(); i < gpu::kCheckRows * kPieces; i += kWarp) {
    const int row = i / kPieces, piece = i % kPieces;
    AsyncCopy16(a.From(row * kStride + 4 * piece).As<Int4>()[0], args.a + row * gpu::kCheckBytes + 16 * piece);
    AsyncCopy16(b.From(row * kStride + 4 * piece).As<Int4>()[0], args.b + row * gpu::kCheckBytes + 16 * piece);
  }
  AsyncCommit();
  AsyncWait<0>();
  SyncBlock();
  CheckProduct<16>(a, b, kStride, args.product16);
  CheckProduct<32>(a, b, kStride, args.product32);
  CheckHalves<false>(args, a, b, kHalfStride, args.product_f16);
  CheckHalves<true>(args, a, b, kHalfStride, args.product_bf16);

  const int lane = Thread();
  int at = 0;
  const auto tell = [&](int32_t value) { args.lanes[at++ * kWarp + lane] = value; };
  for (int bits = 1; bits < kWarp; bits *= 2) tell(ShflXor(kAllLanes, 1000 + lane, bits));
  tell(Shfl(kAllLanes, 1000 + lane, (5 * lane + 3) % kWarp));
  const LaneMask votes = Ballot(kAllLanes, lane % 3 == 0);
  tell(static_cast<int32_t>(votes));
  tell(static_cast<int32_t>(static_cast<uint64_t>(votes) >> 32));
  tell(Popcount(votes));
  const float x = args.floats[lane];
  tell(static_cast<int32_t>(BitsOf(x * x - args.floats[kWarp])));  // two roundings
  tell(static_cast<int32_t>(BitsOf(Fma(x, x, -args.floats[kWarp]))));
  tell(static_cast<int32_t>(BitsOf(Divide(1.0f, x))));
  tell(static_cast<int32_t>(BitsOf(Sqrt(x))));
  tell(RoundToInt(10 * x));
  tell(static_cast<int32_t>(BitsOf(F16ToF32(F32ToF16(x)))));
}

// A product of four warps whose second factor came by a bulk copy, in phase `phase` of the arrivals.
template <bool kBf16, int kColumns>
GPU_FUNCTION void CheckWide(const uint16_t* a, const uint16_t* b, int32_t* out, Shared<Int4> tile, Shared<Arrivals> arrivals,
                            int phase) {
  constexpr int kPieces = gpu::kCheckDepth / 8 * kColumns, kSteps = gpu::kCheckDepth / 16;
  if (Thread() == 0) {
    ArriveExpecting(arrivals[0], 16 * kPieces);
    BulkCopy(tile[0], b, 16 * kPieces, arrivals[0]);
  }
  // The first factor as pairs: of row 16 w + g, then 16 w + g + 8, first the values 2 t, 2 t + 1, then 8 further.
  uint32_t factor[kSteps][4];
  for (int step = 0; step < kSteps; ++step)
    for (int i = 0; i < 4; ++i) {
      const int row = WideFragment::Row(Thread(), 2 * (i % 2)), k = 16 * step + 2 * (Thread() % 4) + 8 * (i / 2);
      factor[step][i] = *reinterpret_cast<const uint32_t*>(a + row * gpu::kCheckDepth + k);
    }
  float c[kColumns / 2];
  for (int i = 0; i < kColumns / 2; ++i) c[i] = static_cast<float>(i);  // what was there before stays in the sum
  WaitArrivals(arrivals[0], phase % 2);
  WideFence(c);
  for (int step = 0; step < kSteps; ++step)
    WideMultiplyAdd<kBf16, kColumns>(c, factor[step], WideFragment::Tile(tile.From(2 * step * kColumns), 16 * kColumns));
  WideCommit();
  WideWait<0>(c, factor);
  for (int i = 0; i < kColumns / 2; ++i)
    out[WideFragment::Row(Thread(), i) * kColumns + WideFragment::Col(Thread(), i)] = RoundToInt(c[i] - static_cast<float>(i));
  SyncBlock();  // before the next copy
}

// grid: one block of 128 threads.
GPU_KERNEL CheckFast(gpu::CheckFastArgs args) {
  if (Thread() == 0) {
    args.has[0] = MatrixHalf<false>::kInstruction && MatrixHalf<true>::kInstruction ? 1 : 0;
    args.has[1] = kWideProducts ? 1 : 0;
  }
  if constexpr (kWideProducts) {
    SharedCursor cursor;
    auto tile = cursor.Take<Int4>(gpu::kCheckDepth / 8 * gpu::kWideRows[1]);
    auto arrivals = cursor.Take<Arrivals>(1);
    if (Thread() == 0) InitArrivals(arrivals[0], 1);
    SyncBlock();
    CheckWide<false, gpu::kWideRows[0]>(args.a[0], args.b[0][0], args.product[0][0], tile, arrivals, 0);
    CheckWide<false, gpu::kWideRows[1]>(args.a[0], args.b[0][1], args.product[0][1], tile, arrivals, 1);
    CheckWide<true, gpu::kWideRows[0]>(args.a[1], args.b[1][0], args.product[1][0], tile, arrivals, 2);
    CheckWide<true, gpu::kWideRows[1]>(args.a[1], args.b[1][1], args.product[1][1], tile, arrivals, 3);
  }
}

// The same in tensor memory, whose address is in `sums`: a warp stores what two fragments hold.
template <bool kBf16, int kColumns>
GPU_FUNCTION void CheckInTensorMemory(const uint16_t* a, const uint16_t* b, int32_t* out, Shared<Int4> tile,
                                      Shared<Arrivals> arrivals, uint32_t sums, int phase) {
  constexpr int kPieces = gpu::kCheckDepth / 8 * kColumns, kSteps = gpu::kCheckDepth / 16;
  const int lane = Thread() % kWarp;
  const uint32_t factor = TensorFragment::At(sums, 0, gpu::kWideRows[1]);
  if (Thread() == 0) {
    ArriveExpecting(arrivals[0], 16 * kPieces);
    BulkCopy(tile[0], b, 16 * kPieces, arrivals[0]);
  }
  for (int half = 0; half < 2; ++half) {
    const int first = TensorFragment::FirstRow(Thread() / kWarp + 4 * half);
    uint32_t words[kSteps][4];
    for (int step = 0; step < kSteps; ++step)
      for (int i = 0; i < 4; ++i) {
        const int row = first + lane / 4 + 8 * (i % 2), k = 16 * step + 2 * (lane % 4) + 8 * (i / 2);
        words[step][i] = *reinterpret_cast<const uint32_t*>(a + row * gpu::kCheckDepth + k);
      }
    TensorStore(TensorFragment::At(factor, first, 0), words);
  }
  TensorDone();
  SyncBlock();
  if (Thread() == 0) {
    WaitArrivals(arrivals[0], phase % 2);
    TensorFence();
    for (int step = 0; step < kSteps; ++step)
      TensorMultiplyAdd(sums, TensorFragment::At(factor, 0, 8 * step),
                        TensorFragment::Tile(tile.From(2 * step * kColumns), 16 * kColumns),
                        TensorFragment::Instruction(kBf16, kColumns), step > 0);
    TensorCommit(arrivals[1]);
  }
  WaitArrivals(arrivals[1], phase % 2);
  TensorFence();
  for (int half = 0; half < 2; ++half) {
    const int first = TensorFragment::FirstRow(Thread() / kWarp + 4 * half);
    for (int column = 0; column < kColumns; column += 32) {
      float c[16];
      TensorLoad(TensorFragment::At(sums, first, column), c);
      for (int i = 0; i < 16; ++i)
        out[(first + lane / 4 + 8 * (i / 2 % 2)) * kColumns + column + WideFragment::Col(lane, i)] = RoundToInt(c[i]);
    }
  }
  TensorDone();
  SyncBlock();  // before the next copy and the next stores
  TensorFence();
}

// grid: one block of 128 threads.
GPU_KERNEL CheckTensor(gpu::CheckFastArgs args) {
  if (Thread() == 0) {
    args.has[0] = MatrixHalf<false>::kInstruction && MatrixHalf<true>::kInstruction ? 1 : 0;
    args.has[1] = kTensorProducts ? 1 : 0;
  }
  if constexpr (kTensorProducts) {
    SharedCursor cursor;
    auto tile = cursor.Take<Int4>(gpu::kCheckDepth / 8 * gpu::kWideRows[1]);
    auto arrivals = cursor.Take<Arrivals>(2);
    auto where = cursor.Take<uint32_t>(1);
    if (Thread() == 0)
      for (int i = 0; i < 2; ++i) InitArrivals(arrivals[i], 1);
    if (Thread() / kWarp == 0) TensorReserve<256>(where[0]);
    SyncBlock();
    const uint32_t sums = where[0];
    CheckInTensorMemory<false, gpu::kWideRows[0]>(args.a[0], args.b[0][0], args.product[0][0], tile, arrivals, sums, 0);
    CheckInTensorMemory<false, gpu::kWideRows[1]>(args.a[0], args.b[0][1], args.product[0][1], tile, arrivals, sums, 1);
    CheckInTensorMemory<true, gpu::kWideRows[0]>(args.a[1], args.b[1][0], args.product[1][0], tile, arrivals, sums, 2);
    CheckInTensorMemory<true, gpu::kWideRows[1]>(args.a[1], args.b[1][1], args.product[1][1], tile, arrivals, sums, 3);
    if (Thread() / kWarp == 0) TensorFree<256>(sums);
  }
}

}  // namespace scout::SCOUT_GPU
