/** Full attention: which keys make one partial result, who takes which tasks, where queries lie, and that the proof holds a plan to it. */
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { Plan, Step } from '../../compiler/plan/ir.ts'
import { MOST_SHARED, roomForQueries, sharedMemory } from '../../compiler/plan/shared-memory.ts'
import { attendTasks, cacheSlots, chunkSpans, mostChunks, queryBytes, SPAN } from '../../compiler/tile/forms.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { nanoPlan, proPlan } from '../support/plans.ts'

describe('a chunk', () => {
  it('is a power of two of spans, more where a cache is long', () => {
    expect([512, 4096, 8192, 32768, 140_000].map((ctx) => chunkSpans(undefined, ctx))).toEqual([1, 1, 2, 4, 8])
  })
  it('is aligned to positions, and there is a place for each that a window can touch', () => {
    for (const window of [300, 4096, 12_000]) {
      const ctx = 100_000
      const spans = chunkSpans(window, ctx)
      const most = mostChunks(window, ctx)
      for (let last = window; last < window + 2 * spans * SPAN; last += 7) {
        const [first, end] = [last - window + 1, last + 7].map((key) => Math.floor(key / SPAN / spans))
        expect(end! - first! + 1).toBeLessThanOrEqual(most)
      }
      expect(cacheSlots(window, ctx) * SPAN).toBeGreaterThanOrEqual(window)
    }
  })
})

describe('tasks', () => {
  const shape = { kv: 1, mTiles: 8 }
  it('are as many as SMs where there are few chunks, and of all m tiles where there are many', () => {
    expect([1, 8, 32, 64, 65, 132, 300].map((chunks) => attendTasks(shape, chunks, 12, 132))).toEqual([
      8, 64, 128, 128, 130, 132, 300,
    ])
  })
  it('have an m tile for each warp at most', () => {
    expect(attendTasks({ kv: 2, mTiles: 10 }, 200, 4, 132)).toBe(2 * 200 * 3)
  })
})

describe('queries', () => {
  it('lie in the scratch memory and the slots behind it, all of them where an SM has room', () => {
    const plan = proPlan()
    expect(plan.scratchBytes + plan.slots.bytes).toBe(queryBytes(16, 192, 12))
    expect(sharedMemory(plan).total).toBeLessThanOrEqual(MOST_SHARED)
  })
  it('take no more than there is', () => {
    const plan = proPlan()
    const free = MOST_SHARED - sharedMemory(plan).total
    expect(roomForQueries(plan, 1 << 20)).toBeLessThanOrEqual(free)
    expect(roomForQueries(plan, 0)).toBe(0)
  })
})

describe('the proof refuses', () => {
  const plan = nanoPlan({ ranks: 1 })
  /** The plan with the compute steps of its full attention changed. */
  const withSteps = (change: (steps: readonly Step[]) => readonly Step[]): Plan => ({
    ...plan,
    segments: plan.segments.map((s) => ({
      ...s,
      phases: s.phases.map((p) =>
        p.roles.compute.some((x) => x.kind === 'loop' && x.domain.kind === 'chunkShare')
          ? { ...p, roles: { ...p.roles, compute: change(p.roles.compute) } }
          : p,
      ),
    })),
  })
  const codes = (changed: Plan): string[] => {
    const session = new Session()
    provePlan(changed, { session })
    return [...new Set(session.diagnostics.map((d) => d.code))]
  }
  it('queries that are staged before they are there', () => {
    expect(codes(withSteps((steps) => steps.filter((s) => s.kind !== 'wait')))).toContain('TILE2102')
  })
  it('a partial result that is merged before all warps have left theirs', () => {
    expect(codes(withSteps((steps) => steps.filter((s) => s.kind !== 'barrier')))).toContain('TILE2102')
  })
})
