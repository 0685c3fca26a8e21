/** Around routing: the table is emptied before the router is awaited, a router whose SMs have one tile each signals without a meeting, and load does not wait
    for the table. */
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { Plan, RoleName, Step } from '../../compiler/plan/ir.ts'
import { perPhase } from '../../compiler/plan/per-phase.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { mimoGraph, nanoPlan, planOf, proConfig, proPlan } from '../support/plans.ts'

const segment = 'sliding_experts'
const steps = (plan: Plan, phase: string, role: RoleName): readonly Step[] =>
  plan.segments.find((s) => s.name === segment)!.phases.find((p) => p.name === phase)!.roles[role]
const kinds = (list: readonly Step[]): string[] => list.map((s) => s.kind)
const refusals = (plan: Plan): readonly string[] => {
  const session = new Session()
  provePlan(plan, { session })
  return session.diagnostics.map((d) => `${d.code} ${d.message}`)
}

describe('the table', () => {
  const plan = nanoPlan({ ranks: 1 })

  it('is emptied ahead of the logits', () => {
    const route = kinds(steps(plan, 'route', 'compute'))
    expect(route.indexOf('openTable')).toBeGreaterThanOrEqual(0)
    expect(route.indexOf('openTable')).toBeLessThan(route.indexOf('wait'))
  })

  it('may not be emptied while experts of the last routing are multiplied', () => {
    const open = steps(plan, 'route', 'compute').find((s) => s.kind === 'openTable')!
    const early: Plan = {
      ...plan,
      segments: plan.segments.map((s) => ({
        ...s,
        phases: s.phases.map((p) =>
          p.name === 'expert.up' ? { ...p, roles: { ...p.roles, compute: [open, ...p.roles.compute] } } : p,
        ),
      })),
    }
    expect(refusals(early).some((r) => r.includes('route'))).toBe(true)
  })
})

describe('a router', () => {
  it('signals without a meeting where no SM has two of its tiles, and nothing else does', () => {
    for (const plan of [nanoPlan({ ranks: 1, epilogueWarps: 2 }), proPlan()]) {
      expect(kinds(steps(plan, 'router', 'epilogue')).slice(-2)).toEqual(['loop', 'signal'])
      const others = plan.segments.flatMap((s) => s.phases).filter((p) => p.name !== 'router')
      const ends = others.map((p) => kinds(p.roles.epilogue).slice(-2)).filter((end) => end.at(-1) === 'signal')
      for (const end of ends) expect(end).toEqual(['barrier', 'signal'])
      // Those that announce tiles one by one meet behind the last.
      const meet = others.filter((p) => p.roles.epilogue.at(-1)?.kind === 'barrier').length
      expect(ends.length + meet).toBeGreaterThan(1)
    }
    expect(refusals(nanoPlan({ ranks: 1, epilogueWarps: 2, sms: 40 }))).toEqual([])
  })

  it('meets where an SM has two', () => {
    const ring = { depth: 3, pageBytes: 51 * 1024 }
    const { plan } = planOf([mimoGraph(proConfig)], { ranks: 8, sms: 16, epilogueWarps: 2, schedule: { ring } })
    const router = steps(plan, 'router', 'epilogue')
    const loop = router.find((s) => s.kind === 'loop')
    expect(loop?.kind === 'loop' && loop.domain).toMatchObject({ kind: 'share', count: 48 })
    expect(kinds(router).slice(-2)).toEqual(['barrier', 'signal'])
  })
})

describe('load', () => {
  const plan = nanoPlan({ ranks: 1 })
  const changed = (phase: string, role: RoleName, change: (s: Step) => readonly Step[]): Plan => ({
    ...plan,
    segments: plan.segments.map((s) => ({
      ...s,
      phases: s.phases.map((p) =>
        p.name === phase ? { ...p, roles: { ...p.roles, [role]: p.roles[role].flatMap(change) } } : p,
      ),
    })),
  })
  const locals = (phase: string): (string | undefined)[] =>
    steps(plan, phase, 'load').map((s) => (s.kind === 'waitLocal' ? s.local : undefined))

  it('finds the active experts as soon as all rows have chosen, and waits for the table where it comes to the next phase', () => {
    expect(kinds(steps(plan, 'expert.up', 'load')).slice(0, 2)).toEqual(['waitLocal', 'findActive'])
    expect(locals('expert.up')[0]).toBe('chosen')
    expect(locals('expert.down')).toContain('route')
    const route = kinds(steps(plan, 'route', 'compute'))
    expect(route.slice(route.indexOf('choose'))).toEqual(['choose', 'signalLocal', 'route', 'signalLocal'])
  })

  it('of the control takes them from the table, which a kernel before has made', () => {
    const alone = perPhase(plan)
    expect(kinds(steps(alone, 'expert.up', 'load'))).toEqual(['loop'])
  })

  it('may not find them when one warp has chosen, nor look into a table that it has not waited for', () => {
    const one = changed('route', 'compute', (s) => {
      if (s.kind !== 'signalLocal' || !s.each) return [s]
      const { each: _, ...first } = s
      return [first]
    })
    expect(refusals(one).some((r) => r.includes('what rows have chosen'))).toBe(true)
    const table = changed('expert.up', 'load', (s) => (s.kind === 'findActive' ? [] : [s]))
    expect(refusals(table).some((r) => r.includes('the route table'))).toBe(true)
  })
})
