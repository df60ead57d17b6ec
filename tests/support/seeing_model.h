// The random model of tiny_model.h as a file that sees: a vision tower lies beside it.
#pragma once

#include <filesystem>
#include <string>

#include "support/gguf_writer.h"
#include "support/tiny_model.h"

namespace scout::test {

// The text model of the vision tower in tests/fixtures/vision/square.
inline TinyModel SeeingModel() {
  TinyModel model;
  model.width = 24;  // what the tower's projector gives
  model.images = true;
  return model;
}

// Writes it to a file, whose folder is made, and copies the projector's file (that fixture's mmproj-F32.gguf) beside it.
inline void WriteSeeingModel(const std::string& file, const std::string& projector) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(projector, folder / "mmproj.gguf", std::filesystem::copy_options::overwrite_existing);
  WriteFile(file, SeeingModel().Build());
}

}  // namespace scout::test
