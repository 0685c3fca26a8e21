// The first header of every generated engine: what needs no plan. Number formats, element forms, kernel arguments.
//
//   #include "tile.h"          formats, forms, EngineArgs, FaultRecord
//   struct Plan { ... };       the generated constants (API.md)
//   #include "tile_plan.h"     Warp, channels, matrix work, route, attention, the kernel entry
//
// Compiled by nvcc (-arch=sm_90a) the primitives come from cuda/, by a plain C++17 compiler from host/.
#pragma once
#include "common/target.h"
#include "common/numbers.h"
#include "common/forms.h"
#include "common/args.h"
