// The engine's host program, included after a generated engine's source: one process that owns all ranks of a node. It takes a
// load plan over its socket, loads, launches, and from then on only carries requests in and results out.
//
// Vocabulary: the *node* is the back end's half (node_host.h, node_cuda.cu.h), the *wire* is the socket. An error frame says why the
// process is about to end with a status that is not zero; only a refused request leaves it running.
// Invariants: the process never outlives the other end of its socket; nothing runs on a half-loaded image; no memory is
// allocated for the device while the kernels are resident.
#pragma once
#include <signal.h>
#include <sys/prctl.h>

#include <atomic>
#include <memory>
#include <thread>

#include "control.h"
#ifdef __CUDACC__
#include "node_cuda.cu.h"
#else
#include "node_host.h"
#endif

namespace tile {

inline volatile sig_atomic_t terminated = 0;

enum class Service { nothing, worked, stop };

class Engine {
 public:
  explicit Engine(const Options& options) : options_(options) {}

  int main() {
    if (Failure failure = wire_.connect(options_.socket)) {
      std::fprintf(stderr, "%s\n", failure.text.c_str());
      return 2;
    }
    if (Failure failure = load()) {
      wire_.send(failure);
      return 1;
    }
    if (!options_.dump.empty()) {
      const Failure failure = dump();
      failure ? wire_.send(failure) : wire_.send(FrameType::bye, nullptr, 0);
      return failure ? 1 : 0;
    }
    if (options_.ceiling) node_.measure();
    if (Failure failure = node_.launch()) {
      wire_.send(failure);
      return 1;
    }
    wire_.send(FrameType::ready, node_.describe());
    const std::string fault = node_.run([this](bool may_block) { return service(may_block); });
    take_results();
    if (!options_.probe.empty())
      if (Failure failure = node_.probe_end()) std::fprintf(stderr, "%s\n", failure.text.c_str());
    if (!options_.trace.empty())
      if (Failure failure = write_trace()) std::fprintf(stderr, "%s\n", failure.text.c_str());
    if (!fault.empty()) {
      wire_.send(FrameType::fault, fault);
      return 3;
    }
    wire_.send(FrameType::bye, nullptr, 0);
    return 0;
  }

 private:
  // ---- loading ----
  Failure load() {
    FrameType type{};
    while (!wire_.next(type, plan_bytes_))
      if (!wire_.receive(1000000000) || terminated) return Failure{"stopped", "the runtime went away before the load plan came"};
    if (type != FrameType::load) return Failure{"plan", "expected a load plan first, got frame type " + std::to_string(u32(type))};
    LoadPlan plan{};
    if (const std::string wrong = load_plan_of(plan_bytes_.data(), plan_bytes_.size(), plan); !wrong.empty()) return Failure{"plan", "the load plan " + wrong};
    if (plan.header->ranks != u32(Plan::ranks))
      return Failure{"plan", "the load plan is for " + std::to_string(plan.header->ranks) + " ranks, the engine was built for " + std::to_string(Plan::ranks)};
    if (plan.header->image_bytes > Plan::image_bytes || plan.header->kv_bytes > Plan::kv_bytes)
      return Failure{"plan", "the load plan fills " + std::to_string(plan.header->image_bytes) + " bytes of weights and " + std::to_string(plan.header->kv_bytes) +
                                 " of caches, the engine was built for " + std::to_string(Plan::image_bytes) + " and " + std::to_string(Plan::kv_bytes)};
    Files files;
    if (Failure failure = files.open(plan)) return failure;
    const u32 results = u32(Plan::ctx) + 16, prompts = u32(Plan::ctx);
    if (Failure failure = node_.open(options_, mailbox_bytes(results, prompts))) return failure;
    node_.mailbox()->results = results;
    node_.mailbox()->prompts = prompts;
    Failure failure = load_ranks(plan, files);
    std::vector<char>().swap(plan_bytes_);
    return failure;
  }
  Failure load_ranks(const LoadPlan& plan, const Files& files) {
    const int ranks = node_.ranks();
    u64 total = 0;
    for (u32 i = 0; i < plan.header->items; i++)
      if (int(plan.items[i].rank) < ranks) total += staged_bytes(plan, plan.items[i]);
    std::atomic<u64> done{0};
    std::atomic<bool> stop{false};
    std::vector<Failure> failures(static_cast<size_t>(ranks));
    const auto load_one = [&](int rank) {
      node_.enter(u32(rank));
      failures[size_t(rank)] = load_rank(plan, files, u32(rank), node_, [&](u64 bytes) {
        done += bytes;
        return !stop;
      });
      if (failures[size_t(rank)]) stop = true;
    };
    std::atomic<int> running{ranks};
    std::vector<std::thread> threads;
    for (int first = 0; first < (Node::parallel_load ? ranks : 1); first++)
      threads.emplace_back([&, first] {
        for (int rank = first; rank < (Node::parallel_load ? first + 1 : ranks); rank++) load_one(rank), --running;
      });
    while (running > 0) {
      const u64 report[2] = {done, total};
      if (!wire_.send(FrameType::progress, report, sizeof report) || !wire_.receive(running > 0 ? 20000000 : 0) || terminated) stop = true;
    }
    for (std::thread& thread : threads) thread.join();
    const u64 report[2] = {done, total};
    wire_.send(FrameType::progress, report, sizeof report);
    for (const Failure& failure : failures)
      if (failure && failure.code != "stopped") return failure;
    for (const Failure& failure : failures)
      if (failure) return failure;
    return {};
  }

  /** The events of all ranks, one after the other; of each, its waits behind them where they were asked for. */
  Failure write_trace() {
    if (trace_bytes == 0) return Failure{"usage", "this engine was built without TILE_TRACE"};
    std::vector<u8> events(trace_bytes + (options_.trace_waits ? trace_waits_bytes : 0));
    std::FILE* file = std::fopen(options_.trace.c_str(), "wb");
    bool written = file != nullptr;
    for (u32 rank = 0; rank < u32(node_.ranks()) && written; rank++)
      written = !node_.read_trace(rank, events.data(), events.data() + trace_bytes) && std::fwrite(events.data(), 1, events.size(), file) == events.size();
    if (file) written = std::fclose(file) == 0 && written;
    return written ? Failure{} : Failure{"file", "cannot write the trace to " + options_.trace};
  }

  /** Each rank's image as it was loaded, for tests and for looking at. */
  Failure dump() {
    std::vector<u8> piece(u64(1) << 24);
    for (u32 rank = 0; rank < u32(node_.ranks()); rank++) {
      const std::string path = options_.dump + "/image." + std::to_string(rank);
      std::FILE* file = std::fopen(path.c_str(), "wb");
      bool written = file != nullptr;
      for (u64 at = 0; at < Plan::image_bytes && written; at += piece.size()) {
        const u64 bytes = std::min<u64>(piece.size(), Plan::image_bytes - at);
        const Failure failure = node_.read_image(rank, at, piece.data(), bytes);
        written = !failure && std::fwrite(piece.data(), 1, bytes, file) == bytes;
      }
      if (file && std::fclose(file) != 0) written = false;
      if (!written) return Failure{"file", path + ": cannot be written"};
    }
    return {};
  }

  // ---- running ----
  Service service(bool may_block) {
    Mailbox* m = node_.mailbox();
    const bool took = take_results();
    if (!wire_.receive(may_block ? (busy_ ? 200000 : 50000000) : 0) || terminated) return quit();
    bool worked = false;
    FrameType type{};
    while (wire_.next(type, frame_)) {
      worked = true;
      if (type == FrameType::request) {
        if (Failure failure = post()) wire_.send(failure);
      } else if (type == FrameType::cancel && frame_.size() == 4) {
        u32 serial = 0;
        std::memcpy(&serial, frame_.data(), 4);
        store(m->cancel, serial);
      } else if (type == FrameType::width && frame_.size() == 8) {
        u32 words[2];
        std::memcpy(words, frame_.data(), 8);
        if (words[0] == busy_ && words[1] <= u32(max_rows)) store(m->width, words[1]);
      } else if (type == FrameType::quit) {
        store(m->quit, 1u);
      }
    }
    beat();
    return worked || took ? Service::worked : Service::nothing;
  }

  /** Posts the request in frame_; the device sees its serial last. */
  Failure post() {
    Mailbox* m = node_.mailbox();
    Request request{};
    if (frame_.size() < sizeof request) return Failure{"request", "a request frame of " + std::to_string(frame_.size()) + " bytes is too short"};
    std::memcpy(&request, frame_.data(), sizeof request);
    if (const std::string wrong = wrong_with(request); !wrong.empty()) return Failure{"request", wrong};
    const int* prompt = reinterpret_cast<const int*>(frame_.data() + sizeof request);
    const int* predicted = prompt + request.prompt_length;
    const Bias* bias = reinterpret_cast<const Bias*>(predicted + request.predicted);
    for (int i = 0; i < request.prompt_length + request.predicted; i++)
      if (prompt[i] < (i < request.prompt_length ? 0 : -1) || prompt[i] >= Plan::valid_ids)
        return Failure{"request", "token " + std::to_string(i) + " of the prompt is " + std::to_string(prompt[i]) + ", not an id below " + std::to_string(Plan::valid_ids)};
    for (int i = 0; i < request.sampling.biases; i++)
      if (bias[i].id < 0 || bias[i].id >= Plan::valid_ids) return Failure{"request", "logit bias for id " + std::to_string(bias[i].id) + ", not an id below " + std::to_string(Plan::valid_ids)};
    std::memcpy(mailbox_prompt(m, m->results), prompt, size_t(request.prompt_length) * 4);
    std::memcpy(mailbox_predicted(m, m->results, m->prompts), predicted, size_t(request.predicted) * 4);
    std::memcpy(m->bias, bias, size_t(request.sampling.biases) * sizeof(Bias));
    busy_ = request.serial;
    const u32 serial = request.serial;
    request.serial = m->request.serial;
    m->request = request;
    store(m->width, u32(request.draft));
    store(m->request.serial, serial);
    return {};
  }
  std::string wrong_with(const Request& r) const {
    const Mailbox* m = const_cast<Engine*>(this)->node_.mailbox();
    const auto within = [](int value, int low, int high) { return value >= low && value <= high; };
    if (busy_) return "the engine is busy with request " + std::to_string(busy_);
    if (r.serial == 0 || r.serial == m->request.serial) return "a request needs a new serial";
    const int most = int(m->prompts);
    if (!within(r.prompt_length, 1, most)) return "a prompt has 1 to " + std::to_string(most) + " tokens, this one has " + std::to_string(r.prompt_length);
    if (!within(r.cached, 0, r.prompt_length - 1)) return "of a prompt's tokens all but the last may be in the caches, not " + std::to_string(r.cached);
    if (!within(r.predicted, 0, most) || !within(r.sampling.biases, 0, max_biases)) return "there are too many predictions or biases";
    if (r.max_new_tokens < 1 || !within(r.stops, 0, max_stops)) return "max_new_tokens or the number of stop ids is out of range";
    if (!within(r.draft, 0, max_rows) || !within(r.block, 0, max_rows) || (r.draft > 1 && r.block < 2)) return "the rows to draft are out of range";
    if (!within(r.sampling.logprobs, 0, max_logprobs + 1)) return "at most " + std::to_string(max_logprobs) + " likeliest tokens can be told";
    const u64 bytes = sizeof r + u64(r.prompt_length + r.predicted) * 4 + u64(r.sampling.biases) * sizeof(Bias);
    return frame_.size() == bytes ? "" : "a request frame has " + std::to_string(frame_.size()) + " bytes where " + std::to_string(bytes) + " were announced";
  }

  bool take_results() {
    Mailbox* m = node_.mailbox();
    batch_.clear(), logs_.clear();
    for (;;) {
      const Result& r = mailbox_results(m)[taken_ % m->results];
      if (__atomic_load_n(&r.serial, __ATOMIC_ACQUIRE) != taken_ + 1) break;
      batch_.push_back(r);
      for (; logged_ != r.logged; logged_++) logs_.push_back(mailbox_log(m, m->results)[logged_ % m->results]);
      taken_++;
      if (r.finish != running) busy_ = 0;
    }
    for (size_t at = 0; at < logs_.size(); at += 64) wire_.send(FrameType::logs, &logs_[at], std::min<size_t>(64, logs_.size() - at) * sizeof(LogRecord));
    if (!batch_.empty()) wire_.send(FrameType::token, batch_.data(), batch_.size() * sizeof(Result));
    return !batch_.empty();
  }

  void beat() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const u64 ms = u64(now.tv_sec) * 1000 + u64(now.tv_nsec) / 1000000;
    if (ms - last_beat_ < 250) return;
    last_beat_ = ms;
    u32 beats[max_ranks + 1];
    const int ranks = node_.ranks();
    for (int rank = 0; rank < ranks; rank++) beats[rank] = __atomic_load_n(&node_.mailbox()->heartbeat[rank], __ATOMIC_RELAXED);
    beats[ranks] = __atomic_load_n(&node_.mailbox()->idle, __ATOMIC_RELAXED);
    wire_.send(FrameType::heartbeat, beats, size_t(ranks + 1) * 4);
  }

  /** The other side is gone, or somebody asked us to go: one chance to end at a round's boundary, then stop. */
  Service quit() {
    store(node_.mailbox()->quit, 1u);
    return Service::stop;
  }
  static void store(u32& word, u32 value) { __atomic_store_n(&word, value, __ATOMIC_RELEASE); }

  Options options_;
  Wire wire_;
  Node node_;
  std::vector<char> plan_bytes_, frame_;
  std::vector<Result> batch_;
  std::vector<LogRecord> logs_;
  u32 taken_ = 0, logged_ = 0, busy_ = 0;
  u64 last_beat_ = 0;
};

}  // namespace tile

int main(int count, char** words) {
  tile::Options options;
  if (const tile::Failure failure = tile::parse_options(count, words, options)) {
    std::fprintf(stderr, "%s\n", failure.text.c_str());
    return 2;
  }
  struct sigaction action {};
  action.sa_handler = [](int) { tile::terminated = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto engine = std::make_unique<tile::Engine>(options);
  return engine->main();
}
