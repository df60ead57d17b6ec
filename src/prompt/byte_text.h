// The spelling of arbitrary bytes as printable characters that GPT-2 introduced and that tokenizer.json and GGUF use for
// ordinary tokens: bytes 33..126, 161..172 and 174..255 stand for the same code point; the other 68 (controls, space, 0x7f..0xa0,
// 0xad), in increasing order, for U+0100, U+0101, ... A space is thus U+0120 and a line feed U+010A.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace scout::prompt {

// Appends the bytes that `text` spells to `out`. Returns text.size(), or the offset of the first character that is not
// UTF-8 or stands for no byte.
size_t DecodeByteText(std::string_view text, std::string& out);

// The spelling of `bytes`.
std::string EncodeByteText(std::string_view bytes);

}  // namespace scout::prompt
