/** Products whose tiles are few announce them one by one: their counters count tiles, and everybody who shares one counts alike. */
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { dealsTurns, type PhasePlan, type Plan, roleNames, type Step } from '../../compiler/plan/ir.ts'
import { perPhase } from '../../compiler/plan/per-phase.ts'
import { printPlan } from '../../compiler/plan/print-plan.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { randomSample } from '../campaigns/random-model.ts'
import { compileForHost } from '../support/host-engine.ts'
import { mimoGraph, nanoPlan, planOf, proConfig, proPlan } from '../support/plans.ts'

const plan = proPlan()
const phasesOf = (of: Plan): readonly PhasePlan[] => of.segments.flatMap((s) => s.phases)
const phase = (name: string): PhasePlan => phasesOf(plan).find((p) => p.name === name)!
const tilesOf = (of: Plan): Record<string, number> =>
  Object.fromEntries(of.tallies.flatMap((t) => (t.tiles === undefined ? [] : [[t.name, t.tiles]])))
const signals = (steps: readonly Step[]): Extract<Step, { kind: 'signal' }>[] =>
  steps.flatMap((s) => (s.kind === 'loop' ? signals(s.body) : s.kind === 'signal' ? [s] : []))
const all = (of: Plan): Extract<Step, { kind: 'signal' }>[] =>
  phasesOf(of).flatMap((p) => roleNames.flatMap((r) => signals(p.roles[r])))

function refusals(of: Plan): string[] {
  const session = new Session()
  provePlan(of, { session })
  return session.diagnostics.map((d) => `${d.code}: ${d.message}`)
}
/** With every signal of a counter changed, or gone. */
function changed(counter: string, to: (s: Extract<Step, { kind: 'signal' }>) => readonly Step[]): Plan {
  const inside = (steps: readonly Step[]): Step[] =>
    steps.flatMap((s): readonly Step[] =>
      s.kind === 'loop' ? [{ ...s, body: inside(s.body) }] : s.kind === 'signal' && s.counter === counter ? to(s) : [s],
    )
  const roles = (p: PhasePlan): PhasePlan['roles'] => ({
    load: inside(p.roles.load),
    compute: inside(p.roles.compute),
    epilogue: inside(p.roles.epilogue),
    communicate: inside(p.roles.communicate),
  })
  const segments = plan.segments.map((s) => ({ ...s, phases: s.phases.map((p) => ({ ...p, roles: roles(p) })) }))
  return { ...plan, segments }
}

describe('V2.5-Pro on 132 SMs', () => {
  it('announces tiles of sums over ranks, of queries, keys and values, and of the dense layer', () => {
    expect(tilesOf(plan)).toEqual({
      x: 384,
      'full_dense.qkv': 212,
      'full_dense.o': 384,
      'full_dense.dense.up': 256,
      'sliding_experts.qkv': 212,
      'sliding_experts.o': 384,
      'full_experts.qkv': 212,
      'full_experts.o': 384,
    })
  })

  it('has one warp do so for each tile, behind what it has made of it', () => {
    for (const name of ['qkv', 'o', 'expert.down', 'dense.up']) {
      const role = phase(name).signals
      const around = phase(name).roles[role].filter((s) => s.kind === 'loop' && signals(s.body).length > 0)
      expect(around).toHaveLength(1)
      const loop = around[0]!
      if (loop.kind !== 'loop') throw new Error('a loop')
      expect(dealsTurns(loop)).toBe(true)
      expect(loop.body.at(-1)).toMatchObject({ kind: 'signal', of: 'tile' })
    }
  })

  it('has who writes the same without tiles, the embedding, announce its share of as many at once', () => {
    expect(signals(phase('embed_tokens').roles.compute)).toMatchObject([{ counter: 'x', of: 384 }])
    expect(printPlan(plan)).toContain("signal x, of this SM's share of 384 tiles")
    expect(printPlan(plan)).toContain('signal sliding_experts.o, of the tile')
  })

  it('keeps epilogue warps together behind it, for hand-overs are told apart by parity', () => {
    expect(phase('qkv').roles.epilogue.at(-1)).toMatchObject({ kind: 'barrier' })
    expect(phase('o').roles.compute.at(-1)).toMatchObject({ kind: 'loop' })
  })

  it('counts SMs where a role has one warp, or an SM more tiles than a role has warps', () => {
    const narrow = planOf([mimoGraph(proConfig)], { ranks: 8, sms: 132, epilogueWarps: 1 }).plan
    expect(Object.keys(tilesOf(narrow))).not.toContain('sliding_experts.qkv')
    expect(Object.keys(tilesOf(narrow))).toContain('sliding_experts.o')
    expect(tilesOf(planOf([mimoGraph(proConfig)], { ranks: 8, sms: 16, epilogueWarps: 2 }).plan)).toEqual({})
  })

  // An SM without a tile would not be counted, and waits take what is done everywhere for done by all.
  it('counts SMs where not every SM has a tile', () => {
    const wide = nanoPlan({ ranks: 8, epilogueWarps: 2, sms: 64 })
    for (const tiles of Object.values(tilesOf(wide))) expect(tiles).toBeGreaterThanOrEqual(64)
    expect(refusals(wide)).toEqual([])
  })

  it('has nothing of it in the control', () => {
    expect(all(perPhase(plan))).toEqual([])
  })
})

describe('the proof', () => {
  it('takes it', () => {
    expect(refusals(plan)).toEqual([])
  })
  it('refuses a tile that nobody announces', () => {
    expect(refusals(changed('sliding_experts.o', () => []))).toContainEqual(expect.stringMatching(/^TILE2103/))
  })
  it('refuses an SM that announces once what is counted by tiles', () => {
    const once = changed('sliding_experts.o', ({ of: _, ...s }) => [s])
    expect(refusals(once)).toContainEqual(expect.stringMatching(/^TILE2103/))
  })
  it('refuses a share of another number of tiles', () => {
    const fewer = changed('x', (s) => [typeof s.of === 'number' ? { ...s, of: s.of - 1 } : s])
    expect(refusals(fewer)).toContain(
      "TILE2103: an execution of 'embed_tokens' grows counter 'x' by 383, its waiters count on 384",
    )
  })
  it('refuses a tile announced before it is made', () => {
    const early = (s: Step): Step =>
      s.kind === 'loop' && s.body.at(-1)?.kind === 'signal'
        ? { ...s, body: [s.body.at(-1)!, ...s.body.slice(0, -1)] }
        : s
    const segments = plan.segments.map((s) => ({
      ...s,
      phases: s.phases.map((p) => ({ ...p, roles: { ...p.roles, compute: p.roles.compute.map(early) } })),
    }))
    expect(refusals({ ...plan, segments })).toContainEqual(expect.stringMatching(/^TILE2102: .*reads 'x\.columns'/))
  })
  // That such plans also run, and give what the reference gives, is test/campaigns/models.test.ts.
  it.each([4, 6, 10033, 20004])('judges plans of random models that count tiles: %i', (number) => {
    expect(Object.keys(tilesOf(compileForHost(randomSample(number)).plan)).length).toBeGreaterThan(0)
  })
})
