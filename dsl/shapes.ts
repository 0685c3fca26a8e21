/**
 * Shapes as types: what lets an editor refuse a dim mismatch in a sentence.
 *
 * Vocabulary: a shape is a tuple of dims; `Fits...` types are the identity when shapes agree and a string literal when
 * they do not, so that TypeScript's own message becomes `... is not assignable to parameter of type '"linear: weight
 * contracts over 'inter' but input ends in 'q' ..."'`. Run-time sizes are `number` and then only names are compared.
 * Invariant: a type never refuses what the run-time check in ops.ts accepts; arithmetic on sizes is left to run time.
 */
import type { Dim } from './dim.ts'

export type Dims = readonly Dim[]
/** The mutable twin of a tuple: all results use it, so that equal shapes are one type however they were inferred. */
export type Shape<D extends Dims> = [...D]

type PrintDim<D> = D extends Dim<infer N, infer S> ? (number extends S ? N : `${N}=${S}`) : never
type Join<D extends Dims> = D extends readonly [infer Only]
  ? PrintDim<Only>
  : D extends readonly [infer First, ...infer Rest extends Dims]
    ? `${PrintDim<First>}, ${Join<Rest>}`
    : ''
/** `[hidden=384, kv]`, as messages print a shape. */
export type PrintShape<D extends Dims> = `[${Join<D>}]`

type SameSize<A, B> = number extends A ? true : number extends B ? true : A extends B ? true : false
/** Whether two dims agree by name, and by size where both sizes are literal. */
export type SameDim<A, B> =
  A extends Dim<infer NA, infer SA>
    ? B extends Dim<infer NB, infer SB>
      ? [NA, NB] extends [NB, NA]
        ? SameSize<SA, SB>
        : string extends NA
          ? true
          : string extends NB
            ? true
            : false
      : false
    : false

type NameOf<D> = D extends Dim<infer N> ? N : 'nothing'
interface Clash<W, X> {
  readonly clash: [W, X]
}
/** Names tell two dims apart where they differ; else sizes do. */
type ClashOf<W, X> = NameOf<W> extends NameOf<X> ? Clash<PrintDim<W>, PrintDim<X>> : Clash<NameOf<W>, NameOf<X>>
/** `W` without its tail `X`, or the first pair of dims, from the end, that disagree. */
export type Strip<W extends Dims, X extends Dims> = X extends readonly [...infer XI extends Dims, infer XL]
  ? W extends readonly [...infer WI extends Dims, infer WL]
    ? SameDim<WL, XL> extends true
      ? Strip<WI, XI>
      : ClashOf<WL, XL>
    : Clash<'nothing', NameOf<XL>>
  : Shape<W>

/** Result dims of a contraction of `x` with the tail of `w`; unknown shapes stay unknown. */
export type Contracted<W extends Dims, X extends Dims> = number extends X['length']
  ? Dim[]
  : number extends W['length']
    ? Dim[]
    : Strip<W, X> extends infer Out extends Dims
      ? Out
      : Dim[]

/** True, or the sentence that says why a contraction is refused. */
export type ContractsOver<Op extends string, W extends Dims, X extends Dims> = number extends X['length']
  ? true
  : number extends W['length']
    ? true
    : Strip<W, X> extends Clash<infer A extends string, infer B extends string>
      ? `${Op}: weight contracts over '${A}' but input ends in '${B}' — input is ${PrintShape<X>}, weight is ${PrintShape<W>}`
      : true

/** True, or the sentence that says why two shapes of a pointwise op differ. */
export type SameShape<Op extends string, A extends Dims, B extends Dims> = number extends A['length']
  ? true
  : number extends B['length']
    ? true
    : Strip<A, B> extends readonly []
      ? true
      : `${Op}: shapes differ — ${PrintShape<A>} and ${PrintShape<B>}`

/** Dim names of a shape. */
export type Names<D extends Dims> = D[number]['name']
/** `D` with the dim called `N` replaced by `Tail`. */
export type Replaced<D extends Dims, N extends string, Tail extends Dims> = number extends D['length']
  ? Dim[]
  : D extends readonly [infer First extends Dim, ...infer Rest extends Dims]
    ? First['name'] extends N
      ? [...Tail, ...Rest]
      : [First, ...Replaced<Rest, N, Tail>]
    : []
/** True, or the sentence that says that there is no such dim. */
export type HasDim<Op extends string, D extends Dims, N extends string> = number extends D['length']
  ? true
  : N extends Names<D>
    ? true
    : `${Op}: input has no dim '${N}' — input is ${PrintShape<D>}`

/** All but the first dim. */
export type Tail<D extends Dims> = D extends readonly [unknown, ...infer Rest extends Dims] ? Rest : Dim[]
/** A shape with its last dim exchanged. */
export type WithLast<D extends Dims, L extends Dim> = D extends readonly [...infer Init extends Dims, unknown]
  ? [...Init, L]
  : Dim[]
export type Last<D extends Dims> = D extends readonly [...unknown[], infer L extends Dim] ? L : Dim
/** `Value` when `Check` is true, else the sentence itself: the type of a parameter that must fit. */
export type Fit<Check, Value> = Check extends true ? Value : Check
