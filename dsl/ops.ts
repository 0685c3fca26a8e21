/**
 * Graph ops: the free functions of a model file. Each checks its operands' named dims, twice: in its parameter types,
 * so that an editor refuses a mismatch in a sentence, and at run time, with the same sentence and the author's span.
 *
 * Vocabulary: an *anchor* op is one that a schedule can name by `phase`: linear, expertLinear, attention (attention.ts).
 * The others are pointwise or small and are fused into their neighbours.
 * Invariant: what an op computes is exactly what its node in graph.ts says; nothing here looks at a model or a format.
 */
import { type GraphBuilder, sameDims, stripDims } from './builder.ts'
import { type Dim, dim, printDims, sameDim, sizeOf } from './dim.ts'
import { type Expr, rsqrt, sigmoid, traceExpr } from './expr.ts'
import type { GraphNode } from './graph.ts'
import type { Contracted, ContractsOver, Dims, Fit, HasDim, Replaced, SameShape, Shape } from './shapes.ts'
import { Route, type Slot, type Tensor, type Weight } from './tensor.ts'

export interface Anchor {
  /** The schedule's name for the work that this op becomes. */
  readonly phase?: string
}
export const phaseOf = (options: Anchor) => (options.phase === undefined ? {} : { phase: options.phase })

/** y[out...] = sum over the dims of x of x * w; w is [out..., dims of x...]. */
export function linear<X extends Dims, W extends Dims>(
  x: Tensor<X>,
  w: Fit<ContractsOver<'linear', W, X>, Weight<W>>,
  options?: Anchor,
): Tensor<Contracted<W, X>>
export function linear(x: Tensor, w: Weight, options: Anchor = {}): Tensor {
  const m = x.builder
  const dims = contract(m, 'linear', 'TILE1020', w, x.dims)
  return m.add({ op: 'linear', inputs: [m.own(x, 'linear')], dims, param: m.use(w), ...phaseOf(options) })
}

/** Pointwise arithmetic of the author's own over tensors of equal dims. */
export function map<A extends Dims>(x: Tensor<A>, fn: (x: Expr) => Expr): Tensor<A>
export function map<A extends Dims, B extends Dims>(
  x: Tensor<A>,
  y: Fit<SameShape<'map', A, B>, Tensor<B>>,
  fn: (x: Expr, y: Expr) => Expr,
): Tensor<A>
export function map(x: Tensor, ...rest: unknown[]): Tensor {
  const fn = rest.at(-1) as (...inputs: Expr[]) => Expr
  return pointwise('map', [x, ...(rest.slice(0, -1) as Tensor[])], fn)
}
export function add<A extends Dims, B extends Dims>(x: Tensor<A>, y: Fit<SameShape<'add', A, B>, Tensor<B>>): Tensor<A>
export function add(x: Tensor, y: Tensor): Tensor {
  return pointwise('add', [x, y], (a, b) => a.add(b))
}
export function mul<A extends Dims, B extends Dims>(x: Tensor<A>, y: Fit<SameShape<'mul', A, B>, Tensor<B>>): Tensor<A>
export function mul(x: Tensor, y: Tensor): Tensor {
  return pointwise('mul', [x, y], (a, b) => a.mul(b))
}
/** x * factor. */
export function scale<A extends Dims>(x: Tensor<A>, factor: number): Tensor<A> {
  return pointwise('scale', [x], (v) => v.mul(factor))
}
/** x * sigmoid(x). */
export function silu<A extends Dims>(x: Tensor<A>): Tensor<A> {
  return pointwise('silu', [x], (v) => v.mul(sigmoid(v)))
}

function pointwise<A extends Dims>(op: string, inputs: readonly Tensor[], fn: (...inputs: Expr[]) => Expr): Tensor<A> {
  const [first, ...others] = inputs as [Tensor, ...Tensor[]]
  const m = first.builder
  for (const other of others) {
    if (!sameDims(first.dims, other.dims)) {
      m.problem('TILE1021', `${op}: shapes differ: ${printDims(first.dims)} and ${printDims(other.dims)}`)
    }
  }
  return m.add({
    op: 'map',
    inputs: inputs.map((i) => m.own(i, op)),
    dims: first.dims,
    expr: traceExpr(inputs.length, fn),
  })
}

export interface NormRule {
  /** What is averaged over the weight's dims. */
  readonly stat: (x: Expr) => Expr
  readonly apply: (x: Expr, mean: Expr, weight: Expr) => Expr
}

/** A normalisation of the author's own: apply(x, mean of stat(x) over the weight's dims, weight). */
export function norm<X extends Dims, W extends Dims>(
  x: Tensor<X>,
  w: Fit<ContractsOver<'norm', X, W>, Weight<W>>,
  rule: NormRule,
): Tensor<X>
export function norm(x: Tensor, w: Weight, rule: NormRule): Tensor {
  const m = x.builder
  const fit = stripDims(x.dims, w.dims)
  if ('clash' in fit || w.dims.length === 0) {
    m.problem('TILE1022', `norm: weight '${w.name}' is ${printDims(w.dims)} but input is ${printDims(x.dims)}`, {
      help: "a norm's weight has the last dims of its input",
    })
  }
  return m.add({
    op: 'norm',
    inputs: [m.own(x, 'norm')],
    dims: x.dims,
    param: m.use(w),
    stat: traceExpr(1, rule.stat),
    apply: traceExpr(3, rule.apply),
  })
}

/** x / sqrt(mean(x^2) + epsilon) * w. */
export function rmsNorm<X extends Dims, W extends Dims>(
  x: Tensor<X>,
  w: Fit<ContractsOver<'rmsNorm', X, W>, Weight<W>>,
  epsilon: number,
): Tensor<X>
export function rmsNorm(x: Tensor, w: Weight, epsilon: number): Tensor {
  return norm(x, w, {
    stat: (v) => v.mul(v),
    apply: (v, mean, gain) => v.mul(rsqrt(mean.add(epsilon))).mul(gain),
  })
}

/** `size of into` consecutive elements of dim `name` from `start` on, seen as the dims `into`. */
export function slice<X extends Dims, const N extends string, const Into extends Dims>(
  x: Tensor<X>,
  name: Fit<HasDim<'slice', X, N>, N>,
  start: number,
  into: Into,
): Tensor<Replaced<X, N, Shape<Into>>>
export function slice(x: Tensor, name: string, start: number, into: Dims): Tensor {
  const m = x.builder
  const at = x.dims.findIndex((d) => d.name === name)
  const count = sizeOf(into)
  const from = x.dims[at]
  if (!from) {
    m.problem('TILE1023', `slice: input has no dim '${name}'; it is ${printDims(x.dims)}`)
  } else if (!Number.isInteger(start) || start < 0 || start + count > from.size) {
    m.problem('TILE1023', `slice: elements ${start} to ${start + count} of dim '${name}', which has ${from.size}`)
  }
  const dims = from ? [...x.dims.slice(0, at), ...into, ...x.dims.slice(at + 1)] : [...into]
  return m.add({ op: 'slice', inputs: [m.own(x, 'slice')], dims, dim: name, start, count })
}

/** Rotates the first `rotary` elements of the last dim by the row's position (rotate-half order). */
export function rope<X extends Dims>(
  x: Tensor<X>,
  options: { readonly theta: number; readonly rotary: number },
): Tensor<X> {
  const m = x.builder
  const { theta, rotary } = options
  const last = x.dims.at(-1)
  if (!last || !Number.isInteger(rotary) || rotary < 2 || rotary % 2 !== 0 || rotary > last.size) {
    const limit = last ? `${last.size} (${last.name})` : 'the size of the last dim'
    m.problem('TILE1028', `rope: rotary must be an even number from 2 to ${limit}, got ${rotary}`)
  }
  if (!(theta > 0)) m.problem('TILE1028', `rope: theta must be positive, got ${theta}`)
  return m.add({ op: 'rope', inputs: [m.own(x, 'rope')], dims: x.dims, theta, rotary })
}

export interface RouteOptions {
  readonly topK: number
  /** The weight of an expert, from its logit. */
  readonly score: (logit: Expr) => Expr
  /** What ranks experts, from score and bias; without it, the score. */
  readonly choose?: (score: Expr, bias: Expr) => Expr
  readonly bias?: Weight
  /** Divide the chosen weights by their sum plus `epsilon`. */
  readonly normalise: boolean
  readonly epsilon?: number
  /** Multiplies the chosen weights last. */
  readonly factor?: number
}

/** Chooses `topK` experts a row from logits [expert]. Ties go to the lower index. */
export function route<X extends Dims>(logits: Tensor<X>, options: RouteOptions): Route {
  const m = logits.builder
  const { topK, bias, normalise, epsilon = 0, factor = 1 } = options
  const experts = logits.dims[0] ?? dim('expert', 1)
  if (logits.dims.length !== 1) {
    m.problem('TILE1025', `route: expected logits of one dim, the experts, got ${printDims(logits.dims)}`)
  }
  const legal = Number.isInteger(topK) && topK >= 1 && topK <= experts.size
  if (!legal) m.problem('TILE1025', `route: topK must be an integer from 1 to ${experts.size}, got ${topK}`)
  if (bias && !sameDims(bias.dims, [experts])) {
    m.problem('TILE1025', `route: bias '${bias.name}' is ${printDims(bias.dims)}, expected ${printDims([experts])}`)
  }
  if (bias && !options.choose) m.problem('TILE1025', `route: bias '${bias.name}' is given but choose is not`)
  const slot: Slot = dim('slot', legal ? topK : 1)
  const node = m.add({
    op: 'route',
    inputs: [m.own(logits, 'route')],
    dims: [slot],
    ...(bias && { bias: m.use(bias) }),
    score: traceExpr(1, options.score),
    choose: traceExpr(2, options.choose ?? ((s) => s)),
    topK: slot.size,
    normalise,
    epsilon,
    factor,
  })
  return new Route(m, node.id, slot, experts)
}

type Unrouted<X extends Dims> = X extends readonly [Dim<'slot'>, ...infer Rest extends Dims] ? Rest : X
type ExpertOut<W extends Dims> = W extends readonly [Dim, ...infer Rest extends Dims] ? Rest : Dim[]

/** y[slot, out...] = weights of the slot's expert times x; x [in...] or [slot, in...], w [expert, out..., in...]. */
export function expertLinear<X extends Dims, W extends Dims>(
  x: Tensor<X>,
  chosen: Route,
  w: Fit<ContractsOver<'expertLinear', W, Unrouted<X>>, Weight<W>>,
  options?: Anchor,
): Tensor<[Slot, ...Contracted<ExpertOut<W>, Unrouted<X>>]>
export function expertLinear(x: Tensor, chosen: Route, w: Weight, options: Anchor = {}): Tensor {
  const m = x.builder
  const first = x.dims[0]
  const routed = first !== undefined && sameDim(first, chosen.slot)
  const rest = contract(m, 'expertLinear', 'TILE1026', w, routed ? x.dims.slice(1) : x.dims)
  const [expert, ...out] = rest
  if (!expert || !sameDim(expert, chosen.experts) || out.length === 0) {
    m.problem(
      'TILE1026',
      `expertLinear: weight '${w.name}' must be [${chosen.experts.name}=${chosen.experts.size}, out..., in...], got ${printDims(w.dims)}`,
    )
  }
  return m.add({
    op: 'expertLinear',
    inputs: [m.own(x, 'expertLinear'), m.own(chosen, 'expertLinear')],
    dims: [chosen.slot, ...out],
    param: m.use(w),
    ...phaseOf(options),
  })
}

/** y = sum over the row's slots, in slot order, of the slot's weight times x[slot]. */
export function combine<D extends Dims>(x: Tensor<[Slot, ...D]>, chosen: Route): Tensor<D>
export function combine(x: Tensor, chosen: Route): Tensor {
  const m = x.builder
  const [first, ...dims] = x.dims
  if (!first || !sameDim(first, chosen.slot) || dims.length === 0) {
    m.problem('TILE1027', `combine: expected [slot=${chosen.slot.size}, ...], got ${printDims(x.dims)}`)
  }
  return m.add({ op: 'combine', inputs: [m.own(x, 'combine'), m.own(chosen, 'combine')], dims })
}

function contract(m: GraphBuilder, op: GraphNode['op'], code: 'TILE1020' | 'TILE1026', w: Weight, x: Dims): Dim[] {
  const fit = stripDims(w.dims, x)
  if ('rest' in fit) return fit.rest
  const [a, b] = fit.clash
  m.problem(
    code,
    `${op}: weight contracts over '${a}' but input ends in '${b}' — input is ${printDims(x)}, weight '${w.name}' is ${printDims(w.dims)}`,
    { help: 'a weight is declared [outputs..., inputs...]; its last dims must be those of the input, in order' },
  )
  return w.dims.slice(0, Math.max(0, w.dims.length - x.length))
}
