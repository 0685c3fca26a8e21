/**
 * nano with a drafter that guesses nothing, and callers' predictions in its place: any acceptance that a test wants.
 *
 * Vocabulary: an *oracle* predicts what plain decoding wrote; `spoiled` is an oracle that is wrong now and then.
 */
import type { DraftStats } from '../../runtime/decode/draft-stats.ts'
import type { DecodeOptions, DraftChoice } from '../../runtime/decode/sampling.ts'
import type { LogProbs } from '../../runtime/engine/wire.ts'
import type { OpenOptions, Session } from '../../runtime/session/open-model.ts'
import { writeDraftFolder } from '../support/draft-folder.ts'
import { openNano } from '../support/run-nano.ts'

let folder: string | undefined

export const openDrafting = (options: Partial<OpenOptions> = {}): Promise<Session> => {
  folder ??= writeDraftFolder()
  return openNano({ drafter: folder, ...options })
}

export const samplings: readonly DecodeOptions[] = [
  {},
  { temperature: 0.7, seed: 11 },
  { temperature: 1, topP: 0.9, topK: 50, minP: 0.01, seed: 12 },
  { temperature: 0.9, repetitionPenalty: 1.2, presencePenalty: 0.3, frequencyPenalty: 0.2, seed: 13 },
]

export const widths: readonly DraftChoice[] = [2, 5, 8, 'auto']

export interface Written {
  readonly tokens: readonly number[]
  readonly logprobs: readonly LogProbs[]
  readonly reason: string
  readonly draft: DraftStats
}

/** All log probabilities that an engine tells: two runs that agree in them had the same logits. */
export async function write(session: Session, prompt: readonly number[], options: DecodeOptions): Promise<Written> {
  const { tokenIds, logprobs, reason, stats } = await session.complete({
    tokens: prompt,
    ignoreEnd: true,
    logprobs: 20,
    ...options,
  })
  return { tokens: tokenIds, logprobs: logprobs ?? [], reason, draft: stats.draft }
}

/** Wrong at every `every`-th place, so that rounds end at every row. */
export const spoiled = (tokens: readonly number[], every: number, vocabulary: number): number[] =>
  tokens.map((t, i) => (i % every === every - 1 ? (t + 1) % vocabulary : t))

/** emitted = sum of (accepted + 1) - truncated, and acceptance does not grow with the position. */
export function countersAddUp({ draft, tokens }: Written): boolean {
  const { rounds, accepted, truncated, histogram, acceptedByPosition } = draft
  const emitted = tokens.length - 1
  const sum = histogram.reduce((n, count, i) => n + count * (i + 1), 0)
  const falls = acceptedByPosition.every((a, i) => i === 0 || a <= acceptedByPosition[i - 1]! + 1e-12)
  return emitted === accepted + rounds - truncated && emitted === sum && emitted === draft.tokens && falls
}
