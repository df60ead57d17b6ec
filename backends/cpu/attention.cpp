// Attention over pages. The arithmetic, blocks of 64 keys inside spans of 2,048, is told in ref/attention.cpp.
//
// A tile is a few rows of one sequence that start at the same key: rows that see all of a block of keys meet it in one product.
// Where there are fewer tiles than threads could use (decoding at depth), spans are worked on apart, and merged in order
// afterwards; the bits are the same.
//
// Of what one row meets nothing is in the caches, for weights came in between. So the next block is asked for while this one is
// worked on, row by row, as the kernels go (HeadRows).
#include <algorithm>
#include <limits>

#include "backend/host_pages.h"
#include "base/math.h"
#include "cpu/context.h"

namespace scout::cpu {
namespace {

constexpr int64_t kBlock = 64;
constexpr int64_t kSpan = 2048;
constexpr int64_t kTileRows = 8;
constexpr int64_t kSpansOfThread = 16;  // that are worked on before they are merged, and memory for them
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
};

// Keys and values of consecutive positions that lie in one page, for one key/value head.
struct Run {
  const std::byte* k;
  const std::byte* v;
  int64_t count;
};

// Up to 64 consecutive positions.
struct Block {
  int64_t count;
  Run* runs;
  // Where entry i lies, if there is one; those behind it follow by `stride`, as long as its run goes on.
  const std::byte* At(const std::byte* Run::*side, int64_t i, size_t stride) const {
    if (i >= count) return nullptr;
    const Run* run = runs;
    for (; i >= run->count; ++run) i -= run->count;
    return run->*side + static_cast<size_t>(i) * stride;
  }
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
  }

  void Attend() {
    MakeTiles();
    const int64_t items = tile_count_ * kv_heads_;
    int64_t most_spans = 0;
    for (int64_t t = 0; t < tile_count_; ++t) most_spans = std::max(most_spans, tiles_[t].spans());
    scratch_ = context_.arena.Take<Scratch>(context_.threads);
    for (int t = 0; t < context_.threads; ++t) scratch_[t] = TakeScratch();
    if (context_.threads > 1 && items < context_.threads * 2 && most_spans > 1) return RunSpans(most_spans);
    Partial* const folded = context_.arena.Take<Partial>(context_.threads);
    Partial* const next = context_.arena.Take<Partial>(context_.threads);
    for (int t = 0; t < context_.threads; ++t) {
      folded[t] = TakePartial(kTileRows);
      next[t] = TakePartial(kTileRows);
    }
    context_.Parallel(items, [&](int64_t item, int thread) {
      const auto [tile, head] = ItemOf(item);
      FoldSpan(tile, head, 0, folded[thread], thread);
      for (int64_t s = 1; s < tile.spans(); ++s) {
        FoldSpan(tile, head, s, next[thread], thread);
        MergeInto(tile, s, next[thread], folded[thread]);
      }
      Finish(tile, head, folded[thread]);
    });
  }

 private:
  struct Item {
    const Tile& tile;
    int64_t head;
  };
  Item ItemOf(int64_t item) const { return {tiles_[item / kv_heads_], item % kv_heads_}; }

  // One task per item and span: as many spans as keep the threads busy, and those are merged, before the next ones.
  void RunSpans(int64_t most_spans) {
    const int64_t items = tile_count_ * kv_heads_;
    const int64_t together = std::min(most_spans, (kSpansOfThread * context_.threads + items - 1) / items);
    Partial* const folded = context_.arena.Take<Partial>(items);
    Partial* const next = context_.arena.Take<Partial>(items * together);
    for (int64_t i = 0; i < items; ++i) {
      const int64_t rows = ItemOf(i).tile.rows;
      folded[i] = TakePartial(rows);
      for (int64_t k = 0; k < together; ++k) next[i * together + k] = TakePartial(rows);
    }
    for (int64_t from = 0; from < most_spans; from += together) {
      context_.Parallel(items * together, [&](int64_t task, int thread) {
        const auto [tile, head] = ItemOf(task / together);
        const int64_t span = from + task % together;
        if (span < tile.spans()) FoldSpan(tile, head, span, span == 0 ? folded[task / together] : next[task], thread);
      });
      context_.Parallel(items, [&](int64_t item, int) {
        const auto [tile, head] = ItemOf(item);
        const int64_t end = std::min(from + together, tile.spans());
        for (int64_t s = std::max<int64_t>(from, 1); s < end; ++s)
          MergeInto(tile, s, next[item * together + s - from], folded[item]);
        if (from < end && end == tile.spans()) Finish(tile, head, folded[item]);
      });
    }
  }

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

  Partial TakePartial(int64_t rows) {
    return {context_.arena.Take<float>(rows * group_), context_.arena.Take<float>(rows * group_),
            context_.arena.Take<float>(rows * group_ * d_)};
  }

  Scratch TakeScratch() {
    return {context_.arena.Take<float>(kTileRows * group_ * kBlock), context_.arena.Take<float>(kTileRows * group_ * d_)};
  }

  // Finds where the block of positions from `begin` on lies, which ends at `last` if not before.
  void Find(const Tile& tile, int64_t head, int64_t begin, int64_t last, Block& block) const {
    const PageGroupSpec& spec = pages_.spec();
    const PageGeometry geometry{spec.page_size, spec.chunk};
    const auto s = static_cast<size_t>(tile.sequence);
    block.count = std::min(kBlock, last - begin + 1);
    Run* next = block.runs;
    for (int64_t done = 0; done < block.count;) {
      const PageGeometry::Place place = geometry.Find(begin + done, lists_.first_position[s]);
      const int64_t entry = lists_.begin[s] + place.page;
      SCOUT_CHECK(place.page >= 0 && entry < lists_.begin[s + 1], "position ", begin + done, " is on no page of sequence ", s);
      const int64_t page = lists_.page[static_cast<size_t>(entry)];
      SCOUT_CHECK(page >= 0 && page < spec.page_count, "page ", page, " of ", spec.page_count);
      // Blocks never reach past the tile's chunk, so a run ends with its page.
      const int64_t length = std::min(block.count - done, spec.page_size - place.index);
      const auto index = static_cast<size_t>(place.index);
      *next++ = {pages_.K(page, op_.layer, head) + index * pages_.k_head_bytes(),
                 pages_.V(page, op_.layer, head) + index * pages_.v_head_bytes(), length};
      done += length;
    }
  }

  // Keys of one span, met by the tile's rows.
  void FoldSpan(const Tile& tile, int64_t head, int64_t span, const Partial& to, int thread) const {
    const int64_t first = tile.first + span * kSpan, last = std::min(tile.last, first + kSpan - 1);
    std::fill(to.max, to.max + tile.rows * group_, kNone);
    std::fill(to.sum, to.sum + tile.rows * group_, 0.0f);
    std::fill(to.o, to.o + tile.rows * group_ * d_, 0.0f);
    Run runs[2][kBlock];
    Block block = {0, runs[0]}, next = {0, runs[1]};
    Find(tile, head, first, last, block);
    for (int64_t begin = first; begin <= last; begin += kBlock, std::swap(block, next)) {
      const int64_t after = begin + kBlock;
      if (after <= tile.last)
        Find(tile, head, after, after > last ? tile.last : last, next);
      else if (head + 1 < kv_heads_)  // where the keys end, the next head's first ones
        Find(tile, head + 1, tile.first, tile.last, next);
      else
        next.count = 0;
      FoldBlock(tile, head, begin, block, next, to, scratch_[thread], begin == first);
    }
  }

  // Positions from `begin` on, met by the tile's rows, while the next block is asked for.
  void FoldBlock(const Tile& tile, int64_t head, int64_t begin, const Block& block, const Block& next, const Partial& to,
                 const Scratch& scratch, bool first) const {
    const float* q = q_ + (tile.row * op_.heads + head * group_) * d_;  // [rows, G, d]
    if (tile.rows > 1) {
      if (first)
        for (int64_t r = 0; r < tile.rows; ++r) std::copy_n(q + r * op_.heads * d_, group_ * d_, scratch.q + r * group_ * d_);
      q = scratch.q;
    }
    // Rows that see the whole block are folded together, after those on the diagonal.
    for (int64_t r = 0, rows; r < tile.rows; r += rows) {
      const int64_t count = std::min(block.count, tile.last - (tile.rows - 1) + r - begin + 1);
      rows = count == block.count ? tile.rows - r : 1;
      if (count <= 0) continue;
      const int64_t at = r * group_, heads = rows * group_;
      const bool asks = r + rows == tile.rows;
      const auto each_run = [&](const std::byte* Run::*side, size_t stride, const auto& meet) {
        const Run* run = block.runs;
        for (int64_t done = 0; done < count; ++run) {
          const int64_t length = std::min(run->count, count - done);
          const std::byte* const ahead = asks ? next.At(side, done, stride) : nullptr;
          meet(HeadRows{reinterpret_cast<const unsigned char*>(run->*side), stride, length,
                        reinterpret_cast<const unsigned char*>(ahead)},
               done);
          done += length;
        }
      };
      each_run(&Run::k, pages_.k_head_bytes(), [&](const HeadRows& keys, int64_t done) {
        scores_(q + at * d_, heads, d_, keys, op_.scale, scratch.scores + done, kBlock);
      });
      for (int64_t g = 0; g < heads; ++g) Weigh(to, at + g, first, scratch.scores + g * kBlock, count);
      each_run(&Run::v, pages_.v_head_bytes(), [&](const HeadRows& values, int64_t done) {
        fold_(scratch.scores + done, kBlock, heads, d_, values, to.o + at * d_);
      });
    }
  }

  // Scores of one block become weights; what came before is scaled to the new largest score.
  void Weigh(const Partial& to, int64_t i, bool first, float* scores, int64_t count) const {
    const float block_max = kernels_.largest(scores, count), max = to.max[i];
    const float new_max = block_max > max ? block_max : max;
    const float sum = kernels_.exp_sum(scores, new_max, count, scores);
    to.max[i] = new_max;
    if (first || new_max == max) {  // nearly always: Exp(0) is 1
      to.sum[i] = first ? sum : to.sum[i] + sum;
      return;
    }
    const float c = Exp(max - new_max);
    to.sum[i] = Fma(to.sum[i], c, sum);
    if (c != 1.0f) kernels_.multiply(to.o + i * d_, c, d_, to.o + i * d_);
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
  Tile* tiles_ = nullptr;
  int64_t tile_count_ = 0;
  Scratch* scratch_ = nullptr;  // [threads]
};

}  // namespace

void Attention(Context& context, const AttentionOp& op) { Attender(context, op).Attend(); }

}  // namespace scout::cpu
