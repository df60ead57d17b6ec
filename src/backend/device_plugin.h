// Backends in plug-ins: libscout-cuda.so, libscout-hip.so. The contract between them and libscout is the headers of this room
// (their hash, and the compiler, whose layouts both sides must share): a plug-in of another build is refused before anything of it
// is called.
//
// No exception crosses the line, in either direction: what may fail is a C function that fills a PluginStatus, and the error is
// made again on the other side. Operations do not fail (backend.h) and are called as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "backend/backend.h"

namespace scout {

struct PluginStatus {
  int32_t code = 0;  // ErrorCode, 0 = nothing failed
  char text[1020] = {};
};

struct PluginDeviceInfo {
  char name[32] = {};
  char description[256] = {};
  uint64_t memory_total_bytes = 0;
  uint64_t memory_free_bytes = 0;
};

// What a device can do at all, for reports of speed.
struct PluginProbe {
  double copy_bytes_per_s = 0;
  double matrix_ops_per_s = 0;
};

// Own kernels against the vendor's library of matrix products, over one shape; times of one product, 0 where it was not measured.
struct PluginRace {
  char format[16] = {};   // of the weights: "F16"
  char library[48] = {};  // "cuBLASLt 13.1.0"
  int64_t outputs = 0, k = 0, rows = 0;
  double own_s = 0, library_s = 0;
  int32_t library_serves = 0;  // 1: it does from now on
  char failure[492] = {};      // why the library has no time
};

extern "C" {

// What a plug-in calls of the library while it prepares a weight.
struct PluginSourceCalls {
  void (*read)(const WeightSource* source, uint64_t offset, std::byte* out, uint64_t bytes, PluginStatus* status) noexcept;
  const std::byte* (*read_staged)(const WeightSource* source, uint64_t offset, uint64_t bytes, StagingBuffer* staging,
                                  PluginStatus* status) noexcept;
  void (*check)(const WeightSource* source, uint64_t offset, const std::byte* bytes, uint64_t count, PluginStatus* status) noexcept;
};

// The calls of a backend that may fail. Where a pointer is given back the caller owns it; null, and `status` filled, on failure.
struct DevicePluginTable {
  Backend* (*make)(const BackendOptions* options, PluginStatus* status) noexcept;
  void (*info)(const Backend* backend, PluginDeviceInfo* out, PluginStatus* status) noexcept;
  Weight* (*prepare_weight)(Backend* backend, const WeightDesc* desc, const PluginSourceCalls* calls,
                            PluginStatus* status) noexcept;
  Buffer* (*alloc)(Backend* backend, int32_t kind, uint64_t bytes, PluginStatus* status) noexcept;
  void (*upload)(Backend* backend, Buffer* to, uint64_t offset, const std::byte* from, uint64_t bytes,
                 PluginStatus* status) noexcept;
  void (*download)(Backend* backend, const Buffer* from, uint64_t offset, std::byte* to, uint64_t bytes,
                   PluginStatus* status) noexcept;
  KvPages* (*alloc_pages)(Backend* backend, const PageGroupSpec* spec, PluginStatus* status) noexcept;
  void (*read_page)(Backend* backend, const KvPages* pages, int64_t page, std::byte* out, uint64_t bytes,
                    PluginStatus* status) noexcept;
  void (*write_page)(Backend* backend, KvPages* pages, int64_t page, const std::byte* in, uint64_t bytes,
                     PluginStatus* status) noexcept;
  void (*copy_page)(Backend* backend, KvPages* pages, int64_t from, int64_t to, PluginStatus* status) noexcept;
  void (*end_step)(Backend* backend, PluginStatus* status) noexcept;
  // How many devices of this kind there are; null where there is one.
  int32_t (*count)(PluginStatus* status) noexcept;
  // Not of a backend; null where there is none. Copies so many bytes, and multiplies tiles so many rounds.
  void (*probe)(uint64_t copy_bytes, int32_t matrix_rounds, PluginProbe* out, PluginStatus* status) noexcept;
  // The same. Fills at most `most` and says how many; where own kernels serve after all, because there is no library or it was
  // given up, status->text says why, though nothing failed.
  int32_t (*race)(PluginRace* out, int32_t most, PluginStatus* status) noexcept;
};

}  // extern "C"

// The plug-in's side: a table over whatever `make` makes, which may throw.
DevicePluginTable MakeDevicePluginTable(Backend* (*make)(const BackendOptions* options, PluginStatus* status) noexcept);
// Runs what may throw and writes down what it threw; false after a failure.
bool WriteStatus(PluginStatus& status, void (*run)(void* context), void* context) noexcept;
template <typename Call>
bool WriteStatus(PluginStatus& status, const Call& call) noexcept {
  return WriteStatus(
      status, [](void* context) { (*static_cast<const Call*>(context))(); }, const_cast<Call*>(&call));
}

// The library's side: throws what the status says, if anything.
void ThrowStatus(const PluginStatus& status);
// A backend over a plug-in's table.
std::unique_ptr<Backend> MakeBackendOver(const DevicePluginTable& table, const BackendOptions& options);

// The devices that plug-ins may bring, installed or not: "cuda", "hip".
std::span<const std::string_view> PluginDevices();
// Whether the file of one is installed.
bool IsPluginInstalled(std::string_view device);
// How many devices an installed one serves. Throws Error with a sentence, as below.
int CountPluginDevices(std::string_view device);
// The table of an installed one, or of one in a folder that is named. Throws Error with a sentence: no plug-in, or one of another
// build.
const DevicePluginTable& PluginTable(std::string_view device, std::string_view folder = "");
// The device number options.device_index. Throws Error with a sentence: no plug-in, one of another build, what the device says, or
// that it fails its self-test.
std::unique_ptr<Backend> MakePluginBackend(std::string_view device, const BackendOptions& options);

}  // namespace scout
