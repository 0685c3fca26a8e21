/** A sample of the random models: see models.ts. They have met every bug that the campaign found so far. */
import { expect, it } from 'vitest'
import { buildQuickly } from '../support/quick-builds.ts'
import { tryModel } from './models.ts'

buildQuickly()

// 10033: two sums over ranks that nothing but their packets orders, as their results meet in a phase of its own.
// 285: a norm that each warp takes alone between two that they take together.
// 20000 and more: sums over ranks in two shots.
it.each([1, 4, 6, 41, 46, 56, 285, 10033, 20004, 30033])('model %i', { timeout: 240_000 }, async (number) => {
  const { verdict, detail } = await tryModel(number)
  expect(verdict, detail).toBe('equal')
})

it('refuses with a code what it does not take', { timeout: 60_000 }, async () => {
  const verdicts = new Set<string>()
  for (const number of [9, 14, 22, 33]) verdicts.add((await tryModel(number)).verdict)
  for (const v of verdicts) expect(v).toMatch(/^(equal|refused TILE)/)
})
