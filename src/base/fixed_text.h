// A text in a field of fixed size, as it crosses the line to a plug-in or lies in a file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace scout {

// As much of `from` as fits with a NUL behind it; of UTF-8 whole characters only.
template <size_t kSize>
void CopyText(std::string_view from, char (&to)[kSize]) noexcept {
  size_t length = std::min(from.size(), kSize - 1);
  if (length < from.size())
    while (length > 0 && (static_cast<unsigned char>(from[length]) & 0xc0) == 0x80) --length;
  std::memcpy(to, from.data(), length);
  to[length] = 0;
}

}  // namespace scout
