// Runs a unit program on either target. A program defines the four roles and `namespace unit`:
//   sms, image_bytes, kv_bytes;  void fill(int rank, char* image, char* kv, char* data);  std::string check(int rank, const char* data);
// `data` is the workspace from Plan::data_at on. check returns what is wrong, or nothing.
//   host:  unit [--seeds n] [--drop site] [--mutate]      CUDA: unit (all ranks on one device)
// Prints one line "ok ..." or the report, and exits with 0 or 1.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tile_plan.h"

namespace unit {

/** Reproducible numbers, the same on both targets. */
struct Random {
  unsigned long long state;
  explicit Random(unsigned long long seed) : state(seed * 0x9E3779B97F4A7C15ull + 1) {}
  unsigned next() {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return unsigned(state >> 33);
  }
  double uniform() { return double(next()) / 2147483648.0; }  // [0, 1)
  double normal() {
    double total = 0;
    for (int i = 0; i < 12; ++i) total += uniform();
    return total - 6;
  }
};

extern const int sms;
extern const size_t image_bytes, kv_bytes;
void fill(int rank, char* image, char* kv, char* data);
std::string check(int rank, const char* data);

struct Memory {
  std::vector<char> image, kv, workspace;
};
inline std::vector<Memory> fresh() {
  std::vector<Memory> ranks(Plan::ranks);
  for (int rank = 0; rank < Plan::ranks; ++rank) {
    Memory& m = ranks[size_t(rank)];
    m.image.assign(image_bytes + 16, 0);
    m.kv.assign(kv_bytes + 16, 0);
    m.workspace.assign(Plan::workspace_bytes, char(0xFF));
    std::fill(m.workspace.begin(), m.workspace.begin() + Plan::data_at, 0);
    fill(rank, m.image.data(), m.kv.data(), m.workspace.data() + Plan::data_at);
  }
  return ranks;
}
inline std::string check_all(const std::vector<Memory>& ranks) {
  for (int rank = 0; rank < Plan::ranks; ++rank)
    if (std::string wrong = check(rank, ranks[size_t(rank)].workspace.data() + Plan::data_at); !wrong.empty()) return "rank " + std::to_string(rank) + ": " + wrong;
  return "";
}

}  // namespace unit

#ifdef __CUDACC__
#define CUDA_OK(call)                                                                                       \
  do {                                                                                                      \
    if (cudaError_t error_ = (call); error_ != cudaSuccess) {                                               \
      std::printf("%s:%d: %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorString(error_));                \
      std::exit(1);                                                                                         \
    }                                                                                                       \
  } while (0)

int main() {
  using namespace tile;
  auto ranks = unit::fresh();
  FaultRecord* fault;
  CUDA_OK(cudaHostAlloc(reinterpret_cast<void**>(&fault), sizeof(FaultRecord), cudaHostAllocMapped));
  *fault = FaultRecord{};
  std::vector<EngineArgs> args(ranks.size());
  std::vector<cudaStream_t> streams(ranks.size());
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    EngineArgs& a = args[rank];
    auto upload = [](char*& to, const std::vector<char>& from) {
      CUDA_OK(cudaMalloc(reinterpret_cast<void**>(&to), from.size()));
      CUDA_OK(cudaMemcpy(to, from.data(), from.size(), cudaMemcpyHostToDevice));
    };
    upload(a.image, ranks[rank].image);
    upload(a.kv, ranks[rank].kv);
    upload(a.workspace, ranks[rank].workspace);
    a.image_bytes = unit::image_bytes, a.kv_bytes = unit::kv_bytes, a.workspace_bytes = Plan::workspace_bytes;
    a.fault = fault, a.deadline_ns = 1000000000ull;
    a.rank = int(rank), a.ranks = Plan::ranks, a.sms = unit::sms;
    CUDA_OK(cudaStreamCreateWithFlags(&streams[rank], cudaStreamNonBlocking));
  }
  for (EngineArgs& a : args)
    for (size_t peer = 0; peer < args.size(); ++peer) a.peer_workspace[peer] = args[peer].workspace;
  for (size_t rank = 0; rank < ranks.size(); ++rank) CUDA_OK(launch_engine(args[rank], streams[rank]));
  CUDA_OK(cudaDeviceSynchronize());
  if (fault->state) {
    std::printf("fault: rank %d SM %d role %d warp %d, %s: waits for %s %d, expected %u, got %u\n", fault->rank, fault->sm, fault->role, fault->warp,
                fault->state == 2 ? Plan::site_names[fault->site] : "(incomplete)", what_name(What(fault->what)), fault->object, fault->expected, fault->got);
    return 1;
  }
  for (size_t rank = 0; rank < ranks.size(); ++rank)
    CUDA_OK(cudaMemcpy(ranks[rank].workspace.data(), args[rank].workspace, Plan::workspace_bytes, cudaMemcpyDeviceToHost));
  const std::string wrong = unit::check_all(ranks);
  std::printf("%s\n", wrong.empty() ? "ok" : wrong.c_str());
  return wrong.empty() ? 0 : 1;
}
#else

namespace unit {
/** One run: a fault's report, or what is wrong with the result, or nothing. */
inline std::string run(unsigned long long seed, tile::host::Outcome& outcome) {
  auto ranks = fresh();
  tile::FaultRecord fault{};
  std::vector<tile::EngineArgs> args(ranks.size());
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    tile::EngineArgs& a = args[rank];
    a.image = ranks[rank].image.data(), a.kv = ranks[rank].kv.data(), a.workspace = ranks[rank].workspace.data();
    for (size_t peer = 0; peer < ranks.size(); ++peer) a.peer_workspace[peer] = ranks[peer].workspace.data();
    a.image_bytes = image_bytes, a.kv_bytes = kv_bytes, a.workspace_bytes = Plan::workspace_bytes;
    a.fault = &fault, a.rank = int(rank), a.ranks = Plan::ranks, a.sms = sms;
  }
  tile::host::Options options;
  options.seed = seed;
  outcome = tile::host::run(args.data(), Plan::ranks, sms, options);
  if (!outcome.ok()) return outcome.report;
  if (!outcome.finished) return "not finished";
#ifdef PREFETCHED
  // A mutation may leave some out, which changes no number.
  if (tile::host::mutations().empty() && outcome.prefetched != PREFETCHED) return "prefetched " + std::to_string(outcome.prefetched) + " bytes";
#endif
  return check_all(ranks);
}
}  // namespace unit

int main(int count, char** words) {
  using namespace tile;
  int seeds = 1, drop = -1;
  bool mutate = false;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--seeds") seeds = std::atoi(words[++i]);
    else if (word == "--drop") drop = std::atoi(words[++i]);
    else if (word == "--mutate") mutate = true;
    else return std::printf("unknown argument %s\n", words[i]), 2;
  }
  host::Outcome outcome;
  if (drop >= 0) host::mutate(drop, host::Mutation::drop);
  if (!mutate) {
    for (int seed = 0; seed < seeds; ++seed)
      if (std::string wrong = unit::run(unsigned(seed), outcome); !wrong.empty()) return std::printf("seed %d: %s\n", seed, wrong.c_str()), 1;
    std::printf("ok %d\n", seeds);
    return 0;
  }
  // Every site with every mutation: how the runs ended, by name.
  static const char* const kinds[] = {"none", "drop", "twice", "late", "target_up", "target_down", "shallow"};
  for (int site = 1; site < Plan::sites; ++site)
    for (int kind = 1; kind <= int(host::Mutation::shallow); ++kind) {
      host::restore();
      host::mutate(site, host::Mutation(kind));
      std::string ends;
      for (int seed = 0; seed < seeds; ++seed) {
        const std::string wrong = unit::run(unsigned(seed), outcome);
        const char* end = wrong.empty() ? "same" : outcome.ok() ? "WRONG" : What(outcome.fault.what) == What::race ? "race" : What(outcome.fault.what) == What::overrun ? "overrun"
                          : What(outcome.fault.what) == What::bounds ? "bounds" : What(outcome.fault.what) == What::crash ? "crash" : "deadlock";
        if (ends.find(end) == std::string::npos) ends += std::string(ends.empty() ? "" : " ") + end;
      }
      std::printf("%s | %s | %s\n", Plan::site_names[site], kinds[kind], ends.c_str());
    }
  return 0;
}
#endif
