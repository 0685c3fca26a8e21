/**
 * form-phases: the sharded graph becomes segments of phases, with a buffer for every value that crosses a phase.
 *
 * How: cut into pieces, assign nodes to drafts, let every consumer in another phase *demand* the form that it reads, give
 * values that cross pieces a carried slot, and build one segment for each kind of layer.
 * Vocabulary: alias: a tap is the same value as its input. A norm is no value of its own: who reads it reads its input.
 */
import { sizeOf } from '../../dsl/dim.ts'
import type { GraphNode } from '../../dsl/graph.ts'
import type { Fusion } from '../../dsl/schedule-ir.ts'
import type { Session } from '../diagnostics/diagnostic.ts'
import type { ShardedGraph } from '../shard/shard-graph.ts'
import { assignPhases, type Draft, findPrologues } from './assign-phases.ts'
import { buildPhases } from './build-phases.ts'
import { Fusions } from './fusions.ts'
import type { Buffer, PhaseProgram, Segment, SequenceEntry } from './ir.ts'
import { type FormKind, ruleOf } from './op-rules.ts'
import { type Piece, pieceShape, splitPieces } from './split-segments.ts'

/** What the builders of phases may ask about the graph around a piece. */
export interface Surroundings {
  readonly program: string
  /** Whether tokens are sampled from its logits: the target's. Another program only proposes the likeliest. */
  readonly samples: boolean
  readonly graph: ShardedGraph
  readonly session: Session
  readonly node: (id: number) => GraphNode
  /** The value behind taps. */
  readonly alias: (id: number) => number
  /** Whether a node applies the norm that it reads while it stages. */
  readonly applies: (user: GraphNode, input: number) => boolean
  /** Nodes that read a value, through taps too. */
  readonly readers: (value: number) => readonly GraphNode[]
  /** Whether a drafter reads the taps of this graph. */
  readonly tapped: boolean
  /** Forms that consumers outside the producing phase read. */
  readonly demands: (value: number) => ReadonlySet<FormKind>
  /** Carried slot of a value, if it crosses pieces. */
  readonly slot: (value: number) => string | undefined
  readonly declare: (buffer: Buffer) => void
}

/** One graph of the engine and the name of its program. */
export interface ProgramGraph {
  readonly program: string
  readonly graph: ShardedGraph
}

export interface FormContext {
  readonly session: Session
  /** The author's `fuse` clauses; none: phases take along what they can. */
  readonly fusions?: readonly Fusion[]
}

/** The first graph is the target's; its names stay as they are, those of other programs get the program in front. */
export function formPhases(graphs: readonly ProgramGraph[], ctx: FormContext): PhaseProgram {
  const fusions = new Fusions(ctx.fusions ?? [], ctx.session)
  const first = graphs[0]!.graph
  const tapped = graphs.some((g) => g.graph.nodes.some((n) => n.op === 'input' && n.name === 'taps'))
  const buffers = new Map<string, Buffer>()
  const segments: Segment[] = []
  const sequence: SequenceEntry[] = []
  graphs.forEach(({ program, graph }, number) => {
    const formed = formProgram(program, number > 0, graph, tapped && number === 0, buffers, fusions)
    sequence.push(...formed.sequence.map((e) => ({ ...e, program: number, segment: e.segment + segments.length })))
    segments.push(...formed.segments)
  })
  fusions.conclude()
  const params = new Map(graphs.flatMap((g) => g.graph.params.map((p) => [p.name, p] as const)))
  return {
    name: first.name,
    ranks: first.ranks,
    programs: graphs.map((g) => g.program),
    segments,
    sequence,
    buffers: [...buffers.values()],
    params: [...params.values()],
  }
}

function formProgram(
  program: string,
  prefixed: boolean,
  graph: ShardedGraph,
  tapped: boolean,
  buffers: Map<string, Buffer>,
  fusions: Fusions,
): { readonly segments: Segment[]; readonly sequence: Omit<SequenceEntry, 'program'>[] } {
  const { session } = fusions
  const node = (id: number): GraphNode => graph.nodes[id]!
  const alias = (id: number): number => (ruleOf(node(id)).alias ? alias(node(id).inputs[0]!) : id)
  const consumers = new Map<number, number[]>()
  for (const n of graph.nodes) for (const i of n.inputs) consumers.set(i, [...(consumers.get(i) ?? []), n.id])
  const prologues = findPrologues(graph.nodes, fusions)

  const pieces = splitPieces(graph.nodes)
  const drafts = pieces.map((p) => assignPhases(p, { nodes: graph.nodes, consumers, prologues, fusions }))
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
    if (prologues.everywhere(user.id)) continue
    user.inputs.forEach((input, i) => {
      const through = prologues.by(user, input) ? node(input).inputs[0]! : input
      const value = alias(through)
      const draft = draftOf.get(user.id)
      if (through === input && draft && draftOf.get(input) === draft) return
      if (ruleOf(user).alias || ruleOf(node(value)).everywhere) return
      const form = ruleOf(user).reads?.(i, node(value).dims[0]?.name === 'slot')
      if (!form || (through !== input && form !== 'columns')) {
        session.report('TILE3010', `'${user.op}' cannot read the result of '${node(input).op}' from another phase`, {
          span: user.span,
          notes: [{ message: `the value is made here`, ...(node(input).span && { span: node(input).span! }) }],
          help: 'let it follow its producer directly, with nothing between them that starts a phase of its own',
        })
        return
      }
      if (ruleOf(node(value)).buffer !== undefined) return
      demanded.set(value, (demanded.get(value) ?? new Set()).add(form))
      lastUse.set(value, Math.max(lastUse.get(value) ?? 0, pieceOf.get(user.id)!))
      const reader = form === 'plain' ? user.id - 1 : (draft?.followers.at(-1)?.id ?? user.id)
      heldUntil.set(value, Math.max(heldUntil.get(value) ?? 0, reader))
    })
  }

  const prefix = prefixed ? `${program}_` : ''
  const slots = assignSlots(
    pieces,
    (v) => pieceOf.get(v)!,
    lastUse,
    heldUntil,
    (v) => sizeOf(node(v).dims),
    `${prefix}x`,
  )
  const slotForms = new Map<string, Set<FormKind>>()
  for (const [value, slot] of slots) {
    slotForms.set(slot, new Set([...(slotForms.get(slot) ?? []), ...(demanded.get(value) ?? [])]))
  }
  const around: Surroundings = {
    program,
    samples: !prefixed,
    graph,
    session,
    node,
    alias,
    applies: prologues.by,
    demands: (v) => (slots.has(v) ? slotForms.get(slots.get(v)!)! : (demanded.get(v) ?? new Set())),
    readers: (v) => graph.nodes.filter((n) => n.inputs.some((i) => alias(i) === v)),
    slot: (v) => slots.get(v),
    tapped,
    declare: (b) => void buffers.set(b.name, b),
  }

  const segments: { name: string; layers: string[]; phases: Segment['phases'] }[] = []
  const kinds = new Map<string, number>()
  let taps = 0
  const sequence: Omit<SequenceEntry, 'program'>[] = []
  pieces.forEach((piece, i) => {
    const key = `${pieceShape(piece, tapped)}\n${crossings(piece, slots, lastUse, pieceOf)}`
    let kind = piece.layer === undefined ? undefined : kinds.get(key)
    if (kind === undefined && drafts[i]!.length === 0) return
    if (kind === undefined) {
      kind = segments.length
      kinds.set(key, kind)
      const taken = new Set(segments.map((s) => s.name))
      const name = prefix + segmentName(piece, drafts[i]!, i, pieces.length, taken, prefix)
      segments.push({ name, layers: [], phases: buildPhases(name, piece, drafts[i]!, around) })
    }
    if (piece.layer !== undefined) segments[kind]!.layers.push(piece.layer)
    sequence.push({ segment: kind, ...(piece.layer !== undefined && { layer: piece.layer }), taps })
    taps += piece.nodes.filter((n) => n.op === 'tap').length
  })
  if (!graph.nodes.some((n) => n.op === 'logits')) concludeProgram(program, graph, segments, sequence, taps)
  return { segments, sequence }
}

/** A program without logits ends with a phase that waits for the caches that it filled. */
function concludeProgram(
  program: string,
  graph: ShardedGraph,
  segments: { name: string; layers: string[]; phases: Segment['phases'] }[],
  sequence: Omit<SequenceEntry, 'program'>[],
  taps: number,
): void {
  const written = segments.flatMap((s) => s.phases.flatMap((p) => p.writes))
  const span = graph.nodes.at(-1)?.span
  sequence.push({ segment: segments.length, taps })
  segments.push({
    name: `${program}_end`,
    layers: [],
    phases: [
      {
        kind: 'sample',
        name: 'conclude',
        ...(span && { span }),
        program,
        vocabulary: 0,
        reads: [...new Set(written)],
        writes: [],
      },
    ],
  })
}

/** Gives every value that is read in a later piece a slot; a slot is free again once its last reader is done. */
function assignSlots(
  pieces: readonly Piece[],
  pieceOf: (value: number) => number,
  lastUse: ReadonlyMap<number, number>,
  heldUntil: ReadonlyMap<number, number>,
  size: (value: number) => number,
  name: string,
): Map<number, string> {
  const slots = new Map<number, string>()
  const held = new Map<string, { until: number; size: number }>()
  for (const piece of pieces) {
    for (const n of piece.nodes) {
      if ((lastUse.get(n.id) ?? -1) <= pieceOf(n.id)) continue
      const until = heldUntil.get(n.id)!
      const free = [...held].find(([, h]) => h.until < n.id && h.size === size(n.id))
      const slot = free?.[0] ?? (held.size === 0 ? name : `${name}${held.size + 1}`)
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

function segmentName(
  piece: Piece,
  drafts: readonly Draft[],
  at: number,
  count: number,
  taken: ReadonlySet<string>,
  prefix: string,
): string {
  if (piece.layer === undefined) return at === 0 ? 'begin' : at === count - 1 ? 'end' : `between${at}`
  const attention = piece.nodes.find((n) => n.op === 'attention')
  const words = [
    attention && (attention.op === 'attention' && attention.window !== undefined ? 'sliding' : 'full'),
    drafts.some((d) => d.kind === 'route') ? 'experts' : 'dense',
  ].filter((w) => w !== undefined)
  const base = attention ? words.join('_') : 'layer'
  for (let i = 1; ; i++) {
    const name = i === 1 ? base : `${base}${i}`
    if (!taken.has(prefix + name)) return name
  }
}
