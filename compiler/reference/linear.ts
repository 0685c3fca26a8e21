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
  const rows = frame.rows.length
  const together = rows - (rows % 4)
  for (let r = 0; r < together; r += 4) multiplyFour(w, x, r * inputs, inputs, y, r * outputs, outputs)
  for (let r = together; r < rows; r++) multiply(w, x, r * inputs, inputs, y, r * outputs, outputs)
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

/** The same of four rows, one behind the other in x and in y: two outputs of each at a time, so a load of w serves four sums. */
function multiplyFour(
  w: Values,
  x: Float64Array,
  xAt: number,
  inputs: number,
  y: Float64Array,
  yAt: number,
  outputs: number,
): void {
  const [x0, x1, x2, x3] = [xAt, xAt + inputs, xAt + 2 * inputs, xAt + 3 * inputs]
  const [y0, y1, y2, y3] = [yAt, yAt + outputs, yAt + 2 * outputs, yAt + 3 * outputs]
  let o = 0
  for (; o + 1 < outputs; o += 2) {
    const a = o * inputs
    const b = a + inputs
    let [p0, p1, p2, p3, q0, q1, q2, q3] = [0, 0, 0, 0, 0, 0, 0, 0]
    for (let i = 0; i < inputs; i++) {
      const p = w[a + i]!
      const q = w[b + i]!
      const v0 = x[x0 + i]!
      const v1 = x[x1 + i]!
      const v2 = x[x2 + i]!
      const v3 = x[x3 + i]!
      p0 += p * v0
      p1 += p * v1
      p2 += p * v2
      p3 += p * v3
      q0 += q * v0
      q1 += q * v1
      q2 += q * v2
      q3 += q * v3
    }
    ;[y[y0 + o], y[y1 + o], y[y2 + o], y[y3 + o]] = [p0, p1, p2, p3]
    ;[y[y0 + o + 1], y[y1 + o + 1], y[y2 + o + 1], y[y3 + o + 1]] = [q0, q1, q2, q3]
  }
  if (o < outputs)
    for (const r of [0, 1, 2, 3]) y[yAt + r * outputs + o] = dot(w, o * inputs, x, xAt + r * inputs, inputs)
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
