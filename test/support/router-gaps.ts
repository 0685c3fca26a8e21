/**
 * How near a routing was to another one: where two experts are closer than rounding moves them, which one a row goes through is chance, and no
 * bound on its logits holds for any engine.
 */
import type { ParamSource } from '../../compiler/reference/params.ts'
import type { Step } from '../../compiler/reference/reference.ts'
import { evaluateExpr } from '../../dsl/expr.ts'
import type { Graph, NodeOf } from '../../dsl/graph.ts'

/** For each of a step's rows, over all routers: how much the last choice beats the first that was left out, in units of score plus bias. */
export function routerGaps(graph: Graph, params: ParamSource, step: Step, rowCount: number): number[] {
  const gaps = new Array<number>(rowCount).fill(Number.POSITIVE_INFINITY)
  for (const node of graph.nodes.filter((n): n is NodeOf<'route'> => n.op === 'route')) {
    const logits = step.value(node.inputs[0]!)
    const experts = logits.length / rowCount
    const bias = node.bias === undefined ? undefined : params.dense(node.bias)
    for (let r = 0; r < rowCount; r++) {
      const choice = Array.from({ length: experts }, (_, e) =>
        evaluateExpr(node.choose, [evaluateExpr(node.score, [logits[r * experts + e]!]), bias?.[e] ?? 0]),
      ).sort((a, b) => b - a)
      gaps[r] = Math.min(gaps[r]!, choice[node.topK - 1]! - choice[node.topK]!)
    }
  }
  return gaps
}
