// Handles: what a scout_model* and its sisters really point at.
//
// A handle is a small slot {kind, process, object} in memory that is never given back while the library is loaded. So a NULL, a
// handle of another kind, one that was freed (its slot rests before it is used again) and one from before a fork are all told apart
// without touching freed memory, in every build. The object hangs on the slot by a shared_ptr that each call copies for its
// duration: freeing a handle while another thread is inside a call on it is safe, the object goes with the last one out.
#pragma once

#include <scout/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>

#include "base/error.h"

namespace scout::api {

enum class Kind : uint32_t { kFree = 0, kModel, kOperation, kEngine, kRequest, kChat, kScores, kImage, kVideo };

// What hangs on a handle.
class Object {
 public:
  virtual ~Object() = default;
  // The handle is being freed; other threads may still be inside calls, which must end soon.
  virtual void Close() noexcept {}
};

// Puts the object behind a new handle of a kind. Throws kState in a child of a process that has used handles.
void* NewHandle(Kind kind, std::shared_ptr<Object> object);

// Throws kState in a child of a process that has used handles.
void CheckNotForked();

// The object behind a handle. Throws kArgument for NULL or another kind, kState for a freed handle or after fork. `what` is the
// parameter's name.
std::shared_ptr<Object> FindObject(const void* handle, Kind kind, std::string_view what);

// Takes the object off its handle, which is free from then on. Null for anything that FindObject would refuse.
std::shared_ptr<Object> TakeObject(void* handle, Kind kind) noexcept;

// Which class is behind which public type.
template <typename Public>
struct HandleOf;

template <typename Public>
std::shared_ptr<typename HandleOf<std::remove_const_t<Public>>::Class> Get(Public* handle, std::string_view what) {
  using Traits = HandleOf<std::remove_const_t<Public>>;
  return std::static_pointer_cast<typename Traits::Class>(FindObject(handle, Traits::kKind, what));
}

template <typename Public, typename Class>
Public* Make(std::shared_ptr<Class> object) {
  static_assert(std::is_same_v<Class, typename HandleOf<Public>::Class>);
  return static_cast<Public*>(NewHandle(HandleOf<Public>::kKind, std::move(object)));
}

// The body of every scout_*_free.
template <typename Public>
void Free(Public* handle) noexcept;

void FreeHandle(void* handle, Kind kind) noexcept;

template <typename Public>
void Free(Public* handle) noexcept {
  FreeHandle(handle, HandleOf<Public>::kKind);
}

// One caller at a time inside a scope: the second gets kState instead of a race.
class Exclusive {
 public:
  Exclusive(std::atomic<bool>& busy, std::string_view what) : busy_(busy) {
    if (busy_.exchange(true, std::memory_order_acquire)) Fail(ErrorCode::kState, "another thread is inside ", what);
  }
  ~Exclusive() { busy_.store(false, std::memory_order_release); }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  std::atomic<bool>& busy_;
};

}  // namespace scout::api
