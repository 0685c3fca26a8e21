// Attention over spans, second half: the spans' partial results of one query row are merged in span order. A span whose keys were
// all masked (m = -infinity, its sums 0) changes nothing, to the bit. A sink is one more logit a head that takes weight and has no
// value.
//
// Partials of one kv head: o [span][m rows][Vd], m and l [span][m rows]; m row = row * group + head of the group.
#pragma once

namespace tile {

/** What a lane loads at once. */
template <int N>
struct alignas(N == 4 ? 16 : N == 2 ? 8 : 4) Neighbours {
  float value[N];
};

/** Merges one m row and writes Vd values of `row` at k = first_k of the columns form `out`. There are never more than MostSpans. */
template <int Vd, int MostSpans>
TILE_FN void merge_spans(Warp& w, const float* o, const float* m, const float* l, int m_rows, int m_row, int spans, const float* sink, bf16* out, int row, int first_k) {
  constexpr int per_lane = ceil_div(Vd, 32);
  constexpr int ahead = MostSpans <= 4 ? 4 : 8;  // spans whose values are loaded before the first of them is used
  static_assert(Vd % 8 == 0, "a lane's neighbours lie within a row");
  const auto dim = [](int lane, int i) { return lane * per_lane + i; };
  PerLane<float> peaks, totals, greatest;  // of the 32 spans at hand
  const auto load = [&](int base, bool with_totals) {
    w.lanes([&](int lane) {
      const bool inside = base + lane < spans;
      peaks[lane] = inside ? m[(base + lane) * m_rows + m_row] : -INFINITY;
      if (with_totals) totals[lane] = inside ? l[(base + lane) * m_rows + m_row] : 0.0f;
    });
  };
  PerLane<Neighbours<per_lane>> loaded[ahead];  // of the spans that are next
  const auto load_values = [&](int span) {
    w.lanes([&](int lane) {
      TILE_UNROLL
      for (int s = 0; s < ahead; ++s) {
        const float* from = o + size_t(span * m_rows + m_row) * Vd + dim(lane, 0);
        if (span + s < spans && dim(lane, 0) < Vd)
          loaded[s][lane] = *reinterpret_cast<const Neighbours<per_lane>*>(from + s * m_rows * Vd);
        else
          loaded[s][lane] = Neighbours<per_lane>{};
      }
    });
  };
  load(0, true);
  constexpr bool all_at_once = MostSpans <= ahead;
  if constexpr (all_at_once) load_values(0);  // on their way with the peaks
  w.lanes([&](int lane) { greatest[lane] = peaks[lane]; });
  if constexpr (MostSpans > 32) {
    TILE_LOOP
    for (int base = 32; base < spans; base += 32) {
      load(base, false);
      w.lanes([&](int lane) { greatest[lane] = fmaxf(greatest[lane], peaks[lane]); });
    }
    if (spans > 32) load(0, false);
  }
  const float peak = fmaxf(w.max(greatest), sink ? *sink : -INFINITY);
  float total = sink ? expf(*sink - peak) : 0.0f;
  PerLane<float> value[per_lane];
  w.lanes([&](int lane) {
    TILE_UNROLL
    for (int i = 0; i < per_lane; ++i) value[i][lane] = 0;
  });
  TILE_LOOP
  for (int base = 0; base < (MostSpans > 32 ? spans : 1); base += 32) {
    if (base > 0) load(base, true);
    PerLane<float> factors;
    w.lanes([&](int lane) { factors[lane] = peaks[lane] == -INFINITY ? 0.0f : expf(peaks[lane] - peak); });
    TILE_LOOP
    for (int span = base; span < spans && span < base + 32; span += ahead) {
      if constexpr (!all_at_once) load_values(span);
      TILE_UNROLL
      for (int s = 0; s < ahead; ++s) {
        const float factor = w.broadcast(factors, span - base + s);
        total += factor * w.broadcast(totals, span - base + s);
        w.lanes([&](int lane) {
          TILE_UNROLL
          for (int i = 0; i < per_lane; ++i) value[i][lane] += factor * loaded[s][lane].value[i];
        });
      }
    }
  }
  const float inverse = total > 0 ? 1.0f / total : 0.0f;
  w.lanes([&](int lane) {
    TILE_UNROLL
    for (int i = 0; i < per_lane; ++i) value[i][lane] *= inverse;
    if (dim(lane, 0) >= Vd) return;
    bf16* to = out + columns_at(first_k + dim(lane, 0), row);  // eight neighbours of a column lie side by side
    if constexpr (per_lane == 2 || per_lane == 4 || per_lane == 8) {
      TILE_UNROLL
      for (int i = 0; i < per_lane; i += 2) reinterpret_cast<u32*>(to)[i / 2] = pack_bf16(value[i][lane], value[i + 1][lane]);
    } else {
      TILE_UNROLL
      for (int i = 0; i < per_lane; ++i)
        if (dim(lane, i) < Vd) out[columns_at(first_k + dim(lane, i), row)] = to_bf16(value[i][lane]);
    }
  });
}

}  // namespace tile
