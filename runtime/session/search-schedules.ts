/**
 * The search for a faster schedule: takes moves as they come (walk-moves.ts), judges one after the other, and has those that come next
 * built meanwhile (build-ahead.ts).
 *
 * Vocabulary: a candidate is *refused* by the compiler or the toolchain, the *same* engine as one before, *failed* when its engine died,
 * *wrong* when its logits are not the author's, *slower*, or *kept*.
 * Invariants: what is tried, judged and kept depends on what is measured, not on how many are built side by side; one engine is measured at
 * a time, and none beside a build where engines share processors with builds; nothing is kept that was not checked.
 */
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import type { Axis, Move } from '../../compiler/plan/schedule-moves.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { buildAhead, type Compiled, type Workshop } from './build-ahead.ts'
import { walkMoves } from './walk-moves.ts'

/** How engines of a workshop are measured and held against each other. */
export interface Bench<Source, Engine, Logits> extends Workshop<Source, Engine> {
  /** Engines run on the processors that builds run on. */
  readonly sharesProcessors: boolean
  /** Throws a DiagnosticError when the engine fails, which by then is gone. */
  readonly measure: (engine: Engine) => Promise<Measured<Logits>>
  /** How far logits lie apart; more than `tolerance` is something else. */
  readonly apart: (author: Logits, candidate: Logits) => number
  readonly tolerance: number
}

export interface Measured<Logits> {
  readonly roundUs: number
  readonly logits: Logits
}

export interface SearchOptions {
  /** Engines to try at most, beside the author's. */
  readonly candidates: number
  /** Builds side by side at most. */
  readonly jobs: number
  /** Aborted when no candidate is to be begun any more. */
  readonly stop: AbortSignal
  /** Aborted when what is being measured does not count any more. */
  readonly signal: AbortSignal
  readonly onCandidate?: ((candidate: Candidate) => void) | undefined
  /** The author's schedule once it is measured, then each that is kept. */
  readonly onBest?: ((schedule: Schedule) => void) | undefined
}

export const outcomes = ['author', 'kept', 'slower', 'same', 'wrong', 'failed', 'refused'] as const
export type Outcome = (typeof outcomes)[number]

export interface Candidate {
  readonly what: string
  readonly outcome: Outcome
  readonly roundUs?: number
  /** The best before it. */
  readonly bestUs?: number
  /** How far its logits lie from the author's. */
  readonly apart?: number
  /** What refused it, or what its engine died of. */
  readonly code?: string
  /** In words; of the same engine, which one that is. */
  readonly why?: string
}

export interface Found {
  readonly schedule: Schedule
  readonly authorUs: number
  readonly bestUs: number
  readonly candidates: readonly Candidate[]
  /** No move is left, all candidates are spent, or it was stopped. */
  readonly ended: 'settled' | 'spent' | 'stopped'
}

/** A gain of less than this part of the time is noise. */
const NOISE = 0.005
const authors = "the author's schedule"

/** Throws where the author's schedule is refused or fails, and where it was stopped before that was measured. */
export async function searchSchedules<Source, Engine, Logits>(
  author: Schedule,
  axes: readonly Axis[],
  bench: Bench<Source, Engine, Logits>,
  options: SearchOptions,
): Promise<Found> {
  const { jobs, stop, signal } = options
  const walk = walkMoves(author, axes)
  const ahead = buildAhead(bench)
  const candidates: Candidate[] = []
  /** What each engine was called when it was tried. */
  const tried = new Map<string, string>()
  let left = options.candidates

  /** Of what comes next, the engines to build, at most so many. */
  const next = (places: number): Compiled<Source>[] => {
    const found = new Map<string, Compiled<Source>>()
    const most = stop.aborted ? 0 : Math.min(places, left)
    for (const move of walk.upcoming()) {
      if (found.size >= most) break
      const { compiled } = ahead.draft(move)
      if (compiled instanceof DiagnosticError || tried.has(compiled.name) || found.has(compiled.name)) continue
      found.set(compiled.name, compiled)
    }
    return [...found.values()]
  }
  /** Undefined where the search was stopped before. While it is measured, those after it are built, if that does not disturb it. */
  const measured = async (engine: Engine): Promise<Measured<Logits> | undefined> => {
    ahead.want(next(jobs))
    if (bench.sharesProcessors) await ahead.quiet()
    if (stop.aborted) return undefined
    const found = await bench.measure(engine)
    return signal.aborted ? undefined : found
  }
  const callOff = (): void => ahead.want([])
  const tell = (candidate: Candidate): void => {
    candidates.push(candidate)
    options.onCandidate?.(candidate)
  }
  const first = async (): Promise<Measured<Logits>> => {
    const { compiled } = ahead.draft({ what: authors, schedule: author })
    if (compiled instanceof DiagnosticError) throw compiled
    tried.set(compiled.name, authors)
    ahead.want([compiled, ...next(jobs - 1)])
    const found = await ahead.engine(compiled).then(measured, (error) => {
      if (!stop.aborted) throw error
      return undefined
    })
    if (found) return found
    throw new DiagnosticError([diagnostic('TILE5112', "there was no time to measure the author's schedule")])
  }
  /** What becomes of a move; undefined where the search was stopped before that is known. */
  const judge = async (
    move: Move,
    best: number,
    author: Measured<Logits>,
  ): Promise<{ readonly candidate: Candidate; readonly schedule: Schedule } | undefined> => {
    const { what, compiled, schedule } = ahead.draft(move)
    const as = (candidate: Omit<Candidate, 'what'>) => ({ schedule, candidate: { what, ...candidate } })
    if (compiled instanceof DiagnosticError) return as({ outcome: 'refused', ...reason(compiled) })
    const same = tried.get(compiled.name)
    if (same !== undefined) return as({ outcome: 'same', why: same })
    let outcome: Outcome = 'refused'
    try {
      ahead.want(next(jobs))
      const engine = await ahead.engine(compiled)
      outcome = 'failed'
      taken(move, compiled.name, what)
      const found = await measured(engine)
      if (!found) return undefined
      const { roundUs } = found
      const apart = bench.apart(author.logits, found.logits)
      outcome = !(apart <= bench.tolerance) ? 'wrong' : roundUs < best * (1 - NOISE) ? 'kept' : 'slower'
      return as({ outcome, roundUs, bestUs: best, apart })
    } catch (error) {
      if (outcome === 'refused' ? stop.aborted : signal.aborted) return undefined
      if (!(error instanceof DiagnosticError)) throw error
      if (outcome === 'refused') taken(move, compiled.name, what)
      return as({ outcome, ...reason(error) })
    }
  }
  const taken = (move: Move, name: string, what: string): void => {
    tried.set(name, what)
    walk.judged(move)
    left--
  }

  stop.addEventListener('abort', callOff)
  try {
    const measuredAuthor = await first()
    const authorUs = measuredAuthor.roundUs
    tell({ what: authors, outcome: 'author', roundUs: authorUs })
    let best = { schedule: author, roundUs: authorUs }
    options.onBest?.(author)
    const found = (ended: Found['ended']): Found => ({
      ...{ schedule: best.schedule, authorUs, bestUs: best.roundUs, candidates, ended },
    })
    for (;;) {
      if (stop.aborted) return found('stopped')
      const move = walk.next()
      if (!move) return found('settled')
      if (left === 0) return found('spent')
      const judged = await judge(move, best.roundUs, measuredAuthor)
      if (!judged) return found('stopped')
      const { candidate, schedule } = judged
      walk.judged(move)
      if (candidate.outcome === 'kept') {
        best = { schedule, roundUs: candidate.roundUs! }
        walk.kept(schedule)
        options.onBest?.(schedule)
      }
      tell(candidate)
    }
  } finally {
    stop.removeEventListener('abort', callOff)
    await ahead.close()
  }
}

/** The first of the findings is the one that is told. */
function reason({ diagnostics: [first] }: DiagnosticError): Pick<Candidate, 'code' | 'why'> {
  return first
    ? { code: first.code, why: [first.subject, first.message].filter((t) => t !== undefined).join(': ') }
    : {}
}
