// The one argument of each kernel, as plain structs that host and device see alike. All pointers are of the device.
//
// Letters as in backend/ops.h. A *slot* of the experts is one (row, choice) pair, n * k + j.
#pragma once

#include <cstddef>
#include <cstdint>

namespace scout::gpu {

// Rows of activations and outputs that a block of a product takes together.
constexpr int kFewRows = 8;
constexpr int kManyRows[] = {64, 96};
constexpr int kWideRows[] = {64, 128}, kWideOutputs = 128;  // of products of four warps
constexpr unsigned kWideThreads = 288;
constexpr int kTensorOutputs[] = {128, 256};  // of products in tensor memory, in tiles of kWideRows[]
constexpr unsigned kTensorThreads[] = {320, 576};
// Queries, (row, head) pairs, of an attention tile, and floats of its output that it holds.
constexpr int kTileQueries = 16;
constexpr int kTileValues = 2048;
constexpr int kBlockKeys = 64;
constexpr int kSpanKeys = 2048;
// The same where numerics are fast and rows are many: queries of a tile, the largest head, and how many blocks of threads a long
// context is cut into spans for.
constexpr int kFastQueries = 64;
constexpr int kFastHead = 128;
constexpr int kFastBlocks = 512;
// How pages keep keys and values.
enum PageValues : int32_t { kPageF32 = 0, kPageF16 = 1, kPageBf16 = 2, kPageQ8 = 3 };
constexpr int kPageBlock = 32, kPageBlockBytes = 34;  // of Q8_0: a binary16 scale, then signed bytes
// Ids of a vocabulary that a block samples from, and the most best ones it lists.
constexpr int kSampleIds = 4096;
constexpr int kSampleBest = 128;

// What a step's kernels could not do; the largest wins.
enum DeviceFault : int32_t { kNoFault = 0, kExpertOutOfRange = 1 };

struct EmbedArgs {
  const uint8_t* table;  // a part of it
  int64_t row_bytes;
  int32_t first_row, rows;  // of the part
  int32_t cols;
  const int32_t* token;  // [N]
  float* out;            // [N, D]
};

// Rows rounded to bytes (quant/activation.h); null where that is not wanted.
struct RowCodes {
  int8_t* codes;  // [rows, k]
  float* scales;  // [rows, k / G]
  int16_t* sums;  // [rows, k / 32] for G = 32, [rows, k / 16] for G = 256
};
// What rows become for the products that read them.
struct RowTargets {
  float* values;  // as they are, or null
  RowCodes per32, per256;
};

struct RmsNormArgs {
  const float* in;  // [N, D]
  const float* weight;
  int32_t cols;
  float eps;
  RowTargets out;
};

struct QuantizeArgs {
  const float* in;  // [rows, k]
  int64_t groups;   // rows * k / G
  int8_t* codes;    // [rows, k]
  float* scales;    // [groups]
  int16_t* sums;    // [groups] for G = 32, [groups, 16] for G = 256
};

// Rows as halves: round(in * power of two), and the power's inverse.
struct RoundRowsArgs {
  const float* in;  // [rows, k]
  int32_t k;
  uint16_t* out;  // [rows, k]
  float* scales;  // [rows]
};

// out[n, o] = or += scales[n] * in[n, o]
struct ScaleProductArgs {
  const float* in;      // [rows, cols], rows at multiples of in_cols
  const float* scales;  // [rows]
  float* out;           // the same at multiples of out_cols; may be `in`
  int32_t cols, in_cols, out_cols, add;
};

struct ProductTile;
// The same for products of four warps: rows of each tile together, [tiles][k / 64 rounded up][8][tile_rows][8].
struct PackRowsArgs {
  const float* in;  // [n, k]
  int32_t k, n;
  const ProductTile* tiles;  // as in ProductArgs
  const int32_t* order;
  int32_t tile_rows;
  uint16_t* out;
  float* scales;  // [n]
};

struct SwiGluArgs {
  const float* in;  // [rows, 2F]
  float* out;       // [rows, F]
  int64_t rows;
  int32_t width;  // F
};

// A tile of a grouped product: `count` entries of `order` from `first` on meet expert `expert`. count 0: nothing to do.
struct ProductTile {
  int32_t expert, first, count;
};

struct ProductArgs {
  const uint8_t* weight;  // [E][rows] of one part
  int64_t row_bytes, expert_bytes;
  int32_t rows;  // of the part
  int32_t k;
  const float* values;       // [N, K] for float formats
  const int8_t* codes;       // [N, K]
  const float* scales;       // [N, K / G]
  const int16_t* sums;       // [N, K / 32] or [N, K / 16]
  const uint16_t* halves;    // [N, K] and a factor of each row, under Numerics::kFast
  const float* row_scales;   // [N]
  float* out;                // row 0, the part's first column
  int32_t out_cols;          // of the whole weight
  int32_t add;               // out += y instead of out = y
  int32_t n;                 // rows of activations, where there are no tiles
  const ProductTile* tiles;  // null: tile y is the rows from y * its size on, of expert 0
  const int32_t* order;      // [slots] which row of activations and of out a tile's entry is
};

struct RopeArgs {
  const float* qkv;  // [N, (Hq + 2 Hkv) d]
  float* q;          // [N, Hq d]
  const int32_t* position;
  const int64_t* slot;
  const float* inv_freq;  // [d / 2] or null: no rotation
  const float* q_scale;   // [N] or null
  int32_t heads, kv_heads, d, qk_norm;
  float eps;
  uint8_t* pages;  // of the layer: pages + page * page_bytes
  int64_t page_bytes, k_slot_bytes, v_slot_bytes;
  int32_t page_size, k_format, v_format;  // PageValues
};

// Where a sequence's keys lie.
struct KeyArgs {
  const uint8_t* pages;  // of the layer
  const int32_t* page;   // the plan's flat list
  int64_t page_bytes, k_slot_bytes, v_slot_bytes;
  int64_t chunk, pages_per_chunk;
  int32_t page_size, k_format, v_format;  // PageValues
};

// A tile of queries of one sequence over one span of its keys, for each key head: the pairs (row, head of the key head's group),
// row by row, from `pair` on, counted from the first head of `row`. All rows of a tile share their first key, and none is padding.
struct AttentionItem {
  int32_t row, pair, pairs;
  int32_t page_begin;            // of the sequence in KeyArgs::page
  int32_t list_position;         // of the first slot of the sequence's first page
  int32_t first_key;             // R, the first key that the mask allows
  int32_t span_begin, span_end;  // the span's keys, up to the last row's position
  int32_t partial;               // where the span's state goes, in tiles of kTileQueries; -1: there is one, the result is written
};

struct AttentionArgs {
  KeyArgs keys;
  const AttentionItem* items;
  const int32_t* position;  // [N]
  const float* q;           // [N, Hq d]
  float scale;
  int32_t heads, kv_heads, d;
  float* out;      // [N, Hq d]
  float* lse;      // [N, Hq] or null
  float* partial;  // [tiles and spans, kTileQueries, Hkv][d + 2]: o, max, sum
  int32_t wide;    // AttendFast: values of 16 bits lie at multiples of 16 bytes
};

// A tile whose keys fill several spans of span_keys; their states follow each other from first_partial on, each partial_tiles long.
struct MergeSpansItem {
  int32_t row, pair, pairs, first_key, first_partial, span_keys, partial_tiles;
};
struct MergeSpansArgs {
  const MergeSpansItem* items;
  const int32_t* position;
  const float* partial;
  int32_t heads, kv_heads, d;
  float* out;
  float* lse;
};

struct ZeroRowsArgs {  // padding: out = 0, lse = -infinity
  const int64_t* slot;
  int32_t heads, d;
  float* out;
  float* lse;
};

struct MergeAttentionArgs {
  const float* const* partial;  // [partials], each [N, Hq d]
  const float* const* lse;      // [partials], each [N, Hq]
  int32_t partials, d;
  float* out;
  float* out_lse;  // or null
};

struct RouteArgs {
  const float* in;      // [N, D]
  const float* router;  // [E, D]
  int32_t d, experts, top_k;
  int32_t* ids;
  float* gates;
};

// A step of few rows: what depends on the same results is one launch, a list of tasks for blocks of threads (few.h).
constexpr int kMostFewRows = 16;
constexpr int kMostFewJobs = 4;
constexpr int kFewChoices = 4;       // of a row, at most
constexpr int kSwiGluValues = 2048;  // that a block takes of a row

// One weight that rows meet: a part of it, and the rows as its format wants them.
struct FewWeight {
  const uint8_t* weight;  // [E][rows]
  int64_t row_bytes, expert_bytes;
  int32_t format;  // as in KernelTable: blocks, then floats
  int32_t k;
  const int8_t* codes;
  const float* scales;
  const int16_t* sums;
  const float* values;
};
// out[n] = or += dense . in[n], and then the choices of row n in their order: routed[expert] . in[n k + j]. With `apart` there is
// no dense weight, and each choice is a row of `out` by itself.
struct FewJob {
  FewWeight dense, routed;  // either may be without a weight
  int32_t blocks;           // of the grid
  int32_t tiles;            // of rows: of eight, or one for each row where they are grouped by their choices
  int32_t rows;             // of the weights' parts: outputs
  int32_t apart, add;
  float* out;  // row 0, the part's first column
  int32_t out_cols;
};
struct FewArgs {
  int32_t n;  // rows
  // Blocks come in this order: routing, swiglu, fetching ahead, jobs.
  int32_t route_blocks, swiglu_blocks, fetch_blocks, jobs;
  int32_t terms, staged;  // of shared memory: floats, and pieces of sixteen bytes
  FewJob job[kMostFewJobs];

  // Choices. Without a router they are given.
  const float* in;      // [N, D]
  const float* router;  // [E, D] or null
  int32_t d, experts, top_k, first_expert, last_expert;
  int32_t* ids;       // [N, k]
  float* gates;       // [N, k]
  RowTargets scaled;  // [N k, D] gate * in
  int32_t* fault;

  // silu(gate) * up of rows.
  const float* both;  // [rows, 2F]
  int32_t width;      // F
  RowTargets hidden;  // [rows, F]

  // What the next launch reads of the chosen experts' weights: so many bytes from the beginning.
  const uint8_t* ahead[2];
  int64_t ahead_expert_bytes[2], ahead_bytes[2];
};

struct GroupArgs {
  const int32_t* ids;  // [slots]
  int32_t slots, experts, first_expert, last_expert, tile_rows;
  int32_t* count;      // [E]
  int32_t* order;      // [slots]: the slots of each expert, ascending
  ProductTile* tiles;  // [max_tiles]
  int32_t max_tiles;
  int32_t* fault;
};

struct ScaleRowsArgs {  // out[s] = gates[s] * in[s / k]
  const float* in;
  const float* gates;
  float* out;
  int32_t cols, top_k;
};

struct CombineArgs {
  const int32_t* ids;   // [N, k]
  const float* shared;  // [N, D] or null
  const float* routed;  // [N, k, D]
  float* residual;      // [N, D]
  int32_t cols, top_k, first_expert, last_expert;
};

// y = gelu(y + bias), each where wanted.
struct FinishArgs {
  float* y;           // [rows, cols]
  const float* bias;  // [cols] or null
  float* add_to;      // y is added here instead of kept, or null
  int64_t rows;
  int32_t cols, gelu;
};

// The vision tower: as in backend/ops.h.
struct ScatterArgs {
  const float* in;
  const int32_t* rows;  // [N]
  int64_t in_rows;
  int32_t first, cols;
  float* out;
};
struct UnfoldArgs {
  const uint8_t* tiles;  // [T, C, S, S]
  const float* table;    // [256]
  int32_t colours, tile_size, patch_size;
  float* out;
};
struct AddPositionsArgs {
  const float* in;
  const float* last;
  const float* position;
  int32_t patches, cols;
  float* out;
};
struct LayerNormArgs {
  const float* in;
  const float* weight;
  const float* bias;
  int32_t cols;
  float eps;
  float* out;
};
struct RotateArgs {
  float* qkv;
  const float* turns;
  int32_t turn_rows, cols, heads, d;
};
struct GroupAttentionArgs {
  const float* qkv;
  int32_t heads, d, group_rows;
  float scale;
  float* out;
};
struct PixelShuffleArgs {
  const float* in;
  int64_t group_rows;
  int32_t side, factor, cols;
  float* out;
};

// The self-test of a device's instructions (check.h).
constexpr int kCheckRows = 16, kCheckBytes = 32;
struct CheckArgs {
  const uint8_t* a;      // [kCheckRows, kCheckBytes] signed
  const uint8_t* b;      // the same
  const float* floats;   // [lanes + 1]
  int32_t* product16;    // [kCheckRows, kCheckRows]: a b^T over the first 16 bytes
  int32_t* product32;    // over all
  int32_t* product_f16;  // the same with the bytes as halves
  int32_t* product_bf16;
  int32_t* lanes;  // [answers, lanes]
};

// What only Numerics::kFast uses (check.h): products [rows, kCheckDepth] of small whole numbers by columns of kWideRows[], as F16
// and as BF16; rows of four warps' products, then of those in tensor memory.
constexpr int kCheckDepth = 64, kCheckWideRows[] = {64, 128};
struct CheckFastArgs {
  const uint16_t* a[2];     // of F16 and of BF16: [rows, kCheckDepth]
  const uint16_t* b[2][2];  // of either, for each number of columns: [kCheckDepth / 8][columns][8]
  int32_t* product[2][2];   // [rows, columns]
  int32_t* has;             // [2]: 1 where there are matrix instructions over halves; and such products
};

// What a device can do at all (probe.h).
constexpr int kProbeTiles = 8;
struct ProbeCopyArgs {
  const void* from;
  void* to;
  int64_t pieces;  // of 16 bytes
};
struct ProbeMatrixArgs {
  int32_t* out;              // [threads of the grid]
  int32_t* tile_operations;  // of one product of tiles
  int32_t rounds;
};

struct GatherArgs {
  const float* in;
  const int32_t* rows;  // [M]
  float* out;           // [M, cols]
  int32_t cols;
};

// Sampling. A job is a row of logits, as the model gave it or edited.
struct SampleEdit {
  int32_t id;
  float repetition, add;
};
struct SampleJob {
  int32_t row;   // of the logits
  int32_t best;  // how many best ids are wanted, at most kSampleBest
  int32_t edit_begin, edit_end;
  int64_t mask;       // first word of the mask, -1 = none
  float temperature;  // for the log-sum-exp
  int32_t edited;
};
struct SampleBlock {  // of kSampleIds ids
  float max, sum;     // largest value over the temperature, and its block's sum of exp(value - max)
  int32_t finite;
  int32_t count;  // of best ids
};
struct SampleArgs {
  const float* logits;  // [M, V]
  int32_t vocabulary, blocks;
  const SampleJob* jobs;
  const SampleEdit* edits;
  const uint64_t* masks;
  SampleBlock* result;  // [jobs, blocks]
  int32_t* best_id;     // [jobs, blocks, kSampleBest]
  float* best;          // the same
  int32_t best_stride;  // at most kSampleBest
};

}  // namespace scout::gpu
