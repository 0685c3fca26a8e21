/** What drafting did, as text and as JSON: for run --stats and bench. */
import type { DraftStats } from '../runtime/decode/draft-stats.ts'

/** Fields that both verbs print with --json. */
export const draftJson = (d: DraftStats) => ({
  acceptanceLength: d.acceptanceLength,
  rounds: d.rounds,
  roundMs: d.roundMs,
  draftMs: d.draftMs,
  histogram: d.histogram,
  acceptedByPosition: d.acceptedByPosition,
  widths: d.widths,
  ...(d.unusable > 0 && { unusableProposals: d.unusable }),
})

export function draftLines(d: DraftStats): string[] {
  if (d.rounds === 0) return ['no rounds after the prompt']
  const share = (n: number) => `${((100 * n) / d.rounds).toFixed(0)} %`
  const listed = (counts: readonly number[]) =>
    counts.flatMap((n, i) => (n > 0 ? [`${i + 1}: ${share(n)}`] : [])).join(', ')
  return [
    `acceptance length ${d.acceptanceLength.toFixed(2)} over ${d.rounds} rounds of ${d.roundMs.toFixed(2)} ms, ${d.draftMs.toFixed(2)} ms of it drafting`,
    `tokens a round   ${listed(d.histogram)}`,
    `rows verified    ${listed(d.widths)}`,
    ...(d.drafted > 0 ? [`accepted at      ${d.acceptedByPosition.map((a) => a.toFixed(2)).join(' ')}`] : []),
  ]
}

/** Said whenever it happened, asked for or not: the text is right, but the drafter is broken. */
export const unusableText = ({ unusable }: DraftStats): string | undefined =>
  unusable > 0
    ? `the drafter's logits were no numbers for ${unusable} proposals, which were thrown away; its weights may be damaged`
    : undefined
