// Rounds: how every warp learns what the next one is, and how rank 0 decides it. The host takes no part in this loop.
//
// A generated role is `for (;;) { const RoundControl& c = begin_round(w); if (c.op == round_quit) return; ... }`. The compute
// role of rank 0's SM 0 calls `first_round` before its loop and `finish_round` at the end of each turn, when the logits
// of the rows that are sampled lie in its workspace (and whatever else a round leaves behind is complete).
//
// Vocabulary: to *publish* is to push a RoundControl as tagged packets into every rank's inbox; to *relay* is to copy it
// from there into the rank's control slot and signal the control counter, which every warp of the rank waits for.
// Invariants: the reference that begin_round returns is valid until the same warp's next begin_round: a control slot is
// written again only when every warp of the rank has left the round before. A slot of the inbox is written again
// only after rank 0 has heard of the end of the round in between. Waits here know no deadline: idleness is not a fault.
//
// The plan names: counters `control_counter` (one arrival) and `control_left_counter` (every warp of the rank adds one a round);
// sites `site_round`, `site_relay`, `site_mailbox`, `site_sample`; places `control_at` (2 x control_slot_bytes),
// `control_inbox_at` (2 x control_inbox_bytes), `decode_at` (decode_bytes), `sampler_at` (sampler_bytes(...)), `history_at`
// (history_bytes(...)); `ctx`, `valid_ids` (ids that may be sampled), `programs` (1 or 3) and `mask_token` (what a draft's
// rows are fed).
#pragma once
#include "clock.h"
#include "results.h"
#include "sampler.h"

namespace tile {

constexpr int control_slot_bytes = 384;
constexpr int control_inbox_bytes = 512;
static_assert(sizeof(RoundControl) <= control_slot_bytes && control_packets * 16 <= control_inbox_bytes, "a round's control fits its slot");
static_assert(round_up(sizeof(RoundControl), 16) * role_count <= Shared::control_bytes, "and its copies in shared memory");

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
  // Unlike other packets these bring along what their sender knew: the next round builds on the results of the last.
  acquire_system();
  // Every warp of this rank has left the round before: nobody can leave this one yet, so no warp's lead hides another's lag.
  if (round > 1) w.wait_alone(Plan::site_relay, Plan::control_left_counter, round - 1);
  w.lanes([&](int lane) {
    if (lane < control_packets) w.received(inbox + lane);
  });
  w.control_writes(round);
  u32* words = reinterpret_cast<u32*>(control_slot(w, round));
  w.lanes([&](int lane) {
    if (lane >= control_packets) return;
    const Packet packet = load_packet(inbox + lane);
    for (int i = 0; i < 3; i++)
      if (lane * 3 + i < control_words) words[lane * 3 + i] = packet.word[i];
  });
  w.control_agrees(round, control_slot(w, round), sizeof(RoundControl));
  w.signal(Plan::site_relay, Plan::control_counter);
  if (relays_results && w.rank == 0) aside(w, [=](Warp& w) { relay_result(w, round); });
}

TILE_FN const RoundControl& begin_round(Warp& w) {
  const u32 before = w.round(), round = before + 1;
  if (before > 0) {
    w.control_reads(before);
    w.signal(Plan::site_round, Plan::control_left_counter);
  }
  w.enter_round(round);
  if (w.role == communicate_role && w.index == 0 && w.sm == 0) relay_round(w, round);
  w.wait_idle(Plan::site_round, Plan::control_counter, round);
  // Neither sends nor signals any more (--stall), until somebody has given up waiting for it.
  if (w.role == epilogue_role && w.index == 0 && w.sm == 0 && round == w.args->stall_round)
    aside(w, [](Warp& w) { w.poll(Plan::site_round, What::none, 0, true, [](int) { return false; }); });
  return w.keep_near(Plan::site_round, control_slot(w, round), Shared::control_at + (round & 1) * Shared::control_bytes);
}

/** What begin_round has returned, found again. */
TILE_FN const RoundControl& this_round(Warp& w) {
  const u32 round = w.round();
  return w.kept_near(control_slot(w, round), Shared::control_at + (round & 1) * Shared::control_bytes);
}

// ---- rank 0 decides ----

TILE_FN void publish_round(Warp& w, const RoundControl& c) {
  const u32* words = reinterpret_cast<const u32*>(&c);
  release_system();
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
  u32* words = reinterpret_cast<u32*>(&c);
  for (int i = 0; i < control_words; i++) words[i] = 0;
  c.round = round, c.op = op;
  return c;
}

// The round of these programs, counted.
TILE_FN RoundControl round_of(Warp& w, Decoding& d, u32 round, u32 programs) {
  RoundControl c = empty_round(round, round_run);
  c.programs = programs;
  for (int p = 0; p < program_count; p++) c.ran[p] = d.ran[p];
  w.once([&] {
    for (int p = 0; p < program_count; p++) d.ran[p] += programs >> p & 1u;
  });
  w.sync_lanes();
  return c;
}

// Words of host memory, one a lane and all at once, for each is a way across the bus. `word`: of a lane; nullptr: 0. They bring nothing
// along: what they say was complete when the request was posted, or is all that there is to know.
template <class F>
TILE_FN PerLane<u32> from_host(Warp& w, F word) {
  PerLane<u32> found;
  w.lanes([&](int lane) {
    const u32* at = word(lane);
    found[lane] = at == nullptr ? 0 : peek_system(at);
  });
  return found;
}

// The next block of the prompt; its last row is sampled when it ends the prompt.
TILE_FN RoundControl prompt_round(Warp& w, Decoding& d, u32 round) {
  RoundControl c = round_of(w, d, round, 1u << target_program);
  RowBlock& block = c.block[target_program];
  const int left = d.request.prompt_length - d.consumed;
  const u32* prompt = reinterpret_cast<const u32*>(mailbox_prompt(mailbox_of(w), d.results) + d.consumed);
  block.rows = left < max_rows ? left : max_rows;
  const PerLane<u32> tokens = from_host(w, [&](int row) { return row < block.rows ? prompt + row : nullptr; });
  for (int row = 0; row < max_rows; row++)
    if (row < block.rows) block.position[row] = d.consumed + row, block.token[row] = int(w.broadcast(tokens, row));
  c.sample_from = block.rows == left ? block.rows - 1 : block.rows;
  if (d.request.sampling.edits()) history_of(w).prompted(block.token, block.rows);
  return c;
}

// The anchor, which has a token and is in no cache yet, and the proposals behind it.
TILE_FN RoundControl verify_round(Warp& w, Decoding& d, u32 round, const int* proposed, int proposals) {
  RoundControl c = round_of(w, d, round, 1u << target_program);
  RowBlock& block = c.block[target_program];
  const int wanted = d.request.max_new_tokens - d.generated, room = Plan::ctx - d.position;
  block.rows = 1 + proposals;
  block.rows = block.rows < wanted ? block.rows : wanted;
  block.rows = block.rows < room ? block.rows : room;
  for (int row = 0; row < max_rows; row++)
    if (row < block.rows) block.position[row] = d.position + row, block.token[row] = row == 0 ? d.anchor : proposed[row];
  return c;
}

// The caller's predictions of the tokens from a position on; -1: none.
struct Predictions {
  int token[max_rows];
};
TILE_FN Predictions predictions(Warp& w, const Decoding& d, int position) {
  const int at = position - d.request.prompt_length, count = d.request.predicted;
  const u32* predicted = reinterpret_cast<const u32*>(mailbox_predicted(mailbox_of(w), d.results, d.prompts));
  const auto known = [=](int row) { return at + row >= 0 && at + row < count; };
  const PerLane<u32> tokens = from_host(w, [&](int row) { return row < max_rows && known(row) ? predicted + at + row : nullptr; });
  Predictions p;
  for (int row = 0; row < max_rows; row++) p.token[row] = known(row) ? int(w.broadcast(tokens, row)) : -1;
  return p;
}

// Without a drafter: what the caller predicts is all that is proposed.
TILE_FN RoundControl predicted_round(Warp& w, Decoding& d, u32 round) {
  const Predictions p = predictions(w, d, d.position);
  int count = 1;
  while (count < d.width && p.token[count] >= 0) count++;
  return verify_round(w, d, round, p.token, count - 1);
}

// Remembers the first `accepted` rows of the target's round, and proposes rows behind the anchor if asked to: always a
// whole block, as the drafter was trained, of which the target then verifies as much as the width says.
TILE_FN RoundControl draft_round(Warp& w, Decoding& d, const RoundControl& done, int accepted, bool propose) {
  RoundControl c = round_of(w, d, done.round + 1, 1u << commit_program | u32(propose) << draft_program);
  c.block[commit_program] = done.block[target_program];
  c.block[commit_program].rows = accepted;
  RowBlock& block = c.block[draft_program];
  const int room = Plan::ctx - d.position;
  block.rows = !propose ? 0 : room < d.request.block ? room : d.request.block;
  for (int row = 0; row < max_rows; row++)
    if (row < block.rows) block.position[row] = d.position + row, block.token[row] = row == 0 ? d.anchor : Plan::mask_token;
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
  w.lanes([&](int lane) {
    const u32* from = reinterpret_cast<const u32*>(&m->request);
    u32* to = reinterpret_cast<u32*>(&d.request);
    for (int i = lane; i < int(sizeof(Request) / 4); i += 32) to[i] = load_system(from + i);
  });
  w.sync_lanes();
  w.once([&] {
    store_system(&m->idle, 0);
    d.results = load_system(&m->results), d.prompts = load_system(&m->prompts);
    d.consumed = d.request.cached, d.generated = 0, d.unusable = 0, d.began = d.verify_began = work_ns();
    d.width = Plan::programs > 1 || d.request.predicted > 0 ? d.request.draft : 0;
  });
  w.sync_lanes();
  if (d.request.sampling.edits()) history_of(w).clear();
  return prompt_round(w, d, round);
}

TILE_FN Finish finish_of(const Decoding& d, int token, int generated, int position) {
  for (int i = 0; i < d.request.stops; i++)
    if (d.request.stop[i] == token) return i < d.request.eos_stops ? finish_eos : finish_stop;
  if (generated >= d.request.max_new_tokens) return finish_length;
  return position >= Plan::ctx ? finish_context : running;
}

// What the host wants by now: lane 0 the request to cancel, 1 whether to quit, 2 the width. Asked for before it is needed: it is the longest way.
TILE_FN PerLane<u32> orders_of(Warp& w) {
  Mailbox* m = mailbox_of(w);
  const bool asks = w.index == 0;  // the others do not need to know
  return from_host(w, [=](int lane) { return !asks ? nullptr : lane == 0 ? &m->cancel : lane == 1 ? &m->quit : lane == 2 ? &m->width : nullptr; });
}

// What follows a round of the target. `chosen` are the tokens that follow rows sample_from.., as many as count: row i + 1
// was fed what row i chose, for all but the last.
TILE_FN RoundControl advance(Warp& w, const RoundControl& c, const PerLane<u32>& orders, const int* chosen, int count) {
  Decoding& d = decoding_of(w);
  const RowBlock& block = c.block[target_program];
  const u64 now = work_ns();
  const u32 round_ns = u32(now - d.began), draft_ns = u32(d.verify_began - d.began);
  const u32 round = c.round + 1;
  const u32 cancel = w.broadcast(orders, 0), quit = w.broadcast(orders, 1), width = w.broadcast(orders, 2);
  if (quit != 0) return empty_round(round, round_quit);
  if (cancel == d.request.serial) {
    push_result(w, d, c, Yield{{}, 0, 0, finish_cancel}, block.position[block.rows - 1] + 1, round_ns, draft_ns);
    return next_request(w, d, round);
  }
  const bool prompt = d.consumed < d.request.prompt_length;
  w.once([&] {
    d.began = d.verify_began = now;  // what is decided from here on, and brought to everybody, is the next round's
    if (prompt) d.consumed += block.rows;
    else if (d.width > 0) d.width = int(width);
  });
  w.sync_lanes();
  const bool drafts = Plan::programs > 1 && d.width > 0;
  if (c.sample_from == block.rows) return drafts ? draft_round(w, d, c, block.rows, false) : prompt_round(w, d, round);
  Yield y{{}, 0, count - 1, running};
  int generated = d.generated, anchor = d.anchor, position = d.position;  // written back once: each way to L2 counts here
  for (; y.tokens < count && y.finish == running; y.tokens++) {
    anchor = y.token[y.tokens] = chosen[y.tokens];
    generated++, position = block.position[c.sample_from + y.tokens] + 1;
    y.finish = finish_of(d, anchor, generated, position);
  }
  w.once([&] { d.generated = generated, d.anchor = anchor, d.position = position; });
  w.sync_lanes();
  // Past an end nothing was meant: the last token that counts may be one that was proposed.
  const bool proposed = y.tokens < count;
  y.accepted = proposed ? y.tokens : count - 1;
  push_result(w, d, c, y, block.position[c.sample_from] + 1, round_ns, draft_ns);
  if (y.finish != running) return next_request(w, d, round);
  return drafts ? draft_round(w, d, c, c.sample_from + count, d.width > 1) : predicted_round(w, d, round);
}

// Before the first turn of the compute role's loop: rank 0's SM 0 waits for the first request. Others return at once.
TILE_FN void first_round(Warp& w) {
  if (w.rank != 0 || w.sm != 0 || w.index != 0) return;
  publish_round(w, next_request(w, decoding_of(w), 1));
}

// Whether the token that row's predecessor chose is the one that row was fed. A synthetic acceptance rolls a die instead
// and takes what was fed for the chosen one: its text means nothing, its rounds cost what they cost.
TILE_FN bool row_holds(const Request& r, const RowBlock& block, int row, int& chosen) {
  if (r.synthetic == 0) return block.token[row] == chosen;
  if (u32(uniform_bits(r.sampling.seed, u32(block.position[row]), purpose_synthetic)) >= r.synthetic) return false;
  chosen = block.token[row];
  return true;
}

// The tokens that follow rows sample_from.., as many as hold: a row is sampled only if the row before it chose the token that it was
// fed, for then its history is what plain decode would have.
struct Chosen {
  int token[max_rows];
  int count;
};

// The likeliest token is what all SMs together have found: one warp reads it, a few instructions a row.
TILE_FN void choose_likeliest(Warp& w, const RoundControl& c, const Request& request, const Sampler& sampler, const volatile u64* gathered, Chosen& chosen) {
  const RowBlock& block = c.block[target_program];
  for (int row = c.sample_from; row < block.rows; row++) {
    if (chosen.count > 0 && !row_holds(request, block, row, chosen.token[chosen.count - 1])) break;
    const int token = sampler.likeliest(gathered[row]);
    if (token < 0) w.give_up(Plan::site_sample, What::number, block.position[row]);
    chosen.token[chosen.count++] = token;
  }
}

// Whatever else a request may want, by all warps of the role together.
TILE_FN void choose_together(Warp& w, const RoundControl& c, const Request& request, Sampler& sampler, const volatile u64* gathered, const float* logits, int stride, Chosen& chosen) {
  const RowBlock& block = c.block[target_program];
  const Sampling& s = request.sampling;
  Decoding& d = decoding_of(w);
  History history = history_of(w);
  for (int row = c.sample_from; row < block.rows; row++) {
    if (chosen.count > 0 && !row_holds(request, block, row, chosen.token[chosen.count - 1])) break;
    const float* raw = logits + size_t(row) * stride;
    const volatile u64* found = gathered + row;
    LogRecord record{};
    if (s.logprobs > 0) sampler.describe(raw, found, s.logprobs - 1, record);
    const float* edited = s.edits() ? history.edited(raw, s, mailbox_of(w)->bias, Plan::site_sample) : raw;
    const int token = sampler.sample(edited, s.edits() ? nullptr : found, s, u32(block.position[row] + 1));
    if (token < 0) w.give_up(Plan::site_sample, What::number, block.position[row]);
    chosen.token[chosen.count++] = token;
    if (w.index != 0) continue;
    if (s.logprobs > 0) push_log(w, d, record, raw, token);
    if (s.edits()) history.generated(token);
  }
}

// Ends a round of the target: samples, publishes the result, decides what comes next. All compute warps of rank 0's SM 0
// call it; `logits` is f32 [rows][stride], complete for the rows that are sampled, `firsts` what find_firsts made of them.
TILE_PHASE static void finish_target(Warp& w, const RoundControl& c, const float* logits, int stride, const u64* firsts) {
  const RowBlock& block = c.block[target_program];
#ifndef __CUDACC__
  if (w.index == 0 && w.world->options.computed) w.world->options.computed(c.round, block.rows, block.position);
#endif
  const Request request = decoding_of(w).request;  // warp 0 takes the next one when the others may still be reading
  Sampler sampler(w, Plan::valid_ids, w.ws<u64>(Plan::sampler_at), Plan::site_sample);
  Chosen chosen{};
  const PerLane<u32> orders = orders_of(w);
  const volatile u64* gathered = sampler.gather_firsts(firsts, c.sample_from, block.rows);
  if (!request.sampling.plain()) choose_together(w, c, request, sampler, gathered, logits, stride, chosen);
  else if (w.index == 0) choose_likeliest(w, c, request, sampler, gathered, chosen);
  if (w.index == 0) publish_round(w, advance(w, c, orders, chosen.token, chosen.count));
}

// Ends a round that only remembered: the prompt goes on, or the target, one row at a time.
TILE_FN void finish_commit(Warp& w, const RoundControl& c) {
  if (w.index != 0 || c.runs(draft_program)) return;
  Decoding& d = decoding_of(w);
  const bool prompt = d.consumed < d.request.prompt_length;
  publish_round(w, prompt ? prompt_round(w, d, c.round + 1) : verify_round(w, d, c.round + 1, nullptr, 0));
  w.once([&] {
    d.verify_began = work_ns();
    if (prompt) d.began = d.verify_began;
  });
  w.sync_lanes();
}

// Ends a round that proposed: row j's likeliest token is the proposal for its own position; row 0 is the anchor. Where a
// row's logits are no numbers, it and the rows behind it propose nothing: that costs speed, never text.
TILE_PHASE static void finish_draft(Warp& w, const RoundControl& c, const u64* firsts) {
  const RowBlock& block = c.block[draft_program];
  Decoding& d = decoding_of(w);
  const int rows = d.width < block.rows ? d.width : block.rows;
  Sampler sampler(w, Plan::valid_ids, w.ws<u64>(Plan::sampler_at), Plan::site_sample);
  const volatile u64* gathered = sampler.gather_firsts(firsts, 1, rows);
  if (w.index != 0) return;
  const Predictions predicted = predictions(w, d, block.position[0]);
  int proposed[max_rows] = {}, count = 1;
  for (; count < rows; count++) {
    const int token = predicted.token[count] >= 0 ? predicted.token[count] : sampler.likeliest(gathered[count]);
    if (token < 0) break;
    proposed[count] = token;
  }
  w.once([&] { d.unusable = u32(rows - count); });
  w.sync_lanes();
  publish_round(w, verify_round(w, d, c.round + 1, proposed, count - 1));
  w.once([&] { d.verify_began = work_ns(); });
  w.sync_lanes();
}

}  // namespace tile
