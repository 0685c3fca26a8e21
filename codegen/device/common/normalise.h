// A normalisation in the prologue of a multiplication: the mean of something over all of k for every column, then x mapped in
// registers. When k is split over warps (part = warp index % parts), warps 0..parts-1 of the compute role publish their sums in
// shared memory and everybody adds them in that order. All warps of the role call it together. The sums are double buffered:
// a warp reaches the next-but-one call only through a role barrier that all readers of this one have entered. (A call in which
// every warp holds all of k has no barrier and takes no turn.)
//
// `weigh_for_norm` is for norms that are a product x * weight * scale(mean of squares): x is multiplied by the weight alone, and
// the scale, one number a column, by the sum of the multiplication. So nobody waits for the mean: each warp's squares go through
// the join with its part of the sum, and who adds the parts makes the scale of them. Where it is a later phase that makes it, warps leave their
// squares in the role's memory (leave_squares), and scale_of_squares has it behind a role barrier. Both take x from stage_for_norm, and on a GPU
// the weights from where bring_weights has put them before the input was waited for.
#pragma once

namespace tile {

/** Publishes this warp's sums and returns a function of a column: the mean over all of k. */
template <class Sum>
TILE_FN auto mean_over_parts(Warp& w, int units_total, int parts, int site, Sum sum_into) {
  // Taken alone, the next meeting's half: who read it last has entered the last meeting since.
  const int half = int((parts > 1 ? w.mean_flip++ : w.mean_flip) & 1u) * Plan::compute_warps;
  float* sums = w.shared<float>(Shared::mean_at) + half * 8;
  w.area_writes(Area::mean, half + w.index);
  sum_into(sums + w.index * 8);
  if (parts > 1) {
    w.role_barrier_within(site);
    w.afresh();
  } else {
    w.sync_lanes();
  }
  for (int part = 0; part < parts; ++part) w.area_reads(Area::mean, half + (parts > 1 ? part : w.index));
  const int first = parts > 1 ? 0 : w.index;
  return [=](int column) {
    float total = 0;
    for (int part = 0; part < parts; ++part) total += sums[(first + part) * 8 + column];
    return total * (1.0f / float(units_total * 32));
  };
}

template <int U, class Stat, class Apply>
TILE_FN void normalise(Warp& w, Staged<U>& x, int first_unit, int units_total, const bf16* weight, int parts, int site, Stat stat, Apply apply) {
  auto mean_of = mean_over_parts(w, units_total, parts, site, [&](float* sums) { staged_sums(w, x, stat, sums); });
  staged_map(w, x, first_unit, mean_of, weight, apply);
  w.mark(mark_staged);
}

/** What stays staged for a later phase. */
template <int U>
struct Kept {
  Staged<U> x;
  ColumnSums squares;
};

/** x <- bf16(x * weight); the squares that it had in this warp's k. */
template <int U>
TILE_FN ColumnSums weigh_for_norm(Warp& w, Staged<U>& x, int first_unit, const bf16* weight) {
  const ColumnSums squares = staged_squares(w, x);
  staged_weigh(w, x, first_unit, weight);
  w.mark(mark_staged);
  return squares;
}

/** x <- bf16(x * weight) of units whose squares count elsewhere: `near` is the first of them among the warp's own, from first_unit - near on. */
template <int U>
TILE_FN void weigh_units(Warp& w, Staged<U>& x, int first_unit, int near, const bf16* weight) {
  staged_weigh(w, x, first_unit, weight, near);
  w.mark(mark_staged);
}

/** Where a warp of the role leaves its squares: where the weights of its norm were. */
TILE_FN float* squares_left(Warp& w, int warp) { return reinterpret_cast<float*>(w.scratch<char>(size_t(warp) * Shared::near_weights_bytes)); }
TILE_FN void leave_squares(Warp& w, const ColumnSums& squares) {
  w.sync_lanes();  // all lanes have read the weights
  w.area_writes(Area::squares, w.index);
  store_sums(w, squares_left(w, w.index), squares);
}
/** A function of the row: its scale, from the squares that `parts` warps left, added in that order. A role barrier lies between. */
template <class Scale>
TILE_FN auto scale_of_squares(Warp& w, int parts, int units_total, Scale scale) {
  return [&w, parts, units_total, scale](int row) {
    float total = 0;
    for (int part = 0; part < parts; ++part) {
      w.area_reads(Area::squares, part);
      total += squares_left(w, part)[row];
    }
    return scale(total * (1.0f / float(units_total * 32)));
  };
}

}  // namespace tile
