// The lines that are written to the log while one of these lives, each with its level before it.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"

namespace scout {

class Heard {
 public:
  Heard() { SetLogSink(Hear, this, static_cast<int32_t>(LogLevel::kInfo)); }
  ~Heard() { SetLogSink(nullptr, nullptr, 0); }
  Heard(const Heard&) = delete;
  Heard& operator=(const Heard&) = delete;
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  static void Hear(void* user, int32_t level, const char* text, uint64_t size) {
    auto& self = *static_cast<Heard*>(user);
    const std::lock_guard lock(self.mutex_);
    self.lines_.push_back(std::to_string(level) + " " + std::string(text, size));
  }
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace scout
