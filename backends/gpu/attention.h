// Keys and values: stored into pages, attended, merged. The order of every sum is that of backends/ref/attention.cpp: blocks of 64
// keys and spans of 2,048, both counted from the first key that the mask allows, so that neither the batch nor the cut of a prompt
// changes a bit. A thread block takes a tile of up to sixteen queries that share a key head, over one span; the spans of a long
// context are attended by different blocks and merged from left to right.
#pragma once

#include "gpu/rows.h"

namespace scout::SCOUT_GPU {

// Value i of a head's row in a page.
GPU_FUNCTION float LoadValue(const uint8_t* at, int format, int i) {
  if (format == gpu::kPageF32) return reinterpret_cast<const float*>(at)[i];
  if (format == gpu::kPageQ8) {
    const uint8_t* const block = at + i / gpu::kPageBlock * gpu::kPageBlockBytes;
    return F16At(block) * static_cast<float>(static_cast<int8_t>(block[2 + i % gpu::kPageBlock]));
  }
  const uint16_t half = reinterpret_cast<const uint16_t*>(at)[i];
  return format == gpu::kPageF16 ? F16ToF32(half) : FloatOf(static_cast<uint32_t>(half) << 16);
}
GPU_FUNCTION int HeadBytes(int format, int d) {
  return format == gpu::kPageQ8 ? d / gpu::kPageBlock * gpu::kPageBlockBytes : format == gpu::kPageF32 ? 4 * d : 2 * d;
}
// Encode of quant/q8_0.h by a team of 32 threads, each with its value of the block; every thread of the warp comes here.
GPU_FUNCTION void StoreBlock(uint8_t* block, float x, bool wanted) {
  const int lane = Thread() % kTeam;
  uint32_t max_bits = BitsOf(x) & 0x7fffffff;  // magnitudes order like their bits; NaN and infinity come last
  for (int bits = kTeam / 2; bits > 0; bits /= 2) {
    const uint32_t other = ShflXor(kAllLanes, max_bits, bits);
    max_bits = other > max_bits ? other : max_bits;
  }
  if (!wanted) return;
  const bool finite = max_bits < kInfinityBits;
  const float scale = Divide(FloatOf(max_bits), 127.0f);
  const float scaled = finite && scale > 1e-30f ? x * Divide(1.0f, scale) : 0.0f;
  int code = static_cast<int>(scaled);  // then to the nearest, halves away from zero
  const float rest = scaled - static_cast<float>(code);
  code += rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0;
  code = code > 127 ? 127 : code < -127 ? -127 : code;
  block[2 + lane] = static_cast<uint8_t>(code);
  if (lane == 0) *reinterpret_cast<uint16_t*>(block) = finite ? F32ToF16(scale) : uint16_t{0x7e00};
}
// Writes value(0 .. count - 1), heads one after the other, as a page's row. All threads of the block come here.
template <typename Values>
GPU_FUNCTION void StoreRow(uint8_t* to, int format, int count, const Values& value) {
  if (format == gpu::kPageQ8) {
    for (int first = 0; first < count; first += Threads()) {
      const int i = first + Thread();
      StoreBlock(to + i / gpu::kPageBlock * gpu::kPageBlockBytes, i < count ? value(i) : 0.0f, i < count);
    }
    return;
  }
  for (int i = Thread(); i < count; i += Threads()) {
    const float x = value(i);
    if (format == gpu::kPageF32)
      reinterpret_cast<float*>(to)[i] = x;
    else
      reinterpret_cast<uint16_t*>(to)[i] = format == gpu::kPageF16 ? F32ToF16(x) : RoundToBf16(x);
  }
}

// grid: [N]. Shared: d, Hq + Hkv and (Hq + Hkv) d floats.
GPU_LARGE_KERNEL RopeNormStore(gpu::RopeArgs a) {
  StartNext();
  WaitForEarlier();
  const int64_t n = BlockX();
  const int turned = a.heads + a.kv_heads, half = a.d / 2;
  SharedCursor cursor;
  auto angles = cursor.Take<float>(a.d);  // sines, then cosines
  auto scales = cursor.Take<float>(turned);
  auto row = cursor.Take<float>(turned * a.d);
  const float* const qkv = a.qkv + n * (a.heads + 2 * a.kv_heads) * a.d;
  for (int i = Thread(); i < turned * a.d; i += Threads()) row[i] = qkv[i];
  if (a.inv_freq) {
    for (int i = Thread(); i < half; i += Threads()) {
      float sine, cosine;
      SinCosOf(a.inv_freq[i] * static_cast<float>(a.position[n]), sine, cosine);
      angles[i] = sine;
      angles[half + i] = cosine;
    }
  }
  SyncBlock();
  if (a.inv_freq) {
    for (int i = Thread(); i < turned * half; i += Threads()) {
      const float sine = angles[i % half], cosine = angles[half + i % half];
      const float x = row[2 * i], y = row[2 * i + 1];
      row[2 * i] = x * cosine - y * sine;
      row[2 * i + 1] = x * sine + y * cosine;
    }
    SyncBlock();
  }
  if (a.qk_norm) {
    const int teams = Threads() / kLanes16;
    for (int first = 0; first < turned; first += teams) {
      const int wanted = first + Thread() / kLanes16, head = wanted < turned ? wanted : turned - 1;
      const float scale = InverseRms(row, head * a.d, a.d, a.eps);
      if (Thread() % kLanes16 == 0 && wanted < turned) scales[head] = scale;
    }
    SyncBlock();
  }
  const auto turned_value = [&](int i) {
    const float x = row[i];
    if (!a.qk_norm) return x;
    const float scale = scales[i / a.d];
    return x * scale;
  };
  const int in_queries = a.heads * a.d, in_keys = a.kv_heads * a.d;
  for (int i = Thread(); i < in_queries; i += Threads()) {
    const float x = turned_value(i);
    a.q[n * in_queries + i] = a.q_scale ? x * a.q_scale[n] : x;
  }
  const int64_t slot = a.slot[n];
  if (slot < 0) return;
  uint8_t* const page = a.pages + slot / a.page_size * a.page_bytes;
  const int64_t index = slot % a.page_size;
  StoreRow(page + index * a.k_slot_bytes, a.k_format, in_keys, [&](int i) { return turned_value(in_queries + i); });
  StoreRow(page + a.page_size * a.k_slot_bytes + index * a.v_slot_bytes, a.v_format, in_keys,
           [&](int i) { return qkv[turned * a.d + i]; });
}

// Of numbers that are not negative, which takes half the instructions and registers of a signed division.
GPU_FUNCTION int Quotient(int a, int b) { return static_cast<int>(static_cast<uint32_t>(a) / static_cast<uint32_t>(b)); }
GPU_FUNCTION int Rest(int a, int b) { return static_cast<int>(static_cast<uint32_t>(a) % static_cast<uint32_t>(b)); }
GPU_FUNCTION int MinOf(int a, int b) { return a < b ? a : b; }

struct AttentionShape {
  static constexpr int kOutputs = gpu::kTileValues / kBlockThreads;  // floats of the output in a thread's registers
  static constexpr size_t SharedBytes(int d) {
    return 4 * (static_cast<size_t>(gpu::kTileQueries) * static_cast<size_t>(d) + gpu::kBlockKeys * (static_cast<size_t>(d) + 1) +
                gpu::kTileQueries * (gpu::kBlockKeys + 4)) +
           12 * gpu::kBlockKeys + 10 * 16;
  }
};

// grid: [items, Hkv]
GPU_LARGE_KERNEL Attend(gpu::AttentionArgs a) {
  StartNext();
  WaitForEarlier();
  const gpu::AttentionItem item = a.items[BlockX()];
  const gpu::KeyArgs& keys = a.keys;
  const int kv_head = BlockY(), group = Quotient(a.heads, a.kv_heads), d = a.d, stride = d + 1;
  SharedCursor cursor;
  auto q = cursor.Take<float>(gpu::kTileQueries * d);
  auto tile = cursor.Take<float>(gpu::kBlockKeys * stride);  // keys, then values
  auto w = cursor.Take<float>(gpu::kTileQueries * gpu::kBlockKeys);
  auto correction = cursor.Take<float>(gpu::kTileQueries + 1);  // the last is for the pairs that there are not
  auto counts = cursor.Take<int>(gpu::kTileQueries + 1);
  auto last_max = cursor.Take<float>(gpu::kTileQueries);
  auto last_sum = cursor.Take<float>(gpu::kTileQueries);
  auto page_at = cursor.Take<int64_t>(gpu::kBlockKeys);
  auto index_at = cursor.Take<int>(gpu::kBlockKeys);

  const auto row_of = [&](int p) { return item.row + Quotient(item.pair + p, group); };
  const auto head_of = [&](int p) { return kv_head * group + Rest(item.pair + p, group); };
  for (int e = Thread(); e < item.pairs * d; e += kBlockThreads)
    q[e] = a.q[(static_cast<int64_t>(row_of(Quotient(e, d))) * a.heads + head_of(Quotient(e, d))) * d + Rest(e, d)];
  const int64_t k_head = static_cast<int64_t>(kv_head) * HeadBytes(keys.k_format, d);
  const int64_t v_head = static_cast<int64_t>(kv_head) * HeadBytes(keys.v_format, d);

  // Positions have 31 bits: a longer chunk holds them all.
  const int chunk = static_cast<int>(keys.chunk < 0x7fffffff ? keys.chunk : 0x7fffffff);
  const int pages_per_chunk = static_cast<int>(keys.pages_per_chunk);

  // Sixteen threads keep the state of a pair; every thread holds a few floats of the output.
  const int my_pair = Thread() / kLanes16, lane = Thread() % kLanes16;
  const int my_position = my_pair < item.pairs ? a.position[row_of(my_pair)] : -1;
  float max = -Infinity(), sum = 0;
  float o[AttentionShape::kOutputs];
#pragma unroll
  for (int t = 0; t < AttentionShape::kOutputs; ++t) o[t] = 0;
  if (Thread() == 0) {
    correction[gpu::kTileQueries] = 1;
    counts[gpu::kTileQueries] = 0;
  }

  for (int begin = item.span_begin; begin < item.span_end; begin += gpu::kBlockKeys) {
    const int count = item.span_end - begin < gpu::kBlockKeys ? item.span_end - begin : gpu::kBlockKeys;
    for (int j = Thread(); j < count; j += kBlockThreads) {
      const int position = begin + j;
      int page = Quotient(position, keys.page_size), index = Rest(position, keys.page_size);
      if (chunk > 0) {
        const int in_chunk = Rest(position, chunk);
        page = (Quotient(position, chunk) - Quotient(item.list_position, chunk)) * pages_per_chunk +
               Quotient(in_chunk, keys.page_size);
        index = Rest(in_chunk, keys.page_size);
      }
      page_at[j] = keys.page[item.page_begin + page] * keys.page_bytes;
      index_at[j] = index;
    }
    SyncBlock();
    for (int e = Thread(); e < count * d; e += kBlockThreads) {
      const int j = Quotient(e, d), i = Rest(e, d);
      const int64_t page = page_at[j];
      const int index = index_at[j];
      tile[j * stride + i] = LoadValue(keys.pages + page + index * keys.k_slot_bytes + k_head, keys.k_format, i);
    }
    SyncBlock();
    for (int e = Thread(); e < item.pairs * gpu::kBlockKeys; e += kBlockThreads) {
      const int p = e / gpu::kBlockKeys, j = e % gpu::kBlockKeys;
      if (j >= count) continue;
      float lanes[kLanes16];
#pragma unroll
      for (int l = 0; l < kLanes16; ++l) lanes[l] = 0;
      auto key = tile.From(j * stride), query = q.From(p * d);
      for (int i = 0; i < d; i += kLanes16) {
#pragma unroll
        for (int l = 0; l < kLanes16; ++l)
          if (i + l < d) lanes[l] = Fma(query[i + l], key[i + l], lanes[l]);
      }
#pragma unroll
      for (int step = 8; step >= 1; step /= 2)
#pragma unroll
        for (int l = 0; l < step; ++l) lanes[l] += lanes[l + step];
      w[e] = lanes[0] * a.scale;
    }
    SyncBlock();
    {
      const int left = my_position - begin + 1, mine = left < 0       ? 0
                                                       : left < count ? left
                                                                      : count;  // keys of this block for my pair
      float scores[gpu::kBlockKeys / kLanes16];
      float block_max = -Infinity();
#pragma unroll
      for (int i = 0; i < gpu::kBlockKeys / kLanes16; ++i) {
        const int j = lane + i * kLanes16;
        scores[i] = 0;
        if (j < mine) {
          scores[i] = w[my_pair * gpu::kBlockKeys + j];
          block_max = MaxOf(block_max, scores[i]);
        }
      }
      for (int bits = 8; bits > 0; bits /= 2) block_max = MaxOf(block_max, ShflXor(kAllLanes, block_max, bits));
      const float new_max = MaxOf(max, block_max);
      float part = 0;
#pragma unroll
      for (int i = 0; i < gpu::kBlockKeys / kLanes16; ++i) {
        const int j = lane + i * kLanes16;
        if (j >= mine) continue;
        scores[i] = Exp(scores[i] - new_max);
        w[my_pair * gpu::kBlockKeys + j] = scores[i];
        part += scores[i];
      }
      part = FoldLanes16(part);
      const float c = mine == 0 ? 1.0f : begin == item.span_begin ? 0.0f : Exp(max - new_max);
      if (mine > 0) {
        sum = Fma(sum, c, part);
        max = new_max;
      }
      if (lane == 0) {
        correction[my_pair] = c;
        counts[my_pair] = mine;
      }
    }
    // The keys are no longer needed: values take their place.
    for (int e = Thread(); e < count * d; e += kBlockThreads) {
      const int j = Quotient(e, d), i = Rest(e, d);
      const int64_t page = page_at[j];
      const int index = index_at[j];
      tile[j * stride + i] =
          LoadValue(keys.pages + page + keys.page_size * keys.k_slot_bytes + index * keys.v_slot_bytes + v_head, keys.v_format, i);
    }
    SyncBlock();
#pragma unroll
    for (int t = 0; t < AttentionShape::kOutputs; ++t) {
      const int e = Thread() + t * kBlockThreads, p = MinOf(Quotient(e, d), gpu::kTileQueries), i = Rest(e, d);
      // No keys for a pair that there is not: a condition for each t would be a mask of lanes that lives through the whole loop.
      const int mine = counts[p];
      const float c = correction[p];
      float value = o[t] * c;
      for (int j = 0; j < mine; ++j) value = Fma(w[p * gpu::kBlockKeys + j], tile[j * stride + i], value);
      o[t] = value;
    }
    SyncBlock();
  }
  if (lane == 0) {
    last_max[my_pair] = max;
    last_sum[my_pair] = sum;
  }
  SyncBlock();
#pragma unroll
  for (int t = 0; t < AttentionShape::kOutputs; ++t) {
    const int e = Thread() + t * kBlockThreads, p = Quotient(e, d), i = Rest(e, d);
    if (p >= item.pairs) continue;
    const float the_max = last_max[p], the_sum = last_sum[p];
    if (item.partial >= 0) {
      float* const to = a.partial + ((static_cast<int64_t>(item.partial) * gpu::kTileQueries + p) * a.kv_heads + kv_head) * (d + 2);
      to[i] = o[t];
      if (i == 0) {
        to[d] = the_max;
        to[d + 1] = the_sum;
      }
      continue;
    }
    const int64_t at = static_cast<int64_t>(row_of(p)) * a.heads + head_of(p);
    a.out[at * d + i] = o[t] * Divide(1.0f, the_sum);
    if (i == 0 && a.lse) a.lse[at] = static_cast<float>(static_cast<double>(the_max) + Log(static_cast<double>(the_sum)));
  }
}

// grid: [tiles, Hkv]
GPU_KERNEL MergeSpans(gpu::MergeSpansArgs a) {
  StartNext();
  WaitForEarlier();
  const gpu::MergeSpansItem item = a.items[BlockX()];
  const int kv_head = BlockY(), group = a.heads / a.kv_heads, d = a.d;
  for (int e = Thread(); e < item.pairs * d; e += Threads()) {
    const int p = e / d, i = e % d, row = item.row + (item.pair + p) / group, head = kv_head * group + (item.pair + p) % group;
    const int spans = (a.position[row] - item.first_key) / item.span_keys + 1;
    float max = 0, sum = 0, o = 0;
    for (int s = 0; s < spans; ++s) {
      const int64_t tile = item.first_partial + static_cast<int64_t>(s) * item.partial_tiles;
      const float* const from = a.partial + ((tile * gpu::kTileQueries + p) * a.kv_heads + kv_head) * (d + 2);
      if (s == 0) {
        max = from[d];
        sum = from[d + 1];
        o = from[i];
        continue;
      }
      const float new_max = MaxOf(max, from[d]);
      const float c = Exp(max - new_max), c_next = Exp(from[d] - new_max);
      sum = Fma(from[d + 1], c_next, sum * c);
      o = Fma(from[i], c_next, o * c);
      max = new_max;
    }
    const int64_t at = static_cast<int64_t>(row) * a.heads + head;
    a.out[at * d + i] = o * Divide(1.0f, sum);
    if (i == 0 && a.lse) a.lse[at] = static_cast<float>(static_cast<double>(max) + Log(static_cast<double>(sum)));
  }
}

// Rows without a slot: zeros. grid: [N]
GPU_KERNEL ZeroPadding(gpu::ZeroRowsArgs a) {
  StartNext();
  WaitForEarlier();
  const int64_t n = BlockX();
  if (a.slot[n] >= 0) return;
  for (int i = Thread(); i < a.heads * a.d; i += Threads()) a.out[n * a.heads * a.d + i] = 0;
  if (!a.lse) return;
  for (int h = Thread(); h < a.heads; h += Threads()) a.lse[n * a.heads + h] = -Infinity();
}

// grid: [N, Hq]
GPU_KERNEL MergeAttention(gpu::MergeAttentionArgs a) {
  const int64_t at = static_cast<int64_t>(BlockX());
  float max = -Infinity();
  for (int p = 0; p < a.partials; ++p) max = MaxOf(max, a.lse[p][at]);
  for (int j = Thread(); j < a.d; j += Threads()) {
    float sum = 0, out = 0;
    for (int p = 0; p < a.partials; ++p) {
      const float lse = a.lse[p][at];
      const float weight = lse == -Infinity() ? 0.0f : Exp(lse - max);
      sum += weight;
      const float partial = a.partial[p][at * a.d + j];
      out = p == 0 ? partial * weight : Fma(partial, weight, out);
    }
    a.out[at * a.d + j] = out * (sum == 0 ? 0.0f : Divide(1.0f, sum));
    if (j == 0 && a.out_lse) a.out_lse[at] = static_cast<float>(static_cast<double>(max) + Log(static_cast<double>(sum)));
  }
}

}  // namespace scout::SCOUT_GPU
