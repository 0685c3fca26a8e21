// The engine's own rounds over a model of five tokens, many requests: what the first three tokens are, counted.
//
// The target's logits after a token are a row of a table. The drafter's are another model's: along its own likeliest text
// from the anchor on, so that its proposals are often right and often wrong. Everything else is the engine: the control
// loop, sampling, history, accepting, drafting (control.h, sampler.h, history.h), as every executable has them.
// <bug> puts a known mistake in the place of finish_target: 1 the residual is forgotten, 2 a best guess is tested with the
// drafter's softmax, 3 a random number is used twice, 4 the block's first penalties are used for all of its rows, 5 random
// bits do not know the position. 0 is the engine's; -1 the same rejection sampling as 1 to 3, but right.
//
// -DCOMPUTE_WARPS=n: so many warps sample a row together; one where nothing is said, for that is quickest here.
//
//   rounds <bug> <requests> <draft rows> <tables: 50 numbers> <a Sampling, word by word, as the wire has it>
//   prints the 125 counts of (first, second, third)
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tile.h"

#ifndef COMPUTE_WARPS
#define COMPUTE_WARPS 1
#endif

struct Plan {
  static constexpr int ids = 5;
  static constexpr int ranks = 1, rows = 8, load_warps = 1, compute_warps = COMPUTE_WARPS, epilogue_warps = 1, communicate_warps = 1, sms = 1;
  static constexpr int ctx = 64, vocabulary = ids, valid_ids = ids, programs = 3, mask_token = 0;
  static constexpr int ring_depth = 2, join_depth = 1, join_parts = 1, join_squares = 0, max_active = 1, top_k = 1, experts = 1, expert_group = 1, early_eighths = 4;
  static constexpr bool has_means = false;
  static constexpr unsigned ring_page_bytes = 128, slots_bytes = 0, scratch_bytes = 0;

  static constexpr int control_counter = 0, control_left_counter = 1, logits_counter = 2, counters = 3, local_counters = 0;
  static constexpr const char* counter_names[] = {"round control", "round left", "logits"};
  TILE_BOTH static constexpr unsigned arrivals(int counter) { return counter == logits_counter ? unsigned(compute_warps) : counter == control_left_counter ? 3u + compute_warps : 1u; }
  TILE_BOTH static constexpr unsigned local_arrivals(int) { return 1; }

  static constexpr int site_round = 0, site_relay = 1, site_mailbox = 2, site_sample = 3, site_logits = 4, sites = 5;
  static constexpr const char* site_names[] = {"next round", "relay of the round", "mailbox", "sampler", "wait logits"};
  static constexpr int regions = 0;
  static constexpr const char* region_names[] = {""};

  static constexpr size_t counters_at = 0, control_at = 512, control_inbox_at = 1280, decode_at = 2304, inbox_at = 2816, abort_at = 3264, logits_at = 3328,
                          sampler_at = logits_at + 512, history_at = sampler_at + 16 * (vocabulary + 5 * 32 * compute_warps), firsts_at = history_at + 64,
                          workspace_bytes = firsts_at + 8 * 8;
  static constexpr size_t image_bytes = 2 * ids * ids * 4, kv_bytes = 0;
  using Exchange = float;
};

#include "tile_plan.h"
#include "engine/control.h"

namespace {
using namespace tile;
constexpr int ids = Plan::ids;
int bug = 0;

const float* table(Warp& w, bool of_target) { return reinterpret_cast<const float*>(w.image(0)) + (of_target ? 0 : ids * ids); }
int likeliest(const float* row) {
  int best = 0;
  for (int id = 1; id < ids; id++)
    if (row[id] > row[best]) best = id;
  return best;
}

void idle_role(Warp& w) {
  while (begin_round(w).op != round_quit) {
  }
}

// Rejection sampling, as engines write it, over distributions in double precision; temperature alone.
void law_of(const float* logits, double inverse_temperature, double (&law)[ids]) {
  double total = 0;
  for (int id = 0; id < ids; id++) total += law[id] = std::exp(double(logits[id]) * inverse_temperature);
  for (double& p : law) p /= total;
}
int draw(const double (&law)[ids], double uniform) {
  double total = 0, left = 0;
  for (const double p : law) total += p;
  left = uniform * total;
  for (int id = 0; id < ids; id++)
    if ((left -= law[id]) < 0) return id;
  return likeliest(std::vector<float>(law, law + ids).data());
}
double chance(const Sampling& s, int position, u32 purpose) { return double(uniform_bits(s.seed, u32(position), purpose) >> 11) * 0x1p-53; }

int reject(Warp& w, const Sampling& s, const float* logits, int last, int proposal, int position, bool& accepted) {
  double p[ids], q[ids];
  law_of(logits, s.inverse_temperature, p);
  law_of(table(w, false) + last * ids, s.inverse_temperature, q);
  const double decides = chance(s, position, 101), redraws = bug == 3 ? decides : chance(s, position, 102);
  accepted = proposal >= 0 && (bug == 2 ? decides * q[proposal] < p[proposal] : decides < p[proposal]);
  if (accepted) return proposal;
  for (int id = 0; id < ids; id++) {
    if (proposal < 0 || bug == 1) continue;
    p[id] = bug == 2 ? std::max(0.0, p[id] - q[id]) : id == proposal ? 0 : p[id];
  }
  return draw(p, redraws);
}

void finish_wrongly(Warp& w, const RoundControl& c, const float* logits) {
  const RowBlock& block = c.block[target_program];
  const Sampling s = decoding_of(w).request.sampling;
  Sampler sampler(w, Plan::valid_ids, w.ws<u64>(Plan::sampler_at), Plan::site_sample);
  History history = history_of(w);
  int chosen[max_rows] = {}, count = 0;
  for (int row = c.sample_from; row < block.rows; row++) {
    if (count > 0 && block.token[row] != chosen[count - 1]) break;
    const float* raw = logits + row * ids;
    if (bug == 4 || bug == 5) {
      const float* edited = s.edits() ? history.edited(raw, s, mailbox_of(w)->bias, Plan::site_sample) : raw;
      chosen[count++] = sampler.sample(edited, nullptr, s, bug == 5 ? 1u : u32(block.position[row] + 1));
      if (w.index == 0 && s.edits() && bug != 4) history.generated(chosen[count - 1]);
    } else {
      bool accepted = false;
      const int proposal = row + 1 < block.rows ? block.token[row + 1] : -1;
      chosen[count++] = reject(w, s, raw, block.token[row], proposal, block.position[row] + 1, accepted);
    }
  }
  w.role_barrier(Plan::site_sample);
  if (w.index != 0) return;
  if (bug == 4)
    for (int i = 0; i < count; i++) history.generated(chosen[i]);
  publish_round(w, advance(w, c, orders_of(w), chosen, count));
}
}  // namespace

TILE_ROLE void role_load(Warp& w) { idle_role(w); }
TILE_ROLE void role_epilogue(Warp& w) { idle_role(w); }
TILE_ROLE void role_communicate(Warp& w) { idle_role(w); }

TILE_ROLE void role_compute(Warp& w) {
  first_round(w);
  for (;;) {
    const RoundControl& c = begin_round(w);
    if (c.op == round_quit) return;
    float* logits = w.ws<float>(Plan::logits_at);
    if (w.index == 0) {
      const int program = c.runs(target_program) ? target_program : draft_program;
      const RowBlock& block = c.block[program];
      int along = block.token[0];
      for (int row = 0; row < block.rows; row++) {
        // The drafter's row is about its own position: what follows the text that it makes up.
        const float* from = program == target_program ? table(w, true) + block.token[row] * ids : table(w, false) + along * ids;
        if (program == draft_program && row > 0) along = likeliest(from);
        std::memcpy(logits + row * ids, from, ids * sizeof(float));
      }
    }
    w.signal(Plan::site_logits, Plan::logits_counter);
    w.wait(Plan::site_logits, Plan::logits_counter, c.round);
    u64* firsts = w.ws<u64>(Plan::firsts_at);
    find_firsts(w, logits, ids, firsts, c.sample_from, c.block[c.runs(target_program) ? target_program : draft_program].rows);
    w.role_barrier(Plan::site_sample);
    if (c.runs(target_program) && bug != 0) finish_wrongly(w, c, logits);
    else if (c.runs(target_program)) finish_target(w, c, logits, ids, firsts);
    else if (c.runs(draft_program)) finish_draft(w, c, firsts);
    else finish_commit(w, c);
  }
}

int main(int count, char** words) {
  constexpr int sampling_words = int(sizeof(Sampling) / 4), tables = 2 * ids * ids;
  constexpr int before = 4;  // of the tables
  if (count != before + tables + sampling_words) return std::fprintf(stderr, "%d words instead of %d\n", count, before + tables + sampling_words), 2;
  bug = std::atoi(words[1]);
  const u32 requests = u32(std::atoi(words[2]));
  const int rows = std::atoi(words[3]);
  std::vector<float> image(tables);
  for (int i = 0; i < tables; i++) image[size_t(i)] = std::strtof(words[before + i], nullptr);
  u32 sampling[sampling_words];
  for (int i = 0; i < sampling_words; i++) sampling[i] = u32(std::strtoul(words[before + tables + i], nullptr, 10));

  constexpr u32 results = 64, prompts = 64;
  std::vector<char> workspace(Plan::workspace_bytes + 128), memory(mailbox_bytes(results, prompts) + 128);
  const auto aligned = [](std::vector<char>& v) { return v.data() + (128 - reinterpret_cast<size_t>(v.data()) % 128) % 128; };
  Mailbox* m = reinterpret_cast<Mailbox*>(aligned(memory));
  m->results = results, m->prompts = prompts;
  FaultRecord fault{};
  EngineArgs a{};
  a.image = reinterpret_cast<char*>(image.data()), a.workspace = aligned(workspace);
  a.image_bytes = Plan::image_bytes, a.workspace_bytes = Plan::workspace_bytes;
  a.peer_workspace[0] = a.workspace, a.mailbox = m, a.fault = &fault, a.ranks = 1, a.sms = 1;

  std::vector<unsigned> counts(ids * ids * ids);
  // One more than is counted: the last of those may be followed by a proposal, too.
  constexpr int counted = 3, tokens = 4;
  u32 posted = 0, taken = 0;
  int cell = 0, seen = 0;
  tile::host::Options options;
  options.mailbox_site = Plan::site_mailbox;
  options.idle = [&](bool) {
    for (;; taken++) {
      const Result& r = mailbox_results(m)[taken % results];
      if (r.serial != taken + 1) break;
      for (u32 i = 0; i < r.tokens; i++, seen++)
        if (seen < counted) cell = cell * ids + r.token[i];
      if (r.finish == running) continue;
      counts[size_t(cell)]++;
      cell = 0, seen = 0;
    }
    if (m->idle == 0) return tile::host::Idle::nothing;
    if (posted == requests) {
      m->quit = 1;
      return tile::host::Idle::worked;
    }
    Request r{};
    r.prompt_length = 1, r.max_new_tokens = tokens, r.draft = rows, r.block = rows;
    std::memcpy(&r.sampling, sampling, sizeof sampling);
    r.sampling.seed[0] = posted, r.sampling.seed[1] = posted ^ 0x9E3779B9u;
    r.serial = ++posted;
    m->request = r, m->width = u32(rows);
    return tile::host::Idle::worked;
  };
  const tile::host::Outcome outcome = tile::host::run(&a, 1, 1, options);
  if (!outcome.ok() || !outcome.finished) return std::printf("%s\n", outcome.report.c_str()), 1;
  for (const unsigned n : counts) std::printf("%u ", n);
  std::printf("\n");
  return 0;
}
