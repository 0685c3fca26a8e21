// Happens-before of a run, in TILE_CHECK builds. Every warp and every SM's copy engine is an *actor* with a vector clock; a
// release joins the actor's clock into the object's, an acquire joins the object's into the actor's. Accesses are declared
// (reads / writes of a region's part, and by the primitives for their own buffers): two accesses to one place, one of them a
// write, by actors of which neither has seen the other, are a race, whatever this run happened to compute.
// Without TILE_CHECK a Clock is empty and everything here costs nothing.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace tile::host {

#ifdef TILE_CHECK
constexpr bool checking = true;
#else
constexpr bool checking = false;
#endif

struct Clock {
  std::vector<uint32_t> at;
  void join(const Clock& other) {
    if (at.size() < other.at.size()) at.resize(other.at.size(), 0);
    for (size_t i = 0; i < other.at.size(); ++i)
      if (other.at[i] > at[i]) at[i] = other.at[i];
  }
  uint32_t of(int actor) const { return size_t(actor) < at.size() ? at[size_t(actor)] : 0; }
  uint32_t& slot(int actor) {
    if (at.size() <= size_t(actor)) at.resize(size_t(actor) + 1, 0);
    return at[size_t(actor)];
  }
};

/** What the releases of an object have published, by how many there were: whoever waits for n of them has seen the first n, and
    not what happened to come in since. The last 32 counts are kept apart; an older one is read as the oldest kept. */
struct History {
  Clock total;
  Clock kept[32];
  uint32_t count = 0;
  void gather(const Clock& clock) { total.join(clock); }
  void publish() { kept[count++ % 32] = total; }
  const Clock& at(uint32_t n) const {
    static const Clock nothing;
    if (n == 0 || count == 0) return nothing;
    if (n > count) n = count;
    return kept[(count - n < 32 ? n - 1 : count) % 32];
  }
};

/** What an actor had seen and done when it sent something, shared by everything that it sent since: packets of a tile, pieces of a copy. */
struct Stamp {
  Clock clock;
  int actor = -1;
  uint32_t time = 0;  // of the actor; its clock has moved on, so that later accesses are not covered
};
using StampRef = std::shared_ptr<const Stamp>;

/** One access, as a report names it. */
struct Access {
  int actor = -1;
  uint32_t time = 0;
  int site = -1;  // the last sync site the actor passed
};

/** What is known of one place: its last write and the reads since. */
struct Place {
  Access write;
  std::vector<Access> reads;
};

/** Sixteen bytes that packets are stored in: who sent what lies there, and who touched it. */
struct PacketPlace {
  StampRef sent;
  Place place;
};
struct PacketBlock {
  PacketPlace packet[64];
};

/** Finds the earlier access that `now` conflicts with, and records `now`. Returns false when all is ordered. */
inline bool conflicts(Place& place, const Access& now, const Clock& clock, bool writes, Access& earlier) {
  auto seen = [&](const Access& access) { return access.actor == now.actor || clock.of(access.actor) >= access.time; };
  bool bad = false;
  if (place.write.actor >= 0 && !seen(place.write)) {
    earlier = place.write;
    bad = true;
  }
  if (writes) {
    for (const Access& read : place.reads)
      if (!bad && !seen(read)) {
        earlier = read;
        bad = true;
      }
    place.reads.clear();
    place.write = now;
  } else {
    for (Access& read : place.reads)
      if (read.actor == now.actor) {
        read = now;
        return bad;
      }
    place.reads.push_back(now);
  }
  return bad;
}

/** Names of places: a kind in the high bits, then rank, SM or region, and the part. */
using PlaceKey = uint64_t;

}  // namespace tile::host
