/**
 * Handles that a model function passes around: tensors, weights and routing decisions.
 *
 * Vocabulary: a tensor is the result of one graph node; a weight is the declaration of a parameter, named relative to
 * the scope in which it is used; a route is what `route` decided, readable only by expertLinear and combine.
 * Invariants: handles are immutable; `dims` leaves out the row dim, which every tensor has implicitly and first.
 */

import type { GraphBuilder } from './builder.ts'
import type { Dim } from './dim.ts'
import type { WeightFormat } from './format.ts'
import type { Dims, Shape } from './shapes.ts'

export class Tensor<out D extends Dims = Dims> {
  constructor(
    readonly builder: GraphBuilder,
    readonly id: number,
    readonly dims: D,
  ) {}
}

export interface Weight<out D extends Dims = Dims> {
  readonly name: string
  readonly dims: D
  readonly format: WeightFormat
}

/** The dim of a row's chosen experts. */
export type Slot = Dim<'slot', number>

export class Route {
  constructor(
    readonly builder: GraphBuilder,
    readonly id: number,
    readonly slot: Slot,
    readonly experts: Dim,
  ) {}
}

/** Declares a parameter. Output dims come first, the dims that are contracted over come last. */
export function weight<const D extends Dims>(name: string, dims: D, format: WeightFormat): Weight<Shape<D>> {
  return { name, dims: [...dims], format }
}
