// What sampling knows of the tokens before a row, and the logits that follow from it: repetition, presence and frequency
// penalties and logit bias.
//
// Vocabulary: a token is *seen* when the prompt or the request's own text has it; *generated* counts the latter alone. The
// *edited* row is a copy of a row's logits with, in this order: seen logits multiplied (away from what repeats), generated
// ones lowered, biases added. The row itself stays as the model wrote it.
// Invariants: memory is rank 0's, used by its SM 0's compute role; warp 0 alone counts, between two barriers of the role.
// A request that edits nothing touches none of it. A token is counted when it is chosen, so a row's history is that of
// plain decode, however many rows were verified at once.
#pragma once
#include "mailbox.h"

namespace tile {

// Per id: how often it was generated, and whether the prompt has it; then the edited row.
TILE_BOTH constexpr u64 history_bytes(int vocabulary) { return 8 * u64(vocabulary); }

struct History {
  Warp& w;
  const int valid;
  u32* const seen;  // generated << 1 | in the prompt
  float* const row;

  TILE_FN History(Warp& w, int valid, char* memory) : w(w), valid(valid), seen(reinterpret_cast<u32*>(memory)), row(reinterpret_cast<float*>(memory) + valid) {}

  // ---- warp 0 ----
  TILE_FN void clear() {
    w.lanes([&](int lane) {
      for (int id = lane; id < valid; id += 32) seen[id] = 0;
    });
    w.sync_lanes();
  }
  TILE_FN void prompted(const int* token, int count) {
    w.once([&] {
      for (int i = 0; i < count; i++)
        if (token[i] < valid) seen[token[i]] |= 1u;
    });
    w.sync_lanes();
  }
  TILE_FN void generated(int token) {
    w.once([&] { seen[token] += 2u; });
    w.sync_lanes();
  }

  // ---- all warps of the role ----
  /** The edited row. Every operation is one rounding, or a fused multiply-add that says so. */
  TILE_FN const float* edited(const float* logits, const Sampling& s, const Bias* bias, int site) {
    w.role_barrier(site);
    const int threads = 32 * w.count;
    w.lanes([&](int lane) {
      for (int id = w.index * 32 + lane; id < valid; id += threads) row[id] = penalised(logits[id], seen[id], s);
    });
    w.role_barrier(site);
    if (s.biases == 0) return row;
    w.lanes([&](int lane) {
      for (int i = w.index * 32 + lane; i < s.biases; i += threads) {
        const u32* words = reinterpret_cast<const u32*>(bias + i);
        row[int(load_system(words))] += bits_to_f32(load_system(words + 1));
      }
    });
    w.role_barrier(site);
    return row;
  }

  TILE_FN static float penalised(float logit, u32 seen, const Sampling& s) {
    if (seen == 0) return logit;
    logit = logit * (logit > 0 ? s.inverse_repetition : s.repetition);
    const u32 generated = seen >> 1;
    return generated ? fmaf(-s.frequency, float(generated), logit) - s.presence : logit;
  }
};

}  // namespace tile
