// The routing decision, taken by every SM for itself from the same logits and so the same everywhere: a warp chooses the experts
// of a row (choose); then the active ones are listed in ascending order, an expert's place being the number of active ones below it
// (route). Ties go to the lower expert. Who fetches weights needs no list: what the rows have chosen tells the active experts
// (active_experts), a microsecond earlier.
//
// score(logit): the gate's weight before renormalisation. choose(score, bias): what the choice compares. `softmax_score` in place
// of score stands for the softmax over the row. Layers may differ in Experts and TopK; the plan's are the most of any. Logits come in `parts` partial sums [part][row][expert],
// added in that order, each times scale(row), where their norm has left it to routing.
// A key is a float whose bits were mapped so that integers compare as floats do; 0 is below all: what is taken already.
#pragma once

namespace tile {

struct SoftmaxScore {};
constexpr SoftmaxScore softmax_score{};
template <class A>
struct IsSoftmax {
  static constexpr bool value = false;
};
template <>
struct IsSoftmax<SoftmaxScore> {
  static constexpr bool value = true;
};

/** In place of scale: sums have theirs. */
struct Scaled {
  TILE_FN Scaled operator()(int) const { return {}; }
};
TILE_FN float scaled_by(float sum, Scaled) { return sum; }
TILE_FN float scaled_by(float sum, float scale) { return rounded_product(sum, scale); }

/** What the rows have chosen, while routing: by (row, slot), and as one bit an expert. */
struct RouteChoice {
  static constexpr int words = ceil_div(Plan::experts, 32);
  static_assert(words <= 32 && Plan::top_k <= 32, "a lane holds a word of the experts' bits, and a slot");
  u16 expert[8][Plan::top_k];
  u32 bits[8][words];
};

/** NaN counts as the least number: the choice must find top_k distinct experts. */
TILE_FN u32 key_of(float value) {
  const u32 bits = f32_to_bits(fmaxf(value, -3.0e38f) + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

template <int Experts, int TopK, class Score, class Choose, class Scale>
TILE_FN void choose_row(Warp& w, RouteTable& routes, RouteChoice& choice, const float* logits, int parts, size_t stride, const float* bias, int row, Score score, Choose choose,
                        Scale scale) {
  constexpr int experts_per_lane = ceil_div(Experts, 32);
  const auto scale_of_row = scale(row);
  const auto logit_of = [&](int expert) {
    float logit = scaled_by(logits[expert], scale_of_row);
    for (int part = 1; part < parts; ++part) logit += scaled_by(logits[size_t(part) * stride + size_t(expert)], scale_of_row);
    return logit;
  };
  // The role has the slots, which nobody needs before experts are multiplied: the logits of the chosen are asked for again, and far away they would be
  // another trip to L2.
  constexpr bool keeps = Plan::slots_bytes >= 8 * Experts * sizeof(float);
  float* kept = w.shared<float>(Shared::slots_at) + (keeps ? row * Experts : 0);
  PerLane<float> values[experts_per_lane], biases[experts_per_lane];
  w.lanes([&](int lane) {
    TILE_UNROLL
    for (int i = 0; i < experts_per_lane; ++i) {
      const int expert = i * 32 + lane;
      values[i][lane] = expert < Experts ? logit_of(expert) : -INFINITY;
      biases[i][lane] = expert < Experts && bias ? bias[expert] : 0.0f;
    }
    TILE_UNROLL
    for (int i = 0; i < experts_per_lane; ++i)
      if (keeps && i * 32 + lane < Experts) kept[i * 32 + lane] = values[i][lane];
  });
  w.sync_lanes();
  float peak = 0, total = 1;
  if constexpr (IsSoftmax<Score>::value) {
    PerLane<float> part;
    w.lanes([&](int lane) {
      part[lane] = values[0][lane];
      TILE_UNROLL
      for (int i = 1; i < experts_per_lane; ++i) part[lane] = fmaxf(part[lane], values[i][lane]);
    });
    peak = w.max(part);
    w.lanes([&](int lane) {
      part[lane] = 0;
      TILE_UNROLL
      for (int i = 0; i < experts_per_lane; ++i)
        if (i * 32 + lane < Experts) part[lane] += expf(values[i][lane] - peak);
    });
    total = w.sum(part);
  }
  const auto score_of = [&](float logit) {
    if constexpr (IsSoftmax<Score>::value)
      return expf(logit - peak) / total;
    else
      return score(logit);
  };
  PerLane<u32> keys[experts_per_lane];
  w.lanes([&](int lane) {
    TILE_UNROLL
    for (int i = 0; i < experts_per_lane; ++i) {
      const int expert = i * 32 + lane;
      keys[i][lane] = expert < Experts ? key_of(choose(score_of(values[i][lane]), biases[i][lane])) : 0;
    }
  });
  PerLane<int> chosen;  // lane = slot
  PerLane<u32> bits;    // lane = word
  w.lanes([&](int lane) { chosen[lane] = 0, bits[lane] = 0; });
  // A lane brings forward the two greatest of its keys that are not taken; whoever has the greatest of all gives it up, until a lane has
  // given both.
  PerLane<u32> taken;  // a bit for each of the lane's experts
  w.lanes([&](int lane) { taken[lane] = 0; });
  TILE_LOOP
  for (int slot = 0; slot < TopK;) {
    PerLane<u32> key, next;
    PerLane<int> own, behind;
    w.lanes([&](int lane) {
      u32 first[experts_per_lane], second[experts_per_lane];
      int at[experts_per_lane], then[experts_per_lane];
      TILE_UNROLL
      for (int i = 0; i < experts_per_lane; ++i) first[i] = taken[lane] >> i & 1 ? 0 : keys[i][lane], at[i] = i, second[i] = 0, then[i] = i;
      TILE_UNROLL
      for (int step = 1; step < experts_per_lane; step *= 2)
        TILE_UNROLL
        for (int i = 0; i + step < experts_per_lane; i += 2 * step) {
          const int j = i + step;
          const bool better = first[j] > first[i];
          const u32 loser = better ? first[i] : first[j], rest = better ? second[j] : second[i];
          const int loser_at = better ? at[i] : at[j], rest_at = better ? then[j] : then[i];
          if (better) first[i] = first[j], at[i] = at[j];
          // Of equal keys the one of the lower expert comes first: better's rest lies above the loser, the other's below.
          const bool take_rest = better ? rest > loser : rest >= loser;
          second[i] = take_rest ? rest : loser, then[i] = take_rest ? rest_at : loser_at;
        }
      key[lane] = first[0], own[lane] = at[0], next[lane] = second[0], behind[lane] = then[0];
    });
    PerLane<bool> gave;
    bool empty = false;
    w.lanes([&](int lane) { gave[lane] = false; });
    TILE_LOOP
    for (; slot < TopK && !empty; ++slot) {
      const u32 greatest = w.max(key);
      PerLane<int> lowest;
      w.lanes([&](int lane) { lowest[lane] = key[lane] == greatest ? own[lane] * 32 + lane : Experts; });
      const int best = w.min(lowest);
      PerLane<bool> twice;
      w.lanes([&](int lane) {
        const bool mine = best % 32 == lane;
        twice[lane] = mine && gave[lane];
        if (mine) taken[lane] |= 1u << best / 32, key[lane] = next[lane], own[lane] = behind[lane], gave[lane] = true;
        if (lane == slot) chosen[lane] = best;
        if (lane == best / 32) bits[lane] |= 1u << best % 32;
      });
      empty = w.ballot(twice) != 0;
    }
  }
  // The scores of the chosen once more, so that those of all need not be kept.
  w.lanes([&](int lane) {
    if (lane < TopK) {
      choice.expert[row][lane] = u16(chosen[lane]);
      routes.weight[row][lane] = score_of(keeps ? kept[chosen[lane]] : logit_of(chosen[lane]));
    }
    if (lane < RouteChoice::words) choice.bits[row][lane] = bits[lane];
  });
}

/** Scores of a row's chosen experts become their weights. */
template <int TopK>
TILE_FN void weigh_row(Warp& w, RouteTable& routes, int row, bool renormalise, float eps, float factor) {
  PerLane<float> scores;
  w.lanes([&](int lane) { scores[lane] = lane < TopK ? routes.weight[row][lane] : 0.0f; });
  float norm = 0;
  TILE_LOOP
  for (int slot = 0; slot < TopK; ++slot) norm += w.broadcast(scores, slot);
  w.lanes([&](int lane) {
    if (lane < TopK) routes.weight[row][lane] = renormalise ? scores[lane] / (norm + eps) * factor : scores[lane] * factor;
  });
}

/** The active experts as the rows have chosen them. A lane has a word of their bits, and of what lower words have: active experts in the low half, pairs of a
    row and an expert, at most 8 an expert, in the high one. */
struct ActiveExperts {
  PerLane<u32> used;
  PerLane<int> below;
  int count;
};
constexpr int pair_shift = 16;
TILE_FN ActiveExperts active_experts(Warp& w, int rows) {
  const RouteChoice& choice = *w.shared<RouteChoice>(Shared::choice_at);
  for (int row = 0; row < rows; ++row) w.area_reads(Area::route_choice, row);
  ActiveExperts experts;
  PerLane<int> counts;
  w.lanes([&](int lane) {
    u32 used = 0;
    int pairs = 0;
    TILE_UNROLL
    for (int row = 0; row < 8; ++row) {
      const u32 bits = lane < RouteChoice::words && row < rows ? choice.bits[row][lane] : 0;
      used |= bits, pairs += popcount(bits);
    }
    experts.used[lane] = used, counts[lane] = (pairs << pair_shift) + popcount(used);
  });
  experts.below = w.sum_before(counts);
  experts.count = w.sum(counts) & ((1 << pair_shift) - 1);
  return experts;
}
/** The active expert that so many others lie below. */
TILE_FN int expert_at(Warp& w, const ActiveExperts& experts, int place) {
  PerLane<bool> reached;
  w.lanes([&](int lane) { reached[lane] = (experts.below[lane] & ((1 << pair_shift) - 1)) <= place; });
  const int word = popcount(w.ballot(reached)) - 1;
  u32 bits = w.broadcast(experts.used, word);
  for (int left = place - (w.broadcast(experts.below, word) & ((1 << pair_shift) - 1)); left > 0; --left) bits &= bits - 1;
  return word * 32 + popcount(~bits & (bits - 1));
}

/** Gives this warp's share of the (row, slot) pairs their place in the table, and their results a number. Both count what lies below. */
template <int TopK>
TILE_FN void list_active(Warp& w, RouteTable& routes, const RouteChoice& choice, int rows) {
  const ActiveExperts experts = active_experts(w, rows);
  for (int first = w.index * 32; first < rows * TopK; first += w.count * 32) {
    PerLane<int> expert, word;
    w.lanes([&](int lane) {
      const int pair = first + lane;
      expert[lane] = pair < rows * TopK ? choice.expert[pair / TopK][pair % TopK] : 0;
      word[lane] = expert[lane] / 32;
    });
    const PerLane<int> below = w.pick(experts.below, word);
    const PerLane<u32> bits = w.pick(experts.used, word);
    w.lanes([&](int lane) {
      const int pair = first + lane;
      if (pair >= rows * TopK) return;
      const u32 bit = 1u << expert[lane] % 32;
      const int own = pair / TopK, place = (below[lane] & ((1 << pair_shift) - 1)) + popcount(bits[lane] & (bit - 1));
      int result = below[lane] >> pair_shift;
      TILE_UNROLL
      for (int row = 0; row < 8; ++row) result += popcount(row < rows ? choice.bits[row][word[lane]] & (row < own ? bit * 2 - 1 : bit - 1) : 0);
      routes.expert[place] = u16(expert[lane]);
      routes.result[place][own] = routes.slot_result[own][pair % TopK] = (signed char)(result);
    });
    if (first == 0) w.once([&] { routes.active = experts.count, routes.rows = rows; });
  }
}

/** All warps of the compute role, each a part of it, ahead of what the role waits for before it routes: of the last table nothing is left. Who summed by its
    weights has read it for the last time, for it has given the slots back. */
TILE_FN void open_table(Warp& w, int site) {
  w.slots_acquire(site);
  RouteTable& routes = w.table_for_writing_shared();
  w.lanes([&](int lane) {
    constexpr int words = Plan::max_active + Plan::top_k;  // of 8 bytes: of both arrays, which lie one behind the other
    u64* none = reinterpret_cast<u64*>(routes.result);
    for (int at = w.index * 32 + lane; at < words; at += w.count * 32) none[at] = ~u64(0);
  });
}

/** All warps of the compute role together, when all have opened the table and met: each chooses for rows of its own. */
template <int Experts = Plan::experts, int TopK = Plan::top_k, class Score, class Choose, class Scale = Scaled>
TILE_FN void choose(Warp& w, const float* logits, int parts, const float* bias, int rows, Score score, Choose choose, Scale scale = {}) {
  RouteTable& routes = w.table_for_writing_shared();
  RouteChoice& choice = *w.shared<RouteChoice>(Shared::choice_at);
  for (int row = w.index; row < rows; row += w.count) {
    w.area_writes(Area::route_choice, row);
    choose_row<Experts, TopK>(w, routes, choice, logits + row * Experts, parts, size_t(8) * Experts, bias, row, score, choose, scale);
  }
}

/** All warps of the compute role together, behind choose; the table is complete for them when it returns. Other roles wait on a local counter. */
template <int TopK = Plan::top_k>
TILE_FN void route(Warp& w, int rows, bool renormalise, float eps, float factor, int site) {
  RouteTable& routes = w.table_for_writing_shared();
  for (int row = w.index; row < rows; row += w.count) weigh_row<TopK>(w, routes, row, renormalise, eps, factor);
  w.role_barrier(site);
  w.afresh();  // what choosing has found would wait in local memory, far away
  if (w.index == 0) w.table_for_writing();
  list_active<TopK>(w, routes, *w.shared<RouteChoice>(Shared::choice_at), rows);
  w.role_barrier(site);
}

}  // namespace tile
