// Writes the random model of tests/support/tiny_model.h to a file, or one that sees, with a vision tower beside it.
// Usage: write_tiny_model FILE [PROJECTOR_FILE]
#include "support/seeing_model.h"

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) return 2;
  if (argc == 3) {
    scout::test::WriteSeeingModel(argv[1], argv[2]);
  } else {
    scout::test::WriteFile(argv[1], scout::test::TinyModel{}.Build());
  }
  return 0;
}
