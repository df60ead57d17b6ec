// Writes the random model of tests/support/tiny_model.h to a file.
#include "support/gguf_writer.h"
#include "support/tiny_model.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  scout::test::WriteFile(argv[1], scout::test::TinyModel{}.Build());
  return 0;
}
