// Why the engine's host program cannot go on: a short code that the runtime maps to a diagnostic, and a sentence.
// An empty code means that nothing failed. Codes: file, memory, gpu, nccl, plan, value, stopped, request.
#pragma once
#include <string>

namespace tile {

struct Failure {
  std::string code;
  std::string text;
  explicit operator bool() const { return !code.empty(); }
};

}  // namespace tile
