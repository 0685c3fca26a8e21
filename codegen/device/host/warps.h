// The warps of a host run: one fiber per (rank, SM, warp), each SM with its barriers and its shared memory, poisoned at the start.
#pragma once
#include <vector>

#include "warp.h"

namespace tile::host {

class Warps {
 public:
  World world;
  std::vector<Warp> warps;
  std::vector<Sm> states;

  Warps(const EngineArgs* args, int ranks, int sms, Options options, void (*main)(void*)) : warps(size_t(ranks * sms * Shared::warps)), states(size_t(ranks * sms)) {
    world.options = std::move(options);
    world.names.sites = Plan::site_names;
    world.names.site_count = Plan::sites;
    world.names.counters = Plan::counter_names;
    world.names.counter_count = Plan::counters;
    world.names.regions = Plan::region_names;
    world.names.region_count = Plan::regions;
    world.engine_clocks.resize(states.size());
    memory_.resize((Shared::bytes + 128) * states.size() + 128);
    char* at = memory_.data() + (128 - reinterpret_cast<u64>(memory_.data()) % 128) % 128;
    for (Sm& state : states) {
      state.memory = at;
      at += round_up(Shared::bytes, 128);
    }
    size_t next = 0;
    for (int rank = 0; rank < ranks; ++rank)
      for (int sm = 0; sm < sms; ++sm)
        for (int role = 0; role < role_count; ++role)
          for (int index = 0; index < Shared::role_warps(role); ++index) {
            auto fiber = std::make_unique<Fiber>();
            Warp& w = warps[next];
            w.rank = rank, w.sm = sm, w.sms = sms, w.index = index, w.count = Shared::role_warps(role), w.role = role;
            w.args = &args[rank];
            w.world = &world;
            w.fiber = fiber.get();
            w.state = &states[size_t(rank * sms + sm)];
            fiber->main = main;
            fiber->argument = &w;
            fiber->actor = int(next);
            fiber->rank = rank, fiber->sm = sm, fiber->role = role, fiber->warp = index;
            if constexpr (checking) fiber->clock.slot(fiber->actor) = 1;
            world.fibers.push_back(std::move(fiber));
            ++next;
          }
    reset();
  }

  /** As at a kernel's start: nothing in shared memory can be believed, barriers have seen no phase. */
  void reset() {
    for (Sm& state : states) {
      std::memset(state.memory, 0xFF, Shared::bytes);
      for (int i = 0; i < Shared::barriers; ++i) {
        Barrier& barrier = state.barriers[i];
        barrier.count = barrier.pending = unsigned(Shared::arrivals(i)), barrier.phases = 0, barrier.bytes = 0;
      }
    }
    for (Warp& w : warps) w.ring_position = w.join_position = w.slots_position = w.role_position = w.mean_flip = w.ring_copied = 0, w.fiber->state = Fiber::ready;
  }

  /** Tells the ranks' records what went wrong, if anything did. */
  Outcome told(Outcome outcome, const EngineArgs* args, int ranks) const {
    if (outcome.fault.state)
      for (int rank = 0; rank < ranks; ++rank)
        if (args[rank].fault && args[rank].fault->state == 0) *args[rank].fault = outcome.fault;
    return outcome;
  }

 private:
  std::vector<char> memory_;
};

}  // namespace tile::host
