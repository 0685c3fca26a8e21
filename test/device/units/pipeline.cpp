// All roles together, for several rounds: a loader that waits for its input, products, joins, routed sums, counters between SMs.
// Small integers, so that the result is exact. This is the program that is fuzzed and mutated.
//   communicate (SM 0) writes x of a round, signals input; load gathers a page that holds x; compute multiplies it and hands sums over;
//   epilogue warp 0 stores the joined sums, warp 1 the routed ones; both signal sums; communicate of SM 0 adds all SMs' sums up.
// Ahead of each round load asks L2 for the whole image, which a host run counts.
#include "plan.h"
#define PREFETCHED (5 * 4 * 1024)
#include "harness.h"
using namespace tile;

namespace unit {
const int sms = 2;
constexpr int rounds = 5;
const size_t image_bytes = 4 * BF16::unit_bytes, kv_bytes = 16;
// data: x of a round (one unit of columns, double buffered), sums [sm][2][128], results [round][128]
constexpr size_t x_at = 0, sums_at = 4096, results_at = sums_at + 2 * 2 * 512;
constexpr u32 page_bytes = 4 * BF16::unit_bytes + 512;

TILE_BOTH float weight(int part, int row, int k) { return float((row * 3 + k * 5 + part * 7) % 5 - 2); }
/** Parts lie in the image from the last to the first, so a page's come from places apart. */
TILE_BOTH int place_of(int part) { return 3 - part; }
TILE_BOTH float input(int round, int k, int column) { return float((k + column * 2 + round) % 7 - 3); }

void fill(int, char* image, char*, char*) {
  for (int part = 0; part < 4; ++part)
    for (int r = 0; r < 16; ++r)
      for (int k = 0; k < 32; ++k) reinterpret_cast<bf16*>(image)[(place_of(part) * BF16::unit_bytes + BF16::byte_at(r, k)) / 2] = to_bf16(weight(part, r, k));
}
std::string check(int, const char* data) {
  for (int round = 0; round < rounds; ++round)
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 8; ++column) {
        float expected = 0;
        for (int part = 0; part < 4; ++part)
          for (int k = 0; k < 32; ++k) {
            const float term = weight(part, row, k) * input(round, k, column);
            expected += term;                                        // joined
            if (part == column % 2) expected += term * float(part + 2);  // routed to one slot
          }
        expected *= sms;
        const float got = reinterpret_cast<const float*>(data + results_at)[round * 128 + row * 8 + column];
        if (got != expected) return "round " + std::to_string(round) + " row " + std::to_string(row) + " column " + std::to_string(column) + ": " + std::to_string(got) + ", expected " + std::to_string(expected);
      }
  return "";
}
}  // namespace unit

TILE_ROLE void role_load(Warp& w) {
  for (int round = 0; round < unit::rounds; ++round) {
    prefetch_share(w, s_load_prefetch, 0, unit::image_bytes);
    w.wait(s_load_wait, c_input, u32(round + 1));
    w.reads(r_input, round % 2);
    w.ring_acquire(s_load_acquire);
    w.ring_copies<8>(s_load_copy, 4, BF16::unit_bytes, [&](int part) { return w.image(size_t(unit::place_of(part)) * BF16::unit_bytes); });
    w.ring_copy(s_load_copy, 4 * BF16::unit_bytes, w.ws<char>(Plan::data_at + unit::x_at + size_t(round % 2) * 512), 512);
    w.ring_commit(s_load_commit, unit::page_bytes);
  }
}
TILE_ROLE void role_compute(Warp& w) {
  for (int round = 0; round < unit::rounds; ++round) {
    w.slots_acquire(s_slots_acquire);
    w.role_barrier(s_role_barrier);
    if (w.index == 0) {
      RouteTable& table = w.table_for_writing();
      w.once([&] {
        table.active = 2, table.rows = 8;
        for (int e = 0; e < 2; ++e) {
          table.expert[e] = u16(e);
          for (int row = 0; row < 8; ++row) table.result[e][row] = (signed char)(row % 2 == e ? row * Plan::top_k + e : -1);
        }
        for (int row = 0; row < 8; ++row)
          for (int slot = 0; slot < Plan::top_k; ++slot) table.weight[row][slot] = slot == row % 2 ? float(slot + 2) : 0.0f, table.slot_result[row][slot] = (signed char)(row * Plan::top_k + slot);
      });
    }
    w.role_barrier(s_role_barrier);
    const char* page = w.ring_await(s_compute_await);
    Staged<1> x;
    // The load warp waited for the input before it filled this page, so the page's arrival orders this read too.
    stage(w, x, reinterpret_cast<const bf16*>(w.ws<char>(Plan::data_at + unit::x_at + size_t(round % 2) * 512)), 0);
    w.reads(r_input, round % 2);
    Acc acc = zeros();
    multiply<BF16, 1>(w, acc, page + w.index * BF16::unit_bytes, nullptr, x);
    w.ring_release(s_compute_release);
    w.join_acquire(s_join_acquire);
    w.join_put(w.index, acc);
    w.join_commit(s_join_commit);
    if (w.index < 2) {
      // unused slots of the sum must hold numbers: this warp's share of them
      Acc none = zeros();
      float* area = w.shared<float>(Shared::slots_at);
      each(w, none, [&](float&, int row, int column) {
        for (int slot = w.index * 2; slot < w.index * 2 + 2; ++slot)
          if (slot != column % 2) area[(column * Plan::top_k + slot) * 16 + row] = 0;
      });
      w.sync_lanes();
      w.slots_put(acc, 0, w.index);
    }
    w.slots_commit(s_slots_commit);
  }
}
TILE_ROLE void role_epilogue(Warp& w) {
  for (int round = 0; round < unit::rounds; ++round) {
    if (round > 0) w.wait(s_wait_done, c_done, u32(round));
    float* sums = w.ws<float>(Plan::data_at + unit::sums_at) + (w.sm * 2 + w.index) * 128;
    Acc acc = zeros();
    if (w.index == 0) {
      acc = w.join_take(s_join_take, 4);
      w.join_release(s_join_release);
      w.slots_await(s_slots_await);
      w.slots_release(s_slots_release);
    } else {
      w.join_skip();
      w.slots_await(s_slots_await);
      acc = w.slots_sum(0);
      w.slots_release(s_slots_release);
    }
    each(w, acc, [&](float& value, int row, int column) { sums[row * 8 + column] = value; });
    w.writes(r_sums, w.sm * 2 + w.index);
    w.signal_tile(s_signal_sums, c_sums);
  }
}
TILE_ROLE void role_communicate(Warp& w) {
  if (w.sm != 0) return;
  for (int round = 0; round < unit::rounds; ++round) {
    bf16* x = w.ws<bf16>(Plan::data_at + unit::x_at) + (round % 2) * 256;
    w.lanes([&](int lane) {
      for (int column = 0; column < 8; ++column) x[columns_at(lane, column)] = to_bf16(unit::input(round, lane, column));
    });
    w.writes(r_input, round % 2);
    w.signal_share(s_signal_input, c_input, Share{round, round + 1});
    w.signal_share(s_signal_input, c_input, Share{round, round});  // of none: nothing
    w.wait(s_wait_sums, c_sums, u32(round + 1));
    const float* sums = w.ws<float>(Plan::data_at + unit::sums_at);
    for (int i = 0; i < unit::sms * 2; ++i) w.reads(r_sums, i);
    float* result = w.ws<float>(Plan::data_at + unit::results_at) + round * 128;
    w.lanes([&](int lane) {
      for (int at = lane; at < 128; at += 32) {
        float total = 0;
        for (int i = 0; i < unit::sms * 2; ++i) total += sums[i * 128 + at];
        result[at] = total;
      }
    });
    w.writes(r_result, round);
    w.signal(s_signal_done, c_done);
  }
}
