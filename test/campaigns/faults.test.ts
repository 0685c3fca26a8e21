/** A sample of the faults while an engine generates: see faults.ts. */
import { expect, it } from 'vitest'
import { FaultRunner } from './faults.ts'

it('faults of two ranks are reported in time, and the next request is answered', { timeout: 240_000 }, async () => {
  const runner = await FaultRunner.of(2, 100)
  for (const seed of [1, 2]) {
    const found = await runner.try(seed)
    expect(found.map((f) => f.kind).sort()).toEqual(['kill', 'stall', 'stop'])
    for (const f of found) expect(f.verdict, `seed ${seed}, ${f.kind} after ${f.ms} ms: ${f.said}`).toBe('reported')
  }
})
