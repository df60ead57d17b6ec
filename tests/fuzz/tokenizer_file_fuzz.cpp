// Any bytes as a tokenizer.json or as a tiktoken file: read, or refused with an error of the right kind; what was read works.
#include <cstdint>
#include <string>

#include "base/error.h"
#include "prompt_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace scout::prompt;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const bool json = size > 0 && data[0] == '{';
    const Tokenizer tokenizer(json ? ReadJsonVocabulary(text, "tokenizer.json") : ReadTiktokenVocabulary(text, "tokenizer.model"));
    const std::string probe = "the test's \xff\xc3\xa9 123\n\n <|eot|>";
    fuzz::Expect(tokenizer.Decode(tokenizer.Encode(probe)) == probe, "a vocabulary that was accepted encodes every text");
    fuzz::Expect(tokenizer.Decode(tokenizer.Encode(text)) == text, "its own file among them");
  } catch (const scout::Error& error) {
    fuzz::Expect(error.code() != scout::ErrorCode::kInternal, "a file is never an internal error");
    fuzz::Expect(std::string_view(error.what()).size() < 2000, "messages are short");
  }
  return 0;
}
