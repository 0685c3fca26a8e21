// Time, and words that kernel and host program share: the few accesses that leave the device.
// On CUDA they are system-scope; on the host everything runs in one thread, and plain (volatile) accesses do.
#pragma once
#include "../common/target.h"
#ifndef __CUDACC__
#include <time.h>
#endif

namespace tile {

/** A waiting rank beats this often: a store across the bus now and then; on the host a poll is rare and a store is nothing. */
#ifdef __CUDACC__
constexpr u32 polls_a_beat = 1024;
TILE_FN u64 clock_ns() {
  u64 ns;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(ns));
  return ns;
}
TILE_FN u64 work_ns() { return clock_ns(); }
TILE_FN u32 load_system(const u32* word) {
  u32 value;
  asm volatile("ld.acquire.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(word) : "memory");
  return value;
}
/** A word that brings nothing along: nobody waits until it is used. */
TILE_FN u32 peek_system(const u32* word) {
  u32 value;
  asm volatile("ld.relaxed.sys.global.u32 %0, [%1];" : "=r"(value) : "l"(word) : "memory");
  return value;
}
TILE_FN void store_system(u32* word, u32 value) { asm volatile("st.relaxed.sys.global.u32 [%0], %1;" ::"l"(word), "r"(value) : "memory"); }
TILE_FN void release_system() { __threadfence_system(); }
TILE_FN void acquire_system() { __threadfence_system(); }
TILE_FN u32 load_counter(const u32* word) {
  u32 value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(word) : "memory");
  return value;
}
#else
constexpr u32 polls_a_beat = 1;
TILE_FN u64 clock_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return u64(now.tv_sec) * 1000000000u + u64(now.tv_nsec);
}
/** What rounds are timed by: other work on the machine, which comes and goes, is not theirs. */
TILE_FN u64 work_ns() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return u64(now.tv_sec) * 1000000000u + u64(now.tv_nsec);
}
TILE_FN u32 load_system(const u32* word) { return *static_cast<const volatile u32*>(word); }
TILE_FN u32 peek_system(const u32* word) { return load_system(word); }
TILE_FN void store_system(u32* word, u32 value) { *static_cast<volatile u32*>(word) = value; }
TILE_FN void release_system() {}
TILE_FN void acquire_system() {}
TILE_FN u32 load_counter(const u32* word) { return *static_cast<const volatile u32*>(word); }
#endif

}  // namespace tile
