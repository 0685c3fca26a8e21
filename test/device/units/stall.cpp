// What a run looks like that cannot go on: a wait nobody answers (the default), an access outside memory (-DWILD), an endless
// loop (-DENDLESS). On CUDA the first one must end by its deadline, on every rank, with one complete fault record.
#include "plan.h"
#include "harness.h"
using namespace tile;

namespace unit {
const int sms = 2;
const size_t image_bytes = 16, kv_bytes = 16;
void fill(int, char*, char*, char*) {}
std::string check(int, const char*) { return "the run should not have ended"; }
}  // namespace unit

TILE_ROLE void role_load(Warp& w) {
  if (w.rank != 0) return w.wait_idle(s_wait_done, c_done, 1);
  w.wait(s_load_wait, c_never, 1);
}
TILE_ROLE void role_compute(Warp& w) {
  w.role_barrier(s_role_barrier);
#ifdef WILD
  w.once([&] { *w.ws<volatile int>(size_t(1) << 60) = 1; });
#endif
#ifdef ENDLESS
  for (volatile int forever = 1; forever;) {
  }
#endif
  w.ring_await(s_compute_await);
}
TILE_ROLE void role_epilogue(Warp& w) { w.join_take(s_join_take, 4); }
TILE_ROLE void role_communicate(Warp& w) {
  if (w.rank != 0) w.receive_sum(s_receive, 0, 1);
}
