// The operations of the backend contract, as plain structs. `ref` defines what each means; the formulas are told beside its
// code (backends/ref). Every operation reads the step's plan where it needs tokens, positions or pages.
//
// Letters, used everywhere: N rows of the step, S sequences, M rows with logits, D model width, Hq query heads, Hkv key/value
// heads, d head size, F hidden width, E experts, k experts per row, V vocabulary, O rows and K columns of a weight. Of pictures: T
// tiles of C colours and S x S pixels, cut into P square patches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/weight_source.h"
#include "tensor/dtype.h"

namespace scout {

// Memory of a backend's own; opaque outside it.
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual size_t size_bytes() const = 0;
};

// A dense row-major view of float32 (or int32 where said) in a buffer.
struct Act {
  Buffer* buffer = nullptr;
  size_t offset = 0;  // bytes
  int64_t rows = 0;
  int64_t cols = 0;
};

// A matrix (or E of them) in the backend's own packing. y[O] = W[O, K] x[K].
class Weight {
 public:
  virtual ~Weight() = default;
  virtual int64_t rows() const = 0;       // O, of one expert
  virtual int64_t cols() const = 0;       // K
  virtual int64_t experts() const = 0;    // 1 where there is one matrix
  virtual size_t size_bytes() const = 0;  // memory held, side tables included
};

enum class WeightRole {
  kVector,     // norm weight or bias [1, D], table of positions: always served as float32, parts one behind the other
  kEmbedding,  // [V, D], rows are gathered
  kLinear,     // [O, K]
  kRouter,     // [E, D]: activations are never quantised for it
  kExperts,    // E x [O, K]
  kManyRows,   // [O, K], met by hundreds of rows at a time (vision): activations stay float32 whatever its format is
};

// One tensor of a file that becomes rows of a weight. A weight may be stacked from parts of different formats: in Q4_K_M files
// q and k are Q4_K and v is Q6_K.
struct WeightPart {
  DType format = DType::kF32;
  int64_t rows = 0;  // O_part
  int64_t cols = 0;  // K
  // Per expert the file holds [rows, cols], or [cols, rows] when transposed (Hugging Face's fused experts), where a row of the
  // file may be wider than this part (gate and up side by side): `row_values` values a row, of which the part takes those from
  // `first_value` on. For a part that is not transposed row_values == cols and first_value == 0.
  bool transposed = false;
  int64_t row_values = 0;
  int64_t first_value = 0;
  // Where expert e begins: sources[e] when there is one source per expert, else sources[0] at e * expert_bytes.
  std::vector<std::shared_ptr<const WeightSource>> sources;
  uint64_t expert_bytes = 0;
};

// What of a model a weight belongs to: the units that may lie on devices of their own (placed_backend.h).
enum class UnitKind {
  kNone,
  kEmbedding,
  kAttention,  // of a layer: norm, q, k, v, o; its keys and values lie there too
  kFeed,       // of a layer: norm, router, the dense block or the shared expert
  kExperts,    // of a layer: the routed experts
  kHead,       // the last norm, and the head
  kVision,     // the whole tower
};
struct ModelUnit {
  UnitKind kind = UnitKind::kNone;
  int32_t layer = -1;  // -1: not of a layer
};

struct WeightDesc {
  WeightRole role = WeightRole::kLinear;
  const char* name = "";  // for messages
  int64_t experts = 1;
  std::vector<WeightPart> parts;  // stacked along O
  ModelUnit unit;                 // for a placement; devices do not read it
};

// Keys and values of one page group, for all its layers.
struct PageGroupSpec {
  int32_t layers = 0;
  int32_t page_size = 0;  // positions
  int64_t chunk = 0;      // attention chunk C in positions, 0 = none
  int32_t kv_heads = 0;
  int32_t head_dim = 0;
  DType k_format = DType::kF32;  // kF32, kF16, kBF16 or kQ8_0; a backend may serve less
  DType v_format = DType::kF32;
  int64_t page_count = 0;
  std::vector<int32_t> model_layers;  // [layers] their numbers in the model, for a placement; devices do not read it
};

class KvPages {
 public:
  virtual ~KvPages() = default;
  virtual const PageGroupSpec& spec() const = 0;
  virtual size_t size_bytes() const = 0;
};

// ---- operations ------------------------------------------------------------------------------------------------------------

// out[n] = table[plan.token[n]]
struct EmbedOp {
  const Weight* table;  // [V, D]
  Act out;              // [N, D]
};

// out[n] = in[n] * rsqrt(mean(in[n]^2) + eps) * weight
struct RmsNormOp {
  Act in;                // [N, D]
  const Weight* weight;  // [1, D]
  float eps;
  Act out;  // [N, D]
};

enum class Epilogue {
  kStore,   // out = y
  kAdd,     // out += y: the residual stream
  kSwiGlu,  // rows 0..O/2 of the weight are gate, the others up: out[j] = silu(y[j]) * y[O/2 + j]
  kGelu,    // out = gelu(y), the exact one: y/2 * (1 + erf(y / sqrt 2))
};

// y = W in[n], then y += bias where there is one, then the epilogue.
struct LinearOp {
  Act in;  // [N, K]
  const Weight* weight;
  Epilogue epilogue;
  Act out;                       // [N, O], or [N, O/2] for kSwiGlu
  const Weight* bias = nullptr;  // O values in the order of W's rows, of the role kVector; not with kSwiGlu
};

// Splits qkv into heads; where `rope`: rotates pairs (2i, 2i+1) of q and k by position * inv_freq[i]; where `qk_norm`: weightless
// RMS norm of each head of q and k, after the rotation; where `temperature_length` > 0: q *= 1 + temperature_scale *
// ln(1 + floor((p + 1) / temperature_length)). Stores k and v in the row's slot, in the page's format, and writes q.
struct RopeNormStoreOp {
  Act qkv;  // [N, (Hq + 2 Hkv) d]
  Act q;    // [N, Hq d]
  KvPages* pages;
  int group;      // kLocalPages or kGlobalPages
  int32_t layer;  // index inside the group
  int32_t heads;  // Hq
  bool rope;
  std::span<const float> inv_freq;  // [d / 2], scaling applied
  bool qk_norm;
  float norm_eps;
  double temperature_length;  // 0 = off
  double temperature_scale;
};

enum class AttentionMask {
  kCausal,  // keys 0..p
  kChunk,   // keys floor(p / C) * C .. p
};

// out[n, h] = softmax(scale * q[n, h] . K) V over the keys that the mask allows, read back from their pages. Query head h reads
// key/value head h / (Hq / Hkv). A row whose slot is -1 (padding) gets zeros.
struct AttentionOp {
  Act q;  // [N, Hq d]
  const KvPages* pages;
  int group;
  int32_t layer;
  int32_t heads;
  float scale;  // d^-0.5
  AttentionMask mask;
  Act out;  // [N, Hq d]
  Act lse;  // [N, Hq] log-sum-exp of the scaled scores; buffer null when not wanted
};

// Folds partial results over disjoint key sets into one, left to right: weights exp(lse_i - lse).
struct MergeAttentionOp {
  std::span<const Act> partial;  // each [N, Hq d]
  std::span<const Act> lse;      // each [N, Hq]
  int32_t heads;
  Act out;      // [N, Hq d]
  Act out_lse;  // [N, Hq]; buffer null when not wanted
};

// The top_k largest router logits of each row, ties to the lower index; gate = sigmoid(logit), not renormalised.
struct RouteOp {
  Act in;                // [N, D]
  const Weight* router;  // [E, D]
  int32_t top_k;
  Act ids;    // [N, k] int32, largest logit first
  Act gates;  // [N, k]
};

// residual[n] += shared(in[n]) + sum over chosen experts e in [first, last) of expert_e(gate * in[n]), in this order: shared first,
// routed in the order of `ids` added to it, the sum added to the residual. expert(x) = down(silu(gate x) * (up x)). An id outside
// the range is left out, a negative one too. With `addends` nothing is added: addends[n k + j] = expert_e(gate * in[n]) for the
// choice j of row n whose expert is in the range; its other rows stay, the residual is not touched, and there is no shared expert.
struct ExpertsOp {
  Act in;                        // [N, D]
  Act ids;                       // [N, k] int32
  Act gates;                     // [N, k]
  const Weight* gate_up;         // E x [2F, D]
  const Weight* down;            // E x [D, F]
  const Weight* shared_gate_up;  // [2F, D] or null
  const Weight* shared_down;     // [D, F] or null
  int32_t first_expert;
  int32_t last_expert;
  Act residual;      // [N, D]
  Act addends = {};  // [N k, D], or without a buffer
};

// The sum of Experts over what others have computed: residual[n] += shared[n] + sum over choices j whose id is in [first, last) of
// addends[n k + j], in the same order.
struct CombineExpertsOp {
  Act ids;  // [N, k] int32
  int32_t first_expert;
  int32_t last_expert;
  Act shared;    // [N, D], or without a buffer
  Act addends;   // [N k, D]
  Act residual;  // [N, D]
};

// out[i] = in[row[i]]
struct GatherRowsOp {
  Act in;                         // [N, D]
  std::span<const int32_t> rows;  // [M]
  Act out;                        // [M, D]
};

// out[n] = in[row[n] - first] for the rows n of which first <= row[n] < first + F; the others stay. Features of pictures take the
// place of placeholders this way.
struct ScatterRowsOp {
  Act in;                         // [F, D]
  std::span<const int32_t> rows;  // [N]
  int32_t first;
  Act out;  // [N, D]
};

// ---- operations of the vision tower: they read no plan -----------------------------------------------------------------------

// Cuts tiles into patches, row by row: patch p lies at rows p / (S / s) * s and columns p % (S / s) * s, for patches of s x s
// pixels. out[t P + p, (c s + i) s + j] = table[tiles[t, c, row + i, column + j]].
struct UnfoldOp {
  std::span<const uint8_t> tiles;  // [T, C, S, S]
  std::span<const float> table;    // [256] what a byte stands for
  int32_t colours;                 // C
  int32_t tile_size;               // S
  int32_t patch_size;              // s, divides S
  Act out;                         // [T P, C s s]
};

// out[t (P + 1) + p] = in[t P + p] + position[p], and behind a tile's patches out[t (P + 1) + P] = last + position[P].
struct AddPositionsOp {
  Act in;                  // [T P, D]
  const Weight* last;      // [1, D]
  const Weight* position;  // [P + 1, D]
  Act out;                 // [T (P + 1), D]
};

// out[n] = (in[n] - mean) * rsqrt(variance + eps) * weight + bias, the variance being the mean square of what is left.
struct LayerNormOp {
  Act in;                // [N, D]
  const Weight* weight;  // [1, D]
  const Weight* bias;    // [1, D]
  float eps;
  Act out;  // [N, D]
};

// Rotates pairs (2i, 2i + 1) of every head of q and k in place: (a, b) -> (a cos - b sin, a sin + b cos), with the angle of row
// n % R of the table.
struct RotateOp {
  Act qkv;        // [N, 3 H d]
  Act turns;      // [R, d] cos and sin of each pair, side by side
  int32_t heads;  // H
};

// Attention without a mask, inside groups of R rows that follow each other: out[n, h] = softmax(scale * q[n, h] . K) V over the
// rows of n's group.
struct GroupAttentionOp {
  Act qkv;             // [G R, 3 H d]: q of all heads, k, v
  int32_t heads;       // H
  int64_t group_rows;  // R
  float scale;         // d^-0.5
  Act out;             // [G R, H d]
};

// Squares of f x f neighbours become one row: with X[y, x] = in[t R + y side + x], Y[y, x] = out[t (side / f)^2 + y (side / f) +
// x]: Y[y, x, (dy f + dx) D + c] = X[f y + dy, f x + dx, c]. Rows of a group past the side^2 first are left out.
struct PixelShuffleOp {
  Act in;              // [T R, D]
  int64_t group_rows;  // R >= side^2
  int32_t side;
  int32_t factor;  // f, divides side
  Act out;         // [T (side / f)^2, f f D]
};

// A change of single logits before sampling: l = l > 0 ? l / repetition : l * repetition; l += add.
struct LogitEdit {
  int32_t id;
  float repetition;  // 1 = none
  float add;         // may be -infinity
};

struct SampleRow {
  int32_t row = 0;                    // of `logits`
  int32_t top = 0;                    // how many of the model's own best ids are wanted
  int32_t candidates = 0;             // how many best ids after edits are wanted
  int32_t target = -1;                // an id whose own logit is wanted (scoring), -1 = none
  float temperature = 1;              // > 0, for `edited_lse`
  std::span<const LogitEdit> edits;   // ids ascending, no duplicates
  std::span<const uint64_t> allowed;  // bit per id, empty = all allowed
};

struct SampleOp {
  Act logits;  // [M, V]
  std::span<const SampleRow> rows;
};

struct SampleResult {
  bool finite = true;      // false: a NaN or +infinity among the logits; nothing else is then meaningful
  float lse = 0;           // log-sum-exp of the model's own logits
  float edited_lse = 0;    // log-sum-exp of edited logits / temperature over the allowed ids
  float target_logit = 0;  // the model's own logit of SampleRow::target
  // Best first, ties to the lower id. Ids at -infinity (masked ones too) are never listed, so there may be fewer than asked for.
  std::vector<int32_t> top_id;
  std::vector<float> top_logit;  // the model's own
  std::vector<int32_t> candidate_id;
  std::vector<float> candidate_logit;  // after edits, before the temperature
};

}  // namespace scout
