/**
 * hand-tiles: phases that announce what they have made tile by tile, by the warp that has made it, and not SM by SM when all its warps have met.
 *
 * A hand-over between SMs is waited for everywhere, and a meeting of the role before the signal is a part of it. So a counter counts tiles where
 * every SM has one and a warp has one at most: it releases no more often than one did for all. How often a counter grows matters as well: as many signals as
 * there are warps, those without a tile included, brought nothing (docs/ladder.md 2).
 *
 * Invariants: phases that share a counter grow it by the same number; those of them that have no such tiles (an embedding) let an SM announce its share
 * of that number at once. Since every SM has a tile, a counter that is complete says of all of them that they have come so far, as one of SMs does: waits are
 * derived from that (derive-waits.ts).
 */
import type { Phase, PhaseProgram } from '../tile/ir.ts'
import { counterOf } from './derive-waits.ts'
import type { ProductPlan } from './ir.ts'
import { type PlanSchedule, roleOf } from './schedule.ts'

/** What an execution of the phase grows its counter by if it hands over by tiles; undefined: it cannot. */
export type TilesOf = (phase: Phase, product: ProductPlan | undefined, routedNext: boolean) => number | undefined

export const tilesBy =
  (schedule: PlanSchedule, ranks: number): TilesOf =>
  (phase, product, routedNext) => {
    const atMostOne = (tiles: number, role: 'compute' | 'epilogue'): number | undefined =>
      tiles >= schedule.sms && Math.ceil(tiles / schedule.sms) <= roleOf(schedule, role).warps ? tiles : undefined
    if (phase.kind !== 'product' || !product) return undefined
    if (product.exchange) return atMostOne(product.geometry.tiles, 'compute')
    const groups = tileGroups(product)
    // A first warp that has them all signals without a meeting anyway.
    const alone = routedNext && groups <= schedule.sms
    return phase.routed || alone || gathersLogits(phase, ranks) ? undefined : atMostOne(groups, 'epilogue')
  }

/** Turns, over all SMs, of a loop over the tiles of a product that come through the ring in pages. */
export const tileGroups = ({ geometry: g }: ProductPlan): number => (g.pages / g.pagesPerTile) * g.chunks

/** With several ranks the logits of all are gathered on rank 0. */
export const gathersLogits = (phase: Phase, ranks: number): boolean =>
  ranks > 1 && phase.writes.some((w) => w.includes('.logits'))

/** Of the counters that count tiles, how many: those that all phases with tiles of their own agree on. */
export function handTiles(
  program: PhaseProgram,
  tiles: (segment: number, phase: number) => number | undefined,
): Map<string, number> {
  const found = new Map<string, Set<number>>()
  program.segments.forEach((segment, si) => {
    segment.phases.forEach((_, pi) => {
      const n = tiles(si, pi)
      if (n === undefined) return
      const counter = counterOf(program, si, pi)
      found.set(counter, (found.get(counter) ?? new Set()).add(n))
    })
  })
  return new Map([...found].flatMap(([counter, of]) => (of.size === 1 ? [[counter, [...of][0]!] as const] : [])))
}
