// PNG files with anything in them, for tests: chunks with right checksums, and deflate streams of stored blocks or of one repeated
// byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace scout::test {

inline std::string Big32(uint32_t value) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(value >> shift));
  return out;
}

inline uint32_t Crc32(std::string_view bytes) {
  uint32_t crc = 0xffffffffu;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
  }
  return ~crc;
}

inline std::string Chunk(std::string name, const std::string& data) {
  const auto size = static_cast<uint32_t>(data.size());
  name += data;
  return Big32(size) + name + Big32(Crc32(name));
}

// zlib, uncompressed.
inline std::string Stored(std::string_view data) {
  std::string out = "\x78\x01";
  uint32_t a = 1, b = 0;
  for (const char c : data) {
    a = (a + static_cast<uint8_t>(c)) % 65521;
    b = (b + a) % 65521;
  }
  do {
    const std::string_view block = data.substr(0, 65535);
    data.remove_prefix(block.size());
    out.push_back(data.empty() ? 1 : 0);
    const auto size = static_cast<uint16_t>(block.size());
    for (const int value : {size & 255, size >> 8, ~size & 255, (~size >> 8) & 255}) out.push_back(static_cast<char>(value));
    out += block;
  } while (!data.empty());
  return out + Big32(b << 16 | a);
}

// zlib of `blocks` x 258 zero bytes and one more, in about a byte for each 1032: a literal 0, then copies of length 258 from one
// back.
inline std::string ZeroBomb(uint64_t blocks) {
  std::string out = "\x78\x9c";
  uint32_t bits = 0;
  int held = 0;
  const auto put = [&](uint32_t value, int count) {  // from the lowest bit
    bits |= value << held;
    held += count;
    for (; held >= 8; held -= 8, bits >>= 8) out.push_back(static_cast<char>(bits));
  };
  put(1, 1);     // the last block
  put(1, 2);     // of fixed codes
  put(0x0c, 8);  // literal 0: 00110000, from its highest bit
  for (uint64_t i = 0; i < blocks; ++i) {
    put(0xa3, 8);  // length 258: 11000101
    put(0, 5);     // distance 1
  }
  put(0, 7);  // end
  put(0, 7);
  return out + Big32(1);  // no reader gets as far as the checksum
}

inline std::string Header(uint32_t width, uint32_t height, int depth = 8, int color = 2, int interlace = 0) {
  std::string data = Big32(width) + Big32(height);
  for (const int value : {depth, color, 0, 0, interlace}) data.push_back(static_cast<char>(value));
  return Chunk("IHDR", data);
}

inline constexpr std::string_view kPngMagic{"\x89PNG\r\n\x1a\n", 8};

inline std::string Png(const std::string& chunks) { return std::string(kPngMagic) + chunks + Chunk("IEND", ""); }

}  // namespace scout::test
