// Sequences over pages for the attention tests: a plan for any cut of any sequences, pages scattered through the pool.
#pragma once

#include "op_test.h"

namespace scout {

struct PageSetup {
  int32_t page_size = 4;
  int64_t chunk = 0;  // 0: global pages
  int32_t layers = 2, kv_heads = 2, head_dim = 16, heads = 4;
  DType k_format = DType::kF32, v_format = DType::kF32;
  int64_t page_count = 64;
  int group() const { return chunk > 0 ? kLocalPages : kGlobalPages; }
  PageGroupSpec spec() const { return {layers, page_size, chunk, kv_heads, head_dim, k_format, v_format, page_count, {}}; }
  PageGeometry geometry() const { return {page_size, chunk}; }
};

// The pages of one sequence, by absolute page index; handed out from the top of the pool downwards, so that no page lies where
// its position would suggest.
class SequencePages {
 public:
  SequencePages(const PageSetup& setup, int64_t* next_free) : setup_(setup), next_free_(next_free) {}
  // Page number that holds `position`, and the slot there.
  int64_t Slot(int64_t position) {
    const PageGeometry::Place place = setup_.geometry().Find(position, 0);
    while (static_cast<int64_t>(pages_.size()) <= place.page) pages_.push_back((*next_free_)--);
    return pages_[static_cast<size_t>(place.page)] * setup_.page_size + place.index;
  }
  int64_t PageAt(int64_t index) const { return pages_[static_cast<size_t>(index)]; }

 private:
  PageSetup setup_;
  int64_t* next_free_;
  std::vector<int64_t> pages_;
};

struct Cut {
  int sequence;
  int64_t first, count;  // positions of this step
};

// The plan of one step that runs the given cuts (at most one of each sequence).
inline StepPlan PlanOf(const PageSetup& setup, std::vector<SequencePages>& sequences, const std::vector<Cut>& cuts) {
  StepPlan plan;
  plan.sequence_begin = {0};
  StepPlan::Pages& pages = plan.pages[static_cast<size_t>(setup.group())];
  StepPlan::Pages& other = plan.pages[static_cast<size_t>(1 - setup.group())];
  pages.begin = other.begin = {0};
  for (const Cut& cut : cuts) {
    SequencePages& sequence = sequences[static_cast<size_t>(cut.sequence)];
    const int64_t first_position = setup.geometry().ChunkStart(cut.first), end = cut.first + cut.count;
    for (int64_t p = cut.first; p < end; ++p) {
      plan.token.push_back(0);
      plan.position.push_back(static_cast<int32_t>(p));
      pages.slot.push_back(sequence.Slot(p));
      other.slot.push_back(-1);
    }
    const int64_t first_page = setup.geometry().Find(first_position, 0).page,
                  count = setup.geometry().PagesFor(first_position, end);
    for (int64_t i = 0; i < count; ++i) pages.page.push_back(static_cast<int32_t>(sequence.PageAt(first_page + i)));
    pages.begin.push_back(static_cast<int32_t>(pages.page.size()));
    pages.first_position.push_back(static_cast<int32_t>(first_position));
    other.begin.push_back(0);
    other.first_position.push_back(0);
    plan.sequence_begin.push_back(static_cast<int32_t>(plan.token.size()));
    plan.sequence_length.push_back(static_cast<int32_t>(end));
  }
  return plan;
}

// Fixed q, k, v of any (sequence, position): the same whatever step computes them.
inline std::vector<float> QkvOf(const PageSetup& setup, int sequence, int64_t position) {
  Random random(static_cast<uint64_t>(sequence) * 1000003 + static_cast<uint64_t>(position) + 17);
  return random.Values((setup.heads + 2 * setup.kv_heads) * setup.head_dim);
}

struct AttentionRun {
  std::vector<std::vector<std::vector<float>>> out;  // [sequence][position][Hq d]
  std::vector<std::vector<std::vector<float>>> lse;  // [sequence][position][Hq]
};

struct RopeSetup {
  bool rope = false;
  bool qk_norm = false;
  double temperature_length = 0, temperature_scale = 0.1;
};

// Runs steps of cuts through RopeNormStore and, from step `attend_from` on, Attention.
inline AttentionRun RunAttention(Backend& backend, const PageSetup& setup, const std::vector<std::vector<Cut>>& steps,
                                 const RopeSetup& rope = {}, size_t attend_from = 0) {
  int64_t next_free = setup.page_count - 1;
  std::vector<SequencePages> sequences(8, SequencePages(setup, &next_free));
  const auto pages = backend.AllocPages(setup.spec());
  // What an earlier request left in the pool: NaN in every format.
  const std::vector<std::byte> rubbish(backend.PageBytes(*pages), std::byte{0xff});
  for (int64_t p = 0; p < setup.page_count; ++p) backend.WritePage(*pages, p, rubbish);
  std::vector<float> inv_freq(static_cast<size_t>(setup.head_dim / 2));
  for (size_t i = 0; i < inv_freq.size(); ++i) inv_freq[i] = 1.0f / static_cast<float>(1 + 3 * i);

  AttentionRun run;
  run.out.resize(sequences.size());
  run.lse.resize(sequences.size());
  for (size_t step = 0; step < steps.size(); ++step) {
    const std::vector<Cut>& cuts = steps[step];
    const StepPlan plan = PlanOf(setup, sequences, cuts);
    EXPECT_GE(next_free, -1) << "the test's pool is too small";
    std::vector<float> qkv;
    for (const Cut& cut : cuts) {
      for (int64_t p = cut.first; p < cut.first + cut.count; ++p) {
        const auto row = QkvOf(setup, cut.sequence, p);
        qkv.insert(qkv.end(), row.begin(), row.end());
      }
    }
    const int64_t n = plan.rows(), width = setup.heads * setup.head_dim;
    const Rows in(backend, n, (setup.heads + 2 * setup.kv_heads) * setup.head_dim, qkv), q(backend, n, width),
        out(backend, n, width), lse(backend, n, setup.heads);
    const float scale = 1.0f / std::sqrt(static_cast<float>(setup.head_dim));
    RunStep(backend, plan, [&] {
      backend.RopeNormStore({in.act(), q.act(), pages.get(), setup.group(), 1, setup.heads, rope.rope, inv_freq, rope.qk_norm,
                             1e-5f, rope.temperature_length, rope.temperature_scale});
      if (step < attend_from) return;
      backend.Attention({q.act(), pages.get(), setup.group(), 1, setup.heads, scale,
                         setup.chunk > 0 ? AttentionMask::kChunk : AttentionMask::kCausal, out.act(), lse.act()});
    });
    EXPECT_TRUE(q.GuardsIntact());
    if (step < attend_from) continue;
    EXPECT_TRUE(out.GuardsIntact());
    EXPECT_TRUE(lse.GuardsIntact());
    const auto o = out.Read();
    const auto l = lse.Read();
    int64_t row = 0;
    for (const Cut& cut : cuts) {
      for (int64_t i = 0; i < cut.count; ++i, ++row) {
        run.out[static_cast<size_t>(cut.sequence)].emplace_back(o.begin() + row * width, o.begin() + (row + 1) * width);
        run.lse[static_cast<size_t>(cut.sequence)].emplace_back(l.begin() + row * setup.heads, l.begin() + (row + 1) * setup.heads);
      }
    }
  }
  return run;
}

inline testing::AssertionResult SameRuns(const AttentionRun& want, const AttentionRun& got) {
  for (size_t s = 0; s < want.out.size(); ++s) {
    if (want.out[s].size() != got.out[s].size()) return testing::AssertionFailure() << "sequence " << s << " has other rows";
    for (size_t p = 0; p < want.out[s].size(); ++p) {
      if (const auto same = SameBits(want.out[s][p], got.out[s][p]); !same)
        return testing::AssertionFailure() << "sequence " << s << ", position " << p << ": " << same.message();
      if (const auto same = SameBits(want.lse[s][p], got.lse[s][p]); !same)
        return testing::AssertionFailure() << "lse of sequence " << s << ", position " << p << ": " << same.message();
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace scout
