// Sample: blocks of 4,096 ids on the device, their fold on the host, in the order of backends/ref/sample.cpp.
#include <algorithm>
#include <limits>

#include "base/math.h"
#include "gpu/operations.h"

namespace scout::gpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// One list of blocks' results.
struct Blocks {
  const SampleBlock* block;
  const int32_t* id;   // [blocks, stride]
  const float* value;  // the same
  int64_t count, stride;
};

bool Finite(const Blocks& blocks) {
  return std::all_of(blocks.block, blocks.block + blocks.count, [](const SampleBlock& b) { return b.finite != 0; });
}

float LogSumExp(const Blocks& blocks) {
  float max = -kInfinity;
  for (int64_t b = 0; b < blocks.count; ++b) max = blocks.block[b].max > max ? blocks.block[b].max : max;
  if (max == -kInfinity) return max;
  double sum = 0;
  for (int64_t b = 0; b < blocks.count; ++b) {
    if (blocks.block[b].max == -kInfinity) continue;
    sum += static_cast<double>(blocks.block[b].sum) * static_cast<double>(Exp(blocks.block[b].max - max));
  }
  return static_cast<float>(static_cast<double>(max) + Log(sum));
}

// The best `wanted` of the blocks' own best, each list sorted.
void Best(const Blocks& blocks, int32_t wanted, std::vector<int32_t>& ids, std::vector<float>& values) {
  ids.clear();
  values.clear();
  std::vector<int32_t> at(static_cast<size_t>(blocks.count));
  for (int32_t k = 0; k < wanted; ++k) {
    int64_t best = -1, best_entry = 0;
    for (int64_t b = 0; b < blocks.count; ++b) {
      const int32_t next = at[static_cast<size_t>(b)];
      if (next >= blocks.block[b].count) continue;
      const int64_t entry = b * blocks.stride + next;
      // Ids ascend with the blocks, so that the first of equal values has the lower one.
      if (best < 0 || blocks.value[entry] > blocks.value[best_entry]) {
        best = b;
        best_entry = entry;
      }
    }
    if (best < 0) return;
    ids.push_back(blocks.id[best_entry]);
    values.push_back(blocks.value[best_entry]);
    ++at[static_cast<size_t>(best)];
  }
}

// More best ids than a block lists: the row comes to the host.
void BestOnHost(const float* logits, int64_t vocabulary, const SampleRow* edited, int32_t wanted, std::vector<int32_t>& ids,
                std::vector<float>& values) {
  std::vector<float> row(logits, logits + vocabulary);
  if (edited) {
    for (const LogitEdit& edit : edited->edits) {
      float& logit = row[static_cast<size_t>(edit.id)];
      logit = logit > 0 ? logit / edit.repetition : logit * edit.repetition;
      logit += edit.add;
    }
    if (!edited->allowed.empty())
      for (int64_t id = 0; id < vocabulary; ++id)
        if ((edited->allowed[static_cast<size_t>(id / 64)] >> (id % 64) & 1) == 0) row[static_cast<size_t>(id)] = -kInfinity;
  }
  std::vector<int32_t> order;
  for (int64_t i = 0; i < vocabulary; ++i)
    if (row[static_cast<size_t>(i)] != -kInfinity) order.push_back(static_cast<int32_t>(i));
  const auto kept = static_cast<std::ptrdiff_t>(std::min(order.size(), static_cast<size_t>(wanted)));
  std::partial_sort(order.begin(), order.begin() + kept, order.end(), [&](int32_t a, int32_t b) {
    const float x = row[static_cast<size_t>(a)], y = row[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  ids.assign(order.begin(), order.begin() + kept);
  values.clear();
  for (const int32_t id : ids) values.push_back(row[static_cast<size_t>(id)]);
}

}  // namespace

void Sample(Step& step, const SampleOp& op, std::span<SampleResult> results) {
  if (op.rows.empty()) return;
  const int64_t vocabulary = op.logits.cols, blocks = (vocabulary + kSampleIds - 1) / kSampleIds;
  const float* const logits = DeviceF32(op.logits);
  std::vector<SampleJob> jobs;  // two for each row: its own logits, the edited ones
  std::vector<SampleEdit> edits;
  std::vector<uint64_t> masks;
  int32_t stride = 1;
  for (const SampleRow& row : op.rows) {
    SCOUT_CHECK(row.row >= 0 && row.row < op.logits.rows, "logit row ", row.row, " of ", op.logits.rows);
    SCOUT_CHECK(row.target < vocabulary, "target ", row.target, " of ", vocabulary);
    const int32_t top = row.top > kSampleBest ? 0 : std::max(row.top, 0);
    const int32_t candidates = row.candidates > kSampleBest ? 0 : std::max(row.candidates, 0);
    stride = std::max({stride, top, candidates});
    jobs.push_back({row.row, top, 0, 0, -1, 1.0f, 0});
    SampleJob edited{row.row, candidates, static_cast<int32_t>(edits.size()), 0, -1, row.temperature, 1};
    for (const LogitEdit& edit : row.edits) {
      SCOUT_CHECK(edit.id >= 0 && edit.id < vocabulary, "edit of id ", edit.id, " of ", vocabulary);
      edits.push_back({edit.id, edit.repetition, edit.add});
    }
    edited.edit_end = static_cast<int32_t>(edits.size());
    if (!row.allowed.empty()) {
      SCOUT_CHECK(static_cast<int64_t>(row.allowed.size()) * 64 >= vocabulary, "a mask of ", row.allowed.size() * 64, " bits");
      edited.mask = static_cast<int64_t>(masks.size());
      masks.insert(masks.end(), row.allowed.begin(), row.allowed.end());
    }
    jobs.push_back(edited);
  }
  const auto job_count = static_cast<int64_t>(jobs.size());
  SampleArgs args{};
  args.logits = logits;
  args.vocabulary = static_cast<int32_t>(vocabulary);
  args.blocks = static_cast<int32_t>(blocks);
  args.jobs = step.Send(std::span<const SampleJob>(jobs));
  args.edits = step.Send(std::span<const SampleEdit>(edits));
  args.masks = step.Send(std::span<const uint64_t>(masks));
  args.result = step.Temporary<SampleBlock>(job_count * blocks);
  args.best_id = step.Temporary<int32_t>(job_count * blocks * stride);
  args.best = step.Temporary<float>(job_count * blocks * stride);
  args.best_stride = stride;
  step.Launch("sampling", step.kernels().sample_blocks, blocks, job_count, kThreads, 4 * kSampleIds + 3 * 64 + 64, args);

  const SampleBlock* const result = step.Fetch(args.result, job_count * blocks);
  const int32_t* const best_id = step.Fetch(args.best_id, job_count * blocks * stride);
  const float* const best = step.Fetch(args.best, job_count * blocks * stride);
  std::vector<const float*> targets(op.rows.size()), rows(op.rows.size());
  for (size_t i = 0; i < op.rows.size(); ++i) {
    const SampleRow& row = op.rows[i];
    if (row.target >= 0) targets[i] = step.Fetch(logits + row.row * vocabulary + row.target, 1);
    if (std::max(row.top, row.candidates) > kSampleBest) rows[i] = step.Fetch(logits + row.row * vocabulary, vocabulary);
  }
  step.Wait();

  const auto blocks_of = [&](int64_t job) {
    return Blocks{result + job * blocks, best_id + job * blocks * stride, best + job * blocks * stride, blocks, stride};
  };
  for (size_t i = 0; i < op.rows.size(); ++i) {
    const SampleRow& row = op.rows[i];
    SampleResult& out = results[i];
    const Blocks own = blocks_of(2 * static_cast<int64_t>(i)), edited = blocks_of(2 * static_cast<int64_t>(i) + 1);
    out.finite = Finite(own);
    if (!out.finite) continue;
    out.lse = LogSumExp(own);
    out.edited_lse = LogSumExp(edited);
    if (targets[i]) out.target_logit = *targets[i];
    if (row.top > kSampleBest)
      BestOnHost(rows[i], vocabulary, nullptr, row.top, out.top_id, out.top_logit);
    else
      Best(own, row.top, out.top_id, out.top_logit);
    if (row.candidates > kSampleBest)
      BestOnHost(rows[i], vocabulary, &row, row.candidates, out.candidate_id, out.candidate_logit);
    else
      Best(edited, row.candidates, out.candidate_id, out.candidate_logit);
  }
  if (!step.open()) step.Release();
}

}  // namespace scout::gpu
