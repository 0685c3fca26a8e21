/** A router that stages by chunk: what its plan says, when it is refused and why, and that what it leaves is proved to be there. */
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { planViolations } from '../../compiler/plan/check-plan.ts'
import type { Plan, RoleName, Step } from '../../compiler/plan/ir.ts'
import { perPhase } from '../../compiler/plan/per-phase.ts'
import { printPlan } from '../../compiler/plan/print-plan.ts'
import type { PlanSchedule } from '../../compiler/plan/schedule.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { chunkwise, nanoPlan } from '../support/plans.ts'

const plan = nanoPlan(chunkwise)
const phase = (p: Plan, name: string) =>
  p.segments.find((s) => s.name === 'sliding_experts')!.phases.find((x) => x.name === name)!
const flat = (steps: readonly Step[]): Step[] => steps.flatMap((s) => (s.kind === 'loop' ? [s, ...flat(s.body)] : [s]))
const kinds = (p: Plan): string[] => flat(phase(p, 'router').roles.compute).map((s) => s.kind)
const refusals = (p: Plan): readonly string[] => {
  const session = new Session()
  provePlan(p, { session })
  return session.diagnostics.map((d) => `${d.code} ${d.message}`)
}

/** The plan with other steps in one role of a phase, in all segments. */
const changed = (
  name: string,
  change: (steps: readonly Step[]) => readonly Step[],
  role: RoleName = 'compute',
): Plan => ({
  ...plan,
  segments: plan.segments.map((s) => ({
    ...s,
    phases: s.phases.map((p) => (p.name === name ? { ...p, roles: { ...p.roles, [role]: change(p.roles[role]) } } : p)),
  })),
})

describe('the plan', () => {
  it('stages the chunk before a tile is multiplied, and all of the input behind the last', () => {
    const steps = kinds(plan)
    expect(steps.indexOf('stageChunk')).toBeLessThan(steps.indexOf('multiply'))
    expect(steps.at(-1)).toBe('stage')
    expect(planViolations(plan)).toEqual([])
    expect(refusals(plan)).toEqual([])
  })

  it('leaves the scale of the norm to routing', () => {
    const route = phase(plan, 'route').roles.compute.find((s) => s.kind === 'choose')
    expect(route?.kind === 'choose' && route.scaled?.name).toBe('router')
    expect(printPlan(plan)).toContain('by the sums of router scaled by its norm')
    expect(printPlan(plan)).toContain('stage the chunk of sliding_experts.o.columns that the tile takes')
  })

  it("has the scale of the experts' sums taken from the same squares, once, by the epilogue", () => {
    const up = phase(plan, 'expert.up').roles
    expect(up.epilogue.map((s) => s.kind).slice(0, 3)).toEqual(['waitLocal', 'takeScale', 'loop'])
    const late = (steps: readonly Step[]): readonly Step[] => [...steps.slice(1), steps[0]!]
    const early = changed('expert.up', late, 'epilogue')
    expect(refusals(early).some((r) => r.includes('scratch'))).toBe(true)
  })

  it('of the control stages at once, and nothing is left to routing', () => {
    const whole = nanoPlan({ ...chunkwise, schedule: { ...chunkwise.schedule, phase: () => ({}) } })
    const { segments } = perPhase(plan)
    expect(segments).toEqual(perPhase(whole).segments)
  })
})

describe('the proof', () => {
  it('misses the meeting between squares that are left and their sum', () => {
    const early = changed('route', (steps) => {
      const at = steps.findIndex((s) => s.kind === 'choose')
      const others = steps.filter((s) => s.kind !== 'choose')
      return [steps[at]!, ...others]
    })
    expect(refusals(early).some((r) => r.includes('scratch'))).toBe(true)
  })

  it('misses a wait for the input that chunks are staged from', () => {
    const unawaited = changed('router', (steps) => steps.filter((s) => s.kind !== 'wait'))
    expect(refusals(unawaited).some((r) => r.includes('o.columns'))).toBe(true)
  })
})

describe('it is refused', () => {
  const why = (schedule: Partial<PlanSchedule>): string => {
    try {
      nanoPlan({ ...chunkwise, schedule: { ...chunkwise.schedule, ...schedule } })
      return 'nothing'
    } catch (error) {
      return String(error)
    }
  }
  const stage = { value: 'chunk' } as const

  it('where an SM takes all of the k of a tile', () => {
    expect(why({ ring: { depth: 4, pageBytes: 32 * 1024 } })).toContain(
      "TILE2052: 'stage by chunk' decides nothing in phase 'router' of 'sliding_experts': an SM takes all of the k of a tile",
    )
  })
  it('where the experts cut k another way', () => {
    expect(
      why({ phase: (name) => (name === 'router' ? { stage } : name === 'expert.up' ? { splitK: 2 } : {}) }),
    ).toContain('no later phase uses what it stages')
  })
  it('where sums decide no routing', () => {
    expect(why({ phase: (name) => (name === 'qkv' ? { stage } : {}) })).toContain("in phase 'qkv'")
  })
})
