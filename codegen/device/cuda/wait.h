// How a warp of the CUDA back end waits, and gives up; and what it keeps in shared memory to do so. Functions of whoever runs them: they take nothing of a Warp,
// so that called ones cost no registers.
//
// Vocabulary: an SM's barriers are mbarriers in shared memory, whose phases are counted; a counter lies in L2. To *meet* is to arrive at
// the role's barrier and to wait there for its other warps.
// Invariants: every wait has a deadline and watches the rank's abort word; a warp that gives up leaves the kernel. So nothing after
// set-up may use bar.sync: a warp that has left would never arrive. Counters are polled by one warp of a role, with loads that
// acquire: a fence after a relaxed one would cost every hand-over another 0.3 us.
#pragma once
#include "../common/shared.h"
#include "ptx.h"

namespace tile {

/** Where a block's own shared memory begins: behind what the system keeps for itself. The address of an `extern __shared__` array would be made anew wherever
    it is needed, from a special register that tells blocks of a cluster apart; a number is part of the instruction. gpus.h refuses a GPU that keeps another. */
constexpr u32 reserved_shared_bytes = 1024;
TILE_FN char* shared_memory() { return static_cast<char*>(__cvta_shared_to_generic(reserved_shared_bytes)); }

// Lanes of a warp that arrive at a barrier. One is enough, after a warp's own barrier; the race checker of compute-sanitizer
// follows only a thread's own arrivals, so for it (TILE_EVERY_LANE) all of them do.
#ifdef TILE_EVERY_LANE
constexpr int arriving_lanes = 32;
#else
constexpr int arriving_lanes = 1;
#endif

/** What a Warp has of this. */
struct Wait {
  /** What this warp keeps through all phases, and few of them need. It lies in shared memory: in a register it would cost each of them
      one, or a way to local memory: to L2, probably, for whoever polls in the SM seems to empty the first cache. Loops count in registers. */
  struct Lasting {
    u32 entry, round, role_position, slots_position;
  };
  static_assert(sizeof(Lasting) == Shared::lasting_bytes, "what lasts has its place");
  TILE_FN static volatile Lasting& lasting() { return *reinterpret_cast<volatile Lasting*>(shared_memory() + Shared::lasting_at + ptx::thread() / 32 * Shared::lasting_bytes); }
  TILE_FN static void set_lasting(volatile u32& word, u32 value) {
    __syncwarp();
    if (threadIdx.x % 32 == 0) word = value;
    __syncwarp();
  }
  TILE_FN static u32 count_on(volatile u32& word) {
    const u32 value = word + 1;
    set_lasting(word, value);
    return value;
  }

  // ---- giving up ----
  /** Tells the host and every rank, and leaves. Who calls it never comes back, so the call costs a wait no registers. */
  [[noreturn]] TILE_CALLED static void fail(int site, What what, int object, u32 expected, u32 got) {
    if (threadIdx.x % 32 != 0) ptx::leave_kernel();
    const EngineArgs* args = &near().args;
    FaultRecord* record = args->fault;
    if (atomicCAS_system(reinterpret_cast<u32*>(args->workspace + Plan::abort_at), 0u, 1u) == 0u && atomicCAS_system(&record->state, 0u, 1u) == 0u) {
      const WarpRole me = Shared::role_of(int(threadIdx.x / 32));
      record->what = int(what), record->rank = args->rank, record->sm = int(blockIdx.x), record->role = me.role, record->warp = me.index;
      record->site = site, record->object = object, record->expected = expected, record->got = got, record->round = lasting().round;
      __threadfence_system();
      ptx::store_relaxed_system(&record->state, 2u);
    }
    TILE_LOOP
    for (int to = 0; to < Plan::ranks; ++to) ptx::store_relaxed_system(reinterpret_cast<u32*>(args->peer_workspace[to] + Plan::abort_at), 1u);
    ptx::leave_kernel();
  }
  /** What waits look at: a copy in shared memory, filled at set-up. */
  struct Near {
    EngineArgs args;  // a function that is told nothing has them from here: as a pointer to the kernel's own they would be far away
    const u32* abort_word;
    u32 deadline;  // in ticks
    u32 nothing;  // 0, which only set-up knows
  };
  static constexpr int tick = 20;  // 2^20 ns: what waits count their time in
  static_assert(sizeof(Near) <= Shared::near_bytes, "what waits look at fits its place");
  TILE_FN static Near& near() { return *reinterpret_cast<Near*>(shared_memory() + Shared::near_at); }
  TILE_FN static void look_near(const EngineArgs* args) {
    near().args = *args, near().abort_word = reinterpret_cast<const u32*>(args->workspace + Plan::abort_at), near().deadline = u32(args->deadline_ns >> tick);
    near().nothing = 0;
    for (int i = 0; i < Shared::warps; ++i) reinterpret_cast<Lasting*>(shared_memory() + Shared::lasting_at)[i] = Lasting{};
  }
  /** 0, though the compiler cannot know: what it is added to is computed, or loaded, where it is asked for, and not ahead. */
  TILE_FN static u32 unknown_nothing() { return *const_cast<const volatile u32*>(&near().nothing); }

  // ---- barriers and counters ----
  /** How long a wait has lasted, and whether it must end: asked now and then by every lane that polls. */
  struct Patience {
    u32 since = 0;
    /** Who can tell less gives up later, by this part of the deadline. Who waits for packets of ranks (no part) knows which are missing; who
        waits for a sum (a sixteenth) knows its owner, which may itself wait for packets; others (an eighth) leave it to them to tell. */
    TILE_FN bool over(bool idle, u32 later = 8) {
      if (ptx::load_relaxed_system(near().abort_word) != 0) return true;
      if (idle) return false;
      const u32 now = u32(ptx::nanoseconds() >> tick);
      if (since == 0) since = now;
      return now - since > near().deadline + (later == 0 ? 0 : near().deadline / later + 1);
    }
  };
  /** All lanes poll the counter, in one access, until it has come to `expected`. */
  TILE_FN static void spin(int site, int which, const u32* word, u32 expected, bool idle) {
    Patience patience;
    TILE_LOOP
    for (u32 polls = 1; !__all_sync(~0u, int(ptx::load_acquire(word) - expected) >= 0); ++polls)
      if (polls % 1024 == 0 && __any_sync(~0u, patience.over(idle))) fail(site, What::counter, which, expected, ptx::load_relaxed(word));
  }
  /** Who waits for what, in one register: one that a called function takes is one that none of its callers can keep across it. */
  struct Waiter {
    u32 bits;
    TILE_FN Waiter(int site, u32 at, bool idle) : bits(u32(site) | at / 8 << 16 | u32(idle) << 31) {}
    TILE_FN int site() const { return int(bits & 0xFFFFu); }
    TILE_FN u32 barrier() const { return bits >> 16 & 0x7FFFu; }
    TILE_FN bool idle() const { return bits >> 31 != 0; }
  };
  static_assert(Plan::sites <= 0x10000, "a site is sixteen bits of a waiter");
  /** Until the mbarrier at this place of shared memory has seen so many phases. Each lane has seen it itself: they need not meet for it. */
  TILE_FN static void wait_on(int site, u32 at, u32 phases, bool idle) {
    if (!ptx::barrier_try_wait(ptx::shared_address(shared_memory()) + at, (phases - 1) & 1u)) wait_longer(Waiter(site, at, idle), phases);
  }
  /** One function for all: code that runs once a layer had better be short. All lanes go round together, so that what it knows is the warp's. */
  TILE_CALLED static void wait_longer(Waiter who, u32 phases) {
    const u32 since = u32(ptx::nanoseconds() >> tick);
    TILE_LOOP
    while (!__all_sync(~0u, ptx::barrier_try_often(ptx::shared_address(shared_memory()) + who.barrier() * 8, (phases - 1) & 1u))) {
      bool over = ptx::load_relaxed_system(near().abort_word) != 0;
      if (!who.idle()) over |= u32(ptx::nanoseconds() >> tick) - since > near().deadline + near().deadline / 8 + 1;
      if (__any_sync(~0u, over)) fail_at(who.site(), int(who.barrier()), phases);
    }
  }
  [[noreturn]] TILE_CALLED static void fail_at(int site, int barrier, u32 phases) {
    const int local = barrier - Shared::barriers;
    if (local >= 0) fail(site, What::local_counter, local, phases, phases - 1);
    fail(site, Shared::awaited_at(barrier), barrier, phases, phases - 1);
  }
  /** One function for all phases: they begin with it, when registers hold nothing yet. */
  TILE_CALLED static void await_request(int site, int which, u32 expected, bool together) { until(site, which, expected, together, true); }
  TILE_CALLED static void await_counter(int site, int which, u32 expected) { until(site, which, expected, true, false); }
  /** `together`: all warps of the role wait. What their meeting takes is found before, while the counter is awaited. */
  TILE_FN static void until(int site, int which, u32 expected, bool together, bool idle) {
    const WarpRole me = Shared::role_of(int(threadIdx.x / 32));
    const bool meets = together && Shared::role_warps(me.role) > 1;
    const u32 generation = meets ? count_on(lasting().role_position) : 0;
    if (me.index == 0) {
      spin(site, which, reinterpret_cast<const u32*>(near().args.workspace + Plan::counters_at + size_t(which) * counter_stride), expected, idle);
      if (me.role == load_role) ptx::fence_proxy_async();  // what it copies next was written by ordinary stores
    }
    if (meets) meet_in(site, me.role, generation, idle);
  }
  /** The same as a call, for where registers hold little. */
  TILE_CALLED static void meet_apart(int site) { meeting(site, false); }
  TILE_FN static void meeting(int site, bool idle) {
    meet_in(site, Shared::role_of(int(threadIdx.x / 32)).role, count_on(lasting().role_position), idle);
  }
  TILE_FN static void meet_in(int site, int role, u32 generation, bool idle) {
    const u32 barrier = u32(Shared::role + role) * 8;
    __syncwarp();
    if (threadIdx.x % 32 < arriving_lanes) ptx::barrier_arrive(shared_memory() + barrier);
    wait_on(site, barrier, generation, idle);
  }
};

}  // namespace tile
