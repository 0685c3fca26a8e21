/**
 * The plan: which role does what, in which order, on which SM, and every signal in between. Codegen prints it, the
 * verifier executes it, inspect shows it: there is no second description of the engine.
 *
 * Vocabulary
 *   role program  the steps of one role in one phase; roles of an SM run side by side, phases of a role in order
 *   site          the number of one sync step, for faults, traces and mutations; `sites` holds their names
 *   counter       grows by one for each SM that is done with a phase; phases that write the same carried value share one
 *   channel       bounded hand-over inside an SM: ring (load -> compute), join and slots (compute -> epilogue)
 *   local         a counter in shared memory: all rows have chosen, the route table is ready; the results of one half are stored, or lie near
 *   region        what a step reads or writes, for the race proof: a buffer, a cache, the route table
 *   entry         one position of the sequence of a round: a segment, and the layer that it runs as
 *   shots         a sum over ranks in one: parts of a tile go to every rank. In two: parts go to the tile's *owner*, tile % ranks, the
 *                 sum goes to every rank
 *   halves        active experts in two parts, whole groups in the first: what `up` makes of the first is handed over, under a
 *                 counter of its own (`early`), while the second is multiplied
 * Invariants: every sync step has a site of its own; counters only grow, and each SM signals a counter exactly once for
 * each execution of a phase that owns it; loops over one half lie in a loop over both; loops are data-independent except over
 * active experts and over spans.
 */
import type { ExprNode } from '../../dsl/expr.ts'
import type { ExchangeType, Shots } from '../../dsl/schedule-ir.ts'
import type { Span } from '../../dsl/span.ts'
import type {
  AttendPhase,
  Buffer,
  EmbedPhase,
  FirstsPhase,
  MergePhase,
  NearPhase,
  Norm,
  NormedPart,
  PointwisePhase,
  RoutePhase,
  SamplePhase,
  Section,
} from '../tile/ir.ts'
import type { Geometry } from './geometry.ts'

export const roleNames = ['load', 'compute', 'epilogue', 'communicate'] as const
export type RoleName = (typeof roleNames)[number]
export type ChannelName = 'ring' | 'join' | 'slots'

export interface Role {
  readonly name: RoleName
  readonly warps: number
  readonly registers: number
}

/** What the steps of a loop run over. `share`: this SM's part of the count, in order. */
export type Domain =
  | { readonly kind: 'share'; readonly count: number }
  /** Of this SM's part of the count those that come to this rank, dealt out over ranks in turn: the tiles that it owns. */
  | { readonly kind: 'owned'; readonly count: number; readonly ranks: number }
  /** One half of the active experts after the other. */
  | { readonly kind: 'halves' }
  /** Experts of the half x count, dealt out over SMs in turn: experts are complete one after the other, and what SMs stream at one
      time lies together. */
  | { readonly kind: 'activeShare'; readonly count: number; readonly experts: number }
  /** Experts of the half in groups of `size`, all of them on every SM. */
  | { readonly kind: 'activeGroups'; readonly size: number; readonly experts: number }
  /** This SM's part of KV heads x the chunks, of so many spans, that the block's rows can see x parts of the m tiles. */
  | {
      readonly kind: 'chunkShare'
      readonly kv: number
      readonly mTiles: number
      readonly spans: number
      readonly window?: number
    }
  /** Those spans of a chunk that rows can see, at most so many. */
  | { readonly kind: 'chunk'; readonly spans: number }
  /** Pages of a tile. */
  | { readonly kind: 'range'; readonly count: number }

/** `part`: which of disjoint parts; `own` = by this SM's share of the phase, `all` = any. */
export interface Access {
  readonly region: string
  readonly part: 'own' | 'all'
  /** Only what belongs to experts of the half that the loop around is at. */
  readonly ofHalf?: true
}

export interface SyncBase {
  readonly site: number
}
interface ChannelStep<K extends string> extends SyncBase {
  readonly kind: K
  readonly channel: ChannelName
}
export type SyncStep =
  /** Until the counter has seen `after` more executions than at the beginning of the entry. */
  | (SyncBase & { readonly kind: 'wait'; readonly counter: string; readonly after: number; readonly early?: string })
  /**
   * By the role's first warp, for the SM. `early`: the counter instead while a loop over halves is at the first. `of`: the counter counts tiles:
   * `tile`, one, by each warp that takes the turn of the loop around; a number, one for each of this SM's share of so many, all at once.
   */
  | (SyncBase & {
      readonly kind: 'signal'
      readonly counter: string
      readonly early?: string
      readonly of?: 'tile' | number
    })
  | (SyncBase & {
      readonly kind: 'waitLocal'
      readonly local: string
      readonly after: number
      readonly early?: string
      /** The input of this product is what it waits for (`bringRows`). */
      readonly rows?: ProductPlan
    })
  /** By the role's first warp; `each`: by every warp of it, so that none of them waits for the others. */
  | (SyncBase & {
      readonly kind: 'signalLocal'
      readonly local: string
      readonly early?: string
      readonly each?: true
    })
  | ChannelStep<'acquire'>
  | ChannelStep<'commit'>
  | ChannelStep<'await'>
  | ChannelStep<'release'>
  /** All warps of the role on this SM. `within` a phase: what they hand over is shared memory. */
  | (SyncBase & { readonly kind: 'barrier'; readonly within?: true })

/** Where a param lies: from the entry's image, or, if it is placed with another segment, from that segment's only entry. */
export interface ImagePlace {
  readonly offset: number
  readonly segment?: number
}

/** Where a product's operands lie; shared by the work steps of its roles. */
export interface ProductPlan {
  readonly name: string
  readonly geometry: Geometry
  readonly format: 'f32' | 'bf16' | 'e4m3' | 'e2m1'
  readonly image: ImagePlace
  readonly source: string
  /** The source has the parts of all ranks; a rank stages its own. */
  readonly ofRank?: true
  /** `scale`: of the sum's columns, from the mean of squares, where what is staged is multiplied by the weight alone (norm-scale.ts). */
  readonly norm?: Norm & { readonly image: ImagePlace; readonly scale?: ExprNode }
  readonly routed?: 'up' | 'down'
  readonly topK: number
  readonly sections: readonly Section[]
  readonly period: number
  readonly rows: number
  readonly tileRows: number
  /** It sums over ranks, in so many shots. */
  readonly exchange?: Shots
  /** Registers do not hold a warp's whole part of the input: it is staged page by page. */
  readonly restaged?: true
  /** Before it multiplies, an SM stages the chunk of k that its tile takes; all of the input, for a later phase, when it has. The sums are left
      without the norm's scale, which routing applies (stage-by-chunk.ts). */
  readonly byChunk?: true
  /** Its input was staged by a product that does so by chunk, and left its squares: the norm's scale is taken from there, once, not from each hand-over. */
  readonly scaleLeft?: true
  /** Of a routed `down`: how an SM's own tiles fill pages. A page has the tiles of several experts, or those of one take several pages. */
  readonly paging?: { readonly experts: number; readonly pages: number }
  /** Of a routed `down`: slots of a row, and whether all rows' inputs are staged in shared memory, once a phase. */
  readonly input?: { readonly topK: number; readonly shared: boolean }
}

/** A product whose input stays staged in registers for a later phase on the same SM, named after the phase that stages. */
export interface Kept {
  readonly role: 'keep' | 'reuse'
  readonly name: string
}

/** What a role computes between its sync steps. `reads` / `writes` are what the race proof sees. */
export type WorkStep = { readonly reads?: readonly Access[]; readonly writes?: readonly Access[] } & (
  | { readonly kind: 'copyPage'; readonly site: number; readonly product: ProductPlan }
  | { readonly kind: 'copyGroup'; readonly site: number; readonly product: ProductPlan }
  | { readonly kind: 'copySpan'; readonly site: number; readonly attend: AttendPhase }
  | { readonly kind: 'stage'; readonly site: number; readonly product: ProductPlan; readonly kept?: Kept }
  /** The input of one page, where it is not staged as a whole. */
  | { readonly kind: 'stagePage'; readonly product: ProductPlan }
  /** The input of one tile's chunk, where all of it is staged later. */
  | { readonly kind: 'stageChunk'; readonly product: ProductPlan }
  /** Rows of a routed input into shared memory; a barrier follows. */
  | { readonly kind: 'stageRows'; readonly product: ProductPlan }
  /** The same, of one half, by the copy engine on behalf of communicate: they are there when the local has been signalled behind it. */
  | { readonly kind: 'bringRows'; readonly of: ProductPlan; readonly local: string; readonly early: string }
  | { readonly kind: 'clear'; readonly product: ProductPlan }
  /** What a tile's rotary embeddings turn by, found while its sum is awaited. */
  | { readonly kind: 'rotations'; readonly product: ProductPlan }
  | { readonly kind: 'multiply'; readonly product: ProductPlan }
  | { readonly kind: 'joinPut'; readonly product: ProductPlan }
  | { readonly kind: 'multiplyGroup'; readonly product: ProductPlan }
  /** `before`: sends the tile to every rank; `after`: receives it from every rank and sums in rank order. In two shots `before` sends it to its
      owner, and `after` receives the sum from there. Elements up to the exchange (or all), for one page's tiles (`join`) or this SM's own tiles (`slots`). */
  | {
      readonly kind: 'finish'
      readonly product: ProductPlan
      readonly from: 'join' | 'slots'
      readonly elements: 'before' | 'after' | 'all'
      readonly site: number
      /** Epoch of the exchange: executions since the beginning of the entry. */
      readonly after: number
      /** No packets: tiles are left as this rank's part, and taken as the sum (split-sums.ts). */
      readonly byParts?: true
    }
  /** Of a tile that this rank owns: receives the parts of all ranks and adds them in rank order; then sends the sum to all ranks. */
  | { readonly kind: 'addParts'; readonly product: ProductPlan; readonly site: number; readonly after: number }
  | { readonly kind: 'spread'; readonly product: ProductPlan; readonly site: number; readonly after: number }
  | { readonly kind: 'gatherLogits'; readonly product: ProductPlan; readonly buffer: string; readonly site: number }
  /** The route table is emptied, when nobody looks at what the last routing wrote: ahead of the logits. */
  | { readonly kind: 'openTable'; readonly site: number }
  /** Rows choose their experts. `scaled`: the product whose sums it adds up has left them without its norm's scale. */
  | {
      readonly kind: 'choose'
      readonly phase: RoutePhase
      readonly bias?: ImagePlace
      readonly scaled?: ProductPlan
    }
  /** What they have chosen becomes the route table. */
  | { readonly kind: 'route'; readonly phase: RoutePhase; readonly site: number }
  /** Which experts are active, from what rows have chosen: for who fetches weights, and need not wait for the table. */
  | { readonly kind: 'findActive' }
  /** The scale of the sums of a whole phase, from the squares that were left where their input was staged. */
  | { readonly kind: 'takeScale'; readonly product: ProductPlan }
  /** Each warp's m tile of a task: its queries are staged, spans pass, and what they come to is left as a partial result. */
  | { readonly kind: 'openTile'; readonly attend: AttendPhase }
  | { readonly kind: 'attendSpan'; readonly attend: AttendPhase }
  | { readonly kind: 'leaveTile'; readonly attend: AttendPhase }
  /** One m tile of a head, one part of the value dims: warps leave what blocks of its keys come to in the role's scratch memory, and merge it. */
  | { readonly kind: 'attendNear'; readonly near: NearPhase; readonly sink?: ImagePlace }
  | { readonly kind: 'mergeNear'; readonly near: NearPhase }
  | { readonly kind: 'mergeChunks'; readonly merge: MergePhase; readonly sink?: ImagePlace }
  | { readonly kind: 'embed'; readonly phase: EmbedPhase; readonly table: ImagePlace; readonly instead?: ImagePlace }
  /** `turn`: which of the norms side by side; their tasks are dealt out from another warp on. */
  | { readonly kind: 'normed'; readonly part: NormedPart; readonly turn: number; readonly weight: ImagePlace }
  | { readonly kind: 'pointwise'; readonly phase: PointwisePhase }
  | { readonly kind: 'firsts'; readonly phase: FirstsPhase }
  | { readonly kind: 'sample'; readonly phase: SamplePhase; readonly site: number }
  /** Asks the L2 cache for this SM's part of weights that a later phase will fetch: `prefetch` is an index in the plan's list. */
  | { readonly kind: 'prefetch'; readonly prefetch: number; readonly what: string; readonly site: number }
)

export interface Loop {
  readonly kind: 'loop'
  readonly variable: string
  readonly domain: Domain
  readonly body: readonly Step[]
}

export type Step = SyncStep | WorkStep | Loop

/** Whether the loop takes tiles of a sum over ranks as they come, summed or to be summed: its turns are dealt out over the role's warps. */
export const receivesTiles = (loop: Loop): boolean => takesSums(loop) || addsParts(loop)
export const takesSums = (loop: Loop): boolean => loop.body.some((s) => s.kind === 'finish' && s.elements === 'after')
/** Whether it is the hop between: of tiles that this rank owns. */
export const addsParts = (loop: Loop): boolean => loop.body.some((s) => s.kind === 'addParts' || s.kind === 'spread')

/** Whether each turn of the loop is one warp's of several, and not all warps'. */
export const dealsTurns = (loop: Loop): boolean => takesJoin(loop) || receivesTiles(loop)
/** Whether its turns are hand-overs of the join. */
export const takesJoin = (loop: Loop): boolean => loop.body.some((s) => s.kind === 'await' && s.channel === 'join')

/** Whether the phase sums over ranks in two shots. */
export const inTwoShots = (phase: PhasePlan): boolean =>
  phase.roles.compute.some((s) => s.kind === 'loop' && addsParts(s))

/** Whether the step brings the weights of a norm into the scratch memory, ahead of the phase's first wait. */
export const bringsWeights = (s: Step): s is Extract<Step, { kind: 'stage' }> =>
  s.kind === 'stage' && s.product.norm !== undefined && s.kept?.role !== 'reuse'

/** Whether a tile's angles are found before its sum is there: where a hand-over is one tile, and it turns right behind the sum, not behind an exchange. */
export const rotatesAhead = (p: ProductPlan): boolean =>
  p.geometry.groups === 1 &&
  p.exchange === undefined &&
  p.sections.some((s) => s.elements.some((e) => e.kind === 'rope'))

/** The product that steps work on: the first of those named. */
export function productIn(steps: readonly Step[]): ProductPlan | undefined {
  for (const s of steps) {
    const found = s.kind === 'loop' ? productIn(s.body) : 'product' in s ? s.product : undefined
    if (found) return found
  }
  return undefined
}

/** Counters that one execution of a phase signals. */
export const countersOf = (phase: PhasePlan): string[] =>
  phase.early === undefined ? [phase.counter] : [phase.counter, phase.early]

/** The role of which every warp signals the local in a phase. */
export const signalledByEach = (phase: PhasePlan, local: string): RoleName | undefined =>
  roleNames.find((r) => eachSignals(phase.roles[r], local))
const eachSignals = (steps: readonly Step[], local: string): boolean =>
  steps.some((s) =>
    s.kind === 'loop'
      ? eachSignals(s.body, local)
      : s.kind === 'signalLocal' && s.each === true && [s.local, s.early].includes(local),
  )

/** Locals that one execution of a phase signals. */
export const localsOf = (phase: PhasePlan): string[] => roleNames.flatMap((r) => localsIn(phase.roles[r]))
const localsIn = (steps: readonly Step[]): string[] =>
  steps.flatMap((s) => {
    if (s.kind === 'loop') return localsIn(s.body)
    if (s.kind !== 'signalLocal') return []
    return s.early === undefined ? [s.local] : [s.local, s.early]
  })

/** Active experts of the first half, of so many: the plan's eighths of them, in whole groups. */
export const firstHalf = (active: number, { earlyEighths, group }: Plan['route']): number =>
  Math.floor((active * earlyEighths) / 8 / group) * group

export interface PhasePlan {
  readonly name: string
  readonly span?: Span
  readonly counter: string
  /** Of a routed `up`: the counter of its first half. */
  readonly early?: string
  /** The role whose last step signals the counter. */
  readonly signals: RoleName
  readonly roles: Readonly<Record<RoleName, readonly Step[]>>
  /** Bytes of weights that this rank streams for one execution, all experts counted once. */
  readonly weightBytes: number
  /** Tiles of a part that the phase leaves: before the next phase, which takes their sum, an all-reduce makes it (split-sums.ts). */
  readonly leaves?: number
}

export interface SegmentPlan {
  readonly name: string
  readonly layers: readonly string[]
  readonly phases: readonly PhasePlan[]
  readonly image: readonly Placement[]
  readonly imageBytes: number
}

/** A param (or two interleaved ones) in an entry's image. */
export interface Placement {
  readonly params: readonly string[]
  readonly offset: number
  readonly bytes: number
  readonly layout:
    | { readonly kind: 'plain'; readonly scalar: 'f32' | 'bf16' }
    | {
        readonly kind: 'tiles'
        readonly geometry: Geometry
        readonly format: ProductPlan['format']
        readonly experts?: number
        readonly sections: readonly Section[]
        readonly period: number
        readonly rows: number
        readonly contracted: number
      }
}

/** Weights that a schedule has brought into L2 ahead of their phase, for each entry that asks: a range of the image. */
export interface Prefetch {
  /** As the schedule says it: `next.qkv`. */
  readonly what: string
  /** By entry; none where the entry does not ask, or where nothing of that name follows. */
  readonly ranges: readonly (ImageRange | undefined)[]
}
export interface ImageRange {
  readonly offset: number
  readonly bytes: number
}

export interface Entry {
  /** Index in `programs`. */
  readonly program: number
  /** Taps that the program stored before. */
  readonly taps: number
  readonly segment: number
  readonly layer?: string
  /** Byte offsets of the entry's weights in the image and of its caches in the KV slab. */
  readonly imageOffset: number
  readonly kvOffset: number
  /** Executions of each tally before this entry within a round. */
  readonly runs: readonly number[]
}

export interface PlacedBuffer extends Buffer {
  readonly bytes: number
  /** Offset in the workspace; of a cache in the KV memory, within the entry's part unless it is fixed (place-caches.ts). */
  readonly offset: number
}

/** What is counted per execution: counters (all SMs), locals (one SM) and exchanges (packet epochs). */
export interface Tally {
  readonly name: string
  readonly scope: 'counter' | 'local' | 'exchange'
  /** Of a local: the role of which every warp signals it, where it is not one warp. */
  readonly each?: RoleName
  /** Of a counter: what it grows by in an execution, where it counts tiles and not SMs (hand-tiles.ts). */
  readonly tiles?: number
  /** Executions in one round. */
  readonly perRound: number
}

export interface Plan {
  readonly name: string
  /** In pass order; each entry belongs to one. */
  readonly programs: readonly string[]
  readonly ranks: number
  readonly sms: number
  readonly ctx: number
  readonly roles: readonly Role[]
  readonly ring: { readonly depth: number; readonly pageBytes: number }
  /** `squares`: how many parts bring what they know of their columns' squares, for a norm. */
  readonly join: { readonly depth: number; readonly parts: number; readonly squares: number }
  /** Whether a norm in the prologue of a product has all of its mean before anything is multiplied. */
  readonly means: boolean
  readonly slots: { readonly tiles: number; readonly bytes: number }
  readonly scratchBytes: number
  /** `group`: of how many experts the first half has a multiple. */
  readonly route: {
    readonly experts: number
    readonly maxActive: number
    readonly topK: number
    /** The first half of the active experts has this many eighths of them at most, in whole groups. */
    readonly earlyEighths: number
    readonly group: number
  }
  readonly exchangeAs: ExchangeType
  readonly exchangeTiles: number
  readonly vocabulary: { readonly whole: number; readonly local: number }
  readonly buffers: readonly PlacedBuffer[]
  readonly tallies: readonly Tally[]
  readonly sites: readonly string[]
  readonly segments: readonly SegmentPlan[]
  readonly entries: readonly Entry[]
  readonly prefetches: readonly Prefetch[]
  /** Reserved areas of the workspace: counters, round control, inboxes. */
  readonly areas: {
    readonly abort: number
    readonly controlInbox: number
    readonly decode: number
    readonly sampler: number
    readonly history: number
    /** Bytes from the beginning that must be zero at launch: everything whose old content would be believed. */
    readonly zeroed: number
    readonly counters: number
    readonly control: number
    readonly inbox: number
    readonly logitsInbox: number
    /** Where sums come from owners; nothing unless a sum travels in two shots. */
    readonly sumsInbox: number
  }
  readonly workspaceBytes: number
  readonly imageBytes: number
  readonly kvBytes: number
  readonly sharedBytes: number
}
