// Tiles between ranks. A packet is 16 bytes: 12 of payload and the epoch as its tag, stored whole, so readiness travels with the
// data and no fence is needed. Everybody pushes into the receivers' inboxes and polls only its own.
// An inbox is [tile][epoch & 1][source][packets of a tile]: the second half is written while the first may still be read.
//
// A sum in one shot: every rank's part goes to every rank, and each adds. In two: parts go to the rank that owns the tile, tile % ranks; it
// adds, and its sum goes to all, itself included, into an inbox of sums, [tile][epoch & 1][packets of a tile of floats].
// Invariant: epoch e overwrites what epoch e - 2 left, and has been read by then. Who sends for e has all that e - 1 gave it. Of e - 1 any
// one tile tells enough: it is the sum of parts of all ranks, or comes from an owner that had them, and a rank sends no part of e - 1 before
// all its SMs are done with e - 2: have added what it owns, have received what it is sent. (So it holds for a rank that owns nothing of e - 1.)
#pragma once

namespace tile {

/** Payload of a packet: three floats, or six bf16. */
template <class T>
struct Payload;
template <>
struct Payload<float> {
  static constexpr int values = 3;
  TILE_FN static void pack(Packet& packet, const float* from) {
    for (int i = 0; i < 3; ++i) packet.word[i] = f32_to_bits(from[i]);
  }
  TILE_FN static float value(const Packet& packet, int i) { return bits_to_f32(packet.word[i]); }
};
template <>
struct Payload<bf16> {
  static constexpr int values = 6;
  TILE_FN static void pack(Packet& packet, const float* from) {
    for (int i = 0; i < 3; ++i) packet.word[i] = pack_bf16(from[2 * i], from[2 * i + 1]);
  }
  TILE_FN static float value(const Packet& packet, int i) {
    const u32 word = packet.word[i / 2];
    return bits_to_f32(i % 2 ? word & 0xFFFF0000u : word << 16);
  }
};

/** What tiles of floats travel as; fixed-point tiles (exact.h) have packets of their own. */
template <class T>
struct Floats {
  using type = T;
};
template <>
struct Floats<i64> {
  using type = float;
};
using Exchange = Floats<Plan::Exchange>::type;

/** Offset in an inbox of the packets of (tile, epoch, source). */
template <class T>
TILE_FN size_t inbox_at(int tile, u32 epoch, int source) {
  return ((size_t(tile) * 2 + (epoch & 1u)) * Plan::ranks + size_t(source)) * packets_of<T>() * sizeof(Packet);
}

/** Whose packets those that go to rank `to` are taken for: this rank's, where `to` runs. To a rank that does not this rank sends as one
    that it stands in for (EngineArgs::ranks), so that who runs in its place gets every rank's packets from somebody. */
TILE_FN int sent_as(const Warp& w, int to) { return w.rank + (to & -w.args->ranks); }

/** Offset in an inbox of sums, which come from one rank, of the packets of (tile, epoch). */
TILE_FN size_t sums_at(int tile, u32 epoch) { return (size_t(tile) * 2 + (epoch & 1u)) * packets_of<float>() * sizeof(Packet); }

/** Which of the ranks that run owns a tile. Those are as many as there are, or an equal share of them: either way tiles that an SM has
    come to all of them in turn. */
TILE_FN int owner_of(const Warp& w, int tile) { return tile & (w.args->ranks - 1); }

/** f(packet, number) of each packet of a tile. */
template <class T, class F>
TILE_FN void each_packet(Warp& w, const Acc& acc, u32 epoch, F f) {
  float* values = w.exchange();
  store_tile(w, values, acc);
  w.once([&] {
    for (int i = 128; i < 132; ++i) values[i] = 0;
  });
  w.sync_lanes();
  w.lanes([&](int lane) {
    for (int at = lane; at < packets_of<T>(); at += 32) {
      Packet packet;
      Payload<T>::pack(packet, values + at * Payload<T>::values);
      packet.word[3] = epoch;
      f(packet, at);
    }
  });
  w.sync_lanes();
}

/** Sends one tile to every `step`-th rank from `first` on. */
template <class T>
TILE_FN void send_tile(Warp& w, size_t inbox, const Acc& acc, int tile, u32 epoch, int first, int step) {
  each_packet<T>(w, acc, epoch, [&](const Packet& packet, int at) {
    for (int to = first; to < Plan::ranks; to += step) w.store_packet(w.peer<Packet>(to, inbox + inbox_at<T>(tile, epoch, sent_as(w, to))) + at, packet);
  });
}

/** For poll_packets: of ranks [first, end), the first whose packets a lane does not find. */
template <class T>
TILE_FN auto first_missing(size_t inbox, int first, int end, int tile, u32 epoch) {
  return [=](Warp& w, int lane) {
    const auto there = [&](int source) {
      bool all = true;
      for (int at = lane; at < packets_of<T>(); at += 32) all = all && load_packet(w.ws<const Packet>(inbox + inbox_at<T>(tile, epoch, source)) + at).word[3] == epoch;
      return all;
    };
    int source = first;
    while (source < end && there(source)) ++source;
    return source;
  };
}

/** Waits for packets of `Sources` tiles, polled together, and sums them in their order. `at(source, number)`: where a packet comes in. */
template <class T, int Sources, class At, class M>
TILE_FN Acc receive_packets(Warp& w, int site, What what, int tile, int end, u32 epoch, At at, M missing) {
  float* values = w.exchange();
  constexpr int packets = packets_of<T>();
  TILE_UNROLL
  for (int base = 0; base < packets; base += 32) {
    PerLane<Packet> got[Sources] = {};  // some lanes load nothing: what they hold must not come from before
    const auto ready = [&](int lane) {
      bool all = true;
      if (base + lane < packets) {
        TILE_UNROLL
        for (int source = 0; source < Sources; ++source) {
          got[source][lane] = load_packet(at(source, base + lane));
          all = all && got[source][lane].word[3] == epoch;
        }
      }
      return all;
    };
    w.poll_packets(site, what, tile, end, ready, missing);
    w.lanes([&](int lane) {
      if (base + lane >= packets) return;
      for (int source = 0; source < Sources; ++source) w.received(at(source, base + lane));
      TILE_UNROLL
      for (int i = 0; i < Payload<T>::values; ++i) {
        float total = Payload<T>::value(got[0][lane], i);
        TILE_UNROLL
        for (int source = 1; source < Sources; ++source) total += Payload<T>::value(got[source][lane], i);
        const int index = (base + lane) * Payload<T>::values + i;
        if (index < 132) values[index] = total;
      }
    });
  }
  w.sync_lanes();
  Acc acc = load_tile(w, values);
  w.sync_lanes();
  return acc;
}

/** Waits for the tile of `Sources` ranks from `first` on, and sums them in rank order. */
template <class T, int Sources>
TILE_FN Acc receive_tile(Warp& w, int site, size_t inbox, int first, int tile, u32 epoch) {
  const auto at = [&](int source, int number) { return w.ws<const Packet>(inbox + inbox_at<T>(tile, epoch, first + source)) + number; };
  return receive_packets<T, Sources>(w, site, What::packets, tile, first + Sources, epoch, at, first_missing<T>(inbox, first, first + Sources, tile, epoch));
}

TILE_FN void Warp::send(int site, const Acc& acc, int tile, u32 epoch) {
  sync(site, [=, this_warp = this](int) {
    aside(*this_warp, [=](Warp& w) { send_tile<Exchange>(w, Plan::inbox_at, acc, tile, epoch, 0, 1); });
  });
}
TILE_FN Acc Warp::receive_sum(int site, int tile, u32 epoch) {
  return aside(*this, [=](Warp& w) { return receive_tile<Exchange, Plan::ranks>(w, site, Plan::inbox_at, 0, tile, epoch); });
}

// ---- two shots ----

TILE_FN bool Warp::owns(int tile) const { return owner_of(*this, tile) == rank; }
/** Where this rank, an owner, has packet `number` of a rank's part: of one that does not run, that of who stands in for it, so that all are
    polled and added as they would be. */
template <class T>
TILE_FN const Packet* part_of(Warp& w, int source, int tile, u32 epoch, int number) {
  return w.ws<const Packet>(Plan::inbox_at + inbox_at<T>(tile, epoch, source & (w.args->ranks - 1))) + number;
}
TILE_FN void Warp::send_part(int site, const Acc& acc, int tile, u32 epoch) {
  sync(site, [=, this_warp = this](int) {
    aside(*this_warp, [=](Warp& w) { send_tile<Exchange>(w, Plan::inbox_at, acc, tile, epoch, owner_of(w, tile), Plan::ranks); });
  });
}
TILE_FN Acc Warp::parts_sum(int site, int tile, u32 epoch) {
  return aside(*this, [=](Warp& w) {
    const int present = w.args->ranks;
    const auto at = [&](int source, int number) { return part_of<Exchange>(w, source, tile, epoch, number); };
    return receive_packets<Exchange, Plan::ranks>(w, site, What::packets, tile, present, epoch, at, first_missing<Exchange>(Plan::inbox_at, 0, present, tile, epoch));
  });
}
TILE_FN void Warp::spread(int site, size_t inbox, const Acc& acc, int tile, u32 epoch) {
  sync(site, [=, this_warp = this](int) {
    aside(*this_warp, [=](Warp& w) {
      each_packet<float>(w, acc, epoch, [&](const Packet& packet, int number) {
        for (int to = 0; to < w.args->ranks; ++to) w.store_packet(w.peer<Packet>(to, inbox + sums_at(tile, epoch)) + number, packet);
      });
    });
  });
}
TILE_FN Acc Warp::spread_sum(int site, size_t inbox, int tile, u32 epoch) {
  return aside(*this, [=](Warp& w) {
    const auto at = [=](Warp& w, int number) { return w.ws<const Packet>(inbox + sums_at(tile, epoch)) + number; };
    // Only the owner's can be missing.
    const auto missing = [=](Warp& w, int lane) {
      bool all = true;
      for (int number = lane; number < packets_of<float>(); number += 32) all = all && load_packet(at(w, number)).word[3] == epoch;
      return all ? Plan::ranks : owner_of(w, tile);
    };
    return receive_packets<float, 1>(w, site, What::sum, tile, Plan::ranks, epoch, [&](int, int number) { return at(w, number); }, missing);
  });
}

TILE_FN void Warp::send_to(int site, int to, size_t inbox, const Acc& acc, int tile, u32 epoch) {
  // And to those that it stands in for: what ranks that do not run would send it.
  const int step = args->ranks;
  sync(site, [=, this_warp = this](int) { send_tile<float>(*this_warp, inbox, acc, tile, epoch, to, step); });
}

/** Tiles of one source each, a few polled together, for each is a long way: f(acc, source, tile) of i in `own`, where i counts the
    sources' `tiles` tiles one source after the other. */
template <class F>
TILE_FN void receive_each(Warp& w, int site, size_t inbox, Share own, int tiles, u32 epoch, F f) {
  constexpr int together = 4, packets = packets_of<float>(), turns = ceil_div(packets, 32);
  float* values = w.exchange();
  TILE_LOOP
  for (int first = own.begin; first < own.end; first += together) {
    const int count = own.end - first < together ? own.end - first : together;
    PerLane<Packet> got[together][turns] = {};
    auto at = [&](int i, int packet) { return w.ws<const Packet>(inbox + inbox_at<float>((first + i) % tiles, epoch, (first + i) / tiles)) + packet; };
    w.poll(site, What::packets, first % tiles, false, [&](int lane) {
      bool all = true;
      TILE_UNROLL
      for (int i = 0; i < together; ++i)
        TILE_UNROLL
        for (int turn = 0; turn < turns; ++turn) {
          if (i >= count || turn * 32 + lane >= packets) continue;
          got[i][turn][lane] = load_packet(at(i, turn * 32 + lane));
          all = all && got[i][turn][lane].word[3] == epoch;
        }
      return all;
    });
    TILE_UNROLL
    for (int i = 0; i < together; ++i) {
      if (i >= count) continue;
      w.lanes([&](int lane) {
        TILE_UNROLL
        for (int turn = 0; turn < turns; ++turn) {
          const int packet = turn * 32 + lane;
          if (packet >= packets) continue;
          w.received(at(i, packet));
          for (int v = 0; v < 3; ++v) values[packet * 3 + v] = Payload<float>::value(got[i][turn][lane], v);
        }
      });
      w.sync_lanes();
      Acc acc = load_tile(w, values);
      w.sync_lanes();
      f(acc, (first + i) / tiles, (first + i) % tiles);
    }
  }
}

}  // namespace tile
