// The routing decision against a plain reading: ties, a bias that only chooses, sigmoid and softmax scores, fewer rows than eight, all
// of a row's choice with one lane, logits in parts whose scale is left to routing. The active experts are found without the table as well.
#include "plan.h"
#include "harness.h"
using namespace tile;

namespace unit {
const int sms = 1;
constexpr int cases = 4, experts = Plan::experts, top_k = Plan::top_k;
const size_t image_bytes = 16, kv_bytes = 16;
constexpr size_t bias_at = 8 * experts * 4, table_at = 4096, parts_at = 16384, found_at = 24576, found_words = 1 + Plan::max_active;
TILE_BOTH int rows(int which) { return which == 2 ? 3 : 8; }

void logits_of(float* logits) {
  Random random(3);
  for (int i = 0; i < 8 * experts; ++i) logits[i] = float(int(random.next() % 9)) * 0.5f - 2;  // many ties
  for (int expert : {71, 7, 39}) logits[expert] = 3;  // row 0: the same lane's, one like the other
  logits[2 * experts + 70] = 5, logits[2 * experts + 38] = 4, logits[2 * experts + 6] = 3;  // row 2: the lane's last first
}
void bias_of(float* bias) {
  Random random(4);
  for (int i = 0; i < experts; ++i) bias[i] = float(random.next() % 3) * 0.25f;
}
void fill(int, char*, char*, char* data) {
  logits_of(reinterpret_cast<float*>(data));
  bias_of(reinterpret_cast<float*>(data + bias_at));
  // Of logit x two parts, 2^row (x - 1) and 2^row.
  float* parts = reinterpret_cast<float*>(data + parts_at);
  for (int row = 0; row < 8; ++row)
    for (int e = 0; e < experts; ++e) {
      const int i = row * experts + e;
      parts[i] = (reinterpret_cast<const float*>(data)[i] - 1) * power_of_two(row), parts[8 * experts + i] = power_of_two(row);
    }
}
std::string check(int, const char* data) {
  float logits[8 * experts], bias[experts];
  logits_of(logits);
  bias_of(bias);
  for (int which = 0; which < cases; ++which) {
    RouteTable table;
    std::memcpy(&table, data + table_at + size_t(which) * sizeof table, sizeof table);
    const bool softmax = which == 1;
    int slot_of[experts][8];
    for (auto& row : slot_of)
      for (int& slot : row) slot = -1;
    double weight[8][top_k];
    for (int row = 0; row < rows(which); ++row) {
      double total = 0, norm = 0;
      for (int e = 0; e < experts; ++e) total += std::exp(double(logits[row * experts + e]));
      for (int slot = 0; slot < top_k; ++slot) {
        int best = -1;
        double best_key = 0;
        for (int e = 0; e < experts; ++e) {
          if (slot_of[e][row] >= 0) continue;
          const double logit = double(logits[row * experts + e]);
          const double score = softmax ? std::exp(logit) / total : 1 / (1 + std::exp(-logit));
          // compare as the engine does, in float: ties are exact there
          const double key = double(float(score) + (which == 0 ? bias[e] : 0.0f));
          if (best < 0 || key > best_key * (1 + 1e-6)) best = e, best_key = key;
          if (e == best) weight[row][slot] = score;
        }
        slot_of[best][row] = slot;
        norm += weight[row][slot];
      }
      for (int slot = 0; slot < top_k; ++slot) weight[row][slot] = which == 1 ? weight[row][slot] * 2.5 : weight[row][slot] / norm * 2.5;
    }
    int active = 0, results = 0;
    int result_of[8][top_k];
    for (auto& row : result_of)
      for (int& result : row) result = -1;
    for (int e = 0; e < experts; ++e) {
      bool used = false;
      for (int slot : slot_of[e]) used = used || slot >= 0;
      if (!used) continue;
      if (active >= table.active || table.expert[active] != e) return "case " + std::to_string(which) + ": expert " + std::to_string(e) + " is not active " + std::to_string(active);
      for (int row = 0; row < 8; ++row) {
        const int slot = slot_of[e][row], result = slot < 0 ? -1 : results++;
        if (slot >= 0) result_of[row][slot] = result;
        if (table.result[active][row] != result) return "case " + std::to_string(which) + ": result of row " + std::to_string(row) + " at expert " + std::to_string(e);
      }
      ++active;
    }
    if (active != table.active || table.rows != rows(which)) return "case " + std::to_string(which) + ": " + std::to_string(table.active) + " active experts, expected " + std::to_string(active);
    for (int row = 0; row < 8; ++row)
      for (int slot = 0; slot < top_k; ++slot)
        if (table.slot_result[row][slot] != result_of[row][slot]) return "case " + std::to_string(which) + ": result of row " + std::to_string(row) + " in slot " + std::to_string(slot);
    const u32* found = reinterpret_cast<const u32*>(data + found_at) + which * int(found_words);
    for (int i = 0; i < table.active; ++i)
      if (found[0] != u32(table.active) || found[1 + i] != table.expert[i]) return "case " + std::to_string(which) + ": active expert " + std::to_string(i) + " is not found";
    // Halves make up all experts; the first has whole groups, as many as its eighths of the experts fill.
    const Share early = half_of(table, 0), late = half_of(table, 1);
    if (early.begin != 0 || early.end != late.begin || late.end != table.active) return "case " + std::to_string(which) + ": halves";
    if (early.end % Plan::expert_group != 0 || early.end > table.active * Plan::early_eighths / 8 || early.end + Plan::expert_group <= table.active * Plan::early_eighths / 8) return "case " + std::to_string(which) + ": first half";
    for (int row = 0; row < rows(which); ++row)
      for (int slot = 0; slot < top_k; ++slot)
        if (!(std::fabs(double(table.weight[row][slot]) - weight[row][slot]) <= 1e-5)) return "case " + std::to_string(which) + ": weight of row " + std::to_string(row);
  }
  return "";
}
}  // namespace unit

TILE_ROLE void role_load(Warp& w) {
  for (int which = 0; which < unit::cases; ++which) {
    w.wait_local(s_table_wait, l_table, u32(which + 1));
    const ActiveExperts found = active_experts(w, unit::rows(which));
    u32* to = w.ws<u32>(Plan::data_at + unit::found_at) + which * unit::found_words;
    w.once([&] { to[0] = u32(found.count); });
    for (int place = 0; place < found.count; ++place) {
      const u32 expert = u32(expert_at(w, found, place));
      w.once([&] { to[1 + place] = expert; });
    }
    w.signal(s_signal_done, c_done);
  }
}
TILE_ROLE void role_compute(Warp& w) {
  const float* logits = w.ws<float>(Plan::data_at);
  for (int which = 0; which < unit::cases; ++which) {
    auto plus = [](float score, float bias) { return score + bias; };
    auto gate = [](float x) { return sigmoid(x); };
    const int rows = unit::rows(which);
    open_table(w, s_role_barrier);
    w.role_barrier(s_role_barrier);
    if (which == 1)
      choose(w, logits, 1, nullptr, rows, softmax_score, plus);
    else if (which == 3)
      choose(w, w.ws<float>(Plan::data_at + unit::parts_at), 2, nullptr, 8, gate, plus, [](int row) { return power_of_two(-row); });
    else
      choose(w, logits, 1, which == 0 ? w.ws<float>(Plan::data_at + unit::bias_at) : nullptr, rows, gate, plus);
    w.signal_local(s_table_ready, l_table);
    route(w, which == 3 ? 8 : rows, which != 1, which == 1 ? 0.0f : 1e-20f, 2.5f, s_role_barrier);
    if (w.index == 0) {
      const u32* from = reinterpret_cast<const u32*>(&w.table());
      u32* to = w.ws<u32>(Plan::data_at + unit::table_at) + which * int(sizeof(RouteTable) / 4);
      w.lanes([&](int lane) {
        for (int i = lane; i < int(sizeof(RouteTable) / 4); i += 32) to[i] = from[i];
      });
    }
    w.role_barrier(s_role_barrier);
    w.wait(s_wait_done, c_done, u32(which + 1));  // rows choose anew
  }
}
TILE_ROLE void role_epilogue(Warp&) {}
TILE_ROLE void role_communicate(Warp&) {}
