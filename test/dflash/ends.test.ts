/** Ends of requests at every row of a block, cancelling in any round, and that the next request starts clean. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { Session } from '../../runtime/session/open-model.ts'
import { prompts } from '../support/run-nano.ts'
import { countersAddUp, openDrafting, spoiled, type Written, write } from './drafting.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 300_000 })

let session: Session
let prompt: readonly number[]
let plain: Written
beforeAll(async () => {
  session = await openDrafting()
  prompt = session.encode({ prompt: prompts[0]! })
  plain = await write(session, prompt, { draft: 'off', maxTokens: 40 })
})
afterAll(() => session?.close())

const offsets = [0, 1, 2, 3, 4, 5, 6, 7]
/** With an oracle the first token comes with the prompt, then eight a round: token 9 + o ends row o of the second round. */
const at = (offset: number) => 9 + offset

async function startsClean(): Promise<void> {
  const other = session.encode({ prompt: prompts[5]! })
  const predicted = spoiled(plain.tokens, 2, 4000)
  const after = await write(session, other, { draft: 8, maxTokens: 10, predicted })
  expect(after.logprobs).toEqual((await write(session, other, { draft: 'off', maxTokens: 10 })).logprobs)
}

it.each(offsets)('ends by length at row %i', async (offset) => {
  const maxTokens = at(offset) + 1
  const drafted = await write(session, prompt, { draft: 8, maxTokens, predicted: plain.tokens })
  expect(drafted.tokens).toEqual(plain.tokens.slice(0, maxTokens))
  expect(drafted.reason).toBe('length')
  expect(countersAddUp(drafted)).toBe(true)
  await startsClean()
})

it.each(offsets)('ends at an end token and at a stop id, at row %i', async (offset) => {
  // A bias makes the token unlikely before: it must not come earlier than where it is looked for.
  const place = plain.tokens.findIndex((t, i) => i >= at(offset) && !plain.tokens.slice(0, i).includes(t))
  const lead = place - at(offset)
  const start = [...prompt, ...plain.tokens.slice(0, lead)]
  const rest = plain.tokens.slice(lead)
  for (const kind of ['eos', 'stop'] as const) {
    const request = { prompt: start, maxNewTokens: 40, [kind]: [rest[at(offset)]!] }
    const tokens: number[] = []
    let reason: string | undefined
    let accepted = 0
    let rounds = 0
    const draft = { rows: 8, block: 8, predicted: rest }
    for await (const e of session.engineEvents({ ...request, draft })) {
      if (e.type === 'token') tokens.push(e.token)
      if (e.type === 'end') reason = e.reason
      if (e.type !== 'round') continue
      accepted += e.outcome.accepted
      rounds++
    }
    expect(tokens).toEqual(rest.slice(0, at(offset) + 1))
    expect(reason).toBe(kind)
    // The last round's own token never came, unless the end stood in it.
    expect(accepted + rounds - tokens.length).toBe(offset < 7 ? 1 : 0)
  }
  await startsClean()
})

it.each(offsets)('cuts at a stop string that token %i completes', async (offset) => {
  const until = at(offset)
  const text = session.tokenizer.decode(plain.tokens.slice(0, until + 1))
  const stop = text.slice(-6)
  const wanted = await session.complete({ tokens: prompt, draft: 'off', maxTokens: 40, stop: [stop], ignoreEnd: true })
  const { text: got, reason } = await session.complete({
    tokens: prompt,
    draft: 8,
    maxTokens: 40,
    stop: [stop],
    ignoreEnd: true,
    predicted: plain.tokens,
  })
  expect({ text: got, reason }).toEqual({ text: wanted.text, reason: 'stop' })
  expect(got).toBe(text.slice(0, text.indexOf(stop)))
  await startsClean()
})

it('is cancelled in any round', async () => {
  for (let after = 0; after < 6; after++) {
    const cancel = new AbortController()
    let rounds = 0
    let reason: string | undefined
    const draft = { rows: 4, block: 8, predicted: spoiled(plain.tokens, 3, 4000) }
    if (after === 0) cancel.abort()
    for await (const e of session.engineEvents({ prompt, maxNewTokens: 400, draft }, cancel.signal)) {
      if (e.type === 'round' && ++rounds === after) cancel.abort()
      if (e.type === 'end') reason = e.reason
    }
    expect(reason).toBe('cancel')
    await startsClean()
  }
})

it('fills the context to its last position', async () => {
  const long = Array.from({ length: session.ctx - 11 }, (_, i) => 100 + (i % 900))
  const whole = await write(session, long, { draft: 'off', maxTokens: 100 })
  expect(whole.reason).toBe('context')
  for (const predicted of [whole.tokens, spoiled(whole.tokens, 2, 4000)]) {
    const drafted = await write(session, long, { draft: 8, maxTokens: 100, predicted })
    expect(drafted).toMatchObject({ tokens: whole.tokens, logprobs: whole.logprobs, reason: 'context' })
  }
})
