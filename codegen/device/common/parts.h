// Sums over ranks that nobody in a kernel makes: a phase leaves this rank's part of every tile, somebody turns the parts of all ranks into
// their sum between two kernels (NCCL, engine/nccl.h; a loop, host/graph.h), and the next phase takes it. Only in the control.
// A part is [row 0..7][16 x tiles] of Exchange, dense, where the packets of the other engines would come in; the sum takes its place.
#pragma once

namespace tile {

/** Numbers of a part of so many tiles. */
TILE_BOTH constexpr size_t part_numbers(int tiles) { return size_t(Plan::rows) * 16 * size_t(tiles); }
static_assert(Plan::ranks == 1 || 2 * Plan::ranks * packets_of<Exchange>() * sizeof(Packet) >= part_numbers(1) * sizeof(Exchange), "an inbox holds a part");

TILE_FN void set_exchange(float& to, float value) { to = value; }
TILE_FN void set_exchange(bf16& to, float value) { to = to_bf16(value); }

/** f(number of the part, value of the tile). */
template <int Tiles, class F>
TILE_FN void each_of_part(Warp& w, Acc& acc, int tile, F f) {
  Exchange* part = w.ws<Exchange>(Plan::inbox_at) + tile * 16;
  each(w, acc, [&](float& value, int row, int column) { f(part[column * (Tiles * 16) + row], value); });
}
template <int Tiles>
TILE_FN void leave_part(Warp& w, const Acc& acc, int tile) {
  Acc copy = acc;
  each_of_part<Tiles>(w, copy, tile, [](Exchange& to, float value) { set_exchange(to, value); });
}
/** Who adds does so over the ranks that run; each counts for those that it stands in for (EngineArgs::ranks). */
template <int Tiles>
TILE_FN Acc take_sum(Warp& w, int tile) {
  const float each_counts = float(Plan::ranks / w.args->ranks);
  Acc acc = zeros();
  each_of_part<Tiles>(w, acc, tile, [=](const Exchange& from, float& value) { value = each_counts * to_f32(from); });
  return acc;
}

}  // namespace tile
