// The library's side of the line: a backend whose failures are made again from what the plug-in wrote down.
#include "backend/device_plugin.h"

#include <algorithm>
#include <iterator>
#include <mutex>

#include "backend/forwarding_backend.h"
#include "backend/self_test.h"
#include "base/plugin.h"

namespace scout {
namespace {

constexpr std::string_view kDevices[] = {"cuda", "hip"};

// Which devices have shown once in this process that they compute what ref does.
struct Tested {
  std::mutex mutex;
  bool device[std::size(kDevices)][kMaxDevicesOfAKind] = {};
};
constinit Tested g_tested;

constexpr PluginSourceCalls kSourceCalls = {
    .read = [](const WeightSource* source, uint64_t offset, std::byte* out, uint64_t bytes,
               PluginStatus* status) noexcept { WriteStatus(*status, [&] {
                                                  source->Read(offset, {out, bytes});
                                                }); },
    .read_staged =
        [](const WeightSource* source, uint64_t offset, uint64_t bytes, StagingBuffer* staging, PluginStatus* status) noexcept {
          const std::byte* read = nullptr;
          WriteStatus(*status, [&] { read = source->ReadStaged(offset, bytes, *staging).data(); });
          return read;
        },
    .check = [](const WeightSource* source, uint64_t offset, const std::byte* bytes, uint64_t count,
                PluginStatus* status) noexcept { WriteStatus(*status, [&] {
                                                   source->Check(offset, {bytes, count});
                                                 }); },
};

class PluginBackend final : public ForwardingBackend {
 public:
  PluginBackend(std::unique_ptr<Backend> inner, const DevicePluginTable& table)
      : ForwardingBackend(std::move(inner)), table_(table) {}

  DeviceInfo Info() const override {
    PluginDeviceInfo info;
    PluginStatus status;
    table_.info(&inner(), &info, &status);
    ThrowStatus(status);
    return {info.name, info.description, info.memory_total_bytes, info.memory_free_bytes};
  }
  std::unique_ptr<Weight> PrepareWeight(const WeightDesc& desc) override {
    PluginStatus status;
    std::unique_ptr<Weight> made(table_.prepare_weight(&inner(), &desc, &kSourceCalls, &status));
    ThrowStatus(status);
    return made;
  }
  std::unique_ptr<Buffer> Alloc(MemoryKind kind, size_t bytes) override {
    PluginStatus status;
    std::unique_ptr<Buffer> made(table_.alloc(&inner(), static_cast<int32_t>(kind), bytes, &status));
    ThrowStatus(status);
    return made;
  }
  void Upload(Buffer& to, size_t offset, std::span<const std::byte> from) override {
    PluginStatus status;
    table_.upload(&inner(), &to, offset, from.data(), from.size(), &status);
    ThrowStatus(status);
  }
  void Download(const Buffer& from, size_t offset, std::span<std::byte> to) override {
    PluginStatus status;
    table_.download(&inner(), &from, offset, to.data(), to.size(), &status);
    ThrowStatus(status);
  }
  std::unique_ptr<KvPages> AllocPages(const PageGroupSpec& spec) override {
    PluginStatus status;
    std::unique_ptr<KvPages> made(table_.alloc_pages(&inner(), &spec, &status));
    ThrowStatus(status);
    return made;
  }
  void ReadPage(const KvPages& pages, int64_t page, std::span<std::byte> out) override {
    PluginStatus status;
    table_.read_page(&inner(), &pages, page, out.data(), out.size(), &status);
    ThrowStatus(status);
  }
  void WritePage(KvPages& pages, int64_t page, std::span<const std::byte> in) override {
    PluginStatus status;
    table_.write_page(&inner(), &pages, page, in.data(), in.size(), &status);
    ThrowStatus(status);
  }
  void CopyPage(KvPages& pages, int64_t from, int64_t to) override {
    PluginStatus status;
    table_.copy_page(&inner(), &pages, from, to, &status);
    ThrowStatus(status);
  }
  std::optional<Error> EndStep() noexcept override {
    PluginStatus status;
    table_.end_step(&inner(), &status);
    if (status.code == 0) return std::nullopt;
    try {
      return Error(static_cast<ErrorCode>(status.code), status.text);
    } catch (...) {
      return no_memory_;
    }
  }

 private:
  const Error no_memory_{ErrorCode::kNoMemory, "no memory for the message of a step that failed"};
  const DevicePluginTable& table_;  // of a plug-in, which stays for the life of the process
};

}  // namespace

void ThrowStatus(const PluginStatus& status) {
  if (status.code != 0) throw Error(static_cast<ErrorCode>(status.code), status.text);
}

std::unique_ptr<Backend> MakeBackendOver(const DevicePluginTable& table, const BackendOptions& options) {
  PluginStatus status;
  std::unique_ptr<Backend> backend(table.make(&options, &status));
  ThrowStatus(status);
  SCOUT_CHECK(backend != nullptr, "a plug-in gave no device and no reason");
  return std::make_unique<PluginBackend>(std::move(backend), table);
}

std::span<const std::string_view> PluginDevices() { return kDevices; }

bool IsPluginInstalled(std::string_view device) { return IsPluginThere(device, ""); }

const DevicePluginTable& PluginTable(std::string_view device, std::string_view folder) {
  const std::string purpose = StrCat("device ", device);
  const PluginEntry& entry = OpenPlugin({.name = device, .contract = SCOUT_BACKEND_CONTRACT, .folder = folder, .purpose = purpose});
  return *static_cast<const DevicePluginTable*>(entry.table);
}

int CountPluginDevices(std::string_view device) {
  const DevicePluginTable& table = PluginTable(device);
  if (table.count == nullptr) return 1;
  PluginStatus status;
  const int32_t count = table.count(&status);
  ThrowStatus(status);
  return std::min<int32_t>(count, kMaxDevicesOfAKind);
}

std::unique_ptr<Backend> MakePluginBackend(std::string_view device, const BackendOptions& options) {
  SCOUT_CHECK(options.device_index >= 0 && options.device_index < kMaxDevicesOfAKind, "device number ", options.device_index);
  std::unique_ptr<Backend> backend = MakeBackendOver(PluginTable(device), options);
  const std::lock_guard lock(g_tested.mutex);
  const auto kind = static_cast<size_t>(std::find(std::begin(kDevices), std::end(kDevices), device) - kDevices);
  bool& tested = g_tested.device[kind][options.device_index];
  if (!tested && options.numerics == Numerics::kInvariant) RequireSelfTest(*backend);
  if (!tested && options.numerics != Numerics::kInvariant) {  // which give bits of their own: the device is tested without them
    BackendOptions invariant = options;
    invariant.numerics = Numerics::kInvariant;
    RequireSelfTest(*MakeBackendOver(PluginTable(device), invariant));
  }
  tested = true;
  return backend;
}

}  // namespace scout
