// How files are told apart: by the bytes that they begin with.
#pragma once

#include <cstddef>
#include <string_view>

namespace scout::media {

// Of a literal that may hold a NUL.
template <size_t kSize>
constexpr std::string_view Bytes(const char (&text)[kSize]) {
  return {text, kSize - 1};
}

// What a kind of file has at a place, and what to call one.
struct Magic {
  size_t at;
  std::string_view bytes;
  const char* name;
};

inline bool Begins(std::string_view bytes, size_t at, std::string_view magic) {
  return bytes.size() >= at && bytes.substr(at).starts_with(magic);
}

}  // namespace scout::media
