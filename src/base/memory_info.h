// How much memory this process may still take: the machine's own estimate and the limits of every control group above us.
#pragma once

#include <cstdint>
#include <string>

namespace scout {

struct MemoryInfo {
  uint64_t total_bytes = 0;  // of the machine, or of the tightest control group where that is less; 0 = unknown
  uint64_t left_bytes = 0;   // what may still be taken; 0 with total_bytes 0 = unknown
  std::string limited_by;    // for messages: "the machine's memory" or "the control group /user.slice"
};

// Reads /proc and /sys/fs/cgroup under `root` (tests point it at a folder of their own). Never throws: what cannot be read
// does not limit.
MemoryInfo ReadMemoryInfo(const std::string& root = "");

}  // namespace scout
