/**
 * Products with weights: linear, expertLinear and the weighted sum over a row's experts.
 *
 * Vocabulary: a weight is a matrix `out x in` after its dims are flattened; `in` is what it shares with x.
 * Invariant: every sum is taken in float64, in the order of the contraction, whatever else is computed beside it.
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
  for (let r = 0; r < frame.rows.length; r++) multiply(w, x, r * inputs, inputs, y, r * outputs, outputs)
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
    multiply(w, x, at, inputs, y, i * outputs, outputs)
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

/**
 * y[yAt ..] = w * x[xAt ..] for a matrix `outputs x inputs`. Four outputs at a time: one load of x serves four sums, and
 * four sums hide the adder's latency; this is what makes the reference fast enough to decode with.
 */
function multiply(
  w: Values,
  x: Float64Array,
  xAt: number,
  inputs: number,
  y: Float64Array,
  yAt: number,
  outputs: number,
): void {
  let o = 0
  for (; o + 3 < outputs; o += 4) {
    const a = o * inputs
    const b = a + inputs
    const c = b + inputs
    const d = c + inputs
    let [s0, s1, s2, s3] = [0, 0, 0, 0]
    for (let i = 0; i < inputs; i++) {
      const v = x[xAt + i]!
      s0 += w[a + i]! * v
      s1 += w[b + i]! * v
      s2 += w[c + i]! * v
      s3 += w[d + i]! * v
    }
    y[yAt + o] = s0
    y[yAt + o + 1] = s1
    y[yAt + o + 2] = s2
    y[yAt + o + 3] = s3
  }
  for (; o < outputs; o++) y[yAt + o] = dot(w, o * inputs, x, xAt, inputs)
}

export function dot(a: Values, aAt: number, b: Values, bAt: number, count: number): number {
  let sum = 0
  for (let i = 0; i < count; i++) sum += a[aAt + i]! * b[bAt + i]!
  return sum
}

export function expectSize(param: string, values: Values, size: number): void {
  if (values.length !== size) {
    throw new InternalError(`param '${param}' has ${values.length} numbers where its dims make ${size}`)
  }
}
