// Any bytes as a GGUF file.
#include <cstdint>

#include "memory_files.h"
#include "use_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const scout::ScopedIoOps scope(&scout::fuzz::MemoryIo());
  scout::fuzz::Files() = {{"/m/model.gguf", std::string(reinterpret_cast<const char*>(data), size)}};
  scout::fuzz::UseCheckpoint("/m/model.gguf");
  return 0;
}
