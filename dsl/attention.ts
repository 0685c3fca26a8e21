/**
 * Attention over a cache, and what fills a cache for another program.
 *
 * Vocabulary: a *cache* holds a key and a value of each position; an attention op has one of its own unless it names one.
 * Programs of one engine that name the same cache share it: a drafter's `commit` remembers, its `draft` attends.
 */
import type { GraphBuilder } from './builder.ts'
import { sameDims } from './builder.ts'
import { type Dim, printDims, sameDim } from './dim.ts'
import { type Anchor, phaseOf } from './ops.ts'
import type { Dims, Fit, PrintShape, SameShape, WithLast } from './shapes.ts'
import type { Tensor, Weight } from './tensor.ts'

export interface AttentionOptions extends Anchor {
  readonly scale: number
  /** Keys that a row sees, itself included; all when left out. */
  readonly window?: number | undefined
  /** One logit a head that takes part in the softmax's denominator only: [kv, group]. */
  readonly sink?: Weight | undefined
  /** Rows see all rows of the block and what `cache` holds before it; the window counts both ways. Keeps no keys. */
  readonly block?: boolean | undefined
  /** The cache that this attention shares with other programs of the engine; one of its own when left out. */
  readonly cache?: string | undefined
}

type AttentionFits<Q extends Dims, K extends Dims, V extends Dims> = number extends Q['length']
  ? true
  : Q extends readonly [infer G extends Dim, Dim, infer D extends Dim]
    ? SameShape<'attention: keys must be [kv, query dim]', K, [G, D]> extends true
      ? ValuesFit<G, V>
      : SameShape<'attention: keys must be [kv, query dim]', K, [G, D]>
    : `attention: queries must be [kv, group, query dim] — they are ${PrintShape<Q>}`
type ValuesFit<G extends Dim, V extends Dims> = number extends V['length']
  ? true
  : V extends readonly [infer GV extends Dim, Dim]
    ? SameShape<'attention: values must be [kv, value dim]', [GV], [G]>
    : `attention: values must be [kv, value dim] — they are ${PrintShape<V>}`

/** Causal attention with a cache: q [kv, group, qd], k [kv, qd], v [kv, vd] give [kv, group, vd]. */
export function attention<Q extends Dims, K extends Dims, V extends Dims>(
  q: Tensor<Q>,
  k: Tensor<K>,
  v: Fit<AttentionFits<Q, K, V>, Tensor<V>>,
  options: AttentionOptions,
): Tensor<WithLast<Q, V extends readonly [...unknown[], infer L extends Dim] ? L : Dim>>
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  const m = q.builder
  const [kv, group, qd] = q.dims
  const [vkv, vd] = v.dims
  const fits =
    q.dims.length === 3 &&
    v.dims.length === 2 &&
    kv &&
    group &&
    qd &&
    vd &&
    vkv &&
    sameDims(k.dims, [kv, qd]) &&
    sameDim(vkv, kv)
  if (!fits) {
    m.problem(
      'TILE1024',
      `attention: expected q [kv, group, qd], k [kv, qd], v [kv, vd], got q ${printDims(q.dims)}, k ${printDims(k.dims)}, v ${printDims(v.dims)}`,
    )
  }
  const { scale: factor, window, sink, block, cache } = options
  checkWindow(m, 'attention', window)
  if (!(factor > 0)) m.problem('TILE1024', `attention: scale must be positive, got ${factor}`)
  if (block && cache === undefined) {
    m.problem('TILE1024', 'attention: a block keeps no keys of its own; name the cache that it reads')
  }
  if (fits && sink && !sameDims(sink.dims, [kv, group])) {
    m.problem(
      'TILE1024',
      `attention: sink '${sink.name}' is ${printDims(sink.dims)}, expected ${printDims([kv, group])}`,
    )
  }
  return m.add({
    op: 'attention',
    inputs: [m.own(q, 'attention'), m.own(k, 'attention'), m.own(v, 'attention')],
    dims: fits ? [kv, group, vd] : [...q.dims.slice(0, 2), ...v.dims.slice(1)],
    scale: factor,
    ...(window !== undefined && { window }),
    ...(sink && { sink: m.use(sink) }),
    ...(block && { block }),
    ...(cache !== undefined && { cache }),
    ...phaseOf(options),
  })
}

export interface RememberOptions {
  /** Name of the cache. */
  readonly cache: string
  /** Keys that the attention over it sees; all when left out. */
  readonly window?: number | undefined
}

type RememberFits<K extends Dims, V extends Dims> = number extends K['length']
  ? true
  : K extends readonly [infer G extends Dim, Dim]
    ? number extends V['length']
      ? true
      : V extends readonly [infer GV extends Dim, Dim]
        ? SameShape<'remember: values must be [kv, value dim]', [GV], [G]>
        : `remember: values must be [kv, value dim] — they are ${PrintShape<V>}`
    : `remember: keys must be [kv, query dim] — they are ${PrintShape<K>}`

/** Appends the rows' keys [kv, qd] and values [kv, vd] to a cache, at the rows' positions. */
export function remember<K extends Dims, V extends Dims>(
  k: Tensor<K>,
  v: Fit<RememberFits<K, V>, Tensor<V>>,
  options: RememberOptions,
): void
export function remember(k: Tensor, v: Tensor, { cache, window }: RememberOptions): void {
  const m = k.builder
  const [kv, vkv] = [k.dims[0], v.dims[0]]
  if (k.dims.length !== 2 || v.dims.length !== 2 || !sameDim(kv!, vkv!)) {
    m.problem(
      'TILE1024',
      `remember: expected k [kv, qd] and v [kv, vd], got k ${printDims(k.dims)}, v ${printDims(v.dims)}`,
    )
  }
  checkWindow(m, 'remember', window)
  m.add({
    op: 'remember',
    inputs: [m.own(k, 'remember'), m.own(v, 'remember')],
    dims: [],
    cache,
    ...(window !== undefined && { window }),
  })
}

function checkWindow(m: GraphBuilder, op: string, window: number | undefined): void {
  if (window === undefined || (Number.isInteger(window) && window >= 1)) return
  m.problem('TILE1024', `${op}: window must be a positive integer or left out, got ${window}`)
}
