// What the fuzz targets of the tokenizer share: a vocabulary that is small and needs no file.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "prompt/llama4_tokens.h"
#include "prompt/tokenizer.h"
#include "prompt/vocabulary.h"

namespace scout::prompt::fuzz {

// The 256 bytes, all pairs of eight common characters, and words that overlap; Llama 4's first twenty control tokens.
inline std::shared_ptr<const Tokenizer> SmallTokenizer() {
  static const std::shared_ptr<const Tokenizer> tokenizer = [] {
    Vocabulary vocabulary;
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      vocabulary.Add(std::string_view(&c, 1), TokenKind::kText, "byte");
    }
    const std::string common = "aets \n.'";
    for (const char a : common)
      for (const char b : common) vocabulary.Add(std::string{a, b}, TokenKind::kText, "pair");
    for (const char* text : {"tes", "est", "test", "aaa", "aaaa", "aaaaaaaa", "   ", "    ", "\n\n\n", "...", "<|", "|>", "eot",
                             "\xc3\xa9", "\xe6\x97", "\xe6\x97\xa5", "\xcc\x81"})
      vocabulary.Add(text, TokenKind::kText, "word");
    for (size_t i = 0; i < 20; ++i) vocabulary.Add(Llama4ControlName(i), TokenKind::kControl, "control");
    return std::make_shared<const Tokenizer>(std::move(vocabulary));
  }();
  return tokenizer;
}

// Ends the run with the reason: libFuzzer keeps the input.
inline void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace scout::prompt::fuzz
