// The node of the CUDA back end: every rank is a GPU of this machine; the image, the KV cache and the workspace are one
// allocation each. Loading copies staged rows through pinned memory and packs them with a kernel; running is one
// cooperative launch a rank, then nothing but polling the mailbox.
//
// Invariants: every refusal (gpus.h) comes before the first byte is loaded; all ranks are launched before anything waits; staging
// is freed before the launch and nothing is allocated after it; a rank's loading thread touches its own device only.
#pragma once
#include <cuda_runtime.h>

#include <chrono>
#include <thread>

#include "ceiling.cu.h"
#include "gpus.h"
#include "loader.h"
#include "mailbox.h"
#include "options.h"

namespace tile {

/** Word where packing reports the first illegal value: item << 32 | expert << 8 | Illegal. */
__device__ inline void report_illegal(unsigned long long* word, Place place, Illegal what) {
  atomicCAS_system(word, 0ull, (unsigned long long)(place.item) << 32 | (unsigned long long)(place.expert) << 8 | (unsigned long long)(what));
}

__global__ void pack_kernel(PackJob job, u8* image, Place place, unsigned long long* illegal) {
  const u64 jobs = job.jobs(), warps = u64(gridDim.x) * (blockDim.x / 32);
  for (u64 index = u64(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32; index < jobs; index += warps) {
    const Illegal what = pack_lane(job, index, int(threadIdx.x % 32), image);
    if (what != Illegal::none) report_illegal(illegal, place, what);
  }
}

__global__ void synthesise_kernel(const Recipe* recipes, u32 rows, Format format, u32 first_column, u32 columns, u32 scales_at, u32 stride, u8* out) {
  const u32 warps = gridDim.x * (blockDim.x / 32);
  for (u32 row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; row < rows; row += warps)
    synthesise_row(recipes[row], format, first_column, columns, scales_at, int(threadIdx.x % 32), out + u64(row) * stride);
}

__global__ void make_up_kernel(u32* pairs, u64 count) {
  for (u64 i = u64(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += u64(gridDim.x) * blockDim.x) pairs[i] = made_up_pair(i);
}

class Node {
 public:
  static constexpr u64 staging_bytes = u64(32) << 20;
  /** A thread loads each rank. */
  static constexpr bool parallel_load = true;

  Failure open(const Options& options, u64 mailbox_size) {
    setenv("CUDA_MODULE_LOADING", "EAGER", 1);
    options_ = options;
    sched_getaffinity(0, sizeof allowed_, &allowed_);
    int there = 0;
    if (const cudaError_t error = cudaGetDeviceCount(&there); error != cudaSuccess) return unsuitable(std::string("no usable CUDA driver: ") + cudaGetErrorString(error));
    std::vector<int> devices = options.devices;
    for (int rank = int(devices.size()); rank < ranks(); rank++) devices.push_back(rank);
    devices.resize(size_t(ranks()));
    if (Failure failure = wrong_devices(devices, there)) return failure;
    const Needs needs{Plan::sms, u64(Shared::bytes), reserved_shared_bytes, Plan::image_bytes, Plan::kv_bytes, Plan::workspace_bytes, 3 * staging_bytes};
    std::vector<Gpu> gpus;
    for (const int device : devices) {
      ranks_.emplace_back();
      ranks_.back().gpu.device = device;
      if (Failure failure = look_at(ranks_.back())) return failure;
      gpus.push_back(ranks_.back().gpu);
      if (Failure failure = wrong_gpu(gpus.back(), needs)) return failure;
    }
    const auto reaches = [](int from, int to) {
      int can = 0;
      return cudaDeviceCanAccessPeer(&can, from, to) == cudaSuccess && can != 0;
    };
    if (Failure failure = wrong_company(gpus, reaches)) return failure;
    if (Failure failure = connect_peers()) return failure;
    if (Failure failure = rounds_.connect(devices)) return failure;
    return allocate(mailbox_size);
  }

  /** That run here. */
  int ranks() const { return options_.present; }
  Mailbox* mailbox() { return mailbox_; }
  std::string describe() const {
    return "{\"target\":\"sm_90a\",\"name\":" + json_string(ranks_[0].gpu.name) + ",\"ranks\":" + std::to_string(Plan::ranks) + ",\"present\":" + std::to_string(ranks()) + ",\"sms\":" + std::to_string(Plan::sms) + ceiling_json(ceiling_) + rounds_.describe() +
           ",\"memory\":{\"image\":" + std::to_string(Plan::image_bytes) + ",\"kv\":" + std::to_string(Plan::kv_bytes) + ",\"workspace\":" + std::to_string(Plan::workspace_bytes) +
           ",\"free\":" + std::to_string(ranks_[0].gpu.free) + "}}";
  }

  // ---- loading ----
  /** The calling thread is about to load this rank. */
  void enter(u32 rank) {
    cudaSetDevice(ranks_[rank].gpu.device);
    stay_near(ranks_[rank].address, allowed_);
  }
  Failure stage(u32 rank, u8*& staging) {
    Rank& r = ranks_[rank];
    cudaSetDevice(r.gpu.device);
    r.turn ^= 1;
    staging = r.staging[r.turn];
    return check(r, cudaEventSynchronize(r.free_again[r.turn]), "staging");
  }
  Failure pack(u32 rank, PackJob job, u64 image_at, Place place, bool synthetic, u32 columns) {
    Rank& r = ranks_[rank];
    const u32 rows = job.tiles * 16;
    const StagedRows& s = job.staged;
    if (Failure failure = upload(r, r.rows[r.turn], synthetic ? u64(rows) * sizeof(Recipe) : u64(rows) * s.stride)) return failure;
    job.staged.rows = r.rows[r.turn];
    if (synthetic) {
      synthesise_kernel<<<grid, 256, 0, r.stream>>>(reinterpret_cast<const Recipe*>(r.rows[r.turn]), rows, job.format, s.first_column, columns, s.scales_at, s.stride, r.made);
      job.staged.rows = r.made;
    }
    pack_kernel<<<grid, 256, 0, r.stream>>>(job, reinterpret_cast<u8*>(r.args.image) + image_at, place, r.illegal);
    return check(r, cudaGetLastError(), "packing");
  }
  Failure place(u32 rank, const LoadItem& item, const StagedShape& shape, u64 image_at, u32 rows, bool synthetic) {
    Rank& r = ranks_[rank];
    u8* to = reinterpret_cast<u8*>(r.args.image) + image_at;
    if (!synthetic) return upload(r, to, u64(rows) * shape.stride);
    if (Failure failure = upload(r, r.rows[r.turn], u64(rows) * sizeof(Recipe))) return failure;
    synthesise_kernel<<<grid, 256, 0, r.stream>>>(reinterpret_cast<const Recipe*>(r.rows[r.turn]), rows, item.format, item.first_column, item.columns, shape.scales_at, shape.stride, to);
    return check(r, cudaGetLastError(), "filling");
  }
  Failure settle(u32 rank, Illegal& illegal, Place& place) {
    Rank& r = ranks_[rank];
    cudaSetDevice(r.gpu.device);
    const Failure failure = check(r, cudaStreamSynchronize(r.stream), "packing");
    if (const unsigned long long word = *static_cast<volatile unsigned long long*>(r.illegal)) illegal = Illegal(word & 255), place = Place{u32(word >> 32), u32(word >> 8 & 0xFFFFFF)};
    return failure;
  }

  Failure read_image(u32 rank, u64 at, u8* to, u64 bytes) {
    const Rank& r = ranks_[rank];
    cudaSetDevice(r.gpu.device);
    return check(r, cudaMemcpy(to, r.args.image + at, bytes, cudaMemcpyDeviceToHost), "reading its image");
  }

  Failure read_trace(u32 rank, u8* events, u8* waits) {
    const Rank& r = ranks_[rank];
    cudaSetDevice(r.gpu.device);
    cudaError_t error = cudaMemcpy(events, r.args.trace, trace_bytes, cudaMemcpyDeviceToHost);
    if (error == cudaSuccess && r.args.trace_waits) error = cudaMemcpy(waits, r.args.trace_waits, trace_waits_bytes, cudaMemcpyDeviceToHost);
    return check(r, error, "reading its trace");
  }

  /** How fast rank 0's GPU streams its weights, or, where they might lie in a cache, memory that is lent for it. */
  void measure() {
    const Rank& r = ranks_[0];
    cudaSetDevice(r.gpu.device);
    char* memory = r.args.image;
    u64 bytes = Plan::image_bytes;
    const bool borrow = bytes < ceiling_bytes / 2;
    if (borrow && cudaMalloc(reinterpret_cast<void**>(&memory), bytes = ceiling_bytes) != cudaSuccess) return;
    ceiling_ = measure_ceiling(memory, bytes, Plan::sms, r.stream);
    if (borrow) cudaFree(memory);
  }

  /** What --probe asks for, once: a GPU's workspace is looked at when its kernel has returned, so the record is the last round's. */
  Failure probe_end() {
    std::vector<char> bytes;
    std::FILE* file = std::fopen(options_.probe.c_str(), "ab");
    if (!file) return Failure{"file", "cannot write the probe to " + options_.probe};
    const u32 head[2] = {0, u32(max_rows)};
    const int position[max_rows] = {0, 1, 2, 3, 4, 5, 6, 7};
    bool written = std::fwrite(head, sizeof head, 1, file) == 1 && std::fwrite(position, sizeof position, 1, file) == 1;
    cudaSetDevice(ranks_[0].gpu.device);
    for (const auto& [at, size] : options_.probe_ranges) {
      if (at + size > Plan::workspace_bytes) continue;
      bytes.resize(size);
      written = written && cudaMemcpy(bytes.data(), ranks_[0].args.workspace + at, size, cudaMemcpyDeviceToHost) == cudaSuccess &&
                std::fwrite(bytes.data(), 1, size, file) == size;
    }
    written = std::fclose(file) == 0 && written;
    return written ? Failure{} : Failure{"file", "cannot write the probe to " + options_.probe};
  }

  // ---- running ----
  Failure launch() {
    for (Rank& r : ranks_) {
      cudaSetDevice(r.gpu.device);
      for (int i = 0; i < 2; i++) cudaFreeHost(r.staging[i]), cudaFree(r.rows[i]), cudaEventDestroy(r.free_again[i]);
      cudaFree(r.made);
      if (Failure failure = check(r, cudaDeviceSynchronize(), "freeing")) return failure;
      if (Failure failure = check(r, rounds_.prepare(r.args, r.stream), "preparing")) return failure;
    }
    if (Failure failure = rounds_.capture()) return failure;
    for (Rank& r : ranks_) {
      cudaSetDevice(r.gpu.device);
      if (Failure failure = check(r, rounds_.begin(r.args, r.stream), "launching")) return failure;
    }
    return {};
  }

  template <class Service>
  std::string run(Service service) {
    using clock = std::chrono::steady_clock;
    clock::time_point over = clock::time_point::max();  // when kernels that are asked to end are given up
    const auto soon = [&] { over = std::min(over, clock::now() + std::chrono::seconds(2)); };
    bool stopped = false;
    for (;;) {
      if (int(service(rounds_.may_sleep(mailbox_))) == 2) soon(), stopped = true;
      bool running = false;
      for (Rank& r : ranks_) {
        const cudaError_t state = cudaStreamQuery(r.stream);
        if (state == cudaErrorNotReady) running = true;
        else if (state != cudaSuccess) return broken(r, std::string("the kernel failed: ") + cudaGetErrorString(state));
        if (fault_of(r).state != 0) soon();
      }
      if (running && clock::now() < over) {
        if (stopped) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      const FaultRecord* told = nullptr;  // of several, one that knows which rank is missing
      const auto knows = [](const FaultRecord& fault) { return What(fault.what) == What::packets ? 2 : What(fault.what) == What::sum ? 1 : 0; };
      for (Rank& r : ranks_)
        if (fault_of(r).state == 2 && (!told || knows(fault_of(r)) > knows(*told))) told = &fault_of(r);
      if (told) return fault_json(*told, "");
      if (!running) {
        bool more = false;
        for (size_t rank = 0; rank < ranks_.size(); rank++) {
          Rank& r = ranks_[rank];
          cudaSetDevice(r.gpu.device);
          if (Failure failure = check(r, rounds_.next(rank, more), "launching a round")) return broken(r, failure.text);
        }
        if (more) continue;
      }
      if (running && !stopped) return broken(ranks_[0], "a kernel did not return though it was told to");
      return mailbox_->quit ? "" : broken(ranks_[0], "the kernels returned without being asked to");
    }
  }

 private:
  static constexpr int grid = 528;
  struct Rank {
    Gpu gpu{};
    std::string address;  // on the PCI bus
    EngineArgs args{};
    cudaStream_t stream = nullptr;
    u8* staging[2] = {};  // pinned
    u8* rows[2] = {};     // the same on the device
    u8* made = nullptr;   // synthetic rows
    cudaEvent_t free_again[2] = {};
    unsigned long long* illegal = nullptr;
    int turn = 0;
  };

  static Failure check(const Rank& r, cudaError_t error, const char* doing) {
    if (error == cudaSuccess) return {};
    return Failure{error == cudaErrorMemoryAllocation ? "memory" : "gpu", r.gpu.label() + ": " + doing + ": " + cudaGetErrorString(error)};
  }
  const FaultRecord& fault_of(const Rank& r) const { return *r.args.fault; }
  static std::string broken(const Rank& r, const std::string& why) {
    FaultRecord record{};
    record.rank = r.args.rank, record.site = -1;
    return fault_json(record, r.gpu.label() + ": " + why);
  }
  static Failure look_at(Rank& r) {
    cudaDeviceProp p{};
    if (const cudaError_t error = cudaGetDeviceProperties(&p, r.gpu.device); error != cudaSuccess) return check(r, error, "asking for its properties");
    r.gpu.name = p.name, r.gpu.major = p.major, r.gpu.minor = p.minor, r.gpu.sms = p.multiProcessorCount, r.gpu.shared = p.sharedMemPerBlockOptin, r.gpu.reserved = p.reservedSharedMemPerBlock;
    char address[32] = {};
    if (cudaDeviceGetPCIBusId(address, sizeof address, r.gpu.device) == cudaSuccess) r.address = address;
    if (Failure failure = check(r, cudaSetDevice(r.gpu.device), "opening")) return failure;
    size_t free = 0, total = 0;
    if (Failure failure = check(r, cudaMemGetInfo(&free, &total), "opening")) return failure;
    r.gpu.free = free, r.gpu.total = total;
    return {};
  }

  Failure connect_peers() {
    for (Rank& r : ranks_)
      for (Rank& peer : ranks_) {
        if (r.gpu.device == peer.gpu.device) continue;
        cudaSetDevice(r.gpu.device);
        const cudaError_t error = cudaDeviceEnablePeerAccess(peer.gpu.device, 0);
        if (error != cudaErrorPeerAccessAlreadyEnabled)
          if (Failure failure = check(r, error, "enabling peer access")) return failure;
        cudaGetLastError();
      }
    return {};
  }

  Failure allocate(u64 mailbox_size) {
    const auto pinned = [](auto& out, u64 bytes) { return cudaHostAlloc(reinterpret_cast<void**>(&out), bytes, cudaHostAllocMapped | cudaHostAllocPortable); };
    const auto slab = [](char*& out, u64 bytes) { return cudaMalloc(reinterpret_cast<void**>(&out), bytes ? bytes : 16); };
    enter(0);  // who carries requests and results stays here, and so does the mailbox
    FaultRecord* faults = nullptr;
    unsigned long long* illegal = nullptr;
    if (Failure failure = check(ranks_[0], pinned(mailbox_, mailbox_size), "allocating the mailbox")) return failure;
    if (Failure failure = check(ranks_[0], pinned(faults, sizeof(FaultRecord) * Plan::ranks), "allocating fault records")) return failure;
    if (Failure failure = check(ranks_[0], pinned(illegal, 8 * Plan::ranks), "allocating a word")) return failure;
    std::memset(static_cast<void*>(mailbox_), 0, mailbox_size);
    std::memset(faults, 0, sizeof(FaultRecord) * Plan::ranks);
    std::memset(illegal, 0, 8 * Plan::ranks);
    for (int rank = 0; rank < ranks(); rank++) {
      Rank& r = ranks_[size_t(rank)];
      EngineArgs& a = r.args;
      enter(u32(rank));
      a.rank = rank, a.ranks = ranks(), a.sms = Plan::sms, a.stall_round = options_.stall.first == rank ? options_.stall.second : 0, a.deadline_ns = options_.deadline_ns;
      a.image_bytes = Plan::image_bytes, a.kv_bytes = Plan::kv_bytes, a.workspace_bytes = Plan::workspace_bytes;
      a.mailbox = mailbox_, a.fault = faults + rank, r.illegal = illegal + rank;
      cudaError_t error = cudaStreamCreateWithFlags(&r.stream, cudaStreamNonBlocking);
      for (int i = 0; i < 2 && error == cudaSuccess; i++) {
        error = pinned(r.staging[i], staging_bytes);
        if (error == cudaSuccess) error = cudaMalloc(reinterpret_cast<void**>(&r.rows[i]), staging_bytes);
        if (error == cudaSuccess) error = cudaEventCreateWithFlags(&r.free_again[i], cudaEventDisableTiming);
      }
      if (error == cudaSuccess) error = cudaMalloc(reinterpret_cast<void**>(&r.made), staging_bytes);
      if (error == cudaSuccess) error = slab(a.image, Plan::image_bytes);
      if (error == cudaSuccess) error = slab(a.kv, Plan::kv_bytes);
      if (error == cudaSuccess) error = slab(a.workspace, Plan::workspace_bytes);
      if (error == cudaSuccess) error = slab(a.trace, trace_bytes);
      if (error == cudaSuccess) error = cudaMemsetAsync(a.trace, 0, trace_bytes, r.stream);
      if (trace_bytes > 0 && options_.trace_waits) {
        if (error == cudaSuccess) error = slab(a.trace_waits, trace_waits_bytes);
        if (error == cudaSuccess) error = cudaMemsetAsync(a.trace_waits, 0, trace_waits_bytes, r.stream);
      }
      if (error == cudaSuccess) error = cudaMemsetAsync(a.image, 0, Plan::image_bytes, r.stream);
      if (error == cudaSuccess) error = fill_caches(r);
      if (error == cudaSuccess) error = cudaMemsetAsync(a.workspace, 0, Plan::workspace_bytes, r.stream);
      if (error == cudaSuccess) error = cudaStreamSynchronize(r.stream);
      if (Failure failure = check(r, error, "allocating")) return failure;
    }
    for (Rank& r : ranks_)
      for (int rank = 0; rank < Plan::ranks; rank++) r.args.peer_workspace[rank] = ranks_[size_t(rank % ranks())].args.workspace;
    enter(0);
    return {};
  }

  /** What positions hold that nobody has computed. */
  cudaError_t fill_caches(Rank& r) const {
    if (!options_.made_up_caches) return cudaMemsetAsync(r.args.kv, 0, Plan::kv_bytes, r.stream);
    make_up_kernel<<<grid, 256, 0, r.stream>>>(reinterpret_cast<u32*>(r.args.kv), Plan::kv_bytes / 4);
    return cudaGetLastError();
  }

  /** The staging buffer in turn, to the device; it may be filled again when the stream has come this far. */
  static Failure upload(Rank& r, u8* to, u64 bytes) {
    cudaError_t error = cudaMemcpyAsync(to, r.staging[r.turn], bytes, cudaMemcpyHostToDevice, r.stream);
    if (error == cudaSuccess) error = cudaEventRecord(r.free_again[r.turn], r.stream);
    return check(r, error, "copying to it");
  }

  Options options_;
  cpu_set_t allowed_{};
  double ceiling_ = 0;
  std::vector<Rank> ranks_;
  Rounds rounds_;
  Mailbox* mailbox_ = nullptr;
};

}  // namespace tile
