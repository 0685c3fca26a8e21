/**
 * Tile ops as authors write them: TypeScript functions that are run once and traced into a TileProgram.
 *
 *   export const up = tileOp('expert.up', { x: activation, w: pairedExperts, route: routing, out: result },
 *     (t, { x, w, route, out }) => {
 *       const [e, rows] = t.over(route.experts, w.rows(16))
 *       const acc = t.zeros()
 *       t.loop(w.k(32), (k) => t.mma(acc, t.dequant(t.load(w.page(rows, k, e))), t.staged(x.at(k))))
 *       const [gate, up] = t.pair(t.join(acc))
 *       t.store(out.at(rows, e), t.map(gate, up, siluGate))
 *     })
 *
 * What the author does not write: copies and barriers, who loads and who multiplies, how far ahead, where a sum's parts
 * are added. Value kinds are types, so mixing up a page and a sum is an editor's error; order is check-tile's.
 */

import { checkTile } from './check-tile.ts'
import { type Expr, traceExpr } from './expr.ts'
import type { Report } from './problem.ts'
import type { Axis, AxisKind, Operand, OperandKind, TileProgram, TileStatement } from './tile-ir.ts'
import { spanned } from './where.ts'

/** A traced value: page, fragment, staged, acc or sum. */
export class Value<out Kind extends string> {
  constructor(
    readonly kind: Kind,
    readonly id: number,
  ) {}
}
/** An index along an axis. */
export class Index<out Kind extends AxisKind = AxisKind> {
  constructor(
    readonly kind: Kind,
    readonly axis: number,
  ) {}
}
/** An axis that is not run over yet. */
export class Range<out Kind extends AxisKind = AxisKind> {
  constructor(
    readonly kind: Kind,
    readonly axis: Axis,
  ) {}
}
/** A place in an operand. */
export interface Place<Kind extends OperandKind> {
  readonly of: Kind
  readonly operand: number
  readonly at: readonly number[]
}

/** What an operand declaration turns into inside the traced function. */
interface Handle<Kind extends OperandKind> {
  readonly kind: Kind
  readonly operand: number
}
export interface Activation extends Handle<'activation'> {
  at(...indices: Index[]): Place<'activation'>
}
export interface TileWeight extends Handle<'weight'> {
  rows(tile: number): Range<'rows'>
  k(tile: number): Range<'k'>
  page(rows: Index<'rows'>, k: Index<'k'>, expert?: Index<'experts'>): Place<'weight'>
}
export interface Routing extends Handle<'routing'> {
  readonly experts: Range<'experts'>
}
export interface Cache extends Handle<'cache'> {
  readonly heads: Range<'heads'>
  spans(keys: number): Range<'spans'>
  page(head: Index<'heads'>, span: Index<'spans'>): Place<'cache'>
}
export interface Result extends Handle<'result'> {
  at(...indices: Index[]): Place<'result'>
}

export interface Declaration<H> {
  readonly describe: (name: string) => Operand
  readonly handle: (operand: number) => H
}

const place =
  <K extends OperandKind>(of: K, operand: number) =>
  (...indices: (Index | undefined)[]): Place<K> => ({
    of,
    operand,
    at: indices.flatMap((i) => (i === undefined ? [] : [i.axis])),
  })

export const activation: Declaration<Activation> = {
  describe: (name) => ({ kind: 'activation', name }),
  handle: (operand) => ({ kind: 'activation', operand, at: place('activation', operand) }),
}
export const routing: Declaration<Routing> = {
  describe: (name) => ({ kind: 'routing', name }),
  handle: (operand) => ({ kind: 'routing', operand, experts: new Range('experts', { kind: 'experts', operand }) }),
}
export const cache: Declaration<Cache> = {
  describe: (name) => ({ kind: 'cache', name }),
  handle: (operand) => ({
    kind: 'cache',
    operand,
    heads: new Range('heads', { kind: 'heads', operand }),
    spans: (tile) => new Range('spans', { kind: 'spans', operand, tile }),
    page: place('cache', operand),
  }),
}
export const result: Declaration<Result> = {
  describe: (name) => ({ kind: 'result', name }),
  handle: (operand) => ({ kind: 'result', operand, at: place('result', operand) }),
}
const weightOf = (paired: boolean, routed: boolean): Declaration<TileWeight> => ({
  describe: (name) => ({ kind: 'weight', name, paired, routed }),
  handle: (operand) => ({
    kind: 'weight',
    operand,
    rows: (tile) => new Range('rows', { kind: 'rows', operand, tile }),
    k: (tile) => new Range('k', { kind: 'k', operand, tile }),
    page: place('weight', operand),
  }),
})
export const matrix = weightOf(false, false)
/** Two matrices of equal shape whose rows a tile interleaves. */
export const pairedMatrix = weightOf(true, false)
/** One matrix for each expert. */
export const expertMatrix = weightOf(false, true)
export const pairedExpertMatrix = weightOf(true, true)

type Handles<D> = { readonly [K in keyof D]: D[K] extends Declaration<infer H> ? H : never }
type Indices<R extends readonly Range[]> = {
  [I in keyof R]: R[I] extends Range<infer K> ? Index<K> : never
}

/** The recorder that a tile op's function is given. */
export class TileTracer {
  readonly axes: Axis[] = []
  readonly grid: number[] = []
  #body: TileStatement[] = []
  #values = 0

  get body(): readonly TileStatement[] {
    return this.#body
  }

  /** The grid: one tile for each combination, dealt out over SMs. */
  over<const R extends readonly Range[]>(...ranges: R): Indices<R> {
    const indices = ranges.map((r) => this.#index(r))
    this.grid.push(...indices.map((i) => i.axis))
    return indices as Indices<R>
  }
  loop<K extends AxisKind>(range: Range<K>, body: (index: Index<K>) => void): void {
    const index = this.#index(range)
    const outer = this.#body
    this.#body = []
    body(index)
    const inner = this.#body
    this.#body = outer
    this.#add({ kind: 'loop', axis: index.axis, body: inner })
  }
  zeros(): Value<'acc'> {
    return this.#value('acc', (value) => ({ kind: 'zeros', value }))
  }
  load(from: Place<'weight'> | Place<'cache'>): Value<'page'> {
    return this.#value('page', (value) => ({ kind: 'load', value, operand: from.operand, at: from.at }))
  }
  dequant(page: Value<'page'>): Value<'fragment'> {
    return this.#value('fragment', (value) => ({ kind: 'dequant', value, page: page.id }))
  }
  staged(from: Place<'activation'>): Value<'staged'> {
    return this.#value('staged', (value) => ({ kind: 'stage', value, operand: from.operand, at: from.at }))
  }
  mma(acc: Value<'acc'>, fragment: Value<'fragment'>, staged: Value<'staged'>): void {
    this.#add({ kind: 'mma', acc: acc.id, fragment: fragment.id, staged: staged.id })
  }
  attend(acc: Value<'acc'>, queries: Value<'staged'>, keys: Value<'page'>, values: Value<'page'>): void {
    this.#add({ kind: 'attend', acc: acc.id, queries: queries.id, keys: keys.id, values: values.id })
  }
  join(acc: Value<'acc'>, over: 'k' | 'slots' | 'spans' = 'k'): Value<'sum'> {
    return this.#value('sum', (value) => ({ kind: 'join', value, acc: acc.id, over }))
  }
  /** The two halves of a paired tile, as sums of the same outputs. */
  pair(sum: Value<'sum'>): readonly [Value<'sum'>, Value<'sum'>] {
    const [low, high] = [new Value('sum', this.#values++), new Value('sum', this.#values++)]
    this.#add({ kind: 'pair', low: low.id, high: high.id, sum: sum.id })
    return [low, high]
  }
  map(x: Value<'sum'>, fn: (x: Expr) => Expr): Value<'sum'>
  map(x: Value<'sum'>, y: Value<'sum'>, fn: (x: Expr, y: Expr) => Expr): Value<'sum'>
  map(x: Value<'sum'>, ...rest: unknown[]): Value<'sum'> {
    const inputs = [x, ...(rest.slice(0, -1) as Value<'sum'>[])]
    const expr = traceExpr(inputs.length, rest.at(-1) as (...inputs: Expr[]) => Expr)
    return this.#value('sum', (value) => ({ kind: 'map', value, expr, inputs: inputs.map((i) => i.id) }))
  }
  store(to: Place<'result'>, sum: Value<'sum'>): void {
    this.#add({ kind: 'store', operand: to.operand, at: to.at, sum: sum.id })
  }

  #index<K extends AxisKind>(range: Range<K>): Index<K> {
    this.axes.push(range.axis)
    return new Index(range.kind, this.axes.length - 1)
  }
  #value<K extends string>(kind: K, statement: (value: number) => TileStatement): Value<K> {
    const value = new Value(kind, this.#values++)
    this.#add(statement(value.id))
    return value
  }
  #add(statement: TileStatement): void {
    this.#body.push({ ...statement, ...spanned() })
  }
}

export interface TileOp {
  readonly kind: 'tileOp'
  readonly name: string
  /** Runs the author's function; findings of the spec check go to `report`. */
  readonly trace: (report: Report) => TileProgram
}

export function tileOp<const D extends Record<string, Declaration<unknown>>>(
  name: string,
  operands: D,
  body: (t: TileTracer, operands: Handles<D>) => void,
): TileOp {
  return {
    kind: 'tileOp',
    name,
    trace: (report) => {
      const entries = Object.entries(operands)
      const t = new TileTracer()
      const handles = entries.map(([key, declaration], i) => [key, declaration.handle(i)])
      body(t, Object.fromEntries(handles) as Handles<D>)
      const program: TileProgram = {
        name,
        operands: entries.map(([key, declaration]) => declaration.describe(key)),
        axes: t.axes,
        grid: t.grid,
        body: t.body,
      }
      checkTile(program, report)
      return program
    },
  }
}
