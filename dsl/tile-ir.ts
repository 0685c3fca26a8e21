/**
 * Tile programs: what one tile of the work does, as data. They are traced from TypeScript by tile.ts, checked by
 * check-tile.ts and lowered by the compiler, which splits the statements among the roles of an SM.
 *
 * Vocabulary
 *   operand   what a program is applied to: an activation, a weight, a routing decision, a cache, the result
 *   axis      a range that the program runs over. *Grid* axes make up the tiles and are dealt out over SMs; *loop* axes
 *             run inside a tile. rows, k and heads are static; experts (the active ones) and spans depend on the data.
 *   page      weight codes and scales as the ring delivers them; a *fragment* is what they mean
 *   staged    a k step of an activation, ready for the multiplier
 *   acc       a running sum, spread over the warps that share k or experts; a *sum* is one that was joined, and from then
 *             on the program is written for one element
 *   pair      a paired weight interleaves two matrices; the halves of a tile are the same outputs of both
 * Invariants: a value is numbered once and used after; operands, axes and values are indices into the program's tables;
 * spans are the author's statements.
 */
import { type ExprNode, printExpr } from './expr.ts'
import type { Span } from './span.ts'

export type Operand =
  | { readonly kind: 'activation'; readonly name: string }
  /** `paired`: two matrices, interleaved by rows. `routed`: one matrix for each expert. */
  | { readonly kind: 'weight'; readonly name: string; readonly paired: boolean; readonly routed: boolean }
  | { readonly kind: 'routing'; readonly name: string }
  | { readonly kind: 'cache'; readonly name: string }
  | { readonly kind: 'result'; readonly name: string }
export type OperandKind = Operand['kind']

export type Axis =
  /** Output rows of a weight, `tile` at a time. */
  | { readonly kind: 'rows'; readonly operand: number; readonly tile: number }
  /** The contraction of a weight, `tile` columns at a time. */
  | { readonly kind: 'k'; readonly operand: number; readonly tile: number }
  /** Experts that some row of the block was sent to, ascending. */
  | { readonly kind: 'experts'; readonly operand: number }
  /** KV heads of a cache. */
  | { readonly kind: 'heads'; readonly operand: number }
  /** Aligned runs of `tile` keys that some row of the block sees. */
  | { readonly kind: 'spans'; readonly operand: number; readonly tile: number }
export type AxisKind = Axis['kind']

export type TileStatement = { readonly span?: Span } & (
  | { readonly kind: 'zeros'; readonly value: number }
  | { readonly kind: 'loop'; readonly axis: number; readonly body: readonly TileStatement[] }
  /** A page of a weight, or a span of a cache. */
  | { readonly kind: 'load'; readonly value: number; readonly operand: number; readonly at: readonly number[] }
  | { readonly kind: 'dequant'; readonly value: number; readonly page: number }
  | { readonly kind: 'stage'; readonly value: number; readonly operand: number; readonly at: readonly number[] }
  /** acc += fragment * staged. */
  | { readonly kind: 'mma'; readonly acc: number; readonly fragment: number; readonly staged: number }
  /** Scores of staged queries against a span of keys, folded with its values into an unmerged partial. */
  | {
      readonly kind: 'attend'
      readonly acc: number
      readonly queries: number
      readonly keys: number
      readonly values: number
    }
  /** The sum over warps that share k; over a row's slots, weighted, in slot order; over spans, by their softmax. */
  | { readonly kind: 'join'; readonly value: number; readonly acc: number; readonly over: 'k' | 'slots' | 'spans' }
  | { readonly kind: 'pair'; readonly low: number; readonly high: number; readonly sum: number }
  | { readonly kind: 'map'; readonly value: number; readonly expr: ExprNode; readonly inputs: readonly number[] }
  | { readonly kind: 'store'; readonly operand: number; readonly at: readonly number[]; readonly sum: number }
)

export interface TileProgram {
  readonly name: string
  readonly operands: readonly Operand[]
  readonly axes: readonly Axis[]
  /** Axes of the grid, outermost first. */
  readonly grid: readonly number[]
  readonly body: readonly TileStatement[]
}

/** Stable text of a program; everything but spans. */
export function printTile(p: TileProgram): string {
  const operand = (i: number) => p.operands[i]!.name
  const axis = (i: number) => axisNames(p)[i]!
  const range = (i: number) => {
    const a = p.axes[i]!
    return `${axis(i)} in ${operand(a.operand)}.${a.kind}${'tile' in a ? `(${a.tile})` : ''}`
  }
  const at = (indices: readonly number[]) => `[${indices.map(axis).join(', ')}]`
  const lines = [`tile ${p.name}(${p.operands.map(printOperand).join(', ')}) over ${p.grid.map(range).join(', ')}`]
  const print = (s: TileStatement, indent: string): void => {
    const line = (text: string) => lines.push(`${indent}${text}`)
    switch (s.kind) {
      case 'zeros':
        return void line(`%${s.value} = zeros`)
      case 'loop':
        line(`loop ${range(s.axis)}`)
        for (const inner of s.body) print(inner, `${indent}  `)
        return
      case 'load':
        return void line(`%${s.value} = load ${operand(s.operand)}${at(s.at)}`)
      case 'dequant':
        return void line(`%${s.value} = dequant %${s.page}`)
      case 'stage':
        return void line(`%${s.value} = stage ${operand(s.operand)}${at(s.at)}`)
      case 'mma':
        return void line(`%${s.acc} += %${s.fragment} * %${s.staged}`)
      case 'attend':
        return void line(`%${s.acc} += attend(%${s.queries}, %${s.keys}, %${s.values})`)
      case 'join':
        return void line(`%${s.value} = join %${s.acc} over ${s.over}`)
      case 'pair':
        return void line(`%${s.low}, %${s.high} = halves of %${s.sum}`)
      case 'map': {
        const names = s.inputs.map((i) => `%${i}`)
        return void line(`%${s.value} = ${printExpr(s.expr, names)}`)
      }
      case 'store':
        return void line(`store ${operand(s.operand)}${at(s.at)} = %${s.sum}`)
    }
  }
  for (const s of p.body) print(s, '  ')
  return `${lines.join('\n')}\n`
}

function printOperand(o: Operand): string {
  const traits = o.kind === 'weight' ? `${o.paired ? 'paired ' : ''}${o.routed ? 'routed ' : ''}` : ''
  return `${o.name}: ${traits}${o.kind}`
}

/** `rows`, `k`, and so on; numbered where a kind occurs twice. */
function axisNames(p: TileProgram): string[] {
  return p.axes.map((a, i) => {
    const before = p.axes.slice(0, i).filter((b) => b.kind === a.kind).length
    return before === 0 ? a.kind : `${a.kind}${before + 1}`
  })
}
