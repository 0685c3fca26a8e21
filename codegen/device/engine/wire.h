// Frames between the engine's process and its runtime, over one local stream socket (runtime/engine/wire.ts is the other end).
//
// Vocabulary: a *frame* is {u32 type, u32 bytes, payload}, little endian. The engine connects to the socket it was named;
// the end of the stream means that the other side is gone, and then the engine goes too.
// Invariants: a frame is sent whole or the connection is given up; a frame longer than its type allows is refused, so
// that a stray peer cannot make the engine allocate at will.
#pragma once
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "failure.h"
#include "mailbox.h"

namespace tile {

enum class FrameType : u32 {
  // to the engine
  load = 1,     // a load plan (load_plan.h)
  request = 2,  // Request, then its prompt and its predictions (i32), then its biases
  cancel = 3,   // u32 request serial
  quit = 4,
  width = 5,    // u32 request serial, u32 rows to verify from the next round on
  // from the engine
  progress = 16,   // u64 bytes loaded, u64 total
  ready = 17,      // JSON
  token = 18,      // Result, one or more
  fault = 19,      // JSON
  heartbeat = 20,  // u32 for each rank, then u32 idle
  error = 21,      // JSON {code, text}; unless the code is "request", the process ends after it
  bye = 22,        // all kernels have returned as asked
  logs = 23,       // LogRecord, one or more: of the tokens of the results in the next `token` frame
};

class Wire {
 public:
  ~Wire() {
    if (fd_ >= 0) close(fd_);
  }
  Failure connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return Failure{"socket", "the socket's path is too long: " + path};
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      return Failure{"socket", "cannot connect to " + path + ": " + std::strerror(errno)};
    return {};
  }
  bool open() const { return fd_ >= 0 && !ended_; }

  bool send(FrameType type, const void* payload, size_t bytes) {
    const u32 head[2] = {u32(type), u32(bytes)};
    return write_all(head, sizeof head) && write_all(payload, bytes);
  }
  bool send(FrameType type, const std::string& text) { return send(type, text.data(), text.size()); }
  bool send(const Failure& failure);

  /** Waits up to `timeout_ns` for bytes and takes what is there. False when the other side is gone. */
  bool receive(long timeout_ns) {
    if (!open()) return false;
    pollfd entry{fd_, POLLIN, 0};
    const timespec timeout{timeout_ns / 1000000000, timeout_ns % 1000000000};
    if (ppoll(&entry, 1, &timeout, nullptr) <= 0) return true;
    const size_t had = buffer_.size(), room = std::max<size_t>(65536, wanted_ > had ? wanted_ - had : 0);
    buffer_.resize(had + room);
    const ssize_t got = read(fd_, buffer_.data() + had, room);
    buffer_.resize(had + (got > 0 ? size_t(got) : 0));
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) ended_ = true;
    return !ended_;
  }
  /** The next whole frame, if there is one. */
  bool next(FrameType& type, std::vector<char>& payload) {
    u32 head[2];
    if (buffer_.size() < sizeof head) return false;
    std::memcpy(head, buffer_.data(), sizeof head);
    if (head[1] > limit(FrameType(head[0]))) {
      ended_ = true;
      return false;
    }
    wanted_ = sizeof head + head[1];
    if (buffer_.size() < wanted_) return false;
    type = FrameType(head[0]);
    payload.assign(buffer_.begin() + sizeof head, buffer_.begin() + long(wanted_));
    buffer_.erase(buffer_.begin(), buffer_.begin() + long(wanted_));
    wanted_ = 0;
    return true;
  }

 private:
  static u32 limit(FrameType type) { return type == FrameType::load ? 0x7FFFFFFFu : type == FrameType::request ? 0x10000000u : 4096u; }
  bool write_all(const void* data, size_t bytes) {
    const char* at = static_cast<const char*>(data);
    while (bytes > 0 && open()) {
      const ssize_t put = ::send(fd_, at, bytes, MSG_NOSIGNAL);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) ended_ = true;
      else at += put, bytes -= size_t(put);
    }
    return bytes == 0;
  }
  int fd_ = -1;
  bool ended_ = false;
  std::vector<char> buffer_;
  size_t wanted_ = 0;
};

inline std::string json_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\', out += c;
    else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else out += c;
  }
  return out + "\"";
}

/** What was measured of the machine, for `ready`; nothing where nothing was. */
inline std::string ceiling_json(double bytes_per_second) {
  return bytes_per_second > 0 ? ",\"ceiling\":" + std::to_string(u64(bytes_per_second)) : "";
}

inline bool Wire::send(const Failure& failure) {
  return send(FrameType::error, "{\"code\":" + json_string(failure.code) + ",\"text\":" + json_string(failure.text) + "}");
}

}  // namespace tile
