/** A sample of the faults at run time: see mutants-run.ts. */
import { expect, it } from 'vitest'
import { bad, MutantRunner } from './mutants-run.ts'

it.each([
  [1, 31],
  [2, 67],
  [8, 109],
])('nano on %i ranks: each fault is caught by name or changes nothing', { timeout: 600_000 }, async (ranks, stride) => {
  const runner = await MutantRunner.of(ranks)
  const chosen = runner.mutants().filter((_, i) => i % stride === 7)
  expect(chosen.length).toBeGreaterThan(6)
  const verdicts: string[] = []
  for (const m of chosen) {
    const { verdict, detail } = await runner.try(m)
    verdicts.push(verdict)
    expect(bad(verdict), `${m.step} ${m.mutation} at ${m.name}: ${verdict} ${detail}`).toBe(false)
  }
  expect(verdicts.filter((v) => v !== 'harmless').length).toBeGreaterThan(chosen.length / 2)
})
