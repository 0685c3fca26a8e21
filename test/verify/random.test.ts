/** Whatever model an author writes: its levels keep their specs, and its plan is proved. */
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { assertGraph } from '../../compiler/graph/check-graph.ts'
import { planViolations } from '../../compiler/plan/check-plan.ts'
import { phaseViolations } from '../../compiler/tile/check-phases.ts'
import { mutantsOf } from '../../compiler/verify/mutate-plan.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { planOf } from '../support/plans.ts'
import { randomModel } from '../support/random-model.ts'

const first = Number(process.env.TILEC_SEED ?? 1)
const seeds = Array.from({ length: Number(process.env.TILEC_COUNT ?? 40) }, (_, i) => first + i)

describe('random models', () => {
  it.each(seeds)('seed %i', (seed) => {
    const model = randomModel(seed)
    assertGraph(model.graph, 'randomModel')
    const { phases, plan } = planOf([model.graph], model)
    expect(phaseViolations(phases), model.summary).toEqual([])
    expect(planViolations(plan), model.summary).toEqual([])
    const session = new Session()
    provePlan(plan, { session })
    expect(session.diagnostics, model.summary).toEqual([])
  })

  it.each(seeds.filter((seed) => randomModel(seed).ranks > 1))('seed %i, sums in two shots', (seed) => {
    const model = randomModel(seed)
    const { plan } = planOf([model.graph], { ...model, schedule: { ...model.schedule, shots: { value: 2 } } })
    expect(planViolations(plan), model.summary).toEqual([])
    const session = new Session()
    provePlan(plan, { session })
    expect(session.diagnostics, model.summary).toEqual([])
  })

  it('are equal for equal seeds', () => {
    expect(JSON.stringify(randomModel(7).graph)).toBe(JSON.stringify(randomModel(7).graph))
  })

  it('lose their proof with any signal', () => {
    for (const seed of seeds.slice(0, 5)) {
      const model = randomModel(seed)
      const { plan } = planOf([model.graph], model)
      for (const m of mutantsOf(plan)) {
        if (!/signal [^:]*: dropped$/.test(m.name)) continue
        const session = new Session()
        expect(provePlan(m.plan, { session }).proved, `${model.name}: ${m.name}`).toBe(false)
      }
    }
  })
})
