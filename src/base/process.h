// What differs between operating systems about processes, their files and waking, in one place.
#pragma once

#include <cstdint>
#include <string>

namespace scout {

// Folder of the file that this code was loaded from, with its last '/': of libscout.so, or of a program that carries the library in
// itself. Empty where the system does not say.
std::string OwnFolder();

// The process's id. Threads do not survive fork(): whoever owns one compares this with the value at its creation.
int64_t CurrentProcess() noexcept;

// A descriptor that poll() and epoll report as readable while it is set (an eventfd on Linux, a pipe elsewhere). Setting a set
// one and clearing a clear one do nothing. Thread rule: Set and Clear by one thread at a time.
class WakeDescriptor {
 public:
  WakeDescriptor() noexcept;  // where the system gives none, descriptor() is -1 and the rest does nothing
  ~WakeDescriptor();
  WakeDescriptor(const WakeDescriptor&) = delete;
  WakeDescriptor& operator=(const WakeDescriptor&) = delete;

  int descriptor() const { return read_; }
  void Set() noexcept;
  void Clear() noexcept;

 private:
  int read_ = -1;
  int write_ = -1;
  bool set_ = false;
};

}  // namespace scout
