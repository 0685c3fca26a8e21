// Attention over chunks, second half: the chunks' partial results of one query row are merged in their order. A chunk whose keys were
// all masked (m = -infinity, its sums 0) changes nothing, to the bit. A sink is one more logit a head that takes weight and has no
// value.
//
// Partials of one kv head: o [chunk][m rows][Vd], m and l [chunk][m rows]; m row = row * group + head of the group.
#pragma once

namespace tile {

/** What a lane loads at once. */
template <int N>
struct alignas(N == 4 ? 16 : N == 2 ? 8 : 4) Neighbours {
  float value[N];
};

/** Merges Dims of the Vd values of one m row, from `first_dim` on, and writes them as values of `row` at k = first_k + first_dim of the columns
    form `out`. There are never more than Most. How many warps share a row changes no bit. */
template <int Vd, int Dims, int Most>
TILE_FN void merge_chunks(Warp& w, const float* o, const float* m, const float* l, int m_rows, int m_row, int first_dim, int chunks, const float* sink, bf16* out, int row,
                         int first_k) {
  constexpr int per_lane = ceil_div(Dims, 32);
  constexpr int ahead = Most < 32 / per_lane ? Most : 32 / per_lane;  // chunks whose values are loaded before the first of them is used
  static_assert(Dims % 8 == 0 && Vd % Dims == 0, "a lane's neighbours lie within a row");
  const auto dim = [](int lane, int i) { return lane * per_lane + i; };
  PerLane<float> peaks, totals, greatest;  // of the 32 chunks at hand
  const auto load = [&](int base) {
    w.lanes([&](int lane) {
      const bool inside = base + lane < chunks;
      peaks[lane] = inside ? m[(base + lane) * m_rows + m_row] : -INFINITY;
      totals[lane] = inside ? l[(base + lane) * m_rows + m_row] : 0.0f;
    });
  };
  PerLane<Neighbours<per_lane>> loaded[ahead];  // of the chunks that are next
  const auto load_values = [&](int chunk) {
    w.lanes([&](int lane) {
      TILE_UNROLL
      for (int s = 0; s < ahead; ++s) {
        const float* from = o + size_t(chunk * m_rows + m_row) * Vd + first_dim + dim(lane, 0);
        if (chunk + s < chunks && dim(lane, 0) < Dims)
          loaded[s][lane] = *reinterpret_cast<const Neighbours<per_lane>*>(from + s * m_rows * Vd);
        else
          loaded[s][lane] = Neighbours<per_lane>{};
      }
    });
  };
  load(0);
  load_values(0);  // on their way with the peaks
  w.lanes([&](int lane) { greatest[lane] = peaks[lane]; });
  if constexpr (Most > 32) {
    TILE_UNROLL_BY(8)
    for (int base = 32; base < chunks; base += 32)
      w.lanes([&](int lane) {
        if (base + lane < chunks) greatest[lane] = fmaxf(greatest[lane], m[(base + lane) * m_rows + m_row]);
      });
  }
  const float peak = fmaxf(w.max(greatest), sink ? *sink : -INFINITY);
  float total = sink ? expf(*sink - peak) : 0.0f;
  PerLane<float> value[per_lane];
  w.lanes([&](int lane) {
    TILE_UNROLL
    for (int i = 0; i < per_lane; ++i) value[i][lane] = 0;
  });
  TILE_LOOP
  for (int base = 0; base < (Most > 32 ? chunks : 1); base += 32) {
    if (base > 0) load(base), load_values(base);
    PerLane<float> factors;
    w.lanes([&](int lane) { factors[lane] = peaks[lane] == -INFINITY ? 0.0f : expf(peaks[lane] - peak); });
    TILE_LOOP
    for (int first = 0; first < 32 && base + first < chunks; first += ahead) {
      if (first > 0) load_values(base + first);
      TILE_UNROLL
      for (int s = 0; s < ahead; ++s) {
        const float factor = w.broadcast(factors, first + s);
        total += factor * w.broadcast(totals, first + s);
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
    if (dim(lane, 0) >= Dims) return;
    const int k = first_k + first_dim + dim(lane, 0);
    bf16* to = out + columns_at(k, row);  // eight neighbours of a column lie side by side
    if constexpr (per_lane == 2 || per_lane == 4 || per_lane == 8) {
      TILE_UNROLL
      for (int i = 0; i < per_lane; i += 2) reinterpret_cast<u32*>(to)[i / 2] = pack_bf16(value[i][lane], value[i + 1][lane]);
    } else {
      TILE_UNROLL
      for (int i = 0; i < per_lane; ++i)
        if (dim(lane, i) < Dims) out[columns_at(k + i, row)] = to_bf16(value[i][lane]);
    }
  });
}

}  // namespace tile
