// What roles hand over inside an SM: tiles of a joined sum (each compute warp a part, added in part order by the epilogue warp that
// owns the hand-over); routed sums, one for each result, added in a row's order of slots whoever computed them; and
// rows of experts, which every SM multiplies: in shared memory, staged by their reader or brought for it.
#pragma once

namespace tile {

TILE_FN void Warp::join_put(int part, const Acc& acc) {
  expect(part >= 0 && part < Plan::join_parts, "the join slot");
  area_writes(Area::join_part, int(join_position % Plan::join_depth) * Plan::join_parts + part);
  store_tile(*this, join_slot(join_position) + part * 128, acc);
}

TILE_FN void Warp::join_put(int part, const Acc& acc, const ColumnSums& squares) {
  join_put(part, acc);
  store_sums(*this, join_squares(join_position) + part * 8, squares);
}

/** Sums `parts` parts from `first` on, in order. The hand-over has been waited for. */
TILE_FN Acc Warp::join_sum(int first, int parts) {
  for (int part = first; part < first + parts; ++part) area_reads(Area::join_part, int(join_position % Plan::join_depth) * Plan::join_parts + part);
  const float* from = join_slot(join_position) + first * 128;
  Acc acc = load_tile(*this, from);
  TILE_UNROLL_BY(5)
  for (int part = 1; part < parts; ++part) add(acc, load_tile(*this, from + part * 128));
  return acc;
}
/** The scale of a joined sum's columns, from the squares that came with `parts` parts from `first` on, added in that order. */
template <class Scale>
TILE_FN ColumnScale Warp::join_scale(int first, int parts, int units_total, Scale scale) {
  const float* squares = join_squares(join_position) + first * 8;
  return scale_of_columns(*this, [&](int column) {
    float total = squares[column];
    for (int part = 1; part < parts; ++part) total += squares[part * 8 + column];
    return scale(total * (1.0f / float(units_total * 32)));
  });
}
TILE_FN Acc Warp::join_take_row(int site, int first, int parts) {
  join_wait(site);
  return join_sum(first, parts);
}
TILE_FN Acc Warp::join_take(int site, int parts) { return join_take_row(site, 0, parts); }

/** Results of the active experts of a half: they lie together. */
TILE_FN Share results_of(Warp& w, int rows, int top_k, int half) {
  const RouteTable& routes = w.table();
  const int late = half_of(routes, 1).begin;
  PerLane<int> first;
  w.lanes([&](int lane) {
    const int result = lane < 8 && late < routes.active ? routes.result[late][lane] : -1;
    first[lane] = result < 0 ? rows * top_k : result;
  });
  const int middle = w.min(first);
  return half == 0 ? Share{0, middle} : Share{middle, rows * top_k};
}

/** Copies what a half of the active experts made of the rows, bf16 [result][K] as to_staged left it, into the role's shared memory; the role's warps share
    the work, a role barrier follows. A lane takes a few packets at once: each is a long way. */
template <int TopK, int K>
TILE_FN void stage_rows(Warp& w, bf16* to, const bf16* from, int rows, int half) {
  static_assert(K % 8 == 0, "results are whole packets");
  constexpr int ahead = 6, packets = K / 8;
  w.area_writes(Area::staged_rows, half * w.count + w.index);
  const Share results = results_of(w, rows, TopK, half);
  const int end = results.end * packets, stride = w.count * 32;
  w.lanes([&](int lane) {
    const Packet* source = reinterpret_cast<const Packet*>(from);
    Packet* target = reinterpret_cast<Packet*>(to);
    for (int first = results.begin * packets + w.index * 32 + lane; first < end; first += ahead * stride) {
      Packet loaded[ahead] = {};  // some are not: what they hold must not come from before
      TILE_UNROLL
      for (int i = 0; i < ahead; ++i)
        if (first + i * stride < end) loaded[i] = source[first + i * stride];
      TILE_UNROLL
      for (int i = 0; i < ahead; ++i)
        if (first + i * stride < end) target[first + i * stride] = loaded[i];
    }
  });
}

/** The same by the copy engine, in one copy, asked by whatever role, for whom waits for the local counter's next signal. Who calls it has waited for
    all SMs, and knows that nobody looks at `to` any more. */
template <int TopK, int K>
TILE_FN void bring_rows(Warp& w, int local, bf16* to, const bf16* from, int rows, int half) {
  static_assert(K % 8 == 0, "results are whole packets");
  for (int warp = w.index; warp < Plan::compute_warps; warp += w.count) w.area_writes(Area::staged_rows, half * Plan::compute_warps + warp);
  const Share results = results_of(w, rows, TopK, half);
  if (w.index > 0 || empty(results)) return;
  w.order_copies();
  w.once([&] { w.copy_near(local, to + size_t(results.begin) * K, from + size_t(results.begin) * K, u32(results.end - results.begin) * K * 2); });
}

TILE_FN void Warp::slots_put(const Acc& acc, int tile, int active_index) {
  const RouteTable& routes = table();
  float* area = shared<float>(Shared::slots_at) + tile * (most_results * 16);
  expect(tile >= 0 && size_t(tile + 1) * most_results * 64 <= Plan::slots_bytes, "the slots");
  expect(active_index >= 0 && active_index < Plan::max_active, "the route table");
  Acc copy = acc;
  each_pair(*this, copy, [&](float& low, float& high, int row, int column) {
    const int result = column < Plan::rows ? routes.result[active_index][column] : -1;
    if (result < 0) return;
    float* to = area + result * 16 + row;
    to[0] = low, to[8] = high;
  });
  for (int column = 0; column < Plan::rows; ++column)
    if (const int result = routes.result[active_index][column]; result >= 0) area_writes(Area::routed_sum, tile * most_results + result);
}

template <int TopK>
TILE_FN Acc Warp::slots_sum(int tile) {
  const RouteTable& routes = table();
  const float* area = shared<float>(Shared::slots_at) + tile * (most_results * 16);
  for (int result = 0; result < routes.rows * TopK; ++result) area_reads(Area::routed_sum, tile * most_results + result);
  Acc acc = zeros();
  each_pair(*this, acc, [&](float& low, float& high, int row, int column) {
    if (column >= routes.rows) return;
    TILE_UNROLL  // each result is two trips to shared memory, one for its number: all are on their way at once
    for (int slot = 0; slot < TopK; ++slot) {
      const float* from = area + routes.slot_result[column][slot] * 16 + row;
      low += routes.weight[column][slot] * from[0], high += routes.weight[column][slot] * from[8];
    }
  });
  return acc;
}

}  // namespace tile
