// Attention of one m tile (16 query rows) over the spans of a chunk, by one warp: it keeps its sums in registers and its queries in
// shared memory while spans pass through the ring, and meets nobody. For 32 keys at a time S = Q K^T with the keys as B columns; mask,
// peak and exponentials in registers; P V with the probabilities as S's accumulators have them, which is the A operand's layout.
// Scores and sums in float, probabilities rounded to bf16 before they meet the values. Values of masked keys are multiplied by 0,
// so the V cache must never hold infinities or NaN: it starts zeroed.
//
// Why 32 keys: their scores, the sums and a unit of operands are what 128 registers hold. Queries are read again for each 32 keys;
// what shared memory has no place for comes through the first cache. Operands are loaded some at a time, and multiplied in an order in
// which few wait for one another; the matrix unit sums the probabilities, too, which holds no register until it can.
#pragma once
#include "../common/spans.h"
#include "matrix.h"

namespace tile {

// Of a warp's scores, 16 rows by 8 * Groups keys, `half` 0 is this lane's row g and half 1 its row g + 8.

/** Scores become powers of two, -infinity where the row does not see the key; the greatest of the row. */
template <int Groups>
TILE_FN float mask_scores(Warp& w, float (&score)[Groups][4], int half, int first_key, Visible keys, float scale) {
  const float to_powers = scale * 1.44269504f;
  // as seen from this lane's first key: `visible` keys from `first` on
  const int first = keys.first - first_key - 2 * (w.lane() % 4);
  const u32 visible = keys.last < keys.first ? 0 : u32(keys.last - keys.first + 1);
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
/** Scores become exponentials; this lane's part of their sum over the row. */
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
  return total;
}
/** Of a row, from its lanes' parts. */
TILE_FN float row_total(float part) {
  part += __shfl_xor_sync(~0u, part, 1);
  return part + __shfl_xor_sync(~0u, part, 2);
}
/** Exponentials of 16 keys as the A operand of P V. */
TILE_FN uint4 probabilities(const float (&s)[4], const float (&next)[4]) {
  return make_uint4(pack_bf16(s[0], s[1]), pack_bf16(s[2], s[3]), pack_bf16(next[0], next[1]), pack_bf16(next[2], next[3]));
}
constexpr float natural = 0.693147181f;  // of a power of two as one of e

/** A warp's m tile of a task, if it has one: what the keys that have passed come to. */
template <int Group, int Qd, int Vd, int MTiles>
struct AttendTile {
  static constexpr int units = ceil_div(Qd, 32), unit_bytes = 1024, keys_at_once = 32, groups = keys_at_once / 8;
  static constexpr int tiles = MTiles < Plan::compute_warps ? MTiles : Plan::compute_warps;  // at once
  static constexpr int fit = int(Shared::queries_bytes) / tiles / unit_bytes, staged = fit < units ? fit : units;  // units of the queries in shared memory
  static_assert(Qd % 8 == 0, "a lane reads eight neighbours of a query");

  const bf16* q;
  int number;
  bool busy;
  Visible keys[2];
  float sum[Vd / 8][4], peak[2], total[4];       // total as sums are: probabilities times a value that is one
  static constexpr u32 ones = 0x3F803F80u;  // two of bf16

  /** `q`: of the task's head. Rows that are not there have no tile. */
  TILE_FN AttendTile(Warp& w, const AttendTask& task, const bf16* queries, RowPositions rows, int window) : q(queries), number(task.tiles.begin + w.index) {
    busy = number < task.tiles.end && number * 16 < rows.rows * Group;
    TILE_UNROLL
    for (int half = 0; half < 2; ++half) {
      keys[half] = busy ? rows.visible((number * 16 + half * 8 + w.lane() / 4) / Group, window) : Visible{0, -1};
      peak[half] = -INFINITY, total[2 * half] = total[2 * half + 1] = 0;
    }
    TILE_UNROLL
    for (int n = 0; n < Vd / 8; ++n)
      TILE_UNROLL
      for (int i = 0; i < 4; ++i) sum[n][i] = 0;
    if (!busy) return;
    Unit own[staged > 0 ? staged : 1];
    TILE_UNROLL
    for (int unit = 0; unit < staged; ++unit) own[unit] = query(w, unit);
    TILE_UNROLL
    for (int unit = 0; unit < staged; ++unit) place(w)[unit * 64] = own[unit].low, place(w)[unit * 64 + 32] = own[unit].high;
  }
  /** A unit of the queries as the A operands of two multiplications. */
  struct Unit {
    uint4 low, high;
  };
  /** Through the first cache, which the phase's wait has emptied, and where it is asked for: a loop would hold it in registers. */
  TILE_FN Unit query(Warp& w, int unit) const {
    const int k = unit * 32 + w.lane() % 4 * 8;
    uint4 row = make_uint4(0, 0, 0, 0), other = row;
    if (k < Qd) {
      const bf16* from = q + (number * 16 + w.lane() / 4) * Qd + (k + int(Warp::unknown_nothing()));
      row = *reinterpret_cast<const uint4*>(from), other = *reinterpret_cast<const uint4*>(from + 8 * Qd);
    }
    return Unit{make_uint4(row.x, other.x, row.y, other.y), make_uint4(row.z, other.z, row.w, other.w)};
  }
  TILE_FN uint4* place(Warp& w) const { return w.shared<uint4>(Shared::queries_at + size_t(w.index) * (staged * unit_bytes)) + w.lane(); }

  TILE_FN void add(Warp& w, const char* k_span, const char* v_span, int span, float scale) {
    if (!busy) return;
    k_span += w.lane() * 16, v_span += w.lane() * 16;
    TILE_LOOP
    for (int first = 0; first < span_keys; first += keys_at_once) {
      float score[groups][4] = {};
      TILE_UNROLL
      for (int unit = 0; unit < units; ++unit) {
        const Unit x = unit < staged ? Unit{*reinterpret_cast<const uint4*>(place(w) + unit * 64), *reinterpret_cast<const uint4*>(place(w) + unit * 64 + 32)} : query(w, unit);
        uint4 k[groups];
        TILE_UNROLL
        for (int n = 0; n < groups; ++n) k[n] = *reinterpret_cast<const uint4*>(k_span + (n * units + unit) * 512);
        TILE_UNROLL
        for (int n = 0; n < groups; ++n) ptx::mma(score[n], x.low.x, x.low.y, x.low.z, x.low.w, k[n].x, k[n].y);
        TILE_UNROLL
        for (int n = 0; n < groups; ++n) ptx::mma(score[n], x.high.x, x.high.y, x.high.z, x.high.w, k[n].z, k[n].w);
      }
      float greatest[2];
      TILE_UNROLL
      for (int half = 0; half < 2; ++half) greatest[half] = fmaxf(peak[half], mask_scores(w, score, half, span * span_keys + first, keys[half], scale));
      // Most keys are no row's greatest, and what is multiplied by one keeps its bits.
      if (__any_sync(~0u, greatest[0] > peak[0] || greatest[1] > peak[1])) rescale(greatest);
      TILE_UNROLL
      for (int half = 0; half < 2; ++half) raise_scores(score, half, peak[half]);
      const uint4 p = probabilities(score[0], score[1]), next = probabilities(score[2], score[3]);
      ptx::mma(total, p.x, p.y, p.z, p.w, ones, ones), ptx::mma(total, next.x, next.y, next.z, next.w, ones, ones);
      TILE_UNROLL
      for (int n = 0; n < Vd / 8; n += 4) {
        const int most = Vd / 8 - n < 4 ? Vd / 8 - n : 4;
        uint4 v[4];
        TILE_UNROLL
        for (int i = 0; i < most; ++i) v[i] = *reinterpret_cast<const uint4*>(v_span + (n + i) * 512);
        TILE_UNROLL
        for (int i = 0; i < most; ++i) ptx::mma(sum[n + i], p.x, p.y, p.z, p.w, v[i].x, v[i].y);
        TILE_UNROLL
        for (int i = 0; i < most; ++i) ptx::mma(sum[n + i], next.x, next.y, next.z, next.w, v[i].z, v[i].w);
      }
      k_span += groups * units * 512, v_span += Vd / 8 * 512;
    }
  }
  TILE_FN void rescale(const float (&greatest)[2]) {
    TILE_UNROLL
    for (int half = 0; half < 2; ++half) {
      const float factor = peak[half] == -INFINITY ? 0.0f : ptx::power_of_two(peak[half] - greatest[half]);
      peak[half] = greatest[half], total[2 * half] *= factor, total[2 * half + 1] *= factor;
      TILE_UNROLL
      for (int n = 0; n < Vd / 8; ++n) sum[n][half * 2] *= factor, sum[n][half * 2 + 1] *= factor;
    }
  }

  /** The chunk's partial result: o [m rows][Vd], m and l [m rows]. */
  TILE_FN void leave(Warp& w, float* o, float* m, float* l) {
    if (!busy) return;
    const int g = w.lane() / 4, t = w.lane() % 4;
    TILE_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int row = number * 16 + half * 8 + g;
      float* to = o + size_t(row) * Vd + 2 * t;
      TILE_UNROLL
      for (int n = 0; n < Vd / 8; ++n) *reinterpret_cast<float2*>(to + n * 8) = make_float2(sum[n][half * 2], sum[n][half * 2 + 1]);
      if (t == 0) m[row] = peak[half] * natural, l[row] = total[2 * half];
    }
  }
};

}  // namespace tile
