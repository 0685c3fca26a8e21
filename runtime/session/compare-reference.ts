/**
 * A session's engine against the reference: greedy tokens, one by one, over prompts that nobody tuned for.
 *
 * The engine computes in BF16 with float32 sums, the reference in float64. Where the reference's two largest logits are
 * closer than `bf16Margin` of the largest one, rounding may decide between them: a *close call*, which is listed, and the
 * comparison goes on from the reference's token. Any other difference is a *mismatch* and ends it.
 */
import { createReference, type Reference } from '../../compiler/reference/reference.ts'
import { checkpointParams } from '../checkpoint/decode.ts'
import type { Session } from './open-model.ts'

/** Four units in the last place of BF16: what rounding activations once a phase may move a logit by, of its size. */
export const bf16Margin = 2 ** -6

export interface Disagreement extends Step {
  readonly prompt: number
  /** Counted from the end of the prompt. */
  readonly at: number
  readonly engine: number
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

/** The reference's first and second choice, how far their logits are apart, and the magnitude of the first. */
interface Step {
  readonly first: number
  readonly second: number
  readonly gap: number
  readonly size: number
}

/** The reference of the model that a session runs. It keeps what it decoded, so one serves many comparisons. */
export function sessionReference({ resolved: { model, checkpoint }, ctx }: Session): Reference {
  return createReference(model.graph, checkpointParams(checkpoint!, model.graph.params, model.bindings), { ctx })
}

export async function compareWithReference(
  session: Session,
  reference: Reference,
  { prompts, count }: CompareOptions,
): Promise<Comparison> {
  const closeCalls: Disagreement[] = []
  let tokens = 0
  for (const [index, prompt] of prompts.entries()) {
    const expected = referenceSteps(reference, prompt, count)
    for (let done = 0; done < count; ) {
      const known = expected.slice(0, done).map((s) => s.first)
      const options = { tokens: [...prompt, ...known], maxTokens: count - done, ignoreEnd: true }
      const { tokenIds } = await session.complete(options)
      const differs = tokenIds.findIndex((token, i) => token !== expected[done + i]!.first)
      tokens += differs < 0 ? tokenIds.length : differs + 1
      if (differs < 0) break
      const at = done + differs
      const found = { prompt: index, at, engine: tokenIds[differs]!, ...expected[at]! }
      if (found.gap >= bf16Margin * found.size) return { tokens, closeCalls, mismatch: found }
      closeCalls.push(found)
      done = at + 1
    }
  }
  return { tokens, closeCalls }
}

function referenceSteps(reference: Reference, prompt: readonly number[], count: number): Step[] {
  reference.reset()
  let logits = reference.step(prompt.map((token, position) => ({ token, position }))).logits.at(-1)!
  const steps: Step[] = []
  for (let i = 0; ; i++) {
    const step = topTwo(logits.subarray(0, reference.valid))
    steps.push(step)
    if (steps.length === count) return steps
    logits = reference.step([{ token: step.first, position: prompt.length + i }]).logits[0]!
  }
}

function topTwo(logits: Float64Array): Step {
  let [first, second] = logits[0]! >= logits[1]! ? [0, 1] : [1, 0]
  for (let i = 2; i < logits.length; i++) {
    if (logits[i]! > logits[first]!) [first, second] = [i, first]
    else if (logits[i]! > logits[second]!) second = i
  }
  return { first, second, gap: logits[first]! - logits[second]!, size: Math.abs(logits[first]!) }
}
