/**
 * The tile level: the graph of one rank as a list of *phases*, each a domain of tiles with everything that is fused into it.
 *
 * Vocabulary
 *   segment   what runs once a round (begin, end) or once a layer; layers of equal structure share one segment (a *kind*)
 *   product   a phase that multiplies weight tiles of 16 rows by the staged block of rows (linear, paired, routed)
 *   section   a range of a product's tiles whose results take the same way (q, k and v of a fused projection)
 *   element   what happens to one result (row n of the output, token row c) between the sum and the stores
 *   buffer    a value that passes from one phase to another, in the form that its consumers want (docs/engine.md 2)
 *   carried   a value that passes from one segment to the next, e.g. the residual stream; it has one buffer for all
 *   program   one graph of the engine: the target, and of a drafter the commit and the draft. A pass of the engine runs the
 *             entries of one or several programs; each has rows of its own
 * Invariants: phases are in program order; a buffer has one producing phase within a segment; param names are relative
 * to the layer (`{layer}` stands for its scope), so a segment does not know which layer it runs as.
 */
import type { ExprNode } from '../../dsl/expr.ts'
import type { WeightFormat } from '../../dsl/format.ts'
import type { Span } from '../../dsl/span.ts'
import type { ShardedParam } from '../shard/shard-graph.ts'

export type Form =
  /** f32 [row][n]; with parts [part][row][n], whose sum it is */
  | { readonly kind: 'plain'; readonly n: number; readonly parts?: number }
  /** bf16 fragments of k = n, for a product */
  | { readonly kind: 'columns'; readonly n: number }
  /** bf16 [row][slot][n]: what each chosen expert made of a row, for a routed product; a plan says whether they are stored as it stages them */
  | { readonly kind: 'routedRows'; readonly n: number; readonly topK: number; readonly staged?: true }
  /** bf16 [kv][row * group + head][dim] */
  | { readonly kind: 'queries'; readonly kv: number; readonly group: number; readonly dim: number }
  /** K cache: keys as columns; per layer */
  | { readonly kind: 'keys'; readonly kv: number; readonly dim: number; readonly window?: number }
  /** V cache: value dims as columns; per layer */
  | { readonly kind: 'values'; readonly kv: number; readonly dim: number; readonly window?: number }
  /** unmerged attention: o, m, l for each (kv head, chunk of spans, m tile) */
  | {
      readonly kind: 'partials'
      readonly kv: number
      readonly mTiles: number
      readonly dim: number
      readonly window?: number
    }
  /** f32 [row][vocabulary over all ranks], gathered on rank 0 */
  | { readonly kind: 'logits'; readonly n: number; readonly local: number }
  /** u64 [row][SM]: the first token, in the sampler's order, among those that an SM looked at; a plan knows how many SMs */
  | { readonly kind: 'firsts'; readonly sms?: number }

export interface Buffer {
  readonly name: string
  readonly form: Form
  readonly carried: boolean
  /** Of a cache that programs share by its name: which one. */
  readonly cache?: NamedCache
}

/** named-caches.ts makes them and says which two are one. */
export interface NamedCache {
  /** `layers.3.kv.keys`; `{layer}.kv.keys` where it is another cache in each layer that its segment runs as. */
  readonly name: string
  /** Where the name depends on the layer: the segment. */
  readonly segment?: string
}

/** What happens to one element. Values are numbered; `acc` is the product's sum. */
export type ElementStep =
  | { readonly kind: 'acc'; readonly value: number }
  /** The element of a plain buffer at the same place. */
  | { readonly kind: 'load'; readonly value: number; readonly buffer: string }
  | { readonly kind: 'map'; readonly value: number; readonly expr: ExprNode; readonly inputs: readonly number[] }
  /** First product of a pair by second: both halves of the tile become one row. */
  | { readonly kind: 'pair'; readonly value: number; readonly expr: ExprNode }
  | {
      readonly kind: 'rope'
      readonly value: number
      readonly input: number
      readonly theta: number
      readonly rotary: number
    }
  /** Sum over ranks; what follows runs in the role that receives it, compute. */
  | { readonly kind: 'exchange'; readonly value: number; readonly input: number }
  /** `tapped`: behind the values of the entry's earlier taps, in the buffer of all taps. */
  | { readonly kind: 'store'; readonly input: number; readonly buffer: string; readonly tapped?: true }

export interface Section {
  /** First tile within the period, and number of tiles. */
  readonly first: number
  readonly tiles: number
  /** Rows of one head within the section: what `rotary` pairs inside; the section's rows when there are no heads. */
  readonly head: number
  /** Leading elements of each head that rotate (0: none); decides which rows a tile pairs. */
  readonly rotary: number
  readonly elements: readonly ElementStep[]
}

export interface Norm {
  readonly param: string
  readonly stat: ExprNode
  readonly apply: ExprNode
}

interface PhaseBase {
  readonly name: string
  readonly span?: Span
  /** Buffers read and written, the caches included. */
  readonly reads: readonly string[]
  readonly writes: readonly string[]
}

export interface EmbedPhase extends PhaseBase {
  readonly kind: 'embed'
  readonly param: string
  /** One token has a vector of its own. */
  readonly instead?: { readonly token: number; readonly param: string }
  readonly n: number
  readonly elements: readonly ElementStep[]
}

export interface ProductPhase extends PhaseBase {
  readonly kind: 'product'
  /** One param, or two whose rows a tile interleaves (rows 0-7 of the first, rows 8-15 of the second). */
  readonly params: readonly string[]
  readonly format: WeightFormat
  /** Output rows on this rank (of each param), contraction length on this rank. */
  readonly rows: number
  readonly k: number
  /** Trailing dims of the param that the contraction runs over. */
  readonly contracted: number
  /** The contraction runs over a dim that is cut over ranks: with several of them this rank's sum is a summand. */
  readonly acrossRanks?: true
  readonly source: string
  /** The source has the parts of all ranks, one behind the other; a rank stages its own. */
  readonly ofRank?: true
  readonly norm?: Norm
  /** `up`: tiles of active experts, results by active expert. `down`: sums each row's experts in slot order. */
  readonly routed?: 'up' | 'down'
  /** Experts a row goes to; 0 when not routed. */
  readonly topK: number
  readonly experts?: number
  /** Tiles after which the sections repeat (one KV head of a fused projection), all tiles otherwise. */
  readonly period: number
  readonly sections: readonly Section[]
}

/** What attention is between, whichever phases do it. */
export interface Attention {
  readonly kv: number
  readonly group: number
  readonly keyDim: number
  readonly valueDim: number
  readonly scale: number
  readonly window?: number
  /** Every row sees all rows of the block. */
  readonly block: boolean
  readonly queries: string
  readonly keys: string
  readonly values: string
}

export interface AttendPhase extends PhaseBase, Attention {
  readonly kind: 'attend'
  readonly partials: string
}

export interface MergePhase extends PhaseBase {
  readonly kind: 'merge'
  readonly attend: AttendPhase
  readonly sink?: string
  readonly output: string
}

/** Attention over a short window, in one phase: an SM sees all keys of an m tile, for one of so many parts of the value dims. */
export interface NearPhase extends PhaseBase, Attention {
  readonly kind: 'near'
  readonly window: number
  readonly parts: number
  readonly sink?: string
  readonly output: string
}

export interface RoutePhase extends PhaseBase {
  readonly kind: 'route'
  readonly logits: string
  readonly experts: number
  readonly topK: number
  readonly bias?: string
  readonly score: ExprNode
  readonly choose: ExprNode
  readonly normalise: boolean
  readonly epsilon: number
  readonly factor: number
}

/** One norm over each head of a value, with the elements that follow. */
export interface NormedPart {
  readonly norm: Norm
  readonly source: string
  /** Heads of the value, elements of a head, heads that make a period of the stores (a KV head's group). */
  readonly heads: number
  readonly head: number
  readonly group: number
  readonly rotary: number
  readonly elements: readonly ElementStep[]
}
/** Norms whose results are no product's input, side by side: none needs another's (norms-together.ts). */
export interface NormedPhase extends PhaseBase {
  readonly kind: 'normed'
  readonly parts: readonly NormedPart[]
}

/** Pointwise work that no product takes along. */
export interface PointwisePhase extends PhaseBase {
  readonly kind: 'pointwise'
  readonly n: number
  readonly elements: readonly ElementStep[]
}

/** All SMs of rank 0 look at a share of every row's logits, so that the end of the program finds the likeliest tokens at once. */
export interface FirstsPhase extends PhaseBase {
  readonly kind: 'firsts'
  readonly logits: string
  readonly vocabulary: number
  readonly output: string
}

/**
 * The end of a program: rank 0 looks at what it left and decides what comes next. One that only remembers leaves no `firsts`; one that
 * proposes leaves nothing else, for the likeliest tokens are all that is asked of it.
 */
export interface SamplePhase extends PhaseBase {
  readonly kind: 'sample'
  readonly program: string
  readonly logits?: string
  readonly firsts?: string
  readonly vocabulary: number
}

export type Phase =
  | EmbedPhase
  | ProductPhase
  | AttendPhase
  | MergePhase
  | NearPhase
  | RoutePhase
  | NormedPhase
  | PointwisePhase
  | FirstsPhase
  | SamplePhase
export type PhaseKind = Phase['kind']

export interface Segment {
  readonly name: string
  /** Scope of each layer that runs as this kind, in order; empty for begin and end. */
  readonly layers: readonly string[]
  readonly phases: readonly Phase[]
}

export interface SequenceEntry {
  readonly program: number
  readonly segment: number
  readonly layer?: string
  readonly taps: number
}

export interface PhaseProgram {
  readonly name: string
  readonly ranks: number
  /** In the order in which passes run them. */
  readonly programs: readonly string[]
  readonly segments: readonly Segment[]
  /** All programs' entries in order: segment, the scope that a layer runs as, and how many taps the program had before. */
  readonly sequence: readonly SequenceEntry[]
  readonly buffers: readonly Buffer[]
  readonly params: readonly ShardedParam[]
}
