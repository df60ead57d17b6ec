// Arguments, refused by name; and the one rule about buffers.
#pragma once

#include <scout/status.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/error.h"

namespace scout::api {

template <typename Pointer>
void NeedOut(Pointer* out, std::string_view name) {
  if (out == nullptr) Fail(ErrorCode::kArgument, name, " is NULL");
}

inline void NeedRange(int64_t value, int64_t low, int64_t high, std::string_view name) {
  if (value < low || value > high) Fail(ErrorCode::kArgument, name, " is ", value, ", must be ", low, " to ", high);
}

inline void NeedFlag(int32_t value, std::string_view name) { NeedRange(value, 0, 1, name); }

// The bytes of a text argument: up to its NUL for SCOUT_NUL; NULL only with size 0; no size that memory cannot have.
inline std::string_view TextOf(const char* text, uint64_t size, std::string_view name) {
  if (text == nullptr) {
    if (size != 0) Fail(ErrorCode::kArgument, name, " is NULL");
    return {};
  }
  if (size == SCOUT_NUL) return std::string_view(text);
  if (size > PTRDIFF_MAX) Fail(ErrorCode::kArgument, name, "_size is ", size, ", more than memory can hold");
  return {text, size};
}

// Writes `needed` always, and the values when `capacity` is enough for them. Too small: kLimit and nothing else is written. A NULL
// buffer with capacity 0 only asks.
template <typename T, typename Values>
scout_status CopyOut(const Values& values, T* to, uint64_t capacity, uint64_t* needed, std::string_view name) {
  static_assert(sizeof(*values.data()) == sizeof(T));
  NeedOut(needed, "needed");
  if (to == nullptr && capacity != 0) Fail(ErrorCode::kArgument, name, " is NULL with capacity ", capacity);
  *needed = values.size();
  if (to == nullptr) return SCOUT_OK;
  if (capacity < values.size()) Fail(ErrorCode::kLimit, name, " has room for ", capacity, ", ", values.size(), " are needed");
  if (!values.empty()) std::memcpy(to, values.data(), values.size() * sizeof(T));
  return SCOUT_OK;
}

}  // namespace scout::api
