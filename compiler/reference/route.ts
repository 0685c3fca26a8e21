/**
 * The router's decision: which experts a row goes to, and with which weights.
 *
 * Invariants: experts are chosen by choose(score, bias), but weighted by score alone; slots are ordered by falling
 * choice, and of equal choices the lower expert index comes first. Choices are taken and compared in float32, the one
 * rounding in the reference: a bias far from zero swallows the low bits of a score, and the ties that this makes are the model's.
 */
import { evaluateExpr } from '../../dsl/expr.ts'
import type { Evaluate } from './frame.ts'
import { expectSize } from './linear.ts'

export const route: Evaluate<'route'> = (node, frame) => {
  const logits = frame.input(0)
  const experts = frame.inputDims(0).at(-1)!.size
  const bias = node.bias === undefined ? undefined : frame.params.dense(node.bias)
  if (bias) expectSize(node.bias!, bias, experts)
  const weights = new Float64Array(frame.rows.length * node.topK)
  const chosen = new Int32Array(frame.rows.length * node.topK)
  for (let r = 0; r < frame.rows.length; r++) {
    const scores = Array.from({ length: experts }, (_, e) => evaluateExpr(node.score, [logits[r * experts + e]!]))
    const choice = scores.map((score, e) =>
      Math.fround(evaluateExpr(node.choose, [Math.fround(score), bias?.[e] ?? 0])),
    )
    const order = choice.map((_, e) => e).sort((a, b) => choice[b]! - choice[a]! || a - b)
    let sum = 0
    for (let s = 0; s < node.topK; s++) sum += scores[order[s]!]!
    const divisor = node.normalise ? sum + node.epsilon : 1
    for (let s = 0; s < node.topK; s++) {
      chosen[r * node.topK + s] = order[s]!
      weights[r * node.topK + s] = (scores[order[s]!]! / divisor) * node.factor
    }
  }
  frame.choose(chosen)
  return weights
}
