// A plan for the unit programs: what a generated engine's plan has, small. RANKS may be given on the command line.
#pragma once
#include "tile.h"
#ifndef RANKS
#define RANKS 1
#endif

struct Plan {
  static constexpr int ranks = RANKS, rows = 8, load_warps = 1, compute_warps = 4, epilogue_warps = 2, communicate_warps = 1;
  static constexpr int ring_depth = 3;
  static constexpr unsigned ring_page_bytes = 4096;
  static constexpr int join_depth = 2, join_parts = 4;
  static constexpr unsigned slots_bytes = 2 * 8 * 4 * 64;
  static constexpr unsigned scratch_bytes = 4096;
  static constexpr int max_active = 32, top_k = 4, experts = 40;
  static constexpr int counters = 4, local_counters = 2;
  TILE_BOTH static constexpr unsigned arrivals(int counter) { return counter == 0 ? 1 : counter == 1 ? 8 : 2; }
  TILE_BOTH static constexpr unsigned local_arrivals(int counter) { return counter == 0 ? 1 : 4; }
  static constexpr const char* counter_names[] = {"x", "sums", "tiles", "done"};
  static constexpr int sites = 24;
  static constexpr const char* site_names[] = {"start", "load wait x", "load acquire", "load copy", "load commit", "compute await", "compute release", "join acquire",
                                               "join commit", "epilogue take", "epilogue release", "epilogue signal", "send", "receive", "done", "done wait",
                                               "route", "normalise", "slots acquire", "slots commit", "slots await", "slots release", "table signal", "table wait"};
  static constexpr int regions = 3;
  static constexpr const char* region_names[] = {"input", "output", "sums"};
  static constexpr size_t counters_at = 0, abort_at = 4 * 128, inbox_at = 1024, data_at = 1024 + 262144, workspace_bytes = data_at + 1048576;
  using Exchange = float;
};
