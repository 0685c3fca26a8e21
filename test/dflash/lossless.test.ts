/**
 * DFlash writes what plain decoding writes, token for token and with the same logits: for every way to sample, every width,
 * several ranks, and whatever is proposed.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Session } from '../../runtime/session/open-model.ts'
import { prompts } from '../support/run-nano.ts'
import { countersAddUp, openDrafting, samplings, spoiled, widths, write } from './drafting.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 300_000 })

const count = 30

describe.each([1, 2])('%i ranks', (gpus) => {
  let session: Session
  beforeAll(async () => {
    session = await openDrafting({ gpus })
  })
  afterAll(() => session?.close())

  it.each(samplings.map((s, i) => [JSON.stringify(s), s, i] as const))('%s', async (_, sampling, i) => {
    for (const text of [prompts[i]!, prompts[i + 4]!]) {
      const prompt = session.encode({ prompt: text })
      const plain = await write(session, prompt, { ...sampling, draft: 'off', maxTokens: count })
      expect(plain.draft).toMatchObject({ drafted: 0, rounds: count - 1 })
      for (const draft of widths) {
        for (const every of [3, 7]) {
          const predicted = spoiled(plain.tokens, every, session.tokenizer.size)
          const drafted = await write(session, prompt, { ...sampling, draft, maxTokens: count, predicted })
          expect(drafted.tokens, `width ${draft}`).toEqual(plain.tokens)
          expect(drafted.logprobs, `width ${draft}`).toEqual(plain.logprobs)
          expect(countersAddUp(drafted)).toBe(true)
          if (typeof draft === 'number') expect(drafted.draft.accepted).toBeGreaterThan(0)
        }
      }
    }
  })
})

describe('adversaries', () => {
  let session: Session
  let prompt: readonly number[]
  beforeAll(async () => {
    session = await openDrafting()
    prompt = session.encode({ prompt: prompts[3]! })
  })
  afterAll(() => session?.close())

  const against = async (predict: (plain: readonly number[]) => readonly number[]) => {
    const plain = await write(session, prompt, { draft: 'off', maxTokens: count })
    const drafted = await write(session, prompt, { draft: 8, maxTokens: count, predicted: predict(plain.tokens) })
    expect(drafted.tokens).toEqual(plain.tokens)
    expect(drafted.logprobs).toEqual(plain.logprobs)
    expect(countersAddUp(drafted)).toBe(true)
    return drafted.draft
  }

  it('an oracle is always right', async () => {
    const { histogram, accepted, drafted } = await against((plain) => plain)
    expect(histogram.slice(0, 4)).toEqual([0, 0, 0, 0])
    expect(accepted).toBe(drafted)
  })
  it('always wrong', async () => {
    const { acceptanceLength, accepted } = await against((plain) => plain.map((t) => (t + 7) % 4000))
    expect({ acceptanceLength, accepted }).toEqual({ acceptanceLength: 1, accepted: 0 })
  })
  it('a drafter of random weights', async () => {
    expect((await against(() => [])).drafted).toBeGreaterThan(0)
  })
  it('random tokens', async () => {
    await against((plain) => plain.map((_, i) => (i * 2654435761) % session.tokenizer.size))
  })
  it.each([
    ['end tokens', () => session.defaults.endTokens[0]!],
    ['the mask token', () => session.resolved.drafter!.built.block.mask],
  ])('nothing but %s', async (_, token) => {
    await against((plain) => plain.map(token))
  })
})
