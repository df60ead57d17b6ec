// Small text helpers that do not depend on the host's locale.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace scout {

// Printable form of untrusted bytes for messages: at most `limit` bytes are shown, anything outside 0x20..0x7e as \xNN,
// and "..." follows when something was cut.
std::string Escape(std::string_view bytes, size_t limit = 64);

namespace text_detail {
inline void Append(std::string& out, std::string_view part) { out.append(part); }
inline void Append(std::string& out, const char* part) { out.append(part); }
inline void Append(std::string& out, const std::string& part) { out.append(part); }
inline void Append(std::string& out, char part) { out.push_back(part); }
inline void Append(std::string& out, bool part) { out.append(part ? "true" : "false"); }
template <std::integral T>
void Append(std::string& out, T value) {
  char buffer[24];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, result.ptr);
}
template <std::floating_point T>
void Append(std::string& out, T value) {
  char buffer[48];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, result.ptr);
}
}  // namespace text_detail

// Joins the decimal or textual form of all parts.
template <typename... Parts>
std::string StrCat(const Parts&... parts) {
  std::string out;
  (text_detail::Append(out, parts), ...);
  return out;
}

}  // namespace scout
