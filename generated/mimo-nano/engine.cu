// mimo: one persistent engine kernel, 1 rank of 132 SMs. Written by tilec 0.1.0; do not edit.
//
// How to read it: a round is the sequence of entries below (begin, the layers, end); an entry runs a segment, a segment is a
// list of phases, and each role of an SM has one function a phase. Layers of one kind share their functions.
//   load         fetches weight pages and spans of the caches into the ring, ahead of everything
//   compute      stages activations in registers, multiplies pages, hands sums over
//   epilogue     joins the parts of a sum, finishes each element, stores it in the form its readers want
//   communicate  receives what the ranks sent, sums in rank order; relays the round's control
// The primitives are codegen/device (API.md); forms are docs/engine.md.
#include "tile.h"

struct Plan {
  static constexpr int ranks = 1, sms = 132, rows = 8, ctx = 2048, valid_ids = 4096, programs = 3, mask_token = 4095;
  static constexpr int entries = 16, phases = 8;
  static constexpr int load_warps = 1, compute_warps = 16, epilogue_warps = 2, communicate_warps = 1;
  static constexpr unsigned ring_page_bytes = 32768, slots_bytes = 4096, scratch_bytes = 26944;
  static constexpr int ring_depth = 4, join_depth = 2, join_parts = 32, join_squares = 16;
  static constexpr bool has_means = false;
  static constexpr int experts = 16, max_active = 16, top_k = 4, expert_group = 2, early_eighths = 5;
  using Exchange = tile::i64;
  static constexpr size_t image_bytes = 35582976, kv_bytes = 12189696, workspace_bytes = 1984384;
  static constexpr size_t counters_at = 0, abort_at = 5120, control_at = 5248, control_inbox_at = 6016;
  static constexpr size_t decode_at = 7040, sampler_at = 11648, history_at = 120192, inbox_at = 7552, logits_inbox_at = 11648;
  static constexpr size_t zeroed_bytes = 11648;
  static constexpr int counters = 40, control_counter = 38, control_left_counter = 39, local_counters = 5;
  static constexpr int warps = load_warps + compute_warps + epilogue_warps + communicate_warps;
  TILE_BOTH static constexpr unsigned arrivals(int counter) { return counter == control_counter ? 1 : counter == control_left_counter ? sms * warps : counter == 21 ? 264 : counter == 35 ? 264 : sms; }
  TILE_BOTH static constexpr unsigned local_arrivals(int local) { return local == 0 ? compute_warps : local == 2 ? epilogue_warps : local == 3 ? epilogue_warps : 1; }
  static constexpr const char* counter_names[] = {"x", "full_dense.qkv", "full_dense.attend", "full_dense.attend.merge", "full_dense.o", "full_dense.dense.up", "sliding_experts.qkv", "sliding_experts.attend", "sliding_experts.o", "sliding_experts.router", "sliding_experts.route", "sliding_experts.expert.up", "sliding_experts.expert.up.early", "full_experts.qkv", "full_experts.attend", "full_experts.attend.merge", "full_experts.o", "full_experts.router", "full_experts.route", "full_experts.expert.up", "full_experts.expert.up.early", "end.head", "end.logits.firsts", "end.logits", "commit_begin.fc", "commit_begin.kv", "commit_begin.norm", "commit_end.conclude", "draft_x", "draft_sliding_dense.qkv", "draft_sliding_dense.norm", "draft_sliding_dense.attend", "draft_sliding_dense.attend.merge", "draft_sliding_dense.o", "draft_sliding_dense.dense.up", "draft_end.head", "draft_end.logits.firsts", "draft_end.logits", "round control", "left round"};
  static constexpr int sites = 418, site_round = 414, site_relay = 415, site_mailbox = 416, site_sample = 417;
  static constexpr const char* site_names[] = {
    "begin.embed_tokens/compute barrier", "begin.embed_tokens/compute signal x", "full_dense.qkv/load acquire ring", "full_dense.qkv/load copy page",
    "full_dense.qkv/load commit ring", "full_dense.qkv/compute wait x", "full_dense.qkv/compute norm barrier", "full_dense.qkv/compute await ring",
    "full_dense.qkv/compute release ring", "full_dense.qkv/compute acquire join", "full_dense.qkv/compute commit join", "full_dense.qkv/epilogue finish",
    "full_dense.qkv/epilogue barrier", "full_dense.qkv/epilogue signal full_dense.qkv", "full_dense.qkv/epilogue wait x", "full_dense.qkv/epilogue await join",
    "full_dense.qkv/epilogue release join", "full_dense.attend/load wait full_dense.qkv", "full_dense.attend/load acquire ring", "full_dense.attend/load copy span",
    "full_dense.attend/load commit ring", "full_dense.attend/compute wait full_dense.qkv", "full_dense.attend/compute await ring", "full_dense.attend/compute release ring",
    "full_dense.attend/compute barrier", "full_dense.attend/compute signal full_dense.attend", "full_dense.attend.merge/compute wait full_dense.attend", "full_dense.attend.merge/compute barrier",
    "full_dense.attend.merge/compute signal full_dense.attend.merge", "full_dense.o/load acquire ring", "full_dense.o/load copy page", "full_dense.o/load commit ring",
    "full_dense.o/compute wait full_dense.attend.merge", "full_dense.o/compute norm barrier", "full_dense.o/compute await ring", "full_dense.o/compute release ring",
    "full_dense.o/compute acquire join", "full_dense.o/compute commit join", "full_dense.o/epilogue finish", "full_dense.o/epilogue barrier",
    "full_dense.o/epilogue signal full_dense.o", "full_dense.o/epilogue wait full_dense.attend.merge", "full_dense.o/epilogue await join", "full_dense.o/epilogue release join",
    "full_dense.dense.up/load acquire ring", "full_dense.dense.up/load copy page", "full_dense.dense.up/load commit ring", "full_dense.dense.up/compute wait full_dense.o",
    "full_dense.dense.up/compute norm barrier", "full_dense.dense.up/compute await ring", "full_dense.dense.up/compute release ring", "full_dense.dense.up/compute acquire join",
    "full_dense.dense.up/compute commit join", "full_dense.dense.up/epilogue finish", "full_dense.dense.up/epilogue barrier", "full_dense.dense.up/epilogue signal full_dense.dense.up",
    "full_dense.dense.up/epilogue wait full_dense.o", "full_dense.dense.up/epilogue await join", "full_dense.dense.up/epilogue release join", "full_dense.dense.down/load acquire ring",
    "full_dense.dense.down/load copy page", "full_dense.dense.down/load commit ring", "full_dense.dense.down/compute wait full_dense.dense.up", "full_dense.dense.down/compute norm barrier",
    "full_dense.dense.down/compute await ring", "full_dense.dense.down/compute release ring", "full_dense.dense.down/compute acquire join", "full_dense.dense.down/compute commit join",
    "full_dense.dense.down/epilogue finish", "full_dense.dense.down/epilogue barrier", "full_dense.dense.down/epilogue signal x", "full_dense.dense.down/epilogue wait full_dense.dense.up",
    "full_dense.dense.down/epilogue await join", "full_dense.dense.down/epilogue release join", "sliding_experts.qkv/load acquire ring", "sliding_experts.qkv/load copy page",
    "sliding_experts.qkv/load commit ring", "sliding_experts.qkv/compute wait x", "sliding_experts.qkv/compute norm barrier", "sliding_experts.qkv/compute await ring",
    "sliding_experts.qkv/compute release ring", "sliding_experts.qkv/compute acquire join", "sliding_experts.qkv/compute commit join", "sliding_experts.qkv/epilogue finish",
    "sliding_experts.qkv/epilogue barrier", "sliding_experts.qkv/epilogue signal sliding_experts.qkv", "sliding_experts.qkv/epilogue wait x", "sliding_experts.qkv/epilogue await join",
    "sliding_experts.qkv/epilogue release join", "sliding_experts.attend/compute wait sliding_experts.qkv", "sliding_experts.attend/compute barrier of sums", "sliding_experts.attend/compute barrier",
    "sliding_experts.attend/compute signal sliding_experts.attend", "sliding_experts.o/load acquire ring", "sliding_experts.o/load copy page", "sliding_experts.o/load commit ring",
    "sliding_experts.o/compute wait sliding_experts.attend", "sliding_experts.o/compute norm barrier", "sliding_experts.o/compute await ring", "sliding_experts.o/compute release ring",
    "sliding_experts.o/compute acquire join", "sliding_experts.o/compute commit join", "sliding_experts.o/epilogue finish", "sliding_experts.o/epilogue barrier",
    "sliding_experts.o/epilogue signal sliding_experts.o", "sliding_experts.o/epilogue wait sliding_experts.attend", "sliding_experts.o/epilogue await join", "sliding_experts.o/epilogue release join",
    "sliding_experts.router/load acquire ring", "sliding_experts.router/load copy page", "sliding_experts.router/load commit ring", "sliding_experts.router/compute wait sliding_experts.o",
    "sliding_experts.router/compute norm barrier", "sliding_experts.router/compute await ring", "sliding_experts.router/compute release ring", "sliding_experts.router/compute acquire join",
    "sliding_experts.router/compute commit join", "sliding_experts.router/epilogue finish", "sliding_experts.router/epilogue barrier", "sliding_experts.router/epilogue signal sliding_experts.router",
    "sliding_experts.router/epilogue signal sliding_experts.router", "sliding_experts.router/epilogue wait sliding_experts.o", "sliding_experts.router/epilogue await join", "sliding_experts.router/epilogue release join",
    "sliding_experts.route/compute wait table", "sliding_experts.route/compute open table", "sliding_experts.route/compute wait sliding_experts.router", "sliding_experts.route/compute signal chosen",
    "sliding_experts.route/compute route barrier", "sliding_experts.route/compute signal route", "sliding_experts.expert.up/load acquire ring", "sliding_experts.expert.up/load copy page",
    "sliding_experts.expert.up/load commit ring", "sliding_experts.expert.up/load wait chosen", "sliding_experts.expert.up/compute norm barrier", "sliding_experts.expert.up/compute await ring",
    "sliding_experts.expert.up/compute release ring", "sliding_experts.expert.up/compute acquire join", "sliding_experts.expert.up/compute commit join", "sliding_experts.expert.up/epilogue finish",
    "sliding_experts.expert.up/epilogue signal stored", "sliding_experts.expert.up/communicate wait stored", "sliding_experts.expert.up/communicate signal sliding_experts.expert.up", "sliding_experts.expert.up/epilogue barrier",
    "sliding_experts.expert.up/epilogue signal sliding_experts.expert.up", "sliding_experts.expert.up/epilogue wait route", "sliding_experts.expert.up/epilogue await join", "sliding_experts.expert.up/epilogue release join",
    "sliding_experts.expert.down/load wait route", "sliding_experts.expert.down/load acquire ring", "sliding_experts.expert.down/load copy group", "sliding_experts.expert.down/load commit ring",
    "sliding_experts.expert.down/load signal table", "sliding_experts.expert.down/compute acquire slots", "sliding_experts.expert.down/compute wait sliding_experts.expert.up", "sliding_experts.expert.down/compute rows barrier",
    "sliding_experts.expert.down/compute await ring", "sliding_experts.expert.down/compute release ring", "sliding_experts.expert.down/compute commit slots", "sliding_experts.expert.down/epilogue await slots",
    "sliding_experts.expert.down/epilogue finish", "sliding_experts.expert.down/epilogue release slots", "sliding_experts.expert.down/epilogue barrier", "sliding_experts.expert.down/epilogue signal x",
    "full_experts.qkv/load acquire ring", "full_experts.qkv/load copy page", "full_experts.qkv/load commit ring", "full_experts.qkv/compute wait x",
    "full_experts.qkv/compute norm barrier", "full_experts.qkv/compute await ring", "full_experts.qkv/compute release ring", "full_experts.qkv/compute acquire join",
    "full_experts.qkv/compute commit join", "full_experts.qkv/epilogue finish", "full_experts.qkv/epilogue barrier", "full_experts.qkv/epilogue signal full_experts.qkv",
    "full_experts.qkv/epilogue wait x", "full_experts.qkv/epilogue await join", "full_experts.qkv/epilogue release join", "full_experts.attend/load wait full_experts.qkv",
    "full_experts.attend/load acquire ring", "full_experts.attend/load copy span", "full_experts.attend/load commit ring", "full_experts.attend/compute wait full_experts.qkv",
    "full_experts.attend/compute await ring", "full_experts.attend/compute release ring", "full_experts.attend/compute barrier", "full_experts.attend/compute signal full_experts.attend",
    "full_experts.attend.merge/compute wait full_experts.attend", "full_experts.attend.merge/compute barrier", "full_experts.attend.merge/compute signal full_experts.attend.merge", "full_experts.o/load acquire ring",
    "full_experts.o/load copy page", "full_experts.o/load commit ring", "full_experts.o/compute wait full_experts.attend.merge", "full_experts.o/compute norm barrier",
    "full_experts.o/compute await ring", "full_experts.o/compute release ring", "full_experts.o/compute acquire join", "full_experts.o/compute commit join",
    "full_experts.o/epilogue finish", "full_experts.o/epilogue barrier", "full_experts.o/epilogue signal full_experts.o", "full_experts.o/epilogue wait full_experts.attend.merge",
    "full_experts.o/epilogue await join", "full_experts.o/epilogue release join", "full_experts.router/load acquire ring", "full_experts.router/load copy page",
    "full_experts.router/load commit ring", "full_experts.router/compute wait full_experts.o", "full_experts.router/compute norm barrier", "full_experts.router/compute await ring",
    "full_experts.router/compute release ring", "full_experts.router/compute acquire join", "full_experts.router/compute commit join", "full_experts.router/epilogue finish",
    "full_experts.router/epilogue barrier", "full_experts.router/epilogue signal full_experts.router", "full_experts.router/epilogue signal full_experts.router", "full_experts.router/epilogue wait full_experts.o",
    "full_experts.router/epilogue await join", "full_experts.router/epilogue release join", "full_experts.route/compute wait table", "full_experts.route/compute open table",
    "full_experts.route/compute wait full_experts.router", "full_experts.route/compute signal chosen", "full_experts.route/compute route barrier", "full_experts.route/compute signal route",
    "full_experts.expert.up/load acquire ring", "full_experts.expert.up/load copy page", "full_experts.expert.up/load commit ring", "full_experts.expert.up/load wait chosen",
    "full_experts.expert.up/compute norm barrier", "full_experts.expert.up/compute await ring", "full_experts.expert.up/compute release ring", "full_experts.expert.up/compute acquire join",
    "full_experts.expert.up/compute commit join", "full_experts.expert.up/epilogue finish", "full_experts.expert.up/epilogue signal stored", "full_experts.expert.up/communicate wait stored",
    "full_experts.expert.up/communicate signal full_experts.expert.up", "full_experts.expert.up/epilogue barrier", "full_experts.expert.up/epilogue signal full_experts.expert.up", "full_experts.expert.up/epilogue wait route",
    "full_experts.expert.up/epilogue await join", "full_experts.expert.up/epilogue release join", "full_experts.expert.down/load wait route", "full_experts.expert.down/load acquire ring",
    "full_experts.expert.down/load copy group", "full_experts.expert.down/load commit ring", "full_experts.expert.down/load signal table", "full_experts.expert.down/compute acquire slots",
    "full_experts.expert.down/compute wait full_experts.expert.up", "full_experts.expert.down/compute rows barrier", "full_experts.expert.down/compute await ring", "full_experts.expert.down/compute release ring",
    "full_experts.expert.down/compute commit slots", "full_experts.expert.down/epilogue await slots", "full_experts.expert.down/epilogue finish", "full_experts.expert.down/epilogue release slots",
    "full_experts.expert.down/epilogue barrier", "full_experts.expert.down/epilogue signal x", "end.head/load acquire ring", "end.head/load copy page",
    "end.head/load commit ring", "end.head/compute wait x", "end.head/compute norm barrier", "end.head/compute await ring",
    "end.head/compute release ring", "end.head/compute acquire join", "end.head/compute commit join", "end.head/epilogue finish",
    "end.head/epilogue barrier", "end.head/epilogue await join", "end.head/epilogue release join", "end.head/epilogue signal end.head",
    "end.logits.firsts/compute wait end.head", "end.logits.firsts/compute barrier", "end.logits.firsts/compute signal end.logits.firsts", "end.logits/compute wait end.logits.firsts",
    "end.logits/compute sample", "commit_begin.fc/load acquire ring", "commit_begin.fc/load copy page", "commit_begin.fc/load commit ring",
    "commit_begin.fc/compute norm barrier", "commit_begin.fc/compute await ring", "commit_begin.fc/compute release ring", "commit_begin.fc/compute acquire join",
    "commit_begin.fc/compute commit join", "commit_begin.fc/epilogue finish", "commit_begin.fc/epilogue barrier", "commit_begin.fc/epilogue signal commit_begin.fc",
    "commit_begin.fc/epilogue await join", "commit_begin.fc/epilogue release join", "commit_begin.kv/load acquire ring", "commit_begin.kv/load copy page",
    "commit_begin.kv/load commit ring", "commit_begin.kv/compute wait commit_begin.fc", "commit_begin.kv/compute norm barrier", "commit_begin.kv/compute await ring",
    "commit_begin.kv/compute release ring", "commit_begin.kv/compute acquire join", "commit_begin.kv/compute commit join", "commit_begin.kv/epilogue finish",
    "commit_begin.kv/epilogue barrier", "commit_begin.kv/epilogue signal commit_begin.kv", "commit_begin.kv/epilogue wait commit_begin.fc", "commit_begin.kv/epilogue await join",
    "commit_begin.kv/epilogue release join", "commit_begin.norm/compute wait commit_begin.kv", "commit_begin.norm/compute barrier", "commit_begin.norm/compute signal commit_begin.norm",
    "commit_end.conclude/compute wait commit_begin.norm", "commit_end.conclude/compute sample", "commit_end.conclude/compute barrier", "commit_end.conclude/compute signal commit_end.conclude",
    "draft_begin.embed_tokens/compute barrier", "draft_begin.embed_tokens/compute signal draft_x", "draft_sliding_dense.qkv/load acquire ring", "draft_sliding_dense.qkv/load copy page",
    "draft_sliding_dense.qkv/load commit ring", "draft_sliding_dense.qkv/compute wait draft_x", "draft_sliding_dense.qkv/compute wait commit_end.conclude", "draft_sliding_dense.qkv/compute norm barrier",
    "draft_sliding_dense.qkv/compute await ring", "draft_sliding_dense.qkv/compute release ring", "draft_sliding_dense.qkv/compute acquire join", "draft_sliding_dense.qkv/compute commit join",
    "draft_sliding_dense.qkv/epilogue finish", "draft_sliding_dense.qkv/epilogue barrier", "draft_sliding_dense.qkv/epilogue signal draft_sliding_dense.qkv", "draft_sliding_dense.qkv/epilogue wait draft_x",
    "draft_sliding_dense.qkv/epilogue wait commit_end.conclude", "draft_sliding_dense.qkv/epilogue await join", "draft_sliding_dense.qkv/epilogue release join", "draft_sliding_dense.norm/compute wait draft_sliding_dense.qkv",
    "draft_sliding_dense.norm/compute barrier", "draft_sliding_dense.norm/compute signal draft_sliding_dense.norm", "draft_sliding_dense.attend/load wait draft_sliding_dense.norm", "draft_sliding_dense.attend/load acquire ring",
    "draft_sliding_dense.attend/load copy span", "draft_sliding_dense.attend/load commit ring", "draft_sliding_dense.attend/compute wait draft_sliding_dense.norm", "draft_sliding_dense.attend/compute await ring",
    "draft_sliding_dense.attend/compute release ring", "draft_sliding_dense.attend/compute barrier", "draft_sliding_dense.attend/compute signal draft_sliding_dense.attend", "draft_sliding_dense.attend.merge/compute wait draft_sliding_dense.attend",
    "draft_sliding_dense.attend.merge/compute barrier", "draft_sliding_dense.attend.merge/compute signal draft_sliding_dense.attend.merge", "draft_sliding_dense.o/load acquire ring", "draft_sliding_dense.o/load copy page",
    "draft_sliding_dense.o/load commit ring", "draft_sliding_dense.o/compute wait draft_sliding_dense.attend.merge", "draft_sliding_dense.o/compute norm barrier", "draft_sliding_dense.o/compute await ring",
    "draft_sliding_dense.o/compute release ring", "draft_sliding_dense.o/compute acquire join", "draft_sliding_dense.o/compute commit join", "draft_sliding_dense.o/epilogue finish",
    "draft_sliding_dense.o/epilogue barrier", "draft_sliding_dense.o/epilogue signal draft_sliding_dense.o", "draft_sliding_dense.o/epilogue wait draft_sliding_dense.attend.merge", "draft_sliding_dense.o/epilogue await join",
    "draft_sliding_dense.o/epilogue release join", "draft_sliding_dense.dense.up/load acquire ring", "draft_sliding_dense.dense.up/load copy page", "draft_sliding_dense.dense.up/load commit ring",
    "draft_sliding_dense.dense.up/compute wait draft_sliding_dense.o", "draft_sliding_dense.dense.up/compute norm barrier", "draft_sliding_dense.dense.up/compute await ring", "draft_sliding_dense.dense.up/compute release ring",
    "draft_sliding_dense.dense.up/compute acquire join", "draft_sliding_dense.dense.up/compute commit join", "draft_sliding_dense.dense.up/epilogue finish", "draft_sliding_dense.dense.up/epilogue barrier",
    "draft_sliding_dense.dense.up/epilogue signal draft_sliding_dense.dense.up", "draft_sliding_dense.dense.up/epilogue wait draft_sliding_dense.o", "draft_sliding_dense.dense.up/epilogue await join", "draft_sliding_dense.dense.up/epilogue release join",
    "draft_sliding_dense.dense.down/load acquire ring", "draft_sliding_dense.dense.down/load copy page", "draft_sliding_dense.dense.down/load commit ring", "draft_sliding_dense.dense.down/compute wait draft_sliding_dense.dense.up",
    "draft_sliding_dense.dense.down/compute norm barrier", "draft_sliding_dense.dense.down/compute await ring", "draft_sliding_dense.dense.down/compute release ring", "draft_sliding_dense.dense.down/compute acquire join",
    "draft_sliding_dense.dense.down/compute commit join", "draft_sliding_dense.dense.down/epilogue finish", "draft_sliding_dense.dense.down/epilogue barrier", "draft_sliding_dense.dense.down/epilogue signal draft_x",
    "draft_sliding_dense.dense.down/epilogue wait draft_sliding_dense.dense.up", "draft_sliding_dense.dense.down/epilogue await join", "draft_sliding_dense.dense.down/epilogue release join", "draft_end.head/load acquire ring",
    "draft_end.head/load copy page", "draft_end.head/load commit ring", "draft_end.head/compute wait draft_x", "draft_end.head/compute norm barrier",
    "draft_end.head/compute await ring", "draft_end.head/compute release ring", "draft_end.head/compute acquire join", "draft_end.head/compute commit join",
    "draft_end.head/epilogue finish", "draft_end.head/epilogue barrier", "draft_end.head/epilogue await join", "draft_end.head/epilogue release join",
    "draft_end.head/epilogue signal draft_end.head", "draft_end.logits.firsts/compute wait draft_end.head", "draft_end.logits.firsts/compute barrier", "draft_end.logits.firsts/compute signal draft_end.logits.firsts",
    "draft_end.logits/compute wait draft_end.logits.firsts", "draft_end.logits/compute sample", "round", "relay",
    "mailbox", "sample",
  };
  static constexpr int regions = 59;
  static constexpr const char* region_names[] = {
    "x.columns", "x.plain", "full_dense.qkv.queries", "full_dense.qkv.keys", "full_dense.qkv.values", "full_dense.attend.columns",
    "full_dense.attend.partials", "full_dense.o.columns", "full_dense.o.plain", "full_dense.dense.up.columns", "taps.columns", "sliding_experts.qkv.queries",
    "sliding_experts.qkv.keys", "sliding_experts.qkv.values", "sliding_experts.attend.columns", "sliding_experts.o.columns", "sliding_experts.o.plain", "sliding_experts.router.plain",
    "sliding_experts.expert.up.routedRows", "full_experts.qkv.queries", "full_experts.qkv.keys", "full_experts.qkv.values", "full_experts.attend.columns", "full_experts.attend.partials",
    "full_experts.o.columns", "full_experts.o.plain", "full_experts.router.plain", "full_experts.expert.up.routedRows", "end.head.logits", "end.logits.firsts",
    "commit_begin.fc.columns", "commit_begin.kv.plain", "cache layers.0.values", "commit_begin.kv.plain2", "cache layers.1.values", "commit_begin.kv.plain3",
    "cache layers.2.values", "commit_begin.kv.plain4", "cache layers.3.values", "cache layers.0.keys", "cache layers.1.keys", "cache layers.2.keys",
    "cache layers.3.keys", "draft_x.columns", "draft_x.plain", "draft_sliding_dense.qkv.plain", "draft_sliding_dense.qkv.plain2", "cache {layer}.values in draft_sliding_dense",
    "draft_sliding_dense.norm.queries", "cache {layer}.keys in draft_sliding_dense", "draft_sliding_dense.attend.columns", "draft_sliding_dense.attend.partials", "draft_sliding_dense.o.columns", "draft_sliding_dense.o.plain",
    "draft_sliding_dense.dense.up.columns", "draft_end.head.logits", "draft_end.logits.firsts", "sliding_experts.expert.up.routedRows.early", "full_experts.expert.up.routedRows.early",
  };
};

#include "tile_plan.h"
#include "engine/control.h"

#ifndef TILE_TRACE  // traces lie there, too
static_assert(tile::Shared::bytes == 210560, "shared memory is laid out as the plan was proved to fit an SM");
#endif

// The file that a phase's lines are of: the author's, or, where samples are to tell whose an instruction is (test/measure/samples-by-phase.ts), one named after
// its function, for phases share the author's lines.
#ifdef TILE_SAMPLED
#define TILE_FILE(author, phase) #phase
#else
#define TILE_FILE(author, phase) author
#endif

namespace tile {

enum Counter : int {
  C_x, C_full_dense_qkv, C_full_dense_attend, C_full_dense_attend_merge, C_full_dense_o, C_full_dense_dense_up,
  C_sliding_experts_qkv, C_sliding_experts_attend, C_sliding_experts_o, C_sliding_experts_router, C_sliding_experts_route, C_sliding_experts_expert_up,
  C_sliding_experts_expert_up_early, C_full_experts_qkv, C_full_experts_attend, C_full_experts_attend_merge, C_full_experts_o, C_full_experts_router,
  C_full_experts_route, C_full_experts_expert_up, C_full_experts_expert_up_early, C_end_head, C_end_logits_firsts, C_end_logits,
  C_commit_begin_fc, C_commit_begin_kv, C_commit_begin_norm, C_commit_end_conclude, C_draft_x, C_draft_sliding_dense_qkv,
  C_draft_sliding_dense_norm, C_draft_sliding_dense_attend, C_draft_sliding_dense_attend_merge, C_draft_sliding_dense_o, C_draft_sliding_dense_dense_up, C_draft_end_head,
  C_draft_end_logits_firsts, C_draft_end_logits,
};
enum Tally : int {
  T_chosen = 38, T_route = 39, T_stored = 40, T_stored_early = 41, T_table = 42, T_exchange = 43,
};
enum Local : int {
  L_chosen, L_route, L_stored, L_stored_early, L_table,
};
enum Region : int {
  R_x_columns, R_x_plain, R_full_dense_qkv_queries, R_full_dense_qkv_keys, R_full_dense_qkv_values, R_full_dense_attend_columns,
  R_full_dense_attend_partials, R_full_dense_o_columns, R_full_dense_o_plain, R_full_dense_dense_up_columns, R_taps_columns, R_sliding_experts_qkv_queries,
  R_sliding_experts_qkv_keys, R_sliding_experts_qkv_values, R_sliding_experts_attend_columns, R_sliding_experts_o_columns, R_sliding_experts_o_plain, R_sliding_experts_router_plain,
  R_sliding_experts_expert_up_routedRows, R_full_experts_qkv_queries, R_full_experts_qkv_keys, R_full_experts_qkv_values, R_full_experts_attend_columns, R_full_experts_attend_partials,
  R_full_experts_o_columns, R_full_experts_o_plain, R_full_experts_router_plain, R_full_experts_expert_up_routedRows, R_end_head_logits, R_end_logits_firsts,
  R_commit_begin_fc_columns, R_commit_begin_kv_plain, R_cache_layers_0_values, R_commit_begin_kv_plain2, R_cache_layers_1_values, R_commit_begin_kv_plain3,
  R_cache_layers_2_values, R_commit_begin_kv_plain4, R_cache_layers_3_values, R_cache_layers_0_keys, R_cache_layers_1_keys, R_cache_layers_2_keys,
  R_cache_layers_3_keys, R_draft_x_columns, R_draft_x_plain, R_draft_sliding_dense_qkv_plain, R_draft_sliding_dense_qkv_plain2, R_cache_layer_values_in_draft_sliding_dense,
  R_draft_sliding_dense_norm_queries, R_cache_layer_keys_in_draft_sliding_dense, R_draft_sliding_dense_attend_columns, R_draft_sliding_dense_attend_partials, R_draft_sliding_dense_o_columns, R_draft_sliding_dense_o_plain,
  R_draft_sliding_dense_dense_up_columns, R_draft_end_head_logits, R_draft_end_logits_firsts, R_sliding_experts_expert_up_routedRows_early, R_full_experts_expert_up_routedRows_early,
};
TILE_FN bool region_is_cache(int region) { return region == 3 || region == 4 || region == 12 || region == 13 || region == 20 || region == 21 || region == 47 || region == 49; }
TILE_TABLE short home_47[] = {47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 32, 34, 36, 38, 47};
TILE_TABLE short home_49[] = {49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 39, 40, 41, 42, 49};
TILE_FN int home_of(int region, int entry) { return region == 47 ? home_47[entry] : region == 49 ? home_49[entry] : region; }

// Byte offsets: buffers in the workspace; caches in their layer's part of the KV memory.
constexpr size_t B_x_columns = 153984;
constexpr size_t B_x_plain = 160128;
constexpr size_t B_full_dense_qkv_queries = 172416;
constexpr size_t B_full_dense_qkv_keys = 0;
constexpr size_t B_full_dense_qkv_values = 2097152;
constexpr size_t B_full_dense_attend_columns = 184704;
constexpr size_t B_full_dense_attend_partials = 192896;
constexpr size_t B_full_dense_o_columns = 749952;
constexpr size_t B_full_dense_o_plain = 756096;
constexpr size_t B_full_dense_dense_up_columns = 768384;
constexpr size_t B_taps_columns = 784768;
constexpr size_t B_sliding_experts_qkv_queries = 803200;
constexpr size_t B_sliding_experts_qkv_keys = 0;
constexpr size_t B_sliding_experts_qkv_values = 262144;
constexpr size_t B_sliding_experts_attend_columns = 815488;
constexpr size_t B_sliding_experts_o_columns = 823680;
constexpr size_t B_sliding_experts_o_plain = 829824;
constexpr size_t B_sliding_experts_router_plain = 842112;
constexpr size_t B_sliding_experts_expert_up_routedRows = 842624;
constexpr size_t B_full_experts_qkv_queries = 859008;
constexpr size_t B_full_experts_qkv_keys = 0;
constexpr size_t B_full_experts_qkv_values = 2097152;
constexpr size_t B_full_experts_attend_columns = 871296;
constexpr size_t B_full_experts_attend_partials = 879488;
constexpr size_t B_full_experts_o_columns = 1436544;
constexpr size_t B_full_experts_o_plain = 1442688;
constexpr size_t B_full_experts_router_plain = 1454976;
constexpr size_t B_full_experts_expert_up_routedRows = 1455488;
constexpr size_t B_end_head_logits = 1471872;
constexpr size_t B_end_logits_firsts = 1607040;
constexpr size_t B_commit_begin_fc_columns = 1615488;
constexpr size_t B_commit_begin_kv_plain = 1621632;
constexpr size_t B_cache_layers_0_values = 10616832;
constexpr size_t B_commit_begin_kv_plain2 = 1629824;
constexpr size_t B_cache_layers_1_values = 11010048;
constexpr size_t B_commit_begin_kv_plain3 = 1638016;
constexpr size_t B_cache_layers_2_values = 11403264;
constexpr size_t B_commit_begin_kv_plain4 = 1646208;
constexpr size_t B_cache_layers_3_values = 11796480;
constexpr size_t B_cache_layers_0_keys = 10813440;
constexpr size_t B_cache_layers_1_keys = 11206656;
constexpr size_t B_cache_layers_2_keys = 11599872;
constexpr size_t B_cache_layers_3_keys = 11993088;
constexpr size_t B_draft_x_columns = 1654400;
constexpr size_t B_draft_x_plain = 1660544;
constexpr size_t B_draft_sliding_dense_qkv_plain = 1672832;
constexpr size_t B_draft_sliding_dense_qkv_plain2 = 1689216;
constexpr size_t B_cache_layer_values_in_draft_sliding_dense = 0;
constexpr size_t B_draft_sliding_dense_norm_queries = 1697408;
constexpr size_t B_cache_layer_keys_in_draft_sliding_dense = 196608;
constexpr size_t B_draft_sliding_dense_attend_columns = 1705600;
constexpr size_t B_draft_sliding_dense_attend_partials = 1713792;
constexpr size_t B_draft_sliding_dense_o_columns = 1818240;
constexpr size_t B_draft_sliding_dense_o_plain = 1824384;
constexpr size_t B_draft_sliding_dense_dense_up_columns = 1836672;
constexpr size_t B_draft_end_head_logits = 1840768;
constexpr size_t B_draft_end_logits_firsts = 1975936;
// ---- entries ----

// 0 begin, 1 full_dense, 2 sliding_experts, 3 full_experts, 4 end, 5 commit_begin, 6 commit_end, 7 draft_begin, 8 draft_sliding_dense, 9 draft_end
TILE_TABLE unsigned char entry_segment[16] = {
  0, 1, 2, 2, 3, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 9,
};
TILE_TABLE unsigned long long entry_image[16] = {
  0ull, 3244032ull, 5401088ull, 8879360ull, 12357632ull, 15835776ull, 19314048ull, 22792192ull,
  26036992ull, 28495872ull, 28495872ull, 28496640ull, 30268032ull, 32039424ull, 33810816ull, 35582208ull,
};
TILE_TABLE unsigned long long entry_kv[16] = {
  0ull, 0ull, 3145728ull, 3538944ull, 3932160ull, 7077888ull, 7471104ull, 10616832ull,
  10616832ull, 10616832ull, 10616832ull, 10616832ull, 11010048ull, 11403264ull, 11796480ull, 12189696ull,
};
TILE_TABLE unsigned short entry_runs[16][44] = {
  {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
  {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
  {2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
  {3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0},
  {4, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 0},
  {5, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 0},
  {6, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 5, 5, 5, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 3, 2, 2, 2, 2, 2, 2, 0, 0, 0, 5, 5, 5, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 4, 3, 3, 3, 3, 3, 3, 0, 0, 0, 5, 5, 5, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 5, 4, 4, 4, 4, 4, 4, 0, 0, 0, 5, 5, 5, 5, 5, 0},
};
TILE_TABLE unsigned char entry_program[16] = {
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2,
};
TILE_TABLE unsigned char entry_taps[16] = {
  0, 0, 1, 1, 1, 2, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0,
};
TILE_TABLE unsigned char tally_program[44] = {
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2,
  2, 2, 0, 0, 0, 0, 0, 0,
};
TILE_TABLE unsigned short entry_exchanges[16] = {
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
TILE_TABLE unsigned short program_exchanges[3] = {
  0, 0, 0,
};
TILE_TABLE unsigned short round_runs[44] = {
  7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 5, 4, 4, 4, 4, 4, 4, 1,
  1, 1, 5, 5, 5, 5, 5, 0,
};
TILE_TABLE float rope_500000_16[8] = {
  1.0f, 0.1939227432012558f, 0.03760603070259094f, 0.007292664609849453f, 0.0014142135623842478f, 0.00027424818836152554f, 0.000053182957344688475f, 0.000010313385246263351f,
};
TILE_TABLE float rope_10000_16[8] = {
  1.0f, 0.3162277638912201f, 0.10000000149011612f, 0.03162277489900589f, 0.009999999776482582f, 0.003162277629598975f, 0.0010000000474974513f, 0.0003162277571391314f,
};
/** What a segment runs as: the round, the rows of its program, and where this entry's weights and caches lie. */
struct At {
  const RoundControl* round;
  const RowBlock* block;
  int entry, taps;
  size_t image, kv;
  /** Executions of a tally before this entry, since the launch. */
  TILE_FN u32 runs(int tally) const { return round->ran[tally_program[tally]] * round_runs[tally] + entry_runs[entry][tally]; }
  /** Epoch of the entry's n-th exchange: exchanges count on through all rounds and programs. */
  TILE_FN u32 epoch(int n) const {
    u32 before = entry_exchanges[entry] + u32(n);
    for (int p = 0; p < Plan::programs; ++p) before += round->ran[p] * program_exchanges[p];
    return before;
  }
};
TILE_FN At entry_of(const RoundControl& c, int entry) {
  const int program = entry_program[entry];
  return At{&c, &c.block[program], entry, entry_taps[entry], size_t(entry_image[entry]), size_t(entry_kv[entry])};
}

// What the race check is told; nothing on a GPU. A part is a warp's share of a buffer, in an entry's share of a cache.
constexpr int wider(int a, int b) { return a > b ? a : b; }
constexpr int widest_role = wider(wider(Plan::compute_warps, Plan::epilogue_warps), Plan::communicate_warps);
TILE_FN int part_of(Warp& w, const At& at, int region, int sm, int warp) {
  return ((region_is_cache(region) ? at.entry : 0) * w.sms + sm) * widest_role + warp;
}
TILE_FN void reads_own(Warp& w, const At& at, int region) {
  const int home = home_of(region, at.entry);
  w.reads(home, part_of(w, at, home, w.sm, w.index));
}
TILE_FN void writes_own(Warp& w, const At& at, int region) {
  const int home = home_of(region, at.entry);
  w.writes(home, part_of(w, at, home, w.sm, w.index));
}
TILE_FN void reads_all(Warp& w, const At& at, int region) {
  const int home = home_of(region, at.entry);
  for (int sm = 0; sm < w.sms; ++sm)
    for (int warp = 0; warp < widest_role; ++warp) w.reads(home, part_of(w, at, home, sm, warp));
}

// ==== begin ====

// ---- begin.embed_tokens ----
#line 104 TILE_FILE("models/mimo/graph.ts", begin_embed_tokens_compute)
TILE_PHASE static void begin_embed_tokens_compute(Warp& w, const At& at) {
  writes_own(w, at, R_x_columns);
  writes_own(w, at, R_x_plain);
  const Share units = share_of(12, w.sm * w.count + w.index, w.sms * w.count);
  for (int unit = units.begin; unit < units.end; ++unit) {
    w.lanes([&](int lane) {
      const int n_low = unit * 32 + lane;
      for (int c = 0; c < at.block->rows; ++c) {
        const bf16* table = reinterpret_cast<const bf16*>(w.image(at.image + 0));
        float low = to_f32(table[size_t(at.block->token[c]) * 384 + n_low]);
        const float v0_low = low;
        w.ws<bf16>(B_x_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
        w.ws<float>(B_x_plain)[c * 384 + n_low] = v0_low;
      }
    });
  }
  w.role_barrier(0);
  if (w.index == 0) w.signal(1, C_x);
}

// ==== full_dense: 0 ====

// ---- full_dense.qkv: 539 KiB of weights ----
#line 60 TILE_FILE("models/mimo/graph.ts", full_dense_qkv_load)
TILE_PHASE static void full_dense_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(2);
    w.ring_copy(3, 0, w.image(at.image + 768 + size_t(tile) * 25088), 25088);
    w.ring_commit(4, 25088);
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", full_dense_qkv_compute)
TILE_PHASE static void full_dense_qkv_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_x_columns) + w.index % 4 * 768);
  const bool idle = early(empty(share(w, 22)));
  bring_weights<3, true>(w, 6, w.image(at.image + 0) + w.index % 4 * 192);
  w.wait(5, C_x, at.runs(C_x));
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_x_columns);
  int part = w.index % 4;
  int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 3, reinterpret_cast<const bf16*>(w.image(at.image + 0)));
  w.afresh(), part = w.index % 4, tile_of_page = w.index / 4;
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(7);
    multiply<E4M3, 3>(w, acc, page + (tile_of_page * 4 + part) * 1568, page + (tile_of_page * 4 + part) * 1568 + 1536, x);
    w.ring_release(8);
    w.join_acquire(9);
    w.join_put(w.index, acc, squares);
    w.join_commit(10);
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", full_dense_qkv_epilogue)
TILE_PHASE static void full_dense_qkv_epilogue(Warp& w, const At& at) {
  w.wait(14, C_x, at.runs(C_x));
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(15);
    writes_own(w, at, R_full_dense_qkv_queries);
    writes_own(w, at, R_full_dense_qkv_keys);
    writes_own(w, at, R_full_dense_qkv_values);
    for (int g = 0; g < 4; ++g) {
      const int t = tile * 4 + g;
      Acc acc = w.join_sum(g * 4, 4);
      scale_columns(acc, w.join_scale(g * 4, 4, 12,
                [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
      const int in_period = t % 11, outer = t / 11;
      if (in_period < 6) {
        const int u = in_period;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 j = u32(u) % 3;
          const bool rotates = j < 1;
          const u32 d = 8 * j + u32(i);
          const u32 first = u32(u) / 3 * 48;
          const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_500000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          w.ws<bf16>(B_full_dense_qkv_queries)[(outer * 16 + c * 2 + (n_low) / 48) * 48 + (n_low) % 48] = to_bf16(v1_low);
          w.ws<bf16>(B_full_dense_qkv_queries)[(outer * 16 + c * 2 + (n_high) / 48) * 48 + (n_high) % 48] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 6 && in_period < 9) {
        const int u = in_period - 6;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 j = u32(u) % 3;
          const bool rotates = j < 1;
          const u32 d = 8 * j + u32(i);
          const u32 first = u32(u) / 3 * 48;
          const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_500000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_keys))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * k_span_elements(48) + k_at(u32(at.block->position[c]) % 64, n_low, 48)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_keys))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * k_span_elements(48) + k_at(u32(at.block->position[c]) % 64, n_high, 48)] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 9 && in_period < 11) {
        const int u = in_period - 9;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          const float v1_low = (v0_low * 0.611999989f);
          const float v1_high = (v0_high * 0.611999989f);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_values))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_values))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
        });
      }
    }
    w.join_release(16);
  }
  w.role_barrier(12);
  if (w.index == 0) w.signal(13, C_full_dense_qkv);
}

// ---- full_dense.attend ----
#line 65 TILE_FILE("models/mimo/graph.ts", full_dense_attend_load)
TILE_PHASE static void full_dense_attend_load(Warp& w, const At& at) {
  const auto tasks = attend_tasks<8, 1, 1>(w, at.block->position, at.block->rows, 0);
  w.wait(17, C_full_dense_qkv, at.runs(C_full_dense_qkv) + 1);
  for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
    const AttendTask task = tasks.task(number);
TILE_LOOP
    for (int span = task.spans.begin; span < task.spans.end; ++span) {
      w.ring_acquire(18);
      reads_all(w, at, R_full_dense_qkv_keys);
      reads_all(w, at, R_full_dense_qkv_values);
      const size_t slot = size_t(task.head * 32 + span % 32);
      w.ring_copy(19, 0, w.kv(at.kv + B_full_dense_qkv_keys) + slot * 8192, 8192);
      w.ring_copy(19, 8192, w.kv(at.kv + B_full_dense_qkv_values) + slot * 4096, 4096);
      w.ring_commit(20, 12288);
    }
  }
}
#line 65 TILE_FILE("models/mimo/graph.ts", full_dense_attend_compute)
TILE_PHASE static void full_dense_attend_compute(Warp& w, const At& at) {
  const auto tasks = attend_tasks<8, 1, 1>(w, at.block->position, at.block->rows, 0);
  w.wait(21, C_full_dense_qkv, at.runs(C_full_dense_qkv) + 1);
  for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
    const AttendTask task = tasks.task(number);
    reads_all(w, at, R_full_dense_qkv_queries);
    AttendTile<2, 48, 32, 1> tile(w, task, w.ws<bf16>(B_full_dense_qkv_queries) + size_t(task.head) * 768, RowPositions{at.block->position, at.block->rows}, 0);
TILE_LOOP
    for (int span = task.spans.begin; span < task.spans.end; ++span) {
      const char* page = w.ring_await(22);
      reads_all(w, at, R_full_dense_qkv_queries);
      tile.add(w, page, page + 8192, span, 0.144337565f);
      w.ring_release(23);
    }
    writes_own(w, at, R_full_dense_attend_partials);
    float* o = w.ws<float>(B_full_dense_attend_partials) + size_t(task.head) * 17408 + size_t(task.chunk) * 512;
    float* peaks = w.ws<float>(B_full_dense_attend_partials) + size_t(task.head) * 17408 + 16384 + task.chunk * 16;
    tile.leave(w, o, peaks, peaks + 512);
  }
  w.role_barrier(24);
  if (w.index == 0) w.signal(25, C_full_dense_attend);
}

// ---- full_dense.attend.merge ----
#line 65 TILE_FILE("models/mimo/graph.ts", full_dense_attend_merge_compute)
TILE_PHASE static void full_dense_attend_merge_compute(Warp& w, const At& at) {
  const int chunks = attend_tasks<8, 1, 1>(w, at.block->position, at.block->rows, 0).chunks;
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  w.wait(26, C_full_dense_attend, at.runs(C_full_dense_attend) + 1);
  reads_all(w, at, R_full_dense_attend_partials);
  writes_own(w, at, R_full_dense_attend_columns);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int first_dim = task % 1 * 32, of_all = task / 1;
    const int head = of_all / (at.block->rows * 2), m_row = of_all % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_full_dense_attend_partials) + size_t(head) * 17408;
    merge_chunks<32, 32, 32>(w, o, o + 16384, o + 16896, 16, m_row, first_dim, chunks, nullptr,
        w.ws<bf16>(B_full_dense_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(27);
  if (w.index == 0) w.signal(28, C_full_dense_attend_merge);
}

// ---- full_dense.o: 384 KiB of weights ----
#line 72 TILE_FILE("models/mimo/graph.ts", full_dense_o_load)
TILE_PHASE static void full_dense_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(29);
    w.ring_copy(30, 0, w.image(at.image + 552704 + size_t(tile) * 32768), 32768);
    w.ring_commit(31, 32768);
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", full_dense_o_compute)
TILE_PHASE static void full_dense_o_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_full_dense_attend_columns) + w.index % 8 * 512);
  const bool idle = early(empty(share(w, 12)));
  w.wait(32, C_full_dense_attend_merge, at.runs(C_full_dense_attend_merge) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_full_dense_attend_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, columns, 0);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(34);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(35);
    w.join_acquire(36);
    w.join_put(w.index, acc);
    w.join_commit(37);
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", full_dense_o_epilogue)
TILE_PHASE static void full_dense_o_epilogue(Warp& w, const At& at) {
  w.wait(41, C_full_dense_attend_merge, at.runs(C_full_dense_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(42);
    reads_all(w, at, R_x_plain);
    writes_own(w, at, R_full_dense_o_columns);
    writes_own(w, at, R_full_dense_o_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc ahead_0 = zeros();
      {
        const int u = t;
        each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
          const float v1_low = w.ws<const float>(B_x_plain)[c * 384 + n_low];
          const float v1_high = w.ws<const float>(B_x_plain)[c * 384 + n_high];
          low = v1_low;
          high = v1_high;
        });
      }
      Acc acc = rounded(w, w.join_total(g * 8, 8));
      const int u = t;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = low_of(ahead_0, i, c);
        const float v1_high = high_of(ahead_0, i, c);
        const float v2_low = (v1_low + v0_low);
        const float v2_high = (v1_high + v0_high);
        w.ws<bf16>(B_full_dense_o_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
        w.ws<bf16>(B_full_dense_o_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
        w.ws<float>(B_full_dense_o_plain)[c * 384 + n_low] = v2_low;
        w.ws<float>(B_full_dense_o_plain)[c * 384 + n_high] = v2_high;
      });
    }
    w.join_release(43);
  }
  w.role_barrier(39);
  if (w.index == 0) w.signal(40, C_full_dense_o);
}

// ---- full_dense.dense.up: 792 KiB of weights ----
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_up_load)
TILE_PHASE static void full_dense_dense_up_load(Warp& w, const At& at) {
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(44);
    w.ring_copy(45, 0, w.image(at.image + 946688 + size_t(tile) * 6336), 6336);
    w.ring_commit(46, 6336);
  }
}
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_up_compute)
TILE_PHASE static void full_dense_dense_up_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_full_dense_o_columns) + w.index % 12 * 256);
  const bool idle = early(empty(share(w, 128)));
  bring_weights<1, true>(w, 48, w.image(at.image + 945920) + w.index % 12 * 64);
  w.wait(47, C_full_dense_o, at.runs(C_full_dense_o) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_full_dense_o_columns);
  int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 1, reinterpret_cast<const bf16*>(w.image(at.image + 945920)));
  w.afresh(), part = w.index % 12;
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(49);
    if (w.index < 12) multiply<E4M3, 1>(w, acc, page + part * 528, page + part * 528 + 512, x);
    w.ring_release(50);
    w.join_acquire(51);
    if (w.index < 12) w.join_put(w.index, acc, squares);
    w.join_commit(52);
  }
}
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_up_epilogue)
TILE_PHASE static void full_dense_dense_up_epilogue(Warp& w, const At& at) {
  w.wait(56, C_full_dense_o, at.runs(C_full_dense_o) + 1);
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(57);
    writes_own(w, at, R_full_dense_dense_up_columns);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 12,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 8 + u32(i);
      (void)high;
      const float v0_low = ((low * sigmoid(low)) * high);
      w.ws<bf16>(B_full_dense_dense_up_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
    });
    w.join_release(58);
  }
  w.role_barrier(54);
  if (w.index == 0) w.signal(55, C_full_dense_dense_up);
}

// ---- full_dense.dense.down: 390 KiB of weights ----
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_down_load)
TILE_PHASE static void full_dense_dense_down_load(Warp& w, const At& at) {
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(59);
    w.ring_copy(60, 0, w.image(at.image + 1757696 + size_t(tile) * 16640), 16640);
    w.ring_commit(61, 16640);
  }
}
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_down_compute)
TILE_PHASE static void full_dense_dense_down_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_full_dense_dense_up_columns) + w.index % 8 * 1024);
  const bool idle = early(empty(share(w, 24)));
  w.wait(62, C_full_dense_dense_up, at.runs(C_full_dense_dense_up) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_full_dense_dense_up_columns);
  const int part = w.index % 8;
  Staged<4> x;
  stage(w, x, columns, 0);
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(64);
    if (w.index < 8) multiply_leaves<E4M3, 4, 1>(w, acc, page + part * 2080, page + part * 2080 + 2048, x);
    w.ring_release(65);
    w.join_acquire(66);
    if (w.index < 8) w.join_put(w.index, acc);
    w.join_commit(67);
  }
}
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_down_epilogue)
TILE_PHASE static void full_dense_dense_down_epilogue(Warp& w, const At& at) {
  w.wait(71, C_full_dense_dense_up, at.runs(C_full_dense_dense_up) + 1);
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(72);
    reads_all(w, at, R_full_dense_o_plain);
    writes_own(w, at, R_x_columns);
    writes_own(w, at, R_x_plain);
    writes_own(w, at, R_taps_columns);
    const int t = tile;
    Acc ahead_0 = zeros();
    {
      const int u = t;
      each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v1_low = w.ws<const float>(B_full_dense_o_plain)[c * 384 + n_low];
        const float v1_high = w.ws<const float>(B_full_dense_o_plain)[c * 384 + n_high];
        low = v1_low;
        high = v1_high;
      });
    }
    Acc acc = rounded(w, w.join_total(0, 8));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      const float v1_low = low_of(ahead_0, i, c);
      const float v1_high = high_of(ahead_0, i, c);
      const float v2_low = (v1_low + v0_low);
      const float v2_high = (v1_high + v0_high);
      w.ws<bf16>(B_x_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
      w.ws<bf16>(B_x_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
      w.ws<float>(B_x_plain)[c * 384 + n_low] = v2_low;
      w.ws<float>(B_x_plain)[c * 384 + n_high] = v2_high;
      w.ws<bf16>(B_taps_columns)[columns_at(at.taps * 384 + n_low, c)] = to_bf16(v2_low);
      w.ws<bf16>(B_taps_columns)[columns_at(at.taps * 384 + n_high, c)] = to_bf16(v2_high);
    });
    w.join_release(73);
  }
  w.role_barrier(69);
  if (w.index == 0) w.signal(70, C_x);
}

// ==== sliding_experts: 1 2 4 ====

// ---- sliding_experts.qkv: 539 KiB of weights ----
#line 60 TILE_FILE("models/mimo/graph.ts", sliding_experts_qkv_load)
TILE_PHASE static void sliding_experts_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(74);
    w.ring_copy(75, 0, w.image(at.image + 768 + size_t(tile) * 25088), 25088);
    w.ring_commit(76, 25088);
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", sliding_experts_qkv_compute)
TILE_PHASE static void sliding_experts_qkv_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_x_columns) + w.index % 4 * 768);
  const bool idle = early(empty(share(w, 22)));
  bring_weights<3, true>(w, 78, w.image(at.image + 0) + w.index % 4 * 192);
  w.wait(77, C_x, at.runs(C_x));
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_x_columns);
  int part = w.index % 4;
  int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 3, reinterpret_cast<const bf16*>(w.image(at.image + 0)));
  w.afresh(), part = w.index % 4, tile_of_page = w.index / 4;
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(79);
    multiply<E4M3, 3>(w, acc, page + (tile_of_page * 4 + part) * 1568, page + (tile_of_page * 4 + part) * 1568 + 1536, x);
    w.ring_release(80);
    w.join_acquire(81);
    w.join_put(w.index, acc, squares);
    w.join_commit(82);
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", sliding_experts_qkv_epilogue)
TILE_PHASE static void sliding_experts_qkv_epilogue(Warp& w, const At& at) {
  w.wait(86, C_x, at.runs(C_x));
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(87);
    writes_own(w, at, R_sliding_experts_qkv_queries);
    writes_own(w, at, R_sliding_experts_qkv_keys);
    writes_own(w, at, R_sliding_experts_qkv_values);
    for (int g = 0; g < 4; ++g) {
      const int t = tile * 4 + g;
      Acc acc = w.join_sum(g * 4, 4);
      scale_columns(acc, w.join_scale(g * 4, 4, 12,
                [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
      const int in_period = t % 11, outer = t / 11;
      if (in_period < 6) {
        const int u = in_period;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 j = u32(u) % 3;
          const bool rotates = j < 1;
          const u32 d = 8 * j + u32(i);
          const u32 first = u32(u) / 3 * 48;
          const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_10000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          w.ws<bf16>(B_sliding_experts_qkv_queries)[(outer * 16 + c * 2 + (n_low) / 48) * 48 + (n_low) % 48] = to_bf16(v1_low);
          w.ws<bf16>(B_sliding_experts_qkv_queries)[(outer * 16 + c * 2 + (n_high) / 48) * 48 + (n_high) % 48] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 6 && in_period < 9) {
        const int u = in_period - 6;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 j = u32(u) % 3;
          const bool rotates = j < 1;
          const u32 d = 8 * j + u32(i);
          const u32 first = u32(u) / 3 * 48;
          const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_10000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_keys))[size_t(outer * 4 + u32(at.block->position[c]) / 64 % 4) * k_span_elements(48) + k_at(u32(at.block->position[c]) % 64, n_low, 48)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_keys))[size_t(outer * 4 + u32(at.block->position[c]) / 64 % 4) * k_span_elements(48) + k_at(u32(at.block->position[c]) % 64, n_high, 48)] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 9 && in_period < 11) {
        const int u = in_period - 9;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          const float v1_low = (v0_low * 0.611999989f);
          const float v1_high = (v0_high * 0.611999989f);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_values))[size_t(outer * 4 + u32(at.block->position[c]) / 64 % 4) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_values))[size_t(outer * 4 + u32(at.block->position[c]) / 64 % 4) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
        });
      }
    }
    w.join_release(88);
  }
  w.role_barrier(84);
  if (w.index == 0) w.signal(85, C_sliding_experts_qkv);
}

// ---- sliding_experts.attend ----
#line 65 TILE_FILE("models/mimo/graph.ts", sliding_experts_attend_compute)
TILE_PHASE static void sliding_experts_attend_compute(Warp& w, const At& at) {
  const NearAttention<2, 48, 32, 128, 4, 1> near{w.kv(at.kv + B_sliding_experts_qkv_keys), w.kv(at.kv + B_sliding_experts_qkv_values), {at.block->position, at.block->rows}};
  touch_near(w, near, share(w, 8));
  touch(w, w.image(at.image + 552704), 64);
  w.wait(89, C_sliding_experts_qkv, at.runs(C_sliding_experts_qkv) + 1);
  const Share tasks = share(w, 8);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    reads_all(w, at, R_sliding_experts_qkv_queries);
    reads_all(w, at, R_sliding_experts_qkv_keys);
    reads_all(w, at, R_sliding_experts_qkv_values);
    attend_near(w, near, task, w.ws<const bf16>(B_sliding_experts_qkv_queries), 0.144337565f, reinterpret_cast<const float*>(w.image(at.image + 552704)));
    w.role_barrier_within(90);
    writes_own(w, at, R_sliding_experts_attend_columns);
    merge_near(w, near, task, w.ws<bf16>(B_sliding_experts_attend_columns));
  }
  w.role_barrier(91);
  if (w.index == 0) w.signal(92, C_sliding_experts_attend);
}

// ---- sliding_experts.o: 384 KiB of weights ----
#line 72 TILE_FILE("models/mimo/graph.ts", sliding_experts_o_load)
TILE_PHASE static void sliding_experts_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(93);
    w.ring_copy(94, 0, w.image(at.image + 552832 + size_t(tile) * 32768), 32768);
    w.ring_commit(95, 32768);
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", sliding_experts_o_compute)
TILE_PHASE static void sliding_experts_o_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_sliding_experts_attend_columns) + w.index % 8 * 512);
  const bool idle = early(empty(share(w, 12)));
  w.wait(96, C_sliding_experts_attend, at.runs(C_sliding_experts_attend) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_sliding_experts_attend_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, columns, 0);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(98);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(99);
    w.join_acquire(100);
    w.join_put(w.index, acc);
    w.join_commit(101);
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", sliding_experts_o_epilogue)
TILE_PHASE static void sliding_experts_o_epilogue(Warp& w, const At& at) {
  w.wait(105, C_sliding_experts_attend, at.runs(C_sliding_experts_attend) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(106);
    reads_all(w, at, R_x_plain);
    writes_own(w, at, R_sliding_experts_o_columns);
    writes_own(w, at, R_sliding_experts_o_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc ahead_0 = zeros();
      {
        const int u = t;
        each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
          const float v1_low = w.ws<const float>(B_x_plain)[c * 384 + n_low];
          const float v1_high = w.ws<const float>(B_x_plain)[c * 384 + n_high];
          low = v1_low;
          high = v1_high;
        });
      }
      Acc acc = rounded(w, w.join_total(g * 8, 8));
      const int u = t;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = low_of(ahead_0, i, c);
        const float v1_high = high_of(ahead_0, i, c);
        const float v2_low = (v1_low + v0_low);
        const float v2_high = (v1_high + v0_high);
        w.ws<bf16>(B_sliding_experts_o_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
        w.ws<bf16>(B_sliding_experts_o_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
        w.ws<float>(B_sliding_experts_o_plain)[c * 384 + n_low] = v2_low;
        w.ws<float>(B_sliding_experts_o_plain)[c * 384 + n_high] = v2_high;
      });
    }
    w.join_release(107);
  }
  w.role_barrier(103);
  if (w.index == 0) w.signal(104, C_sliding_experts_o);
}

// ---- sliding_experts.router: 24 KiB of weights ----
#line 85 TILE_FILE("models/mimo/graph.ts", sliding_experts_router_load)
TILE_PHASE static void sliding_experts_router_load(Warp& w, const At& at) {
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(108);
    w.ring_copy(109, 0, w.image(at.image + 946816 + size_t(tile) * 24576), 24576);
    w.ring_commit(110, 24576);
  }
}
#line 85 TILE_FILE("models/mimo/graph.ts", sliding_experts_router_compute)
TILE_PHASE static void sliding_experts_router_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_sliding_experts_o_columns) + w.index % 12 * 256);
  const bool idle = early(empty(share(w, 1)));
  bring_weights<1, true>(w, 112, w.image(at.image + 946048) + w.index % 12 * 64);
  w.wait(111, C_sliding_experts_o, at.runs(C_sliding_experts_o) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_sliding_experts_o_columns);
  int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 1, reinterpret_cast<const bf16*>(w.image(at.image + 946048)));
  w.afresh(), part = w.index % 12;
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(113);
    if (w.index < 12) multiply<F32, 1>(w, acc, page + part * 2048, page + part * 2048 + 2048, x);
    w.ring_release(114);
    w.join_acquire(115);
    if (w.index < 12) w.join_put(w.index, acc, squares);
    w.join_commit(116);
  }
}
#line 85 TILE_FILE("models/mimo/graph.ts", sliding_experts_router_epilogue)
TILE_PHASE static void sliding_experts_router_epilogue(Warp& w, const At& at) {
  w.wait(121, C_sliding_experts_o, at.runs(C_sliding_experts_o) + 1);
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(122);
    writes_own(w, at, R_sliding_experts_router_plain);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 12,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_sliding_experts_router_plain)[c * 16 + n_low] = v0_low;
      w.ws<float>(B_sliding_experts_router_plain)[c * 16 + n_high] = v0_high;
    });
    w.join_release(123);
  }
  if (w.index == 0) w.signal(120, C_sliding_experts_router);
}

// ---- sliding_experts.route ----
#line 85 TILE_FILE("models/mimo/graph.ts", sliding_experts_route_compute)
TILE_PHASE static void sliding_experts_route_compute(Warp& w, const At& at) {
  touch(w, w.image(at.image + 971392), 64);
  w.wait_local(124, L_table, at.runs(T_table));
  open_table(w, 125);
  w.wait(126, C_sliding_experts_router, at.runs(C_sliding_experts_router) + 1);
  reads_all(w, at, R_sliding_experts_router_plain);
  choose<16, 4>(w, w.ws<const float>(B_sliding_experts_router_plain), 1, reinterpret_cast<const float*>(w.image(at.image + 971392)), at.block->rows,
        [](float logit) { return sigmoid(logit); },
        [](float score, float bias) { return (score + bias); });
  w.signal_local(127, L_chosen);
  route<4>(w, at.block->rows, true, 9.99999968e-21f, 1.0f, 128);
  if (w.index == 0) w.signal_local(129, L_route);
}

// ---- sliding_experts.expert.up: 1.6 MiB of weights ----
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_up_load)
TILE_PHASE static void sliding_experts_expert_up_load(Warp& w, const At& at) {
  w.wait_local(133, L_chosen, at.runs(T_chosen) + 1);
  const ActiveExperts found = active_experts(w, at.block->rows);
  const Share experts{0, found.count};
  for (int tile = dealt_from(experts.begin * 8, w.sm, w.sms); tile < experts.end * 8; tile += w.sms) {
    const int active = tile / 8;
    w.ring_acquire(130);
    w.ring_copy(131, 0, w.image(at.image + 971520 + size_t(expert_at(w, found, active)) * 104448 + size_t((tile % 8)) * 13056), 13056);
    w.ring_commit(132, 13056);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_up_compute)
TILE_PHASE static void sliding_experts_expert_up_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_sliding_experts_o_columns) + w.index % 4 * 768);
  bring_weights<3, true>(w, 134, w.image(at.image + 946048) + w.index % 4 * 192);
  if (w.sm >= w.table().active * 8) return;  // no tile on this SM
  reads_all(w, at, R_sliding_experts_o_columns);
  int part = w.index % 4;
  int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 3, reinterpret_cast<const bf16*>(w.image(at.image + 946048)));
  w.afresh(), part = w.index % 4, tile_of_page = w.index / 4;
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int tile = dealt_from(experts.begin * 8, w.sm, w.sms); tile < experts.end * 8; tile += w.sms) {
    const int active = tile / 8;
    Acc acc = zeros();
    const char* page = w.ring_await(135);
    multiply<E2M1, 3>(w, acc, page + (tile_of_page * 4 + part) * 816, page + (tile_of_page * 4 + part) * 816 + 768, x);
    w.ring_release(136);
    w.join_acquire(137);
    w.join_put(w.index, acc, squares);
    w.join_commit(138);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_up_epilogue)
TILE_PHASE static void sliding_experts_expert_up_epilogue(Warp& w, const At& at) {
  w.wait_local(145, L_route, at.runs(T_route) + 1);
  const RouteTable& routes = w.table();
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    const Share experts = half_of(routes, half);
    for (int tile = dealt_from(experts.begin * 8, w.sm, w.sms); tile < experts.end * 8; tile += w.sms) {
      if (tile / w.sms % w.count != w.index) {
        w.join_skip();
        continue;
      }
      const int active = tile / 8;
      w.join_wait(146);
      writes_own(w, at, half == 0 ? R_sliding_experts_expert_up_routedRows_early : R_sliding_experts_expert_up_routedRows);
      for (int g = 0; g < 4; ++g) {
        const int t = (tile % 8) * 4 + g;
        Acc acc = w.join_sum(g * 4, 4);
        scale_columns(acc, w.join_scale(g * 4, 4, 12,
                  [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
        const int u = t;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int result = w.table().result[active][c];
          if (result < 0) return;  // the row is not of this expert
          const u32 n_low = u32(u) * 8 + u32(i);
          (void)high;
          const float v0_low = ((low * sigmoid(low)) * high);
          w.ws<bf16>(B_sliding_experts_expert_up_routedRows)[size_t(result) * 256 + n_low] = to_staged(v0_low);
        });
      }
      w.join_release(147);
    }
    w.signal_local(140, half == 0 ? L_stored_early : L_stored);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_up_communicate)
TILE_PHASE static void sliding_experts_expert_up_communicate(Warp& w, const At& at) {
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    w.wait_local(141, half == 0 ? L_stored_early : L_stored, at.runs(T_stored) + 1);
    w.signal(142, half == 0 ? C_sliding_experts_expert_up_early : C_sliding_experts_expert_up);
  }
}

// ---- sliding_experts.expert.down: 816 KiB of weights ----
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_down_load)
TILE_PHASE static void sliding_experts_expert_down_load(Warp& w, const At& at) {
  const Share own = share(w, 24);
  w.wait_local(148, L_route, at.runs(T_route) + 1);
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 2) {
    const int group = experts.end - first < 2 ? experts.end - first : 2;
    w.ring_acquire(149);
    const u32 each = u32(own.end - own.begin) * 2176;
    w.ring_copies<2>(150, group, each, [&](int i) { return w.image(at.image + 2642688 + size_t(routes.expert[first + i]) * 52224 + size_t(own.begin) * 2176); });
    w.ring_commit(151, u32(group) * each);
  }
  if (w.index == 0) w.signal_local(152, L_table);
}
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_down_compute)
TILE_PHASE static void sliding_experts_expert_down_compute(Warp& w, const At& at) {
  const Share own = share(w, 24);
  const Quotient by_tiles(own.end - own.begin);
  int cell = w.index;
  Staged<1> x = {};
  w.slots_acquire(153);
  const RouteTable& routes = w.table();
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    const Share experts = half_of(routes, half);
    w.wait(154, half == 0 ? C_sliding_experts_expert_up_early : C_sliding_experts_expert_up, at.runs(C_sliding_experts_expert_up) + 1);
    reads_all(w, at, half == 0 ? R_sliding_experts_expert_up_routedRows_early : R_sliding_experts_expert_up_routedRows);
    stage_rows<4, 256>(w, w.scratch<bf16>(), w.ws<const bf16>(B_sliding_experts_expert_up_routedRows), at.block->rows, half);
    w.role_barrier(155);
    for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 2) {
      const int group = experts.end - first < 2 ? experts.end - first : 2;
      const char* page = w.ring_await(156);
      const int tiles = by_tiles.by;
      for (; cell < group * tiles; cell += 16) {
        const int of_group = by_tiles.of(cell), active = first + of_group;
        const char* codes = page + cell * 2176;
        Exact sum = nothing();
        const ColumnScale weights = routed_weights(w, active);
        for (int unit = 0; unit < 8; unit += 1) {
          stage_routed<true>(w, x, w.scratch<const bf16>(), 256, routes.result[active], unit, half);
          Acc acc = zeros();
          multiply<E2M1, 1>(w, acc, codes + unit * 256, codes + 2048 + unit * 16, x);
          add_routed(w, sum, acc, weights);
        }
        w.slots_put(sum, cell - of_group * tiles, active);
      }
      cell -= group * tiles;
      w.ring_release(157);
    }
  }
  w.slots_commit(158);
}
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_down_epilogue)
TILE_PHASE static void sliding_experts_expert_down_epilogue(Warp& w, const At& at) {
  const Share own = share(w, 24);
  w.slots_await(159);
  reads_all(w, at, R_sliding_experts_o_plain);
  writes_own(w, at, R_x_columns);
  writes_own(w, at, R_x_plain);
  for (int t = own.begin + w.index; t < own.end; t += w.count) {
    Acc ahead_0 = zeros();
    {
      const int u = t;
      each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v1_low = w.ws<const float>(B_sliding_experts_o_plain)[c * 384 + n_low];
        const float v1_high = w.ws<const float>(B_sliding_experts_o_plain)[c * 384 + n_high];
        low = v1_low;
        high = v1_high;
      });
    }
    Acc acc = rounded(w, w.slots_total<4>(t - own.begin));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      const float v1_low = low_of(ahead_0, i, c);
      const float v1_high = high_of(ahead_0, i, c);
      const float v2_low = (v1_low + v0_low);
      const float v2_high = (v1_high + v0_high);
      w.ws<bf16>(B_x_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
      w.ws<bf16>(B_x_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
      w.ws<float>(B_x_plain)[c * 384 + n_low] = v2_low;
      w.ws<float>(B_x_plain)[c * 384 + n_high] = v2_high;
    });
  }
  w.slots_release(161);
  w.role_barrier(162);
  if (w.index == 0) w.signal(163, C_x);
}

// ==== full_experts: 3 5 ====

// ---- full_experts.qkv: 539 KiB of weights ----
#line 60 TILE_FILE("models/mimo/graph.ts", full_experts_qkv_load)
TILE_PHASE static void full_experts_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(164);
    w.ring_copy(165, 0, w.image(at.image + 768 + size_t(tile) * 25088), 25088);
    w.ring_commit(166, 25088);
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", full_experts_qkv_compute)
TILE_PHASE static void full_experts_qkv_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_x_columns) + w.index % 4 * 768);
  const bool idle = early(empty(share(w, 22)));
  bring_weights<3, true>(w, 168, w.image(at.image + 0) + w.index % 4 * 192);
  w.wait(167, C_x, at.runs(C_x));
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_x_columns);
  int part = w.index % 4;
  int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 3, reinterpret_cast<const bf16*>(w.image(at.image + 0)));
  w.afresh(), part = w.index % 4, tile_of_page = w.index / 4;
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(169);
    multiply<E4M3, 3>(w, acc, page + (tile_of_page * 4 + part) * 1568, page + (tile_of_page * 4 + part) * 1568 + 1536, x);
    w.ring_release(170);
    w.join_acquire(171);
    w.join_put(w.index, acc, squares);
    w.join_commit(172);
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", full_experts_qkv_epilogue)
TILE_PHASE static void full_experts_qkv_epilogue(Warp& w, const At& at) {
  w.wait(176, C_x, at.runs(C_x));
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(177);
    writes_own(w, at, R_full_experts_qkv_queries);
    writes_own(w, at, R_full_experts_qkv_keys);
    writes_own(w, at, R_full_experts_qkv_values);
    for (int g = 0; g < 4; ++g) {
      const int t = tile * 4 + g;
      Acc acc = w.join_sum(g * 4, 4);
      scale_columns(acc, w.join_scale(g * 4, 4, 12,
                [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
      const int in_period = t % 11, outer = t / 11;
      if (in_period < 6) {
        const int u = in_period;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 j = u32(u) % 3;
          const bool rotates = j < 1;
          const u32 d = 8 * j + u32(i);
          const u32 first = u32(u) / 3 * 48;
          const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_500000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          w.ws<bf16>(B_full_experts_qkv_queries)[(outer * 16 + c * 2 + (n_low) / 48) * 48 + (n_low) % 48] = to_bf16(v1_low);
          w.ws<bf16>(B_full_experts_qkv_queries)[(outer * 16 + c * 2 + (n_high) / 48) * 48 + (n_high) % 48] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 6 && in_period < 9) {
        const int u = in_period - 6;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 j = u32(u) % 3;
          const bool rotates = j < 1;
          const u32 d = 8 * j + u32(i);
          const u32 first = u32(u) / 3 * 48;
          const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_500000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_keys))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * k_span_elements(48) + k_at(u32(at.block->position[c]) % 64, n_low, 48)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_keys))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * k_span_elements(48) + k_at(u32(at.block->position[c]) % 64, n_high, 48)] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 9 && in_period < 11) {
        const int u = in_period - 9;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          const float v1_low = (v0_low * 0.611999989f);
          const float v1_high = (v0_high * 0.611999989f);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_values))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_values))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
        });
      }
    }
    w.join_release(178);
  }
  w.role_barrier(174);
  if (w.index == 0) w.signal(175, C_full_experts_qkv);
}

// ---- full_experts.attend ----
#line 65 TILE_FILE("models/mimo/graph.ts", full_experts_attend_load)
TILE_PHASE static void full_experts_attend_load(Warp& w, const At& at) {
  const auto tasks = attend_tasks<8, 1, 1>(w, at.block->position, at.block->rows, 0);
  w.wait(179, C_full_experts_qkv, at.runs(C_full_experts_qkv) + 1);
  for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
    const AttendTask task = tasks.task(number);
TILE_LOOP
    for (int span = task.spans.begin; span < task.spans.end; ++span) {
      w.ring_acquire(180);
      reads_all(w, at, R_full_experts_qkv_keys);
      reads_all(w, at, R_full_experts_qkv_values);
      const size_t slot = size_t(task.head * 32 + span % 32);
      w.ring_copy(181, 0, w.kv(at.kv + B_full_experts_qkv_keys) + slot * 8192, 8192);
      w.ring_copy(181, 8192, w.kv(at.kv + B_full_experts_qkv_values) + slot * 4096, 4096);
      w.ring_commit(182, 12288);
    }
  }
}
#line 65 TILE_FILE("models/mimo/graph.ts", full_experts_attend_compute)
TILE_PHASE static void full_experts_attend_compute(Warp& w, const At& at) {
  const auto tasks = attend_tasks<8, 1, 1>(w, at.block->position, at.block->rows, 0);
  w.wait(183, C_full_experts_qkv, at.runs(C_full_experts_qkv) + 1);
  for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
    const AttendTask task = tasks.task(number);
    reads_all(w, at, R_full_experts_qkv_queries);
    AttendTile<2, 48, 32, 1> tile(w, task, w.ws<bf16>(B_full_experts_qkv_queries) + size_t(task.head) * 768, RowPositions{at.block->position, at.block->rows}, 0);
TILE_LOOP
    for (int span = task.spans.begin; span < task.spans.end; ++span) {
      const char* page = w.ring_await(184);
      reads_all(w, at, R_full_experts_qkv_queries);
      tile.add(w, page, page + 8192, span, 0.144337565f);
      w.ring_release(185);
    }
    writes_own(w, at, R_full_experts_attend_partials);
    float* o = w.ws<float>(B_full_experts_attend_partials) + size_t(task.head) * 17408 + size_t(task.chunk) * 512;
    float* peaks = w.ws<float>(B_full_experts_attend_partials) + size_t(task.head) * 17408 + 16384 + task.chunk * 16;
    tile.leave(w, o, peaks, peaks + 512);
  }
  w.role_barrier(186);
  if (w.index == 0) w.signal(187, C_full_experts_attend);
}

// ---- full_experts.attend.merge ----
#line 65 TILE_FILE("models/mimo/graph.ts", full_experts_attend_merge_compute)
TILE_PHASE static void full_experts_attend_merge_compute(Warp& w, const At& at) {
  const int chunks = attend_tasks<8, 1, 1>(w, at.block->position, at.block->rows, 0).chunks;
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  w.wait(188, C_full_experts_attend, at.runs(C_full_experts_attend) + 1);
  reads_all(w, at, R_full_experts_attend_partials);
  writes_own(w, at, R_full_experts_attend_columns);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int first_dim = task % 1 * 32, of_all = task / 1;
    const int head = of_all / (at.block->rows * 2), m_row = of_all % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_full_experts_attend_partials) + size_t(head) * 17408;
    merge_chunks<32, 32, 32>(w, o, o + 16384, o + 16896, 16, m_row, first_dim, chunks, nullptr,
        w.ws<bf16>(B_full_experts_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(189);
  if (w.index == 0) w.signal(190, C_full_experts_attend_merge);
}

// ---- full_experts.o: 384 KiB of weights ----
#line 72 TILE_FILE("models/mimo/graph.ts", full_experts_o_load)
TILE_PHASE static void full_experts_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(191);
    w.ring_copy(192, 0, w.image(at.image + 552704 + size_t(tile) * 32768), 32768);
    w.ring_commit(193, 32768);
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", full_experts_o_compute)
TILE_PHASE static void full_experts_o_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_full_experts_attend_columns) + w.index % 8 * 512);
  const bool idle = early(empty(share(w, 12)));
  w.wait(194, C_full_experts_attend_merge, at.runs(C_full_experts_attend_merge) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_full_experts_attend_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, columns, 0);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(196);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(197);
    w.join_acquire(198);
    w.join_put(w.index, acc);
    w.join_commit(199);
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", full_experts_o_epilogue)
TILE_PHASE static void full_experts_o_epilogue(Warp& w, const At& at) {
  w.wait(203, C_full_experts_attend_merge, at.runs(C_full_experts_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(204);
    reads_all(w, at, R_x_plain);
    writes_own(w, at, R_full_experts_o_columns);
    writes_own(w, at, R_full_experts_o_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc ahead_0 = zeros();
      {
        const int u = t;
        each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
          const float v1_low = w.ws<const float>(B_x_plain)[c * 384 + n_low];
          const float v1_high = w.ws<const float>(B_x_plain)[c * 384 + n_high];
          low = v1_low;
          high = v1_high;
        });
      }
      Acc acc = rounded(w, w.join_total(g * 8, 8));
      const int u = t;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = low_of(ahead_0, i, c);
        const float v1_high = high_of(ahead_0, i, c);
        const float v2_low = (v1_low + v0_low);
        const float v2_high = (v1_high + v0_high);
        w.ws<bf16>(B_full_experts_o_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
        w.ws<bf16>(B_full_experts_o_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
        w.ws<float>(B_full_experts_o_plain)[c * 384 + n_low] = v2_low;
        w.ws<float>(B_full_experts_o_plain)[c * 384 + n_high] = v2_high;
      });
    }
    w.join_release(205);
  }
  w.role_barrier(201);
  if (w.index == 0) w.signal(202, C_full_experts_o);
}

// ---- full_experts.router: 24 KiB of weights ----
#line 85 TILE_FILE("models/mimo/graph.ts", full_experts_router_load)
TILE_PHASE static void full_experts_router_load(Warp& w, const At& at) {
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(206);
    w.ring_copy(207, 0, w.image(at.image + 946688 + size_t(tile) * 24576), 24576);
    w.ring_commit(208, 24576);
  }
}
#line 85 TILE_FILE("models/mimo/graph.ts", full_experts_router_compute)
TILE_PHASE static void full_experts_router_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_full_experts_o_columns) + w.index % 12 * 256);
  const bool idle = early(empty(share(w, 1)));
  bring_weights<1, true>(w, 210, w.image(at.image + 945920) + w.index % 12 * 64);
  w.wait(209, C_full_experts_o, at.runs(C_full_experts_o) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_full_experts_o_columns);
  int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 1, reinterpret_cast<const bf16*>(w.image(at.image + 945920)));
  w.afresh(), part = w.index % 12;
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(211);
    if (w.index < 12) multiply<F32, 1>(w, acc, page + part * 2048, page + part * 2048 + 2048, x);
    w.ring_release(212);
    w.join_acquire(213);
    if (w.index < 12) w.join_put(w.index, acc, squares);
    w.join_commit(214);
  }
}
#line 85 TILE_FILE("models/mimo/graph.ts", full_experts_router_epilogue)
TILE_PHASE static void full_experts_router_epilogue(Warp& w, const At& at) {
  w.wait(219, C_full_experts_o, at.runs(C_full_experts_o) + 1);
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(220);
    writes_own(w, at, R_full_experts_router_plain);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 12,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_full_experts_router_plain)[c * 16 + n_low] = v0_low;
      w.ws<float>(B_full_experts_router_plain)[c * 16 + n_high] = v0_high;
    });
    w.join_release(221);
  }
  if (w.index == 0) w.signal(218, C_full_experts_router);
}

// ---- full_experts.route ----
#line 85 TILE_FILE("models/mimo/graph.ts", full_experts_route_compute)
TILE_PHASE static void full_experts_route_compute(Warp& w, const At& at) {
  touch(w, w.image(at.image + 971264), 64);
  w.wait_local(222, L_table, at.runs(T_table));
  open_table(w, 223);
  w.wait(224, C_full_experts_router, at.runs(C_full_experts_router) + 1);
  reads_all(w, at, R_full_experts_router_plain);
  choose<16, 4>(w, w.ws<const float>(B_full_experts_router_plain), 1, reinterpret_cast<const float*>(w.image(at.image + 971264)), at.block->rows,
        [](float logit) { return sigmoid(logit); },
        [](float score, float bias) { return (score + bias); });
  w.signal_local(225, L_chosen);
  route<4>(w, at.block->rows, true, 9.99999968e-21f, 1.0f, 226);
  if (w.index == 0) w.signal_local(227, L_route);
}

// ---- full_experts.expert.up: 1.6 MiB of weights ----
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_up_load)
TILE_PHASE static void full_experts_expert_up_load(Warp& w, const At& at) {
  w.wait_local(231, L_chosen, at.runs(T_chosen) + 1);
  const ActiveExperts found = active_experts(w, at.block->rows);
  const Share experts{0, found.count};
  for (int tile = dealt_from(experts.begin * 8, w.sm, w.sms); tile < experts.end * 8; tile += w.sms) {
    const int active = tile / 8;
    w.ring_acquire(228);
    w.ring_copy(229, 0, w.image(at.image + 971392 + size_t(expert_at(w, found, active)) * 104448 + size_t((tile % 8)) * 13056), 13056);
    w.ring_commit(230, 13056);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_up_compute)
TILE_PHASE static void full_experts_expert_up_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_full_experts_o_columns) + w.index % 4 * 768);
  bring_weights<3, true>(w, 232, w.image(at.image + 945920) + w.index % 4 * 192);
  if (w.sm >= w.table().active * 8) return;  // no tile on this SM
  reads_all(w, at, R_full_experts_o_columns);
  int part = w.index % 4;
  int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 3, reinterpret_cast<const bf16*>(w.image(at.image + 945920)));
  w.afresh(), part = w.index % 4, tile_of_page = w.index / 4;
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int tile = dealt_from(experts.begin * 8, w.sm, w.sms); tile < experts.end * 8; tile += w.sms) {
    const int active = tile / 8;
    Acc acc = zeros();
    const char* page = w.ring_await(233);
    multiply<E2M1, 3>(w, acc, page + (tile_of_page * 4 + part) * 816, page + (tile_of_page * 4 + part) * 816 + 768, x);
    w.ring_release(234);
    w.join_acquire(235);
    w.join_put(w.index, acc, squares);
    w.join_commit(236);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_up_epilogue)
TILE_PHASE static void full_experts_expert_up_epilogue(Warp& w, const At& at) {
  w.wait_local(243, L_route, at.runs(T_route) + 1);
  const RouteTable& routes = w.table();
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    const Share experts = half_of(routes, half);
    for (int tile = dealt_from(experts.begin * 8, w.sm, w.sms); tile < experts.end * 8; tile += w.sms) {
      if (tile / w.sms % w.count != w.index) {
        w.join_skip();
        continue;
      }
      const int active = tile / 8;
      w.join_wait(244);
      writes_own(w, at, half == 0 ? R_full_experts_expert_up_routedRows_early : R_full_experts_expert_up_routedRows);
      for (int g = 0; g < 4; ++g) {
        const int t = (tile % 8) * 4 + g;
        Acc acc = w.join_sum(g * 4, 4);
        scale_columns(acc, w.join_scale(g * 4, 4, 12,
                  [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
        const int u = t;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int result = w.table().result[active][c];
          if (result < 0) return;  // the row is not of this expert
          const u32 n_low = u32(u) * 8 + u32(i);
          (void)high;
          const float v0_low = ((low * sigmoid(low)) * high);
          w.ws<bf16>(B_full_experts_expert_up_routedRows)[size_t(result) * 256 + n_low] = to_staged(v0_low);
        });
      }
      w.join_release(245);
    }
    w.signal_local(238, half == 0 ? L_stored_early : L_stored);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_up_communicate)
TILE_PHASE static void full_experts_expert_up_communicate(Warp& w, const At& at) {
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    w.wait_local(239, half == 0 ? L_stored_early : L_stored, at.runs(T_stored) + 1);
    w.signal(240, half == 0 ? C_full_experts_expert_up_early : C_full_experts_expert_up);
  }
}

// ---- full_experts.expert.down: 816 KiB of weights ----
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_down_load)
TILE_PHASE static void full_experts_expert_down_load(Warp& w, const At& at) {
  const Share own = share(w, 24);
  w.wait_local(246, L_route, at.runs(T_route) + 1);
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 2) {
    const int group = experts.end - first < 2 ? experts.end - first : 2;
    w.ring_acquire(247);
    const u32 each = u32(own.end - own.begin) * 2176;
    w.ring_copies<2>(248, group, each, [&](int i) { return w.image(at.image + 2642560 + size_t(routes.expert[first + i]) * 52224 + size_t(own.begin) * 2176); });
    w.ring_commit(249, u32(group) * each);
  }
  if (w.index == 0) w.signal_local(250, L_table);
}
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_down_compute)
TILE_PHASE static void full_experts_expert_down_compute(Warp& w, const At& at) {
  const Share own = share(w, 24);
  const Quotient by_tiles(own.end - own.begin);
  int cell = w.index;
  Staged<1> x = {};
  w.slots_acquire(251);
  const RouteTable& routes = w.table();
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    const Share experts = half_of(routes, half);
    w.wait(252, half == 0 ? C_full_experts_expert_up_early : C_full_experts_expert_up, at.runs(C_full_experts_expert_up) + 1);
    reads_all(w, at, half == 0 ? R_full_experts_expert_up_routedRows_early : R_full_experts_expert_up_routedRows);
    stage_rows<4, 256>(w, w.scratch<bf16>(), w.ws<const bf16>(B_full_experts_expert_up_routedRows), at.block->rows, half);
    w.role_barrier(253);
    for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 2) {
      const int group = experts.end - first < 2 ? experts.end - first : 2;
      const char* page = w.ring_await(254);
      const int tiles = by_tiles.by;
      for (; cell < group * tiles; cell += 16) {
        const int of_group = by_tiles.of(cell), active = first + of_group;
        const char* codes = page + cell * 2176;
        Exact sum = nothing();
        const ColumnScale weights = routed_weights(w, active);
        for (int unit = 0; unit < 8; unit += 1) {
          stage_routed<true>(w, x, w.scratch<const bf16>(), 256, routes.result[active], unit, half);
          Acc acc = zeros();
          multiply<E2M1, 1>(w, acc, codes + unit * 256, codes + 2048 + unit * 16, x);
          add_routed(w, sum, acc, weights);
        }
        w.slots_put(sum, cell - of_group * tiles, active);
      }
      cell -= group * tiles;
      w.ring_release(255);
    }
  }
  w.slots_commit(256);
}
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_down_epilogue)
TILE_PHASE static void full_experts_expert_down_epilogue(Warp& w, const At& at) {
  const Share own = share(w, 24);
  w.slots_await(257);
  reads_all(w, at, R_full_experts_o_plain);
  writes_own(w, at, R_x_columns);
  writes_own(w, at, R_x_plain);
  writes_own(w, at, R_taps_columns);
  for (int t = own.begin + w.index; t < own.end; t += w.count) {
    Acc ahead_0 = zeros();
    {
      const int u = t;
      each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v1_low = w.ws<const float>(B_full_experts_o_plain)[c * 384 + n_low];
        const float v1_high = w.ws<const float>(B_full_experts_o_plain)[c * 384 + n_high];
        low = v1_low;
        high = v1_high;
      });
    }
    Acc acc = rounded(w, w.slots_total<4>(t - own.begin));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      const float v1_low = low_of(ahead_0, i, c);
      const float v1_high = high_of(ahead_0, i, c);
      const float v2_low = (v1_low + v0_low);
      const float v2_high = (v1_high + v0_high);
      w.ws<bf16>(B_x_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
      w.ws<bf16>(B_x_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
      w.ws<float>(B_x_plain)[c * 384 + n_low] = v2_low;
      w.ws<float>(B_x_plain)[c * 384 + n_high] = v2_high;
      w.ws<bf16>(B_taps_columns)[columns_at(at.taps * 384 + n_low, c)] = to_bf16(v2_low);
      w.ws<bf16>(B_taps_columns)[columns_at(at.taps * 384 + n_high, c)] = to_bf16(v2_high);
    });
  }
  w.slots_release(259);
  w.role_barrier(260);
  if (w.index == 0) w.signal(261, C_x);
}

// ==== end ====

// ---- end.head: 3.1 MiB of weights ----
#line 124 TILE_FILE("models/mimo/graph.ts", end_head_load)
TILE_PHASE static void end_head_load(Warp& w, const At& at) {
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(262);
    w.ring_copy(263, 0, w.image(at.image + 768 + size_t(tile) * 12288), 12288);
    w.ring_commit(264, 12288);
  }
}
#line 124 TILE_FILE("models/mimo/graph.ts", end_head_compute)
TILE_PHASE static void end_head_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_x_columns) + w.index % 12 * 256);
  const bool idle = early(empty(share(w, 264)));
  bring_weights<1, true>(w, 266, w.image(at.image + 0) + w.index % 12 * 64);
  w.wait(265, C_x, at.runs(C_x));
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_x_columns);
  int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 1, reinterpret_cast<const bf16*>(w.image(at.image + 0)));
  w.afresh(), part = w.index % 12;
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(267);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(268);
    w.join_acquire(269);
    if (w.index < 12) w.join_put(w.index, acc, squares);
    w.join_commit(270);
  }
}
#line 124 TILE_FILE("models/mimo/graph.ts", end_head_epilogue)
TILE_PHASE static void end_head_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(273);
    writes_own(w, at, R_end_head_logits);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 12,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_end_head_logits)[size_t(c) * 4224 + n_low] = v0_low;
      w.ws<float>(B_end_head_logits)[size_t(c) * 4224 + n_high] = v0_high;
    });
    w.join_release(274);
    w.signal_tile(275, C_end_head);
  }
  w.role_barrier(272);
}

// ---- end.logits.firsts ----
#line 124 TILE_FILE("models/mimo/graph.ts", end_logits_firsts_compute)
TILE_PHASE static void end_logits_firsts_compute(Warp& w, const At& at) {
  w.wait(276, C_end_head, at.runs(C_end_head) + 1);
  reads_all(w, at, R_end_head_logits);
  writes_own(w, at, R_end_logits_firsts);
  if (w.rank == 0) find_firsts(w, w.ws<const float>(B_end_head_logits), 4224, w.ws<u64>(B_end_logits_firsts), at.round->sample_from, at.block->rows);
  w.role_barrier(277);
  if (w.index == 0) w.signal(278, C_end_logits_firsts);
}

// ---- end.logits ----
#line 124 TILE_FILE("models/mimo/graph.ts", end_logits_compute)
TILE_PHASE static void end_logits_compute(Warp& w, const At& at) {
  w.wait(279, C_end_logits_firsts, at.runs(C_end_logits_firsts) + 1);
  reads_all(w, at, R_end_head_logits);
  reads_all(w, at, R_end_logits_firsts);
  const RoundControl* round = at.round;
  if (w.rank == 0 && w.sm == 0) called(w, [=](Warp& w) { finish_target(w, *round, w.ws<const float>(B_end_head_logits), 4224, w.ws<const u64>(B_end_logits_firsts)); });
}

// ==== commit_begin ====

// ---- commit_begin.fc: 864 KiB of weights ----
#line 67 TILE_FILE("models/mimo/drafter.ts", commit_begin_fc_load)
TILE_PHASE static void commit_begin_fc_load(Warp& w, const At& at) {
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 3; ++page_of_tile) {
      w.ring_acquire(281);
      w.ring_copy(282, 0, w.image(at.image + 0 + (size_t(tile) * 3 + page_of_tile) * 12288), 12288);
      w.ring_commit(283, 12288);
    }
  }
}
#line 67 TILE_FILE("models/mimo/drafter.ts", commit_begin_fc_compute)
TILE_PHASE static void commit_begin_fc_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_taps_columns) + w.index % 12 * 768);
  const bool idle = early(empty(share(w, 24)));
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_taps_columns);
  const int part = w.index % 12;
  Staged<3> x;
  stage(w, x, columns, 0);
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 3; ++page_of_tile) {
      const char* page = w.ring_await(285);
      if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, units_of<1>(x, page_of_tile * 1));
      w.ring_release(286);
    }
    w.join_acquire(287);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(288);
  }
}
#line 67 TILE_FILE("models/mimo/drafter.ts", commit_begin_fc_epilogue)
TILE_PHASE static void commit_begin_fc_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(292);
    writes_own(w, at, R_commit_begin_fc_columns);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<bf16>(B_commit_begin_fc_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
      w.ws<bf16>(B_commit_begin_fc_columns)[columns_at(n_high, c)] = to_bf16(v0_high);
    });
    w.join_release(293);
  }
  w.role_barrier(290);
  if (w.index == 0) w.signal(291, C_commit_begin_fc);
}

// ---- commit_begin.kv: 1.5 MiB of weights ----
#line 72 TILE_FILE("models/mimo/drafter.ts", commit_begin_kv_load)
TILE_PHASE static void commit_begin_kv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(294);
    w.ring_copy(295, 0, w.image(at.image + 885504 + size_t(tile) * 12288), 12288);
    w.ring_commit(296, 12288);
  }
}
#line 72 TILE_FILE("models/mimo/drafter.ts", commit_begin_kv_compute)
TILE_PHASE static void commit_begin_kv_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_commit_begin_fc_columns) + w.index % 12 * 256);
  const bool idle = early(empty(share(w, 128)));
  bring_weights<1, true>(w, 298, w.image(at.image + 884736) + w.index % 12 * 64);
  w.wait(297, C_commit_begin_fc, at.runs(C_commit_begin_fc) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_commit_begin_fc_columns);
  int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 1, reinterpret_cast<const bf16*>(w.image(at.image + 884736)));
  w.afresh(), part = w.index % 12;
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(299);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(300);
    w.join_acquire(301);
    if (w.index < 12) w.join_put(w.index, acc, squares);
    w.join_commit(302);
  }
}
#line 72 TILE_FILE("models/mimo/drafter.ts", commit_begin_kv_epilogue)
TILE_PHASE static void commit_begin_kv_epilogue(Warp& w, const At& at) {
  w.wait(306, C_commit_begin_fc, at.runs(C_commit_begin_fc) + 1);
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(307);
    writes_own(w, at, R_commit_begin_kv_plain);
    writes_own(w, at, R_cache_layers_0_values);
    writes_own(w, at, R_commit_begin_kv_plain2);
    writes_own(w, at, R_cache_layers_1_values);
    writes_own(w, at, R_commit_begin_kv_plain3);
    writes_own(w, at, R_cache_layers_2_values);
    writes_own(w, at, R_commit_begin_kv_plain4);
    writes_own(w, at, R_cache_layers_3_values);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 12,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    const int in_period = t % 16, outer = t / 16;
    if (in_period < 2) {
      const int u = in_period;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        w.ws<float>(B_commit_begin_kv_plain)[c * 256 + outer * 32 + n_low] = v0_low;
        w.ws<float>(B_commit_begin_kv_plain)[c * 256 + outer * 32 + n_high] = v0_high;
      });
    }
    else if (in_period >= 2 && in_period < 4) {
      const int u = in_period - 2;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = (v0_low * 0.611999989f);
        const float v1_high = (v0_high * 0.611999989f);
        reinterpret_cast<bf16*>(w.kv(B_cache_layers_0_values))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(B_cache_layers_0_values))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
      });
    }
    else if (in_period >= 4 && in_period < 6) {
      const int u = in_period - 4;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        w.ws<float>(B_commit_begin_kv_plain2)[c * 256 + outer * 32 + n_low] = v0_low;
        w.ws<float>(B_commit_begin_kv_plain2)[c * 256 + outer * 32 + n_high] = v0_high;
      });
    }
    else if (in_period >= 6 && in_period < 8) {
      const int u = in_period - 6;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = (v0_low * 0.611999989f);
        const float v1_high = (v0_high * 0.611999989f);
        reinterpret_cast<bf16*>(w.kv(B_cache_layers_1_values))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(B_cache_layers_1_values))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
      });
    }
    else if (in_period >= 8 && in_period < 10) {
      const int u = in_period - 8;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        w.ws<float>(B_commit_begin_kv_plain3)[c * 256 + outer * 32 + n_low] = v0_low;
        w.ws<float>(B_commit_begin_kv_plain3)[c * 256 + outer * 32 + n_high] = v0_high;
      });
    }
    else if (in_period >= 10 && in_period < 12) {
      const int u = in_period - 10;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = (v0_low * 0.611999989f);
        const float v1_high = (v0_high * 0.611999989f);
        reinterpret_cast<bf16*>(w.kv(B_cache_layers_2_values))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(B_cache_layers_2_values))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
      });
    }
    else if (in_period >= 12 && in_period < 14) {
      const int u = in_period - 12;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        w.ws<float>(B_commit_begin_kv_plain4)[c * 256 + outer * 32 + n_low] = v0_low;
        w.ws<float>(B_commit_begin_kv_plain4)[c * 256 + outer * 32 + n_high] = v0_high;
      });
    }
    else if (in_period >= 14 && in_period < 16) {
      const int u = in_period - 14;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = (v0_low * 0.611999989f);
        const float v1_high = (v0_high * 0.611999989f);
        reinterpret_cast<bf16*>(w.kv(B_cache_layers_3_values))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(B_cache_layers_3_values))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
      });
    }
    w.join_release(308);
  }
  w.role_barrier(304);
  if (w.index == 0) w.signal(305, C_commit_begin_kv);
}

// ---- commit_begin.norm ----
#line 55 TILE_FILE("models/mimo/drafter.ts", commit_begin_norm_compute)
TILE_PHASE static void commit_begin_norm_compute(Warp& w, const At& at) {
  touch(w, w.image(at.image + 2458368), 64);
  touch(w, w.image(at.image + 2458496), 64);
  touch(w, w.image(at.image + 2458624), 64);
  touch(w, w.image(at.image + 2458752), 64);
  w.wait(309, C_commit_begin_kv, at.runs(C_commit_begin_kv) + 1);
  reads_all(w, at, R_commit_begin_kv_plain);
  writes_own(w, at, R_cache_layers_0_keys);
  {
    // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
    const int warps = w.sms * w.count;
    const Share tasks = share_of(at.block->rows * 8, (w.sm * w.count + w.index + 0) % warps, warps);
    for (int task = tasks.begin; task < tasks.end; ++task) {
      const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
      const float* source = w.ws<const float>(B_commit_begin_kv_plain) + size_t(task) * 32;
      const bf16* weight = reinterpret_cast<const bf16*>(w.image(at.image + 2458368));
      PerLane<float> part;
      w.lanes([&](int lane) {
        part[lane] = 0;
        for (int n = lane; n < 32; n += 32) part[lane] += (source[n] * source[n]);
      });
      const float mean = w.sum(part) / 32.0f;
      w.lanes([&](int lane) {
        for (int i = lane; i < 16; i += 32) {
          const bool rotates = i < 8;
          const int d = i, at_low = rotates ? i : 2 * i, at_high = rotates ? i + 8 : 2 * i + 1;
          (void)d;
          const int n_low = first + at_low, n_high = first + at_high;
          const float low = ((source[at_low] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_low]));
          const float high = ((source[at_high] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_high]));
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_10000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          reinterpret_cast<bf16*>(w.kv(B_cache_layers_0_keys))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * k_span_elements(32) + k_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(B_cache_layers_0_keys))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * k_span_elements(32) + k_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
        }
      });
    }
  }
  reads_all(w, at, R_commit_begin_kv_plain2);
  writes_own(w, at, R_cache_layers_1_keys);
  {
    // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
    const int warps = w.sms * w.count;
    const Share tasks = share_of(at.block->rows * 8, (w.sm * w.count + w.index + 1) % warps, warps);
    for (int task = tasks.begin; task < tasks.end; ++task) {
      const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
      const float* source = w.ws<const float>(B_commit_begin_kv_plain2) + size_t(task) * 32;
      const bf16* weight = reinterpret_cast<const bf16*>(w.image(at.image + 2458496));
      PerLane<float> part;
      w.lanes([&](int lane) {
        part[lane] = 0;
        for (int n = lane; n < 32; n += 32) part[lane] += (source[n] * source[n]);
      });
      const float mean = w.sum(part) / 32.0f;
      w.lanes([&](int lane) {
        for (int i = lane; i < 16; i += 32) {
          const bool rotates = i < 8;
          const int d = i, at_low = rotates ? i : 2 * i, at_high = rotates ? i + 8 : 2 * i + 1;
          (void)d;
          const int n_low = first + at_low, n_high = first + at_high;
          const float low = ((source[at_low] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_low]));
          const float high = ((source[at_high] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_high]));
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_10000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          reinterpret_cast<bf16*>(w.kv(B_cache_layers_1_keys))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * k_span_elements(32) + k_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(B_cache_layers_1_keys))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * k_span_elements(32) + k_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
        }
      });
    }
  }
  reads_all(w, at, R_commit_begin_kv_plain3);
  writes_own(w, at, R_cache_layers_2_keys);
  {
    // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
    const int warps = w.sms * w.count;
    const Share tasks = share_of(at.block->rows * 8, (w.sm * w.count + w.index + 2) % warps, warps);
    for (int task = tasks.begin; task < tasks.end; ++task) {
      const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
      const float* source = w.ws<const float>(B_commit_begin_kv_plain3) + size_t(task) * 32;
      const bf16* weight = reinterpret_cast<const bf16*>(w.image(at.image + 2458624));
      PerLane<float> part;
      w.lanes([&](int lane) {
        part[lane] = 0;
        for (int n = lane; n < 32; n += 32) part[lane] += (source[n] * source[n]);
      });
      const float mean = w.sum(part) / 32.0f;
      w.lanes([&](int lane) {
        for (int i = lane; i < 16; i += 32) {
          const bool rotates = i < 8;
          const int d = i, at_low = rotates ? i : 2 * i, at_high = rotates ? i + 8 : 2 * i + 1;
          (void)d;
          const int n_low = first + at_low, n_high = first + at_high;
          const float low = ((source[at_low] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_low]));
          const float high = ((source[at_high] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_high]));
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_10000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          reinterpret_cast<bf16*>(w.kv(B_cache_layers_2_keys))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * k_span_elements(32) + k_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(B_cache_layers_2_keys))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * k_span_elements(32) + k_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
        }
      });
    }
  }
  reads_all(w, at, R_commit_begin_kv_plain4);
  writes_own(w, at, R_cache_layers_3_keys);
  {
    // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
    const int warps = w.sms * w.count;
    const Share tasks = share_of(at.block->rows * 8, (w.sm * w.count + w.index + 3) % warps, warps);
    for (int task = tasks.begin; task < tasks.end; ++task) {
      const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
      const float* source = w.ws<const float>(B_commit_begin_kv_plain4) + size_t(task) * 32;
      const bf16* weight = reinterpret_cast<const bf16*>(w.image(at.image + 2458752));
      PerLane<float> part;
      w.lanes([&](int lane) {
        part[lane] = 0;
        for (int n = lane; n < 32; n += 32) part[lane] += (source[n] * source[n]);
      });
      const float mean = w.sum(part) / 32.0f;
      w.lanes([&](int lane) {
        for (int i = lane; i < 16; i += 32) {
          const bool rotates = i < 8;
          const int d = i, at_low = rotates ? i : 2 * i, at_high = rotates ? i + 8 : 2 * i + 1;
          (void)d;
          const int n_low = first + at_low, n_high = first + at_high;
          const float low = ((source[at_low] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_low]));
          const float high = ((source[at_high] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_high]));
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_10000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          reinterpret_cast<bf16*>(w.kv(B_cache_layers_3_keys))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * k_span_elements(32) + k_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(B_cache_layers_3_keys))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * k_span_elements(32) + k_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
        }
      });
    }
  }
  w.role_barrier(310);
  if (w.index == 0) w.signal(311, C_commit_begin_norm);
}

// ==== commit_end ====

// ---- commit_end.conclude ----
#line 76 TILE_FILE("models/mimo/drafter.ts", commit_end_conclude_compute)
TILE_PHASE static void commit_end_conclude_compute(Warp& w, const At& at) {
  w.wait(312, C_commit_begin_norm, at.runs(C_commit_begin_norm));
  reads_all(w, at, R_commit_begin_fc_columns);
  reads_all(w, at, R_commit_begin_kv_plain);
  reads_all(w, at, R_cache_layers_0_values);
  reads_all(w, at, R_commit_begin_kv_plain2);
  reads_all(w, at, R_cache_layers_1_values);
  reads_all(w, at, R_commit_begin_kv_plain3);
  reads_all(w, at, R_cache_layers_2_values);
  reads_all(w, at, R_commit_begin_kv_plain4);
  reads_all(w, at, R_cache_layers_3_values);
  reads_all(w, at, R_cache_layers_0_keys);
  reads_all(w, at, R_cache_layers_1_keys);
  reads_all(w, at, R_cache_layers_2_keys);
  reads_all(w, at, R_cache_layers_3_keys);
  const RoundControl* round = at.round;
  if (w.rank == 0 && w.sm == 0) called(w, [=](Warp& w) { finish_commit(w, *round); });
  w.role_barrier(314);
  if (w.index == 0) w.signal(315, C_commit_end_conclude);
}

// ==== draft_begin ====

// ---- draft_begin.embed_tokens ----
#line 108 TILE_FILE("models/mimo/drafter.ts", draft_begin_embed_tokens_compute)
TILE_PHASE static void draft_begin_embed_tokens_compute(Warp& w, const At& at) {
  writes_own(w, at, R_draft_x_columns);
  writes_own(w, at, R_draft_x_plain);
  const Share units = share_of(12, w.sm * w.count + w.index, w.sms * w.count);
  for (int unit = units.begin; unit < units.end; ++unit) {
    w.lanes([&](int lane) {
      const int n_low = unit * 32 + lane;
      for (int c = 0; c < at.block->rows; ++c) {
        const bf16* table = reinterpret_cast<const bf16*>(w.image(size_t(0ull)));
        float low = to_f32(table[size_t(at.block->token[c]) * 384 + n_low]);
        if (at.block->token[c] == 4095) low = to_f32(reinterpret_cast<const bf16*>(w.image(at.image + 0))[n_low]);
        const float v0_low = low;
        w.ws<bf16>(B_draft_x_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
        w.ws<float>(B_draft_x_plain)[c * 384 + n_low] = v0_low;
      }
    });
  }
  w.role_barrier(316);
  if (w.index == 0) w.signal(317, C_draft_x);
}

// ==== draft_sliding_dense: 0 1 2 3 ====

// ---- draft_sliding_dense.qkv: 768 KiB of weights ----
#line 87 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_qkv_load)
TILE_PHASE static void draft_sliding_dense_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(318);
    w.ring_copy(319, 0, w.image(at.image + 768 + size_t(tile) * 24576), 24576);
    w.ring_commit(320, 24576);
  }
}
#line 87 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_qkv_compute)
TILE_PHASE static void draft_sliding_dense_qkv_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_draft_x_columns) + w.index % 4 * 768);
  const bool idle = early(empty(share(w, 32)));
  bring_weights<3, true>(w, 323, w.image(at.image + 0) + w.index % 4 * 192);
  w.wait(321, C_draft_x, at.runs(C_draft_x));
  w.wait(322, C_commit_end_conclude, at.runs(C_commit_end_conclude));
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_draft_x_columns);
  int part = w.index % 4;
  int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 3, reinterpret_cast<const bf16*>(w.image(at.image + 0)));
  w.afresh(), part = w.index % 4, tile_of_page = w.index / 4;
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(324);
    if (w.index < 8) multiply<BF16, 3>(w, acc, page + (tile_of_page * 4 + part) * 3072, page + (tile_of_page * 4 + part) * 3072 + 3072, x);
    w.ring_release(325);
    w.join_acquire(326);
    if (w.index < 8) w.join_put(w.index, acc, squares);
    w.join_commit(327);
  }
}
#line 87 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_qkv_epilogue)
TILE_PHASE static void draft_sliding_dense_qkv_epilogue(Warp& w, const At& at) {
  w.wait(331, C_draft_x, at.runs(C_draft_x));
  w.wait(332, C_commit_end_conclude, at.runs(C_commit_end_conclude));
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(333);
    writes_own(w, at, R_draft_sliding_dense_qkv_plain);
    writes_own(w, at, R_draft_sliding_dense_qkv_plain2);
    writes_own(w, at, R_cache_layer_values_in_draft_sliding_dense);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc acc = w.join_sum(g * 4, 4);
      scale_columns(acc, w.join_scale(g * 4, 4, 12,
                [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
      const int in_period = t % 8, outer = t / 8;
      if (in_period < 4) {
        const int u = in_period;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          w.ws<float>(B_draft_sliding_dense_qkv_plain)[c * 512 + outer * 64 + n_low] = v0_low;
          w.ws<float>(B_draft_sliding_dense_qkv_plain)[c * 512 + outer * 64 + n_high] = v0_high;
        });
      }
      else if (in_period >= 4 && in_period < 6) {
        const int u = in_period - 4;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          w.ws<float>(B_draft_sliding_dense_qkv_plain2)[c * 256 + outer * 32 + n_low] = v0_low;
          w.ws<float>(B_draft_sliding_dense_qkv_plain2)[c * 256 + outer * 32 + n_high] = v0_high;
        });
      }
      else if (in_period >= 6 && in_period < 8) {
        const int u = in_period - 6;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          const float v1_low = (v0_low * 0.611999989f);
          const float v1_high = (v0_high * 0.611999989f);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layer_values_in_draft_sliding_dense))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layer_values_in_draft_sliding_dense))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * v_span_elements(32) + v_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
        });
      }
    }
    w.join_release(334);
  }
  w.role_barrier(329);
  if (w.index == 0) w.signal(330, C_draft_sliding_dense_qkv);
}

// ---- draft_sliding_dense.norm ----
#line 57 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_norm_compute)
TILE_PHASE static void draft_sliding_dense_norm_compute(Warp& w, const At& at) {
  touch(w, w.image(at.image + 787200), 64);
  touch(w, w.image(at.image + 787328), 64);
  w.wait(335, C_draft_sliding_dense_qkv, at.runs(C_draft_sliding_dense_qkv) + 1);
  reads_all(w, at, R_draft_sliding_dense_qkv_plain);
  writes_own(w, at, R_draft_sliding_dense_norm_queries);
  {
    // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
    const int warps = w.sms * w.count;
    const Share tasks = share_of(at.block->rows * 16, (w.sm * w.count + w.index + 0) % warps, warps);
    for (int task = tasks.begin; task < tasks.end; ++task) {
      const int c = task / 16, outer = task % 16 / 2, first = task % 2 * 32;
      const float* source = w.ws<const float>(B_draft_sliding_dense_qkv_plain) + size_t(task) * 32;
      const bf16* weight = reinterpret_cast<const bf16*>(w.image(at.image + 787200));
      PerLane<float> part;
      w.lanes([&](int lane) {
        part[lane] = 0;
        for (int n = lane; n < 32; n += 32) part[lane] += (source[n] * source[n]);
      });
      const float mean = w.sum(part) / 32.0f;
      w.lanes([&](int lane) {
        for (int i = lane; i < 16; i += 32) {
          const bool rotates = i < 8;
          const int d = i, at_low = rotates ? i : 2 * i, at_high = rotates ? i + 8 : 2 * i + 1;
          (void)d;
          const int n_low = first + at_low, n_high = first + at_high;
          const float low = ((source[at_low] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_low]));
          const float high = ((source[at_high] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_high]));
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_10000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          w.ws<bf16>(B_draft_sliding_dense_norm_queries)[(outer * 16 + c * 2 + (n_low) / 32) * 32 + (n_low) % 32] = to_bf16(v1_low);
          w.ws<bf16>(B_draft_sliding_dense_norm_queries)[(outer * 16 + c * 2 + (n_high) / 32) * 32 + (n_high) % 32] = to_bf16(v1_high);
        }
      });
    }
  }
  reads_all(w, at, R_draft_sliding_dense_qkv_plain2);
  writes_own(w, at, R_cache_layer_keys_in_draft_sliding_dense);
  {
    // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
    const int warps = w.sms * w.count;
    const Share tasks = share_of(at.block->rows * 8, (w.sm * w.count + w.index + 1) % warps, warps);
    for (int task = tasks.begin; task < tasks.end; ++task) {
      const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
      const float* source = w.ws<const float>(B_draft_sliding_dense_qkv_plain2) + size_t(task) * 32;
      const bf16* weight = reinterpret_cast<const bf16*>(w.image(at.image + 787328));
      PerLane<float> part;
      w.lanes([&](int lane) {
        part[lane] = 0;
        for (int n = lane; n < 32; n += 32) part[lane] += (source[n] * source[n]);
      });
      const float mean = w.sum(part) / 32.0f;
      w.lanes([&](int lane) {
        for (int i = lane; i < 16; i += 32) {
          const bool rotates = i < 8;
          const int d = i, at_low = rotates ? i : 2 * i, at_high = rotates ? i + 8 : 2 * i + 1;
          (void)d;
          const int n_low = first + at_low, n_high = first + at_high;
          const float low = ((source[at_low] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_low]));
          const float high = ((source[at_high] * inverse_sqrt((mean + 0.00000999999975f))) * to_f32(weight[at_high]));
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_10000_16[d];
            const Rotation by = rotation(angle);
            v1_low = by.of(v0_low, -v0_high);
            v1_high = by.of(v0_high, v0_low);
          }
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layer_keys_in_draft_sliding_dense))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * k_span_elements(32) + k_at(u32(at.block->position[c]) % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layer_keys_in_draft_sliding_dense))[size_t(outer * 6 + u32(at.block->position[c]) / 64 % 6) * k_span_elements(32) + k_at(u32(at.block->position[c]) % 64, n_high, 32)] = to_bf16(v1_high);
        }
      });
    }
  }
  w.role_barrier(336);
  if (w.index == 0) w.signal(337, C_draft_sliding_dense_norm);
}

// ---- draft_sliding_dense.attend ----
#line 91 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_attend_load)
TILE_PHASE static void draft_sliding_dense_attend_load(Warp& w, const At& at) {
  const auto tasks = attend_tasks<8, 1, 1>(w, at.block->position, at.block->rows, 256);
  w.wait(338, C_draft_sliding_dense_norm, at.runs(C_draft_sliding_dense_norm) + 1);
  for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
    const AttendTask task = tasks.task(number);
TILE_LOOP
    for (int span = task.spans.begin; span < task.spans.end; ++span) {
      w.ring_acquire(339);
      reads_all(w, at, R_cache_layer_keys_in_draft_sliding_dense);
      reads_all(w, at, R_cache_layer_values_in_draft_sliding_dense);
      const size_t slot = size_t(task.head * 6 + span % 6);
      w.ring_copy(340, 0, w.kv(at.kv + B_cache_layer_keys_in_draft_sliding_dense) + slot * 4096, 4096);
      w.ring_copy(340, 4096, w.kv(at.kv + B_cache_layer_values_in_draft_sliding_dense) + slot * 4096, 4096);
      w.ring_commit(341, 8192);
    }
  }
}
#line 91 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_attend_compute)
TILE_PHASE static void draft_sliding_dense_attend_compute(Warp& w, const At& at) {
  const auto tasks = attend_tasks<8, 1, 1>(w, at.block->position, at.block->rows, 256);
  w.wait(342, C_draft_sliding_dense_norm, at.runs(C_draft_sliding_dense_norm) + 1);
  for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
    const AttendTask task = tasks.task(number);
    reads_all(w, at, R_draft_sliding_dense_norm_queries);
    AttendTile<2, 32, 32, 1> tile(w, task, w.ws<bf16>(B_draft_sliding_dense_norm_queries) + size_t(task.head) * 512, RowPositions{at.block->position, at.block->rows, true}, 256);
TILE_LOOP
    for (int span = task.spans.begin; span < task.spans.end; ++span) {
      const char* page = w.ring_await(343);
      reads_all(w, at, R_draft_sliding_dense_norm_queries);
      tile.add(w, page, page + 4096, span, 0.176776692f);
      w.ring_release(344);
    }
    writes_own(w, at, R_draft_sliding_dense_attend_partials);
    float* o = w.ws<float>(B_draft_sliding_dense_attend_partials) + size_t(task.head) * 3264 + size_t(task.chunk) * 512;
    float* peaks = w.ws<float>(B_draft_sliding_dense_attend_partials) + size_t(task.head) * 3264 + 3072 + task.chunk * 16;
    tile.leave(w, o, peaks, peaks + 96);
  }
  w.role_barrier(345);
  if (w.index == 0) w.signal(346, C_draft_sliding_dense_attend);
}

// ---- draft_sliding_dense.attend.merge ----
#line 91 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_attend_merge_compute)
TILE_PHASE static void draft_sliding_dense_attend_merge_compute(Warp& w, const At& at) {
  const int chunks = attend_tasks<8, 1, 1>(w, at.block->position, at.block->rows, 256).chunks;
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  w.wait(347, C_draft_sliding_dense_attend, at.runs(C_draft_sliding_dense_attend) + 1);
  reads_all(w, at, R_draft_sliding_dense_attend_partials);
  writes_own(w, at, R_draft_sliding_dense_attend_columns);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int first_dim = task % 1 * 32, of_all = task / 1;
    const int head = of_all / (at.block->rows * 2), m_row = of_all % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_draft_sliding_dense_attend_partials) + size_t(head) * 3264;
    merge_chunks<32, 32, 6>(w, o, o + 3072, o + 3168, 16, m_row, first_dim, chunks, reinterpret_cast<const float*>(w.image(at.image + 787456)) + head * 2 + m_row % 2,
        w.ws<bf16>(B_draft_sliding_dense_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(348);
  if (w.index == 0) w.signal(349, C_draft_sliding_dense_attend_merge);
}

// ---- draft_sliding_dense.o: 384 KiB of weights ----
#line 99 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_o_load)
TILE_PHASE static void draft_sliding_dense_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(350);
    w.ring_copy(351, 0, w.image(at.image + 787584 + size_t(tile) * 32768), 32768);
    w.ring_commit(352, 32768);
  }
}
#line 99 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_o_compute)
TILE_PHASE static void draft_sliding_dense_o_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_draft_sliding_dense_attend_columns) + w.index % 8 * 512);
  const bool idle = early(empty(share(w, 12)));
  w.wait(353, C_draft_sliding_dense_attend_merge, at.runs(C_draft_sliding_dense_attend_merge) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense_attend_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, columns, 0);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(355);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(356);
    w.join_acquire(357);
    w.join_put(w.index, acc);
    w.join_commit(358);
  }
}
#line 99 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_o_epilogue)
TILE_PHASE static void draft_sliding_dense_o_epilogue(Warp& w, const At& at) {
  w.wait(362, C_draft_sliding_dense_attend_merge, at.runs(C_draft_sliding_dense_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(363);
    reads_all(w, at, R_draft_x_plain);
    writes_own(w, at, R_draft_sliding_dense_o_columns);
    writes_own(w, at, R_draft_sliding_dense_o_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc ahead_0 = zeros();
      {
        const int u = t;
        each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
          const float v1_low = w.ws<const float>(B_draft_x_plain)[c * 384 + n_low];
          const float v1_high = w.ws<const float>(B_draft_x_plain)[c * 384 + n_high];
          low = v1_low;
          high = v1_high;
        });
      }
      Acc acc = rounded(w, w.join_total(g * 8, 8));
      const int u = t;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = low_of(ahead_0, i, c);
        const float v1_high = high_of(ahead_0, i, c);
        const float v2_low = (v1_low + v0_low);
        const float v2_high = (v1_high + v0_high);
        w.ws<bf16>(B_draft_sliding_dense_o_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
        w.ws<bf16>(B_draft_sliding_dense_o_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
        w.ws<float>(B_draft_sliding_dense_o_plain)[c * 384 + n_low] = v2_low;
        w.ws<float>(B_draft_sliding_dense_o_plain)[c * 384 + n_high] = v2_high;
      });
    }
    w.join_release(364);
  }
  w.role_barrier(360);
  if (w.index == 0) w.signal(361, C_draft_sliding_dense_o);
}

// ---- draft_sliding_dense.dense.up: 384 KiB of weights ----
#line 102 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_dense_up_load)
TILE_PHASE static void draft_sliding_dense_dense_up_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(365);
    w.ring_copy(366, 0, w.image(at.image + 1181568 + size_t(tile) * 12288), 12288);
    w.ring_commit(367, 12288);
  }
}
#line 102 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_dense_up_compute)
TILE_PHASE static void draft_sliding_dense_dense_up_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_draft_sliding_dense_o_columns) + w.index % 12 * 256);
  const bool idle = early(empty(share(w, 32)));
  bring_weights<1, true>(w, 369, w.image(at.image + 1180800) + w.index % 12 * 64);
  w.wait(368, C_draft_sliding_dense_o, at.runs(C_draft_sliding_dense_o) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense_o_columns);
  int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 1, reinterpret_cast<const bf16*>(w.image(at.image + 1180800)));
  w.afresh(), part = w.index % 12;
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(370);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(371);
    w.join_acquire(372);
    if (w.index < 12) w.join_put(w.index, acc, squares);
    w.join_commit(373);
  }
}
#line 102 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_dense_up_epilogue)
TILE_PHASE static void draft_sliding_dense_dense_up_epilogue(Warp& w, const At& at) {
  w.wait(377, C_draft_sliding_dense_o, at.runs(C_draft_sliding_dense_o) + 1);
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(378);
    writes_own(w, at, R_draft_sliding_dense_dense_up_columns);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 12,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 8 + u32(i);
      (void)high;
      const float v0_low = ((low * sigmoid(low)) * high);
      w.ws<bf16>(B_draft_sliding_dense_dense_up_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
    });
    w.join_release(379);
  }
  w.role_barrier(375);
  if (w.index == 0) w.signal(376, C_draft_sliding_dense_dense_up);
}

// ---- draft_sliding_dense.dense.down: 192 KiB of weights ----
#line 102 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_dense_down_load)
TILE_PHASE static void draft_sliding_dense_dense_down_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(380);
    w.ring_copy(381, 0, w.image(at.image + 1574784 + size_t(tile) * 16384), 16384);
    w.ring_commit(382, 16384);
  }
}
#line 102 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_dense_down_compute)
TILE_PHASE static void draft_sliding_dense_dense_down_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_draft_sliding_dense_dense_up_columns) + w.index % 8 * 256);
  const bool idle = early(empty(share(w, 12)));
  w.wait(383, C_draft_sliding_dense_dense_up, at.runs(C_draft_sliding_dense_dense_up) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense_dense_up_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<1> x;
  stage(w, x, columns, 0);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(385);
    multiply_leaves<BF16, 1, 1>(w, acc, page + (tile_of_page * 8 + part) * 1024, page + (tile_of_page * 8 + part) * 1024 + 1024, x);
    w.ring_release(386);
    w.join_acquire(387);
    w.join_put(w.index, acc);
    w.join_commit(388);
  }
}
#line 102 TILE_FILE("models/mimo/drafter.ts", draft_sliding_dense_dense_down_epilogue)
TILE_PHASE static void draft_sliding_dense_dense_down_epilogue(Warp& w, const At& at) {
  w.wait(392, C_draft_sliding_dense_dense_up, at.runs(C_draft_sliding_dense_dense_up) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(393);
    reads_all(w, at, R_draft_sliding_dense_o_plain);
    writes_own(w, at, R_draft_x_columns);
    writes_own(w, at, R_draft_x_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc ahead_0 = zeros();
      {
        const int u = t;
        each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
          const float v1_low = w.ws<const float>(B_draft_sliding_dense_o_plain)[c * 384 + n_low];
          const float v1_high = w.ws<const float>(B_draft_sliding_dense_o_plain)[c * 384 + n_high];
          low = v1_low;
          high = v1_high;
        });
      }
      Acc acc = rounded(w, w.join_total(g * 8, 8));
      const int u = t;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = low_of(ahead_0, i, c);
        const float v1_high = high_of(ahead_0, i, c);
        const float v2_low = (v1_low + v0_low);
        const float v2_high = (v1_high + v0_high);
        w.ws<bf16>(B_draft_x_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
        w.ws<bf16>(B_draft_x_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
        w.ws<float>(B_draft_x_plain)[c * 384 + n_low] = v2_low;
        w.ws<float>(B_draft_x_plain)[c * 384 + n_high] = v2_high;
      });
    }
    w.join_release(394);
  }
  w.role_barrier(390);
  if (w.index == 0) w.signal(391, C_draft_x);
}

// ==== draft_end ====

// ---- draft_end.head: 3.1 MiB of weights ----
#line 126 TILE_FILE("models/mimo/drafter.ts", draft_end_head_load)
TILE_PHASE static void draft_end_head_load(Warp& w, const At& at) {
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(395);
    w.ring_copy(396, 0, w.image(size_t(22792960ull) + size_t(tile) * 12288), 12288);
    w.ring_commit(397, 12288);
  }
}
#line 126 TILE_FILE("models/mimo/drafter.ts", draft_end_head_compute)
TILE_PHASE static void draft_end_head_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_draft_x_columns) + w.index % 12 * 256);
  const bool idle = early(empty(share(w, 264)));
  bring_weights<1, true>(w, 399, w.image(at.image + 0) + w.index % 12 * 64);
  w.wait(398, C_draft_x, at.runs(C_draft_x));
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_draft_x_columns);
  int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 1, reinterpret_cast<const bf16*>(w.image(at.image + 0)));
  w.afresh(), part = w.index % 12;
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(400);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(401);
    w.join_acquire(402);
    if (w.index < 12) w.join_put(w.index, acc, squares);
    w.join_commit(403);
  }
}
#line 126 TILE_FILE("models/mimo/drafter.ts", draft_end_head_epilogue)
TILE_PHASE static void draft_end_head_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(406);
    writes_own(w, at, R_draft_end_head_logits);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 12,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_draft_end_head_logits)[size_t(c) * 4224 + n_low] = v0_low;
      w.ws<float>(B_draft_end_head_logits)[size_t(c) * 4224 + n_high] = v0_high;
    });
    w.join_release(407);
    w.signal_tile(408, C_draft_end_head);
  }
  w.role_barrier(405);
}

// ---- draft_end.logits.firsts ----
#line 126 TILE_FILE("models/mimo/drafter.ts", draft_end_logits_firsts_compute)
TILE_PHASE static void draft_end_logits_firsts_compute(Warp& w, const At& at) {
  w.wait(409, C_draft_end_head, at.runs(C_draft_end_head) + 1);
  reads_all(w, at, R_draft_end_head_logits);
  writes_own(w, at, R_draft_end_logits_firsts);
  if (w.rank == 0) find_firsts(w, w.ws<const float>(B_draft_end_head_logits), 4224, w.ws<u64>(B_draft_end_logits_firsts), at.round->sample_from, at.block->rows);
  w.role_barrier(410);
  if (w.index == 0) w.signal(411, C_draft_end_logits_firsts);
}

// ---- draft_end.logits ----
#line 126 TILE_FILE("models/mimo/drafter.ts", draft_end_logits_compute)
TILE_PHASE static void draft_end_logits_compute(Warp& w, const At& at) {
  w.wait(412, C_draft_end_logits_firsts, at.runs(C_draft_end_logits_firsts) + 1);
  reads_all(w, at, R_draft_end_logits_firsts);
  const RoundControl* round = at.round;
  if (w.rank == 0 && w.sm == 0) called(w, [=](Warp& w) { finish_draft(w, *round, w.ws<const u64>(B_draft_end_logits_firsts)); });
}

// ==== roles ====

/** Runs phases of an entry, each `apart`: registers hold nothing of other phases. */
template <class Phase>
TILE_FN void run(Warp& w, Phase body) {
  apart(w, [=](Warp& w) { body(w, entry_of(this_round(w), w.entry())); });
}
template <class Phase>
TILE_FN void traced(Warp& w, const At& at, int phase, Phase body) {
  const Traced event(w, at.round->round, at.entry, phase);
  body(w, at);
}

static TILE_FN void run_load(Warp& w) {
  for (;;) {
    if (begin_round(w).op == round_quit) return;
    for (w.enter(0); w.entry() < Plan::entries; w.enter(w.entry() + 1)) {
      if (!this_round(w).runs(entry_program[w.entry()])) continue;
      switch (entry_segment[w.entry()]) {
        case 1: {
          // full_dense
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, full_dense_qkv_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, full_dense_attend_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, full_dense_o_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, full_dense_dense_up_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, full_dense_dense_down_load);
          });
          break;
        }
        case 2: {
          // sliding_experts
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, sliding_experts_qkv_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, sliding_experts_o_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, sliding_experts_router_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, sliding_experts_expert_up_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, sliding_experts_expert_down_load);
          });
          break;
        }
        case 3: {
          // full_experts
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, full_experts_qkv_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, full_experts_attend_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, full_experts_o_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, full_experts_router_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, full_experts_expert_up_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, full_experts_expert_down_load);
          });
          break;
        }
        case 4: {
          // end
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, end_head_load);
          });
          break;
        }
        case 5: {
          // commit_begin
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_begin_fc_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, commit_begin_kv_load);
          });
          break;
        }
        case 8: {
          // draft_sliding_dense
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense_qkv_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, draft_sliding_dense_attend_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, draft_sliding_dense_o_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense_dense_up_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense_dense_down_load);
          });
          break;
        }
        case 9: {
          // draft_end
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_end_head_load);
          });
          break;
        }
        default: break;
      }
    }
  }
}

static TILE_FN void run_compute(Warp& w) {
  called(w, [](Warp& w) { first_round(w); });
  for (;;) {
    if (begin_round(w).op == round_quit) return;
    for (w.enter(0); w.entry() < Plan::entries; w.enter(w.entry() + 1)) {
      if (!this_round(w).runs(entry_program[w.entry()])) continue;
      switch (entry_segment[w.entry()]) {
        case 0: {
          // begin
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, begin_embed_tokens_compute);
          });
          break;
        }
        case 1: {
          // full_dense
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, full_dense_qkv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, full_dense_attend_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, full_dense_attend_merge_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, full_dense_o_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, full_dense_dense_up_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, full_dense_dense_down_compute);
          });
          break;
        }
        case 2: {
          // sliding_experts
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, sliding_experts_qkv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, sliding_experts_attend_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, sliding_experts_o_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, sliding_experts_router_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, sliding_experts_route_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, sliding_experts_expert_up_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, sliding_experts_expert_down_compute);
          });
          break;
        }
        case 3: {
          // full_experts
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, full_experts_qkv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, full_experts_attend_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, full_experts_attend_merge_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, full_experts_o_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, full_experts_router_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, full_experts_route_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, full_experts_expert_up_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, full_experts_expert_down_compute);
          });
          break;
        }
        case 4: {
          // end
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, end_head_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, end_logits_firsts_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, end_logits_compute);
          });
          break;
        }
        case 5: {
          // commit_begin
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_begin_fc_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, commit_begin_kv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, commit_begin_norm_compute);
          });
          break;
        }
        case 6: {
          // commit_end
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_end_conclude_compute);
          });
          break;
        }
        case 7: {
          // draft_begin
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_begin_embed_tokens_compute);
          });
          break;
        }
        case 8: {
          // draft_sliding_dense
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense_qkv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, draft_sliding_dense_norm_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, draft_sliding_dense_attend_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, draft_sliding_dense_attend_merge_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, draft_sliding_dense_o_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense_dense_up_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense_dense_down_compute);
          });
          break;
        }
        case 9: {
          // draft_end
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_end_head_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, draft_end_logits_firsts_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, draft_end_logits_compute);
          });
          break;
        }
        default: break;
      }
    }
  }
}

static TILE_FN void run_epilogue(Warp& w) {
  for (;;) {
    if (begin_round(w).op == round_quit) return;
    for (w.enter(0); w.entry() < Plan::entries; w.enter(w.entry() + 1)) {
      if (!this_round(w).runs(entry_program[w.entry()])) continue;
      switch (entry_segment[w.entry()]) {
        case 1: {
          // full_dense
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, full_dense_qkv_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, full_dense_o_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, full_dense_dense_up_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, full_dense_dense_down_epilogue);
          });
          break;
        }
        case 2: {
          // sliding_experts
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, sliding_experts_qkv_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, sliding_experts_o_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, sliding_experts_router_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, sliding_experts_expert_up_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, sliding_experts_expert_down_epilogue);
          });
          break;
        }
        case 3: {
          // full_experts
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, full_experts_qkv_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, full_experts_o_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, full_experts_router_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, full_experts_expert_up_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, full_experts_expert_down_epilogue);
          });
          break;
        }
        case 4: {
          // end
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, end_head_epilogue);
          });
          break;
        }
        case 5: {
          // commit_begin
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_begin_fc_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, commit_begin_kv_epilogue);
          });
          break;
        }
        case 8: {
          // draft_sliding_dense
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense_qkv_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, draft_sliding_dense_o_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense_dense_up_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense_dense_down_epilogue);
          });
          break;
        }
        case 9: {
          // draft_end
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_end_head_epilogue);
          });
          break;
        }
        default: break;
      }
    }
  }
}

static TILE_FN void run_communicate(Warp& w) {
  for (;;) {
    if (begin_round(w).op == round_quit) return;
    for (w.enter(0); w.entry() < Plan::entries; w.enter(w.entry() + 1)) {
      if (!this_round(w).runs(entry_program[w.entry()])) continue;
      switch (entry_segment[w.entry()]) {
        case 2: {
          // sliding_experts
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, sliding_experts_expert_up_communicate);
          });
          break;
        }
        case 3: {
          // full_experts
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, full_experts_expert_up_communicate);
          });
          break;
        }
        default: break;
      }
    }
  }
}

}  // namespace tile

using namespace tile;
TILE_ROLE void role_load(tile::Warp& w) { run_load(w); }
TILE_ROLE void role_compute(tile::Warp& w) { run_compute(w); }
TILE_ROLE void role_epilogue(tile::Warp& w) { run_epilogue(w); }
TILE_ROLE void role_communicate(tile::Warp& w) { run_communicate(w); }

#include "engine/main.h"
