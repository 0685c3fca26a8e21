// The world of a host run: all ranks, their SMs, one fiber a warp, and the scheduler that runs them in one thread.
//
// A blocked fiber leaves behind the question it waits on (a function and a target) and is not resumed until the answer is yes,
// so polling costs a call, not a switch. A pass over all fibers in which none moved, with no delivery outstanding, is either
// idleness (every blocked fiber waits without deadline: the idle hook may sleep) or a deadlock, reported at once by listing
// every blocked fiber.
//
// Seed 0 is plain round robin with immediate delivery. Any other seed shuffles the order of fibers, preempts at sync points, and
// delivers bulk copies (in pieces) and packets late and in random order.
#pragma once
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <sys/time.h>
#include <unordered_map>
#include <vector>

#include "../common/args.h"
#include "check.h"
#include "fiber.h"
#include "mutate.h"

namespace tile::host {

enum class Idle { nothing, worked, stop };

struct Options {
  uint64_t seed = 0;
  /** Where the one warp waits that hears of requests: when nobody is there, waiting without deadline is no idleness. -1: no such place. */
  int mailbox_site = -1;
  /** Called when nothing moves (may_block: nothing can move until the hook does something) and now and then otherwise. */
  std::function<Idle(bool may_block)> idle;
  /** Called by rank 0 when the logits of a round are complete, before anything is sampled. */
  std::function<void(uint32_t round, int rows, const int* position)> computed;
};

struct Outcome {
  bool finished = false;  // every warp returned
  bool stopped = false;   // the idle hook asked for it
  FaultRecord fault{};    // state != 0: a fault
  std::string report;     // of the fault, in the author's words
  uint64_t prefetched = 0;  // bytes that load roles have asked L2 for
  bool ok() const { return fault.state == 0; }
};

/** An mbarrier: a phase completes when all arrivals and all announced bytes are in. */
struct Barrier {
  unsigned count = 0, pending = 0, phases = 0;
  long bytes = 0;
  History history;
};

struct Fiber {
  FiberStack stack;
  Context context;
  void (*main)(void*) = nullptr;
  void* argument = nullptr;
  enum State { ready, blocked, done } state = ready;
  // the question of a blocked fiber
  unsigned (*value)(void*) = nullptr;
  void* question = nullptr;
  unsigned expected = 0;
  bool idle = false;
  What what = What::none;
  int object = 0, site = -1;
  // who it is
  int actor = 0, rank = 0, sm = 0, role = 0, warp = 0;
  u32 round = 0;
  Clock clock;
  StampRef stamp;  // of what it sends; renewed after every access and every acquire
};

/** Bytes on their way: a piece of a bulk copy (`barrier` gets its transaction bytes) or one packet. */
struct Delivery {
  char* to;
  const char* from;
  unsigned bytes;
  Barrier* barrier;
  alignas(16) unsigned char packet[16];
  StampRef stamp;
};

struct Names {
  const char* const* sites = nullptr;
  int site_count = 0;
  const char* const* counters = nullptr;
  int counter_count = 0;
  const char* const* regions = nullptr;
  int region_count = 0;
};

inline const char* role_name(int role) {
  static const char* const names[] = {"load", "compute", "epilogue", "communicate"};
  return role >= 0 && role < role_count ? names[role] : "?";
}

class World {
 public:
  Options options;
  Names names;
  std::vector<std::unique_ptr<Fiber>> fibers;
  Fiber* current = nullptr;
  Outcome outcome;
  std::vector<Delivery> deliveries;
  std::unordered_map<const void*, History> histories;  // of counters
  std::unordered_map<uint64_t, std::unique_ptr<PacketBlock>> packet_blocks;
  std::unordered_map<PlaceKey, Place> places;
  /** Whether the first rank that came to a round was told the same of it; ranks are at most a round apart. */
  bool same_for_all_ranks(u32 round, const void* control, size_t bytes) {
    const std::string said(static_cast<const char*>(control), bytes);
    auto& [of, told] = told_[round & 1];
    if (of != round) of = round, told = said;
    return told == said;
  }
  std::vector<Clock> engine_clocks;  // of each SM's copy engine
  std::vector<int> engine_sites;

  bool fuzzing() const { return options.seed != 0; }
  uint64_t random() {
    uint64_t z = (random_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  unsigned random(unsigned below) { return unsigned(random() % below); }

  const char* site_name(int site) const { return site >= 0 && site < names.site_count ? names.sites[site] : "(start)"; }

  /** Blocks the running fiber until int(value(question) - expected) >= 0. */
  void block(unsigned (*value)(void*), void* question, unsigned expected, bool idle, What what, int object, int site) {
    Fiber& fiber = *current;
    fiber.value = value;
    fiber.question = question;
    fiber.expected = expected;
    fiber.idle = idle;
    fiber.what = what;
    fiber.object = object;
    fiber.site = site;
    fiber.state = Fiber::blocked;
    switch_context(fiber.context, main_);
  }
  /** Lets others run first, in fuzzed runs, at random. */
  void preempt() {
    if (fuzzing() && random(4) == 0) switch_context(current->context, main_);
  }
  [[noreturn]] void exit_fiber() {
    current->state = Fiber::done;
    Fiber& fiber = *current;
    for (;;) switch_context(fiber.context, main_);
  }

  /** Ends the run with a fault of the running fiber. Returns to the scheduler for good. */
  [[noreturn]] void fail(What what, int site, int object, u32 expected, u32 got, std::string report) {
    record(*current, what, site, object, expected, got, std::move(report));
    Fiber& fiber = *current;
    for (;;) switch_context(fiber.context, main_);
  }
  void record(const Fiber& fiber, What what, int site, int object, u32 expected, u32 got, std::string report) {
    if (outcome.fault.state) return;
    outcome.fault = FaultRecord{2, int(what), fiber.rank, fiber.sm, fiber.role, fiber.warp, site, object, expected, got, fiber.round};
    outcome.report = std::move(report);
  }

  std::string who(const Fiber& fiber) const {
    char text[128];
    std::snprintf(text, sizeof text, "rank %d SM %d %s warp %d", fiber.rank, fiber.sm, role_name(fiber.role), fiber.warp);
    return text;
  }
  std::string object_name(What what, int object) const {
    if (what == What::counter && object >= 0 && object < names.counter_count) return std::string("counter ") + names.counters[object];
    std::string text = what_name(what);
    return what == What::local_counter || what == What::packets || what == What::sum ? text + " " + std::to_string(object) : text;
  }

  void arrive(Barrier& barrier, long announced, int barrier_index, int site) {
    if (barrier.pending == 0)
      fail(What::overrun, site, barrier_index, barrier.count, barrier.count + 1,
           who(*current) + ", " + site_name(site) + ": one arrival more than the barrier counts in a phase");
    if constexpr (checking) barrier.history.gather(current->clock), tick();
    barrier.bytes += announced;
    --barrier.pending;
    settle(barrier);
  }
  /** Of a counter that every SM signals once an execution: a second signal of one must not stand in for the first of another. */
  void account(const u32* word, int sm, int sms, int which, int site) {
    std::vector<u32>& given = given_[word];
    given.resize(size_t(sms));
    for (const u32 other : given)
      if (other < given[size_t(sm)])
        fail(What::overrun, site, which, other + 1, given[size_t(sm)] + 1,
             who(*current) + ", " + site_name(site) + ": signals " + object_name(What::counter, which) + " again before every SM has signalled the execution before");
    ++given[size_t(sm)];
  }
  /** A signal on a counter word, for so many. */
  void signal(u32* word, u32 n) {
    if constexpr (checking) {
      History& history = histories[word];
      history.gather(current->clock);
      history.publish();
      tick();
    }
    *word += n;
  }
  /** After a release: later accesses of this actor are not covered by it. */
  void tick() {
    if constexpr (checking) ++current->clock.slot(current->actor);
  }

  /** What the running fiber has seen and done, for what it sends now. */
  const StampRef& stamp() {
    Fiber& fiber = *current;
    if (!fiber.stamp) {
      fiber.stamp = std::make_shared<Stamp>(Stamp{fiber.clock, fiber.actor, fiber.clock.of(fiber.actor)});
      tick();
    }
    return fiber.stamp;
  }
  PacketPlace& packet(const void* at) {
    const uint64_t key = reinterpret_cast<uint64_t>(at) >> 4;
    if (key / 64 != packets_of_ || !packets_) {
      std::unique_ptr<PacketBlock>& block = packet_blocks[packets_of_ = key / 64];
      if (!block) block = std::make_unique<PacketBlock>();
      packets_ = block.get();
    }
    return packets_->packet[key % 64];
  }

  void copy(char* to, const char* from, unsigned bytes, Barrier& barrier, int engine) {
    if (!fuzzing()) {
      std::memcpy(to, from, bytes);
      land(barrier, bytes, checking ? &engine_clocks[size_t(engine)] : nullptr);
      return;
    }
    StampRef stamp;
    if constexpr (checking) stamp = std::make_shared<Stamp>(Stamp{engine_clocks[size_t(engine)], -1, 0});
    while (bytes > 0) {
      const unsigned pieces = bytes / 16, piece = random(3) == 0 ? bytes : 16 * (1 + random(pieces));
      deliveries.push_back(Delivery{to, from, piece, &barrier, {}, stamp});
      to += piece, from += piece, bytes -= piece;
    }
  }
  void send_packet(char* to, const unsigned char* packet) {
    if (fuzzing()) {
      Delivery delivery{to, nullptr, 16, nullptr, {}, {}};
      std::memcpy(delivery.packet, packet, 16);
      if constexpr (checking) delivery.stamp = stamp();
      deliveries.push_back(std::move(delivery));
    } else {
      std::memcpy(to, packet, 16);
      if constexpr (checking) this->packet(to).sent = stamp();
    }
  }

  Outcome run();

 private:
  void land(Barrier& barrier, unsigned bytes, const Clock* clock) {
    if constexpr (checking) barrier.history.gather(*clock);
    barrier.bytes -= long(bytes);
    settle(barrier);
  }
  void settle(Barrier& barrier) {
    if (barrier.pending != 0 || barrier.bytes != 0) return;
    ++barrier.phases;
    barrier.pending = barrier.count;
    if constexpr (checking) barrier.history.publish();
  }
  static u32 tag(const void* packet) {
    u32 word[4];
    std::memcpy(word, packet, 16);
    return word[3];
  }
  /** Packets to one address arrive in order, and their tags grow: one that its successor overtook came just before it, for nobody to see. */
  void deliver(Delivery& delivery) {
    if (delivery.barrier) {
      std::memcpy(delivery.to, delivery.from, delivery.bytes);
      land(*delivery.barrier, delivery.bytes, delivery.stamp ? &delivery.stamp->clock : nullptr);
    } else if (int(tag(delivery.packet) - tag(delivery.to)) >= 0) {
      std::memcpy(delivery.to, delivery.packet, 16);
      if constexpr (checking) packet(delivery.to).sent = std::move(delivery.stamp);
    }
  }
  /** One that is on its way, at random: everything may overtake everything. */
  void deliver_one() {
    const size_t chosen = random(unsigned(deliveries.size()));
    Delivery delivery = std::move(deliveries[chosen]);
    if (chosen + 1 < deliveries.size()) deliveries[chosen] = std::move(deliveries.back());
    deliveries.pop_back();
    deliver(delivery);
  }
  bool deadlock();
  static void entry();

  Context main_;
  uint64_t random_ = 0;
  std::pair<u32, std::string> told_[2];
  std::unordered_map<const u32*, std::vector<u32>> given_;  // signals of each SM, by counter
  uint64_t packets_of_ = 0;                               // the block looked up last
  PacketBlock* packets_ = nullptr;
  friend struct CrashGuard;
};

inline World*& world_of_thread() {
  static thread_local World* world = nullptr;
  return world;
}

inline void World::entry() {
  World& world = *world_of_thread();
  world.current->main(world.current->argument);
  world.exit_fiber();
}

/** Turns a memory fault or an endless loop inside a phase into a fault of the run (TILE_CHECK: mutated schedules do both). */
struct CrashGuard {
  static inline sigjmp_buf back;
  static inline volatile sig_atomic_t ticks = 0, last_ticks = -1, in_fiber = 0;
  static void handler(int signal) {
    if (!in_fiber) {
      // The host program's own fault: not ours to explain.
      if (signal != SIGVTALRM) ::signal(signal, SIG_DFL);
      return;
    }
    if (signal == SIGVTALRM && ticks != last_ticks) {
      last_ticks = ticks;
      return;
    }
    siglongjmp(back, signal);
  }
  struct sigaction old_[4];
  static constexpr int signals[4] = {SIGSEGV, SIGBUS, SIGFPE, SIGVTALRM};
  std::vector<char> stack_ = std::vector<char>(65536);
  stack_t old_stack_{};
  CrashGuard() {
    stack_t stack{};
    stack.ss_sp = stack_.data();
    stack.ss_size = stack_.size();
    sigaltstack(&stack, &old_stack_);
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 4; ++i) sigaction(signals[i], &action, &old_[i]);
    last_ticks = -1;
    const itimerval every{{2, 0}, {2, 0}};
    setitimer(ITIMER_VIRTUAL, &every, nullptr);
  }
  ~CrashGuard() {
    const itimerval never{};
    setitimer(ITIMER_VIRTUAL, &never, nullptr);
    for (int i = 0; i < 4; ++i) sigaction(signals[i], &old_[i], nullptr);
    if (!(old_stack_.ss_flags & SS_DISABLE) && old_stack_.ss_sp) sigaltstack(&old_stack_, nullptr);
    else {
      stack_t off{};
      off.ss_flags = SS_DISABLE;
      sigaltstack(&off, nullptr);
    }
  }
};

inline bool World::deadlock() {
  // Whom to name first: who waits for packets knows which rank's are missing, who waits for a sum whose it is; a load warp runs ahead and is
  // rarely the one.
  const auto last_named = [](const Fiber& fiber) { return fiber.what == What::packets ? 0 : fiber.what == What::sum ? 1 : fiber.role == load_role ? 3 : 2; };
  const Fiber* first = nullptr;
  bool only_idle = true, listening = options.mailbox_site < 0;
  for (auto& fiber : fibers) {
    if (fiber->state != Fiber::blocked) continue;
    listening = listening || fiber->site == options.mailbox_site;
    only_idle = only_idle && fiber->idle;
  }
  if (only_idle && listening) return false;
  for (auto& fiber : fibers)
    if (fiber->state == Fiber::blocked && (only_idle || !fiber->idle))
      if (!first || last_named(*fiber) < last_named(*first)) first = fiber.get();
  std::string text = "deadlock: no warp can move\n";
  for (auto& fiber : fibers)
    if (fiber->state == Fiber::blocked) {
      const unsigned got = fiber->value(fiber->question);
      text += "  " + who(*fiber) + ", " + site_name(fiber->site) + ": waits for " + object_name(fiber->what, fiber->object) + ", expected " +
              std::to_string(fiber->expected) + ", got " + std::to_string(got) + (fiber->idle ? " (idle)\n" : "\n");
    }
  record(*first, first->what, first->site, first->object, first->expected, first->value(first->question), text);
  return true;
}

inline Outcome World::run() {
  world_of_thread() = this;
  random_ = options.seed;
  std::vector<Fiber*> order;
  for (auto& fiber : fibers) {
    fiber->stack.start(fiber->context, &World::entry);
    order.push_back(fiber.get());
  }
#ifdef TILE_CHECK
  CrashGuard guard;
  if (const int signal = sigsetjmp(CrashGuard::back, 1); signal != 0) {
    Fiber& fiber = *current;
    CrashGuard::in_fiber = 0;
    record(fiber, What::crash, fiber.site, signal, 0, 0,
           who(fiber) + ", after " + site_name(fiber.site) + (signal == SIGVTALRM ? ": an endless loop" : ": a memory fault"));
    return outcome;
  }
#endif
  for (unsigned pass = 0;; ++pass) {
    bool moved = false, alive = false;
    if (fuzzing())
      for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random(unsigned(i))]);
    for (Fiber* fiber : order) {
      if (fiber->state == Fiber::done) continue;
      alive = true;
      if (fiber->state == Fiber::blocked) {
        if (int(fiber->value(fiber->question) - fiber->expected) < 0) continue;
        fiber->state = Fiber::ready;
      }
      moved = true;
      current = fiber;
#ifdef TILE_CHECK
      CrashGuard::ticks = CrashGuard::ticks + 1;
      CrashGuard::in_fiber = 1;
#endif
      switch_context(main_, fiber->context);
#ifdef TILE_CHECK
      CrashGuard::in_fiber = 0;
#endif
      if (outcome.fault.state) return outcome;
      while (!deliveries.empty() && random(3) == 0) deliver_one();
    }
    if (!alive) {
      while (!deliveries.empty()) deliver_one();  // a run of one phase (graph.h) leaves nothing on its way
      outcome.finished = true;
      return outcome;
    }
    if (!moved && !deliveries.empty()) {
      // One alone, or a burst: both orders of events matter, and thousands may be on their way.
      for (unsigned burst = random(2) == 0 ? 1 : 1 + random(unsigned(deliveries.size())); burst > 0; --burst) deliver_one();
      continue;
    }
    if (moved && (pass & 255) != 0) continue;
    Idle did = options.idle ? options.idle(false) : Idle::nothing;
    if (!moved && did == Idle::nothing) {
      if (deadlock()) return outcome;
      if (options.idle) did = options.idle(true);
      else {
        // Everybody waits for a request and nobody can bring one: the run is over.
        outcome.stopped = true;
        return outcome;
      }
    }
    if (did == Idle::stop) {
      outcome.stopped = true;
      return outcome;
    }
  }
}

}  // namespace tile::host
