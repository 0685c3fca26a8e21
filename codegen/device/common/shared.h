// The map of an SM's shared memory, from the plan. Offsets in bytes; both back ends use the same map, so that a plan that fits
// on one fits on the other. Barriers first (u64 each), ring pages last (128-byte aligned for bulk copies).
#pragma once
#include "args.h"
#include "forms.h"
#include "traces.h"

namespace tile {

/** What a warp's role expects of the routed experts in this SM. Experts ascend. What an expert makes of a row is a result: results are numbered through
    experts and, of each, its rows, so that those of neighbouring experts lie together. result: by active expert and row, -1 if the row does not go
    there; slot_result: by row and slot, -1 if there is none. */
struct RouteTable {
  int active, rows;
  u16 expert[Plan::max_active];
  alignas(8) signed char result[Plan::max_active][8], slot_result[8][Plan::top_k];
  float weight[8][Plan::top_k];
};
constexpr int most_results = 8 * Plan::top_k;
static_assert(most_results <= 128, "numbers of results are bytes with a sign");

/** Which warp of which role a warp of the SM is. */
struct WarpRole {
  int role, index;
};

struct Shared {
  static constexpr int warps = Plan::load_warps + Plan::compute_warps + Plan::epilogue_warps + Plan::communicate_warps;
  // indices of barriers
  static constexpr int ring_full = 0;
  static constexpr int ring_empty = ring_full + Plan::ring_depth;
  static constexpr int join_full = ring_empty + Plan::ring_depth;
  static constexpr int join_empty = join_full + Plan::join_depth;
  static constexpr int slots_full = join_empty + Plan::join_depth;
  static constexpr int slots_empty = slots_full + 1;
  static constexpr int role = slots_empty + 1;
  static constexpr int barriers = role + role_count;
  // byte offsets
  static constexpr size_t local_counters_at = size_t(barriers) * 8;
  static constexpr size_t table_at = round_up(local_counters_at + size_t(Plan::local_counters) * 8, 16);
  static constexpr size_t near_at = round_up(table_at + sizeof(RouteTable), 16), near_bytes = 192;  // what waits look at (cuda/wait.h)
  static constexpr size_t control_at = near_at + near_bytes, control_bytes = role_count * 384;  // [2][role], by parity of the round
  static constexpr size_t lasting_at = control_at + 2 * control_bytes, lasting_bytes = 16;  // of each warp, what it keeps through all phases (cuda/wait.h)
  static constexpr size_t choice_at = lasting_at + size_t(warps) * lasting_bytes;  // RouteChoice, while routing
  static constexpr size_t choice_bytes = size_t(8 * Plan::top_k) * 2 + size_t(8 * ceil_div(Plan::experts, 32)) * 4;
  static constexpr size_t mean_at = round_up(choice_at + choice_bytes, 16);  // [2][compute warp][8] sums of normalise; or those of sampling
  static constexpr size_t means_bytes = Plan::has_means ? size_t(2 * Plan::compute_warps * 8) * 4 : 0, sampling_bytes = size_t(2 * Plan::compute_warps + 8) * 8;
  static constexpr size_t squares_at = round_up(mean_at + (means_bytes > sampling_bytes ? means_bytes : sampling_bytes), 16);
  static constexpr size_t squares_bytes = size_t(Plan::join_depth) * Plan::join_squares * 32;  // of each part that goes through the join, [8]
  static constexpr size_t exchange_bytes = 528;  // of a warp: one tile on its way into or out of packets
  static constexpr size_t exchange_at = round_up(squares_at + squares_bytes, 16);  // of the warps of compute, epilogue, communicate
  static constexpr size_t exchange_end = exchange_at + size_t(Plan::compute_warps + Plan::epilogue_warps + Plan::communicate_warps) * exchange_bytes;
#ifdef TILE_TRACE
  static constexpr size_t traces_at = round_up(exchange_end, 16), traces_bytes = role_count * sizeof(Traces);
#else
  static constexpr size_t traces_at = exchange_end, traces_bytes = 0;
#endif
  static constexpr size_t scratch_at = round_up(traces_at + traces_bytes, 128);
  // Of each compute warp, in the scratch memory: the weights of a norm that it will apply, and then its squares.
  static constexpr size_t near_weights_bytes = Plan::scratch_bytes / Plan::compute_warps / 128 * 128;
  static constexpr size_t slots_at = round_up(scratch_at + Plan::scratch_bytes, 128);
  static constexpr size_t join_at = round_up(slots_at + Plan::slots_bytes, 128);
  // Queries of attention: the scratch memory, and the slots behind it, which are free while no routed sums are made.
  static constexpr size_t queries_at = scratch_at, queries_bytes = join_at - scratch_at;
  static constexpr size_t join_slot_bytes = size_t(Plan::join_parts) * 512;
  static constexpr size_t ring_at = round_up(join_at + size_t(Plan::join_depth) * join_slot_bytes, 128);
  static constexpr size_t page_stride = round_up(Plan::ring_page_bytes, 128);
  static constexpr size_t bytes = ring_at + size_t(Plan::ring_depth) * page_stride;

  /** Arrivals that complete one phase of a barrier. */
  TILE_BOTH static constexpr int arrivals(int barrier) {
    return barrier < ring_empty    ? 1
           : barrier < join_full   ? Plan::compute_warps
           : barrier < join_empty  ? Plan::compute_warps
           : barrier < slots_full  ? 1
           : barrier == slots_full ? Plan::compute_warps
           : barrier == slots_empty ? Plan::epilogue_warps
                                    : role_warps(barrier - role);
  }
  TILE_BOTH static What awaited_at(int barrier) {
    return barrier < ring_empty    ? What::ring_filled
           : barrier < join_full   ? What::ring_free
           : barrier < join_empty  ? What::join_filled
           : barrier < slots_full  ? What::join_free
           : barrier == slots_full ? What::slots_filled
           : barrier == slots_empty ? What::slots_free
                                    : What::role_barrier;
  }
  /** Warps of the SM in order of their roles. */
  TILE_BOTH static constexpr WarpRole role_of(int warp) {
    int role = load_role;
    while (role < role_count - 1 && warp >= role_warps(role)) warp -= role_warps(role++);
    return WarpRole{role, warp};
  }
  /** Where warp `index` of a role has its tile on the way into or out of packets. */
  TILE_BOTH static constexpr size_t exchange_of(int role, int index) {
    return exchange_at + size_t((role == compute_role ? 0 : Plan::compute_warps) + (role == communicate_role ? Plan::epilogue_warps : 0) + index) * exchange_bytes;
  }
  TILE_BOTH static constexpr int first_warp(int role) {
    return (role > load_role ? Plan::load_warps : 0) + (role > compute_role ? Plan::compute_warps : 0) + (role > epilogue_role ? Plan::epilogue_warps : 0);
  }
  TILE_BOTH static constexpr int role_warps(int role) {
    return role == load_role ? Plan::load_warps : role == compute_role ? Plan::compute_warps : role == epilogue_role ? Plan::epilogue_warps : Plan::communicate_warps;
  }
};

/** Shared-memory buffers whose accesses the primitives declare to the race check. */
enum class Area : int { ring_page, join_part, routed_sum, route_table, route_choice, mean, squares, staged_rows, near_sums, reduced };
inline const char* area_name(Area area) {
  static const char* const names[] = {"ring page", "join part", "routed sum", "route table", "route choice", "mean", "squares", "staged rows", "sums of keys", "reduced number"};
  return names[int(area)];
}

struct Share {
  int begin, end;
};
/** Units [0, n) over parts, contiguous and balanced; n * parts is less than 2^32. */
TILE_BOTH Share share_of(int n, int part, int parts) {
  return Share{int(u32(n) * u32(part) / u32(parts)), int(u32(n) * u32(part + 1) / u32(parts))};
}

/** First unit from `begin` on that comes to a part, where units are dealt out to parts in turn. */
TILE_BOTH int dealt_from(int begin, int part, int parts) { return begin + (part + parts - begin % parts) % parts; }

/** The active experts of the first half, whole groups of those that `down` takes together, or of the second. */
TILE_BOTH Share half_of(const RouteTable& routes, int half) {
  const int early = routes.active * Plan::early_eighths / 8 / Plan::expert_group * Plan::expert_group;
  return half == 0 ? Share{0, early} : Share{early, routes.active};
}

TILE_BOTH bool empty(Share s) { return s.begin >= s.end; }

/** Packets of one tile in an inbox: 128 values, whole ones in 12 bytes a packet. */
template <class T>
TILE_BOTH constexpr int packets_of() {
  return ceil_div(128, 12 / int(sizeof(T)));
}

}  // namespace tile
