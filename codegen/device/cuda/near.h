// Near attention on a GPU: a warp attends to a block of 16 keys by itself. Everything it needs is asked for at once, straight from the
// L2 cache (which touch_near has filled, while the queries were waited for) in 16-byte loads; scores and probabilities stay in
// registers, since the accumulators of Q K^T are the A operand of P V. Queries come through the first cache: all warps read the same.
#pragma once
#include "../common/near.h"
#include "attend.h"

namespace tile {

/** This warp's blocks of some tasks into L2. Keys that this round writes are there anyway; nothing is read, so nothing is too early. */
template <class Near>
TILE_FN void touch_near(Warp& w, const Near& near, Share tasks) {
  TILE_LOOP
  for (int number = tasks.begin; number < tasks.end; ++number) {
    const NearTask task = near.task(number);
    TILE_LOOP
    for (int block = task.blocks.begin + w.index; block < task.blocks.end; block += w.count) {
      if (w.lane() != 0) continue;
      ptx::bulk_prefetch(near.key(task.head, block), Near::key_bytes);
      ptx::bulk_prefetch(near.value(task.head, block - block % 2, task.part), Near::value_bytes);
    }
  }
}

/** Leaves a block's unnormalised sums, peaks and denominators of the 16 rows. */
template <class Near, int Stride>
TILE_FN void attend_block(Warp& w, const Near& near, const NearTask& task, int block, const bf16* q, float scale, float (&o)[16][Stride], float (&m)[16], float (&l)[16]) {
  constexpr int units = ceil_div(Near::qd, 32), dims = Near::dims / 8;  // dims in eights
  static_assert(Near::qd % 8 == 0, "a lane reads eight neighbours of a query");
  const int lane = w.lane(), g = lane / 4, t = lane % 4;
  const uint4* keys = reinterpret_cast<const uint4*>(near.key(task.head, block)) + lane;
  const uint2* values = reinterpret_cast<const uint2*>(near.value(task.head, block, task.part)) + lane * 2;
  const uint4* q_low = reinterpret_cast<const uint4*>(q + size_t((task.head * Near::m_tiles + task.m_tile) * 16 + g) * Near::qd) + t;
  const uint4* q_high = q_low + Near::qd;
  uint4 k[2][units], low[units], high[units];
  uint2 v[dims];
  TILE_UNROLL
  for (int unit = 0; unit < units; ++unit)
    TILE_UNROLL
    for (int n = 0; n < 2; ++n) k[n][unit] = __ldcg(keys + (n * units + unit) * 32);
  TILE_UNROLL
  for (int unit = 0; unit < units; ++unit) {
    const bool inside = unit * 32 + t * 8 < Near::qd;
    const uint4 none = make_uint4(0, 0, 0, 0);
    low[unit] = inside ? q_low[unit * 4] : none, high[unit] = inside ? q_high[unit * 4] : none;
  }
  TILE_UNROLL
  for (int n = 0; n < dims; ++n) v[n] = __ldcg(values + n * 64);

  float score[2][4] = {};
  TILE_UNROLL
  for (int unit = 0; unit < units; ++unit)
    TILE_UNROLL
    for (int n = 0; n < 2; ++n) {
      ptx::mma(score[n], low[unit].x, high[unit].x, low[unit].y, high[unit].y, k[n][unit].x, k[n][unit].y);
      ptx::mma(score[n], low[unit].z, high[unit].z, low[unit].w, high[unit].w, k[n][unit].z, k[n][unit].w);
    }
  TILE_UNROLL
  for (int half = 0; half < 2; ++half) {
    const Visible visible = near.rows.visible((task.m_tile * 16 + half * 8 + g) / Near::group, Near::window);
    const float peak = mask_scores(w, score, half, block * near_keys, visible, scale);
    const float total = row_total(raise_scores(score, half, peak));
    if (t == 0) m[half * 8 + g] = peak * natural, l[half * 8 + g] = total;
  }
  const uint4 p = probabilities(score[0], score[1]);
  TILE_UNROLL
  for (int n = 0; n < dims; ++n) {
    float sum[4] = {0, 0, 0, 0};
    ptx::mma(sum, p.x, p.y, p.z, p.w, v[n].x, v[n].y);
    *reinterpret_cast<float2*>(&o[g][n * 8 + 2 * t]) = make_float2(sum[0], sum[1]);
    *reinterpret_cast<float2*>(&o[g + 8][n * 8 + 2 * t]) = make_float2(sum[2], sum[3]);
  }
}

}  // namespace tile
