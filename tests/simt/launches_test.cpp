// A layer of a small step: which launches it is, that they give the bits of `ref` whichever of them begin before others have ended,
// and that one which does not wait for what it reads is found.
#include <functional>

#include "../ops/paged.h"
#include "fault_driver.h"
#include "gpu/few_rows.h"
#include "gpu/gpu_backend.h"

namespace scout {
namespace gpu {
const void* FaultyNorm16();
const void* FaultyTasks17();
}  // namespace gpu

namespace {

using simt::SimtDriver;

struct Shape {
  int64_t d = 256, experts = 4, f = 256, top_k = 1;
  std::vector<DType> qkv = {DType::kQ4_K, DType::kQ4_K, DType::kQ6_K};
  DType o = DType::kQ4_K, gate_up = DType::kQ4_K, down = DType::kQ6_K, shared_gate_up = DType::kQ4_K, shared_down = DType::kQ6_K;
  int64_t shared_f = 256;
  bool shared = true, moe = true;
};

// One layer as src/model/llama4.cpp has it.
class Layer {
 public:
  Layer(Backend& backend, const Shape& shape) : backend_(backend), shape_(shape) {
    setup_.head_dim = 32;
    setup_.heads = static_cast<int32_t>(shape.d / 32);
    setup_.kv_heads = 2;
    setup_.layers = 1;
    setup_.page_count = 32;
    setup_.k_format = setup_.v_format = DType::kF16;
    const auto make = [&](WeightRole role, int64_t experts, const std::vector<PartShape>& parts, int64_t cols, uint64_t seed) {
      return backend.PrepareWeight(RandomWeight(role, experts, parts, cols, seed));
    };
    norm_ = make(WeightRole::kVector, 1, {{DType::kF32, 1}}, shape.d, 1);
    feed_norm_ = make(WeightRole::kVector, 1, {{DType::kF32, 1}}, shape.d, 2);
    qkv_ = make(WeightRole::kLinear, 1, {{shape.qkv[0], shape.d}, {shape.qkv[1], 64}, {shape.qkv[2], 64}}, shape.d, 3);
    o_ = make(WeightRole::kLinear, 1, {{shape.o, shape.d}}, shape.d, 4);
    router_ = make(WeightRole::kRouter, 1, {{DType::kF32, shape.experts}}, shape.d, 5);
    gate_up_ = make(WeightRole::kExperts, shape.experts, {{shape.gate_up, shape.f}, {shape.gate_up, shape.f}}, shape.d, 6);
    down_ = make(WeightRole::kExperts, shape.experts, {{shape.down, shape.d}}, shape.f, 7);
    shared_gate_up_ =
        make(WeightRole::kLinear, 1, {{shape.shared_gate_up, shape.shared_f}, {shape.shared_gate_up, shape.shared_f}}, shape.d, 8);
    shared_down_ = make(WeightRole::kLinear, 1, {{shape.shared_down, shape.d}}, shape.shared_f, 9);
    pages_ = backend.AllocPages(setup_.spec());
  }

  // One step, each row a sequence of its own; every third row is like row 0, so that they choose alike.
  std::vector<float> Run(int64_t rows, uint64_t seed) {
    const int64_t d = shape_.d;
    std::vector<float> values = Random(seed).Values(rows * d);
    for (int64_t n = 3; n < rows; ++n)
      if (n % 3 != 1) std::copy_n(values.begin(), d, values.begin() + n * d);
    const Rows x(backend_, rows, d, values), y(backend_, rows, d), qkv(backend_, rows, d + 128), q(backend_, rows, d),
        o(backend_, rows, d), ids(backend_, rows, shape_.top_k), gates(backend_, rows, shape_.top_k),
        hidden(backend_, rows, shape_.shared_f);
    int64_t next_free = setup_.page_count - 1;
    std::vector<SequencePages> sequences(static_cast<size_t>(rows), SequencePages(setup_, &next_free));
    std::vector<Cut> cuts;
    for (int n = 0; n < rows; ++n) cuts.push_back({n, 0, 1});
    const StepPlan plan = PlanOf(setup_, sequences, cuts);
    const std::vector<float> inv_freq(16, 0.5f);
    RunStep(backend_, plan, [&] {
      backend_.RmsNorm({x.act(), norm_.get(), 1e-5f, y.act()});
      backend_.Linear({y.act(), qkv_.get(), Epilogue::kStore, qkv.act()});
      backend_.RopeNormStore(
          {qkv.act(), q.act(), pages_.get(), kGlobalPages, 0, setup_.heads, true, inv_freq, true, 1e-5f, 0, 0.1});
      backend_.Attention({q.act(), pages_.get(), kGlobalPages, 0, setup_.heads, 0.2f, AttentionMask::kCausal, o.act(), {}});
      backend_.Linear({o.act(), o_.get(), Epilogue::kAdd, x.act()});
      backend_.RmsNorm({x.act(), feed_norm_.get(), 1e-5f, y.act()});
      if (!shape_.moe) {
        backend_.Linear({y.act(), shared_gate_up_.get(), Epilogue::kSwiGlu, hidden.act()});
        backend_.Linear({hidden.act(), shared_down_.get(), Epilogue::kAdd, x.act()});
        return;
      }
      backend_.Route({y.act(), router_.get(), static_cast<int32_t>(shape_.top_k), ids.act(), gates.act()});
      backend_.Experts({y.act(), ids.act(), gates.act(), gate_up_.get(), down_.get(),
                        shape_.shared ? shared_gate_up_.get() : nullptr, shape_.shared ? shared_down_.get() : nullptr, 0,
                        static_cast<int32_t>(shape_.experts), x.act()});
    });
    for (const Rows* rows_of : {&x, &y, &qkv, &q, &o, &ids, &gates}) EXPECT_TRUE(rows_of->GuardsIntact());
    std::vector<float> out = x.Read();
    // What others may read: the norm's values, and the choices.
    for (const Rows* also : {&y, &gates}) {
      if (also == &gates && !shape_.moe) continue;
      const std::vector<float> more = also->Read();
      out.insert(out.end(), more.begin(), more.end());
    }
    return out;
  }

 private:
  Backend& backend_;
  const Shape shape_;
  PageSetup setup_;
  std::unique_ptr<Weight> norm_, feed_norm_, qkv_, o_, router_, gate_up_, down_, shared_gate_up_, shared_down_;
  std::unique_ptr<KvPages> pages_;
};

std::vector<float> Right(const Shape& shape, int64_t rows, uint64_t seed) {
  const auto ref = MakeRef(Numerics::kInvariant);
  return Layer(*ref, shape).Run(rows, seed);
}
std::shared_ptr<SimtDriver> DriverOf(int warp, uint64_t seed) {
  return std::make_shared<SimtDriver>(warp, simt::Schedule{seed > 0, seed}, size_t{1} << 26);
}

class Launches : public testing::TestWithParam<int> {};

TEST_P(Launches, OfALayerWithExperts) {
  const auto driver = DriverOf(GetParam(), 0);
  const auto backend = gpu::MakeGpuBackend(std::make_shared<gpu::Device>(driver), {});
  Layer layer(*backend, {});
  for (const int64_t rows : {1, 3}) {
    static_cast<void>(driver->TakeNames());
    EXPECT_TRUE(SameBits(Right({}, rows, 5), layer.Run(rows, 5)));
    EXPECT_EQ(driver->TakeNames(), (std::vector<std::string>{"rms norm", "products of few rows", "rope, norm, store", "attention",
                                                             "rounding activations", "products of few rows", "rms norm",
                                                             "routing and gate, up of the shared expert", "gate, up of experts",
                                                             "swiglu of experts", "down of experts"}));
  }
}

TEST_P(Launches, OfADenseLayer) {
  const auto driver = DriverOf(GetParam(), 0);
  const auto backend = gpu::MakeGpuBackend(std::make_shared<gpu::Device>(driver), {});
  Shape shape;
  shape.moe = false;
  Layer layer(*backend, shape);
  static_cast<void>(driver->TakeNames());
  EXPECT_TRUE(SameBits(Right(shape, 2, 5), layer.Run(2, 5)));
  const std::vector<std::string> names = driver->TakeNames();
  EXPECT_EQ((std::vector<std::string>(names.begin() + 6, names.end())),
            (std::vector<std::string>{"rms norm", "products of few rows", "swiglu of few rows", "rounding activations",
                                      "products of few rows"}));
}

// Some of a step's launches begin before the ones before them have ended, whichever chance picks.
TEST_P(Launches, ThatBeginEarlyGiveTheSameBits) {
  struct Case {
    Shape shape;
    int64_t rows;
  };
  std::vector<Case> cases = {{{}, 1}, {{}, 12}};
  Shape shape;  // another group of an activation's scale for each weight, and two choices
  shape.top_k = 2;
  shape.qkv = {DType::kQ8_0, DType::kF16, DType::kQ6_K};
  shape.gate_up = DType::kQ5_0;
  shape.shared_down = DType::kQ8_0;
  shape.shared_f = 96;
  cases.push_back({shape, 5});
  shape.down = DType::kF16;  // floats and blocks are not one task
  cases.push_back({shape, 2});
  shape.shared_down = DType::kBF16;
  shape.shared_gate_up = DType::kF32;
  shape.gate_up = DType::kBF16;
  cases.push_back({shape, 9});
  shape.shared = false;
  cases.push_back({shape, 4});
  shape.top_k = 4;
  shape.down = DType::kQ2_K;
  cases.push_back({shape, 11});
  uint64_t begun_early = 0;
  for (const Case& c : cases) {
    const auto driver = DriverOf(GetParam(), 7 + begun_early);
    const auto backend = gpu::MakeGpuBackend(std::make_shared<gpu::Device>(driver), {});
    Layer layer(*backend, c.shape);
    for (uint64_t round = 0; round < 2; ++round)
      EXPECT_TRUE(SameBits(Right(c.shape, c.rows, round), layer.Run(c.rows, round))) << c.rows << " rows, round " << round;
    begun_early += driver->begun_early();
  }
  EXPECT_GT(begun_early, 40u);
}

INSTANTIATE_TEST_SUITE_P(Width, Launches, testing::Values(32, 64));

// A kernel that does its work before it waits, and one that does not wait.
TEST(LaunchFaults, AreFound) {
  const auto run = [](const std::function<void(gpu::KernelTable&)>& change) -> std::string {
    const auto right = Right({}, 2, 3);
    for (uint64_t seed = 1; seed < 20; ++seed) {
      const auto driver = std::make_shared<simt::FaultDriver>(DriverOf(32, seed), simt::FaultPlan{});
      driver->Change(change);
      const auto backend = gpu::MakeGpuBackend(std::make_shared<gpu::Device>(driver), {});
      try {
        if (!SameBits(right, Layer(*backend, {}).Run(2, 3))) return "other bits";
      } catch (const Error& error) {
        return error.what();
      }
    }
    return "";
  };
  EXPECT_EQ(run([](gpu::KernelTable&) {}), "");
  EXPECT_EQ(run([](gpu::KernelTable& table) { table.rms_norm = gpu::FaultyNorm16(); }), "other bits");
  const std::string lazy = run([](gpu::KernelTable& table) { table.few_tasks[0] = gpu::FaultyTasks17(); });
  EXPECT_NE(lazy.find("leaves a launch that may begin early without waiting for what is before it"), std::string::npos) << lazy;
}

// What was put off is there for whoever comes first: a copy to the host, another operation, the step's end.
TEST(LaunchesPutOff, AreThereForOthers) {
  const auto driver = DriverOf(32, 0);
  const auto backend = gpu::MakeGpuBackend(std::make_shared<gpu::Device>(driver), {});
  const auto ref = MakeRef(Numerics::kInvariant);
  for (int how = 0; how < 3; ++how) {
    std::vector<float> got[2];
    for (Backend* const b : {ref.get(), backend.get()}) {
      const auto norm = b->PrepareWeight(RandomWeight(WeightRole::kVector, 1, {{DType::kF32, 1}}, 256, 1));
      const auto router = b->PrepareWeight(RandomWeight(WeightRole::kRouter, 1, {{DType::kF32, 4}}, 256, 2));
      const Rows x(*b, 3, 256, Random(4).Values(3 * 256)), y(*b, 3, 256), z(*b, 3, 256), ids(*b, 3, 1), gates(*b, 3, 1);
      const StepPlan plan = PlainPlan(3);
      const int32_t reversed[] = {2, 1, 0};
      std::vector<float> early(3 * 256);
      RunStep(*b, plan, [&] {
        b->RmsNorm({x.act(), norm.get(), 1e-5f, y.act()});
        b->Route({y.act(), router.get(), 1, ids.act(), gates.act()});
        if (how == 0) b->GatherRows({y.act(), reversed, z.act()});
        if (how == 1) early = y.Read();
        if (how == 1) b->RmsNorm({y.act(), norm.get(), 1e-5f, z.act()});
      });
      std::vector<float>& out = got[b != ref.get()];
      for (const Rows* rows : {&y, &z, &gates}) {
        if (rows == &z && how == 2) continue;
        const auto more = rows->Read();
        out.insert(out.end(), more.begin(), more.end());
      }
      out.insert(out.end(), early.begin(), early.end());
    }
    EXPECT_TRUE(SameBits(got[0], got[1])) << how;
  }
}

}  // namespace
}  // namespace scout
