// A warp of the host back end: a fiber whose lanes are loops. The same members as cuda/warp.h, with the meaning given in API.md.
// Every sync operation goes through `sync`, which is where fuzzed runs preempt and where mutations apply; every access to a
// shared buffer is declared to the race check. In fast builds both are empty.
#pragma once
#include <algorithm>
#include <string>

#include "../common/shared.h"
#include "world.h"

namespace tile {

template <class T>
struct PerLane {
  T lane[32];
  T& operator[](int index) { return lane[index]; }
  const T& operator[](int index) const { return lane[index]; }
};

struct alignas(16) Packet {
  u32 word[4];
};
inline Packet load_packet(const Packet* at) { return *at; }

struct Acc;
struct Exact;
struct ColumnSums;
struct ColumnScale;

namespace host {
using tile::Shared;
/** An SM: its shared memory, and its sync objects beside it. */
struct Sm {
  char* memory = nullptr;
  Barrier barriers[Shared::barriers];
  u32 local[Plan::local_counters > 0 ? Plan::local_counters : 1] = {};
};
}  // namespace host

struct Warp {
  int rank, sm, sms, index, count, role;
  const EngineArgs* args;
  host::World* world;
  host::Fiber* fiber;
  host::Sm* state;
  u32 ring_position = 0, join_position = 0, slots_position = 0, role_position = 0, mean_flip = 0, ring_copied = 0;
  int entry_ = 0;
  std::function<void()> deferred;

  // ---- lanes ----
  template <class F>
  void lanes(F f) {
    for (int lane = 0; lane < 32; ++lane) f(lane);
  }
  /** Runs f once for the warp (one lane on CUDA). */
  template <class F>
  void once(F f) {
    f();
  }
  /** Makes the lanes' shared and global writes visible to the warp's other lanes. */
  void sync_lanes() {}
  float sum(PerLane<float> value) {
    for (int step = 16; step > 0; step /= 2)
      for (int lane = 0; lane < step; ++lane) value[lane] += value[lane + step];
    return value[0];
  }
  int sum(PerLane<int> value) {
    int total = 0;
    for (int lane = 0; lane < 32; ++lane) total += value[lane];
    return total;
  }
  float max(PerLane<float> value) {
    float best = value[0];
    for (int lane = 1; lane < 32; ++lane) best = value[lane] > best ? value[lane] : best;
    return best;
  }
  u32 max(PerLane<u32> value) {
    u32 best = value[0];
    for (int lane = 1; lane < 32; ++lane) best = value[lane] > best ? value[lane] : best;
    return best;
  }
  int min(PerLane<int> value) {
    int least = value[0];
    for (int lane = 1; lane < 32; ++lane) least = value[lane] < least ? value[lane] : least;
    return least;
  }
  /** Bit l: the predicate of lane l. */
  u32 ballot(const PerLane<bool>& value) {
    u32 bits = 0;
    for (int lane = 0; lane < 32; ++lane) bits |= u32(value[lane]) << lane;
    return bits;
  }
  template <class T>
  T broadcast(const PerLane<T>& value, int lane) {
    return value[lane];
  }
  /** Of each lane, the sum over the lanes before it. */
  PerLane<int> sum_before(const PerLane<int>& value) {
    PerLane<int> sums;
    for (int lane = 0, sum = 0; lane < 32; sum += value[lane++]) sums[lane] = sum;
    return sums;
  }
  /** Each lane's pick of the lanes' values. */
  template <class T>
  PerLane<T> pick(const PerLane<T>& value, const PerLane<int>& from) {
    PerLane<T> picked;
    for (int lane = 0; lane < 32; ++lane) picked[lane] = value[from[lane]];
    return picked;
  }
  struct Best {
    float value;
    int index;
  };
  /** The greatest value and its index; the lower index on ties. */
  Best best(const PerLane<float>& value, const PerLane<int>& index) {
    Best best{value[0], index[0]};
    for (int lane = 1; lane < 32; ++lane)
      if (value[lane] > best.value || (value[lane] == best.value && index[lane] < best.index)) best = {value[lane], index[lane]};
    return best;
  }

  // ---- traces (trace.h) ----
#ifdef TILE_TRACE
  Traces& traces() { return shared<Traces>(Shared::traces_at)[role]; }
  void mark(Mark which) {
    if (index == 0) traces().mark(which);
  }
#else
  void mark(Mark) {}
#endif

  // ---- memory ----
  template <class T>
  T* ws(size_t offset) {
    return reinterpret_cast<T*>(args->workspace + offset);
  }
  template <class T>
  T* peer(int to, size_t offset) {
    return reinterpret_cast<T*>(args->peer_workspace[to] + offset);
  }
  const char* image(size_t offset) { return args->image + offset; }
  char* kv(size_t offset) { return args->kv + offset; }
  template <class T>
  T* shared(size_t offset) {
    return reinterpret_cast<T*>(state->memory + offset);
  }
  template <class T>
  T* scratch(size_t offset = 0) {
    return shared<T>(Shared::scratch_at + offset);
  }
  /** A GPU makes a copy in shared memory of what many will read; here all memory is near. */
  template <class T>
  const T& keep_near(int, const T* from, size_t) {
    return *from;
  }
  template <class T>
  const T& kept_near(const T* from, size_t) {
    return *from;
  }
  int entry() const { return entry_; }
  void enter(int entry) { entry_ = entry; }
  u32 round() const { return fiber->round; }
  void enter_round(u32 round) { fiber->round = round; }
  float* exchange() { return shared<float>(Shared::exchange_of(role, index)); }

  // ---- sync core ----
  /** Performs op(delta) under the site's mutation. */
  template <class Op>
  void sync(int site, Op op) {
    if constexpr (host::checking) {
      fiber->site = site;
      fiber->stamp.reset();
    }
    world->preempt();
    if constexpr (host::checking) {
      using host::Mutation;
      const auto found = host::mutations().find(site);
      const Mutation mutation = found == host::mutations().end() ? Mutation::none : found->second;
      auto before = std::move(deferred);
      deferred = nullptr;
      if (mutation == Mutation::late)
        deferred = [op]() mutable { op(0); };
      else if (mutation != Mutation::drop)
        op(mutation == Mutation::target_up || mutation == Mutation::shallow ? 1 : mutation == Mutation::target_down ? -1 : 0);
      if (mutation == Mutation::twice) op(0);
      if (before) before();
    } else {
      op(0);
    }
  }
  template <class F>
  void block(int site, What what, int object, u32 expected, bool idle, F value) {
    if (int(value() - expected) >= 0) return;
    const TimedWait<Warp> timed(*this, site, what);
    world->block([](void* question) -> unsigned { return (*static_cast<F*>(question))(); }, &value, expected, idle, what, object, site);
  }
  void acquire(const host::Clock& clock) {
    if constexpr (host::checking) {
      fiber->clock.join(clock);
      fiber->stamp.reset();
    }
  }
  void wait_barrier(int site, int barrier, u32 phases, What what) {
    host::Barrier& object = state->barriers[barrier];
    if constexpr (host::checking) told_apart(site, barrier, phases, object.phases);
    block(site, what, barrier, phases, false, [&object]() -> unsigned { return object.phases; });
    if constexpr (host::checking) acquire(object.history.at(phases));
  }
  /** A GPU's barriers have a parity and no number: whoever waits two phases ahead takes an older one for his own. */
  void told_apart(int site, int object, u32 phases, u32 got) {
    if (int(phases - got) > 1)
      world->fail(What::race, site, object, phases, got,
                  "race: parity: " + world->who(*fiber) + ", " + world->site_name(site) + ": waits for phase " + std::to_string(phases) + " while " + std::to_string(got) + " are over");
  }
  /** A consumer holds what was filled for its position, neither what came before nor what overran it. */
  void mine(int site, int barrier, u32 phases, const char* name) {
    if constexpr (host::checking)
      if (const u32 got = state->barriers[barrier].phases; got != phases)
        world->fail(What::race, site, barrier, phases, got,
                    std::string("race: ") + name + ": " + world->who(*fiber) + ", " + world->site_name(site) + ": uses filling " + std::to_string(phases) + " while filling " +
                        std::to_string(got) + " is there");
  }
  void arrive(int site, int barrier, long announced = 0) { world->arrive(state->barriers[barrier], announced, barrier, site); }

  /** Ends the run for what this warp found, at once. */
  void give_up(int site, What what, int object) {
    world->fail(what, site, object, 0, 0, world->who(*fiber) + ", " + world->site_name(site) + ": " + what_name(what) + ", position " + std::to_string(object));
  }

  // ---- counters ----
  u32* counter(int which) { return ws<u32>(Plan::counters_at + size_t(which) * counter_stride); }
  /** The role's warps meet behind it, as they do on a GPU, where one of them looks for all: what each did ahead of it is there for the others. */
  void wait(int site, int which, u32 runs) {
    wait_counter(site, which, runs, false);
    if (count > 1) role_barrier(site);
  }
  void wait_idle(int site, int which, u32 runs) { wait_counter(site, which, runs, true); }
  void wait_alone(int site, int which, u32 runs) { wait_counter(site, which, runs, true); }
  void signal(int site, int which) {
    sync(site, [=](int) {
      if constexpr (host::checking)
        if (Plan::arrivals(which) == unsigned(sms)) world->account(counter(which), sm, sms, which, site);
      world->signal(counter(which), 1);
    });
  }
  void signal_tile(int site, int which) {
    sync(site, [=](int) { world->signal(counter(which), 1); });
  }
  void signal_share(int site, int which, Share tiles) {
    if (tiles.begin < tiles.end) sync(site, [=](int) { world->signal(counter(which), u32(tiles.end - tiles.begin)); });
  }
  void wait_local(int site, int which, u32 runs) {
    sync(site, [=](int delta) {
      u32* word = &state->local[which];
      const u32 expected = runs * Plan::local_arrivals(which) + u32(delta);
      if constexpr (host::checking) told_apart(site, which, runs, *word / Plan::local_arrivals(which));
      block(site, What::local_counter, which, expected, false, [word]() -> unsigned { return *word; });
      if constexpr (host::checking) acquire(world->histories[word].at(expected));
    });
  }
  void signal_local(int site, int which) {
    sync(site, [this, which](int) { world->signal(&state->local[which], 1); });
  }
  void order_copies() {}
  void copy_near(int, void* to, const void* from, u32 bytes) { std::memcpy(to, from, bytes); }
  void role_barrier(int site) {
    const u32 generation = ++role_position;
    sync(site, [=](int) {
      arrive(site, Shared::role + role);
      wait_barrier(site, Shared::role + role, generation, What::role_barrier);
    });
  }
  void role_barrier_within(int site) { role_barrier(site); }
  void afresh() {}
  /** Polls ready(lane) until every lane says yes. Idle: no deadline. */
  template <class F>
  void poll(int site, What what, int object, bool idle, F ready) {
    sync(site, [=](int) mutable {
      block(site, what, object, 32, idle, [&ready]() -> unsigned {
        unsigned lane = 0;
        while (lane < 32 && ready(int(lane))) ++lane;
        return lane;
      });
    });
  }
  /** Until the packets of a tile are there, of all sources below `end`. `missing(w, lane)`: the first whose are not. */
  template <class F, class M>
  void poll_packets(int site, What what, int tile, int end, F ready, M missing) {
    sync(site, [=](int) mutable {
      block(site, what, tile, u32(end), false, [this, &ready, &missing, end]() -> unsigned {
        for (int lane = 0; lane < 32; ++lane)
          if (!ready(lane)) return unsigned(missing(*this, lane));
        return unsigned(end);
      });
    });
  }

  // ---- ring: load -> compute ----
  char* ring_page(u32 position) { return state->memory + Shared::ring_at + position % Plan::ring_depth * Shared::page_stride; }
  void ring_acquire(int site) {
    const u32 position = ring_position;
    sync(site, [=](int delta) {
      const int slot = int(position % Plan::ring_depth);
      wait_free(site, Shared::ring_empty + slot, position, Plan::ring_depth, delta, What::ring_free);
      // (unless a mutation has let a copy overtake its acquire)
      if ((host::checking || world->fuzzing()) && ring_copied != position + 1) std::memset(ring_page(position), 0xFF, Plan::ring_page_bytes);
    });
  }
  void ring_copy(int site, u32 at, const char* from, u32 bytes) {
    const u32 position = ring_position;
    ring_copied = position + 1;
    sync(site, [=](int) {
      if constexpr (host::checking) {
        if (at % 16 || bytes % 16 || size_t(at) + bytes > Plan::ring_page_bytes || bytes == 0)
          world->fail(What::bounds, site, int(at), Plan::ring_page_bytes, at + bytes, world->who(*fiber) + ", " + world->site_name(site) + ": a copy leaves its ring page");
        if (!inside(from, bytes))
          world->fail(What::bounds, site, 0, 0, 0, world->who(*fiber) + ", " + world->site_name(site) + ": a copy reads outside image, KV cache and workspace");
        host::Clock& clock = engine_now();
        touch(clock, engine_actor(), place(Area::ring_page, int(position % Plan::ring_depth)), true, area_name(Area::ring_page));
      }
      world->copy(ring_page(position) + at, from, bytes, state->barriers[Shared::ring_full + int(position % Plan::ring_depth)], sm_index());
    });
  }
  template <int Most, class F>
  void ring_copies(int site, int pieces, u32 each, F from) {
    expect(pieces > 0 && pieces <= Most, "the pieces of a page");
    for (int i = 0; i < pieces; ++i) ring_copy(site, u32(i) * each, from(i), each);
  }
  void ring_commit(int site, u32 bytes) {
    const u32 position = ring_position++;
    sync(site, [=](int delta) { arrive(site, Shared::ring_full + int(position % Plan::ring_depth), long(bytes) + 16 * delta); });
  }
  /** There is no L2 to fill: the range is checked, and counted. */
  void prefetch(int site, const char* from, u32 bytes) {
    sync(site, [=](int) {
      if constexpr (host::checking) {
        if (!inside(from, bytes) || bytes % 16 || reinterpret_cast<u64>(from) % 16)
          world->fail(What::bounds, site, 0, 0, bytes, world->who(*fiber) + ", " + world->site_name(site) + ": a prefetch leaves image, KV cache and workspace");
      }
      world->outcome.prefetched += bytes;
    });
  }
  const char* ring_await(int site) {
    const u32 position = ring_position;
    sync(site, [=](int delta) {
      wait_barrier(site, Shared::ring_full + int(position % Plan::ring_depth), position / Plan::ring_depth + 1 + u32(delta), What::ring_filled);
    });
    ring_mine(site, position);
    area_reads(Area::ring_page, int(position % Plan::ring_depth));
    mark(mark_page);
    return ring_page(position);
  }
  void ring_mine(int site, u32 position) { mine(site, Shared::ring_full + int(position % Plan::ring_depth), position / Plan::ring_depth + 1, "ring page"); }
  void ring_release(int site) {
    const u32 position = ring_position++;
    ring_mine(site, position);
    sync(site, [=](int) { arrive(site, Shared::ring_empty + int(position % Plan::ring_depth)); });
  }

  // ---- join: compute -> one epilogue warp ----
  float* join_slot(u32 position) {
    return shared<float>(Shared::join_at + position % Plan::join_depth * Shared::join_slot_bytes);
  }
  float* join_squares(u32 position) {
    return shared<float>(Shared::squares_at) + position % Plan::join_depth * (Plan::join_squares * 8);
  }
  void join_acquire(int site) {
    const u32 position = join_position;
    sync(site, [=](int delta) { wait_free(site, Shared::join_empty + int(position % Plan::join_depth), position, Plan::join_depth, delta, What::join_free); });
  }
  void join_put(int part, const Acc& acc);
  void join_put(int part, const Acc& acc, const ColumnSums& squares);
  void join_put(int part, const Exact& sum);
  void join_commit(int site) {
    const u32 position = join_position++;
    sync(site, [=](int) { arrive(site, Shared::join_full + int(position % Plan::join_depth)); });
  }
  Acc join_sum(int first, int parts);
  template <class Scale>
  ColumnScale join_scale(int first, int parts, int units_total, Scale scale);
  Exact join_total(int first, int parts);
  Acc join_take(int site, int parts);
  Acc join_take_row(int site, int first, int parts);
  void join_wait(int site) {
    const u32 position = join_position;
    sync(site, [=](int delta) {
      wait_barrier(site, Shared::join_full + int(position % Plan::join_depth), position / Plan::join_depth + 1 + u32(delta), What::join_filled);
    });
    join_mine(site, position);
  }
  void join_mine(int site, u32 position) { mine(site, Shared::join_full + int(position % Plan::join_depth), position / Plan::join_depth + 1, "join slot"); }
  void join_release(int site) {
    const u32 position = join_position++;
    join_mine(site, position);
    sync(site, [=](int) { arrive(site, Shared::join_empty + int(position % Plan::join_depth)); });
  }
  void join_skip() { ++join_position; }

  // ---- slots: routed sums, compute -> epilogue ----
  void slots_acquire(int site) {
    const u32 position = slots_position;
    sync(site, [=](int delta) { wait_free(site, Shared::slots_empty, position, 1, delta, What::slots_free); });
  }
  void slots_put(const Acc& acc, int tile, int active_index);
  void slots_put(const Exact& sum, int tile, int active_index);
  void slots_commit(int site) {
    ++slots_position;
    sync(site, [=](int) { arrive(site, Shared::slots_full); });
  }
  void slots_await(int site) {
    const u32 position = slots_position;
    sync(site, [=](int delta) { wait_barrier(site, Shared::slots_full, position + 1 + u32(delta), What::slots_filled); });
    mine(site, Shared::slots_full, position + 1, "routed sums");
  }
  template <int TopK = Plan::top_k>
  Acc slots_sum(int tile);
  template <int TopK = Plan::top_k>
  Exact slots_total(int tile);
  void slots_release(int site) {
    ++slots_position;
    mine(site, Shared::slots_full, slots_position, "routed sums");
    sync(site, [=](int) { arrive(site, Shared::slots_empty); });
  }
  RouteTable& table() {
    area_reads(Area::route_table, 0);
    return *shared<RouteTable>(Shared::table_at);
  }
  /** While routing: the warps of the role write rows of their own, so the table as a whole is not claimed. */
  RouteTable& table_for_writing_shared() { return *shared<RouteTable>(Shared::table_at); }
  RouteTable& table_for_writing() {
    area_writes(Area::route_table, 0);
    return *shared<RouteTable>(Shared::table_at);
  }

  // ---- packets ----
  void store_packet(Packet* to, const Packet& packet) {
    if constexpr (host::checking) {
      // The store happens before what the stamp publishes ends.
      const host::StampRef& stamp = world->stamp();
      touch_place(world->packet(to).place, stamp->clock, stamp->actor, stamp->time, packet_part(to), true, "packet");
    }
    world->send_packet(reinterpret_cast<char*>(to), reinterpret_cast<const unsigned char*>(&packet));
  }
  void received(const Packet* at) {
    if constexpr (host::checking) {
      host::PacketPlace& packet = world->packet(at);
      // A sender's time is published once: who has seen it has seen all that came with it.
      if (packet.sent && fiber->clock.of(packet.sent->actor) < packet.sent->time) acquire(packet.sent->clock);
      touch_place(packet.place, fiber->clock, fiber->actor, fiber->clock.of(fiber->actor), packet_part(at), false, "packet");
    }
  }
  void send(int site, const Acc& acc, int tile, u32 epoch);
  void send(int site, const Exact& sum, int tile, u32 epoch);
  Acc receive_sum(int site, int tile, u32 epoch);
  Exact receive_total(int site, int tile, u32 epoch);
  bool owns(int tile) const;
  void send_part(int site, const Acc& acc, int tile, u32 epoch);
  void send_part(int site, const Exact& sum, int tile, u32 epoch);
  Acc parts_sum(int site, int tile, u32 epoch);
  Exact parts_total(int site, int tile, u32 epoch);
  void spread(int site, size_t inbox, const Acc& acc, int tile, u32 epoch);
  Acc spread_sum(int site, size_t inbox, int tile, u32 epoch);
  void send_to(int site, int to, size_t inbox_at, const Acc& acc, int tile, u32 epoch);

  // ---- declared accesses (TILE_CHECK) ----
  void reads(int region, int part) { reads_of(rank, region, part); }
  void writes(int region, int part) { writes_of(rank, region, part); }
  void reads_of(int of_rank, int region, int part) {
    if constexpr (host::checking) {
      // What the load role reads is read by the copy engine, some time before the page's await.
      if (role == load_role)
        touch(engine_now(), engine_actor(), region_place(of_rank, region, part), false, region_name(region));
      else
        touch(region_place(of_rank, region, part), false, region_name(region));
    }
  }
  void writes_of(int of_rank, int region, int part) {
    if constexpr (host::checking) touch(region_place(of_rank, region, part), true, region_name(region));
  }

 private:
  void wait_counter(int site, int which, u32 runs, bool idle) {
    sync(site, [=](int delta) {
      const u32* word = counter(which);
      const u32 expected = runs * Plan::arrivals(which) + u32(delta);
      block(site, What::counter, which, expected, idle, [word]() -> unsigned { return *word; });
      if constexpr (host::checking) acquire(world->histories[word].at(expected));
    });
    mark(mark_ready);
  }
  /** Free slots: the slot of `position` is free once its previous use was released. A mutated depth looks at a neighbour. */
  void wait_free(int site, int barrier, u32 position, int depth, int delta, What what) {
    if (delta > 0 && depth > 1) {
      // one slot fewer: the use before last of a shallower channel must be over
      const u32 next = position + 1;
      wait_barrier(site, barrier - int(position % u32(depth)) + int(next % u32(depth)), next / u32(depth), what);
      return;
    }
    const i64 phases = i64(position) / depth + delta;
    if (phases > 0) wait_barrier(site, barrier, u32(phases), what);
  }
  const char* region_name(int region) const { return region >= 0 && region < world->names.region_count ? world->names.regions[region] : "region"; }
  int sm_index() const { return rank * sms + sm; }
  int engine_actor() const { return int(world->fibers.size()) + sm_index(); }
  host::Clock& engine_now() {
    host::Clock& clock = world->engine_clocks[size_t(sm_index())];
    clock.join(fiber->clock);
    ++clock.slot(engine_actor());
    return clock;
  }
  bool inside(const char* from, size_t bytes) const {
    auto in = [&](const char* base, size_t size) { return from >= base && from + bytes <= base + size; };
    return in(args->image, args->image_bytes) || in(args->kv, args->kv_bytes) || in(args->workspace, args->workspace_bytes);
  }
  static host::PlaceKey region_place(int rank, int region, int part) { return u64(1) << 60 | u64(rank) << 52 | u64(u16(region)) << 32 | u32(part); }
  u32 packet_part(const void* at) const { return u32(reinterpret_cast<u64>(at) >> 4); }

 public:
  /** The slot that a round's control lies in, of this rank. */
  void control_reads(u32 of_round) {
    if constexpr (host::checking) touch(region_place(rank, 0xFFFF, int(of_round & 1)), false, "round control");
  }
  void control_writes(u32 of_round) {
    if constexpr (host::checking) touch(region_place(rank, 0xFFFF, int(of_round & 1)), true, "round control");
  }
  void control_agrees(u32 of_round, const void* control, size_t bytes) {
    if constexpr (host::checking)
      if (!world->same_for_all_ranks(of_round, control, bytes))
        world->fail(What::control, fiber->site, int(of_round), 0, 0, world->who(*fiber) + ", " + world->site_name(fiber->site) + ": another rank was told something else of round " + std::to_string(of_round));
  }
  void area_reads(Area area, int part) {
    if constexpr (host::checking) touch(place(area, part), false, area_name(area));
  }
  void area_writes(Area area, int part) {
    if constexpr (host::checking) touch(place(area, part), true, area_name(area));
  }
  /** Ends the run unless an index lies in its area. */
  void expect(bool inside_area, const char* area) {
    if (!inside_area) world->fail(What::bounds, fiber->site, 0, 0, 0, world->who(*fiber) + ", " + world->site_name(fiber->site) + ": an index leaves " + area);
  }
  host::PlaceKey place(Area area, int part) const { return u64(3) << 60 | u64(sm_index()) << 40 | u64(area) << 32 | u32(part); }
  void touch(host::PlaceKey key, bool writes, const char* name) { touch(fiber->clock, fiber->actor, key, writes, name); }
  void touch(const host::Clock& clock, int actor, host::PlaceKey key, bool writes, const char* name) {
    fiber->stamp.reset();
    touch_place(world->places[key], clock, actor, clock.of(actor), u32(key), writes, name);
  }
  void touch_place(host::Place& place, const host::Clock& clock, int actor, u32 time, u32 part, bool writes, const char* name) {
    host::Access earlier;
    const host::Access now{actor, time, fiber->site};
    if (!host::conflicts(place, now, clock, writes, earlier)) return;
    std::string other;
    if (size_t(earlier.actor) < world->fibers.size()) {
      other = world->who(*world->fibers[size_t(earlier.actor)]);
    } else {
      const int engine = earlier.actor - int(world->fibers.size());
      other = "rank " + std::to_string(engine / sms) + " SM " + std::to_string(engine % sms) + " copy engine";
    }
    world->fail(What::race, fiber->site, int(part), 0, 0,
                std::string("race: ") + name + " part " + std::to_string(part) + ": " + world->who(*fiber) + (writes ? " writes" : " reads") + " after " +
                    world->site_name(fiber->site) + ", not ordered with the access of " + other + " after " + world->site_name(earlier.site));
  }
};

template <class T>
inline T early(T value) {
  return value;
}

inline Share share(const Warp& w, int n) { return share_of(n, w.sm, w.sms); }

// A CPU brings its code near by itself: nobody rehearses.
inline bool rehearses(const Warp&, int) { return false; }
inline const char* ring_of(Warp& w) { return w.shared<char>(Shared::ring_at); }
inline void rehearsed(const Acc&) {}

/** f(w), where the other back end makes it a function of its own. */
template <class F>
inline auto aside(Warp& w, F f) {
  return f(w);
}
template <class F>
inline void called(Warp& w, F f) {
  f(w);
}
/** f(w), of which the other back end computes nothing ahead. */
template <class F>
inline void apart(Warp& w, F f) {
  f(w);
}

}  // namespace tile
