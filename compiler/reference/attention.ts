/**
 * Rotary embedding and causal attention with a cache.
 *
 * Vocabulary: keys are visible to a row when their position is not after the row's, and with a window, when fewer than
 * `window` positions lie from the key to the row, the row itself included. A sink is a logit without a value: it takes
 * part in the denominator only. The rows of a *block* see each other both ways and what is committed before the block.
 */
import { sizeOf } from '../../dsl/dim.ts'
import type { KvCache } from './cache.ts'
import type { Evaluate, Row } from './frame.ts'
import { dot, expectSize } from './linear.ts'

/** NeoX rotate-half: element i turns with element i + rotary/2 by position * theta^(-2i/rotary). */
export const rope: Evaluate<'rope'> = (node, frame) => {
  const y = frame.input(0).slice()
  const width = node.dims.at(-1)!.size
  const perRow = sizeOf(node.dims)
  const half = node.rotary / 2
  frame.rows.forEach(({ position }, r) => {
    for (let i = 0; i < half; i++) {
      const angle = position * node.theta ** (-i / half)
      const [c, s] = [Math.cos(angle), Math.sin(angle)]
      for (let at = r * perRow; at < (r + 1) * perRow; at += width) {
        const [a, b] = [y[at + i]!, y[at + half + i]!]
        y[at + i] = a * c - b * s
        y[at + half + i] = b * c + a * s
      }
    }
  })
  return y
}

export const attention: Evaluate<'attention'> = (node, frame) => {
  const [q, k, v] = [frame.input(0), frame.input(1), frame.input(2)]
  const [kvDim, groupDim, queryDim] = frame.inputDims(0)
  const [kv, group, qd] = [kvDim!.size, groupDim!.size, queryDim!.size]
  const vd = frame.inputDims(2).at(-1)!.size
  const sinks = node.sink === undefined ? undefined : frame.params.dense(node.sink)
  if (sinks) expectSize(node.sink!, sinks, kv * group)
  const cache = frame.cache(kv * qd, kv * vd)
  if (!node.block) append(cache, frame.rows, k, v)
  const visible = node.block ? seenInBlock(frame.rows, cache, k, v, node.window) : seenInCache(cache, node.window)
  const y = new Float64Array(frame.rows.length * kv * group * vd)
  frame.rows.forEach((row, r) => {
    const runs = visible(row, r)
    const p = runs.map(({ count }) => new Float64Array(count))
    for (let head = 0; head < kv * group; head++) {
      const h = Math.floor(head / group)
      const sink = sinks?.[head]
      let max = sink ?? Number.NEGATIVE_INFINITY
      runs.forEach(({ keys, first, count }, run) => {
        for (let j = 0; j < count; j++) {
          const z = node.scale * dot(q, (r * kv * group + head) * qd, keys, ((first + j) * kv + h) * qd, qd)
          p[run]![j] = z
          if (z > max) max = z
        }
      })
      let denominator = sink === undefined ? 0 : Math.exp(sink - max)
      for (const shares of p) {
        for (let j = 0; j < shares.length; j++) {
          shares[j] = Math.exp(shares[j]! - max)
          denominator += shares[j]!
        }
      }
      const out = (r * kv * group + head) * vd
      runs.forEach(({ values, first, count }, run) => {
        for (let j = 0; j < count; j++) {
          const share = p[run]![j]! / denominator
          const at = ((first + j) * kv + h) * vd
          for (let i = 0; i < vd; i++) y[out + i]! += share * values[at + i]!
        }
      })
    }
  })
  return y
}

/** Keys and values for another program's attention; the node itself has no result. */
export const remember: Evaluate<'remember'> = (node, frame) => {
  const [k, v] = [frame.input(0), frame.input(1)]
  append(frame.cache(sizeOf(frame.inputDims(0)), sizeOf(frame.inputDims(1))), frame.rows, k, v)
  return new Float64Array(frame.rows.length * sizeOf(node.dims))
}

function append(cache: KvCache, rows: readonly Row[], k: Float64Array, v: Float64Array): void {
  const [key, value] = [k.length / rows.length, v.length / rows.length]
  rows.forEach(({ position }, r) => {
    cache.write(position, k.subarray(r * key, (r + 1) * key), v.subarray(r * value, (r + 1) * value))
  })
}

/** Consecutive positions, `first` and `count` counted in entries of the two arrays. */
interface Run {
  readonly keys: Float64Array
  readonly values: Float64Array
  readonly first: number
  readonly count: number
}
type Visible = (row: Row, index: number) => readonly Run[]

function seenInCache({ keys, values }: KvCache, window = Number.POSITIVE_INFINITY): Visible {
  return ({ position }) => {
    const first = Math.max(0, position - window + 1)
    return [{ keys, values, first, count: position + 1 - first }]
  }
}

/** What is committed before the block, and the block's own rows, which no cache keeps; the window counts both ways. */
function seenInBlock(
  rows: readonly Row[],
  cache: KvCache,
  k: Float64Array,
  v: Float64Array,
  window = Number.POSITIVE_INFINITY,
): Visible {
  const start = rows[0]!.position
  if (rows.some(({ position }, r) => position !== start + r))
    throw new RangeError('the rows of a block must be in order')
  if (cache.length < start) {
    throw new RangeError(`the block starts at position ${start}, but the cache ends at ${cache.length}`)
  }
  return ({ position }, r) => {
    const first = Math.min(start, Math.max(0, position - window + 1))
    const own = Math.max(0, r - window + 1)
    return [
      { keys: cache.keys, values: cache.values, first, count: start - first },
      { keys: k, values: v, first: own, count: Math.min(rows.length, r + window) - own },
    ]
  }
}
