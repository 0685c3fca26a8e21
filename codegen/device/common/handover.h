// What travels over the channels inside an SM: tiles of a joined sum (each compute warp a part, added in part order by the epilogue
// warp that owns the hand-over), and routed sums, kept apart by (row, slot) so that a row's sum has one order whoever computed
// its terms.
#pragma once

namespace tile {

TILE_FN void Warp::join_put(int part, const Acc& acc) {
#ifndef __CUDACC__
  if constexpr (host::checking) {
    if (part < 0 || part >= Plan::join_parts)
      world->fail(What::bounds, fiber->site, part, Plan::join_parts, u32(part), world->who(*fiber) + ": join part out of range");
    touch(place(host::join_area, int(join_position % Plan::join_depth) * Plan::join_parts + part), true, "join part");
  }
#endif
  store_tile(*this, join_slot(join_position) + part * 128, acc);
}

/** Sums `parts` parts from `first` on, in order. The hand-over has been waited for. */
TILE_FN Acc Warp::join_sum(int first, int parts) {
#ifndef __CUDACC__
  if constexpr (host::checking)
    for (int part = first; part < first + parts; ++part)
      touch(place(host::join_area, int(join_position % Plan::join_depth) * Plan::join_parts + part), false, "join part");
#endif
  const float* from = join_slot(join_position) + first * 128;
  Acc acc = load_tile(*this, from);
  for (int part = 1; part < parts; ++part) add(acc, load_tile(*this, from + part * 128));
  return acc;
}
TILE_FN Acc Warp::join_take_row(int site, int first, int parts) {
  join_wait(site);
  return join_sum(first, parts);
}
TILE_FN Acc Warp::join_take(int site, int parts) { return join_take_row(site, 0, parts); }

TILE_FN void Warp::slots_put(const Acc& acc, int tile, int active_index) {
  const RouteTable& routes = table();
  float* area = shared<float>(Shared::slots_at) + tile * (Plan::rows * Plan::top_k * 16);
#ifndef __CUDACC__
  if (size_t(tile + 1) * Plan::rows * Plan::top_k * 64 > Plan::slots_bytes || active_index < 0 || active_index >= Plan::max_active)
    world->fail(What::bounds, fiber->site, tile, 0, 0, world->who(*fiber) + ": slot tile or expert out of range");
#endif
  Acc copy = acc;
  each(*this, copy, [&](float& value, int row, int column) {
    const int slot = column < Plan::rows ? routes.slot[active_index][column] : -1;
    if (slot >= 0) area[(column * Plan::top_k + slot) * 16 + row] = value;
  });
#ifndef __CUDACC__
  if constexpr (host::checking)
    for (int column = 0; column < Plan::rows; ++column)
      if (const int slot = routes.slot[active_index][column]; slot >= 0)
        touch(place(host::slots_area, (tile * Plan::rows + column) * Plan::top_k + slot), true, "routed sum");
#endif
}

TILE_FN Acc Warp::slots_sum(int tile) {
  const RouteTable& routes = table();
  const float* area = shared<float>(Shared::slots_at) + tile * (Plan::rows * Plan::top_k * 16);
#ifndef __CUDACC__
  if constexpr (host::checking)
    for (int column = 0; column < routes.rows; ++column)
      for (int slot = 0; slot < Plan::top_k; ++slot)
        touch(place(host::slots_area, (tile * Plan::rows + column) * Plan::top_k + slot), false, "routed sum");
#endif
  Acc acc = zeros();
  each(*this, acc, [&](float& value, int row, int column) {
    float total = 0;
    if (column < routes.rows)
      for (int slot = 0; slot < Plan::top_k; ++slot) total += routes.weight[column][slot] * area[(column * Plan::top_k + slot) * 16 + row];
    value = total;
  });
  return acc;
}

}  // namespace tile
