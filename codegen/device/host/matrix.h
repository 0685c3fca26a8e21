// Tiles and their arithmetic on the host: a tile is 16 rows of 8 columns, a row is one vector register. A unit of weights is
// decoded to floats with vector operations (GCC's vector extensions: any CPU), then multiplied k by k, so that a sum depends on
// nothing but its row and its column.
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
/** A tile in fixed point (common/exact.h). */
struct Exact {
  i64 value[16][8];
};
inline Exact nothing() { return Exact{}; }
/** A sum for each column. */
struct ColumnSums {
  float value[8];
};
/** f(fixed, value, row, column) of two tiles. */
template <class F>
inline void each(Warp& w, Exact& fixed, Acc& acc, F f) {
  each(w, acc, [&](float& value, int row, int column) { f(fixed.value[row][column], value, row, column); });
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
template <class F>
inline void each_pair_in_turn(Warp& w, Acc& acc, F f) {
  each_pair(w, acc, f);
}
inline float low_of(const Acc& acc, int pair, int column) { return acc.row[pair][column]; }
inline float high_of(const Acc& acc, int pair, int column) { return acc.row[pair + 8][column]; }
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

template <int U>
inline void stage_for_norm(Warp& w, Staged<U>& x, const bf16* columns, int first_unit) {
  stage(w, x, columns, first_unit);
}
/** Units first..first+U-1. */
template <int U, int N>
inline Staged<U> units_of(const Staged<N>& x, int first) {
  Staged<U> some;
  for (int unit = 0; unit < U; ++unit) std::memcpy(some.value[unit], x.value[first + unit], sizeof some.value[unit]);
  return some;
}
inline bf16 to_staged(float value) { return to_bf16(value); }
/** Column g is row g's result in `rows`, bf16 [result][k]; of a row that has none it stays what it was. */
template <bool InShared, int U>
inline void stage_routed(Warp& w, Staged<U>& x, const bf16* rows, int k, const signed char* result, int first_unit, int half) {
  if (InShared)
    for (int warp = 0; warp < w.count; ++warp) w.area_reads(Area::staged_rows, half * w.count + warp);
  for (int unit = 0; unit < U; ++unit) {
    float* to = reinterpret_cast<float*>(x.value[unit]);
    for (int column = 0; column < 8; ++column) {
      if (result[column] < 0) continue;
      const bf16* from = rows + size_t(result[column]) * size_t(k) + size_t(first_unit + unit) * 32;
      for (int i = 0; i < 32; ++i) to[i * 8 + column] = to_f32(from[i]);
    }
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
      const float factor = to_f32(weight[(first_unit + unit) * 32 + k_of(i / 8, i % 8)]);
      float* values = reinterpret_cast<float*>(&x.value[unit][i]);
      for (int column = 0; column < 8; ++column) values[column] = round_bf16(apply(values[column], mean[column], factor));
    }
}

template <int U>
inline ColumnSums staged_squares(Warp& w, const Staged<U>& x) {
  ColumnSums sums;
  staged_sums(w, x, [](float v) { return v * v; }, sums.value);
  return sums;
}
inline void store_sums(Warp&, float* to, const ColumnSums& sums) { std::memcpy(to, sums.value, 32); }
/** x <- bf16(x * weight) */
template <int U>
inline void staged_weigh(Warp& w, Staged<U>& x, int first_unit, const bf16* weight, int = 0) {
  staged_map(w, x, first_unit, [](int) { return 0.0f; }, weight, [](float v, float, float factor) { return v * factor; });
}
/** A GPU brings a norm's weights near before it needs them; here all memory is near. */
template <int U, bool Alone>
inline void bring_weights(Warp&, int, const char*) {}
inline void touch(Warp&, const void*, int) {}
/** A factor for each column. */
struct ColumnScale {
  float value[8];
};
template <class F>
inline ColumnScale scale_of_columns(Warp&, F f) {
  ColumnScale scale;
  for (int column = 0; column < 8; ++column) scale.value[column] = f(column);
  return scale;
}
inline void scale_columns(Acc& acc, const ColumnScale& scale) {
  F8 factor;
  std::memcpy(&factor, scale.value, 32);
  for (int row = 0; row < 16; ++row) acc.row[row] *= factor;
}

namespace host {
typedef u32 U8 __attribute__((vector_size(32)));
inline U8 load_words(const char* from) {
  U8 words;
  std::memcpy(&words, from, 32);
  return words;
}
/** Where element i of words that hold `per` elements each goes when eight words are decoded at a time: [8 words][element][word]. */
constexpr int word_at(int i, int per) { return i / per / 8 * 8 * per + i % per * 8 + i / per % 8; }

// Decode<Format>: a unit as 512 floats, in whatever order vectors of codes give; `at(row, k)` says where an element went.
template <class Format>
struct Decode;

template <>
struct Decode<F32> {
  static const float* unit(const char* codes, F8*) { return reinterpret_cast<const float*>(codes); }
  static constexpr int at(int row, int k) { return F32::byte_at(row, k) / 4; }
};
template <>
struct Decode<BF16> {
  static const float* unit(const char* codes, F8* out) {
    for (int i = 0; i < 32; ++i) {
      const U8 words = load_words(codes + i * 32);
      out[i * 2] = (F8)(words << 16);
      out[i * 2 + 1] = (F8)(words & 0xFFFF0000u);
    }
    return reinterpret_cast<const float*>(out);
  }
  /** [8 words][half][word] */
  static constexpr int at(int row, int k) { return word_at(BF16::byte_at(row, k) / 2, 2); }
};
template <>
struct Decode<E4M3> {
  static const float* unit(const char* codes, F8* out) {
    for (int i = 0; i < 16; ++i) {
      const U8 words = load_words(codes + i * 32);
#pragma GCC unroll 4
      for (int byte = 0; byte < 4; ++byte) {
        const U8 code = words >> (8 * byte), magnitude = (code & 0x7Fu) << 20;
        // Exponent 0 means m * 2^-9: (1 + m / 8) * 2^-6 less 2^-6. No denormal float is ever touched.
        const F8 small = (F8)(magnitude + (121u << 23)) - 0x1p-6f, normal = (F8)(magnitude + (120u << 23));
        const U8 is_small = (U8)((magnitude & (15u << 23)) == 0u);
        out[i * 4 + byte] = (F8)((is_small & (U8)small) | (~is_small & (U8)normal) | ((code & 0x80u) << 24));
      }
    }
    return reinterpret_cast<const float*>(out);
  }
  /** [8 words][byte][word] */
  static constexpr int at(int row, int k) { return word_at(E4M3::byte_at(row, k), 4); }
};
template <>
struct Decode<E2M1> {
  static U8 turned(U8 words, U8 left) { return words << left | words >> (32u - left); }
  static const float* unit(const char* codes, F8* out) {
    const F8 values = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    const U8 even = {0, 0, 2, 2, 4, 4, 6, 6}, odd = even + 1u, all = {};
    const U8 low = {1, 0, 1, 0, 1, 0, 1, 0};
    for (int i = 0; i < 8; ++i) {
      // Four lanes: words of rows g and g + 8 by turns.
      const U8 words = load_words(codes + i * 32);
      const U8 first = __builtin_shuffle(words, even), second = turned(__builtin_shuffle(words, odd), all + u32(E2M1::rest_turn));
      const U8 rest = (first & E2M1::rest) | (second & ~E2M1::rest);
      const U8 pairs[4] = {words, turned(words, all + u32(E2M1::turn1)), turned(words, all + u32(E2M1::turn2)),
                           turned(rest, low * u32(E2M1::turn3_low) + (1u - low) * u32(E2M1::turn3_high))};
#pragma GCC unroll 4
      for (int pair = 0; pair < 4; ++pair)
        for (int half = 0; half < 2; ++half) {
          const U8 q = pairs[pair] >> (16 * half);
          const F8 value = __builtin_shuffle(values, q >> 6 & 7u);
          out[(pair * 2 + half) * 8 + i] = (F8)((U8)value | (q & 0x8000u) << 16);
        }
    }
    return reinterpret_cast<const float*>(out);
  }
  /** [j][lane][row half] */
  static constexpr int at(int row, int k) { return j_of(k) * 64 + E2M1::lane_at(row, k) / 4 + row / 8; }
};

inline float scale_of(F32, const char*, int) { return 1; }
inline float scale_of(BF16, const char*, int) { return 1; }
inline float scale_of(E4M3, const char* scales, int row) {
  float scale;
  std::memcpy(&scale, scales + E4M3::scale_at(row), 4);
  return scale;
}
inline float scale_of(E2M1, const char* scales, int row) { return e8m0_to_f32(u8(scales[E2M1::scale_at(row)])); }

/** Where element k of each row lies in a decoded unit. A table: with -Og, `at` was worked out anew for each product. */
template <class Format>
struct Places {
  u16 at[32][16] = {};
  constexpr Places() {
    for (int i = 0; i < 32; ++i)
      for (int row = 0; row < 16; ++row) at[i][row] = u16(Decode<Format>::at(row, k_of(i / 8, i % 8)));
  }
};
template <class Format>
inline constexpr Places<Format> places{};

/** Rows First..First+7 of one unit: eight running sums hide the latency of the multiply-add. */
template <class Format, int First>
inline void multiply_rows(Acc& acc, const float* weights, const char* scales, const F8* x) {
  F8 sum[8] = {};
#pragma GCC unroll 32
  for (int i = 0; i < 32; ++i) {
    const F8 value = x[i];
#pragma GCC unroll 8
    for (int r = 0; r < 8; ++r) sum[r] += weights[places<Format>.at[i][First + r]] * value;
  }
#pragma GCC unroll 8
  for (int r = 0; r < 8; ++r) acc.row[First + r] += sum[r] * scale_of(Format{}, scales, First + r);
}
/** A function, for its code is long: inlined into every phase it took a sixth of a build (with -O2). */
template <class Format>
[[gnu::noinline]] inline void multiply_unit(Acc& acc, const char* codes, const char* scales, const F8* x) {
  F8 decoded[64];
  const float* weights = Decode<Format>::unit(codes, decoded);
  multiply_rows<Format, 0>(acc, weights, scales, x);
  multiply_rows<Format, 8>(acc, weights, scales, x);
}
}  // namespace host

/** acc += W (16 rows x 32 U) * X. codes and scales: a cell of U units; they meet units first..first+U-1 of x. */
template <class Format, int U, int N>
inline void multiply(Warp&, Acc& acc, const char* codes, const char* scales, const Staged<N>& x, int first = 0) {
  for (int unit = 0; unit < U; ++unit)
    host::multiply_unit<Format>(acc, codes + unit * Format::unit_bytes, scales + unit * Format::scale_bytes, x.value[first + unit]);
}

}  // namespace tile
