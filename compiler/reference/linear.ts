/**
 * Products with weights: linear, expertLinear and the weighted sum over a row's experts.
 *
 * Vocabulary: a weight is a matrix `out x in` after its dims are flattened; `in` is what it shares with x.
 * Invariant: every sum is taken in float64. Four running sums hide the adder's latency; their order is fixed.
 */
import { sizeOf } from '../../dsl/dim.ts'
import { InternalError } from '../diagnostics/diagnostic.ts'
import type { Evaluate } from './frame.ts'
import type { Values } from './params.ts'

export const linear: Evaluate<'linear'> = (node, frame) => {
  const x = frame.input(0)
  const inputs = sizeOf(frame.inputDims(0))
  const outputs = sizeOf(node.dims)
  const w = frame.params.dense(node.param)
  expectSize(node.param, w, outputs * inputs)
  const y = new Float64Array(frame.rows.length * outputs)
  for (let o = 0; o < outputs; o++) {
    for (let r = 0; r < frame.rows.length; r++) {
      y[r * outputs + o] = dot(w, o * inputs, x, r * inputs, inputs)
    }
  }
  return y
}

export const expertLinear: Evaluate<'expertLinear'> = (node, frame) => {
  const x = frame.input(0)
  const experts = frame.choices(1)
  const [slotDim, ...outDims] = node.dims
  const slots = slotDim!.size
  const outputs = sizeOf(outDims)
  const inputDims = frame.paramDims(node.param).slice(1 + outDims.length)
  const inputs = sizeOf(inputDims)
  // x without a slot dim is shared by all slots of its row
  const perSlot = frame.inputDims(0).length > inputDims.length
  const y = new Float64Array(frame.rows.length * slots * outputs)
  for (let i = 0; i < frame.rows.length * slots; i++) {
    const w = frame.params.slice(node.param, experts[i]!)
    expectSize(node.param, w, outputs * inputs)
    const at = (perSlot ? i : Math.floor(i / slots)) * inputs
    for (let o = 0; o < outputs; o++) y[i * outputs + o] = dot(w, o * inputs, x, at, inputs)
  }
  return y
}

export const combine: Evaluate<'combine'> = (node, frame) => {
  const x = frame.input(0)
  const weights = frame.input(1)
  const slots = frame.inputDims(0)[0]!.size
  const size = sizeOf(node.dims)
  const y = new Float64Array(frame.rows.length * size)
  for (let r = 0; r < frame.rows.length; r++) {
    for (let s = 0; s < slots; s++) {
      const weight = weights[r * slots + s]!
      for (let i = 0; i < size; i++) y[r * size + i]! += weight * x[(r * slots + s) * size + i]!
    }
  }
  return y
}

export function dot(a: Values, aAt: number, b: Values, bAt: number, count: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  let i = 0
  for (; i + 3 < count; i += 4) {
    s0 += a[aAt + i]! * b[bAt + i]!
    s1 += a[aAt + i + 1]! * b[bAt + i + 1]!
    s2 += a[aAt + i + 2]! * b[bAt + i + 2]!
    s3 += a[aAt + i + 3]! * b[bAt + i + 3]!
  }
  for (; i < count; i++) s0 += a[aAt + i]! * b[bAt + i]!
  return s0 + s1 + (s2 + s3)
}

export function expectSize(param: string, values: Values, size: number): void {
  if (values.length !== size) {
    throw new InternalError(`param '${param}' has ${values.length} numbers where its dims make ${size}`)
  }
}
