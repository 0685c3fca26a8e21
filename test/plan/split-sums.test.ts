/** split-sums cuts phases that sum over ranks in two and changes nothing else. */
import { describe, expect, it } from 'vitest'
import { addsParts, type PhasePlan, type Plan, roleNames, type Step } from '../../compiler/plan/ir.ts'
import { perPhase } from '../../compiler/plan/per-phase.ts'
import { splitSums } from '../../compiler/plan/split-sums.ts'
import { mimoGraph, nanoConfig, nanoDrafterGraphs, planOf, proPlan } from '../support/plans.ts'

const whole = (s: Step): Step => {
  if (s.kind === 'loop') return { ...s, body: s.body.map(whole) }
  if (s.kind !== 'finish') return s
  const { byParts: _, ...rest } = s
  return rest
}
const notOfOwners = (s: Step): boolean => s.kind !== 'loop' || !addsParts(s)
const text = (steps: readonly Step[]): string => JSON.stringify(steps)
const finishes = (steps: readonly Step[]): Extract<Step, { kind: 'finish' }>[] =>
  steps.flatMap((s) => (s.kind === 'loop' ? finishes(s.body) : s.kind === 'finish' ? [s] : []))
const finishesOf = (p: PhasePlan) => roleNames.flatMap((r) => finishes(p.roles[r]))
const sums = (p: PhasePlan): boolean => finishesOf(p).some((f) => f.product.exchange)

describe.each<[string, Plan]>([
  ['nano with its drafter on 2 ranks', planOf(nanoDrafterGraphs(), { ranks: 2 }).plan],
  [
    'nano in two shots, where nobody owns a tile',
    planOf(nanoDrafterGraphs(), { ranks: 2, schedule: { shots: 2 } }).plan,
  ],
  ['the large model', proPlan()],
])('%s', (_, plan) => {
  const before = perPhase(plan)
  const after = splitSums(before)

  it('every step of a phase is in one of its halves, in order', () => {
    expect(before.segments.flatMap((s) => s.phases).some(sums)).toBe(true)
    before.segments.forEach((s, i) => {
      const phases = [...after.segments[i]!.phases]
      for (const phase of s.phases) {
        const halves = phases.splice(0, sums(phase) ? 2 : 1)
        expect(halves.map((h) => h.name)).toEqual(sums(phase) ? [phase.name, `${phase.name}.sum`] : [phase.name])
        for (const role of roleNames)
          expect(text(halves.flatMap((h) => h.roles[role]).map(whole))).toBe(
            text(phase.roles[role].filter(notOfOwners)),
          )
      }
      expect(phases).toEqual([])
    })
  })

  it('the first leaves its tiles, the second takes them and streams nothing', () => {
    for (const { phases } of after.segments)
      phases.forEach((p, i) => {
        expect(finishesOf(p).map((f) => f.elements === 'all' || f.byParts)).not.toContain(undefined)
        if (!p.name.endsWith('.sum')) return
        const [leaves] = finishesOf(phases[i - 1]!)
        const [takes] = finishesOf(p)
        expect([leaves!.elements, takes!.elements]).toEqual(['before', 'after'])
        expect(phases[i - 1]!.leaves).toBe(takes!.product.geometry.tiles)
        expect([p.leaves, p.weightBytes, p.roles.load, p.roles.epilogue]).toEqual([undefined, 0, [], []])
      })
  })

  it('sites and memory are those of the plan', () => {
    expect({ ...after, segments: [] }).toEqual({ ...before, segments: [] })
  })
})

it('one rank has nothing to cut', () => {
  const { plan } = planOf([mimoGraph(nanoConfig)], { ranks: 1 })
  expect(splitSums(perPhase(plan))).toEqual(perPhase(plan))
})
