#include "base/cpu_features.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <thread>

#include "base/control_groups.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

namespace scout {
namespace {

int AffinityThreads() {
#if defined(__linux__)
  // A machine may have more processors than the fixed-size mask holds; then the call fails and the plain count serves.
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (::sched_getaffinity(0, sizeof mask, &mask) == 0) return CPU_COUNT(&mask);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

// Whole processors that quota / period allows, rounded up: a quota of 1.5 keeps two threads busy three quarters of the time,
// which is better than one all the time.
int ThreadsOf(uint64_t quota, uint64_t period) {
  if (quota == 0 || period == 0) return 1 << 20;
  return static_cast<int>(std::min<uint64_t>((quota + period - 1) / period, 1 << 20));
}

}  // namespace

const char* NameOf(Isa isa) {
  switch (isa) {
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    default:
      return "generic";
  }
}

#if defined(__x86_64__)
// clang 14's __builtin_cpu_supports does not know the name "f16c". The state it needs is AVX's, which the caller asks about.
static bool HasF16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

Isa DetectIsa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && HasF16c();
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vnni");
  if (avx512) return Isa::kAvx512;
  if (avx2) return Isa::kAvx2;
#endif
  return Isa::kGeneric;
}

bool ProcessorIsAmd() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_is("amd") != 0;
#else
  return false;
#endif
}

bool ProcessorMultipliesBf16() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 5 & 1) != 0;
#else
  return false;
#endif
}

std::string ProcessorName() {
  std::string name;
#if defined(__x86_64__)
  // Leaves 0x80000002 .. 4 hold 48 characters, padded with blanks or zeros.
  unsigned registers[12] = {};
  for (unsigned leaf = 0; leaf < 3; ++leaf) {
    unsigned* const r = registers + 4 * leaf;
    if (!__get_cpuid(0x80000002 + leaf, &r[0], &r[1], &r[2], &r[3])) return "processor";
  }
  char text[49] = {};
  std::memcpy(text, registers, 48);
  name = text;
  while (!name.empty() && name.back() == ' ') name.pop_back();
  name.erase(0, name.find_first_not_of(' '));
#endif
  return name.empty() ? "processor" : name;
}

int UsableThreads(const std::string& root) {
  int threads = AffinityThreads();
  ForEachControlGroup(root, "cpu", [&](const ControlGroup& group) {
    if (group.version1) {
      const auto quota = ReadSystemFile(group.folder + "/cpu.cfs_quota_us");
      const auto period = ReadSystemFile(group.folder + "/cpu.cfs_period_us");
      if (!quota || !period) return;
      threads =
          std::min(threads, ThreadsOf(LeadingNumber(*quota).value_or(0), LeadingNumber(*period).value_or(0)));  // -1 = no limit
      return;
    }
    const auto text = ReadSystemFile(group.folder + "/cpu.max");  // "150000 100000" or "max 100000"
    if (!text) return;
    const size_t blank = text->find(' ');
    if (blank == std::string::npos) return;
    threads = std::min(threads, ThreadsOf(LeadingNumber(*text).value_or(0), LeadingNumber(text->substr(blank)).value_or(0)));
  });
  return std::max(threads, 1);
}

}  // namespace scout
