/**
 * The graph level: what a model computes for one block of rows, as ops over tensors with named dims.
 *
 * Vocabulary: a *row* is one token position of the block that a pass processes (1 to 8); every tensor has the row dim
 * implicitly and first, and `dims` lists the others. A *param* is a weight of the checkpoint under its logical name.
 * A *scope* is the dotted path under which a node was built (`model.layers.3.self_attn`); a scope whose last part is a
 * number is a *layer*. A *tap* is a value that a drafter reads. Values are node ids: every node has one result.
 * Invariants: nodes are in topological order and `inputs` point backwards; ids equal positions; params are listed once;
 * `attrs` are plain data (numbers, strings, ExprNodes), so a graph prints and compares structurally.
 */
import type { Dim } from './dim.ts'
import type { ExprNode } from './expr.ts'
import type { WeightFormat } from './format.ts'
import type { Span } from './span.ts'

export interface Param {
  /** Full name, e.g. `model.layers.3.mlp.experts.gate_proj`; weights.ts says which checkpoint tensors it is read from. */
  readonly name: string
  readonly dims: readonly Dim[]
  readonly format: WeightFormat
  readonly span?: Span
}

/** Op-specific data. Each kind narrows it; see `ops.ts` for the list of kinds. */
interface NodeBase {
  readonly id: number
  readonly inputs: readonly number[]
  /** Result dims, the row dim left out. */
  readonly dims: readonly Dim[]
  readonly scope: string
  /** The schedule's name for the phase that this node anchors, if the author gave one. */
  readonly phase?: string
  readonly span?: Span
}

/** x[row] = table[token[row]]; table [vocabulary, hidden...]. `instead`: one token has a vector of its own. */
export interface EmbedNode extends NodeBase {
  readonly op: 'embed'
  readonly param: string
  readonly instead?: { readonly token: number; readonly param: string }
}
/** What another program of the engine left for the block's rows: `taps` [tap, hidden] or [taps], the tapped values in order. */
export interface InputNode extends NodeBase {
  readonly op: 'input'
  readonly name: 'taps'
}
/** y = apply(x, mean over the last dims of stat(x), weight). Exprs: stat(x), apply(x, mean, w). */
export interface NormNode extends NodeBase {
  readonly op: 'norm'
  readonly param: string
  readonly stat: ExprNode
  readonly apply: ExprNode
}
/** y[out...] = sum over the dims that x and w share of x * w. w dims are [out..., shared...], shared = all dims of x. */
export interface LinearNode extends NodeBase {
  readonly op: 'linear'
  readonly param: string
}
/** Pointwise over inputs of equal dims. */
export interface MapNode extends NodeBase {
  readonly op: 'map'
  readonly expr: ExprNode
}
/** A contiguous range of one dim, reshaped: `dim` is replaced by `dims`' own tail. */
export interface SliceNode extends NodeBase {
  readonly op: 'slice'
  readonly dim: string
  readonly start: number
  readonly count: number
}
/** Rotary embedding (NeoX rotate-half) of the first `rotary` elements of the last dim, at the row's position. */
export interface RopeNode extends NodeBase {
  readonly op: 'rope'
  readonly theta: number
  readonly rotary: number
}
/**
 * Causal attention with a cache. inputs q [kv, group, qd], k [kv, qd], v [kv, vd]; result [kv, group, vd].
 * `window`: keys visible including self, undefined = all. `sink`: param [kv, group], one logit per head that takes part
 * in the softmax's denominator only.
 */
export interface AttentionNode extends NodeBase {
  readonly op: 'attention'
  readonly scale: number
  readonly window?: number
  readonly sink?: string
  /** Every row sees all rows of the block, those after it too; the window then counts both ways. */
  readonly block?: true
  /** Name of the cache; programs of one engine that name the same cache share it. Its own when left out. */
  readonly cache?: string
}
/** Appends the rows' k [kv, qd] and v [kv, vd] to a cache that another program's attention reads. Its dims are empty. */
export interface RememberNode extends NodeBase {
  readonly op: 'remember'
  readonly cache: string
  readonly window?: number
}
/**
 * Chooses `topK` experts a row. input: logits [expert]. score(logit); choose(score, bias); the chosen weights are
 * score, divided by (their sum + `epsilon`) if `normalise`, times `factor`. Ties: the lower expert index wins.
 * Result dims: [slot]; only expertLinear and combine may read it.
 */
export interface RouteNode extends NodeBase {
  readonly op: 'route'
  readonly bias?: string
  readonly score: ExprNode
  readonly choose: ExprNode
  readonly topK: number
  readonly normalise: boolean
  readonly epsilon: number
  readonly factor: number
}
/** y[slot, out] = w[expert of slot] . x; inputs [x, route]; x [in...] or [slot, in...]; w [expert, out, in...]. */
export interface ExpertLinearNode extends NodeBase {
  readonly op: 'expertLinear'
  readonly param: string
}
/** y = sum over slots, in slot order, of weight[slot] * x[slot]. inputs [x, route]. */
export interface CombineNode extends NodeBase {
  readonly op: 'combine'
}
/** Sums the partial results of all ranks in rank order. Only the shard pass creates it. */
export interface AllReduceNode extends NodeBase {
  readonly op: 'allReduce'
}
/** Marks the residual stream after layer `layer` for a drafter. Same value as its input. */
export interface TapNode extends NodeBase {
  readonly op: 'tap'
  readonly layer: number
}
/** The model's result: one logit per vocabulary entry; ids from `valid` on are never sampled. */
export interface LogitsNode extends NodeBase {
  readonly op: 'logits'
  /** The whole vocabulary when left out. */
  readonly valid?: number
}

export type GraphNode =
  | EmbedNode
  | InputNode
  | NormNode
  | LinearNode
  | MapNode
  | SliceNode
  | RopeNode
  | AttentionNode
  | RememberNode
  | RouteNode
  | ExpertLinearNode
  | CombineNode
  | AllReduceNode
  | TapNode
  | LogitsNode

export type OpKind = GraphNode['op']
export type NodeOf<K extends OpKind> = Extract<GraphNode, { op: K }>

export interface Graph {
  readonly name: string
  readonly nodes: readonly GraphNode[]
  readonly params: readonly Param[]
}
