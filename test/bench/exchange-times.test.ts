/** What sums over ranks cost, from traces that were written by hand: every figure can be said in advance. */
import { expect, it } from 'vitest'
import { TraceFile } from '../../runtime/engine/trace-file.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { exchangeTimes } from '../../runtime/session/exchange-times.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { writtenTrace } from '../support/written-trace.ts'

const planOf = (gpus: number) =>
  compileModel(resolveModel({ model: 'nano', drafter: 'none' }), { target: 'host', gpus, ctx: 128 }).plan

/** A rank whose SM 0 sends its last tile after `sent` and SM 1 a microsecond sooner; both have everything after 9 us. */
const rankThatSends = (plan: ReturnType<typeof planOf>, sent: number) =>
  new TraceFile(
    writtenTrace(plan, 5, (role, sm) => ({ lasts: role === 'compute' ? 9000 : sm === 0 ? sent : sent - 1000 })),
    plan,
  )

it('are exposed from the last send to the last arrival, on every rank by its own clock', () => {
  const plan = planOf(2)
  const { sums, exposedUs, waitUs } = exchangeTimes([rankThatSends(plan, 8000), rankThatSends(plan, 5000)], plan)
  expect(sums.map((s) => `${s.segment}.${s.phase} ${s.runs}`)).toEqual([
    'full_dense.o 1',
    'full_dense.dense.down 1',
    'sliding_experts.o 3',
    'sliding_experts.expert.down 3',
    'full_experts.o 2',
    'full_experts.expert.down 2',
  ])
  for (const s of sums) {
    expect(s.exposedUs).toEqual([1, 4])
    // Half of the SMs wait a microsecond longer.
    expect(s.waitUs).toEqual([1.5, 4.5])
  }
  expect(exposedUs).toEqual([12, 48])
  expect(waitUs).toEqual([18, 54])
})

it('are none where there is one rank', () => {
  const plan = planOf(1)
  expect(exchangeTimes([rankThatSends(plan, 8000)], plan).sums).toEqual([])
})
