#include "backend/self_test.h"

#include <algorithm>
#include <cstring>

#include "quant/formats.h"

namespace scout {
namespace {

// splitmix64; uniform in [-1, 1).
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}
  float Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return static_cast<float>((z ^ z >> 31) >> 40) * 0x1p-23f - 1.0f;
  }
  std::vector<float> Take(int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = Next();
    return values;
  }

 private:
  uint64_t state_;
};

class BytesSource final : public WeightSource {
 public:
  explicit BytesSource(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  uint64_t size_bytes() const override { return bytes_.size(); }
  void Read(uint64_t offset, std::span<std::byte> out) const override {
    SCOUT_CHECK(offset <= bytes_.size() && out.size() <= bytes_.size() - offset, "a read past a weight's end");
    std::memcpy(out.data(), bytes_.data() + offset, out.size());
  }

 private:
  std::vector<std::byte> bytes_;
};

// What an operation works on, made on one backend.
class Bench {
 public:
  explicit Bench(Backend& backend) : backend_(backend) {}
  Backend& backend() { return backend_; }

  Act Rows(int64_t rows, int64_t cols, uint64_t seed = 0) {
    const std::vector<float> values =
        seed == 0 ? std::vector<float>(static_cast<size_t>(rows * cols)) : Numbers(seed).Take(rows * cols);
    buffers_.push_back(backend_.Alloc(MemoryKind::kWorkspace, values.size() * sizeof(float)));
    backend_.Upload(*buffers_.back(), 0, std::as_bytes(std::span(values)));
    return {buffers_.back().get(), 0, rows, cols};
  }
  const Weight* Matrix(WeightRole role, DType format, int64_t rows, int64_t cols, uint64_t seed, int64_t experts = 1) {
    // Encoding is slow, so rows come again, after a number of them that no tile is a multiple of.
    constexpr int64_t kDistinctRows = 37;
    const auto some = static_cast<size_t>(std::min(experts * rows, kDistinctRows)), all = static_cast<size_t>(experts * rows);
    const std::vector<float> values = Numbers(seed).Take(static_cast<int64_t>(some) * cols);
    const size_t row_bytes = RowBytes(format, static_cast<size_t>(cols));
    std::vector<std::byte> bytes(all * row_bytes);
    quant::EncodeRow(format, values.data(), bytes.data(), values.size());
    for (size_t row = some; row < all; ++row)
      std::memcpy(bytes.data() + row * row_bytes, bytes.data() + (row - some) * row_bytes, row_bytes);
    WeightPart part;
    part.format = format;
    part.rows = rows;
    part.cols = part.row_values = cols;
    part.expert_bytes = bytes.size() / static_cast<size_t>(experts);
    part.sources.push_back(std::make_shared<BytesSource>(std::move(bytes)));
    WeightDesc desc;
    desc.role = role;
    desc.name = "self-test";
    desc.experts = experts;
    desc.parts.push_back(std::move(part));
    weights_.push_back(backend_.PrepareWeight(desc));
    return weights_.back().get();
  }
  KvPages* Pages(int64_t chunk, DType format) {
    PageGroupSpec spec;
    spec.layers = 1;
    spec.page_size = 16;
    spec.chunk = chunk;
    spec.kv_heads = 2;
    spec.head_dim = 32;
    spec.k_format = spec.v_format = format;
    spec.page_count = 8;
    pages_.push_back(backend_.AllocPages(spec));
    return pages_.back().get();
  }
  std::vector<float> Read(const Act& act) {
    std::vector<float> values(static_cast<size_t>(act.rows * act.cols));
    backend_.Download(*act.buffer, act.offset, std::as_writable_bytes(std::span(values)));
    return values;
  }
  template <typename Operations>
  void Step(const StepPlan& plan, const Operations& operations) {
    backend_.BeginStep(plan);
    operations();
    if (const auto error = backend_.EndStep()) throw *error;
  }

 private:
  Backend& backend_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<std::unique_ptr<Weight>> weights_;
  std::vector<std::unique_ptr<KvPages>> pages_;
};

// One sequence of `rows` new positions, of which none or one page list is used.
StepPlan PlanOf(int64_t rows, int32_t page_size = 16) {
  StepPlan plan;
  const auto n = static_cast<int32_t>(rows);
  for (int32_t i = 0; i < n; ++i) {
    plan.token.push_back((i * 7 + 3) % 64);
    plan.position.push_back(i);
  }
  plan.sequence_begin = {0, n};
  plan.sequence_length = {n};
  const int32_t used = (n + page_size - 1) / page_size;
  for (StepPlan::Pages& pages : plan.pages) {
    // Page numbers descend, so that a page taken for another is noticed.
    for (int32_t i = 0; i < used; ++i) pages.page.push_back(used - 1 - i);
    for (int32_t i = 0; i < n; ++i)
      pages.slot.push_back(int64_t{pages.page[static_cast<size_t>(i / page_size)]} * page_size + i % page_size);
    pages.begin = {0, used};
    pages.first_position = {0};
  }
  return plan;
}

std::vector<float> EmbedAndNorm(Bench& b) {
  const Weight* const table = b.Matrix(WeightRole::kEmbedding, DType::kQ4_K, 64, 256, 1);
  const Weight* const norm = b.Matrix(WeightRole::kVector, DType::kF32, 1, 256, 2);
  const Act x = b.Rows(5, 256), y = b.Rows(5, 256);
  const StepPlan plan = PlanOf(5);
  b.Step(plan, [&] {
    b.backend().Embed({table, x});
    b.backend().RmsNorm({x, norm, 1e-5f, y});
  });
  return b.Read(y);
}

template <DType kFormat, int64_t kRows, Epilogue kEpilogue>
std::vector<float> Product(Bench& b) {
  const Weight* const weight = b.Matrix(WeightRole::kLinear, kFormat, 80, 512, 3);
  const Act in = b.Rows(kRows, 512, 4), out = b.Rows(kRows, kEpilogue == Epilogue::kSwiGlu ? 40 : 80, 5);
  const StepPlan plan = PlanOf(kRows);
  b.Step(plan, [&] { b.backend().Linear({in, weight, kEpilogue, out}); });
  return b.Read(out);
}

template <DType kFormat, AttentionMask kMask>
std::vector<float> Attend(Bench& b) {
  constexpr int64_t kRows = 50;
  constexpr int32_t kHeads = 4, kDim = 32;
  const bool local = kMask == AttentionMask::kChunk;
  KvPages* const pages = b.Pages(local ? 32 : 0, kFormat);
  std::vector<float> inv_freq(kDim / 2);
  for (size_t i = 0; i < inv_freq.size(); ++i) inv_freq[i] = 1.0f / static_cast<float>(1 + i * i);
  const Act qkv = b.Rows(kRows, (kHeads + 4) * kDim, 6), q = b.Rows(kRows, kHeads * kDim), out = b.Rows(kRows, kHeads * kDim);
  const StepPlan plan = PlanOf(kRows);
  const int group = local ? kLocalPages : kGlobalPages;
  b.Step(plan, [&] {
    b.backend().RopeNormStore({qkv, q, pages, group, 0, kHeads, local,
                               local ? std::span<const float>(inv_freq) : std::span<const float>(), local, 1e-5f, local ? 0.0 : 8.0,
                               0.1});
    b.backend().Attention({q, pages, group, 0, kHeads, 0.17677669f, kMask, out, {}});
  });
  return b.Read(out);
}

template <DType kFormat, int64_t kRows>
std::vector<float> RouteAndExperts(Bench& b) {
  constexpr int64_t kWidth = 256, kHidden = 256, kExperts = 4;
  const Weight* const router = b.Matrix(WeightRole::kRouter, DType::kF32, kExperts, kWidth, 7);
  const Weight* const gate_up = b.Matrix(WeightRole::kExperts, kFormat, 2 * kHidden, kWidth, 8, kExperts);
  const Weight* const down = b.Matrix(WeightRole::kExperts, kFormat, kWidth, kHidden, 9, kExperts);
  const Weight* const shared_gate_up = b.Matrix(WeightRole::kLinear, kFormat, 2 * kHidden, kWidth, 10);
  const Weight* const shared_down = b.Matrix(WeightRole::kLinear, kFormat, kWidth, kHidden, 11);
  const Act in = b.Rows(kRows, kWidth, 12), ids = b.Rows(kRows, 2), gates = b.Rows(kRows, 2), residual = b.Rows(kRows, kWidth, 13);
  const StepPlan plan = PlanOf(kRows);
  b.Step(plan, [&] {
    b.backend().Route({in, router, 2, ids, gates});
    b.backend().Experts({in, ids, gates, gate_up, down, shared_gate_up, shared_down, 0, kExperts, residual});
  });
  return b.Read(residual);
}

std::vector<float> SampleRows(Bench& b) {
  constexpr int64_t kVocabulary = 5000;
  const Act logits = b.Rows(2, kVocabulary, 14);
  const StepPlan plan = PlanOf(2);
  std::vector<SampleRow> rows(2);
  const LogitEdit edits[] = {{3, 1.3f, 0.5f}, {4711, 1.0f, 9.0f}};
  for (int32_t i = 0; i < 2; ++i) {
    rows[static_cast<size_t>(i)].row = i;
    rows[static_cast<size_t>(i)].top = 5;
    rows[static_cast<size_t>(i)].candidates = 20;
    rows[static_cast<size_t>(i)].target = 4999;
    rows[static_cast<size_t>(i)].temperature = 0.7f;
  }
  rows[1].edits = edits;
  std::vector<SampleResult> results(2);
  b.Step(plan, [&] { b.backend().Sample({logits, rows}, results); });
  std::vector<float> values;
  for (const SampleResult& result : results) {
    values.insert(values.end(), {result.finite ? 1.0f : 0.0f, result.lse, result.edited_lse, result.target_logit});
    for (const int32_t id : result.top_id) values.push_back(static_cast<float>(id));
    for (const int32_t id : result.candidate_id) values.push_back(static_cast<float>(id));
    values.insert(values.end(), result.candidate_logit.begin(), result.candidate_logit.end());
  }
  return values;
}

// A device may hand over what comes again in another way than what is new: four steps of the same operations over other rows.
std::vector<float> RepeatedStep(Bench& b) {
  const Weight* const norm = b.Matrix(WeightRole::kVector, DType::kF32, 1, 256, 15);
  const Weight* const weight = b.Matrix(WeightRole::kLinear, DType::kQ8_0, 80, 256, 16);
  const Act y = b.Rows(3, 256), out = b.Rows(3, 80, 17);
  const StepPlan plan = PlanOf(3);
  for (uint64_t round = 0; round < 4; ++round) {
    const Act in = b.Rows(3, 256, 18 + round);
    b.Step(plan, [&] {
      b.backend().RmsNorm({in, norm, 1e-5f, y});
      b.backend().Linear({y, weight, Epilogue::kAdd, out});
    });
  }
  return b.Read(out);
}

struct Case {
  const char* name;
  std::vector<float> (*run)(Bench& bench);
};
constexpr Case kCases[] = {
    {"embedding and norm", EmbedAndNorm},
    {"a product of few rows, F16", Product<DType::kF16, 3, Epilogue::kStore>},
    {"a product of few rows, Q8_0", Product<DType::kQ8_0, 3, Epilogue::kAdd>},
    {"a product of few rows, Q4_K", Product<DType::kQ4_K, 1, Epilogue::kStore>},
    {"a product of few rows, Q6_K", Product<DType::kQ6_K, 9, Epilogue::kStore>},
    {"a product of many rows, F16", Product<DType::kF16, 20, Epilogue::kStore>},
    {"a product of many rows, Q8_0", Product<DType::kQ8_0, 70, Epilogue::kStore>},
    {"a product of many rows, Q4_K", Product<DType::kQ4_K, 40, Epilogue::kSwiGlu>},
    {"a product of many rows, Q6_K", Product<DType::kQ6_K, 40, Epilogue::kStore>},
    {"attention over everything, F16 pages", Attend<DType::kF16, AttentionMask::kCausal>},
    {"attention inside chunks, F32 pages", Attend<DType::kF32, AttentionMask::kChunk>},
    {"experts of few rows, Q8_0", RouteAndExperts<DType::kQ8_0, 3>},
    {"experts of some rows, Q8_0", RouteAndExperts<DType::kQ8_0, 20>},
    {"experts of many rows, Q4_K", RouteAndExperts<DType::kQ4_K, 90>},
    {"sampling", SampleRows},
    {"a step that is repeated", RepeatedStep},
};

std::string Difference(const std::vector<float>& want, const std::vector<float>& got) {
  if (want.size() != got.size()) return StrCat(got.size(), " values, expected ", want.size());
  size_t wrong = 0, first = 0;
  for (size_t i = 0; i < want.size(); ++i)
    if (want[i] != got[i] && (want[i] == want[i] || got[i] == got[i]) && wrong++ == 0) first = i;
  if (wrong == 0) return {};
  return StrCat(wrong, " of ", want.size(), " values differ from ref, the first at ", first, ": ", got[first], ", expected ",
                want[first]);
}

SelfTestResult Compare(const Case& one, Backend& ref, Backend& backend) {
  Bench here(ref);
  const std::vector<float> want = one.run(here);
  try {
    Bench there(backend);
    return {one.name, Difference(want, one.run(there))};
  } catch (const Error& error) {
    return {one.name, error.what()};
  }
}

}  // namespace

std::vector<SelfTestResult> SelfTest(Backend& backend) {
  const std::unique_ptr<Backend> ref = MakeBackend("ref", {});
  std::vector<SelfTestResult> results;
  for (const Case& one : kCases) results.push_back(Compare(one, *ref, backend));
  return results;
}

void RequireSelfTest(Backend& backend) {
  const std::unique_ptr<Backend> ref = MakeBackend("ref", {});
  for (const Case& one : kCases) {
    const SelfTestResult result = Compare(one, *ref, backend);
    if (!result.failure.empty())
      Fail(ErrorCode::kDevice, "device ", backend.Info().name, " fails its self-test: ", result.name, ": ", result.failure);
  }
}

}  // namespace scout
