/**
 * The host engine against the reference: the same greedy tokens.
 *
 * The engine computes in BF16 with float32 sums, the reference in float64. Where the reference's two largest logits are
 * closer than `margin`, rounding may decide; such a step is printed, and the comparison goes on from the reference's token.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Session } from '../../runtime/session/open-model.ts'
import { greedy, nanoReference, openNano, prompts } from '../support/run-nano.ts'

/** In units of logits: what BF16 activations may move the difference of two of nano's logits by. */
const margin = 0.1
const count = 64

let session: Session
beforeAll(async () => {
  session = await openNano()
}, 180_000)
afterAll(() => session.close())

interface Step {
  readonly token: number
  readonly second: number
  readonly gap: number
}

function referenceSteps(prompt: readonly number[]): Step[] {
  const reference = nanoReference()
  reference.reset()
  let logits = reference.step(prompt.map((token, position) => ({ token, position }))).logits.at(-1)!
  const steps: Step[] = []
  for (let i = 0; ; i++) {
    const [token, second] = topTwo(logits.subarray(0, reference.valid))
    steps.push({ token, second, gap: logits[token]! - logits[second]! })
    if (steps.length === count) return steps
    logits = reference.step([{ token, position: prompt.length + i }]).logits[0]!
  }
}

function topTwo(logits: Float64Array): readonly [number, number] {
  let [first, second] = logits[0]! >= logits[1]! ? [0, 1] : [1, 0]
  for (let i = 2; i < logits.length; i++) {
    if (logits[i]! > logits[first]!) [first, second] = [i, first]
    else if (logits[i]! > logits[second]!) second = i
  }
  return [first, second]
}

const close: string[] = []
afterAll(() => {
  const what = close.length === 0 ? 'none' : `\n${close.join('\n')}`
  console.log(`greedy steps that rounding decided (margin ${margin}): ${what}`)
})

it.each(prompts)('continues %j as the reference does', { timeout: 120_000 }, async (text) => {
  const prompt = session.encode({ prompt: text })
  const expected = referenceSteps(prompt)
  let done = 0
  while (done < count) {
    const known = expected.slice(0, done).map((s) => s.token)
    const got = await greedy(session, [...prompt, ...known], count - done)
    const differs = got.findIndex((token, i) => token !== expected[done + i]!.token)
    if (differs < 0) break
    const { token, second, gap } = expected[done + differs]!
    const name = (id: number) => JSON.stringify(session.tokenizer.decode([id]))
    const where = `${JSON.stringify(text)}, token ${done + differs}: ${name(token)} or ${name(second)}, ${gap.toFixed(4)} apart`
    expect(gap, `${where}; the engine wrote ${name(got[differs]!)}`).toBeLessThan(margin)
    expect(got[differs], where).toBe(second)
    close.push(where)
    done += differs + 1
  }
})
