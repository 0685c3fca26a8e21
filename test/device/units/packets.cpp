// An all-reduce of tiles among RANKS ranks over several epochs: every rank gets the same bits, and they are the sum in rank order.
// Then a ring of send_to / receive_each.
#include "plan.h"
#include "harness.h"
using namespace tile;

namespace unit {
const int sms = 2;
constexpr int tiles = 3, epochs = 4;
const size_t image_bytes = 16, kv_bytes = 16;
constexpr size_t second_inbox = Plan::inbox_at + size_t(tiles) * 2 * Plan::ranks * packets_of<Plan::Exchange>() * 16;
TILE_BOTH float value(int rank, int tile, int epoch, int row, int column) { return float((rank + 1) * (row * 8 + column) + 1000 * tile + 7 * epoch) * 0.123f; }
TILE_BOTH float exchanged(float value) { return sizeof(Plan::Exchange) == 2 ? round_bf16(value) : value; }
TILE_BOTH constexpr size_t out(int epoch, int tile, int kind) { return size_t((epoch * tiles + tile) * 2 + kind) * 512; }

void fill(int, char*, char*, char*) {}
std::string check(int rank, const char* data) {
  for (int epoch = 1; epoch <= epochs; ++epoch)
    for (int tile = 0; tile < tiles; ++tile) {
      const float* sum = reinterpret_cast<const float*>(data + out(epoch, tile, 0));
      const float* neighbour = reinterpret_cast<const float*>(data + out(epoch, tile, 1));
      for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column) {
          float expected = exchanged(value(0, tile, epoch, row, column));
          for (int from = 1; from < Plan::ranks; ++from) expected += exchanged(value(from, tile, epoch, row, column));
          if (sum[row * 8 + column] != expected)
            return "epoch " + std::to_string(epoch) + " tile " + std::to_string(tile) + " row " + std::to_string(row) + " column " + std::to_string(column) + ": " +
                   std::to_string(sum[row * 8 + column]) + ", expected " + std::to_string(expected);
          if (neighbour[row * 8 + column] != value((rank + Plan::ranks - 1) % Plan::ranks, tile, epoch, row, column)) return "what the neighbour sent is wrong";
        }
    }
  return "";
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
      w.send(s_send, acc, tile, u32(epoch));
      w.send_to(s_send, (w.rank + 1) % Plan::ranks, unit::second_inbox, acc, tile, u32(epoch));
    }
    // The sums of this epoch prove that every rank has read the one before: half an inbox may be written again.
    w.wait_local(s_table_wait, l_table, u32(epoch));
  }
}
TILE_ROLE void role_communicate(Warp& w) {
  for (int epoch = 1; epoch <= unit::epochs; ++epoch) {
    for (int tile = w.sm; tile < unit::tiles; tile += w.sms) {
      const auto keep = [&](int kind, Acc& acc) {
        float* to = w.ws<float>(Plan::data_at + unit::out(epoch, tile, kind));
        each(w, acc, [&](float& value, int row, int column) { to[row * 8 + column] = value; });
      };
      Acc sum = w.receive_sum(s_receive, tile, u32(epoch));
      keep(0, sum);
      const int sent = (w.rank + Plan::ranks - 1) % Plan::ranks * unit::tiles + tile;
      receive_each(w, s_receive, unit::second_inbox, Share{sent, sent + 1}, unit::tiles, u32(epoch), [&](Acc& acc, int, int) { keep(1, acc); });
    }
    for (unsigned i = 0; i < Plan::local_arrivals(l_table); ++i) w.signal_local(s_table_ready, l_table);
  }
}
