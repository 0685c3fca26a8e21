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
  static constexpr int entries = 20, phases = 8;
  static constexpr int load_warps = 1, compute_warps = 16, epilogue_warps = 2, communicate_warps = 1;
  static constexpr unsigned ring_page_bytes = 32768, slots_bytes = 4096, scratch_bytes = 26944;
  static constexpr int ring_depth = 4, join_depth = 2, join_parts = 32;
  static constexpr int experts = 16, max_active = 16, top_k = 4, expert_group = 2;
  using Exchange = tile::i64;
  static constexpr size_t image_bytes = 35582976, kv_bytes = 12189696, workspace_bytes = 2491776;
  static constexpr size_t counters_at = 0, abort_at = 8704, control_at = 8832, control_inbox_at = 9600;
  static constexpr size_t decode_at = 10624, sampler_at = 15232, history_at = 123776, inbox_at = 11136, logits_inbox_at = 15232;
  static constexpr size_t zeroed_bytes = 15232;
  static constexpr int counters = 68, control_counter = 66, control_left_counter = 67, local_counters = 2;
  static constexpr int warps = load_warps + compute_warps + epilogue_warps + communicate_warps;
  TILE_BOTH static constexpr unsigned arrivals(int counter) { return counter == control_counter ? 1 : counter == control_left_counter ? sms * warps : sms; }
  TILE_BOTH static constexpr unsigned local_arrivals(int) { return 1; }
  static constexpr const char* counter_names[] = {"x", "full_dense.qkv", "full_dense.attend", "full_dense.attend.merge", "full_dense.o", "full_dense.dense.up", "sliding_experts.qkv", "sliding_experts.attend", "sliding_experts.o", "sliding_experts.router", "sliding_experts.route", "sliding_experts.expert.up", "sliding_experts.expert.up.early", "full_experts.qkv", "full_experts.attend", "full_experts.attend.merge", "full_experts.o", "full_experts.router", "full_experts.route", "full_experts.expert.up", "full_experts.expert.up.early", "end.head", "end.logits.firsts", "end.logits", "commit_x", "commit_layer.kv", "commit_layer.norm", "commit_layer2.kv", "commit_layer2.norm", "commit_layer3.kv", "commit_layer3.norm", "commit_layer4.kv", "commit_layer4.norm", "commit_end.conclude", "draft_x", "draft_sliding_dense.qkv", "draft_sliding_dense.norm", "draft_sliding_dense.norm2", "draft_sliding_dense.attend", "draft_sliding_dense.attend.merge", "draft_sliding_dense.o", "draft_sliding_dense.dense.up", "draft_sliding_dense2.qkv", "draft_sliding_dense2.norm", "draft_sliding_dense2.norm2", "draft_sliding_dense2.attend", "draft_sliding_dense2.attend.merge", "draft_sliding_dense2.o", "draft_sliding_dense2.dense.up", "draft_sliding_dense3.qkv", "draft_sliding_dense3.norm", "draft_sliding_dense3.norm2", "draft_sliding_dense3.attend", "draft_sliding_dense3.attend.merge", "draft_sliding_dense3.o", "draft_sliding_dense3.dense.up", "draft_sliding_dense4.qkv", "draft_sliding_dense4.norm", "draft_sliding_dense4.norm2", "draft_sliding_dense4.attend", "draft_sliding_dense4.attend.merge", "draft_sliding_dense4.o", "draft_sliding_dense4.dense.up", "draft_end.head", "draft_end.logits.firsts", "draft_end.logits", "round control", "left round"};
  static constexpr int sites = 712, site_round = 708, site_relay = 709, site_mailbox = 710, site_sample = 711;
  static constexpr const char* site_names[] = {
    "begin.embed_tokens/compute barrier", "begin.embed_tokens/compute signal x", "full_dense.qkv/load acquire ring", "full_dense.qkv/load copy page",
    "full_dense.qkv/load commit ring", "full_dense.qkv/compute wait x", "full_dense.qkv/compute norm barrier", "full_dense.qkv/compute await ring",
    "full_dense.qkv/compute release ring", "full_dense.qkv/compute acquire join", "full_dense.qkv/compute commit join", "full_dense.qkv/epilogue finish",
    "full_dense.qkv/epilogue barrier", "full_dense.qkv/epilogue signal full_dense.qkv", "full_dense.qkv/epilogue wait x", "full_dense.qkv/epilogue await join",
    "full_dense.qkv/epilogue release join", "full_dense.attend/load wait full_dense.qkv", "full_dense.attend/load acquire ring", "full_dense.attend/load copy span",
    "full_dense.attend/load commit ring", "full_dense.attend/compute wait full_dense.qkv", "full_dense.attend/compute await ring", "full_dense.attend/compute attend barrier",
    "full_dense.attend/compute release ring", "full_dense.attend/compute barrier", "full_dense.attend/compute signal full_dense.attend", "full_dense.attend.merge/compute wait full_dense.attend",
    "full_dense.attend.merge/compute barrier", "full_dense.attend.merge/compute signal full_dense.attend.merge", "full_dense.o/load acquire ring", "full_dense.o/load copy page",
    "full_dense.o/load commit ring", "full_dense.o/compute wait full_dense.attend.merge", "full_dense.o/compute norm barrier", "full_dense.o/compute await ring",
    "full_dense.o/compute release ring", "full_dense.o/compute acquire join", "full_dense.o/compute commit join", "full_dense.o/epilogue finish",
    "full_dense.o/epilogue barrier", "full_dense.o/epilogue signal full_dense.o", "full_dense.o/epilogue wait full_dense.attend.merge", "full_dense.o/epilogue await join",
    "full_dense.o/epilogue release join", "full_dense.dense.up/load acquire ring", "full_dense.dense.up/load copy page", "full_dense.dense.up/load commit ring",
    "full_dense.dense.up/compute wait full_dense.o", "full_dense.dense.up/compute norm barrier", "full_dense.dense.up/compute await ring", "full_dense.dense.up/compute release ring",
    "full_dense.dense.up/compute acquire join", "full_dense.dense.up/compute commit join", "full_dense.dense.up/epilogue finish", "full_dense.dense.up/epilogue barrier",
    "full_dense.dense.up/epilogue signal full_dense.dense.up", "full_dense.dense.up/epilogue wait full_dense.o", "full_dense.dense.up/epilogue await join", "full_dense.dense.up/epilogue release join",
    "full_dense.dense.down/load acquire ring", "full_dense.dense.down/load copy page", "full_dense.dense.down/load commit ring", "full_dense.dense.down/compute wait full_dense.dense.up",
    "full_dense.dense.down/compute norm barrier", "full_dense.dense.down/compute await ring", "full_dense.dense.down/compute release ring", "full_dense.dense.down/compute acquire join",
    "full_dense.dense.down/compute commit join", "full_dense.dense.down/epilogue finish", "full_dense.dense.down/epilogue barrier", "full_dense.dense.down/epilogue signal x",
    "full_dense.dense.down/epilogue wait full_dense.dense.up", "full_dense.dense.down/epilogue await join", "full_dense.dense.down/epilogue release join", "sliding_experts.qkv/load acquire ring",
    "sliding_experts.qkv/load copy page", "sliding_experts.qkv/load commit ring", "sliding_experts.qkv/compute wait x", "sliding_experts.qkv/compute norm barrier",
    "sliding_experts.qkv/compute await ring", "sliding_experts.qkv/compute release ring", "sliding_experts.qkv/compute acquire join", "sliding_experts.qkv/compute commit join",
    "sliding_experts.qkv/epilogue finish", "sliding_experts.qkv/epilogue barrier", "sliding_experts.qkv/epilogue signal sliding_experts.qkv", "sliding_experts.qkv/epilogue wait x",
    "sliding_experts.qkv/epilogue await join", "sliding_experts.qkv/epilogue release join", "sliding_experts.attend/compute wait sliding_experts.qkv", "sliding_experts.attend/compute barrier of sums",
    "sliding_experts.attend/compute barrier", "sliding_experts.attend/compute signal sliding_experts.attend", "sliding_experts.o/load acquire ring", "sliding_experts.o/load copy page",
    "sliding_experts.o/load commit ring", "sliding_experts.o/compute wait sliding_experts.attend", "sliding_experts.o/compute norm barrier", "sliding_experts.o/compute await ring",
    "sliding_experts.o/compute release ring", "sliding_experts.o/compute acquire join", "sliding_experts.o/compute commit join", "sliding_experts.o/epilogue finish",
    "sliding_experts.o/epilogue barrier", "sliding_experts.o/epilogue signal sliding_experts.o", "sliding_experts.o/epilogue wait sliding_experts.attend", "sliding_experts.o/epilogue await join",
    "sliding_experts.o/epilogue release join", "sliding_experts.router/load acquire ring", "sliding_experts.router/load copy page", "sliding_experts.router/load commit ring",
    "sliding_experts.router/compute wait sliding_experts.o", "sliding_experts.router/compute norm barrier", "sliding_experts.router/compute await ring", "sliding_experts.router/compute release ring",
    "sliding_experts.router/compute acquire join", "sliding_experts.router/compute commit join", "sliding_experts.router/epilogue finish", "sliding_experts.router/epilogue barrier",
    "sliding_experts.router/epilogue signal sliding_experts.router", "sliding_experts.router/epilogue wait sliding_experts.o", "sliding_experts.router/epilogue await join", "sliding_experts.router/epilogue release join",
    "sliding_experts.route/compute wait sliding_experts.router", "sliding_experts.route/compute wait table", "sliding_experts.route/compute route barrier", "sliding_experts.route/compute signal route",
    "sliding_experts.expert.up/load acquire ring", "sliding_experts.expert.up/load copy page", "sliding_experts.expert.up/load commit ring", "sliding_experts.expert.up/load wait route",
    "sliding_experts.expert.up/compute norm barrier", "sliding_experts.expert.up/compute await ring", "sliding_experts.expert.up/compute release ring", "sliding_experts.expert.up/compute acquire join",
    "sliding_experts.expert.up/compute commit join", "sliding_experts.expert.up/epilogue finish", "sliding_experts.expert.up/epilogue barrier", "sliding_experts.expert.up/epilogue signal sliding_experts.expert.up",
    "sliding_experts.expert.up/epilogue wait route", "sliding_experts.expert.up/epilogue await join", "sliding_experts.expert.up/epilogue release join", "sliding_experts.expert.down/load acquire ring",
    "sliding_experts.expert.down/load copy group", "sliding_experts.expert.down/load commit ring", "sliding_experts.expert.down/load signal table", "sliding_experts.expert.down/compute wait sliding_experts.expert.up",
    "sliding_experts.expert.down/compute acquire slots", "sliding_experts.expert.down/compute rows barrier", "sliding_experts.expert.down/compute await ring", "sliding_experts.expert.down/compute release ring",
    "sliding_experts.expert.down/compute commit slots", "sliding_experts.expert.down/epilogue await slots", "sliding_experts.expert.down/epilogue finish", "sliding_experts.expert.down/epilogue release slots",
    "sliding_experts.expert.down/epilogue barrier", "sliding_experts.expert.down/epilogue signal x", "full_experts.qkv/load acquire ring", "full_experts.qkv/load copy page",
    "full_experts.qkv/load commit ring", "full_experts.qkv/compute wait x", "full_experts.qkv/compute norm barrier", "full_experts.qkv/compute await ring",
    "full_experts.qkv/compute release ring", "full_experts.qkv/compute acquire join", "full_experts.qkv/compute commit join", "full_experts.qkv/epilogue finish",
    "full_experts.qkv/epilogue barrier", "full_experts.qkv/epilogue signal full_experts.qkv", "full_experts.qkv/epilogue wait x", "full_experts.qkv/epilogue await join",
    "full_experts.qkv/epilogue release join", "full_experts.attend/load wait full_experts.qkv", "full_experts.attend/load acquire ring", "full_experts.attend/load copy span",
    "full_experts.attend/load commit ring", "full_experts.attend/compute wait full_experts.qkv", "full_experts.attend/compute await ring", "full_experts.attend/compute attend barrier",
    "full_experts.attend/compute release ring", "full_experts.attend/compute barrier", "full_experts.attend/compute signal full_experts.attend", "full_experts.attend.merge/compute wait full_experts.attend",
    "full_experts.attend.merge/compute barrier", "full_experts.attend.merge/compute signal full_experts.attend.merge", "full_experts.o/load acquire ring", "full_experts.o/load copy page",
    "full_experts.o/load commit ring", "full_experts.o/compute wait full_experts.attend.merge", "full_experts.o/compute norm barrier", "full_experts.o/compute await ring",
    "full_experts.o/compute release ring", "full_experts.o/compute acquire join", "full_experts.o/compute commit join", "full_experts.o/epilogue finish",
    "full_experts.o/epilogue barrier", "full_experts.o/epilogue signal full_experts.o", "full_experts.o/epilogue wait full_experts.attend.merge", "full_experts.o/epilogue await join",
    "full_experts.o/epilogue release join", "full_experts.router/load acquire ring", "full_experts.router/load copy page", "full_experts.router/load commit ring",
    "full_experts.router/compute wait full_experts.o", "full_experts.router/compute norm barrier", "full_experts.router/compute await ring", "full_experts.router/compute release ring",
    "full_experts.router/compute acquire join", "full_experts.router/compute commit join", "full_experts.router/epilogue finish", "full_experts.router/epilogue barrier",
    "full_experts.router/epilogue signal full_experts.router", "full_experts.router/epilogue wait full_experts.o", "full_experts.router/epilogue await join", "full_experts.router/epilogue release join",
    "full_experts.route/compute wait full_experts.router", "full_experts.route/compute wait table", "full_experts.route/compute route barrier", "full_experts.route/compute signal route",
    "full_experts.expert.up/load acquire ring", "full_experts.expert.up/load copy page", "full_experts.expert.up/load commit ring", "full_experts.expert.up/load wait route",
    "full_experts.expert.up/compute norm barrier", "full_experts.expert.up/compute await ring", "full_experts.expert.up/compute release ring", "full_experts.expert.up/compute acquire join",
    "full_experts.expert.up/compute commit join", "full_experts.expert.up/epilogue finish", "full_experts.expert.up/epilogue barrier", "full_experts.expert.up/epilogue signal full_experts.expert.up",
    "full_experts.expert.up/epilogue wait route", "full_experts.expert.up/epilogue await join", "full_experts.expert.up/epilogue release join", "full_experts.expert.down/load acquire ring",
    "full_experts.expert.down/load copy group", "full_experts.expert.down/load commit ring", "full_experts.expert.down/load signal table", "full_experts.expert.down/compute wait full_experts.expert.up",
    "full_experts.expert.down/compute acquire slots", "full_experts.expert.down/compute rows barrier", "full_experts.expert.down/compute await ring", "full_experts.expert.down/compute release ring",
    "full_experts.expert.down/compute commit slots", "full_experts.expert.down/epilogue await slots", "full_experts.expert.down/epilogue finish", "full_experts.expert.down/epilogue release slots",
    "full_experts.expert.down/epilogue barrier", "full_experts.expert.down/epilogue signal x", "end.head/load acquire ring", "end.head/load copy page",
    "end.head/load commit ring", "end.head/compute wait x", "end.head/compute norm barrier", "end.head/compute await ring",
    "end.head/compute release ring", "end.head/compute acquire join", "end.head/compute commit join", "end.head/epilogue finish",
    "end.head/epilogue barrier", "end.head/epilogue signal end.head", "end.head/epilogue await join", "end.head/epilogue release join",
    "end.logits.firsts/compute wait end.head", "end.logits.firsts/compute barrier", "end.logits.firsts/compute signal end.logits.firsts", "end.logits/compute wait end.logits.firsts",
    "end.logits/compute sample", "commit_begin.fc/load acquire ring", "commit_begin.fc/load copy page", "commit_begin.fc/load commit ring",
    "commit_begin.fc/compute norm barrier", "commit_begin.fc/compute await ring", "commit_begin.fc/compute release ring", "commit_begin.fc/compute acquire join",
    "commit_begin.fc/compute commit join", "commit_begin.fc/epilogue finish", "commit_begin.fc/epilogue barrier", "commit_begin.fc/epilogue signal commit_x",
    "commit_begin.fc/epilogue await join", "commit_begin.fc/epilogue release join", "commit_layer.kv/load acquire ring", "commit_layer.kv/load copy page",
    "commit_layer.kv/load commit ring", "commit_layer.kv/compute wait commit_x", "commit_layer.kv/compute norm barrier", "commit_layer.kv/compute await ring",
    "commit_layer.kv/compute release ring", "commit_layer.kv/compute acquire join", "commit_layer.kv/compute commit join", "commit_layer.kv/epilogue finish",
    "commit_layer.kv/epilogue barrier", "commit_layer.kv/epilogue signal commit_layer.kv", "commit_layer.kv/epilogue wait commit_x", "commit_layer.kv/epilogue await join",
    "commit_layer.kv/epilogue release join", "commit_layer.norm/compute wait commit_layer.kv", "commit_layer.norm/compute barrier", "commit_layer.norm/compute signal commit_layer.norm",
    "commit_layer2.kv/load acquire ring", "commit_layer2.kv/load copy page", "commit_layer2.kv/load commit ring", "commit_layer2.kv/compute wait commit_x",
    "commit_layer2.kv/compute norm barrier", "commit_layer2.kv/compute await ring", "commit_layer2.kv/compute release ring", "commit_layer2.kv/compute acquire join",
    "commit_layer2.kv/compute commit join", "commit_layer2.kv/epilogue finish", "commit_layer2.kv/epilogue barrier", "commit_layer2.kv/epilogue signal commit_layer2.kv",
    "commit_layer2.kv/epilogue wait commit_x", "commit_layer2.kv/epilogue await join", "commit_layer2.kv/epilogue release join", "commit_layer2.norm/compute wait commit_layer2.kv",
    "commit_layer2.norm/compute barrier", "commit_layer2.norm/compute signal commit_layer2.norm", "commit_layer3.kv/load acquire ring", "commit_layer3.kv/load copy page",
    "commit_layer3.kv/load commit ring", "commit_layer3.kv/compute wait commit_x", "commit_layer3.kv/compute norm barrier", "commit_layer3.kv/compute await ring",
    "commit_layer3.kv/compute release ring", "commit_layer3.kv/compute acquire join", "commit_layer3.kv/compute commit join", "commit_layer3.kv/epilogue finish",
    "commit_layer3.kv/epilogue barrier", "commit_layer3.kv/epilogue signal commit_layer3.kv", "commit_layer3.kv/epilogue wait commit_x", "commit_layer3.kv/epilogue await join",
    "commit_layer3.kv/epilogue release join", "commit_layer3.norm/compute wait commit_layer3.kv", "commit_layer3.norm/compute barrier", "commit_layer3.norm/compute signal commit_layer3.norm",
    "commit_layer4.kv/load acquire ring", "commit_layer4.kv/load copy page", "commit_layer4.kv/load commit ring", "commit_layer4.kv/compute wait commit_x",
    "commit_layer4.kv/compute norm barrier", "commit_layer4.kv/compute await ring", "commit_layer4.kv/compute release ring", "commit_layer4.kv/compute acquire join",
    "commit_layer4.kv/compute commit join", "commit_layer4.kv/epilogue finish", "commit_layer4.kv/epilogue barrier", "commit_layer4.kv/epilogue signal commit_layer4.kv",
    "commit_layer4.kv/epilogue wait commit_x", "commit_layer4.kv/epilogue await join", "commit_layer4.kv/epilogue release join", "commit_layer4.norm/compute wait commit_layer4.kv",
    "commit_layer4.norm/compute barrier", "commit_layer4.norm/compute signal commit_layer4.norm", "commit_end.conclude/compute wait commit_layer4.norm", "commit_end.conclude/compute wait commit_layer3.norm",
    "commit_end.conclude/compute wait commit_layer2.norm", "commit_end.conclude/compute wait commit_layer.norm", "commit_end.conclude/compute sample", "commit_end.conclude/compute barrier",
    "commit_end.conclude/compute signal commit_end.conclude", "draft_begin.embed_tokens/compute barrier", "draft_begin.embed_tokens/compute signal draft_x", "draft_sliding_dense.qkv/load acquire ring",
    "draft_sliding_dense.qkv/load copy page", "draft_sliding_dense.qkv/load commit ring", "draft_sliding_dense.qkv/compute wait draft_x", "draft_sliding_dense.qkv/compute wait commit_end.conclude",
    "draft_sliding_dense.qkv/compute norm barrier", "draft_sliding_dense.qkv/compute await ring", "draft_sliding_dense.qkv/compute release ring", "draft_sliding_dense.qkv/compute acquire join",
    "draft_sliding_dense.qkv/compute commit join", "draft_sliding_dense.qkv/epilogue finish", "draft_sliding_dense.qkv/epilogue barrier", "draft_sliding_dense.qkv/epilogue signal draft_sliding_dense.qkv",
    "draft_sliding_dense.qkv/epilogue wait draft_x", "draft_sliding_dense.qkv/epilogue wait commit_end.conclude", "draft_sliding_dense.qkv/epilogue await join", "draft_sliding_dense.qkv/epilogue release join",
    "draft_sliding_dense.norm/compute wait draft_sliding_dense.qkv", "draft_sliding_dense.norm/compute barrier", "draft_sliding_dense.norm/compute signal draft_sliding_dense.norm", "draft_sliding_dense.norm2/compute wait draft_sliding_dense.qkv",
    "draft_sliding_dense.norm2/compute barrier", "draft_sliding_dense.norm2/compute signal draft_sliding_dense.norm2", "draft_sliding_dense.attend/load wait draft_sliding_dense.norm2", "draft_sliding_dense.attend/load wait draft_sliding_dense.norm",
    "draft_sliding_dense.attend/load acquire ring", "draft_sliding_dense.attend/load copy span", "draft_sliding_dense.attend/load commit ring", "draft_sliding_dense.attend/compute wait draft_sliding_dense.norm2",
    "draft_sliding_dense.attend/compute wait draft_sliding_dense.norm", "draft_sliding_dense.attend/compute await ring", "draft_sliding_dense.attend/compute attend barrier", "draft_sliding_dense.attend/compute release ring",
    "draft_sliding_dense.attend/compute barrier", "draft_sliding_dense.attend/compute signal draft_sliding_dense.attend", "draft_sliding_dense.attend.merge/compute wait draft_sliding_dense.attend", "draft_sliding_dense.attend.merge/compute barrier",
    "draft_sliding_dense.attend.merge/compute signal draft_sliding_dense.attend.merge", "draft_sliding_dense.o/load acquire ring", "draft_sliding_dense.o/load copy page", "draft_sliding_dense.o/load commit ring",
    "draft_sliding_dense.o/compute wait draft_sliding_dense.attend.merge", "draft_sliding_dense.o/compute norm barrier", "draft_sliding_dense.o/compute await ring", "draft_sliding_dense.o/compute release ring",
    "draft_sliding_dense.o/compute acquire join", "draft_sliding_dense.o/compute commit join", "draft_sliding_dense.o/epilogue finish", "draft_sliding_dense.o/epilogue barrier",
    "draft_sliding_dense.o/epilogue signal draft_sliding_dense.o", "draft_sliding_dense.o/epilogue wait draft_sliding_dense.attend.merge", "draft_sliding_dense.o/epilogue await join", "draft_sliding_dense.o/epilogue release join",
    "draft_sliding_dense.dense.up/load acquire ring", "draft_sliding_dense.dense.up/load copy page", "draft_sliding_dense.dense.up/load commit ring", "draft_sliding_dense.dense.up/compute wait draft_sliding_dense.o",
    "draft_sliding_dense.dense.up/compute norm barrier", "draft_sliding_dense.dense.up/compute await ring", "draft_sliding_dense.dense.up/compute release ring", "draft_sliding_dense.dense.up/compute acquire join",
    "draft_sliding_dense.dense.up/compute commit join", "draft_sliding_dense.dense.up/epilogue finish", "draft_sliding_dense.dense.up/epilogue barrier", "draft_sliding_dense.dense.up/epilogue signal draft_sliding_dense.dense.up",
    "draft_sliding_dense.dense.up/epilogue wait draft_sliding_dense.o", "draft_sliding_dense.dense.up/epilogue await join", "draft_sliding_dense.dense.up/epilogue release join", "draft_sliding_dense.dense.down/load acquire ring",
    "draft_sliding_dense.dense.down/load copy page", "draft_sliding_dense.dense.down/load commit ring", "draft_sliding_dense.dense.down/compute wait draft_sliding_dense.dense.up", "draft_sliding_dense.dense.down/compute norm barrier",
    "draft_sliding_dense.dense.down/compute await ring", "draft_sliding_dense.dense.down/compute release ring", "draft_sliding_dense.dense.down/compute acquire join", "draft_sliding_dense.dense.down/compute commit join",
    "draft_sliding_dense.dense.down/epilogue finish", "draft_sliding_dense.dense.down/epilogue barrier", "draft_sliding_dense.dense.down/epilogue signal draft_x", "draft_sliding_dense.dense.down/epilogue wait draft_sliding_dense.dense.up",
    "draft_sliding_dense.dense.down/epilogue await join", "draft_sliding_dense.dense.down/epilogue release join", "draft_sliding_dense2.qkv/load acquire ring", "draft_sliding_dense2.qkv/load copy page",
    "draft_sliding_dense2.qkv/load commit ring", "draft_sliding_dense2.qkv/compute wait draft_x", "draft_sliding_dense2.qkv/compute norm barrier", "draft_sliding_dense2.qkv/compute await ring",
    "draft_sliding_dense2.qkv/compute release ring", "draft_sliding_dense2.qkv/compute acquire join", "draft_sliding_dense2.qkv/compute commit join", "draft_sliding_dense2.qkv/epilogue finish",
    "draft_sliding_dense2.qkv/epilogue barrier", "draft_sliding_dense2.qkv/epilogue signal draft_sliding_dense2.qkv", "draft_sliding_dense2.qkv/epilogue wait draft_x", "draft_sliding_dense2.qkv/epilogue await join",
    "draft_sliding_dense2.qkv/epilogue release join", "draft_sliding_dense2.norm/compute wait draft_sliding_dense2.qkv", "draft_sliding_dense2.norm/compute barrier", "draft_sliding_dense2.norm/compute signal draft_sliding_dense2.norm",
    "draft_sliding_dense2.norm2/compute wait draft_sliding_dense2.qkv", "draft_sliding_dense2.norm2/compute barrier", "draft_sliding_dense2.norm2/compute signal draft_sliding_dense2.norm2", "draft_sliding_dense2.attend/load wait draft_sliding_dense2.norm2",
    "draft_sliding_dense2.attend/load wait draft_sliding_dense2.norm", "draft_sliding_dense2.attend/load acquire ring", "draft_sliding_dense2.attend/load copy span", "draft_sliding_dense2.attend/load commit ring",
    "draft_sliding_dense2.attend/compute wait draft_sliding_dense2.norm2", "draft_sliding_dense2.attend/compute wait draft_sliding_dense2.norm", "draft_sliding_dense2.attend/compute await ring", "draft_sliding_dense2.attend/compute attend barrier",
    "draft_sliding_dense2.attend/compute release ring", "draft_sliding_dense2.attend/compute barrier", "draft_sliding_dense2.attend/compute signal draft_sliding_dense2.attend", "draft_sliding_dense2.attend.merge/compute wait draft_sliding_dense2.attend",
    "draft_sliding_dense2.attend.merge/compute barrier", "draft_sliding_dense2.attend.merge/compute signal draft_sliding_dense2.attend.merge", "draft_sliding_dense2.o/load acquire ring", "draft_sliding_dense2.o/load copy page",
    "draft_sliding_dense2.o/load commit ring", "draft_sliding_dense2.o/compute wait draft_sliding_dense2.attend.merge", "draft_sliding_dense2.o/compute norm barrier", "draft_sliding_dense2.o/compute await ring",
    "draft_sliding_dense2.o/compute release ring", "draft_sliding_dense2.o/compute acquire join", "draft_sliding_dense2.o/compute commit join", "draft_sliding_dense2.o/epilogue finish",
    "draft_sliding_dense2.o/epilogue barrier", "draft_sliding_dense2.o/epilogue signal draft_sliding_dense2.o", "draft_sliding_dense2.o/epilogue wait draft_sliding_dense2.attend.merge", "draft_sliding_dense2.o/epilogue await join",
    "draft_sliding_dense2.o/epilogue release join", "draft_sliding_dense2.dense.up/load acquire ring", "draft_sliding_dense2.dense.up/load copy page", "draft_sliding_dense2.dense.up/load commit ring",
    "draft_sliding_dense2.dense.up/compute wait draft_sliding_dense2.o", "draft_sliding_dense2.dense.up/compute norm barrier", "draft_sliding_dense2.dense.up/compute await ring", "draft_sliding_dense2.dense.up/compute release ring",
    "draft_sliding_dense2.dense.up/compute acquire join", "draft_sliding_dense2.dense.up/compute commit join", "draft_sliding_dense2.dense.up/epilogue finish", "draft_sliding_dense2.dense.up/epilogue barrier",
    "draft_sliding_dense2.dense.up/epilogue signal draft_sliding_dense2.dense.up", "draft_sliding_dense2.dense.up/epilogue wait draft_sliding_dense2.o", "draft_sliding_dense2.dense.up/epilogue await join", "draft_sliding_dense2.dense.up/epilogue release join",
    "draft_sliding_dense2.dense.down/load acquire ring", "draft_sliding_dense2.dense.down/load copy page", "draft_sliding_dense2.dense.down/load commit ring", "draft_sliding_dense2.dense.down/compute wait draft_sliding_dense2.dense.up",
    "draft_sliding_dense2.dense.down/compute norm barrier", "draft_sliding_dense2.dense.down/compute await ring", "draft_sliding_dense2.dense.down/compute release ring", "draft_sliding_dense2.dense.down/compute acquire join",
    "draft_sliding_dense2.dense.down/compute commit join", "draft_sliding_dense2.dense.down/epilogue finish", "draft_sliding_dense2.dense.down/epilogue barrier", "draft_sliding_dense2.dense.down/epilogue signal draft_x",
    "draft_sliding_dense2.dense.down/epilogue wait draft_sliding_dense2.dense.up", "draft_sliding_dense2.dense.down/epilogue await join", "draft_sliding_dense2.dense.down/epilogue release join", "draft_sliding_dense3.qkv/load acquire ring",
    "draft_sliding_dense3.qkv/load copy page", "draft_sliding_dense3.qkv/load commit ring", "draft_sliding_dense3.qkv/compute wait draft_x", "draft_sliding_dense3.qkv/compute norm barrier",
    "draft_sliding_dense3.qkv/compute await ring", "draft_sliding_dense3.qkv/compute release ring", "draft_sliding_dense3.qkv/compute acquire join", "draft_sliding_dense3.qkv/compute commit join",
    "draft_sliding_dense3.qkv/epilogue finish", "draft_sliding_dense3.qkv/epilogue barrier", "draft_sliding_dense3.qkv/epilogue signal draft_sliding_dense3.qkv", "draft_sliding_dense3.qkv/epilogue wait draft_x",
    "draft_sliding_dense3.qkv/epilogue await join", "draft_sliding_dense3.qkv/epilogue release join", "draft_sliding_dense3.norm/compute wait draft_sliding_dense3.qkv", "draft_sliding_dense3.norm/compute barrier",
    "draft_sliding_dense3.norm/compute signal draft_sliding_dense3.norm", "draft_sliding_dense3.norm2/compute wait draft_sliding_dense3.qkv", "draft_sliding_dense3.norm2/compute barrier", "draft_sliding_dense3.norm2/compute signal draft_sliding_dense3.norm2",
    "draft_sliding_dense3.attend/load wait draft_sliding_dense3.norm2", "draft_sliding_dense3.attend/load wait draft_sliding_dense3.norm", "draft_sliding_dense3.attend/load acquire ring", "draft_sliding_dense3.attend/load copy span",
    "draft_sliding_dense3.attend/load commit ring", "draft_sliding_dense3.attend/compute wait draft_sliding_dense3.norm2", "draft_sliding_dense3.attend/compute wait draft_sliding_dense3.norm", "draft_sliding_dense3.attend/compute await ring",
    "draft_sliding_dense3.attend/compute attend barrier", "draft_sliding_dense3.attend/compute release ring", "draft_sliding_dense3.attend/compute barrier", "draft_sliding_dense3.attend/compute signal draft_sliding_dense3.attend",
    "draft_sliding_dense3.attend.merge/compute wait draft_sliding_dense3.attend", "draft_sliding_dense3.attend.merge/compute barrier", "draft_sliding_dense3.attend.merge/compute signal draft_sliding_dense3.attend.merge", "draft_sliding_dense3.o/load acquire ring",
    "draft_sliding_dense3.o/load copy page", "draft_sliding_dense3.o/load commit ring", "draft_sliding_dense3.o/compute wait draft_sliding_dense3.attend.merge", "draft_sliding_dense3.o/compute norm barrier",
    "draft_sliding_dense3.o/compute await ring", "draft_sliding_dense3.o/compute release ring", "draft_sliding_dense3.o/compute acquire join", "draft_sliding_dense3.o/compute commit join",
    "draft_sliding_dense3.o/epilogue finish", "draft_sliding_dense3.o/epilogue barrier", "draft_sliding_dense3.o/epilogue signal draft_sliding_dense3.o", "draft_sliding_dense3.o/epilogue wait draft_sliding_dense3.attend.merge",
    "draft_sliding_dense3.o/epilogue await join", "draft_sliding_dense3.o/epilogue release join", "draft_sliding_dense3.dense.up/load acquire ring", "draft_sliding_dense3.dense.up/load copy page",
    "draft_sliding_dense3.dense.up/load commit ring", "draft_sliding_dense3.dense.up/compute wait draft_sliding_dense3.o", "draft_sliding_dense3.dense.up/compute norm barrier", "draft_sliding_dense3.dense.up/compute await ring",
    "draft_sliding_dense3.dense.up/compute release ring", "draft_sliding_dense3.dense.up/compute acquire join", "draft_sliding_dense3.dense.up/compute commit join", "draft_sliding_dense3.dense.up/epilogue finish",
    "draft_sliding_dense3.dense.up/epilogue barrier", "draft_sliding_dense3.dense.up/epilogue signal draft_sliding_dense3.dense.up", "draft_sliding_dense3.dense.up/epilogue wait draft_sliding_dense3.o", "draft_sliding_dense3.dense.up/epilogue await join",
    "draft_sliding_dense3.dense.up/epilogue release join", "draft_sliding_dense3.dense.down/load acquire ring", "draft_sliding_dense3.dense.down/load copy page", "draft_sliding_dense3.dense.down/load commit ring",
    "draft_sliding_dense3.dense.down/compute wait draft_sliding_dense3.dense.up", "draft_sliding_dense3.dense.down/compute norm barrier", "draft_sliding_dense3.dense.down/compute await ring", "draft_sliding_dense3.dense.down/compute release ring",
    "draft_sliding_dense3.dense.down/compute acquire join", "draft_sliding_dense3.dense.down/compute commit join", "draft_sliding_dense3.dense.down/epilogue finish", "draft_sliding_dense3.dense.down/epilogue barrier",
    "draft_sliding_dense3.dense.down/epilogue signal draft_x", "draft_sliding_dense3.dense.down/epilogue wait draft_sliding_dense3.dense.up", "draft_sliding_dense3.dense.down/epilogue await join", "draft_sliding_dense3.dense.down/epilogue release join",
    "draft_sliding_dense4.qkv/load acquire ring", "draft_sliding_dense4.qkv/load copy page", "draft_sliding_dense4.qkv/load commit ring", "draft_sliding_dense4.qkv/compute wait draft_x",
    "draft_sliding_dense4.qkv/compute norm barrier", "draft_sliding_dense4.qkv/compute await ring", "draft_sliding_dense4.qkv/compute release ring", "draft_sliding_dense4.qkv/compute acquire join",
    "draft_sliding_dense4.qkv/compute commit join", "draft_sliding_dense4.qkv/epilogue finish", "draft_sliding_dense4.qkv/epilogue barrier", "draft_sliding_dense4.qkv/epilogue signal draft_sliding_dense4.qkv",
    "draft_sliding_dense4.qkv/epilogue wait draft_x", "draft_sliding_dense4.qkv/epilogue await join", "draft_sliding_dense4.qkv/epilogue release join", "draft_sliding_dense4.norm/compute wait draft_sliding_dense4.qkv",
    "draft_sliding_dense4.norm/compute barrier", "draft_sliding_dense4.norm/compute signal draft_sliding_dense4.norm", "draft_sliding_dense4.norm2/compute wait draft_sliding_dense4.qkv", "draft_sliding_dense4.norm2/compute barrier",
    "draft_sliding_dense4.norm2/compute signal draft_sliding_dense4.norm2", "draft_sliding_dense4.attend/load wait draft_sliding_dense4.norm2", "draft_sliding_dense4.attend/load wait draft_sliding_dense4.norm", "draft_sliding_dense4.attend/load acquire ring",
    "draft_sliding_dense4.attend/load copy span", "draft_sliding_dense4.attend/load commit ring", "draft_sliding_dense4.attend/compute wait draft_sliding_dense4.norm2", "draft_sliding_dense4.attend/compute wait draft_sliding_dense4.norm",
    "draft_sliding_dense4.attend/compute await ring", "draft_sliding_dense4.attend/compute attend barrier", "draft_sliding_dense4.attend/compute release ring", "draft_sliding_dense4.attend/compute barrier",
    "draft_sliding_dense4.attend/compute signal draft_sliding_dense4.attend", "draft_sliding_dense4.attend.merge/compute wait draft_sliding_dense4.attend", "draft_sliding_dense4.attend.merge/compute barrier", "draft_sliding_dense4.attend.merge/compute signal draft_sliding_dense4.attend.merge",
    "draft_sliding_dense4.o/load acquire ring", "draft_sliding_dense4.o/load copy page", "draft_sliding_dense4.o/load commit ring", "draft_sliding_dense4.o/compute wait draft_sliding_dense4.attend.merge",
    "draft_sliding_dense4.o/compute norm barrier", "draft_sliding_dense4.o/compute await ring", "draft_sliding_dense4.o/compute release ring", "draft_sliding_dense4.o/compute acquire join",
    "draft_sliding_dense4.o/compute commit join", "draft_sliding_dense4.o/epilogue finish", "draft_sliding_dense4.o/epilogue barrier", "draft_sliding_dense4.o/epilogue signal draft_sliding_dense4.o",
    "draft_sliding_dense4.o/epilogue wait draft_sliding_dense4.attend.merge", "draft_sliding_dense4.o/epilogue await join", "draft_sliding_dense4.o/epilogue release join", "draft_sliding_dense4.dense.up/load acquire ring",
    "draft_sliding_dense4.dense.up/load copy page", "draft_sliding_dense4.dense.up/load commit ring", "draft_sliding_dense4.dense.up/compute wait draft_sliding_dense4.o", "draft_sliding_dense4.dense.up/compute norm barrier",
    "draft_sliding_dense4.dense.up/compute await ring", "draft_sliding_dense4.dense.up/compute release ring", "draft_sliding_dense4.dense.up/compute acquire join", "draft_sliding_dense4.dense.up/compute commit join",
    "draft_sliding_dense4.dense.up/epilogue finish", "draft_sliding_dense4.dense.up/epilogue barrier", "draft_sliding_dense4.dense.up/epilogue signal draft_sliding_dense4.dense.up", "draft_sliding_dense4.dense.up/epilogue wait draft_sliding_dense4.o",
    "draft_sliding_dense4.dense.up/epilogue await join", "draft_sliding_dense4.dense.up/epilogue release join", "draft_sliding_dense4.dense.down/load acquire ring", "draft_sliding_dense4.dense.down/load copy page",
    "draft_sliding_dense4.dense.down/load commit ring", "draft_sliding_dense4.dense.down/compute wait draft_sliding_dense4.dense.up", "draft_sliding_dense4.dense.down/compute norm barrier", "draft_sliding_dense4.dense.down/compute await ring",
    "draft_sliding_dense4.dense.down/compute release ring", "draft_sliding_dense4.dense.down/compute acquire join", "draft_sliding_dense4.dense.down/compute commit join", "draft_sliding_dense4.dense.down/epilogue finish",
    "draft_sliding_dense4.dense.down/epilogue barrier", "draft_sliding_dense4.dense.down/epilogue signal draft_x", "draft_sliding_dense4.dense.down/epilogue wait draft_sliding_dense4.dense.up", "draft_sliding_dense4.dense.down/epilogue await join",
    "draft_sliding_dense4.dense.down/epilogue release join", "draft_end.head/load acquire ring", "draft_end.head/load copy page", "draft_end.head/load commit ring",
    "draft_end.head/compute wait draft_x", "draft_end.head/compute norm barrier", "draft_end.head/compute await ring", "draft_end.head/compute release ring",
    "draft_end.head/compute acquire join", "draft_end.head/compute commit join", "draft_end.head/epilogue finish", "draft_end.head/epilogue barrier",
    "draft_end.head/epilogue signal draft_end.head", "draft_end.head/epilogue await join", "draft_end.head/epilogue release join", "draft_end.logits.firsts/compute wait draft_end.head",
    "draft_end.logits.firsts/compute barrier", "draft_end.logits.firsts/compute signal draft_end.logits.firsts", "draft_end.logits/compute wait draft_end.logits.firsts", "draft_end.logits/compute sample",
    "round", "relay", "mailbox", "sample",
  };
  static constexpr int regions = 81;
  static constexpr const char* region_names[] = {
    "x.columns", "x.plain", "full_dense.qkv.queries", "full_dense.qkv.keys", "full_dense.qkv.values", "full_dense.attend.columns",
    "full_dense.attend.partials", "full_dense.o.columns", "full_dense.o.plain", "full_dense.dense.up.columns", "taps.columns", "sliding_experts.qkv.queries",
    "sliding_experts.qkv.keys", "sliding_experts.qkv.values", "sliding_experts.attend.columns", "sliding_experts.o.columns", "sliding_experts.o.plain", "sliding_experts.router.plain",
    "sliding_experts.expert.up.routedRows", "full_experts.qkv.queries", "full_experts.qkv.keys", "full_experts.qkv.values", "full_experts.attend.columns", "full_experts.attend.partials",
    "full_experts.o.columns", "full_experts.o.plain", "full_experts.router.plain", "full_experts.expert.up.routedRows", "end.head.logits", "end.logits.firsts",
    "commit_x.columns", "commit_layer.kv.plain", "cache layers.0.values", "cache layers.0.keys", "commit_layer2.kv.plain", "cache layers.1.values",
    "cache layers.1.keys", "commit_layer3.kv.plain", "cache layers.2.values", "cache layers.2.keys", "commit_layer4.kv.plain", "cache layers.3.values",
    "cache layers.3.keys", "draft_x.columns", "draft_x.plain", "draft_sliding_dense.qkv.plain", "draft_sliding_dense.qkv.plain2", "draft_sliding_dense.norm.queries",
    "draft_sliding_dense.attend.columns", "draft_sliding_dense.attend.partials", "draft_sliding_dense.o.columns", "draft_sliding_dense.o.plain", "draft_sliding_dense.dense.up.columns", "draft_sliding_dense2.qkv.plain",
    "draft_sliding_dense2.qkv.plain2", "draft_sliding_dense2.norm.queries", "draft_sliding_dense2.attend.columns", "draft_sliding_dense2.attend.partials", "draft_sliding_dense2.o.columns", "draft_sliding_dense2.o.plain",
    "draft_sliding_dense2.dense.up.columns", "draft_sliding_dense3.qkv.plain", "draft_sliding_dense3.qkv.plain2", "draft_sliding_dense3.norm.queries", "draft_sliding_dense3.attend.columns", "draft_sliding_dense3.attend.partials",
    "draft_sliding_dense3.o.columns", "draft_sliding_dense3.o.plain", "draft_sliding_dense3.dense.up.columns", "draft_sliding_dense4.qkv.plain", "draft_sliding_dense4.qkv.plain2", "draft_sliding_dense4.norm.queries",
    "draft_sliding_dense4.attend.columns", "draft_sliding_dense4.attend.partials", "draft_sliding_dense4.o.columns", "draft_sliding_dense4.o.plain", "draft_sliding_dense4.dense.up.columns", "draft_end.head.logits",
    "draft_end.logits.firsts", "sliding_experts.expert.up.routedRows.early", "full_experts.expert.up.routedRows.early",
  };
};

#include "tile_plan.h"
#include "engine/control.h"

namespace tile {

enum Counter : int {
  C_x, C_full_dense_qkv, C_full_dense_attend, C_full_dense_attend_merge, C_full_dense_o, C_full_dense_dense_up,
  C_sliding_experts_qkv, C_sliding_experts_attend, C_sliding_experts_o, C_sliding_experts_router, C_sliding_experts_route, C_sliding_experts_expert_up,
  C_sliding_experts_expert_up_early, C_full_experts_qkv, C_full_experts_attend, C_full_experts_attend_merge, C_full_experts_o, C_full_experts_router,
  C_full_experts_route, C_full_experts_expert_up, C_full_experts_expert_up_early, C_end_head, C_end_logits_firsts, C_end_logits,
  C_commit_x, C_commit_layer_kv, C_commit_layer_norm, C_commit_layer2_kv, C_commit_layer2_norm, C_commit_layer3_kv,
  C_commit_layer3_norm, C_commit_layer4_kv, C_commit_layer4_norm, C_commit_end_conclude, C_draft_x, C_draft_sliding_dense_qkv,
  C_draft_sliding_dense_norm, C_draft_sliding_dense_norm2, C_draft_sliding_dense_attend, C_draft_sliding_dense_attend_merge, C_draft_sliding_dense_o, C_draft_sliding_dense_dense_up,
  C_draft_sliding_dense2_qkv, C_draft_sliding_dense2_norm, C_draft_sliding_dense2_norm2, C_draft_sliding_dense2_attend, C_draft_sliding_dense2_attend_merge, C_draft_sliding_dense2_o,
  C_draft_sliding_dense2_dense_up, C_draft_sliding_dense3_qkv, C_draft_sliding_dense3_norm, C_draft_sliding_dense3_norm2, C_draft_sliding_dense3_attend, C_draft_sliding_dense3_attend_merge,
  C_draft_sliding_dense3_o, C_draft_sliding_dense3_dense_up, C_draft_sliding_dense4_qkv, C_draft_sliding_dense4_norm, C_draft_sliding_dense4_norm2, C_draft_sliding_dense4_attend,
  C_draft_sliding_dense4_attend_merge, C_draft_sliding_dense4_o, C_draft_sliding_dense4_dense_up, C_draft_end_head, C_draft_end_logits_firsts, C_draft_end_logits,
};
enum Tally : int {
  T_route = 66, T_table = 67, T_exchange = 68,
};
enum Local : int {
  L_route, L_table,
};
enum Region : int {
  R_x_columns, R_x_plain, R_full_dense_qkv_queries, R_full_dense_qkv_keys, R_full_dense_qkv_values, R_full_dense_attend_columns,
  R_full_dense_attend_partials, R_full_dense_o_columns, R_full_dense_o_plain, R_full_dense_dense_up_columns, R_taps_columns, R_sliding_experts_qkv_queries,
  R_sliding_experts_qkv_keys, R_sliding_experts_qkv_values, R_sliding_experts_attend_columns, R_sliding_experts_o_columns, R_sliding_experts_o_plain, R_sliding_experts_router_plain,
  R_sliding_experts_expert_up_routedRows, R_full_experts_qkv_queries, R_full_experts_qkv_keys, R_full_experts_qkv_values, R_full_experts_attend_columns, R_full_experts_attend_partials,
  R_full_experts_o_columns, R_full_experts_o_plain, R_full_experts_router_plain, R_full_experts_expert_up_routedRows, R_end_head_logits, R_end_logits_firsts,
  R_commit_x_columns, R_commit_layer_kv_plain, R_cache_layers_0_values, R_cache_layers_0_keys, R_commit_layer2_kv_plain, R_cache_layers_1_values,
  R_cache_layers_1_keys, R_commit_layer3_kv_plain, R_cache_layers_2_values, R_cache_layers_2_keys, R_commit_layer4_kv_plain, R_cache_layers_3_values,
  R_cache_layers_3_keys, R_draft_x_columns, R_draft_x_plain, R_draft_sliding_dense_qkv_plain, R_draft_sliding_dense_qkv_plain2, R_draft_sliding_dense_norm_queries,
  R_draft_sliding_dense_attend_columns, R_draft_sliding_dense_attend_partials, R_draft_sliding_dense_o_columns, R_draft_sliding_dense_o_plain, R_draft_sliding_dense_dense_up_columns, R_draft_sliding_dense2_qkv_plain,
  R_draft_sliding_dense2_qkv_plain2, R_draft_sliding_dense2_norm_queries, R_draft_sliding_dense2_attend_columns, R_draft_sliding_dense2_attend_partials, R_draft_sliding_dense2_o_columns, R_draft_sliding_dense2_o_plain,
  R_draft_sliding_dense2_dense_up_columns, R_draft_sliding_dense3_qkv_plain, R_draft_sliding_dense3_qkv_plain2, R_draft_sliding_dense3_norm_queries, R_draft_sliding_dense3_attend_columns, R_draft_sliding_dense3_attend_partials,
  R_draft_sliding_dense3_o_columns, R_draft_sliding_dense3_o_plain, R_draft_sliding_dense3_dense_up_columns, R_draft_sliding_dense4_qkv_plain, R_draft_sliding_dense4_qkv_plain2, R_draft_sliding_dense4_norm_queries,
  R_draft_sliding_dense4_attend_columns, R_draft_sliding_dense4_attend_partials, R_draft_sliding_dense4_o_columns, R_draft_sliding_dense4_o_plain, R_draft_sliding_dense4_dense_up_columns, R_draft_end_head_logits,
  R_draft_end_logits_firsts, R_sliding_experts_expert_up_routedRows_early, R_full_experts_expert_up_routedRows_early,
};
TILE_FN bool region_is_cache(int region) { return region == 3 || region == 4 || region == 12 || region == 13 || region == 20 || region == 21 || region == 32 || region == 33 || region == 35 || region == 36 || region == 38 || region == 39 || region == 41 || region == 42; }

// Byte offsets: buffers in the workspace; caches in their layer's part of the KV memory.
constexpr size_t B_x_columns = 157568;
constexpr size_t B_x_plain = 163712;
constexpr size_t B_full_dense_qkv_queries = 176000;
constexpr size_t B_full_dense_qkv_keys = 0;
constexpr size_t B_full_dense_qkv_values = 2097152;
constexpr size_t B_full_dense_attend_columns = 188288;
constexpr size_t B_full_dense_attend_partials = 196480;
constexpr size_t B_full_dense_o_columns = 753536;
constexpr size_t B_full_dense_o_plain = 759680;
constexpr size_t B_full_dense_dense_up_columns = 771968;
constexpr size_t B_taps_columns = 788352;
constexpr size_t B_sliding_experts_qkv_queries = 806784;
constexpr size_t B_sliding_experts_qkv_keys = 0;
constexpr size_t B_sliding_experts_qkv_values = 262144;
constexpr size_t B_sliding_experts_attend_columns = 819072;
constexpr size_t B_sliding_experts_o_columns = 827264;
constexpr size_t B_sliding_experts_o_plain = 833408;
constexpr size_t B_sliding_experts_router_plain = 845696;
constexpr size_t B_sliding_experts_expert_up_routedRows = 846208;
constexpr size_t B_full_experts_qkv_queries = 862592;
constexpr size_t B_full_experts_qkv_keys = 0;
constexpr size_t B_full_experts_qkv_values = 2097152;
constexpr size_t B_full_experts_attend_columns = 874880;
constexpr size_t B_full_experts_attend_partials = 883072;
constexpr size_t B_full_experts_o_columns = 1440128;
constexpr size_t B_full_experts_o_plain = 1446272;
constexpr size_t B_full_experts_router_plain = 1458560;
constexpr size_t B_full_experts_expert_up_routedRows = 1459072;
constexpr size_t B_end_head_logits = 1475456;
constexpr size_t B_end_logits_firsts = 1610624;
constexpr size_t B_commit_x_columns = 1619072;
constexpr size_t B_commit_layer_kv_plain = 1625216;
constexpr size_t B_cache_layers_0_values = 0;
constexpr size_t B_cache_layers_0_keys = 196608;
constexpr size_t B_commit_layer2_kv_plain = 1633408;
constexpr size_t B_cache_layers_1_values = 0;
constexpr size_t B_cache_layers_1_keys = 196608;
constexpr size_t B_commit_layer3_kv_plain = 1641600;
constexpr size_t B_cache_layers_2_values = 0;
constexpr size_t B_cache_layers_2_keys = 196608;
constexpr size_t B_commit_layer4_kv_plain = 1649792;
constexpr size_t B_cache_layers_3_values = 0;
constexpr size_t B_cache_layers_3_keys = 196608;
constexpr size_t B_draft_x_columns = 1657984;
constexpr size_t B_draft_x_plain = 1664128;
constexpr size_t B_draft_sliding_dense_qkv_plain = 1676416;
constexpr size_t B_draft_sliding_dense_qkv_plain2 = 1692800;
constexpr size_t B_draft_sliding_dense_norm_queries = 1700992;
constexpr size_t B_draft_sliding_dense_attend_columns = 1709184;
constexpr size_t B_draft_sliding_dense_attend_partials = 1717376;
constexpr size_t B_draft_sliding_dense_o_columns = 1821824;
constexpr size_t B_draft_sliding_dense_o_plain = 1827968;
constexpr size_t B_draft_sliding_dense_dense_up_columns = 1840256;
constexpr size_t B_draft_sliding_dense2_qkv_plain = 1844352;
constexpr size_t B_draft_sliding_dense2_qkv_plain2 = 1860736;
constexpr size_t B_draft_sliding_dense2_norm_queries = 1868928;
constexpr size_t B_draft_sliding_dense2_attend_columns = 1877120;
constexpr size_t B_draft_sliding_dense2_attend_partials = 1885312;
constexpr size_t B_draft_sliding_dense2_o_columns = 1989760;
constexpr size_t B_draft_sliding_dense2_o_plain = 1995904;
constexpr size_t B_draft_sliding_dense2_dense_up_columns = 2008192;
constexpr size_t B_draft_sliding_dense3_qkv_plain = 2012288;
constexpr size_t B_draft_sliding_dense3_qkv_plain2 = 2028672;
constexpr size_t B_draft_sliding_dense3_norm_queries = 2036864;
constexpr size_t B_draft_sliding_dense3_attend_columns = 2045056;
constexpr size_t B_draft_sliding_dense3_attend_partials = 2053248;
constexpr size_t B_draft_sliding_dense3_o_columns = 2157696;
constexpr size_t B_draft_sliding_dense3_o_plain = 2163840;
constexpr size_t B_draft_sliding_dense3_dense_up_columns = 2176128;
constexpr size_t B_draft_sliding_dense4_qkv_plain = 2180224;
constexpr size_t B_draft_sliding_dense4_qkv_plain2 = 2196608;
constexpr size_t B_draft_sliding_dense4_norm_queries = 2204800;
constexpr size_t B_draft_sliding_dense4_attend_columns = 2212992;
constexpr size_t B_draft_sliding_dense4_attend_partials = 2221184;
constexpr size_t B_draft_sliding_dense4_o_columns = 2325632;
constexpr size_t B_draft_sliding_dense4_o_plain = 2331776;
constexpr size_t B_draft_sliding_dense4_dense_up_columns = 2344064;
constexpr size_t B_draft_end_head_logits = 2348160;
constexpr size_t B_draft_end_logits_firsts = 2483328;
// ---- entries ----

// 0 begin, 1 full_dense, 2 sliding_experts, 3 full_experts, 4 end, 5 commit_begin, 6 commit_layer, 7 commit_layer2, 8 commit_layer3, 9 commit_layer4, 10 commit_end, 11 draft_begin, 12 draft_sliding_dense, 13 draft_sliding_dense2, 14 draft_sliding_dense3, 15 draft_sliding_dense4, 16 draft_end
TILE_TABLE unsigned char entry_segment[20] = {
  0, 1, 2, 2, 3, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
};
TILE_TABLE unsigned long long entry_image[20] = {
  0ull, 3244032ull, 5401088ull, 8879360ull, 12357632ull, 15835776ull, 19314048ull, 22792192ull,
  26036992ull, 26921728ull, 27315840ull, 27709184ull, 28102528ull, 28495872ull, 28495872ull, 28496640ull,
  30268032ull, 32039424ull, 33810816ull, 35582208ull,
};
TILE_TABLE unsigned long long entry_kv[20] = {
  0ull, 0ull, 3145728ull, 3538944ull, 3932160ull, 7077888ull, 7471104ull, 10616832ull,
  10616832ull, 10616832ull, 11010048ull, 11403264ull, 11796480ull, 12189696ull, 12189696ull, 10616832ull,
  11010048ull, 11403264ull, 11796480ull, 12189696ull,
};
TILE_TABLE unsigned short entry_runs[20][69] = {
  {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
  {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
  {2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
  {3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0},
  {4, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0},
  {5, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 0},
  {6, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 0},
  {7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 5, 5, 0},
};
TILE_TABLE unsigned char entry_program[20] = {
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2,
};
TILE_TABLE unsigned char entry_taps[20] = {
  0, 0, 1, 1, 1, 2, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
TILE_TABLE unsigned char tally_program[69] = {
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2,
  2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0,
};
TILE_TABLE unsigned short entry_exchanges[20] = {
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
TILE_TABLE unsigned short program_exchanges[3] = {
  0, 0, 0,
};
TILE_TABLE unsigned short round_runs[69] = {
  7, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 1,
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 5, 0,
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
TILE_FN void reads_own(Warp& w, const At& at, int region) { w.reads(region, part_of(w, at, region, w.sm, w.index)); }
TILE_FN void writes_own(Warp& w, const At& at, int region) { w.writes(region, part_of(w, at, region, w.sm, w.index)); }
TILE_FN void reads_all(Warp& w, const At& at, int region) {
  for (int sm = 0; sm < w.sms; ++sm)
    for (int warp = 0; warp < widest_role; ++warp) w.reads(region, part_of(w, at, region, sm, warp));
}

// ==== begin ====

// ---- begin.embed_tokens ----
#line 104 "models/mimo/graph.ts"
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
#line 60 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(2);
    w.ring_copy(3, 0, w.image(at.image + 768 + size_t(tile) * 25088), 25088);
    w.ring_commit(4, 25088);
  }
}
#line 60 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_qkv_compute(Warp& w, const At& at) {
  bring_weights<3>(w, 6, w.image(at.image + 0) + w.index % 4 * 192);
  w.wait(5, C_x, at.runs(C_x));
  if (empty(share(w, 22))) return;  // no tile on this SM
  reads_all(w, at, R_x_columns);
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, w.ws<bf16>(B_x_columns), part * 3);
  const ColumnScale scale = normalise_by_scale(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 4, 6,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(7);
    multiply<E4M3, 3>(w, acc, page + (tile_of_page * 4 + part) * 1568, page + (tile_of_page * 4 + part) * 1568 + 1536, x);
    w.ring_release(8);
    w.join_acquire(9);
    scale_columns(acc, scale);
    w.join_put(w.index, acc);
    w.join_commit(10);
  }
}
#line 60 "models/mimo/graph.ts"
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
      const int in_period = t % 11, outer = t / 11;
      if (in_period < 6) {
        const int u = in_period;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
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
            const Rotation by = rotation(angle);
            v1_low = v0_low * by.cosine - v0_high * by.sine;
            v1_high = v0_high * by.cosine + v0_low * by.sine;
          }
          w.ws<bf16>(B_full_dense_qkv_queries)[(outer * 16 + c * 2 + (n_low) / 48) * 48 + (n_low) % 48] = to_bf16(v1_low);
          w.ws<bf16>(B_full_dense_qkv_queries)[(outer * 16 + c * 2 + (n_high) / 48) * 48 + (n_high) % 48] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 6 && in_period < 9) {
        const int u = in_period - 6;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
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
            const Rotation by = rotation(angle);
            v1_low = v0_low * by.cosine - v0_high * by.sine;
            v1_high = v0_high * by.cosine + v0_low * by.sine;
          }
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_keys))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_low, 48)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_dense_qkv_keys))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_high, 48)] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 9 && in_period < 11) {
        const int u = in_period - 9;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
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
    w.join_release(16);
  }
  w.role_barrier(12);
  if (w.index == 0) w.signal(13, C_full_dense_qkv);
}

// ---- full_dense.attend ----
#line 65 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_attend_load(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 0, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(17, C_full_dense_qkv, at.runs(C_full_dense_qkv) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    w.ring_acquire(18);
    reads_all(w, at, R_full_dense_qkv_keys);
    reads_all(w, at, R_full_dense_qkv_values);
    const size_t slot = size_t(task / (parts * spans.count) * 32 + (spans.first + task / parts % spans.count) % 32);
    w.ring_copy(19, 0, w.kv(at.kv + B_full_dense_qkv_keys) + slot * 8192, 8192);
    w.ring_copy(19, 8192, w.kv(at.kv + B_full_dense_qkv_values) + slot * 4096, 4096);
    w.ring_commit(20, 12288);
  }
}
#line 65 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_attend_compute(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 0, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(21, C_full_dense_qkv, at.runs(C_full_dense_qkv) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const char* page = w.ring_await(22);
    reads_all(w, at, R_full_dense_qkv_queries);
    writes_own(w, at, R_full_dense_attend_partials);
    const int part = task % parts, span = task / parts % spans.count, head = task / (parts * spans.count);
    const Share tiles = share_of(1, part, parts);
    const bf16* q = w.ws<bf16>(B_full_dense_qkv_queries) + size_t(head) * 768;
    float* o = w.ws<float>(B_full_dense_attend_partials) + size_t(head) * 17408;
    float* peak = o + 16384;
    float* total = peak + 512;
    for (int first = tiles.begin; first < tiles.end; first += attend_teams) {
      const int m = attend_tile(w, first, tiles.end);
      const size_t row = size_t(span) * 16 + m * 16;
      attend_span<2, 48, 32>(w, 23, page, page + 8192, q, m, (spans.first + span) * 64,
          RowPositions{at.block->position, at.block->rows}, 0, 0.144337565f, o + row * 32, peak + row, total + row);
    }
    w.ring_release(24);
  }
  w.role_barrier(25);
  if (w.index == 0) w.signal(26, C_full_dense_attend);
}

// ---- full_dense.attend.merge ----
#line 65 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_attend_merge_compute(Warp& w, const At& at) {
  const Spans spans = span_tasks(w, at.block->position, at.block->rows, 0, 8, 1).spans;
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  w.wait(27, C_full_dense_attend, at.runs(C_full_dense_attend) + 1);
  reads_all(w, at, R_full_dense_attend_partials);
  writes_own(w, at, R_full_dense_attend_columns);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int first_dim = task % 1 * 32, of_all = task / 1;
    const int head = of_all / (at.block->rows * 2), m_row = of_all % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_full_dense_attend_partials) + size_t(head) * 17408;
    merge_spans<32, 32, 32>(w, o, o + 16384, o + 16896, 16, m_row, first_dim, spans.count, nullptr,
        w.ws<bf16>(B_full_dense_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(28);
  if (w.index == 0) w.signal(29, C_full_dense_attend_merge);
}

// ---- full_dense.o: 384 KiB of weights ----
#line 72 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(30);
    w.ring_copy(31, 0, w.image(at.image + 552704 + size_t(tile) * 32768), 32768);
    w.ring_commit(32, 32768);
  }
}
#line 72 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_o_compute(Warp& w, const At& at) {
  w.wait(33, C_full_dense_attend_merge, at.runs(C_full_dense_attend_merge) + 1);
  if (empty(share(w, 12))) return;  // no tile on this SM
  reads_all(w, at, R_full_dense_attend_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, w.ws<bf16>(B_full_dense_attend_columns), part * 2);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(35);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(36);
    w.join_acquire(37);
    w.join_put(w.index, acc);
    w.join_commit(38);
  }
}
#line 72 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_o_epilogue(Warp& w, const At& at) {
  w.wait(42, C_full_dense_attend_merge, at.runs(C_full_dense_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(43);
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
          const int n_low = u * 16 + i, n_high = n_low + 8;
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
        const int n_low = u * 16 + i, n_high = n_low + 8;
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
    w.join_release(44);
  }
  w.role_barrier(40);
  if (w.index == 0) w.signal(41, C_full_dense_o);
}

// ---- full_dense.dense.up: 792 KiB of weights ----
#line 78 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_up_load(Warp& w, const At& at) {
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(45);
    w.ring_copy(46, 0, w.image(at.image + 946688 + size_t(tile) * 6336), 6336);
    w.ring_commit(47, 6336);
  }
}
#line 78 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_up_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 49, w.image(at.image + 945920) + w.index % 12 * 64);
  w.wait(48, C_full_dense_o, at.runs(C_full_dense_o) + 1);
  if (empty(share(w, 128))) return;  // no tile on this SM
  reads_all(w, at, R_full_dense_o_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_full_dense_o_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 945920)), 12, 49,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(50);
    if (w.index < 12) multiply<E4M3, 1>(w, acc, page + part * 528, page + part * 528 + 512, x);
    w.ring_release(51);
    w.join_acquire(52);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(53);
  }
}
#line 78 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_up_epilogue(Warp& w, const At& at) {
  w.wait(57, C_full_dense_o, at.runs(C_full_dense_o) + 1);
  const Share tiles = share(w, 128);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(58);
    writes_own(w, at, R_full_dense_dense_up_columns);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 8 + i;
      (void)high;
      const float v0_low = ((low * sigmoid(low)) * high);
      w.ws<bf16>(B_full_dense_dense_up_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
    });
    w.join_release(59);
  }
  w.role_barrier(55);
  if (w.index == 0) w.signal(56, C_full_dense_dense_up);
}

// ---- full_dense.dense.down: 390 KiB of weights ----
#line 78 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_down_load(Warp& w, const At& at) {
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(60);
    w.ring_copy(61, 0, w.image(at.image + 1757696 + size_t(tile) * 16640), 16640);
    w.ring_commit(62, 16640);
  }
}
#line 78 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_down_compute(Warp& w, const At& at) {
  w.wait(63, C_full_dense_dense_up, at.runs(C_full_dense_dense_up) + 1);
  if (empty(share(w, 24))) return;  // no tile on this SM
  reads_all(w, at, R_full_dense_dense_up_columns);
  const int part = w.index % 8;
  Staged<4> x;
  stage(w, x, w.ws<bf16>(B_full_dense_dense_up_columns), part * 4);
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(65);
    if (w.index < 8) multiply_leaves<E4M3, 4, 1>(w, acc, page + part * 2080, page + part * 2080 + 2048, x);
    w.ring_release(66);
    w.join_acquire(67);
    if (w.index < 8) w.join_put(w.index, acc);
    w.join_commit(68);
  }
}
#line 78 "models/mimo/graph.ts"
TILE_PHASE static void full_dense_dense_down_epilogue(Warp& w, const At& at) {
  w.wait(72, C_full_dense_dense_up, at.runs(C_full_dense_dense_up) + 1);
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(73);
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
        const int n_low = u * 16 + i, n_high = n_low + 8;
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
      const int n_low = u * 16 + i, n_high = n_low + 8;
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
    w.join_release(74);
  }
  w.role_barrier(70);
  if (w.index == 0) w.signal(71, C_x);
}

// ==== sliding_experts: 1 2 4 ====

// ---- sliding_experts.qkv: 539 KiB of weights ----
#line 60 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(75);
    w.ring_copy(76, 0, w.image(at.image + 768 + size_t(tile) * 25088), 25088);
    w.ring_commit(77, 25088);
  }
}
#line 60 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_qkv_compute(Warp& w, const At& at) {
  bring_weights<3>(w, 79, w.image(at.image + 0) + w.index % 4 * 192);
  w.wait(78, C_x, at.runs(C_x));
  if (empty(share(w, 22))) return;  // no tile on this SM
  reads_all(w, at, R_x_columns);
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, w.ws<bf16>(B_x_columns), part * 3);
  const ColumnScale scale = normalise_by_scale(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 4, 79,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(80);
    multiply<E4M3, 3>(w, acc, page + (tile_of_page * 4 + part) * 1568, page + (tile_of_page * 4 + part) * 1568 + 1536, x);
    w.ring_release(81);
    w.join_acquire(82);
    scale_columns(acc, scale);
    w.join_put(w.index, acc);
    w.join_commit(83);
  }
}
#line 60 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_qkv_epilogue(Warp& w, const At& at) {
  w.wait(87, C_x, at.runs(C_x));
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(88);
    writes_own(w, at, R_sliding_experts_qkv_queries);
    writes_own(w, at, R_sliding_experts_qkv_keys);
    writes_own(w, at, R_sliding_experts_qkv_values);
    for (int g = 0; g < 4; ++g) {
      const int t = tile * 4 + g;
      Acc acc = w.join_sum(g * 4, 4);
      const int in_period = t % 11, outer = t / 11;
      if (in_period < 6) {
        const int u = in_period;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
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
            const Rotation by = rotation(angle);
            v1_low = v0_low * by.cosine - v0_high * by.sine;
            v1_high = v0_high * by.cosine + v0_low * by.sine;
          }
          w.ws<bf16>(B_sliding_experts_qkv_queries)[(outer * 16 + c * 2 + (n_low) / 48) * 48 + (n_low) % 48] = to_bf16(v1_low);
          w.ws<bf16>(B_sliding_experts_qkv_queries)[(outer * 16 + c * 2 + (n_high) / 48) * 48 + (n_high) % 48] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 6 && in_period < 9) {
        const int u = in_period - 6;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
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
            const Rotation by = rotation(angle);
            v1_low = v0_low * by.cosine - v0_high * by.sine;
            v1_high = v0_high * by.cosine + v0_low * by.sine;
          }
          reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_keys))[size_t(outer * 4 + at.block->position[c] / 64 % 4) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_low, 48)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_sliding_experts_qkv_keys))[size_t(outer * 4 + at.block->position[c] / 64 % 4) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_high, 48)] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 9 && in_period < 11) {
        const int u = in_period - 9;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
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
    w.join_release(89);
  }
  w.role_barrier(85);
  if (w.index == 0) w.signal(86, C_sliding_experts_qkv);
}

// ---- sliding_experts.attend ----
#line 65 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_attend_compute(Warp& w, const At& at) {
  const NearAttention<2, 48, 32, 128, 4, 1> near{w.kv(at.kv + B_sliding_experts_qkv_keys), w.kv(at.kv + B_sliding_experts_qkv_values), {at.block->position, at.block->rows}};
  touch_near(w, near, share(w, 8));
  touch(w, w.image(at.image + 552704), 64);
  w.wait(90, C_sliding_experts_qkv, at.runs(C_sliding_experts_qkv) + 1);
  const Share tasks = share(w, 8);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    reads_all(w, at, R_sliding_experts_qkv_queries);
    reads_all(w, at, R_sliding_experts_qkv_keys);
    reads_all(w, at, R_sliding_experts_qkv_values);
    attend_near(w, near, task, w.ws<const bf16>(B_sliding_experts_qkv_queries), 0.144337565f, reinterpret_cast<const float*>(w.image(at.image + 552704)));
    w.role_barrier_within(91);
    writes_own(w, at, R_sliding_experts_attend_columns);
    merge_near(w, near, task, w.ws<bf16>(B_sliding_experts_attend_columns));
  }
  w.role_barrier(92);
  if (w.index == 0) w.signal(93, C_sliding_experts_attend);
}

// ---- sliding_experts.o: 384 KiB of weights ----
#line 72 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(94);
    w.ring_copy(95, 0, w.image(at.image + 552832 + size_t(tile) * 32768), 32768);
    w.ring_commit(96, 32768);
  }
}
#line 72 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_o_compute(Warp& w, const At& at) {
  w.wait(97, C_sliding_experts_attend, at.runs(C_sliding_experts_attend) + 1);
  if (empty(share(w, 12))) return;  // no tile on this SM
  reads_all(w, at, R_sliding_experts_attend_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, w.ws<bf16>(B_sliding_experts_attend_columns), part * 2);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(99);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(100);
    w.join_acquire(101);
    w.join_put(w.index, acc);
    w.join_commit(102);
  }
}
#line 72 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_o_epilogue(Warp& w, const At& at) {
  w.wait(106, C_sliding_experts_attend, at.runs(C_sliding_experts_attend) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(107);
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
          const int n_low = u * 16 + i, n_high = n_low + 8;
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
        const int n_low = u * 16 + i, n_high = n_low + 8;
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
    w.join_release(108);
  }
  w.role_barrier(104);
  if (w.index == 0) w.signal(105, C_sliding_experts_o);
}

// ---- sliding_experts.router: 24 KiB of weights ----
#line 85 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_router_load(Warp& w, const At& at) {
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(109);
    w.ring_copy(110, 0, w.image(at.image + 946816 + size_t(tile) * 24576), 24576);
    w.ring_commit(111, 24576);
  }
}
#line 85 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_router_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 113, w.image(at.image + 946048) + w.index % 12 * 64);
  w.wait(112, C_sliding_experts_o, at.runs(C_sliding_experts_o) + 1);
  if (empty(share(w, 1))) return;  // no tile on this SM
  reads_all(w, at, R_sliding_experts_o_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_sliding_experts_o_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 946048)), 12, 113,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(114);
    if (w.index < 12) multiply<F32, 1>(w, acc, page + part * 2048, page + part * 2048 + 2048, x);
    w.ring_release(115);
    w.join_acquire(116);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(117);
  }
}
#line 85 "models/mimo/graph.ts"
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
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 16 + i, n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_sliding_experts_router_plain)[c * 16 + n_low] = v0_low;
      w.ws<float>(B_sliding_experts_router_plain)[c * 16 + n_high] = v0_high;
    });
    w.join_release(123);
  }
  w.role_barrier(119);
  if (w.index == 0) w.signal(120, C_sliding_experts_router);
}

// ---- sliding_experts.route ----
#line 85 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_route_compute(Warp& w, const At& at) {
  touch(w, w.image(at.image + 971392), 64);
  w.wait(124, C_sliding_experts_router, at.runs(C_sliding_experts_router) + 1);
  w.wait_local(125, L_table, at.runs(T_table));
  reads_all(w, at, R_sliding_experts_router_plain);
  route<16, 4>(w, w.ws<const float>(B_sliding_experts_router_plain), 1, reinterpret_cast<const float*>(w.image(at.image + 971392)), at.block->rows, true, 9.99999968e-21f, 1.0f, 126,
        [](float logit) { return sigmoid(logit); },
        [](float score, float bias) { return (score + bias); });
  if (w.index == 0) w.signal_local(127, L_route);
}

// ---- sliding_experts.expert.up: 1.6 MiB of weights ----
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_up_load(Warp& w, const At& at) {
  w.wait_local(131, L_route, at.runs(T_route) + 1);
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int tile = dealt_from(experts.begin * 8, w.sm, w.sms); tile < experts.end * 8; tile += w.sms) {
    const int active = tile / 8;
    w.ring_acquire(128);
    w.ring_copy(129, 0, w.image(at.image + 971520 + size_t(w.table().expert[active]) * 104448 + size_t((tile % 8)) * 13056), 13056);
    w.ring_commit(130, 13056);
  }
}
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_up_compute(Warp& w, const At& at) {
  bring_weights<3>(w, 132, w.image(at.image + 946048) + w.index % 4 * 192);
  if (w.sm >= w.table().active * 8) return;  // no tile on this SM
  reads_all(w, at, R_sliding_experts_o_columns);
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, w.ws<bf16>(B_sliding_experts_o_columns), part * 3);
  const ColumnScale scale = normalise_by_scale(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 946048)), 4, 132,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int tile = dealt_from(experts.begin * 8, w.sm, w.sms); tile < experts.end * 8; tile += w.sms) {
    const int active = tile / 8;
    Acc acc = zeros();
    const char* page = w.ring_await(133);
    multiply<E2M1, 3>(w, acc, page + (tile_of_page * 4 + part) * 816, page + (tile_of_page * 4 + part) * 816 + 768, x);
    w.ring_release(134);
    w.join_acquire(135);
    scale_columns(acc, scale);
    w.join_put(w.index, acc);
    w.join_commit(136);
  }
}
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_up_epilogue(Warp& w, const At& at) {
  w.wait_local(140, L_route, at.runs(T_route) + 1);
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
      w.join_wait(141);
      writes_own(w, at, half == 0 ? R_sliding_experts_expert_up_routedRows_early : R_sliding_experts_expert_up_routedRows);
      for (int g = 0; g < 4; ++g) {
        const int t = (tile % 8) * 4 + g;
        Acc acc = w.join_sum(g * 4, 4);
        const int u = t;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int slot = w.table().slot[active][c];
          if (slot < 0) return;  // the row is not of this expert
          const int n_low = u * 8 + i;
          (void)high;
          const float v0_low = ((low * sigmoid(low)) * high);
          w.ws<bf16>(B_sliding_experts_expert_up_routedRows)[size_t(c * 4 + slot) * 256 + n_low] = to_bf16(v0_low);
        });
      }
      w.join_release(142);
    }
    w.role_barrier(138);
    if (w.index == 0) w.signal(139, half == 0 ? C_sliding_experts_expert_up_early : C_sliding_experts_expert_up);
  }
}

// ---- sliding_experts.expert.down: 816 KiB of weights ----
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_down_load(Warp& w, const At& at) {
  const Share own = share(w, 24);
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 2) {
    const int group = experts.end - first < 2 ? experts.end - first : 2;
    w.ring_acquire(143);
    const u32 each = u32(own.end - own.begin) * 2176;
TILE_LOOP
    for (int i = 0; i < group; ++i) {
      w.ring_copy(144, u32(i) * each, w.image(at.image + 2642688 + size_t(routes.expert[first + i]) * 52224 + size_t(own.begin) * 2176), each);
    }
    w.ring_commit(145, u32(group) * each);
  }
  if (w.index == 0) w.signal_local(146, L_table);
}
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_down_compute(Warp& w, const At& at) {
  const Share own = share(w, 24);
  const Quotient by_tiles(own.end - own.begin);
  int cell = w.index;
  w.slots_acquire(148);
  const RouteTable& routes = w.table();
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    const Share experts = half_of(routes, half);
    w.wait(147, half == 0 ? C_sliding_experts_expert_up_early : C_sliding_experts_expert_up, at.runs(C_sliding_experts_expert_up) + 1);
    reads_all(w, at, half == 0 ? R_sliding_experts_expert_up_routedRows_early : R_sliding_experts_expert_up_routedRows);
    stage_rows<4, 256>(w, w.scratch<bf16>(), w.ws<const bf16>(B_sliding_experts_expert_up_routedRows), at.block->rows, experts, half);
    w.role_barrier(149);
    for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 2) {
      const int group = experts.end - first < 2 ? experts.end - first : 2;
      const char* page = w.ring_await(150);
      const int tiles = by_tiles.by;
      for (; cell < group * tiles; cell += 16) {
        const int of_group = by_tiles.of(cell), active = first + of_group;
        const char* codes = page + cell * 2176;
        Exact sum = nothing();
        for (int unit = 0; unit < 8; unit += 1) {
          Staged<1> x;
          stage_routed<true, 4>(w, x, w.scratch<const bf16>(), 256, routes.slot[active], unit, half);
          Acc acc = zeros();
          multiply<E2M1, 1>(w, acc, codes + unit * 256, codes + 2048 + unit * 16, x);
          add_routed(w, sum, acc, active);
        }
        w.slots_put(sum, cell - of_group * tiles, active);
      }
      cell -= group * tiles;
      w.ring_release(151);
    }
  }
  w.slots_commit(152);
}
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void sliding_experts_expert_down_epilogue(Warp& w, const At& at) {
  const Share own = share(w, 24);
  w.slots_await(153);
  reads_all(w, at, R_sliding_experts_o_plain);
  writes_own(w, at, R_x_columns);
  writes_own(w, at, R_x_plain);
  for (int t = own.begin + w.index; t < own.end; t += w.count) {
    Acc ahead_0 = zeros();
    {
      const int u = t;
      each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
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
      const int n_low = u * 16 + i, n_high = n_low + 8;
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
  w.slots_release(155);
  w.role_barrier(156);
  if (w.index == 0) w.signal(157, C_x);
}

// ==== full_experts: 3 5 ====

// ---- full_experts.qkv: 539 KiB of weights ----
#line 60 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(158);
    w.ring_copy(159, 0, w.image(at.image + 768 + size_t(tile) * 25088), 25088);
    w.ring_commit(160, 25088);
  }
}
#line 60 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_qkv_compute(Warp& w, const At& at) {
  bring_weights<3>(w, 162, w.image(at.image + 0) + w.index % 4 * 192);
  w.wait(161, C_x, at.runs(C_x));
  if (empty(share(w, 22))) return;  // no tile on this SM
  reads_all(w, at, R_x_columns);
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, w.ws<bf16>(B_x_columns), part * 3);
  const ColumnScale scale = normalise_by_scale(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 4, 162,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(163);
    multiply<E4M3, 3>(w, acc, page + (tile_of_page * 4 + part) * 1568, page + (tile_of_page * 4 + part) * 1568 + 1536, x);
    w.ring_release(164);
    w.join_acquire(165);
    scale_columns(acc, scale);
    w.join_put(w.index, acc);
    w.join_commit(166);
  }
}
#line 60 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_qkv_epilogue(Warp& w, const At& at) {
  w.wait(170, C_x, at.runs(C_x));
  const Share tiles = share(w, 22);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(171);
    writes_own(w, at, R_full_experts_qkv_queries);
    writes_own(w, at, R_full_experts_qkv_keys);
    writes_own(w, at, R_full_experts_qkv_values);
    for (int g = 0; g < 4; ++g) {
      const int t = tile * 4 + g;
      Acc acc = w.join_sum(g * 4, 4);
      const int in_period = t % 11, outer = t / 11;
      if (in_period < 6) {
        const int u = in_period;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
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
            const Rotation by = rotation(angle);
            v1_low = v0_low * by.cosine - v0_high * by.sine;
            v1_high = v0_high * by.cosine + v0_low * by.sine;
          }
          w.ws<bf16>(B_full_experts_qkv_queries)[(outer * 16 + c * 2 + (n_low) / 48) * 48 + (n_low) % 48] = to_bf16(v1_low);
          w.ws<bf16>(B_full_experts_qkv_queries)[(outer * 16 + c * 2 + (n_high) / 48) * 48 + (n_high) % 48] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 6 && in_period < 9) {
        const int u = in_period - 6;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
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
            const Rotation by = rotation(angle);
            v1_low = v0_low * by.cosine - v0_high * by.sine;
            v1_high = v0_high * by.cosine + v0_low * by.sine;
          }
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_keys))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_low, 48)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_full_experts_qkv_keys))[size_t(outer * 32 + at.block->position[c] / 64 % 32) * k_span_elements(48) + k_at(at.block->position[c] % 64, n_high, 48)] = to_bf16(v1_high);
        });
      }
      else if (in_period >= 9 && in_period < 11) {
        const int u = in_period - 9;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
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
    w.join_release(172);
  }
  w.role_barrier(168);
  if (w.index == 0) w.signal(169, C_full_experts_qkv);
}

// ---- full_experts.attend ----
#line 65 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_attend_load(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 0, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(173, C_full_experts_qkv, at.runs(C_full_experts_qkv) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    w.ring_acquire(174);
    reads_all(w, at, R_full_experts_qkv_keys);
    reads_all(w, at, R_full_experts_qkv_values);
    const size_t slot = size_t(task / (parts * spans.count) * 32 + (spans.first + task / parts % spans.count) % 32);
    w.ring_copy(175, 0, w.kv(at.kv + B_full_experts_qkv_keys) + slot * 8192, 8192);
    w.ring_copy(175, 8192, w.kv(at.kv + B_full_experts_qkv_values) + slot * 4096, 4096);
    w.ring_commit(176, 12288);
  }
}
#line 65 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_attend_compute(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 0, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(177, C_full_experts_qkv, at.runs(C_full_experts_qkv) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const char* page = w.ring_await(178);
    reads_all(w, at, R_full_experts_qkv_queries);
    writes_own(w, at, R_full_experts_attend_partials);
    const int part = task % parts, span = task / parts % spans.count, head = task / (parts * spans.count);
    const Share tiles = share_of(1, part, parts);
    const bf16* q = w.ws<bf16>(B_full_experts_qkv_queries) + size_t(head) * 768;
    float* o = w.ws<float>(B_full_experts_attend_partials) + size_t(head) * 17408;
    float* peak = o + 16384;
    float* total = peak + 512;
    for (int first = tiles.begin; first < tiles.end; first += attend_teams) {
      const int m = attend_tile(w, first, tiles.end);
      const size_t row = size_t(span) * 16 + m * 16;
      attend_span<2, 48, 32>(w, 179, page, page + 8192, q, m, (spans.first + span) * 64,
          RowPositions{at.block->position, at.block->rows}, 0, 0.144337565f, o + row * 32, peak + row, total + row);
    }
    w.ring_release(180);
  }
  w.role_barrier(181);
  if (w.index == 0) w.signal(182, C_full_experts_attend);
}

// ---- full_experts.attend.merge ----
#line 65 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_attend_merge_compute(Warp& w, const At& at) {
  const Spans spans = span_tasks(w, at.block->position, at.block->rows, 0, 8, 1).spans;
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  w.wait(183, C_full_experts_attend, at.runs(C_full_experts_attend) + 1);
  reads_all(w, at, R_full_experts_attend_partials);
  writes_own(w, at, R_full_experts_attend_columns);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int first_dim = task % 1 * 32, of_all = task / 1;
    const int head = of_all / (at.block->rows * 2), m_row = of_all % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_full_experts_attend_partials) + size_t(head) * 17408;
    merge_spans<32, 32, 32>(w, o, o + 16384, o + 16896, 16, m_row, first_dim, spans.count, nullptr,
        w.ws<bf16>(B_full_experts_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(184);
  if (w.index == 0) w.signal(185, C_full_experts_attend_merge);
}

// ---- full_experts.o: 384 KiB of weights ----
#line 72 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(186);
    w.ring_copy(187, 0, w.image(at.image + 552704 + size_t(tile) * 32768), 32768);
    w.ring_commit(188, 32768);
  }
}
#line 72 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_o_compute(Warp& w, const At& at) {
  w.wait(189, C_full_experts_attend_merge, at.runs(C_full_experts_attend_merge) + 1);
  if (empty(share(w, 12))) return;  // no tile on this SM
  reads_all(w, at, R_full_experts_attend_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, w.ws<bf16>(B_full_experts_attend_columns), part * 2);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(191);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(192);
    w.join_acquire(193);
    w.join_put(w.index, acc);
    w.join_commit(194);
  }
}
#line 72 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_o_epilogue(Warp& w, const At& at) {
  w.wait(198, C_full_experts_attend_merge, at.runs(C_full_experts_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(199);
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
          const int n_low = u * 16 + i, n_high = n_low + 8;
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
        const int n_low = u * 16 + i, n_high = n_low + 8;
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
    w.join_release(200);
  }
  w.role_barrier(196);
  if (w.index == 0) w.signal(197, C_full_experts_o);
}

// ---- full_experts.router: 24 KiB of weights ----
#line 85 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_router_load(Warp& w, const At& at) {
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(201);
    w.ring_copy(202, 0, w.image(at.image + 946688 + size_t(tile) * 24576), 24576);
    w.ring_commit(203, 24576);
  }
}
#line 85 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_router_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 205, w.image(at.image + 945920) + w.index % 12 * 64);
  w.wait(204, C_full_experts_o, at.runs(C_full_experts_o) + 1);
  if (empty(share(w, 1))) return;  // no tile on this SM
  reads_all(w, at, R_full_experts_o_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_full_experts_o_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 945920)), 12, 205,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(206);
    if (w.index < 12) multiply<F32, 1>(w, acc, page + part * 2048, page + part * 2048 + 2048, x);
    w.ring_release(207);
    w.join_acquire(208);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(209);
  }
}
#line 85 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_router_epilogue(Warp& w, const At& at) {
  w.wait(213, C_full_experts_o, at.runs(C_full_experts_o) + 1);
  const Share tiles = share(w, 1);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(214);
    writes_own(w, at, R_full_experts_router_plain);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 16 + i, n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_full_experts_router_plain)[c * 16 + n_low] = v0_low;
      w.ws<float>(B_full_experts_router_plain)[c * 16 + n_high] = v0_high;
    });
    w.join_release(215);
  }
  w.role_barrier(211);
  if (w.index == 0) w.signal(212, C_full_experts_router);
}

// ---- full_experts.route ----
#line 85 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_route_compute(Warp& w, const At& at) {
  touch(w, w.image(at.image + 971264), 64);
  w.wait(216, C_full_experts_router, at.runs(C_full_experts_router) + 1);
  w.wait_local(217, L_table, at.runs(T_table));
  reads_all(w, at, R_full_experts_router_plain);
  route<16, 4>(w, w.ws<const float>(B_full_experts_router_plain), 1, reinterpret_cast<const float*>(w.image(at.image + 971264)), at.block->rows, true, 9.99999968e-21f, 1.0f, 218,
        [](float logit) { return sigmoid(logit); },
        [](float score, float bias) { return (score + bias); });
  if (w.index == 0) w.signal_local(219, L_route);
}

// ---- full_experts.expert.up: 1.6 MiB of weights ----
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_up_load(Warp& w, const At& at) {
  w.wait_local(223, L_route, at.runs(T_route) + 1);
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int tile = dealt_from(experts.begin * 8, w.sm, w.sms); tile < experts.end * 8; tile += w.sms) {
    const int active = tile / 8;
    w.ring_acquire(220);
    w.ring_copy(221, 0, w.image(at.image + 971392 + size_t(w.table().expert[active]) * 104448 + size_t((tile % 8)) * 13056), 13056);
    w.ring_commit(222, 13056);
  }
}
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_up_compute(Warp& w, const At& at) {
  bring_weights<3>(w, 224, w.image(at.image + 945920) + w.index % 4 * 192);
  if (w.sm >= w.table().active * 8) return;  // no tile on this SM
  reads_all(w, at, R_full_experts_o_columns);
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, w.ws<bf16>(B_full_experts_o_columns), part * 3);
  const ColumnScale scale = normalise_by_scale(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 945920)), 4, 224,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int tile = dealt_from(experts.begin * 8, w.sm, w.sms); tile < experts.end * 8; tile += w.sms) {
    const int active = tile / 8;
    Acc acc = zeros();
    const char* page = w.ring_await(225);
    multiply<E2M1, 3>(w, acc, page + (tile_of_page * 4 + part) * 816, page + (tile_of_page * 4 + part) * 816 + 768, x);
    w.ring_release(226);
    w.join_acquire(227);
    scale_columns(acc, scale);
    w.join_put(w.index, acc);
    w.join_commit(228);
  }
}
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_up_epilogue(Warp& w, const At& at) {
  w.wait_local(232, L_route, at.runs(T_route) + 1);
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
      w.join_wait(233);
      writes_own(w, at, half == 0 ? R_full_experts_expert_up_routedRows_early : R_full_experts_expert_up_routedRows);
      for (int g = 0; g < 4; ++g) {
        const int t = (tile % 8) * 4 + g;
        Acc acc = w.join_sum(g * 4, 4);
        const int u = t;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int slot = w.table().slot[active][c];
          if (slot < 0) return;  // the row is not of this expert
          const int n_low = u * 8 + i;
          (void)high;
          const float v0_low = ((low * sigmoid(low)) * high);
          w.ws<bf16>(B_full_experts_expert_up_routedRows)[size_t(c * 4 + slot) * 256 + n_low] = to_bf16(v0_low);
        });
      }
      w.join_release(234);
    }
    w.role_barrier(230);
    if (w.index == 0) w.signal(231, half == 0 ? C_full_experts_expert_up_early : C_full_experts_expert_up);
  }
}

// ---- full_experts.expert.down: 816 KiB of weights ----
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_down_load(Warp& w, const At& at) {
  const Share own = share(w, 24);
  const RouteTable& routes = w.table();
  const Share experts{0, routes.active};
  for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 2) {
    const int group = experts.end - first < 2 ? experts.end - first : 2;
    w.ring_acquire(235);
    const u32 each = u32(own.end - own.begin) * 2176;
TILE_LOOP
    for (int i = 0; i < group; ++i) {
      w.ring_copy(236, u32(i) * each, w.image(at.image + 2642560 + size_t(routes.expert[first + i]) * 52224 + size_t(own.begin) * 2176), each);
    }
    w.ring_commit(237, u32(group) * each);
  }
  if (w.index == 0) w.signal_local(238, L_table);
}
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_down_compute(Warp& w, const At& at) {
  const Share own = share(w, 24);
  const Quotient by_tiles(own.end - own.begin);
  int cell = w.index;
  w.slots_acquire(240);
  const RouteTable& routes = w.table();
TILE_LOOP
  for (int half = 0; half < 2; ++half) {
    const Share experts = half_of(routes, half);
    w.wait(239, half == 0 ? C_full_experts_expert_up_early : C_full_experts_expert_up, at.runs(C_full_experts_expert_up) + 1);
    reads_all(w, at, half == 0 ? R_full_experts_expert_up_routedRows_early : R_full_experts_expert_up_routedRows);
    stage_rows<4, 256>(w, w.scratch<bf16>(), w.ws<const bf16>(B_full_experts_expert_up_routedRows), at.block->rows, experts, half);
    w.role_barrier(241);
    for (int first = experts.begin; first < (own.begin < own.end ? experts.end : 0); first += 2) {
      const int group = experts.end - first < 2 ? experts.end - first : 2;
      const char* page = w.ring_await(242);
      const int tiles = by_tiles.by;
      for (; cell < group * tiles; cell += 16) {
        const int of_group = by_tiles.of(cell), active = first + of_group;
        const char* codes = page + cell * 2176;
        Exact sum = nothing();
        for (int unit = 0; unit < 8; unit += 1) {
          Staged<1> x;
          stage_routed<true, 4>(w, x, w.scratch<const bf16>(), 256, routes.slot[active], unit, half);
          Acc acc = zeros();
          multiply<E2M1, 1>(w, acc, codes + unit * 256, codes + 2048 + unit * 16, x);
          add_routed(w, sum, acc, active);
        }
        w.slots_put(sum, cell - of_group * tiles, active);
      }
      cell -= group * tiles;
      w.ring_release(243);
    }
  }
  w.slots_commit(244);
}
#line 96 "models/mimo/graph.ts"
TILE_PHASE static void full_experts_expert_down_epilogue(Warp& w, const At& at) {
  const Share own = share(w, 24);
  w.slots_await(245);
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
        const int n_low = u * 16 + i, n_high = n_low + 8;
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
      const int n_low = u * 16 + i, n_high = n_low + 8;
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
  w.slots_release(247);
  w.role_barrier(248);
  if (w.index == 0) w.signal(249, C_x);
}

// ==== end ====

// ---- end.head: 3.1 MiB of weights ----
#line 124 "models/mimo/graph.ts"
TILE_PHASE static void end_head_load(Warp& w, const At& at) {
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(250);
    w.ring_copy(251, 0, w.image(at.image + 768 + size_t(tile) * 12288), 12288);
    w.ring_commit(252, 12288);
  }
}
#line 124 "models/mimo/graph.ts"
TILE_PHASE static void end_head_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 254, w.image(at.image + 0) + w.index % 12 * 64);
  w.wait(253, C_x, at.runs(C_x));
  if (empty(share(w, 264))) return;  // no tile on this SM
  reads_all(w, at, R_x_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_x_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 12, 254,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(255);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(256);
    w.join_acquire(257);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(258);
  }
}
#line 124 "models/mimo/graph.ts"
TILE_PHASE static void end_head_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(262);
    writes_own(w, at, R_end_head_logits);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 16 + i, n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_end_head_logits)[size_t(c) * 4224 + n_low] = v0_low;
      w.ws<float>(B_end_head_logits)[size_t(c) * 4224 + n_high] = v0_high;
    });
    w.join_release(263);
  }
  w.role_barrier(260);
  if (w.index == 0) w.signal(261, C_end_head);
}

// ---- end.logits.firsts ----
#line 124 "models/mimo/graph.ts"
TILE_PHASE static void end_logits_firsts_compute(Warp& w, const At& at) {
  w.wait(264, C_end_head, at.runs(C_end_head) + 1);
  reads_all(w, at, R_end_head_logits);
  writes_own(w, at, R_end_logits_firsts);
  if (w.rank == 0) find_firsts(w, w.ws<const float>(B_end_head_logits), 4224, w.ws<u64>(B_end_logits_firsts), at.round->sample_from, at.block->rows);
  w.role_barrier(265);
  if (w.index == 0) w.signal(266, C_end_logits_firsts);
}

// ---- end.logits ----
#line 124 "models/mimo/graph.ts"
TILE_PHASE static void end_logits_compute(Warp& w, const At& at) {
  w.wait(267, C_end_logits_firsts, at.runs(C_end_logits_firsts) + 1);
  reads_all(w, at, R_end_head_logits);
  reads_all(w, at, R_end_logits_firsts);
  const RoundControl* round = at.round;
  if (w.rank == 0 && w.sm == 0) called(w, [=](Warp& w) { finish_target(w, *round, w.ws<const float>(B_end_head_logits), 4224, w.ws<const u64>(B_end_logits_firsts)); });
}

// ==== commit_begin ====

// ---- commit_begin.fc: 864 KiB of weights ----
#line 67 "models/mimo/drafter.ts"
TILE_PHASE static void commit_begin_fc_load(Warp& w, const At& at) {
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 3; ++page_of_tile) {
      w.ring_acquire(269);
      w.ring_copy(270, 0, w.image(at.image + 0 + (size_t(tile) * 3 + page_of_tile) * 12288), 12288);
      w.ring_commit(271, 12288);
    }
  }
}
#line 67 "models/mimo/drafter.ts"
TILE_PHASE static void commit_begin_fc_compute(Warp& w, const At& at) {
  if (empty(share(w, 24))) return;  // no tile on this SM
  reads_all(w, at, R_taps_columns);
  const int part = w.index % 12;
  Staged<3> x;
  stage(w, x, w.ws<bf16>(B_taps_columns), part * 3);
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
TILE_LOOP
    for (int page_of_tile = 0; page_of_tile < 3; ++page_of_tile) {
      const char* page = w.ring_await(273);
      if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, units_of<1>(x, page_of_tile * 1));
      w.ring_release(274);
    }
    w.join_acquire(275);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(276);
  }
}
#line 67 "models/mimo/drafter.ts"
TILE_PHASE static void commit_begin_fc_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 24);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(280);
    writes_own(w, at, R_commit_x_columns);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 16 + i, n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<bf16>(B_commit_x_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
      w.ws<bf16>(B_commit_x_columns)[columns_at(n_high, c)] = to_bf16(v0_high);
    });
    w.join_release(281);
  }
  w.role_barrier(278);
  if (w.index == 0) w.signal(279, C_commit_x);
}

// ==== commit_layer: 0 ====

// ---- commit_layer.kv: 384 KiB of weights ----
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer_kv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(282);
    w.ring_copy(283, 0, w.image(at.image + 768 + size_t(tile) * 12288), 12288);
    w.ring_commit(284, 12288);
  }
}
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer_kv_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 286, w.image(at.image + 0) + w.index % 12 * 64);
  w.wait(285, C_commit_x, at.runs(C_commit_x));
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_commit_x_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_commit_x_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 12, 286,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(287);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(288);
    w.join_acquire(289);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(290);
  }
}
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer_kv_epilogue(Warp& w, const At& at) {
  w.wait(294, C_commit_x, at.runs(C_commit_x));
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(295);
    writes_own(w, at, R_commit_layer_kv_plain);
    writes_own(w, at, R_cache_layers_0_values);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int in_period = t % 4, outer = t / 4;
    if (in_period < 2) {
      const int u = in_period;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        w.ws<float>(B_commit_layer_kv_plain)[c * 256 + outer * 32 + n_low] = v0_low;
        w.ws<float>(B_commit_layer_kv_plain)[c * 256 + outer * 32 + n_high] = v0_high;
      });
    }
    else if (in_period >= 2 && in_period < 4) {
      const int u = in_period - 2;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = (v0_low * 0.611999989f);
        const float v1_high = (v0_high * 0.611999989f);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_0_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_0_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      });
    }
    w.join_release(296);
  }
  w.role_barrier(292);
  if (w.index == 0) w.signal(293, C_commit_layer_kv);
}

// ---- commit_layer.norm ----
#line 55 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer_norm_compute(Warp& w, const At& at) {
  w.wait(297, C_commit_layer_kv, at.runs(C_commit_layer_kv) + 1);
  reads_all(w, at, R_commit_layer_kv_plain);
  writes_own(w, at, R_cache_layers_0_keys);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 8, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
    const float* source = w.ws<const float>(B_commit_layer_kv_plain) + size_t(task) * 32;
    const bf16* weight = reinterpret_cast<const bf16*>(w.image(at.image + 393984));
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_0_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_0_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(298);
  if (w.index == 0) w.signal(299, C_commit_layer_norm);
}

// ==== commit_layer2: 1 ====

// ---- commit_layer2.kv: 384 KiB of weights ----
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer2_kv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(300);
    w.ring_copy(301, 0, w.image(at.image + 0 + size_t(tile) * 12288), 12288);
    w.ring_commit(302, 12288);
  }
}
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer2_kv_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 304, w.image(size_t(26921728ull)) + w.index % 12 * 64);
  w.wait(303, C_commit_x, at.runs(C_commit_x));
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_commit_x_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_commit_x_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(size_t(26921728ull))), 12, 304,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(305);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(306);
    w.join_acquire(307);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(308);
  }
}
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer2_kv_epilogue(Warp& w, const At& at) {
  w.wait(312, C_commit_x, at.runs(C_commit_x));
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(313);
    writes_own(w, at, R_commit_layer2_kv_plain);
    writes_own(w, at, R_cache_layers_1_values);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int in_period = t % 4, outer = t / 4;
    if (in_period < 2) {
      const int u = in_period;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        w.ws<float>(B_commit_layer2_kv_plain)[c * 256 + outer * 32 + n_low] = v0_low;
        w.ws<float>(B_commit_layer2_kv_plain)[c * 256 + outer * 32 + n_high] = v0_high;
      });
    }
    else if (in_period >= 2 && in_period < 4) {
      const int u = in_period - 2;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = (v0_low * 0.611999989f);
        const float v1_high = (v0_high * 0.611999989f);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_1_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_1_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      });
    }
    w.join_release(314);
  }
  w.role_barrier(310);
  if (w.index == 0) w.signal(311, C_commit_layer2_kv);
}

// ---- commit_layer2.norm ----
#line 55 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer2_norm_compute(Warp& w, const At& at) {
  w.wait(315, C_commit_layer2_kv, at.runs(C_commit_layer2_kv) + 1);
  reads_all(w, at, R_commit_layer2_kv_plain);
  writes_own(w, at, R_cache_layers_1_keys);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 8, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
    const float* source = w.ws<const float>(B_commit_layer2_kv_plain) + size_t(task) * 32;
    const bf16* weight = reinterpret_cast<const bf16*>(w.image(at.image + 393216));
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_1_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_1_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(316);
  if (w.index == 0) w.signal(317, C_commit_layer2_norm);
}

// ==== commit_layer3: 2 ====

// ---- commit_layer3.kv: 384 KiB of weights ----
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer3_kv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(318);
    w.ring_copy(319, 0, w.image(at.image + 0 + size_t(tile) * 12288), 12288);
    w.ring_commit(320, 12288);
  }
}
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer3_kv_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 322, w.image(size_t(26921728ull)) + w.index % 12 * 64);
  w.wait(321, C_commit_x, at.runs(C_commit_x));
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_commit_x_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_commit_x_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(size_t(26921728ull))), 12, 322,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(323);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(324);
    w.join_acquire(325);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(326);
  }
}
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer3_kv_epilogue(Warp& w, const At& at) {
  w.wait(330, C_commit_x, at.runs(C_commit_x));
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(331);
    writes_own(w, at, R_commit_layer3_kv_plain);
    writes_own(w, at, R_cache_layers_2_values);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int in_period = t % 4, outer = t / 4;
    if (in_period < 2) {
      const int u = in_period;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        w.ws<float>(B_commit_layer3_kv_plain)[c * 256 + outer * 32 + n_low] = v0_low;
        w.ws<float>(B_commit_layer3_kv_plain)[c * 256 + outer * 32 + n_high] = v0_high;
      });
    }
    else if (in_period >= 2 && in_period < 4) {
      const int u = in_period - 2;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = (v0_low * 0.611999989f);
        const float v1_high = (v0_high * 0.611999989f);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_2_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_2_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      });
    }
    w.join_release(332);
  }
  w.role_barrier(328);
  if (w.index == 0) w.signal(329, C_commit_layer3_kv);
}

// ---- commit_layer3.norm ----
#line 55 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer3_norm_compute(Warp& w, const At& at) {
  w.wait(333, C_commit_layer3_kv, at.runs(C_commit_layer3_kv) + 1);
  reads_all(w, at, R_commit_layer3_kv_plain);
  writes_own(w, at, R_cache_layers_2_keys);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 8, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
    const float* source = w.ws<const float>(B_commit_layer3_kv_plain) + size_t(task) * 32;
    const bf16* weight = reinterpret_cast<const bf16*>(w.image(at.image + 393216));
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_2_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_2_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(334);
  if (w.index == 0) w.signal(335, C_commit_layer3_norm);
}

// ==== commit_layer4: 3 ====

// ---- commit_layer4.kv: 384 KiB of weights ----
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer4_kv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(336);
    w.ring_copy(337, 0, w.image(at.image + 0 + size_t(tile) * 12288), 12288);
    w.ring_commit(338, 12288);
  }
}
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer4_kv_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 340, w.image(size_t(26921728ull)) + w.index % 12 * 64);
  w.wait(339, C_commit_x, at.runs(C_commit_x));
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_commit_x_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_commit_x_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(size_t(26921728ull))), 12, 340,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(341);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(342);
    w.join_acquire(343);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(344);
  }
}
#line 72 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer4_kv_epilogue(Warp& w, const At& at) {
  w.wait(348, C_commit_x, at.runs(C_commit_x));
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(349);
    writes_own(w, at, R_commit_layer4_kv_plain);
    writes_own(w, at, R_cache_layers_3_values);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int in_period = t % 4, outer = t / 4;
    if (in_period < 2) {
      const int u = in_period;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        w.ws<float>(B_commit_layer4_kv_plain)[c * 256 + outer * 32 + n_low] = v0_low;
        w.ws<float>(B_commit_layer4_kv_plain)[c * 256 + outer * 32 + n_high] = v0_high;
      });
    }
    else if (in_period >= 2 && in_period < 4) {
      const int u = in_period - 2;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = (v0_low * 0.611999989f);
        const float v1_high = (v0_high * 0.611999989f);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_3_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_3_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      });
    }
    w.join_release(350);
  }
  w.role_barrier(346);
  if (w.index == 0) w.signal(347, C_commit_layer4_kv);
}

// ---- commit_layer4.norm ----
#line 55 "models/mimo/drafter.ts"
TILE_PHASE static void commit_layer4_norm_compute(Warp& w, const At& at) {
  w.wait(351, C_commit_layer4_kv, at.runs(C_commit_layer4_kv) + 1);
  reads_all(w, at, R_commit_layer4_kv_plain);
  writes_own(w, at, R_cache_layers_3_keys);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 8, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
    const float* source = w.ws<const float>(B_commit_layer4_kv_plain) + size_t(task) * 32;
    const bf16* weight = reinterpret_cast<const bf16*>(w.image(at.image + 393216));
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_3_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_3_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(352);
  if (w.index == 0) w.signal(353, C_commit_layer4_norm);
}

// ==== commit_end ====

// ---- commit_end.conclude ----
#line 75 "models/mimo/drafter.ts"
TILE_PHASE static void commit_end_conclude_compute(Warp& w, const At& at) {
  w.wait(354, C_commit_layer4_norm, at.runs(C_commit_layer4_norm));
  w.wait(355, C_commit_layer3_norm, at.runs(C_commit_layer3_norm));
  w.wait(356, C_commit_layer2_norm, at.runs(C_commit_layer2_norm));
  w.wait(357, C_commit_layer_norm, at.runs(C_commit_layer_norm));
  reads_all(w, at, R_commit_x_columns);
  reads_all(w, at, R_commit_layer_kv_plain);
  reads_all(w, at, R_cache_layers_0_values);
  reads_all(w, at, R_cache_layers_0_keys);
  reads_all(w, at, R_commit_layer2_kv_plain);
  reads_all(w, at, R_cache_layers_1_values);
  reads_all(w, at, R_cache_layers_1_keys);
  reads_all(w, at, R_commit_layer3_kv_plain);
  reads_all(w, at, R_cache_layers_2_values);
  reads_all(w, at, R_cache_layers_2_keys);
  reads_all(w, at, R_commit_layer4_kv_plain);
  reads_all(w, at, R_cache_layers_3_values);
  reads_all(w, at, R_cache_layers_3_keys);
  const RoundControl* round = at.round;
  if (w.rank == 0 && w.sm == 0) called(w, [=](Warp& w) { finish_commit(w, *round); });
  w.role_barrier(359);
  if (w.index == 0) w.signal(360, C_commit_end_conclude);
}

// ==== draft_begin ====

// ---- draft_begin.embed_tokens ----
#line 109 "models/mimo/drafter.ts"
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
  w.role_barrier(361);
  if (w.index == 0) w.signal(362, C_draft_x);
}

// ==== draft_sliding_dense: 0 ====

// ---- draft_sliding_dense.qkv: 768 KiB of weights ----
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(363);
    w.ring_copy(364, 0, w.image(at.image + 768 + size_t(tile) * 24576), 24576);
    w.ring_commit(365, 24576);
  }
}
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_qkv_compute(Warp& w, const At& at) {
  bring_weights<3>(w, 368, w.image(at.image + 0) + w.index % 4 * 192);
  w.wait(366, C_draft_x, at.runs(C_draft_x));
  w.wait(367, C_commit_end_conclude, at.runs(C_commit_end_conclude));
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_draft_x_columns);
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, w.ws<bf16>(B_draft_x_columns), part * 3);
  const ColumnScale scale = normalise_by_scale(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 4, 368,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(369);
    if (w.index < 8) multiply<BF16, 3>(w, acc, page + (tile_of_page * 4 + part) * 3072, page + (tile_of_page * 4 + part) * 3072 + 3072, x);
    w.ring_release(370);
    w.join_acquire(371);
    scale_columns(acc, scale);
    if (w.index < 8) w.join_put(w.index, acc);
    w.join_commit(372);
  }
}
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_qkv_epilogue(Warp& w, const At& at) {
  w.wait(376, C_draft_x, at.runs(C_draft_x));
  w.wait(377, C_commit_end_conclude, at.runs(C_commit_end_conclude));
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(378);
    writes_own(w, at, R_draft_sliding_dense_qkv_plain);
    writes_own(w, at, R_draft_sliding_dense_qkv_plain2);
    writes_own(w, at, R_cache_layers_0_values);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc acc = w.join_sum(g * 4, 4);
      const int in_period = t % 8, outer = t / 8;
      if (in_period < 4) {
        const int u = in_period;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
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
          const int n_low = u * 16 + i, n_high = n_low + 8;
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
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          const float v1_low = (v0_low * 0.611999989f);
          const float v1_high = (v0_high * 0.611999989f);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_0_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_0_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
        });
      }
    }
    w.join_release(379);
  }
  w.role_barrier(374);
  if (w.index == 0) w.signal(375, C_draft_sliding_dense_qkv);
}

// ---- draft_sliding_dense.norm ----
#line 57 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_norm_compute(Warp& w, const At& at) {
  w.wait(380, C_draft_sliding_dense_qkv, at.runs(C_draft_sliding_dense_qkv) + 1);
  reads_all(w, at, R_draft_sliding_dense_qkv_plain);
  writes_own(w, at, R_draft_sliding_dense_norm_queries);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 16, w.sm * w.count + w.index, w.sms * w.count);
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        w.ws<bf16>(B_draft_sliding_dense_norm_queries)[(outer * 16 + c * 2 + (n_low) / 32) * 32 + (n_low) % 32] = to_bf16(v1_low);
        w.ws<bf16>(B_draft_sliding_dense_norm_queries)[(outer * 16 + c * 2 + (n_high) / 32) * 32 + (n_high) % 32] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(381);
  if (w.index == 0) w.signal(382, C_draft_sliding_dense_norm);
}

// ---- draft_sliding_dense.norm2 ----
#line 55 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_norm2_compute(Warp& w, const At& at) {
  w.wait(383, C_draft_sliding_dense_qkv, at.runs(C_draft_sliding_dense_qkv) + 1);
  reads_all(w, at, R_draft_sliding_dense_qkv_plain2);
  writes_own(w, at, R_cache_layers_0_keys);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 8, w.sm * w.count + w.index, w.sms * w.count);
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_0_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_0_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(384);
  if (w.index == 0) w.signal(385, C_draft_sliding_dense_norm2);
}

// ---- draft_sliding_dense.attend ----
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_attend_load(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(386, C_draft_sliding_dense_norm2, at.runs(C_draft_sliding_dense_norm2) + 1);
  w.wait(387, C_draft_sliding_dense_norm, at.runs(C_draft_sliding_dense_norm) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    w.ring_acquire(388);
    reads_all(w, at, R_cache_layers_0_keys);
    reads_all(w, at, R_cache_layers_0_values);
    const size_t slot = size_t(task / (parts * spans.count) * 6 + (spans.first + task / parts % spans.count) % 6);
    w.ring_copy(389, 0, w.kv(at.kv + B_cache_layers_0_keys) + slot * 4096, 4096);
    w.ring_copy(389, 4096, w.kv(at.kv + B_cache_layers_0_values) + slot * 4096, 4096);
    w.ring_commit(390, 8192);
  }
}
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_attend_compute(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(391, C_draft_sliding_dense_norm2, at.runs(C_draft_sliding_dense_norm2) + 1);
  w.wait(392, C_draft_sliding_dense_norm, at.runs(C_draft_sliding_dense_norm) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const char* page = w.ring_await(393);
    reads_all(w, at, R_draft_sliding_dense_norm_queries);
    writes_own(w, at, R_draft_sliding_dense_attend_partials);
    const int part = task % parts, span = task / parts % spans.count, head = task / (parts * spans.count);
    const Share tiles = share_of(1, part, parts);
    const bf16* q = w.ws<bf16>(B_draft_sliding_dense_norm_queries) + size_t(head) * 512;
    float* o = w.ws<float>(B_draft_sliding_dense_attend_partials) + size_t(head) * 3264;
    float* peak = o + 3072;
    float* total = peak + 96;
    for (int first = tiles.begin; first < tiles.end; first += attend_teams) {
      const int m = attend_tile(w, first, tiles.end);
      const size_t row = size_t(span) * 16 + m * 16;
      attend_span<2, 32, 32>(w, 394, page, page + 4096, q, m, (spans.first + span) * 64,
          RowPositions{at.block->position, at.block->rows, true}, 256, 0.176776692f, o + row * 32, peak + row, total + row);
    }
    w.ring_release(395);
  }
  w.role_barrier(396);
  if (w.index == 0) w.signal(397, C_draft_sliding_dense_attend);
}

// ---- draft_sliding_dense.attend.merge ----
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_attend_merge_compute(Warp& w, const At& at) {
  const Spans spans = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1).spans;
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  w.wait(398, C_draft_sliding_dense_attend, at.runs(C_draft_sliding_dense_attend) + 1);
  reads_all(w, at, R_draft_sliding_dense_attend_partials);
  writes_own(w, at, R_draft_sliding_dense_attend_columns);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int first_dim = task % 1 * 32, of_all = task / 1;
    const int head = of_all / (at.block->rows * 2), m_row = of_all % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_draft_sliding_dense_attend_partials) + size_t(head) * 3264;
    merge_spans<32, 32, 6>(w, o, o + 3072, o + 3168, 16, m_row, first_dim, spans.count, reinterpret_cast<const float*>(w.image(at.image + 787456)) + head * 2 + m_row % 2,
        w.ws<bf16>(B_draft_sliding_dense_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(399);
  if (w.index == 0) w.signal(400, C_draft_sliding_dense_attend_merge);
}

// ---- draft_sliding_dense.o: 384 KiB of weights ----
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(401);
    w.ring_copy(402, 0, w.image(at.image + 787584 + size_t(tile) * 32768), 32768);
    w.ring_commit(403, 32768);
  }
}
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_o_compute(Warp& w, const At& at) {
  w.wait(404, C_draft_sliding_dense_attend_merge, at.runs(C_draft_sliding_dense_attend_merge) + 1);
  if (empty(share(w, 12))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense_attend_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, w.ws<bf16>(B_draft_sliding_dense_attend_columns), part * 2);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(406);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(407);
    w.join_acquire(408);
    w.join_put(w.index, acc);
    w.join_commit(409);
  }
}
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_o_epilogue(Warp& w, const At& at) {
  w.wait(413, C_draft_sliding_dense_attend_merge, at.runs(C_draft_sliding_dense_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(414);
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
          const int n_low = u * 16 + i, n_high = n_low + 8;
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
        const int n_low = u * 16 + i, n_high = n_low + 8;
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
    w.join_release(415);
  }
  w.role_barrier(411);
  if (w.index == 0) w.signal(412, C_draft_sliding_dense_o);
}

// ---- draft_sliding_dense.dense.up: 384 KiB of weights ----
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_dense_up_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(416);
    w.ring_copy(417, 0, w.image(at.image + 1181568 + size_t(tile) * 12288), 12288);
    w.ring_commit(418, 12288);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_dense_up_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 420, w.image(at.image + 1180800) + w.index % 12 * 64);
  w.wait(419, C_draft_sliding_dense_o, at.runs(C_draft_sliding_dense_o) + 1);
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense_o_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_draft_sliding_dense_o_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 1180800)), 12, 420,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(421);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(422);
    w.join_acquire(423);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(424);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_dense_up_epilogue(Warp& w, const At& at) {
  w.wait(428, C_draft_sliding_dense_o, at.runs(C_draft_sliding_dense_o) + 1);
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(429);
    writes_own(w, at, R_draft_sliding_dense_dense_up_columns);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 8 + i;
      (void)high;
      const float v0_low = ((low * sigmoid(low)) * high);
      w.ws<bf16>(B_draft_sliding_dense_dense_up_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
    });
    w.join_release(430);
  }
  w.role_barrier(426);
  if (w.index == 0) w.signal(427, C_draft_sliding_dense_dense_up);
}

// ---- draft_sliding_dense.dense.down: 192 KiB of weights ----
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_dense_down_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(431);
    w.ring_copy(432, 0, w.image(at.image + 1574784 + size_t(tile) * 16384), 16384);
    w.ring_commit(433, 16384);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_dense_down_compute(Warp& w, const At& at) {
  w.wait(434, C_draft_sliding_dense_dense_up, at.runs(C_draft_sliding_dense_dense_up) + 1);
  if (empty(share(w, 12))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense_dense_up_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<1> x;
  stage(w, x, w.ws<bf16>(B_draft_sliding_dense_dense_up_columns), part * 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(436);
    multiply_leaves<BF16, 1, 1>(w, acc, page + (tile_of_page * 8 + part) * 1024, page + (tile_of_page * 8 + part) * 1024 + 1024, x);
    w.ring_release(437);
    w.join_acquire(438);
    w.join_put(w.index, acc);
    w.join_commit(439);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense_dense_down_epilogue(Warp& w, const At& at) {
  w.wait(443, C_draft_sliding_dense_dense_up, at.runs(C_draft_sliding_dense_dense_up) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(444);
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
          const int n_low = u * 16 + i, n_high = n_low + 8;
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
        const int n_low = u * 16 + i, n_high = n_low + 8;
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
    w.join_release(445);
  }
  w.role_barrier(441);
  if (w.index == 0) w.signal(442, C_draft_x);
}

// ==== draft_sliding_dense2: 1 ====

// ---- draft_sliding_dense2.qkv: 768 KiB of weights ----
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(446);
    w.ring_copy(447, 0, w.image(at.image + 768 + size_t(tile) * 24576), 24576);
    w.ring_commit(448, 24576);
  }
}
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_qkv_compute(Warp& w, const At& at) {
  bring_weights<3>(w, 450, w.image(at.image + 0) + w.index % 4 * 192);
  w.wait(449, C_draft_x, at.runs(C_draft_x));
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_draft_x_columns);
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, w.ws<bf16>(B_draft_x_columns), part * 3);
  const ColumnScale scale = normalise_by_scale(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 4, 450,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(451);
    if (w.index < 8) multiply<BF16, 3>(w, acc, page + (tile_of_page * 4 + part) * 3072, page + (tile_of_page * 4 + part) * 3072 + 3072, x);
    w.ring_release(452);
    w.join_acquire(453);
    scale_columns(acc, scale);
    if (w.index < 8) w.join_put(w.index, acc);
    w.join_commit(454);
  }
}
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_qkv_epilogue(Warp& w, const At& at) {
  w.wait(458, C_draft_x, at.runs(C_draft_x));
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(459);
    writes_own(w, at, R_draft_sliding_dense2_qkv_plain);
    writes_own(w, at, R_draft_sliding_dense2_qkv_plain2);
    writes_own(w, at, R_cache_layers_1_values);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc acc = w.join_sum(g * 4, 4);
      const int in_period = t % 8, outer = t / 8;
      if (in_period < 4) {
        const int u = in_period;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          w.ws<float>(B_draft_sliding_dense2_qkv_plain)[c * 512 + outer * 64 + n_low] = v0_low;
          w.ws<float>(B_draft_sliding_dense2_qkv_plain)[c * 512 + outer * 64 + n_high] = v0_high;
        });
      }
      else if (in_period >= 4 && in_period < 6) {
        const int u = in_period - 4;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          w.ws<float>(B_draft_sliding_dense2_qkv_plain2)[c * 256 + outer * 32 + n_low] = v0_low;
          w.ws<float>(B_draft_sliding_dense2_qkv_plain2)[c * 256 + outer * 32 + n_high] = v0_high;
        });
      }
      else if (in_period >= 6 && in_period < 8) {
        const int u = in_period - 6;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          const float v1_low = (v0_low * 0.611999989f);
          const float v1_high = (v0_high * 0.611999989f);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_1_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_1_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
        });
      }
    }
    w.join_release(460);
  }
  w.role_barrier(456);
  if (w.index == 0) w.signal(457, C_draft_sliding_dense2_qkv);
}

// ---- draft_sliding_dense2.norm ----
#line 57 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_norm_compute(Warp& w, const At& at) {
  w.wait(461, C_draft_sliding_dense2_qkv, at.runs(C_draft_sliding_dense2_qkv) + 1);
  reads_all(w, at, R_draft_sliding_dense2_qkv_plain);
  writes_own(w, at, R_draft_sliding_dense2_norm_queries);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 16, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int c = task / 16, outer = task % 16 / 2, first = task % 2 * 32;
    const float* source = w.ws<const float>(B_draft_sliding_dense2_qkv_plain) + size_t(task) * 32;
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        w.ws<bf16>(B_draft_sliding_dense2_norm_queries)[(outer * 16 + c * 2 + (n_low) / 32) * 32 + (n_low) % 32] = to_bf16(v1_low);
        w.ws<bf16>(B_draft_sliding_dense2_norm_queries)[(outer * 16 + c * 2 + (n_high) / 32) * 32 + (n_high) % 32] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(462);
  if (w.index == 0) w.signal(463, C_draft_sliding_dense2_norm);
}

// ---- draft_sliding_dense2.norm2 ----
#line 55 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_norm2_compute(Warp& w, const At& at) {
  w.wait(464, C_draft_sliding_dense2_qkv, at.runs(C_draft_sliding_dense2_qkv) + 1);
  reads_all(w, at, R_draft_sliding_dense2_qkv_plain2);
  writes_own(w, at, R_cache_layers_1_keys);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 8, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
    const float* source = w.ws<const float>(B_draft_sliding_dense2_qkv_plain2) + size_t(task) * 32;
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_1_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_1_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(465);
  if (w.index == 0) w.signal(466, C_draft_sliding_dense2_norm2);
}

// ---- draft_sliding_dense2.attend ----
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_attend_load(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(467, C_draft_sliding_dense2_norm2, at.runs(C_draft_sliding_dense2_norm2) + 1);
  w.wait(468, C_draft_sliding_dense2_norm, at.runs(C_draft_sliding_dense2_norm) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    w.ring_acquire(469);
    reads_all(w, at, R_cache_layers_1_keys);
    reads_all(w, at, R_cache_layers_1_values);
    const size_t slot = size_t(task / (parts * spans.count) * 6 + (spans.first + task / parts % spans.count) % 6);
    w.ring_copy(470, 0, w.kv(at.kv + B_cache_layers_1_keys) + slot * 4096, 4096);
    w.ring_copy(470, 4096, w.kv(at.kv + B_cache_layers_1_values) + slot * 4096, 4096);
    w.ring_commit(471, 8192);
  }
}
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_attend_compute(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(472, C_draft_sliding_dense2_norm2, at.runs(C_draft_sliding_dense2_norm2) + 1);
  w.wait(473, C_draft_sliding_dense2_norm, at.runs(C_draft_sliding_dense2_norm) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const char* page = w.ring_await(474);
    reads_all(w, at, R_draft_sliding_dense2_norm_queries);
    writes_own(w, at, R_draft_sliding_dense2_attend_partials);
    const int part = task % parts, span = task / parts % spans.count, head = task / (parts * spans.count);
    const Share tiles = share_of(1, part, parts);
    const bf16* q = w.ws<bf16>(B_draft_sliding_dense2_norm_queries) + size_t(head) * 512;
    float* o = w.ws<float>(B_draft_sliding_dense2_attend_partials) + size_t(head) * 3264;
    float* peak = o + 3072;
    float* total = peak + 96;
    for (int first = tiles.begin; first < tiles.end; first += attend_teams) {
      const int m = attend_tile(w, first, tiles.end);
      const size_t row = size_t(span) * 16 + m * 16;
      attend_span<2, 32, 32>(w, 475, page, page + 4096, q, m, (spans.first + span) * 64,
          RowPositions{at.block->position, at.block->rows, true}, 256, 0.176776692f, o + row * 32, peak + row, total + row);
    }
    w.ring_release(476);
  }
  w.role_barrier(477);
  if (w.index == 0) w.signal(478, C_draft_sliding_dense2_attend);
}

// ---- draft_sliding_dense2.attend.merge ----
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_attend_merge_compute(Warp& w, const At& at) {
  const Spans spans = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1).spans;
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  w.wait(479, C_draft_sliding_dense2_attend, at.runs(C_draft_sliding_dense2_attend) + 1);
  reads_all(w, at, R_draft_sliding_dense2_attend_partials);
  writes_own(w, at, R_draft_sliding_dense2_attend_columns);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int first_dim = task % 1 * 32, of_all = task / 1;
    const int head = of_all / (at.block->rows * 2), m_row = of_all % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_draft_sliding_dense2_attend_partials) + size_t(head) * 3264;
    merge_spans<32, 32, 6>(w, o, o + 3072, o + 3168, 16, m_row, first_dim, spans.count, reinterpret_cast<const float*>(w.image(at.image + 787456)) + head * 2 + m_row % 2,
        w.ws<bf16>(B_draft_sliding_dense2_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(480);
  if (w.index == 0) w.signal(481, C_draft_sliding_dense2_attend_merge);
}

// ---- draft_sliding_dense2.o: 384 KiB of weights ----
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(482);
    w.ring_copy(483, 0, w.image(at.image + 787584 + size_t(tile) * 32768), 32768);
    w.ring_commit(484, 32768);
  }
}
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_o_compute(Warp& w, const At& at) {
  w.wait(485, C_draft_sliding_dense2_attend_merge, at.runs(C_draft_sliding_dense2_attend_merge) + 1);
  if (empty(share(w, 12))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense2_attend_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, w.ws<bf16>(B_draft_sliding_dense2_attend_columns), part * 2);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(487);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(488);
    w.join_acquire(489);
    w.join_put(w.index, acc);
    w.join_commit(490);
  }
}
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_o_epilogue(Warp& w, const At& at) {
  w.wait(494, C_draft_sliding_dense2_attend_merge, at.runs(C_draft_sliding_dense2_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(495);
    reads_all(w, at, R_draft_x_plain);
    writes_own(w, at, R_draft_sliding_dense2_o_columns);
    writes_own(w, at, R_draft_sliding_dense2_o_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc ahead_0 = zeros();
      {
        const int u = t;
        each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
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
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = low_of(ahead_0, i, c);
        const float v1_high = high_of(ahead_0, i, c);
        const float v2_low = (v1_low + v0_low);
        const float v2_high = (v1_high + v0_high);
        w.ws<bf16>(B_draft_sliding_dense2_o_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
        w.ws<bf16>(B_draft_sliding_dense2_o_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
        w.ws<float>(B_draft_sliding_dense2_o_plain)[c * 384 + n_low] = v2_low;
        w.ws<float>(B_draft_sliding_dense2_o_plain)[c * 384 + n_high] = v2_high;
      });
    }
    w.join_release(496);
  }
  w.role_barrier(492);
  if (w.index == 0) w.signal(493, C_draft_sliding_dense2_o);
}

// ---- draft_sliding_dense2.dense.up: 384 KiB of weights ----
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_dense_up_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(497);
    w.ring_copy(498, 0, w.image(at.image + 1181568 + size_t(tile) * 12288), 12288);
    w.ring_commit(499, 12288);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_dense_up_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 501, w.image(at.image + 1180800) + w.index % 12 * 64);
  w.wait(500, C_draft_sliding_dense2_o, at.runs(C_draft_sliding_dense2_o) + 1);
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense2_o_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_draft_sliding_dense2_o_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 1180800)), 12, 501,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(502);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(503);
    w.join_acquire(504);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(505);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_dense_up_epilogue(Warp& w, const At& at) {
  w.wait(509, C_draft_sliding_dense2_o, at.runs(C_draft_sliding_dense2_o) + 1);
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(510);
    writes_own(w, at, R_draft_sliding_dense2_dense_up_columns);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 8 + i;
      (void)high;
      const float v0_low = ((low * sigmoid(low)) * high);
      w.ws<bf16>(B_draft_sliding_dense2_dense_up_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
    });
    w.join_release(511);
  }
  w.role_barrier(507);
  if (w.index == 0) w.signal(508, C_draft_sliding_dense2_dense_up);
}

// ---- draft_sliding_dense2.dense.down: 192 KiB of weights ----
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_dense_down_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(512);
    w.ring_copy(513, 0, w.image(at.image + 1574784 + size_t(tile) * 16384), 16384);
    w.ring_commit(514, 16384);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_dense_down_compute(Warp& w, const At& at) {
  w.wait(515, C_draft_sliding_dense2_dense_up, at.runs(C_draft_sliding_dense2_dense_up) + 1);
  if (empty(share(w, 12))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense2_dense_up_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<1> x;
  stage(w, x, w.ws<bf16>(B_draft_sliding_dense2_dense_up_columns), part * 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(517);
    multiply_leaves<BF16, 1, 1>(w, acc, page + (tile_of_page * 8 + part) * 1024, page + (tile_of_page * 8 + part) * 1024 + 1024, x);
    w.ring_release(518);
    w.join_acquire(519);
    w.join_put(w.index, acc);
    w.join_commit(520);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense2_dense_down_epilogue(Warp& w, const At& at) {
  w.wait(524, C_draft_sliding_dense2_dense_up, at.runs(C_draft_sliding_dense2_dense_up) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(525);
    reads_all(w, at, R_draft_sliding_dense2_o_plain);
    writes_own(w, at, R_draft_x_columns);
    writes_own(w, at, R_draft_x_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc ahead_0 = zeros();
      {
        const int u = t;
        each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v1_low = w.ws<const float>(B_draft_sliding_dense2_o_plain)[c * 384 + n_low];
          const float v1_high = w.ws<const float>(B_draft_sliding_dense2_o_plain)[c * 384 + n_high];
          low = v1_low;
          high = v1_high;
        });
      }
      Acc acc = rounded(w, w.join_total(g * 8, 8));
      const int u = t;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
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
    w.join_release(526);
  }
  w.role_barrier(522);
  if (w.index == 0) w.signal(523, C_draft_x);
}

// ==== draft_sliding_dense3: 2 ====

// ---- draft_sliding_dense3.qkv: 768 KiB of weights ----
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(527);
    w.ring_copy(528, 0, w.image(at.image + 768 + size_t(tile) * 24576), 24576);
    w.ring_commit(529, 24576);
  }
}
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_qkv_compute(Warp& w, const At& at) {
  bring_weights<3>(w, 531, w.image(at.image + 0) + w.index % 4 * 192);
  w.wait(530, C_draft_x, at.runs(C_draft_x));
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_draft_x_columns);
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, w.ws<bf16>(B_draft_x_columns), part * 3);
  const ColumnScale scale = normalise_by_scale(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 4, 531,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(532);
    if (w.index < 8) multiply<BF16, 3>(w, acc, page + (tile_of_page * 4 + part) * 3072, page + (tile_of_page * 4 + part) * 3072 + 3072, x);
    w.ring_release(533);
    w.join_acquire(534);
    scale_columns(acc, scale);
    if (w.index < 8) w.join_put(w.index, acc);
    w.join_commit(535);
  }
}
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_qkv_epilogue(Warp& w, const At& at) {
  w.wait(539, C_draft_x, at.runs(C_draft_x));
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(540);
    writes_own(w, at, R_draft_sliding_dense3_qkv_plain);
    writes_own(w, at, R_draft_sliding_dense3_qkv_plain2);
    writes_own(w, at, R_cache_layers_2_values);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc acc = w.join_sum(g * 4, 4);
      const int in_period = t % 8, outer = t / 8;
      if (in_period < 4) {
        const int u = in_period;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          w.ws<float>(B_draft_sliding_dense3_qkv_plain)[c * 512 + outer * 64 + n_low] = v0_low;
          w.ws<float>(B_draft_sliding_dense3_qkv_plain)[c * 512 + outer * 64 + n_high] = v0_high;
        });
      }
      else if (in_period >= 4 && in_period < 6) {
        const int u = in_period - 4;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          w.ws<float>(B_draft_sliding_dense3_qkv_plain2)[c * 256 + outer * 32 + n_low] = v0_low;
          w.ws<float>(B_draft_sliding_dense3_qkv_plain2)[c * 256 + outer * 32 + n_high] = v0_high;
        });
      }
      else if (in_period >= 6 && in_period < 8) {
        const int u = in_period - 6;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          const float v1_low = (v0_low * 0.611999989f);
          const float v1_high = (v0_high * 0.611999989f);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_2_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_2_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
        });
      }
    }
    w.join_release(541);
  }
  w.role_barrier(537);
  if (w.index == 0) w.signal(538, C_draft_sliding_dense3_qkv);
}

// ---- draft_sliding_dense3.norm ----
#line 57 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_norm_compute(Warp& w, const At& at) {
  w.wait(542, C_draft_sliding_dense3_qkv, at.runs(C_draft_sliding_dense3_qkv) + 1);
  reads_all(w, at, R_draft_sliding_dense3_qkv_plain);
  writes_own(w, at, R_draft_sliding_dense3_norm_queries);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 16, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int c = task / 16, outer = task % 16 / 2, first = task % 2 * 32;
    const float* source = w.ws<const float>(B_draft_sliding_dense3_qkv_plain) + size_t(task) * 32;
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        w.ws<bf16>(B_draft_sliding_dense3_norm_queries)[(outer * 16 + c * 2 + (n_low) / 32) * 32 + (n_low) % 32] = to_bf16(v1_low);
        w.ws<bf16>(B_draft_sliding_dense3_norm_queries)[(outer * 16 + c * 2 + (n_high) / 32) * 32 + (n_high) % 32] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(543);
  if (w.index == 0) w.signal(544, C_draft_sliding_dense3_norm);
}

// ---- draft_sliding_dense3.norm2 ----
#line 55 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_norm2_compute(Warp& w, const At& at) {
  w.wait(545, C_draft_sliding_dense3_qkv, at.runs(C_draft_sliding_dense3_qkv) + 1);
  reads_all(w, at, R_draft_sliding_dense3_qkv_plain2);
  writes_own(w, at, R_cache_layers_2_keys);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 8, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
    const float* source = w.ws<const float>(B_draft_sliding_dense3_qkv_plain2) + size_t(task) * 32;
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_2_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_2_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(546);
  if (w.index == 0) w.signal(547, C_draft_sliding_dense3_norm2);
}

// ---- draft_sliding_dense3.attend ----
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_attend_load(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(548, C_draft_sliding_dense3_norm2, at.runs(C_draft_sliding_dense3_norm2) + 1);
  w.wait(549, C_draft_sliding_dense3_norm, at.runs(C_draft_sliding_dense3_norm) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    w.ring_acquire(550);
    reads_all(w, at, R_cache_layers_2_keys);
    reads_all(w, at, R_cache_layers_2_values);
    const size_t slot = size_t(task / (parts * spans.count) * 6 + (spans.first + task / parts % spans.count) % 6);
    w.ring_copy(551, 0, w.kv(at.kv + B_cache_layers_2_keys) + slot * 4096, 4096);
    w.ring_copy(551, 4096, w.kv(at.kv + B_cache_layers_2_values) + slot * 4096, 4096);
    w.ring_commit(552, 8192);
  }
}
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_attend_compute(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(553, C_draft_sliding_dense3_norm2, at.runs(C_draft_sliding_dense3_norm2) + 1);
  w.wait(554, C_draft_sliding_dense3_norm, at.runs(C_draft_sliding_dense3_norm) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const char* page = w.ring_await(555);
    reads_all(w, at, R_draft_sliding_dense3_norm_queries);
    writes_own(w, at, R_draft_sliding_dense3_attend_partials);
    const int part = task % parts, span = task / parts % spans.count, head = task / (parts * spans.count);
    const Share tiles = share_of(1, part, parts);
    const bf16* q = w.ws<bf16>(B_draft_sliding_dense3_norm_queries) + size_t(head) * 512;
    float* o = w.ws<float>(B_draft_sliding_dense3_attend_partials) + size_t(head) * 3264;
    float* peak = o + 3072;
    float* total = peak + 96;
    for (int first = tiles.begin; first < tiles.end; first += attend_teams) {
      const int m = attend_tile(w, first, tiles.end);
      const size_t row = size_t(span) * 16 + m * 16;
      attend_span<2, 32, 32>(w, 556, page, page + 4096, q, m, (spans.first + span) * 64,
          RowPositions{at.block->position, at.block->rows, true}, 256, 0.176776692f, o + row * 32, peak + row, total + row);
    }
    w.ring_release(557);
  }
  w.role_barrier(558);
  if (w.index == 0) w.signal(559, C_draft_sliding_dense3_attend);
}

// ---- draft_sliding_dense3.attend.merge ----
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_attend_merge_compute(Warp& w, const At& at) {
  const Spans spans = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1).spans;
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  w.wait(560, C_draft_sliding_dense3_attend, at.runs(C_draft_sliding_dense3_attend) + 1);
  reads_all(w, at, R_draft_sliding_dense3_attend_partials);
  writes_own(w, at, R_draft_sliding_dense3_attend_columns);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int first_dim = task % 1 * 32, of_all = task / 1;
    const int head = of_all / (at.block->rows * 2), m_row = of_all % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_draft_sliding_dense3_attend_partials) + size_t(head) * 3264;
    merge_spans<32, 32, 6>(w, o, o + 3072, o + 3168, 16, m_row, first_dim, spans.count, reinterpret_cast<const float*>(w.image(at.image + 787456)) + head * 2 + m_row % 2,
        w.ws<bf16>(B_draft_sliding_dense3_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(561);
  if (w.index == 0) w.signal(562, C_draft_sliding_dense3_attend_merge);
}

// ---- draft_sliding_dense3.o: 384 KiB of weights ----
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(563);
    w.ring_copy(564, 0, w.image(at.image + 787584 + size_t(tile) * 32768), 32768);
    w.ring_commit(565, 32768);
  }
}
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_o_compute(Warp& w, const At& at) {
  w.wait(566, C_draft_sliding_dense3_attend_merge, at.runs(C_draft_sliding_dense3_attend_merge) + 1);
  if (empty(share(w, 12))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense3_attend_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, w.ws<bf16>(B_draft_sliding_dense3_attend_columns), part * 2);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(568);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(569);
    w.join_acquire(570);
    w.join_put(w.index, acc);
    w.join_commit(571);
  }
}
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_o_epilogue(Warp& w, const At& at) {
  w.wait(575, C_draft_sliding_dense3_attend_merge, at.runs(C_draft_sliding_dense3_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(576);
    reads_all(w, at, R_draft_x_plain);
    writes_own(w, at, R_draft_sliding_dense3_o_columns);
    writes_own(w, at, R_draft_sliding_dense3_o_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc ahead_0 = zeros();
      {
        const int u = t;
        each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
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
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = low_of(ahead_0, i, c);
        const float v1_high = high_of(ahead_0, i, c);
        const float v2_low = (v1_low + v0_low);
        const float v2_high = (v1_high + v0_high);
        w.ws<bf16>(B_draft_sliding_dense3_o_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
        w.ws<bf16>(B_draft_sliding_dense3_o_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
        w.ws<float>(B_draft_sliding_dense3_o_plain)[c * 384 + n_low] = v2_low;
        w.ws<float>(B_draft_sliding_dense3_o_plain)[c * 384 + n_high] = v2_high;
      });
    }
    w.join_release(577);
  }
  w.role_barrier(573);
  if (w.index == 0) w.signal(574, C_draft_sliding_dense3_o);
}

// ---- draft_sliding_dense3.dense.up: 384 KiB of weights ----
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_dense_up_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(578);
    w.ring_copy(579, 0, w.image(at.image + 1181568 + size_t(tile) * 12288), 12288);
    w.ring_commit(580, 12288);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_dense_up_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 582, w.image(at.image + 1180800) + w.index % 12 * 64);
  w.wait(581, C_draft_sliding_dense3_o, at.runs(C_draft_sliding_dense3_o) + 1);
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense3_o_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_draft_sliding_dense3_o_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 1180800)), 12, 582,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(583);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(584);
    w.join_acquire(585);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(586);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_dense_up_epilogue(Warp& w, const At& at) {
  w.wait(590, C_draft_sliding_dense3_o, at.runs(C_draft_sliding_dense3_o) + 1);
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(591);
    writes_own(w, at, R_draft_sliding_dense3_dense_up_columns);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 8 + i;
      (void)high;
      const float v0_low = ((low * sigmoid(low)) * high);
      w.ws<bf16>(B_draft_sliding_dense3_dense_up_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
    });
    w.join_release(592);
  }
  w.role_barrier(588);
  if (w.index == 0) w.signal(589, C_draft_sliding_dense3_dense_up);
}

// ---- draft_sliding_dense3.dense.down: 192 KiB of weights ----
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_dense_down_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(593);
    w.ring_copy(594, 0, w.image(at.image + 1574784 + size_t(tile) * 16384), 16384);
    w.ring_commit(595, 16384);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_dense_down_compute(Warp& w, const At& at) {
  w.wait(596, C_draft_sliding_dense3_dense_up, at.runs(C_draft_sliding_dense3_dense_up) + 1);
  if (empty(share(w, 12))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense3_dense_up_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<1> x;
  stage(w, x, w.ws<bf16>(B_draft_sliding_dense3_dense_up_columns), part * 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(598);
    multiply_leaves<BF16, 1, 1>(w, acc, page + (tile_of_page * 8 + part) * 1024, page + (tile_of_page * 8 + part) * 1024 + 1024, x);
    w.ring_release(599);
    w.join_acquire(600);
    w.join_put(w.index, acc);
    w.join_commit(601);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense3_dense_down_epilogue(Warp& w, const At& at) {
  w.wait(605, C_draft_sliding_dense3_dense_up, at.runs(C_draft_sliding_dense3_dense_up) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(606);
    reads_all(w, at, R_draft_sliding_dense3_o_plain);
    writes_own(w, at, R_draft_x_columns);
    writes_own(w, at, R_draft_x_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc ahead_0 = zeros();
      {
        const int u = t;
        each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v1_low = w.ws<const float>(B_draft_sliding_dense3_o_plain)[c * 384 + n_low];
          const float v1_high = w.ws<const float>(B_draft_sliding_dense3_o_plain)[c * 384 + n_high];
          low = v1_low;
          high = v1_high;
        });
      }
      Acc acc = rounded(w, w.join_total(g * 8, 8));
      const int u = t;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
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
    w.join_release(607);
  }
  w.role_barrier(603);
  if (w.index == 0) w.signal(604, C_draft_x);
}

// ==== draft_sliding_dense4: 3 ====

// ---- draft_sliding_dense4.qkv: 768 KiB of weights ----
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_qkv_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(608);
    w.ring_copy(609, 0, w.image(at.image + 768 + size_t(tile) * 24576), 24576);
    w.ring_commit(610, 24576);
  }
}
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_qkv_compute(Warp& w, const At& at) {
  bring_weights<3>(w, 612, w.image(at.image + 0) + w.index % 4 * 192);
  w.wait(611, C_draft_x, at.runs(C_draft_x));
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_draft_x_columns);
  const int part = w.index % 4;
  const int tile_of_page = w.index / 4;
  Staged<3> x;
  stage_for_norm(w, x, w.ws<bf16>(B_draft_x_columns), part * 3);
  const ColumnScale scale = normalise_by_scale(w, x, part * 3, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 4, 612,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(613);
    if (w.index < 8) multiply<BF16, 3>(w, acc, page + (tile_of_page * 4 + part) * 3072, page + (tile_of_page * 4 + part) * 3072 + 3072, x);
    w.ring_release(614);
    w.join_acquire(615);
    scale_columns(acc, scale);
    if (w.index < 8) w.join_put(w.index, acc);
    w.join_commit(616);
  }
}
#line 88 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_qkv_epilogue(Warp& w, const At& at) {
  w.wait(620, C_draft_x, at.runs(C_draft_x));
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(621);
    writes_own(w, at, R_draft_sliding_dense4_qkv_plain);
    writes_own(w, at, R_draft_sliding_dense4_qkv_plain2);
    writes_own(w, at, R_cache_layers_3_values);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc acc = w.join_sum(g * 4, 4);
      const int in_period = t % 8, outer = t / 8;
      if (in_period < 4) {
        const int u = in_period;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          w.ws<float>(B_draft_sliding_dense4_qkv_plain)[c * 512 + outer * 64 + n_low] = v0_low;
          w.ws<float>(B_draft_sliding_dense4_qkv_plain)[c * 512 + outer * 64 + n_high] = v0_high;
        });
      }
      else if (in_period >= 4 && in_period < 6) {
        const int u = in_period - 4;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          w.ws<float>(B_draft_sliding_dense4_qkv_plain2)[c * 256 + outer * 32 + n_low] = v0_low;
          w.ws<float>(B_draft_sliding_dense4_qkv_plain2)[c * 256 + outer * 32 + n_high] = v0_high;
        });
      }
      else if (in_period >= 6 && in_period < 8) {
        const int u = in_period - 6;
        each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v0_low = low;
          const float v0_high = high;
          const float v1_low = (v0_low * 0.611999989f);
          const float v1_high = (v0_high * 0.611999989f);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_3_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
          reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_3_values))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * v_span_elements(32) + v_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
        });
      }
    }
    w.join_release(622);
  }
  w.role_barrier(618);
  if (w.index == 0) w.signal(619, C_draft_sliding_dense4_qkv);
}

// ---- draft_sliding_dense4.norm ----
#line 57 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_norm_compute(Warp& w, const At& at) {
  w.wait(623, C_draft_sliding_dense4_qkv, at.runs(C_draft_sliding_dense4_qkv) + 1);
  reads_all(w, at, R_draft_sliding_dense4_qkv_plain);
  writes_own(w, at, R_draft_sliding_dense4_norm_queries);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 16, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int c = task / 16, outer = task % 16 / 2, first = task % 2 * 32;
    const float* source = w.ws<const float>(B_draft_sliding_dense4_qkv_plain) + size_t(task) * 32;
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        w.ws<bf16>(B_draft_sliding_dense4_norm_queries)[(outer * 16 + c * 2 + (n_low) / 32) * 32 + (n_low) % 32] = to_bf16(v1_low);
        w.ws<bf16>(B_draft_sliding_dense4_norm_queries)[(outer * 16 + c * 2 + (n_high) / 32) * 32 + (n_high) % 32] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(624);
  if (w.index == 0) w.signal(625, C_draft_sliding_dense4_norm);
}

// ---- draft_sliding_dense4.norm2 ----
#line 55 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_norm2_compute(Warp& w, const At& at) {
  w.wait(626, C_draft_sliding_dense4_qkv, at.runs(C_draft_sliding_dense4_qkv) + 1);
  reads_all(w, at, R_draft_sliding_dense4_qkv_plain2);
  writes_own(w, at, R_cache_layers_3_keys);
  // a warp takes one head of one row: pair i is (i, i + 8) where it rotates, neighbours behind that
  const Share tasks = share_of(at.block->rows * 8, w.sm * w.count + w.index, w.sms * w.count);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int c = task / 8, outer = task % 8 / 1, first = task % 1 * 32;
    const float* source = w.ws<const float>(B_draft_sliding_dense4_qkv_plain2) + size_t(task) * 32;
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
          v1_low = v0_low * by.cosine - v0_high * by.sine;
          v1_high = v0_high * by.cosine + v0_low * by.sine;
        }
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_3_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_low, 32)] = to_bf16(v1_low);
        reinterpret_cast<bf16*>(w.kv(at.kv + B_cache_layers_3_keys))[size_t(outer * 6 + at.block->position[c] / 64 % 6) * k_span_elements(32) + k_at(at.block->position[c] % 64, n_high, 32)] = to_bf16(v1_high);
      }
    });
  }
  w.role_barrier(627);
  if (w.index == 0) w.signal(628, C_draft_sliding_dense4_norm2);
}

// ---- draft_sliding_dense4.attend ----
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_attend_load(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(629, C_draft_sliding_dense4_norm2, at.runs(C_draft_sliding_dense4_norm2) + 1);
  w.wait(630, C_draft_sliding_dense4_norm, at.runs(C_draft_sliding_dense4_norm) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    w.ring_acquire(631);
    reads_all(w, at, R_cache_layers_3_keys);
    reads_all(w, at, R_cache_layers_3_values);
    const size_t slot = size_t(task / (parts * spans.count) * 6 + (spans.first + task / parts % spans.count) % 6);
    w.ring_copy(632, 0, w.kv(at.kv + B_cache_layers_3_keys) + slot * 4096, 4096);
    w.ring_copy(632, 4096, w.kv(at.kv + B_cache_layers_3_values) + slot * 4096, 4096);
    w.ring_commit(633, 8192);
  }
}
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_attend_compute(Warp& w, const At& at) {
  const SpanTasks all = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1);
  const Spans spans = all.spans;
  const int parts = all.parts;
  const Share tasks = all.tasks;
  w.wait(634, C_draft_sliding_dense4_norm2, at.runs(C_draft_sliding_dense4_norm2) + 1);
  w.wait(635, C_draft_sliding_dense4_norm, at.runs(C_draft_sliding_dense4_norm) + 1);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const char* page = w.ring_await(636);
    reads_all(w, at, R_draft_sliding_dense4_norm_queries);
    writes_own(w, at, R_draft_sliding_dense4_attend_partials);
    const int part = task % parts, span = task / parts % spans.count, head = task / (parts * spans.count);
    const Share tiles = share_of(1, part, parts);
    const bf16* q = w.ws<bf16>(B_draft_sliding_dense4_norm_queries) + size_t(head) * 512;
    float* o = w.ws<float>(B_draft_sliding_dense4_attend_partials) + size_t(head) * 3264;
    float* peak = o + 3072;
    float* total = peak + 96;
    for (int first = tiles.begin; first < tiles.end; first += attend_teams) {
      const int m = attend_tile(w, first, tiles.end);
      const size_t row = size_t(span) * 16 + m * 16;
      attend_span<2, 32, 32>(w, 637, page, page + 4096, q, m, (spans.first + span) * 64,
          RowPositions{at.block->position, at.block->rows, true}, 256, 0.176776692f, o + row * 32, peak + row, total + row);
    }
    w.ring_release(638);
  }
  w.role_barrier(639);
  if (w.index == 0) w.signal(640, C_draft_sliding_dense4_attend);
}

// ---- draft_sliding_dense4.attend.merge ----
#line 92 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_attend_merge_compute(Warp& w, const At& at) {
  const Spans spans = span_tasks(w, at.block->position, at.block->rows, 256, 8, 1).spans;
  const Share tasks = share_of(8 * at.block->rows * 2, w.sm * w.count + w.index, w.sms * w.count);
  w.wait(641, C_draft_sliding_dense4_attend, at.runs(C_draft_sliding_dense4_attend) + 1);
  reads_all(w, at, R_draft_sliding_dense4_attend_partials);
  writes_own(w, at, R_draft_sliding_dense4_attend_columns);
  for (int task = tasks.begin; task < tasks.end; ++task) {
    const int first_dim = task % 1 * 32, of_all = task / 1;
    const int head = of_all / (at.block->rows * 2), m_row = of_all % (at.block->rows * 2);
    const float* o = w.ws<const float>(B_draft_sliding_dense4_attend_partials) + size_t(head) * 3264;
    merge_spans<32, 32, 6>(w, o, o + 3072, o + 3168, 16, m_row, first_dim, spans.count, reinterpret_cast<const float*>(w.image(at.image + 787456)) + head * 2 + m_row % 2,
        w.ws<bf16>(B_draft_sliding_dense4_attend_columns), m_row / 2, (head * 2 + m_row % 2) * 32);
  }
  w.role_barrier(642);
  if (w.index == 0) w.signal(643, C_draft_sliding_dense4_attend_merge);
}

// ---- draft_sliding_dense4.o: 384 KiB of weights ----
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_o_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(644);
    w.ring_copy(645, 0, w.image(at.image + 787584 + size_t(tile) * 32768), 32768);
    w.ring_commit(646, 32768);
  }
}
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_o_compute(Warp& w, const At& at) {
  w.wait(647, C_draft_sliding_dense4_attend_merge, at.runs(C_draft_sliding_dense4_attend_merge) + 1);
  if (empty(share(w, 12))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense4_attend_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<2> x;
  stage(w, x, w.ws<bf16>(B_draft_sliding_dense4_attend_columns), part * 2);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(649);
    multiply_leaves<BF16, 2, 1>(w, acc, page + (tile_of_page * 8 + part) * 2048, page + (tile_of_page * 8 + part) * 2048 + 2048, x);
    w.ring_release(650);
    w.join_acquire(651);
    w.join_put(w.index, acc);
    w.join_commit(652);
  }
}
#line 100 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_o_epilogue(Warp& w, const At& at) {
  w.wait(656, C_draft_sliding_dense4_attend_merge, at.runs(C_draft_sliding_dense4_attend_merge) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(657);
    reads_all(w, at, R_draft_x_plain);
    writes_own(w, at, R_draft_sliding_dense4_o_columns);
    writes_own(w, at, R_draft_sliding_dense4_o_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc ahead_0 = zeros();
      {
        const int u = t;
        each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
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
        const int n_low = u * 16 + i, n_high = n_low + 8;
        const float v0_low = low;
        const float v0_high = high;
        const float v1_low = low_of(ahead_0, i, c);
        const float v1_high = high_of(ahead_0, i, c);
        const float v2_low = (v1_low + v0_low);
        const float v2_high = (v1_high + v0_high);
        w.ws<bf16>(B_draft_sliding_dense4_o_columns)[columns_at(n_low, c)] = to_bf16(v2_low);
        w.ws<bf16>(B_draft_sliding_dense4_o_columns)[columns_at(n_high, c)] = to_bf16(v2_high);
        w.ws<float>(B_draft_sliding_dense4_o_plain)[c * 384 + n_low] = v2_low;
        w.ws<float>(B_draft_sliding_dense4_o_plain)[c * 384 + n_high] = v2_high;
      });
    }
    w.join_release(658);
  }
  w.role_barrier(654);
  if (w.index == 0) w.signal(655, C_draft_sliding_dense4_o);
}

// ---- draft_sliding_dense4.dense.up: 384 KiB of weights ----
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_dense_up_load(Warp& w, const At& at) {
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(659);
    w.ring_copy(660, 0, w.image(at.image + 1181568 + size_t(tile) * 12288), 12288);
    w.ring_commit(661, 12288);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_dense_up_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 663, w.image(at.image + 1180800) + w.index % 12 * 64);
  w.wait(662, C_draft_sliding_dense4_o, at.runs(C_draft_sliding_dense4_o) + 1);
  if (empty(share(w, 32))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense4_o_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_draft_sliding_dense4_o_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 1180800)), 12, 663,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(664);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(665);
    w.join_acquire(666);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(667);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_dense_up_epilogue(Warp& w, const At& at) {
  w.wait(671, C_draft_sliding_dense4_o, at.runs(C_draft_sliding_dense4_o) + 1);
  const Share tiles = share(w, 32);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(672);
    writes_own(w, at, R_draft_sliding_dense4_dense_up_columns);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 8 + i;
      (void)high;
      const float v0_low = ((low * sigmoid(low)) * high);
      w.ws<bf16>(B_draft_sliding_dense4_dense_up_columns)[columns_at(n_low, c)] = to_bf16(v0_low);
    });
    w.join_release(673);
  }
  w.role_barrier(669);
  if (w.index == 0) w.signal(670, C_draft_sliding_dense4_dense_up);
}

// ---- draft_sliding_dense4.dense.down: 192 KiB of weights ----
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_dense_down_load(Warp& w, const At& at) {
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(674);
    w.ring_copy(675, 0, w.image(at.image + 1574784 + size_t(tile) * 16384), 16384);
    w.ring_commit(676, 16384);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_dense_down_compute(Warp& w, const At& at) {
  w.wait(677, C_draft_sliding_dense4_dense_up, at.runs(C_draft_sliding_dense4_dense_up) + 1);
  if (empty(share(w, 12))) return;  // no tile on this SM
  reads_all(w, at, R_draft_sliding_dense4_dense_up_columns);
  const int part = w.index % 8;
  const int tile_of_page = w.index / 8;
  Staged<1> x;
  stage(w, x, w.ws<bf16>(B_draft_sliding_dense4_dense_up_columns), part * 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Exact acc = nothing();
    const char* page = w.ring_await(679);
    multiply_leaves<BF16, 1, 1>(w, acc, page + (tile_of_page * 8 + part) * 1024, page + (tile_of_page * 8 + part) * 1024 + 1024, x);
    w.ring_release(680);
    w.join_acquire(681);
    w.join_put(w.index, acc);
    w.join_commit(682);
  }
}
#line 103 "models/mimo/drafter.ts"
TILE_PHASE static void draft_sliding_dense4_dense_down_epilogue(Warp& w, const At& at) {
  w.wait(686, C_draft_sliding_dense4_dense_up, at.runs(C_draft_sliding_dense4_dense_up) + 1);
  const Share tiles = share(w, 12);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(687);
    reads_all(w, at, R_draft_sliding_dense4_o_plain);
    writes_own(w, at, R_draft_x_columns);
    writes_own(w, at, R_draft_x_plain);
    for (int g = 0; g < 2; ++g) {
      const int t = tile * 2 + g;
      Acc ahead_0 = zeros();
      {
        const int u = t;
        each_pair(w, ahead_0, [&](float& low, float& high, int i, int c) {
          if (c >= at.block->rows) return;
          const int n_low = u * 16 + i, n_high = n_low + 8;
          const float v1_low = w.ws<const float>(B_draft_sliding_dense4_o_plain)[c * 384 + n_low];
          const float v1_high = w.ws<const float>(B_draft_sliding_dense4_o_plain)[c * 384 + n_high];
          low = v1_low;
          high = v1_high;
        });
      }
      Acc acc = rounded(w, w.join_total(g * 8, 8));
      const int u = t;
      each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
        if (c >= at.block->rows) return;
        const int n_low = u * 16 + i, n_high = n_low + 8;
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
    w.join_release(688);
  }
  w.role_barrier(684);
  if (w.index == 0) w.signal(685, C_draft_x);
}

// ==== draft_end ====

// ---- draft_end.head: 3.1 MiB of weights ----
#line 127 "models/mimo/drafter.ts"
TILE_PHASE static void draft_end_head_load(Warp& w, const At& at) {
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    w.ring_acquire(689);
    w.ring_copy(690, 0, w.image(size_t(22792960ull) + size_t(tile) * 12288), 12288);
    w.ring_commit(691, 12288);
  }
}
#line 127 "models/mimo/drafter.ts"
TILE_PHASE static void draft_end_head_compute(Warp& w, const At& at) {
  bring_weights<1>(w, 693, w.image(at.image + 0) + w.index % 12 * 64);
  w.wait(692, C_draft_x, at.runs(C_draft_x));
  if (empty(share(w, 264))) return;  // no tile on this SM
  reads_all(w, at, R_draft_x_columns);
  const int part = w.index % 12;
  Staged<1> x;
  stage_for_norm(w, x, w.ws<bf16>(B_draft_x_columns), part * 1);
  const ColumnScale scale = normalise_by_scale(w, x, part * 1, 12, reinterpret_cast<const bf16*>(w.image(at.image + 0)), 12, 693,
            [](float mean) { return inverse_sqrt((mean + 0.00000999999975f)); });
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    Acc acc = zeros();
    const char* page = w.ring_await(694);
    if (w.index < 12) multiply<BF16, 1>(w, acc, page + part * 1024, page + part * 1024 + 1024, x);
    w.ring_release(695);
    w.join_acquire(696);
    scale_columns(acc, scale);
    if (w.index < 12) w.join_put(w.index, acc);
    w.join_commit(697);
  }
}
#line 127 "models/mimo/drafter.ts"
TILE_PHASE static void draft_end_head_epilogue(Warp& w, const At& at) {
  const Share tiles = share(w, 264);
  for (int tile = tiles.begin; tile < tiles.end; ++tile) {
    if ((tile - tiles.begin) % w.count != w.index) {
      w.join_skip();
      continue;
    }
    w.join_wait(701);
    writes_own(w, at, R_draft_end_head_logits);
    const int t = tile;
    Acc acc = w.join_sum(0, 12);
    const int u = t;
    each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c) {
      if (c >= at.block->rows) return;
      const int n_low = u * 16 + i, n_high = n_low + 8;
      const float v0_low = low;
      const float v0_high = high;
      w.ws<float>(B_draft_end_head_logits)[size_t(c) * 4224 + n_low] = v0_low;
      w.ws<float>(B_draft_end_head_logits)[size_t(c) * 4224 + n_high] = v0_high;
    });
    w.join_release(702);
  }
  w.role_barrier(699);
  if (w.index == 0) w.signal(700, C_draft_end_head);
}

// ---- draft_end.logits.firsts ----
#line 127 "models/mimo/drafter.ts"
TILE_PHASE static void draft_end_logits_firsts_compute(Warp& w, const At& at) {
  w.wait(703, C_draft_end_head, at.runs(C_draft_end_head) + 1);
  reads_all(w, at, R_draft_end_head_logits);
  writes_own(w, at, R_draft_end_logits_firsts);
  if (w.rank == 0) find_firsts(w, w.ws<const float>(B_draft_end_head_logits), 4224, w.ws<u64>(B_draft_end_logits_firsts), at.round->sample_from, at.block->rows);
  w.role_barrier(704);
  if (w.index == 0) w.signal(705, C_draft_end_logits_firsts);
}

// ---- draft_end.logits ----
#line 127 "models/mimo/drafter.ts"
TILE_PHASE static void draft_end_logits_compute(Warp& w, const At& at) {
  w.wait(706, C_draft_end_logits_firsts, at.runs(C_draft_end_logits_firsts) + 1);
  reads_all(w, at, R_draft_end_head_logits);
  reads_all(w, at, R_draft_end_logits_firsts);
  const RoundControl* round = at.round;
  if (w.rank == 0 && w.sm == 0) called(w, [=](Warp& w) { finish_draft(w, *round, w.ws<const float>(B_draft_end_head_logits), 4224, w.ws<const u64>(B_draft_end_logits_firsts)); });
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
          break;
        }
        case 6: {
          // commit_layer
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer_kv_load);
          });
          break;
        }
        case 7: {
          // commit_layer2
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer2_kv_load);
          });
          break;
        }
        case 8: {
          // commit_layer3
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer3_kv_load);
          });
          break;
        }
        case 9: {
          // commit_layer4
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer4_kv_load);
          });
          break;
        }
        case 12: {
          // draft_sliding_dense
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense_qkv_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, draft_sliding_dense_attend_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense_o_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense_dense_up_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense_dense_down_load);
          });
          break;
        }
        case 13: {
          // draft_sliding_dense2
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense2_qkv_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, draft_sliding_dense2_attend_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense2_o_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense2_dense_up_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense2_dense_down_load);
          });
          break;
        }
        case 14: {
          // draft_sliding_dense3
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense3_qkv_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, draft_sliding_dense3_attend_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense3_o_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense3_dense_up_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense3_dense_down_load);
          });
          break;
        }
        case 15: {
          // draft_sliding_dense4
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense4_qkv_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, draft_sliding_dense4_attend_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense4_o_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense4_dense_up_load);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense4_dense_down_load);
          });
          break;
        }
        case 16: {
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
          break;
        }
        case 6: {
          // commit_layer
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer_kv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, commit_layer_norm_compute);
          });
          break;
        }
        case 7: {
          // commit_layer2
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer2_kv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, commit_layer2_norm_compute);
          });
          break;
        }
        case 8: {
          // commit_layer3
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer3_kv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, commit_layer3_norm_compute);
          });
          break;
        }
        case 9: {
          // commit_layer4
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer4_kv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, commit_layer4_norm_compute);
          });
          break;
        }
        case 10: {
          // commit_end
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_end_conclude_compute);
          });
          break;
        }
        case 11: {
          // draft_begin
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_begin_embed_tokens_compute);
          });
          break;
        }
        case 12: {
          // draft_sliding_dense
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense_qkv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, draft_sliding_dense_norm_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, draft_sliding_dense_norm2_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, draft_sliding_dense_attend_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, draft_sliding_dense_attend_merge_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense_o_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense_dense_up_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense_dense_down_compute);
          });
          break;
        }
        case 13: {
          // draft_sliding_dense2
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense2_qkv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, draft_sliding_dense2_norm_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, draft_sliding_dense2_norm2_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, draft_sliding_dense2_attend_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, draft_sliding_dense2_attend_merge_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense2_o_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense2_dense_up_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense2_dense_down_compute);
          });
          break;
        }
        case 14: {
          // draft_sliding_dense3
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense3_qkv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, draft_sliding_dense3_norm_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, draft_sliding_dense3_norm2_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, draft_sliding_dense3_attend_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, draft_sliding_dense3_attend_merge_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense3_o_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense3_dense_up_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense3_dense_down_compute);
          });
          break;
        }
        case 15: {
          // draft_sliding_dense4
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense4_qkv_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 1, draft_sliding_dense4_norm_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 2, draft_sliding_dense4_norm2_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 3, draft_sliding_dense4_attend_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 4, draft_sliding_dense4_attend_merge_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense4_o_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense4_dense_up_compute);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense4_dense_down_compute);
          });
          break;
        }
        case 16: {
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
          break;
        }
        case 6: {
          // commit_layer
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer_kv_epilogue);
          });
          break;
        }
        case 7: {
          // commit_layer2
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer2_kv_epilogue);
          });
          break;
        }
        case 8: {
          // commit_layer3
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer3_kv_epilogue);
          });
          break;
        }
        case 9: {
          // commit_layer4
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, commit_layer4_kv_epilogue);
          });
          break;
        }
        case 12: {
          // draft_sliding_dense
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense_qkv_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense_o_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense_dense_up_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense_dense_down_epilogue);
          });
          break;
        }
        case 13: {
          // draft_sliding_dense2
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense2_qkv_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense2_o_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense2_dense_up_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense2_dense_down_epilogue);
          });
          break;
        }
        case 14: {
          // draft_sliding_dense3
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense3_qkv_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense3_o_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense3_dense_up_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense3_dense_down_epilogue);
          });
          break;
        }
        case 15: {
          // draft_sliding_dense4
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 0, draft_sliding_dense4_qkv_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 5, draft_sliding_dense4_o_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 6, draft_sliding_dense4_dense_up_epilogue);
          });
          run(w, [](Warp& w, const At& at) {
            traced(w, at, 7, draft_sliding_dense4_dense_down_epilogue);
          });
          break;
        }
        case 16: {
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
