// Two programs and one cache, with nothing else of a round: SM 0 declares what a commit remembers of a layer, SM 1 what a layer of the
// draft reads, at their own entries and by the names that each has for the cache, with a hand-over between the two or without.
//
// Words: layer that is remembered, layer of the draft that reads, 1 for a hand-over. emitted.h: an emitted engine up to its roles.
// commit_entry, draft_entries and the regions are -D; prints what the race check has to say.
#include "emitted.h"
}  // namespace tile

#include <cstdio>
#include <cstdlib>
#include <vector>

using namespace tile;

namespace {
constexpr int remembered_regions[] = {REMEMBERED_REGIONS}, draft_entries[] = {DRAFT_ENTRIES};
int remembered, read_layer;
bool handed_over;
const RoundControl control{};
}  // namespace

TILE_ROLE void role_load(Warp&) {}
TILE_ROLE void role_epilogue(Warp&) {}
TILE_ROLE void role_communicate(Warp&) {}
TILE_ROLE void role_compute(Warp& w) {
  if (w.index != 0) return;
  if (w.sm == 0) {
    writes_own(w, entry_of(control, COMMIT_ENTRY), remembered_regions[remembered]);
    if (handed_over) w.signal(Plan::site_relay, Plan::control_counter);
  } else if (w.sm == 1) {
    if (handed_over) w.wait_alone(Plan::site_round, Plan::control_counter, 1);
    reads_all(w, entry_of(control, draft_entries[read_layer]), DRAFT_REGION);
  }
}

int main(int count, char** words) {
  if (count != 4) return 2;
  remembered = std::atoi(words[1]), read_layer = std::atoi(words[2]), handed_over = std::atoi(words[3]) != 0;
  std::vector<char> memory(Plan::workspace_bytes + 128);
  FaultRecord fault{};
  EngineArgs a{};
  a.workspace = memory.data() + (128 - reinterpret_cast<size_t>(memory.data()) % 128) % 128;
  a.workspace_bytes = Plan::workspace_bytes;
  a.peer_workspace[0] = a.workspace, a.fault = &fault, a.ranks = 1, a.sms = Plan::sms;
  const tile::host::Outcome outcome = tile::host::run(&a, 1, Plan::sms, {});
  std::printf("%s\n", outcome.report.c_str());
  return outcome.ok() && outcome.finished ? 0 : 1;
}
