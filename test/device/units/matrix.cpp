// multiply in every format against float64, for random cells; and that a column's bits depend on no other column.
#include "plan.h"
#include "harness.h"
using namespace tile;

namespace unit {
const int sms = 1;
constexpr int units = 6, k = units * 32, trials = 3;
constexpr int formats = 4;
constexpr size_t page = 16384;
const size_t image_bytes = formats * trials * page, kv_bytes = 16;
// data: per trial two sets of columns (the second shares column 3 only), then outputs
constexpr size_t columns_bytes = size_t(units) * 512, out_at = 2 * trials * columns_bytes;

inline size_t out(int format, int trial, int set) { return out_at + size_t((format * trials + trial) * 2 + set) * 512; }

struct Problem {
  float w[16][k];
  bf16 x[2][8][k];
};
void put(char* at, float v) { std::memcpy(at, &v, 4); }

Problem problem(int format, int trial, char* cell) {
  static Problem p;
  Random random(unsigned(trial + 10));
  for (int set = 0; set < 2; ++set)
    for (int c = 0; c < 8; ++c)
      for (int i = 0; i < k; ++i) {
        const double v = random.normal() * std::pow(2.0, random.uniform() * 30 - 20);
        p.x[set][c][i] = set == 1 && c == 3 ? p.x[0][3][i] : to_bf16(float(v));
      }
  Random weights(unsigned(format * 100 + trial));
  for (int unit = 0; unit < units; ++unit)
    for (int r = 0; r < 16; ++r) {
      float scale = 1;
      if (format == 2) {
        scale = float(0.01 + (r / 8 + unit) * 0.013);
        if (cell) put(cell + cell_codes<E4M3>(units) + unit * E4M3::scale_bytes + E4M3::scale_at(r), scale);
      }
      if (format == 3) {
        const u8 byte = u8(90 + (r * 7 + unit * 5 + trial) % 60);
        scale = e8m0_to_f32(byte);
        if (cell) cell[cell_codes<E2M1>(units) + unit * E2M1::scale_bytes + E2M1::scale_at(r)] = char(byte);
      }
      for (int i = 0; i < 32; ++i) {
        float& w = p.w[r][unit * 32 + i];
        if (format == 0) {
          w = float(weights.normal());
          if (cell) put(cell + unit * F32::unit_bytes + F32::byte_at(r, i), w);
        } else if (format == 1) {
          const bf16 b = to_bf16(float(weights.normal()));
          w = to_f32(b);
          if (cell) std::memcpy(cell + unit * BF16::unit_bytes + BF16::byte_at(r, i), &b, 2);
        } else if (format == 2) {
          u8 code = u8(weights.next() >> 7);
          if ((code & 0x7F) == 0x7F) code ^= 1;
          w = e4m3_to_f32(code) * scale;
          if (cell) cell[unit * E4M3::unit_bytes + E4M3::byte_at(r, i)] = char(code);
        } else {
          const u8 code = u8(weights.next() >> 7 & 15);
          w = e2m1_to_f32(code) * scale;
          if (cell) {
            u64 words;
            char* at = cell + unit * E2M1::unit_bytes + E2M1::lane_at(r, i);
            std::memcpy(&words, at, 8);
            words |= E2M1::place(code, r, i);
            std::memcpy(at, &words, 8);
          }
        }
      }
    }
  return p;
}

void fill(int, char* image, char*, char* data) {
  for (int format = 0; format < formats; ++format)
    for (int trial = 0; trial < trials; ++trial) {
      const Problem p = problem(format, trial, image + size_t(format * trials + trial) * page);
      for (int set = 0; set < 2; ++set)
        for (int c = 0; c < 8; ++c)
          for (int i = 0; i < k; ++i) reinterpret_cast<bf16*>(data + size_t(trial * 2 + set) * columns_bytes)[columns_at(i, c)] = p.x[set][c][i];
    }
}
std::string check(int, const char* data) {
  for (int format = 0; format < formats; ++format)
    for (int trial = 0; trial < trials; ++trial) {
      const Problem p = problem(format, trial, nullptr);
      const float* got[2] = {reinterpret_cast<const float*>(data + out(format, trial, 0)), reinterpret_cast<const float*>(data + out(format, trial, 1))};
      for (int set = 0; set < 2; ++set)
        for (int r = 0; r < 16; ++r)
          for (int c = 0; c < 8; ++c) {
            double exact = 0, size = 0;
            for (int i = 0; i < k; ++i) {
              const double term = double(p.w[r][i]) * double(to_f32(p.x[set][c][i]));
              exact += term, size += std::fabs(term);
            }
            const double error = std::fabs(double(got[set][r * 8 + c]) - exact);
            if (!(error <= 2e-6 * size)) {
              char text[160];
              std::snprintf(text, sizeof text, "format %d trial %d row %d column %d: %g, expected %g, error %g of the terms", format, trial, r, c, double(got[set][r * 8 + c]), exact, error / size);
              return text;
            }
          }
      for (int r = 0; r < 16; ++r)
        if (f32_to_bits(got[0][r * 8 + 3]) != f32_to_bits(got[1][r * 8 + 3])) return "a column's bits depend on other columns";
    }
  return "";
}
}  // namespace unit

template <class Format>
TILE_FN void trial(Warp& w, int format) {
  for (int trial = 0; trial < unit::trials; ++trial) {
    const char* page = w.ring_await(s_compute_await);
    if (w.index < 2) {
      Staged<unit::units> x;
      stage(w, x, w.ws<bf16>(Plan::data_at + size_t(trial * 2 + w.index) * unit::columns_bytes), 0);
      Acc acc = zeros();
      // two products of three units each: one cell, ranges of the staged units
      multiply<Format, 3>(w, acc, page, page + cell_codes<Format>(unit::units), x);
      multiply<Format, 3>(w, acc, page + cell_codes<Format>(3), page + cell_codes<Format>(unit::units) + 3 * Format::scale_bytes, x, 3);
      float* out = w.ws<float>(Plan::data_at + unit::out_at + size_t((format * unit::trials + trial) * 2 + w.index) * 512);
      each(w, acc, [&](float& value, int row, int column) { out[row * 8 + column] = value; });
    }
    w.ring_release(s_compute_release);
  }
}
TILE_ROLE void role_load(Warp& w) {
  for (int i = 0; i < unit::formats * unit::trials; ++i) {
    w.ring_acquire(s_load_acquire);
    w.ring_copy(s_load_copy, 0, w.image(size_t(i) * unit::page), unit::page);
    w.ring_commit(s_load_commit, unit::page);
  }
}
TILE_ROLE void role_compute(Warp& w) {
  trial<F32>(w, 0);
  trial<BF16>(w, 1);
  trial<E4M3>(w, 2);
  trial<E2M1>(w, 3);
}
TILE_ROLE void role_epilogue(Warp&) {}
TILE_ROLE void role_communicate(Warp&) {}
