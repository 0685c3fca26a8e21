// The PTX this back end is made of, one instruction a function. sm_90a.
// Packets use .b128 accesses: a 128-bit scalar access is single-copy atomic, a v4.b32 vector is not.
#pragma once
#include "../common/numbers.h"

namespace tile::ptx {

/** threadIdx.x, read where it is asked for: the compiler keeps it in no register. */
TILE_FN u32 thread() {
  u32 x;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(x));
  return x;
}
TILE_FN u32 shared_address(const void* at) { return u32(__cvta_generic_to_shared(at)); }
TILE_FN u64 nanoseconds() {
  u64 now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}
[[noreturn]] TILE_FN void leave_kernel() {
  asm volatile("exit;");
  __builtin_unreachable();
}

/** Bit by bit: a where mask is set, else b. The compiler makes two operations of it where the mask is a constant. */
TILE_FN u32 select_bits(u32 a, u32 b, u32 mask) {
  u32 result;
  asm("lop3.b32 %0, %1, %2, %3, 0xE4;" : "=r"(result) : "r"(a), "r"(b), "r"(mask));
  return result;
}

/** Reads constant memory for the sake of the cache alone. */
TILE_FN void touch(const char* at) {
  u32 unused;
  asm volatile("ld.global.nc.b32 %0, [%1];" : "=r"(unused) : "l"(at));
}

// mbarriers
TILE_FN void barrier_init(void* barrier, int arrivals) { asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory"); }
TILE_FN void barrier_fence_init() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
TILE_FN void barrier_arrive(void* barrier) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory"); }
TILE_FN void barrier_arrive_expect(void* barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
}
/** The phase waits for so many more bytes. */
TILE_FN void barrier_expect(void* barrier, u32 bytes) {
  asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
}
/** True once the phase of this parity has completed; may suspend the thread for a while. */
TILE_FN bool barrier_try_wait(u32 barrier, u32 parity) {
  u32 done;
  asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
               : "=r"(done)
               : "r"(barrier), "r"(parity)
               : "memory");
  return done != 0;
}

/** Tries some times. */
TILE_FN bool barrier_try_often(u32 barrier, u32 parity) {
  u32 done;
  asm volatile(
      "{ .reg .pred p; .reg .u32 left; mov.u32 left, 64;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
      "@p bra over; sub.u32 left, left, 1; setp.ne.u32 p, left, 0; @p bra again; setp.ne.u32 p, left, 0;\n"
      "over: selp.u32 %0, 1, 0, p; }"
      : "=r"(done)
      : "r"(barrier), "r"(parity)
      : "memory");
  return done != 0;
}

// bulk copies
constexpr u64 evict_first = 0x12F0000000000000ull;  // a policy of L2, as createpolicy.fractional makes it
TILE_FN void bulk_copy(void* to, const void* from, u32 bytes, void* barrier, u64 policy) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;" ::"r"(shared_address(to)), "l"(from),
               "r"(bytes), "r"(shared_address(barrier)), "l"(policy)
               : "memory");
}
TILE_FN void bulk_copy(void* to, const void* from, u32 bytes, void* barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(shared_address(to)), "l"(from), "r"(bytes),
               "r"(shared_address(barrier))
               : "memory");
}
/** Brings global memory into L2; nothing tells when. */
TILE_FN void bulk_prefetch(const void* from, u32 bytes) {
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
}
/** Orders generic and async-proxy (bulk copy) accesses of global memory. */
TILE_FN void fence_proxy_async() { asm volatile("fence.proxy.async.global;" ::: "memory"); }
/** The same of shared memory: what this thread knows to have been done there comes before the bulk copies that it asks for. */
TILE_FN void fence_proxy_async_shared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// programmatic dependent launch: until the grid before has ended and its writes are seen; the grid behind may be set up
TILE_FN void wait_for_previous() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
TILE_FN void launch_next() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }

// flags
TILE_FN u32 load_relaxed(const u32* at) {
  u32 value;
  asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
  return value;
}
TILE_FN u32 load_acquire(const u32* at) {
  u32 value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
  return value;
}
TILE_FN u32 load_relaxed_system(const u32* at) {
  u32 value;
  asm volatile("ld.relaxed.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
  return value;
}
TILE_FN void store_relaxed_system(u32* at, u32 value) { asm volatile("st.relaxed.sys.global.u32 [%0], %1;" ::"l"(at), "r"(value) : "memory"); }
TILE_FN void add_release(u32* at, u32 n) { asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(at), "r"(n) : "memory"); }
TILE_FN u32 load_acquire_shared(const u32* at) {
  u32 value;
  asm volatile("ld.acquire.cta.shared.u32 %0, [%1];" : "=r"(value) : "r"(shared_address(at)) : "memory");
  return value;
}
TILE_FN void add_release_shared(u32* at) { asm volatile("red.release.cta.shared.add.u32 [%0], 1;" ::"r"(shared_address(at)) : "memory"); }

// packets
TILE_FN void store_128_system(void* at, u64 low, u64 high) {
  asm volatile("{ .reg .b128 v; mov.b128 v, {%1, %2}; st.relaxed.sys.global.b128 [%0], v; }" ::"l"(at), "l"(low), "l"(high) : "memory");
}
TILE_FN void load_128_system(const void* at, u64& low, u64& high) {
  asm volatile("{ .reg .b128 v; ld.relaxed.sys.global.b128 v, [%2]; mov.b128 {%0, %1}, v; }" : "=l"(low), "=l"(high) : "l"(at) : "memory");
}

// numbers
TILE_FN float power_of_two(float exponent) {
  float value;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(value) : "f"(exponent));
  return value;
}
TILE_FN void mma(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
TILE_FN u32 multiply_bf16x2(u32 a, u32 b) {
  u32 product;
  asm("mul.rn.bf16x2 %0, %1, %2;" : "=r"(product) : "r"(a), "r"(b));
  return product;
}

}  // namespace tile::ptx
