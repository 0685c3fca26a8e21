// The kernel entry: one CTA per SM, launched once. Sets up the barriers, then every warp runs its role to the end.
#pragma once
#include <cuda_runtime.h>

#include <string>
#include <vector>

#include "../engine/failure.h"
#include "attend.h"

namespace tile {

/** The SMs of the plan where it says how many: shares are then divisions by a constant. */
template <class P>
TILE_FN auto planned_sms(int) -> decltype(P::sms) {
  return P::sms;
}
template <class P>
TILE_FN int planned_sms(long grid) {
  return int(grid);
}

__global__ void __launch_bounds__(Shared::warps * 32, 1) engine_kernel(const __grid_constant__ EngineArgs args) {
  if (threadIdx.x == 0) {
    for (int i = 0; i < Shared::barriers; ++i) ptx::barrier_init(shared_memory() + i * 8, Shared::arrivals(i) * arriving_lanes);
    for (int i = 0; i < Plan::local_counters; ++i) ptx::barrier_init(shared_memory() + Shared::local_counters_at + i * 8, int(Plan::local_arrivals(i)) * arriving_lanes);
    ptx::barrier_fence_init();
    Warp::look_near(&args);
#ifdef TILE_TRACE
    for (int role = 0; role < role_count; ++role) reinterpret_cast<Traces*>(shared_memory() + Shared::traces_at)[role].waits = 0;
#endif
  }
  __syncthreads();  // the only one: see wait.h

  Warp w;
  w.rank = Plan::ranks > 1 ? args.rank : 0, w.sm = int(blockIdx.x), w.sms = planned_sms<Plan>(int(gridDim.x)), w.args = &args;
  const WarpRole me = Shared::role_of(int(threadIdx.x / 32));
  w.index = me.index, w.own_lane = int(threadIdx.x % 32);
  // What a role's code may take for a constant is set where it begins.
  switch (me.role) {
    case load_role:
      w.role = load_role, w.count = Plan::load_warps;
      role_load(w);
      break;
    case compute_role:
      w.role = compute_role, w.count = Plan::compute_warps;
      role_compute(w);
      break;
    case epilogue_role:
      w.role = epilogue_role, w.count = Plan::epilogue_warps;
      role_epilogue(w);
      break;
    default:
      w.role = communicate_role, w.count = Plan::communicate_warps;
      role_communicate(w);
      break;
  }
}

/** Launches a rank's engine on the current device. Cooperative, so that it either has an SM for every CTA or fails to start. */
inline cudaError_t launch_engine(const EngineArgs& args, cudaStream_t stream) {
  if (cudaError_t error = cudaFuncSetAttribute(engine_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(Shared::bytes)); error != cudaSuccess) return error;
  void* parameters[] = {const_cast<EngineArgs*>(&args)};
  return cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(engine_kernel), dim3(unsigned(args.sms)), dim3(Shared::warps * 32), parameters, Shared::bytes, stream);
}

/** What the host program has to do with rounds: nothing, they follow one another in the resident kernel. */
struct Rounds {
  Failure connect(const std::vector<int>&) { return {}; }
  Failure capture() { return {}; }
  std::string describe() const { return ""; }
  cudaError_t prepare(const EngineArgs&, cudaStream_t) { return cudaSuccess; }
  cudaError_t begin(const EngineArgs& args, cudaStream_t stream) { return launch_engine(args, stream); }
  cudaError_t next(size_t, bool&) { return cudaSuccess; }
  template <class Mailbox>
  bool may_sleep(Mailbox*) const {
    return true;
  }
};

}  // namespace tile
