// AttendTile over spans of the KV cache and merge_chunks, against a float64 softmax: full and windowed, with and without a sink; a last
// chunk that is not whole, a window that begins within a chunk. A row by itself has the bits that it has among others.
#include "plan.h"
#include "harness.h"
using namespace tile;

namespace unit {
const int sms = 1;
constexpr int group = 4, qd = 48, vd = 32, spans = 5, chunk = 2, chunks = 3, m_rows = 32, m_tiles = m_rows / 16, token_rows = 7, cases = 4, alone = 5;
constexpr size_t k_bytes = size_t(k_span_elements(qd)) * 2, v_bytes = size_t(v_span_elements(vd)) * 2;
const size_t image_bytes = 16, kv_bytes = spans * (k_bytes + v_bytes);
constexpr size_t q_at = 0, position_at = m_rows * qd * 2, sink_at = position_at + 32, partial_at = 8192;
constexpr size_t o_bytes = size_t(chunks) * m_rows * vd * 4, m_bytes = size_t(chunks) * m_rows * 4;
constexpr size_t case_bytes = o_bytes + 2 * m_bytes, out_at = partial_at + cases * case_bytes;
constexpr size_t out_bytes = size_t(group) * vd * 8 * 2;
constexpr float scale = 0.2f;
TILE_BOTH int window(int which) { return which == 1 ? 40 : 0; }
TILE_BOTH int position(int row) { return 250 + row * 3; }
/** The last case is one row alone. */
TILE_BOTH int first_row(int which) { return which == 3 ? alone : 0; }
TILE_BOTH int rows_of(int which) { return which == 3 ? 1 : token_rows; }

struct Problem {
  float k[spans * 64][qd], v[spans * 64][vd], q[m_rows][qd], sink[group];
};
const Problem& problem() {
  static const Problem made = [] {
    Problem p{};
    Random random(9);
    for (auto& row : p.k)
      for (float& x : row) x = round_bf16(float(random.normal()));
    for (auto& row : p.v)
      for (float& x : row) x = round_bf16(float(random.normal()));
    for (int r = 0; r < token_rows * group; ++r)
      for (float& x : p.q[r]) x = round_bf16(float(random.normal()));
    for (float& x : p.sink) x = float(random.normal());
    return p;
  }();
  return made;
}
void fill(int, char*, char* kv, char* data) {
  const Problem& p = problem();
  for (int s = 0; s < spans * 64; ++s) {
    bf16* k = reinterpret_cast<bf16*>(kv + size_t(s / 64) * (k_bytes + v_bytes));
    bf16* v = k + k_bytes / 2;
    for (int d = 0; d < qd; ++d) k[k_at(s % 64, d, qd)] = to_bf16(p.k[s][d]);
    for (int d = 0; d < vd; ++d) v[v_at(s % 64, d, vd)] = to_bf16(p.v[s][d]);
  }
  for (int r = 0; r < m_rows; ++r)
    for (int d = 0; d < qd; ++d) reinterpret_cast<bf16*>(data + q_at)[r * qd + d] = to_bf16(p.q[r][d]);
  for (int r = 0; r < 8; ++r) reinterpret_cast<int*>(data + position_at)[r] = position(r);
  std::memcpy(data + sink_at, p.sink, sizeof p.sink);
}
std::string check(int, const char* data) {
  const Problem& p = problem();
  for (int which = 0; which < cases; ++which)
    for (int row = first_row(which); row < first_row(which) + rows_of(which); ++row)
      for (int head = 0; head < group; ++head) {
        double peak = -1e30, total = 0, out[vd] = {};
        std::vector<double> logit(spans * 64, -1e30);
        const int last = position(row), first = window(which) ? last - window(which) + 1 : 0;
        for (int s = first; s <= last; ++s) {
          double sum = 0;
          for (int d = 0; d < qd; ++d) sum += double(p.q[row * group + head][d]) * double(p.k[s][d]);
          logit[size_t(s)] = sum * double(scale);
          peak = std::max(peak, logit[size_t(s)]);
        }
        for (int s = first; s <= last; ++s) {
          const double weight = std::exp(logit[size_t(s)] - peak);
          total += weight;
          for (int d = 0; d < vd; ++d) out[d] += weight * double(p.v[s][d]);
        }
        if (which == 2) total += std::exp(double(p.sink[head]) - peak);
        for (int d = 0; d < vd; ++d) {
          const auto result = [&](int which, int row) { return reinterpret_cast<const bf16*>(data + out_at + size_t(which) * out_bytes)[columns_at(head * vd + d, row)]; };
          const float got = to_f32(result(which, row - first_row(which)));
          if (which == 3 && result(0, row).bits != result(3, 0).bits) return "row " + std::to_string(row) + " head " + std::to_string(head) + " dim " + std::to_string(d) + " has other bits alone";
          if (!(std::fabs(double(got) - out[d] / total) <= 0.012)) return "case " + std::to_string(which) + " row " + std::to_string(row) + " head " + std::to_string(head) + " dim " + std::to_string(d) + ": " + std::to_string(got) + ", expected " + std::to_string(out[d] / total);
        }
      }
  return "";
}
}  // namespace unit

TILE_FN AttendTasks<1, unit::m_tiles, unit::chunk> tasks_of(Warp& w, int which) {
  const int* position = w.ws<int>(Plan::data_at + unit::position_at) + unit::first_row(which);
  return attend_tasks<1, unit::m_tiles, unit::chunk>(w, position, unit::rows_of(which), unit::window(which));
}
TILE_ROLE void role_load(Warp& w) {
  for (int which = 0; which < unit::cases; ++which) {
    const auto tasks = tasks_of(w, which);
    for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
      const AttendTask task = tasks.task(number);
      for (int span = task.spans.begin; span < task.spans.end; ++span) {
        w.ring_acquire(s_load_acquire);
        w.ring_copy(s_load_copy, 0, w.kv(size_t(span) * (unit::k_bytes + unit::v_bytes)), u32(unit::k_bytes));
        w.ring_copy(s_load_copy, u32(unit::k_bytes), w.kv(size_t(span) * (unit::k_bytes + unit::v_bytes) + unit::k_bytes), u32(unit::v_bytes));
        w.ring_commit(s_load_commit, u32(unit::k_bytes + unit::v_bytes));
      }
    }
  }
}
TILE_ROLE void role_compute(Warp& w) {
  for (int which = 0; which < unit::cases; ++which) {
    const auto tasks = tasks_of(w, which);
    const RowPositions rows{w.ws<int>(Plan::data_at + unit::position_at) + unit::first_row(which), unit::rows_of(which)};
    const bf16* q = w.ws<bf16>(Plan::data_at + unit::q_at) + unit::first_row(which) * unit::group * unit::qd;
    const size_t at = Plan::data_at + unit::partial_at + size_t(which) * unit::case_bytes;
    float *o = w.ws<float>(at), *m = w.ws<float>(at + unit::o_bytes), *l = w.ws<float>(at + unit::o_bytes + unit::m_bytes);
    for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
      const AttendTask task = tasks.task(number);
      AttendTile<unit::group, unit::qd, unit::vd, unit::m_tiles> tile(w, task, q, rows, unit::window(which));
      for (int span = task.spans.begin; span < task.spans.end; ++span) {
        const char* page = w.ring_await(s_compute_await);
        tile.add(w, page, page + unit::k_bytes, span, unit::scale);
        w.ring_release(s_compute_release);
      }
      const int row = task.chunk * unit::m_rows;
      tile.leave(w, o + row * unit::vd, m + row, l + row);
    }
    w.role_barrier(s_role_barrier);
    bf16* out = w.ws<bf16>(Plan::data_at + unit::out_at + size_t(which) * unit::out_bytes);
    for (int r = w.index; r < rows.rows * unit::group; r += w.count) {
      const int head = r % unit::group;
      // by halves of the values, as two warps would
      for (int first = 0; first < unit::vd; first += unit::vd / 2)
        merge_chunks<unit::vd, unit::vd / 2, unit::chunks>(w, o, m, l, unit::m_rows, r, first, tasks.chunks, which == 2 ? w.ws<float>(Plan::data_at + unit::sink_at) + head : nullptr, out, r / unit::group, head * unit::vd);
    }
  }
}
TILE_ROLE void role_epilogue(Warp&) {}
TILE_ROLE void role_communicate(Warp&) {}
