/**
 * The reference with the engine's number formats: every value that a product or attention reads is rounded to bf16, as the
 * staged forms are (docs/engine.md 2). What it differs from plain float64 by is what BF16 costs, whoever computes it.
 */

import type { Graph, GraphNode } from '../../dsl/graph.ts'
import type { ParamSource } from './params.ts'
import { createReference, type Reference } from './reference.ts'

export const bf16Reference = (graph: Graph, params: ParamSource, ctx: number): Reference =>
  roundedReference(graph, params, ctx, toBf16)

/** The same values rounded in another way: how far a graph's numbers move when the last bits fall differently. */
export function roundedReference(
  graph: Graph,
  params: ParamSource,
  ctx: number,
  round: (value: number) => number,
): Reference {
  const staged = new Set(
    graph.nodes
      .filter((n) => n.op === 'linear' || n.op === 'expertLinear' || n.op === 'attention')
      .flatMap((n) => (n.op === 'attention' ? n.inputs : n.inputs.slice(0, 1))),
  )
  const stored = (node: GraphNode, value: Float64Array) => (staged.has(node.id) ? value.map(round) : value)
  return createReference(graph, params, { ctx, stored })
}

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)
/** Rounds to the nearest bf16, ties to even. */
export function toBf16(value: number): number {
  float[0] = value
  const b = bits[0]!
  bits[0] = (b + 0x7fff + ((b >>> 16) & 1)) & 0xffff0000
  return float[0]!
}
