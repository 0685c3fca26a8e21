/**
 * The graph builder: what `m` is in a model file. It appends nodes, keeps the scope path and lists each parameter once.
 *
 * Vocabulary: see graph.ts. `defineModel` pairs a config schema with the function that builds the graph; nothing runs
 * until a compiler calls `build`.
 * Invariants: an author's mistake is reported, never thrown, and the op still yields a tensor of the dims that were
 * meant, so that one run finds every mistake; a graph is only taken from a builder that reported nothing.
 */
import type { Dim } from './dim.ts'
import { printDims, sameDim } from './dim.ts'
import { printFormat } from './format.ts'
import type { Graph, GraphNode, Param } from './graph.ts'
import type { Problem, Report } from './problem.ts'
import type { Dims, Shape, Tail } from './shapes.ts'
import { Tensor, type Weight } from './tensor.ts'
import type { TileOp } from './tile.ts'
import type { TileProgram } from './tile-ir.ts'
import { currentSpan, spanned } from './where.ts'

/** What builder.add fills in by itself. */
type Automatic = 'id' | 'scope' | 'span'
type Given<N> = N extends GraphNode ? Omit<N, Automatic> : never
export type NewNode = Given<GraphNode>

export class GraphBuilder {
  readonly #name: string
  readonly #report: Report
  readonly #nodes: GraphNode[] = []
  readonly #params = new Map<string, Param>()
  readonly #scopes: string[] = []
  readonly #traced = new Map<TileOp, TileProgram>()

  constructor(name: string, report: Report) {
    this.#name = name
    this.#report = report
  }

  /** Looks token ids up in a table [vocabulary, ...dims]. `instead`: one token has a vector of its own, not its row. */
  embed<const D extends Dims>(
    table: Weight<D>,
    options: { readonly instead?: { readonly token: number; readonly weight: Weight<Tail<D>> } } = {},
  ): Tensor<Tail<D>> {
    const dims = table.dims.slice(1)
    if (dims.length === 0) {
      this.problem(
        'TILE1020',
        `embed: a table needs a vocabulary dim and at least one more, got ${printDims(table.dims)}`,
      )
    }
    const { instead } = options
    const rows = table.dims[0]?.size ?? 0
    if (instead && !(Number.isInteger(instead.token) && instead.token >= 0 && instead.token < rows)) {
      this.problem('TILE1020', `embed: token ${instead.token} is not one of the ${rows} rows of '${table.name}'`)
    }
    if (instead && !sameDims(instead.weight.dims, dims)) {
      this.problem(
        'TILE1020',
        `embed: '${instead.weight.name}' is ${printDims(instead.weight.dims)}, a row of '${table.name}' ${printDims(dims)}`,
      )
    }
    const param = this.use(table)
    const apart = instead && { token: instead.token, param: this.use(instead.weight) }
    return this.add({ op: 'embed', inputs: [], dims, param, ...(apart && { instead: apart }) })
  }

  /**
   * The values that the target's taps left for the rows, in the order of its layers: [tap, hidden], or all of them as one dim,
   * which a product over a parallel dim deals out over the ranks.
   */
  taps<const D extends readonly [taps: Dim] | readonly [tap: Dim, hidden: Dim]>(dims: D): Tensor<Shape<D>> {
    return this.add({ op: 'input', inputs: [], dims, name: 'taps' })
  }

  /** Builds under `name`; nested scopes join with dots, and parameters inside are named relative to them. */
  scope<T>(name: string, build: () => T): T {
    this.#scopes.push(name)
    try {
      return build()
    } finally {
      this.#scopes.pop()
    }
  }

  /** Lets a drafter read `x` as the residual stream after layer `layer`. */
  tap<const D extends Dims>(layer: number, x: Tensor<D>): void {
    if (this.#nodes.some((n) => n.op === 'tap' && n.layer === layer)) {
      this.problem('TILE1042', `tap: layer ${layer} is tapped twice`)
    }
    this.add({ op: 'tap', inputs: [this.own(x, 'tap')], dims: x.dims, layer })
  }

  /** Makes `x` the model's result. Ids from `valid` on are padding of the vocabulary and never sampled. */
  logits<const D extends Dims>(x: Tensor<D>, options: { readonly valid?: number } = {}): void {
    const vocabulary = x.dims[0]
    if (x.dims.length !== 1 || !vocabulary) {
      this.problem('TILE1042', `logits: expected one dim, the vocabulary, got ${printDims(x.dims)}`)
      return
    }
    const { valid } = options
    if (valid !== undefined && (!Number.isInteger(valid) || valid < 1 || valid > vocabulary.size)) {
      this.problem('TILE1042', `logits: valid must be an integer from 1 to ${vocabulary.size}, got ${valid}`)
    }
    if (this.#nodes.some((n) => n.op === 'logits')) {
      this.problem('TILE1042', 'logits: the model already has a result; m.logits may be called once')
    }
    this.add({ op: 'logits', inputs: [this.own(x, 'logits')], dims: x.dims, ...(valid !== undefined && { valid }) })
  }

  /** Appends a node. Ops are built on this; so can be an author's own helpers. */
  add<D extends Dims>(node: NewNode): Tensor<D> {
    const scope = this.#scopes.join('.')
    this.#nodes.push({ ...node, id: this.#nodes.length, scope, ...spanned() } as GraphNode)
    return new Tensor(this, this.#nodes.length - 1, node.dims as D)
  }

  /** Lists a parameter and returns its full name. */
  use(w: Weight): string {
    const name = [...this.#scopes, w.name].join('.')
    const known = this.#params.get(name)
    if (!known) {
      this.#params.set(name, { name, dims: w.dims, format: w.format, ...spanned() })
    } else if (!sameDims(known.dims, w.dims) || printFormat(known.format) !== printFormat(w.format)) {
      this.problem(
        'TILE1029',
        `parameter '${name}' is ${printDims(w.dims)} ${printFormat(w.format)} here but ${printDims(known.dims)} ${printFormat(known.format)} before`,
        { notes: [{ message: 'first used here', ...(known.span && { span: known.span }) }] },
      )
    }
    return name
  }

  /** The program of a tile op, traced once; what its check finds is this model's. */
  trace(op: TileOp): TileProgram {
    const known = this.#traced.get(op)
    if (known) return known
    const program = op.trace((problem) => this.#report({ ...problem, span: problem.span ?? currentSpan() }))
    this.#traced.set(op, program)
    return program
  }

  /** The node id of an operand, after checking that it belongs to this model. */
  own(x: { readonly builder: GraphBuilder; readonly id: number }, op: string): number {
    if (x.builder !== this) {
      this.problem('TILE1042', `${op}: this value belongs to model '${x.builder.#name}', not to '${this.#name}'`)
      return 0
    }
    return x.id
  }

  problem(code: Problem['code'], message: string, parts: Pick<Problem, 'notes' | 'help'> = {}): void {
    this.#report({ code, message, span: currentSpan(), ...parts })
  }

  graph(): Graph {
    if (!this.#nodes.some((n) => n.op === 'logits' || n.op === 'remember')) {
      this.problem('TILE1042', `model '${this.#name}' has no result`, { help: 'end the model with m.logits(x)' })
    }
    return { name: this.#name, nodes: this.#nodes, params: [...this.#params.values()] }
  }
}

export const sameDims = (a: Dims, b: Dims): boolean => a.length === b.length && a.every((d, i) => sameDim(d, b[i]!))

/** `w` without its tail `x`, or the first pair of dims, from the end, that disagree. */
export function stripDims(w: Dims, x: Dims): { readonly rest: Dim[] } | { readonly clash: [string, string] } {
  for (let i = 1; i <= x.length; i++) {
    const [a, b] = [w.at(-i), x.at(-i)!]
    if (i > w.length || !a) return { clash: ['nothing', named(b, a)] }
    if (!sameDim(a, b)) return { clash: [named(a, b), named(b, a)] }
  }
  return { rest: w.slice(0, w.length - x.length) }
}
const named = (d: Dim, other: Dim | undefined): string => (d.name === other?.name ? `${d.name}=${d.size}` : d.name)

/** What checks a config: a zod schema, or anything that parses like one. */
export interface ConfigSchema<Config> {
  safeParse(data: unknown): { success: true; data: Config } | { success: false; error: { issues: readonly unknown[] } }
}

export interface Model<Config = unknown> {
  readonly kind: 'model'
  readonly name: string
  readonly config: ConfigSchema<Config>
  /** Runs the author's function. Findings go to `report`; the graph is sound only if there were none. */
  readonly build: (config: Config, report: Report) => Graph
}

/** The default export of a model file. */
export function defineModel<Config>(
  name: string,
  config: ConfigSchema<Config>,
  body: (m: GraphBuilder, config: Config) => void,
): Model<Config> {
  return {
    kind: 'model',
    name,
    config,
    build: (value, report) => {
      const m = new GraphBuilder(name, report)
      body(m, value)
      return m.graph()
    },
  }
}

/** `[0, 1, ... n - 1]`, for layer loops. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)
