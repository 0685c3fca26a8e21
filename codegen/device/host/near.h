// Near attention on the host: a warp attends to a block of 16 keys, as it does to a span of 64 (attend.h).
#pragma once
#include "../common/near.h"
#include "attend.h"

namespace tile {

/** A GPU brings keys and values near before it needs them; here all memory is near. */
template <class Near>
inline void touch_near(Warp&, const Near&, Share) {}

template <class Near, int Stride>
inline void attend_block(Warp&, const Near& near, const NearTask& task, int block, const bf16* q, float scale, float (&o)[16][Stride], float (&m)[16], float (&l)[16]) {
  host::attend_keys<Near::group, Near::qd, Near::vd, near_keys, Near::dims>(
      reinterpret_cast<const bf16*>(near.key(task.head, block)), reinterpret_cast<const bf16*>(near.value(task.head, block, task.part)),
      q + size_t(task.head * Near::m_tiles * 16) * Near::qd, task.m_tile, block * near_keys, near.rows, Near::window, scale, &o[0][0], Stride, m, l);
}

}  // namespace tile
