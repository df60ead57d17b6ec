#include "api/pack.h"

#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "prompt/tokenizer_image.h"

namespace scout::api {
namespace {

std::string PackPath(const LoadFiles& files, const std::string& model_path) {
  if (!files.pack_path.empty()) return files.pack_path;
  if (model_path.starts_with("ollama:"))
    Fail(ErrorCode::kArgument, "pack_path is NULL; the side-file of ", Escape(model_path, 256), " needs a path of its own");
  return StrCat(model_path, ".pack");
}

// The bar of the load goes on to its end a second time while the file is written.
class Progress final : public io::PackProgress {
 public:
  explicit Progress(model::LoadProgress& progress) : progress_(progress) {}
  void Wrote(uint64_t bytes) override {
    if (progress_.cancel.load(std::memory_order_relaxed)) Fail(ErrorCode::kCancelled, "packing was cancelled");
    progress_.bytes_done.fetch_add(bytes, std::memory_order_relaxed);
  }

 private:
  model::LoadProgress& progress_;
};

}  // namespace

void UsePack(const LoadFiles& files, const std::string& model_path, model::LoadOptions& options, io::OpenOptions& open) {
  switch (files.pack) {
    case SCOUT_PACK_NONE:
      return;
    case SCOUT_PACK_WRITE:
      options.check_weights = true;  // whoever uses the file later does not look
      return;
    default:
      options.pack = io::PackFile::Open(PackPath(files, model_path));
      options.check_pack = files.pack == SCOUT_PACK_CHECK;
      open.pack = options.pack.get();
      open.whole_hash = options.check_pack;
  }
}

void CheckPackable(const LoadFiles& files, const io::Checkpoint& checkpoint) {
  if (files.pack == SCOUT_PACK_WRITE && checkpoint.Sources().empty())
    Fail(ErrorCode::kUnsupported, Escape(checkpoint.path(), 256), ": a folder; packed side-files are of GGUF files");
}

std::shared_ptr<const prompt::Tokenizer> PackedTokenizer(const std::shared_ptr<const io::PackFile>& pack) {
  try {
    return prompt::ReadImage(pack->tokenizer(), pack);
  } catch (const Error& error) {
    Fail(error.code(), pack->name(), ": ", error.what());
  }
}

void WritePackOf(const ModelObject& object, const LoadFiles& files, const std::string& model_path, model::LoadProgress& progress) {
  const io::Checkpoint& checkpoint = object.model->checkpoint();
  const std::string path = PackPath(files, model_path);
  io::PackContents contents = object.model->Packed();
  uint64_t bytes = 0;
  for (const auto& data : contents.data) bytes += data.size();
  progress.bytes_total.fetch_add(bytes);
  for (const io::SourceFile& source : checkpoint.Sources())
    contents.sources.push_back(io::DescribeSource(*source.file, source.header_bytes, true));
  // A tokenizer from a file beside the model is read from there.
  if (object.tokenizer != nullptr && checkpoint.metadata().Find("tokenizer.ggml.tokens") != nullptr) {
    contents.tokenizer = prompt::WriteImage(*object.tokenizer);
    const auto arrays = checkpoint.TokenizerArrays();
    contents.skips.assign(arrays.begin(), arrays.end());
  }
  Progress watched(progress);
  io::WritePack(path, std::move(contents), watched);
  Log(LogLevel::kInfo, "packed ", Escape(model_path, 256), ": ", bytes, " bytes of weights in ", Escape(path, 256));
}

}  // namespace scout::api
