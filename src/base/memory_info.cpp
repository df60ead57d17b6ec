#include "base/memory_info.h"

#include <optional>
#include <string_view>

#include "base/control_groups.h"
#include "base/text.h"

namespace scout {
namespace {

// The number behind `key` at the start of a line ("MemAvailable:", "inactive_file ").
std::optional<uint64_t> FindLine(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.substr(0, key.size()) == key) return LeadingNumber(line.substr(key.size()));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

struct GroupFiles {
  const char* limit;
  const char* usage;
  const char* inactive_file;  // keys of memory.stat: clean pages of files, which the kernel gives back before it refuses
  const char* active_file;
};
constexpr GroupFiles kVersion1 = {"/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file ", "total_active_file "};
constexpr GroupFiles kVersion2 = {"/memory.max", "/memory.current", "inactive_file ", "active_file "};

// Lowers `info` to what the group in `folder` leaves.
void LimitByGroup(const std::string& folder, std::string_view name, const GroupFiles& files, MemoryInfo& info) {
  const auto limit_text = ReadSystemFile(folder + files.limit);
  const auto usage_text = ReadSystemFile(folder + files.usage);
  if (!limit_text || !usage_text) return;
  const auto limit = LeadingNumber(*limit_text);
  const auto usage = LeadingNumber(*usage_text);
  if (!limit || !usage || *limit >= (uint64_t{1} << 62)) return;  // version 1 writes "no limit" as a huge number
  uint64_t reclaimable = 0;
  if (const auto stat = ReadSystemFile(folder + "/memory.stat")) {
    reclaimable = FindLine(*stat, files.inactive_file).value_or(0) + FindLine(*stat, files.active_file).value_or(0);
  }
  const uint64_t held = *usage > reclaimable ? *usage - reclaimable : 0;
  const uint64_t left = *limit > held ? *limit - held : 0;
  if (info.total_bytes == 0 || *limit < info.total_bytes) info.total_bytes = *limit;
  if (info.limited_by.empty() || left < info.left_bytes) {
    info.left_bytes = left;
    info.limited_by = "the control group " + Escape(name);
  }
}

}  // namespace

MemoryInfo ReadMemoryInfo(const std::string& root) {
  MemoryInfo info;
  if (const auto text = ReadSystemFile(root + "/proc/meminfo")) {
    const auto total = FindLine(*text, "MemTotal:");
    auto available = FindLine(*text, "MemAvailable:");
    if (!available) available = FindLine(*text, "MemFree:");  // kernels before 3.14
    if (total && available) {
      info.total_bytes = *total * 1024;
      info.left_bytes = *available * 1024;
      info.limited_by = "the machine's memory";
    }
  }
  ForEachControlGroup(root, "memory", [&](const ControlGroup& group) {
    LimitByGroup(group.folder, group.name, group.version1 ? kVersion1 : kVersion2, info);
  });
  return info;
}

}  // namespace scout
