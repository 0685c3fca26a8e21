/**
 * Program: the steps of one role in one phase as a flat list of operations of one warp, loops unrolled.
 *
 * Vocabulary
 *   op       one thing that matters for order: a sync operation, or an access to something that others touch too
 *   source   the plan's step behind an op, for findings: where it stands and in whose words
 *   skip     a hand-over of the join that another epilogue warp takes
 * How work steps become accesses is the table below; it says what codegen/emit/steps.ts prints for them. An access in a
 * loop is recorded in the first and in the last turn only: what is ordered before the first and after the last is ordered
 * with all in between, because a warp runs in order.
 * Of a sum in two shots every tile is taken for one that the rank owns, unless everything is run as it is: a warp that owns none does the
 * same but for the hop between, in which nothing else is read or written, and after which it knows no less.
 * Invariants that codegen shares: an SM without tiles in a phase does not stage for it, unless a
 * later phase needs it too; norm weights are brought before the phase's first wait, on every SM; the warps of a role meet where
 * they wait for a counter; the routing step ends with a barrier of its role; sampling happens on rank 0, SM 0, by all compute warps, and ends with a barrier. The control of a
 * round is published behind a release fence and relayed behind an acquire fence: other packets carry nothing but themselves,
 * these carry all that the publishing warp knows.
 */
import {
  type Access,
  bringsWeights,
  type ChannelName,
  countersOf,
  dealsTurns,
  type Loop,
  type PhasePlan,
  productIn,
  type RoleName,
  type Step,
  takesJoin,
} from '../plan/ir.ts'
import { bothHalves, ownTiles, type SmView, shareFrom, shareOf, turnsOf } from './shares.ts'

export interface Source {
  readonly segment: string
  readonly phase: PhasePlan
  readonly role: RoleName
  readonly step: Step | undefined
  readonly text: string
}

/** What packets bring: tiles of this rank's part of a sum, to all ranks or to their owners; the sums that owners make of them; logits. */
export type Traffic = 'exchange' | 'sums' | 'logits'

/** Regions of an SM's own shared memory. */
export type LocalRegion = 'choice' | 'route' | 'weights' | 'slots' | 'early scratch' | 'late scratch'

interface ChannelOp<K extends string> {
  readonly kind: K
  readonly channel: ChannelName
  readonly site: number
}

export type Op = { readonly source: Source } & (
  | { readonly kind: 'wait'; readonly counter: string; readonly after: number; readonly site: number }
  /** `after`: executions of the counter in the entry, this one included. */
  | { readonly kind: 'signal'; readonly counter: string; readonly after: number; readonly site: number }
  | { readonly kind: 'waitLocal'; readonly local: string; readonly after: number; readonly site: number }
  /** It takes so many of them. */
  | { readonly kind: 'signalLocal'; readonly local: string; readonly of: number; readonly site: number }
  | ChannelOp<'acquire'>
  | ChannelOp<'commit'>
  | ChannelOp<'await'>
  | ChannelOp<'release'>
  | { readonly kind: 'skip' }
  | { readonly kind: 'barrier' }
  /** An access to a buffer or a cache; `part` own: disjoint from other warps' in the same execution of the same step. */
  | { readonly kind: 'access'; readonly region: string; readonly write: boolean; readonly own: boolean }
  /** A read by the copy engine, any time until the page that is being filled is awaited. */
  | { readonly kind: 'copyFrom'; readonly region: string }
  /** The copy engine reads, and writes the scratch memory, any time until the local is signalled next and somebody waits for that. */
  | { readonly kind: 'bring'; readonly region: string; readonly to: LocalRegion; readonly local: string }
  /** The copy engine writes the page of the ring that is being filled. */
  | { readonly kind: 'copy' }
  /** `ofWarp`: in a part that is the warp's own in all phases that say so. */
  | {
      readonly kind: 'local'
      readonly region: LocalRegion
      readonly write: boolean
      readonly own: boolean
      readonly ofWarp?: true
    }
  /** The current page of the ring, the current slot of the join. */
  | { readonly kind: 'page' }
  | { readonly kind: 'put' }
  | { readonly kind: 'take' }
  | { readonly kind: 'send'; readonly last: boolean; readonly after: number; readonly what: Traffic }
  /** `toOwner`: only the tiles that the rank owns. */
  | {
      readonly kind: 'receive'
      readonly last: boolean
      readonly after: number
      readonly what: Traffic
      readonly toOwner?: true
    }
  | { readonly kind: 'publish' }
  /** The control of a round: every warp leaves the one before, one warp a rank relays what rank 0 published. */
  | { readonly kind: 'leave' }
  | { readonly kind: 'relay' }
  | { readonly kind: 'enter' }
)

type Without<T> = T extends Op ? Omit<T, 'source'> : never
type Bare = Without<Op>

export interface WarpView extends SmView {
  readonly rank: number
  readonly role: RoleName
  readonly warp: number
  readonly warps: number
}

/** Position of a step in the loops around it. */
interface Turn {
  readonly first: boolean
  readonly last: boolean
}
interface Around {
  readonly view: WarpView
  readonly phase: PhasePlan
  readonly steps: readonly Step[]
  readonly emit: (op: Bare) => void
  readonly turn: Turn
}

/** `sources`: those that are known already; a step has one for all warps that run it. */
export function warpProgram(segment: string, phase: PhasePlan, sources: Map<Step, Source>, view: WarpView): Op[] {
  const ops: Op[] = []
  const make = (step: Step): Source => {
    const known = sources.get(step)
    if (known) return known
    const site = 'site' in step ? view.plan.sites[step.site] : undefined
    const source = {
      segment,
      phase,
      role: view.role,
      step,
      text: site ?? `${segment}.${phase.name}/${view.role} ${step.kind}`,
    }
    sources.set(step, source)
    return source
  }
  const to = { view, phase, source: make, ops }
  for (const s of phase.roles[view.role]) if (bringsWeights(s)) bringWeights(s, aroundOf(s, [], whole, to))
  flatten(phase.roles[view.role], whole, to)
  return ops
}

const whole: Turn = { first: true, last: true }
/** The weights of a norm are brought before anything is waited for, once the routed sums before have been taken. */
function bringWeights(s: Extract<Step, { kind: 'stage' }>, a: Around): void {
  a.emit({ kind: 'acquire', channel: 'slots', site: s.site })
  scratch(a, true, true)
}

/** What every warp does before the first entry of a round (codegen/device/engine/control.h). */
export function roundProgram(phase: PhasePlan, view: WarpView, round: number): Op[] {
  const source: Source = { segment: 'round', phase, role: view.role, step: undefined, text: 'round control' }
  const relays = view.role === 'communicate' && view.sm === 0 && view.warp === 0
  const kinds = [...(round > 1 ? ['leave' as const] : []), ...(relays ? ['relay' as const] : []), 'enter' as const]
  return kinds.map((kind) => ({ kind, source }))
}

interface Target {
  readonly view: WarpView
  readonly phase: PhasePlan
  readonly source: (step: Step) => Source
  readonly ops: Op[]
}

function flatten(steps: readonly Step[], turn: Turn, to: Target): void {
  for (const step of steps) {
    if (step.kind === 'loop') {
      loop(step, turn, to)
      continue
    }
    const rule = rules[step.kind] as (s: Step, a: Around) => void
    rule(step, aroundOf(step, steps, turn, to))
  }
}

function aroundOf(step: Step, steps: readonly Step[], turn: Turn, { view, phase, source: of, ops }: Target): Around {
  const source = of(step)
  return { view, phase, steps, turn, emit: (op) => void ops.push({ ...op, source } as Op) }
}

/** What the domain's first line reads, unless the role has found the active experts by itself. */
const headReadsRoute = (l: Loop, turns: number): boolean =>
  l.domain.kind === 'activeShare' || (l.domain.kind === 'activeGroups' && turns > 0)
const looksInTable = ({ phase, view }: Target): boolean => !phase.roles[view.role].some((s) => s.kind === 'findActive')

function loop(l: Loop, turn: Turn, to: Target): void {
  const { view, source, ops } = to
  if (l.domain.kind === 'halves') {
    // What is done for the one half is none of the other's business: each has first and last turns of its own.
    // Which experts a half has stands in the table, for whoever has work in it.
    const looks = productIn(l.body) !== undefined && looksInTable(to)
    for (const half of bothHalves) {
      if (looks) ops.push({ kind: 'local', region: 'route', write: false, own: false, source: source(l) })
      flatten(l.body, turn, { ...to, view: { ...view, half } })
    }
    return
  }
  const turns = turnsOf(l, view)
  if (headReadsRoute(l, turns) && looksInTable(to)) {
    ops.push({ kind: 'local', region: 'route', write: false, own: false, source: source(l) })
  }
  const handed = takesJoin(l)
  const dealt = view.warps > 1 && dealsTurns(l)
  // Hand-overs are dealt out over both halves.
  const before = handed && view.half === 1 ? turnsOf(l, { ...view, half: 0 }) : 0
  const isMine = (i: number): boolean => (!dealt || (before + i) % view.warps === view.warp) && !isOthers(l, i, view)
  const mine = Array.from({ length: turns }, (_, i) => i).filter(isMine)
  for (let i = 0; i < turns; i++) {
    if (!isMine(i)) {
      if (handed) ops.push({ kind: 'skip', source: source(l) })
      continue
    }
    const inner = { first: turn.first && i === mine[0], last: turn.last && i === mine.at(-1) }
    flatten(l.body, inner, to)
  }
}

/** Whether the tile of a turn is known to be another rank's. */
function isOthers({ domain }: Loop, turn: number, { plan, rank, sm, most }: WarpView): boolean {
  if (domain.kind !== 'owned' || most !== Number.POSITIVE_INFINITY) return false
  return (shareFrom(domain.count, sm, plan.sms) + turn) % domain.ranks !== rank
}

function accesses(a: Around, reads: readonly Access[] = [], writes: readonly Access[] = []): void {
  if (!a.turn.first && !a.turn.last) return
  for (const [list, write] of [
    [reads, false],
    [writes, true],
  ] as const) {
    for (const { region: of, part, ofHalf } of list) {
      const region = ofHalf ? halfOf(of, a) : of
      // The round's control is modelled with the rounds themselves.
      if (region === 'control') continue
      if (region === 'route') a.emit({ kind: 'local', region, write, own: false })
      else a.emit({ kind: 'access', region, write, own: part === 'own' })
    }
  }
}

/** Executions of a counter in the entry, up to this phase. */
function countedUpTo({ view, phase }: Around, counter: string): number {
  const { phases } = view.plan.segments.find((s) => s.phases.includes(phase))!
  return phases.slice(0, phases.indexOf(phase) + 1).filter((p) => countersOf(p).includes(counter)).length
}

/** Whether the steps' first loop has a turn on this SM. */
const hasTiles = (a: Around): boolean => {
  const first = a.steps.find((s) => s.kind === 'loop')
  return first?.kind === 'loop' && takesTurns(first, a.view)
}
const takesTurns = (l: Loop, view: SmView): boolean =>
  l.domain.kind === 'halves'
    ? bothHalves.some((half) => l.body.some((s) => s.kind === 'loop' && takesTurns(s, { ...view, half })))
    : turnsOf(l, view) > 0

type Rules = { [K in Exclude<Step['kind'], 'loop'>]: (step: Extract<Step, { kind: K }>, a: Around) => void }
const channel = (s: Extract<Step, { kind: 'acquire' | 'commit' | 'await' | 'release' }>, a: Around): void =>
  a.emit({ kind: s.kind, channel: s.channel, site: s.site })

/** What a half of a buffer is called. */
const halfOf = (region: string, a: Around): string => (a.view.half === 0 ? `${region}, first half` : region)
/** Which of two is meant by what names one for either half. */
const ofHalf = (name: string, early: string | undefined, a: Around): string =>
  a.view.half === 0 && early !== undefined ? early : name
/** The role's scratch memory; in a loop over halves, the rows of that half: those of the other may still be staged or read. */
function scratch(a: Around, write: boolean, ofWarp?: true): void {
  const { half } = a.view
  const op = { kind: 'local' as const, write, own: write, ...(ofWarp && { ofWarp }) }
  if (half !== 1) a.emit({ ...op, region: 'early scratch' })
  if (half !== 0) a.emit({ ...op, region: 'late scratch' })
}

const rules: Rules = {
  wait: (s, a) => {
    a.emit({ kind: 'wait', counter: ofHalf(s.counter, s.early, a), after: s.after, site: s.site })
    // The warps of a role meet where they wait: what they do before it, ahead, is over then.
    if (a.view.warps > 1) a.emit({ kind: 'barrier' })
  },
  signal: (s, a) => {
    // Of tiles, who takes a turn signals, and who has a share; how much it is adds nothing to the order.
    const [by, has] =
      s.of === 'tile' ? [a.view.warp, 1] : [0, s.of === undefined ? 1 : shareOf(s.of, a.view.sm, a.view.plan.sms)]
    if (a.view.warp !== by || has === 0) return
    const counter = ofHalf(s.counter, s.early, a)
    a.emit({ kind: 'signal', counter, after: countedUpTo(a, counter), site: s.site })
  },
  waitLocal: (s, a) => a.emit({ kind: 'waitLocal', local: ofHalf(s.local, s.early, a), after: s.after, site: s.site }),
  signalLocal: (s, a) => {
    const op = { kind: 'signalLocal' as const, local: ofHalf(s.local, s.early, a), site: s.site }
    if (s.each) a.emit({ ...op, of: a.view.warps })
    else if (a.view.warp === 0) a.emit({ ...op, of: 1 })
  },
  acquire: channel,
  commit: channel,
  await: channel,
  release: channel,
  barrier: (_s, a) => a.emit({ kind: 'barrier' }),
  copyPage: (s, a) => {
    accesses(a, s.reads)
    a.emit({ kind: 'copy' })
  },
  copyGroup: (s, a) => {
    accesses(a, s.reads)
    a.emit({ kind: 'copy' })
  },
  copySpan: (s, a) => {
    for (const { region } of s.reads ?? []) a.emit({ kind: 'copyFrom', region })
    a.emit({ kind: 'copy' })
  },
  stage: (s, a) => {
    if (s.kept?.role !== 'keep' && !hasTiles(a)) return
    accesses(a, s.reads, s.writes)
    if (bringsWeights(s)) scratch(a, false, true)
    // Its squares lie where its weights were.
    if (s.product.byChunk) scratch(a, true, true)
  },
  stageChunk: (s, a) => {
    accesses(a, s.reads, s.writes)
    scratch(a, false, true)
  },
  stagePage: (s, a) => accesses(a, s.reads, s.writes),
  stageRows: (s, a) => {
    accesses(a, s.reads, s.writes)
    scratch(a, true)
  },
  bringRows: (s, a) => {
    const { source } = s.of
    accesses(
      a,
      s.reads?.filter((r) => r.region !== source),
    )
    const to = a.view.half === 0 ? 'early scratch' : 'late scratch'
    a.emit({ kind: 'bring', region: halfOf(source, a), to, local: ofHalf(s.local, s.early, a) })
  },
  clear: () => {},
  // Positions are there from the round's beginning.
  rotations: () => {},
  multiply: (s, a) => {
    a.emit({ kind: 'page' })
    accesses(a, s.reads, s.writes)
  },
  multiplyGroup: (s, a) => {
    a.emit({ kind: 'page' })
    accesses(a, s.reads, s.writes)
    if (!a.turn.first && !a.turn.last) return
    if (s.product.input?.shared) scratch(a, false)
    a.emit({ kind: 'local', region: 'slots', write: true, own: true })
  },
  joinPut: (_s, a) => a.emit({ kind: 'put' }),
  finish: (s, a) => {
    const { view } = a
    if (s.from === 'slots' && s.elements !== 'after') {
      // A warp takes every warps-th of the SM's tiles.
      if (ownTiles(s.product, view) <= view.warp) return
      a.emit({ kind: 'local', region: 'slots', write: false, own: false })
      a.emit({ kind: 'local', region: 'weights', write: false, own: false })
    } else if (s.elements !== 'after') a.emit({ kind: 'take' })
    const logits = gathers(a)
    const { last } = a.turn
    if (s.elements === 'after' && (a.turn.first || last))
      a.emit({ kind: 'receive', last, after: s.after, what: s.product.exchange === 2 ? 'sums' : 'exchange' })
    accesses(a, s.reads, s.writes)
    if ((s.elements === 'before' || logits) && (a.turn.first || last))
      a.emit({ kind: 'send', last, after: s.after, what: logits ? 'logits' : 'exchange' })
  },
  addParts: (s, a) => {
    const { first, last } = a.turn
    if (first || last) a.emit({ kind: 'receive', last, after: s.after, what: 'exchange', toOwner: true })
  },
  spread: (s, a) => {
    const { first, last } = a.turn
    if (first || last) a.emit({ kind: 'send', last, after: s.after, what: 'sums' })
  },
  gatherLogits: (s, a) => {
    const { plan, rank, sm, warp, warps } = a.view
    const tiles = plan.ranks * s.product.geometry.tiles
    if (rank !== 0 || shareOf(tiles, sm * warps + warp, plan.sms * warps) === 0) return
    a.emit({ kind: 'receive', last: true, after: 0, what: 'logits' })
    accesses(a, s.reads, s.writes)
  },
  openTable: (s, a) => {
    a.emit({ kind: 'acquire', channel: 'slots', site: s.site })
    a.emit({ kind: 'local', region: 'route', write: true, own: true })
  },
  choose: (s, a) => {
    accesses(a, s.reads)
    if (s.scaled) scratch(a, false)
    // Logits are kept where routed sums will lie.
    a.emit({ kind: 'local', region: 'slots', write: true, own: true })
    a.emit({ kind: 'local', region: 'choice', write: true, own: true })
    a.emit({ kind: 'local', region: 'weights', write: true, own: true, ofWarp: true })
  },
  route: (s, a) => {
    // Of the scores that the same warp has left there.
    a.emit({ kind: 'local', region: 'weights', write: true, own: true, ofWarp: true })
    a.emit({ kind: 'barrier' })
    a.emit({ kind: 'local', region: 'choice', write: false, own: false })
    if (a.view.warp === 0) accesses(a, [], s.writes)
    a.emit({ kind: 'barrier' })
  },
  findActive: (_s, a) => a.emit({ kind: 'local', region: 'choice', write: false, own: false }),
  takeScale: (_s, a) => scratch(a, false),
  openTile: (s, a) => {
    accesses(a, s.reads)
    // Queries may reach from the scratch memory into the slots. What a warp has there it alone reads, and before it leaves the tile.
    scratch(a, true)
    a.emit({ kind: 'local', region: 'slots', write: true, own: true })
  },
  attendSpan: (s, a) => {
    a.emit({ kind: 'page' })
    accesses(a, s.reads)
  },
  leaveTile: (s, a) => accesses(a, [], s.writes),
  attendNear: (s, a) => {
    accesses(a, s.reads, s.writes)
    scratch(a, true)
  },
  mergeNear: (s, a) => {
    scratch(a, false)
    accesses(a, s.reads, s.writes)
  },
  mergeChunks: (s, a) => accesses(a, s.reads, s.writes),
  embed: (s, a) => accesses(a, s.reads, s.writes),
  normed: (s, a) => accesses(a, s.reads, s.writes),
  // Weights are never written while rounds run, and nobody waits for them to be in L2.
  prefetch: () => {},
  pointwise: (s, a) => accesses(a, s.reads, s.writes),
  firsts: (s, a) => {
    if (a.view.rank === 0) accesses(a, s.reads, s.writes)
  },
  sample: (s, a) => {
    if (a.view.rank !== 0 || a.view.sm !== 0) return
    accesses(a, s.reads)
    if (s.phase.firsts !== undefined) a.emit({ kind: 'barrier' })
    if (a.view.warp === 0) a.emit({ kind: 'publish' })
  },
}

/** Whether the phase sends its results to rank 0 as logits. */
const gathers = (a: Around): boolean => a.phase.roles.compute.some((s) => s.kind === 'gatherLogits')
