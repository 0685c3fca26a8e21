/** The cost model, held against what it must say by construction and what was measured of an early engine. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { Compiled } from '../../codegen/compile.ts'
import * as h200 from '../../compiler/plan/hopper-costs.ts'
import { phaseBytes } from '../../compiler/plan/phase-bytes.ts'
import { type Prediction, predictPhase } from '../../compiler/plan/predict.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { cutModel } from '../../runtime/session/cut-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'

let compiled: Compiled
beforeAll(() => {
  const pro = cutModel(resolveModel({ model: 'mimo-v2.5-pro', drafter: 'none' }), 8)
  compiled = compileModel(pro, { target: 'sm_90a', gpus: 8, ctx: 131072 })
}, 60_000)

interface Case {
  readonly rows?: number
  readonly context?: number
  readonly active?: number
  readonly bytesPerUs?: number
}

function predict(
  segment: string,
  name: string,
  { rows = 8, context = 4096, active, bytesPerUs }: Case = {},
): Prediction {
  const { plan, phases } = compiled
  const s = plan.segments.findIndex((x) => x.name === segment)
  const p = plan.segments[s]!.phases.findIndex((x) => x.name === name)
  return predictPhase(
    plan,
    plan.segments[s]!.phases[p]!,
    phases.segments[s]!.phases[p]!,
    { rows, context, active },
    bytesPerUs,
  )
}

describe('a predicted phase', () => {
  it('takes no less than its bytes, the part that the ring has fetched ahead aside', () => {
    const { plan, phases } = compiled
    const ring = (plan.ring.depth * plan.ring.pageBytes * plan.sms) / h200.streamBytesPerUs
    plan.segments.forEach((s, i) => {
      s.phases.forEach((phase, p) => {
        const tile = phases.segments[i]!.phases[p]!
        const load = { rows: 8, context: 4096 }
        const floor = phaseBytes(phase, tile, plan.route.topK, load) / h200.streamBytesPerUs
        const { us, streamUs, exposedUs } = predictPhase(plan, phase, tile, load)
        expect(us).toBeGreaterThan(floor - ring)
        expect(us).toBeGreaterThanOrEqual(exposedUs)
        if (tile.kind === 'product') expect(streamUs).toBeCloseTo(floor, 9)
      })
    })
  })

  it('streams experts that are active and no others', () => {
    const all = predict('sliding_experts', 'expert.up', { active: 59 })
    const half = predict('sliding_experts', 'expert.up', { active: 29.5 })
    expect(all.streamUs / half.streamUs).toBeCloseTo(2, 6)
    expect(all.us).toBeGreaterThan(half.us)
    expect(predict('sliding_experts', 'expert.up').streamUs).toBeCloseTo((all.streamUs * 59.5) / 59, 1)
  })

  it('is slower where memory is', () => {
    const here = predict('end', 'head')
    expect(predict('end', 'head', { bytesPerUs: h200.streamBytesPerUs / 2 }).us).toBeGreaterThan(1.8 * here.us)
  })

  it('grows with the context where attention is full, and not where it slides', () => {
    expect(predict('full_experts', 'attend', { context: 120_000 }).us).toBeGreaterThan(
      predict('full_experts', 'attend').us,
    )
    expect(predict('sliding_experts', 'attend', { context: 120_000 }).us).toBe(predict('sliding_experts', 'attend').us)
  })

  it('costs a hand-over even when there is nothing to do', () => {
    expect(predict('full_experts', 'attend.merge').us).toBeGreaterThan(h200.handoverUs)
  })
})
