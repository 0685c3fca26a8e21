/** Routed experts go in two halves: what `up` made of the first is handed over while the second is multiplied. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import {
  countersOf,
  firstHalf,
  type PhasePlan,
  type Plan,
  type ProductPlan,
  productIn,
  roleNames,
  type Step,
  signalledByEach,
} from '../../compiler/plan/ir.ts'
import { perPhase } from '../../compiler/plan/per-phase.ts'
import { printPlan } from '../../compiler/plan/print-plan.ts'
import { mutantsOf } from '../../compiler/verify/mutate-plan.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { dealtTo } from '../../compiler/verify/shares.ts'
import {
  add,
  bf16,
  type Dim,
  defineModel,
  dim,
  experts,
  f32,
  linear,
  mxfp4,
  parallelDim,
  rmsNorm,
  route,
  sigmoid,
  type Tensor,
  weight,
} from '../../dsl/index.ts'
import { mimoGraph, nanoPlan, planOf, proConfig } from '../support/plans.ts'
import { fateOf } from '../verify/mutants.ts'

const { plan } = planOf([mimoGraph(proConfig)], { ranks: 8, sms: 132, epilogueWarps: 2 })
const phase = (name: string): PhasePlan => plan.segments.flatMap((s) => s.phases).find((p) => p.name === name)!
const kindsIn = (steps: readonly Step[]): string[] =>
  steps.map((s) => (s.kind === 'loop' ? `${s.domain.kind}(${kindsIn(s.body).join(' ')})` : s.kind))

describe('expert.up and expert.down', () => {
  it('signal and wait for each half by a counter of its own', () => {
    const up = phase('expert.up')
    expect(countersOf(up)).toEqual([up.counter, `${up.counter}.early`])
    for (const name of countersOf(up)) expect(plan.tallies.map((t) => t.name)).toContain(name)
    expect(kindsIn(up.roles.communicate)).toEqual(['halves(waitLocal signal wait bringRows signalLocal)'])
    expect(kindsIn(phase('expert.down').roles.compute)).toContainEqual(
      expect.stringMatching(/^halves\(waitLocal activeGroups\(.*\)\)$/),
    )
  })

  it('have compute stage the rows itself in the control, where no phase goes on while another begins', () => {
    const control = perPhase(plan).segments.flatMap((s) => s.phases)
    const named = (name: string): PhasePlan => control.find((p) => p.name === name)!
    expect(named('expert.up').roles.communicate).toEqual([])
    expect(kindsIn(named('expert.down').roles.compute)).toContainEqual(
      expect.stringMatching(/^halves\(stageRows barrier activeGroups\(.*\)\)$/),
    )
  })

  it('have compute stage the rows where expert.up keeps the weights of a norm in the same memory', () => {
    const product = (p: PhasePlan): ProductPlan => productIn(roleNames.flatMap((r) => p.roles[r]))!
    const schedule = { phase: (name: string) => (name === 'router' ? { splitK: 2 } : {}) }
    const { plan: alone } = planOf([mimoGraph(proConfig)], { ranks: 8, sms: 132, epilogueWarps: 2, schedule })
    const [up, down] = ['expert.up', 'expert.down'].map(
      (n) => alone.segments.flatMap((s) => s.phases).find((p) => p.name === n)!,
    )
    expect(product(up!).norm).toBeDefined()
    expect(kindsIn(up!.roles.communicate)).toEqual(['halves(waitLocal signal)'])
    expect(kindsIn(down!.roles.compute)).toContainEqual(expect.stringMatching(/^halves\(wait stageRows barrier/))
  })

  it('have either half announced by communicate, once all warps of the epilogue have stored it', () => {
    const up = phase('expert.up')
    expect(kindsIn(up.roles.epilogue).at(-1)).toMatch(/^halves\(activeShare\(.*\) signalLocal\)$/)
    expect(signalledByEach(up, 'stored')).toBe('epilogue')
    expect(signalledByEach(up, 'stored.early')).toBe('epilogue')
    expect(up.signals).toBe('communicate')
  })

  it('are refused where that is left out, doubled, miscounted or done at another time', () => {
    const small = nanoPlan({ ranks: 2, epilogueWarps: 2 })
    const ofRelay = [...mutantsOf(small)].filter((m) => /stored|expert\.up\/communicate/.test(m.name))
    expect(new Set(ofRelay.map((m) => m.kind)).size).toBeGreaterThan(5)
    expect(ofRelay.filter((m) => fateOf(m).fate !== 'refused').map((m) => m.name)).toEqual([])
  })

  it('are refused where whoever announces a half looks at its experts: nobody says that the table is there', () => {
    const small = nanoPlan({ ranks: 2, epilogueWarps: 2 })
    const flat = (steps: readonly Step[]): Step[] => steps.flatMap((s) => (s.kind === 'loop' ? flat(s.body) : [s]))
    const looking = (p: PhasePlan): PhasePlan => {
      const work = flat(p.roles.compute).find((s) => s.kind === 'clear')!
      const relay = p.roles.communicate.map((s): Step => (s.kind === 'loop' ? { ...s, body: [...s.body, work] } : s))
      return { ...p, roles: { ...p.roles, communicate: relay } }
    }
    const segments = small.segments.map((s) => ({
      ...s,
      phases: s.phases.map((p) => (p.name === 'expert.up' ? looking(p) : p)),
    }))
    const session = new Session()
    provePlan({ ...small, segments }, { session })
    expect(session.diagnostics.map((d) => d.code)).toContain('TILE2102')
  })

  it('are refused where rows are brought into memory that still holds the weights of a norm', () => {
    const normed = (s: Step): Step => {
      if (s.kind !== 'stage' || s.kept?.role !== 'reuse') return s
      const { kept: _, ...alone } = s
      return alone
    }
    const small = nanoPlan({ ranks: 2, epilogueWarps: 2 })
    const segments = small.segments.map((s) => ({
      ...s,
      phases: s.phases.map((p) =>
        p.name === 'expert.up' ? { ...p, roles: { ...p.roles, compute: p.roles.compute.map(normed) } } : p,
      ),
    }))
    const found = (of: Plan): string[] => {
      const session = new Session()
      provePlan(of, { session })
      return session.diagnostics.map((d) => `${d.code} ${d.message}`)
    }
    expect(found(small)).toEqual([])
    expect(found({ ...small, segments })).toContainEqual(expect.stringMatching(/^TILE2102 .*the scratch memory/))
  })

  it('count the rows that are brought, where those of other experts of the layer are not', () => {
    const hidden = dim('hidden', 128)
    type Rows = Tensor<[Dim<'hidden', 128>]>
    const model = defineModel('two', { safeParse: (data) => ({ success: true, data }) }, (m) => {
      const [expert, inter] = [dim('expert', 6), parallelDim('inter', 64)]
      const normed = (x: Rows, name: string): Rows => rmsNorm(x, weight(name, [hidden], bf16), 1e-5)
      const block = (x: Rows, of: Rows, routed: Rows, name: string): Rows => {
        const logits = linear(routed, weight(`${name}.router`, [expert, hidden], f32), { phase: `${name}.router` })
        const chosen = route(logits, { score: sigmoid, topK: 2, normalise: true })
        const [gate, up] = ['gate', 'up'].map((w) => weight(`${name}.${w}`, [expert, inter, hidden], mxfp4))
        const down = weight(`${name}.down`, [expert, hidden, inter], mxfp4)
        return add(x, experts(of, chosen, { gate: gate!, up: up!, down }))
      }
      const x: Rows = m.embed(weight('embed', [dim('token', 96), hidden], bf16))
      const first = block(x, normed(x, 'apart'), normed(x, 'a'), 'first')
      const h = normed(first, 'b')
      const second = block(first, h, h, 'second')
      m.logits(
        linear(normed(second, 'final'), weight('head', [parallelDim('vocabulary', 96), hidden], bf16), {
          phase: 'head',
        }),
      )
    })
    const graph = model.build({}, ({ message }) => {
      throw new Error(message)
    })
    const { plan: two } = planOf([graph], { ranks: 1 })
    const communicates = two.segments.flatMap((s) => s.phases).flatMap((p) => kindsIn(p.roles.communicate))
    expect(communicates).toEqual(['halves(waitLocal signal)', 'halves(waitLocal signal wait bringRows signalLocal)'])
    const session = new Session()
    provePlan(two, { session })
    expect(session.diagnostics).toEqual([])
  })

  it('are the only phases that do', () => {
    const others = plan.segments.flatMap((s) => s.phases).filter((p) => p.name !== 'expert.up')
    expect(others.filter((p) => p.early !== undefined)).toEqual([])
  })

  it('show it in the printed plan', () => {
    expect(printPlan(plan)).toContain('signal sliding_experts.expert.up.early, then sliding_experts.expert.up')
    expect(printPlan(plan)).toContain('in both halves of the active experts')
  })
})

it('the first half has whole groups, at most its eighths of the experts, and less than a group below them', () => {
  const ofEight = fc.integer({ min: 1, max: 7 })
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 256 }),
      fc.integer({ min: 1, max: 16 }),
      ofEight,
      (active, group, earlyEighths) => {
        const early = firstHalf(active, { ...plan.route, earlyEighths, group })
        expect(early % group).toBe(0)
        expect(early).toBeLessThanOrEqual((active * earlyEighths) / 8)
        expect(early + group).toBeGreaterThan((active * earlyEighths) / 8)
      },
    ),
  )
})

it('units dealt out in turn all go to somebody, and no SM has two more than another', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 1, max: 132 }), (count, sms) => {
      const all = Array.from({ length: sms }, (_, sm) => dealtTo(sm, count, sms))
      expect(all.reduce((a, b) => a + b, 0)).toBe(count)
      expect(Math.max(...all) - Math.min(...all)).toBeLessThanOrEqual(1)
    }),
  )
})
