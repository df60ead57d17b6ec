#include "api/handles.h"

#include <array>
#include <mutex>

#include "api/boundary.h"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace scout::api {
namespace {

struct Slot {
  std::atomic<Kind> kind{Kind::kFree};
  Kind former = Kind::kFree;  // of the last object, for messages
  std::mutex mutex;           // of `kind` and `object`
  std::shared_ptr<Object> object;
  Slot* next = nullptr;  // in the pool's queue
};

constexpr size_t kSlotsPerBlock = 256;
// A freed slot rests until so many others were freed after it, so that a stale handle is recognised rather than mistaken.
constexpr size_t kResting = 4096;

// Slots are handed out in the order in which they were freed. Never destroyed: a host's exit may run our calls late.
struct Pool {
  std::mutex mutex;
  Slot* first = nullptr;
  Slot* last = nullptr;
  size_t resting = 0;
  Slot* block = nullptr;  // where fresh slots come from
  size_t block_left = 0;
  void* blocks = nullptr;           // all blocks, linked, so that leak checkers see them
  std::atomic<int64_t> process{0};  // the first process that made a handle
};

constinit Pool g_pool;

struct Block {
  void* next;
  std::array<Slot, kSlotsPerBlock> slots;
};

constexpr const char* kNames[] = {"?",          "scout_model",  "scout_operation", "scout_engine", "scout_request",
                                  "scout_chat", "scout_scores", "scout_image",     "scout_video"};
const char* NameOf(Kind kind) { return kNames[static_cast<size_t>(kind)]; }

int64_t ThisProcess() noexcept {
#if defined(__unix__) || defined(__APPLE__)
  return getpid();
#else
  return 1;
#endif
}

bool Forked() noexcept {
  const int64_t process = g_pool.process.load(std::memory_order_relaxed);
  return process != 0 && process != ThisProcess();
}

Slot* NewSlot() {
  const std::lock_guard lock(g_pool.mutex);
  if (g_pool.resting > kResting) {
    Slot* slot = g_pool.first;
    g_pool.first = slot->next;
    if (g_pool.first == nullptr) g_pool.last = nullptr;
    --g_pool.resting;
    return slot;
  }
  if (g_pool.block_left == 0) {
    auto* block = new Block;
    block->next = g_pool.blocks;
    g_pool.blocks = block;
    g_pool.block = block->slots.data();
    g_pool.block_left = kSlotsPerBlock;
  }
  return g_pool.block + (kSlotsPerBlock - g_pool.block_left--);
}

void Rest(Slot* slot) noexcept {
  const std::lock_guard lock(g_pool.mutex);
  slot->next = nullptr;
  (g_pool.last == nullptr ? g_pool.first : g_pool.last->next) = slot;
  g_pool.last = slot;
  ++g_pool.resting;
}

}  // namespace

void CheckNotForked() {
  if (Forked())
    Fail(ErrorCode::kState,
         "this process is a fork of one that was using libscout, whose threads do not exist here: call exec first, or ",
         "fork before the first model is loaded");
}

void* NewHandle(Kind kind, std::shared_ptr<Object> object) {
  int64_t none = 0;
  g_pool.process.compare_exchange_strong(none, ThisProcess());
  CheckNotForked();
  Slot* slot = NewSlot();
  const std::lock_guard lock(slot->mutex);
  slot->object = std::move(object);
  slot->former = kind;
  slot->kind.store(kind, std::memory_order_release);
  return slot;
}

std::shared_ptr<Object> FindObject(const void* handle, Kind kind, std::string_view what) {
  if (handle == nullptr) Fail(ErrorCode::kArgument, what, " is NULL");
  CheckNotForked();  // before any lock: a lock that the parent held at the fork is never opened here
  auto* slot = static_cast<Slot*>(const_cast<void*>(handle));
  const std::lock_guard lock(slot->mutex);
  const Kind found = slot->kind.load(std::memory_order_relaxed);
  if (found == kind) return slot->object;
  if (found == Kind::kFree) Fail(ErrorCode::kState, what, ": this ", NameOf(slot->former), " was freed before");
  Fail(ErrorCode::kArgument, what, " is a ", NameOf(found), ", not a ", NameOf(kind));
}

std::shared_ptr<Object> TakeObject(void* handle, Kind kind) noexcept {
  if (handle == nullptr || Forked()) return nullptr;
  auto* slot = static_cast<Slot*>(handle);
  std::shared_ptr<Object> object;
  {
    const std::lock_guard lock(slot->mutex);
    if (slot->kind.load(std::memory_order_relaxed) != kind) return nullptr;
    slot->kind.store(Kind::kFree, std::memory_order_relaxed);
    object = std::move(slot->object);
    slot->object = nullptr;
  }
  Rest(slot);
  return object;
}

void FreeHandle(void* handle, Kind kind) noexcept {
  static_cast<void>(Boundary([&] {
    if (const std::shared_ptr<Object> object = TakeObject(handle, kind)) object->Close();
    return SCOUT_OK;
  }));
}

}  // namespace scout::api
