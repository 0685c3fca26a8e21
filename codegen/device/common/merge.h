// Attention over spans, second half: the spans' partial results of one query row are merged in span order. A span whose keys were
// all masked (m = -infinity) changes nothing, to the bit. A sink is one more logit a head that takes weight and has no value.
//
// Partials of one kv head: o [span][m rows][Vd], m and l [span][m rows]; m row = row * group + head of the group.
#pragma once

namespace tile {

/** Merges one m row and writes Vd values of `row` at k = first_k of the columns form `out`. */
template <int Vd>
TILE_FN void merge_spans(Warp& w, const float* o, const float* m, const float* l, int m_rows, int m_row, int spans, const float* sink, bf16* out, int row, int first_k) {
  constexpr int per_lane = ceil_div(Vd, 32);
  float peak = sink ? *sink : -INFINITY;
  for (int span = 0; span < spans; ++span) peak = fmaxf(peak, m[span * m_rows + m_row]);
  float total = sink ? expf(*sink - peak) : 0.0f;
  PerLane<float> value[per_lane];
  w.lanes([&](int lane) {
    TILE_UNROLL
    for (int i = 0; i < per_lane; ++i) value[i][lane] = 0;
  });
  for (int span = 0; span < spans; ++span) {
    const float span_peak = m[span * m_rows + m_row];
    if (span_peak == -INFINITY) continue;
    const float factor = expf(span_peak - peak);
    total += factor * l[span * m_rows + m_row];
    const float* from = o + (size_t(span) * size_t(m_rows) + size_t(m_row)) * Vd;
    w.lanes([&](int lane) {
      TILE_UNROLL
      for (int i = 0; i < per_lane; ++i)
        if (i * 32 + lane < Vd) value[i][lane] += factor * from[i * 32 + lane];
    });
  }
  w.lanes([&](int lane) {
    TILE_UNROLL
    for (int i = 0; i < per_lane; ++i)
      if (i * 32 + lane < Vd) out[columns_at(first_k + i * 32 + lane, row)] = to_bf16(total > 0 ? value[i][lane] / total : 0.0f);
  });
}

}  // namespace tile
