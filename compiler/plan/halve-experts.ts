/**
 * halve-experts: which results of routed experts are handed over in two parts.
 *
 * Where only the `down` of the same experts reads what an `up` made of the rows, it may begin with the experts of the first
 * half while the second is still multiplied: by the time it has come to those, all SMs have long signalled them, so nobody
 * waits between the two phases.
 *
 * What `down` shares in an SM's memory is brought there by the copy engine, half by half, as soon as all SMs have made it: communicate asks
 * for it while compute is still in `up`, and compute waits for what has mostly come.
 */
import type { Phase, ProductPhase, Segment } from '../tile/ir.ts'
import type { Kept, ProductPlan } from './ir.ts'

export interface Halved {
  readonly up: ProductPhase
  readonly down: ProductPhase
}

export function halvedExperts(segments: readonly Segment[]): Halved[] {
  const phases = segments.flatMap((s) => s.phases)
  const found: Halved[] = []
  for (const { phases: own } of segments) {
    for (const up of own) {
      if (up.kind !== 'product' || up.routed !== 'up') continue
      const readers = phases.filter((p) => p.reads.some((r) => up.writes.includes(r)))
      const [down] = readers
      if (readers.length !== 1 || down?.kind !== 'product' || down.routed !== 'down') continue
      if (own.includes(down) && down.experts === up.experts) found.push({ up, down })
    }
  }
  return found
}

/** Whether what `up` makes can be brought near while `up` goes on: not where that memory still holds the weights of a norm of its own. */
export function bringsRows(
  { up, down }: Halved,
  products: ReadonlyMap<ProductPhase, ProductPlan>,
  kept: ReadonlyMap<Phase, Kept>,
): boolean {
  const staged = kept.get(up)?.role === 'reuse' || products.get(up)!.norm === undefined
  return staged && products.get(down)!.input?.shared === true
}

/** The counter of the first half of what another counts. */
export const earlyOf = (counter: string): string => `${counter}.early`
