#include "base/cpu_features.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace scout {
namespace {

void Write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string FreshRoot(const char* name) {
  const auto root = std::filesystem::path(testing::TempDir()) / name;
  std::filesystem::remove_all(root);
  return root.string();
}

TEST(UsableThreads, AQuotaOfVersion2Limits) {
  const std::string root = FreshRoot("scout_quota2");
  Write(root + "/proc/self/cgroup", "0::/box/inner\n");
  Write(root + "/sys/fs/cgroup/box/cpu.max", "50000 100000\n");
  Write(root + "/sys/fs/cgroup/box/inner/cpu.max", "max 100000\n");
  EXPECT_EQ(UsableThreads(root), 1);
}

TEST(UsableThreads, AQuotaOfVersion1Limits) {
  const std::string root = FreshRoot("scout_quota1");
  Write(root + "/proc/self/cgroup", "3:cpu,cpuacct:/box\n");
  Write(root + "/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "90000\n");
  Write(root + "/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(UsableThreads(root), 1);
  Write(root + "/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(UsableThreads(root), UsableThreads(FreshRoot("scout_quota0")));
}

TEST(UsableThreads, IsAtLeastOne) {
  EXPECT_GE(UsableThreads(), 1);
  EXPECT_FALSE(ProcessorName().empty());
}

}  // namespace
}  // namespace scout
