/**
 * Rotary embedding and causal attention with a cache.
 *
 * Vocabulary: keys are visible to a row when their position is not after the row's, and with a window, when fewer than
 * `window` positions lie from the key to the row, the row itself included. A sink is a logit without a value: it takes
 * part in the denominator only.
 */
import { sizeOf } from '../../dsl/dim.ts'
import type { Evaluate } from './frame.ts'
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
  frame.rows.forEach(({ position }, r) => {
    cache.write(position, k.subarray(r * kv * qd, (r + 1) * kv * qd), v.subarray(r * kv * vd, (r + 1) * kv * vd))
  })
  const y = new Float64Array(frame.rows.length * kv * group * vd)
  const { keys, values } = cache
  frame.rows.forEach(({ position }, r) => {
    const first = node.window === undefined ? 0 : Math.max(0, position - node.window + 1)
    const p = new Float64Array(position + 1 - first)
    for (let head = 0; head < kv * group; head++) {
      const h = Math.floor(head / group)
      const sink = sinks?.[head]
      let max = sink ?? Number.NEGATIVE_INFINITY
      for (let j = 0; j < p.length; j++) {
        const z = node.scale * dot(q, (r * kv * group + head) * qd, keys, ((first + j) * kv + h) * qd, qd)
        p[j] = z
        if (z > max) max = z
      }
      let denominator = sink === undefined ? 0 : Math.exp(sink - max)
      for (let j = 0; j < p.length; j++) {
        p[j] = Math.exp(p[j]! - max)
        denominator += p[j]!
      }
      const out = (r * kv * group + head) * vd
      for (let j = 0; j < p.length; j++) {
        const share = p[j]! / denominator
        const at = ((first + j) * kv + h) * vd
        for (let i = 0; i < vd; i++) y[out + i]! += share * values[at + i]!
      }
    }
  })
  return y
}
