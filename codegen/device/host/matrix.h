// Tiles and their arithmetic on the host: a tile is 16 rows of 8 columns, a row is one vector register. Weights are decoded to
// floats in the order of their bytes (which the compiler vectorises), then multiplied k by k: a row's sum depends on nothing
// but that row and that column.
#pragma once
#include "warp.h"

namespace tile {

typedef float F8 __attribute__((vector_size(32)));

struct Acc {
  F8 row[16];
};
inline Acc zeros() { return Acc{}; }

/** f(value, row 0..15, column 0..7). */
template <class F>
inline void each(Warp&, Acc& acc, F f) {
  for (int row = 0; row < 16; ++row) {
    float* values = reinterpret_cast<float*>(&acc.row[row]);
    for (int column = 0; column < 8; ++column) f(values[column], row, column);
  }
}
/** f(low, high, pair 0..7, column): rows `pair` and `pair + 8`. */
template <class F>
inline void each_pair(Warp&, Acc& acc, F f) {
  for (int pair = 0; pair < 8; ++pair) {
    float* low = reinterpret_cast<float*>(&acc.row[pair]);
    float* high = reinterpret_cast<float*>(&acc.row[pair + 8]);
    for (int column = 0; column < 8; ++column) f(low[column], high[column], pair, column);
  }
}
// A tile as 128 floats in the back end's own order: what joins and packets carry.
inline void store_tile(Warp&, float* to, const Acc& acc) { std::memcpy(to, &acc, 512); }
inline Acc load_tile(Warp&, const float* from) {
  Acc acc;
  std::memcpy(&acc, from, 512);
  return acc;
}
inline void add(Acc& to, const Acc& other) {
  for (int row = 0; row < 16; ++row) to.row[row] += other.row[row];
}

/** Units x k32 x 8 columns as floats, k in fragment order: value[unit][8 t + j][column]. */
template <int Units>
struct Staged {
  F8 value[Units][32];
};

template <int U>
inline void stage(Warp&, Staged<U>& x, const bf16* columns, int first_unit) {
  for (int unit = 0; unit < U; ++unit) {
    const bf16* from = columns + size_t(first_unit + unit) * 256;
    float* to = reinterpret_cast<float*>(x.value[unit]);
    for (int column = 0; column < 8; ++column)
      for (int i = 0; i < 32; ++i) to[i * 8 + column] = to_f32(from[column * 32 + i]);
  }
}

/** Sums over this warp's k of stat(x), a column each. */
template <int U, class Stat>
inline void staged_sums(Warp&, const Staged<U>& x, Stat stat, float* sums) {
  float total[8] = {};
  for (int unit = 0; unit < U; ++unit)
    for (int i = 0; i < 32; ++i)
      for (int column = 0; column < 8; ++column) total[column] += stat(x.value[unit][i][column]);
  for (int column = 0; column < 8; ++column) sums[column] = total[column];
}
/** x <- bf16(apply(x, mean of its column, weight of its k)). */
template <int U, class Mean, class Apply>
inline void staged_map(Warp&, Staged<U>& x, int first_unit, Mean mean_of, const bf16* weight, Apply apply) {
  float mean[8];
  for (int column = 0; column < 8; ++column) mean[column] = mean_of(column);
  for (int unit = 0; unit < U; ++unit)
    for (int i = 0; i < 32; ++i) {
      const float factor = weight ? to_f32(weight[(first_unit + unit) * 32 + k_of(i / 8, i % 8)]) : 1.0f;
      float* values = reinterpret_cast<float*>(&x.value[unit][i]);
      for (int column = 0; column < 8; ++column) values[column] = round_bf16(apply(values[column], mean[column], factor));
    }
}

namespace host {
// decode(unit, lane, out): the 16 weights of a lane: 8 of row g, 8 of row g + 8.
inline void decode(F32, const char* unit, float* out) {
  for (int chunk = 0; chunk < 2; ++chunk)
    for (int half = 0; half < 2; ++half)
      for (int lane = 0; lane < 32; ++lane) std::memcpy(out + lane * 16 + half * 8 + chunk * 4, unit + ((chunk * 2 + half) * 32 + lane) * 16, 16);
}
inline void decode(BF16, const char* unit, float* out) {
  u16 bits[512];
  std::memcpy(bits, unit, 1024);
  for (int half = 0; half < 2; ++half)
    for (int lane = 0; lane < 32; ++lane)
      for (int j = 0; j < 8; ++j) out[lane * 16 + half * 8 + j] = bits_to_f32(u32(bits[half * 256 + lane * 8 + j]) << 16);
}
inline const float* e4m3_values() {
  static const auto table = [] {
    struct Table {
      float value[256];
    } made;
    for (int code = 0; code < 256; ++code) made.value[code] = e4m3_to_f32(u8(code));
    return made;
  }();
  return table.value;
}
inline void decode(E4M3, const char* unit, float* out) {
  const float* values = e4m3_values();
  const u8* codes = reinterpret_cast<const u8*>(unit);
  for (int word = 0; word < 128; ++word, codes += 4, out += 4) {
    out[0] = values[codes[1]];
    out[1] = values[codes[3]];
    out[2] = values[codes[0]];
    out[3] = values[codes[2]];
  }
}
/** Raw bits as bf16 exponents (subnormals included) are exact after a multiplication by 2^126: here done on integers. */
inline float e2m1_at(u32 sign, u32 magnitude) {
  const u32 small = magnitude & 1u ? 126u << 23 : 0u;
  const u32 bits = magnitude < 2 ? small : (magnitude << 22) + (126u << 23);
  return bits_to_f32(bits | sign);
}
inline void decode(E2M1, const char* unit, float* out) {
  u32 words[64];
  std::memcpy(words, unit, 256);
  for (int at = 0; at < 64; ++at)
    for (int half = 0; half < 2; ++half) {
      const u32 q = words[at] >> (16 * half);
      float* to = out + at * 8 + half;
      to[0] = e2m1_at((q & 0x8000u) << 16, q >> 6 & 7u);
      to[2] = e2m1_at((q & 0x1000u) << 19, q >> 3 & 7u);
      to[4] = e2m1_at((q & 0x0200u) << 22, q & 7u);
      to[6] = e2m1_at((q & 0x4000u) << 17, (q >> 10 & 3u) << 1 | (q >> 13 & 1u));
    }
}
inline float scale_of(F32, const char*, int) { return 1; }
inline float scale_of(BF16, const char*, int) { return 1; }
inline float scale_of(E4M3, const char* scales, int row) {
  float scale;
  std::memcpy(&scale, scales + E4M3::scale_at(row), 4);
  return scale;
}
inline float scale_of(E2M1, const char* scales, int row) { return e8m0_to_f32(u8(scales[E2M1::scale_at(row)])); }

/** One unit: rows 2 * 8 at a time, eight running sums to hide the latency of the multiply-add. */
template <class Format>
inline void multiply_unit(Acc& acc, const char* codes, const char* scales, const F8* x) {
  alignas(64) float weights[512];
  decode(Format{}, codes, weights);
  for (int first = 0; first < 8; first += 4) {
    F8 sum[8] = {};
    for (int t = 0; t < 4; ++t)
      for (int j = 0; j < 8; ++j) {
        const F8 value = x[t * 8 + j];
#pragma GCC unroll 8
        for (int r = 0; r < 8; ++r) sum[r] += weights[((first + r % 4) * 4 + t) * 16 + r / 4 * 8 + j] * value;
      }
#pragma GCC unroll 8
    for (int r = 0; r < 8; ++r) {
      const int row = first + r % 4 + r / 4 * 8;
      acc.row[row] += sum[r] * scale_of(Format{}, scales, row);
    }
  }
}
}  // namespace host

/** acc += W (16 rows x 32 U) * X. codes and scales: a cell of U units; they meet units first..first+U-1 of x. */
template <class Format, int U, int N>
inline void multiply(Warp&, Acc& acc, const char* codes, const char* scales, const Staged<N>& x, int first = 0) {
  for (int unit = 0; unit < U; ++unit)
    host::multiply_unit<Format>(acc, codes + unit * Format::unit_bytes, scales + unit * Format::scale_bytes, x.value[first + unit]);
}

}  // namespace tile
