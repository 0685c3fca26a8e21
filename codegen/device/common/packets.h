// Tiles between ranks. A packet is 16 bytes: 12 of payload and the epoch as its tag, stored whole, so readiness travels with the
// data and no fence is needed. Everybody pushes into the receivers' inboxes and polls only its own.
// An inbox is [tile][epoch & 1][source][packets of a tile]: the second half is written while the first may still be read.
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

/** Sends one tile to every `step`-th rank from `first` on. */
template <class T>
TILE_FN void send_tile(Warp& w, size_t inbox, const Acc& acc, int tile, u32 epoch, int first, int step) {
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
      for (int to = first; to < Plan::ranks; to += step) w.store_packet(w.peer<Packet>(to, inbox + inbox_at<T>(tile, epoch, sent_as(w, to))) + at, packet);
    }
  });
  w.sync_lanes();
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

/** Waits for the tile of `Sources` ranks from `first` on, polled together, and sums them in rank order. */
template <class T, int Sources>
TILE_FN Acc receive_tile(Warp& w, int site, size_t inbox, int first, int tile, u32 epoch) {
  float* values = w.exchange();
  constexpr int packets = packets_of<T>();
  TILE_UNROLL
  for (int base = 0; base < packets; base += 32) {
    PerLane<Packet> got[Sources] = {};  // some lanes load nothing: what they hold must not come from before
    auto at = [&](int source, int lane) { return w.ws<const Packet>(inbox + inbox_at<T>(tile, epoch, first + source)) + base + lane; };
    const auto ready = [&](int lane) {
      bool all = true;
      if (base + lane < packets) {
        TILE_UNROLL
        for (int source = 0; source < Sources; ++source) {
          got[source][lane] = load_packet(at(source, lane));
          all = all && got[source][lane].word[3] == epoch;
        }
      }
      return all;
    };
    w.poll_packets(site, tile, first + Sources, ready, first_missing<T>(inbox, first, first + Sources, tile, epoch));
    w.lanes([&](int lane) {
      if (base + lane >= packets) return;
      for (int source = 0; source < Sources; ++source) w.received(at(source, lane));
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

TILE_FN void Warp::send(int site, const Acc& acc, int tile, u32 epoch) {
  sync(site, [=, this_warp = this](int) {
    aside(*this_warp, [=](Warp& w) { send_tile<Exchange>(w, Plan::inbox_at, acc, tile, epoch, 0, 1); });
  });
}
TILE_FN Acc Warp::receive_sum(int site, int tile, u32 epoch) {
  return aside(*this, [=](Warp& w) { return receive_tile<Exchange, Plan::ranks>(w, site, Plan::inbox_at, 0, tile, epoch); });
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
