/**
 * Plays a request over a recorded trace, to see what a rule for the width is worth: the time that its rounds would take.
 *
 * Vocabulary: a *trace* says for each position how many proposals would be right if a round began there; it goes round and
 * round. *Costs* are times of rounds by width. `lag` is how many rounds begin before a decision reaches the device.
 * Invariant: rounds yield what the trace says whatever was decided before, so every rule is given the same text.
 */
import type { RoundOutcome } from '../engine/wire.ts'

export interface Costs {
  /** The target's round of 1, 2, ... rows. */
  readonly verify: readonly number[]
  /** Remembering what was accepted, and drafting a block on top of it. */
  readonly commit: number
  readonly draft: number
  /** Rounds are measured as up to so much of their time more or less, at random. */
  readonly noise?: number
  /** Other work slows the machine down to this, for so many rounds of every two times as many. */
  readonly sway?: { readonly factor: number; readonly rounds: number }
}

export interface SimulatedRequest {
  readonly trace: readonly number[]
  readonly costs: Costs
  readonly tokens: number
  readonly lag?: number
  readonly seed?: number
  /** Where in the trace the text begins. */
  readonly from?: number
}

export interface Chooser {
  readonly first: number
  next(round: RoundOutcome): number
}

export const fixed = (width: number): Chooser => ({ first: width, next: () => width })

export interface Simulated {
  readonly time: number
  readonly rounds: number
  /** Rounds by width, 0 to the block. */
  readonly widths: readonly number[]
}

export function simulate(
  { trace, costs, tokens, lag = 1, seed = 1, from = 0 }: SimulatedRequest,
  chooser: Chooser,
): Simulated {
  const random = mulberry32(seed)
  const { noise = 0, sway } = costs
  const slowed = () => (sway && Math.floor(rounds / sway.rounds) % 2 === 1 ? sway.factor : 1)
  const noisy = (time: number) => time * (1 + noise * (2 * random() - 1)) * slowed()
  // What was decided and has not reached the device yet.
  const decided: number[] = new Array<number>(lag).fill(chooser.first)
  const widths = new Array<number>(costs.verify.length + 1).fill(0)
  let width = chooser.first
  let time = 0
  let rounds = 0
  for (let at = 0; at < tokens; rounds++) {
    widths[width]!++
    const rows = Math.max(1, Math.min(width, tokens - at))
    const accepted = Math.min(trace[(from + at) % trace.length]!, rows - 1)
    const before = width === 0 ? 0 : width === 1 ? costs.commit : costs.commit + costs.draft
    const draftNs = noisy(before)
    const roundNs = draftNs + noisy(costs.verify[rows - 1]!)
    time += before + costs.verify[rows - 1]!
    at += accepted + 1
    decided.push(chooser.next({ tokens: accepted + 1, drafted: rows - 1, accepted, unusable: 0, roundNs, draftNs }))
    // Drafting that has ended never comes back: the drafter has missed rows.
    if (width > 0) width = decided.shift()!
  }
  return { time, rounds, widths }
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
