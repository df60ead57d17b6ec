// UTF-8 as this room needs it: strict decoding of one character, and putting a stream of token bytes together into whole
// characters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace scout::prompt {

struct Utf8Char {
  uint32_t code_point = 0;
  uint32_t length = 0;  // 1 to 4 bytes; 0 when the bytes are not one well-formed character
};

// Decodes the character at `at`, where at < end, by table 3-7 of the Unicode standard: no overlong forms, no surrogates,
// nothing above U+10FFFF.
Utf8Char DecodeUtf8(const unsigned char* at, const unsigned char* end);

// Appends the UTF-8 form of a code point.
void AppendUtf8(uint32_t code_point, std::string& out);

// Turns bytes that arrive in arbitrary cuts (tokens may end inside a character) into valid UTF-8 in whole characters.
//
// Rule for bytes that can never become a character: each maximal subpart of an ill-formed sequence (the longest run that
// could still have begun one, else a single byte) is replaced by one U+FFFD. The result does not depend on the cuts. At
// most three bytes wait for their rest; Flush says that none will come.
class Utf8Assembler {
 public:
  // Appends to `out` what has become complete.
  void Append(std::string_view bytes, std::string& out);
  // Ends the stream: bytes still waiting become one U+FFFD. The assembler is then as new.
  void Flush(std::string& out);
  // Bytes that wait for the rest of their character, 0 to 3.
  size_t pending() const { return pending_size_; }

 private:
  unsigned char pending_[4] = {};
  uint32_t pending_size_ = 0;
};

}  // namespace scout::prompt
