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
  static constexpr int ranks = 1, sms = 132, rows = 8, ctx = 2048, valid_ids = 4096, programs = 1, mask_token = 0;
  static constexpr int entries = 8, phases = 8;
  static constexpr int load_warps = 1, compute_warps = 16, epilogue_warps = 2, communicate_warps = 1;
  static constexpr unsigned ring_page_bytes = 32768, slots_bytes = 4096, scratch_bytes = 0;
  static constexpr int ring_depth = 4, join_depth = 2, join_parts = 32;
  static constexpr int experts = 16, max_active = 16, top_k = 4;
  using Exchange = tile::i64;
  static constexpr size_t image_bytes = 26036992, kv_bytes = 10616832, workspace_bytes = 1754496;
  static constexpr size_t counters_at = 0, abort_at = 3072, control_at = 3200, control_inbox_at = 3968;
  static constexpr size_t decode_at = 4992, sampler_at = 9600, history_at = 118144, inbox_at = 5504, logits_inbox_at = 9600;
  static constexpr size_t zeroed_bytes = 9600;
  static constexpr int counters = 24, control_counter = 22, control_left_counter = 23, local_counters = 2;
  TILE_BOTH static constexpr unsigned arrivals(int counter) { return counter == control_counter ? 1 : sms; }
  TILE_BOTH static constexpr unsigned local_arrivals(int) { return 1; }
  static constexpr const char* counter_names[] = {"x", "full_dense.qkv", "full_dense.attend", "full_dense.attend.merge", "full_dense.o", "full_dense.dense.up", "sliding_experts.qkv", "sliding_experts.attend", "sliding_experts.attend.merge", "sliding_experts.o", "sliding_experts.router", "sliding_experts.route", "sliding_experts.expert.up", "full_experts.qkv", "full_experts.attend", "full_experts.attend.merge", "full_experts.o", "full_experts.router", "full_experts.route", "full_experts.expert.up", "end.head", "end.logits", "round control", "left round"};
  static constexpr int sites = 274, site_round = 270, site_relay = 271, site_mailbox = 272, site_sample = 273;
  static constexpr const char* site_names[] = {
    "begin.embed_tokens/compute barrier", "begin.embed_tokens/compute signal x", "full_dense.qkv/load acquire ring", "full_dense.qkv/load copy page",
    "full_dense.qkv/load commit ring", "full_dense.qkv/compute wait x", "full_dense.qkv/compute norm barrier", "full_dense.qkv/compute await ring",
    "full_dense.qkv/compute release ring", "full_dense.qkv/compute acquire join", "full_dense.qkv/compute commit join", "full_dense.qkv/epilogue finish",
    "full_dense.qkv/epilogue wait x", "full_dense.qkv/epilogue await join", "full_dense.qkv/epilogue release join", "full_dense.qkv/epilogue barrier",
    "full_dense.qkv/epilogue signal full_dense.qkv", "full_dense.attend/load wait full_dense.qkv", "full_dense.attend/load acquire ring", "full_dense.attend/load copy span",
    "full_dense.attend/load commit ring", "full_dense.attend/compute wait full_dense.qkv", "full_dense.attend/compute await ring", "full_dense.attend/compute release ring",
    "full_dense.attend/compute barrier", "full_dense.attend/compute signal full_dense.attend", "full_dense.attend.merge/compute wait full_dense.attend", "full_dense.attend.merge/compute barrier",
    "full_dense.attend.merge/compute signal full_dense.attend.merge", "full_dense.o/load acquire ring", "full_dense.o/load copy page", "full_dense.o/load commit ring",
    "full_dense.o/compute wait full_dense.attend.merge", "full_dense.o/compute norm barrier", "full_dense.o/compute await ring", "full_dense.o/compute release ring",
    "full_dense.o/compute acquire join", "full_dense.o/compute commit join", "full_dense.o/epilogue finish", "full_dense.o/epilogue wait full_dense.attend.merge",
    "full_dense.o/epilogue await join", "full_dense.o/epilogue release join", "full_dense.o/epilogue barrier", "full_dense.o/epilogue signal full_dense.o",
    "full_dense.dense.up/load acquire ring", "full_dense.dense.up/load copy page", "full_dense.dense.up/load commit ring", "full_dense.dense.up/compute wait full_dense.o",
    "full_dense.dense.up/compute norm barrier", "full_dense.dense.up/compute await ring", "full_dense.dense.up/compute release ring", "full_dense.dense.up/compute acquire join",
    "full_dense.dense.up/compute commit join", "full_dense.dense.up/epilogue finish", "full_dense.dense.up/epilogue wait full_dense.o", "full_dense.dense.up/epilogue await join",
    "full_dense.dense.up/epilogue release join", "full_dense.dense.up/epilogue barrier", "full_dense.dense.up/epilogue signal full_dense.dense.up", "full_dense.dense.down/load acquire ring",
    "full_dense.dense.down/load copy page", "full_dense.dense.down/load commit ring", "full_dense.dense.down/compute wait full_dense.dense.up", "full_dense.dense.down/compute norm barrier",
    "full_dense.dense.down/compute await ring", "full_dense.dense.down/compute release ring", "full_dense.dense.down/compute acquire join", "full_dense.dense.down/compute commit join",
    "full_dense.dense.down/epilogue finish", "full_dense.dense.down/epilogue wait full_dense.dense.up", "full_dense.dense.down/epilogue await join", "full_dense.dense.down/epilogue release join",
    "full_dense.dense.down/epilogue barrier", "full_dense.dense.down/epilogue signal x", "sliding_experts.qkv/load acquire ring", "sliding_experts.qkv/load copy page",
    "sliding_experts.qkv/load commit ring", "sliding_experts.qkv/compute wait x", "sliding_experts.qkv/compute norm barrier", "sliding_experts.qkv/compute await ring",
    "sliding_experts.qkv/compute release ring", "sliding_experts.qkv/compute acquire join", "sliding_experts.qkv/compute commit join", "sliding_experts.qkv/epilogue finish",
    "sliding_experts.qkv/epilogue wait x", "sliding_experts.qkv/epilogue await join", "sliding_experts.qkv/epilogue release join", "sliding_experts.qkv/epilogue barrier",
    "sliding_experts.qkv/epilogue signal sliding_experts.qkv", "sliding_experts.attend/load wait sliding_experts.qkv", "sliding_experts.attend/load acquire ring", "sliding_experts.attend/load copy span",
    "sliding_experts.attend/load commit ring", "sliding_experts.attend/compute wait sliding_experts.qkv", "sliding_experts.attend/compute await ring", "sliding_experts.attend/compute release ring",
    "sliding_experts.attend/compute barrier", "sliding_experts.attend/compute signal sliding_experts.attend", "sliding_experts.attend.merge/compute wait sliding_experts.attend", "sliding_experts.attend.merge/compute barrier",
    "sliding_experts.attend.merge/compute signal sliding_experts.attend.merge", "sliding_experts.o/load acquire ring", "sliding_experts.o/load copy page", "sliding_experts.o/load commit ring",
    "sliding_experts.o/compute wait sliding_experts.attend.merge", "sliding_experts.o/compute norm barrier", "sliding_experts.o/compute await ring", "sliding_experts.o/compute release ring",
    "sliding_experts.o/compute acquire join", "sliding_experts.o/compute commit join", "sliding_experts.o/epilogue finish", "sliding_experts.o/epilogue wait sliding_experts.attend.merge",
    "sliding_experts.o/epilogue await join", "sliding_experts.o/epilogue release join", "sliding_experts.o/epilogue barrier", "sliding_experts.o/epilogue signal sliding_experts.o",
    "sliding_experts.router/load acquire ring", "sliding_experts.router/load copy page", "sliding_experts.router/load commit ring", "sliding_experts.router/compute wait sliding_experts.o",
    "sliding_experts.router/compute norm barrier", "sliding_experts.router/compute await ring", "sliding_experts.router/compute release ring", "sliding_experts.router/compute acquire join",
    "sliding_experts.router/compute commit join", "sliding_experts.router/epilogue finish", "sliding_experts.router/epilogue wait sliding_experts.o", "sliding_experts.router/epilogue await join",
    "sliding_experts.router/epilogue release join", "sliding_experts.router/epilogue barrier", "sliding_experts.router/epilogue signal sliding_experts.router", "sliding_experts.route/compute wait sliding_experts.router",
    "sliding_experts.route/compute wait table", "sliding_experts.route/compute route barrier", "sliding_experts.route/compute signal route", "sliding_experts.expert.up/load acquire ring",
    "sliding_experts.expert.up/load copy page", "sliding_experts.expert.up/load commit ring", "sliding_experts.expert.up/load wait route", "sliding_experts.expert.up/compute norm barrier",
    "sliding_experts.expert.up/compute await ring", "sliding_experts.expert.up/compute release ring", "sliding_experts.expert.up/compute acquire join", "sliding_experts.expert.up/compute commit join",
    "sliding_experts.expert.up/epilogue finish", "sliding_experts.expert.up/epilogue wait route", "sliding_experts.expert.up/epilogue await join", "sliding_experts.expert.up/epilogue release join",
    "sliding_experts.expert.up/epilogue barrier", "sliding_experts.expert.up/epilogue signal sliding_experts.expert.up", "sliding_experts.expert.down/load acquire ring", "sliding_experts.expert.down/load copy group",
    "sliding_experts.expert.down/load commit ring", "sliding_experts.expert.down/load signal table", "sliding_experts.expert.down/compute wait sliding_experts.expert.up", "sliding_experts.expert.down/compute acquire slots",
    "sliding_experts.expert.down/compute await ring", "sliding_experts.expert.down/compute release ring", "sliding_experts.expert.down/compute commit slots", "sliding_experts.expert.down/epilogue await slots",
    "sliding_experts.expert.down/epilogue finish", "sliding_experts.expert.down/epilogue release slots", "sliding_experts.expert.down/epilogue barrier", "sliding_experts.expert.down/epilogue signal x",
    "full_experts.qkv/load acquire ring", "full_experts.qkv/load copy page", "full_experts.qkv/load commit ring", "full_experts.qkv/compute wait x",
    "full_experts.qkv/compute norm barrier", "full_experts.qkv/compute await ring", "full_experts.qkv/compute release ring", "full_experts.qkv/compute acquire join",
    "full_experts.qkv/compute commit join", "full_experts.qkv/epilogue finish", "full_experts.qkv/epilogue wait x", "full_experts.qkv/epilogue await join",
    "full_experts.qkv/epilogue release join", "full_experts.qkv/epilogue barrier", "full_experts.qkv/epilogue signal full_experts.qkv", "full_experts.attend/load wait full_experts.qkv",
    "full_experts.attend/load acquire ring", "full_experts.attend/load copy span", "full_experts.attend/load commit ring", "full_experts.attend/compute wait full_experts.qkv",
    "full_experts.attend/compute await ring", "full_experts.attend/compute release ring", "full_experts.attend/compute barrier", "full_experts.attend/compute signal full_experts.attend",
    "full_experts.attend.merge/compute wait full_experts.attend", "full_experts.attend.merge/compute barrier", "full_experts.attend.merge/compute signal full_experts.attend.merge", "full_experts.o/load acquire ring",
    "full_experts.o/load copy page", "full_experts.o/load commit ring", "full_experts.o/compute wait full_experts.attend.merge", "full_experts.o/compute norm barrier",
    "full_experts.o/compute await ring", "full_experts.o/compute release ring", "full_experts.o/compute acquire join", "full_experts.o/compute commit join",
    "full_experts.o/epilogue finish", "full_experts.o/epilogue wait full_experts.attend.merge", "full_experts.o/epilogue await join", "full_experts.o/epilogue release join",
    "full_experts.o/epilogue barrier", "full_experts.o/epilogue signal full_experts.o", "full_experts.router/load acquire ring", "full_experts.router/load copy page",
    "full_experts.router/load commit ring", "full_experts.router/compute wait full_experts.o", "full_experts.router/compute norm barrier", "full_experts.router/compute await ring",
    "full_experts.router/compute release ring", "full_experts.router/compute acquire join", "full_experts.router/compute commit join", "full_experts.router/epilogue finish",
    "full_experts.router/epilogue wait full_experts.o", "full_experts.router/epilogue await join", "full_experts.router/epilogue release join", "full_experts.router/epilogue barrier",
    "full_experts.router/epilogue signal full_experts.router", "full_experts.route/compute wait full_experts.router", "full_experts.route/compute wait table", "full_experts.route/compute route barrier",
    "full_experts.route/compute signal route", "full_experts.expert.up/load acquire ring", "full_experts.expert.up/load copy page", "full_experts.expert.up/load commit ring",
    "full_experts.expert.up/load wait route", "full_experts.expert.up/compute norm barrier", "full_experts.expert.up/compute await ring", "full_experts.expert.up/compute release ring",
    "full_experts.expert.up/compute acquire join", "full_experts.expert.up/compute commit join", "full_experts.expert.up/epilogue finish", "full_experts.expert.up/epilogue wait route",
    "full_experts.expert.up/epilogue await join", "full_experts.expert.up/epilogue release join", "full_experts.expert.up/epilogue barrier", "full_experts.expert.up/epilogue signal full_experts.expert.up",
    "full_experts.expert.down/load acquire ring", "full_experts.expert.down/load copy group", "full_experts.expert.down/load commit ring", "full_experts.expert.down/load signal table",
    "full_experts.expert.down/compute wait full_experts.expert.up", "full_experts.expert.down/compute acquire slots", "full_experts.expert.down/compute await ring", "full_experts.expert.down/compute release ring",
    "full_experts.expert.down/compute commit slots", "full_experts.expert.down/epilogue await slots", "full_experts.expert.down/epilogue finish", "full_experts.expert.down/epilogue release slots",
    "full_experts.expert.down/epilogue barrier", "full_experts.expert.down/epilogue signal x", "end.head/load acquire ring", "end.head/load copy page",
    "end.head/load commit ring", "end.head/compute wait x", "end.head/compute norm barrier", "end.head/compute await ring",
    "end.head/compute release ring", "end.head/compute acquire join", "end.head/compute commit join", "end.head/epilogue finish",
    "end.head/epilogue await join", "end.head/epilogue release join", "end.head/epilogue barrier", "end.head/epilogue signal end.head",
    "end.logits/compute wait end.head", "end.logits/compute sample", "round", "relay",
    "mailbox", "sample",
  };
  static constexpr int regions = 29;
  static constexpr const char* region_names[] = {
    "x.columns", "x.plain", "full_dense.qkv.queries", "full_dense.qkv.keys", "full_dense.qkv.values", "full_dense.attend.partials",
    "full_dense.attend.columns", "full_dense.o.columns", "full_dense.o.plain", "full_dense.dense.up.columns", "sliding_experts.qkv.queries", "sliding_experts.qkv.keys",
    "sliding_experts.qkv.values", "sliding_experts.attend.partials", "sliding_experts.attend.columns", "sliding_experts.o.columns", "sliding_experts.o.plain", "sliding_experts.router.plain",
    "sliding_experts.expert.up.expertColumns", "full_experts.qkv.queries", "full_experts.qkv.keys", "full_experts.qkv.values", "full_experts.attend.partials", "full_experts.attend.columns",
    "full_experts.o.columns", "full_experts.o.plain", "full_experts.router.plain", "full_experts.expert.up.expertColumns", "end.head.logits",
  };
};

#include "tile_plan.h"
#include "engine/control.h"

namespace tile {

enum Counter : int {
  C_x, C_full_dense_qkv, C_full_dense_attend, C_full_dense_attend_merge, C_full_dense_o, C_full_dense_dense_up,
  C_sliding_experts_qkv, C_sliding_experts_attend, C_sliding_experts_attend_merge, C_sliding_experts_o, C_sliding_experts_router, C_sliding_experts_route,
  C_sliding_experts_expert_up, C_full_experts_qkv, C_full_experts_attend, C_full_experts_attend_merge, C_full_experts_o, C_full_experts_router,
  C_full_experts_route, C_full_experts_expert_up, C_end_head, C_end_logits,
};
enum Tally : int {
  T_route = 22, T_table = 23, T_exchange = 24,
};
enum Local : int {
  L_route, L_table,
};
enum Region : int {
  R_x_columns, R_x_plain, R_full_dense_qkv_queries, R_full_dense_qkv_keys, R_full_dense_qkv_values, R_full_dense_attend_partials,
  R_full_dense_attend_columns, R_full_dense_o_columns, R_full_dense_o_plain, R_full_dense_dense_up_columns, R_sliding_experts_qkv_queries, R_sliding_experts_qkv_keys,
  R_sliding_experts_qkv_values, R_sliding_experts_attend_partials, R_sliding_experts_attend_columns, R_sliding_experts_o_columns, R_sliding_experts_o_plain, R_sliding_experts_router_plain,
  R_sliding_experts_expert_up_expertColumns, R_full_experts_qkv_queries, R_full_experts_qkv_keys, R_full_experts_qkv_values, R_full_experts_attend_partials, R_full_experts_attend_columns,
  R_full_experts_o_columns, R_full_experts_o_plain, R_full_experts_router_plain, R_full_experts_expert_up_expertColumns, R_end_head_logits,
};
TILE_FN bool region_is_cache(int region) { return region == 3 || region == 4 || region == 11 || region == 12 || region == 20 || region == 21; }

// Byte offsets: buffers in the workspace; caches in their layer's part of the KV memory.
constexpr size_t B_x_columns = 151936;
constexpr size_t B_x_plain = 158080;
constexpr size_t B_full_dense_qkv_queries = 170368;
constexpr size_t B_full_dense_qkv_keys = 0;
constexpr size_t B_full_dense_qkv_values = 2097152;
constexpr size_t B_full_dense_attend_partials = 182656;
constexpr size_t B_full_dense_attend_columns = 739712;
constexpr size_t B_full_dense_o_columns = 747904;
constexpr size_t B_full_dense_o_plain = 754048;
constexpr size_t B_full_dense_dense_up_columns = 766336;
constexpr size_t B_sliding_experts_qkv_queries = 782720;
constexpr size_t B_sliding_experts_qkv_keys = 0;
constexpr size_t B_sliding_experts_qkv_values = 262144;
constexpr size_t B_sliding_experts_attend_partials = 795008;
constexpr size_t B_sliding_experts_attend_columns = 864640;
constexpr size_t B_sliding_experts_o_columns = 872832;
constexpr size_t B_sliding_experts_o_plain = 878976;
constexpr size_t B_sliding_experts_router_plain = 891264;
constexpr size_t B_sliding_experts_expert_up_expertColumns = 891776;
constexpr size_t B_full_experts_qkv_queries = 957312;
constexpr size_t B_full_experts_qkv_keys = 0;
constexpr size_t B_full_experts_qkv_values = 2097152;
constexpr size_t B_full_experts_attend_partials = 969600;
constexpr size_t B_full_experts_attend_columns = 1526656;
constexpr size_t B_full_experts_o_columns = 1534848;
constexpr size_t B_full_experts_o_plain = 1540992;
constexpr size_t B_full_experts_router_plain = 1553280;
constexpr size_t B_full_experts_expert_up_expertColumns = 1553792;
constexpr size_t B_end_head_logits = 1619328;
// ---- entries ----

// 0 begin, 1 full_dense, 2 sliding_experts, 3 full_experts, 4 end
TILE_TABLE unsigned char entry_segment[8] = {
  0, 1, 2, 2, 3, 2, 3, 4,
};
TILE_TABLE unsigned long long entry_image[8] = {
  0ull, 3244032ull, 5401088ull, 8879360ull, 12357632ull, 15835776ull, 19314048ull, 22792192ull,
};
TILE_TABLE unsigned long long entry_kv[8] = {
  0ull, 0ull, 3145728ull, 3538944ull, 3932160ull, 7077888ull, 7471104ull, 10616832ull,
};
TILE_TABLE unsigned short entry_runs[8][25] = {
  {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
  {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
  {2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
  {3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0},
  {4, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0},
  {5, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 3, 3, 0},
  {6, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 0, 0, 4, 4, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 0, 0, 5, 5, 0},
};
TILE_TABLE unsigned char entry_program[8] = {
  0, 0, 0, 0, 0, 0, 0, 0,
};
TILE_TABLE unsigned char entry_taps[8] = {
  0, 0, 0, 0, 0, 0, 0, 0,
};
TILE_TABLE unsigned char tally_program[25] = {
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
TILE_TABLE unsigned short entry_exchanges[8] = {
  0, 0, 0, 0, 0, 0, 0, 0,
};
TILE_TABLE unsigned short program_exchanges[1] = {
  0,
};
TILE_TABLE unsigned short round_runs[25] = {
  7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 1, 1, 5, 5, 0,
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
TILE_FN int part_of(Warp& w, const At& at, int region, int sm, int warp) {
  return ((region_is_cache(region) ? at.entry : 0) * w.sms + sm) * Plan::compute_warps + warp;
}
TILE_FN void reads_own(Warp& w, const At& at, int region) { w.reads(region, part_of(w, at, region, w.sm, w.index)); }
TILE_FN void writes_own(Warp& w, const At& at, int region) { w.writes(region, part_of(w, at, region, w.sm, w.index)); }
TILE_FN void reads_all(Warp& w, const At& at, int region) {
  for (int sm = 0; sm < w.sms; ++sm)
    for (int warp = 0; warp < Plan::compute_warps; ++warp) w.reads(region, part_of(w, at, region, sm, warp));
}

// ==== begin ====

// ---- begin.embed_tokens ----
#line 103 "models/mimo/graph.ts"
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
#line 59 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(2);
    w.ring_copy(3, 0, w.image(at.image + 768 + size_t(tile) * 25088), 25088);
    w.ring_commit(4, 25088);
  }
}
#line 59 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_qkv_compute(Warp& w, const At& at) {
  w.wait(5, C_x, at.runs(C_x));
  reads_all(w, at, R_x_columns);
  if (empty(share(w, 22))) return;  // no tile on this SM
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage(w, x, w.ws<bf16>(B_x_columns), part * 3);
  normalise(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 4, 6,
            [](float x) { return (x * x); },
            [](float x, float mean, float weight) { return ((x * (1.0f / sqrtf((mean + 0.00000999999975f)))) * weight); });
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(7);
    multiply<E4M3, 3>(w, acc, page + (tile_of_page * 4 + part) * 1568, page + (tile_of_page * 4 + part) * 1568 + 1536, x);
    w.ring_release(8);
    w.join_acquire(9);
    w.join_put(w.index, acc);
    w.join_commit(10);
  }
}
#line 59 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_qkv_epilogue(Warp& w, const At& at) {
  w.wait(12, C_x, at.runs(C_x));
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(13);
    writes_own(w, at, R_full_dense_qkv_queries);
    writes_own(w, at, R_full_dense_qkv_keys);
    writes_own(w, at, R_full_dense_qkv_values);
    for (int g = 0; g < 4; ++g) {
      const int t = tile * 4 + g;
      Acc acc = w.join_sum(g * 4, 4);
      const int in_period = t % 11, outer = t / 11;
      if (in_period < 6) {
        const int u = in_period;
        each_pair(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int j = u % 3, first = u / 3 * 48;
          const bool rotates = j < 1;
          const int d = 8 * j + i;
          const int n_low = first + (rotates ? d : 16 * j + i), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_500000_16[d];
            const float cosine = cosf(angle), sine = sinf(angle);
            v1_low = v0_low * cosine - v0_high * sine;
            v1_high = v0_high * cosine + v0_low * sine;
          }
          w.ws<bf16>(B_full_dense_qkv_queries)[(outer * 16 + c * 2 + (n_low) / 48) * 48 + (n_low) % 48] = to_bf16(v1_low);
          w.ws<bf16>(B_full_dense_qkv_queries)[(outer * 16 + c * 2 + (n_high) / 48) * 48 + (n_high) % 48] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 6 && in_period < 9) {
        const int u = in_period - 6;
        each_pair(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int j = u % 3, first = u / 3 * 48;
          const bool rotates = j < 1;
          const int d = 8 * j + i;
          const int n_low = first + (rotates ? d : 16 * j + i), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_500000_16[d];
            const float cosine = cosf(angle), sine = sinf(angle);
            v1_low = v0_low * cosine - v0_high * sine;
            v1_high = v0_high * cosine + v0_low * sine;
          }
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_keys))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_low, 48)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_keys))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_high, 48)] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 9 && in_period < 11) {
        const int u = in_period - 9;
        each_pair(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          const float v1_low = (v0_low * 0.611999989f);
          const float v1_high = (v0_high * 0.611999989f);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_values))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_values))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
        });
      }
    }
    w.join_release(14);
  }
  w.role_barrier(15);
  if (w.index == 0) w.signal(16, C_full_dense_qkv);
}

// ---- full_dense.attend ----
#line 64 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_attend_load(Warp& w, const At& at) {
  w.wait(17, C_full_dense_qkv, at.runs(C_full_dense_qkv) + 1);
  const Spans spans = visible_spans(at.block->position, at.block->rows, 0);
  const Share tasks = share(w, 8 * spans.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    w.ring_acquire(18);
    reads_all(w, at, R_full_dense_qkv_keys);
    reads_all(w, at, R_full_dense_qkv_values);
    const size_t slot = size_t(task / spans.count * 32 + (spans.first + task % spans.count) % 32);
    w.ring_copy(19, 0, w.kv(at.kv + B_full_dense_qkv_keys) + slot * 8192, 8192);
    w.ring_copy(19, 8192, w.kv(at.kv + B_full_dense_qkv_values) + slot * 4096, 4096);
    w.ring_commit(20, 12288);
  }
}
#line 64 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_attend_compute(Warp& w, const At& at) {
  w.wait(21, C_full_dense_qkv, at.runs(C_full_dense_qkv) + 1);
  const Spans spans = visible_spans(at.block->position, at.block->rows, 0);
  const Share tasks = share(w, 8 * spans.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const char* page = w.ring_await(22);
    reads_all(w, at, R_full_dense_qkv_queries);
    writes_own(w, at, R_full_dense_attend_partials);
    const int head = task / spans.count, span = task % spans.count;
    const bf16* q = w.ws<bf16>(B_full_dense_qkv_queries) + size_t(head) * 768;
    float* o = w.ws<float>(B_full_dense_attend_partials) + size_t(head) * 17408;
    float* peak = o + 16384;
    float* total = peak + 512;
    for (int m = (w.index + w.count - task * 1 % w.count) % w.count; m < 1; m += w.count) {
      const size_t row = size_t(span) * 16 + m * 16;
      attend_span<2, 48, 32>(w, page, page + 8192, q, m, (spans.first + span) * 64,
          RowPositions{at.block->position, at.block->rows}, 0, 0.144337565f, o + row * 32, peak + row, total + row);
    }
    w.ring_release(23);
  }
  w.role_barrier(24);
  if (w.index == 0) w.signal(25, C_full_dense_attend);
}

// ---- full_dense.attend.merge ----
#line 64 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_attend_merge_compute(Warp& w, const At& at) {
  w.wait(26, C_full_dense_attend, at.runs(C_full_dense_attend) + 1);
  reads_all(w, at, R_full_dense_attend_partials);
  writes_own(w, at, R_full_dense_attend_columns);
  const Spans spans = visible_spans(at.block->position, at.block->rows, 0);
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int head = task / (at.block->rows * 2), m_row = task % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_full_dense_attend_partials) + size_t(head) * 17408;
    merge_spans<32>(w, o, o + 16384, o + 16896, 16, m_row, spans.count, nullptr,
        w.ws<bf16>(B_full_dense_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(27);
  if (w.index == 0) w.signal(28, C_full_dense_attend_merge);
}

// ---- full_dense.o: 384 KiB of weights ----
#line 71 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(29);
    w.ring_copy(30, 0, w.image(at.image + 552704 + size_t(tile) * 32768), 32768);
    w.ring_commit(31, 32768);
  }
}
#line 71 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_o_compute(Warp& w, const At& at) {
  w.wait(32, C_full_dense_attend_merge, at.runs(C_full_dense_attend_merge) + 1);
  reads_all(w, at, R_full_dense_attend_columns);
  if (empty(share(w, 12))) return;  // no tile on this SM
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, w.ws<bf16>(B_full_dense_attend_columns), part * 2);
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
#line 71 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_o_epilogue(Warp& w, const At& at) {
  w.wait(39, C_full_dense_attend_merge, at.runs(C_full_dense_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(40);
    reads_all(w, at, R_x_plain);
    writes_own(w, at, R_full_dense_o_columns);
    writes_own(w, at, R_full_dense_o_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc acc = rounded(w, w.join_total(g * 8, 8));
      const int u = t;
      each_pair(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = w.ws<const float>(B_x_plain)[c * 384 + n_low];
        const float v1_high = w.ws<const float>(B_x_plain)[c * 384 + n_high];
        const float v2_low = (v1_low + v0_low);
        const float v2_high = (v1_high + v0_high);
        w.ws<bf16>(B_full_dense_o_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
        w.ws<bf16>(B_full_dense_o_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
        w.ws<float>(B_full_dense_o_plain)[c * 384 + n_low] = v2_low;
        w.ws<float>(B_full_dense_o_plain)[c * 384 + n_high] = v2_high;
      });
    }
    w.join_release(41);
  }
  w.role_barrier(42);
  if (w.index == 0) w.signal(43, C_full_dense_o);
}

// ---- full_dense.dense.up: 792 KiB of weights ----
#line 77 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_up_load(Warp& w, const At& at) {
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(44);
    w.ring_copy(45, 0, w.image(at.image + 946688 + size_t(tile) * 6336), 6336);
    w.ring_commit(46, 6336);
  }
}
#line 77 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_up_compute(Warp& w, const At& at) {
  w.wait(47, C_full_dense_o, at.runs(C_full_dense_o) + 1);
  reads_all(w, at, R_full_dense_o_columns);
  if (empty(share(w, 128))) return;  // no tile on this SM
  const int part = w.index % 12;
  Staged<1> x;
  stage(w, x, w.ws<bf16>(B_full_dense_o_columns), part * 1);
  normalise(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 945920)), 12, 48,
            [](float x) { return (x * x); },
            [](float x, float mean, float weight) { return ((x * (1.0f / sqrtf((mean + 0.00000999999975f)))) * weight); });
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(49);
    if (w.index < 12) multiply<E4M3, 1>(w, acc, page + part * 528, page + part * 528 + 512, x);
    w.ring_release(50);
    w.join_acquire(51);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(52);
  }
}
#line 77 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_up_epilogue(Warp& w, const At& at) {
  w.wait(54, C_full_dense_o, at.runs(C_full_dense_o) + 1);
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(55);
    writes_own(w, at, R_full_dense_dense_up_columns);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 8 + i;
      (void)high;
      const float v0_low = ((low * sigmoid(low)) * high);
      w.ws<bf16>(B_full_dense_dense_up_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
    });
    w.join_release(56);
  }
  w.role_barrier(57);
  if (w.index == 0) w.signal(58, C_full_dense_dense_up);
}

// ---- full_dense.dense.down: 390 KiB of weights ----
#line 77 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_down_load(Warp& w, const At& at) {
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(59);
    w.ring_copy(60, 0, w.image(at.image + 1757696 + size_t(tile) * 16640), 16640);
    w.ring_commit(61, 16640);
  }
}
#line 77 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_down_compute(Warp& w, const At& at) {
  w.wait(62, C_full_dense_dense_up, at.runs(C_full_dense_dense_up) + 1);
  reads_all(w, at, R_full_dense_dense_up_columns);
  if (empty(share(w, 24))) return;  // no tile on this SM
  const int part = w.index % 8;
  Staged<4> x;
  stage(w, x, w.ws<bf16>(B_full_dense_dense_up_columns), part * 4);
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
#line 77 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_down_epilogue(Warp& w, const At& at) {
  w.wait(69, C_full_dense_dense_up, at.runs(C_full_dense_dense_up) + 1);
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(70);
    reads_all(w, at, R_full_dense_o_plain);
    writes_own(w, at, R_x_columns);
    writes_own(w, at, R_x_plain);
    const int t = tile;
    Acc acc = rounded(w, w.join_total(0, 8));
    const int u = t;
    each_pair(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 16 + i, n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      const float v1_low = w.ws<const float>(B_full_dense_o_plain)[c * 384 + n_low];
      const float v1_high = w.ws<const float>(B_full_dense_o_plain)[c * 384 + n_high];
      const float v2_low = (v1_low + v0_low);
      const float v2_high = (v1_high + v0_high);
      w.ws<bf16>(B_x_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
      w.ws<bf16>(B_x_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
      w.ws<float>(B_x_plain)[c * 384 + n_low] = v2_low;
      w.ws<float>(B_x_plain)[c * 384 + n_high] = v2_high;
    });
    w.join_release(71);
  }
  w.role_barrier(72);
  if (w.index == 0) w.signal(73, C_x);
}

// ==== sliding_experts: 1 2 4 ====

// ---- sliding_experts.qkv: 539 KiB of weights ----
#line 59 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(74);
    w.ring_copy(75, 0, w.image(at.image + 768 + size_t(tile) * 25088), 25088);
    w.ring_commit(76, 25088);
  }
}
#line 59 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_qkv_compute(Warp& w, const At& at) {
  w.wait(77, C_x, at.runs(C_x));
  reads_all(w, at, R_x_columns);
  if (empty(share(w, 22))) return;  // no tile on this SM
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage(w, x, w.ws<bf16>(B_x_columns), part * 3);
  normalise(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 4, 78,
            [](float x) { return (x * x); },
            [](float x, float mean, float weight) { return ((x * (1.0f / sqrtf((mean + 0.00000999999975f)))) * weight); });
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(79);
    multiply<E4M3, 3>(w, acc, page + (tile_of_page * 4 + part) * 1568, page + (tile_of_page * 4 + part) * 1568 + 1536, x);
    w.ring_release(80);
    w.join_acquire(81);
    w.join_put(w.index, acc);
    w.join_commit(82);
  }
}
#line 59 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_qkv_epilogue(Warp& w, const At& at) {
  w.wait(84, C_x, at.runs(C_x));
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(85);
    writes_own(w, at, R_sliding_experts_qkv_queries);
    writes_own(w, at, R_sliding_experts_qkv_keys);
    writes_own(w, at, R_sliding_experts_qkv_values);
    for (int g = 0; g < 4; ++g) {
      const int t = tile * 4 + g;
      Acc acc = w.join_sum(g * 4, 4);
      const int in_period = t % 11, outer = t / 11;
      if (in_period < 6) {
        const int u = in_period;
        each_pair(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int j = u % 3, first = u / 3 * 48;
          const bool rotates = j < 1;
          const int d = 8 * j + i;
          const int n_low = first + (rotates ? d : 16 * j + i), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_10000_16[d];
            const float cosine = cosf(angle), sine = sinf(angle);
            v1_low = v0_low * cosine - v0_high * sine;
            v1_high = v0_high * cosine + v0_low * sine;
          }
          w.ws<bf16>(B_sliding_experts_qkv_queries)[(outer * 16 + c * 2 + (n_low) / 48) * 48 + (n_low) % 48] = to_bf16(v1_low);
          w.ws<bf16>(B_sliding_experts_qkv_queries)[(outer * 16 + c * 2 + (n_high) / 48) * 48 + (n_high) % 48] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 6 && in_period < 9) {
        const int u = in_period - 6;
        each_pair(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int j = u % 3, first = u / 3 * 48;
          const bool rotates = j < 1;
          const int d = 8 * j + i;
          const int n_low = first + (rotates ? d : 16 * j + i), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_10000_16[d];
            const float cosine = cosf(angle), sine = sinf(angle);
            v1_low = v0_low * cosine - v0_high * sine;
            v1_high = v0_high * cosine + v0_low * sine;
          }
          reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_keys))[size_t(outer * 4 + at.block->position[c] / 64 % 4) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_low, 48)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_keys))[size_t(outer * 4 + at.block->position[c] / 64 % 4) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_high, 48)] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 9 && in_period < 11) {
        const int u = in_period - 9;
        each_pair(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          const float v1_low = (v0_low * 0.611999989f);
          const float v1_high = (v0_high * 0.611999989f);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_values))[size_t(outer * 4 + at.block->position[c] / 64 % 4) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_values))[size_t(outer * 4 + at.block->position[c] / 64 % 4) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
        });
      }
    }
    w.join_release(86);
  }
  w.role_barrier(87);
  if (w.index == 0) w.signal(88, C_sliding_experts_qkv);
}

// ---- sliding_experts.attend ----
#line 64 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_attend_load(Warp& w, const At& at) {
  w.wait(89, C_sliding_experts_qkv, at.runs(C_sliding_experts_qkv) + 1);
  const Spans spans = visible_spans(at.block->position, at.block->rows, 128);
  const Share tasks = share(w, 8 * spans.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    w.ring_acquire(90);
    reads_all(w, at, R_sliding_experts_qkv_keys);
    reads_all(w, at, R_sliding_experts_qkv_values);
    const size_t slot = size_t(task / spans.count * 4 + (spans.first + task % spans.count) % 4);
    w.ring_copy(91, 0, w.kv(at.kv + B_sliding_experts_qkv_keys) + slot * 8192, 8192);
    w.ring_copy(91, 8192, w.kv(at.kv + B_sliding_experts_qkv_values) + slot * 4096, 4096);
    w.ring_commit(92, 12288);
  }
}
#line 64 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_attend_compute(Warp& w, const At& at) {
  w.wait(93, C_sliding_experts_qkv, at.runs(C_sliding_experts_qkv) + 1);
  const Spans spans = visible_spans(at.block->position, at.block->rows, 128);
  const Share tasks = share(w, 8 * spans.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const char* page = w.ring_await(94);
    reads_all(w, at, R_sliding_experts_qkv_queries);
    writes_own(w, at, R_sliding_experts_attend_partials);
    const int head = task / spans.count, span = task % spans.count;
    const bf16* q = w.ws<bf16>(B_sliding_experts_qkv_queries) + size_t(head) * 768;
    float* o = w.ws<float>(B_sliding_experts_attend_partials) + size_t(head) * 2176;
    float* peak = o + 2048;
    float* total = peak + 64;
    for (int m = (w.index + w.count - task * 1 % w.count) % w.count; m < 1; m += w.count) {
      const size_t row = size_t(span) * 16 + m * 16;
      attend_span<2, 48, 32>(w, page, page + 8192, q, m, (spans.first + span) * 64,
          RowPositions{at.block->position, at.block->rows}, 128, 0.144337565f, o + row * 32, peak + row, total + row);
    }
    w.ring_release(95);
  }
  w.role_barrier(96);
  if (w.index == 0) w.signal(97, C_sliding_experts_attend);
}

// ---- sliding_experts.attend.merge ----
#line 64 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_attend_merge_compute(Warp& w, const At& at) {
  w.wait(98, C_sliding_experts_attend, at.runs(C_sliding_experts_attend) + 1);
  reads_all(w, at, R_sliding_experts_attend_partials);
  writes_own(w, at, R_sliding_experts_attend_columns);
  const Spans spans = visible_spans(at.block->position, at.block->rows, 128);
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int head = task / (at.block->rows * 2), m_row = task % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_sliding_experts_attend_partials) + size_t(head) * 2176;
    merge_spans<32>(w, o, o + 2048, o + 2112, 16, m_row, spans.count, reinterpret_cast<const float*>(w.image(at.image + 552704)) + head * 2 + m_row % 2,
        w.ws<bf16>(B_sliding_experts_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(99);
  if (w.index == 0) w.signal(100, C_sliding_experts_attend_merge);
}

// ---- sliding_experts.o: 384 KiB of weights ----
#line 71 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(101);
    w.ring_copy(102, 0, w.image(at.image + 552832 + size_t(tile) * 32768), 32768);
    w.ring_commit(103, 32768);
  }
}
#line 71 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_o_compute(Warp& w, const At& at) {
  w.wait(104, C_sliding_experts_attend_merge, at.runs(C_sliding_experts_attend_merge) + 1);
  reads_all(w, at, R_sliding_experts_attend_columns);
  if (empty(share(w, 12))) return;  // no tile on this SM
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, w.ws<bf16>(B_sliding_experts_attend_columns), part * 2);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(106);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(107);
    w.join_acquire(108);
    w.join_put(w.index, acc);
    w.join_commit(109);
  }
}
#line 71 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_o_epilogue(Warp& w, const At& at) {
  w.wait(111, C_sliding_experts_attend_merge, at.runs(C_sliding_experts_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(112);
    reads_all(w, at, R_x_plain);
    writes_own(w, at, R_sliding_experts_o_columns);
    writes_own(w, at, R_sliding_experts_o_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc acc = rounded(w, w.join_total(g * 8, 8));
      const int u = t;
      each_pair(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = w.ws<const float>(B_x_plain)[c * 384 + n_low];
        const float v1_high = w.ws<const float>(B_x_plain)[c * 384 + n_high];
        const float v2_low = (v1_low + v0_low);
        const float v2_high = (v1_high + v0_high);
        w.ws<bf16>(B_sliding_experts_o_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
        w.ws<bf16>(B_sliding_experts_o_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
        w.ws<float>(B_sliding_experts_o_plain)[c * 384 + n_low] = v2_low;
        w.ws<float>(B_sliding_experts_o_plain)[c * 384 + n_high] = v2_high;
      });
    }
    w.join_release(113);
  }
  w.role_barrier(114);
  if (w.index == 0) w.signal(115, C_sliding_experts_o);
}

// ---- sliding_experts.router: 24 KiB of weights ----
#line 84 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_router_load(Warp& w, const At& at) {
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(116);
    w.ring_copy(117, 0, w.image(at.image + 946816 + size_t(tile) * 24576), 24576);
    w.ring_commit(118, 24576);
  }
}
#line 84 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_router_compute(Warp& w, const At& at) {
  w.wait(119, C_sliding_experts_o, at.runs(C_sliding_experts_o) + 1);
  reads_all(w, at, R_sliding_experts_o_columns);
  if (empty(share(w, 1))) return;  // no tile on this SM
  const int part = w.index % 12;
  Staged<1> x;
  stage(w, x, w.ws<bf16>(B_sliding_experts_o_columns), part * 1);
  normalise(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 946048)), 12, 120,
            [](float x) { return (x * x); },
            [](float x, float mean, float weight) { return ((x * (1.0f / sqrtf((mean + 0.00000999999975f)))) * weight); });
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(121);
    if (w.index < 12) multiply<F32, 1>(w, acc, page + part * 2048, page + part * 2048 + 2048, x);
    w.ring_release(122);
    w.join_acquire(123);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(124);
  }
}
#line 84 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_router_epilogue(Warp& w, const At& at) {
  w.wait(126, C_sliding_experts_o, at.runs(C_sliding_experts_o) + 1);
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(127);
    writes_own(w, at, R_sliding_experts_router_plain);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 16 + i, n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_sliding_experts_router_plain)[c * 16 + n_low] = v0_low;
      w.ws<float>(B_sliding_experts_router_plain)[c * 16 + n_high] = v0_high;
    });
    w.join_release(128);
  }
  w.role_barrier(129);
  if (w.index == 0) w.signal(130, C_sliding_experts_router);
}

// ---- sliding_experts.route ----
#line 84 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_route_compute(Warp& w, const At& at) {
  w.wait(131, C_sliding_experts_router, at.runs(C_sliding_experts_router) + 1);
  w.wait_local(132, L_table, at.runs(T_table));
  reads_all(w, at, R_sliding_experts_router_plain);
  route(w, w.ws<const float>(B_sliding_experts_router_plain), reinterpret_cast<const float*>(w.image(at.image + 971392)), at.block->rows, true, 9.99999968e-21f, 1.0f, 133,
        [](float logit) { return sigmoid(logit); },
        [](float score, float bias) { return (score + bias); });
  if (w.index == 0) w.signal_local(134, L_route);
}

// ---- sliding_experts.expert.up: 1.6 MiB of weights ----
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_up_load(Warp& w, const At& at) {
  w.wait_local(138, L_route, at.runs(T_route) + 1);
  const Share tiles = share(w, w.table().active * 8);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    const int active = tile / 8;
    w.ring_acquire(135);
    w.ring_copy(136, 0, w.image(at.image + 971520 + size_t(w.table().expert[active]) * 104448 + size_t((tile % 8)) * 13056), 13056);
    w.ring_commit(137, 13056);
  }
}
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_up_compute(Warp& w, const At& at) {
  reads_all(w, at, R_sliding_experts_o_columns);
  if (empty(share(w, w.table().active * 8))) return;  // no tile on this SM
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage(w, x, w.ws<bf16>(B_sliding_experts_o_columns), part * 3);
  normalise(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 946048)), 4, 139,
            [](float x) { return (x * x); },
            [](float x, float mean, float weight) { return ((x * (1.0f / sqrtf((mean + 0.00000999999975f)))) * weight); });
  const Share tiles = share(w, w.table().active * 8);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    const int active = tile / 8;
    Acc acc = zeros();
    const char* page = w.ring_await(140);
    multiply<E2M1, 3>(w, acc, page + (tile_of_page * 4 + part) * 816, page + (tile_of_page * 4 + part) * 816 + 768, x);
    w.ring_release(141);
    w.join_acquire(142);
    w.join_put(w.index, acc);
    w.join_commit(143);
  }
}
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_up_epilogue(Warp& w, const At& at) {
  w.wait_local(145, L_route, at.runs(T_route) + 1);
  const Share tiles = share(w, w.table().active * 8);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    const int active = tile / 8;
    w.join_wait(146);
    writes_own(w, at, R_sliding_experts_expert_up_expertColumns);
    for (int g = 0; g < 4; ++g) {
      const int t = (tile % 8) * 4 + g;
      Acc acc = w.join_sum(g * 4, 4);
      const int u = t;
      each_pair(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 8 + i;
        (void)high;
        const float v0_low = ((low * sigmoid(low)) * high);
        w.ws<bf16>(B_sliding_experts_expert_up_expertColumns)[size_t(active) * 2048 + columns_at(n_low, c)] = to_bf16(v0_low);
      });
    }
    w.join_release(147);
  }
  w.role_barrier(148);
  if (w.index == 0) w.signal(149, C_sliding_experts_expert_up);
}

// ---- sliding_experts.expert.down: 816 KiB of weights ----
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_down_load(Warp& w, const At& at) {
  const Share own = share(w, 24);
  const RouteTable& routes = w.table();
  for (int first = 0; first < (own.begin < own.end ? routes.active : 0); first += 2) {
    const int group = routes.active - first < 2 ? routes.active - first : 2;
    w.ring_acquire(150);
    const u32 each = u32(own.end - own.begin) * 2176;
    for (int i = 0; i < group; ++i) {
      w.ring_copy(151, u32(i) * each, w.image(at.image + 2642688 + size_t(routes.expert[first + i]) * 52224 + size_t(own.begin) * 2176), each);
    }
    w.ring_commit(152, u32(group) * each);
  }
  if (w.index == 0) w.signal_local(153, L_table);
}
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_down_compute(Warp& w, const At& at) {
  const Share own = share(w, 24);
  w.wait(154, C_sliding_experts_expert_up, at.runs(C_sliding_experts_expert_up) + 1);
  w.slots_acquire(155);
  const RouteTable& routes = w.table();
  for (int first = 0; first < (own.begin < own.end ? routes.active : 0); first += 2) {
    const int group = routes.active - first < 2 ? routes.active - first : 2;
    const char* page = w.ring_await(156);
    reads_all(w, at, R_sliding_experts_expert_up_expertColumns);
    // cells of all groups are dealt out in turn: no warp waits for the end of a page
    const int tiles = own.end - own.begin, before = first * tiles;
    for (int cell = (w.index + w.count - before % w.count) % w.count; cell < group * tiles; cell += w.count) {
      const int active = first + cell / tiles;
      const char* codes = page + cell * 2176;
      Exact sum = nothing();
      for (int unit = 0; unit < 8; unit += 1) {
        Staged<1> x;
        stage(w, x, w.ws<bf16>(B_sliding_experts_expert_up_expertColumns) + size_t(active) * 2048, unit);
        Acc acc = zeros();
        multiply<E2M1, 1>(w, acc, codes + unit * 256, codes + 2048 + unit * 16, x);
        add_routed(w, sum, acc, active);
      }
      w.slots_put(sum, cell % tiles, active);
    }
    w.ring_release(157);
  }
  w.slots_commit(158);
}
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_down_epilogue(Warp& w, const At& at) {
  const Share own = share(w, 24);
  w.slots_await(159);
  reads_all(w, at, R_sliding_experts_o_plain);
  writes_own(w, at, R_x_columns);
  writes_own(w, at, R_x_plain);
  for (int t = own.begin + w.index; t < own.end; t += w.count) {
    Acc acc = rounded(w, w.slots_total(t - own.begin));
    const int u = t;
    each_pair(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 16 + i, n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      const float v1_low = w.ws<const float>(B_sliding_experts_o_plain)[c * 384 + n_low];
      const float v1_high = w.ws<const float>(B_sliding_experts_o_plain)[c * 384 + n_high];
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
#line 59 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(164);
    w.ring_copy(165, 0, w.image(at.image + 768 + size_t(tile) * 25088), 25088);
    w.ring_commit(166, 25088);
  }
}
#line 59 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_qkv_compute(Warp& w, const At& at) {
  w.wait(167, C_x, at.runs(C_x));
  reads_all(w, at, R_x_columns);
  if (empty(share(w, 22))) return;  // no tile on this SM
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage(w, x, w.ws<bf16>(B_x_columns), part * 3);
  normalise(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 4, 168,
            [](float x) { return (x * x); },
            [](float x, float mean, float weight) { return ((x * (1.0f / sqrtf((mean + 0.00000999999975f)))) * weight); });
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(169);
    multiply<E4M3, 3>(w, acc, page + (tile_of_page * 4 + part) * 1568, page + (tile_of_page * 4 + part) * 1568 + 1536, x);
    w.ring_release(170);
    w.join_acquire(171);
    w.join_put(w.index, acc);
    w.join_commit(172);
  }
}
#line 59 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_qkv_epilogue(Warp& w, const At& at) {
  w.wait(174, C_x, at.runs(C_x));
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(175);
    writes_own(w, at, R_full_experts_qkv_queries);
    writes_own(w, at, R_full_experts_qkv_keys);
    writes_own(w, at, R_full_experts_qkv_values);
    for (int g = 0; g < 4; ++g) {
      const int t = tile * 4 + g;
      Acc acc = w.join_sum(g * 4, 4);
      const int in_period = t % 11, outer = t / 11;
      if (in_period < 6) {
        const int u = in_period;
        each_pair(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int j = u % 3, first = u / 3 * 48;
          const bool rotates = j < 1;
          const int d = 8 * j + i;
          const int n_low = first + (rotates ? d : 16 * j + i), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_500000_16[d];
            const float cosine = cosf(angle), sine = sinf(angle);
            v1_low = v0_low * cosine - v0_high * sine;
            v1_high = v0_high * cosine + v0_low * sine;
          }
          w.ws<bf16>(B_full_experts_qkv_queries)[(outer * 16 + c * 2 + (n_low) / 48) * 48 + (n_low) % 48] = to_bf16(v1_low);
          w.ws<bf16>(B_full_experts_qkv_queries)[(outer * 16 + c * 2 + (n_high) / 48) * 48 + (n_high) % 48] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 6 && in_period < 9) {
        const int u = in_period - 6;
        each_pair(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int j = u % 3, first = u / 3 * 48;
          const bool rotates = j < 1;
          const int d = 8 * j + i;
          const int n_low = first + (rotates ? d : 16 * j + i), n_high = n_low + (rotates ? 8 : 8);
          const float v0_low = low;
          const float v0_high = high;
          float v1_low = v0_low, v1_high = v0_high;
          if (rotates) {
            const float angle = float(at.block->position[c]) * rope_500000_16[d];
            const float cosine = cosf(angle), sine = sinf(angle);
            v1_low = v0_low * cosine - v0_high * sine;
            v1_high = v0_high * cosine + v0_low * sine;
          }
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_keys))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_low, 48)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_keys))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_high, 48)] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 9 && in_period < 11) {
        const int u = in_period - 9;
        each_pair(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          const float v1_low = (v0_low * 0.611999989f);
          const float v1_high = (v0_high * 0.611999989f);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_values))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_values))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
        });
      }
    }
    w.join_release(176);
  }
  w.role_barrier(177);
  if (w.index == 0) w.signal(178, C_full_experts_qkv);
}

// ---- full_experts.attend ----
#line 64 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_attend_load(Warp& w, const At& at) {
  w.wait(179, C_full_experts_qkv, at.runs(C_full_experts_qkv) + 1);
  const Spans spans = visible_spans(at.block->position, at.block->rows, 0);
  const Share tasks = share(w, 8 * spans.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    w.ring_acquire(180);
    reads_all(w, at, R_full_experts_qkv_keys);
    reads_all(w, at, R_full_experts_qkv_values);
    const size_t slot = size_t(task / spans.count * 32 + (spans.first + task % spans.count) % 32);
    w.ring_copy(181, 0, w.kv(at.kv + B_full_experts_qkv_keys) + slot * 8192, 8192);
    w.ring_copy(181, 8192, w.kv(at.kv + B_full_experts_qkv_values) + slot * 4096, 4096);
    w.ring_commit(182, 12288);
  }
}
#line 64 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_attend_compute(Warp& w, const At& at) {
  w.wait(183, C_full_experts_qkv, at.runs(C_full_experts_qkv) + 1);
  const Spans spans = visible_spans(at.block->position, at.block->rows, 0);
  const Share tasks = share(w, 8 * spans.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const char* page = w.ring_await(184);
    reads_all(w, at, R_full_experts_qkv_queries);
    writes_own(w, at, R_full_experts_attend_partials);
    const int head = task / spans.count, span = task % spans.count;
    const bf16* q = w.ws<bf16>(B_full_experts_qkv_queries) + size_t(head) * 768;
    float* o = w.ws<float>(B_full_experts_attend_partials) + size_t(head) * 17408;
    float* peak = o + 16384;
    float* total = peak + 512;
    for (int m = (w.index + w.count - task * 1 % w.count) % w.count; m < 1; m += w.count) {
      const size_t row = size_t(span) * 16 + m * 16;
      attend_span<2, 48, 32>(w, page, page + 8192, q, m, (spans.first + span) * 64,
          RowPositions{at.block->position, at.block->rows}, 0, 0.144337565f, o + row * 32, peak + row, total + row);
    }
    w.ring_release(185);
  }
  w.role_barrier(186);
  if (w.index == 0) w.signal(187, C_full_experts_attend);
}

// ---- full_experts.attend.merge ----
#line 64 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_attend_merge_compute(Warp& w, const At& at) {
  w.wait(188, C_full_experts_attend, at.runs(C_full_experts_attend) + 1);
  reads_all(w, at, R_full_experts_attend_partials);
  writes_own(w, at, R_full_experts_attend_columns);
  const Spans spans = visible_spans(at.block->position, at.block->rows, 0);
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int head = task / (at.block->rows * 2), m_row = task % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_full_experts_attend_partials) + size_t(head) * 17408;
    merge_spans<32>(w, o, o + 16384, o + 16896, 16, m_row, spans.count, nullptr,
        w.ws<bf16>(B_full_experts_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(189);
  if (w.index == 0) w.signal(190, C_full_experts_attend_merge);
}

// ---- full_experts.o: 384 KiB of weights ----
#line 71 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(191);
    w.ring_copy(192, 0, w.image(at.image + 552704 + size_t(tile) * 32768), 32768);
    w.ring_commit(193, 32768);
  }
}
#line 71 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_o_compute(Warp& w, const At& at) {
  w.wait(194, C_full_experts_attend_merge, at.runs(C_full_experts_attend_merge) + 1);
  reads_all(w, at, R_full_experts_attend_columns);
  if (empty(share(w, 12))) return;  // no tile on this SM
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, w.ws<bf16>(B_full_experts_attend_columns), part * 2);
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
#line 71 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_o_epilogue(Warp& w, const At& at) {
  w.wait(201, C_full_experts_attend_merge, at.runs(C_full_experts_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(202);
    reads_all(w, at, R_x_plain);
    writes_own(w, at, R_full_experts_o_columns);
    writes_own(w, at, R_full_experts_o_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc acc = rounded(w, w.join_total(g * 8, 8));
      const int u = t;
      each_pair(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = w.ws<const float>(B_x_plain)[c * 384 + n_low];
        const float v1_high = w.ws<const float>(B_x_plain)[c * 384 + n_high];
        const float v2_low = (v1_low + v0_low);
        const float v2_high = (v1_high + v0_high);
        w.ws<bf16>(B_full_experts_o_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
        w.ws<bf16>(B_full_experts_o_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
        w.ws<float>(B_full_experts_o_plain)[c * 384 + n_low] = v2_low;
        w.ws<float>(B_full_experts_o_plain)[c * 384 + n_high] = v2_high;
      });
    }
    w.join_release(203);
  }
  w.role_barrier(204);
  if (w.index == 0) w.signal(205, C_full_experts_o);
}

// ---- full_experts.router: 24 KiB of weights ----
#line 84 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_router_load(Warp& w, const At& at) {
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(206);
    w.ring_copy(207, 0, w.image(at.image + 946688 + size_t(tile) * 24576), 24576);
    w.ring_commit(208, 24576);
  }
}
#line 84 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_router_compute(Warp& w, const At& at) {
  w.wait(209, C_full_experts_o, at.runs(C_full_experts_o) + 1);
  reads_all(w, at, R_full_experts_o_columns);
  if (empty(share(w, 1))) return;  // no tile on this SM
  const int part = w.index % 12;
  Staged<1> x;
  stage(w, x, w.ws<bf16>(B_full_experts_o_columns), part * 1);
  normalise(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 945920)), 12, 210,
            [](float x) { return (x * x); },
            [](float x, float mean, float weight) { return ((x * (1.0f / sqrtf((mean + 0.00000999999975f)))) * weight); });
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(211);
    if (w.index < 12) multiply<F32, 1>(w, acc, page + part * 2048, page + part * 2048 + 2048, x);
    w.ring_release(212);
    w.join_acquire(213);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(214);
  }
}
#line 84 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_router_epilogue(Warp& w, const At& at) {
  w.wait(216, C_full_experts_o, at.runs(C_full_experts_o) + 1);
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(217);
    writes_own(w, at, R_full_experts_router_plain);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 16 + i, n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_full_experts_router_plain)[c * 16 + n_low] = v0_low;
      w.ws<float>(B_full_experts_router_plain)[c * 16 + n_high] = v0_high;
    });
    w.join_release(218);
  }
  w.role_barrier(219);
  if (w.index == 0) w.signal(220, C_full_experts_router);
}

// ---- full_experts.route ----
#line 84 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_route_compute(Warp& w, const At& at) {
  w.wait(221, C_full_experts_router, at.runs(C_full_experts_router) + 1);
  w.wait_local(222, L_table, at.runs(T_table));
  reads_all(w, at, R_full_experts_router_plain);
  route(w, w.ws<const float>(B_full_experts_router_plain), reinterpret_cast<const float*>(w.image(at.image + 971264)), at.block->rows, true, 9.99999968e-21f, 1.0f, 223,
        [](float logit) { return sigmoid(logit); },
        [](float score, float bias) { return (score + bias); });
  if (w.index == 0) w.signal_local(224, L_route);
}

// ---- full_experts.expert.up: 1.6 MiB of weights ----
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_up_load(Warp& w, const At& at) {
  w.wait_local(228, L_route, at.runs(T_route) + 1);
  const Share tiles = share(w, w.table().active * 8);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    const int active = tile / 8;
    w.ring_acquire(225);
    w.ring_copy(226, 0, w.image(at.image + 971392 + size_t(w.table().expert[active]) * 104448 + size_t((tile % 8)) * 13056), 13056);
    w.ring_commit(227, 13056);
  }
}
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_up_compute(Warp& w, const At& at) {
  reads_all(w, at, R_full_experts_o_columns);
  if (empty(share(w, w.table().active * 8))) return;  // no tile on this SM
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage(w, x, w.ws<bf16>(B_full_experts_o_columns), part * 3);
  normalise(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 945920)), 4, 229,
            [](float x) { return (x * x); },
            [](float x, float mean, float weight) { return ((x * (1.0f / sqrtf((mean + 0.00000999999975f)))) * weight); });
  const Share tiles = share(w, w.table().active * 8);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    const int active = tile / 8;
    Acc acc = zeros();
    const char* page = w.ring_await(230);
    multiply<E2M1, 3>(w, acc, page + (tile_of_page * 4 + part) * 816, page + (tile_of_page * 4 + part) * 816 + 768, x);
    w.ring_release(231);
    w.join_acquire(232);
    w.join_put(w.index, acc);
    w.join_commit(233);
  }
}
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_up_epilogue(Warp& w, const At& at) {
  w.wait_local(235, L_route, at.runs(T_route) + 1);
  const Share tiles = share(w, w.table().active * 8);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    const int active = tile / 8;
    w.join_wait(236);
    writes_own(w, at, R_full_experts_expert_up_expertColumns);
    for (int g = 0; g < 4; ++g) {
      const int t = (tile % 8) * 4 + g;
      Acc acc = w.join_sum(g * 4, 4);
      const int u = t;
      each_pair(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 8 + i;
        (void)high;
        const float v0_low = ((low * sigmoid(low)) * high);
        w.ws<bf16>(B_full_experts_expert_up_expertColumns)[size_t(active) * 2048 + columns_at(n_low, c)] = to_bf16(v0_low);
      });
    }
    w.join_release(237);
  }
  w.role_barrier(238);
  if (w.index == 0) w.signal(239, C_full_experts_expert_up);
}

// ---- full_experts.expert.down: 816 KiB of weights ----
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_down_load(Warp& w, const At& at) {
  const Share own = share(w, 24);
  const RouteTable& routes = w.table();
  for (int first = 0; first < (own.begin < own.end ? routes.active : 0); first += 2) {
    const int group = routes.active - first < 2 ? routes.active - first : 2;
    w.ring_acquire(240);
    const u32 each = u32(own.end - own.begin) * 2176;
    for (int i = 0; i < group; ++i) {
      w.ring_copy(241, u32(i) * each, w.image(at.image + 2642560 + size_t(routes.expert[first + i]) * 52224 + size_t(own.begin) * 2176), each);
    }
    w.ring_commit(242, u32(group) * each);
  }
  if (w.index == 0) w.signal_local(243, L_table);
}
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_down_compute(Warp& w, const At& at) {
  const Share own = share(w, 24);
  w.wait(244, C_full_experts_expert_up, at.runs(C_full_experts_expert_up) + 1);
  w.slots_acquire(245);
  const RouteTable& routes = w.table();
  for (int first = 0; first < (own.begin < own.end ? routes.active : 0); first += 2) {
    const int group = routes.active - first < 2 ? routes.active - first : 2;
    const char* page = w.ring_await(246);
    reads_all(w, at, R_full_experts_expert_up_expertColumns);
    // cells of all groups are dealt out in turn: no warp waits for the end of a page
    const int tiles = own.end - own.begin, before = first * tiles;
    for (int cell = (w.index + w.count - before % w.count) % w.count; cell < group * tiles; cell += w.count) {
      const int active = first + cell / tiles;
      const char* codes = page + cell * 2176;
      Exact sum = nothing();
      for (int unit = 0; unit < 8; unit += 1) {
        Staged<1> x;
        stage(w, x, w.ws<bf16>(B_full_experts_expert_up_expertColumns) + size_t(active) * 2048, unit);
        Acc acc = zeros();
        multiply<E2M1, 1>(w, acc, codes + unit * 256, codes + 2048 + unit * 16, x);
        add_routed(w, sum, acc, active);
      }
      w.slots_put(sum, cell % tiles, active);
    }
    w.ring_release(247);
  }
  w.slots_commit(248);
}
#line 95 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_down_epilogue(Warp& w, const At& at) {
  const Share own = share(w, 24);
  w.slots_await(249);
  reads_all(w, at, R_full_experts_o_plain);
  writes_own(w, at, R_x_columns);
  writes_own(w, at, R_x_plain);
  for (int t = own.begin + w.index; t < own.end; t += w.count) {
    Acc acc = rounded(w, w.slots_total(t - own.begin));
    const int u = t;
    each_pair(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 16 + i, n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      const float v1_low = w.ws<const float>(B_full_experts_o_plain)[c * 384 + n_low];
      const float v1_high = w.ws<const float>(B_full_experts_o_plain)[c * 384 + n_high];
      const float v2_low = (v1_low + v0_low);
      const float v2_high = (v1_high + v0_high);
      w.ws<bf16>(B_x_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
      w.ws<bf16>(B_x_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
      w.ws<float>(B_x_plain)[c * 384 + n_low] = v2_low;
      w.ws<float>(B_x_plain)[c * 384 + n_high] = v2_high;
    });
  }
  w.slots_release(251);
  w.role_barrier(252);
  if (w.index == 0) w.signal(253, C_x);
}

// ==== end ====

// ---- end.head: 3.1 MiB of weights ----
#line 123 "models/mimo/graph.ts"
TILE_PHASE static void end_head_load(Warp& w, const At& at) {
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(254);
    w.ring_copy(255, 0, w.image(at.image + 768 + size_t(tile) * 12288), 12288);
    w.ring_commit(256, 12288);
  }
}
#line 123 "models/mimo/graph.ts"
TILE_PHASE static void end_head_compute(Warp& w, const At& at) {
  w.wait(257, C_x, at.runs(C_x));
  reads_all(w, at, R_x_columns);
  if (empty(share(w, 264))) return;  // no tile on this SM
  const int part = w.index % 12;
  Staged<1> x;
  stage(w, x, w.ws<bf16>(B_x_columns), part * 1);
  normalise(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 12, 258,
            [](float x) { return (x * x); },
            [](float x, float mean, float weight) { return ((x * (1.0f / sqrtf((mean + 0.00000999999975f)))) * weight); });
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(259);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(260);
    w.join_acquire(261);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(262);
  }
}
#line 123 "models/mimo/graph.ts"
TILE_PHASE static void end_head_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(264);
    writes_own(w, at, R_end_head_logits);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 16 + i, n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_end_head_logits)[size_t(c) * 4224 + n_low] = v0_low;
      w.ws<float>(B_end_head_logits)[size_t(c) * 4224 + n_high] = v0_high;
    });
    w.join_release(265);
  }
  w.role_barrier(266);
  if (w.index == 0) w.signal(267, C_end_head);
}

// ---- end.logits ----
#line 123 "models/mimo/graph.ts"
TILE_PHASE static void end_logits_compute(Warp& w, const At& at) {
  w.wait(268, C_end_head, at.runs(C_end_head) + 1);
  reads_all(w, at, R_end_head_logits);
  if (w.rank == 0 && w.sm == 0) finish_target(w, *at.round, w.ws<const float>(B_end_head_logits), 4224);
}

// ==== roles ====

template <class Phase>
TILE_FN void run(Warp& w, const At& at, int phase, Phase body) {
  const Traced traced(w, at.round->round, at.entry, phase);
  body(w, at);
}

static TILE_FN void run_load(Warp& w) {
  for (;;) {
    const RoundControl& c = begin_round(w);
    if (c.op == round_quit) return;
    for (int entry = 0; entry < Plan::entries; ++entry) {
      if (!c.runs(entry_program[entry])) continue;
      const At at = entry_of(c, entry);
      switch (entry_segment[entry]) {
        case 1:  // full_dense
          run(w, at, 0, full_dense_qkv_load);
          run(w, at, 1, full_dense_attend_load);
          run(w, at, 3, full_dense_o_load);
          run(w, at, 4, full_dense_dense_up_load);
          run(w, at, 5, full_dense_dense_down_load);
          break;
        case 2:  // sliding_experts
          run(w, at, 0, sliding_experts_qkv_load);
          run(w, at, 1, sliding_experts_attend_load);
          run(w, at, 3, sliding_experts_o_load);
          run(w, at, 4, sliding_experts_router_load);
          run(w, at, 6, sliding_experts_expert_up_load);
          run(w, at, 7, sliding_experts_expert_down_load);
          break;
        case 3:  // full_experts
          run(w, at, 0, full_experts_qkv_load);
          run(w, at, 1, full_experts_attend_load);
          run(w, at, 3, full_experts_o_load);
          run(w, at, 4, full_experts_router_load);
          run(w, at, 6, full_experts_expert_up_load);
          run(w, at, 7, full_experts_expert_down_load);
          break;
        case 4:  // end
          run(w, at, 0, end_head_load);
          break;
        default: break;
      }
    }
  }
}

static TILE_FN void run_compute(Warp& w) {
  first_round(w);
  for (;;) {
    const RoundControl& c = begin_round(w);
    if (c.op == round_quit) return;
    for (int entry = 0; entry < Plan::entries; ++entry) {
      if (!c.runs(entry_program[entry])) continue;
      const At at = entry_of(c, entry);
      switch (entry_segment[entry]) {
        case 0:  // begin
          run(w, at, 0, begin_embed_tokens_compute);
          break;
        case 1:  // full_dense
          run(w, at, 0, full_dense_qkv_compute);
          run(w, at, 1, full_dense_attend_compute);
          run(w, at, 2, full_dense_attend_merge_compute);
          run(w, at, 3, full_dense_o_compute);
          run(w, at, 4, full_dense_dense_up_compute);
          run(w, at, 5, full_dense_dense_down_compute);
          break;
        case 2:  // sliding_experts
          run(w, at, 0, sliding_experts_qkv_compute);
          run(w, at, 1, sliding_experts_attend_compute);
          run(w, at, 2, sliding_experts_attend_merge_compute);
          run(w, at, 3, sliding_experts_o_compute);
          run(w, at, 4, sliding_experts_router_compute);
          run(w, at, 5, sliding_experts_route_compute);
          run(w, at, 6, sliding_experts_expert_up_compute);
          run(w, at, 7, sliding_experts_expert_down_compute);
          break;
        case 3:  // full_experts
          run(w, at, 0, full_experts_qkv_compute);
          run(w, at, 1, full_experts_attend_compute);
          run(w, at, 2, full_experts_attend_merge_compute);
          run(w, at, 3, full_experts_o_compute);
          run(w, at, 4, full_experts_router_compute);
          run(w, at, 5, full_experts_route_compute);
          run(w, at, 6, full_experts_expert_up_compute);
          run(w, at, 7, full_experts_expert_down_compute);
          break;
        case 4:  // end
          run(w, at, 0, end_head_compute);
          run(w, at, 1, end_logits_compute);
          break;
        default: break;
      }
    }
  }
}

static TILE_FN void run_epilogue(Warp& w) {
  for (;;) {
    const RoundControl& c = begin_round(w);
    if (c.op == round_quit) return;
    for (int entry = 0; entry < Plan::entries; ++entry) {
      if (!c.runs(entry_program[entry])) continue;
      const At at = entry_of(c, entry);
      switch (entry_segment[entry]) {
        case 1:  // full_dense
          run(w, at, 0, full_dense_qkv_epilogue);
          run(w, at, 3, full_dense_o_epilogue);
          run(w, at, 4, full_dense_dense_up_epilogue);
          run(w, at, 5, full_dense_dense_down_epilogue);
          break;
        case 2:  // sliding_experts
          run(w, at, 0, sliding_experts_qkv_epilogue);
          run(w, at, 3, sliding_experts_o_epilogue);
          run(w, at, 4, sliding_experts_router_epilogue);
          run(w, at, 6, sliding_experts_expert_up_epilogue);
          run(w, at, 7, sliding_experts_expert_down_epilogue);
          break;
        case 3:  // full_experts
          run(w, at, 0, full_experts_qkv_epilogue);
          run(w, at, 3, full_experts_o_epilogue);
          run(w, at, 4, full_experts_router_epilogue);
          run(w, at, 6, full_experts_expert_up_epilogue);
          run(w, at, 7, full_experts_expert_down_epilogue);
          break;
        case 4:  // end
          run(w, at, 0, end_head_epilogue);
          break;
        default: break;
      }
    }
  }
}

static TILE_FN void run_communicate(Warp& w) {
  for (;;) {
    const RoundControl& c = begin_round(w);
    if (c.op == round_quit) return;
    for (int entry = 0; entry < Plan::entries; ++entry) {
      if (!c.runs(entry_program[entry])) continue;
      const At at = entry_of(c, entry);
      switch (entry_segment[entry]) {
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
