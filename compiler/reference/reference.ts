/**
 * The reference: evaluates a graph in plain float64, row by row, without tiles and without any of the compiler's
 * passes: a third reading of the model, independent of both back ends.
 *
 * Vocabulary: a *step* processes a block of 1 or more rows at true positions and leaves their keys and values in the
 * caches; positions that are already cached may be processed again, which replaces them.
 * Invariants: a row's result does not depend on how rows are grouped into steps; a step that throws leaves the caches
 * unusable until `reset`.
 */
import { type Dim, sizeOf } from '../../dsl/dim.ts'
import type { Graph, GraphNode, NodeOf } from '../../dsl/graph.ts'
import { InternalError } from '../diagnostics/diagnostic.ts'
import { createKvCache, type KvCache } from './cache.ts'
import type { Frame, Row } from './frame.ts'
import { evaluateNode } from './ops.ts'
import { type ParamSource, remember } from './params.ts'

export interface Step {
  /** For each row, one logit for each entry of the vocabulary; empty where the program has no logits. */
  readonly logits: readonly Float64Array[]
  /** For each tapped layer, the residual stream of each row. */
  readonly taps: ReadonlyMap<number, readonly Float64Array[]>
  /** Any node's value, `rows x size of its dims`, row outermost. A route node's value is its weights. */
  value(node: number): Float64Array
  /** The experts that a route node chose, `rows x topK`. */
  choices(node: number): Int32Array
}

export interface Reference {
  /** Ids from here on are padding of the vocabulary and never sampled; 0 where the program has no logits. */
  readonly valid: number
  /** `external`: values of the graph's input nodes by name, `rows x size of its dims`. */
  step(rows: readonly Row[], external?: Readonly<Record<string, Float64Array>>): Step
  /** Forgets every position. */
  reset(): void
}

export interface ReferenceOptions {
  readonly ctx: number
  /** What others read of a node's value; left out, the value itself. Lets a test round values as an engine stores them. */
  readonly stored?: (node: GraphNode, value: Float64Array) => Float64Array
  /** Where named caches live; programs of one engine are given the same map. */
  readonly caches?: Caches
}

/** By the name that nodes give, or by node. */
export type Caches = Map<string | number, KvCache>

export function createReference(graph: Graph, params: ParamSource, options: ReferenceOptions): Reference {
  const paramDims = new Map(graph.params.map((p) => [p.name, p.dims]))
  const last = graph.nodes.findLast((n): n is NodeOf<'logits'> => n.op === 'logits')
  const taps = graph.nodes.filter((n): n is NodeOf<'tap'> => n.op === 'tap')
  const caches: Caches = options.caches ?? new Map()

  return {
    valid: last ? (last.valid ?? sizeOf(last.dims)) : 0,
    reset: () => caches.clear(),
    step(rows, external = {}) {
      checkRows(rows, options.ctx)
      const values: Float64Array[] = []
      const choices = new Map<number, Int32Array>()
      for (const node of graph.nodes) {
        const value = evaluateNode(
          node,
          frameOf(node, graph, rows, params, paramDims, values, choices, caches, external),
        )
        const expected = rows.length * sizeOf(node.dims)
        if (value.length !== expected) {
          throw new InternalError(
            `node ${node.id} (${node.op}) gave ${value.length} numbers where its dims make ${expected}`,
          )
        }
        values.push(options.stored ? options.stored(node, value) : value)
      }
      const perRow = (id: number) => splitRows(values[id]!, rows.length)
      return {
        logits: last ? perRow(last.id) : [],
        taps: new Map(taps.map((t) => [t.layer, perRow(t.id)])),
        value: (id) => found(values[id], `node ${id}`),
        choices: (id) => found(choices.get(id), `choices of node ${id}`),
      }
    },
  }
}

function frameOf(
  node: GraphNode,
  graph: Graph,
  rows: readonly Row[],
  params: ParamSource,
  paramDims: ReadonlyMap<string, readonly Dim[]>,
  values: readonly Float64Array[],
  choices: Map<number, Int32Array>,
  caches: Caches,
  external: Readonly<Record<string, Float64Array>>,
): Frame {
  const id = (index: number) => found(node.inputs[index], `input ${index} of node ${node.id}`)
  return {
    rows,
    params,
    input: (index) => found(values[id(index)], `value of node ${id(index)}`),
    inputDims: (index) => graph.nodes[id(index)]!.dims,
    paramDims: (name) => found(paramDims.get(name), `param '${name}'`),
    choices: (index) => found(choices.get(id(index)), `choices of node ${id(index)}`),
    choose: (experts) => void choices.set(node.id, experts),
    cache: (keyWidth, valueWidth) => {
      const own = 'cache' in node ? node.cache : undefined
      return remember(caches, own ?? node.id, () => createKvCache(keyWidth, valueWidth))
    },
    external: (name) => found(external[name], `value for the input '${name}'`),
  }
}

function checkRows(rows: readonly Row[], ctx: number): void {
  if (rows.length === 0) throw new RangeError('a step needs at least one row')
  const seen = new Set<number>()
  for (const { position } of rows) {
    if (!(Number.isInteger(position) && position >= 0 && position < ctx)) {
      throw new RangeError(`position ${position} is outside the context of ${ctx}`)
    }
    if (seen.has(position)) throw new RangeError(`two rows of a step are at position ${position}`)
    seen.add(position)
  }
}

function splitRows(values: Float64Array, rows: number): Float64Array[] {
  const size = values.length / rows
  return Array.from({ length: rows }, (_, r) => values.subarray(r * size, (r + 1) * size))
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new InternalError(`the reference has no ${what}`)
  return value
}
