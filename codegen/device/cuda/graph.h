// The control on a GPU: every phase a kernel of its own, a round a CUDA graph of them with programmatic dependent launch, so that
// what a resident kernel brings is a measured figure. The phases are those of the resident engine, functions and all.
//
// A kernel sets itself up while the one before still runs; where its load role needs nothing of what came before (weights that
// no routing chose), that role streams at once, all others wait. The route table, which the resident engine keeps in shared memory, goes
// through global memory. Rank 0 decides rounds as it always does, in its last phase; the host program reads what it decided and
// launches that round's graph: one round trip a round, of about 10 us, that the resident engine does not have.
// With TILE_NCCL, sums over ranks are nodes of the graph as well: where a phase leaves parts (common/parts.h), NCCL's all-reduce of them
// stands between it and the phase that takes the sum, on all ranks at once. Who follows an all-reduce waits until it has ended.
// Invariants: a kernel lets the next one in only after it has itself seen the one before end, so two kernels overlap at most; nothing
// is allocated once a rank has begun: what a device allocates its peers map, which would wait for kernels that wait for a request;
// all ranks' graphs are launched before anybody waits for one.
#pragma once
#include <cuda_runtime.h>

#include <map>
#include <string>
#include <vector>

#include "../engine/failure.h"
#include "attend.h"
#ifdef TILE_NCCL
#include "../engine/nccl.h"
#endif

namespace tile {

/** What a rank's kernels hand on besides the workspace. */
struct GraphState {
  RouteTable table;
};

TILE_FN RoundControl* graph_control(const EngineArgs& args) { return reinterpret_cast<RoundControl*>(args.workspace + Plan::control_at); }

TILE_FN void set_up_barriers(const EngineArgs& args) {
  if (threadIdx.x == 0) {
    for (int i = 0; i < Shared::barriers; ++i) ptx::barrier_init(shared_memory() + i * 8, Shared::arrivals(i) * arriving_lanes);
    ptx::barrier_fence_init();
    Warp::look_near(&args);
  }
  __syncthreads();
}
TILE_FN Warp warp_of(const EngineArgs& args, int role, int index) {
  Warp w;
  w.rank = Plan::ranks > 1 ? args.rank : 0, w.sm = int(blockIdx.x), w.sms = Plan::sms, w.args = &args;
  w.role = role, w.index = index, w.count = Shared::role_warps(role), w.own_lane = int(threadIdx.x % 32);
  return w;
}

template <class Phase>
__global__ void __launch_bounds__(Shared::warps * 32, 1) phase_kernel(const __grid_constant__ EngineArgs args, GraphState* state, int entry) {
  set_up_barriers(args);
  const WarpRole me = Shared::role_of(int(threadIdx.x / 32));
  if (!Phase::ahead || me.role != load_role) {
    ptx::wait_for_previous();
    ptx::launch_next();
  }
  if constexpr (Phase::uses_table) {
    const u32* from = reinterpret_cast<const u32*>(&state->table);
    u32* to = reinterpret_cast<u32*>(shared_memory() + Shared::table_at);
    for (int i = int(threadIdx.x); i < int(sizeof(RouteTable) / 4); i += Shared::warps * 32) to[i] = from[i];
    __syncthreads();  // the last one: from here on warps may leave on their own (wait.h)
  }
  // A load role that is ahead of the round's own data reads nothing of it but pointers.
  const RoundControl& c = *graph_control(args);
  const At at = entry_of(c, entry);
  Warp w = warp_of(args, me.role, me.index);
  w.enter_round(Phase::ahead && me.role == load_role ? 0 : c.round);
  switch (me.role) {
    case load_role: Phase::load(w, at); break;
    case compute_role:
      Phase::compute(w, at);
      if constexpr (Phase::makes_table) {
        // Routing ends with a barrier of the role: the table is whole.
        if (w.sm != 0 || w.index != 0) break;
        const u32* from = reinterpret_cast<const u32*>(shared_memory() + Shared::table_at);
        u32* to = reinterpret_cast<u32*>(&state->table);
        for (int i = w.lane(); i < int(sizeof(RouteTable) / 4); i += 32) to[i] = from[i];
      }
      break;
    case epilogue_role: Phase::epilogue(w, at); break;
    default: Phase::communicate(w, at); break;
  }
}

/** Rank 0 waits for the first request. One warp. */
__global__ void first_kernel(const __grid_constant__ EngineArgs args) {
  set_up_barriers(args);
  Warp w = warp_of(args, compute_role, 0);
  first_round(w);
}

/** Copies what rank 0 has published to where all phases of the round look. One warp. */
__global__ void relay_kernel(const __grid_constant__ EngineArgs args, u32 round) {
  set_up_barriers(args);
  Warp w = warp_of(args, communicate_role, 0);
  w.enter_round(round);
  Packet* inbox = control_inbox(w, w.rank, round);
  w.poll(Plan::site_relay, What::control, int(round), false, [=](int lane) { return lane >= control_packets || load_packet(inbox + lane).word[3] == round; });
  acquire_system();
  u32* words = reinterpret_cast<u32*>(graph_control(args));
  if (w.lane() >= control_packets) return;
  const Packet packet = load_packet(inbox + w.lane());
  for (int i = 0; i < 3; ++i)
    if (w.lane() * 3 + i < control_words) words[w.lane() * 3 + i] = packet.word[i];
}

/** Between phases: who makes sums over ranks of parts. */
#ifdef TILE_NCCL
using Collective = Nccl;
constexpr Nccl::Number part_number(float) { return Nccl::f32; }
constexpr Nccl::Number part_number(bf16) { return Nccl::bf16; }
#else
struct Collective {
  Failure connect(const std::vector<int>&) { return {}; }
  std::string describe() const { return ""; }
};
#endif

inline int segments() {
  int most = 0;
  for (const unsigned char s : order_segment) most = s > most ? s : most;
  return most + 1;
}

/** The rounds of one rank. */
class RankRounds {
 public:
  /** Allocates on the current device, the rank's. `first`: whether this rank decides. */
  cudaError_t prepare(const EngineArgs& args, cudaStream_t stream, bool first) {
    args_ = args, stream_ = stream, first_ = first;
    cudaError_t error = cudaGetDevice(&device_);
    if (error == cudaSuccess) error = cudaMalloc(reinterpret_cast<void**>(&state_), sizeof(GraphState));
    if (error == cudaSuccess) error = cudaMemsetAsync(state_, 0, sizeof(GraphState), stream);
    if (error == cudaSuccess && first) error = cudaHostAlloc(reinterpret_cast<void**>(&inbox_), 2 * control_inbox_bytes, cudaHostAllocDefault);
    for (int segment = 0; segment < segments() && error == cudaSuccess; ++segment)
      each_phase(segment, [&](auto phase) {
        if (error == cudaSuccess) error = cudaFuncSetAttribute(phase_kernel<decltype(phase)>, cudaFuncAttributeMaxDynamicSharedMemorySize, int(Shared::bytes));
      });
    if (error == cudaSuccess) error = cudaFuncSetAttribute(first_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(Shared::bytes));
    if (error == cudaSuccess) error = cudaFuncSetAttribute(relay_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(Shared::bytes));
    if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&capturing_, cudaStreamNonBlocking);
    return error;
  }

  cudaError_t begin_capture() {
    cudaSetDevice(device_);
    return cudaStreamBeginCapture(capturing_, cudaStreamCaptureModeThreadLocal);
  }
  /** `after_sum`: behind an all-reduce, of which a kernel sees nothing before its end. */
  template <class Phase>
  cudaError_t capture(int entry, bool after_sum) {
    cudaSetDevice(device_);
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(unsigned(Plan::sms)), config.blockDim = dim3(Shared::warps * 32);
    config.dynamicSmemBytes = Shared::bytes, config.stream = capturing_;
    config.attrs = &attribute, config.numAttrs = after_sum ? 0 : 1;
    return cudaLaunchKernelEx(&config, phase_kernel<Phase>, args_, state_, entry);
  }
  cudaError_t end_capture() {
    cudaSetDevice(device_);
    const cudaError_t error = first_ ? report(capturing_) : cudaSuccess, ended = cudaStreamEndCapture(capturing_, &captured_);
    return error == cudaSuccess ? ended : error;
  }
  /** What was captured is the round of these programs, and can be launched from now on. Not while any rank captures: CUDA refuses that. */
  cudaError_t finish_graph(u32 programs) {
    cudaSetDevice(device_);
    cudaError_t error = cudaGraphInstantiate(&graphs_[programs], captured_, 0);
    if (error == cudaSuccess) error = cudaGraphUpload(graphs_[programs], stream_);
    cudaGraphDestroy(captured_);
    return error;
  }
  cudaError_t settle() {
    cudaSetDevice(device_);
    return cudaStreamSynchronize(stream_);
  }
#ifdef TILE_NCCL
  Nccl::Part part(bool captured) const { return Nccl::Part{args_.workspace + Plan::inbox_at, captured ? capturing_ : stream_}; }
#endif

  /** Who decides waits for a request. */
  cudaError_t begin() {
    if (!first_) return cudaSuccess;
    first_kernel<<<1, 32, Shared::bytes, stream_>>>(args_);
    const cudaError_t error = cudaGetLastError();
    return error == cudaSuccess ? report(stream_) : error;
  }

  /** Of the rank that decides, when its stream is idle: what the next round is. */
  u32 next_op(u32 round) const { return word(round, 1); }
  u32 next_programs(u32 round) const { return word(round, 2); }

  cudaError_t launch(u32 round, u32 programs) {
    const auto found = graphs_.find(programs);
    if (found == graphs_.end()) return cudaErrorInvalidValue;
    relay_kernel<<<1, 32, Shared::bytes, stream_>>>(args_, round);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
    return cudaGraphLaunch(found->second, stream_);
  }

 private:
  u32 word(u32 round, int index) const { return inbox_[(round & 1) * (control_inbox_bytes / 4) + index]; }

  /** What rank 0 published, to where the host program sees it. */
  cudaError_t report(cudaStream_t stream) {
    return cudaMemcpyAsync(inbox_, args_.workspace + Plan::control_inbox_at, 2 * control_inbox_bytes, cudaMemcpyDeviceToHost, stream);
  }

  EngineArgs args_{};
  int device_ = 0;
  cudaStream_t stream_ = nullptr, capturing_ = nullptr;
  bool first_ = false;
  GraphState* state_ = nullptr;
  u32* inbox_ = nullptr;
  cudaGraph_t captured_ = nullptr;  // of one round after the other, until it is a graph to launch
  std::map<u32, cudaGraphExec_t> graphs_;
};

/** What the host program has to do with rounds: launch each, once the last phase of the one before has decided what it is. */
class Rounds {
 public:
  /** Before anything is loaded: the devices of the ranks that run. */
  Failure connect(const std::vector<int>& devices) { return collective_.connect(devices); }
  std::string describe() const { return collective_.describe(); }

  cudaError_t prepare(const EngineArgs& args, cudaStream_t stream) {
    ranks_.emplace_back();
    return ranks_.back().prepare(args, stream, ranks_.size() == 1);
  }
  /** Every set of programs that a round can have: what is not there when it is wanted would have to be made in the middle. */
  Failure capture() {
    Failure failure = sum_once();
    for (u32 programs : {1u << target_program, 1u << commit_program, 1u << commit_program | 1u << draft_program})
      if (!failure && (programs == 1u << target_program || Plan::programs > 1)) failure = capture(programs);
    return failure;
  }
  cudaError_t begin(const EngineArgs& args, cudaStream_t) { return ranks_[size_t(args.rank)].begin(); }
  /** All streams are idle: the next round of one rank after the other; `more`: there is one. */
  cudaError_t next(size_t rank, bool& more) {
    if (rank == 0) ++round_, op_ = ranks_[0].next_op(round_), programs_ = ranks_[0].next_programs(round_);
    more = op_ == round_run;
    return more ? ranks_[rank].launch(round_, programs_) : cudaSuccess;
  }
  /** A host program that sleeps would be late for the next round; between requests nobody waits for it. Who launches also beats, while
      rounds follow one another: an all-reduce that does not end knows no deadline. */
  bool may_sleep(Mailbox* mailbox) {
    const bool idle = __atomic_load_n(&mailbox->idle, __ATOMIC_RELAXED) != 0;
    if (idle || round_ != beaten_)
      for (size_t rank = 0; rank < ranks_.size(); ++rank) ++mailbox->heartbeat[rank];
    beaten_ = round_;
    return idle;
  }

 private:
  static void note(Failure& failure, cudaError_t error) {
    if (!failure && error != cudaSuccess) failure = Failure{"gpu", std::string("capturing a round: ") + cudaGetErrorString(error)};
  }
  /** All ranks together, phase by phase: an all-reduce is captured on all of them at once. */
  Failure capture(u32 programs) {
    Failure failure;
    for (RankRounds& r : ranks_) note(failure, r.begin_capture());
    bool after_sum = false;
    for (int entry = 0; entry < Plan::entries; ++entry)
      if (programs >> order_program[entry] & 1u)
        each_phase(order_segment[entry], [&](auto phase) {
          using Phase = decltype(phase);
          for (RankRounds& r : ranks_)
            if (!failure) note(failure, r.capture<Phase>(entry, after_sum));
          after_sum = Phase::leaves > 0;
          if (!failure) failure = sum<Phase>(true);
        });
    for (RankRounds& r : ranks_) note(failure, r.end_capture());
    for (RankRounds& r : ranks_)
      if (!failure) note(failure, r.finish_graph(programs));
    return failure;
  }
  /** Every sum once, of zeros: with the first of a size NCCL allocates. */
  Failure sum_once() {
    Failure failure;
    for (int segment = 0; segment < segments(); ++segment)
      each_phase(segment, [&](auto phase) {
        if (!failure) failure = sum<decltype(phase)>(false);
      });
    for (RankRounds& r : ranks_) note(failure, r.settle());
    return failure;
  }
  /** Of what the phase has left, on all ranks. */
  template <class Phase>
  Failure sum([[maybe_unused]] bool captured) {
#ifdef TILE_NCCL
    if constexpr (Phase::leaves > 0) {
      std::vector<Nccl::Part> parts;
      for (const RankRounds& r : ranks_) parts.push_back(r.part(captured));
      return collective_.sum(parts, part_numbers(Phase::leaves), part_number(Exchange{}));
    }
#endif
    return {};
  }

  std::vector<RankRounds> ranks_;
  Collective collective_;
  u32 round_ = 0, op_ = 0, programs_ = 0, beaten_ = 0;
};

}  // namespace tile
