/** Which windows are near, what they are cut into, and that the proof holds a plan to it. */
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { PhasePlan, Plan, Step } from '../../compiler/plan/ir.ts'
import { nearParts, nearSums } from '../../compiler/tile/near-attention.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { randomSample } from '../campaigns/random-model.ts'
import { compileForHost } from '../support/host-engine.ts'
import { nanoPlan, proPlan } from '../support/plans.ts'

const phasesOf = (plan: Plan, segment: string): readonly string[] =>
  plan.segments.find((s) => s.name === segment)!.phases.map((p) => p.name)
const codes = (plan: Plan): string[] => {
  const session = new Session()
  provePlan(plan, { session })
  return [...new Set(session.diagnostics.map((d) => d.code))]
}
/** The plan with the compute steps of its sliding attention changed. */
function withSteps(plan: Plan, change: (steps: readonly Step[]) => readonly Step[]): Plan {
  const changed = (p: PhasePlan): PhasePlan =>
    p.roles.compute.some((s) => s.kind === 'loop' && s.body.some((b) => b.kind === 'attendNear'))
      ? { ...p, roles: { ...p.roles, compute: change(p.roles.compute) } }
      : p
  return { ...plan, segments: plan.segments.map((s) => ({ ...s, phases: s.phases.map(changed) })) }
}
const inLoop = (steps: readonly Step[], change: (body: readonly Step[]) => readonly Step[]): Step[] =>
  steps.map((s) => (s.kind === 'loop' ? { ...s, body: change(s.body) } : s))

describe('near attention', () => {
  it('takes the fewest parts whose sums fit, and no long window', () => {
    expect(nearParts(128, 128)).toBe(4)
    expect(nearParts(128, 32)).toBe(1)
    expect(nearParts(1, 128)).toBe(1)
    expect([nearParts(184, 128), nearParts(185, 128)]).toEqual([8, undefined])
    // Dims that cannot be halved.
    expect(nearParts(128, 136)).toBeUndefined()
    for (const valueDim of [32, 64, 128, 192]) {
      const parts = nearParts(128, valueDim)!
      expect(nearSums({ window: 128, valueDim, parts })).toBeLessThanOrEqual(32 * 1024)
      if (parts > 1) expect(nearSums({ window: 128, valueDim, parts: parts / 2 })).toBeGreaterThan(32 * 1024)
    }
  })

  it('is one phase where a window slides, two where attention is full', () => {
    const plan = proPlan()
    expect(phasesOf(plan, 'sliding_experts').slice(0, 3)).toEqual(['qkv', 'attend', 'o'])
    expect(phasesOf(plan, 'full_experts').slice(0, 4)).toEqual(['qkv', 'attend', 'attend.merge', 'o'])
  })

  // Found by the campaign of models (1449): warps of an SM without a task met nobody before one of them signalled for all.
  it('is signalled for all warps of an SM, tasks or none', () => {
    expect(() => compileForHost(randomSample(1449))).not.toThrow()
  })

  it('lives in scratch memory that rows of experts and queries of full attention need anyway', () => {
    expect(nearSums({ window: 128, valueDim: 128, parts: 4 })).toBeLessThanOrEqual(proPlan().scratchBytes)
  })
})

describe('the proof refuses', () => {
  // Two SMs: each has several tasks.
  const plan = nanoPlan({ ranks: 1 })
  it('a merge before all warps have left their sums', () => {
    expect(codes(withSteps(plan, (s) => inLoop(s, (b) => b.filter((x) => x.kind !== 'barrier' || !x.within))))).toEqual(
      ['TILE2102'],
    )
  })
  it('sums that take the place of others before those are read', () => {
    expect(codes(withSteps(plan, (s) => inLoop(s, (b) => b.slice(1))))).toContain('TILE2102')
  })
  it('a task that nobody takes', () => {
    const fewer = withSteps(plan, (steps) =>
      steps.map((s) =>
        s.kind === 'loop' && s.domain.kind === 'share'
          ? { ...s, domain: { ...s.domain, count: s.domain.count - 1 } }
          : s,
      ),
    )
    expect(codes(fewer)).toEqual(['TILE2106'])
  })
  it('sums that do not fit', () => {
    expect(codes({ ...plan, scratchBytes: 1024 })).toContain('TILE3035')
  })
})
