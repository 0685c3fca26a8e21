// NCCL for the control that sums over ranks with it (cuda/graph.h). It is found when an engine starts: none is linked with it, and what is
// called of it is declared here. One process has all GPUs, so there is a communicator a GPU and every sum is one group over all of them.
//
// TILEC_NCCL names the library; else libnccl.so.2, wherever the loader finds it. NVLink multicast stays off unless NCCL_NVLS_ENABLE
// says otherwise; all else, the order of additions too, is NCCL's and its environment variables' own.
// Invariants: communicators are made before anything is loaded, and live as long as the process; a sum takes the place of its parts.
#pragma once
#include <dlfcn.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "failure.h"

struct CUstream_st;

namespace tile {

class Nccl {
 public:
  /** ncclDataType_t of what is added. */
  enum Number : int { f32 = 7, bf16 = 9 };
  /** What a rank leaves, and the stream that it is left in. */
  struct Part {
    void* at;
    CUstream_st* stream;
  };

  /** Opens the library and connects the devices of the ranks that run, in their order. */
  Failure connect(const std::vector<int>& devices) {
    setenv("NCCL_NVLS_ENABLE", "0", 0);
    const char* named = std::getenv("TILEC_NCCL");
    void* library = dlopen(named && *named ? named : "libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) return missing(dlerror());
    const bool whole = find(library, "ncclGetVersion", version_) && find(library, "ncclGetErrorString", text_) && find(library, "ncclCommInitAll", connect_) &&
                       find(library, "ncclGroupStart", begin_) && find(library, "ncclGroupEnd", end_) && find(library, "ncclAllReduce", sum_);
    if (!whole) return missing(dlerror());
    communicators_.resize(devices.size());
    return check(connect_(communicators_.data(), int(devices.size()), devices.data()), "connecting the GPUs");
  }
  /** Every part becomes the sum of all; `parts` in the order of ranks. */
  Failure sum(const std::vector<Part>& parts, size_t numbers, Number number) {
    constexpr int plus = 0;  // ncclSum
    Failure failure = check(begin_(), "a sum");
    for (size_t rank = 0; rank < parts.size() && !failure; ++rank)
      failure = check(sum_(parts[rank].at, parts[rank].at, numbers, number, plus, communicators_[rank], parts[rank].stream), "a sum");
    const Failure ended = check(end_(), "a sum");
    return failure ? failure : ended;
  }
  /** What `ready` says of it. */
  std::string describe() const {
    int version = 0;
    version_(&version);
    return ",\"nccl\":\"" + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." + std::to_string(version % 100) + "\"";
  }

 private:
  using Communicator = struct ncclComm*;
  template <class F>
  static bool find(void* library, const char* name, F*& function) {
    function = reinterpret_cast<F*>(dlsym(library, name));
    return function != nullptr;
  }
  static Failure missing(const char* why) { return Failure{"nccl", std::string("NCCL cannot be opened: ") + why + "; TILEC_NCCL names the library"}; }
  Failure check(int result, const char* doing) const {
    if (result == 0) return {};
    return Failure{"nccl", std::string("NCCL, ") + doing + ": " + text_(result) + "; NCCL_DEBUG=WARN and NCCL_DEBUG_FILE tell more"};
  }

  int (*version_)(int*) = nullptr;
  const char* (*text_)(int) = nullptr;
  int (*connect_)(Communicator*, int, const int*) = nullptr;
  int (*begin_)() = nullptr;
  int (*end_)() = nullptr;
  int (*sum_)(const void*, void*, size_t, int, int, Communicator, CUstream_st*) = nullptr;
  std::vector<Communicator> communicators_;
};

}  // namespace tile
