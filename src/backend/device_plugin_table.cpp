// The plug-in's side of the line: calls of a backend with what they throw written down.
#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

#include "backend/device_plugin.h"
#include "base/fixed_text.h"

namespace scout {
namespace {

void Write(PluginStatus& status, ErrorCode code, const char* text) noexcept {
  status.code = static_cast<int32_t>(code);
  CopyText(text, status.text);
}

// A source of the library, called through its C functions.
class ForeignSource final : public WeightSource {
 public:
  ForeignSource(std::shared_ptr<const WeightSource> source, const PluginSourceCalls& calls)
      : source_(std::move(source)), calls_(calls) {}
  uint64_t size_bytes() const override { return source_->size_bytes(); }
  void Read(uint64_t offset, std::span<std::byte> out) const override {
    PluginStatus status;
    calls_.read(source_.get(), offset, out.data(), out.size(), &status);
    ThrowStatus(status);
  }
  std::span<const std::byte> ReadStaged(uint64_t offset, size_t size, StagingBuffer& staging) const override {
    PluginStatus status;
    const std::byte* const bytes = calls_.read_staged(source_.get(), offset, size, &staging, &status);
    ThrowStatus(status);
    return {bytes, size};
  }
  void Check(uint64_t offset, std::span<const std::byte> bytes) const override {
    PluginStatus status;
    calls_.check(source_.get(), offset, bytes.data(), bytes.size(), &status);
    ThrowStatus(status);
  }
  const std::byte* Mapped() const override { return source_->Mapped(); }
  void Drop() const override { source_->Drop(); }

 private:
  const std::shared_ptr<const WeightSource> source_;
  const PluginSourceCalls calls_;
};

WeightDesc WithForeignSources(const WeightDesc& desc, const PluginSourceCalls& calls) {
  WeightDesc own = desc;
  for (WeightPart& part : own.parts)
    for (auto& source : part.sources) source = std::make_shared<ForeignSource>(std::move(source), calls);
  return own;
}

}  // namespace

bool WriteStatus(PluginStatus& status, void (*run)(void* context), void* context) noexcept {
  status.code = 0;
  try {
    run(context);
    return true;
  } catch (const Error& error) {
    Write(status, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    Write(status, ErrorCode::kNoMemory, "the process has no memory left for a call of a device");
  } catch (const std::exception& error) {
    Write(status, ErrorCode::kInternal, error.what());
  } catch (...) {
    Write(status, ErrorCode::kInternal, "internal error: something unknown was thrown");
  }
  return false;
}

DevicePluginTable MakeDevicePluginTable(Backend* (*make)(const BackendOptions* options, PluginStatus* status) noexcept) {
  DevicePluginTable table = {};
  table.make = make;
  table.info = [](const Backend* backend, PluginDeviceInfo* out, PluginStatus* status) noexcept {
    WriteStatus(*status, [&] {
      const DeviceInfo info = backend->Info();
      CopyText(info.name, out->name);
      CopyText(info.description, out->description);
      out->memory_total_bytes = info.memory_total_bytes;
      out->memory_free_bytes = info.memory_free_bytes;
    });
  };
  table.prepare_weight = [](Backend* backend, const WeightDesc* desc, const PluginSourceCalls* calls,
                            PluginStatus* status) noexcept {
    Weight* made = nullptr;
    WriteStatus(*status, [&] { made = backend->PrepareWeight(WithForeignSources(*desc, *calls)).release(); });
    return made;
  };
  table.alloc = [](Backend* backend, int32_t kind, uint64_t bytes, PluginStatus* status) noexcept {
    Buffer* made = nullptr;
    WriteStatus(*status, [&] { made = backend->Alloc(static_cast<MemoryKind>(kind), bytes).release(); });
    return made;
  };
  table.upload = [](Backend* backend, Buffer* to, uint64_t offset, const std::byte* from, uint64_t bytes,
                    PluginStatus* status) noexcept {
    WriteStatus(*status, [&] { backend->Upload(*to, offset, {from, bytes}); });
  };
  table.download = [](Backend* backend, const Buffer* from, uint64_t offset, std::byte* to, uint64_t bytes,
                      PluginStatus* status) noexcept {
    WriteStatus(*status, [&] { backend->Download(*from, offset, {to, bytes}); });
  };
  table.alloc_pages = [](Backend* backend, const PageGroupSpec* spec, PluginStatus* status) noexcept {
    KvPages* made = nullptr;
    WriteStatus(*status, [&] { made = backend->AllocPages(*spec).release(); });
    return made;
  };
  table.read_page = [](Backend* backend, const KvPages* pages, int64_t page, std::byte* out, uint64_t bytes,
                       PluginStatus* status) noexcept {
    WriteStatus(*status, [&] { backend->ReadPage(*pages, page, {out, bytes}); });
  };
  table.write_page = [](Backend* backend, KvPages* pages, int64_t page, const std::byte* in, uint64_t bytes,
                        PluginStatus* status) noexcept {
    WriteStatus(*status, [&] { backend->WritePage(*pages, page, {in, bytes}); });
  };
  table.copy_page = [](Backend* backend, KvPages* pages, int64_t from, int64_t to, PluginStatus* status) noexcept {
    WriteStatus(*status, [&] { backend->CopyPage(*pages, from, to); });
  };
  table.end_step = [](Backend* backend, PluginStatus* status) noexcept {
    status->code = 0;
    if (const std::optional<Error> error = backend->EndStep()) Write(*status, error->code(), error->what());
  };
  return table;
}

}  // namespace scout
