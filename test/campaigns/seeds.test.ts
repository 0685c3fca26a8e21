/** A sample of the determinism campaign: see seeds.ts. Eight ranks took minutes while packets on their way were searched. */
import { expect, it } from 'vitest'
import { trySeed } from './seeds.ts'

it.each([
  [1, 3],
  [1, 10],
  [2, 17],
  [4, 40],
  [4, 151],
  [8, 10],
  [8, 99],
])('%i ranks, seed %i', { timeout: 60_000 }, async (ranks, seed) => {
  expect(await trySeed({ ranks, seed })).toBeUndefined()
})

it('with race checks, 4 ranks, seed 5', { timeout: 240_000 }, async () => {
  expect(await trySeed({ ranks: 4, seed: 5 }, true)).toBeUndefined()
})
