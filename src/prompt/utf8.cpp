#include "prompt/utf8.h"

namespace scout::prompt {
namespace {

enum class Prefix { kComplete, kNeedsMore, kIllFormed };

struct Measured {
  Prefix kind = Prefix::kIllFormed;
  uint32_t length = 1;  // kComplete: of the character; kIllFormed: of the maximal subpart, at least 1
};

// What the `size` >= 1 bytes at `at` begin with.
Measured Measure(const unsigned char* at, size_t size) {
  const unsigned char lead = at[0];
  if (lead < 0x80) return {Prefix::kComplete, 1};
  if (lead < 0xc2 || lead > 0xf4) return {Prefix::kIllFormed, 1};
  const uint32_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // The second byte carries the limits that keep overlong forms, surrogates and values above U+10FFFF out.
  const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  for (uint32_t i = 1; i < length; ++i) {
    if (i >= size) return {Prefix::kNeedsMore, i};
    const bool fits = i == 1 ? at[1] >= low && at[1] <= high : (at[i] & 0xc0) == 0x80;
    if (!fits) return {Prefix::kIllFormed, i};
  }
  return {Prefix::kComplete, length};
}

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

}  // namespace

Utf8Char DecodeUtf8(const unsigned char* at, const unsigned char* end) {
  const Measured measured = Measure(at, static_cast<size_t>(end - at));
  if (measured.kind != Prefix::kComplete) return {};
  uint32_t code = at[0];
  switch (measured.length) {
    case 1:
      break;
    case 2:
      code = (code & 0x1fu) << 6 | (at[1] & 0x3fu);
      break;
    case 3:
      code = (code & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
      break;
    default:
      code = (code & 0x07u) << 18 | (at[1] & 0x3fu) << 12 | (at[2] & 0x3fu) << 6 | (at[3] & 0x3fu);
      break;
  }
  return {code, measured.length};
}

void AppendUtf8(uint32_t code_point, std::string& out) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
    return;
  }
  if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
  } else {
    if (code_point < 0x10000) {
      put(0xe0 | code_point >> 12);
    } else {
      put(0xf0 | code_point >> 18);
      put(0x80 | (code_point >> 12 & 0x3f));
    }
    put(0x80 | (code_point >> 6 & 0x3f));
  }
  put(0x80 | (code_point & 0x3f));
}

void Utf8Assembler::Append(std::string_view bytes, std::string& out) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  const unsigned char* const end = at + bytes.size();
  // First what waits: it grows byte by byte until it is whole or hopeless. When it is hopeless the byte that made it so
  // has not been taken, and begins something new.
  while (pending_size_ > 0 && at < end) {
    pending_[pending_size_] = *at;
    const Measured measured = Measure(pending_, pending_size_ + 1);
    if (measured.kind == Prefix::kIllFormed) {
      out.append(kReplacement);
      pending_size_ = 0;
      break;
    }
    ++at;
    ++pending_size_;
    if (measured.kind == Prefix::kComplete) {
      out.append(reinterpret_cast<const char*>(pending_), pending_size_);
      pending_size_ = 0;
    }
  }
  const unsigned char* whole = at;  // [whole, at) is well formed and not yet copied
  const auto copy = [&] { out.append(reinterpret_cast<const char*>(whole), static_cast<size_t>(at - whole)); };
  while (at < end) {
    const Measured measured = Measure(at, static_cast<size_t>(end - at));
    if (measured.kind == Prefix::kComplete) {
      at += measured.length;
      continue;
    }
    copy();
    if (measured.kind == Prefix::kNeedsMore) {
      while (at < end) pending_[pending_size_++] = *at++;
      return;
    }
    out.append(kReplacement);
    at += measured.length;
    whole = at;
  }
  copy();
}

void Utf8Assembler::Flush(std::string& out) {
  if (pending_size_ > 0) out.append(kReplacement);
  pending_size_ = 0;
}

}  // namespace scout::prompt
