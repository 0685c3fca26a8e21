/** The host engine against the reference: the same greedy tokens; what rounding decided is printed. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { compareWithReference, type Readings, readingsOf } from '../../runtime/session/compare-reference.ts'
import type { Session } from '../../runtime/session/open-model.ts'
import { openNano, prompts } from '../support/run-nano.ts'

const count = 64
let session: Session
let readings: Readings
const close: string[] = []

beforeAll(async () => {
  session = await openNano()
  readings = readingsOf(session)
}, 180_000)
afterAll(async () => {
  const what = close.length === 0 ? 'none' : `\n${close.join('\n')}`
  console.log(`greedy steps that rounding decided (closer than twice what rounding moves): ${what}`)
  await session.close()
})

it.each(prompts)('continues %j as the reference does', { timeout: 120_000 }, async (text) => {
  const prompt = session.encode({ prompt: text })
  const { tokens, closeCalls, mismatch } = await compareWithReference(session, readings, { prompts: [prompt], count })
  const name = (id: number) => JSON.stringify(session.tokenizer.decode([id]))
  for (const { at, reference, engine, gap, noise } of closeCalls) {
    const apart = `${gap.toFixed(4)} apart, rounding moves ${noise.toFixed(4)}`
    close.push(`${JSON.stringify(text)}, token ${at}: ${name(reference)} or ${name(engine)}, ${apart}`)
  }
  expect(mismatch).toBeUndefined()
  expect(tokens).toBe(count)
  expect(closeCalls.length).toBeLessThan(count / 8)
})
