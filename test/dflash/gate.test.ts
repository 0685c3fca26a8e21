/**
 * The acceptance gate: nano and its trained drafter on twenty held-out prompts. Text stays right when a drafter is fed
 * wrongly, so nothing but the acceptance shows it: a drop of more than 2 % fails.
 */
import { expect, it, vi } from 'vitest'
import { openNano } from '../support/run-nano.ts'
import { acceptanceLength, gatePrompts, gateRounds, stored } from './gate.ts'

vi.setConfig({ testTimeout: 600_000 })

it('holds the recorded acceptance length on twenty prompts', async () => {
  const session = await openNano()
  try {
    const rounds = await gateRounds(session, gatePrompts())
    const length = acceptanceLength(rounds)
    console.log(`acceptance length ${length} over ${rounds.length} rounds; recorded ${stored.acceptanceLength}`)
    expect(length).toBeGreaterThan(0.98 * stored.acceptanceLength)
    // A comparison that accepts everything would raise it.
    expect(length).toBeLessThan(1.1 * stored.acceptanceLength)
  } finally {
    await session.close()
  }
})
