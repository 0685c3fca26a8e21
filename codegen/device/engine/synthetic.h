// Synthetic weights: numbers that are a hash of (seed, row, column), so that an engine of any size runs without a checkpoint
// and a test can compute any element by itself (runtime/engine/synthetic.ts says the same in TypeScript).
//
// Vocabulary: a *recipe* is what one staged row is made of. Codes are uniform over the legal codes of their format; scales
// vary by a factor of two below a given amplitude, so products stay of sane magnitude.
// A context that nobody has computed is made up as well (Options::made_up_caches): over zeros attention would have no score greater than another.
// Invariant: rows and columns are those of the whole tensor, so a rank's slice does not depend on the number of ranks.
#pragma once
#include "pack.h"

namespace tile {

TILE_BOTH u32 hash_u32(u32 seed, u32 row, u32 column) {
  u32 h = seed * 0x9E3779B1u ^ row * 0x85EBCA77u ^ column * 0xC2B2AE3Du;
  h = (h ^ h >> 16) * 0x7FEB352Du;
  h = (h ^ h >> 15) * 0x846CA68Bu;
  return h ^ h >> 16;
}
/** Uniform in mean +- amplitude. */
TILE_BOTH float synthetic_number(u32 seed, u32 row, u32 column, float mean, float amplitude) {
  const float unit = float(hash_u32(seed, row, column) >> 8) * 0x1p-23f - 1.f;
#ifdef __CUDA_ARCH__
  return __fmaf_rn(unit, amplitude, mean);
#else
  return fmaf(unit, amplitude, mean);
#endif
}
TILE_BOTH u8 synthetic_e4m3(u32 seed, u32 row, u32 column) {
  const u8 code = u8(hash_u32(seed, row, column));
  return (code & 0x7F) == 0x7F ? u8(code ^ 1) : code;
}
/** Eight codes of e2m1 at once: columns 8i..8i+7, column 8i in the low nibble. */
TILE_BOTH u32 synthetic_e2m1(u32 seed, u32 row, u32 eighth) { return hash_u32(seed, row, eighth); }
/** A power of two near amplitude / 4, or one below it. */
TILE_BOTH u8 synthetic_e8m0(u32 seed, u32 row, u32 block, float amplitude) {
  return u8((f32_to_bits(amplitude) >> 23) - 2 - (hash_u32(~seed, row, block) & 1));
}
TILE_BOTH float synthetic_scale(u32 seed, u32 row, u32 block, float amplitude) {
  return amplitude * (0x1p-8f + float(hash_u32(~seed, row, block) >> 24) * 0x1p-17f);
}

/** Two neighbouring numbers of caches that nobody has computed: of size one half to one, bf16. */
TILE_BOTH u32 made_up_pair(u64 pair) { return (hash_u32(1, u32(pair >> 20), u32(pair & 0xFFFFFu)) & 0x807F807Fu) | 0x3F003F00u; }

struct Recipe {
  u32 seed, row, scale_row;
  float mean, amplitude;
  Format format;  // as the source would store it
  u32 zeros;      // 1: a row of zeros
};

/** Lane `lane`'s part of one staged row in format `to`; rows of zeros keep their scales, so that halves agree. */
TILE_BOTH void synthesise_row(const Recipe& r, Format to, u32 first_column, u32 columns, u32 scales_at, int lane, u8* row) {
  if (to == Format::f32 || to == Format::bf16) {
    for (u32 c = lane; c < columns; c += 32) {
      float value = r.zeros ? 0.f : synthetic_number(r.seed, r.row, first_column + c, r.mean, r.amplitude);
      if (r.format == Format::bf16) value = round_bf16(value);
      if (to == Format::f32) {
        store_u32(row + c * 4, f32_to_bits(value));
      } else {
        // One 16-bit store: ptxas 13.0 makes a constant of the low byte when it is stored by itself.
        reinterpret_cast<bf16*>(row)[c] = to_bf16(value);
      }
    }
  } else if (to == Format::e4m3) {
    for (u32 c = lane; c < columns; c += 32) row[c] = r.zeros ? 0 : synthetic_e4m3(r.seed, r.row, first_column + c);
    const u32 first = first_column / 128, blocks = (first_column + columns + 127) / 128 - first;
    for (u32 b = lane; b < blocks; b += 32) store_u32(row + scales_at + b * 4, f32_to_bits(synthetic_scale(r.seed, r.scale_row, first + b, r.amplitude)));
  } else {
    for (u32 i = lane; i < columns / 8; i += 32) store_u32(row + i * 4, r.zeros ? 0 : synthetic_e2m1(r.seed, r.row, first_column / 8 + i));
    for (u32 b = lane; b < columns / 32; b += 32) row[scales_at + b] = synthetic_e8m0(r.seed, r.scale_row, first_column / 32 + b, r.amplitude);
  }
}

}  // namespace tile
