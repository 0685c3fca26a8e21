/** In how many shots a sum over ranks travels: what the schedule says, else what its ranks and bytes promise. */
import { describe, expect, it } from 'vitest'
import { planViolations } from '../../compiler/plan/check-plan.ts'
import { chooseShots, hopBytes, leastGain } from '../../compiler/plan/choose-shots.ts'
import { exchangeUs } from '../../compiler/plan/hopper-costs.ts'
import type { Plan } from '../../compiler/plan/ir.ts'
import { predictPhase } from '../../compiler/plan/predict.ts'
import { type ExchangeType, exchangeTypes, type Shots } from '../../dsl/schedule-ir.ts'
import { mimoGraph, nanoConfig, nanoDrafterGraphs, nanoPlan, planOf, proConfig, proPlan } from '../support/plans.ts'

/** Shots of all sums of a plan, each number once. */
const shotsOf = (plan: Plan): Shots[] => {
  const found = new Set<Shots>()
  for (const step of plan.segments.flatMap((s) => s.phases).flatMap((p) => p.roles.epilogue.flatMap(inside)))
    if ('product' in step && step.product.exchange) found.add(step.product.exchange)
  return [...found]
}
const inside = (s: Plan['segments'][0]['phases'][0]['roles']['epilogue'][0]): (typeof s)[] =>
  s.kind === 'loop' ? s.body.flatMap(inside) : [s]
const hidden = (n: number): number => n / 16

describe('the table', () => {
  it.each([
    [2, 1, 8, 1.2],
    [4, 1, 8, 1.93],
    [8, 1, 8, 3.68],
    [8, 1, 16, 6.1],
    [2, 2, 8, 2.28],
    [8, 2, 1, 2.65],
    [8, 2, 16, 4.1],
  ] as const)('has what was measured: %i ranks, %i shots, %i rows of 6144 BF16', (ranks, shots, rows, us) => {
    const bytes = rows * 6144 * 2
    expect(exchangeUs(ranks, shots, { partBytes: bytes, sumBytes: bytes })).toBeCloseTo(us, 9)
  })
  it('is even between, and goes on', () => {
    const at = (rows: number) => exchangeUs(8, 1, { partBytes: rows * 12288, sumBytes: 0 })
    expect(at(12)).toBeCloseTo((3.68 + 6.1) / 2, 9)
    expect(at(24)).toBeCloseTo(6.1 + (6.1 - 3.68), 9)
    expect(at(0.1)).toBe(2.37)
  })
  it('counts the second hop for what it carries: floats, whatever the parts are', () => {
    expect(hopBytes(hidden(6144), 'bf16')).toEqual({ partBytes: 8 * 6144 * 2, sumBytes: 8 * 6144 * 4 })
    expect(hopBytes(hidden(6144), 'exact')).toEqual({ partBytes: 8 * 6144 * 8, sumBytes: 8 * 6144 * 4 })
  })
})

describe('the choice', () => {
  const cases: [ranks: number, hidden: number, as: ExchangeType, shots: Shots][] = [
    [2, 6144, 'bf16', 1],
    [4, 6144, 'bf16', 1],
    [8, 6144, 'bf16', 1],
    [8, 6144, 'f32', 2],
    [8, 512, 'exact', 1],
    [8, 16384, 'bf16', 2],
    [2, 16384, 'bf16', 1],
  ]
  it.each(cases)('on %i ranks, a value of %i as %s: shots', (ranks, values, as, shots) => {
    expect(chooseShots(ranks, hidden(values), as)).toBe(shots)
  })
  it('wants a clear gain: a promise of less is none', () => {
    // 8 rows of 3072 f32: two shots should take 5 % less, which is not enough.
    const bytes = hopBytes(hidden(3072), 'f32')
    const gain = 1 - exchangeUs(8, 2, bytes) / exchangeUs(8, 1, bytes)
    expect(gain).toBeGreaterThan(0)
    expect(gain).toBeLessThan(leastGain)
    expect(chooseShots(8, hidden(3072), 'f32')).toBe(1)
  })
})

describe('a plan', () => {
  it('has what the table says where the schedule says nothing', () => {
    expect(shotsOf(proPlan())).toEqual([1])
    for (const ranks of [2, 4, 8]) expect(shotsOf(nanoPlan({ ranks }))).toEqual([1])
    const { roles, ring } = proPlan()
    const floats = planOf([mimoGraph(proConfig)], { ranks: 8, sms: 132, schedule: { roles, ring, exchangeAs: 'f32' } })
    expect(shotsOf(floats.plan)).toEqual([2])
    expect(planViolations(floats.plan)).toEqual([])
  })
  it('has what the schedule says where it does', () => {
    for (const shots of [1, 2] as const)
      for (const ranks of [2, 4, 8])
        expect(shotsOf(planOf(nanoDrafterGraphs(), { ranks, schedule: { shots } }).plan)).toEqual([shots])
  })
  it('of one rank exchanges nothing, whatever the schedule says', () => {
    const one = nanoPlan({ ranks: 1, schedule: { shots: 2 } })
    expect(shotsOf(one)).toEqual([])
    expect(one).toEqual(nanoPlan({ ranks: 1 }))
  })
  it('in one shot has room for no sums, and in two for two halves of every tile', () => {
    const room = (plan: Plan): number => plan.areas.zeroed - plan.areas.sumsInbox
    for (const exchangeAs of exchangeTypes) {
      expect(room(nanoPlan({ ranks: 2, schedule: { shots: 1, exchangeAs } }))).toBe(0)
      const two = nanoPlan({ ranks: 2, schedule: { shots: 2, exchangeAs } })
      expect(planViolations(two)).toEqual([])
      expect(room(two)).toBe(Math.ceil((2 * two.exchangeTiles * 43 * 16) / 128) * 128)
      const { sumsInbox } = two.areas
      expect(planViolations({ ...two, areas: { ...two.areas, sumsInbox: sumsInbox + 128 } })).toEqual([
        expect.stringContaining('the inbox of sums takes'),
      ])
    }
  })
  it('is predicted to take the time of its shots', () => {
    const predicted = (shots: Shots): number => {
      const { plan, phases } = planOf([mimoGraph(nanoConfig)], { ranks: 2, schedule: { shots } })
      const p = plan.segments[1]!.phases.findIndex((x) => x.name === 'o')
      const tile = phases.segments[1]!.phases[p]!
      return predictPhase(plan, plan.segments[1]!.phases[p]!, tile, { rows: 8, context: 128 }).us
    }
    const bytes = hopBytes(nanoPlan({ ranks: 2 }).exchangeTiles, 'f32')
    expect(predicted(2) - predicted(1)).toBeCloseTo(exchangeUs(2, 2, bytes) - exchangeUs(2, 1, bytes), 9)
  })
})
