// Rounds: how every warp learns what the next one is, and how rank 0 decides it. The host takes no part in this loop.
//
// A generated role is `for (;;) { const RoundControl& c = begin_round(w); if (c.op == round_quit) return; ... }`. The compute
// role of rank 0's SM 0 calls `first_round` before its loop and `finish_round` at the end of each turn, when the logits
// of the rows that are sampled lie in its workspace (and whatever else a round leaves behind is complete).
//
// Vocabulary: to *publish* is to push a RoundControl as tagged packets into every rank's inbox; to *relay* is to copy it
// from there into the rank's control slot and signal the control counter, which every warp of the rank waits for.
// Invariants: the reference that begin_round returns is valid until the same warp's next begin_round: a control slot is
// written again only when every warp of the rank has left the round before last. A slot of the inbox is written again
// only after rank 0 has heard of the end of the round in between. Waits here know no deadline: idleness is not a fault.
//
// The plan names: counters `control_counter` (one arrival) and `control_left_counter` (every warp of the rank adds one a round);
// sites `site_round`, `site_relay`, `site_mailbox`, `site_sample`; places `control_at` (2 x control_slot_bytes),
// `control_inbox_at` (2 x control_inbox_bytes), `decode_at` (decode_bytes), `sampler_at` (sampler_bytes(...)); `ctx`,
// `valid_ids` (ids that may be sampled).
#pragma once
#include "clock.h"
#include "sampler.h"

namespace tile {

constexpr int control_slot_bytes = 128;
constexpr int control_inbox_bytes = 256;
constexpr int decode_bytes = 256;
static_assert(sizeof(RoundControl) <= control_slot_bytes && control_packets * 16 <= control_inbox_bytes, "a round's control fits its slot");

// What rank 0 remembers of the request in hand; only warp 0 of its SM 0's compute role touches it.
struct Decoding {
  Request request;
  int consumed;   // prompt tokens that have been rows
  int generated;
  u32 published;  // results so far
  u64 round_began;
};
static_assert(sizeof(Decoding) <= decode_bytes, "the state of a request fits its place");

TILE_FN Mailbox* mailbox_of(Warp& w) { return static_cast<Mailbox*>(w.args->mailbox); }
TILE_FN Decoding& decoding_of(Warp& w) { return *w.ws<Decoding>(Plan::decode_at); }

TILE_FN Packet* control_inbox(Warp& w, int rank, u32 round) {
  return w.peer<Packet>(rank, Plan::control_inbox_at + (round & 1) * control_inbox_bytes);
}
TILE_FN RoundControl* control_slot(Warp& w, u32 round) { return w.ws<RoundControl>(Plan::control_at + (round & 1) * control_slot_bytes); }

TILE_FN void relay_round(Warp& w, u32 round) {
  Packet* inbox = control_inbox(w, w.rank, round);
  u32* beat = &mailbox_of(w)->heartbeat[w.rank];
  u32 polls = 0;
  w.poll(Plan::site_relay, What::control, int(round), true, [=](int lane) mutable {
    if (lane == 0 && polls++ % polls_a_beat == 0) store_system(beat, load_system(beat) + 1);
    return lane >= control_packets || load_packet(inbox + lane).word[3] == round;
  });
  // Every warp of this rank has left round - 2, whose slot this is.
  const u32* left = w.counter(Plan::control_left_counter);
  const u32 gone = round > 2 ? (round - 2) * u32(Shared::warps) * u32(w.sms) : 0;
  w.poll(Plan::site_relay, What::control, int(round), true, [=](int) { return int(load_counter(left) - gone) >= 0; });
  u32* words = reinterpret_cast<u32*>(control_slot(w, round));
  w.lanes([&](int lane) {
    if (lane >= control_packets) return;
    const Packet packet = load_packet(inbox + lane);
    w.received(inbox + lane);
    for (int i = 0; i < 3; i++)
      if (lane * 3 + i < control_words) words[lane * 3 + i] = packet.word[i];
  });
  w.signal(Plan::site_relay, Plan::control_counter);
}

TILE_FN const RoundControl& begin_round(Warp& w) {
  if (w.round > 0) w.signal(Plan::site_round, Plan::control_left_counter);
  const u32 round = ++w.round;
  if (w.role == communicate_role && w.index == 0 && w.sm == 0) relay_round(w, round);
  w.wait_idle(Plan::site_round, Plan::control_counter, round);
  return *control_slot(w, round);
}

// ---- rank 0 decides ----

TILE_FN void publish_round(Warp& w, const RoundControl& c) {
  const u32* words = reinterpret_cast<const u32*>(&c);
  w.lanes([&](int lane) {
    if (lane >= control_packets) return;
    Packet packet;
    for (int i = 0; i < 3; i++) packet.word[i] = lane * 3 + i < control_words ? words[lane * 3 + i] : 0;
    packet.word[3] = c.round;
    for (int rank = 0; rank < w.args->ranks; rank++) w.store_packet(control_inbox(w, rank, c.round) + lane, packet);
  });
}

TILE_FN RoundControl empty_round(u32 round, RoundOp op) {
  RoundControl c;
  c.round = round, c.op = op, c.rows = 0, c.sample_from = 0;
  for (int row = 0; row < max_rows; row++) c.position[row] = c.token[row] = c.sequence[row] = 0;
  return c;
}

// The next block of the prompt; its last row is sampled when it ends the prompt.
TILE_FN RoundControl prompt_round(Warp& w, const Decoding& d, u32 round) {
  RoundControl c = empty_round(round, round_run);
  const int left = d.request.prompt_length - d.consumed;
  const int* prompt = mailbox_prompt(mailbox_of(w)) + d.consumed;
  c.rows = left < max_rows ? left : max_rows;
  for (int row = 0; row < max_rows; row++)
    if (row < c.rows) c.position[row] = d.consumed + row, c.token[row] = int(load_system(reinterpret_cast<const u32*>(prompt + row)));
  c.sample_from = c.rows == left ? c.rows - 1 : c.rows;
  return c;
}

TILE_FN RoundControl decode_round(u32 round, int position, int token) {
  RoundControl c = empty_round(round, round_run);
  c.rows = 1;
  c.position[0] = position, c.token[0] = token;
  return c;
}

// Waits until there is a request, or the order to quit; the round that follows from it.
TILE_FN RoundControl next_request(Warp& w, Decoding& d, u32 round) {
  Mailbox* m = mailbox_of(w);
  const u32 seen = d.request.serial;
  w.once([&] { store_system(&m->idle, 1); });
  w.poll(Plan::site_mailbox, What::control, int(round), true,
         [=](int) { return load_system(&m->request.serial) != seen || load_system(&m->quit) != 0; });
  if (load_system(&m->quit) != 0) return empty_round(round, round_quit);
  w.once([&] {
    store_system(&m->idle, 0);
    const u32* from = reinterpret_cast<const u32*>(&m->request);
    u32* to = reinterpret_cast<u32*>(&d.request);
    for (int i = 0; i < int(sizeof(Request) / 4); i++) to[i] = load_system(from + i);
    d.consumed = d.generated = 0;
  });
  w.sync_lanes();
  return prompt_round(w, d, round);
}

TILE_FN Finish finish_of(const Decoding& d, int token, int position) {
  for (int i = 0; i < d.request.stops; i++)
    if (d.request.stop[i] == token) return i < d.request.eos_stops ? finish_eos : finish_stop;
  if (d.generated >= d.request.max_new_tokens) return finish_length;
  return position >= Plan::ctx ? finish_context : running;
}

TILE_FN void push_result(Warp& w, Decoding& d, const RoundControl& c, int token, int position, Finish finish, u64 now) {
  w.once([&] {
    Mailbox* m = mailbox_of(w);
    Result* r = mailbox_results(m) + d.published % m->results;
    u32* words = reinterpret_cast<u32*>(r);
    const u32 values[8] = {0, d.request.serial, u32(token), u32(position), c.round, u32(finish), u32(now - d.round_began), u32(c.rows)};
    for (int i = 1; i < 8; i++) store_system(words + i, values[i]);
    release_system();
    store_system(words, ++d.published);
  });
  w.sync_lanes();
}

// Takes the tokens that rows sample_from..rows-1 chose, in order, until one ends the request. Rows beyond the first are
// speculation: row i's token counts only if row i was fed the token that row i-1 chose.
TILE_FN RoundControl advance(Warp& w, const RoundControl& c, const int* chosen) {
  Mailbox* m = mailbox_of(w);
  Decoding& d = decoding_of(w);
  const u64 now = clock_ns();
  const u32 round = c.round + 1;
  const bool cancelled = load_system(&m->cancel) == d.request.serial;
  if (load_system(&m->quit) != 0) return empty_round(round, round_quit);
  if (cancelled) {
    push_result(w, d, c, -1, c.position[c.rows - 1] + 1, finish_cancel, now);
    return next_request(w, d, round);
  }
  if (c.sample_from == c.rows || d.consumed < d.request.prompt_length) {
    w.once([&] { d.consumed += c.rows; });
    w.sync_lanes();
    if (c.sample_from == c.rows) return prompt_round(w, d, round);
  }
  int token = 0, position = 0;
  for (int row = c.sample_from; row < c.rows; row++) {
    if (row > c.sample_from && c.token[row] != token) break;
    token = chosen[row];
    position = c.position[row] + 1;
    w.once([&] { d.generated++; });
    w.sync_lanes();
    const Finish finish = finish_of(d, token, position);
    push_result(w, d, c, token, position, finish, now);
    if (finish != running) return next_request(w, d, round);
  }
  return decode_round(round, position, token);
}

TILE_FN void decide(Warp& w, const RoundControl& next) {
  publish_round(w, next);
  w.once([&] { decoding_of(w).round_began = clock_ns(); });
  w.sync_lanes();
}

// Before the first turn of the compute role's loop: rank 0's SM 0 waits for the first request. Others return at once.
TILE_FN void first_round(Warp& w) {
  if (w.rank != 0 || w.sm != 0 || w.index != 0) return;
  decide(w, next_request(w, decoding_of(w), 1));
}

// Ends a round: samples, publishes the results, decides what comes next. All compute warps of rank 0's SM 0 call it;
// `logits` is f32 [rows][stride], complete for the rows that are sampled.
TILE_FN void finish_round(Warp& w, const RoundControl& c, const float* logits, int stride) {
#ifndef __CUDACC__
  if (w.index == 0 && w.world->options.computed) w.world->options.computed(c.round, c.rows, c.position);
#endif
  int chosen[max_rows] = {};
  sample_rows(w, c, logits, stride, decoding_of(w).request.sampling, chosen);
  if (w.index == 0) decide(w, advance(w, c, chosen));
}

}  // namespace tile
