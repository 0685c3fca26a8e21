// Attention of one m tile (16 query rows) over one span of 64 keys. S = Q K^T with the keys as B columns from the ring page, mask,
// peak and exponentials in registers, then P V with the value dims as columns: P's accumulator layout is V's A layout, so nothing
// is exchanged. Scores and sums in float, probabilities rounded to bf16 before they meet the values. Values of masked keys are
// multiplied by 0, so the V cache must never hold infinities or NaN: it starts zeroed.
#pragma once
#include "../common/spans.h"
#include "matrix.h"

namespace tile {

template <int Group, int Qd, int Vd>
TILE_FN void attend_span(Warp& w, const char* k_span, const char* v_span, const bf16* q, int m_tile, int first_key, RowPositions rows, int window, float scale,
                         float* o, float* m, float* l) {
  constexpr int units = ceil_div(Qd, 32);
  const int lane = w.lane(), g = lane / 4, t = lane % 4;
  float score[8][4];
  TILE_UNROLL
  for (int n = 0; n < 8; ++n)
    TILE_UNROLL
    for (int i = 0; i < 4; ++i) score[n][i] = 0;

  static_assert(Qd % 8 == 0, "a lane reads eight neighbours of a query");
  const uint4* q_low = reinterpret_cast<const uint4*>(q + size_t(m_tile * 16 + g) * Qd) + t;
  const uint4* q_high = q_low + Qd;
  TILE_UNROLL
  for (int unit = 0; unit < units; ++unit) {
    const bool inside = unit * 32 + t * 8 < Qd;
    const uint4 none = make_uint4(0, 0, 0, 0);
    const uint4 low = inside ? __ldcg(q_low + unit * 4) : none, high = inside ? __ldcg(q_high + unit * 4) : none;
    TILE_UNROLL
    for (int n = 0; n < 8; ++n) {
      const uint4 k = *reinterpret_cast<const uint4*>(k_span + ((n * units + unit) * 32 + lane) * 16);
      ptx::mma(score[n], low.x, high.x, low.y, high.y, k.x, k.y);
      ptx::mma(score[n], low.z, high.z, low.w, high.w, k.z, k.w);
    }
  }

  // visible keys of the span for rows g and g + 8, as seen from key 2t: `visible` of them from `first` on
  int first[2];
  u32 visible[2];
  TILE_UNROLL
  for (int half = 0; half < 2; ++half) {
    const int row = (m_tile * 16 + half * 8 + g) / Group;
    const int from = row < rows.rows ? rows.first(row, window) : 0, last = row < rows.rows ? rows.last(row, window) : -1;
    first[half] = from - first_key - 2 * t;
    visible[half] = last < from ? 0 : u32(last - from + 1);
  }
  const float to_powers = scale * 1.44269504f;  // exponentials are powers of two here
  float peak[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0}, origin[2];
  TILE_UNROLL
  for (int n = 0; n < 8; ++n)
    TILE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int half = i / 2;
      score[n][i] = u32(n * 8 + i % 2 - first[half]) < visible[half] ? score[n][i] * to_powers : -INFINITY;
      peak[half] = fmaxf(peak[half], score[n][i]);
    }
  TILE_UNROLL
  for (int half = 0; half < 2; ++half) {
    peak[half] = fmaxf(peak[half], __shfl_xor_sync(~0u, peak[half], 1));
    peak[half] = fmaxf(peak[half], __shfl_xor_sync(~0u, peak[half], 2));
    origin[half] = peak[half] == -INFINITY ? 0.0f : peak[half];
  }
  TILE_UNROLL
  for (int n = 0; n < 8; ++n)
    TILE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int half = i / 2;
      score[n][i] = ptx::power_of_two(score[n][i] - origin[half]);
      total[half] += score[n][i];
    }
  TILE_UNROLL
  for (int half = 0; half < 2; ++half) {
    total[half] += __shfl_xor_sync(~0u, total[half], 1);
    total[half] += __shfl_xor_sync(~0u, total[half], 2);
  }
  u32 p[4][4];  // A fragments of P: k16 block of 16 keys
  TILE_UNROLL
  for (int block = 0; block < 4; ++block) {
    p[block][0] = pack_bf16(score[2 * block][0], score[2 * block][1]);
    p[block][1] = pack_bf16(score[2 * block][2], score[2 * block][3]);
    p[block][2] = pack_bf16(score[2 * block + 1][0], score[2 * block + 1][1]);
    p[block][3] = pack_bf16(score[2 * block + 1][2], score[2 * block + 1][3]);
  }
  TILE_UNROLL_BY(2)
  for (int n = 0; n < Vd / 8; ++n) {
    float out[4] = {0, 0, 0, 0};
    TILE_UNROLL
    for (int half = 0; half < 2; ++half) {
      const uint4 v = *reinterpret_cast<const uint4*>(v_span + ((half * (Vd / 8) + n) * 32 + lane) * 16);
      ptx::mma(out, p[2 * half][0], p[2 * half][1], p[2 * half][2], p[2 * half][3], v.x, v.y);
      ptx::mma(out, p[2 * half + 1][0], p[2 * half + 1][1], p[2 * half + 1][2], p[2 * half + 1][3], v.z, v.w);
    }
    *reinterpret_cast<float2*>(o + g * Vd + n * 8 + 2 * t) = make_float2(out[0], out[1]);
    *reinterpret_cast<float2*>(o + (g + 8) * Vd + n * 8 + 2 * t) = make_float2(out[2], out[3]);
  }
  if (t == 0) {
    m[g] = peak[0] * 0.693147181f, m[g + 8] = peak[1] * 0.693147181f;
    l[g] = total[0], l[g + 8] = total[1];
  }
}

}  // namespace tile
