// Runs all ranks of the engine in this thread: one fiber per (rank, SM, warp), shared memory poisoned at the start.
#pragma once
#include <vector>

#include "warp.h"

namespace tile::host {

inline void run_warp(void* argument) {
  Warp& w = *static_cast<Warp*>(argument);
  void (*const roles[])(Warp&) = {role_load, role_compute, role_epilogue, role_communicate};
  roles[w.role](w);
}

/** Runs `ranks` engines to their end, a fault, or the idle hook's stop. `args` has one entry a rank. */
inline Outcome run(const EngineArgs* args, int ranks, int sms, Options options) {
  World world;
  world.options = std::move(options);
  world.names.sites = Plan::site_names;
  world.names.site_count = Plan::sites;
  world.names.counters = Plan::counter_names;
  world.names.counter_count = Plan::counters;
  world.names.regions = Plan::region_names;
  world.names.region_count = Plan::regions;
  std::vector<Sm> states(size_t(ranks * sms));
  std::vector<char> memory((Shared::bytes + 128) * states.size() + 128, char(0xFF));
  std::vector<Warp> warps(states.size() * Shared::warps);
  char* at = memory.data() + (128 - reinterpret_cast<u64>(memory.data()) % 128) % 128;
  for (Sm& state : states) {
    state.memory = at;
    at += round_up(Shared::bytes, 128);
    for (int i = 0; i < Shared::barriers; ++i) state.barriers[i].count = state.barriers[i].pending = unsigned(Shared::arrivals(i));
  }
  world.engine_clocks.resize(states.size());
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
          fiber->main = run_warp;
          fiber->argument = &w;
          fiber->actor = int(next);
          fiber->rank = rank, fiber->sm = sm, fiber->role = role, fiber->warp = index;
          if constexpr (checking) fiber->clock.slot(fiber->actor) = 1;
          world.fibers.push_back(std::move(fiber));
          ++next;
        }
  Outcome outcome = world.run();
  if (outcome.fault.state)
    for (int rank = 0; rank < ranks; ++rank)
      if (args[rank].fault && args[rank].fault->state == 0) *args[rank].fault = outcome.fault;
  return outcome;
}

}  // namespace tile::host
