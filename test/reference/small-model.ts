/**
 * A graph of a few nodes that touches every op kind, built by hand so that the reference is tested against dsl/graph.ts
 * alone: embed, norm, a fused projection cut by slices, rope, windowed attention with a sink, routed experts, a tap.
 */

import { type ParamSource, paramsFromArrays } from '../../compiler/reference/params.ts'
import { type Dim, dim, sizeOf } from '../../dsl/dim.ts'
import { constant, input, rsqrt, sigmoid } from '../../dsl/expr.ts'
import { f32 } from '../../dsl/format.ts'
import type { Graph, GraphNode } from '../../dsl/graph.ts'

export const V = dim('vocabulary', 11)
const H = dim('hidden', 8)
const KV = dim('kv', 2)
const G = dim('group', 2)
const HEAD = dim('head', 4)
const VALUE = dim('value', 3)
const PART = dim('part', 2 * 4 + 4 + 3)
const E = dim('expert', 5)
const S = dim('slot', 2)
const I = dim('inner', 6)

const x = input(0)
const params = {
  embed: [V, H],
  norm: [H],
  qkv: [KV, PART, H],
  sink: [KV, G],
  o: [H, KV, G, VALUE],
  router: [E, H],
  bias: [E],
  up: [E, I, H],
  down: [E, H, I],
  head: [V, H],
} satisfies Record<string, readonly Dim[]>

type Draft = GraphNode extends infer N ? (N extends GraphNode ? Omit<N, 'id' | 'scope'> : never) : never

export function smallModel(window?: number): Graph {
  const nodes: GraphNode[] = []
  const add = (node: Draft): number => nodes.push({ ...node, id: nodes.length, scope: '' } as GraphNode) - 1
  const e = add({ op: 'embed', inputs: [], dims: [H], param: 'embed' })
  const n = add({
    op: 'norm',
    inputs: [e],
    dims: [H],
    param: 'norm',
    stat: x.mul(x).node,
    apply: x.mul(rsqrt(input(1).add(1e-5))).mul(input(2)).node,
  })
  const qkv = add({ op: 'linear', inputs: [n], dims: [KV, PART], param: 'qkv' })
  const q = add({ op: 'slice', inputs: [qkv], dims: [KV, G, HEAD], dim: 'part', start: 0, count: 8 })
  const k = add({ op: 'slice', inputs: [qkv], dims: [KV, HEAD], dim: 'part', start: 8, count: 4 })
  const v = add({ op: 'slice', inputs: [qkv], dims: [KV, VALUE], dim: 'part', start: 12, count: 3 })
  const qr = add({ op: 'rope', inputs: [q], dims: [KV, G, HEAD], theta: 100, rotary: 2 })
  const kr = add({ op: 'rope', inputs: [k], dims: [KV, HEAD], theta: 100, rotary: 2 })
  const a = add({
    op: 'attention',
    inputs: [qr, kr, v],
    dims: [KV, G, VALUE],
    scale: 0.5,
    sink: 'sink',
    ...(window !== undefined && { window }),
  })
  const o = add({ op: 'linear', inputs: [a], dims: [H], param: 'o' })
  const r1 = add({ op: 'map', inputs: [e, o], dims: [H], expr: x.add(input(1)).node })
  const logits = add({ op: 'linear', inputs: [r1], dims: [E], param: 'router' })
  const route = add({
    op: 'route',
    inputs: [logits],
    dims: [S],
    bias: 'bias',
    score: sigmoid(x).node,
    choose: x.add(input(1)).node,
    topK: 2,
    normalise: true,
    epsilon: 1e-20,
    factor: 1.5,
  })
  const up = add({ op: 'expertLinear', inputs: [r1, route], dims: [S, I], param: 'up' })
  const act = add({ op: 'map', inputs: [up], dims: [S, I], expr: x.mul(sigmoid(x)).add(constant(0)).node })
  const down = add({ op: 'expertLinear', inputs: [act, route], dims: [S, H], param: 'down' })
  const y = add({ op: 'combine', inputs: [down, route], dims: [H] })
  const r2 = add({ op: 'map', inputs: [r1, y], dims: [H], expr: x.add(input(1)).node })
  const t = add({ op: 'tap', inputs: [r2], dims: [H], layer: 0 })
  const head = add({ op: 'linear', inputs: [t], dims: [V], param: 'head' })
  add({ op: 'logits', inputs: [head], dims: [V] })
  return {
    name: 'small',
    nodes,
    params: Object.entries(params).map(([name, dims]) => ({ name, dims, format: f32 })),
  }
}

export function smallParams(seed = 1): ParamSource {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state / 2 ** 32 - 0.5) * 2
  }
  return paramsFromArrays(
    new Map(
      Object.entries(params).map(([name, dims]) => [
        name,
        { values: Float64Array.from({ length: sizeOf(dims) }, next), first: dims[0]!.size },
      ]),
    ),
  )
}
