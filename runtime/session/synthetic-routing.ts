/**
 * How routers of made up weights are made to choose: at random, or so that a block of eight rows meets a given number of
 * experts on average.
 *
 * Vocabulary: *active* experts are those that at least one row of a block chose; what correlates the rows is how far the
 * router's biases, which all rows share, lie apart.
 * How: with weights as synthetic-source.ts makes them a token's logits are independent and normal with spread one, so the
 * mean of active experts at a bias is found by drawing some blocks with the model's own expressions, and the bias by bisection.
 * Invariant: pure and without chance: equal routers get equal biases.
 */
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { evaluateExpr } from '../../dsl/expr.ts'
import type { Graph, RouteNode } from '../../dsl/graph.ts'
import { hashU32 } from '../engine/synthetic.ts'

/** `uniform`, or the mean of experts that a block of eight rows shall meet. */
export type Routing = 'uniform' | number

const ROWS = 8
const BLOCKS = 40

/** How far from zero the biases of each router lie, by the bias's name. Throws where a mean cannot be reached. */
export function routerBiases(graph: Graph, routing: Routing): ReadonlyMap<string, number> {
  const known = new Map<string, number>()
  const found = new Map<string, number>()
  for (const node of graph.nodes) {
    if (node.op !== 'route') continue
    const experts = graph.nodes[node.inputs[0]!]!.dims.at(-1)!.size
    if (node.bias === undefined) {
      if (routing !== 'uniform') throw impossible(`the router of '${node.scope}' has no bias`)
      continue
    }
    const key = JSON.stringify([node.score, node.choose, node.topK, experts])
    if (!known.has(key)) known.set(key, routing === 'uniform' ? 0 : biasFor(node, experts, routing))
    found.set(node.bias, known.get(key)!)
  }
  return found
}

/** Experts that a block of eight rows meets on average where routing is at random. */
export const uniformActive = (experts: number, topK: number): number => experts * (1 - (1 - topK / experts) ** ROWS)

function biasFor(node: RouteNode, experts: number, mean: number): number {
  const most = uniformActive(experts, node.topK)
  if (!(mean > node.topK && mean < most))
    throw impossible(`a mean of ${mean} active experts`, `between ${node.topK} and ${most.toFixed(1)} are possible`)
  let [low, high] = [0, 1]
  while (meanActive(node, experts, high) > mean) high *= 2
  for (let i = 0; i < 16; i++) {
    const middle = (low + high) / 2
    if (meanActive(node, experts, middle) > mean) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** Experts that a block meets on average when biases are uniform in +-`bias`. */
export function meanActive(node: RouteNode, experts: number, bias: number): number {
  let total = 0
  for (let block = 0; block < BLOCKS; block++) {
    const active = new Set<number>()
    const biases = Array.from({ length: experts }, (_, e) => bias * (2 * uniform(block, e, 7) - 1))
    for (let row = 0; row < ROWS; row++) {
      const choices = biases.map((b, e) => {
        const score = evaluateExpr(node.score, [normal(block * ROWS + row, e)])
        return [evaluateExpr(node.choose, [score, b]), e] as const
      })
      choices.sort((a, b) => b[0] - a[0])
      for (const [, e] of choices.slice(0, node.topK)) active.add(e)
    }
    total += active.size
  }
  return total / BLOCKS
}

const uniform = (row: number, column: number, key: number): number => (hashU32(key, row, column) + 0.5) / 2 ** 32
const normal = (row: number, column: number): number =>
  Math.sqrt(-2 * Math.log(uniform(row, column, 11))) * Math.cos(2 * Math.PI * uniform(row, column, 13))

const impossible = (what: string, help?: string): DiagnosticError =>
  new DiagnosticError([diagnostic('TILE5112', `routing: ${what} cannot be had`, help ? { help } : {})])
