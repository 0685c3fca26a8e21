// The routing decision, taken by every SM for itself from the same logits and so the same everywhere: a warp chooses the experts
// of a row, then the first warp of the role lists the active ones in ascending order. Ties go to the lower expert.
//
// score(logit): the gate's weight before renormalisation. choose(score, bias): what the choice compares. `softmax_score` in place
// of score stands for the softmax over the row. Layers may differ in Experts and TopK; the plan's are the most of any.
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

template <int Experts, int TopK, class Score, class Choose>
TILE_FN void route_row(Warp& w, RouteTable& routes, signed char* choice, const float* logits, const float* bias, int row, bool renormalise, float eps,
                       float factor, Score score, Choose choose) {
  constexpr int experts_per_lane = ceil_div(Experts, 32);
  PerLane<float> scores[experts_per_lane], keys[experts_per_lane];
  float peak = 0, total = 1;
  if constexpr (IsSoftmax<Score>::value) {
    PerLane<float> part;
    w.lanes([&](int lane) {
      part[lane] = -INFINITY;
      TILE_UNROLL
      for (int i = 0; i < experts_per_lane; ++i)
        if (i * 32 + lane < Experts) part[lane] = fmaxf(part[lane], logits[i * 32 + lane]);
    });
    peak = w.max(part);
    w.lanes([&](int lane) {
      part[lane] = 0;
      TILE_UNROLL
      for (int i = 0; i < experts_per_lane; ++i)
        if (i * 32 + lane < Experts) part[lane] += expf(logits[i * 32 + lane] - peak);
    });
    total = w.sum(part);
  }
  w.lanes([&](int lane) {
    TILE_UNROLL
    for (int i = 0; i < experts_per_lane; ++i) {
      const int expert = i * 32 + lane;
      scores[i][lane] = 0, keys[i][lane] = -INFINITY;
      if (expert < Experts) {
        if constexpr (IsSoftmax<Score>::value)
          scores[i][lane] = expf(logits[expert] - peak) / total;
        else
          scores[i][lane] = score(logits[expert]);
        // A key of -infinity marks what is taken already; a NaN must not stop the choice from finding top_k distinct experts.
        keys[i][lane] = fmaxf(choose(scores[i][lane], bias ? bias[expert] : 0.0f), -3.0e38f);
      }
    }
  });
  float chosen_scores[TopK];
  float norm = 0;
  TILE_UNROLL
  for (int slot = 0; slot < TopK; ++slot) {
    PerLane<float> value, score_of_best;
    PerLane<int> index;
    w.lanes([&](int lane) {
      value[lane] = keys[0][lane], index[lane] = lane, score_of_best[lane] = scores[0][lane];
      TILE_UNROLL
      for (int i = 1; i < experts_per_lane; ++i)
        if (keys[i][lane] > value[lane]) value[lane] = keys[i][lane], index[lane] = i * 32 + lane, score_of_best[lane] = scores[i][lane];
    });
    const int best = w.best(value, index).index;
    const float best_score = w.broadcast(score_of_best, best % 32);
    w.lanes([&](int lane) {
      TILE_UNROLL
      for (int i = 0; i < experts_per_lane; ++i)
        if (i * 32 + lane == best) keys[i][lane] = -INFINITY;
    });
    w.once([&] { choice[best * 8 + row] = (signed char)slot; });
    chosen_scores[slot] = best_score;
    norm += best_score;
  }
  const float scale = renormalise ? factor / (norm + eps) : factor;
  w.once([&] {
    TILE_UNROLL
    for (int slot = 0; slot < TopK; ++slot) routes.weight[row][slot] = renormalise ? chosen_scores[slot] / (norm + eps) * factor : chosen_scores[slot] * scale;
  });
}

/** All warps of the compute role together; the table is complete for them when it returns. Other roles wait on a local counter. */
template <int Experts = Plan::experts, int TopK = Plan::top_k, class Score, class Choose>
TILE_FN void route(Warp& w, const float* logits, const float* bias, int rows, bool renormalise, float eps, float factor, int site, Score score, Choose choose) {
  RouteTable& routes = w.table_for_writing_shared();
  signed char* choice = w.shared<signed char>(Shared::choice_at);
  for (int row = w.index; row < rows; row += w.count) {
    w.area_writes(Area::route_choice, row);
    route_row<Experts, TopK>(w, routes, choice, logits + row * Experts, bias, row, renormalise, eps, factor, score, choose);
  }
  w.role_barrier(site);
  if (w.index == 0) {
    w.table_for_writing();
    for (int row = 0; row < rows; ++row) w.area_writes(Area::route_choice, row);
    int active = 0;
    for (int base = 0; base < Experts; base += 32) {
      PerLane<bool> used;
      w.lanes([&](int lane) {
        used[lane] = false;
        if (base + lane < Experts)
          for (int row = 0; row < rows; ++row) used[lane] = used[lane] || choice[(base + lane) * 8 + row] >= 0;
      });
      const u32 bits = w.ballot(used);
      w.lanes([&](int lane) {
        if (!used[lane]) return;
        const int at = active + popcount(bits & ((1u << lane) - 1u));
        if (at < Plan::max_active) {
          routes.expert[at] = u16(base + lane);
          for (int row = 0; row < 8; ++row) routes.slot[at][row] = choice[(base + lane) * 8 + row];
        }
        for (int row = 0; row < 8; ++row) choice[(base + lane) * 8 + row] = -1;
      });
      active += popcount(bits);
    }
    w.once([&] { routes.active = active, routes.rows = rows; });
  }
  w.role_barrier(site);
}

}  // namespace tile
