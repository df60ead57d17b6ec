#include "prompt/byte_text.h"

#include <array>
#include <cstdint>

#include "prompt/utf8.h"

namespace scout::prompt {
namespace {

constexpr bool StandsForItself(int byte) { return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174; }
constexpr size_t kCodePoints = 256 + 68;  // the highest code point in use is U+0143

struct ByteMap {
  std::array<uint16_t, 256> code_point{};
  std::array<int16_t, kCodePoints> byte{};  // -1: none
};

constexpr ByteMap MakeMap() {
  ByteMap map;
  for (auto& byte : map.byte) byte = -1;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const int code = StandsForItself(byte) ? byte : next++;
    map.code_point[static_cast<size_t>(byte)] = static_cast<uint16_t>(code);
    map.byte[static_cast<size_t>(code)] = static_cast<int16_t>(byte);
  }
  return map;
}
constexpr ByteMap kMap = MakeMap();

}  // namespace

size_t DecodeByteText(std::string_view text, std::string& out) {
  const auto* const begin = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* const end = begin + text.size();
  for (const unsigned char* at = begin; at < end;) {
    const Utf8Char c = DecodeUtf8(at, end);
    if (c.length == 0 || c.code_point >= kCodePoints || kMap.byte[c.code_point] < 0) return static_cast<size_t>(at - begin);
    out.push_back(static_cast<char>(kMap.byte[c.code_point]));
    at += c.length;
  }
  return text.size();
}

std::string EncodeByteText(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) AppendUtf8(kMap.code_point[static_cast<unsigned char>(c)], out);
  return out;
}

}  // namespace scout::prompt
