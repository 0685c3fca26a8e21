/**
 * Plain decode on the reference: one token a step, the largest logit, the lower id on a tie. What a greedy engine must
 * reproduce token for token.
 */
import type { Reference } from './reference.ts'

/** The index of the largest of the first `valid` numbers, the lowest such index on a tie. */
export function argmax(logits: Float64Array, valid = logits.length): number {
  let best = 0
  for (let i = 1; i < valid; i++) if (logits[i]! > logits[best]!) best = i
  return best
}

/** Processes `prompt` from position 0 in one block, then continues greedily for `count` tokens. */
export function generateGreedy(
  reference: Reference,
  prompt: readonly number[],
  count: number,
  options: { readonly stop?: ReadonlySet<number> } = {},
): number[] {
  reference.reset()
  let logits = reference.step(prompt.map((token, position) => ({ token, position }))).logits.at(-1)!
  const out: number[] = []
  while (out.length < count) {
    const token = argmax(logits, reference.valid)
    out.push(token)
    if (options.stop?.has(token) || out.length === count) break
    logits = reference.step([{ token, position: prompt.length + out.length - 1 }]).logits[0]!
  }
  return out
}
