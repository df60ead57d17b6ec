#include "base/memory_info.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace scout {
namespace {

// A folder that looks like / to ReadMemoryInfo.
class FakeRoot {
 public:
  FakeRoot() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    root_ = std::filesystem::path(testing::TempDir()) / (std::string("scout_") + info->test_suite_name() + "_" + info->name());
    std::filesystem::remove_all(root_);
  }
  ~FakeRoot() { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path full = root_.string() + path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full, std::ios::binary) << text;
  }
  MemoryInfo Read() const { return ReadMemoryInfo(root_.string()); }

 private:
  std::filesystem::path root_;
};

constexpr char kMachine[] = "MemTotal:       8000000 kB\nMemFree:         100000 kB\nMemAvailable:   5000000 kB\n";

TEST(MemoryInfo, TheMachineSaysItInKibibytes) {
  FakeRoot root;
  root.Write("/proc/meminfo", kMachine);
  const MemoryInfo info = root.Read();
  EXPECT_EQ(info.total_bytes, 8000000ull * 1024);
  EXPECT_EQ(info.left_bytes, 5000000ull * 1024);
  EXPECT_EQ(info.limited_by, "the machine's memory");
}

TEST(MemoryInfo, AGroupOfVersion2LimitsAndItsFileCacheIsFree) {
  FakeRoot root;
  root.Write("/proc/meminfo", kMachine);
  root.Write("/proc/self/cgroup", "0::/box/inner\n");
  root.Write("/sys/fs/cgroup/box/inner/memory.max", "max\n");
  root.Write("/sys/fs/cgroup/box/inner/memory.current", "5000\n");
  root.Write("/sys/fs/cgroup/box/memory.max", "1000000\n");
  root.Write("/sys/fs/cgroup/box/memory.current", "600000\n");
  root.Write("/sys/fs/cgroup/box/memory.stat", "anon 250000\ninactive_file 200000\nactive_file 100000\n");
  const MemoryInfo info = root.Read();
  EXPECT_EQ(info.total_bytes, 1000000u);
  EXPECT_EQ(info.left_bytes, 1000000u - 300000u);
  EXPECT_EQ(info.limited_by, "the control group /box");
}

TEST(MemoryInfo, AGroupOfVersion1Limits) {
  FakeRoot root;
  root.Write("/proc/meminfo", kMachine);
  root.Write("/proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a\n0::/\n");
  root.Write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "3000000\n");
  root.Write("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1000000\n");
  root.Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  root.Write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000\n");
  EXPECT_EQ(root.Read().left_bytes, 2000000u);
}

TEST(MemoryInfo, UsagePastTheLimitLeavesNothing) {
  FakeRoot root;
  root.Write("/proc/meminfo", kMachine);
  root.Write("/proc/self/cgroup", "0::/\n");
  root.Write("/sys/fs/cgroup/memory.max", "1000\n");
  root.Write("/sys/fs/cgroup/memory.current", "2000\n");
  EXPECT_EQ(root.Read().left_bytes, 0u);
}

TEST(MemoryInfo, AnEmptyRootIsUnknown) {
  FakeRoot root;
  EXPECT_EQ(root.Read().total_bytes, 0u);
  EXPECT_TRUE(root.Read().limited_by.empty());
}

TEST(MemoryInfo, ThisMachineHasSome) {
  const MemoryInfo info = ReadMemoryInfo();
  EXPECT_GT(info.total_bytes, 0u);
  EXPECT_LE(info.left_bytes, info.total_bytes);
}

}  // namespace
}  // namespace scout
