// What a rank's kernel is started with, and what it leaves behind when it gives up. Both live in memory that host program and
// kernel share, so the layouts are plain.
#pragma once
#include "target.h"

namespace tile {

constexpr int max_ranks = 8;
/** Counters lie this many bytes apart, so that polling one does not disturb another. */
constexpr int counter_stride = 128;

enum Role : int { load_role, compute_role, epilogue_role, communicate_role, role_count };

/** What a warp was waiting for, or what it did wrong. */
enum class What : int {
  none,
  counter,
  local_counter,
  ring_free,
  ring_filled,
  join_free,
  join_filled,
  slots_free,
  slots_filled,
  role_barrier,
  packets,
  control,
  overrun,  // more arrivals than a barrier counts (host)
  bounds,   // an address outside its area (host)
  race,     // unordered conflicting accesses (host, TILE_CHECK)
  crash,    // a memory fault or an endless loop inside a phase (host, TILE_CHECK)
  number,   // logits that are no numbers
  sum       // packets of a sum that its owner sends when it has all parts
};
inline const char* what_name(What what) {
  static const char* const names[] = {"nothing", "counter", "local counter", "a free ring page", "a filled ring page", "a free join slot", "a filled join slot",
                                      "free slots", "filled slots", "role barrier", "packets", "round control", "barrier overrun", "address out of bounds", "race", "crash", "logits that are no numbers", "the sum"};
  return names[int(what)];
}

/** Written once, by the first warp that gives up; in mapped host memory. state: 0 none, 1 being written, 2 complete. Of packets, and of a
    sum, the object is the tile, and got is the first rank whose packets are not there. */
struct FaultRecord {
  u32 state;
  int what, rank, sm, role, warp, site, object;
  u32 expected, got, round;
};

struct EngineArgs {
  char* image;      // packed weights of this rank
  char* kv;         // K and V caches; zeroed before the first round
  char* workspace;  // Plan::workspace_bytes; counters, control and inbox areas zeroed before the launch
  char* peer_workspace[max_ranks];  // every rank's workspace as seen from this one, itself included
  size_t image_bytes, kv_bytes, workspace_bytes;
  char* trace;         // TILE_TRACE: events (trace.h)
  char* trace_waits;   // TILE_TRACE: waits (traces.h), where they were asked for
  void* mailbox;       // mapped host memory
  FaultRecord* fault;  // mapped host memory
  u64 deadline_ns;     // a wait that is not idle gives up after this long
  int rank;
  /** How many run: all of the plan's, or the first few, a power of two. Rank r then stands in for every rank s that does not and has
      s % ranks == r: what r sends arrives as its own and as that of each s, and peer_workspace[s] is r's. Of a sum in two shots it owns what
      each s would, and takes what it gets from r for each s's. */
  int ranks;
  int sms;
  u32 stall_round;  // in this round one warp of this rank stops for good, to see what comes of it; 0: never
};

}  // namespace tile
