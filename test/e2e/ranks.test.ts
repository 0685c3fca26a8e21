/** Ranks and scheduling change nothing: 1, 2, 4 and 8 ranks write the same text, and every run gives the same bits. */
import { describe, expect, it } from 'vitest'
import { greedy, openNano, prompts } from '../support/run-nano.ts'

const count = 32

async function texts(
  gpus: number,
  engineArgs: readonly string[] = [],
  tried = prompts,
): Promise<(readonly number[])[]> {
  const session = await openNano({ gpus, engineArgs })
  try {
    const out: (readonly number[])[] = []
    for (const prompt of tried) out.push(await greedy(session, session.encode({ prompt }), count))
    return out
  } finally {
    await session.close()
  }
}

const one = texts(1)

describe('host engine', () => {
  it.each([2, 4, 8])('%i ranks write what one rank writes', { timeout: 240_000 }, async (gpus) => {
    expect(await texts(gpus)).toEqual(await one)
  })

  it('gives the same again', { timeout: 120_000 }, async () => {
    expect(await texts(1)).toEqual(await one)
  })

  it.each([
    [1, 1],
    [1, 2],
    [2, 3],
    [2, 4],
    [2, 5],
  ])('%i ranks do not depend on the order of events (seed %i)', { timeout: 240_000 }, async (gpus, seed) => {
    expect(await texts(gpus, ['--seed', `${seed}`], prompts.slice(0, 2))).toEqual((await one).slice(0, 2))
  })
})
