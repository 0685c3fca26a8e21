// A warp of the CUDA back end. The same members as host/warp.h, with the meaning given in API.md; how it waits is in wait.h.
#pragma once
#include "wait.h"

namespace tile {

template <class T>
struct PerLane {
  T own;
  TILE_FN T& operator[](int) { return own; }
  TILE_FN const T& operator[](int) const { return own; }
};

/** What is computed here and not where it is used, behind a wait: what is left to do then is on everybody's way. */
TILE_FN bool early(bool value) {
  u32 bits = value;
  asm volatile("" : "+r"(bits));
  return bits != 0;
}
template <class T>
TILE_FN const T* early(const T* value) {
  asm volatile("" : "+l"(value));
  return value;
}

struct alignas(16) Packet {
  u32 word[4];
};
TILE_FN Packet load_packet(const Packet* at) {
  u64 low, high;
  ptx::load_128_system(at, low, high);
  return Packet{{u32(low), u32(low >> 32), u32(high), u32(high >> 32)}};
}

/** 16 rows x 8 columns: value 0 (g, 2t), 1 (g, 2t + 1), 2 (g + 8, 2t), 3 (g + 8, 2t + 1). */
struct Acc {
  float value[4];
};
/** The same in fixed point (common/exact.h). */
struct Exact {
  i64 value[4];
};
/** A sum for each column: that of column g where t is g / 2. */
struct ColumnSums {
  float value;
};
struct ColumnScale;

struct Warp : Wait {
  int rank, sm, sms, index, count, role, own_lane;
  const EngineArgs* args;
  u32 ring_position = 0, join_position = 0, mean_flip = 0;

  // ---- lanes ----
  TILE_FN int lane() const { return own_lane; }
  template <class F>
  TILE_FN void lanes(F f) {
    f(lane());
  }
  template <class F>
  TILE_FN void once(F f) {
    if (lane() == 0) f();
  }
  TILE_FN void sync_lanes() { __syncwarp(); }
  TILE_FN float sum(PerLane<float> value) {
    TILE_UNROLL
    for (int step = 16; step > 0; step /= 2) value.own += __shfl_xor_sync(~0u, value.own, step);
    return value.own;
  }
  TILE_FN int sum(PerLane<int> value) { return __reduce_add_sync(~0u, value.own); }
  TILE_FN float max(PerLane<float> value) {
    TILE_UNROLL
    for (int step = 16; step > 0; step /= 2) value.own = fmaxf(value.own, __shfl_xor_sync(~0u, value.own, step));
    return value.own;
  }
  TILE_FN u32 max(PerLane<u32> value) { return __reduce_max_sync(~0u, value.own); }
  TILE_FN int min(PerLane<int> value) { return __reduce_min_sync(~0u, value.own); }
  TILE_FN u32 ballot(const PerLane<bool>& value) { return __ballot_sync(~0u, value.own); }
  template <class T>
  TILE_FN T broadcast(const PerLane<T>& value, int from) {
    return __shfl_sync(~0u, value.own, from);
  }
  /** Of each lane, the sum over the lanes before it. */
  TILE_FN PerLane<int> sum_before(const PerLane<int>& value) {
    int sum = value.own;
    TILE_UNROLL
    for (int step = 1; step < 32; step *= 2) {
      const int other = __shfl_up_sync(~0u, sum, step);
      if (lane() >= step) sum += other;
    }
    return PerLane<int>{sum - value.own};
  }
  /** Each lane's pick of the lanes' values. */
  template <class T>
  TILE_FN PerLane<T> pick(const PerLane<T>& value, const PerLane<int>& from) {
    return PerLane<T>{__shfl_sync(~0u, value.own, from.own)};
  }
  struct Best {
    float value;
    int index;
  };
  TILE_FN Best best(const PerLane<float>& value, const PerLane<int>& index) {
    Best best{value.own, index.own};
    TILE_UNROLL
    for (int step = 16; step > 0; step /= 2) {
      const float other = __shfl_xor_sync(~0u, best.value, step);
      const int other_index = __shfl_xor_sync(~0u, best.index, step);
      if (other > best.value || (other == best.value && other_index < best.index)) best = {other, other_index};
    }
    return best;
  }

  // ---- memory ----
  template <class T>
  TILE_FN T* ws(size_t offset) {
    return reinterpret_cast<T*>(args->workspace + offset);
  }
  template <class T>
  TILE_FN T* peer(int to, size_t offset) {
    return reinterpret_cast<T*>(args->peer_workspace[to] + offset);
  }
  TILE_FN const char* image(size_t offset) { return args->image + offset; }
  TILE_FN char* kv(size_t offset) { return args->kv + offset; }
  template <class T>
  TILE_FN T* shared(size_t offset) {
    return reinterpret_cast<T*>(shared_memory() + offset);
  }
  template <class T>
  TILE_FN T* scratch(size_t offset = 0) {
    return shared<T>(Shared::scratch_at + offset);
  }
  /** A copy in shared memory, the role's own, of what many will read, far away. All warps of the role call it together. */
  template <class T>
  TILE_FN const T& keep_near(int site, const T* from, size_t at) {
    if (index == 0) {
      const u32* source = reinterpret_cast<const u32*>(from);
      u32* own = reinterpret_cast<u32*>(const_cast<T*>(&kept_near(from, at)));
      for (int i = lane(); i < int(sizeof(T) / 4); i += 32) own[i] = ptx::load_relaxed(source + i);
    }
    if (count > 1) role_barrier(site);
    else __syncwarp();
    return kept_near(from, at);
  }
  /** The role's copy that keep_near has made. */
  template <class T>
  TILE_FN const T& kept_near(const T*, size_t at) {
    return *shared<const T>(at + size_t(role) * round_up(sizeof(T), 16));
  }
  TILE_FN int entry() const { return int(lasting().entry); }
  TILE_FN void enter(int entry) { set_lasting(lasting().entry, u32(entry)); }
  TILE_FN u32 round() const { return lasting().round; }
  TILE_FN void enter_round(u32 round) { set_lasting(lasting().round, round); }
  TILE_FN float* exchange() { return shared<float>(Shared::exchange_of(role, index)); }
  TILE_FN void* barrier(int which) { return shared_memory() + which * 8; }

  // ---- traces (trace.h) ----
#ifdef TILE_TRACE
  TILE_FN Traces& traces() { return shared<Traces>(Shared::traces_at)[role]; }
  TILE_FN void mark(Mark which) {
    if (index == 0 && lane() == 0) traces().mark(which);
  }
#else
  TILE_FN void mark(Mark) {}
#endif

  /** Makes the compiler forget what it knows of this warp: the phase that follows computes what it needs, and no register holds
      anything of it for the next turn. */
  TILE_FN void afresh() {
    const u32 nothing = unknown_nothing(), thread = threadIdx.x + nothing;
    if (Plan::ranks > 1) rank = near().args.rank;
    sm = int(blockIdx.x + nothing), index = int(thread / 32) - Shared::first_warp(role), own_lane = int(thread % 32);
  }
  /** The warp that runs, in a function that is told nothing of it. */
  TILE_FN static Warp found() {
    const WarpRole me = Shared::role_of(int(threadIdx.x / 32));
    Warp w;
    w.args = &near().args, w.role = me.role, w.index = me.index, w.count = Shared::role_warps(me.role);
    w.rank = Plan::ranks > 1 ? w.args->rank : 0, w.sm = int(blockIdx.x), w.sms = int(gridDim.x), w.own_lane = int(threadIdx.x % 32);
    return w;
  }
  /** Ends the run for what this warp found, at once. */
  TILE_FN void give_up(int site, What what, int object) {
    fail(site, what, object, 0, 0);
  }
  TILE_FN void wait_barrier(int site, int which, u32 phases, bool idle = false) {
    const TimedWait<Warp> timed(*this, site, Shared::awaited_at(which));
    wait_on(site, u32(which) * 8, phases, idle);
  }
  TILE_FN void arrive(int which) { arrive_at(barrier(which)); }
  TILE_FN void arrive_at(void* object) {
    __syncwarp();
    if (lane() < arriving_lanes) ptx::barrier_arrive(object);
  }
  template <class Op>
  TILE_FN void sync(int, Op op) {
    op(0);
  }

  // ---- counters ----
  TILE_FN u32* counter(int which) { return ws<u32>(Plan::counters_at + size_t(which) * counter_stride); }
  TILE_FN void wait(int site, int which, u32 runs) { wait_counter(site, which, runs, false); }
  TILE_FN void wait_idle(int site, int which, u32 runs) { wait_counter(site, which, runs, true); }
  /** This warp only, whatever the others of its role do. */
  TILE_FN void wait_alone(int site, int which, u32 runs) {
    const TimedWait<Warp> timed(*this, site, What::counter);
    await_request(site, which, runs * Plan::arrivals(which), false);
  }
  TILE_FN void wait_counter(int site, int which, u32 runs, bool idle) {
    {
      const TimedWait<Warp> timed(*this, site, What::counter);
      const u32 expected = runs * Plan::arrivals(which);
      if (idle) await_request(site, which, expected, true);
      else await_counter(site, which, expected);
    }
    mark(mark_ready);
  }
  /** All warps of the role. One of them polls in L2 for all: two thousand pollers of one word would hold up the signals that they
      wait for. */
  TILE_FN void meet(int site) {
    const u32 generation = count_on(lasting().role_position);
    arrive(Shared::role + role);
    wait_barrier(site, Shared::role + role, generation);
  }
  TILE_FN void signal(int, int which) { grow(which, 1); }
  // Of a counter that counts tiles: the one that this warp has made; or those that are this SM's, at once.
  TILE_FN void signal_tile(int, int which) { grow(which, 1); }
  TILE_FN void signal_share(int, int which, Share tiles) {
    if (tiles.begin < tiles.end) grow(which, u32(tiles.end - tiles.begin));
  }
  TILE_FN void grow(int which, u32 n) {
    ptx::fence_proxy_async();  // what this warp has stored, or others that it has heard of, may be copied in bulk
    __syncwarp();
    if (lane() == 0) ptx::add_release(counter(which), n);
  }
  // Local counters are mbarriers: a phase is one execution. Nobody falls two executions behind (the plan guards what they
  // stand for), so the phase's parity tells which one is meant.
  TILE_FN void* local_counter(int which) { return shared_memory() + Shared::local_counters_at + which * 8; }
  TILE_FN void wait_local(int site, int which, u32 runs) {
    if (runs == 0) return;
    const TimedWait<Warp> timed(*this, site, What::local_counter);
    wait_on(site, u32(Shared::barriers + which) * 8, runs, false);
  }
  TILE_FN void signal_local(int, int which) {
    arrive_at(local_counter(which));
  }
  /** What was done to this SM's shared memory before what has been waited for comes before the copies into it that this warp asks for. What the copies
      read has been ordered by its writers (signal): a fence of global memory would wait here for all that the SM stores. */
  TILE_FN void order_copies() { ptx::fence_proxy_async_shared(); }
  /** Asks for whole packets, for this lane: they are there when the local counter has been signalled next and that is waited for. */
  TILE_FN void copy_near(int which, void* to, const void* from, u32 bytes) {
    ptx::barrier_expect(local_counter(which), bytes);
    ptx::bulk_copy(to, from, bytes, local_counter(which));
  }
  TILE_FN void role_barrier(int site) {
    ptx::fence_proxy_async();  // after it one warp signals for all, and a load warp may bulk-copy what they stored
    const TimedWait<Warp> timed(*this, site, What::role_barrier);
    meet_apart(site);
  }
  /** In the middle of a phase, between warps that hold what they have staged: no call. What they hand over is shared memory. */
  TILE_FN void role_barrier_within(int site) { meet(site); }
  template <class F>
  TILE_FN void poll(int site, What what, int object, bool idle, F ready) {
    const TimedWait<Warp> timed(*this, site, what);
    Patience patience;
    TILE_LOOP
    for (u32 polls = 1;; ++polls) {
      const u32 votes = __ballot_sync(~0u, ready(lane()));
      if (votes == ~0u) break;
      if (polls % 512 == 0) {
        if (__any_sync(~0u, patience.over(idle))) fail(site, what, object, 32, u32(__popc(votes)));
      }
    }
    __syncwarp();
  }

  /** Until the packets of a tile are there, of all sources below `end`. `missing(w, lane)`: the first whose are not; asked, by a call, when
      it took too long. */
  template <class F, class M>
  TILE_FN void poll_packets(int site, What what, int tile, int end, F ready, M missing) {
    const TimedWait<Warp> timed(*this, site, what);
    Patience patience;
    TILE_LOOP
    for (u32 polls = 1; !__all_sync(~0u, ready(lane())); ++polls)
      if (polls % 512 == 0 && __any_sync(~0u, patience.over(false, what == What::packets ? 0 : 16)))
        fail(site, what, tile, u32(end), shared_code([missing](Warp& w) { return __reduce_min_sync(~0u, u32(missing(w, w.lane()))); }));
    __syncwarp();
  }

  // ---- ring ----
  // A position is a page's place in the ring and, above it, how often the ring has gone round: no page asks for a division by the ring's depth.
  static constexpr u32 places = next_power_of_two(Plan::ring_depth);
  TILE_FN static u32 place_of(u32 position) { return position % places; }
  TILE_FN static u32 turns_of(u32 position) { return position / places; }
  TILE_FN static u32 next_position(u32 position) {
    const u32 next = position + 1;
    return place_of(next) < Plan::ring_depth ? next : next + (places - Plan::ring_depth);
  }
  TILE_FN char* ring_page(u32 position) { return shared_memory() + Shared::ring_at + place_of(position) * Shared::page_stride; }
  TILE_FN int ring_slot() const { return int(place_of(ring_position)); }
  /** Pages of an SM that are on their way at one time: one less than the ring has. Memory needs no more to be busy, and all else that is asked for meanwhile,
      signals and instructions too, stands in line behind them. Of two pages both are. */
  static constexpr u32 ring_on_its_way = Plan::ring_depth > 2 ? Plan::ring_depth - 1 : Plan::ring_depth;
  TILE_FN void ring_acquire(int site) {
    if (const u32 phases = turns_of(ring_position); phases > 0) wait_barrier(site, Shared::ring_empty + ring_slot(), phases);
    if (ring_on_its_way == Plan::ring_depth || ring_position < ring_on_its_way) return;
    const u32 before = next_position(ring_position) - places;  // of the turn before, what comes next in this one: so many pages ago
    wait_barrier(site, Shared::ring_full + int(place_of(before)), turns_of(before) + 1);
  }
  /** What passes through the ring, spans of keys and values too, is read once a round, and had better make room in L2 first: for what
      lies there for good, sliding layers' caches, values between phases and the kernel's own code. */
  TILE_CALLED static void copy_page(u32 slot, u32 at, const char* from, u32 bytes) {
    char* to = shared_memory() + Shared::ring_at + slot * Shared::page_stride + at;
    ptx::bulk_copy(to, from, bytes, shared_memory() + (Shared::ring_full + slot) * 8, ptx::evict_first);
  }
  TILE_FN void ring_copy(int, u32 at, const char* from, u32 bytes) {
    if (lane() == 0) copy_page(u32(ring_slot()), at, from, bytes);
  }
  /** Pieces of one size, `Most` at most, one behind the other in the page; from(i): where piece i comes from. Lanes find that side by side, and
      then one lane asks for all. In a loop that finds and asks in turn, what lies between two copies is what bounds a phase. */
  template <int Most, class F>
  TILE_FN void ring_copies(int, int pieces, u32 each, F from) {
    static_assert(Most <= 32, "a lane finds a piece");
    const u64 own = reinterpret_cast<u64>(from(lane() < pieces ? lane() : pieces - 1));
    u64 found[Most];
    TILE_UNROLL
    for (int i = 0; i < Most; ++i) found[i] = __shfl_sync(~0u, own, i);
    if (lane() != 0) return;
    char* to = ring_page(ring_position);
    TILE_UNROLL
    for (int i = 0; i < Most; ++i)
      if (i < pieces) ptx::bulk_copy(to + u32(i) * each, reinterpret_cast<const char*>(found[i]), each, barrier(Shared::ring_full + ring_slot()), ptx::evict_first);
  }
  TILE_FN void ring_commit(int, u32 bytes) {
    if (lane() == 0)
      ptx::barrier_arrive_expect(barrier(Shared::ring_full + ring_slot()), bytes);
    else if (lane() < arriving_lanes)
      ptx::barrier_arrive(barrier(Shared::ring_full + ring_slot()));
    ring_position = next_position(ring_position);
  }
  TILE_FN void prefetch(int, const char* from, u32 bytes) {
    if (lane() == 0) ptx::bulk_prefetch(from, bytes);
  }
  TILE_FN const char* ring_await(int site) {
    wait_barrier(site, Shared::ring_full + ring_slot(), turns_of(ring_position) + 1);
    mark(mark_page);
    return ring_page(ring_position);
  }
  TILE_FN void ring_release(int) {
    arrive(Shared::ring_empty + ring_slot());
    ring_position = next_position(ring_position);
  }

  // ---- join ----
  TILE_FN float* join_slot(u32 position) { return shared<float>(Shared::join_at + position % Plan::join_depth * Shared::join_slot_bytes); }
  TILE_FN float* join_squares(u32 position) { return shared<float>(Shared::squares_at) + position % Plan::join_depth * (Plan::join_squares * 8); }
  TILE_FN void join_acquire(int site) {
    if (const u32 phases = join_position / Plan::join_depth; phases > 0)
      wait_barrier(site, Shared::join_empty + int(join_position % Plan::join_depth), phases);
  }
  TILE_FN void join_put(int part, const Acc& acc);
  TILE_FN void join_put(int part, const Acc& acc, const ColumnSums& squares);
  TILE_FN void join_put(int part, const Exact& sum);
  TILE_FN void join_commit(int) {
    arrive(Shared::join_full + int(join_position % Plan::join_depth));
    ++join_position;
  }
  TILE_FN Acc join_sum(int first, int parts);
  template <class Scale>
  TILE_FN ColumnScale join_scale(int first, int parts, int units_total, Scale scale);
  TILE_FN Exact join_total(int first, int parts);
  TILE_FN Acc join_take(int site, int parts);
  TILE_FN Acc join_take_row(int site, int first, int parts);
  TILE_FN void join_wait(int site) {
    wait_barrier(site, Shared::join_full + int(join_position % Plan::join_depth), join_position / Plan::join_depth + 1);
  }
  TILE_FN void join_release(int) {
    arrive(Shared::join_empty + int(join_position % Plan::join_depth));
    ++join_position;
  }
  TILE_FN void join_skip() { ++join_position; }

  // ---- slots ----
  TILE_FN void slots_acquire(int site) {
    if (const u32 position = lasting().slots_position; position > 0) wait_barrier(site, Shared::slots_empty, position);
  }
  TILE_FN void slots_put(const Acc& acc, int tile, int active_index);
  TILE_FN void slots_put(const Exact& sum, int tile, int active_index);
  TILE_FN void slots_commit(int) {
    arrive(Shared::slots_full);
    count_on(lasting().slots_position);
  }
  TILE_FN void slots_await(int site) { wait_barrier(site, Shared::slots_full, lasting().slots_position + 1); }
  template <int TopK = Plan::top_k>
  TILE_FN Acc slots_sum(int tile);
  template <int TopK = Plan::top_k>
  TILE_FN Exact slots_total(int tile);
  TILE_FN void slots_release(int) {
    arrive(Shared::slots_empty);
    count_on(lasting().slots_position);
  }
  TILE_FN RouteTable& table() { return *shared<RouteTable>(Shared::table_at); }
  TILE_FN RouteTable& table_for_writing() { return table(); }
  TILE_FN RouteTable& table_for_writing_shared() { return table(); }

  // ---- packets ----
  TILE_FN void store_packet(Packet* to, const Packet& packet) {
    ptx::store_128_system(to, u64(packet.word[0]) | u64(packet.word[1]) << 32, u64(packet.word[2]) | u64(packet.word[3]) << 32);
  }
  TILE_FN void received(const Packet*) {}
  TILE_FN void send(int site, const Acc& acc, int tile, u32 epoch);
  TILE_FN void send(int site, const Exact& sum, int tile, u32 epoch);
  TILE_FN Acc receive_sum(int site, int tile, u32 epoch);
  TILE_FN Exact receive_total(int site, int tile, u32 epoch);
  TILE_FN bool owns(int tile) const;
  TILE_FN void send_part(int site, const Acc& acc, int tile, u32 epoch);
  TILE_FN void send_part(int site, const Exact& sum, int tile, u32 epoch);
  TILE_FN Acc parts_sum(int site, int tile, u32 epoch);
  TILE_FN Exact parts_total(int site, int tile, u32 epoch);
  TILE_FN void spread(int site, size_t inbox, const Acc& acc, int tile, u32 epoch);
  TILE_FN Acc spread_sum(int site, size_t inbox, int tile, u32 epoch);
  TILE_FN void send_to(int site, int to, size_t inbox_at, const Acc& acc, int tile, u32 epoch);

  // ---- declared accesses: the host back end checks them ----
  TILE_FN void reads(int, int) {}
  TILE_FN void writes(int, int) {}
  TILE_FN void reads_of(int, int, int) {}
  TILE_FN void writes_of(int, int, int) {}
  TILE_FN void control_reads(u32) {}
  TILE_FN void control_writes(u32) {}
  TILE_FN void control_agrees(u32, const void*, size_t) {}
  TILE_FN void area_reads(Area, int) {}
  TILE_FN void area_writes(Area, int) {}
  TILE_FN void expect(bool, const char*) {}
};

/** f(w) in a function of its own that all callers share, and that finds its warp anew: f knows nothing of channels' positions. */
template <class F>
TILE_CALLED auto shared_code(F f) {
  Warp w = Warp::found();
  return f(w);
}
template <class F>
TILE_FN auto aside(Warp&, F f) {
  return shared_code(f);
}

template <class F>
TILE_CALLED void call(Warp& w, F f) {
  Warp copy = w;
  copy.own_lane = int(threadIdx.x % 32);
  f(copy);
  w = copy;
}
/** f(w) in a function of its own, with registers of its own. Both sides work on copies: a Warp whose address escapes could not
    stay in registers. Only what a function may change comes back, so that the rest stays what the compiler knows of it: arguments
    in constant memory, a number of SMs that divides without a division. */
template <class F>
TILE_FN void called(Warp& w, F f) {
  Warp copy = w;
  call(copy, f);
  w.ring_position = copy.ring_position, w.join_position = copy.join_position, w.mean_flip = copy.mean_flip;
}

/** f(w), of which nothing is computed ahead. */
template <class F>
TILE_FN void apart(Warp& w, F f) {
  w.afresh();
  f(w);
}

TILE_FN Share share(const Warp& w, int n) { return share_of(n, w.sm, w.sms); }

// An SM without one of `tiles` goes through code that it and its neighbours will need, so that it is nearer to them (docs/ladder.md 3).
// A warp a scheduler does. What it multiplies lies in the ring from before; the sum is thrown away, which the compiler must not know.
TILE_FN bool rehearses(const Warp& w, int tiles) { return w.index < 4 && empty(share(w, tiles)); }
TILE_FN const char* ring_of(Warp& w) { return w.shared<char>(Shared::ring_at); }
TILE_FN void rehearsed(const Acc& acc) { asm volatile("" ::"f"(acc.value[0]), "f"(acc.value[1]), "f"(acc.value[2]), "f"(acc.value[3])); }

}  // namespace tile
