#include "prompt/pretokenize.h"

#include <array>

#include "prompt/unicode_tables.h"
#include "prompt/utf8.h"

namespace scout::prompt {

const std::string_view kLlama4SplitPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

using Byte = unsigned char;

constexpr std::array<CharClass, 128> MakeAsciiClasses() {
  std::array<CharClass, 128> classes{};
  for (int c = 0; c < 128; ++c) {
    CharClass k = CharClass::kOther;
    if (c >= 'A' && c <= 'Z') k = CharClass::kUpper;
    if (c >= 'a' && c <= 'z') k = CharClass::kLower;
    if (c >= '0' && c <= '9') k = CharClass::kNumber;
    if (c == ' ' || c == '\t' || c == '\v' || c == '\f') k = CharClass::kSpace;
    if (c == '\r' || c == '\n') k = CharClass::kNewline;
    classes[static_cast<size_t>(c)] = k;
  }
  return classes;
}
constexpr std::array<CharClass, 128> kAsciiClasses = MakeAsciiClasses();

struct Char {
  CharClass kind;
  uint32_t length;
};

// The character at `at`, where at < end. One malformed byte is one character of class kOther.
inline Char Read(const Byte* at, const Byte* end) {
  if (*at < 0x80) [[likely]]
    return {kAsciiClasses[*at], 1};
  const Utf8Char c = DecodeUtf8(at, end);
  if (c.length == 0) return {CharClass::kOther, 1};
  return {ClassOf(c.code_point), c.length};
}

constexpr uint32_t Set(CharClass kind) { return 1u << static_cast<uint32_t>(kind); }
// The pattern's two overlapping letter classes.
constexpr uint32_t kUpperSide = Set(CharClass::kUpper) | Set(CharClass::kCaseless) | Set(CharClass::kMark);
constexpr uint32_t kLowerSide = Set(CharClass::kLower) | Set(CharClass::kCaseless) | Set(CharClass::kMark);
constexpr uint32_t kSymbols = Set(CharClass::kOther) | Set(CharClass::kMark);  // [^\s\p{L}\p{N}]
constexpr uint32_t kSpaces = Set(CharClass::kSpace) | Set(CharClass::kNewline);

inline bool In(CharClass kind, uint32_t set) { return (Set(kind) & set) != 0; }

// The end of the run of characters of `set` that begins at `at`.
inline const Byte* SkipRun(const Byte* at, const Byte* end, uint32_t set) {
  while (at < end) {
    const Char c = Read(at, end);
    if (!In(c.kind, set)) break;
    at += c.length;
  }
  return at;
}

struct Word {
  const Byte* mixed = nullptr;  // end of UPPERSIDE* LOWERSIDE+ as alternative 1 has it, null when that does not match
  const Byte* upper = nullptr;  // end of the longest UPPERSIDE*
  const Byte* seen = nullptr;   // how far was looked
};

// Alternative 1 without its prefix and its contraction: UPPERSIDE* LOWERSIDE+, greedy, giving back on failure.
// UPPERSIDE* first takes its whole run. If a lower-case letter follows, LOWERSIDE+ takes the run from there. If not,
// characters are given back until LOWERSIDE+ can begin: at the last character of the run that is on both sides. What
// follows that one in the run is upper case only, so LOWERSIDE+ takes exactly one character.
inline Word ScanWord(const Byte* at, const Byte* end) {
  Word word;
  const Byte* after_both = nullptr;
  bool lower_follows = false;
  while (at < end) {
    const Char c = Read(at, end);
    if (!In(c.kind, kUpperSide)) {
      lower_follows = c.kind == CharClass::kLower;
      break;
    }
    at += c.length;
    if (c.kind != CharClass::kUpper) after_both = at;
  }
  word.upper = at;
  word.mixed = lower_follows ? SkipRun(at, end, kLowerSide) : after_both;
  word.seen = lower_follows ? word.mixed : at;
  return word;
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)? at `at`: its end, or `at`. Under Unicode case folding U+017F is an s too; none of the other
// letters folds to anything outside ASCII.
inline const Byte* SkipContraction(const Byte* at, const Byte* end) {
  if (end - at < 2 || *at != '\'') return at;
  const Byte first = at[1] < 0x80 ? static_cast<Byte>(at[1] | 0x20) : at[1];
  const Byte second = end - at >= 3 ? (at[2] < 0x80 ? static_cast<Byte>(at[2] | 0x20) : at[2]) : static_cast<Byte>(0);
  switch (first) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return at + 2;
    case 'r':
    case 'v':
      return second == 'e' ? at + 3 : at;
    case 'l':
      return second == 'l' ? at + 3 : at;
    case 0xc5:
      return second == 0xbf ? at + 3 : at;
    default:
      return at;
  }
}

// [^\s\p{L}\p{N}]+[\r\n/]* at `at`, of which the first character is known to match.
inline const Byte* SkipSymbols(const Byte* at, const Byte* end) {
  at = SkipRun(at, end, kSymbols);
  while (at < end && (*at == '\r' || *at == '\n' || *at == '/')) ++at;
  return at;
}

// \s*[\r\n]+ | \s+(?!\S) | \s+ at `at`, which is white space. `seen` is the end of the run of white space.
inline const Byte* SkipSpaces(const Byte* at, const Byte* end, const Byte** seen) {
  const Byte* const begin = at;
  const Byte* after_newline = nullptr;
  const Byte* last = at;  // where the last character of the run begins
  while (at < end) {
    const Char c = Read(at, end);
    if (!In(c.kind, kSpaces)) break;
    last = at;
    at += c.length;
    if (c.kind == CharClass::kNewline) after_newline = at;
  }
  *seen = at;
  // \s* takes the whole run and gives back down to the last CR or LF, which [\r\n]+ then is.
  if (after_newline) return after_newline;
  // \s+(?!\S): the whole run at the end of the text; else it gives one character back, if it has two.
  if (at == end || last == begin) return at;
  return last;
}

}  // namespace

PieceScanner::PieceScanner(std::string_view text) : at_(reinterpret_cast<const Byte*>(text.data())), end_(at_ + text.size()) {}

bool PieceScanner::Next(std::string_view* piece) {
  if (at_ == end_) return false;
  const Byte* const begin = at_;
  const Byte* const end = end_;
  const Char first = Read(begin, end);
  const Byte* const second = begin + first.length;
  const Byte* stop = nullptr;  // end of the piece
  const Byte* seen = begin;    // how far was looked for it

  switch (first.kind) {
    case CharClass::kLower:
    case CharClass::kCaseless:
    case CharClass::kUpper: {
      // A letter is no prefix. Alternative 2 only comes up for a run of upper case without anything on both sides and
      // without a lower-case letter behind it, so its LOWERSIDE* is empty.
      const Word word = ScanWord(begin, end);
      stop = SkipContraction(word.mixed ? word.mixed : word.upper, end);
      seen = word.seen;
      break;
    }
    case CharClass::kMark: {
      // Alternative 1 with the mark as prefix; else without prefix, where the mark is the last character on both sides (if
      // there were a later one, or a lower-case letter, the first attempt would have matched) and so stands alone.
      const Word word = ScanWord(second, end);
      stop = SkipContraction(word.mixed ? word.mixed : second, end);
      seen = word.seen;
      break;
    }
    case CharClass::kOther:
    case CharClass::kSpace: {
      // Alternatives 1 and 2 need the prefix here, since the character itself is no letter.
      const Word word = ScanWord(second, end);
      seen = word.seen;
      if (word.mixed || word.upper > second) {
        stop = SkipContraction(word.mixed ? word.mixed : word.upper, end);
      } else if (first.kind == CharClass::kOther) {
        stop = SkipSymbols(second, end);
      } else if (*begin == ' ' && second < end && Read(second, end).kind == CharClass::kOther) {
        stop = SkipSymbols(second, end);
      } else {
        stop = SkipSpaces(begin, end, &seen);
      }
      break;
    }
    case CharClass::kNumber: {
      stop = second;
      for (int i = 1; i < 3 && stop < end; ++i) {
        const Char c = Read(stop, end);
        if (c.kind != CharClass::kNumber) break;
        stop += c.length;
      }
      break;
    }
    case CharClass::kNewline:
      stop = SkipSpaces(begin, end, &seen);
      break;
  }

  if (seen < stop) seen = stop;
  examined_ += static_cast<uint64_t>(seen - begin);
  *piece = std::string_view(reinterpret_cast<const char*>(begin), static_cast<size_t>(stop - begin));
  at_ = stop;
  return true;
}

}  // namespace scout::prompt
