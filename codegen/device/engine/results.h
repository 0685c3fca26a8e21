// How what a round yielded gets from rank 0 to the host.
//
// Vocabulary: a *result* goes to the mailbox's ring, its serial last; a *record* of log probabilities goes there before the result that
// counts it. Both are ways across the bus, of which a round that goes on does not wait for: its result lies in the *outbox*, behind the
// Decoding, until the next round has been relayed, and who relays brings it.
// Invariants: results have serials without a gap, and a place each, whatever order they arrive in; the last one of a request is
// brought before the next request is looked for.
#pragma once
#include "decoding.h"

namespace tile {

// A result on its way to the host, by the parity of its round: who relays the next round brings it there, behind everything that the
// round waits for. It is there before the round after next can end, for relaying that one comes later.
struct Outbox {
  Result result;
  u32 brought;  // serial of the last one that was
};
#ifdef TILE_GRAPH
constexpr bool relays_results = false;  // who relays is a kernel that the next round waits for
#else
constexpr bool relays_results = true;
#endif
constexpr int outbox_at = round_up(sizeof(Decoding), 16);
static_assert(outbox_at + 2 * sizeof(Outbox) <= decode_bytes, "the state of a request fits its place");

TILE_FN Outbox& outbox_of(Warp& w, u32 round) { return w.ws<Outbox>(Plan::decode_at + outbox_at)[round & 1]; }

/** The serial comes last: whoever finds it finds all of the result. */
TILE_FN void bring_result(Warp& w, const Result& r) {
  u32* to = reinterpret_cast<u32*>(mailbox_results(mailbox_of(w)) + (r.serial - 1) % decoding_of(w).results);
  const u32* words = reinterpret_cast<const u32*>(&r);
  static_assert(sizeof r / 4 <= 32, "a word a lane");
  w.lanes([&](int lane) {
    if (lane > 0 && lane < int(sizeof r / 4)) store_system(to + lane, words[lane]);
  });
  release_system();
  w.sync_lanes();
  w.once([&] { store_system(to, words[0]); });
}

TILE_FN void relay_result(Warp& w, u32 round) {
  Outbox& waiting = outbox_of(w, round - 1);
  if (waiting.result.serial == waiting.brought) return;
  bring_result(w, waiting.result);
  w.sync_lanes();
  w.once([&] { waiting.brought = waiting.result.serial; });
}

// The tokens of a round and how they came about.
struct Yield {
  int token[max_rows];
  int tokens, accepted;
  Finish finish;
};

// The last result of a request is brought at once: the host will not post the next one before it.
TILE_FN void push_result(Warp& w, Decoding& d, const RoundControl& c, const Yield& y, int position, u32 round_ns, u32 draft_ns) {
  Outbox& box = outbox_of(w, c.round);
  w.once([&] {
    Result r{};
    r.serial = ++d.published;
    r.request = d.request.serial, r.round = c.round, r.finish = y.finish;
    r.tokens = u32(y.tokens), r.position = position;
    for (int i = 0; i < max_rows; i++) r.token[i] = y.token[i];
    r.drafted = y.tokens > 0 ? u32(c.block[target_program].rows - c.sample_from - 1) : 0, r.accepted = u32(y.accepted), r.unusable = d.unusable;
    r.round_ns = round_ns, r.draft_ns = draft_ns, r.logged = d.logged;
    box.result = r;
    d.unusable = 0;
  });
  w.sync_lanes();
  if (relays_results && y.finish == running) return;
  bring_result(w, box.result);
  w.sync_lanes();
  w.once([&] { box.brought = box.result.serial; });
  w.sync_lanes();
}

// A record of log probabilities goes out before the result that counts it.
TILE_FN void push_log(Warp& w, Decoding& d, LogRecord& record, const float* logits, int token) {
  w.once([&] {
    Mailbox* m = mailbox_of(w);
    record.logit = logits[token];
    u32* to = reinterpret_cast<u32*>(mailbox_log(m, d.results) + d.logged++ % d.results);
    u32 words[sizeof record / 4];
    __builtin_memcpy(words, &record, sizeof record);
    for (int i = 0; i < int(sizeof record / 4); i++) store_system(to + i, words[i]);
  });
  w.sync_lanes();
}

}  // namespace tile
