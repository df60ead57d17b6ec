#include "api/options.h"

#include <algorithm>

#include "base/error.h"

namespace scout::api::options_detail {
namespace {

// Every options struct and every description begins with it.
uint32_t SizeOf(const void* given) {
  uint32_t size = 0;
  std::memcpy(&size, given, sizeof size);
  return size;
}

void CheckSize(uint64_t size, size_t least, std::string_view name) {
  if (size < least || size > kMaxStructBytes)
    Fail(ErrorCode::kArgument, name, ".struct_size is ", size, ", expected ", least, " to ", kMaxStructBytes, ": set it to sizeof(",
         name, "), or by the struct's _init function");
}

}  // namespace

void Read(const void* given, size_t first_size, size_t own_size, std::string_view name, void* defaults) {
  const size_t size = SizeOf(given);
  CheckSize(size, first_size, name);
  const auto* bytes = static_cast<const unsigned char*>(given);
  for (size_t i = own_size; i < size; ++i) {
    if (bytes[i] != 0)
      Fail(ErrorCode::kUnsupported, name, ": byte ", i, " of ", size, " is set, but this library knows the first ", own_size,
           " only: the program was built for a newer libscout");
  }
  std::memcpy(defaults, given, std::min(size, own_size));
}

void Init(void* out, size_t struct_size, size_t first_size, size_t own_size, std::string_view name, const void* defaults) {
  if (out == nullptr) Fail(ErrorCode::kArgument, "options (", name, ") is NULL");
  CheckSize(struct_size, first_size, name);
  std::memset(out, 0, struct_size);
  std::memcpy(out, defaults, std::min(struct_size, own_size));
  const auto size = static_cast<uint32_t>(struct_size);
  std::memcpy(out, &size, sizeof size);
}

void Write(void* out, size_t own_size, std::string_view name, const void* value) {
  if (out == nullptr) Fail(ErrorCode::kArgument, name, " is NULL");
  const size_t size = SizeOf(out);
  CheckSize(size, 8, name);
  constexpr size_t kHead = sizeof(uint32_t);
  const size_t known = std::min(size, own_size);
  auto* bytes = static_cast<unsigned char*>(out);
  std::memcpy(bytes + kHead, static_cast<const unsigned char*>(value) + kHead, known - kHead);
  std::memset(bytes + known, 0, size - known);
}

}  // namespace scout::api::options_detail
