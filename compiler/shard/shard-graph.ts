/**
 * shard-graph: the graph of one model becomes the graph of one rank of N.
 *
 * Vocabulary: a *parallel* dim is split into N contiguous slices, one a rank; every other dim is whole on every rank. A
 * value is *partial* when each rank holds a summand of it: a contraction over a parallel dim makes it so, ops that are
 * linear in it pass it on, and the first op that is not gets an allReduce in front.
 * Invariants: all ranks get the same graph (only the slices of the weights differ); with one rank the graph is unchanged.
 */
import { type Dim, sizeOf } from '../../dsl/dim.ts'
import type { Graph, GraphNode, OpKind, Param } from '../../dsl/graph.ts'
import type { Session } from '../diagnostics/diagnostic.ts'

/** A parameter as one rank holds it: `dims` are local sizes; the slice of rank r starts at `r * local` of the split dim. */
export interface ShardedParam extends Param {
  /** Sizes over all ranks. */
  readonly whole: readonly Dim[]
  /** Index of the dim that is split, undefined when every rank holds all of it. */
  readonly split?: number
}

export interface ShardedGraph {
  readonly name: string
  readonly ranks: number
  readonly nodes: readonly GraphNode[]
  readonly params: readonly ShardedParam[]
}

/** What sharding knows of an op kind; of one that has no entry, that it wants whole inputs and makes a whole result. */
interface ShardRule {
  /** Its result is linear in a partial input, so the sum over ranks may be taken later. */
  readonly passesPartial?: true
  /** It sums over the dims that its param and its input share. */
  readonly contracts?: true
}

const rules: { readonly [K in OpKind]?: ShardRule } = {
  linear: { contracts: true },
  expertLinear: { contracts: true },
  combine: { passesPartial: true },
  slice: { passesPartial: true },
}

export function shardGraph(graph: Graph, ctx: { readonly ranks: number; readonly session: Session }): ShardedGraph {
  const { ranks, session } = ctx
  const refused = new Set<string>()
  const local = (d: Dim): Dim => {
    if (!d.parallel || ranks === 1) return d
    if (d.size % ranks !== 0 && !refused.has(d.name)) {
      refused.add(d.name)
      session.report('TILE3001', `${ranks} ranks do not divide dim '${d.name}' of size ${d.size}`, {
        help: `use a number of ranks that divides ${d.size}: ${divisors(d.size).join(', ')}`,
      })
    }
    return { ...d, size: Math.ceil(d.size / ranks) }
  }
  const params = graph.params.map((p): ShardedParam => {
    const split = ranks === 1 ? -1 : p.dims.findIndex((d) => d.parallel)
    return { ...p, whole: p.dims, dims: p.dims.map(local), ...(split >= 0 && { split }) }
  })
  const paramOf = new Map(graph.params.map((p) => [p.name, p]))

  const nodes: GraphNode[] = []
  /** Old id -> new id of its value, and whether that value is partial. */
  const value: { id: number; partial: boolean }[] = []
  const reduced = new Map<number, number>()
  const whole = (old: number): number => {
    const v = value[old]!
    if (!v.partial) return v.id
    const known = reduced.get(old)
    if (known !== undefined) return known
    const source = nodes[v.id]!
    const id = nodes.length
    nodes.push({
      id,
      op: 'allReduce',
      inputs: [v.id],
      dims: source.dims,
      scope: source.scope,
      ...(source.span && { span: source.span }),
    })
    reduced.set(old, id)
    return id
  }
  for (const node of graph.nodes) {
    const passes = rules[node.op]?.passesPartial === true
    const inputs = node.inputs.map((i) => (passes ? value[i]!.id : whole(i)))
    const id = nodes.length
    nodes.push({ ...node, id, inputs, dims: node.dims.map(local) })
    const inherits = passes && node.inputs.some((i) => value[i]!.partial)
    value.push({ id, partial: ranks > 1 && (inherits || contractsParallel(graph, node, paramOf)) })
  }
  return { name: graph.name, ranks, nodes, params }
}

/** Whether the op sums over a dim that is split: a dim of its weight and of its input that its result lacks. */
function contractsParallel(graph: Graph, node: GraphNode, params: ReadonlyMap<string, Param>): boolean {
  if (!rules[node.op]?.contracts || !('param' in node)) return false
  const result = new Set(node.dims.map((d) => d.name))
  const input = new Set(graph.nodes[node.inputs[0]!]!.dims.map((d) => d.name))
  return params.get(node.param)!.dims.some((d) => d.parallel && input.has(d.name) && !result.has(d.name))
}

function divisors(n: number): number[] {
  return [1, 2, 4, 8].filter((d) => n % d === 0)
}

/** Bytes of a parameter as stored, scales included; what one rank reads of the checkpoint. */
export function paramBytes(p: { readonly dims: readonly Dim[]; readonly format: Param['format'] }): number {
  const n = sizeOf(p.dims)
  const f = p.format
  if (f.kind === 'plain') return n * (f.scalar === 'f32' ? 4 : 2)
  const columns = p.dims.at(-1)!.size
  const rows = n / columns
  const scales = Math.ceil(rows / f.block[0]) * Math.ceil(columns / f.block[1]) * (f.scale === 'f32' ? 4 : 1)
  return (n * f.codes.bits) / 8 + scales
}
