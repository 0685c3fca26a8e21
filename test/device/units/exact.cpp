// Exact sums over the whole way: leaves of k held by RANKS ranks, parts in the join, expert slots, packets. Every rank must get the
// sum that integers give, whatever RANKS is. Leaves are whole numbers times powers of two between 2^-20 and 2^19, so a leaf is exact
// as a float while a float sum of leaves would depend on its order. One row meets an infinity that cancels, one is out of range.
#include "plan.h"
#include "harness.h"
using namespace tile;

namespace unit {
const int sms = 2;
constexpr int leaves = 8 / Plan::ranks, parts = leaves < Plan::compute_warps ? leaves : Plan::compute_warps, per_part = leaves / parts, epochs = 3;
constexpr int nan_row = 3, huge_row = 5;
constexpr u32 page_bytes = leaves * BF16::unit_bytes;
const size_t image_bytes = page_bytes, kv_bytes = 16;
// data: x [leaf][512 bytes], then results [epoch][sm][kind][128] floats
constexpr size_t x_at = 0, out_at = 8 * 512;
TILE_BOTH constexpr size_t out(int epoch, int sm, int kind) { return out_at + size_t((epoch * sms + sm) * 2 + kind) * 512; }

inline float weight(int leaf, int row, int k) {
  if (row == nan_row && k == 0) return leaf == 0 ? INFINITY : leaf == 7 ? -INFINITY : 1.0f;
  if (row == huge_row && k == 0) return leaf == 1 ? std::ldexp(1.0f, 60) : leaf == 6 ? -std::ldexp(1.0f, 60) : 0.0f;
  return std::ldexp(float((row * 3 + k * 5 + leaf * 7) % 5 - 2), (leaf * 11 + row) % 40 - 20);
}
TILE_BOTH float input(int leaf, int k, int column) { return k == 0 ? 1.0f : float((k + column * 2 + leaf) % 7 - 3); }
TILE_BOTH float gate(int row, int slot) { return 0.1f * float(slot + 1) + 0.01f * float(row); }

void fill(int rank, char* image, char*, char* data) {
  for (int leaf = 0; leaf < leaves; ++leaf)
    for (int k = 0; k < 32; ++k) {
      for (int row = 0; row < 16; ++row)
        reinterpret_cast<bf16*>(image)[(leaf * BF16::unit_bytes + BF16::byte_at(row, k)) / 2] = to_bf16(weight(rank * leaves + leaf, row, k));
      for (int column = 0; column < 8; ++column)
        reinterpret_cast<bf16*>(data + x_at)[leaf * 256 + columns_at(k, column)] = to_bf16(input(rank * leaves + leaf, k, column));
    }
}
std::string check(int, const char* data) {
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      i64 joined = 0, routed = 0;
      for (int leaf = 0; leaf < 8; ++leaf) {
        float sum = 0;
        for (int k = 0; k < 32; ++k) sum += weight(leaf, row, k) * input(leaf, k, column);
        joined += i64(sum * 0x1p30f);
        for (int slot = 0; slot < Plan::top_k; ++slot) routed += std::llrint(gate(column, slot) * sum * 0x1p30f);
      }
      const bool lost = row == nan_row || row == huge_row;
      for (int epoch = 0; epoch < epochs; ++epoch)
        for (int sm = 0; sm < sms; ++sm)
          for (int kind = 0; kind < 2; ++kind) {
            const float expected = float(kind == 0 ? joined : routed) * 0x1p-30f;
            const float got = reinterpret_cast<const float*>(data + out(epoch, sm, kind))[row * 8 + column];
            if (lost ? got != got : got == expected) continue;
            return std::string(kind == 0 ? "joined" : "routed") + " row " + std::to_string(row) + " column " + std::to_string(column) + ": " + std::to_string(got) +
                   ", expected " + (lost ? "NaN" : std::to_string(expected));
          }
    }
  return "";
}
}  // namespace unit

TILE_ROLE void role_load(Warp& w) {
  for (int epoch = 0; epoch < unit::epochs; ++epoch) {
    w.ring_acquire(s_load_acquire);
    w.ring_copy(s_load_copy, 0, w.image(0), unit::page_bytes);
    w.ring_commit(s_load_commit, unit::page_bytes);
  }
}
TILE_ROLE void role_compute(Warp& w) {
  if (w.index == 0) {
    RouteTable& table = w.table_for_writing();
    w.once([&] {
      table.active = Plan::top_k, table.rows = 8;
      for (int e = 0; e < Plan::top_k; ++e)
        for (int row = 0; row < 8; ++row) table.result[e][row] = table.slot_result[row][(e + row) % Plan::top_k] = (signed char)(e * 8 + row);
      for (int row = 0; row < 8; ++row)
        for (int slot = 0; slot < Plan::top_k; ++slot) table.weight[row][slot] = unit::gate(row, slot);
    });
  }
  w.role_barrier(s_role_barrier);
  Staged<unit::leaves> x;
  stage(w, x, w.ws<bf16>(Plan::data_at + unit::x_at), 0);
  Staged<unit::per_part> mine;
  stage(w, mine, w.ws<bf16>(Plan::data_at + unit::x_at), w.index % unit::parts * unit::per_part);
  for (int epoch = 0; epoch < unit::epochs; ++epoch) {
    const char* page = w.ring_await(s_compute_await);
    w.join_acquire(s_join_acquire);
    if (w.index < unit::parts) {
      Exact sum = nothing();
      multiply_leaves<BF16, 1, unit::per_part>(w, sum, page + w.index * unit::per_part * BF16::unit_bytes, nullptr, mine);
      w.join_put(w.index, sum);
    }
    w.join_commit(s_join_commit);
    w.slots_acquire(s_slots_acquire);
    // warp i is expert i; all experts have the same weights
    Exact sum = nothing();
    TILE_UNROLL
    for (int leaf = 0; leaf < unit::leaves; ++leaf) {
      Acc acc = zeros();
      multiply<BF16, 1>(w, acc, page + leaf * BF16::unit_bytes, nullptr, x, leaf);
      add_routed(w, sum, acc, routed_weights(w, w.index));
    }
    w.slots_put(sum, 0, w.index);
    w.slots_commit(s_slots_commit);
    w.ring_release(s_compute_release);
  }
}
TILE_ROLE void role_epilogue(Warp& w) {
  for (int epoch = 0; epoch < unit::epochs; ++epoch) {
    if (w.index == 0) {
      w.join_wait(s_join_take);
      w.send(s_send, w.join_total(0, unit::parts), w.sm * 2, u32(epoch + 1));
      w.join_release(s_join_release);
      w.slots_await(s_slots_await);
      w.slots_release(s_slots_release);
    } else {
      w.join_skip();
      w.slots_await(s_slots_await);
      w.send(s_send, w.slots_total(0), w.sm * 2 + 1, u32(epoch + 1));
      w.slots_release(s_slots_release);
    }
    // The sums of this epoch prove that every rank has read the one before: half an inbox may be written again.
    w.wait_local(s_table_wait, l_table, u32(epoch + 1));
  }
}
TILE_ROLE void role_communicate(Warp& w) {
  for (int epoch = 0; epoch < unit::epochs; ++epoch) {
    for (int kind = 0; kind < 2; ++kind) {
      Acc acc = rounded(w, w.receive_total(s_receive, w.sm * 2 + kind, u32(epoch + 1)));
      float* to = w.ws<float>(Plan::data_at + unit::out(epoch, w.sm, kind));
      each(w, acc, [&](float& value, int row, int column) { to[row * 8 + column] = value; });
    }
    for (unsigned i = 0; i < Plan::local_arrivals(l_table); ++i) w.signal_local(s_table_ready, l_table);
  }
}
