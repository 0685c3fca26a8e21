// Attention of one m tile (16 query rows) over one span of 64 keys, by a team of warps: each takes its part of the keys, then its
// part of the value dims. S = Q K^T with the keys as B columns from the ring page; mask, peak and exponentials in registers;
// peaks, sums and the probabilities (as A fragments of P V: S's accumulator layout is what they need) meet in shared memory.
// Scores and sums in float, probabilities rounded to bf16 before they meet the values. Values of masked keys are multiplied by 0,
// so the V cache must never hold infinities or NaN: it starts zeroed.
#pragma once
#include "../common/spans.h"
#include "matrix.h"

namespace tile {

// Of a warp's scores, 16 rows by 8 * Groups keys, `half` 0 is this lane's row g and half 1 its row g + 8.

/** Scores become powers of two, -infinity where the row does not see the key; the greatest of the row. */
template <int Group, int Groups>
TILE_FN float mask_scores(Warp& w, float (&score)[Groups][4], int half, int m_tile, int first_key, RowPositions rows, int window, float scale) {
  const float to_powers = scale * 1.44269504f;
  // visible keys for the row, as seen from this lane's first key: `visible` of them from `first` on
  const int row = (m_tile * 16 + half * 8 + w.lane() / 4) / Group;
  const int from = row < rows.rows ? rows.first(row, window) : 0, last = row < rows.rows ? rows.last(row, window) : -1;
  const int first = from - first_key - 2 * (w.lane() % 4);
  const u32 visible = last < from ? 0 : u32(last - from + 1);
  float peak = -INFINITY;
  TILE_UNROLL
  for (int n = 0; n < Groups; ++n)
    TILE_UNROLL
    for (int i = 0; i < 2; ++i) {
      float& s = score[n][half * 2 + i];
      s = u32(n * 8 + i - first) < visible ? s * to_powers : -INFINITY;
      peak = fmaxf(peak, s);
    }
  peak = fmaxf(peak, __shfl_xor_sync(~0u, peak, 1));
  return fmaxf(peak, __shfl_xor_sync(~0u, peak, 2));
}
/** Scores become exponentials; their sum over the row. */
template <int Groups>
TILE_FN float raise_scores(float (&score)[Groups][4], int half, float peak) {
  const float origin = peak == -INFINITY ? 0.0f : peak;
  float total = 0;
  TILE_UNROLL
  for (int n = 0; n < Groups; ++n)
    TILE_UNROLL
    for (int i = half * 2; i < half * 2 + 2; ++i) {
      score[n][i] = ptx::power_of_two(score[n][i] - origin);
      total += score[n][i];
    }
  total += __shfl_xor_sync(~0u, total, 1);
  return total + __shfl_xor_sync(~0u, total, 2);
}
/** Exponentials of 16 keys as the A operand of P V. */
TILE_FN uint4 probabilities(const float (&s)[4], const float (&next)[4]) {
  return make_uint4(pack_bf16(s[0], s[1]), pack_bf16(s[2], s[3]), pack_bf16(next[0], next[1]), pack_bf16(next[2], next[3]));
}
constexpr float natural = 0.693147181f;  // of a power of two as one of e

/** All warps of the compute role call it together, each with its team's tile (attend_tile), or -1. */
template <int Group, int Qd, int Vd>
TILE_FN void attend_span(Warp& w, int site, const char* k_span, const char* v_span, const bf16* q, int m_tile, int first_key, RowPositions rows, int window,
                         float scale, float* o, float* m, float* l) {
  constexpr int units = ceil_div(Qd, 32), team = attend_team, groups = 8 / team;  // groups of eight keys a warp
  static_assert(Qd % 8 == 0, "a lane reads eight neighbours of a query");
  const bool busy = m_tile >= 0;
  const int lane = w.lane(), g = lane / 4, t = lane % 4, member = w.index % team;
  AttendTeam& shared = w.shared<AttendTeam>(Shared::attend_at)[busy ? w.index / team : 0];
  float score[groups][4] = {};
  float peak[2] = {-INFINITY, -INFINITY};

  if (busy) {
    const uint4* q_low = reinterpret_cast<const uint4*>(q + size_t(m_tile * 16 + g) * Qd) + t;
    const uint4* q_high = q_low + Qd;
    TILE_UNROLL
    for (int unit = 0; unit < units; ++unit) {
      const bool inside = unit * 32 + t * 8 < Qd;
      const uint4 none = make_uint4(0, 0, 0, 0);
      const uint4 low = inside ? __ldcg(q_low + unit * 4) : none, high = inside ? __ldcg(q_high + unit * 4) : none;
      TILE_UNROLL
      for (int n = 0; n < groups; ++n) {
        const uint4 k = *reinterpret_cast<const uint4*>(k_span + (((member * groups + n) * units + unit) * 32 + lane) * 16);
        ptx::mma(score[n], low.x, high.x, low.y, high.y, k.x, k.y);
        ptx::mma(score[n], low.z, high.z, low.w, high.w, k.z, k.w);
      }
    }
    TILE_UNROLL
    for (int half = 0; half < 2; ++half) {
      peak[half] = mask_scores<Group>(w, score, half, m_tile, first_key + member * groups * 8, rows, window, scale);
      if (t == 0) shared.peak[member][half * 8 + g] = peak[half];
    }
  }
  if (team > 1) w.role_barrier_within(site);
  if (busy) {
    TILE_UNROLL
    for (int half = 0; half < 2; ++half) {
      TILE_UNROLL
      for (int other = 0; other < (team > 1 ? team : 0); ++other) peak[half] = fmaxf(peak[half], shared.peak[other][half * 8 + g]);
      const float total = raise_scores(score, half, peak[half]);
      if (t == 0) shared.total[member][half * 8 + g] = total;
    }
    TILE_UNROLL
    for (int block = 0; block < groups / 2; ++block)
      shared.fragment[member * (groups / 2) + block][lane] = probabilities(score[2 * block], score[2 * block + 1]);
  }
  if (team > 1)
    w.role_barrier_within(site);
  else
    w.sync_lanes();
  if (!busy) return;
  uint4 p[4];
  TILE_UNROLL
  for (int block = 0; block < 4; ++block) p[block] = shared.fragment[block][lane];
  const Share dims = share_of(Vd / 8, member, team);
  TILE_UNROLL_BY(2)
  for (int n = dims.begin; n < dims.end; ++n) {
    float out[4] = {0, 0, 0, 0};
    TILE_UNROLL
    for (int half = 0; half < 2; ++half) {
      const uint4 v = *reinterpret_cast<const uint4*>(v_span + ((half * (Vd / 8) + n) * 32 + lane) * 16);
      ptx::mma(out, p[2 * half].x, p[2 * half].y, p[2 * half].z, p[2 * half].w, v.x, v.y);
      ptx::mma(out, p[2 * half + 1].x, p[2 * half + 1].y, p[2 * half + 1].z, p[2 * half + 1].w, v.z, v.w);
    }
    *reinterpret_cast<float2*>(o + g * Vd + n * 8 + 2 * t) = make_float2(out[0], out[1]);
    *reinterpret_cast<float2*>(o + (g + 8) * Vd + n * 8 + 2 * t) = make_float2(out[2], out[3]);
  }
  if (member != 0 || t != 0) return;
  TILE_UNROLL
  for (int half = 0; half < 2; ++half) {
    float sum = 0;
    TILE_UNROLL
    for (int other = 0; other < team; ++other) sum += shared.total[other][half * 8 + g];
    m[half * 8 + g] = peak[half] * natural, l[half * 8 + g] = sum;
  }
}

}  // namespace tile
