// Files in memory under the library's own table of system calls, for fuzz targets: nothing touches the disk.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "base/io_ops.h"

namespace scout::fuzz {

// Path -> content. "/m" is a folder, and so is nothing else.
inline std::map<std::string, std::string, std::less<>>& Files() {
  static std::map<std::string, std::string, std::less<>> files;
  return files;
}

inline const std::string* Content(int fd) {
  auto it = Files().begin();
  for (int i = 0; it != Files().end(); ++it, ++i)
    if (i == fd) return &it->second;
  return nullptr;
}

constexpr int kFolder = 1000000;

inline const IoOps& MemoryIo() {
  static const IoOps ops = [] {
    IoOps out = SystemIo();
    out.open_read = [](const char* path) {
      if (std::strcmp(path, "/m") == 0) return kFolder;
      int fd = 0;
      for (const auto& [name, content] : Files()) {
        if (name == path) return fd;
        ++fd;
      }
      errno = ENOENT;
      return -1;
    };
    out.stat = [](int fd, FileStat* stat) {
      const std::string* content = Content(fd);
      stat->kind = content ? FileStat::Kind::kRegular : FileStat::Kind::kDirectory;
      stat->size = content ? content->size() : 0;
      return 0;
    };
    out.pread = [](int fd, void* buffer, size_t size, uint64_t offset) -> int64_t {
      const std::string* content = Content(fd);
      if (!content || offset >= content->size()) return 0;
      const size_t n = std::min<size_t>(size, content->size() - offset);
      std::memcpy(buffer, content->data() + offset, n);
      return static_cast<int64_t>(n);
    };
    out.pread_cached = [](int, void*, size_t, uint64_t) -> int64_t { return -1; };
    out.open_direct = [](int) { return -1; };
    out.close = [](int) { return 0; };
    out.map = [](int, uint64_t) -> void* { return nullptr; };
    out.drop_pages = [](int, void*, uint64_t, uint64_t) {};
    out.real_path = [](const char* path, std::string* resolved) {
      *resolved = path;
      if (*resolved == "/m" || Files().contains(*resolved)) return true;
      errno = ENOENT;
      return false;
    };
    return out;
  }();
  return ops;
}

}  // namespace scout::fuzz
