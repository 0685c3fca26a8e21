/**
 * How many rows to verify, decided anew after every round: the width that is expected to give most tokens a second.
 *
 * E(w) = 1 + sum over k < w of the product of the acceptance rates of the first k positions; the choice maximises
 * E(w) / T(w). Rates are those of this request, forgotten slowly; times are those of the engine, kept from request to
 * request. What was not measured is guessed on the bright side, so that it is tried and then known: a time by a straight
 * line between its neighbours (rows cost less the more there are), a rate by that of the position before.
 *
 * Vocabulary: *plain* is width 1; the drafter may be kept in step meanwhile (width 1) or not (width 0, for good). *Parked*
 * is a request that runs plain because drafting did not pay, and probes now and then, ever more rarely.
 * Invariant: a decision depends on the outcomes alone, never on the clock, so the simulator decides what the engine would.
 */
import type { RoundOutcome } from '../engine/wire.ts'

export interface PolicyOptions {
  /** Rows of the drafter's block. */
  readonly block: number
  readonly times: RoundTimes
}

/** Constants of the rule; the simulator chose them (docs/dflash.md). */
export const rule = {
  /** Rounds after which an observation of a rate has lost two thirds of its weight. */
  rateMemory: 32,
  /** The rate of the first position before anything was seen, and the observations that this is worth. */
  firstRate: 0.8,
  priorWeight: 5,
  /** What a round that took longer than expected says of its own part, and of the machine as a whole, which other work
      slows down and which must not make the width of the moment look bad. Further off than the clamp counts as so far. */
  timeWeight: 0.08,
  drift: 0.25,
  timeClamp: 0.5,
  /** Another width must promise so much more. */
  hysteresis: 0.01,
  /** Rounds between looks beyond the current width. */
  lookAhead: 24,
  /** Rounds of the whole block before plain ones are measured, on an engine that has not run any yet. */
  opening: 2,
  /** Rounds between probes of a parked request: at first, and at most; each failed probe doubles them. */
  firstProbe: 4,
  lastProbe: 64,
  /** A parked request drafts no more when it lost so many plain rounds to being parked, and so many probes failed: the
      less keeping the drafter in step costs, the longer it may wait for better text. */
  allowance: (upkeep: number) => Math.min(Math.max(0.8 / upkeep, 10), 20),
  patience: 3,
  /** What being parked may cost for ever, as a share of plain decoding. */
  tolerableUpkeep: 0.02,
} as const

/** Times of rounds by width, relative to the machine's pace when they were measured. Shared by the requests of an engine. */
export class RoundTimes {
  /** What a part took lately, over what it was taken to need. */
  private pace = 1
  /** The target's part of a round of w rows. */
  private readonly verify = new Map<number, number>()
  private draft: number | undefined
  private upkeep: number | undefined

  observe({ drafted, unusable, roundNs, draftNs }: RoundOutcome): void {
    const rows = drafted + 1
    const drafting = drafted + unusable > 0
    this.verify.set(rows, this.blend(this.verify.get(rows), roundNs - draftNs))
    if (drafting) this.draft = this.blend(this.draft, draftNs)
    else if (draftNs > 0) this.upkeep = this.blend(this.upkeep, draftNs)
  }
  private blend(before: number | undefined, now: number): number {
    if (before === undefined) return now / this.pace
    const { timeWeight, drift, timeClamp } = rule
    const ratio = Math.min(Math.max(now / (before * this.pace), 1 - timeClamp), 1 + timeClamp)
    this.pace *= ratio ** drift
    return before * ratio ** timeWeight
  }
  /** Whether plain rounds were ever measured. */
  get knowsPlain(): boolean {
    return this.verify.has(1)
  }
  /** A round that drafts and verifies w rows; of one row: that keeps the drafter in step. */
  round(rows: number): number {
    return rows > 1 ? (this.draft ?? 0) + this.rowsTime(rows) : this.plain() + (this.upkeep ?? (this.draft ?? 0) / 4)
  }
  /** A round without any drafter. */
  plain(): number {
    return this.rowsTime(1)
  }

  private rowsTime(rows: number): number {
    const known = [...this.verify.keys()].sort((a, b) => a - b)
    const exact = this.verify.get(rows)
    if (exact !== undefined || known.length === 0) return exact ?? 1
    const below = known.filter((r) => r < rows).at(-1)
    const above = known.find((r) => r > rows)
    if (below !== undefined && above !== undefined) {
      const [low, high] = [this.verify.get(below)!, this.verify.get(above)!]
      return low + ((high - low) * (rows - below)) / (above - below)
    }
    // One side only: nothing is cheaper than a share, nothing dearer than what is known.
    if (above !== undefined) return this.verify.get(above)! * (0.3 + (0.7 * rows) / above)
    return this.verify.get(below!)!
  }
}

export class WidthPolicy {
  private readonly tried: number[]
  private readonly right: number[]
  private readonly times: RoundTimes
  private width: number
  private sinceLook = 0
  private rounds = 0
  private parked: { until: number; every: number; probes: number; lost: number } | undefined

  constructor(private readonly options: PolicyOptions) {
    const { block, times } = options
    this.tried = new Array<number>(block - 1).fill(0)
    this.right = new Array<number>(block - 1).fill(0)
    this.times = times
    this.width = block
  }

  /** Rows for a request's first round. */
  get first(): number {
    return this.width
  }

  /** Takes what a round did; says how many rows the next ones shall verify. */
  next(round: RoundOutcome): number {
    this.times.observe(round)
    this.learn(round)
    if (this.width === 0) return 0
    if (!this.times.knowsPlain && this.width > 1) {
      this.width = ++this.rounds > rule.opening ? 1 : this.width
      return this.width
    }
    const best = this.best()
    if (best > 1) this.parked = undefined
    this.width = best > 1 ? this.look(best) : this.park(round)
    return this.width
  }

  private learn({ drafted, accepted }: RoundOutcome): void {
    const keep = Math.exp(-1 / rule.rateMemory)
    for (let i = 0; i < Math.min(drafted, accepted + 1); i++) {
      this.tried[i] = this.tried[i]! * keep + 1
      this.right[i] = this.right[i]! * keep + (i < accepted ? 1 : 0)
    }
  }

  /** Expected tokens of a round, by width. */
  private expected(): number[] {
    let rate: number = rule.firstRate
    let reach = 1
    const tokens = [0, 1]
    for (let i = 0; i < this.tried.length; i++) {
      rate = (this.right[i]! + rule.priorWeight * rate) / (this.tried[i]! + rule.priorWeight)
      reach *= rate
      tokens.push(tokens.at(-1)! + reach)
    }
    return tokens
  }

  /** The width of the highest expected speed from `least` on; 1 stands for plain decoding, whatever that costs now. */
  private best(least = 1): number {
    const tokens = this.expected()
    const speed = (w: number) => (w === 1 ? 1 / this.times.plain() : tokens[w]! / this.times.round(w))
    let best = Math.max(this.width, least)
    for (let w = least; w <= this.options.block; w++) if (speed(w) > speed(best) * (1 + rule.hysteresis)) best = w
    return best
  }

  /** Now and then one row more than now, so that what lies beyond is known. */
  private look(best: number): number {
    if (++this.sinceLook < rule.lookAhead) return best
    this.sinceLook = 0
    return Math.min(best + 1, this.options.block)
  }

  private park(round: RoundOutcome): number {
    this.parked ??= { until: rule.firstProbe, every: rule.firstProbe, probes: 0, lost: 0 }
    const p = this.parked
    p.lost += this.times.round(round.drafted + 1) / this.times.plain() - round.tokens
    const upkeep = this.times.round(1) / this.times.plain() - 1
    if (p.lost > rule.allowance(upkeep) && p.probes >= rule.patience && upkeep > rule.tolerableUpkeep) return 0
    if (--p.until > 0) return 1
    p.probes++
    p.every = Math.min(2 * p.every, rule.lastProbe)
    p.until = p.every
    return this.best(2)
  }
}
