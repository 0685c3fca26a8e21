// Samples of the program counter of a resident engine, by CUPTI, without stopping it: where warps stand, and what they wait for.
//
// How: CUDA loads the library that CUDA_INJECTION64_PATH names and calls InitializeInjection. Sampling is prepared when the first context is created and begun when
// engine_kernel is launched, for packing the weights before it would fill the buffers. The kernel ends with the process, so a thread takes what has been collected
// every 40 ms and writes the whole file anew every 400: the last of it are missing, and nobody minds.
//
//   g++ -O1 -shared -fPIC -std=c++17 -I$CUDA/include test/measure/pc-samples.cpp -o pc-samples.so -L$CUDA/lib64 -lcupti -lpthread
//   CUDA_INJECTION64_PATH=$PWD/pc-samples.so PC_SAMPLES=engine.samples PC_PERIOD=13 <what runs the engine>
//
// PC_PERIOD: a sample of an SM every 2^n cycles, 5 to 31. Each line of the file: function, offset in hexadecimal, reason, samples. Reasons that end in
// _not_issued are samples in which the scheduler issued nothing; those without count all. samples-by-phase.ts reads the file.
#include <cupti.h>
#include <cupti_pcsampling.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace {

using Place = std::tuple<std::string, uint64_t, uint32_t>;  // function, offset, reason
constexpr size_t most_places = 20000;

CUcontext context;
std::vector<std::string> reasons;
CUpti_PCSamplingData collected;  // CUPTI's own, while it samples
std::map<Place, uint64_t> counts;
uint64_t total, dropped;

bool ok(CUptiResult result, const char* what) {
  if (result == CUPTI_SUCCESS) return true;
  const char* said = "";
  cuptiGetResultString(result, &said);
  std::fprintf(stderr, "pc-samples: %s: %s\n", what, said);
  return false;
}
#define OK(call) ok(call, #call)

void prepare(CUpti_PCSamplingData& data) {
  std::memset(&data, 0, sizeof data);
  data.size = sizeof data, data.collectNumPcs = most_places;
  data.pPcData = static_cast<CUpti_PCSamplingPCData*>(std::calloc(most_places, sizeof(CUpti_PCSamplingPCData)));
  for (size_t i = 0; i < most_places; ++i) {
    data.pPcData[i].size = sizeof(CUpti_PCSamplingPCData);
    data.pPcData[i].stallReason = static_cast<CUpti_PCSamplingStallReason*>(std::calloc(reasons.size(), sizeof(CUpti_PCSamplingStallReason)));
  }
}

void add(const CUpti_PCSamplingData& data) {
  total += data.totalSamples, dropped += data.droppedSamples;
  for (size_t i = 0; i < data.totalNumPcs; ++i) {
    const CUpti_PCSamplingPCData& pc = data.pPcData[i];
    for (size_t j = 0; j < pc.stallReasonCount; ++j)
      if (pc.stallReason[j].samples > 0)
        counts[Place(pc.functionName ? pc.functionName : "?", uint64_t(pc.pcOffset), uint32_t(pc.stallReason[j].pcSamplingStallReasonIndex))] += pc.stallReason[j].samples;
  }
}

void write(const std::string& path) {
  const std::string unfinished = path + ".new";
  FILE* file = std::fopen(unfinished.c_str(), "w");
  if (!file) {
    std::fprintf(stderr, "pc-samples: cannot write %s\n", unfinished.c_str());
    return;
  }
  std::fprintf(file, "# %llu samples, %llu dropped\n", static_cast<unsigned long long>(total), static_cast<unsigned long long>(dropped));
  for (const auto& [place, samples] : counts) {
    const auto& [function, offset, reason] = place;
    std::fprintf(file, "%s %llx %s %llu\n", function.c_str(), static_cast<unsigned long long>(offset), reason < reasons.size() ? reasons[reason].c_str() : "?",
                 static_cast<unsigned long long>(samples));
  }
  std::fclose(file);
  std::rename(unfinished.c_str(), path.c_str());
}

void collect(std::string path) {
  CUpti_PCSamplingData taken;
  prepare(taken);
  for (int turn = 1;; ++turn) {
    usleep(40000);
    do {
      CUpti_PCSamplingGetDataParams params = {};
      params.size = CUpti_PCSamplingGetDataParamsSize, params.ctx = context, params.pcSamplingData = &taken;
      if (!OK(cuptiPCSamplingGetData(&params))) return;  // what there was has been written
      add(taken);
    } while (taken.remainingNumPcs > 0);
    if (turn % 10 == 0) write(path);
  }
}

CUpti_PCSamplingConfigurationInfo setting(CUpti_PCSamplingConfigurationAttributeType type) {
  CUpti_PCSamplingConfigurationInfo info = {};
  info.attributeType = type;
  return info;
}

/** Sampling must be enabled before CUPTI tells the reasons there are, and their number before a buffer can be made. */
void configure() {
  CUpti_PCSamplingEnableParams enable = {};
  enable.size = CUpti_PCSamplingEnableParamsSize, enable.ctx = context;
  OK(cuptiPCSamplingEnable(&enable));

  size_t count = 0;
  CUpti_PCSamplingGetNumStallReasonsParams number = {};
  number.size = CUpti_PCSamplingGetNumStallReasonsParamsSize, number.ctx = context, number.numStallReasons = &count;
  OK(cuptiPCSamplingGetNumStallReasons(&number));
  std::vector<uint32_t> indices(count);
  std::vector<std::vector<char>> text(count, std::vector<char>(CUPTI_STALL_REASON_STRING_SIZE));
  std::vector<char*> names(count);
  for (size_t i = 0; i < count; ++i) names[i] = text[i].data();
  CUpti_PCSamplingGetStallReasonsParams list = {};
  list.size = CUpti_PCSamplingGetStallReasonsParamsSize, list.ctx = context, list.numStallReasons = count, list.stallReasonIndex = indices.data(), list.stallReasons = names.data();
  OK(cuptiPCSamplingGetStallReasons(&list));
  for (size_t i = 0; i < count; ++i) {
    if (indices[i] >= reasons.size()) reasons.resize(indices[i] + 1);
    reasons[indices[i]] = names[i];
  }
  prepare(collected);

  const char* period = std::getenv("PC_PERIOD");
  std::vector<CUpti_PCSamplingConfigurationInfo> settings;
  settings.push_back(setting(CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_COLLECTION_MODE));
  settings.back().attributeData.collectionModeData.collectionMode = CUPTI_PC_SAMPLING_COLLECTION_MODE_CONTINUOUS;
  settings.push_back(setting(CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_SAMPLING_PERIOD));
  settings.back().attributeData.samplingPeriodData.samplingPeriod = uint32_t(period ? std::atoi(period) : 13);
  settings.push_back(setting(CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_SCRATCH_BUFFER_SIZE));
  settings.back().attributeData.scratchBufferSizeData.scratchBufferSize = size_t(64) << 20;
  settings.push_back(setting(CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_SAMPLING_DATA_BUFFER));
  settings.back().attributeData.samplingDataBufferData.samplingDataBuffer = &collected;
  settings.push_back(setting(CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_WORKER_THREAD_PERIODIC_SLEEP_SPAN));
  settings.back().attributeData.workerThreadPeriodicSleepSpanData.workerThreadPeriodicSleepSpan = 20;
  settings.push_back(setting(CUPTI_PC_SAMPLING_CONFIGURATION_ATTR_TYPE_ENABLE_START_STOP_CONTROL));
  settings.back().attributeData.enableStartStopControlData.enableStartStopControl = 1;
  CUpti_PCSamplingConfigurationInfoParams all = {};
  all.size = CUpti_PCSamplingConfigurationInfoParamsSize, all.ctx = context, all.numAttributes = settings.size(), all.pPCSamplingConfigurationInfo = settings.data();
  OK(cuptiPCSamplingSetConfigurationAttribute(&all));
}

void start() {
  const char* path = std::getenv("PC_SAMPLES");
  if (!path) {
    std::fprintf(stderr, "pc-samples: PC_SAMPLES names no file to write\n");
    return;
  }
  CUpti_PCSamplingStartParams params = {};
  params.size = CUpti_PCSamplingStartParamsSize, params.ctx = context;
  if (OK(cuptiPCSamplingStart(&params))) std::thread(collect, std::string(path)).detach();
}

void CUPTIAPI heard(void*, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void* info) {
  static bool started;
  if (domain == CUPTI_CB_DOMAIN_RESOURCE && id == CUPTI_CBID_RESOURCE_CONTEXT_CREATED && !context) {
    context = static_cast<const CUpti_ResourceData*>(info)->context;
    configure();
  } else if (domain == CUPTI_CB_DOMAIN_DRIVER_API && !started) {
    const auto* call = static_cast<const CUpti_CallbackData*>(info);
    if (call->callbackSite != CUPTI_API_ENTER || !call->symbolName || !std::strstr(call->symbolName, "engine_kernel")) return;
    started = true;
    start();
  }
}

}  // namespace

extern "C" int InitializeInjection() {
  static CUpti_SubscriberHandle subscriber;
  OK(cuptiSubscribe(&subscriber, reinterpret_cast<CUpti_CallbackFunc>(heard), nullptr));
  OK(cuptiEnableCallback(1, subscriber, CUPTI_CB_DOMAIN_RESOURCE, CUPTI_CBID_RESOURCE_CONTEXT_CREATED));
  for (CUpti_CallbackId launch : {CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx, CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel,
                                  CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz, CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz, CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz})
    OK(cuptiEnableCallback(1, subscriber, CUPTI_CB_DOMAIN_DRIVER_API, launch));
  return 1;
}
