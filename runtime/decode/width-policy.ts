/**
 * How many rows to verify, decided anew after every round: the width that is expected to give most tokens a second.
 *
 * E(w) = 1 + sum over k < w of the product of the acceptance rates of the first k positions; the choice maximises
 * E(w) / T(w). Rates are those of this request, forgotten slowly; times are those of the engine, kept from request to
 * request. What was seldom measured is guessed on the bright side, by as much as measurements scatter: so it is tried, and
 * then known. Where nothing is known, times lie on a straight line between their neighbours.
 *
 * Vocabulary: *plain* is width 1; the drafter may be kept in step meanwhile (width 1, at a price, the *upkeep*) or not
 * (width 0, for good). *Parked* is a request at width 1 because drafting did not pay; it probes now and then, ever more
 * rarely. *Lost* is how many plain rounds a request is behind plain decoding without any drafter, since it was ahead last.
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
  /** What a round that took longer than expected says of its own part once that is well known, and of the machine as a
      whole, which other work slows down and which must not make the width of the moment look bad. Further off than the
      clamp counts as so far. */
  timeWeight: 0.04,
  drift: 0.05,
  timeClamp: 0.5,
  /** How much of its doubt a time is given for free. */
  curiosity: 1,
  /** Another width must promise so much more. */
  hysteresis: 0.01,
  /** Rounds of the whole block, then plain ones, on an engine that has not run any yet. */
  opening: 2,
  firstPlain: 2,
  /** Rounds between probes of a parked request: at first, and at most; each probe doubles them. */
  firstProbe: 4,
  lastProbe: 64,
  /** Plain rounds that a request may have lost before it drafts no more. */
  allowance: 20,
  /** A loss of such a share of it is checked first: against so many measured plain rounds. */
  suspicion: 0.2,
  certain: 10,
  /** What being parked may cost for ever, as a share of plain decoding. */
  tolerableUpkeep: 0.02,
} as const

interface Estimate {
  readonly time: number
  readonly seen: number
}

/** Times of rounds by width, relative to the machine's pace when they were measured. Shared by the requests of an engine. */
export class RoundTimes {
  /** What a part took lately, over what it was taken to need. */
  private pace = 1
  /** How far measurements lie from what was expected, as a share. */
  private scatter = 0.05
  /** The target's part of a round of w rows. */
  private readonly verify = new Map<number, Estimate>()
  private draft: Estimate | undefined
  private upkeep: Estimate | undefined

  observe({ drafted, unusable, roundNs, draftNs }: RoundOutcome): void {
    const rows = drafted + 1
    const drafting = drafted + unusable > 0
    this.verify.set(rows, this.blend(this.verify.get(rows), roundNs - draftNs))
    if (drafting) this.draft = this.blend(this.draft, draftNs)
    else if (draftNs > 0) this.upkeep = this.blend(this.upkeep, draftNs)
  }
  private blend(before: Estimate | undefined, now: number): Estimate {
    if (before === undefined) return { time: now / this.pace, seen: 1 }
    const { timeWeight, drift, timeClamp } = rule
    const ratio = Math.min(Math.max(now / (before.time * this.pace), 1 - timeClamp), 1 + timeClamp)
    this.pace *= ratio ** drift
    this.scatter += 0.05 * (Math.abs(Math.log(ratio)) - this.scatter)
    // A mean of all that was seen at first, of what was seen lately later on.
    const weight = Math.max(timeWeight, 1 / (before.seen + 1))
    return { time: before.time * ratio ** weight, seen: before.seen + 1 }
  }
  /** How often a round of w rows was measured. */
  seen(rows: number): number {
    return this.verify.get(rows)?.seen ?? 0
  }
  /** How far a round of w rows may lie from what it is taken to need, as a share. */
  doubt(rows: number): number {
    return this.scatter / Math.sqrt(Math.min(Math.max(this.seen(rows), 1), 1 / rule.timeWeight))
  }
  /** A round that drafts and verifies w rows; of one row: that keeps the drafter in step. */
  round(rows: number): number {
    const draft = this.draft?.time ?? 0
    return rows > 1 ? draft + this.rowsTime(rows) : this.plain() + (this.upkeep?.time ?? draft / 4)
  }
  /** A round without any drafter. */
  plain(): number {
    return this.rowsTime(1)
  }

  private rowsTime(rows: number): number {
    const time = (r: number) => this.verify.get(r)!.time
    if (this.verify.has(rows)) return time(rows)
    const known = [...this.verify.keys()].sort((a, b) => a - b)
    if (known.length === 0) return 1
    const below = known.filter((r) => r < rows).at(-1)
    const above = known.find((r) => r > rows)
    if (below !== undefined && above !== undefined) {
      const [low, high] = [time(below), time(above)]
      return low + ((high - low) * (rows - below)) / (above - below)
    }
    // One side only: nothing is cheaper than a share, nothing dearer than what is known.
    if (above !== undefined) return time(above) * (0.3 + (0.7 * rows) / above)
    return time(below!)
  }
}

export class WidthPolicy {
  private readonly tried: number[]
  private readonly right: number[]
  private readonly times: RoundTimes
  private width: number
  private rounds = 0
  private lost = 0
  private parked: { until: number; every: number } | undefined

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
    if (this.width > 0) this.width = this.choose(round)
    return this.width
  }

  private choose({ drafted, tokens }: RoundOutcome): number {
    const { times } = this
    if (times.seen(1) < rule.firstPlain) return ++this.rounds > rule.opening ? 1 : this.width
    this.lost = Math.max(0, this.lost + times.round(drafted + 1) / times.plain() - tokens)
    const upkeep = times.round(1) / times.plain() - 1
    if (this.lost > rule.suspicion * rule.allowance && times.seen(1) < rule.certain) return 1
    if (this.lost > rule.allowance && upkeep > rule.tolerableUpkeep) return 0
    const best = this.best()
    if (best === 1) return this.park()
    this.parked = undefined
    return best
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

  /** The width of the highest expected speed from `least` on. */
  private best(least = 1): number {
    const tokens = this.expected()
    const speed = (w: number) => (tokens[w]! / this.times.round(w)) * (1 + rule.curiosity * this.times.doubt(w))
    let best = Math.max(this.width, least)
    for (let w = least; w <= this.options.block; w++) if (speed(w) > speed(best) * (1 + rule.hysteresis)) best = w
    return best
  }

  private park(): number {
    this.parked ??= { until: rule.firstProbe, every: rule.firstProbe }
    const p = this.parked
    if (--p.until > 0) return 1
    p.every = Math.min(2 * p.every, rule.lastProbe)
    p.until = p.every
    return this.best(2)
  }
}
