// Where an element lies in each form (docs/engine.md 2). The one place that knows: packers, emitters' stores, tests and both
// back ends derive their addresses from these functions.
//   lane L of a fragment: g = L/4 (row or column), t = L%4; element j = 0..7 of a lane covers k(t, j) of a unit of 32.
//   A sum does not care in which order its k meet, as long as both operands agree: a lane takes eight neighbours.
//   unit: 16 rows x k32 of a weight.
#pragma once
#include "numbers.h"

namespace tile {

/** k within a unit of 32 of element j of a lane with t = lane % 4. */
TILE_BOTH constexpr int k_of(int t, int j) { return 8 * t + j; }
/** The inverse: t and j of k (0..31). */
TILE_BOTH constexpr int t_of(int k) { return k / 8; }
TILE_BOTH constexpr int j_of(int k) { return k % 8; }

/** Columns form: element index of (k, column) within one group of 8 columns: [unit][lane][8]. */
TILE_BOTH constexpr int columns_at(int k, int column) {
  return k / 32 * 256 + (column * 4 + t_of(k % 32)) * 8 + j_of(k % 32);
}
/** K cache: element index of (key 0..63, dim) within a span: [key / 8][unit over qd][lane][8]. */
TILE_BOTH constexpr int k_at(int key, int dim, int qd) { return key / 8 * ceil_div(qd, 32) * 256 + columns_at(dim, key % 8); }
/** V cache: element index of (key 0..63, dim) within a span: [key / 32][vd / 8][lane][8]. Its keys meet probabilities that lie
    as the hardware left them: element j of a lane is key 16 (j / 4) + 8 (j % 4 / 2) + 2t + j % 2. */
TILE_BOTH constexpr int v_at(int key, int dim, int vd) {
  return key / 32 * (vd / 8) * 256 + dim / 8 * 256 + (dim % 8 * 4 + key % 8 / 2) * 8 + key % 32 / 16 * 4 + key % 16 / 8 * 2 + key % 2;
}
constexpr int span_keys = 64;
TILE_BOTH constexpr int k_span_elements(int qd) { return span_keys / 8 * ceil_div(qd, 32) * 256; }
TILE_BOTH constexpr int v_span_elements(int vd) { return span_keys / 32 * (vd / 8) * 256; }

// Weight formats. `byte_at(row, k)`: where the element lies in its unit. Scales of a cell follow its codes, unit by unit.

/** [j / 4][row half][lane][4]: four 16-byte loads a lane. */
struct F32 {
  static constexpr int unit_bytes = 2048, scale_bytes = 0;
  TILE_BOTH static constexpr int byte_at(int row, int k) {
    return ((j_of(k) / 4 * 2 + row / 8) * 32 + row % 8 * 4 + t_of(k)) * 16 + j_of(k) % 4 * 4;
  }
};
/** [row half][lane][8]: two 16-byte loads a lane. */
struct BF16 {
  static constexpr int unit_bytes = 1024, scale_bytes = 0;
  TILE_BOTH static constexpr int byte_at(int row, int k) { return (row / 8 * 32 + row % 8 * 4 + t_of(k)) * 16 + j_of(k) * 2; }
};
/** [lane][row half][8]: one 16-byte load a lane. Byte b of each 4-byte word holds code j = {2, 0, 3, 1}[b] of its k16, so that
    (word & 0x8000.., word >> 4 & 0x07F0..) is a bf16 pair. Scales: 2 x f32, rows 0..7 and rows 8..15. */
struct E4M3 {
  static constexpr int unit_bytes = 512, scale_bytes = 8;
  TILE_BOTH static constexpr int byte_in_word(int j) { return j == 0 ? 1 : j == 1 ? 3 : j == 2 ? 0 : 2; }
  TILE_BOTH static constexpr int byte_at(int row, int k) {
    return (row % 8 * 4 + t_of(k)) * 16 + row / 8 * 8 + j_of(k) / 4 * 4 + byte_in_word(j_of(k) % 4);
  }
  TILE_BOTH static constexpr int scale_at(int row) { return row / 8 * 4; }
};
/** [lane][row half] u32: one 8-byte load a lane. Code j lies in 16-bit half j % 2 of the word; pair p = j / 2 of that half has
    its sign and magnitude bits (2..0) at
      p 0: 15, 8 7 6    p 1: 12, 5 4 3    p 2: 9, 2 1 0    p 3: 14, 11 10 13
    so that pairs 0..2 are `word << 3p & 0x81C081C0`. Scales: e8m0 bytes [row % 8][row / 8]: one 2-byte load a lane. */
struct E2M1 {
  static constexpr int unit_bytes = 256, scale_bytes = 16;
  TILE_BOTH static constexpr int word_at(int row, int k) { return (row % 8 * 4 + t_of(k)) * 8 + row / 8 * 4; }
  /** The bits that `code` (0..15) sets in the word at word_at(row, k). */
  TILE_BOTH static constexpr u32 place(u32 code, int k) {
    const int pair = j_of(k) / 2;
    const u32 sign = code >> 3 & 1u, magnitude = code & 7u;
    const u32 half = pair < 3 ? (sign << (15 - 3 * pair)) | (magnitude << (6 - 3 * pair))
                              : (sign << 14) | (magnitude >> 1 << 10) | ((magnitude & 1u) << 13);
    return half << (j_of(k) % 2 * 16);
  }
  TILE_BOTH static constexpr u32 extract(u32 word, int k) {
    const int pair = j_of(k) / 2;
    const u32 half = word >> (j_of(k) % 2 * 16) & 0xFFFFu;
    return pair < 3 ? (half >> (15 - 3 * pair) & 1u) << 3 | (half >> (6 - 3 * pair) & 7u)
                    : (half >> 14 & 1u) << 3 | (half >> 10 & 3u) << 1 | (half >> 13 & 1u);
  }
  TILE_BOTH static constexpr int scale_at(int row) { return row % 8 * 2 + row / 8; }
};

/** A cell is what one warp multiplies in one call: U units of codes, then their scales. */
template <class Format>
TILE_BOTH constexpr int cell_codes(int units) {
  return Format::unit_bytes * units;
}
template <class Format>
TILE_BOTH constexpr int cell_bytes(int units) {
  return (Format::unit_bytes + Format::scale_bytes) * units;
}

}  // namespace tile
