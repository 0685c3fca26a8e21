// The arithmetic of sampling, one definition for host, CUDA and (in TypeScript) the reference sampler.
//
// Vocabulary: a *weight* is a token's probability before normalisation, exp((logit - largest) / temperature), as an
// integer in units of 2^-44; a *mass* is a sum of weights; an *order* is a 64-bit number that sorts tokens as the
// sampler ranks them: greater logit first, on ties lower id first.
//
// Invariants: weights are integers, so masses are exact and do not depend on who adds them in which order. exp uses
// only explicit fused multiply-adds, which round alike everywhere, and it is monotone, so orders and weights agree.
// A token whose weight is below 2^-44 of the greatest has none: over a vocabulary of 2^18 that drops at most 2^-26.
#pragma once
#include "../common/numbers.h"

namespace tile {

constexpr int weight_bits = 44;

// What a random number is for. Streams of different purposes never overlap.
enum Purpose : u32 { purpose_token = 1, purpose_synthetic = 2 };

// Philox4x32-10 (Salmon et al. 2011): 128 random bits that are a function of key and counter alone.
TILE_BOTH void philox(const u32 key[2], const u32 counter[4], u32 out[4]) {
  u32 k0 = key[0], k1 = key[1], a = counter[0], b = counter[1], c = counter[2], d = counter[3];
  for (int i = 0; i < 10; i++) {
    const u64 p = u64(0xD2511F53u) * a, q = u64(0xCD9E8D57u) * c;
    const u32 a1 = u32(q >> 32) ^ b ^ k0, c1 = u32(p >> 32) ^ d ^ k1;
    b = u32(q), d = u32(p), a = a1, c = c1;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

// 64 uniform bits for the token at `position`, for one purpose.
TILE_BOTH u64 uniform_bits(const u32 seed[2], u32 position, u32 purpose) {
  const u32 counter[4] = {position, purpose, 0, 0};
  u32 out[4];
  philox(seed, counter, out);
  return u64(out[1]) << 32 | out[0];
}

TILE_BOTH u64 multiply_high(u64 a, u64 b) {
#ifdef __CUDA_ARCH__
  return __umul64hi(a, b);
#else
  return u64((unsigned __int128)a * b >> 64);
#endif
}

// (logit - largest) / temperature; the divisor comes inverted. Never above 0.
TILE_BOTH float scaled(float logit, float largest, float inverse_temperature) { return (logit - largest) * inverse_temperature; }

// exp(x) * 2^44 for x <= 0, truncated.
TILE_BOTH u64 weight_of(float x) {
  if (!(x > -31.f)) return 0;
  const float magic = 12582912.f;  // adding it rounds to an integer
  const float n = fmaf(x, 1.44269504f, magic) - magic;
  const float r = fmaf(n, -1.42860677e-6f, fmaf(n, -0.693145752f, x));
  float p = fmaf(1.98756912e-4f, r, 1.39819994e-3f);
  p = fmaf(p, r, 8.33345205e-3f);
  p = fmaf(p, r, 4.16657962e-2f);
  p = fmaf(p, r, 1.66666657e-1f);
  p = fmaf(p, r, 0.5f);
  p = fmaf(p, r * r, r) + 1.f;
  // p lies in (0.70, 1.42), so p * 2^24 is an integer; shift it into units of 2^-44.
  const int shift = weight_bits - 24 + int(n);
  const u64 mantissa = u64(p * 16777216.f);
  return shift >= 0 ? mantissa << shift : mantissa >> -shift;
}

// What one logit adds to the digest of its row: the bits of a sum do not depend on who adds, so neither does the digest.
TILE_BOTH u64 digest_of(int id, float logit) {
  u64 h = (u64(f32_to_bits(logit)) << 32 | u32(id)) * 0x9E3779B97F4A7C15ull;
  h = (h ^ h >> 32) * 0xD6E8FEB86659FD93ull;
  return h ^ h >> 29;
}

// Sortable bits of a logit: greater logit, greater number. NaN sorts below everything; -0 equals +0.
TILE_BOTH u32 sortable(float z) {
  if (!(z == z)) return 0;
  z = z + 0.f;
  const u32 bits = f32_to_bits(z);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
TILE_BOTH float unsortable(u32 s) {
  const u32 bits = s & 0x80000000u ? s & 0x7FFFFFFFu : ~s;
  return bits_to_f32(bits);
}

// `id_bits` is the width of an id; order 0 is no token.
TILE_BOTH u64 order_of(float logit, int id, int id_bits) {
  return u64(sortable(logit)) << id_bits | ((u64(1) << id_bits) - 1 - u64(id));
}
TILE_BOTH float order_logit(u64 order, int id_bits) { return unsortable(u32(order >> id_bits)); }
TILE_BOTH int order_id(u64 order, int id_bits) {
  const u64 mask = (u64(1) << id_bits) - 1;
  return int(mask - (order & mask));
}
TILE_BOTH int bits_for(int ids) {
  int bits = 1;
  while ((1 << bits) < ids) bits++;
  return bits;
}

}  // namespace tile
