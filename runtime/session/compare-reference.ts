/**
 * A session's engine against the reference: greedy tokens, one by one, over prompts that nobody tuned for.
 *
 * The engine computes in BF16 with float32 sums, the reference in float64. How far rounding alone may go is measured, not
 * guessed: a second reading of the same graph rounds to BF16 what the engine stages in BF16, and the *noise* is the most that
 * any logit of any row of the prompts and their continuations moves by between the two readings. All rows count, because
 * rounding moves most where it decides a near tie of two experts, and the engine's near ties are in other rows than the reading's.
 * Vocabulary: where the reference's two largest logits are closer than twice the noise, the engine may take the other one: a
 * *close call*, which is listed, and the comparison goes on from the reference's token. Any other difference is a
 * *mismatch* and ends it.
 */
import { bf16Reference } from '../../compiler/reference/bf16.ts'
import { createReference, type Reference } from '../../compiler/reference/reference.ts'
import { checkpointParams } from '../checkpoint/decode.ts'
import type { Session } from './open-model.ts'

/** The two readings. They keep what they decoded, so one pair serves many comparisons. */
export interface Readings {
  readonly exact: Reference
  readonly rounded: Reference
}

export interface Disagreement {
  readonly prompt: number
  /** Counted from the end of the prompt. */
  readonly at: number
  readonly engine: number
  readonly reference: number
  /** How far the reference's logit of its own choice is above that of the engine's. */
  readonly gap: number
  /** How far rounding alone moves a logit. */
  readonly noise: number
}

export interface Comparison {
  /** Tokens that were compared. */
  readonly tokens: number
  readonly closeCalls: readonly Disagreement[]
  readonly mismatch?: Disagreement
}

export interface CompareOptions {
  readonly prompts: readonly (readonly number[])[]
  /** Tokens to compare after each. */
  readonly count: number
}

export function readingsOf({ resolved: { model, checkpoint }, ctx }: Session): Readings {
  const params = checkpointParams(checkpoint!, model.graph.params, model.bindings)
  return { exact: createReference(model.graph, params, { ctx }), rounded: bf16Reference(model.graph, params, ctx) }
}

export async function compareWithReference(
  session: Session,
  readings: Readings,
  { prompts, count }: CompareOptions,
): Promise<Comparison> {
  const closeCalls: Disagreement[] = []
  let tokens = 0
  const continuations = prompts.map((prompt) => continuation(readings, prompt, count))
  const noise = Math.max(...continuations.map((c) => c.noise))
  for (const [index, prompt] of prompts.entries()) {
    const { steps } = continuations[index]!
    for (let done = 0; done < count; ) {
      const known = steps.slice(0, done).map((s) => s.token)
      const options = { tokens: [...prompt, ...known], maxTokens: count - done, ignoreEnd: true }
      const { tokenIds } = await session.complete(options)
      const differs = tokenIds.findIndex((token, i) => token !== steps[done + i]!.token)
      tokens += differs < 0 ? tokenIds.length : differs + 1
      if (differs < 0) break
      const at = done + differs
      const { token: reference, logits } = steps[at]!
      const engine = tokenIds[differs]!
      const found = { prompt: index, at, engine, reference, gap: logits[reference]! - logits[engine]!, noise }
      if (!(found.gap < 2 * noise)) return { tokens, closeCalls, mismatch: found }
      closeCalls.push(found)
      done = at + 1
    }
  }
  return { tokens, closeCalls }
}

interface Step {
  readonly token: number
  readonly logits: Float64Array
}

/** What the exact reading writes after `prompt`, and how far the rounded one is from it on the way. */
function continuation({ exact, rounded }: Readings, prompt: readonly number[], count: number) {
  for (const reading of [exact, rounded]) reading.reset()
  const steps: Step[] = []
  let noise = 0
  let rows = prompt.map((token, position) => ({ token, position }))
  while (steps.length < count) {
    const all = exact.step(rows).logits.map((row) => row.subarray(0, exact.valid))
    const others = rounded.step(rows).logits
    all.forEach((row, i) => {
      row.forEach((value, id) => {
        noise = Math.max(noise, Math.abs(value - others[i]![id]!))
      })
    })
    const logits = all.at(-1)!
    const token = logits.reduce((best, value, id) => (value > logits[best]! ? id : best), 0)
    steps.push({ token, logits: logits.slice() })
    rows = [{ token, position: prompt.length + steps.length - 1 }]
  }
  return { steps, noise }
}
