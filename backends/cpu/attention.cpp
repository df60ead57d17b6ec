// Attention over pages. The arithmetic, blocks of 64 keys inside spans of 2,048, is told in ref/attention.cpp.
//
// A tile is a few rows of one sequence that start at the same key: a block of keys is copied together once for all of them, and
// rows that see all of it meet it in one product. Where there are fewer tiles than threads could use (decoding at depth), spans are
// worked on apart and merged in order afterwards; the bits are the same.
#include <algorithm>
#include <cstring>
#include <limits>

#include "backend/host_pages.h"
#include "base/math.h"
#include "cpu/context.h"

namespace scout::cpu {
namespace {

constexpr int64_t kBlock = 64;
constexpr int64_t kSpan = 2048;
constexpr int64_t kTileRows = 8;
constexpr float kNone = -std::numeric_limits<float>::infinity();

struct Tile {
  int64_t row, rows;    // of the step
  int64_t first, last;  // keys of the last row; earlier rows end earlier
  int64_t sequence;
  int64_t spans() const { return (last - first) / kSpan + 1; }
};

// What folding keys leaves: for each of a tile's rows and each query head of the group.
struct Partial {
  float* max;  // [rows, G]
  float* sum;  // [rows, G]
  float* o;    // [rows, G, d]
};

// A thread's own, for one tile and head.
struct Scratch {
  float* scores;  // [rows, G, 64], then weights
  float* q;       // [rows, G, d]
  std::byte* k;   // [64, d] in the page's format
  std::byte* v;
};

// Keys and values of consecutive positions that lie in one page.
struct Run {
  const std::byte* k;
  const std::byte* v;
  int64_t count;
};

class Attender {
 public:
  Attender(Context& context, const AttentionOp& op)
      : context_(context),
        kernels_(*context.kernels),
        op_(op),
        pages_(*static_cast<const HostPages*>(op.pages)),
        lists_(context.plan->pages[static_cast<size_t>(op.group)]),
        d_(pages_.spec().head_dim),
        kv_heads_(pages_.spec().kv_heads),
        group_(op.heads / pages_.spec().kv_heads),
        q_(HostF32(op.q)),
        out_(HostF32(op.out)),
        lse_(op.lse.buffer ? HostF32(op.lse) : nullptr) {
    const DType k = pages_.spec().k_format, v = pages_.spec().v_format;
    scores_ = k == DType::kF32    ? kernels_.scores_f32
              : k == DType::kF16  ? kernels_.scores_f16
              : k == DType::kQ8_0 ? kernels_.scores_q8_0
                                  : kernels_.scores_bf16;
    fold_ = v == DType::kF32    ? kernels_.fold_f32
            : v == DType::kF16  ? kernels_.fold_f16
            : v == DType::kQ8_0 ? kernels_.fold_q8_0
                                : kernels_.fold_bf16;
    k_head_bytes_ = pages_.k_slot_bytes() / static_cast<size_t>(kv_heads_);
    v_head_bytes_ = pages_.v_slot_bytes() / static_cast<size_t>(kv_heads_);
  }

  void Run() {
    MakeTiles();
    int64_t spans = 0;
    for (int64_t t = 0; t < tile_count_; ++t) spans += tiles_[t].spans();
    const bool split = context_.threads > 1 && tile_count_ * kv_heads_ < context_.threads * 2 && spans > tile_count_;
    scratch_ = context_.arena.Take<Scratch>(context_.threads);
    for (int t = 0; t < context_.threads; ++t) scratch_[t] = TakeScratch();
    if (!split) {
      Partial* const folded = context_.arena.Take<Partial>(context_.threads);
      Partial* const next = context_.arena.Take<Partial>(context_.threads);
      for (int t = 0; t < context_.threads; ++t) {
        folded[t] = TakePartial();
        next[t] = TakePartial();
      }
      context_.Parallel(tile_count_ * kv_heads_, [&](int64_t task, int thread) {
        const Tile& tile = tiles_[task / kv_heads_];
        const int64_t head = task % kv_heads_;
        FoldSpan(tile, head, 0, folded[thread], thread);
        for (int64_t s = 1; s < tile.spans(); ++s) {
          FoldSpan(tile, head, s, next[thread], thread);
          MergeInto(tile, s, next[thread], folded[thread]);
        }
        Finish(tile, head, folded[thread]);
      });
      return;
    }
    // One task per (tile, head, span).
    int64_t* const begin = context_.arena.Take<int64_t>(tile_count_ + 1);  // first partial of a tile
    begin[0] = 0;
    for (int64_t t = 0; t < tile_count_; ++t) begin[t + 1] = begin[t] + tiles_[t].spans() * kv_heads_;
    Partial* const partials = context_.arena.Take<Partial>(begin[tile_count_]);
    for (int64_t i = 0; i < begin[tile_count_]; ++i) partials[i] = TakePartial();
    context_.Parallel(begin[tile_count_], [&](int64_t task, int thread) {
      const int64_t t = std::upper_bound(begin, begin + tile_count_ + 1, task) - begin - 1;
      const int64_t at = task - begin[t];
      FoldSpan(tiles_[t], at / tiles_[t].spans(), at % tiles_[t].spans(), partials[task], thread);
    });
    context_.Parallel(tile_count_ * kv_heads_, [&](int64_t task, int) {
      const int64_t t = task / kv_heads_, head = task % kv_heads_;
      const Tile& tile = tiles_[t];
      Partial* const mine = partials + begin[t] + head * tile.spans();
      for (int64_t s = 1; s < tile.spans(); ++s) MergeInto(tile, s, mine[s], mine[0]);
      Finish(tile, head, mine[0]);
    });
  }

 private:
  int64_t FirstKey(int64_t position) const {
    return op_.mask == AttentionMask::kChunk ? PageGeometry{pages_.spec().page_size, pages_.spec().chunk}.ChunkStart(position) : 0;
  }

  void MakeTiles() {
    const StepPlan& plan = *context_.plan;
    tiles_ = context_.arena.Take<Tile>(plan.rows());
    tile_count_ = 0;
    for (int s = 0; s < plan.sequences(); ++s) {
      const int64_t begin = plan.sequence_begin[static_cast<size_t>(s)], end = plan.sequence_begin[static_cast<size_t>(s) + 1];
      for (int64_t n = begin; n < end; ++n) {
        const int64_t position = plan.position[static_cast<size_t>(n)];
        if (lists_.slot[static_cast<size_t>(n)] < 0) {  // padding
          std::fill(out_ + n * op_.heads * d_, out_ + (n + 1) * op_.heads * d_, 0.0f);
          if (lse_) std::fill(lse_ + n * op_.heads, lse_ + (n + 1) * op_.heads, kNone);
          continue;
        }
        const int64_t first = FirstKey(position);
        Tile* const last = tile_count_ > 0 ? &tiles_[tile_count_ - 1] : nullptr;
        if (last && last->sequence == s && last->first == first && last->row + last->rows == n && last->rows < kTileRows &&
            last->last + 1 == position) {
          ++last->rows;
          last->last = position;
        } else {
          tiles_[tile_count_++] = {n, 1, first, position, s};
        }
      }
    }
  }

  Partial TakePartial() {
    return {context_.arena.Take<float>(kTileRows * group_), context_.arena.Take<float>(kTileRows * group_),
            context_.arena.Take<float>(kTileRows * group_ * d_)};
  }

  Scratch TakeScratch() {
    Arena& arena = context_.arena;
    return {arena.Take<float>(kTileRows * group_ * kBlock), arena.Take<float>(kTileRows * group_ * d_),
            arena.Take<std::byte>(kBlock * static_cast<int64_t>(k_head_bytes_)),
            arena.Take<std::byte>(kBlock * static_cast<int64_t>(v_head_bytes_))};
  }

  // Where positions [begin, begin + count) of a sequence lie, for one key/value head. Returns the number of runs, at most count.
  int64_t FindRuns(const Tile& tile, int64_t head, int64_t begin, int64_t count, struct Run* runs) const {
    const PageGroupSpec& spec = pages_.spec();
    const PageGeometry geometry{spec.page_size, spec.chunk};
    const auto s = static_cast<size_t>(tile.sequence);
    int64_t found = 0;
    for (int64_t done = 0; done < count; ++found) {
      const PageGeometry::Place place = geometry.Find(begin + done, lists_.first_position[s]);
      const int64_t entry = lists_.begin[s] + place.page;
      SCOUT_CHECK(place.page >= 0 && entry < lists_.begin[s + 1], "position ", begin + done, " is on no page of sequence ", s);
      const int64_t page = lists_.page[static_cast<size_t>(entry)];
      SCOUT_CHECK(page >= 0 && page < spec.page_count, "page ", page, " of ", spec.page_count);
      // Blocks never reach past the tile's chunk, so a run ends with its page.
      const int64_t length = std::min(count - done, spec.page_size - place.index);
      runs[found] = {pages_.K(page, op_.layer) + static_cast<size_t>(place.index) * pages_.k_slot_bytes() +
                         static_cast<size_t>(head) * k_head_bytes_,
                     pages_.V(page, op_.layer) + static_cast<size_t>(place.index) * pages_.v_slot_bytes() +
                         static_cast<size_t>(head) * v_head_bytes_,
                     length};
      done += length;
    }
    return found;
  }

  // One copy of a block's keys and values for a tile of several rows: in a page, rows of a head lie so far apart that few of them
  // fit the first cache together.
  void Gather(const Scratch& scratch, int64_t count, struct Run* runs) const {
    for (int64_t done = 0, i = 0; done < count; ++i) {
      for (int64_t j = 0; j < runs[i].count; ++j, ++done) {
        std::memcpy(scratch.k + static_cast<size_t>(done) * k_head_bytes_,
                    runs[i].k + static_cast<size_t>(j) * pages_.k_slot_bytes(), k_head_bytes_);
        std::memcpy(scratch.v + static_cast<size_t>(done) * v_head_bytes_,
                    runs[i].v + static_cast<size_t>(j) * pages_.v_slot_bytes(), v_head_bytes_);
      }
    }
    runs[0] = {scratch.k, scratch.v, count};
  }

  void FoldSpan(const Tile& tile, int64_t head, int64_t span, const Partial& to, int thread) const {
    const int64_t first = tile.first + span * kSpan, last = std::min(tile.last, first + kSpan - 1);
    const int64_t first_position = tile.last - (tile.rows - 1);
    const bool gathers = tile.rows > 1;
    const Scratch& scratch = scratch_[thread];
    std::fill(to.max, to.max + tile.rows * group_, kNone);
    std::fill(to.sum, to.sum + tile.rows * group_, 0.0f);
    std::fill(to.o, to.o + tile.rows * group_ * d_, 0.0f);
    const float* q = q_ + (tile.row * op_.heads + head * group_) * d_;  // [rows, G, d]
    if (gathers) {
      for (int64_t r = 0; r < tile.rows; ++r) std::copy_n(q + r * op_.heads * d_, group_ * d_, scratch.q + r * group_ * d_);
      q = scratch.q;
    }
    struct Run runs[kBlock];
    for (int64_t begin = first; begin <= last; begin += kBlock) {
      const int64_t most = std::min(kBlock, last - begin + 1);
      FindRuns(tile, head, begin, most, runs);
      if (gathers) Gather(scratch, most, runs);
      const size_t k_stride = gathers ? k_head_bytes_ : pages_.k_slot_bytes(),
                   v_stride = gathers ? v_head_bytes_ : pages_.v_slot_bytes();
      // Rows that see the whole block are folded together, after those on the diagonal.
      for (int64_t r = 0, rows; r < tile.rows; r += rows) {
        const int64_t count = std::min(most, first_position + r - begin + 1);
        rows = count == most ? tile.rows - r : 1;
        if (count <= 0) continue;
        const int64_t at = r * group_, heads = rows * group_;
        for (int64_t done = 0, i = 0; done < count; ++i) {
          const int64_t length = std::min(runs[i].count, count - done);
          scores_(q + at * d_, heads, d_, {reinterpret_cast<const unsigned char*>(runs[i].k), k_stride, length}, op_.scale,
                  scratch.scores + done, kBlock);
          done += length;
        }
        for (int64_t g = 0; g < heads; ++g) Weigh(to, at + g, begin == first, scratch.scores + g * kBlock, count);
        for (int64_t done = 0, i = 0; done < count; ++i) {
          const int64_t length = std::min(runs[i].count, count - done);
          fold_(scratch.scores + done, kBlock, heads, d_, {reinterpret_cast<const unsigned char*>(runs[i].v), v_stride, length},
                to.o + at * d_);
          done += length;
        }
      }
    }
  }

  // Scores of one block become weights; what came before is scaled to the new largest score.
  void Weigh(const Partial& to, int64_t i, bool first, float* scores, int64_t count) const {
    const float block_max = kernels_.largest(scores, count), max = to.max[i];
    const float new_max = block_max > max ? block_max : max;
    const float c = first ? 0.0f : Exp(max - new_max);
    to.sum[i] = Fma(to.sum[i], c, kernels_.exp_sum(scores, new_max, count, scores));
    to.max[i] = new_max;
    if (!first && c != 1.0f) kernels_.multiply(to.o + i * d_, c, d_, to.o + i * d_);
  }

  // Rows whose keys ended before this span keep what they have.
  void MergeInto(const Tile& tile, int64_t span, const Partial& next, const Partial& to) const {
    for (int64_t r = 0; r < tile.rows; ++r) {
      if (tile.last - (tile.rows - 1) + r < tile.first + span * kSpan) continue;
      for (int64_t i = r * group_; i < (r + 1) * group_; ++i) {
        const float max = next.max[i] > to.max[i] ? next.max[i] : to.max[i];
        const float c = Exp(to.max[i] - max), c_next = Exp(next.max[i] - max);
        to.sum[i] = Fma(next.sum[i], c_next, to.sum[i] * c);
        to.max[i] = max;
        kernels_.merge(next.o + i * d_, c_next, c, d_, to.o + i * d_);
      }
    }
  }

  void Finish(const Tile& tile, int64_t head, const Partial& from) const {
    for (int64_t r = 0; r < tile.rows; ++r) {
      for (int64_t g = 0; g < group_; ++g) {
        const int64_t i = r * group_ + g, h = (tile.row + r) * op_.heads + head * group_ + g;
        kernels_.multiply(from.o + i * d_, 1.0f / from.sum[i], d_, out_ + h * d_);
        if (lse_) lse_[h] = static_cast<float>(static_cast<double>(from.max[i]) + Log(static_cast<double>(from.sum[i])));
      }
    }
  }

  Context& context_;
  const Kernels& kernels_;
  const AttentionOp& op_;
  const HostPages& pages_;
  const StepPlan::Pages& lists_;
  const int64_t d_, kv_heads_, group_;
  const float* const q_;  // [N, Hq, d]
  float* const out_;      // [N, Hq, d]
  float* const lse_;      // [N, Hq] or null
  decltype(Kernels::scores_f32) scores_ = nullptr;
  decltype(Kernels::fold_f32) fold_ = nullptr;
  size_t k_head_bytes_ = 0, v_head_bytes_ = 0;
  Tile* tiles_ = nullptr;
  int64_t tile_count_ = 0;
  Scratch* scratch_ = nullptr;  // [threads]
};

}  // namespace

void Attention(Context& context, const AttentionOp& op) { Attender(context, op).Run(); }

}  // namespace scout::cpu
