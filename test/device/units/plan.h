// A plan for the unit programs: what a generated engine's plan has, small. RANKS and EXCHANGE may be given on the command line.
#pragma once
#include "tile.h"
#ifndef RANKS
#define RANKS 1
#endif
#ifndef EXCHANGE
#define EXCHANGE float
#endif

/** Sync sites of all unit programs, in the order of Plan::site_names. */
enum Site {
  s_start,
  s_load_wait,
  s_load_acquire,
  s_load_copy,
  s_load_commit,
  s_load_prefetch,
  s_compute_await,
  s_compute_release,
  s_join_acquire,
  s_join_commit,
  s_join_take,
  s_join_release,
  s_signal_sums,
  s_send,
  s_receive,
  s_signal_done,
  s_wait_done,
  s_role_barrier,
  s_slots_acquire,
  s_slots_commit,
  s_slots_await,
  s_slots_release,
  s_table_ready,
  s_table_wait,
  s_signal_input,
  s_wait_sums,
  s_count
};
enum Counter { c_input, c_sums, c_done, c_never, c_count };
enum Local { l_table, l_count };
enum Region { r_input, r_sums, r_result, r_count };

struct Plan {
  static constexpr int ranks = RANKS, rows = 8, load_warps = 1, compute_warps = 4, epilogue_warps = 2, communicate_warps = 1;
  static constexpr int ring_depth = 3;
  static constexpr unsigned ring_page_bytes = 16384;
  static constexpr int join_depth = 2, join_parts = 8, join_squares = 4;
  static constexpr bool has_means = true;
  static constexpr unsigned slots_bytes = 2 * 8 * 4 * 128;
  static constexpr unsigned scratch_bytes = 32768;
  static constexpr int max_active = 32, top_k = 4, experts = 100, expert_group = 2, early_eighths = 5;
  static constexpr int counters = c_count, local_counters = l_count;
  TILE_BOTH static constexpr unsigned arrivals(int counter) { return counter == c_sums ? 4 : 1; }
  TILE_BOTH static constexpr unsigned local_arrivals(int) { return 4; }
  static constexpr const char* counter_names[] = {"input", "sums", "done", "never"};
  static constexpr int sites = s_count;
  static constexpr const char* site_names[] = {"start",         "load wait input", "load acquire",   "load copy",    "load commit",  "load prefetch",  "compute await",
                                               "compute release", "join acquire",  "join commit",    "join take",    "join release", "signal sums",
                                               "send",          "receive",         "signal done",    "wait done",    "role barrier", "slots acquire",
                                               "slots commit",  "slots await",     "slots release",  "table ready",  "table wait",   "signal input", "wait sums"};
  static constexpr int regions = r_count;
  static constexpr const char* region_names[] = {"input", "sums", "result"};
  static constexpr size_t counters_at = 0, abort_at = c_count * 128, inbox_at = 1024, inbox_bytes = 1 << 18, data_at = inbox_at + inbox_bytes,
                          workspace_bytes = data_at + (1 << 20);
  using Exchange = EXCHANGE;
};
