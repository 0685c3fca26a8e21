/**
 * Ops that work on each element, or on one row of a table: embed, norm, map, slice, tap, logits.
 *
 * Invariant: an author's expression is evaluated by `evaluateExpr` and by nothing else, so the reference adds no second
 * reading of it.
 */
import { sizeOf } from '../../dsl/dim.ts'
import { evaluateExpr } from '../../dsl/expr.ts'
import { InternalError } from '../diagnostics/diagnostic.ts'
import type { Evaluate } from './frame.ts'
import { expectSize } from './linear.ts'

export const embed: Evaluate<'embed'> = (node, frame) => {
  const size = sizeOf(node.dims)
  const vocabulary = frame.paramDims(node.param)[0]!.size
  const y = new Float64Array(frame.rows.length * size)
  frame.rows.forEach(({ token }, r) => {
    if (!(Number.isInteger(token) && token >= 0 && token < vocabulary)) {
      throw new RangeError(`token ${token} is not one of the ${vocabulary} rows of '${node.param}'`)
    }
    const apart = node.instead?.token === token ? node.instead.param : undefined
    const row = apart === undefined ? frame.params.slice(node.param, token) : frame.params.dense(apart)
    expectSize(node.param, row, size)
    y.set(row, r * size)
  })
  return y
}

/** The weight's dims are the last dims of x: each run of that many elements has a statistic of its own. */
export const norm: Evaluate<'norm'> = (node, frame) => {
  const x = frame.input(0)
  const weight = frame.params.dense(node.param)
  const size = sizeOf(frame.paramDims(node.param))
  expectSize(node.param, weight, size)
  const y = new Float64Array(x.length)
  for (let at = 0; at < x.length; at += size) {
    let sum = 0
    for (let i = 0; i < size; i++) sum += evaluateExpr(node.stat, [x[at + i]!])
    const mean = sum / size
    for (let i = 0; i < size; i++) y[at + i] = evaluateExpr(node.apply, [x[at + i]!, mean, weight[i]!])
  }
  return y
}

export const map: Evaluate<'map'> = (node, frame) => {
  const inputs = node.inputs.map((_, i) => frame.input(i))
  const args = inputs.map(() => 0)
  const y = new Float64Array(frame.rows.length * sizeOf(node.dims))
  for (let at = 0; at < y.length; at++) {
    for (let i = 0; i < inputs.length; i++) args[i] = inputs[i]![at]!
    y[at] = evaluateExpr(node.expr, args)
  }
  return y
}

export const slice: Evaluate<'slice'> = (node, frame) => {
  const x = frame.input(0)
  const dims = frame.inputDims(0)
  const axis = dims.findIndex((d) => d.name === node.dim)
  if (axis < 0) throw new InternalError(`slice of dim '${node.dim}', which its input does not have`)
  const outer = sizeOf(dims.slice(0, axis)) * frame.rows.length
  const inner = sizeOf(dims.slice(axis + 1))
  const stride = dims[axis]!.size * inner
  const run = node.count * inner
  const y = new Float64Array(outer * run)
  for (let o = 0; o < outer; o++) {
    const from = o * stride + node.start * inner
    y.set(x.subarray(from, from + run), o * run)
  }
  return y
}

export const tap: Evaluate<'tap'> = (_, frame) => frame.input(0)
export const logits: Evaluate<'logits'> = (_, frame) => frame.input(0)
