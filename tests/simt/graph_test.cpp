// Steps that come again are handed over as graphs: the same bits as `ref` gives, one call instead of a launch for each kernel, and
// a graph that the driver refuses costs nothing but the launches.
#include "../ops/op_test.h"
#include "../support/sanitized.h"
#include "fault_driver.h"
#include "gpu/gpu_backend.h"
#include "gpu/launch_list.h"

namespace scout {
namespace {

using simt::DriverFault;
using simt::FaultDriver;
using simt::SimtDriver;

// A norm, experts, and a product that is added: several pieces of temporary memory, of which the first step gives some up.
class Layer {
 public:
  static constexpr int64_t kWidth = 64;
  explicit Layer(Backend& backend)
      : backend_(backend),
        norm_(backend.PrepareWeight(RandomWeight(WeightRole::kVector, 1, {{DType::kF32, 1}}, kWidth, 1))),
        router_(backend.PrepareWeight(RandomWeight(WeightRole::kRouter, 1, {{DType::kF32, 4}}, kWidth, 2))),
        gate_up_(backend.PrepareWeight(RandomWeight(WeightRole::kExperts, 4, {{DType::kQ8_0, 2 * 32}}, kWidth, 3))),
        down_(backend.PrepareWeight(RandomWeight(WeightRole::kExperts, 4, {{DType::kQ8_0, kWidth}}, 32, 4))),
        last_(backend.PrepareWeight(RandomWeight(WeightRole::kLinear, 1, {{DType::kQ8_0, kWidth}}, kWidth, 5))) {}

  // One step over rows that depend on `round`, in memory that does as well.
  std::optional<Error> Run(int round, int64_t rows, std::vector<float>* out) {
    const std::unique_ptr<Rows> elsewhere = round % 2 == 0 ? nullptr : std::make_unique<Rows>(backend_, 1, 100);
    const Rows x(backend_, rows, kWidth, Random(100 + static_cast<uint64_t>(round)).Values(rows * kWidth));
    const Rows y(backend_, rows, kWidth), ids(backend_, rows, 2), gates(backend_, rows, 2);
    const StepPlan plan = PlainPlan(rows);
    backend_.BeginStep(plan);
    backend_.RmsNorm({x.act(), norm_.get(), 1e-5f, y.act()});
    backend_.Route({y.act(), router_.get(), 2, ids.act(), gates.act()});
    backend_.Experts({y.act(), ids.act(), gates.act(), gate_up_.get(), down_.get(), nullptr, nullptr, 0, 4, x.act()});
    backend_.Linear({y.act(), last_.get(), Epilogue::kAdd, x.act()});
    if (auto error = backend_.EndStep()) return error;
    *out = x.Read();
    EXPECT_TRUE(x.GuardsIntact() && y.GuardsIntact());
    return std::nullopt;
  }

 private:
  Backend& backend_;
  std::unique_ptr<Weight> norm_, router_, gate_up_, down_, last_;
};

std::vector<float> Right(int round, int64_t rows) {
  const auto ref = MakeBackend("ref", {});
  std::vector<float> out;
  EXPECT_FALSE(Layer(*ref).Run(round, rows, &out).has_value());
  return out;
}
bool Same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class StepGraph : public testing::TestWithParam<int> {};

TEST_P(StepGraph, AStepThatComesAgainIsOneCallWithTheSameBits) {
  const auto driver = std::make_shared<SimtDriver>(GetParam(), simt::Schedule{}, size_t{1} << 24);
  {
    const auto backend = gpu::MakeGpuBackend(std::make_shared<gpu::Device>(driver), {});
    Layer layer(*backend);
    const int64_t batches[] = {3, 3, 3, 1, 2, 3, 3};
    SimtDriver::Calls before;
    uint64_t kernels = 0;
    int graphs = 0;
    for (int round = 0; round < 7; ++round) {
      SCOPED_TRACE("round " + std::to_string(round));
      std::vector<float> out;
      const uint64_t run = driver->launches();
      ASSERT_FALSE(layer.Run(round, batches[round], &out).has_value());
      EXPECT_TRUE(Same(out, Right(round, batches[round])));
      const SimtDriver::Calls after = driver->calls();
      if (round == 0) kernels = driver->launches() - run;
      EXPECT_EQ(driver->launches() - run, kernels);
      // The first step of a new backend is cut where memory is given up, so its sequences come once.
      if (round >= 2) {
        EXPECT_EQ(after.launches, before.launches) << "kernels that were launched one by one";
        EXPECT_EQ(after.graph_launches, before.graph_launches + 1);
        EXPECT_EQ(after.graphs_made, before.graphs_made + (graphs++ == 0 ? 1 : 0));
      } else {
        EXPECT_EQ(after.launches, before.launches + kernels);
      }
      before = after;
    }
    EXPECT_EQ(kernels, 7u);
    EXPECT_GT(before.graph_updates, 0u);
    EXPECT_LE(before.graph_updates, 4 * kernels);
    EXPECT_EQ(driver->graphs(), 1u);
  }
  EXPECT_EQ(driver->graphs(), 0u);
  EXPECT_EQ(driver->used_bytes(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Width, StepGraph, testing::Values(32, 64));

TEST(StepGraph, AStepOfManyRowsIsLaunchedAtOnce) {
  const auto driver = std::make_shared<SimtDriver>(32, simt::Schedule{}, size_t{1} << 24);
  const auto backend = gpu::MakeGpuBackend(std::make_shared<gpu::Device>(driver), {});
  Layer layer(*backend);
  for (int round = 0; round < 3; ++round) {
    std::vector<float> out;
    ASSERT_FALSE(layer.Run(round, 65, &out).has_value());
    EXPECT_TRUE(Same(out, Right(round, 65)));
  }
  EXPECT_EQ(driver->calls().graph_launches, 0u);
}

// Every call fails in turn: making or updating a graph is done without, anything else is the step's error. Under sanitizers the two
// faults that take the way of the first take every fifth call, which no period of the launches is a multiple of.
TEST(StepGraph, AGraphThatIsRefusedIsDoneWithout) {
  constexpr int kRounds = 4;
  std::vector<std::vector<float>> right;
  for (int round = 0; round < kRounds; ++round) right.push_back(Right(round, 2));
  for (const DriverFault fault : {DriverFault::kFailure, DriverFault::kNoMemory, DriverFault::kLost}) {
    const auto simt = std::make_shared<SimtDriver>(32, simt::Schedule{}, size_t{1} << 24);
    int64_t errors = 0, without = 0;
    bool fired = true;
    const int64_t stride = test::kSanitized && fault != DriverFault::kFailure ? 5 : 1;
    for (int64_t call = 0; fired; call += stride) {
      SCOPED_TRACE("fault " + std::to_string(static_cast<int>(fault)) + " at call " + std::to_string(call));
      ASSERT_LT(call, 2000);
      const auto driver = std::make_shared<FaultDriver>(simt, simt::FaultPlan{fault, call});
      bool failed = false;
      try {
        const auto backend = gpu::MakeGpuBackend(std::make_shared<gpu::Device>(driver), {});
        Layer layer(*backend);
        for (int round = 0; round < kRounds && !failed; ++round) {
          std::vector<float> out;
          failed = layer.Run(round, 2, &out).has_value();
          if (!failed) {
            ASSERT_TRUE(Same(out, right[static_cast<size_t>(round)]));
          }
        }
      } catch (const Error&) {
        failed = true;
      }
      fired = driver->fired();
      const bool refused = driver->refused_graph() && fault != DriverFault::kLost;
      ASSERT_EQ(failed, fired && !refused);
      errors += failed;
      without += refused;
      ASSERT_EQ(simt->graphs(), 0u);
      ASSERT_EQ(simt->used_bytes(), 0u);
    }
    EXPECT_GT(errors, 20 / stride);
    EXPECT_EQ(without > (stride == 1 ? 2 : 0), fault != DriverFault::kLost);
  }
}

struct Adding {
  int64_t* to;
  int64_t what;
};
template <int kFactor>
void AddKernel(const void* arguments) {
  const auto& adding = *static_cast<const Adding*>(arguments);
  if (simt::Machine::Current().thread() == 0) *adding.to = *adding.to * 3 + kFactor * adding.what;
}

// More sequences than graphs are kept: each launch is done once, in order, and the graphs stay few.
TEST(LaunchList, KeepsFewGraphsAndLosesNothing) {
  const auto driver = std::make_shared<SimtDriver>(32, simt::Schedule{}, size_t{1} << 20);
  const auto device = std::make_shared<gpu::Device>(driver);
  gpu::Stream stream = nullptr;
  ASSERT_TRUE(driver->MakeStream(&stream).ok());
  {
    gpu::LaunchList list(device);
    const auto run = [&](unsigned sequence, int64_t what) {
      int64_t got = 0, want = 0;
      for (int bit = 0; bit < 5; ++bit) {
        const bool second = (sequence >> bit & 1) != 0;
        const Adding adding{&got, what + bit};
        list.Add({"a test",
                  reinterpret_cast<const void*>(second ? &AddKernel<7> : &AddKernel<2>),
                  {1, 1},
                  32,
                  0,
                  &adding,
                  sizeof adding});
        want = want * 3 + (second ? 7 : 2) * (what + bit);
      }
      EXPECT_FALSE(list.empty());
      list.Flush(stream);
      EXPECT_TRUE(list.empty());
      EXPECT_EQ(got, 0);  // nothing has run yet
      EXPECT_TRUE(driver->Synchronize(stream).ok());
      EXPECT_EQ(got, want) << "sequence " << sequence;
    };
    for (unsigned sequence = 0; sequence < 32; ++sequence) {
      for (int64_t again = 0; again < 3; ++again) run(sequence, 10 * again + sequence);
      EXPECT_LE(driver->graphs(), gpu::LaunchList::kMostGraphs);
    }
    EXPECT_EQ(driver->graphs(), gpu::LaunchList::kMostGraphs);
    EXPECT_EQ(driver->calls().graphs_made, 32u);
    // The latest are there, the first has been given up.
    run(31, 5);
    EXPECT_EQ(driver->calls().graphs_made, 32u);
    run(0, 5);
    run(0, 6);
    EXPECT_EQ(driver->calls().graphs_made, 33u);
    // What is dropped is not launched.
    const uint64_t launches = driver->launches();
    int64_t nothing = 0;
    const Adding adding{&nothing, 1};
    list.Add({"a test", reinterpret_cast<const void*>(&AddKernel<2>), {1, 1}, 32, 0, &adding, sizeof adding});
    list.Drop();
    list.Flush(stream);
    EXPECT_TRUE(driver->Synchronize(stream).ok());
    EXPECT_EQ(driver->launches(), launches);
  }
  EXPECT_EQ(driver->graphs(), 0u);
  driver->FreeStream(stream);
}

}  // namespace
}  // namespace scout
