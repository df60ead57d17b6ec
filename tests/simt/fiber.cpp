#include "fiber.h"

#include <cstdint>
#include <cstdlib>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace scout::simt {

#if defined(__x86_64__)

// Saves the registers that a call must keep on the present stack, remembers its top in *from, and goes on where `to` left off.
asm(R"(
.text
.hidden scout_simt_switch
.globl scout_simt_switch
.type scout_simt_switch, @function
scout_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size scout_simt_switch, .-scout_simt_switch
.hidden scout_simt_enter
.globl scout_simt_enter
.type scout_simt_enter, @function
scout_simt_enter:
  .cfi_startproc
  .cfi_undefined rip
  movq %rbx, %rdi
  callq *%r12
  ud2
  .cfi_endproc
.size scout_simt_enter, .-scout_simt_enter
)");
extern "C" void scout_simt_switch(void** from, void* to);
extern "C" void scout_simt_enter();

struct Fiber::Owner {
  void* top = nullptr;   // of its stack while a fiber runs
  void* fake = nullptr;  // AddressSanitizer's
  const void* bottom = nullptr;
  size_t bytes = 0;
};
struct Fiber::Context {
  void* inside = nullptr;  // the top of the stack while others run
  void* fake = nullptr;
  Owner* owner = nullptr;

  void FromOwner() { scout_simt_switch(&owner->top, inside); }
  void ToOwner() { scout_simt_switch(&inside, owner->top); }
  void To(Context& next) { scout_simt_switch(&inside, next.inside); }
  void Prepare(std::byte* stack, Fiber* self, void (*enter)(Fiber*)) {
    auto* top = reinterpret_cast<uintptr_t*>(reinterpret_cast<uintptr_t>(stack + kStackBytes) & ~uintptr_t{15});
    top -= 2;  // a return address of 0 ends the stack, and a call from there keeps to sixteen bytes
    top[0] = top[1] = 0;
    *--top = reinterpret_cast<uintptr_t>(&scout_simt_enter);
    *--top = 0;                                   // rbp
    *--top = reinterpret_cast<uintptr_t>(self);   // rbx
    *--top = reinterpret_cast<uintptr_t>(enter);  // r12
    for (int i = 0; i < 3; ++i) *--top = 0;       // r13 r14 r15
    inside = top;
  }
};

#else

struct Fiber::Owner {
  ucontext_t context;
  void* fake = nullptr;
  const void* bottom = nullptr;
  size_t bytes = 0;
};
struct Fiber::Context {
  ucontext_t inside;
  void* fake = nullptr;
  Owner* owner = nullptr;

  void FromOwner() { swapcontext(&owner->context, &inside); }
  void ToOwner() { swapcontext(&inside, &owner->context); }
  void To(Context& next) { swapcontext(&inside, &next.inside); }
  static void Trampoline(unsigned high, unsigned low) {
    auto* self = reinterpret_cast<Fiber*>(static_cast<uintptr_t>(high) << 32 | low);
    Fiber::Enter(self);
  }
  void Prepare(std::byte* stack, Fiber* self, void (*)(Fiber*)) {
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = kStackBytes;
    inside.uc_link = nullptr;
    const auto bits = reinterpret_cast<uintptr_t>(self);
    makecontext(&inside, reinterpret_cast<void (*)()>(Trampoline), 2, static_cast<unsigned>(bits >> 32),
                static_cast<unsigned>(bits));
  }
};

#endif

Fiber::Fiber() : stack_(new std::byte[kStackBytes]), context_(new Context) {}
Fiber::~Fiber() {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(stack_.get(), kStackBytes);
#endif
}

void Fiber::Start(void (*entry)(void*), void* argument) {
  entry_ = entry;
  argument_ = argument;
#if defined(__SANITIZE_ADDRESS__)
  // Functions that have returned leave nothing poisoned, so after a run that ended it is the first few that have not.
  constexpr size_t kOuter = 4096;
  const size_t poisoned = ended_ ? kOuter : kStackBytes;
  __asan_unpoison_memory_region(stack_.get() + kStackBytes - poisoned, poisoned);
  context_->fake = nullptr;
#endif
  ended_ = false;
  context_->Prepare(stack_.get(), this, &Fiber::Enter);
}

void Fiber::Resume() {
  Owner owner;
  context_->owner = &owner;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&owner.fake, stack_.get(), kStackBytes);
  context_->FromOwner();
  __sanitizer_finish_switch_fiber(owner.fake, nullptr, nullptr);
#else
  context_->FromOwner();
#endif
}

// Here again, or for the first time, from the owner or from another fiber. Whoever is the first after a Resume has come from the
// owner and learns where its stack lies.
void Fiber::Arrive([[maybe_unused]] void* fake) {
#if defined(__SANITIZE_ADDRESS__)
  const void* bottom = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(fake, &bottom, &bytes);
  Owner& owner = *context_->owner;
  if (!owner.bottom) {
    owner.bottom = bottom;
    owner.bytes = bytes;
  }
#endif
}

void Fiber::Suspend() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&context_->fake, context_->owner->bottom, context_->owner->bytes);
#endif
  context_->ToOwner();
  Arrive(context_->fake);
}

void Fiber::GoOnWith(Fiber& next) {
  next.context_->owner = context_->owner;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&context_->fake, next.stack_.get(), kStackBytes);
#endif
  context_->To(*next.context_);
  Arrive(context_->fake);
}

void Fiber::Enter(Fiber* self) {
  self->Arrive(nullptr);
  self->entry_(self->argument_);
  std::abort();  // an entry function does not return
}

}  // namespace scout::simt
