// What roles hand over inside an SM: tiles of a joined sum (each compute warp a part, added in part order by the epilogue warp that
// owns the hand-over); routed sums, kept apart by (row, slot) so that a row's sum has one order whoever computed its terms; and
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

/** Copies what a half of the active experts made of the rows, bf16 [row][slot][K] as to_staged left it, into the role's shared memory; the role's warps share
    the work, a role barrier follows. A warp takes whole results, a few at once: each is a long way. */
template <int TopK, int K>
TILE_FN void stage_rows(Warp& w, bf16* to, const bf16* from, int rows, Share experts, int half) {
  static_assert(K % 8 == 0, "results are whole packets");
  constexpr u32 ahead = 6, packets = K / 8;
  w.area_writes(Area::staged_rows, half * w.count + w.index);
  const RouteTable& routes = w.table();
  const u32 results = u32(rows) * TopK;
  w.lanes([&](int lane) {
    const Packet* source = reinterpret_cast<const Packet*>(from);
    Packet* target = reinterpret_cast<Packet*>(to);
    for (u32 first = u32(w.index); first < results; first += ahead * u32(w.count))
      for (u32 at = u32(lane); at < packets; at += 32) {
        Packet loaded[ahead] = {};  // some are not: what they hold must not come from before
        u32 wanted = 0;
        TILE_UNROLL
        for (u32 i = 0; i < ahead; ++i) {
          const u32 result = first + i * u32(w.count);
          if (result >= results) continue;
          const int place = routes.place[result / TopK][result % TopK];
          if (place < experts.begin || place >= experts.end) continue;
          wanted |= 1u << i;
          loaded[i] = source[result * packets + at];
        }
        TILE_UNROLL
        for (u32 i = 0; i < ahead; ++i)
          if (wanted >> i & 1u) target[(first + i * u32(w.count)) * packets + at] = loaded[i];
      }
  });
}

/** The same by the copy engine, asked by whatever role, for whom waits for the local counter's next signal. Who calls it has waited for
    all SMs, and knows that nobody looks at `to` any more. */
template <int TopK, int K>
TILE_FN void bring_rows(Warp& w, int local, bf16* to, const bf16* from, int rows, int half) {
  static_assert(K % 8 == 0, "results are whole packets");
  for (int warp = w.index; warp < Plan::compute_warps; warp += w.count) w.area_writes(Area::staged_rows, half * Plan::compute_warps + warp);
  const RouteTable& routes = w.table();
  const Share experts = half_of(routes, half);
  w.order_copies();
  w.lanes([&](int lane) {
    for (int result = w.index * 32 + lane; result < rows * TopK; result += w.count * 32) {
      const int place = routes.place[result / TopK][result % TopK];
      if (place >= experts.begin && place < experts.end) w.copy_near(local, to + size_t(result) * K, from + size_t(result) * K, K * 2);
    }
  });
}

TILE_FN void Warp::slots_put(const Acc& acc, int tile, int active_index) {
  const RouteTable& routes = table();
  float* area = shared<float>(Shared::slots_at) + tile * (Plan::rows * Plan::top_k * 16);
  expect(tile >= 0 && size_t(tile + 1) * Plan::rows * Plan::top_k * 64 <= Plan::slots_bytes, "the slots");
  expect(active_index >= 0 && active_index < Plan::max_active, "the route table");
  Acc copy = acc;
  each_pair(*this, copy, [&](float& low, float& high, int row, int column) {
    const int slot = column < Plan::rows ? routes.slot[active_index][column] : -1;
    if (slot < 0) return;
    float* to = area + (column * Plan::top_k + slot) * 16 + row;
    to[0] = low, to[8] = high;
  });
  for (int column = 0; column < Plan::rows; ++column)
    if (const int slot = routes.slot[active_index][column]; slot >= 0) area_writes(Area::routed_sum, (tile * Plan::rows + column) * Plan::top_k + slot);
}

template <int TopK>
TILE_FN Acc Warp::slots_sum(int tile) {
  const RouteTable& routes = table();
  const float* area = shared<float>(Shared::slots_at) + tile * (Plan::rows * Plan::top_k * 16);
  for (int column = 0; column < routes.rows; ++column)
    for (int slot = 0; slot < TopK; ++slot) area_reads(Area::routed_sum, (tile * Plan::rows + column) * Plan::top_k + slot);
  Acc acc = zeros();
  each(*this, acc, [&](float& value, int row, int column) {
    float total = 0;
    if (column < routes.rows)
      for (int slot = 0; slot < TopK; ++slot) total += routes.weight[column][slot] * area[(column * Plan::top_k + slot) * 16 + row];
    value = total;
  });
  return acc;
}

}  // namespace tile
