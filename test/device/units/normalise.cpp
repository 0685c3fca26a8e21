// stage, normalise over a k split across the role's warps, multiply, join: against float64. Three ways in turn: at once; the norm as a scale of the
// sum; the same with x staged in two goes, and again as a whole for its squares, which warps leave for one another.
#include "plan.h"
#include "harness.h"
using namespace tile;

namespace unit {
const int sms = 2;
constexpr int parts = 4, units = 3, k = parts * units * 32, rounds = 8, ways = 3;
const size_t image_bytes = size_t(parts) * BF16::unit_bytes * units, kv_bytes = 16;
constexpr size_t x_at = 0, gain_at = size_t(k) * 16, out_at = gain_at + 4096;
constexpr float eps = 1e-5f;

struct Problem {
  float w[16][k], x[8][k], gain[k];
};
const Problem& problem() {
  static const Problem made = [] {
    Problem p;
    Random random(5);
    for (auto& row : p.w)
      for (float& v : row) v = round_bf16(float(random.normal()));
    for (auto& row : p.x)
      for (float& v : row) v = round_bf16(float(random.normal() * 3));
    for (float& v : p.gain) v = round_bf16(float(1 + 0.1 * random.normal()));
    return p;
  }();
  return made;
}
void fill(int, char* image, char*, char* data) {
  const Problem& p = problem();
  for (int r = 0; r < 16; ++r)
    for (int i = 0; i < k; ++i) reinterpret_cast<bf16*>(image)[(i / 32 * BF16::unit_bytes + BF16::byte_at(r, i % 32)) / 2] = to_bf16(p.w[r][i]);
  for (int c = 0; c < 8; ++c)
    for (int i = 0; i < k; ++i) reinterpret_cast<bf16*>(data + x_at)[columns_at(i, c)] = to_bf16(p.x[c][i]);
  for (int i = 0; i < k; ++i) reinterpret_cast<bf16*>(data + gain_at)[i] = to_bf16(p.gain[i]);
}
std::string check(int, const char* data) {
  const Problem& p = problem();
  for (int way = 0; way < sms * ways; ++way) {
    const float* got = reinterpret_cast<const float*>(data + out_at) + way * 128;
    for (int c = 0; c < 8; ++c) {
      double mean = 0;
      for (float v : p.x[c]) mean += double(v) * double(v) / k;
      const double factor = 1 / std::sqrt(mean + double(eps));
      for (int r = 0; r < 16; ++r) {
        double exact = 0, size = 0;
        for (int i = 0; i < k; ++i) {
          const double term = double(p.w[r][i]) * double(p.x[c][i]) * factor * double(p.gain[i]);
          exact += term, size += std::fabs(term);
        }
        // every normalised value is rounded to bf16: at most 2^-9 of each term
        if (!(std::fabs(double(got[r * 8 + c]) - exact) <= size / 512 + 1e-6 * size)) return "row " + std::to_string(r) + " column " + std::to_string(c) + ": " + std::to_string(got[r * 8 + c]) + ", expected " + std::to_string(exact);
      }
    }
  }
  return "";
}
}  // namespace unit

TILE_ROLE void role_load(Warp& w) {
  for (int round = 0; round < unit::rounds; ++round) {
    w.ring_acquire(s_load_acquire);
    w.ring_copy(s_load_copy, 0, w.image(0), u32(unit::parts * unit::units * BF16::unit_bytes));
    w.ring_commit(s_load_commit, u32(unit::parts * unit::units * BF16::unit_bytes));
  }
}
TILE_FN float scale_of(float mean) { return inverse_sqrt(mean + unit::eps); }

TILE_FN void in_two_goes(Warp& w, Acc& acc, const bf16* gain, int part) {
  const bf16* from = w.ws<bf16>(Plan::data_at + unit::x_at);
  const int first = part * unit::units;
  constexpr int some = unit::units - 1;
  Staged<some> x;
  Staged<1> last;
  stage_for_norm(w, x, from, first);
  weigh_units(w, x, first, 0, gain);
  stage_for_norm(w, last, from, first + some);
  weigh_units(w, last, first + some, some, gain);
  const char* page = w.ring_await(s_compute_await) + part * unit::units * BF16::unit_bytes;
  multiply<BF16, some>(w, acc, page, nullptr, x);
  multiply<BF16, 1>(w, acc, page + some * BF16::unit_bytes, nullptr, last);
  w.ring_release(s_compute_release);
  Staged<unit::units> all;
  stage_for_norm(w, all, from, first);
  leave_squares(w, weigh_for_norm(w, all, first, gain));
  w.role_barrier(s_role_barrier);
  scale_columns(acc, scale_of_columns(w, scale_of_squares(w, unit::parts, unit::parts * unit::units, scale_of)));
  w.role_barrier(s_role_barrier);
  w.join_acquire(s_join_acquire);
  w.join_put(part, acc);
  w.join_commit(s_join_commit);
}

TILE_ROLE void role_compute(Warp& w) {
  for (int round = 0; round < unit::rounds; ++round) {
    const int part = w.index % unit::parts;
    Staged<unit::units> x;
    const bf16* gain = w.ws<bf16>(Plan::data_at + unit::gain_at);
    const char* own_gain = reinterpret_cast<const char*>(gain + part * unit::units * 32);
    const int way = round % unit::ways;
    if (way > 0)
      bring_weights<unit::units, true>(w, s_role_barrier, own_gain);
    else
      bring_weights<unit::units, false>(w, s_role_barrier, own_gain);
    Acc acc = zeros();
    if (way == 2) {
      in_two_goes(w, acc, gain, part);
      continue;
    }
    stage_for_norm(w, x, w.ws<bf16>(Plan::data_at + unit::x_at), part * unit::units);
    ColumnSums squares{};
    if (way == 1)
      squares = weigh_for_norm(w, x, part * unit::units, gain);
    else
      normalise(
          w, x, part * unit::units, unit::parts * unit::units, gain, unit::parts, s_role_barrier, [](float v) { return v * v; },
          [](float v, float mean, float factor) { return v * inverse_sqrt(mean + unit::eps) * factor; });
    const char* page = w.ring_await(s_compute_await) + part * unit::units * BF16::unit_bytes;
    multiply<BF16, unit::units>(w, acc, page, nullptr, x);
    w.ring_release(s_compute_release);
    w.join_acquire(s_join_acquire);
    if (way == 1)
      w.join_put(part, acc, squares);
    else
      w.join_put(part, acc);
    w.join_commit(s_join_commit);
  }
}
TILE_ROLE void role_epilogue(Warp& w) {
  for (int round = 0; round < unit::rounds; ++round) {
    if (round % w.count != w.index) {
      w.join_skip();
      continue;
    }
    Acc acc = w.join_take(s_join_take, unit::parts);
    const int way = round % unit::ways;
    if (way == 1) scale_columns(acc, w.join_scale(0, unit::parts, unit::parts * unit::units, scale_of));
    w.join_release(s_join_release);
    float* out = w.ws<float>(Plan::data_at + unit::out_at) + (w.sm * unit::ways + way) * 128;
    if (round >= unit::rounds - unit::ways) each(w, acc, [&](float& value, int row, int column) { out[row * 8 + column] = value; });
  }
}
TILE_ROLE void role_communicate(Warp&) {}
