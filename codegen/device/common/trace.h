// Traces: when each role of each SM ran each phase, for the last rounds. Compiled in with TILE_TRACE only, so that an engine that
// is not asked for a trace neither holds the memory nor reads the clock.
//
// An event is [round % trace_rounds][entry][phase][role][SM]: the role's first warp writes its own time, and how many experts were
// active when it ended (what a routed phase's bytes depend on). Times are nanoseconds of the GPU's global timer. Marks are times
// since the beginning: last counter seen, input staged, first page there (0: never). Waits have a log of their own (traces.h).
#pragma once
#include "../engine/clock.h"

namespace tile {

struct TraceEvent {
  u64 begin;
  u32 duration, active;
  u32 mark[4];
};
constexpr int trace_rounds = 16;

#ifdef TILE_TRACE
constexpr size_t trace_bytes = sizeof(TraceEvent) * trace_rounds * Plan::entries * Plan::phases * role_count * Plan::sms;
constexpr size_t trace_waits_bytes = sizeof(TraceWait) * trace_waits * role_count * Plan::sms;

TILE_CALLED void trace_begin(Traces& t) { t = Traces{clock_ns(), {}, t.waits}; }
TILE_CALLED void trace_end(const Traces& t, TraceEvent* event, int active) {
  TraceEvent done{t.began, u32(clock_ns() - t.began), u32(active), {}};
  for (int i = 0; i < trace_marks; ++i) done.mark[i] = t.at[i];
  *event = done;
}

struct Traced {
  Warp& w;
  const u32 at;
  TILE_FN Traced(Warp& warp, u32 round, int entry, int phase) : w(warp), at((round % trace_rounds * Plan::entries + u32(entry)) * Plan::phases + u32(phase)) {
    if (w.index == 0) w.once([&] { trace_begin(w.traces()); });
  }
  TILE_FN ~Traced() {
    if (w.index != 0) return;
    w.once([&] {
      TraceEvent* events = reinterpret_cast<TraceEvent*>(w.args->trace);
      trace_end(w.traces(), events + (size_t(at) * role_count + size_t(w.role)) * Plan::sms + size_t(w.sm), w.shared<RouteTable>(Shared::table_at)->active);
    });
  }
};
#else
constexpr size_t trace_bytes = 0, trace_waits_bytes = 0;
struct Traced {
  TILE_FN Traced(Warp&, u32, int, int) {}
};
#endif

}  // namespace tile
