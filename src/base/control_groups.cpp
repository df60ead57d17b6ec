#include "base/control_groups.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace scout {

// These files say 0 as their size, so they are read until the end.
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

std::optional<uint64_t> LeadingNumber(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc()) return std::nullopt;  // "max", empty, or past 64 bits: no limit
  return value;
}

void ForEachControlGroup(const std::string& root, std::string_view controller,
                         const std::function<void(const ControlGroup&)>& visit) {
  const auto groups = ReadSystemFile(root + "/proc/self/cgroup");
  if (!groups) return;
  // Lines are "id:controllers:path"; version 2 lists no controllers.
  const std::string wanted = "," + std::string(controller) + ",";
  std::string_view rest = *groups;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string controllers = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    const bool version1 = controllers.find(wanted) != std::string::npos;
    if (!version1 && controllers != ",,") continue;
    const std::string base = root + "/sys/fs/cgroup" + (version1 ? "/" + std::string(controller) : "");
    std::string path(line.substr(second + 1));
    while (true) {
      while (!path.empty() && path.back() == '/') path.pop_back();
      visit({base + path, path.empty() ? "/" : path, version1});
      if (path.empty()) break;
      const size_t slash = path.rfind('/');
      path.resize(slash == std::string::npos ? 0 : slash);
    }
  }
}

}  // namespace scout
