// The blocks of a tile's weights in shared memory as they are in the file, for kernels that unpack them there.
#pragma once

#include "gpu/product.h"

namespace scout::SCOUT_GPU {

// What is copied at once where `kStep` values of a row are multiplied at a time: a step's blocks, or one block that takes several
// steps.
template <typename F, int kStep>
struct RawBlocks {
  static constexpr int kOutputs = 64;                                    // rows of the weight
  static constexpr int kLoad = F::kValues > kStep ? F::kValues : kStep;  // values of a row
  static constexpr int kBlocks = kLoad / F::kValues;
  static constexpr int kBytes = kBlocks * F::kBytes;
  // They come in aligned pieces of sixteen bytes: where they begin at other places, with what lies beside them.
  static constexpr int kPieces = F::kBytes % 16 == 0 ? kBytes / 16 : (kBytes + 14 + 15) / 16;  // of a row

  // Where the load of the values from `at` on begins in a row of the tile.
  GPU_FUNCTION static const uint8_t* Begin(const gpu::ProductArgs& a, const RowTile& tile, int row, int at) {
    return a.weight + tile.expert * a.expert_bytes + (BlockX() * kOutputs + row) * a.row_bytes +
           static_cast<int64_t>(at / F::kValues) * F::kBytes;
  }
  GPU_FUNCTION static int Before(const uint8_t* begin) { return static_cast<int>(reinterpret_cast<uintptr_t>(begin) % 16); }
};

// Begins the copies of a load, `at` being a multiple of kLoad.
template <typename F, int kStep>
GPU_FUNCTION void CopyBlocks(const gpu::ProductArgs& a, const RowTile& tile, int at, Shared<Int4> raw) {
  using Raw = RawBlocks<F, kStep>;
  const int blocks = (a.k - at < Raw::kLoad ? a.k - at : Raw::kLoad) / F::kValues;
  for (int i = Thread(); i < Raw::kOutputs * Raw::kPieces; i += kBlockThreads) {
    const int row = i / Raw::kPieces, piece = i % Raw::kPieces;
    if (BlockX() * Raw::kOutputs + row >= a.rows) break;
    const uint8_t* const begin = Raw::Begin(a, tile, row, at);
    const int before = Raw::Before(begin);
    if (16 * piece < before + blocks * F::kBytes) AsyncCopy16(raw[i], begin - before + 16 * piece);
  }
}

// The block of value `k` of a row, in the load that was copied last.
template <typename F, int kStep>
GPU_FUNCTION const uint8_t* CopiedBlock(const gpu::ProductArgs& a, const RowTile& tile, int row, int k, Shared<Int4> raw) {
  using Raw = RawBlocks<F, kStep>;
  const int in_load = k % Raw::kLoad;
  return SharedBytes(
      raw, row * Raw::kPieces * 16 + Raw::Before(Raw::Begin(a, tile, row, k - in_load)) + in_load / F::kValues * F::kBytes,
      F::kBytes);
}

}  // namespace scout::SCOUT_GPU
