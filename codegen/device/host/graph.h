// The control on the host: the same phases, one after the other, each run to its end by all warps of all ranks before the next one
// begins. What a kernel boundary would wipe out is wiped out: shared memory, barriers, cursors; the route table goes through memory.
// Parts that a phase leaves (common/parts.h) are added by a loop, which stands for NCCL's all-reduce.
#pragma once
#include "warps.h"

namespace tile::host {

class Phases {
 public:
  Phases(const EngineArgs* args, int ranks, int sms, Options options)
      : args_(args), ranks_(ranks), sms_(sms), all_(args, ranks, sms, std::move(options), [](void* warp) { current()(*static_cast<Warp*>(warp)); }), tables_(size_t(ranks)) {}

  Outcome run() {
    Outcome outcome = run_all([](Warp& w) {
      if (w.role == compute_role) first_round(w);
    });
    for (u32 round = 1; good(outcome); ++round) {
      for (int rank = 0; rank < ranks_; ++rank) relay(rank, round);
      const RoundControl& c = *control(0);
      if (c.op == round_quit) break;
      for (int entry = 0; entry < Plan::entries && good(outcome); ++entry)
        if (c.runs(order_program[entry]))
          each_phase(order_segment[entry], [&](auto phase) {
            if (good(outcome)) outcome = run_phase<decltype(phase)>(entry, round);
            if (decltype(phase)::leaves > 0) add_parts(part_numbers(decltype(phase)::leaves));
          });
    }
    return all_.told(outcome, args_, ranks_);
  }

 private:
  using Body = std::function<void(Warp&)>;
  static Body& current() {
    static Body body;
    return body;
  }
  /** In good order: neither a fault nor the idle hook's stop. */
  static bool good(const Outcome& outcome) { return outcome.finished; }

  template <class Phase>
  Outcome run_phase(int entry, u32 round) {
    all_.reset();
    for (size_t i = 0; i < all_.states.size(); ++i) {
      RouteTable& table = table_of(all_.states[i]);
      if (Phase::uses_table) table = tables_[i / size_t(sms_)];
      else table.active = 0;
    }
    const Outcome outcome = run_all([this, entry, round](Warp& w) {
      w.enter_round(round);
      const At at = entry_of(*control(w.rank), entry);
      void (*const roles[])(Warp&, const At&) = {Phase::load, Phase::compute, Phase::epilogue, Phase::communicate};
      roles[w.role](w, at);
    });
    if (Phase::makes_table)
      for (int rank = 0; rank < ranks_; ++rank) tables_[size_t(rank)] = table_of(all_.states[size_t(rank * sms_)]);
    return outcome;
  }
  /** Every rank's part becomes the sum of all that run, in rank order, rounded once. */
  void add_parts(size_t numbers) {
    const auto part = [&](int rank) { return reinterpret_cast<Exchange*>(args_[rank].workspace + Plan::inbox_at); };
    for (size_t i = 0; i < numbers; ++i) {
      float sum = to_f32(part(0)[i]);
      for (int rank = 1; rank < ranks_; ++rank) sum += to_f32(part(rank)[i]);
      for (int rank = 0; rank < ranks_; ++rank) set_exchange(part(rank)[i], sum);
    }
  }
  Outcome run_all(Body body) {
    current() = std::move(body);
    for (Warp& w : all_.warps) w.fiber->state = Fiber::ready;
    all_.world.outcome = Outcome{};
    return all_.world.run();
  }
  static RouteTable& table_of(Sm& state) { return *reinterpret_cast<RouteTable*>(state.memory + Shared::table_at); }

  RoundControl* control(int rank) { return reinterpret_cast<RoundControl*>(args_[rank].workspace + Plan::control_at); }
  /** What rank 0 has published, from the inbox to where all phases of the round look. */
  void relay(int rank, u32 round) {
    const Packet* inbox = reinterpret_cast<const Packet*>(args_[rank].workspace + Plan::control_inbox_at + (round & 1) * control_inbox_bytes);
    u32* words = reinterpret_cast<u32*>(control(rank));
    for (int i = 0; i < control_words; ++i) words[i] = inbox[i / 3].word[i % 3];
    ++static_cast<Mailbox*>(args_[rank].mailbox)->heartbeat[args_[rank].rank];
  }

  const EngineArgs* args_;
  const int ranks_, sms_;
  Warps all_;
  std::vector<RouteTable> tables_;
};

/** Runs `ranks` engines to their end, a fault, or the idle hook's stop. `args` has one entry a rank. */
inline Outcome run(const EngineArgs* args, int ranks, int sms, Options options) { return Phases(args, ranks, sms, std::move(options)).run(); }

}  // namespace tile::host
