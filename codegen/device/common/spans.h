// Which spans of a cache the rows of a block can see: from the first key of the earliest row's window to the last row itself.
#pragma once

namespace tile {

struct Spans {
  int first, count;
};
/** window 0: all keys. Positions of the first `rows` rows count. */
TILE_FN Spans visible_spans(const int* position, int rows, int window) {
  int lowest = position[0], highest = position[0];
  for (int row = 1; row < rows; ++row) {
    lowest = position[row] < lowest ? position[row] : lowest;
    highest = position[row] > highest ? position[row] : highest;
  }
  const int from = window > 0 && lowest - window + 1 > 0 ? lowest - window + 1 : 0;
  return Spans{from / span_keys, highest / span_keys - from / span_keys + 1};
}

}  // namespace tile
