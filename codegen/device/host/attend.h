// Attention of one m tile (16 query rows) over neighbouring keys, and over the spans of a chunk, on the host. See cuda/attend.h for the
// fragment version; both round the probabilities to bf16 before they meet the values, and keep sums as the keys pass. Here a span is
// attended to by itself and then added, there 32 keys at a time; here the denominator is the sum of probabilities before they are rounded,
// there after.
//
// Logits are found for all 16 rows at once, a lane each, key by key; then each row has the exponentials and values of the keys
// that it sees, and of no others: what lies behind them in the cache may be no number.
#pragma once
#include "../common/spans.h"
#include "matrix.h"

namespace tile {

namespace host {
typedef float F16 __attribute__((vector_size(64)));

/** `count` neighbouring bf16 as floats. */
inline void widen(float* to, const bf16* from, int count) {
  for (int i = 0; i < count; ++i) to[i] = to_f32(from[i]);
}

/** Rows a tile adds values for at a time: enough running sums to hide the latency of the multiply-add. */
constexpr int rows_at_once = 4;

/** out[row] = sum of probability[row][key] * value[key], for `Rows` rows that see the same keys. */
template <int Dims, int Rows, int Keys>
inline void add_values(float* out, int stride, const F8 (*value)[Dims / 8], const float (*probability)[Keys], int first, int end) {
  F8 sum[Rows][Dims / 8] = {};
  for (int s = first; s <= end; ++s)
#pragma GCC unroll 16
    for (int d = 0; d < Dims / 8; ++d)
#pragma GCC unroll 4
      for (int r = 0; r < Rows; ++r) sum[r][d] += probability[r][s] * value[s][d];
  for (int r = 0; r < Rows; ++r) std::memcpy(out + r * stride, sum[r], sizeof sum[r]);
}

/** m row r belongs to token row r / Group; rows past `rows.rows` are padding and fully masked. `keys` and `values`: the first of `Keys`
    keys, and of its values the first of `Dims`. o [16][stride], m [16], l [16] of this m tile: unnormalised sum, peak and denominator over
    the unmasked keys. */
template <int Group, int Qd, int Vd, int Keys, int Dims>
inline void attend_keys(const bf16* keys, const bf16* values, const bf16* q, int m_tile, int first_key, RowPositions rows, int window, float scale, float* o, int stride,
                        float* m, float* l) {
  int first[16], end[16], lowest = Keys, highest = -1;  // visible keys, from the first on
  for (int i = 0; i < 16; ++i) {
    const int row = (m_tile * 16 + i) / Group;
    first[i] = 0, end[i] = -1;
    if (row >= rows.rows) continue;
    first[i] = std::max(0, rows.first(row, window) - first_key);
    end[i] = std::min(rows.last(row, window) - first_key, Keys - 1);
    if (end[i] < first[i]) continue;
    lowest = std::min(lowest, first[i]), highest = std::max(highest, end[i]);
  }
  for (int i = 0; i < 16; ++i) {
    std::memset(o + i * stride, 0, Dims * sizeof(float));
    m[i] = -INFINITY, l[i] = 0;
  }
  if (highest < 0) return;

  F16 query[Qd];
  for (int i = 0; i < 16; ++i)
    for (int d = 0; d < Qd; ++d) query[d][i] = to_f32(q[size_t(m_tile * 16 + i) * Qd + d]);
  alignas(64) float logit[Keys][16];
  for (int s = lowest; s <= highest; ++s) {
    float key[Qd];
    for (int d = 0; d < Qd; d += 8) widen(key + d, keys + k_at(s, d, Qd), std::min(8, Qd - d));
    F16 sum[8] = {};  // eight running sums: fixed order
    for (int d = 0; d < Qd; d += 8)
#pragma GCC unroll 8
      for (int x = 0; x < 8; ++x)
        if (d + x < Qd) sum[Qd - d < 8 ? 0 : x] += query[d + x] * key[d + x];
    const F16 total = (((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]))) * scale;
    std::memcpy(logit[s], &total, sizeof total);
  }

  float probability[16][Keys];
  F8 value[Keys][Dims / 8];
  for (int s = lowest; s <= highest; ++s)
    for (int d = 0; d < Dims; ++d) value[s][d / 8][d % 8] = to_f32(values[v_at(s, d, Vd)]);
  for (int i = 0; i < 16; ++i) {
    if (end[i] < first[i]) continue;
    float peak = -INFINITY, total = 0;
    for (int s = first[i]; s <= end[i]; ++s) peak = std::max(peak, logit[s][i]);
    for (int s = first[i]; s <= end[i]; ++s) {
      const float p = expf(logit[s][i] - peak);
      total += p;
      probability[i][s] = round_bf16(p);
    }
    m[i] = peak, l[i] = total;
  }
  for (int i = 0; i < 16;) {
    int same = 1;
    while (same < rows_at_once && i + same < 16 && first[i + same] == first[i] && end[i + same] == end[i]) ++same;
    if (end[i] < first[i]) {
      ++i;
    } else if (same == rows_at_once) {
      add_values<Dims, rows_at_once>(o + i * stride, stride, value, probability + i, first[i], end[i]);
      i += same;
    } else {
      add_values<Dims, 1>(o + i * stride, stride, value, probability + i, first[i], end[i]);
      ++i;
    }
  }
}
}  // namespace host

/** A warp's m tile of a task, if it has one: what the keys that have passed come to. */
template <int Group, int Qd, int Vd, int MTiles>
struct AttendTile {
  const bf16* q;
  int number;
  RowPositions rows;
  int window;
  bool busy;
  float sum[16][Vd] = {}, peak[16], total[16] = {};

  /** `queries`: of the task's head. Rows that are not there have no tile. */
  AttendTile(Warp& w, const AttendTask& task, const bf16* queries, RowPositions rows, int window)
      : q(queries), number(task.tiles.begin + w.index), rows(rows), window(window), busy(number < task.tiles.end && number * 16 < rows.rows * Group) {
    for (float& p : peak) p = -INFINITY;
  }
  void add(Warp&, const char* k_span, const char* v_span, int span, float scale) {
    if (!busy) return;
    float o[16][Vd], m[16], l[16];
    host::attend_keys<Group, Qd, Vd, span_keys, Vd>(reinterpret_cast<const bf16*>(k_span), reinterpret_cast<const bf16*>(v_span), q, number, span * span_keys, rows, window,
                                                    scale, &o[0][0], Vd, m, l);
    for (int i = 0; i < 16; ++i) {
      if (m[i] == -INFINITY) continue;
      const float greatest = std::max(peak[i], m[i]), old = expf(peak[i] - greatest), own = expf(m[i] - greatest);
      for (int d = 0; d < Vd; ++d) sum[i][d] = sum[i][d] * old + o[i][d] * own;
      peak[i] = greatest, total[i] = total[i] * old + l[i] * own;
    }
  }
  /** The chunk's partial result: o [m rows][Vd], m and l [m rows]. */
  void leave(Warp&, float* o, float* m, float* l) const {
    if (!busy) return;
    std::memcpy(o + size_t(number) * 16 * Vd, sum, sizeof sum);
    std::memcpy(m + number * 16, peak, sizeof peak), std::memcpy(l + number * 16, total, sizeof total);
  }
};

}  // namespace tile
