/**
 * What an op sees while the reference evaluates it: the rows of the block, its inputs, weights and caches.
 *
 * Vocabulary: a *frame* is the evaluation of one node for one block; a value is a Float64Array of `rows x size of dims`,
 * row outermost; *choices* are the expert indices behind a route node's weights, `rows x topK`.
 * Invariant: evaluators never write to their inputs; a value is complete when it is handed on.
 */
import type { Dim } from '../../dsl/dim.ts'
import type { NodeOf, OpKind } from '../../dsl/graph.ts'
import type { KvCache } from './cache.ts'
import type { ParamSource } from './params.ts'

export interface Row {
  readonly token: number
  readonly position: number
}

export interface Frame {
  readonly rows: readonly Row[]
  readonly params: ParamSource
  /** Value of the node's input `index`. */
  input(index: number): Float64Array
  inputDims(index: number): readonly Dim[]
  paramDims(name: string): readonly Dim[]
  /** The experts that the route node behind input `index` chose. */
  choices(index: number): Int32Array
  /** Publishes the choices of the node under evaluation, a route node. */
  choose(experts: Int32Array): void
  /** The cache that the node under evaluation names, or its own; created on first use. */
  cache(keyWidth: number, valueWidth: number): KvCache
  /** What another program left for the block's rows, `rows x size of node.dims`. */
  external(name: string): Float64Array
}

/** One op's meaning: its result for every row, `rows x size of node.dims`. */
export type Evaluate<K extends OpKind> = (node: NodeOf<K>, frame: Frame) => Float64Array
