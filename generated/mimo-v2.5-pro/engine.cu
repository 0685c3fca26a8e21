// mimo: one persistent engine kernel, 8 ranks of 132 SMs. Written by tilec 0.1.0; do not edit.
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
  static constexpr int ranks = 8, sms = 132, rows = 8, ctx = 2048, valid_ids = 152576, programs = 1, mask_token = 0;
  static constexpr int entries = 72, phases = 8;
  static constexpr int load_warps = 1, compute_warps = 12, epilogue_warps = 2, communicate_warps = 1;
  static constexpr unsigned ring_page_bytes = 52224, slots_bytes = 12288, scratch_bytes = 36864;
  static constexpr int ring_depth = 3, join_depth = 2, join_parts = 12, join_squares = 12;
  static constexpr bool has_means = false;
  static constexpr int experts = 384, max_active = 64, top_k = 8, expert_group = 8, early_eighths = 5;
  using Exchange = tile::bf16;
  static constexpr size_t image_bytes = 72462695424, kv_bytes = 22937600, workspace_bytes = 29755264;
  static constexpr size_t counters_at = 0, abort_at = 3328, control_at = 3456, control_inbox_at = 4224;
  static constexpr size_t decode_at = 5248, sampler_at = 15289984, history_at = 17761920, inbox_at = 5760, logits_inbox_at = 2168448;
  static constexpr size_t zeroed_bytes = 15289984;
  static constexpr int counters = 26, control_counter = 24, control_left_counter = 25, local_counters = 6;
  static constexpr int warps = load_warps + compute_warps + epilogue_warps + communicate_warps;
  TILE_BOTH static constexpr unsigned arrivals(int counter) { return counter == control_counter ? 1 : counter == control_left_counter ? sms * warps : counter == 0 ? 384 : counter == 1 ? 212 : counter == 4 ? 384 : counter == 5 ? 256 : counter == 6 ? 212 : counter == 8 ? 384 : counter == 13 ? 212 : counter == 16 ? 384 : sms; }
  TILE_BOTH static constexpr unsigned local_arrivals(int local) { return local == 0 ? compute_warps : local == 2 ? epilogue_warps : local == 3 ? epilogue_warps : 1; }
  static constexpr const char* counter_names[] = {"x", "full_dense.qkv", "full_dense.attend", "full_dense.attend.merge", "full_dense.o", "full_dense.dense.up", "sliding_experts.qkv", "sliding_experts.attend", "sliding_experts.o", "sliding_experts.router", "sliding_experts.route", "sliding_experts.expert.up", "sliding_experts.expert.up.early", "full_experts.qkv", "full_experts.attend", "full_experts.attend.merge", "full_experts.o", "full_experts.router", "full_experts.route", "full_experts.expert.up", "full_experts.expert.up.early", "end.head", "end.logits.firsts", "end.logits", "round control", "left round"};
  static constexpr int sites = 281, site_round = 277, site_relay = 278, site_mailbox = 279, site_sample = 280;
  static constexpr const char* site_names[] = {
    "begin.embed_tokens/compute barrier", "begin.embed_tokens/compute signal x", "full_dense.qkv/load acquire ring", "full_dense.qkv/load copy page",
    "full_dense.qkv/load commit ring", "full_dense.qkv/compute wait x", "full_dense.qkv/compute norm barrier", "full_dense.qkv/compute await ring",
    "full_dense.qkv/compute release ring", "full_dense.qkv/compute acquire join", "full_dense.qkv/compute commit join", "full_dense.qkv/epilogue finish",
    "full_dense.qkv/epilogue barrier", "full_dense.qkv/epilogue await join", "full_dense.qkv/epilogue release join", "full_dense.qkv/epilogue signal full_dense.qkv",
    "full_dense.attend/load wait full_dense.qkv", "full_dense.attend/load acquire ring", "full_dense.attend/load copy span", "full_dense.attend/load commit ring",
    "full_dense.attend/compute wait full_dense.qkv", "full_dense.attend/compute await ring", "full_dense.attend/compute release ring", "full_dense.attend/compute barrier",
    "full_dense.attend/compute signal full_dense.attend", "full_dense.attend.merge/compute wait full_dense.attend", "full_dense.attend.merge/compute barrier", "full_dense.attend.merge/compute signal full_dense.attend.merge",
    "full_dense.o/load acquire ring", "full_dense.o/load copy page", "full_dense.o/load commit ring", "full_dense.o/compute wait full_dense.attend.merge",
    "full_dense.o/compute norm barrier", "full_dense.o/compute await ring", "full_dense.o/compute release ring", "full_dense.o/compute acquire join",
    "full_dense.o/compute commit join", "full_dense.o/compute receive", "full_dense.o/compute signal full_dense.o", "full_dense.o/epilogue send",
    "full_dense.o/epilogue barrier", "full_dense.o/epilogue await join", "full_dense.o/epilogue release join", "full_dense.dense.up/load acquire ring",
    "full_dense.dense.up/load copy page", "full_dense.dense.up/load commit ring", "full_dense.dense.up/compute wait full_dense.o", "full_dense.dense.up/compute norm barrier",
    "full_dense.dense.up/compute await ring", "full_dense.dense.up/compute release ring", "full_dense.dense.up/compute acquire join", "full_dense.dense.up/compute commit join",
    "full_dense.dense.up/epilogue finish", "full_dense.dense.up/epilogue barrier", "full_dense.dense.up/epilogue await join", "full_dense.dense.up/epilogue release join",
    "full_dense.dense.up/epilogue signal full_dense.dense.up", "full_dense.dense.down/load acquire ring", "full_dense.dense.down/load copy page", "full_dense.dense.down/load commit ring",
    "full_dense.dense.down/compute wait full_dense.dense.up", "full_dense.dense.down/compute norm barrier", "full_dense.dense.down/compute await ring", "full_dense.dense.down/compute release ring",
    "full_dense.dense.down/compute acquire join", "full_dense.dense.down/compute commit join", "full_dense.dense.down/compute receive", "full_dense.dense.down/compute signal x",
    "full_dense.dense.down/epilogue send", "full_dense.dense.down/epilogue barrier", "full_dense.dense.down/epilogue await join", "full_dense.dense.down/epilogue release join",
    "sliding_experts.qkv/load acquire ring", "sliding_experts.qkv/load copy page", "sliding_experts.qkv/load commit ring", "sliding_experts.qkv/compute wait x",
    "sliding_experts.qkv/compute norm barrier", "sliding_experts.qkv/compute await ring", "sliding_experts.qkv/compute release ring", "sliding_experts.qkv/compute acquire join",
    "sliding_experts.qkv/compute commit join", "sliding_experts.qkv/epilogue finish", "sliding_experts.qkv/epilogue barrier", "sliding_experts.qkv/epilogue await join",
    "sliding_experts.qkv/epilogue release join", "sliding_experts.qkv/epilogue signal sliding_experts.qkv", "sliding_experts.attend/compute wait sliding_experts.qkv", "sliding_experts.attend/compute barrier of sums",
    "sliding_experts.attend/compute barrier", "sliding_experts.attend/compute signal sliding_experts.attend", "sliding_experts.o/load acquire ring", "sliding_experts.o/load copy page",
    "sliding_experts.o/load commit ring", "sliding_experts.o/compute wait sliding_experts.attend", "sliding_experts.o/compute norm barrier", "sliding_experts.o/compute await ring",
    "sliding_experts.o/compute release ring", "sliding_experts.o/compute acquire join", "sliding_experts.o/compute commit join", "sliding_experts.o/compute receive",
    "sliding_experts.o/compute signal sliding_experts.o", "sliding_experts.o/epilogue send", "sliding_experts.o/epilogue barrier", "sliding_experts.o/epilogue await join",
    "sliding_experts.o/epilogue release join", "sliding_experts.router/load acquire ring", "sliding_experts.router/load copy page", "sliding_experts.router/load commit ring",
    "sliding_experts.router/compute wait sliding_experts.o", "sliding_experts.router/compute norm barrier", "sliding_experts.router/compute await ring", "sliding_experts.router/compute release ring",
    "sliding_experts.router/compute acquire join", "sliding_experts.router/compute commit join", "sliding_experts.router/epilogue finish", "sliding_experts.router/epilogue barrier",
    "sliding_experts.router/epilogue signal sliding_experts.router", "sliding_experts.router/epilogue signal sliding_experts.router", "sliding_experts.router/epilogue wait sliding_experts.o", "sliding_experts.router/epilogue await join",
    "sliding_experts.router/epilogue release join", "sliding_experts.route/compute open table", "sliding_experts.route/compute wait sliding_experts.router", "sliding_experts.route/compute signal chosen",
    "sliding_experts.route/compute route barrier", "sliding_experts.route/compute signal route", "sliding_experts.expert.up/load acquire ring", "sliding_experts.expert.up/load copy page",
    "sliding_experts.expert.up/load commit ring", "sliding_experts.expert.up/load wait chosen", "sliding_experts.expert.up/compute norm barrier", "sliding_experts.expert.up/compute await ring",
    "sliding_experts.expert.up/compute release ring", "sliding_experts.expert.up/compute acquire join", "sliding_experts.expert.up/compute commit join", "sliding_experts.expert.up/epilogue finish",
    "sliding_experts.expert.up/epilogue signal stored", "sliding_experts.expert.up/communicate wait stored", "sliding_experts.expert.up/communicate signal sliding_experts.expert.up", "sliding_experts.expert.up/communicate wait sliding_experts.expert.up",
    "sliding_experts.expert.up/communicate signal rows", "sliding_experts.expert.up/epilogue barrier", "sliding_experts.expert.up/epilogue signal sliding_experts.expert.up", "sliding_experts.expert.up/epilogue wait route",
    "sliding_experts.expert.up/epilogue await join", "sliding_experts.expert.up/epilogue release join", "sliding_experts.expert.down/load wait route", "sliding_experts.expert.down/load acquire ring",
    "sliding_experts.expert.down/load copy group", "sliding_experts.expert.down/load commit ring", "sliding_experts.expert.down/compute acquire slots", "sliding_experts.expert.down/compute wait rows",
    "sliding_experts.expert.down/compute await ring", "sliding_experts.expert.down/compute release ring", "sliding_experts.expert.down/compute commit slots", "sliding_experts.expert.down/compute receive",
    "sliding_experts.expert.down/compute signal x", "sliding_experts.expert.down/epilogue await slots", "sliding_experts.expert.down/epilogue send", "sliding_experts.expert.down/epilogue release slots",
    "full_experts.qkv/load acquire ring", "full_experts.qkv/load copy page", "full_experts.qkv/load commit ring", "full_experts.qkv/compute wait x",
    "full_experts.qkv/compute norm barrier", "full_experts.qkv/compute await ring", "full_experts.qkv/compute release ring", "full_experts.qkv/compute acquire join",
    "full_experts.qkv/compute commit join", "full_experts.qkv/epilogue finish", "full_experts.qkv/epilogue barrier", "full_experts.qkv/epilogue await join",
    "full_experts.qkv/epilogue release join", "full_experts.qkv/epilogue signal full_experts.qkv", "full_experts.attend/load wait full_experts.qkv", "full_experts.attend/load acquire ring",
    "full_experts.attend/load copy span", "full_experts.attend/load commit ring", "full_experts.attend/compute wait full_experts.qkv", "full_experts.attend/compute await ring",
    "full_experts.attend/compute release ring", "full_experts.attend/compute barrier", "full_experts.attend/compute signal full_experts.attend", "full_experts.attend.merge/compute wait full_experts.attend",
    "full_experts.attend.merge/compute barrier", "full_experts.attend.merge/compute signal full_experts.attend.merge", "full_experts.o/load acquire ring", "full_experts.o/load copy page",
    "full_experts.o/load commit ring", "full_experts.o/compute wait full_experts.attend.merge", "full_experts.o/compute norm barrier", "full_experts.o/compute await ring",
    "full_experts.o/compute release ring", "full_experts.o/compute acquire join", "full_experts.o/compute commit join", "full_experts.o/compute receive",
    "full_experts.o/compute signal full_experts.o", "full_experts.o/epilogue send", "full_experts.o/epilogue barrier", "full_experts.o/epilogue await join",
    "full_experts.o/epilogue release join", "full_experts.router/load acquire ring", "full_experts.router/load copy page", "full_experts.router/load commit ring",
    "full_experts.router/compute wait full_experts.o", "full_experts.router/compute norm barrier", "full_experts.router/compute await ring", "full_experts.router/compute release ring",
    "full_experts.router/compute acquire join", "full_experts.router/compute commit join", "full_experts.router/epilogue finish", "full_experts.router/epilogue barrier",
    "full_experts.router/epilogue signal full_experts.router", "full_experts.router/epilogue signal full_experts.router", "full_experts.router/epilogue wait full_experts.o", "full_experts.router/epilogue await join",
    "full_experts.router/epilogue release join", "full_experts.route/compute open table", "full_experts.route/compute wait full_experts.router", "full_experts.route/compute signal chosen",
    "full_experts.route/compute route barrier", "full_experts.route/compute signal route", "full_experts.expert.up/load acquire ring", "full_experts.expert.up/load copy page",
    "full_experts.expert.up/load commit ring", "full_experts.expert.up/load wait chosen", "full_experts.expert.up/compute norm barrier", "full_experts.expert.up/compute await ring",
    "full_experts.expert.up/compute release ring", "full_experts.expert.up/compute acquire join", "full_experts.expert.up/compute commit join", "full_experts.expert.up/epilogue finish",
    "full_experts.expert.up/epilogue signal stored", "full_experts.expert.up/communicate wait stored", "full_experts.expert.up/communicate signal full_experts.expert.up", "full_experts.expert.up/communicate wait full_experts.expert.up",
    "full_experts.expert.up/communicate signal rows", "full_experts.expert.up/epilogue barrier", "full_experts.expert.up/epilogue signal full_experts.expert.up", "full_experts.expert.up/epilogue wait route",
    "full_experts.expert.up/epilogue await join", "full_experts.expert.up/epilogue release join", "full_experts.expert.down/load wait route", "full_experts.expert.down/load acquire ring",
    "full_experts.expert.down/load copy group", "full_experts.expert.down/load commit ring", "full_experts.expert.down/compute acquire slots", "full_experts.expert.down/compute wait rows",
    "full_experts.expert.down/compute await ring", "full_experts.expert.down/compute release ring", "full_experts.expert.down/compute commit slots", "full_experts.expert.down/compute receive",
    "full_experts.expert.down/compute signal x", "full_experts.expert.down/epilogue await slots", "full_experts.expert.down/epilogue send", "full_experts.expert.down/epilogue release slots",
    "end.head/load acquire ring", "end.head/load copy page", "end.head/load commit ring", "end.head/compute wait x",
    "end.head/compute norm barrier", "end.head/compute await ring", "end.head/compute release ring", "end.head/compute acquire join",
    "end.head/compute commit join", "end.head/compute receive logits", "end.head/compute barrier", "end.head/compute signal end.head",
    "end.head/epilogue send logits", "end.head/epilogue barrier", "end.head/epilogue await join", "end.head/epilogue release join",
    "end.logits.firsts/compute wait end.head", "end.logits.firsts/compute barrier", "end.logits.firsts/compute signal end.logits.firsts", "end.logits/compute wait end.logits.firsts",
    "end.logits/compute sample", "round", "relay", "mailbox",
    "sample",
  };
  static constexpr int regions = 31;
  static constexpr const char* region_names[] = {
    "x.columns", "x.plain", "full_dense.qkv.queries", "full_dense.qkv.keys", "full_dense.qkv.values", "full_dense.attend.columns",
    "full_dense.attend.partials", "full_dense.o.columns", "full_dense.o.plain", "full_dense.dense.up.columns", "sliding_experts.qkv.queries", "sliding_experts.qkv.keys",
    "sliding_experts.qkv.values", "sliding_experts.attend.columns", "sliding_experts.o.columns", "sliding_experts.o.plain", "sliding_experts.router.plain", "sliding_experts.expert.up.routedRows",
    "full_experts.qkv.queries", "full_experts.qkv.keys", "full_experts.qkv.values", "full_experts.attend.columns", "full_experts.attend.partials", "full_experts.o.columns",
    "full_experts.o.plain", "full_experts.router.plain", "full_experts.expert.up.routedRows", "end.head.logits", "end.logits.firsts", "sliding_experts.expert.up.routedRows.early",
    "full_experts.expert.up.routedRows.early",
  };
};

#include "tile_plan.h"
#include "engine/control.h"

#ifndef TILE_TRACE  // traces lie there, too
static_assert(tile::Shared::bytes == 232320, "shared memory is laid out as the plan was proved to fit an SM");
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
};
enum Tally : int {
  T_chosen = 24, T_route = 25, T_stored = 26, T_stored_early = 27, T_rows = 28, T_rows_early = 29,
  T_exchange = 30,
};
enum Local : int {
  L_chosen, L_route, L_stored, L_stored_early, L_rows, L_rows_early,
};
enum Region : int {
  R_x_columns, R_x_plain, R_full_dense_qkv_queries, R_full_dense_qkv_keys, R_full_dense_qkv_values, R_full_dense_attend_columns,
  R_full_dense_attend_partials, R_full_dense_o_columns, R_full_dense_o_plain, R_full_dense_dense_up_columns, R_sliding_experts_qkv_queries, R_sliding_experts_qkv_keys,
  R_sliding_experts_qkv_values, R_sliding_experts_attend_columns, R_sliding_experts_o_columns, R_sliding_experts_o_plain, R_sliding_experts_router_plain, R_sliding_experts_expert_up_routedRows,
  R_full_experts_qkv_queries, R_full_experts_qkv_keys, R_full_experts_qkv_values, R_full_experts_attend_columns, R_full_experts_attend_partials, R_full_experts_o_columns,
  R_full_experts_o_plain, R_full_experts_router_plain, R_full_experts_expert_up_routedRows, R_end_head_logits, R_end_logits_firsts, R_sliding_experts_expert_up_routedRows_early,
  R_full_experts_expert_up_routedRows_early,
};
TILE_FN bool region_is_cache(int region) { return region == 3 || region == 4 || region == 11 || region == 12 || region == 19 || region == 20; }
TILE_FN int home_of(int region, int) { return region; }

// Byte offsets: buffers in the workspace; caches in their layer's part of the KV memory.
constexpr size_t B_x_columns = 18982528;
constexpr size_t B_x_plain = 19080832;
constexpr size_t B_full_dense_qkv_queries = 19277440;
constexpr size_t B_full_dense_qkv_keys = 0;
constexpr size_t B_full_dense_qkv_values = 786432;
constexpr size_t B_full_dense_attend_columns = 19326592;
constexpr size_t B_full_dense_attend_partials = 19359360;
constexpr size_t B_full_dense_o_columns = 21489280;
constexpr size_t B_full_dense_o_plain = 21587584;
constexpr size_t B_full_dense_dense_up_columns = 21784192;
constexpr size_t B_sliding_experts_qkv_queries = 21816960;
constexpr size_t B_sliding_experts_qkv_keys = 0;
constexpr size_t B_sliding_experts_qkv_values = 98304;
constexpr size_t B_sliding_experts_attend_columns = 21866112;
constexpr size_t B_sliding_experts_o_columns = 21898880;
constexpr size_t B_sliding_experts_o_plain = 21997184;
constexpr size_t B_sliding_experts_router_plain = 22193792;
constexpr size_t B_sliding_experts_expert_up_routedRows = 22242944;
constexpr size_t B_full_experts_qkv_queries = 22275712;
constexpr size_t B_full_experts_qkv_keys = 0;
constexpr size_t B_full_experts_qkv_values = 786432;
constexpr size_t B_full_experts_attend_columns = 22324864;
constexpr size_t B_full_experts_attend_partials = 22357632;
constexpr size_t B_full_experts_o_columns = 24487552;
constexpr size_t B_full_experts_o_plain = 24585856;
constexpr size_t B_full_experts_router_plain = 24782464;
constexpr size_t B_full_experts_expert_up_routedRows = 24831616;
constexpr size_t B_end_head_logits = 24864384;
constexpr size_t B_end_logits_firsts = 29746816;
// ---- entries ----

// 0 begin, 1 full_dense, 2 sliding_experts, 3 full_experts, 4 end
TILE_TABLE unsigned char entry_segment[72] = {
  0, 1, 2, 2, 2, 2, 2, 2, 3, 2, 2, 2, 2, 2, 2, 2, 3, 2, 2, 2, 2, 2, 2, 2, 3, 2, 2, 2, 2, 2, 2, 2, 3, 2, 2, 2,
  2, 2, 2, 2, 3, 2, 2, 2, 2, 2, 2, 2, 3, 2, 2, 2, 2, 2, 2, 2, 3, 2, 2, 2, 2, 2, 2, 3, 2, 2, 2, 2, 2, 2, 3, 4,
};
TILE_TABLE unsigned long long entry_image[72] = {
  0ull, 1874853888ull, 1959548928ull, 2977937024ull, 3996325120ull, 5014713216ull, 6033101312ull, 7051489408ull,
  8069877504ull, 9088265472ull, 10106653568ull, 11125041664ull, 12143429760ull, 13161817856ull, 14180205952ull, 15198594048ull,
  16216982144ull, 17235370112ull, 18253758208ull, 19272146304ull, 20290534400ull, 21308922496ull, 22327310592ull, 23345698688ull,
  24364086784ull, 25382474752ull, 26400862848ull, 27419250944ull, 28437639040ull, 29456027136ull, 30474415232ull, 31492803328ull,
  32511191424ull, 33529579392ull, 34547967488ull, 35566355584ull, 36584743680ull, 37603131776ull, 38621519872ull, 39639907968ull,
  40658296064ull, 41676684032ull, 42695072128ull, 43713460224ull, 44731848320ull, 45750236416ull, 46768624512ull, 47787012608ull,
  48805400704ull, 49823788672ull, 50842176768ull, 51860564864ull, 52878952960ull, 53897341056ull, 54915729152ull, 55934117248ull,
  56952505344ull, 57970893312ull, 58989281408ull, 60007669504ull, 61026057600ull, 62044445696ull, 63062833792ull, 64081221888ull,
  65099609856ull, 66117997952ull, 67136386048ull, 68154774144ull, 69173162240ull, 70191550336ull, 71209938432ull, 72228326400ull,
};
TILE_TABLE unsigned long long entry_kv[72] = {
  0ull, 0ull, 1310720ull, 1474560ull, 1638400ull, 1802240ull, 1966080ull, 2129920ull,
  2293760ull, 3604480ull, 3768320ull, 3932160ull, 4096000ull, 4259840ull, 4423680ull, 4587520ull,
  4751360ull, 6062080ull, 6225920ull, 6389760ull, 6553600ull, 6717440ull, 6881280ull, 7045120ull,
  7208960ull, 8519680ull, 8683520ull, 8847360ull, 9011200ull, 9175040ull, 9338880ull, 9502720ull,
  9666560ull, 10977280ull, 11141120ull, 11304960ull, 11468800ull, 11632640ull, 11796480ull, 11960320ull,
  12124160ull, 13434880ull, 13598720ull, 13762560ull, 13926400ull, 14090240ull, 14254080ull, 14417920ull,
  14581760ull, 15892480ull, 16056320ull, 16220160ull, 16384000ull, 16547840ull, 16711680ull, 16875520ull,
  17039360ull, 18350080ull, 18513920ull, 18677760ull, 18841600ull, 19005440ull, 19169280ull, 19333120ull,
  20643840ull, 20807680ull, 20971520ull, 21135360ull, 21299200ull, 21463040ull, 21626880ull, 22937600ull,
};
TILE_TABLE unsigned short entry_runs[72][31] = {
  {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
  {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
  {2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2},
  {3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 4},
  {4, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 6},
  {5, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 3, 8},
  {6, 1, 1, 1, 1, 1, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 10},
  {7, 1, 1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 5, 12},
  {8, 1, 1, 1, 1, 1, 6, 6, 6, 6, 6, 6, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 6, 6, 6, 6, 6, 14},
  {9, 1, 1, 1, 1, 1, 6, 6, 6, 6, 6, 6, 6, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 7, 7, 7, 7, 7, 7, 16},
  {10, 1, 1, 1, 1, 1, 7, 7, 7, 7, 7, 7, 7, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 8, 8, 8, 8, 8, 8, 18},
  {11, 1, 1, 1, 1, 1, 8, 8, 8, 8, 8, 8, 8, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 9, 9, 9, 9, 9, 9, 20},
  {12, 1, 1, 1, 1, 1, 9, 9, 9, 9, 9, 9, 9, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 10, 10, 10, 10, 10, 10, 22},
  {13, 1, 1, 1, 1, 1, 10, 10, 10, 10, 10, 10, 10, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 11, 11, 11, 11, 11, 11, 24},
  {14, 1, 1, 1, 1, 1, 11, 11, 11, 11, 11, 11, 11, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 12, 12, 12, 12, 12, 12, 26},
  {15, 1, 1, 1, 1, 1, 12, 12, 12, 12, 12, 12, 12, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 13, 13, 13, 13, 13, 13, 28},
  {16, 1, 1, 1, 1, 1, 13, 13, 13, 13, 13, 13, 13, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 14, 14, 14, 14, 14, 14, 30},
  {17, 1, 1, 1, 1, 1, 13, 13, 13, 13, 13, 13, 13, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 15, 15, 15, 15, 15, 15, 32},
  {18, 1, 1, 1, 1, 1, 14, 14, 14, 14, 14, 14, 14, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 16, 16, 16, 16, 16, 16, 34},
  {19, 1, 1, 1, 1, 1, 15, 15, 15, 15, 15, 15, 15, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 17, 17, 17, 17, 17, 17, 36},
  {20, 1, 1, 1, 1, 1, 16, 16, 16, 16, 16, 16, 16, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 18, 18, 18, 18, 18, 18, 38},
  {21, 1, 1, 1, 1, 1, 17, 17, 17, 17, 17, 17, 17, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 19, 19, 19, 19, 19, 19, 40},
  {22, 1, 1, 1, 1, 1, 18, 18, 18, 18, 18, 18, 18, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 20, 20, 20, 20, 20, 20, 42},
  {23, 1, 1, 1, 1, 1, 19, 19, 19, 19, 19, 19, 19, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 21, 21, 21, 21, 21, 21, 44},
  {24, 1, 1, 1, 1, 1, 20, 20, 20, 20, 20, 20, 20, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 22, 22, 22, 22, 22, 22, 46},
  {25, 1, 1, 1, 1, 1, 20, 20, 20, 20, 20, 20, 20, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 23, 23, 23, 23, 23, 23, 48},
  {26, 1, 1, 1, 1, 1, 21, 21, 21, 21, 21, 21, 21, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 24, 24, 24, 24, 24, 24, 50},
  {27, 1, 1, 1, 1, 1, 22, 22, 22, 22, 22, 22, 22, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 25, 25, 25, 25, 25, 25, 52},
  {28, 1, 1, 1, 1, 1, 23, 23, 23, 23, 23, 23, 23, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 26, 26, 26, 26, 26, 26, 54},
  {29, 1, 1, 1, 1, 1, 24, 24, 24, 24, 24, 24, 24, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 27, 27, 27, 27, 27, 27, 56},
  {30, 1, 1, 1, 1, 1, 25, 25, 25, 25, 25, 25, 25, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 28, 28, 28, 28, 28, 28, 58},
  {31, 1, 1, 1, 1, 1, 26, 26, 26, 26, 26, 26, 26, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 29, 29, 29, 29, 29, 29, 60},
  {32, 1, 1, 1, 1, 1, 27, 27, 27, 27, 27, 27, 27, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 30, 30, 30, 30, 30, 30, 62},
  {33, 1, 1, 1, 1, 1, 27, 27, 27, 27, 27, 27, 27, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 31, 31, 31, 31, 31, 31, 64},
  {34, 1, 1, 1, 1, 1, 28, 28, 28, 28, 28, 28, 28, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 32, 32, 32, 32, 32, 32, 66},
  {35, 1, 1, 1, 1, 1, 29, 29, 29, 29, 29, 29, 29, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 33, 33, 33, 33, 33, 33, 68},
  {36, 1, 1, 1, 1, 1, 30, 30, 30, 30, 30, 30, 30, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 34, 34, 34, 34, 34, 34, 70},
  {37, 1, 1, 1, 1, 1, 31, 31, 31, 31, 31, 31, 31, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 35, 35, 35, 35, 35, 35, 72},
  {38, 1, 1, 1, 1, 1, 32, 32, 32, 32, 32, 32, 32, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 36, 36, 36, 36, 36, 36, 74},
  {39, 1, 1, 1, 1, 1, 33, 33, 33, 33, 33, 33, 33, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 37, 37, 37, 37, 37, 37, 76},
  {40, 1, 1, 1, 1, 1, 34, 34, 34, 34, 34, 34, 34, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 38, 38, 38, 38, 38, 38, 78},
  {41, 1, 1, 1, 1, 1, 34, 34, 34, 34, 34, 34, 34, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 39, 39, 39, 39, 39, 39, 80},
  {42, 1, 1, 1, 1, 1, 35, 35, 35, 35, 35, 35, 35, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 40, 40, 40, 40, 40, 40, 82},
  {43, 1, 1, 1, 1, 1, 36, 36, 36, 36, 36, 36, 36, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 41, 41, 41, 41, 41, 41, 84},
  {44, 1, 1, 1, 1, 1, 37, 37, 37, 37, 37, 37, 37, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 42, 42, 42, 42, 42, 42, 86},
  {45, 1, 1, 1, 1, 1, 38, 38, 38, 38, 38, 38, 38, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 43, 43, 43, 43, 43, 43, 88},
  {46, 1, 1, 1, 1, 1, 39, 39, 39, 39, 39, 39, 39, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 44, 44, 44, 44, 44, 44, 90},
  {47, 1, 1, 1, 1, 1, 40, 40, 40, 40, 40, 40, 40, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 45, 45, 45, 45, 45, 45, 92},
  {48, 1, 1, 1, 1, 1, 41, 41, 41, 41, 41, 41, 41, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 46, 46, 46, 46, 46, 46, 94},
  {49, 1, 1, 1, 1, 1, 41, 41, 41, 41, 41, 41, 41, 6, 6, 6, 6, 6, 6, 6, 6, 0, 0, 0, 47, 47, 47, 47, 47, 47, 96},
  {50, 1, 1, 1, 1, 1, 42, 42, 42, 42, 42, 42, 42, 6, 6, 6, 6, 6, 6, 6, 6, 0, 0, 0, 48, 48, 48, 48, 48, 48, 98},
  {51, 1, 1, 1, 1, 1, 43, 43, 43, 43, 43, 43, 43, 6, 6, 6, 6, 6, 6, 6, 6, 0, 0, 0, 49, 49, 49, 49, 49, 49, 100},
  {52, 1, 1, 1, 1, 1, 44, 44, 44, 44, 44, 44, 44, 6, 6, 6, 6, 6, 6, 6, 6, 0, 0, 0, 50, 50, 50, 50, 50, 50, 102},
  {53, 1, 1, 1, 1, 1, 45, 45, 45, 45, 45, 45, 45, 6, 6, 6, 6, 6, 6, 6, 6, 0, 0, 0, 51, 51, 51, 51, 51, 51, 104},
  {54, 1, 1, 1, 1, 1, 46, 46, 46, 46, 46, 46, 46, 6, 6, 6, 6, 6, 6, 6, 6, 0, 0, 0, 52, 52, 52, 52, 52, 52, 106},
  {55, 1, 1, 1, 1, 1, 47, 47, 47, 47, 47, 47, 47, 6, 6, 6, 6, 6, 6, 6, 6, 0, 0, 0, 53, 53, 53, 53, 53, 53, 108},
  {56, 1, 1, 1, 1, 1, 48, 48, 48, 48, 48, 48, 48, 6, 6, 6, 6, 6, 6, 6, 6, 0, 0, 0, 54, 54, 54, 54, 54, 54, 110},
  {57, 1, 1, 1, 1, 1, 48, 48, 48, 48, 48, 48, 48, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 55, 55, 55, 55, 55, 55, 112},
  {58, 1, 1, 1, 1, 1, 49, 49, 49, 49, 49, 49, 49, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 56, 56, 56, 56, 56, 56, 114},
  {59, 1, 1, 1, 1, 1, 50, 50, 50, 50, 50, 50, 50, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 57, 57, 57, 57, 57, 57, 116},
  {60, 1, 1, 1, 1, 1, 51, 51, 51, 51, 51, 51, 51, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 58, 58, 58, 58, 58, 58, 118},
  {61, 1, 1, 1, 1, 1, 52, 52, 52, 52, 52, 52, 52, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 59, 59, 59, 59, 59, 59, 120},
  {62, 1, 1, 1, 1, 1, 53, 53, 53, 53, 53, 53, 53, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 60, 60, 60, 60, 60, 60, 122},
  {63, 1, 1, 1, 1, 1, 54, 54, 54, 54, 54, 54, 54, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 61, 61, 61, 61, 61, 61, 124},
  {64, 1, 1, 1, 1, 1, 54, 54, 54, 54, 54, 54, 54, 8, 8, 8, 8, 8, 8, 8, 8, 0, 0, 0, 62, 62, 62, 62, 62, 62, 126},
  {65, 1, 1, 1, 1, 1, 55, 55, 55, 55, 55, 55, 55, 8, 8, 8, 8, 8, 8, 8, 8, 0, 0, 0, 63, 63, 63, 63, 63, 63, 128},
  {66, 1, 1, 1, 1, 1, 56, 56, 56, 56, 56, 56, 56, 8, 8, 8, 8, 8, 8, 8, 8, 0, 0, 0, 64, 64, 64, 64, 64, 64, 130},
  {67, 1, 1, 1, 1, 1, 57, 57, 57, 57, 57, 57, 57, 8, 8, 8, 8, 8, 8, 8, 8, 0, 0, 0, 65, 65, 65, 65, 65, 65, 132},
  {68, 1, 1, 1, 1, 1, 58, 58, 58, 58, 58, 58, 58, 8, 8, 8, 8, 8, 8, 8, 8, 0, 0, 0, 66, 66, 66, 66, 66, 66, 134},
  {69, 1, 1, 1, 1, 1, 59, 59, 59, 59, 59, 59, 59, 8, 8, 8, 8, 8, 8, 8, 8, 0, 0, 0, 67, 67, 67, 67, 67, 67, 136},
  {70, 1, 1, 1, 1, 1, 60, 60, 60, 60, 60, 60, 60, 8, 8, 8, 8, 8, 8, 8, 8, 0, 0, 0, 68, 68, 68, 68, 68, 68, 138},
  {71, 1, 1, 1, 1, 1, 60, 60, 60, 60, 60, 60, 60, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 69, 69, 69, 69, 69, 69, 140},
};
TILE_TABLE unsigned char entry_program[72] = {
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
TILE_TABLE unsigned char entry_taps[72] = {
  0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3,
  3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5,
};
TILE_TABLE unsigned char tally_program[31] = {
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
TILE_TABLE unsigned short entry_exchanges[72] = {
  0, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 62, 64, 66, 68,
  70, 72, 74, 76, 78, 80, 82, 84, 86, 88, 90, 92, 94, 96, 98, 100, 102, 104, 106, 108, 110, 112, 114, 116, 118, 120, 122, 124, 126, 128, 130, 132, 134, 136, 138, 140,
};
TILE_TABLE unsigned short program_exchanges[1] = {
  140,
};
TILE_TABLE unsigned short round_runs[31] = {
  71, 1, 1, 1, 1, 1, 60, 60, 60, 60, 60, 60, 60, 9, 9, 9, 9, 9, 9, 9, 9, 1, 1, 1, 69, 69, 69, 69, 69, 69, 140,
};
TILE_TABLE float rope_10000000_64[32] = {
  1.0f, 0.6042963862419128f, 0.3651741147041321f, 0.22067341208457947f, 0.1333521455526352f, 0.08058422058820724f, 0.04869675263762474f, 0.029427271336317062f,
  0.017782794311642647f, 0.010746078565716743f, 0.006493816152215004f, 0.003924189601093531f, 0.0023713738191872835f, 0.0014330125413835049f, 0.0008659643353894353f, 0.0005232990952208638f,
  0.0003162277571391314f, 0.00019109529966954142f, 0.00011547820031410083f, 0.00006978306191740558f, 0.000042169649532297626f, 0.000025482968339929357f, 0.00001539926597615704f, 0.000009305720595875755f,
  0.00000562341347176698f, 0.000003398208264115965f, 0.000002053525122391875f, 0.0000012409377632138785f, 7.498941840822226e-7f, 4.531583499556291e-7f, 2.7384197665014653e-7f, 1.6548170833630138e-7f,
};
TILE_TABLE float rope_10000_64[32] = {
  1.0f, 0.7498942017555237f, 0.5623413324356079f, 0.4216965138912201f, 0.3162277638912201f, 0.23713737726211548f, 0.17782793939113617f, 0.1333521455526352f,
  0.10000000149011612f, 0.0749894231557846f, 0.05623413249850273f, 0.04216964915394783f, 0.03162277489900589f, 0.023713737726211548f, 0.017782794311642647f, 0.013335213996469975f,
  0.009999999776482582f, 0.007498942315578461f, 0.005623413249850273f, 0.0042169648222625256f, 0.003162277629598975f, 0.0023713738191872835f, 0.0017782794311642647f, 0.0013335214462131262f,
  0.0010000000474974513f, 0.0007498941849917173f, 0.000562341301701963f, 0.0004216965171508491f, 0.0003162277571391314f, 0.00023713737027719617f, 0.00017782794020604342f, 0.0001333521504420787f,
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
  const Share units = share_of(192, w.sm * w.count + w.index, w.sms * w.count);
  for (int unit = units.begin; unit < units.end; ++unit) {
    w.lanes([&](int lane) {
      const int n_low = unit * 32 + lane;
      for (int c = 0; c < at.block->rows; ++c) {
        const bf16* table = reinterpret_cast<const bf16*>(w.image(at.image + 0));
        float low = to_f32(table[size_t(at.block->token[c]) * 6144 + n_low]);
        const float v0_low = low;
        w.ws<bf16>(B_x_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
        w.ws<float>(B_x_plain)[c * 6144 + n_low] = v0_low;
      }
    });
  }
  w.role_barrier(0);
  if (w.index == 0) w.signal_share(1, C_x, share(w, 384));
}

// ==== full_dense: 0 ====

// ---- full_dense.qkv: 20.2 MiB of weights ----
#line 60 TILE_FILE("models/mimo/graph.ts", full_dense_qkv_load)
TILE_PHASE static void full_dense_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 212);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
      w.ring_acquire(2);
      w.ring_copy(3, 0, w.image(at.image + 12288 + (size_t(tile) * 2 + page_of_tile) * 49920), 49920);
      w.ring_commit(4, 49920);
    }
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", full_dense_qkv_compute)
TILE_PHASE static void full_dense_qkv_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_x_columns) + w.index % 12 * 4096);
  const bool idle = early(empty(share(w, 212)));
  bring_weights<16, true>(w, 6, w.image(at.image + 0) + w.index % 12 * 1024);
  w.wait(5, C_x, at.runs(C_x));
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_x_columns);
  int part = w.index % 12;
  Staged<16> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 16, reinterpret_cast<const bf16*>(w.image(at.image + 0)));
  w.afresh(), part = w.index % 12;
  const Share tiles = share(w, 212);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
      const char* page = w.ring_await(7);
      multiply<E4M3, 8>(w, acc, page + part * 4160, page + part * 4160 + 4096, units_of<8>(x, page_of_tile * 8));
      w.ring_release(8);
    }
    w.join_acquire(9);
    w.join_put(w.index, acc, squares);
    w.join_commit(10);
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", full_dense_qkv_epilogue)
TILE_PHASE static void full_dense_qkv_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 212);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    const int t = tile;
    Acc rotation_0 = zeros();
    {
      const int position = t, u = position < 192 ? position : position >= 192 && position < 204 ? position - 192 : -1;
      if (u >= 0) {
        each_pair_in_turn(w, rotation_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 j = u32(u) % 12;
          const bool rotates = j < 4;
          const u32 d = 8 * j + u32(i);
          if (!rotates) return;
          const float angle = float(at.block->position[c]) * rope_10000000_64[d];
          const Rotation by = rotation(angle);
          low = by.cosine, high = by.sine;
        });
      }
    }
    w.join_wait(13);
    writes_own(w, at, R_full_dense_qkv_queries);
    writes_own(w, at, R_full_dense_qkv_keys);
    writes_own(w, at, R_full_dense_qkv_values);
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 192,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    constexpr int outer = 0;
    if (t < 192) {
      const int u = t;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 j = u32(u) % 12;
        const bool rotates = j < 4;
        const u32 d = 8 * j + u32(i);
        const u32 first = u32(u) / 12 * 192;
        const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 32 : 8);
        const float v0_low = low;
        const float v0_high = high;
        float v1_low = v0_low, v1_high = v0_high;
        if (rotates) {
          const Rotation by{low_of(rotation_0, i, c), high_of(rotation_0, i, c)};
          v1_low = by.of(v0_low, -v0_high);
          v1_high = by.of(v0_high, v0_low);
        }
        w.ws<bf16>(B_full_dense_qkv_queries)[(outer * 128 + c * 16 + (n_low) / 192) * 192 + (n_low) % 192] = to_bf16(v1_low);
        w.ws<bf16>(B_full_dense_qkv_queries)[(outer * 128 + c * 16 + (n_high) / 192) * 192 + (n_high) % 192] = to_bf16(v1_high);
      });
    }
    else if (t >= 192 && t < 204) {
      const int u = t - 192;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 j = u32(u) % 12;
        const bool rotates = j < 4;
        const u32 d = 8 * j + u32(i);
        const u32 first = u32(u) / 12 * 192;
        const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 32 : 8);
        const float v0_low = low;
        const float v0_high = high;
        float v1_low = v0_low, v1_high = v0_high;
        if (rotates) {
          const Rotation by{low_of(rotation_0, i, c), high_of(rotation_0, i, c)};
          v1_low = by.of(v0_low, -v0_high);
          v1_high = by.of(v0_high, v0_low);
        }
        reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_keys))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * k_span_elements(192) + k_at(u32(at.block->position[c]) % 64, n_low, 192)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_keys))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * k_span_elements(192) + k_at(u32(at.block->position[c]) % 64, n_high, 192)] = to_bf16(v1_high);
      });
    }
    else if (t >= 204 && t < 212) {
      const int u = t - 204;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = (v0_low * 0.611999989f);
        const float v1_high = (v0_high * 0.611999989f);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_values))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * v_span_elements(128) + v_at(u32(at.block->position[c]) % 64, n_low, 128)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_values))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * v_span_elements(128) + v_at(u32(at.block->position[c]) % 64, n_high, 128)] = to_bf16(v1_high);
      });
    }
    w.join_release(14);
    w.signal_tile(15, C_full_dense_qkv);
  }
  w.role_barrier(12);
}

// ---- full_dense.attend ----
#line 65 TILE_FILE("models/mimo/graph.ts", full_dense_attend_load)
TILE_PHASE static void full_dense_attend_load(Warp& w, const At& at) {
  const auto tasks = attend_tasks<1, 8, 1>(w, at.block->position, at.block->rows, 0);
  w.wait(16, C_full_dense_qkv, at.runs(C_full_dense_qkv) + 1);
  for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
    const AttendTask task = tasks.task(number);
TILE_LOOP
    for (int span = task.spans.begin; span < task.spans.end; ++span) {
      w.ring_acquire(17);
      reads_all(w, at, R_full_dense_qkv_keys);
      reads_all(w, at, R_full_dense_qkv_values);
      const size_t slot = size_t(span % 32);
      w.ring_copy(18, 0, w.kv(at.kv + B_full_dense_qkv_keys) + slot * 24576, 24576);
      w.ring_copy(18, 24576, w.kv(at.kv + B_full_dense_qkv_values) + slot * 16384, 16384);
      w.ring_commit(19, 40960);
    }
  }
}
#line 65 TILE_FILE("models/mimo/graph.ts", full_dense_attend_compute)
TILE_PHASE static void full_dense_attend_compute(Warp& w, const At& at) {
  const auto tasks = attend_tasks<1, 8, 1>(w, at.block->position, at.block->rows, 0);
  w.wait(20, C_full_dense_qkv, at.runs(C_full_dense_qkv) + 1);
  for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
    const AttendTask task = tasks.task(number);
    reads_all(w, at, R_full_dense_qkv_queries);
    AttendTile<16, 192, 128, 8> tile(w, task, w.ws<bf16>(B_full_dense_qkv_queries) + size_t(task.head) * 24576, RowPositions{at.block->position, at.block->rows}, 0);
TILE_LOOP
    for (int span = task.spans.begin; span < task.spans.end; ++span) {
      const char* page = w.ring_await(21);
      reads_all(w, at, R_full_dense_qkv_queries);
      tile.add(w, page, page + 24576, span, 0.0721687824f);
      w.ring_release(22);
    }
    writes_own(w, at, R_full_dense_attend_partials);
    float* o = w.ws<float>(B_full_dense_attend_partials) + size_t(task.head) * 532480 + size_t(task.chunk) * 16384;
    float* peaks = w.ws<float>(B_full_dense_attend_partials) + size_t(task.head) * 532480 + 524288 + task.chunk * 128;
    tile.leave(w, o, peaks, peaks + 4096);
  }
  w.role_barrier(23);
  if (w.index == 0) w.signal(24, C_full_dense_attend);
}

// ---- full_dense.attend.merge ----
#line 65 TILE_FILE("models/mimo/graph.ts", full_dense_attend_merge_compute)
TILE_PHASE static void full_dense_attend_merge_compute(Warp& w, const At& at) {
  const int chunks = attend_tasks<1, 8, 1>(w, at.block->position, at.block->rows, 0).chunks;
  const Share tasks = share_of(4 * at.block->rows * 16, w.sm * w.count + w.index, w.sms * w.count);
  w.wait(25, C_full_dense_attend, at.runs(C_full_dense_attend) + 1);
  reads_all(w, at, R_full_dense_attend_partials);
  writes_own(w, at, R_full_dense_attend_columns);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int first_dim = task % 4 * 32, of_all = task / 4;
    const int head = 0, m_row = of_all;
    const float* o = w.ws<const float>(B_full_dense_attend_partials) + size_t(head) * 532480;
    merge_chunks<128, 32, 32>(w, o, o + 524288, o + 528384, 128, m_row, first_dim, chunks, nullptr,
        w.ws<bf16>(B_full_dense_attend_columns), m_row / 16, (head * 16 + m_row % 16) * 128);
  }
  w.role_barrier(26);
  if (w.index == 0) w.signal(27, C_full_dense_attend_merge);
}

// ---- full_dense.o: 24.0 MiB of weights ----
#line 72 TILE_FILE("models/mimo/graph.ts", full_dense_o_load)
TILE_PHASE static void full_dense_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 384);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
      w.ring_acquire(28);
      w.ring_copy(29, 0, w.image(at.image + 21178368 + (size_t(tile) * 2 + page_of_tile) * 32768), 32768);
      w.ring_commit(30, 32768);
    }
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", full_dense_o_compute)
TILE_PHASE static void full_dense_o_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_full_dense_attend_columns) + w.index % 8 * 2048);
  const bool idle = early(empty(share(w, 384)));
  w.wait(31, C_full_dense_attend_merge, at.runs(C_full_dense_attend_merge) + 1);
  if (!(idle)) {
    reads_all(w, at, R_full_dense_attend_columns);
    const int part = w.index % 8;
    Staged<8> x;
    stage(w, x, columns, 0);
    const Share tiles = share(w, 384);
    for (int tile = tiles.begin; tile < tiles.end; ++tile) {
      Acc acc = zeros();
TILE_LOOP
      for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
        const char* page = w.ring_await(33);
        if (w.index < 8) multiply<BF16, 4>(w, acc, page + part * 4096, page + part * 4096 + 4096, units_of<4>(x, page_of_tile * 4));
        w.ring_release(34);
      }
      w.join_acquire(35);
      if (w.index < 8) w.join_put(w.index, acc);
      w.join_commit(36);
    }
  }
  const Share sums = share(w, 384);
  for (int sum = sums.begin + w.index; sum < sums.end; sum += w.count) {
    reads_all(w, at, R_x_plain);
    writes_own(w, at, R_full_dense_o_columns);
    writes_own(w, at, R_full_dense_o_plain);
    const int t = sum;
    Acc ahead_0 = zeros();
    {
      const int u = t;
      each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v2_low = w.ws<const float>(B_x_plain)[c * 6144 + n_low];
        const float v2_high = w.ws<const float>(B_x_plain)[c * 6144 + n_high];
        low = v2_low;
        high = v2_high;
      });
    }
    Acc acc = w.receive_sum(37, t, at.epoch(1));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v1_low = low;
      const float v1_high = high;
      const float v2_low = low_of(ahead_0, i, c);
      const float v2_high = high_of(ahead_0, i, c);
      const float v3_low = (v2_low + v1_low);
      const float v3_high = (v2_high + v1_high);
      w.ws<bf16>(B_full_dense_o_columns)[columns_at(n_low, c)] = to_bf16(v3_low);
      w.ws<bf16>(B_full_dense_o_columns)[columns_at(n_high, c)] = to_bf16(v3_high);
      w.ws<float>(B_full_dense_o_plain)[c * 6144 + n_low] = v3_low;
      w.ws<float>(B_full_dense_o_plain)[c * 6144 + n_high] = v3_high;
    });
    w.signal_tile(38, C_full_dense_o);
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", full_dense_o_epilogue)
TILE_PHASE static void full_dense_o_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 384);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(41);
    const int t = tile;
    Acc acc = w.join_sum(0, 8);
    const int u = t;
    w.send(39, acc, t, at.epoch(1));
    w.join_release(42);
  }
  w.role_barrier(40);
}

// ---- full_dense.dense.up: 24.4 MiB of weights ----
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_up_load)
TILE_PHASE static void full_dense_dense_up_load(Warp& w, const At& at) {
  const Share tiles = share(w, 256);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
      w.ring_acquire(43);
      w.ring_copy(44, 0, w.image(at.image + 46356480 + (size_t(tile) * 2 + page_of_tile) * 49920), 49920);
      w.ring_commit(45, 49920);
    }
  }
}
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_up_compute)
TILE_PHASE static void full_dense_dense_up_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_full_dense_o_columns) + w.index % 12 * 4096);
  const bool idle = early(empty(share(w, 256)));
  bring_weights<16, true>(w, 47, w.image(at.image + 46344192) + w.index % 12 * 1024);
  w.wait(46, C_full_dense_o, at.runs(C_full_dense_o) + 1);
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_full_dense_o_columns);
  int part = w.index % 12;
  Staged<16> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 16, reinterpret_cast<const bf16*>(w.image(at.image + 46344192)));
  w.afresh(), part = w.index % 12;
  const Share tiles = share(w, 256);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
      const char* page = w.ring_await(48);
      multiply<E4M3, 8>(w, acc, page + part * 4160, page + part * 4160 + 4096, units_of<8>(x, page_of_tile * 8));
      w.ring_release(49);
    }
    w.join_acquire(50);
    w.join_put(w.index, acc, squares);
    w.join_commit(51);
  }
}
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_up_epilogue)
TILE_PHASE static void full_dense_dense_up_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 256);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(54);
    writes_own(w, at, R_full_dense_dense_up_columns);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 192,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 8 + u32(i);
      (void)high;
      const float v0_low = ((low * sigmoid(low)) * high);
      w.ws<bf16>(B_full_dense_dense_up_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
    });
    w.join_release(55);
    w.signal_tile(56, C_full_dense_dense_up);
  }
  w.role_barrier(53);
}

// ---- full_dense.dense.down: 12.2 MiB of weights ----
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_down_load)
TILE_PHASE static void full_dense_dense_down_load(Warp& w, const At& at) {
  const Share tiles = share(w, 384);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(57);
    w.ring_copy(58, 0, w.image(at.image + 71915520 + size_t(tile) * 33280), 33280);
    w.ring_commit(59, 33280);
  }
}
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_down_compute)
TILE_PHASE static void full_dense_dense_down_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_full_dense_dense_up_columns) + w.index % 8 * 2048);
  const bool idle = early(empty(share(w, 384)));
  w.wait(60, C_full_dense_dense_up, at.runs(C_full_dense_dense_up) + 1);
  if (!(idle)) {
    reads_all(w, at, R_full_dense_dense_up_columns);
    const int part = w.index % 8;
    Staged<8> x;
    stage(w, x, columns, 0);
    const Share tiles = share(w, 384);
    for (int tile = tiles.begin; tile < tiles.end; ++tile) {
      Acc acc = zeros();
      const char* page = w.ring_await(62);
      if (w.index < 8) multiply<E4M3, 8>(w, acc, page + part * 4160, page + part * 4160 + 4096, x);
      w.ring_release(63);
      w.join_acquire(64);
      if (w.index < 8) w.join_put(w.index, acc);
      w.join_commit(65);
    }
  }
  const Share sums = share(w, 384);
  for (int sum = sums.begin + w.index; sum < sums.end; sum += w.count) {
    reads_all(w, at, R_full_dense_o_plain);
    writes_own(w, at, R_x_columns);
    writes_own(w, at, R_x_plain);
    const int t = sum;
    Acc ahead_0 = zeros();
    {
      const int u = t;
      each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v2_low = w.ws<const float>(B_full_dense_o_plain)[c * 6144 + n_low];
        const float v2_high = w.ws<const float>(B_full_dense_o_plain)[c * 6144 + n_high];
        low = v2_low;
        high = v2_high;
      });
    }
    Acc acc = w.receive_sum(66, t, at.epoch(2));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v1_low = low;
      const float v1_high = high;
      const float v2_low = low_of(ahead_0, i, c);
      const float v2_high = high_of(ahead_0, i, c);
      const float v3_low = (v2_low + v1_low);
      const float v3_high = (v2_high + v1_high);
      w.ws<bf16>(B_x_columns)[columns_at(n_low, c)] = to_bf16(v3_low);
      w.ws<bf16>(B_x_columns)[columns_at(n_high, c)] = to_bf16(v3_high);
      w.ws<float>(B_x_plain)[c * 6144 + n_low] = v3_low;
      w.ws<float>(B_x_plain)[c * 6144 + n_high] = v3_high;
    });
    w.signal_tile(67, C_x);
  }
}
#line 78 TILE_FILE("models/mimo/graph.ts", full_dense_dense_down_epilogue)
TILE_PHASE static void full_dense_dense_down_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 384);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(70);
    const int t = tile;
    Acc acc = w.join_sum(0, 8);
    const int u = t;
    w.send(68, acc, t, at.epoch(2));
    w.join_release(71);
  }
  w.role_barrier(69);
}

// ==== sliding_experts: 1 2 3 4 5 6 8 9 10 11 12 13 14 16 17 18 19 20 21 22 24 25 26 27 28 29 30 32 33 34 35 36 37 38 40 41 42 43 44 45 46 48 49 50 51 52 53 54 56 57 58 59 60 61 63 64 65 66 67 68 ====

// ---- sliding_experts.qkv: 20.2 MiB of weights ----
#line 60 TILE_FILE("models/mimo/graph.ts", sliding_experts_qkv_load)
TILE_PHASE static void sliding_experts_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 212);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
      w.ring_acquire(72);
      w.ring_copy(73, 0, w.image(at.image + 12288 + (size_t(tile) * 2 + page_of_tile) * 49920), 49920);
      w.ring_commit(74, 49920);
    }
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", sliding_experts_qkv_compute)
TILE_PHASE static void sliding_experts_qkv_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_x_columns) + w.index % 12 * 4096);
  const bool idle = early(empty(share(w, 212)));
  bring_weights<16, true>(w, 76, w.image(at.image + 0) + w.index % 12 * 1024);
  w.wait(75, C_x, at.runs(C_x));
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_x_columns);
  int part = w.index % 12;
  Staged<16> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 16, reinterpret_cast<const bf16*>(w.image(at.image + 0)));
  w.afresh(), part = w.index % 12;
  const Share tiles = share(w, 212);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
      const char* page = w.ring_await(77);
      multiply<E4M3, 8>(w, acc, page + part * 4160, page + part * 4160 + 4096, units_of<8>(x, page_of_tile * 8));
      w.ring_release(78);
    }
    w.join_acquire(79);
    w.join_put(w.index, acc, squares);
    w.join_commit(80);
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", sliding_experts_qkv_epilogue)
TILE_PHASE static void sliding_experts_qkv_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 212);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    const int t = tile;
    Acc rotation_0 = zeros();
    {
      const int position = t, u = position < 192 ? position : position >= 192 && position < 204 ? position - 192 : -1;
      if (u >= 0) {
        each_pair_in_turn(w, rotation_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 j = u32(u) % 12;
          const bool rotates = j < 4;
          const u32 d = 8 * j + u32(i);
          if (!rotates) return;
          const float angle = float(at.block->position[c]) * rope_10000_64[d];
          const Rotation by = rotation(angle);
          low = by.cosine, high = by.sine;
        });
      }
    }
    w.join_wait(83);
    writes_own(w, at, R_sliding_experts_qkv_queries);
    writes_own(w, at, R_sliding_experts_qkv_keys);
    writes_own(w, at, R_sliding_experts_qkv_values);
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 192,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    constexpr int outer = 0;
    if (t < 192) {
      const int u = t;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 j = u32(u) % 12;
        const bool rotates = j < 4;
        const u32 d = 8 * j + u32(i);
        const u32 first = u32(u) / 12 * 192;
        const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 32 : 8);
        const float v0_low = low;
        const float v0_high = high;
        float v1_low = v0_low, v1_high = v0_high;
        if (rotates) {
          const Rotation by{low_of(rotation_0, i, c), high_of(rotation_0, i, c)};
          v1_low = by.of(v0_low, -v0_high);
          v1_high = by.of(v0_high, v0_low);
        }
        w.ws<bf16>(B_sliding_experts_qkv_queries)[(outer * 128 + c * 16 + (n_low) / 192) * 192 + (n_low) % 192] = to_bf16(v1_low);
        w.ws<bf16>(B_sliding_experts_qkv_queries)[(outer * 128 + c * 16 + (n_high) / 192) * 192 + (n_high) % 192] = to_bf16(v1_high);
      });
    }
    else if (t >= 192 && t < 204) {
      const int u = t - 192;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 j = u32(u) % 12;
        const bool rotates = j < 4;
        const u32 d = 8 * j + u32(i);
        const u32 first = u32(u) / 12 * 192;
        const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 32 : 8);
        const float v0_low = low;
        const float v0_high = high;
        float v1_low = v0_low, v1_high = v0_high;
        if (rotates) {
          const Rotation by{low_of(rotation_0, i, c), high_of(rotation_0, i, c)};
          v1_low = by.of(v0_low, -v0_high);
          v1_high = by.of(v0_high, v0_low);
        }
        reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_keys))[size_t(outer * 4 + u32(at.block->position[c]) / 64 % 4) * k_span_elements(192) + k_at(u32(at.block->position[c]) % 64, n_low, 192)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_keys))[size_t(outer * 4 + u32(at.block->position[c]) / 64 % 4) * k_span_elements(192) + k_at(u32(at.block->position[c]) % 64, n_high, 192)] = to_bf16(v1_high);
      });
    }
    else if (t >= 204 && t < 212) {
      const int u = t - 204;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = (v0_low * 0.611999989f);
        const float v1_high = (v0_high * 0.611999989f);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_values))[size_t(outer * 4 + u32(at.block->position[c]) / 64 % 4) * v_span_elements(128) + v_at(u32(at.block->position[c]) % 64, n_low, 128)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_values))[size_t(outer * 4 + u32(at.block->position[c]) / 64 % 4) * v_span_elements(128) + v_at(u32(at.block->position[c]) % 64, n_high, 128)] = to_bf16(v1_high);
      });
    }
    w.join_release(84);
    w.signal_tile(85, C_sliding_experts_qkv);
  }
  w.role_barrier(82);
}

// ---- sliding_experts.attend ----
#line 65 TILE_FILE("models/mimo/graph.ts", sliding_experts_attend_compute)
TILE_PHASE static void sliding_experts_attend_compute(Warp& w, const At& at) {
  const NearAttention<16, 192, 128, 128, 4, 4> near{w.kv(at.kv + B_sliding_experts_qkv_keys), w.kv(at.kv + B_sliding_experts_qkv_values), {at.block->position, at.block->rows}};
  touch_near(w, near, share(w, 32));
  touch(w, w.image(at.image + 21178368), 64);
  w.wait(86, C_sliding_experts_qkv, at.runs(C_sliding_experts_qkv) + 1);
  const Share tasks = share(w, 32);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    reads_all(w, at, R_sliding_experts_qkv_queries);
    reads_all(w, at, R_sliding_experts_qkv_keys);
    reads_all(w, at, R_sliding_experts_qkv_values);
    attend_near(w, near, task, w.ws<const bf16>(B_sliding_experts_qkv_queries), 0.0721687824f, reinterpret_cast<const float*>(w.image(at.image + 21178368)));
    w.role_barrier_within(87);
    writes_own(w, at, R_sliding_experts_attend_columns);
    merge_near(w, near, task, w.ws<bf16>(B_sliding_experts_attend_columns));
  }
  w.role_barrier(88);
  if (w.index == 0) w.signal(89, C_sliding_experts_attend);
}

// ---- sliding_experts.o: 24.0 MiB of weights ----
#line 72 TILE_FILE("models/mimo/graph.ts", sliding_experts_o_load)
TILE_PHASE static void sliding_experts_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 384);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
      w.ring_acquire(90);
      w.ring_copy(91, 0, w.image(at.image + 21178496 + (size_t(tile) * 2 + page_of_tile) * 32768), 32768);
      w.ring_commit(92, 32768);
    }
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", sliding_experts_o_compute)
TILE_PHASE static void sliding_experts_o_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_sliding_experts_attend_columns) + w.index % 8 * 2048);
  const bool idle = early(empty(share(w, 384)));
  w.wait(93, C_sliding_experts_attend, at.runs(C_sliding_experts_attend) + 1);
  if (!(idle)) {
    reads_all(w, at, R_sliding_experts_attend_columns);
    const int part = w.index % 8;
    Staged<8> x;
    stage(w, x, columns, 0);
    const Share tiles = share(w, 384);
    for (int tile = tiles.begin; tile < tiles.end; ++tile) {
      Acc acc = zeros();
TILE_LOOP
      for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
        const char* page = w.ring_await(95);
        if (w.index < 8) multiply<BF16, 4>(w, acc, page + part * 4096, page + part * 4096 + 4096, units_of<4>(x, page_of_tile * 4));
        w.ring_release(96);
      }
      w.join_acquire(97);
      if (w.index < 8) w.join_put(w.index, acc);
      w.join_commit(98);
    }
  }
  const Share sums = share(w, 384);
  for (int sum = sums.begin + w.index; sum < sums.end; sum += w.count) {
    reads_all(w, at, R_x_plain);
    writes_own(w, at, R_sliding_experts_o_columns);
    writes_own(w, at, R_sliding_experts_o_plain);
    const int t = sum;
    Acc ahead_0 = zeros();
    {
      const int u = t;
      each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v2_low = w.ws<const float>(B_x_plain)[c * 6144 + n_low];
        const float v2_high = w.ws<const float>(B_x_plain)[c * 6144 + n_high];
        low = v2_low;
        high = v2_high;
      });
    }
    Acc acc = w.receive_sum(99, t, at.epoch(1));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v1_low = low;
      const float v1_high = high;
      const float v2_low = low_of(ahead_0, i, c);
      const float v2_high = high_of(ahead_0, i, c);
      const float v3_low = (v2_low + v1_low);
      const float v3_high = (v2_high + v1_high);
      w.ws<bf16>(B_sliding_experts_o_columns)[columns_at(n_low, c)] = to_bf16(v3_low);
      w.ws<bf16>(B_sliding_experts_o_columns)[columns_at(n_high, c)] = to_bf16(v3_high);
      w.ws<float>(B_sliding_experts_o_plain)[c * 6144 + n_low] = v3_low;
      w.ws<float>(B_sliding_experts_o_plain)[c * 6144 + n_high] = v3_high;
    });
    w.signal_tile(100, C_sliding_experts_o);
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", sliding_experts_o_epilogue)
TILE_PHASE static void sliding_experts_o_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 384);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(103);
    const int t = tile;
    Acc acc = w.join_sum(0, 8);
    const int u = t;
    w.send(101, acc, t, at.epoch(1));
    w.join_release(104);
  }
  w.role_barrier(102);
}

// ---- sliding_experts.router: 9.0 MiB of weights ----
#line 85 TILE_FILE("models/mimo/graph.ts", sliding_experts_router_load)
TILE_PHASE static void sliding_experts_router_load(Warp& w, const At& at) {
  const Share tiles = share(w, 96);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    const int chunk = tile % 4;
TILE_LOOP
    for (int page_of_chunk = 0; page_of_chunk < 2; ++page_of_chunk) {
      const int page_of_tile = chunk * 2 + page_of_chunk;
      w.ring_acquire(105);
      w.ring_copy(106, 0, w.image(at.image + 46356608 + (size_t((tile / 4)) * 8 + page_of_tile) * 49152), 49152);
      w.ring_commit(107, 49152);
    }
  }
}
#line 85 TILE_FILE("models/mimo/graph.ts", sliding_experts_router_compute)
TILE_PHASE static void sliding_experts_router_compute(Warp& w, const At& at, Kept<16>& kept) {
  const bf16* columns = early(w.ws<bf16>(B_sliding_experts_o_columns) + w.index % 12 * 4096);
  bring_weights<16, true>(w, 109, w.image(at.image + 46344320) + w.index % 12 * 1024);
  w.wait(108, C_sliding_experts_o, at.runs(C_sliding_experts_o) + 1);
  const Share tiles = share(w, 96);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    const int chunk = tile % 4;
    reads_all(w, at, R_sliding_experts_o_columns);
    const int part = w.index % 12;
    Staged<4> x;
    stage_for_norm(w, x, columns, chunk * 4);
    weigh_units(w, x, part * 16 + chunk * 4, chunk * 4, reinterpret_cast<const bf16*>(w.image(at.image + 46344320)));
    Acc acc = zeros();
TILE_LOOP
    for (int page_of_chunk = 0; page_of_chunk < 2; ++page_of_chunk) {
      const char* page = w.ring_await(110);
      multiply<F32, 2>(w, acc, page + part * 4096, page + part * 4096 + 4096, units_of<2>(x, page_of_chunk * 2));
      w.ring_release(111);
    }
    w.join_acquire(112);
    w.join_put(w.index, acc);
    w.join_commit(113);
  }
  reads_all(w, at, R_sliding_experts_o_columns);
  const int part = w.index % 12;
  Staged<16>& x = kept.x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 16, reinterpret_cast<const bf16*>(w.image(at.image + 46344320)));
  leave_squares(w, squares);
}
#line 85 TILE_FILE("models/mimo/graph.ts", sliding_experts_router_epilogue)
TILE_PHASE static void sliding_experts_router_epilogue(Warp& w, const At& at) {
  w.wait(118, C_sliding_experts_o, at.runs(C_sliding_experts_o) + 1);
  const Share tiles = share(w, 96);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    const int chunk = tile % 4;
    w.join_wait(119);
    writes_own(w, at, R_sliding_experts_router_plain);
    const int t = (tile / 4);
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_sliding_experts_router_plain)[(chunk * 8 + c) * 384 + n_low] = v0_low;
      w.ws<float>(B_sliding_experts_router_plain)[(chunk * 8 + c) * 384 + n_high] = v0_high;
    });
    w.join_release(120);
  }
  if (w.index == 0) w.signal(117, C_sliding_experts_router);
}

// ---- sliding_experts.route ----
#line 85 TILE_FILE("models/mimo/graph.ts", sliding_experts_route_compute)
TILE_PHASE static void sliding_experts_route_compute(Warp& w, const At& at) {
  touch(w, w.image(at.image + 55793792), 1536);
  open_table(w, 121);
  w.wait(122, C_sliding_experts_router, at.runs(C_sliding_experts_router) + 1);
  reads_all(w, at, R_sliding_experts_router_plain);
  choose<384, 8>(w, w.ws<const float>(B_sliding_experts_router_plain), 4, reinterpret_cast<const float*>(w.image(at.image + 55793792)), at.block->rows,
        [](float logit) { return sigmoid(logit); },
        [](float score, float bias) { return (score + bias); },
        scale_of_squares(w, 12, 192, [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
  w.signal_local(123, L_chosen);
  route<8>(w, at.block->rows, true, 9.99999968e-21f, 1.0f, 124);
  if (w.index == 0) w.signal_local(125, L_route);
}

// ---- sliding_experts.expert.up: 612.0 MiB of weights ----
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_up_load)
TILE_PHASE static void sliding_experts_expert_up_load(Warp& w, const At& at) {
  w.wait_local(129, L_chosen, at.runs(T_chosen) + 1);
  const ActiveExperts found = active_experts(w, at.block->rows);
  const Share experts{0, found.count};
  for (int tile = dealt_from(experts.begin * 32, w.sm, w.sms); tile < experts.end * 32; tile += w.sms) {
    const int active = tile / 32;
    w.ring_acquire(126);
    w.ring_copy(127, 0, w.image(at.image + 55795328 + size_t(expert_at(w, found, active)) * 1671168 + size_t((tile % 32)) * 52224), 52224);
    w.ring_commit(128, 52224);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_up_compute)
TILE_PHASE static void sliding_experts_expert_up_compute(Warp& w, const At& at, Kept<16>& kept, bool rehearsal) {
  if (!rehearsal && w.sm >= w.table().active * 32) return;  // no tile on this SM
  const int part = w.index % 12;
  // staged by router
  Staged<16>& x = kept.x;
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
TILE_LOOP
  for (int tile = dealt_from(experts.begin * 32, w.sm, w.sms); rehearsal || tile < experts.end * 32; tile += w.sms) {
    const int active = tile / 32;
    Acc acc = zeros();
    const char* page = rehearsal ? ring_of(w) : w.ring_await(131);
    multiply<E2M1, 16>(w, acc, page + part * 4352, page + part * 4352 + 4096, x);
    if (rehearsal) return rehearsed(acc);
    w.ring_release(132);
    w.join_acquire(133);
    w.join_put(w.index, acc);
    w.join_commit(134);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_up_epilogue)
TILE_PHASE static void sliding_experts_expert_up_epilogue(Warp& w, const At& at) {
  w.wait_local(143, L_route, at.runs(T_route) + 1);
  const ColumnScale scale = scale_of_columns(w, scale_of_squares(w, 12, 192, [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
  const RouteTable& routes = w.table();
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    const Share experts = half_of(routes, half);
    for (int tile = dealt_from(experts.begin * 32, w.sm, w.sms); tile < experts.end * 32; tile += w.sms) {
      if (tile / w.sms % w.count != w.index) {
        w.join_skip();
        continue;
      }
      const int active = tile / 32;
      w.join_wait(144);
      writes_own(w, at, half == 0 ? R_sliding_experts_expert_up_routedRows_early : R_sliding_experts_expert_up_routedRows);
      const int t = (tile % 32);
      Acc acc = w.join_sum(0, 12);
      scale_columns(acc, scale);
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
      w.join_release(145);
    }
    w.signal_local(136, half == 0 ? L_stored_early : L_stored);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_up_communicate)
TILE_PHASE static void sliding_experts_expert_up_communicate(Warp& w, const At& at) {
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    w.wait_local(137, half == 0 ? L_stored_early : L_stored, at.runs(T_stored) + 1);
    w.signal(138, half == 0 ? C_sliding_experts_expert_up_early : C_sliding_experts_expert_up);
    w.wait(139, half == 0 ? C_sliding_experts_expert_up_early : C_sliding_experts_expert_up, at.runs(C_sliding_experts_expert_up) + 1);
    reads_all(w, at, half == 0 ? R_sliding_experts_expert_up_routedRows_early : R_sliding_experts_expert_up_routedRows);
    bring_rows<8, 256>(w, half == 0 ? L_rows_early : L_rows, w.scratch<bf16>(), w.ws<const bf16>(B_sliding_experts_expert_up_routedRows), at.block->rows, half);
    if (w.index == 0) w.signal_local(140, half == 0 ? L_rows_early : L_rows);
  }
}

// ---- sliding_experts.expert.down: 306.0 MiB of weights ----
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_down_load)
TILE_PHASE static void sliding_experts_expert_down_load(Warp& w, const At& at) {
  const Share own = share(w, 384);
  w.wait_local(146, L_route, at.runs(T_route) + 1);
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 8) {
    const int group = experts.end - first < 8 ? experts.end - first : 8;
    w.ring_acquire(147);
    const u32 each = u32(own.end - own.begin) * 2176;
    w.ring_copies<8>(148, group, each, [&](int i) { return w.image(at.image + 697523840 + size_t(routes.expert[first + i]) * 835584 + size_t(own.begin) * 2176); });
    w.ring_commit(149, u32(group) * each);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_down_compute)
TILE_PHASE static void sliding_experts_expert_down_compute(Warp& w, const At& at) {
  const Share own = share(w, 384);
  const Quotient by_tiles(own.end - own.begin);
  int cell = w.index;
  Staged<4> x = {};
  w.slots_acquire(150);
  const RouteTable& routes = w.table();
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    const Share experts = half_of(routes, half);
    w.wait_local(151, half == 0 ? L_rows_early : L_rows, at.runs(T_rows) + 1);
    for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 8) {
      const int group = experts.end - first < 8 ? experts.end - first : 8;
      const char* page = w.ring_await(152);
      const int tiles = by_tiles.by;
      for (; cell < group * tiles; cell += 12) {
        const int of_group = by_tiles.of(cell), active = first + of_group;
        const char* codes = page + cell * 2176;
        Acc acc = zeros();
        for (int unit = 0; unit < 8; unit += 4) {
          stage_routed<true>(w, x, w.scratch<const bf16>(), 256, routes.result[active], unit, half);
          multiply<E2M1, 4>(w, acc, codes + unit * 256, codes + 2048 + unit * 16, x);
        }
        w.slots_put(acc, cell - of_group * tiles, active);
      }
      cell -= group * tiles;
      w.ring_release(153);
    }
  }
  w.slots_commit(154);
  const Share sums = share(w, 384);
  for (int sum = sums.begin + w.index; sum < sums.end; sum += w.count) {
    reads_all(w, at, R_sliding_experts_o_plain);
    writes_own(w, at, R_x_columns);
    writes_own(w, at, R_x_plain);
    const int t = sum;
    Acc ahead_0 = zeros();
    {
      const int u = t;
      each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v2_low = w.ws<const float>(B_sliding_experts_o_plain)[c * 6144 + n_low];
        const float v2_high = w.ws<const float>(B_sliding_experts_o_plain)[c * 6144 + n_high];
        low = v2_low;
        high = v2_high;
      });
    }
    Acc acc = w.receive_sum(155, t, at.epoch(2));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v1_low = low;
      const float v1_high = high;
      const float v2_low = low_of(ahead_0, i, c);
      const float v2_high = high_of(ahead_0, i, c);
      const float v3_low = (v2_low + v1_low);
      const float v3_high = (v2_high + v1_high);
      w.ws<bf16>(B_x_columns)[columns_at(n_low, c)] = to_bf16(v3_low);
      w.ws<bf16>(B_x_columns)[columns_at(n_high, c)] = to_bf16(v3_high);
      w.ws<float>(B_x_plain)[c * 6144 + n_low] = v3_low;
      w.ws<float>(B_x_plain)[c * 6144 + n_high] = v3_high;
    });
    w.signal_tile(156, C_x);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", sliding_experts_expert_down_epilogue)
TILE_PHASE static void sliding_experts_expert_down_epilogue(Warp& w, const At& at) {
  const Share own = share(w, 384);
  w.slots_await(157);
  for (int t = own.begin + w.index; t < own.end; t += w.count) {
    Acc acc = w.slots_sum<8>(t - own.begin);
    const int u = t;
    w.send(158, acc, t, at.epoch(2));
  }
  w.slots_release(159);
}

// ==== full_experts: 7 15 23 31 39 47 55 62 69 ====

// ---- full_experts.qkv: 20.2 MiB of weights ----
#line 60 TILE_FILE("models/mimo/graph.ts", full_experts_qkv_load)
TILE_PHASE static void full_experts_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 212);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
      w.ring_acquire(160);
      w.ring_copy(161, 0, w.image(at.image + 12288 + (size_t(tile) * 2 + page_of_tile) * 49920), 49920);
      w.ring_commit(162, 49920);
    }
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", full_experts_qkv_compute)
TILE_PHASE static void full_experts_qkv_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_x_columns) + w.index % 12 * 4096);
  const bool idle = early(empty(share(w, 212)));
  bring_weights<16, true>(w, 164, w.image(at.image + 0) + w.index % 12 * 1024);
  w.wait(163, C_x, at.runs(C_x));
  if (idle) return;  // no tile on this SM
  reads_all(w, at, R_x_columns);
  int part = w.index % 12;
  Staged<16> x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 16, reinterpret_cast<const bf16*>(w.image(at.image + 0)));
  w.afresh(), part = w.index % 12;
  const Share tiles = share(w, 212);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
      const char* page = w.ring_await(165);
      multiply<E4M3, 8>(w, acc, page + part * 4160, page + part * 4160 + 4096, units_of<8>(x, page_of_tile * 8));
      w.ring_release(166);
    }
    w.join_acquire(167);
    w.join_put(w.index, acc, squares);
    w.join_commit(168);
  }
}
#line 60 TILE_FILE("models/mimo/graph.ts", full_experts_qkv_epilogue)
TILE_PHASE static void full_experts_qkv_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 212);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    const int t = tile;
    Acc rotation_0 = zeros();
    {
      const int position = t, u = position < 192 ? position : position >= 192 && position < 204 ? position - 192 : -1;
      if (u >= 0) {
        each_pair_in_turn(w, rotation_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const u32 j = u32(u) % 12;
          const bool rotates = j < 4;
          const u32 d = 8 * j + u32(i);
          if (!rotates) return;
          const float angle = float(at.block->position[c]) * rope_10000000_64[d];
          const Rotation by = rotation(angle);
          low = by.cosine, high = by.sine;
        });
      }
    }
    w.join_wait(171);
    writes_own(w, at, R_full_experts_qkv_queries);
    writes_own(w, at, R_full_experts_qkv_keys);
    writes_own(w, at, R_full_experts_qkv_values);
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 192,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    constexpr int outer = 0;
    if (t < 192) {
      const int u = t;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 j = u32(u) % 12;
        const bool rotates = j < 4;
        const u32 d = 8 * j + u32(i);
        const u32 first = u32(u) / 12 * 192;
        const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 32 : 8);
        const float v0_low = low;
        const float v0_high = high;
        float v1_low = v0_low, v1_high = v0_high;
        if (rotates) {
          const Rotation by{low_of(rotation_0, i, c), high_of(rotation_0, i, c)};
          v1_low = by.of(v0_low, -v0_high);
          v1_high = by.of(v0_high, v0_low);
        }
        w.ws<bf16>(B_full_experts_qkv_queries)[(outer * 128 + c * 16 + (n_low) / 192) * 192 + (n_low) % 192] = to_bf16(v1_low);
        w.ws<bf16>(B_full_experts_qkv_queries)[(outer * 128 + c * 16 + (n_high) / 192) * 192 + (n_high) % 192] = to_bf16(v1_high);
      });
    }
    else if (t >= 192 && t < 204) {
      const int u = t - 192;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 j = u32(u) % 12;
        const bool rotates = j < 4;
        const u32 d = 8 * j + u32(i);
        const u32 first = u32(u) / 12 * 192;
        const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? 32 : 8);
        const float v0_low = low;
        const float v0_high = high;
        float v1_low = v0_low, v1_high = v0_high;
        if (rotates) {
          const Rotation by{low_of(rotation_0, i, c), high_of(rotation_0, i, c)};
          v1_low = by.of(v0_low, -v0_high);
          v1_high = by.of(v0_high, v0_low);
        }
        reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_keys))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * k_span_elements(192) + k_at(u32(at.block->position[c]) % 64, n_low, 192)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_keys))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * k_span_elements(192) + k_at(u32(at.block->position[c]) % 64, n_high, 192)] = to_bf16(v1_high);
      });
    }
    else if (t >= 204 && t < 212) {
      const int u = t - 204;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = (v0_low * 0.611999989f);
        const float v1_high = (v0_high * 0.611999989f);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_values))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * v_span_elements(128) + v_at(u32(at.block->position[c]) % 64, n_low, 128)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_values))[size_t(outer * 32 + u32(at.block->position[c]) / 64 % 32) * v_span_elements(128) + v_at(u32(at.block->position[c]) % 64, n_high, 128)] = to_bf16(v1_high);
      });
    }
    w.join_release(172);
    w.signal_tile(173, C_full_experts_qkv);
  }
  w.role_barrier(170);
}

// ---- full_experts.attend ----
#line 65 TILE_FILE("models/mimo/graph.ts", full_experts_attend_load)
TILE_PHASE static void full_experts_attend_load(Warp& w, const At& at) {
  const auto tasks = attend_tasks<1, 8, 1>(w, at.block->position, at.block->rows, 0);
  w.wait(174, C_full_experts_qkv, at.runs(C_full_experts_qkv) + 1);
  for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
    const AttendTask task = tasks.task(number);
TILE_LOOP
    for (int span = task.spans.begin; span < task.spans.end; ++span) {
      w.ring_acquire(175);
      reads_all(w, at, R_full_experts_qkv_keys);
      reads_all(w, at, R_full_experts_qkv_values);
      const size_t slot = size_t(span % 32);
      w.ring_copy(176, 0, w.kv(at.kv + B_full_experts_qkv_keys) + slot * 24576, 24576);
      w.ring_copy(176, 24576, w.kv(at.kv + B_full_experts_qkv_values) + slot * 16384, 16384);
      w.ring_commit(177, 40960);
    }
  }
}
#line 65 TILE_FILE("models/mimo/graph.ts", full_experts_attend_compute)
TILE_PHASE static void full_experts_attend_compute(Warp& w, const At& at) {
  const auto tasks = attend_tasks<1, 8, 1>(w, at.block->position, at.block->rows, 0);
  w.wait(178, C_full_experts_qkv, at.runs(C_full_experts_qkv) + 1);
  for (int number = tasks.own.begin; number < tasks.own.end; ++number) {
    const AttendTask task = tasks.task(number);
    reads_all(w, at, R_full_experts_qkv_queries);
    AttendTile<16, 192, 128, 8> tile(w, task, w.ws<bf16>(B_full_experts_qkv_queries) + size_t(task.head) * 24576, RowPositions{at.block->position, at.block->rows}, 0);
TILE_LOOP
    for (int span = task.spans.begin; span < task.spans.end; ++span) {
      const char* page = w.ring_await(179);
      reads_all(w, at, R_full_experts_qkv_queries);
      tile.add(w, page, page + 24576, span, 0.0721687824f);
      w.ring_release(180);
    }
    writes_own(w, at, R_full_experts_attend_partials);
    float* o = w.ws<float>(B_full_experts_attend_partials) + size_t(task.head) * 532480 + size_t(task.chunk) * 16384;
    float* peaks = w.ws<float>(B_full_experts_attend_partials) + size_t(task.head) * 532480 + 524288 + task.chunk * 128;
    tile.leave(w, o, peaks, peaks + 4096);
  }
  w.role_barrier(181);
  if (w.index == 0) w.signal(182, C_full_experts_attend);
}

// ---- full_experts.attend.merge ----
#line 65 TILE_FILE("models/mimo/graph.ts", full_experts_attend_merge_compute)
TILE_PHASE static void full_experts_attend_merge_compute(Warp& w, const At& at) {
  const int chunks = attend_tasks<1, 8, 1>(w, at.block->position, at.block->rows, 0).chunks;
  const Share tasks = share_of(4 * at.block->rows * 16, w.sm * w.count + w.index, w.sms * w.count);
  w.wait(183, C_full_experts_attend, at.runs(C_full_experts_attend) + 1);
  reads_all(w, at, R_full_experts_attend_partials);
  writes_own(w, at, R_full_experts_attend_columns);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int first_dim = task % 4 * 32, of_all = task / 4;
    const int head = 0, m_row = of_all;
    const float* o = w.ws<const float>(B_full_experts_attend_partials) + size_t(head) * 532480;
    merge_chunks<128, 32, 32>(w, o, o + 524288, o + 528384, 128, m_row, first_dim, chunks, nullptr,
        w.ws<bf16>(B_full_experts_attend_columns), m_row / 16, (head * 16 + m_row % 16) * 128);
  }
  w.role_barrier(184);
  if (w.index == 0) w.signal(185, C_full_experts_attend_merge);
}

// ---- full_experts.o: 24.0 MiB of weights ----
#line 72 TILE_FILE("models/mimo/graph.ts", full_experts_o_load)
TILE_PHASE static void full_experts_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 384);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
      w.ring_acquire(186);
      w.ring_copy(187, 0, w.image(at.image + 21178368 + (size_t(tile) * 2 + page_of_tile) * 32768), 32768);
      w.ring_commit(188, 32768);
    }
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", full_experts_o_compute)
TILE_PHASE static void full_experts_o_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_full_experts_attend_columns) + w.index % 8 * 2048);
  const bool idle = early(empty(share(w, 384)));
  w.wait(189, C_full_experts_attend_merge, at.runs(C_full_experts_attend_merge) + 1);
  if (!(idle)) {
    reads_all(w, at, R_full_experts_attend_columns);
    const int part = w.index % 8;
    Staged<8> x;
    stage(w, x, columns, 0);
    const Share tiles = share(w, 384);
    for (int tile = tiles.begin; tile < tiles.end; ++tile) {
      Acc acc = zeros();
TILE_LOOP
      for (int page_of_tile = 0; page_of_tile < 2; ++page_of_tile) {
        const char* page = w.ring_await(191);
        if (w.index < 8) multiply<BF16, 4>(w, acc, page + part * 4096, page + part * 4096 + 4096, units_of<4>(x, page_of_tile * 4));
        w.ring_release(192);
      }
      w.join_acquire(193);
      if (w.index < 8) w.join_put(w.index, acc);
      w.join_commit(194);
    }
  }
  const Share sums = share(w, 384);
  for (int sum = sums.begin + w.index; sum < sums.end; sum += w.count) {
    reads_all(w, at, R_x_plain);
    writes_own(w, at, R_full_experts_o_columns);
    writes_own(w, at, R_full_experts_o_plain);
    const int t = sum;
    Acc ahead_0 = zeros();
    {
      const int u = t;
      each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v2_low = w.ws<const float>(B_x_plain)[c * 6144 + n_low];
        const float v2_high = w.ws<const float>(B_x_plain)[c * 6144 + n_high];
        low = v2_low;
        high = v2_high;
      });
    }
    Acc acc = w.receive_sum(195, t, at.epoch(1));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v1_low = low;
      const float v1_high = high;
      const float v2_low = low_of(ahead_0, i, c);
      const float v2_high = high_of(ahead_0, i, c);
      const float v3_low = (v2_low + v1_low);
      const float v3_high = (v2_high + v1_high);
      w.ws<bf16>(B_full_experts_o_columns)[columns_at(n_low, c)] = to_bf16(v3_low);
      w.ws<bf16>(B_full_experts_o_columns)[columns_at(n_high, c)] = to_bf16(v3_high);
      w.ws<float>(B_full_experts_o_plain)[c * 6144 + n_low] = v3_low;
      w.ws<float>(B_full_experts_o_plain)[c * 6144 + n_high] = v3_high;
    });
    w.signal_tile(196, C_full_experts_o);
  }
}
#line 72 TILE_FILE("models/mimo/graph.ts", full_experts_o_epilogue)
TILE_PHASE static void full_experts_o_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 384);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(199);
    const int t = tile;
    Acc acc = w.join_sum(0, 8);
    const int u = t;
    w.send(197, acc, t, at.epoch(1));
    w.join_release(200);
  }
  w.role_barrier(198);
}

// ---- full_experts.router: 9.0 MiB of weights ----
#line 85 TILE_FILE("models/mimo/graph.ts", full_experts_router_load)
TILE_PHASE static void full_experts_router_load(Warp& w, const At& at) {
  const Share tiles = share(w, 96);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    const int chunk = tile % 4;
TILE_LOOP
    for (int page_of_chunk = 0; page_of_chunk < 2; ++page_of_chunk) {
      const int page_of_tile = chunk * 2 + page_of_chunk;
      w.ring_acquire(201);
      w.ring_copy(202, 0, w.image(at.image + 46356480 + (size_t((tile / 4)) * 8 + page_of_tile) * 49152), 49152);
      w.ring_commit(203, 49152);
    }
  }
}
#line 85 TILE_FILE("models/mimo/graph.ts", full_experts_router_compute)
TILE_PHASE static void full_experts_router_compute(Warp& w, const At& at, Kept<16>& kept) {
  const bf16* columns = early(w.ws<bf16>(B_full_experts_o_columns) + w.index % 12 * 4096);
  bring_weights<16, true>(w, 205, w.image(at.image + 46344192) + w.index % 12 * 1024);
  w.wait(204, C_full_experts_o, at.runs(C_full_experts_o) + 1);
  const Share tiles = share(w, 96);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    const int chunk = tile % 4;
    reads_all(w, at, R_full_experts_o_columns);
    const int part = w.index % 12;
    Staged<4> x;
    stage_for_norm(w, x, columns, chunk * 4);
    weigh_units(w, x, part * 16 + chunk * 4, chunk * 4, reinterpret_cast<const bf16*>(w.image(at.image + 46344192)));
    Acc acc = zeros();
TILE_LOOP
    for (int page_of_chunk = 0; page_of_chunk < 2; ++page_of_chunk) {
      const char* page = w.ring_await(206);
      multiply<F32, 2>(w, acc, page + part * 4096, page + part * 4096 + 4096, units_of<2>(x, page_of_chunk * 2));
      w.ring_release(207);
    }
    w.join_acquire(208);
    w.join_put(w.index, acc);
    w.join_commit(209);
  }
  reads_all(w, at, R_full_experts_o_columns);
  const int part = w.index % 12;
  Staged<16>& x = kept.x;
  stage_for_norm(w, x, columns, 0);
  const ColumnSums squares = weigh_for_norm(w, x, part * 16, reinterpret_cast<const bf16*>(w.image(at.image + 46344192)));
  leave_squares(w, squares);
}
#line 85 TILE_FILE("models/mimo/graph.ts", full_experts_router_epilogue)
TILE_PHASE static void full_experts_router_epilogue(Warp& w, const At& at) {
  w.wait(214, C_full_experts_o, at.runs(C_full_experts_o) + 1);
  const Share tiles = share(w, 96);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    const int chunk = tile % 4;
    w.join_wait(215);
    writes_own(w, at, R_full_experts_router_plain);
    const int t = (tile / 4);
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_full_experts_router_plain)[(chunk * 8 + c) * 384 + n_low] = v0_low;
      w.ws<float>(B_full_experts_router_plain)[(chunk * 8 + c) * 384 + n_high] = v0_high;
    });
    w.join_release(216);
  }
  if (w.index == 0) w.signal(213, C_full_experts_router);
}

// ---- full_experts.route ----
#line 85 TILE_FILE("models/mimo/graph.ts", full_experts_route_compute)
TILE_PHASE static void full_experts_route_compute(Warp& w, const At& at) {
  touch(w, w.image(at.image + 55793664), 1536);
  open_table(w, 217);
  w.wait(218, C_full_experts_router, at.runs(C_full_experts_router) + 1);
  reads_all(w, at, R_full_experts_router_plain);
  choose<384, 8>(w, w.ws<const float>(B_full_experts_router_plain), 4, reinterpret_cast<const float*>(w.image(at.image + 55793664)), at.block->rows,
        [](float logit) { return sigmoid(logit); },
        [](float score, float bias) { return (score + bias); },
        scale_of_squares(w, 12, 192, [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
  w.signal_local(219, L_chosen);
  route<8>(w, at.block->rows, true, 9.99999968e-21f, 1.0f, 220);
  if (w.index == 0) w.signal_local(221, L_route);
}

// ---- full_experts.expert.up: 612.0 MiB of weights ----
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_up_load)
TILE_PHASE static void full_experts_expert_up_load(Warp& w, const At& at) {
  w.wait_local(225, L_chosen, at.runs(T_chosen) + 1);
  const ActiveExperts found = active_experts(w, at.block->rows);
  const Share experts{0, found.count};
  for (int tile = dealt_from(experts.begin * 32, w.sm, w.sms); tile < experts.end * 32; tile += w.sms) {
    const int active = tile / 32;
    w.ring_acquire(222);
    w.ring_copy(223, 0, w.image(at.image + 55795200 + size_t(expert_at(w, found, active)) * 1671168 + size_t((tile % 32)) * 52224), 52224);
    w.ring_commit(224, 52224);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_up_compute)
TILE_PHASE static void full_experts_expert_up_compute(Warp& w, const At& at, Kept<16>& kept, bool rehearsal) {
  if (!rehearsal && w.sm >= w.table().active * 32) return;  // no tile on this SM
  const int part = w.index % 12;
  // staged by router
  Staged<16>& x = kept.x;
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
TILE_LOOP
  for (int tile = dealt_from(experts.begin * 32, w.sm, w.sms); rehearsal || tile < experts.end * 32; tile += w.sms) {
    const int active = tile / 32;
    Acc acc = zeros();
    const char* page = rehearsal ? ring_of(w) : w.ring_await(227);
    multiply<E2M1, 16>(w, acc, page + part * 4352, page + part * 4352 + 4096, x);
    if (rehearsal) return rehearsed(acc);
    w.ring_release(228);
    w.join_acquire(229);
    w.join_put(w.index, acc);
    w.join_commit(230);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_up_epilogue)
TILE_PHASE static void full_experts_expert_up_epilogue(Warp& w, const At& at) {
  w.wait_local(239, L_route, at.runs(T_route) + 1);
  const ColumnScale scale = scale_of_columns(w, scale_of_squares(w, 12, 192, [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
  const RouteTable& routes = w.table();
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    const Share experts = half_of(routes, half);
    for (int tile = dealt_from(experts.begin * 32, w.sm, w.sms); tile < experts.end * 32; tile += w.sms) {
      if (tile / w.sms % w.count != w.index) {
        w.join_skip();
        continue;
      }
      const int active = tile / 32;
      w.join_wait(240);
      writes_own(w, at, half == 0 ? R_full_experts_expert_up_routedRows_early : R_full_experts_expert_up_routedRows);
      const int t = (tile % 32);
      Acc acc = w.join_sum(0, 12);
      scale_columns(acc, scale);
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
      w.join_release(241);
    }
    w.signal_local(232, half == 0 ? L_stored_early : L_stored);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_up_communicate)
TILE_PHASE static void full_experts_expert_up_communicate(Warp& w, const At& at) {
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    w.wait_local(233, half == 0 ? L_stored_early : L_stored, at.runs(T_stored) + 1);
    w.signal(234, half == 0 ? C_full_experts_expert_up_early : C_full_experts_expert_up);
    w.wait(235, half == 0 ? C_full_experts_expert_up_early : C_full_experts_expert_up, at.runs(C_full_experts_expert_up) + 1);
    reads_all(w, at, half == 0 ? R_full_experts_expert_up_routedRows_early : R_full_experts_expert_up_routedRows);
    bring_rows<8, 256>(w, half == 0 ? L_rows_early : L_rows, w.scratch<bf16>(), w.ws<const bf16>(B_full_experts_expert_up_routedRows), at.block->rows, half);
    if (w.index == 0) w.signal_local(236, half == 0 ? L_rows_early : L_rows);
  }
}

// ---- full_experts.expert.down: 306.0 MiB of weights ----
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_down_load)
TILE_PHASE static void full_experts_expert_down_load(Warp& w, const At& at) {
  const Share own = share(w, 384);
  w.wait_local(242, L_route, at.runs(T_route) + 1);
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 8) {
    const int group = experts.end - first < 8 ? experts.end - first : 8;
    w.ring_acquire(243);
    const u32 each = u32(own.end - own.begin) * 2176;
    w.ring_copies<8>(244, group, each, [&](int i) { return w.image(at.image + 697523712 + size_t(routes.expert[first + i]) * 835584 + size_t(own.begin) * 2176); });
    w.ring_commit(245, u32(group) * each);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_down_compute)
TILE_PHASE static void full_experts_expert_down_compute(Warp& w, const At& at) {
  const Share own = share(w, 384);
  const Quotient by_tiles(own.end - own.begin);
  int cell = w.index;
  Staged<4> x = {};
  w.slots_acquire(246);
  const RouteTable& routes = w.table();
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    const Share experts = half_of(routes, half);
    w.wait_local(247, half == 0 ? L_rows_early : L_rows, at.runs(T_rows) + 1);
    for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 8) {
      const int group = experts.end - first < 8 ? experts.end - first : 8;
      const char* page = w.ring_await(248);
      const int tiles = by_tiles.by;
      for (; cell < group * tiles; cell += 12) {
        const int of_group = by_tiles.of(cell), active = first + of_group;
        const char* codes = page + cell * 2176;
        Acc acc = zeros();
        for (int unit = 0; unit < 8; unit += 4) {
          stage_routed<true>(w, x, w.scratch<const bf16>(), 256, routes.result[active], unit, half);
          multiply<E2M1, 4>(w, acc, codes + unit * 256, codes + 2048 + unit * 16, x);
        }
        w.slots_put(acc, cell - of_group * tiles, active);
      }
      cell -= group * tiles;
      w.ring_release(249);
    }
  }
  w.slots_commit(250);
  const Share sums = share(w, 384);
  for (int sum = sums.begin + w.index; sum < sums.end; sum += w.count) {
    reads_all(w, at, R_full_experts_o_plain);
    writes_own(w, at, R_x_columns);
    writes_own(w, at, R_x_plain);
    const int t = sum;
    Acc ahead_0 = zeros();
    {
      const int u = t;
      each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
        const float v2_low = w.ws<const float>(B_full_experts_o_plain)[c * 6144 + n_low];
        const float v2_high = w.ws<const float>(B_full_experts_o_plain)[c * 6144 + n_high];
        low = v2_low;
        high = v2_high;
      });
    }
    Acc acc = w.receive_sum(251, t, at.epoch(2));
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;
      const float v1_low = low;
      const float v1_high = high;
      const float v2_low = low_of(ahead_0, i, c);
      const float v2_high = high_of(ahead_0, i, c);
      const float v3_low = (v2_low + v1_low);
      const float v3_high = (v2_high + v1_high);
      w.ws<bf16>(B_x_columns)[columns_at(n_low, c)] = to_bf16(v3_low);
      w.ws<bf16>(B_x_columns)[columns_at(n_high, c)] = to_bf16(v3_high);
      w.ws<float>(B_x_plain)[c * 6144 + n_low] = v3_low;
      w.ws<float>(B_x_plain)[c * 6144 + n_high] = v3_high;
    });
    w.signal_tile(252, C_x);
  }
}
#line 96 TILE_FILE("models/mimo/graph.ts", full_experts_expert_down_epilogue)
TILE_PHASE static void full_experts_expert_down_epilogue(Warp& w, const At& at) {
  const Share own = share(w, 384);
  w.slots_await(253);
  for (int t = own.begin + w.index; t < own.end; t += w.count) {
    Acc acc = w.slots_sum<8>(t - own.begin);
    const int u = t;
    w.send(254, acc, t, at.epoch(2));
  }
  w.slots_release(255);
}

// ==== end ====

// ---- end.head: 223.5 MiB of weights ----
#line 124 TILE_FILE("models/mimo/graph.ts", end_head_load)
TILE_PHASE static void end_head_load(Warp& w, const At& at) {
  const Share tiles = share(w, 1192);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 4; ++page_of_tile) {
      w.ring_acquire(256);
      w.ring_copy(257, 0, w.image(at.image + 12288 + (size_t(tile) * 4 + page_of_tile) * 49152), 49152);
      w.ring_commit(258, 49152);
    }
  }
}
#line 124 TILE_FILE("models/mimo/graph.ts", end_head_compute)
TILE_PHASE static void end_head_compute(Warp& w, const At& at) {
  const bf16* columns = early(w.ws<bf16>(B_x_columns) + w.index % 12 * 4096);
  const bool idle = early(empty(share(w, 1192)));
  bring_weights<16, true>(w, 260, w.image(at.image + 0) + w.index % 12 * 1024);
  w.wait(259, C_x, at.runs(C_x));
  if (!(idle)) {
    reads_all(w, at, R_x_columns);
    int part = w.index % 12;
    Staged<16> x;
    stage_for_norm(w, x, columns, 0);
    const ColumnSums squares = weigh_for_norm(w, x, part * 16, reinterpret_cast<const bf16*>(w.image(at.image + 0)));
    w.afresh(), part = w.index % 12;
    const Share tiles = share(w, 1192);
    for (int tile = tiles.begin; tile < tiles.end; ++tile) {
      Acc acc = zeros();
TILE_LOOP
      for (int page_of_tile = 0; page_of_tile < 4; ++page_of_tile) {
        const char* page = w.ring_await(261);
        multiply<BF16, 4>(w, acc, page + part * 4096, page + part * 4096 + 4096, units_of<4>(x, page_of_tile * 4));
        w.ring_release(262);
      }
      w.join_acquire(263);
      w.join_put(w.index, acc, squares);
      w.join_commit(264);
    }
  }
  writes_own(w, at, R_end_head_logits);
  // the logits of all ranks meet on rank 0
  if (w.rank == 0) {
    const Share all = share_of(9536, w.sm * w.count + w.index, w.sms * w.count);
    receive_each(w, 265, Plan::logits_inbox_at, all, 1192, at.round->round, [&](Acc& acc, int source, int t) {
      each(w, acc, [&](float& value, int row, int c) {
        if (c < at.block->rows && t * 16 + row < 19072) w.ws<float>(B_end_head_logits)[size_t(c) * 152576 + source * 19072 + t * 16 + row] = value;
      });
    });
  }
  w.role_barrier(266);
  if (w.index == 0) w.signal(267, C_end_head);
}
#line 124 TILE_FILE("models/mimo/graph.ts", end_head_epilogue)
TILE_PHASE static void end_head_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 1192);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(270);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    scale_columns(acc, w.join_scale(0, 12, 192,
              [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); }));
    const int u = t;
    w.send_to(268, 0, Plan::logits_inbox_at, acc, t, at.round->round);
    w.join_release(271);
  }
  w.role_barrier(269);
}

// ---- end.logits.firsts ----
#line 124 TILE_FILE("models/mimo/graph.ts", end_logits_firsts_compute)
TILE_PHASE static void end_logits_firsts_compute(Warp& w, const At& at) {
  w.wait(272, C_end_head, at.runs(C_end_head) + 1);
  reads_all(w, at, R_end_head_logits);
  writes_own(w, at, R_end_logits_firsts);
  if (w.rank == 0) find_firsts(w, w.ws<const float>(B_end_head_logits), 152576, w.ws<u64>(B_end_logits_firsts), at.round->sample_from, at.block->rows);
  w.role_barrier(273);
  if (w.index == 0) w.signal(274, C_end_logits_firsts);
}

// ---- end.logits ----
#line 124 TILE_FILE("models/mimo/graph.ts", end_logits_compute)
TILE_PHASE static void end_logits_compute(Warp& w, const At& at) {
  w.wait(275, C_end_logits_firsts, at.runs(C_end_logits_firsts) + 1);
  reads_all(w, at, R_end_head_logits);
  reads_all(w, at, R_end_logits_firsts);
  const RoundControl* round = at.round;
  if (w.rank == 0 && w.sm == 0) called(w, [=](Warp& w) { finish_target(w, *round, w.ws<const float>(B_end_head_logits), 152576, w.ws<const u64>(B_end_logits_firsts)); });
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
          {
            Kept<16> kept;
            run(w, [&](Warp& w, const At& at) {
              traced(w, at, 3, [&](Warp& w, const At& at) { sliding_experts_router_compute(w, at, kept); });
            });
            // an SM without a tile of router goes through the code of expert.up while it waits
TILE_LOOP
            for (bool rehearsal = rehearses(w, 96), again = true; again; rehearsal = false) {
              again = rehearsal;
              if (!rehearsal) run(w, [](Warp& w, const At& at) {
                traced(w, at, 4, sliding_experts_route_compute);
              });
              run(w, [&](Warp& w, const At& at) {
                traced(w, at, 5, [&](Warp& w, const At& at) { sliding_experts_expert_up_compute(w, at, kept, rehearsal); });
              });
            }
          }
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
          {
            Kept<16> kept;
            run(w, [&](Warp& w, const At& at) {
              traced(w, at, 4, [&](Warp& w, const At& at) { full_experts_router_compute(w, at, kept); });
            });
            // an SM without a tile of router goes through the code of expert.up while it waits
TILE_LOOP
            for (bool rehearsal = rehearses(w, 96), again = true; again; rehearsal = false) {
              again = rehearsal;
              if (!rehearsal) run(w, [](Warp& w, const At& at) {
                traced(w, at, 5, full_experts_route_compute);
              });
              run(w, [&](Warp& w, const At& at) {
                traced(w, at, 6, [&](Warp& w, const At& at) { full_experts_expert_up_compute(w, at, kept, rehearsal); });
              });
            }
          }
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
