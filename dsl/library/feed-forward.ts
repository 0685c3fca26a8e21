/**
 * Feed-forward composites, built from ops alone: what they do an author can do too.
 *
 * Invariant: the two phases are called `<phase>.up` and `<phase>.down`, and gate and up share the first one, so that a
 * schedule can treat them as one pass over interleaved rows.
 */
import type { Dim } from '../dim.ts'
import { type Expr, sigmoid } from '../expr.ts'
import { combine, expertLinear, linear, map } from '../ops.ts'
import type { Route, Tensor, Weight } from '../tensor.ts'

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
  const gate = linear(x as Tensor, w.gate, { phase: `${phase}.up` })
  const up = linear(x as Tensor, w.up, { phase: `${phase}.up` })
  return linear(map(gate, up, activation), w.down as Weight, { phase: `${phase}.down` }) as Tensor as Tensor<[H]>
}

/** The same for the experts that `chosen` names, summed with their weights. */
export function experts<H extends Dim, I extends Dim, E extends Dim>(
  x: Tensor<[H]>,
  chosen: Route,
  w: { readonly gate: Weight<[E, I, H]>; readonly up: Weight<[E, I, H]>; readonly down: Weight<[E, H, I]> },
  { phase = 'expert', activation = siluGate }: GatedOptions = {},
): Tensor<[H]> {
  const gate = expertLinear(x as Tensor, chosen, w.gate, { phase: `${phase}.up` })
  const up = expertLinear(x as Tensor, chosen, w.up, { phase: `${phase}.up` })
  const hidden = map(gate as Tensor, up as Tensor, activation)
  const down = expertLinear(hidden, chosen, w.down as Weight, { phase: `${phase}.down` })
  return combine(down as never, chosen) as Tensor as Tensor<[H]>
}
