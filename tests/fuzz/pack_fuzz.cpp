// Any bytes as a packed side-file whose hashes are right: what is accepted keeps everyone inside the file.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "io/pack_file.h"
#include "memory_files.h"
#include "prompt/tokenizer_image.h"
#include "prompt_fuzz.h"

namespace {

using namespace scout;

const IoOps& MappedIo() {
  static const IoOps ops = [] {
    IoOps out = fuzz::MemoryIo();
    out.map = [](int fd, uint64_t size) -> void* {
      void* const copy = std::aligned_alloc(4096, (size + 4095) / 4096 * 4096);
      if (copy != nullptr) std::memcpy(copy, fuzz::Content(fd)->data(), size);
      return copy;
    };
    out.unmap = [](void* address, uint64_t) {
      std::free(address);
      return 0;
    };
    return out;
  }();
  return ops;
}

// Hashes as a careful forger would make them.
void Hash(std::string& file) {
  io::PackHeader header;
  if (file.size() < sizeof header) return;
  std::memcpy(&header, file.data(), sizeof header);
  for (io::PackSection* section : {&header.sources, &header.skips, &header.parts, &header.tokenizer})
    if (section->offset <= file.size() && section->bytes <= file.size() - section->offset)
      section->hash = HashOf(std::as_bytes(std::span(file)).subspan(section->offset, section->bytes));
  header.hash = io::HashOfHeader(header);
  std::memcpy(file.data(), &header, sizeof header);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ScopedIoOps scope(&MappedIo());
  std::string file(reinterpret_cast<const char*>(data), size);
  Hash(file);
  fuzz::Files() = {{"/m/model.pack", file}};
  try {
    const auto pack = io::PackFile::Open("/m/model.pack");
    for (const io::PackPart& part : pack->parts()) {
      const auto bytes = pack->BytesOf(part);
      HashOf(bytes);
    }
    const auto tokenizer = prompt::ReadImage(pack->tokenizer(), pack);
    const std::string text = "the test's \xff\xc3\xa9 123\n\n <|eot|> " + std::string(100, 'a');
    for (const bool special : {false, true}) {
      const auto ids = tokenizer->Encode(text, {.allow_special = special});
      tokenizer->Decode(ids, true);
    }
  } catch (const Error& error) {
    prompt::fuzz::Expect(error.code() != ErrorCode::kInternal, "a file is never an internal error");
  }
  return 0;
}
