// Number formats as bits, and the scalar functions generated bodies use. Every conversion here is exact or rounds to
// nearest even, and gives the same bits on both targets; transcendental functions are the target's own.
#pragma once
#include <cmath>
#include <cstring>

#include "target.h"

namespace tile {

TILE_BOTH float bits_to_f32(u32 bits) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(bits);
#else
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
#endif
}
TILE_BOTH u32 f32_to_bits(float value) {
#ifdef __CUDA_ARCH__
  return __float_as_uint(value);
#else
  u32 bits;
  std::memcpy(&bits, &value, 4);
  return bits;
#endif
}

struct bf16 {
  u16 bits;
};
TILE_BOTH float to_f32(bf16 value) { return bits_to_f32(u32(value.bits) << 16); }
TILE_BOTH float to_f32(float value) { return value; }
/** Round to nearest, ties to even; a NaN stays a NaN. */
TILE_BOTH bf16 to_bf16(float value) {
#ifdef __CUDA_ARCH__
  u16 rounded_bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded_bits) : "f"(value));
  return bf16{rounded_bits};
#else
  const u32 bits = f32_to_bits(value);
  const u32 rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  return bf16{u16((bits & 0x7FFFFFFFu) > 0x7F800000u ? (bits >> 16) | 0x40u : rounded)};
#endif
}
/** The value after a round trip through bf16. */
TILE_BOTH float round_bf16(float value) { return to_f32(to_bf16(value)); }
/** Two bf16 in one register: `low` in the low half. */
TILE_BOTH u32 pack_bf16(float low, float high) {
#ifdef __CUDA_ARCH__
  u32 pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return u32(to_bf16(low).bits) | (u32(to_bf16(high).bits) << 16);
#endif
}

/** 2^exponent, exponent in -126..127. */
TILE_BOTH constexpr u32 power_of_two_bits(int exponent) { return u32(exponent + 127) << 23; }
TILE_BOTH float power_of_two(int exponent) { return bits_to_f32(power_of_two_bits(exponent)); }

/** e4m3 (fn): no infinities; the NaN codes 0x7F and 0xFF never reach the engine (packing refuses them). */
TILE_BOTH float e4m3_to_f32(u8 code) {
  const u32 magnitude = code & 0x7Fu;
  const float value = magnitude < 8 ? bits_to_f32((magnitude << 20) + (121u << 23)) - power_of_two(-6)
                                    : bits_to_f32((magnitude << 20) + (120u << 23));
  return code & 0x80u ? -value : value;
}
/** e2m1: 0, .5, 1, 1.5, 2, 3, 4, 6 and their negatives. */
TILE_BOTH float e2m1_to_f32(u8 code) {
  const u32 magnitude = code & 7u;
  const float value = magnitude < 2 ? 0.5f * float(magnitude) : bits_to_f32((magnitude << 22) + (126u << 23));
  return code & 8u ? -value : value;
}
/** e8m0: 2^(byte - 127); byte 0 reads as 0 on both targets (packing refuses 0 and the NaN byte 255). */
TILE_BOTH float e8m0_to_f32(u8 byte) { return bits_to_f32(u32(byte) << 23); }

TILE_FN float sigmoid(float x) {
#ifdef __CUDA_ARCH__
  return __fdividef(1.0f, 1.0f + __expf(-x));
#else
  return 1.0f / (1.0f + expf(-x));
#endif
}
TILE_FN float inverse_sqrt(float x) {
#ifdef __CUDACC__
  return rsqrtf(x);
#else
  return 1.0f / sqrtf(x);
#endif
}
/** a * b, rounded, whatever is added to it. */
TILE_FN float rounded_product(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}
TILE_FN float silu(float x) { return x * sigmoid(x); }

struct Rotation {
  float cosine, sine;
  /** One value of a pair that is turned: of (low, -high) the lower, of (high, low) the upper. Rounded as written: of a sum of two products compilers
      choose which one to fuse, each build anew. */
  TILE_FN float of(float a, float b) const { return fmaf(a, cosine, b * sine); }
};
/** Much code: one function for all rotary embeddings. On a GPU an angle of more than 105,615 (a position!) would take 4 us, so whole turns are
    taken off before: their number has at most 19 bits, and 2 pi is three numbers of which the first two are short, so nothing is lost. */
TILE_CALLED Rotation rotation(float angle) {
#ifdef __CUDACC__
  const float turns = rintf(angle * 0.159154943f);
  angle = fmaf(-turns, 6.28125f, angle);
  angle = fmaf(-turns, 1.93500518798828125e-3f, angle), angle = fmaf(-turns, 3.019916050561733e-7f, angle);
#endif
  return Rotation{cosf(angle), sinf(angle)};
}

TILE_FN int popcount(u32 bits) {
#ifdef __CUDACC__
  return __popc(bits);
#else
  return __builtin_popcount(bits);
#endif
}

TILE_BOTH constexpr int ceil_div(int value, int by) { return (value + by - 1) / by; }
TILE_BOTH constexpr int next_power_of_two(int value) {
  int power = 1;
  while (power < value) power *= 2;
  return power;
}
/** Division by a small number that is known only where code runs: exact while n * by < 65536. */
struct Quotient {
  const int by;
  const u32 reciprocal;
  TILE_BOTH explicit Quotient(int by) : by(by), reciprocal(by > 0 ? (65535u + u32(by)) / u32(by) : 0) {}
  TILE_BOTH int of(int n) const { return int(u32(n) * reciprocal >> 16); }
};
TILE_BOTH constexpr size_t round_up(size_t value, size_t to) { return (value + to - 1) / to * to; }

}  // namespace tile
