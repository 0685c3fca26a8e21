/** The host engine against the reference: the same greedy tokens; what rounding decided is printed. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Reference } from '../../compiler/reference/reference.ts'
import { bf16Margin, compareWithReference, sessionReference } from '../../runtime/session/compare-reference.ts'
import type { Session } from '../../runtime/session/open-model.ts'
import { openNano, prompts } from '../support/run-nano.ts'

const count = 64
let session: Session
let reference: Reference
const close: string[] = []

beforeAll(async () => {
  session = await openNano()
  reference = sessionReference(session)
}, 180_000)
afterAll(async () => {
  const what = close.length === 0 ? 'none' : `\n${close.join('\n')}`
  console.log(`greedy steps that rounding decided (margin ${bf16Margin} of the largest logit): ${what}`)
  await session.close()
})

it.each(prompts)('continues %j as the reference does', { timeout: 120_000 }, async (text) => {
  const prompt = session.encode({ prompt: text })
  const { tokens, closeCalls, mismatch } = await compareWithReference(session, reference, { prompts: [prompt], count })
  const name = (id: number) => JSON.stringify(session.tokenizer.decode([id]))
  for (const { at, first, second, engine, gap, size } of closeCalls) {
    expect(engine).toBe(second)
    close.push(
      `${JSON.stringify(text)}, token ${at}: ${name(first)} or ${name(second)}, ${gap.toFixed(4)} apart of ${size.toFixed(1)}`,
    )
  }
  expect(mismatch).toBeUndefined()
  expect(tokens).toBe(count)
  expect(closeCalls.length).toBeLessThan(count / 8)
})
