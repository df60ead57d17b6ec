#include "io/stored_checkpoint.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "io/paths.h"

namespace scout::io {
namespace {

class CheckpointImpl : public Checkpoint {
 public:
  explicit CheckpointImpl(StoredCheckpoint stored) : stored_(std::move(stored)), by_name_(stored_.tensors.size()) {
    std::iota(by_name_.begin(), by_name_.end(), 0u);
    std::sort(by_name_.begin(), by_name_.end(), [&](uint32_t a, uint32_t b) {
      const int order = stored_.tensors[a].name.compare(stored_.tensors[b].name);
      return order != 0 ? order < 0 : a < b;
    });
    for (size_t i = 1; i < by_name_.size(); ++i) {
      const TensorInfo& a = stored_.tensors[by_name_[i - 1]];
      const TensorInfo& b = stored_.tensors[by_name_[i]];
      if (a.name == b.name)
        Fail(ErrorCode::kFormat, FileOf(b).name(), ": the tensor ", Escape(b.name), " occurs twice, at offset ", a.offset, " of ",
             FileOf(a).name(), " and at offset ", b.offset);
    }
  }

  CheckpointFormat format() const override { return stored_.format; }
  const std::string& path() const override { return stored_.path; }
  const Metadata& metadata() const override { return *stored_.metadata; }
  std::span<const TensorInfo> tensors() const override { return stored_.tensors; }

  const TensorInfo* FindTensor(std::string_view name) const override {
    const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                     [&](uint32_t index, std::string_view wanted) { return stored_.tensors[index].name < wanted; });
    if (at == by_name_.end() || stored_.tensors[*at].name != name) return nullptr;
    return &stored_.tensors[*at];
  }

  uint64_t file_bytes() const override {
    uint64_t sum = 0;
    for (const auto& file : stored_.files) sum += file->size();
    return sum;
  }

  void Read(const TensorInfo& tensor, uint64_t offset, std::span<std::byte> out) const override {
    CheckRange(tensor, offset, out.size());
    FileOf(tensor).ReadAt(tensor.offset + offset, out);
  }

  std::span<const std::byte> ReadStaged(const TensorInfo& tensor, uint64_t offset, size_t size,
                                        StagingBuffer& staging) const override {
    CheckRange(tensor, offset, size);
    return FileOf(tensor).ReadStaged(tensor.offset + offset, size, staging);
  }

  const std::byte* Mapped(const TensorInfo& tensor) const override {
    const std::byte* mapping = FileOf(tensor).mapping();
    return mapping ? mapping + tensor.offset : nullptr;
  }

  void DropPages(const TensorInfo& tensor) const override { FileOf(tensor).DropPages(tensor.offset, tensor.bytes); }

  std::vector<SourceFile> Sources() const override {
    std::vector<SourceFile> sources;
    for (size_t i = 0; i < stored_.header_bytes.size(); ++i) sources.push_back({stored_.files[i].get(), stored_.header_bytes[i]});
    return sources;
  }
  std::span<const PackSkip> TokenizerArrays() const override { return stored_.large; }

  std::optional<std::string> ReadSideFile(std::string_view name, uint64_t limit) const override {
    const std::optional<std::string> path = ResolveBeside(stored_.directory, name);
    if (!path) return std::nullopt;
    return ReadWholeFile(*path, limit);
  }

 private:
  static void CheckRange(const TensorInfo& tensor, uint64_t offset, size_t size) {
    SCOUT_CHECK(offset <= tensor.bytes && size <= tensor.bytes - offset, "a read of ", size, " bytes at ", offset, " in tensor ",
                tensor.name, " of ", tensor.bytes);
  }
  const FileReader& FileOf(const TensorInfo& tensor) const { return *stored_.files[tensor.file]; }

  StoredCheckpoint stored_;
  std::vector<uint32_t> by_name_;  // indices of tensors, sorted by name
};

}  // namespace

std::shared_ptr<const Checkpoint> MakeCheckpoint(StoredCheckpoint stored) {
  return std::make_shared<CheckpointImpl>(std::move(stored));
}

}  // namespace scout::io
