/** Times of phases from a trace that was written by hand: every figure can be said in advance. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { Compiled } from '../../codegen/compile.ts'
import { TraceFile } from '../../runtime/engine/trace-file.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { phaseTimes } from '../../runtime/session/phase-times.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { PHASE, writtenTrace } from '../support/written-trace.ts'

let compiled: Compiled
beforeAll(() => {
  compiled = compileModel(resolveModel({ model: 'nano', drafter: 'none' }), { target: 'host', gpus: 2, ctx: 128 })
})

/** SM 0 works until the end of a phase and SM 1 until 8 us: both see the signal after 1 us and have staged after 3. */
const written = (rounds: number) =>
  writtenTrace(compiled.plan, rounds, (_, sm) => ({
    lasts: sm === 0 ? PHASE : PHASE - 2000,
    marks: [1000, 3000, 3500],
  }))

const times = (rounds: number) =>
  phaseTimes(new TraceFile(written(rounds), compiled.plan), compiled, () => ({ rows: 8, context: 64 }))

describe('times of phases', () => {
  it('are from the last signal before to the last signal, split into sync, staging and the rest', () => {
    for (const p of times(5)) {
      expect(p.us).toBeCloseTo(10, 6)
      // 1 us until the signal is seen, and half of the SMs wait 2 us for the other half.
      expect(p.syncUs).toBeCloseTo(2, 6)
      expect(p.stagingUs).toBeCloseTo(2, 6)
    }
  })

  it('cover every execution of a round once', () => {
    const { plan } = compiled
    const executions = plan.entries.reduce((n, e) => n + plan.segments[e.segment]!.phases.length, 0)
    expect(times(3).reduce((n, p) => n + p.runs, 0)).toBe(executions)
  })

  it('take bytes from the experts that were active', () => {
    const up = times(3).find((p) => p.phase === 'expert.up')!
    const { weightBytes } = compiled.plan.segments.flatMap((s) => s.phases).find((p) => p.name === 'expert.up')!
    expect(up.active).toBe(5)
    expect(up.bytes).toBeCloseTo((weightBytes * 5) / 16, 3)
  })

  it('know the order of rounds when slots have been written again', () => {
    const { rounds } = new TraceFile(written(20), compiled.plan)
    expect(rounds).toHaveLength(15)
    expect(rounds.map((r) => r.slot)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3])
    expect(rounds.every((r) => r.entries.length === compiled.plan.entries.length)).toBe(true)
  })
})
