// Runs all ranks of the engine in this thread.
#pragma once
#include "warps.h"

namespace tile::host {

inline void run_warp(void* argument) {
  Warp& w = *static_cast<Warp*>(argument);
  void (*const roles[])(Warp&) = {role_load, role_compute, role_epilogue, role_communicate};
  roles[w.role](w);
}

/** Runs `ranks` engines to their end, a fault, or the idle hook's stop. `args` has one entry a rank. */
inline Outcome run(const EngineArgs* args, int ranks, int sms, Options options) {
  Warps all(args, ranks, sms, std::move(options), run_warp);
  return all.told(all.world.run(), args, ranks);
}

}  // namespace tile::host
