#include "io/ollama_store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "io/checkpoint.h"
#include "support/gguf_writer.h"
#include "support/temp_dir.h"

namespace scout::io {
namespace {

using test::TempDir;
using test::WriteFile;

const std::string kHex(64, 'a');

// A store with one model under its full path.
void MakeStore(const TempDir& dir, const std::string& manifest_path, const std::string& digest) {
  const std::filesystem::path path = dir / ("manifests/" + manifest_path);
  std::filesystem::create_directories(path.parent_path());
  std::filesystem::create_directories(dir / "blobs");
  WriteFile(path.string(), R"({"schemaVersion": 2, "config": {"digest": "sha256:0", "mediaType": "x"}, "layers": [
    {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:1", "size": 5},
    {"mediaType": "application/vnd.ollama.image.model", "digest": ")" +
                               digest + R"(", "size": 5}]})");
  WriteFile(dir / ("blobs/sha256-" + kHex), test::GgufWriter().String("general.architecture", "llama4").Build());
}

ErrorCode CodeOf(const std::string& name, const std::string& root) {
  try {
    FindOllamaModel(name, root);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kInternal;
}

TEST(OllamaStore, NamesAreCompletedWithOllamasDefaults) {
  TempDir dir;
  MakeStore(dir, "registry.ollama.ai/library/llama4/scout", "sha256:" + kHex);
  MakeStore(dir, "registry.ollama.ai/library/llama4/latest", "sha256:" + kHex);
  MakeStore(dir, "example.org/me/llama4/x-1.0_b", "sha256:" + kHex);
  const std::string blob = dir / ("blobs/sha256-" + kHex);
  for (const char* name : {"llama4:scout", "llama4", "library/llama4:scout", "registry.ollama.ai/library/llama4:latest",
                           "example.org/me/llama4:x-1.0_b"})
    EXPECT_EQ(FindOllamaModel(name, dir.path()), blob) << name;
}

TEST(OllamaStore, NamesCannotLeaveTheStore) {
  TempDir dir;
  for (const char* name :
       {"", "..", "../x", "a/b/c/d", "llama4:", "llama4:..", "a b", "/llama4", "llama4/", "a//b", "x:../../y", "llama4:a/b"})
    EXPECT_EQ(CodeOf(name, dir.path()), ErrorCode::kArgument) << name;
}

TEST(OllamaStore, WrongManifestsAreRefused) {
  TempDir dir;
  EXPECT_EQ(CodeOf("llama4", dir.path()), ErrorCode::kIo);
  for (const std::string& digest : {std::string("sha256:../../x"), "sha256:" + kHex + "a", std::string("md5:") + kHex,
                                    std::string("sha256:") + std::string(64, 'G')}) {
    MakeStore(dir, "registry.ollama.ai/library/llama4/latest", digest);
    EXPECT_EQ(CodeOf("llama4", dir.path()), ErrorCode::kDenied) << digest;
  }
  for (const char* text : {"", "[]", "{}", "{\"layers\": []}", "{\"layers\": [{\"mediaType\": \"x\"}]}", "{\"layers\": 5}", "{"}) {
    WriteFile(dir / "manifests/registry.ollama.ai/library/llama4/latest", text);
    EXPECT_EQ(CodeOf("llama4", dir.path()), ErrorCode::kFormat) << text;
  }
}

TEST(OllamaStore, TheStoreOfTheEnvironmentIsOpenedByName) {
  TempDir dir;
  MakeStore(dir, "registry.ollama.ai/library/llama4/scout", "sha256:" + kHex);
  ASSERT_EQ(::setenv("OLLAMA_MODELS", dir.path().c_str(), 1), 0);
  EXPECT_EQ(OpenCheckpoint("ollama:llama4:scout", {})->metadata().FindString("general.architecture"), "llama4");
  try {
    OpenCheckpoint("ollama:llama5", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_NE(std::string(error.what()).find("no Ollama store holds the model \"llama5\""), std::string::npos) << error.what();
  }
  ::unsetenv("OLLAMA_MODELS");
}

}  // namespace
}  // namespace scout::io
