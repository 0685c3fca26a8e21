// Packing: from rows as a checkpoint stores them to the units that the matrix primitives read (common/forms.h).
//
// Vocabulary: a *staged row* is one tile row gathered by the loader: `stride` bytes apart, the codes (or numbers) of the
// item's columns first, then its scales: e2m1 one e8m0 byte for 32 columns; e4m3 one f32 for each 128-column block that
// the columns touch. One function packs
// one unit: the lanes of a warp on CUDA, a loop on the host.
// Invariant: whatever bits go in come out; packing converts nothing. What a unit must not contain is reported, not mended.
#pragma once
#include "../common/forms.h"
#include "load_plan.h"

namespace tile {

struct StagedRows {
  const u8* rows;     // of tile row 0 of the chunk
  u32 stride;         // bytes from row to row
  u32 columns;        // as staged: a multiple of 32, zero beyond the item's own
  u32 scales_at;      // where a row's scales begin
  u32 first_column;   // of the item in its tensor: where e4m3 blocks begin
};

/** Which weight a chunk belongs to, for reports. */
struct Place {
  u32 item, expert;
};

enum class Illegal : u32 { none, e4m3_nan, e8m0_nan, e8m0_zero, scale_not_finite, scales_differ, not_finite };

inline const char* illegal_text(Illegal what) {
  static const char* const texts[] = {"nothing", "an e4m3 NaN code", "the e8m0 scale byte 255 (NaN)", "the e8m0 scale byte 0 over codes that are not 0",
                                      "a scale that is not finite", "scales that differ within 8 rows that share one", "a number that is not finite"};
  return texts[u32(what)];
}

TILE_BOTH u32 load_u32(const u8* at) { return u32(at[0]) | u32(at[1]) << 8 | u32(at[2]) << 16 | u32(at[3]) << 24; }
TILE_BOTH void store_u32(u8* at, u32 value) {
  at[0] = u8(value), at[1] = u8(value >> 8), at[2] = u8(value >> 16), at[3] = u8(value >> 24);
}

/** One lane's part of a unit of one format: `tile` is the staged tile's first row, `unit` counts units of 32 columns. */
template <class F>
struct Packer;

template <>
struct Packer<F32> {
  TILE_BOTH static Illegal lane(const StagedRows& s, const u8* tile, int unit, int lane, u8* codes, u8*) {
    Illegal bad = Illegal::none;
    for (int i = 0; i < 16; i++) {
      const int row = lane / 4 + i / 8 * 8, k = k_of(lane % 4, i % 8);
      const u32 bits = load_u32(tile + u64(row) * s.stride + (unit * 32 + k) * 4);
      if ((bits >> 23 & 0xFF) == 0xFF) bad = Illegal::not_finite;
      store_u32(codes + F32::byte_at(row, k), bits);
    }
    return bad;
  }
};

template <>
struct Packer<BF16> {
  TILE_BOTH static Illegal lane(const StagedRows& s, const u8* tile, int unit, int lane, u8* codes, u8*) {
    Illegal bad = Illegal::none;
    for (int i = 0; i < 16; i++) {
      const int row = lane / 4 + i / 8 * 8, k = k_of(lane % 4, i % 8);
      const u8* from = tile + u64(row) * s.stride + (unit * 32 + k) * 2;
      if ((from[1] & 0x7F) == 0x7F && (from[0] & 0x80)) bad = Illegal::not_finite;
      u8* to = codes + BF16::byte_at(row, k);
      to[0] = from[0], to[1] = from[1];
    }
    return bad;
  }
};

template <>
struct Packer<E4M3> {
  TILE_BOTH static Illegal lane(const StagedRows& s, const u8* tile, int unit, int lane, u8* codes, u8* scales) {
    Illegal bad = Illegal::none;
    for (int i = 0; i < 16; i++) {
      const int row = lane / 4 + i / 8 * 8, k = k_of(lane % 4, i % 8);
      const u8 code = tile[u64(row) * s.stride + unit * 32 + k];
      if ((code & 0x7F) == 0x7F) bad = Illegal::e4m3_nan;
      codes[E4M3::byte_at(row, k)] = code;
    }
    // Lanes 0..15 look at a row's scale each: all rows of a half must agree with the half's first.
    if (lane < 16) {
      const u32 at = s.scales_at + ((s.first_column + unit * 32) / 128 - s.first_column / 128) * 4;
      const u32 own = load_u32(tile + u64(lane) * s.stride + at);
      const u32 first = load_u32(tile + u64(lane / 8 * 8) * s.stride + at);
      if ((own >> 23 & 0xFF) == 0xFF) bad = Illegal::scale_not_finite;
      if (own != first) bad = Illegal::scales_differ;
      if (lane % 8 == 0) store_u32(scales + E4M3::scale_at(lane), own);
    }
    return bad;
  }
};

template <>
struct Packer<E2M1> {
  TILE_BOTH static Illegal lane(const StagedRows& s, const u8* tile, int unit, int lane, u8* codes, u8* scales) {
    Illegal bad = Illegal::none;
    u64 words = 0;
    for (int half = 0; half < 2; half++) {
      const int row = lane / 4 + half * 8;
      const u8* from = tile + u64(row) * s.stride;
      bool any = false;
      for (int j = 0; j < 8; j++) {
        const int k = k_of(lane % 4, j), column = unit * 32 + k;
        const u32 code = from[column / 2] >> (column % 2 * 4) & 15u;
        any = any || (code & 7u) != 0;
        words |= E2M1::place(code, row, k);
      }
      const u8 scale = from[s.scales_at + unit];
      if (scale == 255) bad = Illegal::e8m0_nan;
      // 2^-127 reads as 0 in the engine, which is exact only over zeros (what an all-zero block carries).
      if (scale == 0 && any) bad = Illegal::e8m0_zero;
      if (lane % 4 == 0) scales[E2M1::scale_at(row)] = scale;
    }
    store_u32(codes + lane * 8, u32(words));
    store_u32(codes + lane * 8 + 4, u32(words >> 32));
    return bad;
  }
};

/** Where the pages of an item put their units; everything that packing a chunk of whole tiles needs. */
struct PackJob {
  StagedRows staged;
  Format format;
  u32 first_tile, tiles;  // of the item, in this chunk
  u32 page_bytes, cells, cell_bytes, units, pages_per_tile, tiles_per_page, cells_per_tile, page_unit_stride, cell_unit_stride;

  TILE_BOTH u64 first_page() const { return u64(first_tile) / tiles_per_page * pages_per_tile; }
  TILE_BOTH u64 pages() const { return u64(tiles) / tiles_per_page * pages_per_tile; }
  TILE_BOTH u64 jobs() const { return pages() * cells * units; }
};

/** Packs unit `index` of the chunk (0..jobs()-1), lane `lane`. `image` is where the item begins. */
template <class F>
TILE_BOTH Illegal pack_unit(const PackJob& job, u64 index, int lane, u8* image) {
  const u32 u = u32(index % job.units), c = u32(index / job.units % job.cells);
  const u64 p = index / job.units / job.cells + job.first_page();
  const u32 tile = u32(p / job.pages_per_tile * job.tiles_per_page + c / job.cells_per_tile) - job.first_tile;
  const u32 unit = u32(p % job.pages_per_tile) * job.page_unit_stride + c % job.cells_per_tile * job.cell_unit_stride + u;
  u8* cell = image + p * job.page_bytes + u64(c) * job.cell_bytes;
  u8* codes = cell + u64(u) * F::unit_bytes;
  u8* scales = cell + u64(job.units) * F::unit_bytes + u64(u) * F::scale_bytes;
  if (unit * 32 >= job.staged.columns) {  // a page longer than the columns: zeros
    for (int i = lane; i < F::unit_bytes; i += 32) codes[i] = 0;
    for (int i = lane; i < F::scale_bytes; i += 32) scales[i] = 0;
    return Illegal::none;
  }
  return Packer<F>::lane(job.staged, job.staged.rows + u64(tile) * 16 * job.staged.stride, int(unit), lane, codes, scales);
}

TILE_BOTH Illegal pack_lane(const PackJob& job, u64 index, int lane, u8* image) {
  switch (job.format) {
    case Format::f32: return pack_unit<F32>(job, index, lane, image);
    case Format::bf16: return pack_unit<BF16>(job, index, lane, image);
    case Format::e4m3: return pack_unit<E4M3>(job, index, lane, image);
    default: return pack_unit<E2M1>(job, index, lane, image);
  }
}

}  // namespace tile
