// The words in which one source speaks to two compilers.
//   TILE_FN     a primitive or helper of the engine: device code under nvcc, inlined
//   TILE_PHASE  a phase of the engine: a called function on the host; inlined on a GPU, so that the Warp stays in registers
//   TILE_ROLE   a role function: one per role, called once a warp
//   TILE_CALLED a function that stays one on a GPU: what is done once a round keeps its registers to itself
//   TILE_TABLE  a constant array that generated code indexes at run time
//   TILE_BOTH   arithmetic that host programs and device code share
#pragma once
#include <cstddef>
#include <cstdint>
#ifdef __CUDACC__
#define TILE_FN __device__ __forceinline__
#define TILE_PHASE __device__ __forceinline__
#define TILE_ROLE __device__ __forceinline__
#define TILE_CALLED __device__ __noinline__
#define TILE_BOTH __host__ __device__ __forceinline__
#define TILE_UNROLL _Pragma("unroll")
#define TILE_PRAGMA(words) _Pragma(#words)
#define TILE_UNROLL_BY(n) TILE_PRAGMA(unroll n)
#define TILE_LOOP TILE_UNROLL_BY(1)
#define TILE_TABLE static __constant__ const
#else
#define TILE_FN inline
#define TILE_PHASE [[gnu::noinline]]
#define TILE_ROLE
#define TILE_CALLED inline
#define TILE_BOTH inline
#define TILE_UNROLL
#define TILE_UNROLL_BY(n)
#define TILE_LOOP
#define TILE_TABLE static const
#endif

namespace tile {
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i64 = std::int64_t;
}  // namespace tile
