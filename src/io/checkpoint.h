// A checkpoint: metadata and named tensors, whatever the container. GGUF files (single or split) and Hugging Face
// directories are its two readers; what the names mean is the model room's business.
//
// Thread rule: everything here is const after Open and may be used from any thread at once; Read keeps no file position.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/staging.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace scout::io {

// One metadata value. Integers keep their sign class (int64_t holds what the file calls signed, uint64_t the rest); a reader
// asks for what it needs and gets any width that fits. Arrays of numbers are widened. Strings, alone and in arrays, are views
// of memory that lives with the checkpoint. An array sits behind a pointer so that the 65,536 small values a header may hold
// stay small.
struct MetaArray {
  enum class Kind { kInt, kUint, kFloat, kBool, kString } kind = Kind::kInt;
  std::vector<int64_t> ints;              // kInt, kBool
  std::vector<uint64_t> uints;            // kUint
  std::vector<double> floats;             // kFloat
  std::vector<std::string_view> strings;  // kString
  size_t size() const;
};
using MetaValue = std::variant<int64_t, uint64_t, double, bool, std::string_view, std::unique_ptr<const MetaArray>>;

// Metadata by key. For a Hugging Face directory the keys are the paths of config.json joined by dots
// ("text_config.hidden_size", "text_config.rope_scaling.factor"), with a list's index where a list holds objects or lists;
// null is not a value, but IsNull tells it from a key that is not there.
class Metadata {
 public:
  virtual ~Metadata() = default;
  virtual const MetaValue* Find(std::string_view key) const = 0;
  virtual std::vector<std::string_view> Keys() const = 0;  // in file order
  virtual bool IsNull(std::string_view /*key*/) const { return false; }
  // "FILE: offset 120: ", the place of the key in its file, to begin a message with; empty when there is none.
  virtual std::string Where(std::string_view /*key*/) const { return {}; }

  // Typed access. Find* return nothing when the key is absent and throw kFormat, naming key, type found and limits, when
  // the value is not losslessly what is asked for. An integer key accepts any integer width whose value fits; a float key
  // accepts f32, f64 and integers.
  std::optional<uint64_t> FindUint(std::string_view key, uint64_t min, uint64_t max) const;
  std::optional<double> FindFloat(std::string_view key) const;
  std::optional<bool> FindBool(std::string_view key) const;  // accepts 0 and 1 of any integer type too
  std::optional<std::string_view> FindString(std::string_view key) const;
  const MetaArray* FindArray(std::string_view key) const;
};

struct TensorInfo {
  std::string name;  // as the file has it
  DType dtype = DType::kUnknown;
  std::string_view dtype_name;  // as the file's format calls it ("Q4_K", "IQ4_XS", "F8_E4M3"); static text
  Shape shape;                  // row-major, the last dimension is the fastest
  uint32_t file = 0;            // which file of the checkpoint
  uint64_t offset = 0;          // absolute byte offset in that file
  uint64_t bytes = 0;
};

enum class CheckpointFormat { kGguf, kHuggingFace };

class FileReader;
class PackFile;
struct PackSkip;

// A file of a checkpoint, as a packed side-file is keyed by it.
struct SourceFile {
  const FileReader* file;
  uint64_t header_bytes;
};

class Checkpoint {
 public:
  virtual ~Checkpoint() = default;

  virtual CheckpointFormat format() const = 0;
  virtual const std::string& path() const = 0;  // as given by the caller
  virtual const Metadata& metadata() const = 0;
  virtual std::span<const TensorInfo> tensors() const = 0;  // in file order
  virtual const TensorInfo* FindTensor(std::string_view name) const = 0;
  virtual uint64_t file_bytes() const = 0;  // of all files together

  // Reads `out.size()` bytes of a tensor from `offset` within it. Throws kIo or kTruncated with the file's name and offset.
  virtual void Read(const TensorInfo& tensor, uint64_t offset, std::span<std::byte> out) const = 0;

  // The same for large pieces that are read once: the bytes lie in `staging` until it is used again, and leave nothing in the
  // system's page cache that was not there.
  virtual std::span<const std::byte> ReadStaged(const TensorInfo& tensor, uint64_t offset, size_t size,
                                                StagingBuffer& staging) const;

  // The tensor's bytes in a mapping of the file, or null when the checkpoint was opened for reading (the default). A mapped
  // file that shrinks while it is used ends the process: that is why mapping is an option of the caller's.
  virtual const std::byte* Mapped(const TensorInfo& tensor) const = 0;

  // Tells the operating system that the tensor's pages will not be read again soon.
  virtual void DropPages(const TensorInfo& tensor) const = 0;

  // The files that a packed side-file of this checkpoint is keyed by; none where it has no such thing (a Hugging Face directory).
  virtual std::vector<SourceFile> Sources() const { return {}; }
  // The values of their headers that hold the tokenizer.
  virtual std::span<const PackSkip> TokenizerArrays() const;

  // The bytes of a small file beside the weights ("tokenizer.json", "tokenizer.model"), at most `limit` bytes; nothing when
  // there is none. `name` is a plain file name.
  virtual std::optional<std::string> ReadSideFile(std::string_view name, uint64_t limit) const = 0;
};

struct OpenOptions {
  bool map = false;  // map the files instead of reading them
  // A packed side-file that must fit: each file is compared with what it was made from before it is read on, and arrays that it
  // stands for are passed over. With `whole_hash` all of each file is compared.
  const PackFile* pack = nullptr;
  bool whole_hash = false;
};

// Opens a GGUF file (any shard of a split one), a directory with config.json and safetensors files, or, for a path
// "ollama:NAME" that is no file, the model NAME of the local Ollama store (ollama_store.h), and validates every header. No tensor
// data is read. Throws Error with a one-line message for everything that is wrong.
std::shared_ptr<const Checkpoint> OpenCheckpoint(const std::string& path, const OpenOptions& options);

}  // namespace scout::io
