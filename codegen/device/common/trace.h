// Traces: when each role of each SM ran each phase, for the last rounds. Compiled in with TILE_TRACE only, so that an engine that
// is not asked for a trace neither holds the memory nor reads the clock.
//
// An event is [round % trace_rounds][entry][phase][role][SM]: the role's first warp writes its own time, and how many experts were
// active when it ended (what a routed phase's bytes depend on). Times are nanoseconds of the GPU's global timer.
#pragma once
#include "../engine/clock.h"

namespace tile {

struct TraceEvent {
  u64 begin;
  u32 duration, active;
};
constexpr int trace_rounds = 16;

#ifdef TILE_TRACE
constexpr size_t trace_bytes = sizeof(TraceEvent) * trace_rounds * Plan::entries * Plan::phases * role_count * Plan::sms;

struct Traced {
  Warp& w;
  TraceEvent* event;
  u64 begin = 0;
  TILE_FN Traced(Warp& warp, u32 round, int entry, int phase) : w(warp), event(nullptr) {
    if (w.index != 0) return;
    const size_t at = (((size_t(round) % trace_rounds * Plan::entries + entry) * Plan::phases + phase) * role_count + w.role) * Plan::sms + w.sm;
    event = reinterpret_cast<TraceEvent*>(w.args->trace) + at;
    begin = clock_ns();
  }
  TILE_FN ~Traced() {
    if (event) w.once([&] { *event = TraceEvent{begin, u32(clock_ns() - begin), u32(w.shared<RouteTable>(Shared::table_at)->active)}; });
  }
};
#else
constexpr size_t trace_bytes = 0;
struct Traced {
  TILE_FN Traced(Warp&, u32, int, int) {}
};
#endif

}  // namespace tile
