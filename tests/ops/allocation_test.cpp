// Inside a step there is no allocation after warm-up: every `new` of the program is counted.
#include <atomic>
#include <cstdlib>
#include <new>

#include "backend/placed_backend.h"
#include "paged.h"

namespace {
std::atomic<int64_t> allocations{0};
}

void* operator new(size_t size) {
  ++allocations;
  if (void* const p = std::malloc(size ? size : 1)) return p;
  throw std::bad_alloc();
}
void* operator new(size_t size, std::align_val_t alignment) {
  ++allocations;
  const size_t a = static_cast<size_t>(alignment);
  if (void* const p = std::aligned_alloc(a, (size + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }

namespace scout {
namespace {

// One model over two backends: attention on one, some experts on each.
std::unique_ptr<Backend> MakeBoth(int32_t layers) {
  Placement placement;
  placement.head = 1;
  placement.layer.assign(static_cast<size_t>(layers), {0, 0, {{0, 1, 0}, {1, 4, 1}}});
  std::vector<std::unique_ptr<Backend>> instances;
  instances.push_back(MakeCpu("", 2));
  instances.push_back(MakeRef(Numerics::kInvariant));
  return MakePlacedBackend(std::move(instances), std::make_shared<const Placement>(placement));
}

TEST(Step, AllocatesNothingAfterWarmUp) {
  PageSetup setup;
  setup.page_size = 16;
  setup.page_count = 200;
  setup.head_dim = 64;
  setup.k_format = setup.v_format = DType::kF16;
  const int64_t d = 256, f = 512, experts = 4, vocabulary = 1000, width = setup.heads * setup.head_dim;
  for (const std::string& name : {std::string("ref"), std::string("cpu"), std::string("cpu of 3 threads"), std::string("both")}) {
    const auto backend = name == "ref"    ? MakeRef(Numerics::kInvariant)
                         : name == "both" ? MakeBoth(setup.layers)
                                          : MakeCpu("", name == "cpu" ? 1 : 3);
    const auto weight = [&](ModelUnit unit, WeightRole role, int64_t count, std::vector<PartShape> parts, int64_t cols) {
      WeightDesc desc = RandomWeight(role, count, parts, cols, 1);
      desc.unit = unit;
      return backend->PrepareWeight(desc);
    };
    const auto table = weight({UnitKind::kEmbedding}, WeightRole::kEmbedding, 1, {{DType::kQ4_K, vocabulary}}, d);
    const auto norm = weight({UnitKind::kAttention, 1}, WeightRole::kVector, 1, {{DType::kF32, 1}}, d);
    const auto qkv = weight({UnitKind::kAttention, 1}, WeightRole::kLinear, 1, {{DType::kQ4_K, 2 * width}}, d);
    const auto router = weight({UnitKind::kFeed, 1}, WeightRole::kRouter, 1, {{DType::kF32, experts}}, d);
    const auto gate_up = weight({UnitKind::kExperts, 1}, WeightRole::kExperts, experts, {{DType::kQ8_0, f}, {DType::kQ8_0, f}}, d);
    const auto down = weight({UnitKind::kExperts, 1}, WeightRole::kExperts, experts, {{DType::kQ6_K, d}}, f);
    const auto shared_gate_up = weight({UnitKind::kFeed, 1}, WeightRole::kLinear, 1, {{DType::kBF16, f}, {DType::kBF16, f}}, d);
    const auto shared_down = weight({UnitKind::kFeed, 1}, WeightRole::kLinear, 1, {{DType::kQ5_1, d}}, f);
    const auto head = weight({UnitKind::kHead}, WeightRole::kLinear, 1, {{DType::kQ6_K, vocabulary}}, d);
    PageGroupSpec spec = setup.spec();
    for (int32_t layer = 0; layer < spec.layers; ++layer) spec.model_layers.push_back(layer);
    const auto pages = backend->AllocPages(spec);
    int64_t next_free = setup.page_count - 1;
    std::vector<SequencePages> sequences(2, SequencePages(setup, &next_free));
    const int64_t most = 40;
    const Rows x(*backend, most, d), y(*backend, most, d), qkv_rows(*backend, most, 2 * width), q(*backend, most, width),
        o(*backend, most, width), ids(*backend, most, 2), gates(*backend, most, 2), logits(*backend, 2, vocabulary);
    const auto part = [](const Rows& rows, int64_t n) {
      Act act = rows.act();
      act.rows = n;
      return act;
    };
    std::vector<SampleResult> results(2);
    const std::vector<SampleRow> wanted = {{0, 5, 40, 3, 0.7f, {}, {}}, {1, 0, 900, -1, 1.0f, {}, {}}};
    const std::vector<int32_t> gathered = {0, 1};
    // Prompts of 39 and 1, then one token each, and the largest step again later.
    const std::vector<std::vector<Cut>> steps = {{{0, 0, 39}, {1, 0, 1}},
                                                 {{0, 39, 1}, {1, 1, 39}},
                                                 {{0, 40, 1}, {1, 40, 1}},
                                                 {{0, 41, 20}, {1, 41, 20}},
                                                 {{0, 61, 1}, {1, 61, 1}}};
    for (size_t i = 0; i < steps.size(); ++i) {
      const StepPlan plan = PlanOf(setup, sequences, steps[i]);
      const int64_t n = plan.rows();
      const int64_t before = allocations.load();
      backend->BeginStep(plan);
      backend->Embed({table.get(), part(x, n)});
      backend->RmsNorm({part(x, n), norm.get(), 1e-5f, part(y, n)});
      backend->Linear({part(y, n), qkv.get(), Epilogue::kStore, part(qkv_rows, n)});
      backend->RopeNormStore(
          {part(qkv_rows, n), part(q, n), pages.get(), kGlobalPages, 1, setup.heads, false, {}, true, 1e-5f, 8192, 0.1});
      backend->Attention({part(q, n), pages.get(), kGlobalPages, 1, setup.heads, 0.125f, AttentionMask::kCausal, part(o, n), {}});
      backend->Route({part(y, n), router.get(), 2, part(ids, n), part(gates, n)});
      backend->Experts({part(y, n), part(ids, n), part(gates, n), gate_up.get(), down.get(), shared_gate_up.get(),
                        shared_down.get(), 0, 4, part(x, n)});
      backend->GatherRows({part(x, n), gathered, part(y, 2)});
      backend->Linear({part(y, 2), head.get(), Epilogue::kStore, logits.act()});
      backend->Sample({logits.act(), wanted}, results);
      const auto error = backend->EndStep();
      const int64_t made = allocations.load() - before;
      ASSERT_FALSE(error.has_value()) << error->what();
      // Scratch is as large as it will be after two steps: the first of the largest size, and the next, which makes it one block.
      if (i >= 2) {
        EXPECT_EQ(made, 0) << name << ", step " << i;
      }
    }
  }
}

}  // namespace
}  // namespace scout
