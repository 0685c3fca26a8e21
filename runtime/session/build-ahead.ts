/**
 * Engines that are built before their turn to be measured.
 *
 * Vocabulary: a *workshop* compiles a schedule, which is quick, and builds it, which takes long. A *draft* is what a move became: the
 * first of it and its alternatives that fits shared memory, or the reason why there is none.
 * Invariants: of drafts that nobody wants any more the build is called off; when `close` is over, nothing is being built.
 */
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import type { Move } from '../../compiler/plan/schedule-moves.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'

export interface Workshop<Source, Engine> {
  /** Throws a DiagnosticError where the compiler refuses the schedule. Equal engines have equal names. */
  readonly compile: (schedule: Schedule) => { readonly name: string; readonly source: Source }
  /** Throws a DiagnosticError where the prover or the toolchain refuses it, and anything when it was called off. */
  readonly build: (source: Source, signal: AbortSignal) => Promise<Engine>
}

export interface Draft<Source> {
  readonly what: string
  readonly schedule: Schedule
  readonly compiled: { readonly name: string; readonly source: Source } | DiagnosticError
}

export interface Ahead<Source, Engine> {
  readonly draft: (move: Move) => Draft<Source>
  /** Builds these, side by side, and calls off all others. */
  readonly want: (drafts: readonly Draft<Source>[]) => void
  /** The engine of a draft that is wanted. */
  readonly engine: (draft: Draft<Source>) => Promise<Engine>
  /** Until nothing is being built. */
  readonly quiet: () => Promise<void>
  readonly close: () => Promise<void>
}

export function buildAhead<Source, Engine>(workshop: Workshop<Source, Engine>): Ahead<Source, Engine> {
  const drafts = new Map<string, Draft<Source>>()
  const builds = new Map<Draft<Source>, { readonly engine: Promise<Engine>; readonly abort: AbortController }>()
  const running = new Set<Promise<unknown>>()

  const begin = (draft: Draft<Source>): void => {
    if (draft.compiled instanceof DiagnosticError) return
    const abort = new AbortController()
    const engine = workshop.build(draft.compiled.source, abort.signal)
    builds.set(draft, { engine, abort })
    const ended: Promise<void> = engine.then(
      () => void running.delete(ended),
      () => void running.delete(ended),
    )
    running.add(ended)
  }
  const want = (wanted: readonly Draft<Source>[]): void => {
    for (const [draft, { abort }] of builds) {
      if (wanted.includes(draft)) continue
      builds.delete(draft)
      abort.abort()
    }
    for (const draft of wanted) if (!builds.has(draft)) begin(draft)
  }
  const quiet = async (): Promise<void> => {
    await Promise.all(running)
  }
  return {
    draft: (move) => {
      const key = JSON.stringify(move.schedule)
      const known = drafts.get(key)
      if (known) return known
      const draft = draftOf(move, workshop)
      drafts.set(key, draft)
      return draft
    },
    want,
    engine: (draft) => builds.get(draft)!.engine,
    quiet,
    close: () => {
      want([])
      return quiet()
    },
  }
}

/** Findings of shared memory alone: something else may give way. */
const tooLarge = ({ diagnostics }: DiagnosticError): boolean => diagnostics.every((d) => d.code === 'TILE3030')

function draftOf<Source>({ what, schedule, otherwise = [] }: Move, workshop: Workshop<Source, unknown>): Draft<Source> {
  try {
    return { what, schedule, compiled: workshop.compile(schedule) }
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error
    const others = tooLarge(error) ? otherwise : []
    for (const other of others) {
      const draft = draftOf(other, workshop)
      if (!(draft.compiled instanceof DiagnosticError)) return draft
    }
    return { what, schedule, compiled: error }
  }
}
