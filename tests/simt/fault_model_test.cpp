// Whole models through the public header, on the emulated device behind the functions of a plug-in, over a driver that fails at its
// n-th call, for every n of a load and of two requests that share their steps. Whatever fails: a status and a sentence, the other
// request is answered as ever, and so is the next one.
#include <gtest/gtest.h>

#include <cstdlib>

#include "backend/device_plugin.h"
#include "fault_driver.h"
#include "gpu/gpu_backend.h"
#include "support/gguf_writer.h"
#include "support/temp_dir.h"
#include "support/tiny_model.h"
#include "support/user.h"

namespace scout {

const BackendFactory& ref_backend_factory();

namespace {

using simt::DriverFault;
using simt::FaultDriver;
using simt::FaultPlan;

constexpr size_t kMemory = size_t{1} << 24;

// What the device is made of, and what fails when it is opened next.
struct Machine {
  std::shared_ptr<simt::SimtDriver> device = std::make_shared<simt::SimtDriver>(32, simt::Schedule{}, kMemory);
  FaultPlan plan;
  std::shared_ptr<FaultDriver> driver;  // the last that was opened
};
Machine& TheMachine() {
  static Machine machine;
  return machine;
}

std::unique_ptr<Backend> MakeThroughTable(const BackendOptions& options) {
  static gpu::SharedDevice shared;
  static const DevicePluginTable table = MakeDevicePluginTable([](const BackendOptions* wanted, PluginStatus* status) noexcept {
    Backend* made = nullptr;
    WriteStatus(*status, [&] {
      const auto open = []() -> std::shared_ptr<gpu::Driver> {
        Machine& machine = TheMachine();
        return machine.driver = std::make_shared<FaultDriver>(machine.device, machine.plan);
      };
      made = gpu::MakeGpuBackend(shared.Get(open), *wanted).release();
    });
    return made;
  });
  return MakeBackendOver(table, options);
}
constexpr BackendFactory kSimt = {"simt", "emulated", MakeThroughTable};

}  // namespace

std::span<const BackendFactory* const> BuiltinBackends() {
  static const BackendFactory* const kFactories[] = {&ref_backend_factory(), &kSimt};
  return kFactories;
}

namespace {

// Of one layer, so that every call can have its turn.
std::string Written(const std::string& name, uint32_t layers) {
  static const test::TempDir folder;
  const std::string file = folder / name;
  test::TinyModel tiny;
  tiny.layers = layers;
  tiny.chunk = 8;
  test::WriteFile(file, tiny.Build());
  return file;
}
const std::string& Path() {
  static const std::string path = Written("one.gguf", 1);
  return path;
}

const std::vector<int32_t> kPrompts[] = {{72, 105, 33}, {79, 104}};

struct Failure {
  int32_t status = 0;
  std::string text;
};

struct Session {
  user::Model model;
  user::Engine engine;
  Failure failure;  // of loading, or of making the engine
};

Session Open(const char* device, const std::string& path = Path(), uint64_t kv_bytes = 16384, int64_t context = 8) {
  Session session;
  scout_load_options options;
  EXPECT_EQ(scout_load_options_init(&options, sizeof options), SCOUT_OK);
  options.device = device;
  options.threads = 1;
  options.kv_format = SCOUT_KV_F16;
  options.kv_bytes = kv_bytes;
  options.context = context;
  scout_model* model = nullptr;
  int32_t status = scout_load(path.c_str(), &options, &model);
  session.model.reset(model);
  if (status == SCOUT_OK) {
    scout_engine_options of_engine = user::SteppedOptions();
    scout_engine* engine = nullptr;
    status = scout_engine_new(model, &of_engine, &engine);
    session.engine.reset(engine);
  }
  if (status != SCOUT_OK) session.failure = {status, scout_last_error()};
  return session;
}

// Both requests in the same steps, to their ends.
std::vector<user::Answer> Ask(const Session& session) {
  std::vector<user::Request> requests;
  for (const std::vector<int32_t>& prompt : kPrompts) {
    scout_request_options options = user::RequestOptions();
    options.max_tokens = 2;
    options.ignore_end = 1;
    options.logprobs = 1;
    requests.push_back(user::Submit(session.engine, prompt, options));
  }
  while (scout_engine_step(session.engine.get(), 1000) == SCOUT_OK) {
  }
  std::vector<user::Answer> answers;
  for (const user::Request& request : requests) answers.push_back(user::Read(request.get()));
  return answers;
}

bool Same(const user::Answer& got, const user::Answer& want) {
  return got.status == SCOUT_OK && got.ids == want.ids && got.logprobs == want.logprobs;
}

// As `ref` answers.
const std::vector<user::Answer>& Right() {
  static const std::vector<user::Answer> answers = Ask(Open("ref"));
  return answers;
}

void ExpectSentence(DriverFault fault, const Failure& failure) {
  const bool memory = fault == DriverFault::kNoMemory || fault == DriverFault::kEaten;
  EXPECT_EQ(failure.status, memory ? SCOUT_ERR_NO_MEMORY : SCOUT_ERR_DEVICE) << failure.text;
  if (fault == DriverFault::kFailure) {
    EXPECT_NE(failure.text.find("planted (999)"), std::string::npos) << failure.text;
  }
  if (fault == DriverFault::kLost) {
    EXPECT_NE(failure.text.find("fallen off the bus (46)"), std::string::npos) << failure.text;
  }
  // How much is free, of the device or of the host that copies for it.
  if (memory) {
    EXPECT_TRUE(failure.text.find(" bytes of an emulated device with warps of 32 are free") != std::string::npos ||
                failure.text.find(" are left by ") != std::string::npos ||
                failure.text.find("asked for its name") != std::string::npos)
        << failure.text;
  }
}

class EveryCall : public testing::TestWithParam<DriverFault> {};

TEST_P(EveryCall, MayFailAndTheNextRunIsRight) {
  const DriverFault fault = GetParam();
  ASSERT_EQ(Right().size(), 2u);
  ASSERT_EQ(Right()[0].ids.size(), 2u);
  Machine& machine = TheMachine();
  int64_t refused = 0, ended = 0, unharmed = 0, call = 0;
  for (bool fired = true; fired; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    ASSERT_LT(call, 5000);
    machine.plan = {fault, call};
    {
      Session session = Open("simt");
      machine.plan = {};
      if (session.failure.status != SCOUT_OK) {
        ASSERT_TRUE(machine.driver->fired()) << session.failure.text;
        ExpectSentence(fault, session.failure);
        ++refused;
        session = {};
      } else {
        const std::vector<user::Answer> answers = Ask(session);
        int64_t wrong = 0;
        for (size_t i = 0; i < answers.size(); ++i) {
          if (Same(answers[i], Right()[i])) continue;
          ++wrong;
          EXPECT_NE(answers[i].status, SCOUT_OK) << "another answer without an error";
          ExpectSentence(fault, {answers[i].status, answers[i].message});
        }
        fired = machine.driver->fired();
        // A step that failed is repeated with each request alone, so what passes harms nobody.
        if (!fired || fault == DriverFault::kFailure || fault == DriverFault::kNoMemory) {
          EXPECT_EQ(wrong, 0);
        }
        (wrong > 0 ? ended : unharmed) += 1;
        machine.driver->Heal();
        if (fault == DriverFault::kLost && fired) session = {};  // then the device is opened again below
      }
      if (session.engine) {
        const std::vector<user::Answer> again = Ask(session);
        for (size_t i = 0; i < again.size(); ++i) ASSERT_TRUE(Same(again[i], Right()[i])) << again[i].message;
      }
    }
    ASSERT_EQ(machine.device->used_bytes(), 0u);
    // Loading again is what comes after a refused load or a lost device; every few calls is enough for the others.
    if (fault == DriverFault::kLost || call % 16 == 0) {
      const Session session = Open("simt");
      ASSERT_EQ(session.failure.status, SCOUT_OK) << session.failure.text;
      const std::vector<user::Answer> again = Ask(session);
      for (size_t i = 0; i < again.size(); ++i) ASSERT_TRUE(Same(again[i], Right()[i])) << again[i].message;
    }
  }
  std::printf("  %lld calls: %lld loads refused, %lld runs with a request that failed, %lld without\n",
              static_cast<long long>(call), static_cast<long long>(refused), static_cast<long long>(ended),
              static_cast<long long>(unharmed));
  EXPECT_GT(refused, 20);
  EXPECT_EQ(ended > 0, fault == DriverFault::kEaten || fault == DriverFault::kLost);
  EXPECT_GT(unharmed, 0);
}

std::string NameOfFault(const testing::TestParamInfo<DriverFault>& info) {
  const char* const names[] = {"Failure", "NoMemory", "Eaten", "Lost"};
  return names[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(GpuFaults, EveryCall,
                         testing::Values(DriverFault::kFailure, DriverFault::kNoMemory, DriverFault::kEaten, DriverFault::kLost),
                         NameOfFault);

TEST(GpuFaults, MorePagesThanAreFreeAreRefusedWithNumbers) {
  const Session session = Open("simt", Written("four.gguf", 4), uint64_t{1} << 30, 4096);
  EXPECT_EQ(session.failure.status, SCOUT_ERR_NO_MEMORY);
  for (const char* const words : {"the engine needs ", " for its context pages", " are left by the device \"simt32\""})
    EXPECT_NE(session.failure.text.find(words), std::string::npos) << session.failure.text;
}

}  // namespace
}  // namespace scout
