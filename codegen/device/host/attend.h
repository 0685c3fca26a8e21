// Attention of one m tile (16 query rows) over one span of 64 keys, on the host. See cuda/attend.h for the fragment version; both
// round the probabilities to bf16 before they meet the values.
#pragma once
#include "../common/spans.h"
#include "matrix.h"

namespace tile {

/** m row r belongs to token row r / Group; rows past `rows.rows` are padding and fully masked. o [16][Vd], m [16], l [16] of this m tile: unnormalised sum, peak and denominator over the span's unmasked keys. */
template <int Group, int Qd, int Vd>
inline void attend_span(Warp&, const char* k_span, const char* v_span, const bf16* q, int m_tile, int first_key, RowPositions rows, int window, float scale,
                        float* o, float* m, float* l) {
  const bf16* keys = reinterpret_cast<const bf16*>(k_span);
  const bf16* values = reinterpret_cast<const bf16*>(v_span);
  static thread_local float key[span_keys][Qd], value[span_keys][Vd];
  bool decoded = false;
  for (int i = 0; i < 16; ++i) {
    const int m_row = m_tile * 16 + i, row = m_row / Group;
    float* out = o + i * Vd;
    m[i] = -INFINITY, l[i] = 0;
    for (int d = 0; d < Vd; ++d) out[d] = 0;
    if (row >= rows.rows) continue;
    const int last = rows.last(row, window) - first_key, first = std::max(0, rows.first(row, window) - first_key);  // visible keys of the span
    const int end = std::min(last, span_keys - 1);
    if (end < first) continue;
    if (!decoded) {
      decoded = true;
      for (int s = 0; s < span_keys; ++s) {
        for (int d = 0; d < Qd; ++d) key[s][d] = to_f32(keys[k_at(s, d, Qd)]);
        for (int d = 0; d < Vd; ++d) value[s][d] = to_f32(values[v_at(s, d, Vd)]);
      }
    }
    float query[Qd], logit[span_keys], peak = -INFINITY;
    for (int d = 0; d < Qd; ++d) query[d] = to_f32(q[size_t(m_row) * Qd + d]);
    for (int s = first; s <= end; ++s) {
      float lane[8] = {};  // eight running sums: fixed order, one vector
      int d = 0;
      for (; d + 8 <= Qd; d += 8)
        for (int x = 0; x < 8; ++x) lane[x] += query[d + x] * key[s][d + x];
      for (; d < Qd; ++d) lane[0] += query[d] * key[s][d];
      logit[s] = (((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]))) * scale;
      peak = std::max(peak, logit[s]);
    }
    float total = 0;
    for (int s = first; s <= end; ++s) {
      const float p = expf(logit[s] - peak);
      total += p;
      const float rounded = round_bf16(p);
      for (int d = 0; d < Vd; ++d) out[d] += rounded * value[s][d];
    }
    m[i] = peak, l[i] = total;
  }
}

}  // namespace tile
