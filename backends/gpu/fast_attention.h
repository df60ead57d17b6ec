// Attention of many rows where numerics are fast: scores and weighted sums by the matrix instructions for 16-bit floats, whose sums
// over 16 products have an order of their own. A thread block takes a tile of 64 queries that share a key head, so that the heads
// of a group and neighbouring rows meet each tile of 64 keys once, and keeps its softmax as it goes: a running maximum and sum for
// each query, corrected when a later block of keys has a larger score. Queries, keys, weights and values are rounded to 16 bits,
// all sums are float32; a query's sum is that of its rounded weights, so that the result is a mean of values whatever their
// rounding.
#pragma once

#include "gpu/attention.h"

namespace scout::SCOUT_GPU {

// Where a key lies: its page's first byte, and its place there.
struct KeyPlace {
  int64_t page;
  int index;
};
GPU_FUNCTION KeyPlace PlaceOf(const gpu::KeyArgs& keys, const gpu::AttentionItem& item, int position) {
  int page = Quotient(position, keys.page_size), index = Rest(position, keys.page_size);
  if (keys.chunk > 0) {
    // Positions have 31 bits: a longer chunk holds them all.
    const int chunk = static_cast<int>(keys.chunk < 0x7fffffff ? keys.chunk : 0x7fffffff), in_chunk = Rest(position, chunk);
    page = (Quotient(position, chunk) - Quotient(item.list_position, chunk)) * static_cast<int>(keys.pages_per_chunk) +
           Quotient(in_chunk, keys.page_size);
    index = Rest(in_chunk, keys.page_size);
  }
  return {keys.page[item.page_begin + page] * keys.page_bytes, index};
}

// What a matrix instruction multiplies. What is beyond binary16's largest counts as that. Weights, at most 1, are multiplied
// by kWeight, so that small ones keep their bits: some devices take a subnormal binary16 for zero.
struct F16Half {
  using Matrix = MatrixHalf<false>;
  static constexpr float kWeight = 0x1p15f;
  GPU_FUNCTION static uint32_t Round(float x) {
    const uint32_t half = F32ToF16(x);
    return half - ((half & 0x7fff) == 0x7c00 ? 1 : 0);
  }
  GPU_FUNCTION static uint32_t Weight(float w) { return F32ToF16(w * kWeight); }
  GPU_FUNCTION static float Widen(uint32_t half) { return WidenHalf<false>(half); }
};
struct Bf16Half {
  using Matrix = MatrixHalf<true>;
  static constexpr float kWeight = 1;
  GPU_FUNCTION static uint32_t Round(float x) { return RoundToBf16(x); }
  GPU_FUNCTION static uint32_t Weight(float w) { return RoundToBf16(w); }
  GPU_FUNCTION static float Widen(uint32_t half) { return WidenHalf<true>(half); }
};

struct FastAttentionShape {
  static constexpr int kQueries = gpu::kFastQueries, kKeys = gpu::kBlockKeys;
  static constexpr int kQuarters = kBlockThreads / kQueries;  // threads that share a query's weights
  // Strides of rows in words: multiples of four, and such that eight rows of a fragment meet different banks.
  static constexpr int kScoreStride = kKeys + 4;      // scores; then weights, two to a word
  static constexpr int kValueStride = kKeys / 2 + 4;  // a value's column over the keys, two to a word
  // Values have room for the largest head, so that multiplying has no condition; what is behind a smaller one is never looked at.
  static constexpr int kTileWords = gpu::kFastHead * kValueStride;
  static_assert(kTileWords >= kKeys * (gpu::kFastHead / 2 + 4));
  // Heads are padded with zeros to whole steps of the matrix instruction.
  static constexpr int kStep = 16;
  GPU_FUNCTION static int Padded(int d) { return (d + kStep - 1) / kStep * kStep; }
  GPU_FUNCTION static int Stride(int padded) { return padded / 2 + 4; }  // words of a query's or a key's row, two values to a word
  static constexpr size_t SharedBytes(int d) {
    const int halves = (d + kStep - 1) / kStep * kStep / 2;
    const int words = kQueries * (halves + 4) + kTileWords + kQueries * (kScoreStride + 2) + 4 * kKeys;
    return 4 * static_cast<size_t>(words) + 8 * 16;
  }
};

// Eight values of a head, from `first` on, as pairs of 16 bits. `wide`: what is kept as 16 bits lies at multiples of 16 bytes.
template <typename H>
GPU_FUNCTION Int4 LoadHalves(const uint8_t* head, int format, bool wide, int first) {
  Int4 to;
  if (format == gpu::kPageQ8) {
    const uint8_t* const block = head + Quotient(first, gpu::kPageBlock) * gpu::kPageBlockBytes;
    const uint8_t* const codes = block + 2 + Rest(first, gpu::kPageBlock);
    const float scale = F16At(block);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint32_t two = Half(codes + 2 * i);
      const uint32_t low = H::Round(scale * static_cast<float>(static_cast<int8_t>(two)));
      const uint32_t high = H::Round(scale * static_cast<float>(static_cast<int8_t>(two >> 8)));
      to.x[i] = static_cast<int32_t>(low | high << 16);
    }
    return to;
  }
  if (wide) return *reinterpret_cast<const Int4*>(head + 2 * first);
#pragma unroll
  for (int i = 0; i < 4; ++i) to.x[i] = static_cast<int32_t>(Word2(head + 2 * first + 4 * i));
  return to;
}

// grid: [items, Hkv]
template <typename H>
GPU_LARGE_KERNEL AttendFast(gpu::AttentionArgs a) {
  using Matrix = typename H::Matrix;
  using Shape = FastAttentionShape;
  static_assert(Matrix::kRows == 16 && Shape::kStep == 16);
  constexpr int kRowTiles = Shape::kQueries / Matrix::kRows;
  constexpr int kGroups = kBlockThreads / kWarp / kRowTiles;  // warps that share a tile's sixteen queries
  constexpr int kScoreTiles = Shape::kKeys / Matrix::kCols / kGroups, kOutTiles = gpu::kFastHead / Matrix::kCols / kGroups;
  const gpu::AttentionItem item = a.items[BlockX()];
  const gpu::KeyArgs& keys = a.keys;
  const int kv_head = BlockY(), group = Quotient(a.heads, a.kv_heads), d = a.d;
  const int padded = Shape::Padded(d), stride = Shape::Stride(padded), pieces = padded / 8;
  SharedCursor cursor;
  auto queries = cursor.Take<uint32_t>(Shape::kQueries * stride);
  auto tile = cursor.Take<uint32_t>(Shape::kTileWords);  // keys, then values, column by column
  auto scores = cursor.Take<float>(Shape::kQueries * Shape::kScoreStride);
  auto correction = cursor.Take<float>(Shape::kQueries);  // the last: the maximum
  auto last_sum = cursor.Take<float>(Shape::kQueries);
  auto k_at = cursor.Take<int64_t>(Shape::kKeys);
  auto v_at = cursor.Take<int64_t>(Shape::kKeys);
  auto weights = scores.template As<uint32_t>();

  const auto row_of = [&](int p) { return item.row + Quotient(item.pair + p, group); };
  const auto head_of = [&](int p) { return kv_head * group + Rest(item.pair + p, group); };
  for (int e = Thread(); e < Shape::kQueries * padded / 2; e += kBlockThreads) {
    const int p = Quotient(e, padded / 2), i = Rest(e, padded / 2);
    uint32_t two = 0;
    if (p < item.pairs && 2 * i < d) {
      const float* const from = a.q + (static_cast<int64_t>(row_of(p)) * a.heads + head_of(p)) * d + 2 * i;
      two = H::Round(from[0]) | H::Round(from[1]) << 16;
    }
    queries[p * stride + i] = two;
  }
  const int64_t k_head = static_cast<int64_t>(kv_head) * HeadBytes(keys.k_format, d);
  const int64_t v_head = keys.page_size * keys.k_slot_bytes + static_cast<int64_t>(kv_head) * HeadBytes(keys.v_format, d);

  // A query's softmax is kept by four threads; a warp multiplies sixteen queries, with some of the keys or of the output's columns.
  const int my_pair = Thread() / Shape::kQuarters, quarter = Thread() % Shape::kQuarters;
  const int my_position = my_pair < item.pairs ? a.position[row_of(my_pair)] : -1;
  float max = -Infinity(), sum = 0;
  const int lane = Thread() % kWarp, first_row = Thread() / kWarp / kGroups * Matrix::kRows, my_group = Thread() / kWarp % kGroups;
  float o[kOutTiles][Matrix::kValues];
#pragma unroll
  for (int t = 0; t < kOutTiles; ++t)
#pragma unroll
    for (int i = 0; i < Matrix::kValues; ++i) o[t][i] = 0;

  for (int begin = item.span_begin; begin < item.span_end; begin += Shape::kKeys) {
    const int count = MinOf(item.span_end - begin, Shape::kKeys);
    for (int j = Thread(); j < count; j += kBlockThreads) {
      const KeyPlace place = PlaceOf(keys, item, begin + j);
      k_at[j] = place.page + place.index * keys.k_slot_bytes + k_head;
      v_at[j] = place.page + place.index * keys.v_slot_bytes + v_head;
    }
    SyncBlock();
    for (int e = Thread(); e < Shape::kKeys * pieces; e += kBlockThreads) {
      const int j = Quotient(e, pieces), i = Rest(e, pieces);
      Int4 eight = {};
      if (j < count && 8 * i < d) {
        const int64_t at = k_at[j];
        eight = LoadHalves<H>(keys.pages + at, keys.k_format, a.wide, 8 * i);
      }
      tile.template As<Int4>()[j * (stride / 4) + i] = eight;
    }
    SyncBlock();
    {
      float s[kScoreTiles][Matrix::kValues];
#pragma unroll
      for (int t = 0; t < kScoreTiles; ++t)
#pragma unroll
        for (int i = 0; i < Matrix::kValues; ++i) s[t][i] = 0;
      for (int k = 0; k < padded / 2; k += Shape::kStep / 2) {
#pragma unroll
        for (int t = 0; t < kScoreTiles; ++t)
          Matrix::MultiplyAdd(s[t], queries.From(first_row * stride + k), stride,
                              tile.From((t * kGroups + my_group) * Matrix::kCols * stride + k), stride);
      }
#pragma unroll
      for (int t = 0; t < kScoreTiles; ++t)
#pragma unroll
        for (int i = 0; i < Matrix::kValues; ++i)
          scores[(first_row + Matrix::Row(lane, i)) * Shape::kScoreStride + (t * kGroups + my_group) * Matrix::kCols +
                 Matrix::Col(lane, i)] = s[t][i] * a.scale;
    }
    SyncBlock();
    {
      const int left = my_position - begin + 1, mine = left < 0 ? 0 : MinOf(left, count);  // keys of this block for my query
      float x[Shape::kKeys / Shape::kQuarters];
      float block_max = -Infinity();
#pragma unroll
      for (int i = 0; i < Shape::kKeys / Shape::kQuarters; ++i) {
        const int j = i / 2 * 2 * Shape::kQuarters + 2 * quarter + i % 2;
        x[i] = j < mine ? static_cast<float>(scores[my_pair * Shape::kScoreStride + j]) : -Infinity();
        block_max = MaxOf(block_max, x[i]);
      }
#pragma unroll
      for (int bits = Shape::kQuarters / 2; bits > 0; bits /= 2) block_max = MaxOf(block_max, ShflXor(kAllLanes, block_max, bits));
      const float new_max = MaxOf(max, block_max);
      // What is not allowed has a weight of exp(-infinity) = 0, without a condition for each key.
      const float base = mine == 0 ? 0.0f : new_max;
      float part = 0;
      SyncWarp(kAllLanes);  // the weights take the scores' place, row by row
#pragma unroll
      for (int i = 0; i < Shape::kKeys / Shape::kQuarters; i += 2) {
        const int j = i * Shape::kQuarters + 2 * quarter;
        const uint32_t low = H::Weight(Exp(x[i] - base)), high = H::Weight(Exp(x[i + 1] - base));
        weights[my_pair * Shape::kScoreStride + j / 2] = low | high << 16;
        part += H::Widen(low) + H::Widen(high);
      }
#pragma unroll
      for (int bits = Shape::kQuarters / 2; bits > 0; bits /= 2) part += ShflXor(kAllLanes, part, bits);
      const float c = mine == 0 ? 1.0f : Exp(max - new_max);
      if (mine > 0) {
        sum = Fma(sum, c, part);
        max = new_max;
      }
      if (quarter == 0) correction[my_pair] = c;
    }
    // The keys are no longer needed: values take their place, two keys' to a word.
    for (int e = Thread(); e < Shape::kKeys / 2 * pieces; e += kBlockThreads) {
      const int j = e % (Shape::kKeys / 2), i = e / (Shape::kKeys / 2);
      Int4 first = {}, second = {};
      if (2 * j < count && 8 * i < d) {
        const int64_t at = v_at[2 * j];
        first = LoadHalves<H>(keys.pages + at, keys.v_format, a.wide, 8 * i);
      }
      if (2 * j + 1 < count && 8 * i < d) {
        const int64_t at = v_at[2 * j + 1];
        second = LoadHalves<H>(keys.pages + at, keys.v_format, a.wide, 8 * i);
      }
#pragma unroll
      for (int t = 0; t < 8; ++t) {
        const uint32_t low = static_cast<uint32_t>(first.x[t / 2]) >> 16 * (t % 2) & 0xffff;
        const uint32_t high = static_cast<uint32_t>(second.x[t / 2]) >> 16 * (t % 2) & 0xffff;
        tile[(8 * i + t) * Shape::kValueStride + j] = low | high << 16;
      }
    }
    SyncBlock();
    float c[Matrix::kValues];
#pragma unroll
    for (int i = 0; i < Matrix::kValues; ++i) c[i] = correction[first_row + Matrix::Row(lane, i)];
#pragma unroll
    for (int t = 0; t < kOutTiles; ++t)
#pragma unroll
      for (int i = 0; i < Matrix::kValues; ++i) o[t][i] = o[t][i] * c[i];
#pragma unroll
    for (int k = 0; k < Shape::kKeys / 2; k += Shape::kStep / 2) {
#pragma unroll
      for (int t = 0; t < kOutTiles; ++t)
        Matrix::MultiplyAdd(o[t], weights.From(first_row * Shape::kScoreStride + k), Shape::kScoreStride,
                            tile.From((t * kGroups + my_group) * Matrix::kCols * Shape::kValueStride + k), Shape::kValueStride);
    }
    SyncBlock();
  }
  if (quarter == 0) {
    correction[my_pair] = max;
    last_sum[my_pair] = sum;
  }
  SyncBlock();
#pragma unroll
  for (int i = 0; i < Matrix::kValues; ++i) {
    const int p = first_row + Matrix::Row(lane, i);
    if (p >= item.pairs) continue;
    const float the_max = correction[p], the_sum = last_sum[p];
    const float factor = item.partial >= 0 ? 1.0f / H::kWeight : Divide(1.0f, the_sum);
    const int64_t at = static_cast<int64_t>(row_of(p)) * a.heads + head_of(p);
    const int64_t state = (static_cast<int64_t>(item.partial) * gpu::kTileQueries + p) * a.kv_heads + kv_head;
    float* const to = item.partial >= 0 ? a.partial + state * (d + 2) : a.out + at * d;
#pragma unroll
    for (int t = 0; t < kOutTiles; ++t) {
      const int column = (t * kGroups + my_group) * Matrix::kCols + Matrix::Col(lane, i);
      if (column >= d) continue;
      to[column] = o[t][i] * factor;
      if (column != 0) continue;
      if (item.partial >= 0) {
        to[d] = the_max;
        to[d + 1] = the_sum * (1.0f / H::kWeight);
      } else if (a.lse) {
        a.lse[at] = static_cast<float>(static_cast<double>(the_max) + Log(static_cast<double>(the_sum * (1.0f / H::kWeight))));
      }
    }
  }
}

}  // namespace scout::SCOUT_GPU
