// Writes the random model of tests/support/tiny_model.h to a file, or one that sees, with a vision tower beside it.
// Usage: write_tiny_model FILE [PROJECTOR_FILE]
#include <filesystem>

#include "support/gguf_writer.h"
#include "support/tiny_model.h"

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) return 2;
  scout::test::TinyModel model;
  if (argc == 3) {
    const std::filesystem::path folder = std::filesystem::path(argv[1]).parent_path();
    std::filesystem::create_directories(folder);
    std::filesystem::copy_file(argv[2], folder / "mmproj.gguf", std::filesystem::copy_options::overwrite_existing);
    model.width = 24;  // what the projector of tests/fixtures/vision/square gives
    model.images = true;
  }
  scout::test::WriteFile(argv[1], model.Build());
  return 0;
}
