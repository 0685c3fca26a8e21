// Near attention: attention over a window so short that one SM sees all keys of an m tile (16 query rows) at once. Nothing passes
// from SM to SM and nothing through the ring: warps read keys and values where the caches have them, leave sums in the role's
// scratch memory, meet, and merge them.
//
// Vocabulary: a *block* is 16 keys, what a warp attends to by itself; blocks are aligned to absolute positions and merged in their
// order, so a row's bits depend on no other row: a block of which a row sees nothing (peak -infinity, sums 0) changes nothing.
// A *task* is one m tile of one KV head and a *part* of the value dims: as many parts as let the sums of all blocks fit.
// Each back end has attend_block (one block, one warp) and touch_near (brings blocks near while the queries are waited for).
#pragma once
#include "merge.h"
#include "spans.h"

namespace tile {

constexpr int near_keys = 16;

/** One m tile of a head, one part of the value dims; which blocks its rows see. */
struct NearTask {
  int head, m_tile, part;
  Share blocks;
};

/** What a task's warps leave for the merge: unnormalised sums, peak and denominator by block and row, and the sink of each row. */
template <int Blocks, int Dims>
struct NearSums {
  static constexpr int stride = Dims + 8;  // of rows, so that eight of them lie in different banks
  float o[Blocks][16][stride];
  float peak[Blocks][16], total[Blocks][16], sink[16];
};

/** Where one entry's caches lie, and who looks at them. */
template <int Group, int Qd, int Vd, int Window, int Slots, int Parts>
struct NearAttention {
  static constexpr int group = Group, qd = Qd, vd = Vd, window = Window, dims = Vd / Parts, m_tiles = ceil_div(Plan::rows * Group, 16);
  static constexpr int most_blocks = (Window + Plan::rows - 2 + near_keys - 1) / near_keys + 1;  // of keys that follow one another
  static constexpr int key_bytes = near_keys * ceil_div(Qd, 32) * 64, value_bytes = dims * 64;  // of a block, of a part of two blocks
  using Sums = NearSums<most_blocks, dims>;
  static_assert(Vd % (8 * Parts) == 0, "a part is whole groups of eight dims");
  static_assert(sizeof(Sums) <= Plan::scratch_bytes, "what blocks leave fits the scratch memory");

  const char *keys, *values;
  RowPositions rows;

  TILE_FN NearTask task(int number) const {
    const u32 part = u32(number) % Parts, tile = u32(number) / Parts, m_tile = tile % m_tiles;
    int first = 0, last = -1;
    TILE_LOOP
    for (int row = int(m_tile * 16 / Group); row <= int((m_tile * 16 + 15) / Group) && row < rows.rows; ++row) {
      const int from = rows.first(row, Window) > 0 ? rows.first(row, Window) : 0, end = rows.last(row, Window);
      first = last < 0 || from < first ? from : first;
      last = end > last ? end : last;
    }
    return NearTask{int(tile / m_tiles), int(m_tile), int(part), {int(u32(first) / near_keys), last < 0 ? 0 : int(u32(last) / near_keys) + 1}};
  }
  TILE_FN size_t slot(int head, u32 block) const { return size_t(u32(head) * Slots + block / 4 % Slots); }
  /** The first key of a block, and of its values the first of a part: what lies from there on is found by k_at and v_at. */
  TILE_FN const char* key(int head, u32 block) const { return keys + (slot(head, block) * 4 + block % 4) * key_bytes; }
  TILE_FN const char* value(int head, u32 block, int part) const {
    return values + slot(head, block) * v_span_elements(Vd) * 2 + (block % 4 / 2 * Parts + u32(part)) * value_bytes + block % 2 * 8;
  }
};

/** Four neighbouring dims of a row: a sink first, then blocks in order. */
template <class Sums>
TILE_FN void merge_blocks(const Sums& sums, int blocks, int row, int dim, u32 (&merged)[2]) {
  const float sink = sums.sink[row];
  float peak = sink;
  TILE_UNROLL_BY(5)
  for (int block = 0; block < blocks; ++block) peak = fmaxf(peak, sums.peak[block][row]);
  float total = expf(sink - peak), value[4] = {0, 0, 0, 0};
  TILE_UNROLL_BY(5)
  for (int block = 0; block < blocks; ++block) {
    const Neighbours<4> own = *reinterpret_cast<const Neighbours<4>*>(&sums.o[block][row][dim]);
    const float factor = expf(sums.peak[block][row] - peak);
    total += factor * sums.total[block][row];
    TILE_UNROLL
    for (int i = 0; i < 4; ++i) value[i] += factor * own.value[i];
  }
  const float inverse = 1.0f / total;
  merged[0] = pack_bf16(value[0] * inverse, value[1] * inverse), merged[1] = pack_bf16(value[2] * inverse, value[3] * inverse);
}

// All warps of the compute role call attend_near, meet, call merge_near, and meet again before anybody writes the scratch memory. Who comes
// to attend_near finds it free: the phase's wait was a meeting too, behind all that the role's warps have read of staged rows or norms'
// weights. Rows that are not there have no blocks.

/** Leaves what this warp's blocks come to. `sinks`: of all heads, or null. */
template <class Near>
TILE_FN void attend_near(Warp& w, const Near& near, int number, const bf16* q, float scale, const float* sinks) {
  const NearTask task = near.task(number);
  const int blocks = task.blocks.end - task.blocks.begin;
  typename Near::Sums& sums = *w.scratch<typename Near::Sums>();
  // A head's sink is one more logit, without a value; where there is none, it weighs nothing.
  if (w.index == w.count - 1) {
    w.area_writes(Area::near_sums, Near::most_blocks);
    w.lanes([&](int lane) {
      if (lane < 16) sums.sink[lane] = sinks ? sinks[task.head * Near::group + (task.m_tile * 16 + lane) % Near::group] : -INFINITY;
    });
  }
  TILE_LOOP
  for (int block = w.index; block < blocks; block += w.count) {
    w.area_writes(Area::near_sums, block);
    attend_block(w, near, task, task.blocks.begin + block, q, scale, sums.o[block], sums.peak[block], sums.total[block]);
  }
}

/** Merges what all warps have left, and stores it as bf16 in the columns form `out`. */
template <class Near>
TILE_FN void merge_near(Warp& w, const Near& near, int number, bf16* out) {
  const NearTask task = near.task(number);
  const int blocks = task.blocks.end - task.blocks.begin;
  const typename Near::Sums& sums = *w.scratch<typename Near::Sums>();
  for (int block = 0; block <= blocks; ++block) w.area_reads(Area::near_sums, block < blocks ? block : Near::most_blocks);
  constexpr int fours = Near::dims / 4;
  w.lanes([&](int lane) {
    for (int item = w.index * 32 + lane; item < 16 * fours; item += w.count * 32) {
      const int row = int(u32(item) / fours), dim = int(u32(item) % fours * 4);
      const u32 m_row = u32(task.m_tile * 16 + row);
      if (int(m_row / Near::group) >= near.rows.rows) return;
      u32 merged[2];
      merge_blocks(sums, blocks, row, dim, merged);
      const u32 k = (u32(task.head) * Near::group + m_row % Near::group) * Near::vd + u32(task.part * Near::dims + dim);
      u32* to = reinterpret_cast<u32*>(out + columns_at(k, m_row / Near::group));
      to[0] = merged[0], to[1] = merged[1];
    }
  });
}

}  // namespace tile
