/**
 * share-heads: attention with fewer KV heads than ranks.
 *
 * Vocabulary: `copies` ranks *share* a KV head: each holds its keys and values, and an equal part of the query heads that
 * read it. A *fused* projection [kv, rows] is cut by slices into queries, a key and a value; a rank's rows of it are its part of
 * the first and all of the others, so they are *pieces* of the whole rows and not one range.
 * Invariants: query heads go to ranks in order, so what has KV heads and groups next to each other ([kv, group, ...]) is
 * dealt out in one range a rank, as if it were one parallel dim. Every query head is on exactly one rank.
 */
import type { Dim } from '../../dsl/dim.ts'
import type { Graph, GraphNode, NodeOf } from '../../dsl/graph.ts'
import type { Session } from '../diagnostics/diagnostic.ts'

export const keyOf = (d: Dim): string => `${d.name}=${d.size}`

/** A parallel dim that has fewer elements than there are ranks. */
export interface SharedDim {
  readonly copies: number
  /** Dims that the ranks of one element deal out among themselves: they stand right behind it. */
  readonly inner: ReadonlySet<string>
}

/** A range of the rows of one KV head: `step` further on each rank that shares it (0: the same on all). */
export interface Piece {
  readonly first: number
  readonly count: number
  readonly step: number
}
/** The dim of a fused projection. */
export interface FusedDim {
  readonly key: string
  readonly local: number
  readonly pieces: readonly Piece[]
}

/** KV heads and the groups of query heads that attention reads them with; `remember` keeps heads that nobody here reads. */
function heads(graph: Graph): Map<string, { readonly dim: Dim; readonly groups: Map<string, Dim> }> {
  const found = new Map<string, { dim: Dim; groups: Map<string, Dim> }>()
  const at = (d: Dim) => {
    const known = found.get(keyOf(d)) ?? { dim: d, groups: new Map() }
    found.set(keyOf(d), known)
    return known
  }
  const rules: { readonly [K in GraphNode['op']]?: (dims: readonly Dim[]) => void } = {
    attention: ([kv, group]) => at(kv!).groups.set(keyOf(group!), group!),
    remember: ([kv]) => void at(kv!),
  }
  for (const n of graph.nodes) rules[n.op]?.(graph.nodes[n.inputs[0]!]!.dims)
  return found
}

/** Dims that so many ranks can share; what cannot be shared is missing. */
export function sharedDims(graph: Graph, ranks: number): ReadonlyMap<string, SharedDim> {
  const shared = new Map<string, SharedDim>()
  for (const [key, { dim, groups }] of heads(graph)) {
    const copies = ranks / dim.size
    if (!dim.parallel || copies <= 1 || !Number.isInteger(copies)) continue
    if ([...groups.values()].some((g) => g.size % copies !== 0)) continue
    shared.set(key, { copies, inner: new Set(groups.keys()) })
  }
  return shared
}

/** The product whose rows a value is, through ops that keep its dims. */
function productOf(graph: Graph, id: number): NodeOf<'linear'> | undefined {
  const n = graph.nodes[id]!
  if (n.op === 'linear') return n
  const from = n.inputs[0]
  const same = from !== undefined && graph.nodes[from]!.dims.map(keyOf).join() === n.dims.map(keyOf).join()
  return same ? productOf(graph, from) : undefined
}

/** Fused projections of shared heads, by the product's node. */
export function fusedDims(
  graph: Graph,
  shared: ReadonlyMap<string, SharedDim>,
  session: Session,
): ReadonlyMap<number, FusedDim> {
  const cuts = new Map<number, { readonly dim: Dim; readonly pieces: Piece[] }>()
  for (const n of [...graph.nodes].sort((a, b) => startOf(a) - startOf(b))) {
    if (n.op !== 'slice') continue
    const product = productOf(graph, n.inputs[0]!)
    const [kv, rows] = product?.dims ?? []
    const sharing = kv && shared.get(keyOf(kv))
    if (!product || !sharing || rows?.name !== n.dim) continue
    const pieces: Piece[] = cuts.get(product.id)?.pieces ?? []
    cuts.set(product.id, { dim: rows, pieces })
    const end = endOf(pieces.at(-1), sharing)
    if (n.start < end) {
      session.report('TILE3011', `two slices of '${n.dim}' have rows ${n.start} to ${end} in common`, { span: n.span })
    }
    // Rows that no slice reads are the same on all ranks; what is wrong with them is said where phases are built.
    if (n.start > end) pieces.push({ first: end, count: n.start - end, step: 0 })
    const dealt = n.dims[1] !== undefined && sharing.inner.has(keyOf(n.dims[1]))
    const count = dealt ? n.count / sharing.copies : n.count
    pieces.push({ first: n.start, count, step: dealt ? count : 0 })
  }
  return new Map(
    [...cuts].map(([id, { dim, pieces }]) => {
      const sharing = shared.get(keyOf(graph.nodes[id]!.dims[0]!))!
      const end = endOf(pieces.at(-1), sharing)
      const all = end < dim.size ? [...pieces, { first: end, count: dim.size - end, step: 0 }] : pieces
      return [id, { key: keyOf(dim), local: all.reduce((n, p) => n + p.count, 0), pieces: all }]
    }),
  )
}

const startOf = (n: GraphNode): number => (n.op === 'slice' ? n.start : 0)
const endOf = (p: Piece | undefined, { copies }: SharedDim): number =>
  p === undefined ? 0 : p.first + (p.step > 0 ? copies * p.count : p.count)

/** Where the row that lies at `first` of the whole rows lies on every rank. */
export function localStart({ pieces }: FusedDim, first: number): number {
  const before = pieces.filter((p) => p.first < first)
  return before.reduce((n, p) => n + p.count, 0)
}
