// The node of the host back end: every rank is three slabs of this process's memory, and the "kernel" is the fiber
// scheduler, which runs in the calling thread and services the socket when nothing moves.
#pragma once
#include <sys/mman.h>

#include "loader.h"
#include "mailbox.h"
#include "options.h"

namespace tile {

class Node {
 public:
  static constexpr u64 staging_bytes = u64(4) << 20;

  /** One thread loads all ranks. */
  static constexpr bool parallel_load = false;

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() {
    for (const Slab& slab : slabs_) munmap(slab.at, slab.bytes);
  }

  Failure open(const Options& options, u64 mailbox_size) {
    options_ = options;
    char* mailbox = nullptr;
    if (Failure failure = slab(mailbox_size, "mailbox", mailbox)) return failure;
    faults_.resize(size_t(ranks()));
    args_.resize(size_t(ranks()));
    staging_.resize(staging_bytes);
    for (int rank = 0; rank < ranks(); rank++) {
      EngineArgs& a = args_[size_t(rank)];
      if (Failure failure = slab(Plan::image_bytes, "image", a.image)) return failure;
      if (Failure failure = slab(Plan::kv_bytes, "KV cache", a.kv)) return failure;
      if (options.made_up_caches)
        for (u64 i = 0; i < Plan::kv_bytes / 4; i++) store_u32(reinterpret_cast<u8*>(a.kv) + i * 4, made_up_pair(i));
      if (Failure failure = slab(Plan::workspace_bytes, "workspace", a.workspace)) return failure;
      if (trace_bytes > 0)
        if (Failure failure = slab(trace_bytes, "trace", a.trace)) return failure;
      if (trace_bytes > 0 && options.trace_waits)
        if (Failure failure = slab(trace_waits_bytes, "trace of waits", a.trace_waits)) return failure;
      a.image_bytes = Plan::image_bytes, a.kv_bytes = Plan::kv_bytes, a.workspace_bytes = Plan::workspace_bytes;
      a.mailbox = mailbox, a.fault = &faults_[size_t(rank)];
      a.deadline_ns = options.deadline_ns, a.rank = rank, a.ranks = ranks(), a.sms = Plan::sms, a.stall_round = options.stall.first == rank ? options.stall.second : 0;
    }
    for (EngineArgs& a : args_)
      for (int rank = 0; rank < Plan::ranks; rank++) a.peer_workspace[rank] = args_[size_t(rank % ranks())].workspace;
    return {};
  }

  /** That run here. */
  int ranks() const { return options_.present; }
  Mailbox* mailbox() { return static_cast<Mailbox*>(args_[0].mailbox); }
  std::string describe() const { return "{\"target\":\"host\",\"name\":\"host\",\"ranks\":" + std::to_string(Plan::ranks) + ",\"present\":" + std::to_string(ranks()) + ",\"sms\":" + std::to_string(Plan::sms) + ceiling_json(ceiling_) + "}"; }

  // ---- loading ----
  void enter(u32) {}
  Failure stage(u32, u8*& staging) {
    staging = staging_.data();
    return {};
  }
  Failure pack(u32 rank, PackJob job, u64 image_at, Place place, bool synthetic, u32 columns) {
    std::vector<u8> made;
    job.staged.rows = staging_.data();
    if (synthetic) {
      made.resize(u64(job.tiles) * 16 * job.staged.stride);
      synthesise(job.tiles * 16, job.format, job.staged.first_column, columns, job.staged.scales_at, job.staged.stride, made.data());
      job.staged.rows = made.data();
    }
    u8* image = reinterpret_cast<u8*>(args_[rank].image) + image_at;
    for (u64 index = 0; index < job.jobs(); index++)
      for (int lane = 0; lane < 32; lane++) {
        const Illegal illegal = pack_lane(job, index, lane, image);
        if (illegal != Illegal::none && illegal_ == Illegal::none) illegal_ = illegal, illegal_place_ = place;
      }
    return {};
  }
  Failure place(u32 rank, const LoadItem& item, const StagedShape& shape, u64 image_at, u32 rows, bool synthetic) {
    u8* to = reinterpret_cast<u8*>(args_[rank].image) + image_at;
    if (synthetic) synthesise(rows, item.format, item.first_column, item.columns, shape.scales_at, shape.stride, to);
    else std::memcpy(to, staging_.data(), u64(rows) * shape.stride);
    return {};
  }
  Failure settle(u32, Illegal& illegal, Place& place) {
    illegal = illegal_, place = illegal_place_;
    return {};
  }

  Failure read_image(u32 rank, u64 at, u8* to, u64 bytes) {
    std::memcpy(to, args_[rank].image + at, bytes);
    return {};
  }

  Failure read_trace(u32 rank, u8* events, u8* waits) {
    std::memcpy(events, args_[rank].trace, trace_bytes);
    if (args_[rank].trace_waits) std::memcpy(waits, args_[rank].trace_waits, trace_waits_bytes);
    return {};
  }

  /** How fast one thread, which is what an engine has here, reads memory that no cache holds. */
  void measure() {
    std::vector<u64> memory(u64(1) << 25, 1);
    std::vector<double> rates;
    for (int turn = 0; turn < 4; turn++) {
      const u64 began = clock_ns();
      u64 sum = 0;
      for (const u64 word : memory) sum += word;
      const u64 took = clock_ns() - began;
      if (turn > 0 && sum == memory.size()) rates.push_back(double(memory.size() * 8) / double(took) * 1e9);
    }
    std::sort(rates.begin(), rates.end());
    ceiling_ = rates[rates.size() / 2];
  }

  /** Every round was recorded when its logits were complete. */
  Failure probe_end() { return {}; }

  // ---- running ----
  Failure launch() { return {}; }
  /** Runs the engine to its end. `service(may_block)` says nothing, worked or stop. Empty, or what went wrong as JSON. */
  template <class Service>
  std::string run(Service service) {
    host::Options options;
    options.seed = options_.seed;
    options.mailbox_site = Plan::site_mailbox;
    options.idle = [&service](bool may_block) { return host::Idle(int(service(may_block))); };
    if (!options_.probe.empty()) options.computed = [this](u32 round, int rows, const int* position) { probe(round, u32(rows), position); };
    for (const auto& [site, mutation] : options_.mutations) host::mutate(site, host::Mutation(mutation));
    const host::Outcome outcome = host::run(args_.data(), ranks(), Plan::sms, options);
    if (outcome.ok()) return "";
    return fault_json(outcome.fault, outcome.report);
  }

 private:
  /** Appends what --probe asks for; a file that cannot be written shows as records that are missing. */
  void probe(u32 round, u32 rows, const int* position) {
    std::FILE* file = std::fopen(options_.probe.c_str(), "ab");
    if (!file) return;
    const u32 head[2] = {round, rows};
    std::fwrite(head, sizeof head, 1, file);
    std::fwrite(position, sizeof(int), max_rows, file);
    for (const auto& [at, bytes] : options_.probe_ranges)
      if (at + bytes <= Plan::workspace_bytes) std::fwrite(args_[0].workspace + at, 1, bytes, file);
    std::fclose(file);
  }
  struct Slab {
    void* at;
    u64 bytes;
  };
  Failure slab(u64 bytes, const char* what, char*& out) {
    void* at = mmap(nullptr, bytes ? bytes : 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return Failure{"memory", std::string("no memory for the ") + what + ": " + std::to_string(bytes) + " bytes: " + std::strerror(errno)};
    slabs_.push_back(Slab{at, bytes ? bytes : 16});
    out = static_cast<char*>(at);
    return {};
  }
  void synthesise(u32 rows, Format format, u32 first_column, u32 columns, u32 scales_at, u32 stride, u8* out) {
    const Recipe* recipes = reinterpret_cast<const Recipe*>(staging_.data());
    for (u32 row = 0; row < rows; row++)
      for (int lane = 0; lane < 32; lane++) synthesise_row(recipes[row], format, first_column, columns, scales_at, lane, out + u64(row) * stride);
  }

  Options options_;
  double ceiling_ = 0;
  std::vector<Slab> slabs_;
  std::vector<EngineArgs> args_;
  std::vector<FaultRecord> faults_;
  std::vector<u8> staging_;
  Illegal illegal_ = Illegal::none;
  Place illegal_place_{};
};

}  // namespace tile
