// Weights on their way into L2 before the phase that reads them: every SM asks for a part of the range, and nobody waits for it.
#pragma once

namespace tile {

/** Parts of a range that SMs ask for are whole lines. */
constexpr size_t prefetch_line = 128;

TILE_FN void prefetch_share(Warp& w, int site, size_t offset, size_t bytes) {
  const size_t lines = (bytes + prefetch_line - 1) / prefetch_line;
  const size_t begin = lines * size_t(w.sm) / size_t(w.sms) * prefetch_line, end = lines * size_t(w.sm + 1) / size_t(w.sms) * prefetch_line;
  const size_t last = end < bytes ? end : bytes;
  if (begin < last) w.prefetch(site, w.image(offset + begin), u32(last - begin));
}

}  // namespace tile
