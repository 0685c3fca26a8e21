// How fast this GPU streams: a ring of bulk copies in every SM and nothing else, which is what an engine can be held against.
// Measured in the process that runs the engine, just before its launch: figures of another day or another machine do not count.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <vector>

#include "../cuda/ptx.h"

namespace tile {

constexpr u32 ceiling_chunk = 16384, ceiling_stages = 12;
constexpr u64 ceiling_bytes = u64(4) << 30;

/** Four warps look at what the fifth fetches, chunks dealt out in turn. All lanes of the fifth wait: one lane that waited while the others
    waited for it would stream 6 % less. */
__global__ void __launch_bounds__(160, 1) ceiling_kernel(const char* from, u64 chunks, u32* sink) {
  extern __shared__ __align__(1024) char ceiling_memory[];
  __shared__ u64 full[ceiling_stages], empty[ceiling_stages];
  if (threadIdx.x == 0) {
    for (u32 i = 0; i < ceiling_stages; ++i) ptx::barrier_init(full + i, 1), ptx::barrier_init(empty + i, 4);
    ptx::barrier_fence_init();
  }
  __syncthreads();
  const u32 warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  u32 turn = 0, seen = 0;
  for (u64 chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x, ++turn) {
    const u32 slot = turn % ceiling_stages, phase = turn / ceiling_stages & 1u;
    char* page = ceiling_memory + slot * ceiling_chunk;
    if (warp == 4) {
      while (!ptx::barrier_try_wait(ptx::shared_address(empty + slot), phase ^ 1u)) {}
      __syncwarp();
      if (lane != 0) continue;
      ptx::barrier_arrive_expect(full + slot, ceiling_chunk);
      ptx::bulk_copy(page, from + chunk * ceiling_chunk, ceiling_chunk, full + slot, ptx::evict_first);
    } else {
      while (!ptx::barrier_try_wait(ptx::shared_address(full + slot), phase)) {}
      seen ^= *reinterpret_cast<const u32*>(page + threadIdx.x * 16);
      __syncwarp();
      if (lane == 0) ptx::barrier_arrive(empty + slot);
    }
  }
  if (seen == 0x12345u) *sink = seen;
}

/** Bytes a second, the median of seven streams over different parts of `memory`; 0 where something failed. */
inline double measure_ceiling(const char* memory, u64 bytes, int sms, cudaStream_t stream) {
  const u64 length = std::min(bytes, ceiling_bytes) / ceiling_chunk * ceiling_chunk;
  const u64 step = (bytes - length) / 8 / ceiling_chunk * ceiling_chunk;
  const int shared = int(ceiling_chunk * ceiling_stages);
  u32* sink = nullptr;
  cudaEvent_t began, ended;
  if (length == 0 || cudaMalloc(reinterpret_cast<void**>(&sink), 16) != cudaSuccess) return 0;
  cudaEventCreate(&began), cudaEventCreate(&ended);
  cudaFuncSetAttribute(ceiling_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
  std::vector<double> rates;
  for (u64 turn = 0; turn < 8; ++turn) {
    cudaEventRecord(began, stream);
    ceiling_kernel<<<unsigned(sms), 160, size_t(shared), stream>>>(memory + turn * step, length / ceiling_chunk, sink);
    cudaEventRecord(ended, stream);
    float ms = 0;
    if (cudaEventSynchronize(ended) != cudaSuccess || cudaEventElapsedTime(&ms, began, ended) != cudaSuccess) break;
    if (turn > 0) rates.push_back(double(length) / (double(ms) * 1e-3));  // the first one warms up
  }
  cudaEventDestroy(began), cudaEventDestroy(ended), cudaFree(sink);
  if (rates.size() < 7) return 0;
  std::sort(rates.begin(), rates.end());
  return rates[rates.size() / 2];
}

}  // namespace tile
