// What a role notes down while it works, for traces (trace.h): marks of the phase at hand, and its waits. Empty without TILE_TRACE.
#pragma once
#include "../engine/clock.h"
#include "args.h"

namespace tile {

enum Mark : int { mark_ready, mark_staged, mark_page, trace_marks };
/** When the phase at hand of a role began and first passed its marks, by its first warp. */
struct Traces {
  u64 began;
  u32 at[trace_marks];
  u32 waits;  // that are in the log
  TILE_FN void mark(Mark which) {
    if (at[which] == 0) at[which] = u32(clock_ns() - began);
  }
};

/** A wait of a role's first warp: where, for what, from when, how long. What was there at once is left out. */
struct TraceWait {
  u64 begin;
  u32 duration;
  u16 site, what;
};
constexpr u64 shortest_wait_ns = 64;
/** The last so many waits of each role of each SM are kept: [role][SM][trace_waits]. */
constexpr size_t trace_waits = 16384;

/** Times the wait that it lives through, where waits were asked for. */
template <class W>
struct TimedWait {
#ifdef TILE_TRACE
  W& w;
  const int site;
  const What what;
  u64 since = 0;
  TILE_FN TimedWait(W& warp, int at, What object) : w(warp), site(at), what(object) {
    if (w.index == 0 && w.args->trace_waits) since = clock_ns();
  }
  TILE_FN ~TimedWait() {
    if (since == 0) return;
    w.once([&] {
      const u64 lasted = clock_ns() - since;
      if (lasted < shortest_wait_ns) return;
      TraceWait* log = reinterpret_cast<TraceWait*>(w.args->trace_waits) + (size_t(w.role) * Plan::sms + size_t(w.sm)) * trace_waits;
      log[w.traces().waits++ % trace_waits] = TraceWait{since, u32(lasted), u16(site), u16(what)};
    });
  }
#else
  TILE_FN TimedWait(W&, int, What) {}
  TILE_FN ~TimedWait() {}
#endif
};

}  // namespace tile
