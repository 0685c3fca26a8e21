// A normalisation in the prologue of a multiplication: the mean of stat(x) over all of k for every column, then x mapped in
// registers. When k is split over warps (part = warp index % parts), warps 0..parts-1 of the compute role publish their sums in
// shared memory and everybody adds them in that order. All warps of the role call it together. The sums are double buffered:
// a warp reaches the next-but-one call only through a role barrier that all readers of this one have entered.
#pragma once

namespace tile {

template <int U, class Stat, class Apply>
TILE_FN void normalise(Warp& w, Staged<U>& x, int first_unit, int units_total, const bf16* weight, int parts, int site, Stat stat, Apply apply) {
  const int half = int(w.mean_flip++ & 1u) * Plan::compute_warps;
  float* sums = w.shared<float>(Shared::mean_at) + half * 8;
  w.area_writes(Area::mean, half + w.index);
  staged_sums(w, x, stat, sums + w.index * 8);
  if (parts > 1) {
    w.role_barrier(site);
  } else {
    w.sync_lanes();
  }
  for (int part = 0; part < parts; ++part) w.area_reads(Area::mean, half + (parts > 1 ? part : w.index));
  const int first = parts > 1 ? 0 : w.index;
  auto mean_of = [&](int column) {
    float total = 0;
    for (int part = 0; part < parts; ++part) total += sums[(first + part) * 8 + column];
    return total / float(units_total * 32);
  };
  staged_map(w, x, first_unit, mean_of, weight, apply);
}

}  // namespace tile
