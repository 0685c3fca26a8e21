/**
 * near-attention: attention over a window so short that one SM sees all keys of an m tile (codegen/device/common/near.h).
 *
 * Vocabulary: a *block* is 16 keys, what one warp attends to; what the blocks of an m tile leave for their merge are *sums*. A *part* is
 * of the value dims: each is a task of its own, so that the sums of all blocks fit the SM.
 * Why not every window: each task reads all keys that its rows see, which pays while that is quicker than a hand-over between SMs.
 */
import { cacheSlots, mTilesOf, ROWS, TILE_ROWS } from './forms.ts'
import type { NearPhase } from './ir.ts'

const KEYS = 16
/** Spans of the longest window that is near. */
const MOST_SPANS = 4
/** What sums may take of an SM's scratch memory, which rows of experts take as much of. */
const MOST_SUMS = 32 * 1024

/** Blocks that rows which follow one another can see between them. */
const mostBlocks = (window: number): number => Math.ceil((window + ROWS - 2) / KEYS) + 1

type Cut = Pick<NearPhase, 'window' | 'valueDim' | 'parts'>

/** Bytes of scratch memory: rows of sums are eight floats apart, and each has a peak and a denominator; then the rows' sinks. */
export const nearSums = ({ window, valueDim, parts }: Cut): number =>
  (mostBlocks(window) * (valueDim / parts + 8 + 2) + 1) * TILE_ROWS * 4

/** M tiles of all KV heads, each in parts. */
export const nearTasks = ({ kv, group, parts }: Pick<NearPhase, 'kv' | 'group' | 'parts'>): number =>
  kv * mTilesOf(group) * parts

/** The fewest parts that let the sums fit; undefined: the attention is not near. */
export function nearParts(window: number, valueDim: number): number | undefined {
  if (cacheSlots(window, Number.POSITIVE_INFINITY) > MOST_SPANS) return undefined
  for (let parts = 1; (valueDim / 8) % parts === 0; parts *= 2)
    if (nearSums({ window, valueDim, parts }) <= MOST_SUMS) return parts
  return undefined
}
