/**
 * shard-graph: the graph of one model becomes the graph of one rank of N.
 *
 * Vocabulary: a *parallel* dim is split into N contiguous slices, one a rank; every other dim is whole on every rank. A
 * value is *partial* when each rank holds a summand of it: a contraction over a parallel dim makes it so, ops that are
 * linear in it pass it on, and the first op that is not gets an allReduce in front.
 * Attention with fewer KV heads than ranks shares heads among ranks (share-heads.ts).
 * Invariants: all ranks get the same graph (only the slices of the weights differ); with one rank the graph is unchanged.
 */
import { type Dim, sizeOf } from '../../dsl/dim.ts'
import type { Graph, GraphNode, OpKind, Param } from '../../dsl/graph.ts'
import type { Session } from '../diagnostics/diagnostic.ts'
import { type FusedDim, fusedDims, keyOf, localStart, type Piece, type SharedDim, sharedDims } from './share-heads.ts'

/** A parameter as one rank holds it: `dims` are local sizes; the slice of rank r starts at `r * local` of the split dim. */
export interface ShardedParam extends Param {
  /** Sizes over all ranks. */
  readonly whole: readonly Dim[]
  /** Index of the dim that is split, undefined when every rank holds all of it. */
  readonly split?: number
  /** Ranks share elements of the split dim: which rows of an element a rank has (all of them where it says nothing). */
  readonly shared?: SharedRows
}

export interface SharedRows {
  /** Ranks that share an element: rank r has rows of element r / copies. */
  readonly copies: number
  /** Rows of an element, and the ranges of them that a rank has; `step` further on each rank that shares it. */
  readonly rows: number
  readonly pieces: readonly Piece[]
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
  const shared = sharedDims(graph, ranks)
  const fused = fusedDims(graph, shared, session)
  const local = (d: Dim): Dim => {
    if (!d.parallel || ranks === 1) return d
    const sharing = shared.get(keyOf(d))
    if (sharing) return { ...d, size: 1 }
    if (d.size % ranks !== 0 && !refused.has(d.name)) {
      refused.add(d.name)
      const legal = legalRanks(graph, d)
      session.report('TILE3001', `${ranks} ranks do not divide dim '${d.name}' of size ${d.size}`, {
        help: `use a number of ranks that divides ${d.size}${legal.some((r) => r > d.size) ? ', or that its groups of queries can be dealt out to' : ''}: ${legal.join(', ')}`,
      })
    }
    return { ...d, size: Math.ceil(d.size / ranks) }
  }
  /** Dims of a value or a param on one rank; `cut`: the dim that is fused of parts of one KV head. */
  const localDims = (dims: readonly Dim[], cut: FusedDim | undefined): Dim[] =>
    dims.map((d, i) => {
      const sharing = i > 0 ? shared.get(keyOf(dims[i - 1]!)) : undefined
      if (sharing?.inner.has(keyOf(d))) return { ...d, size: d.size / sharing.copies }
      if (sharing && cut?.key === keyOf(d)) return { ...d, size: cut.local }
      return local(d)
    })
  const users = new Map(graph.nodes.flatMap((n) => ('param' in n ? [[n.param, n] as const] : [])))
  const params = graph.params.map((p): ShardedParam => {
    const split = ranks === 1 ? -1 : p.dims.findIndex((d) => d.parallel)
    const user = users.get(p.name)
    const cut = user && fused.get(user.id)
    const rows = split >= 0 ? sharedRows(p, split, shared, user, cut) : undefined
    return {
      ...p,
      whole: p.dims,
      dims: localDims(p.dims, cut),
      ...(split >= 0 && { split }),
      ...(rows && { shared: rows }),
    }
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
    const cut = fusedIn(graph, node, fused)
    const dims = localDims(node.dims, cut)
    // A slice of rows that ranks share begins elsewhere in the rows of one rank.
    const from = node.op === 'slice' ? fusedIn(graph, graph.nodes[node.inputs[0]!]!, fused) : undefined
    const moved = from && node.op === 'slice' ? { start: localStart(from, node.start), count: slicedRows(dims) } : {}
    if (countsTwice(graph, node, paramOf, shared)) {
      session.report(
        'TILE3001',
        `${ranks} ranks share the heads that this sums over, and each would be counted more than once`,
        {
          span: node.span,
          help: `use a number of ranks that divides the heads`,
        },
      )
    }
    nodes.push({ ...node, ...moved, id, inputs, dims })
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

/** The fused rows that a value still has: its product's, through ops that keep its dims. */
function fusedIn(graph: Graph, node: GraphNode, fused: ReadonlyMap<number, FusedDim>): FusedDim | undefined {
  const own = fused.get(node.id)
  if (own) return own
  const input = node.inputs[0] === undefined ? undefined : graph.nodes[node.inputs[0]]
  const cut = input && fusedIn(graph, input, fused)
  return cut && node.dims.some((d) => keyOf(d) === cut.key) ? cut : undefined
}

/** Elements of a slice of one KV head. */
const slicedRows = (dims: readonly Dim[]): number => sizeOf(dims.slice(1))

/** Which rows of a shared head a rank's slice of a param has; nothing where groups of queries are dealt out with the heads. */
function sharedRows(
  p: Param,
  split: number,
  shared: ReadonlyMap<string, SharedDim>,
  user: GraphNode | undefined,
  cut: FusedDim | undefined,
): SharedRows | undefined {
  const sharing = shared.get(keyOf(p.dims[split]!))
  const behind = p.dims[split + 1]
  if (!sharing || (behind && sharing.inner.has(keyOf(behind)))) return undefined
  const rows = sizeOf((user?.dims ?? p.dims).slice(split + 1))
  return { copies: sharing.copies, rows, pieces: cut ? cut.pieces : [{ first: 0, count: rows, step: 0 }] }
}

/** Whether the op sums over heads that ranks share without their groups of queries being dealt out. */
function countsTwice(
  graph: Graph,
  node: GraphNode,
  params: ReadonlyMap<string, Param>,
  shared: ReadonlyMap<string, SharedDim>,
): boolean {
  if (!contractsParallel(graph, node, params) || !('param' in node)) return false
  const { dims } = params.get(node.param)!
  return dims.some((d, i) => {
    const sharing = shared.get(keyOf(d))
    return sharing !== undefined && !(dims[i + 1] && sharing.inner.has(keyOf(dims[i + 1]!)))
  })
}

/** Numbers of ranks that a dim can be dealt out to. */
const legalRanks = (graph: Graph, d: Dim): number[] =>
  [1, 2, 4, 8].filter((ranks) => d.size % ranks === 0 || sharedDims(graph, ranks).has(keyOf(d)))

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
