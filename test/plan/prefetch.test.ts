/** Weights that are fetched ahead: which ranges a schedule's prefetch means, when it is refused, and that it changes nothing. */
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { planViolations } from '../../compiler/plan/check-plan.ts'
import type { Plan, Step } from '../../compiler/plan/ir.ts'
import { resolveSchedule } from '../../compiler/plan/resolve-schedule.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { readSchedule } from '../../dsl/schedule.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { type ScheduleText, schedule } from '../../dsl/schedule-text.ts'
import { mimoGraph, nanoConfig, planOf } from '../support/plans.ts'

const read = (text: ScheduleText): Schedule =>
  readSchedule(text, ({ message }) => {
    throw new Error(message)
  })!
const host = (prefetch: string): Schedule => {
  const base = read(schedule`
    role load 1 warp | role compute 4 warps | role epilogue 1 warp | role communicate 1 warp
    ring weights 4 x 32 KiB
    exchange as exact
  `)
  const [phase, what] = prefetch.split(' -> ') as [string, string]
  return { ...base, prefetches: [{ phase: { value: phase }, what: { value: what }, into: 'l2' }] }
}
const graph = mimoGraph(nanoConfig)
const planWith = (prefetch: string): Plan => planOf([graph], { ranks: 2, schedule: host(prefetch) }).plan

/** Where the weight of a phase lies at an entry. */
function weightAt(plan: Plan, entry: number, param: string) {
  const e = plan.entries[entry]!
  const p = plan.segments[e.segment]!.image.find((i) => i.params.some((name) => name.endsWith(param)))
  return p && { offset: e.imageOffset + p.offset, bytes: p.bytes }
}
const names = (plan: Plan, entry: number): string[] =>
  plan.segments[plan.entries[entry]!.segment]!.phases.map((p) => p.name)

describe('a prefetch', () => {
  it('of the next layer means the weight of the entry that follows, and nothing where there is none', () => {
    const plan = planWith('router -> next.qkv')
    const [prefetch] = plan.prefetches
    expect(prefetch!.what).toBe('next.qkv')
    const asked = prefetch!.ranges.map((_, i) =>
      names(plan, i).includes('router') ? weightAt(plan, i + 1, 'qkv_proj') : undefined,
    )
    expect(prefetch!.ranges).toEqual(asked)
    expect(prefetch!.ranges.some((r) => r !== undefined)).toBe(true)
    expect(prefetch!.ranges.at(-1)).toBeUndefined()
    expect(planViolations(plan)).toEqual([])
  })

  it('without next means a later phase of the same layer', () => {
    const plan = planWith('attend -> o')
    const layers = plan.entries.map((_, i) => i).filter((i) => names(plan, i).includes('attend'))
    for (const i of layers) expect(plan.prefetches[0]!.ranges[i]).toEqual(weightAt(plan, i, 'o_proj'))
  })

  it('is the last step of load in its phase, orders nothing, and is proved with it', () => {
    const plan = planWith('router -> next.qkv')
    const routers = plan.segments.flatMap((s) => s.phases.filter((p) => p.name === 'router'))
    const last = routers.map((p) => p.roles.load.at(-1) as Step)
    expect(last.map((s) => s.kind)).toEqual(routers.map(() => 'prefetch'))
    const session = new Session()
    provePlan(plan, { session })
    expect(session.diagnostics).toEqual([])
  })

  it('of a range that is no weight breaks the spec of plans', () => {
    const plan = planWith('router -> next.qkv')
    const wrong = plan.prefetches.map((p) => ({
      ...p,
      ranges: p.ranges.map((r) => r && { ...r, bytes: r.bytes + 128 }),
    }))
    expect(planViolations({ ...plan, prefetches: wrong })[0]).toMatch(
      /prefetch next.qkv: \d+ bytes at \d+ are no weight/,
    )
  })

  it.each([
    ['rooter -> next.qkv', /no phase 'rooter'/, /did you mean 'router'/],
    ['router -> next.expert.up', /'expert.up' has no weights that are known before it/, /next.qkv, next.o/],
    ['router -> next.nonsense', /'nonsense' does not exist/, /next.qkv/],
    ['router -> qkv', /'qkv' does not come behind 'router'/, /'next.qkv' means the layer that follows/],
    ['head -> next.qkv', /no layer with 'head' has one with 'qkv' behind it/, /'qkv' without 'next.'/],
  ])('%s is refused', (prefetch, message, help) => {
    const { phases } = planOf([graph], { ranks: 2 })
    const session = new Session()
    resolveSchedule(host(prefetch), phases, { name: 'host', sms: 2 }, session)
    expect(session.diagnostics.map((d) => [d.code, d.message, d.help])).toEqual([
      ['TILE2053', expect.stringMatching(message), expect.stringMatching(help)],
    ])
  })
})
