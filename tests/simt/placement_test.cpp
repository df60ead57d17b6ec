// Models over emulated devices and processors: the bits of one device, whatever the warps' widths; experts that a device has no
// room for go to the processor; a driver that fails anywhere ends the step with its sentence. This program has its own list of
// devices.
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "fault_driver.h"
#include "gpu/gpu_backend.h"
#include "model/model.h"
#include "support/memory_checkpoint.h"
#include "support/plan_builder.h"

namespace scout {

const BackendFactory& ref_backend_factory();
const BackendFactory& cpu_backend_factory();

namespace {

constexpr size_t kSmallMemory = 1 << 19;

// The device of one name; made again for each test that changes what it is.
struct Machine {
  std::shared_ptr<simt::FaultDriver> driver;
  std::shared_ptr<gpu::Device> device;
};
Machine MakeMachine(int warp, size_t bytes) {
  Machine machine;
  machine.driver =
      std::make_shared<simt::FaultDriver>(std::make_shared<simt::SimtDriver>(warp, simt::Schedule{}, bytes), simt::FaultPlan{});
  machine.device = std::make_shared<gpu::Device>(machine.driver);
  return machine;
}
template <int kIndex>
Machine& TheMachine() {
  static Machine machine = MakeMachine(kIndex == 1 ? 64 : 32, kIndex == 2 ? kSmallMemory : size_t{1} << 28);
  return machine;
}
template <int kIndex>
std::unique_ptr<Backend> Make(const BackendOptions& options) {
  return gpu::MakeGpuBackend(TheMachine<kIndex>().device, options);
}
constexpr BackendFactory kDevices[] = {
    {"first", "emulated", Make<0>}, {"second", "emulated, wider warps", Make<1>}, {"small", "emulated, little memory", Make<2>}};

}  // namespace

std::span<const BackendFactory* const> BuiltinBackends() {
  static const BackendFactory* const kFactories[] = {&ref_backend_factory(), &cpu_backend_factory(), &kDevices[0], &kDevices[1],
                                                     &kDevices[2]};
  return kFactories;
}

namespace model {
namespace {

test::TinySpec Spec() {
  test::TinySpec spec;
  spec.layers = 3;
  spec.moe_step = 1;
  spec.experts_used = 2;
  return spec;
}

std::shared_ptr<const Model> Load(const std::string& devices, const std::string& placement, const test::TinySpec& spec = Spec()) {
  LoadOptions options;
  options.device = devices;
  options.placement = placement;
  options.backend.threads = 1;
  LoadProgress progress;
  return Model::Load(test::MakeTinyGguf(spec), options, progress);
}

std::vector<float> Logits(const Model& model, int64_t step) {
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 11; ++i) tokens.push_back((i * 29 + i * i * 3 + 7) % 64);
  const auto length = static_cast<int64_t>(tokens.size());
  RunnerOptions options;
  options.page_size = 4;
  options.k_format = options.v_format = DType::kF16;
  options.max_rows = options.max_logit_rows = static_cast<int32_t>(length);
  for (int g = 0; g < kPageGroups; ++g) {
    const PageGeometry geometry{options.page_size, g == kLocalPages ? model.config().attention_chunk : 0};
    if (model.BytesPerPosition(g, DType::kF16, DType::kF16) > 0)
      options.page_count[static_cast<size_t>(g)] = geometry.PagesFor(0, length);
  }
  const auto runner = model.NewRunner(options);
  test::PagePools pools(options.page_count);
  test::SequencePlanner sequence(pools, {runner->geometry(kLocalPages), runner->geometry(kGlobalPages)});
  const auto v = static_cast<size_t>(runner->vocabulary());
  std::vector<float> logits(tokens.size() * v);
  for (int64_t at = 0; at < length; at += step) {
    const auto count = static_cast<size_t>(std::min(step, length - at));
    const StepPlan plan = sequence.Next(std::span(tokens).subspan(static_cast<size_t>(at), count), test::WantLogits::kAll);
    runner->Begin(plan);
    while (!runner->Advance()) {
    }
    if (const auto error = runner->Finish()) throw *error;
    for (size_t row = 0; row < count; ++row)
      runner->ReadLogits(static_cast<int32_t>(row), std::span(logits).subspan((static_cast<size_t>(at) + row) * v, v));
  }
  return logits;
}

bool BitEqual(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Steps that come again are graphs on each device, which the placement does not see.
TEST(GpuPlacement, RepeatsStepsAsGraphsOfEachDevice) {
  const std::vector<float> want = Logits(*Load("ref", ""), 1);
  const char* const spreads[][2] = {{"first,second", "layers 0-1=first; layers 2=second; head=second"},
                                    {"first", "experts=second"}};
  for (const auto& [devices, placement] : spreads) {
    SCOPED_TRACE(StrCat(devices, ": ", placement));
    const auto model = Load(devices, placement);
    const auto launches = [] {
      return std::array{TheMachine<0>().driver->inner().calls().graph_launches,
                        TheMachine<1>().driver->inner().calls().graph_launches};
    };
    const auto before = launches();
    EXPECT_TRUE(BitEqual(want, Logits(*model, 1)));
    const auto after = launches();
    EXPECT_GT(after[0], before[0] + 5);
    EXPECT_GT(after[1], before[1] + 5);
  }
}

TEST(GpuPlacement, GivesTheBitsOfTheProcessor) {
  const std::vector<float> want = Logits(*Load("ref", ""), 64);
  const char* const spreads[][2] = {{"first,second", ""},
                                    {"first", "experts=cpu"},
                                    {"cpu", "experts=second"},
                                    {"first", "experts=second; experts[0-1]=first; experts[3]=cpu"},
                                    {"second", "layers 0=cpu; head=first; experts 2=cpu"}};
  for (const auto& [devices, placement] : spreads) {
    SCOPED_TRACE(StrCat(devices, ": ", placement));
    const auto model = Load(devices, placement);
    EXPECT_GT(model->device_parts().size(), 1u) << model->placement();
    for (const int64_t step : {64, 4}) EXPECT_TRUE(BitEqual(want, Logits(*model, step))) << "steps of " << step;
  }
}

TEST(GpuPlacement, ExpertsThatADeviceHasNoRoomForGoToTheProcessor) {
  test::TinySpec spec = Spec();
  spec.experts = 16;
  spec.expert_hidden = 32;
  const std::vector<float> want = Logits(*Load("ref", "", spec), 64);
  for (const char* devices : {"small", "small,cpu"}) {
    const auto model = Load(devices, "", spec);
    SCOPED_TRACE(model->placement());
    const auto parts = model->device_parts();
    ASSERT_EQ(parts.size(), 2u);
    EXPECT_EQ(parts[0].name, "small");
    EXPECT_EQ(parts[1].name, "cpu");
    EXPECT_NE(model->placement().find("layers 0-2=small; experts "), std::string::npos);
    EXPECT_LT(parts[0].weight_bytes, kSmallMemory);
    EXPECT_TRUE(BitEqual(want, Logits(*model, 64)));
  }
  const auto fits = Load("first", "", spec);
  EXPECT_EQ(fits->placement(), "embedding=first; layers 0-2=first; head=first");
}

TEST(GpuPlacement, AnExplicitOneThatDoesNotFitIsRefusedWithNumbers) {
  test::TinySpec spec = Spec();
  spec.experts = 16;
  spec.expert_hidden = 32;
  for (const char* placement : {"all=small", "experts=small"}) {
    try {
      Load("cpu", placement, spec);
      FAIL() << placement;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNoMemory);
      EXPECT_NE(std::string(error.what()).find("are left by the device \"simt32\""), std::string::npos) << error.what();
    }
  }
}

// Whatever call of the first device's driver fails in a run: a sentence, and the next run is right.
TEST(GpuPlacement, ADriverMayFailAnywhereInARun) {
  const std::vector<float> want = Logits(*Load("ref", ""), 64);
  const auto model = Load("first", "experts=cpu; layers 2=second");
  simt::FaultDriver& driver = *TheMachine<0>().driver;
  int failures = 0;
  int64_t call = 0;
  for (bool fired = true; fired; call += 7) {
    ASSERT_LT(call, 5000);
    driver.Plan({simt::DriverFault::kFailure, call});
    try {
      EXPECT_TRUE(BitEqual(want, Logits(*model, 64)));
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("planted (999)"), std::string::npos) << error.what();
      ++failures;
    }
    fired = driver.fired();
    driver.Heal();
    EXPECT_TRUE(BitEqual(want, Logits(*model, 64))) << "after call " << call;
  }
  EXPECT_GT(failures, 3);
}

}  // namespace
}  // namespace model
}  // namespace scout
