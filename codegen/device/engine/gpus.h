// Whether the GPUs of a machine can carry an engine: what each must have, what they must have in common, and near which processors
// they are. Values and text only, so that what is refused can be tried without a GPU.
//
// Invariants: every refusal names the GPU, what it has and what is wanted; staying near is for speed, so where the system tells
// nothing of it, or forbids it, nothing changes.
#pragma once
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "../common/target.h"
#include "failure.h"

namespace tile {

/** A GPU that a rank is to run on. */
struct Gpu {
  int device;
  std::string name;
  int major, minor, sms;
  u64 shared, reserved, free, total;  // bytes: shared memory a block may have, and what the system keeps of it; memory

  std::string label() const { return "GPU " + std::to_string(device) + " (" + name + ")"; }
};

/** What an engine wants of each. */
struct Needs {
  int sms;
  u64 shared, reserved;
  u64 weights, kv, workspace, loading;

  u64 memory() const { return weights + kv + workspace + loading + (u64(256) << 20); }
};

inline Failure unsuitable(const std::string& text) { return Failure{"gpu", text}; }

/** The devices that ranks were given, of `there` that the machine has. */
inline Failure wrong_devices(const std::vector<int>& devices, int there) {
  for (size_t rank = 0; rank < devices.size(); ++rank) {
    if (devices[rank] < 0 || devices[rank] >= there)
      return unsuitable("the engine runs " + std::to_string(devices.size()) + " ranks and wants GPU " + std::to_string(devices[rank]) + "; this machine has " + std::to_string(there) + " GPU" +
                        (there == 1 ? "" : "s"));
    for (size_t other = 0; other < rank; ++other)
      if (devices[other] == devices[rank])
        return unsuitable("ranks " + std::to_string(other) + " and " + std::to_string(rank) + " were both given GPU " + std::to_string(devices[rank]) + "; a rank fills a GPU");
  }
  return {};
}

inline Failure wrong_gpu(const Gpu& gpu, const Needs& needs) {
  const auto gib = [](u64 bytes) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f GiB", double(bytes) / double(1ull << 30));
    return std::string(text);
  };
  if (gpu.major != 9 || gpu.minor != 0)
    return unsuitable(gpu.label() + " has compute capability " + std::to_string(gpu.major) + "." + std::to_string(gpu.minor) + "; the engine was built for 9.0 (Hopper)");
  if (gpu.sms < needs.sms) return unsuitable(gpu.label() + " has " + std::to_string(gpu.sms) + " SMs; the engine was planned for " + std::to_string(needs.sms));
  if (gpu.shared < needs.shared)
    return unsuitable(gpu.label() + " has " + std::to_string(gpu.shared) + " bytes of shared memory a block; the engine needs " + std::to_string(needs.shared));
  if (gpu.reserved != needs.reserved)
    return unsuitable(gpu.label() + " keeps the first " + std::to_string(gpu.reserved) + " bytes of a block's shared memory for the system; the engine was built for " + std::to_string(needs.reserved));
  if (gpu.free < needs.memory())
    return Failure{"memory", gpu.label() + " has " + gib(gpu.free) + " free of " + gib(gpu.total) + "; the engine needs " + gib(needs.memory()) + " of it: weights " + gib(needs.weights) +
                                 ", KV cache " + gib(needs.kv) + ", workspace " + gib(needs.workspace) + ", loading " + gib(needs.loading)};
  return {};
}

/** What ranks have in common: they work in step, so all would wait for the slowest. `reaches(a, b)`: a may store into b's memory. */
template <class Reaches>
Failure wrong_company(const std::vector<Gpu>& gpus, Reaches reaches) {
  for (const Gpu& gpu : gpus) {
    const Gpu& first = gpus[0];
    if (gpu.name != first.name || gpu.sms != first.sms)
      return unsuitable(gpu.label() + " is not like " + first.label() + "; ranks work in step and need equal GPUs (CUDA_VISIBLE_DEVICES chooses them)");
    for (const Gpu& peer : gpus)
      if (gpu.device != peer.device && !reaches(gpu.device, peer.device))
        return unsuitable(gpu.label() + " cannot access the memory of " + peer.label() + "; ranks need GPUs that are connected by NVLink or PCIe peer access");
  }
  return {};
}

/** The processors of a list as the kernel writes it: "0-23,96-119". */
inline cpu_set_t processors_of(const char* list) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (char* end = nullptr; *list >= '0' && *list <= '9'; list = *end == ',' ? end + 1 : end) {
    const long first = std::strtol(list, &end, 10);
    const long last = *end == '-' ? std::strtol(end + 1, &end, 10) : first;
    for (long cpu = first; cpu <= last && cpu < CPU_SETSIZE; ++cpu) CPU_SET(size_t(cpu), &set);
  }
  return set;
}

/** Keeps the calling thread, and what it allocates, on the processors near a device: those of `allowed` that are. */
inline void stay_near(const std::string& pci_address, const cpu_set_t& allowed) {
  std::string path = "/sys/bus/pci/devices/" + pci_address + "/local_cpulist";
  for (char& c : path) c = c >= 'A' && c <= 'F' ? char(c - 'A' + 'a') : c;
  char list[4096] = {};
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (!file) return;
  const bool read = std::fgets(list, sizeof list, file) != nullptr;
  std::fclose(file);
  cpu_set_t near = processors_of(list);
  CPU_AND(&near, &near, &allowed);
  if (read && CPU_COUNT(&near) > 0) sched_setaffinity(0, sizeof near, &near);
}

}  // namespace tile
