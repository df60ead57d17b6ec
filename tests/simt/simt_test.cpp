// The emulator itself: what right kernels compute, and that wrong ones are caught. Compiled once per warp width.
#include <gpu_vendor.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "device_memory.h"
#include "machine.h"
#include "mma_software.h"

namespace scout::SCOUT_GPU {
namespace {

constexpr simt::LaneMask kAll = kWarp == 64 ? ~simt::LaneMask{0} : 0xffffffff;

// Both schedules, the random one with a few seeds.
const simt::Schedule kSchedules[] = {{false, 0}, {true, 1}, {true, 2}, {true, 3}};

template <typename Arguments>
void RunGrid(void (*run)(const void*), const Arguments& arguments, unsigned blocks, unsigned threads, size_t shared_bytes,
             const simt::Schedule& schedule) {
  simt::Machine machine;
  simt::Launch launch;
  launch.grid[0] = blocks;
  launch.threads = threads;
  launch.shared_bytes = shared_bytes;
  launch.warp = kWarp;
  launch.run = run;
  launch.arguments = &arguments;
  machine.Run(launch, schedule);
}
template <auto kKernel, typename Arguments>
void RunKernel(const Arguments& arguments, unsigned blocks, unsigned threads, size_t shared_bytes, const simt::Schedule& schedule) {
  RunGrid([](const void* a) { kKernel(*static_cast<const Arguments*>(a)); }, arguments, blocks, threads, shared_bytes, schedule);
}
// The sentence with which a kernel is refused under every schedule; "" when one of them lets it pass.
template <auto kKernel, typename Arguments>
std::string FaultOf(const Arguments& arguments, unsigned threads, size_t shared_bytes) {
  std::string sentence;
  for (const simt::Schedule& schedule : kSchedules) {
    try {
      RunKernel<kKernel>(arguments, 2, threads, shared_bytes, schedule);
      return "";
    } catch (const simt::Fault& fault) {
      sentence = fault.what();
    }
  }
  return sentence;
}

struct Values {
  const int* in;
  int* out;
  int count;
};

// The sum of each block's values: in a tree over shared memory, and over the warp's lanes at the end.
GPU_KERNEL SumKernel(Values v) {
  SharedCursor cursor;
  auto partial = cursor.Take<int>(Threads());
  const int at = BlockX() * Threads() + Thread();
  partial[Thread()] = at < v.count ? v.in[at] : 0;
  SyncBlock();
  for (int half = Threads() / 2; half >= kWarp; half /= 2) {
    if (Thread() < half) partial[Thread()] += partial[Thread() + half];
    SyncBlock();
  }
  if (Thread() >= kWarp) return;
  int sum = partial[Thread()];
  for (int bits = kWarp / 2; bits > 0; bits /= 2) sum += ShflXor(kAll, sum, bits);
  if (Thread() == 0) v.out[BlockX()] = sum;
}

TEST(Simt, TreesOverSharedMemoryAndLanesAddUp) {
  std::vector<int> in(1000), out(4);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i * i % 977);
  for (const simt::Schedule& schedule : kSchedules) {
    RunKernel<&SumKernel>(Values{in.data(), out.data(), 1000}, 4, 256, 256 * 4, schedule);
    for (size_t block = 0; block < 4; ++block) {
      int want = 0;
      for (size_t i = block * 256; i < std::min<size_t>(1000, block * 256 + 256); ++i) want += in[i];
      EXPECT_EQ(out[block], want) << schedule.seed;
    }
  }
}

GPU_KERNEL BallotKernel(Values v) {
  const auto votes = Ballot(kAll, v.in[Thread()] % 3 == 0);
  v.out[Thread()] = Popcount(votes) + (votes >> (Thread() % kWarp) & 1 ? 1000 : 0) + Shfl(kAll, v.in[Thread()], 5);
}

TEST(Simt, BallotsAndShufflesSeeTheirWarpOnly) {
  std::vector<int> in(2 * kWarp), out(2 * kWarp);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i * 7 % 11);
  for (const simt::Schedule& schedule : kSchedules) {
    RunKernel<&BallotKernel>(Values{in.data(), out.data(), 0}, 1, 2 * kWarp, 0, schedule);
    for (size_t i = 0; i < in.size(); ++i) {
      const size_t first = i / kWarp * kWarp;
      int votes = 0;
      for (size_t l = first; l < first + kWarp; ++l) votes += in[l] % 3 == 0;
      EXPECT_EQ(out[i], votes + (in[i] % 3 == 0 ? 1000 : 0) + in[first + 5]);
    }
  }
}

GPU_KERNEL AtomicKernel(Values v) {
  SharedCursor cursor;
  auto count = cursor.Take<int>(4);
  if (Thread() < 4) count[Thread()] = 0;
  SyncBlock();
  AtomicAdd(count[Thread() % 4], v.in[Thread()]);
  SyncBlock();
  if (Thread() < 4) v.out[Thread()] = count[Thread()];
}

TEST(Simt, AtomicsDoNotRace) {
  std::vector<int> in(128, 3), out(4);
  for (const simt::Schedule& schedule : kSchedules) {
    RunKernel<&AtomicKernel>(Values{in.data(), out.data(), 0}, 1, 128, 64, schedule);
    EXPECT_EQ(out, std::vector<int>(4, 96));
  }
}

struct Copies {
  const int* in;
  int* out;
  bool wait;
};
GPU_KERNEL CopyKernel(Copies c) {
  SharedCursor cursor;
  auto tile = cursor.Take<int>(4 * Threads());
  AsyncCopy16(tile.As<Int4>()[Thread()], c.in + 4 * Thread());
  AsyncCommit();
  if (c.wait) AsyncWait<0>();
  SyncBlock();
  for (int i = 0; i < 4; ++i) c.out[4 * Thread() + i] = tile[4 * (Threads() - 1 - Thread()) + i];
  AsyncWait<0>();
}

TEST(Simt, AsynchronousCopiesLandAtTheirWait) {
  alignas(16) int in[4 * 64], out[4 * 64];
  for (int i = 0; i < 4 * 64; ++i) in[i] = i;
  for (const simt::Schedule& schedule : kSchedules) {
    RunKernel<&CopyKernel>(Copies{in, out, true}, 1, 64, sizeof in, schedule);
    for (int i = 0; i < 4 * 64; ++i) EXPECT_EQ(out[i], 4 * (63 - i / 4) + i % 4);
  }
}

// ------------------------------------------------------------------------------------------------------- planted faults

TEST(SimtFaults, ACopyThatIsNotWaitedFor) {
  alignas(16) int in[4 * 64], out[4 * 64];
  for (int i = 0; i < 4 * 64; ++i) in[i] = i;
  for (const simt::Schedule& schedule : kSchedules) {
    try {
      RunKernel<&CopyKernel>(Copies{in, out, false}, 1, 64, sizeof in, schedule);
      FAIL() << "not caught";
    } catch (const simt::Fault& fault) {
      // Who reads first gets rubbish, and the copy lands on what others have read; or the copy comes first, and others read it
      // unordered.
      EXPECT_NE(std::string(fault.what()).find("since the last barrier"), std::string::npos) << fault.what();
    }
  }
}

GPU_KERNEL MissingBarrierKernel(Values v) {
  SharedCursor cursor;
  auto tile = cursor.Take<int>(Threads());
  tile[Thread()] = v.in[Thread()];
  v.out[Thread()] = tile[Threads() - 1 - Thread()];
}
GPU_KERNEL MissingSecondBarrierKernel(Values v) {
  SharedCursor cursor;
  auto tile = cursor.Take<int>(Threads());
  for (int round = 0; round < 2; ++round) {
    tile[Thread()] = v.in[Thread()] + round;
    SyncBlock();
    v.out[Thread()] = tile[Threads() - 1 - Thread()];
  }
}

TEST(SimtFaults, AMissingBarrier) {
  std::vector<int> in(256), out(256);
  const Values values{in.data(), out.data(), 256};
  const std::string before = FaultOf<&MissingBarrierKernel>(values, 256, 1024);
  EXPECT_NE(before.find("since the last barrier"), std::string::npos) << before;
  const std::string between = FaultOf<&MissingSecondBarrierKernel>(values, 256, 1024);
  EXPECT_NE(between.find("since the last barrier"), std::string::npos) << between;
}

// Lanes of one warp that talk over shared memory need SyncWarp, and it is enough.
struct WarpTalk {
  int* out;
  bool sync;
};
GPU_KERNEL WarpTalkKernel(WarpTalk w) {
  SharedCursor cursor;
  auto tile = cursor.Take<int>(Threads());
  for (int round = 0; round < 3; ++round) {
    tile[Thread()] = Thread() + round;
    if (w.sync) SyncWarp(kAll);
    w.out[Thread()] = tile[Thread() ^ 1];
    if (w.sync) SyncWarp(kAll);
  }
}

TEST(SimtFaults, LanesThatTalkWithoutSyncWarp) {
  std::vector<int> out(128);
  for (const simt::Schedule& schedule : kSchedules) {
    RunKernel<&WarpTalkKernel>(WarpTalk{out.data(), true}, 1, 128, 512, schedule);
    for (int t = 0; t < 128; ++t) EXPECT_EQ(out[static_cast<size_t>(t)], (t ^ 1) + 2);
  }
  const std::string sentence = FaultOf<&WarpTalkKernel>(WarpTalk{out.data(), false}, 128, 512);
  EXPECT_NE(sentence.find("since the last barrier"), std::string::npos) << sentence;
}

GPU_KERNEL BarrierNotForAllKernel(Values v) {
  if (Thread() < v.count) SyncBlock();
  v.out[Thread()] = 1;
}

TEST(SimtFaults, ABarrierThatNotAllThreadsReach) {
  std::vector<int> out(96);
  const std::string sentence = FaultOf<&BarrierNotForAllKernel>(Values{nullptr, out.data(), 70}, 96, 0);
  EXPECT_NE(sentence.find("70 of 96 threads wait at a barrier, 26 have left the kernel"), std::string::npos) << sentence;
}

GPU_KERNEL RaceKernel(Values v) {
  SharedCursor cursor;
  auto sum = cursor.Take<int>(1);
  if (Thread() == 0) sum[0] = 0;
  SyncBlock();
  sum[0] += v.in[Thread()];  // without an atomic
  SyncBlock();
  if (Thread() == 0) v.out[0] = sum[0];
}

TEST(SimtFaults, ARaceInSharedMemory) {
  std::vector<int> in(64, 1), out(1);
  const std::string sentence = FaultOf<&RaceKernel>(Values{in.data(), out.data(), 0}, 64, 16);
  EXPECT_NE(sentence.find("since the last barrier"), std::string::npos) << sentence;
}

GPU_KERNEL OutsideMaskKernel(Values v) {
  constexpr simt::LaneMask kHalf = kAll >> kWarp / 2;
  if (Thread() % kWarp < kWarp / 2) v.out[Thread()] = ShflXor(kHalf, v.in[Thread()], v.count);
}
GPU_KERNEL AbsentLaneKernel(Values v) {
  if (Thread() % kWarp == 3) return;
  v.out[Thread()] = ShflXor(kAll, v.in[Thread()], 1);
}
GPU_KERNEL TwoThingsAtOnceKernel(Values v) {
  if (Thread() % 2 == 0)
    v.out[Thread()] = ShflXor(kAll, v.in[Thread()], 1);
  else
    v.out[Thread()] = Popcount(Ballot(kAll, true));
}

TEST(SimtFaults, AShuffleOutsideItsMask) {
  std::vector<int> in(2 * kWarp), out(2 * kWarp);
  const auto of = [&](int bits) { return Values{in.data(), out.data(), bits}; };
  for (const simt::Schedule& schedule : kSchedules) RunKernel<&OutsideMaskKernel>(of(1), 1, 2 * kWarp, 0, schedule);
  const std::string outside = FaultOf<&OutsideMaskKernel>(of(kWarp / 2), 2 * kWarp, 0);
  EXPECT_NE(outside.find("which is not in the mask"), std::string::npos) << outside;
  const std::string absent = FaultOf<&AbsentLaneKernel>(of(0), 2 * kWarp, 0);
  EXPECT_NE(absent.find("waits for lane 3, which has left the kernel"), std::string::npos) << absent;
  const std::string mixed = FaultOf<&TwoThingsAtOnceKernel>(of(0), 2 * kWarp, 0);
  EXPECT_TRUE(mixed.find("meets lane") != std::string::npos && mixed.find("Ballot") != std::string::npos) << mixed;
}

GPU_KERNEL SharedPastTheEndKernel(Values v) {
  SharedCursor cursor;
  auto first = cursor.Take<int>(64);
  auto second = cursor.Take<int>(64);
  second[Thread()] = 0;
  first[Thread() + v.count] = 1;
}
GPU_KERNEL TooMuchSharedKernel(Values) {
  SharedCursor cursor;
  cursor.Take<int>(100);
}

TEST(SimtFaults, AnAccessPastTheEndOfASharedArray) {
  for (const simt::Schedule& schedule : kSchedules)
    RunKernel<&SharedPastTheEndKernel>(Values{nullptr, nullptr, 0}, 1, 64, 512, schedule);
  const std::string past = FaultOf<&SharedPastTheEndKernel>(Values{nullptr, nullptr, 1}, 64, 512);
  EXPECT_NE(past.find("element 64 of 64"), std::string::npos) << past;
  const std::string much = FaultOf<&TooMuchSharedKernel>(Values{}, 32, 399);
  EXPECT_NE(much.find("takes 400 bytes of shared memory, the launch gives 399"), std::string::npos) << much;
}

GPU_KERNEL PastTheEndKernel(Values v) { v.out[Thread() + v.count] = 7; }

TEST(SimtFaults, AnAccessPastTheEndOfDeviceMemory) {
  simt::DeviceMemory memory;
  auto* const out = reinterpret_cast<int*>(memory.Allocate(64 * 4));
  const auto run = [&](int shift) {
    RunKernel<&PastTheEndKernel>(Values{nullptr, out, shift}, 1, 64, 0, {});
    memory.CheckGuards();
  };
  run(0);
#if defined(__SANITIZE_ADDRESS__)
  EXPECT_DEATH(run(1), "use-after-poison");
  EXPECT_DEATH(run(-1), "use-after-poison");
#else
  EXPECT_THROW(run(1), simt::Fault);
  out[64] = static_cast<int>(0xb7b7b7b7);  // as it was
  EXPECT_NO_THROW(memory.CheckGuards());
  EXPECT_THROW(run(-1), simt::Fault);
  out[-1] = static_cast<int>(0xb7b7b7b7);
#endif
  memory.Free(reinterpret_cast<std::byte*>(out));
}

TEST(SimtFaults, MemoryBeyondTheLimitIsRefused) {
  simt::DeviceMemory memory(1000);
  std::byte* const first = memory.Allocate(600);
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(memory.Allocate(401), nullptr);
  memory.Free(first);
  EXPECT_THROW(memory.Free(first), simt::Fault);
}

// A product of two random matrices by one instruction, its fragments filled by `row_of` and `column_of` of lane and element.
struct Product {
  const int8_t* a;  // [16, 16]
  const int8_t* b;  // [columns][16]: column by column
  int* c;           // [16, columns]
  int mistake;      // 1: two rows of the result exchanged, 2: two words of b, 3: lanes of a
};
constexpr int kColumns = kWarp == 32 ? 8 : 16;
GPU_KERNEL ProductKernel(Product p) {
  const int lane = Thread(), group = kWarp == 32 ? lane / 4 : lane % 16, part = kWarp == 32 ? lane % 4 : lane / 16;
  const auto word = [](const int8_t* at) {
    uint32_t w;
    std::memcpy(&w, at, 4);
    return w;
  };
  const int a_row = p.mistake == 3 ? group ^ 1 : group, b_part = p.mistake == 2 ? part ^ 1 : part;
  int32_t c[4] = {};
  if constexpr (kWarp == 32) {
    const uint32_t a[2] = {word(p.a + 16 * a_row + 4 * part), word(p.a + 16 * (a_row + 8) + 4 * part)};
    const uint32_t b[1] = {word(p.b + 16 * group + 4 * b_part)};
    MmaS8<16>(kAll, c, a, b);
    const int upper = p.mistake == 1 ? 2 : 0;
    for (int i = 0; i < 4; ++i) p.c[kColumns * (group + 8 * (i / 2)) + 2 * part + i % 2] = c[i ^ upper];
  } else {
    MfmaS8(kAll, c, word(p.a + 16 * a_row + 4 * part), word(p.b + 16 * group + 4 * b_part));
    for (int i = 0; i < 4; ++i) p.c[kColumns * (4 * part + i) + group] = c[p.mistake == 1 ? i ^ 1 : i];
  }
}

TEST(SimtFaults, AWrongFragmentIndex) {
  std::mt19937 random(1);
  std::vector<int8_t> a(16 * 16), b(kColumns * 16);
  for (int8_t& x : a) x = static_cast<int8_t>(random());
  for (int8_t& x : b) x = static_cast<int8_t>(random());
  std::vector<int> want(16 * kColumns);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < kColumns; ++j)
      for (int k = 0; k < 16; ++k)
        want[static_cast<size_t>(kColumns * i + j)] += a[static_cast<size_t>(16 * i + k)] * b[static_cast<size_t>(16 * j + k)];
  for (int mistake = 0; mistake <= 3; ++mistake) {
    for (const simt::Schedule& schedule : kSchedules) {
      std::vector<int> got(16 * kColumns);
      RunKernel<&ProductKernel>(Product{a.data(), b.data(), got.data(), mistake}, 1, kWarp, 0, schedule);
      EXPECT_EQ(got == want, mistake == 0) << mistake;
    }
  }
}

}  // namespace
}  // namespace scout::SCOUT_GPU
