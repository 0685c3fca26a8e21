// Tiles and their arithmetic on sm_90a: mma.sync m16n8k16, weights as A from the ring page, activations as B in registers.
//
// Staged activations carry a factor of 2^64 (exact in bf16). So the raw bits of a small format can be used as bf16 exponents,
// where they mean the weight times 2^-126 (e2m1) or 2^-120 (e4m3), without a product ever nearing the end of the float range;
// `Format`'s `undo` takes both factors back in one multiply-add a call.
#pragma once
#include "warp.h"

namespace tile {

TILE_FN Acc zeros() { return Acc{{0, 0, 0, 0}}; }

template <class F>
TILE_FN void each(Warp& w, Acc& acc, F f) {
  const int g = w.lane() / 4, t = w.lane() % 4;
  f(acc.value[0], g, 2 * t);
  f(acc.value[1], g, 2 * t + 1);
  f(acc.value[2], g + 8, 2 * t);
  f(acc.value[3], g + 8, 2 * t + 1);
}
TILE_FN Exact nothing() { return Exact{{0, 0, 0, 0}}; }
/** f(fixed, value, row, column) of two tiles. */
template <class F>
TILE_FN void each(Warp& w, Exact& fixed, Acc& acc, F f) {
  const int g = w.lane() / 4, t = w.lane() % 4;
  TILE_UNROLL
  for (int i = 0; i < 4; ++i) f(fixed.value[i], acc.value[i], i / 2 * 8 + g, 2 * t + i % 2);
}
template <class F>
TILE_FN void each_pair(Warp& w, Acc& acc, F f) {
  const int g = w.lane() / 4, t = w.lane() % 4;
  f(acc.value[0], acc.value[2], g, 2 * t);
  f(acc.value[1], acc.value[3], g, 2 * t + 1);
}
/** The same with f's code there once: it is long. */
template <class F>
TILE_FN void each_pair_in_turn(Warp& w, Acc& acc, F f) {
  const int g = w.lane() / 4, t = w.lane() % 4;
  TILE_LOOP
  for (int odd = 0; odd < 2; ++odd) {
    float low = odd ? acc.value[1] : acc.value[0], high = odd ? acc.value[3] : acc.value[2];
    f(low, high, g, 2 * t + odd);
    if (odd) acc.value[1] = low, acc.value[3] = high;
    else acc.value[0] = low, acc.value[2] = high;
  }
}
/** Of another tile, what each_pair's f has of its own. */
TILE_FN float low_of(const Acc& acc, int, int column) { return column % 2 ? acc.value[1] : acc.value[0]; }
TILE_FN float high_of(const Acc& acc, int, int column) { return column % 2 ? acc.value[3] : acc.value[2]; }
TILE_FN void store_tile(Warp& w, float* to, const Acc& acc) {
  reinterpret_cast<float4*>(to)[w.lane()] = make_float4(acc.value[0], acc.value[1], acc.value[2], acc.value[3]);
}
TILE_FN Acc load_tile(Warp& w, const float* from) {
  const float4 v = reinterpret_cast<const float4*>(from)[w.lane()];
  return Acc{{v.x, v.y, v.z, v.w}};
}
TILE_FN void add(Acc& to, const Acc& other) {
  TILE_UNROLL
  for (int i = 0; i < 4; ++i) to.value[i] += other.value[i];
}

constexpr int staged_exponent = 64;
constexpr u32 staged_factor = 0x5F805F80u;  // 2^64 as a bf16 pair

/** Pairs (j 0,1), (2,3), (4,5), (6,7) of this lane's column, a unit a row, times 2^64. */
template <int Units>
struct Staged {
  u32 pair[Units][4];
  TILE_FN void unit(int i, u32 (&own)[4]) const {
    TILE_UNROLL
    for (int j = 0; j < 4; ++j) own[j] = pair[i][j];
  }
};

TILE_FN void set_unit(u32 (&pair)[4], const uint4& v) { pair[0] = v.x, pair[1] = v.y, pair[2] = v.z, pair[3] = v.w; }
template <int U>
TILE_FN void stage_for_norm(Warp& w, Staged<U>& x, const bf16* columns, int first_unit) {
  const uint4* from = reinterpret_cast<const uint4*>(columns) + first_unit * 32 + w.lane();
  TILE_UNROLL
  for (int unit = 0; unit < U; ++unit) set_unit(x.pair[unit], __ldcg(from + unit * 32));
}
template <int U>
TILE_FN void scale_staged(Staged<U>& x) {
  TILE_UNROLL
  for (int unit = 0; unit < U; ++unit)
    TILE_UNROLL
    for (int i = 0; i < 4; ++i) x.pair[unit][i] = ptx::multiply_bf16x2(x.pair[unit][i], staged_factor);
}
template <int U>
TILE_FN void stage(Warp& w, Staged<U>& x, const bf16* columns, int first_unit) {
  stage_for_norm(w, x, columns, first_unit);
  scale_staged(x);
}
/** Nobody looks at a column whose row is not of the expert. In shared memory, where rows come at once, it stays what it was: zeros would take an operation
    for each register. */
template <bool InShared, int U>
TILE_FN void stage_routed(Warp& w, Staged<U>& x, const bf16* rows, int k, const signed char* result, int first_unit, int) {
  const int taken = result[w.lane() / 4];
  const uint4* from = reinterpret_cast<const uint4*>(rows + size_t(taken < 0 ? 0 : taken) * size_t(k)) + first_unit * 4 + w.lane() % 4;
  TILE_UNROLL
  for (int unit = 0; unit < U; ++unit) {
    if constexpr (InShared) {
      if (taken >= 0) set_unit(x.pair[unit], from[unit * 4]);
    } else {
      set_unit(x.pair[unit], taken >= 0 ? __ldcg(from + unit * 4) : make_uint4(0, 0, 0, 0));
    }
  }
  if (!InShared) scale_staged(x);  // rows in shared memory come from to_staged
}
/** A number as `stage` would leave it. */
TILE_FN bf16 to_staged(float value) { return to_bf16(value * power_of_two(staged_exponent)); }
/** Eight elements as `stage` would leave them. */
TILE_FN Packet as_staged(const Packet& rows) {
  Packet staged;
  TILE_UNROLL
  for (int i = 0; i < 4; ++i) staged.word[i] = ptx::multiply_bf16x2(rows.word[i], staged_factor);
  return staged;
}

/** Units first..first+U-1, `first` a multiple of U that is not known when the code is made: chosen where they are needed, for registers
    hold no second copy. */
template <int U, int N>
struct UnitsOf {
  const Staged<N>& x;
  int first;
  TILE_FN void unit(int i, u32 (&own)[4]) const {
    x.unit(i, own);
    TILE_UNROLL
    for (int other = U; other < N; other += U)
      TILE_UNROLL
      for (int j = 0; j < 4; ++j)
        if (first == other) own[j] = x.pair[other + i][j];
  }
};
template <int U, int N>
TILE_FN UnitsOf<U, N> units_of(const Staged<N>& x, int first) {
  return UnitsOf<U, N>{x, first};
}

TILE_FN float low_of(u32 pair) { return bits_to_f32(pair << 16); }
TILE_FN float high_of(u32 pair) { return bits_to_f32(pair & 0xFFFF0000u); }

// What follows works on x as stage_for_norm left it, and leaves it as stage would.

template <int U, class Stat>
TILE_FN void staged_sums(Warp& w, const Staged<U>& x, Stat stat, float* sums) {
  float total = 0;
  TILE_UNROLL
  for (int unit = 0; unit < U; ++unit)
    TILE_UNROLL
    for (int i = 0; i < 4; ++i) {
      total += stat(low_of(x.pair[unit][i]));
      total += stat(high_of(x.pair[unit][i]));
    }
  total += __shfl_xor_sync(~0u, total, 1);
  total += __shfl_xor_sync(~0u, total, 2);
  if (w.lane() % 4 == 0) sums[w.lane() / 4] = total;
}
/** Where a warp keeps the weights of a norm that it will apply: its share of the memory that rows of experts are staged in. */
TILE_FN char* weights_near(Warp& w) { return w.scratch<char>(size_t(w.index) * Shared::near_weights_bytes); }
/** Brings the norm weights of U units, from the warp's first on, into shared memory while their input is waited for: what a wait
    acquires empties the first cache. Rows that were staged there have been read when the sums made of them have been taken.
    `Alone`: x is multiplied by them alone, so they bring what staging multiplies it by. */
template <int U, bool Alone>
TILE_FN void bring_weights(Warp& w, int site, const char* weight) {
  static_assert(U * 64 <= Shared::near_weights_bytes, "norm weights fit the warp's share of the scratch memory");
  w.slots_acquire(site);
  const uint4* from = reinterpret_cast<const uint4*>(weight);
  Packet* to = reinterpret_cast<Packet*>(weights_near(w));
  TILE_UNROLL
  for (int at = 0; at < U * 4; at += 32) {
    if (at + w.lane() >= U * 4) continue;
    const uint4 v = __ldg(from + at + w.lane());
    const Packet weights{{v.x, v.y, v.z, v.w}};
    to[at + w.lane()] = Alone ? as_staged(weights) : weights;
  }
  w.sync_lanes();
}
/** f(unit, weights of the k that this lane holds of it, in pairs): as bring_weights left them, from the warp's unit `near` on. */
template <int U, class F>
TILE_FN void with_factors(Warp& w, int near, F f) {
  const uint4* from = reinterpret_cast<const uint4*>(weights_near(w)) + near * 4 + w.lane() % 4;
  TILE_UNROLL
  for (int unit = 0; unit < U; ++unit) {
    u32 factor[4];
    set_unit(factor, from[unit * 4]);
    f(unit, factor);
  }
}
template <int U, class Mean, class Apply>
TILE_FN void staged_map(Warp& w, Staged<U>& x, int, Mean mean_of, const bf16*, Apply apply) {
  const float mean = mean_of(w.lane() / 4);
  with_factors<U>(w, 0, [&](int unit, const u32(&factor)[4]) {
    TILE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const u32 value = x.pair[unit][i];
      x.pair[unit][i] = pack_bf16(apply(low_of(value), mean, low_of(factor[i])), apply(high_of(value), mean, high_of(factor[i])));
    }
  });
  scale_staged(x);
}
/** Sums of squares by the matrix unit: the diagonal of X^T X, whose A operand holds what its B operand holds. Four chains. */
template <int U>
TILE_FN ColumnSums staged_squares(Warp& w, const Staged<U>& x) {
  float c[4][4] = {};
  TILE_UNROLL
  for (int unit = 0; unit < U; ++unit) {
    const u32(&p)[4] = x.pair[unit];
    ptx::mma(c[unit % 2 * 2], p[0], 0, p[1], 0, p[0], p[1]);
    ptx::mma(c[unit % 2 * 2 + 1], p[2], 0, p[3], 0, p[2], p[3]);
  }
  const bool odd = w.lane() / 4 % 2;
  return {((odd ? c[0][1] : c[0][0]) + (odd ? c[1][1] : c[1][0])) + ((odd ? c[2][1] : c[2][0]) + (odd ? c[3][1] : c[3][0]))};
}
TILE_FN void store_sums(Warp& w, float* to, const ColumnSums& sums) {
  const int g = w.lane() / 4, t = w.lane() % 4;
  if (t == g / 2) to[g] = sums.value;
}
/** x <- bf16(x * weight), of weights brought to do it alone. */
template <int U>
TILE_FN void staged_weigh(Warp& w, Staged<U>& x, int, const bf16*, int near = 0) {
  with_factors<U>(w, near, [&](int unit, const u32(&factor)[4]) {
    TILE_UNROLL
    for (int i = 0; i < 4; ++i) x.pair[unit][i] = ptx::multiply_bf16x2(x.pair[unit][i], factor[i]);
  });
}
/** Brings what this warp will read nearer while it waits for something else: what the wait acquires empties the first cache, the
    second keeps it. */
TILE_FN void touch(Warp& w, const void* from, int bytes) {
  for (int at = w.lane() * 128; at < bytes; at += 32 * 128) ptx::touch(static_cast<const char*>(from) + at);
}

/** A factor for each column: here of columns 2t and 2t + 1. */
struct ColumnScale {
  float value[2];
};
template <class F>
TILE_FN ColumnScale scale_of_columns(Warp& w, F f) {
  const int t = w.lane() % 4;
  return ColumnScale{{f(2 * t), f(2 * t + 1)}};
}
TILE_FN void scale_columns(Acc& acc, const ColumnScale& scale) {
  TILE_UNROLL
  for (int i = 0; i < 4; ++i) acc.value[i] *= scale.value[i % 2];
}

// Multiply<Format>: how a unit is multiplied, in steps of its own, so that several units can be on their way at once: a warp that
// did one after the other would wait for each product.
//   Codes load(lane, codes, scales)     from shared memory
//   multiply(sum, codes, x)             sum += W x, in the factor that undo_exponent takes back, scales not yet applied
//   fold(sum, product, codes)           sum += scale * product; only for formats with scales
// `together`: units on their way at once; as many as registers hold beside what is staged.

template <class Format>
struct Multiply;

template <>
struct Multiply<E2M1> {
  static constexpr int undo_exponent = 126 - staged_exponent, together = 4;
  static constexpr bool scaled = true;
  struct Codes {
    uint2 q;
    u32 scale_low, scale_high;
  };
  TILE_FN static Codes load(int lane, const char* codes, const char* scales) {
    const u8* scale = reinterpret_cast<const u8*>(scales) + lane / 4 * 2;
    return Codes{*reinterpret_cast<const uint2*>(codes + lane * 8), scale[0], scale[1]};
  }
  TILE_FN static u32 turned(u32 word, int left) { return __funnelshift_l(word, word, left); }
  TILE_FN static void multiply(float (&sum)[4], const Codes& codes, const u32 (&x)[4]) {
    const u32 low = codes.q.x, high = codes.q.y, mask = E2M1::mask;
    ptx::mma(sum, low & mask, high & mask, low << E2M1::turn1 & mask, high << E2M1::turn1 & mask, x[0], x[1]);
    // Turns of which no bit that is taken comes round are plain shifts: another unit does those.
    const u32 rest = ptx::select_bits(low, high << E2M1::rest_turn, E2M1::rest);
    ptx::mma(sum, turned(low, E2M1::turn2) & mask, turned(high, E2M1::turn2) & mask, rest << E2M1::turn3_low & mask,
             turned(rest, E2M1::turn3_high) & mask, x[2], x[3]);
  }
  TILE_FN static void fold(float (&sum)[4], const float (&product)[4], const Codes& codes) {
    const float low = bits_to_f32(codes.scale_low << 23), high = bits_to_f32(codes.scale_high << 23);
    sum[0] += product[0] * low, sum[1] += product[1] * low, sum[2] += product[2] * high, sum[3] += product[3] * high;
  }
};

template <>
struct Multiply<E4M3> {
  static constexpr int undo_exponent = 120 - staged_exponent, together = 2;
  static constexpr bool scaled = true;
  struct Codes {
    uint4 q;
    float2 scale;
  };
  TILE_FN static Codes load(int lane, const char* codes, const char* scales) {
    return Codes{*reinterpret_cast<const uint4*>(codes + lane * 16), *reinterpret_cast<const float2*>(scales)};
  }
  TILE_FN static u32 first(u32 q) { return (q & 0x80008000u) | ((q >> 4) & 0x07F007F0u); }
  TILE_FN static u32 second(u32 q) { return ((q << 8) & 0x80008000u) | ((q << 4) & 0x07F007F0u); }
  TILE_FN static void multiply(float (&sum)[4], const Codes& codes, const u32 (&x)[4]) {
    const uint4& q = codes.q;
    ptx::mma(sum, first(q.x), first(q.z), second(q.x), second(q.z), x[0], x[1]);
    ptx::mma(sum, first(q.y), first(q.w), second(q.y), second(q.w), x[2], x[3]);
  }
  TILE_FN static void fold(float (&sum)[4], const float (&product)[4], const Codes& codes) {
    sum[0] += product[0] * codes.scale.x, sum[1] += product[1] * codes.scale.x, sum[2] += product[2] * codes.scale.y, sum[3] += product[3] * codes.scale.y;
  }
};

template <>
struct Multiply<BF16> {
  static constexpr int undo_exponent = -staged_exponent, together = 2;
  static constexpr bool scaled = false;
  struct Codes {
    uint4 low, high;
  };
  TILE_FN static Codes load(int lane, const char* codes, const char*) {
    return Codes{*reinterpret_cast<const uint4*>(codes + lane * 16), *reinterpret_cast<const uint4*>(codes + 512 + lane * 16)};
  }
  TILE_FN static void multiply(float (&sum)[4], const Codes& codes, const u32 (&x)[4]) {
    ptx::mma(sum, codes.low.x, codes.high.x, codes.low.y, codes.high.y, x[0], x[1]);
    ptx::mma(sum, codes.low.z, codes.high.z, codes.low.w, codes.high.w, x[2], x[3]);
  }
};

/** A float is exactly the sum of three bf16 terms, each the truncation of what the ones before left. */
template <>
struct Multiply<F32> {
  static constexpr int undo_exponent = -staged_exponent, together = 1;
  static constexpr bool scaled = false;
  struct Codes {
    float4 low[2], high[2];
  };
  TILE_FN static Codes load(int lane, const char* codes, const char*) {
    const float4* from = reinterpret_cast<const float4*>(codes) + lane;
    return Codes{{from[0], from[64]}, {from[32], from[96]}};
  }
  TILE_FN static void split(float a, float b, u32 (&term)[3]) {
    TILE_UNROLL
    for (int i = 0; i < 3; ++i) {
      const u32 top_a = f32_to_bits(a) & 0xFFFF0000u, top_b = f32_to_bits(b) & 0xFFFF0000u;
      term[i] = (top_a >> 16) | top_b;
      a -= bits_to_f32(top_a), b -= bits_to_f32(top_b);
    }
  }
  TILE_FN static void multiply(float (&sum)[4], const Codes& codes, const u32 (&x)[4]) {
    TILE_UNROLL
    for (int half = 0; half < 2; ++half) {
      u32 a0[3], a1[3], a2[3], a3[3];
      split(codes.low[half].x, codes.low[half].y, a0);
      split(codes.high[half].x, codes.high[half].y, a1);
      split(codes.low[half].z, codes.low[half].w, a2);
      split(codes.high[half].z, codes.high[half].w, a3);
      TILE_UNROLL
      for (int i = 0; i < 3; ++i) ptx::mma(sum, a0[i], a1[i], a2[i], a3[i], x[half * 2], x[half * 2 + 1]);
    }
  }
};

/** Units `unit` .. `unit + N - 1` of a cell, on their way together. Sums of even and odd units are apart: half the chain. */
template <class Format, int N, class X>
TILE_FN void multiply_units(Warp& w, float (&sum)[2][4], const char* codes, const char* scales, int unit, const X& x, int first) {
  using Rule = Multiply<Format>;
  typename Rule::Codes loaded[N];
  u32 own[N][4];
  TILE_UNROLL
  for (int i = 0; i < N; ++i) {
    loaded[i] = Rule::load(w.lane(), codes + (unit + i) * Format::unit_bytes, scales + (unit + i) * Format::scale_bytes);
    x.unit(first + unit + i, own[i]);
  }
  if constexpr (Rule::scaled) {
    float product[N][4] = {};
    TILE_UNROLL
    for (int i = 0; i < N; ++i) Rule::multiply(product[i], loaded[i], own[i]);
    TILE_UNROLL
    for (int i = 0; i < N; ++i) Rule::fold(sum[(unit + i) % 2], product[i], loaded[i]);
  } else {
    TILE_UNROLL
    for (int i = 0; i < N; ++i) Rule::multiply(sum[(unit + i) % 2], loaded[i], own[i]);
  }
}

/** acc += W (16 rows x 32 U) * X. codes and scales: a cell of U units in shared memory; they meet units first..first+U-1 of x (Staged or
    UnitsOf), where `first` must be a constant once loops are unrolled. */
template <class Format, int U, class X>
TILE_FN void multiply(Warp& w, Acc& acc, const char* codes, const char* scales, const X& x, int first = 0) {
  constexpr int together = Multiply<Format>::together;
  float sum[2][4] = {};
  TILE_UNROLL
  for (int unit = 0; unit + together <= U; unit += together) multiply_units<Format, together>(w, sum, codes, scales, unit, x, first);
  if constexpr (U % together != 0) multiply_units<Format, U % together>(w, sum, codes, scales, U - U % together, x, first);
  const float undo = power_of_two(Multiply<Format>::undo_exponent);
  TILE_UNROLL
  for (int i = 0; i < 4; ++i) acc.value[i] += (sum[0][i] + sum[1][i]) * undo;
}

}  // namespace tile
