// Which spans of a cache the rows of a block can see: from the first key of the earliest row's window to the last row itself.
#pragma once
#include "forms.h"

namespace tile {

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
};

struct Spans {
  int first, count;
};
/** Parts that the m tiles of a span are dealt out in: more than one where there are fewer spans than SMs. */
TILE_BOTH int attend_parts(int sms, int spans, int m_tiles) {
  const int parts = sms / spans;
  return parts < 1 ? 1 : parts < m_tiles ? parts : m_tiles;
}
/** The m tile of this warp's team among `end - first`, or -1: teams take neighbouring ones. */
TILE_FN int attend_tile(const Warp& w, int first, int end) {
  const int team = w.index / attend_team, tile = first + team;
  return team < attend_teams && tile < end ? tile : -1;
}
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

/** What the SMs have to attend to: the spans that rows see, each in so many parts, and which of (head, span, part) are this SM's. */
struct SpanTasks {
  Spans spans;
  int parts;
  Share tasks;
};
TILE_FN SpanTasks span_tasks(const Warp& w, const int* position, int rows, int window, int kv, int m_tiles) {
  const Spans spans = visible_spans(position, rows, window);
  const int parts = attend_parts(w.sms, kv * spans.count, m_tiles);
  return SpanTasks{spans, parts, share(w, kv * spans.count * parts)};
}

}  // namespace tile
