// What rank 0 remembers of the request in hand, from one round to the next, and where it keeps it.
//
// The plan names its places: `decode_at` (decode_bytes; what lies behind a Decoding is results.h's) and `history_at`.
// Invariant: only warp 0 of rank 0's SM 0's compute role writes a Decoding.
#pragma once
#include "history.h"

namespace tile {

constexpr int decode_bytes = 512;

struct Decoding {
  Request request;
  int consumed;   // prompt tokens that have been rows
  int generated;
  int anchor, position;  // the newest token and where it stands; it is in no cache yet
  int width;             // rows to verify in the next round; 0: no drafting
  u32 unusable;          // proposals that the last draft threw away
  u32 ran[program_count];
  u32 published;  // results so far
  u32 logged;     // log records so far
  u32 results, prompts;  // lengths of the mailbox's arrays
  u64 began, verify_began;  // the round of tokens in hand: when what comes before it was known, and when its drafting, if any, was over
};
TILE_FN Mailbox* mailbox_of(Warp& w) { return static_cast<Mailbox*>(w.args->mailbox); }
TILE_FN Decoding& decoding_of(Warp& w) { return *w.ws<Decoding>(Plan::decode_at); }
TILE_FN History history_of(Warp& w) { return History(w, Plan::valid_ids, w.ws<char>(Plan::history_at)); }

}  // namespace tile
