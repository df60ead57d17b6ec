// A tiktoken file -> Vocabulary.
#include <array>
#include <charconv>
#include <string>

#include "base/error.h"
#include "prompt/llama4_tokens.h"
#include "prompt/vocabulary.h"

namespace scout::prompt {
namespace {

// Longest line: the longest token in base64, a space, and a rank of ten digits.
constexpr size_t kMaxLine = (kMaxTokenBytes + 2) / 3 * 4 + 11;

constexpr std::array<int8_t, 256> MakeDigits() {
  std::array<int8_t, 256> digits{};
  for (auto& d : digits) d = -1;
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kAlphabet.size(); ++i) digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int8_t>(i);
  return digits;
}
constexpr std::array<int8_t, 256> kDigits = MakeDigits();

// Standard base64 with padding, as RFC 4648 section 4 has it; bits past the last byte must be zero.
bool DecodeBase64(std::string_view text, std::string& out) {
  out.clear();
  if (text.empty() || text.size() % 4 != 0) return false;
  size_t padding = 0;
  while (padding < 2 && text[text.size() - 1 - padding] == '=') ++padding;
  const size_t digits = text.size() - padding;
  uint32_t bits = 0, held = 0;
  for (size_t i = 0; i < digits; ++i) {
    const int digit = kDigits[static_cast<unsigned char>(text[i])];
    if (digit < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out.push_back(static_cast<char>(bits >> held & 0xff));
    }
  }
  return (bits & ((1u << held) - 1)) == 0;
}

}  // namespace

Vocabulary ReadTiktokenVocabulary(std::string_view text, std::string_view name) {
  if (text.substr(0, 3) == "\xef\xbb\xbf") Fail(ErrorCode::kFormat, name, ": line 1: begins with a byte order mark");
  Vocabulary vocabulary;
  std::string bytes;
  size_t line_number = 0;
  for (size_t at = 0; at < text.size();) {
    ++line_number;
    const size_t limit = std::min(text.size(), at + kMaxLine + 2);
    size_t end = at;
    while (end < limit && text[end] != '\n') ++end;
    if (end == limit && end < text.size())
      Fail(ErrorCode::kLimit, name, ": line ", line_number, ", offset ", at, ": longer than ", kMaxLine, " bytes");
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;

    const std::string where = StrCat(name, ": line ", line_number);
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) Fail(ErrorCode::kFormat, where, ": \"", Escape(line), "\" has no rank");
    const std::string_view rank_text = line.substr(space + 1);
    if (!DecodeBase64(line.substr(0, space), bytes))
      Fail(ErrorCode::kFormat, where, ": \"", Escape(line.substr(0, space)), "\" is not base64 of at least one byte");
    uint64_t rank = 0;
    const auto parsed = std::from_chars(rank_text.data(), rank_text.data() + rank_text.size(), rank);
    if (parsed.ec != std::errc() || parsed.ptr != rank_text.data() + rank_text.size())
      Fail(ErrorCode::kFormat, where, ": the rank \"", Escape(rank_text), "\" is not a decimal number that fits 64 bits");
    if (rank != vocabulary.tokens.size())
      Fail(ErrorCode::kFormat, where, ": rank ", rank, ", expected ", vocabulary.tokens.size(),
           "; ranks must run from 0 without gaps");
    vocabulary.Add(bytes, TokenKind::kText, where);
  }
  if (vocabulary.tokens.size() == 0) Fail(ErrorCode::kFormat, name, ": holds no token");
  for (size_t i = 0; i < kLlama4ControlTokens; ++i)
    vocabulary.Add(Llama4ControlName(i), TokenKind::kControl, StrCat(name, ": control token ", i));
  return vocabulary;
}

}  // namespace scout::prompt
