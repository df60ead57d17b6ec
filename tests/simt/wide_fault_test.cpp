// Faults planted in the words that products of four warps and in tensor memory use: the emulator tells each, or the result differs;
// and a device whose own instructions give other numbers goes without them and says so.
#include "../ops/op_test.h"
#include "base/log.h"
#include "fault_driver.h"
#include "gpu/arguments.h"
#include "gpu/gpu_backend.h"

namespace scout {
namespace gpu {
#define SCOUT_PLANTED_FAULT(number)      \
  const void* FaultyCheckFast##number(); \
  const void* FaultyWide##number();
SCOUT_PLANTED_FAULT(9)
SCOUT_PLANTED_FAULT(10)
SCOUT_PLANTED_FAULT(11)
SCOUT_PLANTED_FAULT(12)
SCOUT_PLANTED_FAULT(13)
SCOUT_PLANTED_FAULT(14)
SCOUT_PLANTED_FAULT(15)
#undef SCOUT_PLANTED_FAULT
#define SCOUT_PLANTED_FAULT(number)        \
  const void* FaultyCheckTensor##number(); \
  const void* FaultyTensor##number();
SCOUT_PLANTED_FAULT(18)
SCOUT_PLANTED_FAULT(19)
SCOUT_PLANTED_FAULT(20)
SCOUT_PLANTED_FAULT(21)
SCOUT_PLANTED_FAULT(22)
SCOUT_PLANTED_FAULT(23)
SCOUT_PLANTED_FAULT(24)
SCOUT_PLANTED_FAULT(25)
SCOUT_PLANTED_FAULT(26)
SCOUT_PLANTED_FAULT(27)
SCOUT_PLANTED_FAULT(28)
}  // namespace gpu

namespace {

using gpu::KernelTable;

std::shared_ptr<gpu::Device> DeviceWith(bool random, const std::function<void(KernelTable&)>& change) {
  const auto driver = std::make_shared<simt::FaultDriver>(
      std::make_shared<simt::SimtDriver>(32, simt::Schedule{random, 9}, size_t{1} << 28), simt::FaultPlan{});
  driver->Change(change);
  return std::make_shared<gpu::Device>(driver);
}
std::unique_ptr<Backend> MakeFast(bool random, const std::function<void(KernelTable&)>& change) {
  BackendOptions options;
  options.numerics = Numerics::kFast;
  return gpu::MakeGpuBackend(DeviceWith(random, change), options);
}
// A check that finds matrix instructions over halves and no more.
const void* NoMore() {
  void (*const no_more)(const void*) = [](const void* arguments) { static_cast<const gpu::CheckFastArgs*>(arguments)->has[0] = 1; };
  return reinterpret_cast<const void*>(no_more);
}
// A device with products of four warps, and none in tensor memory.
std::unique_ptr<Backend> MakeWide(bool random, const std::function<void(KernelTable&)>& change) {
  return MakeFast(random, [&](KernelTable& table) {
    table.check_tensor = NoMore();
    change(table);
  });
}

constexpr int kQ4_K = 7;

// Twelve steps of 64 values, so that every stage of the rings is filled again.
std::vector<float> RunProduct(Backend& backend) {
  const int64_t k = 3 * 256 + 1024, rows = 40, outputs = 150;
  const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{DType::kQ4_K, outputs}}, k, 41);
  const auto weight = backend.PrepareWeight(desc);
  const Rows in(backend, rows, k, Random(42).Values(rows * k));
  const Rows out(backend, rows, outputs);
  RunStep(backend, PlainPlan(rows), [&] { backend.Linear({in.act(), weight.get(), Epilogue::kStore, out.act()}); });
  return out.Read();
}

struct Planted {
  int number;
  const void* kernel;
  std::vector<std::string> sentences;  // one of them; none: the result differs
};
// Each of `planted`, where change(table, kernel) puts it.
template <typename Make, typename Change>
void ExpectFound(const std::vector<Planted>& planted, const Make& make, const Change& change) {
  for (const bool random : {false, true}) {
    const std::vector<float> right = RunProduct(*make(random, [](KernelTable&) {}));
    for (const Planted& fault : planted) {
      SCOPED_TRACE(std::to_string(fault.number) + (random ? ", at random" : ""));
      const auto backend = make(random, [&](KernelTable& table) { change(table, fault.kernel); });
      try {
        EXPECT_FALSE(SameBits(RunProduct(*backend), right));
        EXPECT_TRUE(fault.sentences.empty()) << "not told";
      } catch (const Error& error) {
        const std::string text = error.what();
        bool told = false;
        for (const std::string& sentence : fault.sentences) told = told || text.find(sentence) != std::string::npos;
        EXPECT_TRUE(told) << text;
      }
    }
  }
}

TEST(WideFaults, EachIsFoundInAProduct) {
  ExpectFound({{9, gpu::FaultyWide9(), {"is on its way", "which no copy has brought"}},
               {10, gpu::FaultyWide10(), {}},
               {11, gpu::FaultyWide11(), {"leaves the kernel without waiting", "before its wait"}},
               {12, gpu::FaultyWide12(), {}},
               {13, gpu::FaultyWide13(), {"has read since the last barrier"}},
               {14, gpu::FaultyWide14(), {"without a fence before it"}},
               {15, gpu::FaultyWide15(), {"no thread can go on", "is on its way", "has read since the last barrier"}}},
              MakeWide, [](KernelTable& table, const void* kernel) { table.blocks[kQ4_K].fast.wide.kernel[0] = kernel; });
}

TEST(TensorFaults, EachIsFoundInAProduct) {
  ExpectFound({{18, gpu::FaultyTensor18(), {"without a fence between them"}},
               {19, gpu::FaultyTensor19(), {"has stored without telling"}},
               {20, gpu::FaultyTensor20(), {"no thread can go on"}},
               {21, gpu::FaultyTensor21(), {}},
               {22, gpu::FaultyTensor22(), {"ends without freeing its tensor memory"}},
               {23, gpu::FaultyTensor23(), {"which is not reserved"}},
               {24, gpu::FaultyTensor24(), {}},
               {25, gpu::FaultyTensor25(), {}},
               {26, gpu::FaultyTensor26(), {"is on its way", "has read since the last barrier"}},
               {27, gpu::FaultyTensor27(), {"has read since the last barrier", "has stored without telling"}},
               {28, gpu::FaultyTensor28(), {"no thread can go on", "is on its way", "has read since the last barrier"}}},
              MakeFast, [](KernelTable& table, const void* kernel) { table.blocks[kQ4_K].fast.tensor.kernel[0] = kernel; });
}

TEST(WideFaults, ADeviceWhoseOwnGiveOtherNumbersGoesWithoutThem) {
  OpenLogQueue(static_cast<int32_t>(LogLevel::kWarning), 8);
  const auto plain = MakeWide(false, [](KernelTable& table) { table.check_fast = NoMore(); });
  const std::vector<float> right = RunProduct(*plain);
  LogLine line;
  EXPECT_EQ(TakeLogLine(0, 1000, line), LogTake::kNone);
  for (const void* const kernel : {gpu::FaultyCheckFast10(), gpu::FaultyCheckFast12()}) {
    const auto backend = MakeWide(false, [&](KernelTable& table) { table.check_fast = kernel; });
    ASSERT_EQ(TakeLogLine(0, 1000, line), LogTake::kLine);
    EXPECT_NE(line.text.find("the device's products of four warps fail their self-test: F16 by 64 columns gives "),
              std::string::npos)
        << line.text;
    EXPECT_NE(line.text.find("numerics fast goes without them"), std::string::npos) << line.text;
    EXPECT_TRUE(SameBits(RunProduct(*backend), right));
  }
  OpenLogQueue(static_cast<int32_t>(LogLevel::kWarning), 0);
}

// One that has both loses the better kind only.
TEST(TensorFaults, ADeviceWhoseOwnGiveOtherNumbersGoesWithoutThem) {
  OpenLogQueue(static_cast<int32_t>(LogLevel::kWarning), 8);
  const std::vector<float> right = RunProduct(*MakeWide(false, [](KernelTable&) {}));
  LogLine line;
  EXPECT_EQ(TakeLogLine(0, 1000, line), LogTake::kNone);
  for (const void* const kernel : {gpu::FaultyCheckTensor21(), gpu::FaultyCheckTensor24(), gpu::FaultyCheckTensor25()}) {
    const auto backend = MakeFast(false, [&](KernelTable& table) {
      table.check_tensor = kernel;
      table.blocks[kQ4_K].fast.tensor.kernel[0] = gpu::FaultyTensor22();
    });
    ASSERT_EQ(TakeLogLine(0, 1000, line), LogTake::kLine);
    EXPECT_NE(line.text.find("the device's products in tensor memory fail their self-test: F16 by 64 columns gives "),
              std::string::npos)
        << line.text;
    EXPECT_TRUE(SameBits(RunProduct(*backend), right));
  }
  OpenLogQueue(static_cast<int32_t>(LogLevel::kWarning), 0);
}

// What the emulator itself refuses fails the check as it would fail on a device: by an error of the driver.
TEST(WideFaults, TheCheckMeetsEachWord) {
  const struct {
    bool tensor;
    const void* kernel;
    const char* sentence;
  } planted[] = {{false, gpu::FaultyCheckFast9(), "is on its way"},
                 // Of a factor or of the sums, as the compiler lays them out.
                 {false, gpu::FaultyCheckFast11(), "before its wait"},
                 {false, gpu::FaultyCheckFast14(), "without a fence before it"},
                 {true, gpu::FaultyCheckTensor18(), "without a fence between them"},
                 {true, gpu::FaultyCheckTensor19(), "has stored without telling"},
                 {true, gpu::FaultyCheckTensor20(), "no thread can go on"},
                 {true, gpu::FaultyCheckTensor22(), "ends without freeing its tensor memory"},
                 {true, gpu::FaultyCheckTensor23(), "which is not reserved"},
                 {true, gpu::FaultyCheckTensor26(), "what is not there"}};
  for (const auto& fault : planted) {
    SCOPED_TRACE(fault.sentence);
    try {
      DeviceWith(false, [&](KernelTable& table) {
        (fault.tensor ? table.check_tensor : table.check_fast) = fault.kernel;
      })->fast_instructions();
      ADD_FAILURE() << "passed";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(fault.sentence), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace scout
