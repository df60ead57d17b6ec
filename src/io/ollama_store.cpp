#include "io/ollama_store.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "io/file_reader.h"
#include "io/json.h"

namespace scout::io {
namespace {

constexpr uint64_t kMaxManifest = 1024 * 1024;
constexpr std::string_view kModelLayer = "application/vnd.ollama.image.model";

// {"layers": [{"mediaType": text, "digest": "sha256:HEX", ...}, ...], ...}
class ManifestReader : public JsonHandler {
 public:
  std::string digest;  // of the model layer

 private:
  void BeginObject() override {
    if (++depth_ == 3 && in_layers_) type_.clear(), layer_digest_.clear();
  }
  void EndObject() override {
    if (depth_-- == 3 && in_layers_ && type_ == kModelLayer) {
      if (!digest.empty()) Refuse(ErrorCode::kFormat, "two layers of type ", kModelLayer);
      digest = layer_digest_;
    }
  }
  void BeginArray() override { ++depth_; }
  void EndArray() override { --depth_; }
  void Key(std::string_view key) override {
    if (depth_ == 1) in_layers_ = key == "layers";
    key_ = key;
  }
  void String(std::string_view value) override {
    if (depth_ != 3 || !in_layers_) return;
    if (key_ == "mediaType") type_ = value;
    if (key_ == "digest") layer_digest_ = value;
  }

  int depth_ = 0;
  bool in_layers_ = false;
  std::string key_, type_, layer_digest_;
};

bool IsNamePart(std::string_view part) {
  return !part.empty() && part.size() <= 128 && part[0] != '.' && std::all_of(part.begin(), part.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

}  // namespace

std::string FindOllamaModel(std::string_view name, const std::string& root) {
  std::string_view rest = name, tag = "latest";
  if (const size_t colon = rest.rfind(':'); colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos) {
    tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t slash = rest.find('/');
    parts.push_back(rest.substr(0, slash));
    if (slash == std::string_view::npos) break;
    rest = rest.substr(slash + 1);
  }
  if (parts.size() == 1) parts.insert(parts.begin(), "library");
  if (parts.size() == 2) parts.insert(parts.begin(), "registry.ollama.ai");
  if (parts.size() != 3 || !std::all_of(parts.begin(), parts.end(), IsNamePart) || !IsNamePart(tag))
    Fail(ErrorCode::kArgument, "\"", Escape(name), "\" is not the name of a model: [HOST/][NAMESPACE/]MODEL[:TAG]");

  const std::string path = StrCat(root, "/manifests/", parts[0], "/", parts[1], "/", parts[2], "/", tag);
  const std::string text = ReadWholeFile(path, kMaxManifest);
  ManifestReader manifest;
  const std::string shown = Escape(path, 256);
  ParseJson(text, shown, manifest);
  if (manifest.digest.empty()) Fail(ErrorCode::kFormat, shown, ": no layer of type ", kModelLayer);
  constexpr std::string_view kPrefix = "sha256:";
  const std::string_view hex = std::string_view(manifest.digest).substr(std::min(kPrefix.size(), manifest.digest.size()));
  const bool good = manifest.digest.starts_with(kPrefix) && hex.size() == 64 &&
                    std::all_of(hex.begin(), hex.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!good)
    Fail(ErrorCode::kDenied, shown, ": the digest \"", Escape(manifest.digest), "\" is not sha256: and 64 hexadecimal digits");
  return StrCat(root, "/blobs/sha256-", hex);
}

std::vector<std::string> OllamaStores() {
  if (const char* models = std::getenv("OLLAMA_MODELS"); models && *models) return {models};
  std::vector<std::string> out;
  if (const char* home = std::getenv("HOME"); home && *home) out.push_back(StrCat(home, "/.ollama/models"));
  out.push_back("/usr/share/ollama/.ollama/models");
  return out;
}

}  // namespace scout::io
