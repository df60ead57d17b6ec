#include "io/checkpoint.h"

#include <cerrno>

#include "base/error.h"
#include "base/io_ops.h"
#include "io/gguf.h"
#include "io/hf_directory.h"
#include "io/ollama_store.h"
#include "io/pack_file.h"

namespace scout::io {

std::span<const std::byte> Checkpoint::ReadStaged(const TensorInfo& tensor, uint64_t offset, size_t size,
                                                  StagingBuffer& staging) const {
  const std::span<std::byte> out(staging.Reserve(size), size);
  Read(tensor, offset, out);
  return out;
}

std::span<const PackSkip> Checkpoint::TokenizerArrays() const { return {}; }

namespace {

enum class Found { kNothing, kFolder, kOther };

Found LookAt(const std::string& path) {
  int fd;
  do fd = Io().open_read(path.c_str());
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return Found::kNothing;  // the reader that is tried next says why
  FileStat stat;
  const bool folder = Io().stat(fd, &stat) == 0 && stat.kind == FileStat::Kind::kDirectory;
  Io().close(fd);
  return folder ? Found::kFolder : Found::kOther;
}

constexpr std::string_view kOllama = "ollama:";

// The blob in the first store that has the model; what the last one said when none has.
std::string OllamaBlob(std::string_view name) {
  std::string answer;
  for (const std::string& store : OllamaStores()) {
    try {
      return FindOllamaModel(name, store);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kIo) throw;
      answer = error.what();
    }
  }
  Fail(ErrorCode::kIo, "no Ollama store holds the model \"", Escape(name), "\": ", answer);
}

}  // namespace

std::shared_ptr<const Checkpoint> OpenCheckpoint(const std::string& path, const OpenOptions& options) {
  const Found found = LookAt(path);
  if (found == Found::kFolder) {
    if (options.pack != nullptr)
      Fail(ErrorCode::kUnsupported, Escape(path, 256), ": a folder; packed side-files are of GGUF files");
    return OpenHfDirectory(path, options);
  }
  if (found == Found::kNothing && path.starts_with(kOllama))
    return OpenGguf(OllamaBlob(std::string_view(path).substr(kOllama.size())), options);
  if (path.ends_with(".safetensors"))
    Fail(ErrorCode::kArgument, Escape(path, 256), ": give the folder that holds this file and its config.json");
  return OpenGguf(path, options);
}

}  // namespace scout::io
