/** The gate sees a drafter that is fed wrongly: each known fault costs more acceptance than the gate allows, and no text. */
import { rmSync } from 'node:fs'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { openNano } from '../support/run-nano.ts'
import { write } from './drafting.ts'
import { weightFaults } from './faults.ts'
import { acceptanceLength, gatePrompts, gateRounds } from './gate.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const prompts = gatePrompts(6)

async function measured(drafter?: string) {
  const session = await openNano(drafter === undefined ? {} : { drafter })
  try {
    const { tokens } = await write(session, prompts[0]!, { draft: 8, maxTokens: 24 })
    return { tokens, length: acceptanceLength(await gateRounds(session, prompts)) }
  } finally {
    await session.close()
  }
}

describe('a fault shows', () => {
  let right: Awaited<ReturnType<typeof measured>>
  beforeAll(async () => {
    right = await measured()
  })
  it.each(Object.entries(weightFaults))('when %s', async (name, fault) => {
    const folder = fault()
    const wrong = await measured(folder)
    rmSync(folder, { recursive: true })
    console.log(`${name}: ${wrong.length.toFixed(2)} of ${right.length.toFixed(2)}`)
    expect(wrong.tokens).toEqual(right.tokens)
    expect(wrong.length).toBeLessThan(0.98 * right.length)
  })
})
