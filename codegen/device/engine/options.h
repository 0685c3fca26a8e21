// The command line of an engine: `engine SOCKET [--seed N] [--mutate SITE:KIND] [--deadline-ms N] [--devices A,B] [--present P]
// [--stall RANK:ROUND] [--dump FOLDER] [--trace FILE [--trace-waits 1]] [--ceiling 1] [--made-up-caches 1] [--probe FILE --probe-range
// OFFSET:BYTES ...]`,
// and how a fault is told. SITE is a site's number, KIND the number of a host::Mutation.
#pragma once
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "failure.h"
#include "wire.h"

namespace tile {

struct Options {
  std::string socket;
  u64 seed = 0;                                // host: 0 runs in plain order, others fuzz
  std::vector<std::pair<int, int>> mutations;  // host, checking builds
  u64 deadline_ns = 10000000000;
  std::vector<int> devices;   // CUDA: device of each rank; empty: 0, 1, ...
  int present = Plan::ranks;  // ranks that run; they stand in for the others (EngineArgs::ranks)
  std::pair<int, u32> stall;  // a rank, and a round in which a warp of it stops for good; round 0: none
  std::string trace;          // TILE_TRACE builds: file for the events of all ranks, written at the end
  bool trace_waits = false;   // and every wait of a role's first warp after them
  bool ceiling = false;       // measure how fast this machine streams, before the launch
  bool made_up_caches = false;  // positions that nobody has computed hold numbers, not zeros (synthetic.h)
  std::string dump;           // write each rank's loaded image to FOLDER/image.RANK and end
  /** Host: a file that gets a record a round when its logits are complete: u32 round, u32 rows, int position[8], then the ranges of rank 0's workspace. */
  std::string probe;
  std::vector<std::pair<u64, u64>> probe_ranges;
};

inline Failure parse_options(int count, char** words, Options& o) {
  if (count < 2) return Failure{"usage", "usage: engine SOCKET [--seed N] [--mutate SITE:KIND] [--deadline-ms N] [--devices A,B] [--present P] [--stall RANK:ROUND] [--dump FOLDER] [--trace FILE] [--trace-waits 1] [--ceiling 1] [--made-up-caches 1] [--probe FILE] [--probe-range OFFSET:BYTES]"};
  o.socket = words[1];
  for (int i = 2; i < count; i += 2) {
    const std::string name = words[i];
    if (i + 1 >= count) return Failure{"usage", name + " needs a value"};
    char* value = words[i + 1];
    char* end = value;
    if (name == "--seed") o.seed = std::strtoull(value, &end, 10);
    else if (name == "--deadline-ms") o.deadline_ns = std::strtoull(value, &end, 10) * 1000000;
    else if (name == "--present") o.present = int(std::strtol(value, &end, 10)), end = o.present > 0 && Plan::ranks % o.present == 0 ? end : value;
    else if (name == "--trace") o.trace = value, end = value + o.trace.size();
    else if (name == "--trace-waits") o.trace_waits = std::strtol(value, &end, 10) != 0;
    else if (name == "--ceiling") o.ceiling = std::strtol(value, &end, 10) != 0;
    else if (name == "--made-up-caches") o.made_up_caches = std::strtol(value, &end, 10) != 0;
    else if (name == "--dump") o.dump = value, end = value + o.dump.size();
    else if (name == "--probe") o.probe = value, end = value + o.probe.size();
    else if (name == "--probe-range") {
      const u64 at = std::strtoull(value, &end, 10);
      if (*end == ':') o.probe_ranges.emplace_back(at, std::strtoull(end + 1, &end, 10));
#ifndef TILE_GRAPH
    } else if (name == "--stall") {
      o.stall.first = int(std::strtol(value, &end, 10));
      if (*end == ':') o.stall.second = u32(std::strtoul(end + 1, &end, 10));
#endif
    } else if (name == "--mutate") {
      const int site = int(std::strtol(value, &end, 10));
      if (*end == ':') o.mutations.emplace_back(site, int(std::strtol(end + 1, &end, 10)));
    } else if (name == "--devices") {
      do o.devices.push_back(int(std::strtol(end == value ? value : end + 1, &end, 10)));
      while (*end == ',');
    } else return Failure{"usage", "unknown option " + name};
    if (end == value || *end) return Failure{"usage", name + ": '" + value + "' is not a value for it"};
  }
  return {};
}

/** A fault in the author's words: the numbers as they are, and the names that the plan has for them. */
inline std::string fault_json(const FaultRecord& f, const std::string& report) {
  static const char* const roles[] = {"load", "compute", "epilogue", "communicate"};
  const auto number = [](const char* key, long value) { return std::string("\"") + key + "\":" + std::to_string(value) + ","; };
  const std::string site = f.site >= 0 && f.site < Plan::sites ? Plan::site_names[f.site] : "";
  const std::string counter = What(f.what) == What::counter && f.object >= 0 && f.object < Plan::counters ? Plan::counter_names[f.object] : "";
  return "{" + number("rank", f.rank) + number("sm", f.sm) + number("warp", f.warp) + number("round", f.round) + number("expected", f.expected) + number("got", f.got) +
         number("object", f.object) + "\"role\":" + json_string(f.role >= 0 && f.role < role_count ? roles[f.role] : "?") + ",\"what\":" + json_string(what_name(What(f.what))) +
         ",\"site\":" + json_string(site) + ",\"counter\":" + json_string(counter) + ",\"report\":" + json_string(report) + "}";
}

}  // namespace tile
