// Exact sums: what is added above a leaf of k (compiler/plan/exact.ts) is fixed point, so that parts of k, expert slots and ranks
// may be added in any grouping and give the same bits. A leaf itself is a sum of floats, by one warp, in one order.
//
// Scale 2^30: a leaf of 0.02 or more loses nothing, a smaller one less than 1e-9. A leaf counts while its magnitude is below
// 2^29 / top_k, so that 8 leaves times top_k slots stay below 2^62. What is larger, and what is no number, becomes `no_number`,
// which every sum keeps: it comes out as NaN, never as a wrong number.
#pragma once

namespace tile {

constexpr float fixed_scale = 1073741824.0f;  // 2^30
constexpr float fixed_limit = float((i64(1) << 59) / Plan::top_k);  // in quanta
constexpr i64 no_number = i64(u64(1) << 63);

TILE_FN i64 to_fixed(float value) {
  // A choice, not a branch: the host makes vectors of it.
  const float scaled = value * fixed_scale;
  const bool counts = fabsf(scaled) < fixed_limit;
  const i64 whole = i64(rintf(counts ? scaled : 0.0f));
  return counts ? whole : no_number;
}
TILE_FN float from_fixed(i64 value) { return value == no_number ? NAN : float(value) * (1.0f / fixed_scale); }
TILE_FN i64 add_fixed(i64 a, i64 b) { return a == no_number || b == no_number ? no_number : a + b; }

template <class F>
TILE_FN void each(Warp& w, Exact& fixed, F f) {
  Acc none = zeros();
  each(w, fixed, none, [&](i64& value, float&, int row, int column) { f(value, row, column); });
}
TILE_FN void add(Warp& w, Exact& to, const Acc& leaf) {
  Acc copy = leaf;
  each(w, to, copy, [&](i64& sum, float& value, int, int) { sum = add_fixed(sum, to_fixed(value)); });
}
/** The weights that rows give to an active expert. The table knows results: a row's slot is looked for, once for all leaves of a cell. */
TILE_FN ColumnScale routed_weights(Warp& w, int active_index) {
  const RouteTable& routes = w.table();
  return scale_of_columns(w, [&](int column) {
    const int result = column < Plan::rows ? routes.result[active_index][column] : -1;
    float weight = 0;
    TILE_UNROLL
    for (int slot = 0; slot < Plan::top_k; ++slot)
      if (result >= 0 && routes.slot_result[column][slot] == result) weight = routes.weight[column][slot];
    return weight;
  });
}
/** What the leaf adds to the sums of the rows that go to an active expert: times the weight that the row gives it. Other rows
    add nothing: their columns were staged as zeros. */
TILE_FN void add_routed(Warp& w, Exact& to, const Acc& leaf, const ColumnScale& weights) {
  Acc copy = leaf;
  scale_columns(copy, weights);
  add(w, to, copy);
}
TILE_FN Acc rounded(Warp& w, const Exact& sum) {
  Exact copy = sum;
  Acc acc = zeros();
  each(w, copy, acc, [](i64& from, float& to, int, int) { to = from_fixed(from); });
  return acc;
}

/** sum += W (16 rows x 32 U Leaves) * X, leaf by leaf; otherwise as `multiply`. */
template <class Format, int U, int Leaves, class X>
TILE_FN void multiply_leaves(Warp& w, Exact& sum, const char* codes, const char* scales, const X& x, int first = 0) {
  TILE_UNROLL
  for (int leaf = 0; leaf < Leaves; ++leaf) {
    Acc acc = zeros();
    multiply<Format, U>(w, acc, codes + leaf * U * Format::unit_bytes, scales + leaf * U * Format::scale_bytes, x, first + leaf * U);
    add(w, sum, acc);
  }
}

// ---- hand-overs: as in handover.h, with a part taking two places of the join slot and a routed sum 8 bytes ----

TILE_FN void Warp::join_put(int part, const Exact& sum) {
  expect(part >= 0 && 2 * part + 1 < Plan::join_parts, "the join slot");
  const int place = int(join_position % Plan::join_depth) * Plan::join_parts + 2 * part;
  area_writes(Area::join_part, place);
  area_writes(Area::join_part, place + 1);
  i64* to = reinterpret_cast<i64*>(join_slot(join_position)) + part * 128;
  Exact copy = sum;
  each(*this, copy, [&](i64& value, int row, int column) { to[row * 8 + column] = value; });
}

TILE_FN Exact Warp::join_total(int first, int parts) {
  const int place = int(join_position % Plan::join_depth) * Plan::join_parts;
  for (int i = 2 * first; i < 2 * (first + parts); ++i) area_reads(Area::join_part, place + i);
  const i64* from = reinterpret_cast<const i64*>(join_slot(join_position)) + first * 128;
  Exact sum = nothing();
  for (int part = 0; part < parts; ++part)
    each(*this, sum, [&](i64& value, int row, int column) { value = add_fixed(value, from[part * 128 + row * 8 + column]); });
  return sum;
}

TILE_FN void Warp::slots_put(const Exact& sum, int tile, int active_index) {
  const RouteTable& routes = table();
  i64* area = shared<i64>(Shared::slots_at) + tile * (most_results * 16);
  expect(tile >= 0 && size_t(tile + 1) * most_results * 128 <= Plan::slots_bytes, "the slots");
  expect(active_index >= 0 && active_index < Plan::max_active, "the route table");
  Exact copy = sum;
  each(*this, copy, [&](i64& value, int row, int column) {
    const int result = column < Plan::rows ? routes.result[active_index][column] : -1;
    if (result >= 0) area[result * 16 + row] = value;
  });
  for (int column = 0; column < Plan::rows; ++column)
    if (const int result = routes.result[active_index][column]; result >= 0) area_writes(Area::routed_sum, tile * most_results + result);
}

template <int TopK>
TILE_FN Exact Warp::slots_total(int tile) {
  const RouteTable& routes = table();
  const i64* area = shared<i64>(Shared::slots_at) + tile * (most_results * 16);
  for (int result = 0; result < routes.rows * TopK; ++result) area_reads(Area::routed_sum, tile * most_results + result);
  Exact sum = nothing();
  each(*this, sum, [&](i64& value, int row, int column) {
    if (column >= routes.rows) return;
    TILE_UNROLL
    for (int slot = 0; slot < TopK; ++slot) value = add_fixed(value, area[routes.slot_result[column][slot] * 16 + row]);
  });
  return sum;
}

// ---- packets: one number each, in the order [row][column]; inboxes are those of packets.h ----

TILE_FN Packet fixed_packet(i64 value, u32 epoch) { return Packet{{u32(u64(value)), u32(u64(value) >> 32), 0, epoch}}; }

TILE_FN void Warp::send(int site, const Exact& sum, int tile, u32 epoch) {
  sync(site, [=, this_warp = this](int) {
    Warp& w = *this_warp;
    Exact copy = sum;
    each(w, copy, [&](i64& value, int row, int column) {
      const Packet packet = fixed_packet(value, epoch);
      for (int to = 0; to < Plan::ranks; ++to) w.store_packet(w.peer<Packet>(to, Plan::inbox_at + inbox_at<i64>(tile, epoch, sent_as(w, to))) + row * 8 + column, packet);
    });
  });
}

/** Waits for the parts of all ranks; those of `present` are all that there are. `at(source, number)`: where a packet comes in. Packets stay until this
    rank has signalled that it is done with the exchange, so they may be read again once all are there. */
template <class At>
TILE_FN Exact receive_parts(Warp& w, int site, int tile, int present, u32 epoch, At at) {
  const auto ready = [&](int lane) {
    bool all = true;
    for (int number = lane; number < packets_of<i64>(); number += 32)
      for (int source = 0; source < Plan::ranks; ++source) all = all && load_packet(at(source, number)).word[3] == epoch;
    return all;
  };
  w.poll_packets(site, What::packets, tile, present, ready, first_missing<i64>(Plan::inbox_at, 0, present, tile, epoch));
  Exact sum = nothing();
  each(w, sum, [&](i64& value, int row, int column) {
    TILE_UNROLL
    for (int source = 0; source < Plan::ranks; ++source) {
      const Packet packet = load_packet(at(source, row * 8 + column));
      w.received(at(source, row * 8 + column));
      value = add_fixed(value, i64(u64(packet.word[0]) | u64(packet.word[1]) << 32));
    }
  });
  return sum;
}
TILE_FN Exact Warp::receive_total(int site, int tile, u32 epoch) {
  return receive_parts(*this, site, tile, Plan::ranks, epoch, [&](int source, int number) { return ws<const Packet>(Plan::inbox_at + inbox_at<i64>(tile, epoch, source)) + number; });
}

// ---- two shots: the owner of a tile adds, rounds, and sends floats (packets.h) ----

TILE_FN void Warp::send_part(int site, const Exact& sum, int tile, u32 epoch) {
  sync(site, [=, this_warp = this](int) {
    Warp& w = *this_warp;
    Packet* to = w.peer<Packet>(owner_of(w, tile), Plan::inbox_at + inbox_at<i64>(tile, epoch, w.rank));
    Exact copy = sum;
    each(w, copy, [&](i64& value, int row, int column) { w.store_packet(to + row * 8 + column, fixed_packet(value, epoch)); });
  });
}
TILE_FN Exact Warp::parts_total(int site, int tile, u32 epoch) {
  return receive_parts(*this, site, tile, args->ranks, epoch, [&](int source, int number) { return part_of<i64>(*this, source, tile, epoch, number); });
}

}  // namespace tile
