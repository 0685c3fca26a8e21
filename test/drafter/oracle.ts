/**
 * The drafter's oracle: what an independent reading of the published files in PyTorch float64 drafted for four prompts
 * (models/mimo/nano/train/drafter/evaluate.py fixture), and the text that its greedy rounds wrote.
 *
 * Vocabulary: a *detailed* round comes with the draft's logits at some ids and their normaliser; of all others the
 * proposals are known.
 */
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { readTensor } from '../../runtime/checkpoint/bytes.ts'
import { readSafetensors } from '../../runtime/checkpoint/safetensors.ts'
import { asset } from '../../runtime/paths.ts'

export interface OracleRound {
  readonly anchor: { readonly token: number; readonly position: number }
  readonly proposals: readonly number[]
  readonly accepted: number
  /** Distance of each proposal's logit to the next best. */
  readonly gaps: readonly number[]
  /** Logits of rows 1 to 7 at the fixture's ids. */
  readonly logits?: readonly (readonly number[])[]
}

export interface OracleText {
  readonly prompt: readonly number[]
  /** The prompt and what the rounds wrote. */
  readonly text: readonly number[]
  /** What the first committed rows project to. */
  readonly context: readonly (readonly number[])[]
  readonly rounds: readonly OracleRound[]
}

export interface Oracle {
  readonly ids: readonly number[]
  readonly texts: readonly OracleText[]
}

export function readOracle(): Oracle {
  const file = asset('models', 'mimo', 'nano', 'train', 'drafter', 'oracle.safetensors')
  const tensors = new Map(readSafetensors(file, new Session())!.map((t) => [t.name, t]))
  const read = (name: string) => {
    const tensor = tensors.get(name)!
    const { buffer } = readTensor(tensor)
    const numbers = Array.from(tensor.dtype === 'F32' ? new Float32Array(buffer) : new Int32Array(buffer))
    /** The slice at leading indices. */
    return (...at: readonly number[]): number[] => {
      const size = tensor.shape.slice(at.length).reduce((a, b) => a * b, 1)
      const first = at.reduce((n, i, d) => n * tensor.shape[d]! + i, 0)
      return numbers.slice(first * size, (first + 1) * size)
    }
  }
  const [prompt, length, newest, position] = ['prompt', 'prompt_length', 'newest', 'position'].map(read)
  const [proposals, accepted, gaps, logits, context] = [
    'proposals',
    'accepted',
    'draft_gap',
    'draft_logits',
    'context',
  ].map(read)
  const detailed = read('detailed_rounds')()
  const texts = length!().map((count, t): OracleText => {
    const anchors = newest!(t)
    const rounds = anchors.map((token, r): OracleRound => {
      const d = detailed.indexOf(r)
      return {
        anchor: { token, position: position!(t, r)[0]! },
        proposals: proposals!(t, r),
        accepted: accepted!(t, r)[0]!,
        gaps: gaps!(t, r),
        ...(d >= 0 && { logits: proposals!(t, r).map((_, row) => logits!(t, d, row)) }),
      }
    })
    const written = rounds.flatMap((r) => [r.anchor.token, ...r.proposals.slice(0, r.accepted)])
    const ids = prompt!(t).slice(0, count)
    return {
      prompt: ids,
      text: [...ids, ...written],
      context: Array.from({ length: 8 }, (_, p) => context!(t, p)),
      rounds,
    }
  })
  return { ids: read('vocab_ids')(), texts }
}
