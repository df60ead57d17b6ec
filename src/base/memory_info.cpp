#include "base/memory_info.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace scout {
namespace {

// The text of a small system file, or nothing. These files say 0 as their size, so they are read until the end.
std::optional<std::string> ReadSystemFile(const std::string& path) {
  constexpr size_t kLimit = 1 << 20;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string text;
  std::array<char, 4096> buffer;
  while (text.size() < kLimit) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  ::close(fd);
  return text;
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc()) return std::nullopt;  // "max", empty, or past 64 bits: no limit
  return value;
}

// The number behind `key` at the start of a line ("MemAvailable:", "inactive_file ").
std::optional<uint64_t> FindLine(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.substr(0, key.size()) == key) return ParseNumber(line.substr(key.size()));
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
  const auto limit = ParseNumber(*limit_text);
  const auto usage = ParseNumber(*usage_text);
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
  const auto groups = ReadSystemFile(root + "/proc/self/cgroup");
  if (!groups) return info;
  // Lines are "id:controllers:path". The limit of every group on the way up counts; inside a container the path may name
  // folders that are not visible, which then simply do not limit.
  std::string_view rest = *groups;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string controllers = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    const bool version1 = controllers.find(",memory,") != std::string::npos;
    if (!version1 && controllers != ",,") continue;
    const std::string base = root + (version1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup");
    std::string path(line.substr(second + 1));
    while (true) {
      while (!path.empty() && path.back() == '/') path.pop_back();
      LimitByGroup(base + path, path.empty() ? "/" : path, version1 ? kVersion1 : kVersion2, info);
      if (path.empty()) break;
      const size_t slash = path.rfind('/');
      path.resize(slash == std::string::npos ? 0 : slash);
    }
  }
  return info;
}

}  // namespace scout
