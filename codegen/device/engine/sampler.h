// Chooses the next token of a row from its logits: all compute warps of one SM together. What is likeliest all SMs have
// looked for before, each in a share of the ids (find_firsts): greedy choice only compares what they found.
//
// Meaning, in this order: temperature; top-k keeps the k first tokens of the sampler's order; top-p keeps the shortest
// prefix whose mass reaches p times what top-k kept; min-p keeps tokens whose weight is at least min_p of the greatest.
// Each of these keeps a prefix of the order, so what is kept is a prefix too, of mass M. The draw is a uniform integer
// in [0, M) and takes the token under it, walking the order: inverse transform, exact to 2^-64.
// Greedy is the first token of the order: greatest logit, lowest id on ties.
//
// Vocabulary: sample_math.h. A *candidate list* is private to each lane (entry j of thread t lies at j * threads + t),
// so it needs no atomics. *select* finds how far a prefix must reach for its measure (count or mass) to reach a target:
// a binary search over the bits of the order, one reduction a bit, over fewer candidates each time.
// Invariant: every number that is reduced is an integer and every reduction is a sum or maximum, so the result does not
// depend on the number of warps and equals the host's.
#pragma once
#include "mailbox.h"
#include "sample_math.h"
#include "../tile_plan.h"

namespace tile {

// A list has room for a thread's share of the ids in fours, and one more. The workspace holds two.
TILE_BOTH constexpr u64 list_length(int vocabulary, int compute_warps) { return u64(vocabulary) + 5 * 32 * u64(compute_warps); }
TILE_BOTH constexpr u64 sampler_bytes(int vocabulary, int compute_warps) { return 16 * list_length(vocabulary, compute_warps); }

struct alignas(16) Quad {
  float value[4];
};

// f(id, logit) over the ids of `own` that thread `thread` of `threads` looks at, ascending: four neighbours at a time, several
// loads in flight. own.begin is a multiple of 4.
template <class F>
TILE_FN void each_id(const float* logits, Share own, int thread, int threads, F f) {
  constexpr int ahead = 4;
  const int quads = reinterpret_cast<size_t>(logits) % 16 == 0 ? own.end / 4 : own.begin / 4;
  const Quad* row = reinterpret_cast<const Quad*>(logits);
  for (int first = own.begin / 4 + thread; first < quads; first += ahead * threads) {
    Quad quad[ahead] = {};  // or, read only where loaded, it would live in registers around the loop of rounds
    TILE_UNROLL
    for (int i = 0; i < ahead; i++)
      if (first + i * threads < quads) quad[i] = row[first + i * threads];
    TILE_UNROLL
    for (int i = 0; i < ahead; i++)
      if (first + i * threads < quads)
        TILE_UNROLL
        for (int k = 0; k < 4; k++) f((first + i * threads) * 4 + k, quad[i].value[k]);
  }
  for (int id = quads * 4 + thread; id < own.end; id += threads) f(id, logits[id]);
}

constexpr u64 nan_order = ~u64(0);  // in place of an order: a logit is NaN

/** The first of the order among the ids that each_id goes over; 0 where none is finite or infinite, nan_order where one is NaN. */
TILE_FN u64 own_first(const float* logits, Share own, int thread, int threads, int id_bits) {
  float greatest = -INFINITY;
  int at = -1;
  bool number = true;
  each_id(logits, own, thread, threads, [&](int id, float logit) {
    number = number && logit == logit;
    if (logit > greatest) greatest = logit, at = id;
  });
  return !number ? nan_order : at < 0 ? 0 : order_of(greatest, at, id_bits);
}

struct Max { TILE_FN u64 operator()(u64 a, u64 b) const { return a > b ? a : b; } };
struct Add { TILE_FN u64 operator()(u64 a, u64 b) const { return a + b; } };

/** Of one number a lane, what `op` makes of all; every lane gets it. */
template <class Op>
TILE_FN u64 across(PerLane<u64>& value, Op op) {
#ifdef __CUDA_ARCH__
  u64 x = value[0];
  for (int m = 16; m; m >>= 1) x = op(x, u64(__shfl_xor_sync(0xFFFFFFFFu, (unsigned long long)x, m)));
  return x;
#else
  u64 x = value[0];
  for (int lane = 1; lane < 32; lane++) x = op(x, value[lane]);
  return x;
#endif
}

/** Of rows [from, rows), the first of the order in this SM's share of the ids: firsts [row][SM], a warp a row. */
TILE_PHASE static void find_firsts(Warp& w, const float* logits, int stride, u64* firsts, int from, int rows) {
  const Share fours = share(w, ceil_div(Plan::valid_ids, 4));
  const Share own{fours.begin * 4, fours.end * 4 < Plan::valid_ids ? fours.end * 4 : Plan::valid_ids};
  for (int row = from + w.index; row < rows; row += w.count) {
    PerLane<u64> first;
    w.lanes([&](int lane) { first[lane] = own_first(logits + size_t(row) * stride, own, lane, 32, bits_for(Plan::valid_ids)); });
    const u64 found = across(first, Max());
    w.once([&] { firsts[row * w.sms + w.sm] = found; });
  }
}

struct Sampler {
  Warp& w;
  const int valid;  // ids below it may be chosen
  u64* const memory;
  const int site, id_bits;
  int parity = 0;
  const float* logits = nullptr;
  float largest = 0, inverse_temperature = 0;
  PerLane<int> listed;
  PerLane<u64> best;  // each lane's own first of the order, where somebody asked

  TILE_FN Sampler(Warp& w, int valid, u64* memory, int site) : w(w), valid(valid), memory(memory), site(site), id_bits(bits_for(valid)) {}

  TILE_FN int threads() const { return 32 * w.count; }
  TILE_FN u64* list() { return memory; }
  TILE_FN u64* range() { return memory + list_length(valid, w.count); }
  TILE_FN size_t place(int lane, int j) const { return size_t(j) * threads() + w.index * 32 + lane; }
  // Where a warp of the role leaves its part of a reduction: among the sums of norms, which nobody takes while a round ends.
  TILE_FN volatile u64* part_of(int warp) { return w.shared<u64>(Shared::mean_at) + warp * 2 + parity; }

  // Reduces one number of every lane of the role; every lane gets the result. Two places take turns, so that one barrier
  // a reduction is enough.
  template <class Op>
  TILE_FN u64 reduce(PerLane<u64>& value, Op op) {
    u64 mine = across(value, op);
    if (w.count == 1) return mine;
    parity ^= 1;
    w.area_writes(Area::reduced, w.index * 2 + parity);
    w.once([&] { *part_of(w.index) = mine; });
    w.role_barrier(site);
    for (int warp = 0; warp < w.count; ++warp) w.area_reads(Area::reduced, warp * 2 + parity);
    PerLane<u64> parts;
    w.lanes([&](int lane) { parts[lane] = lane < w.count ? *part_of(lane) : 0; });
    return across(parts, op);
  }

  TILE_FN float x_of(float logit) const { return scaled(logit, largest, inverse_temperature); }
  TILE_FN u64 order_weight(u64 order) const { return weight_of(x_of(order_logit(order, id_bits))); }

  // f(id, logit) over all ids of this lane, ascending.
  template <class F>
  TILE_FN void each_own(int lane, F f) {
    each_id(logits, Share{0, valid}, w.index * 32 + lane, threads(), f);
  }

  template <class Keep>
  TILE_FN void collect(Keep keep) {
    w.lanes([&](int lane) {
      int n = 0;
      each_own(lane, [&](int id, float logit) {
        if (keep(id, logit)) list()[place(lane, n++)] = order_of(logit, id, id_bits);
      });
      listed[lane] = n;
    });
  }

  /** Sum of measure(order) over listed orders that are at least `from`. */
  template <class Measure>
  TILE_FN u64 measured(u64 from, Measure measure) {
    PerLane<u64> sum;
    w.lanes([&](int lane) {
      u64 s = 0;
      for (int j = 0; j < listed[lane]; j++) {
        const u64 order = list()[place(lane, j)];
        if (order >= from) s += measure(order);
      }
      sum[lane] = s;
    });
    return reduce(sum, Add());
  }

  /** A prefix of the list: its last order and its measure. */
  struct Prefix {
    u64 last, measure;
  };

  // The shortest prefix of the list whose measure reaches `target`, or the whole list. The search keeps a range of orders
  // that holds the last one, halves it, and moves what remains to a list of its own, which thus shrinks as it goes.
  template <class Measure>
  TILE_FN Prefix select(u64 target, Measure measure) {
    const u64* from = list();
    PerLane<int> left = listed;
    u64 low = 0, end = ~u64(0), above = 0;  // the last order lies in [low, end); what lies beyond measures `above`
    for (;;) {
      PerLane<u64> least, greatest;
      w.lanes([&](int lane) {
        u64 lo = ~u64(0), hi = 0;
        left[lane] = narrow(from, lane, left[lane], low, end, [&](u64 order) {
          lo = order < lo ? order : lo;
          hi = order > hi ? order : hi;
        });
        least[lane] = ~lo, greatest[lane] = hi;  // inverted: 0 is what both reductions ignore
      });
      from = range();
      const u64 first = reduce(greatest, Max()), last = ~reduce(least, Max());
      if (last >= first) return Prefix{first, above + (first ? measure(first) : 0)};
      int bit = 63;
      while (!((first ^ last) >> bit & 1)) bit--;
      low = first >> bit >> 1 << bit << 1;
      for (int steps = 0; steps < 8 && bit >= 0; steps++, bit--) {
        const u64 middle = low | u64(1) << bit;
        end = low + (u64(2) << bit);
        PerLane<u64> upper;
        w.lanes([&](int lane) {
          u64 sum = 0;
          left[lane] = narrow(from, lane, left[lane], low, end, [&](u64 order) {
            if (order >= middle) sum += measure(order);
          });
          upper[lane] = sum;
        });
        const u64 more = reduce(upper, Add());
        if (above + more >= target) low = middle;
        else above += more, end = middle;
      }
    }
  }

  // Moves a lane's orders in [low, end) to the range list, calling f for each; how many there are.
  template <class F>
  TILE_FN int narrow(const u64* from, int lane, int count, u64 low, u64 end, F f) {
    int kept = 0;
    for (int j = 0; j < count; j++) {
      const u64 order = from[place(lane, j)];
      if (order < low || order >= end) continue;
      range()[place(lane, kept++)] = order;
      f(order);
    }
    return kept;
  }

  // The first of the order, or 0 where a logit is no number, or the greatest is no finite one. `found`: gather_firsts' of the row, if the SMs
  // have looked.
  TILE_FN u64 first_of(const float* row, const volatile u64* found) {
    logits = row;
    return usable(found == nullptr ? reduce(own_firsts(), Max()) : *found);
  }
  TILE_FN u64 usable(u64 first) const { return first == nan_order || !(order_logit(first, id_bits) < INFINITY) ? 0 : first; }
  /** The token that comes first in a row, of gather_firsts; -1 where the logits are no numbers. For one warp alone. */
  TILE_FN int likeliest(u64 gathered) const {
    const u64 first = usable(gathered);
    return first == 0 ? -1 : order_id(first, id_bits);
  }
  TILE_FN PerLane<u64>& own_firsts() {
    w.lanes([&](int lane) { best[lane] = own_first(logits, Share{0, valid}, w.index * 32 + lane, threads(), id_bits); });
    return best;
  }
  /** Of rows [from, rows), by row, the first of the order of what each SM has found in its share (`firsts`, [row][SM]). A warp a row: it
      is a long way to them, and rows that are sampled one after the other had better not go it one after the other. */
  TILE_FN const volatile u64* gather_firsts(const u64* firsts, int from, int rows) {
    constexpr int parts = Plan::compute_warps > 1 ? 2 * Plan::compute_warps : 0;  // part_of's place
    static_assert((parts + max_rows) * sizeof(u64) <= Shared::sampling_bytes, "as many as rows fit behind parts");
    volatile u64* gathered = w.shared<u64>(Shared::mean_at) + parts;
    for (int row = from + w.index; row < rows; row += w.count) {
      PerLane<u64> first;
      w.lanes([&](int lane) {
        u64 greatest = 0;
        for (int sm = lane; sm < w.sms; sm += 32) greatest = Max()(greatest, firsts[row * w.sms + sm]);
        first[lane] = greatest;
      });
      const u64 found = across(first, Max());
      w.area_writes(Area::reduced, parts + row);
      w.once([&] { gathered[row] = found; });
    }
    w.role_barrier(site);
    for (int row = from; row < rows; ++row) w.area_reads(Area::reduced, parts + row);
    return gathered;
  }

  // Lists the first `count` tokens of the order, and few others.
  TILE_FN void collect_first(int count) {
    // The count-th greatest of the lanes' own greatest is a lower bound of the count-th greatest of all.
    u64 bound = 0;
    if (count <= threads()) {
      own_firsts();
      w.lanes([&](int lane) {
        list()[place(lane, 0)] = best[lane];
        listed[lane] = best[lane] ? 1 : 0;
      });
      const Prefix prefix = select(u64(count), One());
      bound = prefix.measure < u64(count) ? 0 : prefix.last;
    }
    collect([&](int id, float logit) { return order_of(logit, id, id_bits) >= bound; });
  }
  struct One { TILE_FN u64 operator()(u64) const { return 1; } };

  /** What of a log record does not depend on the token that will be chosen: the greatest logit, the mass, the digest, the likeliest tokens. */
  TILE_FN void describe(const float* row, const volatile u64* found, int likeliest, LogRecord& record) {
    const u64 first = first_of(row, found);
    largest = order_logit(first, id_bits), inverse_temperature = 1.f;
    PerLane<u64> mass, digest;
    w.lanes([&](int lane) {
      u64 sum = 0, bits = 0;
      each_own(lane, [&](int id, float logit) { sum += weight_of(x_of(logit)), bits += digest_of(id, logit); });
      mass[lane] = sum, digest[lane] = bits;
    });
    record.largest = largest, record.mass = reduce(mass, Add()), record.digest = reduce(digest, Add());
    if (likeliest == 0) return;
    collect_first(likeliest);
    u64 before = ~u64(0);
    for (int i = 0; i < likeliest; i++) {
      PerLane<u64> next;
      w.lanes([&](int lane) {
        u64 greatest = 0;
        for (int j = 0; j < listed[lane]; j++) {
          const u64 order = list()[place(lane, j)];
          if (order < before && order > greatest) greatest = order;
        }
        next[lane] = greatest;
      });
      before = reduce(next, Max());
      record.id[i] = before ? order_id(before, id_bits) : -1, record.top[i] = before ? order_logit(before, id_bits) : 0.f;
    }
  }

  /** The token that will stand at `position`, from the logits of the row before it; the same in every warp of the role.
      -1 where the logits are no numbers. */
  TILE_FN int sample(const float* row, const volatile u64* found, const Sampling& s, u32 position) {
    const u64 first = first_of(row, found);
    if (first == 0) return -1;
    if (s.inverse_temperature == 0.f) return order_id(first, id_bits);
    largest = order_logit(first, id_bits);
    inverse_temperature = s.inverse_temperature;
    const auto mass = [&](u64 order) { return order_weight(order); };

    PerLane<u64> all, likely;
    w.lanes([&](int lane) {
      u64 a = 0, l = 0;
      each_own(lane, [&](int, float logit) {
        const float x = x_of(logit);
        const u64 weight = weight_of(x);
        a += weight;
        if (x >= s.min_p_log) l += weight;
      });
      all[lane] = a, likely[lane] = l;
    });
    u64 kept = reduce(all, Add());
    const u64 at_least_min_p = reduce(likely, Add());
    const u64 uniform = uniform_bits(s.seed, position, purpose_token);

    if (s.top_k > 0 && s.top_k < valid) {
      collect_first(s.top_k);
      kept = measured(select(u64(s.top_k), One()).last, mass);
    } else {
      // What is left out weighs less than what the search may leave behind, so the search never needs it.
      const u64 ceiling = s.top_p ? multiply_high(kept, u64(s.top_p) << 32) : multiply_high(uniform, kept);
      const u64 negligible = (kept - ceiling - (kept > ceiling)) / u64(valid);
      collect([&](int, float logit) {
        const u64 weight = weight_of(x_of(logit));
        return weight > negligible;
      });
    }
    if (s.top_p) {
      const u64 target = multiply_high(kept, u64(s.top_p) << 32);
      kept = select(target ? target : 1, mass).measure;
    }
    if (at_least_min_p < kept) kept = at_least_min_p;
    return order_id(select(multiply_high(uniform, kept) + 1, mass).last, id_bits);
  }
};

}  // namespace tile
