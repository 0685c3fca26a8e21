/**
 * form-phases: the sharded graph becomes segments of phases, with a buffer for every value that crosses a phase.
 *
 * How: cut into pieces, assign nodes to drafts, let every consumer in another phase *demand* the form that it reads, give
 * values that cross pieces a carried slot, and build one segment for each kind of layer.
 * Vocabulary: alias: a tap is the same value as its input. A norm is no value of its own: who reads it reads its input.
 */
import { sizeOf } from '../../dsl/dim.ts'
import type { GraphNode, OpKind } from '../../dsl/graph.ts'
import type { Session } from '../diagnostics/diagnostic.ts'
import type { ShardedGraph } from '../shard/shard-graph.ts'
import { assignPhases, type Draft, isPrologue } from './assign-phases.ts'
import { buildPhases } from './build-phases.ts'
import type { Buffer, Form, PhaseProgram, Segment } from './ir.ts'
import { type Piece, pieceShape, splitPieces } from './split-segments.ts'

type FormKind = Form['kind']

/** What the builders of phases may ask about the graph around a piece. */
export interface Surroundings {
  readonly graph: ShardedGraph
  readonly session: Session
  readonly node: (id: number) => GraphNode
  /** The value behind taps. */
  readonly alias: (id: number) => number
  /** Forms that consumers outside the producing phase read. */
  readonly demands: (value: number) => ReadonlySet<FormKind>
  /** Carried slot of a value, if it crosses pieces. */
  readonly slot: (value: number) => string | undefined
  readonly declare: (buffer: Buffer) => void
}

/** The form in which an op reads input i from another phase; undefined: it cannot, or needs none. */
const reads: Record<OpKind, (input: number, routed: boolean) => FormKind | undefined> = {
  embed: () => undefined,
  norm: () => undefined,
  linear: () => 'columns',
  expertLinear: (i, routed) => (i > 0 ? undefined : routed ? 'expertColumns' : 'columns'),
  map: () => 'plain',
  slice: () => undefined,
  rope: () => undefined,
  attention: (i) => (['queries', 'keys', 'values'] as const)[i],
  route: () => 'plain',
  combine: () => undefined,
  allReduce: () => undefined,
  tap: () => undefined,
  logits: () => 'logits',
}

export function formPhases(graph: ShardedGraph, ctx: { readonly session: Session }): PhaseProgram {
  const { session } = ctx
  const node = (id: number): GraphNode => graph.nodes[id]!
  const alias = (id: number): number => (node(id).op === 'tap' ? alias(node(id).inputs[0]!) : id)
  const consumers = new Map<number, number[]>()
  for (const n of graph.nodes) for (const i of n.inputs) consumers.set(i, [...(consumers.get(i) ?? []), n.id])

  const pieces = splitPieces(graph.nodes)
  const drafts = pieces.map((p) => assignPhases(p, consumers))
  const draftOf = new Map<number, Draft>()
  const pieceOf = new Map<number, number>()
  pieces.forEach((p, i) => {
    for (const n of p.nodes) pieceOf.set(n.id, i)
  })
  for (const d of drafts.flat()) for (const n of [...d.anchors, ...d.followers]) draftOf.set(n.id, d)

  const demanded = new Map<number, Set<FormKind>>()
  const lastUse = new Map<number, number>()
  /** Last node before whose results a value must stay: a staged input is read until its whole phase is done. */
  const heldUntil = new Map<number, number>()
  for (const user of graph.nodes) {
    if (isPrologue(user)) continue
    user.inputs.forEach((input, i) => {
      const through = isPrologue(node(input)) ? node(input).inputs[0]! : input
      const value = alias(through)
      if (through === input && draftOf.get(input) === draftOf.get(user.id)) return
      if (node(value).op === 'route') return
      const form = reads[user.op](i, node(value).dims[0]?.name === 'slot')
      if (!form || (through !== input && form !== 'columns')) {
        session.report('TILE3010', `'${user.op}' cannot read the result of '${node(input).op}' from another phase`, {
          span: user.span,
          notes: [{ message: `the value is made here`, ...(node(input).span && { span: node(input).span! }) }],
          help: 'let it follow its producer directly, with nothing between them that starts a phase of its own',
        })
        return
      }
      demanded.set(value, (demanded.get(value) ?? new Set()).add(form))
      lastUse.set(value, Math.max(lastUse.get(value) ?? 0, pieceOf.get(user.id)!))
      const reader = form === 'plain' ? user.id - 1 : (draftOf.get(user.id)!.followers.at(-1)?.id ?? user.id)
      heldUntil.set(value, Math.max(heldUntil.get(value) ?? 0, reader))
    })
  }

  const slots = assignSlots(
    pieces,
    (v) => pieceOf.get(v)!,
    lastUse,
    heldUntil,
    (v) => sizeOf(node(v).dims),
  )
  const slotForms = new Map<string, Set<FormKind>>()
  for (const [value, slot] of slots) {
    slotForms.set(slot, new Set([...(slotForms.get(slot) ?? []), ...(demanded.get(value) ?? [])]))
  }
  const buffers = new Map<string, Buffer>()
  const around: Surroundings = {
    graph,
    session,
    node,
    alias,
    demands: (v) => (slots.has(v) ? slotForms.get(slots.get(v)!)! : (demanded.get(v) ?? new Set())),
    slot: (v) => slots.get(v),
    declare: (b) => void buffers.set(b.name, b),
  }

  const segments: { name: string; layers: string[]; phases: Segment['phases'] }[] = []
  const kinds = new Map<string, number>()
  const sequence = pieces.map((piece, i) => {
    const key = `${pieceShape(piece)}\n${crossings(piece, slots, lastUse, pieceOf)}`
    let kind = piece.layer === undefined ? undefined : kinds.get(key)
    if (kind === undefined) {
      kind = segments.length
      kinds.set(key, kind)
      const name = segmentName(piece, drafts[i]!, i, pieces.length, new Set(segments.map((s) => s.name)))
      segments.push({ name, layers: [], phases: buildPhases(name, piece, drafts[i]!, around) })
    }
    if (piece.layer !== undefined) segments[kind]!.layers.push(piece.layer)
    return { segment: kind, ...(piece.layer !== undefined && { layer: piece.layer }) }
  })
  return {
    name: graph.name,
    ranks: graph.ranks,
    segments,
    sequence,
    buffers: [...buffers.values()],
    params: graph.params,
  }
}

/** Gives every value that is read in a later piece a slot; a slot is free again once its last reader is done. */
function assignSlots(
  pieces: readonly Piece[],
  pieceOf: (value: number) => number,
  lastUse: ReadonlyMap<number, number>,
  heldUntil: ReadonlyMap<number, number>,
  size: (value: number) => number,
): Map<number, string> {
  const slots = new Map<number, string>()
  const held = new Map<string, { until: number; size: number }>()
  for (const piece of pieces) {
    for (const n of piece.nodes) {
      if ((lastUse.get(n.id) ?? -1) <= pieceOf(n.id)) continue
      const until = heldUntil.get(n.id)!
      const free = [...held].find(([, h]) => h.until < n.id && h.size === size(n.id))
      const slot = free?.[0] ?? (held.size === 0 ? 'x' : `x${held.size + 1}`)
      held.set(slot, { until, size: size(n.id) })
      slots.set(n.id, slot)
    }
  }
  return slots
}

/** Which slots a piece reads and writes: part of what makes two layers one kind. */
function crossings(
  piece: Piece,
  slots: ReadonlyMap<number, string>,
  lastUse: ReadonlyMap<number, number>,
  pieceOf: ReadonlyMap<number, number>,
): string {
  const at = pieceOf.get(piece.nodes[0]!.id)!
  const entering = new Set(
    piece.nodes.flatMap((n) => n.inputs.filter((i) => pieceOf.get(i) !== at).map((i) => slots.get(i) ?? '?')),
  )
  const leaving = piece.nodes.filter((n) => (lastUse.get(n.id) ?? at) > at).map((n) => slots.get(n.id))
  return `${[...entering].join(' ')} -> ${leaving.join(' ')}`
}

function segmentName(piece: Piece, drafts: readonly Draft[], at: number, count: number, taken: Set<string>): string {
  if (piece.layer === undefined) return at === 0 ? 'begin' : at === count - 1 ? 'end' : `between${at}`
  const attention = piece.nodes.find((n) => n.op === 'attention')
  const words = [
    attention && (attention.op === 'attention' && attention.window !== undefined ? 'sliding' : 'full'),
    drafts.some((d) => d.kind === 'route') ? 'experts' : 'dense',
  ].filter((w) => w !== undefined)
  const base = words.join('_')
  for (let i = 1; ; i++) {
    const name = i === 1 ? base : `${base}${i}`
    if (!taken.has(name)) return name
  }
}
