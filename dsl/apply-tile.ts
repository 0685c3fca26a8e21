/**
 * Tile ops in a graph: `applyTile(op, { x, w, route, out })` adds the nodes that the op's program denotes.
 *
 * A tile program says what is computed for one tile; over all tiles that is a product of a weight with the rows of the
 * block, plain or by expert, joined, and mapped element by element: linear, expertLinear, combine and map nodes of one
 * phase. The reference therefore evaluates an author's tile op like any other op, and what the compiler cannot express
 * is refused here, where the author is.
 * Invariant: the nodes are all that the program does; nothing of it is left to be looked up later.
 */
import { type GraphBuilder, sameDims } from './builder.ts'
import { type Dim, printDims } from './dim.ts'
import type { ExprNode } from './expr.ts'
import { type Anchor, combine, expertLinear, linear } from './ops.ts'
import type { Dims, Shape } from './shapes.ts'
import type { Route, Tensor, Weight } from './tensor.ts'
import type { TileOp } from './tile.ts'
import type { Operand, TileProgram, TileStatement } from './tile-ir.ts'

/** What an operand of the program is given: a pair of weights where it says `paired`. */
export interface TileOperands {
  readonly [name: string]: Tensor | Weight | readonly [Weight, Weight] | Route
}

export interface ApplyOptions<D extends Dims> extends Anchor {
  /** Dims of the result; checked, and what gives the result its type. */
  readonly out: D
}

/** The phase is called as the op is, unless it is given. */
export function applyTile<const D extends Dims>(
  op: TileOp,
  operands: TileOperands,
  options: ApplyOptions<D>,
): Tensor<Shape<D>> {
  const builder = Object.values(operands).find((o) => 'builder' in o)?.builder
  if (!builder) throw new TypeError(`tile op '${op.name}' is applied to no tensor`)
  const program = builder.trace(op)
  const result = new Denotation(program, operands, builder, { phase: options.phase ?? op.name }).result()
  if (result && sameDims(result.dims, options.out)) return result as Tensor<Shape<D>>
  if (result) {
    builder.problem('TILE1051', `${op.name}: the result is ${printDims(result.dims)}, not ${printDims(options.out)}`)
  }
  return builder.add({ op: 'map', inputs: [], dims: options.out, expr: { kind: 'const', value: 0 } })
}

/** Joined values: one tensor, or both halves of a paired product. */
type Meaning = { readonly whole: Tensor } | { readonly halves: readonly [Tensor, Tensor] }

class Denotation {
  readonly #values = new Map<number, Meaning>()
  /** Operands that went into an accumulator, by the value. */
  readonly #products = new Map<number, { readonly weight: number; readonly activation: number }>()
  readonly #sources = new Map<number, number>()
  #stored: Tensor | undefined
  #failed = false

  constructor(
    readonly program: TileProgram,
    readonly operands: TileOperands,
    readonly m: GraphBuilder,
    readonly anchor: Anchor,
  ) {}

  result(): Tensor | undefined {
    for (const s of this.program.body) this.#visit(s)
    return this.#failed ? undefined : this.#stored
  }

  #visit(s: TileStatement): void {
    const rules: { readonly [K in TileStatement['kind']]: (s: Extract<TileStatement, { kind: K }>) => void } = {
      zeros: () => {},
      loop: (l) => {
        for (const inner of l.body) this.#visit(inner)
      },
      load: (l) => this.#sources.set(l.value, l.operand),
      stage: (g) => this.#sources.set(g.value, g.operand),
      dequant: (d) => this.#sources.set(d.value, this.#sources.get(d.page) ?? -1),
      mma: (a) => {
        if (this.#products.has(a.acc)) return this.#refuse('one accumulator takes one product')
        const [weight, activation] = [this.#sources.get(a.fragment) ?? -1, this.#sources.get(a.staged) ?? -1]
        this.#products.set(a.acc, { weight, activation })
      },
      attend: () => this.#refuse('attention over a cache is applied by attention(q, k, v)'),
      join: (j) => this.#join(j),
      pair: (p) => {
        const sum = this.#values.get(p.sum)
        if (!sum || !('halves' in sum)) return this.#refuse('what is taken apart is not a paired sum')
        this.#values.set(p.low, { whole: sum.halves[0] })
        this.#values.set(p.high, { whole: sum.halves[1] })
      },
      map: (e) => this.#map(e.value, e.inputs, e.expr),
      store: (t) => {
        this.#stored = this.#whole(t.sum)
      },
    }
    const rule = rules[s.kind] as (s: TileStatement) => void
    if (!this.#failed) rule(s)
  }

  #join(j: Extract<TileStatement, { kind: 'join' }>): void {
    const product = this.#products.get(j.acc)
    const weight = product && this.program.operands[product.weight]
    const activation = product && this.program.operands[product.activation]
    if (weight?.kind !== 'weight' || !activation) {
      this.#refuse('the sum is not one of a weight and an activation')
      return
    }
    const x = this.#tensor(activation)
    const matrices = this.#weights(weight)
    const route = weight.routed ? this.#route() : undefined
    if (!x || !matrices || (weight.routed && !route)) return
    const tensors = matrices.map((w) => {
      if (!route) return linear(x, w, this.anchor)
      const routed = expertLinear(x, route, w, this.anchor) as Tensor
      return j.over === 'slots' ? (combine(routed as never, route) as Tensor) : routed
    })
    const [low, high] = tensors as [Tensor, Tensor?]
    this.#values.set(j.value, high ? { halves: [low, high] } : { whole: low })
  }

  #map(value: number, inputs: readonly number[], expr: ExprNode): void {
    const tensors = inputs.map((i) => this.#whole(i))
    if (!tensors.every((t) => t !== undefined)) return
    const dims: readonly Dim[] = tensors[0]!.dims
    const node = this.m.add({ op: 'map', inputs: tensors.map((t) => t.id), dims, expr })
    this.#values.set(value, { whole: node })
  }

  #whole(id: number): Tensor | undefined {
    const value = this.#values.get(id)
    if (value && 'whole' in value) return value.whole
    return this.#refuse('a paired sum is used before it is taken apart')
  }

  #tensor(o: Operand): Tensor | undefined {
    const given = this.operands[o.name]
    return given && 'id' in given && 'dims' in given ? given : this.#refuse(`operand '${o.name}' must be a tensor`)
  }
  #weights(o: Extract<Operand, { kind: 'weight' }>): readonly Weight[] | undefined {
    const given = this.operands[o.name]
    const pair = Array.isArray(given)
    if (given && pair === o.paired && (pair || 'format' in given)) {
      return pair ? (given as unknown as readonly Weight[]) : [given as Weight]
    }
    return this.#refuse(`operand '${o.name}' must be ${o.paired ? 'a pair of weights' : 'a weight'}`)
  }
  #route(): Route | undefined {
    const operand = this.program.operands.find((o) => o.kind === 'routing')
    const given = operand && this.operands[operand.name]
    return given && 'slot' in given ? given : this.#refuse(`operand '${operand?.name ?? 'route'}' must be a route`)
  }

  #refuse(message: string): undefined {
    this.#failed = true
    this.m.problem('TILE1051', `${this.program.name}: ${message}`)
  }
}
