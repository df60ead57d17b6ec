#include "io/json.h"

#include <charconv>
#include <limits>
#include <vector>

namespace scout::io {

// Length of the UTF-8 sequence at `at` (1 to 4), or 0 when the bytes there are not one.
static int Utf8Length(const unsigned char* at, const unsigned char* end) {
  const auto continues = [&](int i) { return at + i < end && (at[i] & 0xc0) == 0x80; };
  const unsigned char c = at[0];
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf) return continues(1) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    if (c == 0xe0 && at[1] < 0xa0) return 0;  // overlong
    if (c == 0xed && at[1] > 0x9f) return 0;  // surrogates
    return 3;
  }
  if (c >= 0xf0 && c <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (c == 0xf0 && at[1] < 0x90) return 0;  // overlong
    if (c == 0xf4 && at[1] > 0x8f) return 0;  // above U+10FFFF
    return 4;
  }
  return 0;
}

bool IsUtf8(std::string_view bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const unsigned char* end = at + bytes.size();
  while (at < end) {
    const int length = Utf8Length(at, end);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

namespace {

// The keys seen in one open object: an open-addressing table of (hash, offset of the key in the text), eight bytes per slot,
// so that an object of a million keys costs less memory than its text. The hash is not keyed; instead a probe that runs
// longer than any honest set of keys could cause (the expected longest run at half load is about 70 slots for a million
// keys) ends the walk, so a file built from colliding keys costs linear time too.
class KeyTable {
 public:
  struct Slot {
    uint32_t hash = 0;
    uint32_t place = 0;  // offset of the key's opening quote + 1; 0 is an empty slot
  };
  static constexpr int kLongestProbe = 512;

  uint64_t size() const { return used_; }

  enum class Answer { kInserted, kSameHash, kTooManyCollisions };

  // Tries to insert; `same(offset)` decides whether the key at `offset` is this one. Returns the offset of the earlier key
  // in `*earlier` with kSameHash.
  template <typename Same>
  Answer Insert(uint32_t hash, uint32_t place, const Same& same, uint32_t* earlier) {
    if ((used_ + 1) * 2 > slots_.size()) Grow();
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    for (int probe = 0; probe < kLongestProbe; ++probe, at = (at + 1) & mask) {
      Slot& slot = slots_[at];
      if (slot.place == 0) {
        slot = {hash, place + 1};
        ++used_;
        return Answer::kInserted;
      }
      if (slot.hash == hash && same(slot.place - 1)) {
        *earlier = slot.place - 1;
        return Answer::kSameHash;
      }
    }
    return Answer::kTooManyCollisions;
  }

 private:
  void Grow() {
    std::vector<Slot> larger(slots_.empty() ? 16 : slots_.size() * 2);
    const size_t mask = larger.size() - 1;
    for (const Slot& slot : slots_) {
      if (slot.place == 0) continue;
      size_t at = slot.hash & mask;
      while (larger[at].place != 0) at = (at + 1) & mask;
      larger[at] = slot;
    }
    slots_.swap(larger);
  }

  std::vector<Slot> slots_;
  size_t used_ = 0;
};

uint32_t Hash(std::string_view bytes) {
  uint64_t h = 0xcbf29ce484222325u;
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  h ^= h >> 29;
  h *= 0xbf58476d1ce4e5b9u;
  return static_cast<uint32_t>(h >> 32);
}

}  // namespace

class JsonParser {
 public:
  JsonParser(std::string_view text, std::string_view name, JsonHandler& handler, const JsonLimits& limits)
      : text_(text), handler_(handler), limits_(limits) {
    handler_.name_ = name;
    handler_.text_ = text;
    handler_.offset_ = 0;
  }

  void Run() {
    if (text_.size() >= std::numeric_limits<uint32_t>::max())
      Stop(0, ErrorCode::kLimit, "a text of ", text_.size(), " bytes; the limit is 4294967294");
    enum class Expect { kValue, kFirstItemOrEnd, kFirstKeyOrEnd, kKey, kCommaOrEnd } expect = Expect::kValue;
    for (;;) {
      SkipSpace();
      switch (expect) {
        case Expect::kFirstItemOrEnd:
          if (Peek() == ']') {
            Close();
            expect = Expect::kCommaOrEnd;
            break;
          }
          [[fallthrough]];
        case Expect::kValue: {
          const char c = Peek();
          if (c == '{' || c == '[') {
            Open(c);
            expect = c == '{' ? Expect::kFirstKeyOrEnd : Expect::kFirstItemOrEnd;
          } else {
            Scalar(c);
            expect = Expect::kCommaOrEnd;
          }
          break;
        }
        case Expect::kFirstKeyOrEnd:
          if (Peek() == '}') {
            Close();
            expect = Expect::kCommaOrEnd;
            break;
          }
          [[fallthrough]];
        case Expect::kKey:
          Key();
          expect = Expect::kValue;
          break;
        case Expect::kCommaOrEnd: {
          if (open_.empty()) {
            if (at_ != text_.size()) Stop(at_, ErrorCode::kFormat, "more text after the value: ", Found());
            return;
          }
          const bool object = open_.back() == '{';
          const char c = Peek();
          if (c == ',') {
            ++at_;
            expect = object ? Expect::kKey : Expect::kValue;
          } else if (c == (object ? '}' : ']')) {
            Close();
          } else {
            Stop(at_, ErrorCode::kFormat, "expected ',' or '", object ? '}' : ']', "', found ", Found());
          }
          break;
        }
      }
    }
  }

 private:
  template <typename... Parts>
  [[noreturn]] void Stop(uint64_t offset, ErrorCode code, const Parts&... parts) {
    handler_.offset_ = offset;
    throw Error(code, handler_.Where() + StrCat(parts...));
  }

  // The next byte, or 0 at the end of the text (a NUL in the text is refused wherever it stands, so the two never mix).
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  std::string Found() const {
    if (at_ >= text_.size()) return "the end of the text";
    return "'" + Escape(text_.substr(at_, 1)) + "'";
  }

  void SkipSpace() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') break;
      ++at_;
    }
  }

  void Open(char bracket) {
    if (open_.size() >= static_cast<size_t>(limits_.max_depth))
      Stop(at_, ErrorCode::kFormat, "nested deeper than ", limits_.max_depth, " brackets");
    handler_.offset_ = at_++;
    open_.push_back(bracket);
    if (bracket == '{') {
      keys_.emplace_back();
      handler_.BeginObject();
    } else {
      handler_.BeginArray();
    }
  }

  void Close() {
    handler_.offset_ = at_++;
    const char bracket = open_.back();
    open_.pop_back();
    if (bracket == '{') {
      keys_.pop_back();
      handler_.EndObject();
    } else {
      handler_.EndArray();
    }
  }

  void Key() {
    if (Peek() != '"') Stop(at_, ErrorCode::kFormat, "expected a key in quotes, found ", Found());
    const uint64_t begin = at_;
    const std::string_view key = ReadString(scratch_);
    if (limits_.check_keys) CheckKey(begin, key);
    SkipSpace();
    if (Peek() != ':') Stop(at_, ErrorCode::kFormat, "expected ':' after a key, found ", Found());
    ++at_;
    handler_.offset_ = begin;
    handler_.Key(key);
  }

  void CheckKey(uint64_t begin, std::string_view key) {
    if (keys_.back().size() >= limits_.max_keys)
      Stop(begin, ErrorCode::kLimit, "an object of more than ", limits_.max_keys, " keys");
    uint32_t earlier = 0;
    const auto same = [&](uint32_t offset) {
      const uint64_t keep = at_;
      at_ = offset;
      const bool equal = ReadString(other_scratch_) == key;
      at_ = keep;
      return equal;
    };
    switch (keys_.back().Insert(Hash(key), static_cast<uint32_t>(begin), same, &earlier)) {
      case KeyTable::Answer::kInserted:
        break;
      case KeyTable::Answer::kSameHash:
        Stop(begin, ErrorCode::kFormat, "the key \"", Escape(key), "\" occurs twice in one object, first at offset ", earlier);
      case KeyTable::Answer::kTooManyCollisions:
        Stop(begin, ErrorCode::kLimit, "more than ", KeyTable::kLongestProbe, " keys of one object share a hash");
    }
  }

  void Scalar(char c) {
    const uint64_t begin = at_;
    if (c == '"') {
      const std::string_view value = ReadString(scratch_);
      handler_.offset_ = begin;
      handler_.String(value);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      Number();
    } else if (Word("true") || Word("false")) {
      handler_.offset_ = begin;
      handler_.Bool(c == 't');
    } else if (Word("null")) {
      handler_.offset_ = begin;
      handler_.Null();
    } else {
      Stop(begin, ErrorCode::kFormat, "expected a value, found ", Found());
    }
  }

  bool Word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  size_t Digits() {
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ - begin;
  }

  void Number() {
    const size_t begin = at_;
    const bool negative = Peek() == '-';
    if (negative) ++at_;
    if (Peek() == '0') {
      ++at_;
      if (Peek() >= '0' && Peek() <= '9') Stop(begin, ErrorCode::kFormat, "a number with a leading zero");
    } else if (Digits() == 0) {
      Stop(begin, ErrorCode::kFormat, "a number without digits");
    }
    bool whole = true;
    if (Peek() == '.') {
      whole = false;
      ++at_;
      if (Digits() == 0) Stop(begin, ErrorCode::kFormat, "a number without digits after its point");
    }
    if (Peek() == 'e' || Peek() == 'E') {
      whole = false;
      ++at_;
      if (Peek() == '+' || Peek() == '-') ++at_;
      if (Digits() == 0) Stop(begin, ErrorCode::kFormat, "a number without digits in its exponent");
    }
    const char* first = text_.data() + begin;
    const char* last = text_.data() + at_;
    handler_.offset_ = begin;
    if (whole && negative) {
      int64_t value = 0;
      if (std::from_chars(first, last, value).ec == std::errc()) return handler_.Int(value);
    } else if (whole) {
      uint64_t value = 0;
      if (std::from_chars(first, last, value).ec == std::errc()) return handler_.Uint(value);
    }
    double value = 0;
    if (std::from_chars(first, last, value).ec != std::errc())
      Stop(begin, ErrorCode::kFormat, "the number ", Escape(text_.substr(begin, at_ - begin)), " does not fit a double");
    handler_.Float(value);
  }

  // Reads the string whose opening quote is at at_. A string without escapes is returned as a view of the text, another one
  // is decoded into `scratch`.
  std::string_view ReadString(std::string& scratch) {
    const size_t quote = at_++;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text_.data());
    const size_t end = text_.size();
    size_t piece = at_;
    bool escaped = false;
    for (;;) {
      if (at_ >= end) Stop(quote, ErrorCode::kFormat, "a string without its closing quote");
      const unsigned char c = bytes[at_];
      if (c == '"') break;
      if (c == '\\') {
        if (!escaped) scratch.clear();
        escaped = true;
        scratch.append(text_.substr(piece, at_ - piece));
        ReadEscape(scratch);
        piece = at_;
      } else if (c < 0x20) {
        Stop(at_, ErrorCode::kFormat, "a control character ", Found(), " inside a string");
      } else if (c < 0x80) {
        ++at_;
      } else {
        const int length = Utf8Length(bytes + at_, bytes + end);
        if (length == 0) Stop(at_, ErrorCode::kFormat, "the byte ", Found(), " is not UTF-8");
        at_ += static_cast<size_t>(length);
      }
    }
    const std::string_view tail = text_.substr(piece, at_ - piece);
    ++at_;
    if (!escaped) return tail;
    scratch.append(tail);
    return scratch;
  }

  void ReadEscape(std::string& out) {
    const size_t backslash = at_++;
    const char c = Peek();
    ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out.push_back(c);
        return;
      case 'b':
        out.push_back('\b');
        return;
      case 'f':
        out.push_back('\f');
        return;
      case 'n':
        out.push_back('\n');
        return;
      case 'r':
        out.push_back('\r');
        return;
      case 't':
        out.push_back('\t');
        return;
      case 'u':
        break;
      default:
        Stop(backslash, ErrorCode::kFormat, "an unknown escape in a string");
    }
    uint32_t code = Hex4(backslash);
    if (code >= 0xdc00 && code <= 0xdfff) Stop(backslash, ErrorCode::kFormat, "a low surrogate without its high half");
    if (code >= 0xd800 && code <= 0xdbff) {
      uint32_t low = 0;
      if (Peek() == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] == 'u') {
        at_ += 2;
        low = Hex4(backslash);
      }
      if (low < 0xdc00 || low > 0xdfff) Stop(backslash, ErrorCode::kFormat, "a high surrogate without its low half");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code < 0x80) {
      out.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
      out.push_back(static_cast<char>(0xc0 | code >> 6));
      out.push_back(static_cast<char>(0x80 | (code & 63)));
    } else if (code < 0x10000) {
      out.push_back(static_cast<char>(0xe0 | code >> 12));
      out.push_back(static_cast<char>(0x80 | (code >> 6 & 63)));
      out.push_back(static_cast<char>(0x80 | (code & 63)));
    } else {
      out.push_back(static_cast<char>(0xf0 | code >> 18));
      out.push_back(static_cast<char>(0x80 | (code >> 12 & 63)));
      out.push_back(static_cast<char>(0x80 | (code >> 6 & 63)));
      out.push_back(static_cast<char>(0x80 | (code & 63)));
    }
  }

  uint32_t Hex4(size_t backslash) {
    uint32_t value = 0;
    const char* first = text_.data() + at_;
    if (text_.size() - at_ < 4 || std::from_chars(first, first + 4, value, 16).ptr != first + 4)
      Stop(backslash, ErrorCode::kFormat, "an escape without four hexadecimal digits");
    at_ += 4;
    return value;
  }

  std::string_view text_;
  JsonHandler& handler_;
  JsonLimits limits_;
  size_t at_ = 0;
  std::vector<char> open_;      // '{' or '[' for each open bracket
  std::vector<KeyTable> keys_;  // one for each open object
  std::string scratch_, other_scratch_;
};

std::string JsonHandler::Where() const {
  uint64_t line = 1;
  for (uint64_t i = 0; i < offset_ && i < text_.size(); ++i) line += text_[i] == '\n';
  return StrCat(name_, ": line ", line, ", offset ", offset_, ": ");
}

void ParseJson(std::string_view text, std::string_view name, JsonHandler& handler, const JsonLimits& limits) {
  JsonParser(text, name, handler, limits).Run();
}

}  // namespace scout::io
