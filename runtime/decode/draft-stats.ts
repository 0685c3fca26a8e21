/**
 * What a request's rounds add up to: how often the drafter was right, and what a round cost.
 *
 * Vocabulary: *acceptance length* is tokens a round, the target's own token counted: 1 to the block's rows. The round that
 * ends the prompt drafts nothing and is not one of these rounds.
 * Invariant: tokens = sum of (accepted + 1) - truncated, where a round is truncated that ended the request with an
 * accepted proposal.
 */
import { maxRows, type RoundOutcome } from '../engine/wire.ts'

export interface DraftStats {
  readonly rounds: number
  readonly tokens: number
  readonly drafted: number
  readonly accepted: number
  /** Rounds whose last token was a proposal that ended the request: the target's own token never came. */
  readonly truncated: number
  /** Proposals thrown away because the drafter's logits were no numbers. */
  readonly unusable: number
  readonly acceptanceLength: number
  /** Rounds that yielded 1, 2, ... tokens. */
  readonly histogram: readonly number[]
  /** Share of the rounds with proposals that accepted the first, the first two, ... of them. */
  readonly acceptedByPosition: readonly number[]
  /** Rounds by the rows that they verified. */
  readonly widths: readonly number[]
  /** Mean milliseconds of a round, and of that of drafting; on the host, of processor time. */
  readonly roundMs: number
  readonly draftMs: number
}

export function draftStats(rounds: readonly RoundOutcome[]): DraftStats {
  const sum = (of: (r: RoundOutcome) => number) => rounds.reduce((n, r) => n + of(r), 0)
  const count = (of: (r: RoundOutcome) => boolean) => rounds.filter(of).length
  const perRound = (total: number) => (rounds.length > 0 ? total / rounds.length : 0)
  const drafting = count((r) => r.drafted > 0)
  const rows = Array.from({ length: maxRows }, (_, i) => i + 1)
  return {
    rounds: rounds.length,
    tokens: sum((r) => r.tokens),
    drafted: sum((r) => r.drafted),
    accepted: sum((r) => r.accepted),
    truncated: count((r) => r.tokens === r.accepted),
    unusable: sum((r) => r.unusable),
    acceptanceLength: perRound(sum((r) => r.tokens)),
    histogram: rows.map((n) => count((r) => r.tokens === n)),
    acceptedByPosition: rows.slice(1).map((n) => (drafting > 0 ? count((r) => r.accepted >= n - 1) / drafting : 0)),
    widths: rows.map((n) => count((r) => r.drafted + 1 === n)),
    roundMs: perRound(sum((r) => r.roundNs)) / 1e6,
    draftMs: perRound(sum((r) => r.draftNs)) / 1e6,
  }
}
