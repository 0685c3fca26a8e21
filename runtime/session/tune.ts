/**
 * Tunes a schedule on the machine that it is for: tries one change at a time, keeps what is faster and computes the same.
 *
 * How: coordinate descent over the axes of schedule-moves.ts, from the author's schedule, until no axis helps any more or the
 * candidates are spent. Every candidate is compiled and proved like any schedule, built, run alone on rank 0 (bench-rank.ts)
 * and held against the author's own engine before it is timed.
 * Vocabulary: a candidate is *refused* by the compiler or the toolchain, *wrong* when its logits are not the author's, *slower*, or *kept*.
 * Invariants: nothing is kept that was not checked; a gain below the noise floor is none.
 */
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { type Axis, axes, type Move } from '../../compiler/plan/schedule-moves.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { hashU32 } from '../engine/synthetic.ts'
import type { EngineRequest, LogProbs } from '../engine/wire.ts'
import { measureRank, openRank, type RankBench, type RankOptions } from './bench-rank.ts'
import { median } from './statistics.ts'

export interface TuneOptions extends RankOptions {
  /** Candidates to try at most. */
  readonly candidates: number
  /** Names of axes; all when left out. */
  readonly axes?: readonly string[] | undefined
  readonly onCandidate?: ((candidate: Candidate) => void) | undefined
}

export interface Candidate {
  readonly what: string
  readonly outcome: 'author' | 'refused' | 'wrong' | 'slower' | 'kept'
  readonly roundUs?: number
  /** Why it was refused, or how far its logits are off. */
  readonly why?: string
}

export interface Tuned {
  readonly schedule: Schedule
  readonly target: string
  readonly device: string
  readonly authorUs: number
  readonly bestUs: number
  readonly candidates: readonly Candidate[]
}

/** A gain of less than this part of the time is noise. */
const NOISE = 0.005
/** Logarithms of probabilities may differ by so much: what another order of sums and BF16 between ranks make of the same weights. */
const TOLERANCE = 0.1
const CHECKED = 24

export const axisNames: readonly string[] = axes.map((a) => a.name)

export async function tune(options: TuneOptions): Promise<Tuned> {
  const candidates: Candidate[] = []
  const tell = (candidate: Candidate): void => {
    candidates.push(candidate)
    options.onCandidate?.(candidate)
  }
  const author = await tried(options)
  tell({ what: "the author's schedule", outcome: 'author', roundUs: author.roundUs })
  let best = { schedule: author.schedule, roundUs: author.roundUs }
  const wanted = axes.filter((a) => options.axes === undefined || options.axes.includes(a.name))
  const seen = new Set([JSON.stringify(best.schedule)])
  const room = () => candidates.length <= options.candidates && !options.signal?.aborted
  const step = async (axis: Axis): Promise<boolean> => {
    let better = false
    for (const move of axis.moves(best.schedule)) {
      const key = JSON.stringify(move.schedule)
      if (!room()) return better
      if (seen.has(key)) continue
      seen.add(key)
      const candidate = await judge(move, options, author.logits, best.roundUs)
      tell(candidate)
      if (candidate.outcome !== 'kept') continue
      best = { schedule: move.schedule, roundUs: candidate.roundUs! }
      better = true
    }
    return better
  }
  for (let again = true; again && room(); ) {
    again = false
    for (const axis of wanted) again = (await step(axis)) || again
  }
  const { target, name: device } = author.ready
  return { schedule: best.schedule, target, device, authorUs: author.roundUs, bestUs: best.roundUs, candidates }
}

async function judge(
  { what, schedule }: Move,
  options: TuneOptions,
  expected: readonly LogProbs[],
  fastest: number,
): Promise<Candidate> {
  try {
    const { roundUs, logits } = await tried({ ...options, schedule })
    const off = disagreement(expected, logits)
    if (!(off <= TOLERANCE)) return { what, outcome: 'wrong', roundUs, why: `logits differ by ${off.toPrecision(2)}` }
    return { what, outcome: roundUs < fastest * (1 - NOISE) ? 'kept' : 'slower', roundUs }
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error
    return { what, outcome: 'refused', why: error.diagnostics.map((d) => `${d.code} ${d.message}`)[0] ?? '' }
  }
}

async function tried(options: RankOptions) {
  const bench = await openRank(options)
  try {
    const logits = await checkRun(bench)
    const { runs } = await measureRank(bench, options)
    if (runs.length === 0) throw new DiagnosticError([diagnostic('TILE5112', 'no round was measured')])
    const schedule = bench.resolved.model.schedules.get(bench.target)!
    return {
      schedule,
      ready: bench.engine.ready,
      logits,
      roundUs: median(runs.map((r) => median(r.map((x) => x.roundNs)))) / 1000,
    }
  } finally {
    await bench.engine.close()
  }
}

/** What the engine thinks of each of a few positions, of tokens that do not depend on what it thinks. */
async function checkRun({ engine, compiled, block }: RankBench): Promise<LogProbs[]> {
  const valid = Math.min(compiled.plan.vocabulary.whole, compiled.validIds)
  const random = (count: number, key: number) => Array.from({ length: count }, (_, i) => hashU32(key, i, 5) % valid)
  const request: EngineRequest = {
    prompt: random(16, 1),
    maxNewTokens: CHECKED,
    logprobs: 20,
    draft: { rows: 8, block: block ?? 8, predicted: random(CHECKED, 2), synthetic: 1 },
  }
  const found: LogProbs[] = []
  for await (const event of engine.generate(request))
    if (event.type === 'token' && event.logprobs) found.push(event.logprobs)
  return found
}

/** The greatest difference between what two engines think of the tokens that the first thinks likeliest; infinite where they cannot be compared. */
export function disagreement(expected: readonly LogProbs[], got: readonly LogProbs[]): number {
  if (expected.length !== got.length || expected.length === 0) return Number.POSITIVE_INFINITY
  let most = 0
  expected.forEach(({ top }, i) => {
    const theirs = new Map(got[i]!.top.map((t) => [t.token, t.logprob]))
    // The last of a list may be another one in the other list: only those well above it must be there.
    const edge = Math.min(...got[i]!.top.map((t) => t.logprob))
    for (const { token, logprob } of top) {
      const other = theirs.get(token)
      const off = other === undefined ? Math.max(0, logprob - edge) : Math.abs(other - logprob)
      most = Math.max(most, Number.isFinite(off) ? off : Number.POSITIVE_INFINITY)
    }
  })
  return most
}
