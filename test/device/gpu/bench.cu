// How fast the roles stream and multiply weights on one GPU: one tile of 16 rows a page (e2m1: K = 6144), k split over 16
// compute warps, sums joined by two epilogue warps. Prints TB/s of page bytes: the whole pipeline, and with the copies left out
// (what compute and hand-over alone could consume).
//   bench [passes]     build: nvcc -std=c++17 -O3 -gencode=arch=compute_90a,code=sm_90a -I codegen/device [-DFORMAT=E4M3] bench.cu
#include "tile.h"
#ifndef FORMAT
#define FORMAT E2M1
#endif
struct Plan {
  static constexpr int ranks = 1, rows = 8, load_warps = 1, compute_warps = 16, epilogue_warps = 2, communicate_warps = 1;
  static constexpr int units = tile::FORMAT::unit_bytes > 512 ? 3 : tile::FORMAT::unit_bytes > 256 ? 6 : 12, cell = (tile::FORMAT::unit_bytes + tile::FORMAT::scale_bytes) * units;
  static constexpr unsigned ring_page_bytes = 16 * cell;
  static constexpr int ring_depth = 190000 / int(ring_page_bytes);
  static constexpr int join_depth = 2, join_parts = 16, join_squares = 16;
  static constexpr bool has_means = true;
  static constexpr unsigned slots_bytes = 0, scratch_bytes = 0;
  static constexpr int max_active = 1, top_k = 1, experts = 1, counters = 1, local_counters = 1, expert_group = 1, early_eighths = 4;
  TILE_BOTH static constexpr unsigned arrivals(int) { return 1; }
  TILE_BOTH static constexpr unsigned local_arrivals(int) { return 1; }
  static constexpr const char* counter_names[] = {"x"};
  static constexpr int sites = 1, regions = 1;
  static constexpr const char* site_names[] = {"site"};
  static constexpr const char* region_names[] = {"region"};
  static constexpr size_t counters_at = 0, abort_at = 128, inbox_at = 1024, x_at = 65536, out_at = 1 << 20, workspace_bytes = 64 << 20;
  using Exchange = float;
};
#include <cstdio>
#include <cstdlib>

#include "tile_plan.h"
using namespace tile;

// passed through EngineArgs: kv_bytes is the number of pages, kv non-null means that pages are copied
TILE_ROLE void role_load(Warp& w) {
  const Share mine = share(w, int(w.args->kv_bytes));
  for (int page = mine.begin; page < mine.end; ++page) {
    w.ring_acquire(0);
    if (w.args->kv) w.ring_copy(0, 0, w.image(size_t(page) * Plan::ring_page_bytes), Plan::ring_page_bytes);
    w.ring_commit(0, w.args->kv ? Plan::ring_page_bytes : 0);
  }
}
TILE_ROLE void role_compute(Warp& w) {
  const Share mine = share(w, int(w.args->kv_bytes));
  Staged<Plan::units> x;
  stage(w, x, w.ws<bf16>(Plan::x_at), w.index * Plan::units);
  for (int page = mine.begin; page < mine.end; ++page) {
    const char* cell = w.ring_await(0) + w.index * Plan::cell;
    Acc acc = zeros();
    multiply<FORMAT, Plan::units>(w, acc, cell, cell + FORMAT::unit_bytes * Plan::units, x);
    w.ring_release(0);
    w.join_acquire(0);
    w.join_put(w.index, acc);
    w.join_commit(0);
  }
}
TILE_ROLE void role_epilogue(Warp& w) {
  const Share mine = share(w, int(w.args->kv_bytes));
  for (int page = mine.begin; page < mine.end; ++page) {
    if ((page - mine.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    Acc acc = w.join_take(0, 16);
    w.join_release(0);
    store_tile(w, w.ws<float>(Plan::out_at) + size_t(page) * 128, acc);
  }
}
TILE_ROLE void role_communicate(Warp&) {}

int main(int count, char** words) {
  const int passes = count > 1 ? atoi(words[1]) : 5;
  cudaDeviceProp device;
  cudaGetDeviceProperties(&device, 0);
  const size_t pages = (size_t(4) << 30) / Plan::ring_page_bytes;
  EngineArgs args{};
  args.sms = device.multiProcessorCount, args.ranks = 1, args.deadline_ns = 2000000000ull;
  args.image_bytes = pages * Plan::ring_page_bytes, args.workspace_bytes = Plan::workspace_bytes, args.kv_bytes = pages;
  cudaMalloc(&args.image, args.image_bytes);
  cudaMemset(args.image, 0x35, args.image_bytes);
  cudaMalloc(&args.workspace, Plan::workspace_bytes);
  cudaMemset(args.workspace, 0, Plan::workspace_bytes);
  args.peer_workspace[0] = args.workspace;
  cudaHostAlloc(reinterpret_cast<void**>(&args.fault), sizeof(FaultRecord), cudaHostAllocMapped);
  *args.fault = FaultRecord{};
  cudaEvent_t begin, end;
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  for (char* copies : {args.image, static_cast<char*>(nullptr)}) {
    args.kv = copies;
    float best = 1e9f;
    for (int pass = 0; pass < passes; ++pass) {
      cudaEventRecord(begin);
      launch_engine(args, 0);
      cudaEventRecord(end);
      if (cudaError_t error = cudaDeviceSynchronize(); error != cudaSuccess || args.fault->state) return printf("failed: %s, fault %u\n", cudaGetErrorString(error), args.fault->state), 1;
      float ms;
      cudaEventElapsedTime(&ms, begin, end);
      best = ms < best ? ms : best;
    }
    printf("%s, ring %d x %u B: %.3f TB/s\n", copies ? "pipeline" : "compute and hand-over alone", Plan::ring_depth, Plan::ring_page_bytes, double(args.image_bytes) / double(best) * 1e-9);
  }
  return 0;
}
