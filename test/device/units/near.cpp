// attend_near against a float64 softmax, over caches that are rings: four visible spans, windows that begin before the first key, m tiles
// of one row and of several, rows that are not there, several KV heads, parts of the value dims, sinks, blocks that see themselves. A
// row by itself has the bits that it has among others.
#include "plan.h"
#include "harness.h"
using namespace tile;

namespace unit {
const int sms = 2;
struct Case {
  int group, qd, vd, window, slots, parts, kv, rows, position;
  bool sink, block;
  int like, row;  // the case of which this is one row alone, or -1
};
constexpr int cases = 6;
TILE_BOTH constexpr Case case_of(int which) {
  return which == 0   ? Case{4, 48, 32, 128, 4, 2, 2, 8, 381, false, false, -1, 0}  // keys 254 to 388: four spans, the first in the last slot
         : which == 1 ? Case{4, 48, 32, 128, 4, 2, 2, 1, 386, false, false, 0, 5}
         : which == 2 ? Case{2, 32, 40, 40, 2, 1, 3, 5, 3, true, false, -1, 0}
         : which == 3 ? Case{16, 192, 128, 128, 4, 4, 1, 7, 200, true, false, -1, 0}
         : which == 4 ? Case{16, 192, 128, 128, 4, 4, 1, 1, 206, true, false, 3, 6}
                      : Case{4, 48, 32, 64, 3, 1, 2, 8, 300, true, true, -1, 0};
}
TILE_BOTH constexpr int m_rows(const Case& c) { return ceil_div(8 * c.group, 16) * 16; }
constexpr size_t kv_each = 1 << 18, data_each = 1 << 17, position_at = 1 << 16, sink_at = position_at + 64, out_at = sink_at + 512;
const size_t image_bytes = 16, kv_bytes = cases * kv_each;
TILE_BOTH constexpr size_t values_at(const Case& c) { return size_t(c.kv * c.slots) * size_t(k_span_elements(c.qd)) * 2; }
constexpr float scale = 0.15f;

/** Numbers of a case, or of the one that it is a row of. */
struct Problem {
  std::vector<float> q, k, v, sink;
  int keys;
};
Problem problem(int which) {
  const int like = case_of(which).like;
  const Case c = case_of(like < 0 ? which : like);
  Random random(unsigned(11 + (like < 0 ? which : like)));
  Problem p;
  p.keys = (c.position + c.rows + 63) / 64 * 64;
  const auto numbers = [&](std::vector<float>& to, int count, bool rounded) {
    for (int i = 0; i < count; ++i) to.push_back(rounded ? round_bf16(float(random.normal())) : float(random.normal()));
  };
  numbers(p.q, c.kv * c.rows * c.group * c.qd, true);
  numbers(p.k, c.kv * p.keys * c.qd, true);
  numbers(p.v, c.kv * p.keys * c.vd, true);
  numbers(p.sink, c.kv * c.group, false);
  return p;
}
/** The query of an m row: of a case that is one row alone, that row's. */
const float* query(const Problem& p, int which, int head, int m_row) {
  const Case c = case_of(which);
  const int rows = c.like < 0 ? c.rows : case_of(c.like).rows;
  return p.q.data() + size_t((head * rows + c.row) * c.group + m_row) * size_t(c.qd);
}
void fill(int, char*, char* kv, char* data) {
  for (int which = 0; which < cases; ++which) {
    const Case c = case_of(which);
    const Problem p = problem(which);
    char* to = data + size_t(which) * data_each;
    std::memset(to, 0, data_each);
    bf16* k = reinterpret_cast<bf16*>(kv + size_t(which) * kv_each);
    bf16* v = k + values_at(c) / 2;
    for (int head = 0; head < c.kv; ++head) {
      // Older keys first: their places are taken by later ones.
      for (int s = 0; s < p.keys; ++s) {
        const int slot = head * c.slots + s / 64 % c.slots;
        for (int d = 0; d < c.qd; ++d) k[slot * k_span_elements(c.qd) + k_at(s % 64, d, c.qd)] = to_bf16(p.k[size_t((head * p.keys + s) * c.qd + d)]);
        for (int d = 0; d < c.vd; ++d) v[slot * v_span_elements(c.vd) + v_at(s % 64, d, c.vd)] = to_bf16(p.v[size_t((head * p.keys + s) * c.vd + d)]);
      }
      for (int r = 0; r < c.rows * c.group; ++r)
        for (int d = 0; d < c.qd; ++d) reinterpret_cast<bf16*>(to)[(head * m_rows(c) + r) * c.qd + d] = to_bf16(query(p, which, head, r)[d]);
    }
    for (int r = 0; r < 8; ++r) reinterpret_cast<int*>(to + position_at)[r] = c.position + r;
    std::memcpy(to + sink_at, p.sink.data(), p.sink.size() * 4);
  }
}
const bf16* output(const char* data, int which) { return reinterpret_cast<const bf16*>(data + size_t(which) * data_each + out_at); }

std::string check(int, const char* data) {
  for (int which = 0; which < cases; ++which) {
    const Case c = case_of(which);
    const Problem p = problem(which);
    for (int head = 0; head < c.kv; ++head)
      for (int r = 0; r < c.rows * c.group; ++r) {
        const int row = r / c.group, at = c.position + row, end = c.position + c.rows - 1;
        const int first = std::max(0, at - c.window + 1), last = c.block ? std::min(end, at + c.window - 1) : at;
        std::vector<double> logit(size_t(last + 1)), sum(size_t(c.vd));
        double peak = c.sink ? double(p.sink[size_t(head * c.group + r % c.group)]) : -1e30;
        for (int s = first; s <= last; ++s) {
          for (int d = 0; d < c.qd; ++d) logit[size_t(s)] += double(scale) * double(query(p, which, head, r)[d]) * double(p.k[size_t((head * p.keys + s) * c.qd + d)]);
          peak = std::max(peak, logit[size_t(s)]);
        }
        double total = c.sink ? std::exp(double(p.sink[size_t(head * c.group + r % c.group)]) - peak) : 0;
        for (int s = first; s <= last; ++s) {
          const double weight = std::exp(logit[size_t(s)] - peak);
          total += weight;
          for (int d = 0; d < c.vd; ++d) sum[size_t(d)] += weight * double(p.v[size_t((head * p.keys + s) * c.vd + d)]);
        }
        for (int d = 0; d < c.vd; ++d) {
          const int k = (head * c.group + r % c.group) * c.vd + d;
          const bf16 got = output(data, which)[columns_at(k, row)];
          const std::string where = "case " + std::to_string(which) + " head " + std::to_string(head) + " m row " + std::to_string(r) + " dim " + std::to_string(d) + ": ";
          if (!(std::fabs(double(to_f32(got)) - sum[size_t(d)] / total) <= 0.015)) return where + std::to_string(to_f32(got)) + ", expected " + std::to_string(sum[size_t(d)] / total);
          if (c.like >= 0 && got.bits != output(data, c.like)[columns_at(k, c.row)].bits) return where + "other bits than among other rows";
        }
      }
    // Rows that are not there are left alone.
    for (int row = c.rows; row < 8; ++row)
      for (int k = 0; k < c.kv * c.group * c.vd; ++k)
        if (output(data, which)[columns_at(k, row)].bits != 0) return "case " + std::to_string(which) + " row " + std::to_string(row) + " is written";
  }
  return "";
}

template <int Which>
TILE_FN void attend(Warp& w) {
  constexpr Case c = case_of(Which);
  const size_t at = Plan::data_at + Which * data_each;
  const char* kv = w.kv(Which * kv_each);
  const RowPositions rows{w.ws<int>(at + position_at), c.rows, c.block};
  const NearAttention<c.group, c.qd, c.vd, c.window, c.slots, c.parts> near{kv, kv + values_at(c), rows};
  const Share tasks = share(w, c.kv * near.m_tiles * c.parts);
  touch_near(w, near, tasks);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    attend_near(w, near, task, w.ws<const bf16>(at), scale, c.sink ? w.ws<const float>(at + sink_at) : nullptr);
    w.role_barrier_within(s_role_barrier);
    merge_near(w, near, task, w.ws<bf16>(at + out_at));
    w.role_barrier(s_role_barrier);
  }
  if constexpr (Which + 1 < cases) attend<Which + 1>(w);
}
}  // namespace unit

TILE_ROLE void role_load(Warp&) {}
TILE_ROLE void role_compute(Warp& w) { unit::attend<0>(w); }
TILE_ROLE void role_epilogue(Warp&) {}
TILE_ROLE void role_communicate(Warp&) {}
