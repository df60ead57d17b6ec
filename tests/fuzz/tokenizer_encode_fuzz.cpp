// Any bytes as text: encoded, decoded, counted; special spellings on and off; cut into a stream of characters.
#include <cstdint>
#include <string>
#include <vector>

#include "io/json.h"
#include "prompt/pretokenize.h"
#include "prompt_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace scout::prompt;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = fuzz::SmallTokenizer();

  PieceScanner scanner(text);
  std::string_view piece;
  size_t covered = 0;
  while (scanner.Next(&piece)) {
    fuzz::Expect(!piece.empty() && piece.data() == text.data() + covered, "pieces follow one another");
    covered += piece.size();
  }
  fuzz::Expect(covered == size, "pieces cover the text");
  fuzz::Expect(scanner.bytes_examined() <= 4 * size, "no byte is looked at more than four times on average");

  for (const bool special : {false, true}) {
    const EncodeOptions options{.allow_special = special};
    const std::vector<TokenId> ids = tokenizer->Encode(text, options);
    fuzz::Expect(tokenizer->Decode(ids, true) == text, "decode(encode(x)) is x");
    fuzz::Expect(tokenizer->Count(text, options) == ids.size(), "the count is the number of ids");
    std::string stream;
    Utf8Assembler assembler;
    for (const TokenId id : ids) {
      if (!special) fuzz::Expect(!tokenizer->IsSpecial(id), "plain text gives text tokens");
      assembler.Append(tokenizer->TokenBytes(id), stream);
    }
    assembler.Flush(stream);
    fuzz::Expect(scout::io::IsUtf8(stream), "the stream is UTF-8");
    fuzz::Expect(!scout::io::IsUtf8(text) || stream == text, "well-formed text streams as it is");
  }
  return 0;
}
