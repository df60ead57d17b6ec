// How fast a model loads, beside how fast its disk can be read at all.
//
//   load_bench MODEL [--threads N] [--rounds N] [--warm] [--map]
//
// A round reads the file past the page cache with four threads (4 MiB a read: the disk's direct rate), sees to it that the page
// cache holds nothing of it (with --warm: all of it), and loads it. Printed: the two rates and their ratio, how fast the system
// gives new memory at all (two threads touch as much as the file is large, on large pages; no loader that keeps weights in memory
// of its own is faster), processor time, and the most memory that the process held. Without the right to write
// /proc/sys/vm/drop_caches the kernel is asked politely, file by file. For a model of several files give the first; only that one
// is probed.
#include <fcntl.h>
#include <scout/scout.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t kRead = size_t{4} << 20;

struct FreeBytes {
  void operator()(void* bytes) const { std::free(bytes); }
};

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Bytes per second; 0 where the file cannot be read like that.
double ReadAll(const std::string& path, int flags, uint64_t size) {
  const int fd = ::open(path.c_str(), O_RDONLY | flags);
  if (fd < 0) return 0;
  std::atomic<uint64_t> next{0};
  std::atomic<bool> failed{false};
  const double begin = Seconds();
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      const std::unique_ptr<void, FreeBytes> buffer(std::aligned_alloc(4096, kRead));
      for (uint64_t at; (at = next.fetch_add(kRead)) < size;) {
        const uint64_t wanted = std::min<uint64_t>(kRead, size - at);
        for (uint64_t done = 0; done < wanted;) {
          const ssize_t got = ::pread(fd, static_cast<char*>(buffer.get()) + done, kRead - done, static_cast<off_t>(at + done));
          if (got > 0) {
            done += static_cast<uint64_t>(got);
          } else if (got == 0 || errno != EINTR) {
            failed = true;
            return;
          }
        }
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  ::close(fd);
  return failed ? 0 : static_cast<double>(size) / (Seconds() - begin);
}

// "all" or "this file".
const char* DropPages(const std::string& path) {
  ::sync();
  if (std::ofstream all("/proc/sys/vm/drop_caches"); all << 3 << std::flush) return "all";
  const int fd = ::open(path.c_str(), O_RDONLY);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
  return "this file";
}

// Bytes per second at which new memory can be had.
double TouchNew(uint64_t size) {
  void* const block = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block == MAP_FAILED) return 0;
  ::madvise(block, size, MADV_HUGEPAGE);
  const double begin = Seconds();
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 2; ++i)
    threads.emplace_back([=] {
      for (uint64_t at = i * (size / 2); at < (i + 1) * (size / 2); at += 4096) static_cast<volatile char*>(block)[at] = 1;
    });
  for (std::thread& thread : threads) thread.join();
  const double took = Seconds() - begin;
  ::munmap(block, size);
  return static_cast<double>(size) / took;
}

// "VmHWM" or "VmRSS" of this process, in bytes.
double Memory(const char* what) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(what, 0) == 0) return 1024.0 * std::atof(line.c_str() + std::strlen(what) + 1);
  return 0;
}

double Of(const timeval& time) { return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec); }

}  // namespace

int main(int argc, char** argv) {
  std::string path;
  scout_load_options options;
  scout_load_options_init(&options, sizeof options);
  int rounds = 3;
  bool warm = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const int value = i + 1 < argc ? std::atoi(argv[i + 1]) : 0;
    if (argument == "--threads")
      options.threads = value, ++i;
    else if (argument == "--rounds")
      rounds = value, ++i;
    else if (argument == "--warm")
      warm = true;
    else if (argument == "--map")
      options.map_file = 1;
    else
      path = argument;
  }
  struct stat info {};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) {
    std::fprintf(stderr, "usage: load_bench MODEL [--threads N] [--rounds N] [--warm] [--map]\n");
    return 2;
  }
  const auto size = static_cast<uint64_t>(info.st_size);
  for (int round = 0; round < rounds; ++round) {
    const double direct = ReadAll(path, O_DIRECT, size), memory = TouchNew(size);
    const char* const dropped = DropPages(path);
    if (warm) ReadAll(path, 0, size);
    std::ofstream("/proc/self/clear_refs") << 5;  // the peak begins anew
    const double before = Memory("VmRSS");
    rusage from{}, to{};
    ::getrusage(RUSAGE_SELF, &from);
    const double begin = Seconds();
    scout_model* model = nullptr;
    if (scout_load(path.c_str(), &options, &model) != SCOUT_OK) {
      std::fprintf(stderr, "%s\n", scout_last_error());
      return 1;
    }
    const double took = Seconds() - begin;
    ::getrusage(RUSAGE_SELF, &to);
    const double rate = static_cast<double>(size) / took, peak = Memory("VmHWM") - before, held = Memory("VmRSS") - before;
    std::printf(
        "%s (cache of %s dropped): %.2f s, %.3f GB/s; disk %.3f GB/s direct, ratio %.3f; new memory %.3f GB/s; processor %.2f s "
        "user, %.2f s system; "
        "memory at most %.3f, then %.3f x the file (%.0f MB more)\n",
        warm ? "warm" : "cold", dropped, took, rate * 1e-9, direct * 1e-9, direct > 0 ? rate / direct : 0, memory * 1e-9,
        Of(to.ru_utime) - Of(from.ru_utime), Of(to.ru_stime) - Of(from.ru_stime), peak / static_cast<double>(size),
        held / static_cast<double>(size), (peak - static_cast<double>(size)) * 1e-6);
    std::fflush(stdout);
    scout_free(model);
  }
  return 0;
}
