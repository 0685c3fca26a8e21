// Where an element lies in each form (docs/engine.md 2). The one place that knows: packers, emitters' stores, tests and both
// back ends derive their addresses from these functions.
//   lane L of a fragment: g = L/4 (row or column), t = L%4; element j = 0..7 of a lane covers k(t, j) of a unit of 32.
//   A sum does not care in which order its k meet, as long as both operands agree: a lane takes eight neighbours.
//   unit: 16 rows x k32 of a weight.
// Numbers of elements are unsigned: half the operations, where they are divided.
#pragma once
#include "numbers.h"

namespace tile {

/** k within a unit of 32 of element j of a lane with t = lane % 4. */
TILE_BOTH constexpr int k_of(int t, int j) { return 8 * t + j; }
/** The inverse: t and j of k (0..31). */
TILE_BOTH constexpr int t_of(u32 k) { return int(k / 8); }
TILE_BOTH constexpr int j_of(u32 k) { return int(k % 8); }

/** Columns form: element index of (k, column) within one group of 8 columns: [unit][lane][8]. */
TILE_BOTH constexpr u32 columns_at(u32 k, u32 column) {
  return k / 32 * 256 + (column * 4 + k % 32 / 8) * 8 + k % 8;
}
/** K cache: element index of (key 0..63, dim) within a span: [key / 8][unit over qd][lane][8]. */
TILE_BOTH constexpr u32 k_at(u32 key, u32 dim, int qd) { return key / 8 * u32(ceil_div(qd, 32)) * 256 + columns_at(dim, key % 8); }
/** V cache: element index of (key 0..63, dim) within a span: [key / 32][vd / 8][lane][8]. Its keys meet probabilities that lie
    as the hardware left them: element j of a lane is key 16 (j / 4) + 8 (j % 4 / 2) + 2t + j % 2. */
TILE_BOTH constexpr u32 v_at(u32 key, u32 dim, int vd) {
  return key / 32 * u32(vd / 8) * 256 + dim / 8 * 256 + (dim % 8 * 4 + key % 8 / 2) * 8 + key % 32 / 16 * 4 + key % 16 / 8 * 2 + key % 2;
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
/** [lane] 8 bytes: a word of row g, a word of row g + 8; eight codes each, code j in half j % 2 of what a turn leaves. One mask
    takes a pair of codes out of a word as a pair of bf16 (sign 15, magnitude 8 7 6): pairs 0..2 of a row are its word turned left by
    turns[pair], and masked. What that leaves of both words, `rest`, makes one more word, row g's bits from the first, row g + 8's
    turned into the gaps between them; pair 3 of either row is that word turned by rest_turns[row half], and masked. So 16 codes take
    16 operations (15 where a three-input select is one). Scales: e8m0 bytes [row % 8][row / 8]. */
struct E2M1 {
  static constexpr int unit_bytes = 256, scale_bytes = 16;
  static constexpr u32 mask = 0x81C081C0u;
  static constexpr int turn1 = 4, turn2 = 10;                     // of pairs 1 and 2
  static constexpr u32 rest = 0x06030603u;                        // bits of the rest that the first word gives, where they are
  static constexpr int rest_turn = 2, turn3_low = 6, turn3_high = 12;  // of the second word into the rest; of the rest into pair 3
  TILE_BOTH static constexpr u32 turned(u32 word, int left) { return word << left | word >> (32 - left); }
  TILE_BOTH static constexpr int lane_at(int row, int k) { return (row % 8 * 4 + t_of(k)) * 8; }
  /** Bit 0..63 of the lane's bytes at lane_at(row, k) that holds bit `target` (15, 8, 7, 6) of the bf16 of (row, k). */
  TILE_BOTH static constexpr int bit_at(int row, int k, int target) {
    const int pair = j_of(k) / 2, word = row / 8, bit = target + j_of(k) % 2 * 16;
    if (pair < 3) return word * 32 + (bit - (pair == 0 ? 0 : pair == 1 ? turn1 : turn2) + 32) % 32;
    const int in_rest = (bit - (word == 0 ? turn3_low : turn3_high) + 32) % 32;
    return rest >> in_rest & 1u ? in_rest : 32 + (in_rest - rest_turn + 32) % 32;
  }
  /** The bits that `code` (0..15) sets in the 8 bytes at lane_at(row, k). */
  TILE_BOTH static constexpr u64 place(u32 code, int row, int k) {
    return u64(code >> 3 & 1u) << bit_at(row, k, 15) | u64(code >> 2 & 1u) << bit_at(row, k, 8) | u64(code >> 1 & 1u) << bit_at(row, k, 7) |
           u64(code & 1u) << bit_at(row, k, 6);
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
