/**
 * Feed-forward composites, built from the library's tile ops alone: what they do an author can do too.
 *
 * Invariant: the two phases are called `<phase>.up` and `<phase>.down`, and gate and up share the first one, so that a
 * schedule can treat them as one pass over interleaved rows.
 */
import { applyTile } from '../apply-tile.ts'
import type { Dim } from '../dim.ts'
import { type Expr, sigmoid } from '../expr.ts'
import type { Route, Tensor, Weight } from '../tensor.ts'
import { expertDownTile, expertUpTile, linearTile, pairedTile } from './tiles.ts'

/** gate * sigmoid(gate) * up. */
export const siluGate = (gate: Expr, up: Expr): Expr => gate.mul(sigmoid(gate)).mul(up)

export interface GatedOptions {
  readonly phase?: string
  /** What becomes of gate and up; siluGate when left out. */
  readonly activation?: (gate: Expr, up: Expr) => Expr
}

/** down(activation(gate(x), up(x))) with dense weights. */
export function swiglu<H extends Dim, I extends Dim>(
  x: Tensor<[H]>,
  w: { readonly gate: Weight<[I, H]>; readonly up: Weight<[I, H]>; readonly down: Weight<[H, I]> },
  { phase = 'dense', activation = siluGate }: GatedOptions = {},
): Tensor<[H]> {
  const [hidden, inter] = w.down.dims
  const up = { phase: `${phase}.up`, out: [inter] } as const
  const inner = applyTile(pairedTile(activation), { x, w: [w.gate, w.up] }, up)
  return applyTile(linearTile, { x: inner, w: w.down }, { phase: `${phase}.down`, out: [hidden] })
}

/** The same for the experts that `route` names, summed with their weights. */
export function experts<H extends Dim, I extends Dim, E extends Dim>(
  x: Tensor<[H]>,
  route: Route,
  w: { readonly gate: Weight<[E, I, H]>; readonly up: Weight<[E, I, H]>; readonly down: Weight<[E, H, I]> },
  { phase = 'expert', activation = siluGate }: GatedOptions = {},
): Tensor<[H]> {
  const [, hidden, inter] = w.down.dims
  const up = { phase: `${phase}.up`, out: [route.slot, inter] } as const
  const inner = applyTile(expertUpTile(activation), { x, w: [w.gate, w.up], route }, up)
  return applyTile(expertDownTile, { x: inner, w: w.down, route }, { phase: `${phase}.down`, out: [hidden] })
}
