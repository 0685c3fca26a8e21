// Stackful fibers: a warp of the host back end is one. A switch saves callee-saved registers only (own assembly on x86-64 and
// aarch64, ucontext elsewhere). Stacks are mapped lazily with a guard page below, and live until the fiber is destroyed; a
// fiber that is never resumed is simply unmapped, so nothing with a destructor may be alive across a switch.
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#define TILE_UCONTEXT 1
#endif

namespace tile::host {

#ifdef TILE_UCONTEXT
struct Context {
  ucontext_t state;
};
inline void switch_context(Context& from, Context& to) { swapcontext(&from.state, &to.state); }
#else
struct Context {
  void* stack_pointer = nullptr;
};
extern "C" void tile_switch_stack(void** save, void* load);
#if defined(__x86_64__)
asm(R"(
.text
.weak tile_switch_stack
.type tile_switch_stack, @function
tile_switch_stack:
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
.size tile_switch_stack, .-tile_switch_stack
)");
#else
asm(R"(
.text
.weak tile_switch_stack
.type tile_switch_stack, %function
tile_switch_stack:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size tile_switch_stack, .-tile_switch_stack
)");
#endif
inline void switch_context(Context& from, Context& to) { tile_switch_stack(&from.stack_pointer, to.stack_pointer); }
#endif

/** A stack with an entry function. The entry must never return: its last act is a switch away. */
class FiberStack {
 public:
  static constexpr size_t stack_bytes = size_t(1) << 20, guard_bytes = 16384;

  FiberStack() = default;
  FiberStack(const FiberStack&) = delete;
  FiberStack& operator=(const FiberStack&) = delete;
  ~FiberStack() {
    if (base_) munmap(base_, stack_bytes + guard_bytes);
  }

  void start(Context& context, void (*entry)()) {
    void* memory = base_ ? base_ : mmap(nullptr, stack_bytes + guard_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, guard_bytes, PROT_NONE) != 0) {
      std::fprintf(stderr, "no memory for the stack of a warp\n");
      std::abort();
    }
    base_ = static_cast<char*>(memory);
    char* top = base_ + guard_bytes + stack_bytes;
#ifdef TILE_UCONTEXT
    getcontext(&context.state);
    context.state.uc_stack.ss_sp = base_ + guard_bytes;
    context.state.uc_stack.ss_size = stack_bytes;
    context.state.uc_link = nullptr;
    makecontext(&context.state, entry, 0);
    (void)top;
#elif defined(__x86_64__)
    // After the six pops `ret` takes the entry; it then sees the stack as after a call: rsp = 16n - 8.
    void** frame = reinterpret_cast<void**>(top - 64);
    for (int i = 0; i < 8; ++i) frame[i] = nullptr;
    frame[6] = reinterpret_cast<void*>(entry);
    context.stack_pointer = frame;
#else
    void** frame = reinterpret_cast<void**>(top - 160);
    for (int i = 0; i < 20; ++i) frame[i] = nullptr;
    frame[11] = reinterpret_cast<void*>(entry);  // x30
    context.stack_pointer = frame;
#endif
  }

 private:
  char* base_ = nullptr;
};

}  // namespace tile::host
