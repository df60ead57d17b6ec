// The one rule about struct_size.
//
// Options (read by us). A struct_size below the first release's size of the struct, or above kMaxStructBytes, is refused with
// SCOUT_ERR_ARGUMENT. A smaller one than ours comes from an older program: the members it does not know have their defaults. A
// larger one comes from a newer program: fine as long as every byte that we do not know is zero, else SCOUT_ERR_UNSUPPORTED,
// because the program asks for something that this library cannot do.
//
// Descriptions (written by us). At least 8 bytes; members past struct_size are not written, and bytes past what we know are zeroed.
// struct_size itself stays as the caller set it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace scout::api {

// Beyond this a struct_size is taken for memory that was never initialised.
constexpr size_t kMaxStructBytes = 4096;

namespace options_detail {
// `defaults` holds our `own_size` bytes and is overwritten with what `given` knows.
void Read(const void* given, size_t first_size, size_t own_size, std::string_view name, void* defaults);
void Init(void* out, size_t struct_size, size_t first_size, size_t own_size, std::string_view name, const void* defaults);
void Write(void* out, size_t own_size, std::string_view name, const void* value);
}  // namespace options_detail

// The caller's options over the defaults. `first_size` is the struct's size in the release that brought it. Throws as told above.
template <typename Options>
Options ReadOptions(const Options* given, const Options& defaults, size_t first_size, std::string_view name) {
  static_assert(std::is_trivially_copyable_v<Options>);
  Options options = defaults;
  if (given != nullptr) options_detail::Read(given, first_size, sizeof options, name, &options);
  options.struct_size = sizeof options;
  return options;
}

// The body of every _init. An unknown tail is zeroed.
template <typename Options>
void InitOptions(Options* out, size_t struct_size, const Options& defaults, size_t first_size, std::string_view name) {
  static_assert(std::is_trivially_copyable_v<Options>);
  options_detail::Init(out, struct_size, first_size, sizeof defaults, name, &defaults);
}

// Writes a description. `value.struct_size` is not looked at.
template <typename Info>
void WriteInfo(Info* out, const Info& value, std::string_view name) {
  static_assert(std::is_trivially_copyable_v<Info>);
  options_detail::Write(out, sizeof value, name, &value);
}

}  // namespace scout::api
