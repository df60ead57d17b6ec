// What the split pattern knows about a character: one of eight classes, for every code point of Unicode.
//
// The tables in unicode_tables.cpp are generated (generate_unicode_tables.py) from Unicode 16.0.0, the version that
// tiktoken's regular expressions know; the version is part of the tokenizer's behaviour. Layout: code points go in blocks
// of 128, equal blocks are stored once (230 of 8,704 are different), and a block is eight 64-bit words of sixteen 4-bit
// classes, lowest nibble first. Blocks past the end of kBlockOf equal its last one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace scout::prompt {

enum class CharClass : uint8_t {
  kOther = 0,     // everything else, and every byte that is not part of well-formed UTF-8
  kUpper = 1,     // Lu, Lt
  kLower = 2,     // Ll
  kCaseless = 3,  // Lm, Lo: letters that stand wherever an upper or a lower one may
  kMark = 4,      // Mn, Mc, Me
  kNumber = 5,    // Nd, Nl, No
  kSpace = 6,     // White_Space without CR and LF
  kNewline = 7,   // CR, LF
};

namespace unicode_tables {

inline constexpr size_t kBlockCount = 7173;
inline constexpr size_t kWordCount = 1840;
extern const char kVersion[];
extern const uint8_t kBlockOf[kBlockCount];
extern const uint64_t kClassWords[kWordCount];

}  // namespace unicode_tables

// `code_point` is at most U+10FFFF.
inline CharClass ClassOf(uint32_t code_point) {
  const size_t block = code_point >> 7;
  const size_t word = unicode_tables::kBlockOf[block < unicode_tables::kBlockCount ? block : unicode_tables::kBlockCount - 1];
  return static_cast<CharClass>(unicode_tables::kClassWords[word * 8 + (code_point >> 4 & 7)] >> (code_point & 15) * 4 & 15);
}

}  // namespace scout::prompt
