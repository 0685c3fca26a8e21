// Which spans of a cache the rows of a block can see, from the first key of the earliest row's window to the last row itself, and how
// SMs share them.
//
// Vocabulary: a *chunk* is so many spans, a power of two that the plan chooses, aligned to absolute positions: what one partial result
// is made of. A *task* is one chunk of one KV head for some m tiles, of which each is one warp's: spans pass through the ring once, for
// all of them. A row's bits depend on no other row: keys that it does not see change nothing, wherever in a chunk they lie.
#pragma once
#include "forms.h"

namespace tile {

/** Visible keys of a row: none where `last` lies before `first`. */
struct Visible {
  int first, last;
};

/** Positions of the token rows, and which keys a row sees: those up to itself, or, in a block, those of all rows too. */
struct RowPositions {
  const int* position;
  int rows;
  bool block = false;
  /** First and last visible key; window 0: all, else that many keys up to the row (and, in a block, from it on). */
  TILE_BOTH int first(int row, int window) const { return window > 0 ? position[row] - window + 1 : 0; }
  TILE_BOTH int last(int row, int window) const {
    if (!block) return position[row];
    const int end = position[rows - 1], reach = position[row] + window - 1;
    return window > 0 && reach < end ? reach : end;
  }
  /** A row that is not there sees nothing. */
  TILE_BOTH Visible visible(int row, int window) const { return row < rows ? Visible{first(row, window), last(row, window)} : Visible{0, -1}; }
};

struct Spans {
  int first, count;
};
/** window 0: all keys. Positions of the first `rows` rows count. */
TILE_FN Spans visible_spans(const int* position, int rows, int window) {
  int lowest = position[0], highest = position[0];
  TILE_LOOP
  for (int row = 1; row < rows; ++row) {
    lowest = position[row] < lowest ? position[row] : lowest;
    highest = position[row] > highest ? position[row] : highest;
  }
  const int from = window > 0 && lowest - window + 1 > 0 ? lowest - window + 1 : 0;
  return Spans{from / span_keys, highest / span_keys - from / span_keys + 1};
}

/** `chunk`: among those that are visible; `spans`: of the sequence; `tiles`: never more than compute warps. */
struct AttendTask {
  int head, chunk;
  Share spans, tiles;
};

/** What the SMs have to attend to, in chunks of `Chunk` spans, and which tasks are this SM's. */
template <int Kv, int MTiles, int Chunk>
struct AttendTasks {
  static constexpr int least_parts = ceil_div(MTiles, Plan::compute_warps);
  Spans spans;
  int chunks, parts;  // parts of the m tiles: more than the fewest where there are fewer chunks than SMs
  Share own;

  TILE_FN AttendTask task(int number) const {
    const int part = number % parts, of_all = number / parts, head = Kv == 1 ? 0 : of_all / chunks, chunk = of_all - head * chunks;
    const int begin = (spans.first / Chunk + chunk) * Chunk, end = spans.first + spans.count;
    return AttendTask{head, chunk, {begin > spans.first ? begin : spans.first, begin + Chunk < end ? begin + Chunk : end}, share_of(MTiles, part, parts)};
  }
};
template <int Kv, int MTiles, int Chunk>
TILE_FN AttendTasks<Kv, MTiles, Chunk> attend_tasks(const Warp& w, const int* position, int rows, int window) {
  using Tasks = AttendTasks<Kv, MTiles, Chunk>;
  const Spans spans = visible_spans(position, rows, window);
  const int chunks = (spans.first + spans.count - 1) / Chunk - spans.first / Chunk + 1, fit = w.sms / (Kv * chunks);
  const int parts = fit < Tasks::least_parts ? Tasks::least_parts : fit < MTiles ? fit : MTiles;
  return Tasks{spans, chunks, parts, share(w, Kv * chunks * parts)};
}

}  // namespace tile
