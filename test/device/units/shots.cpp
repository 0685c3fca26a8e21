// An all-reduce of tiles among RANKS ranks in two shots, over several epochs: parts go to the tile's owner, its sum to all. Every rank gets the
// same bits, the sum in rank order, as in one shot (packets.cpp); of EXCHANGE i64, the sum in fixed point.
#include "plan.h"
#include "harness.h"
using namespace tile;

namespace unit {
const int sms = 2;
// An SM's tiles are no multiple of the ranks: each epoch some ranks own more of them than others, or none.
constexpr int tiles = 5, epochs = 4;
constexpr bool fixed = sizeof(Plan::Exchange) == 8;
const size_t image_bytes = 16, kv_bytes = 16;
constexpr size_t sums_inbox = Plan::inbox_at + size_t(tiles) * 2 * Plan::ranks * packets_of<Plan::Exchange>() * 16;
static_assert(sums_inbox + size_t(tiles) * 2 * packets_of<float>() * 16 <= Plan::inbox_at + Plan::inbox_bytes, "both inboxes have room");
TILE_BOTH float value(int rank, int tile, int epoch, int row, int column) { return float((rank + 1) * (row * 8 + column) + 1000 * tile + 7 * epoch) * 0.123f; }
TILE_BOTH float exchanged(float value) { return sizeof(Plan::Exchange) == 2 ? round_bf16(value) : value; }
TILE_BOTH constexpr size_t out(int epoch, int tile) { return size_t(epoch * tiles + tile) * 512; }

float expected(int tile, int epoch, int row, int column) {
  if (fixed) {
    i64 total = 0;
    for (int from = 0; from < Plan::ranks; ++from) total += i64(std::llrint(double(value(from, tile, epoch, row, column)) * 0x1p30));
    return float(total) * 0x1p-30f;
  }
  float sum = exchanged(value(0, tile, epoch, row, column));
  for (int from = 1; from < Plan::ranks; ++from) sum += exchanged(value(from, tile, epoch, row, column));
  return sum;
}
void fill(int, char*, char*, char*) {}
std::string check(int, const char* data) {
  for (int epoch = 1; epoch <= epochs; ++epoch)
    for (int tile = 0; tile < tiles; ++tile)
      for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column) {
          const float got = reinterpret_cast<const float*>(data + out(epoch, tile))[row * 8 + column], wanted = expected(tile, epoch, row, column);
          if (got != wanted)
            return "epoch " + std::to_string(epoch) + " tile " + std::to_string(tile) + " row " + std::to_string(row) + " column " + std::to_string(column) + ": " + std::to_string(got) +
                   ", expected " + std::to_string(wanted);
        }
  return "";
}

TILE_FN void send(Warp& w, const Acc& acc, int tile, u32 epoch) {
  if constexpr (fixed) {
    Exact sum = nothing();
    add(w, sum, acc);
    w.send_part(s_send, sum, tile, epoch);
  } else {
    w.send_part(s_send, acc, tile, epoch);
  }
}
TILE_FN Acc parts(Warp& w, int tile, u32 epoch) {
  if constexpr (fixed)
    return rounded(w, w.parts_total(s_receive, tile, epoch));
  else
    return w.parts_sum(s_receive, tile, epoch);
}
}  // namespace unit

TILE_ROLE void role_load(Warp&) {}
TILE_ROLE void role_compute(Warp&) {}
TILE_ROLE void role_epilogue(Warp& w) {
  if (w.index != 0) return;
  for (int epoch = 1; epoch <= unit::epochs; ++epoch) {
    for (int tile = w.sm; tile < unit::tiles; tile += w.sms) {
      Acc acc = zeros();
      each(w, acc, [&](float& value, int row, int column) { value = unit::value(w.rank, tile, epoch, row, column); });
      unit::send(w, acc, tile, u32(epoch));
    }
    // The sums of this epoch prove that every rank has read those of the one before: half an inbox may be written again.
    w.wait_local(s_table_wait, l_table, u32(epoch));
  }
}
TILE_ROLE void role_communicate(Warp& w) {
  for (int epoch = 1; epoch <= unit::epochs; ++epoch) {
    for (int tile = w.sm; tile < unit::tiles; tile += w.sms)
      if (w.owns(tile)) w.spread(s_join_commit, unit::sums_inbox, unit::parts(w, tile, u32(epoch)), tile, u32(epoch));
    for (int tile = w.sm; tile < unit::tiles; tile += w.sms) {
      Acc sum = w.spread_sum(s_join_take, unit::sums_inbox, tile, u32(epoch));
      float* to = w.ws<float>(Plan::data_at + unit::out(epoch, tile));
      each(w, sum, [&](float& value, int row, int column) { to[row * 8 + column] = value; });
    }
    for (unsigned i = 0; i < Plan::local_arrivals(l_table); ++i) w.signal_local(s_table_ready, l_table);
  }
}
