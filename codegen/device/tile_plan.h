// Everything that depends on the generated `struct Plan`, which must be defined (at global scope) before this header.
// The generated file then defines the four role functions declared here; the back end calls one in every warp.
#pragma once
#include "tile.h"

namespace tile {
struct Warp;
}
TILE_ROLE void role_load(tile::Warp&);
TILE_ROLE void role_compute(tile::Warp&);
TILE_ROLE void role_epilogue(tile::Warp&);
TILE_ROLE void role_communicate(tile::Warp&);

#include "common/shared.h"
#ifdef __CUDACC__
#include "cuda/warp.h"
#include "cuda/matrix.h"
#include "cuda/attend.h"
#include "cuda/near.h"
#else
#include "host/warp.h"
#include "host/matrix.h"
#include "host/attend.h"
#include "host/near.h"
#endif
#include "common/normalise.h"
#include "common/handover.h"
#include "common/packets.h"
#include "common/parts.h"
#include "common/exact.h"
#include "common/route.h"
#include "common/prefetch.h"
#include "common/spans.h"
#include "common/trace.h"
#include "common/merge.h"
#include "common/spans.h"
#ifndef TILE_GRAPH  // the control has kernels of its own (cuda/graph.h, host/graph.h), behind the phases
#ifdef __CUDACC__
#include "cuda/kernel.h"
#else
#include "host/run.h"
#endif
#endif
