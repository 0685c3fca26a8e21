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

export interface Compiled<Source> {
  readonly name: string
  readonly source: Source
}

export interface Workshop<Source, Engine> {
  /** Throws a DiagnosticError where the compiler refuses the schedule. Equal engines have equal names. */
  readonly compile: (schedule: Schedule) => Compiled<Source>
  /** Throws a DiagnosticError where the prover or the toolchain refuses it, and anything when it was called off. */
  readonly build: (source: Source, signal: AbortSignal) => Promise<Engine>
}

export interface Draft<Source> {
  readonly what: string
  readonly schedule: Schedule
  readonly compiled: Compiled<Source> | DiagnosticError
}

export interface Ahead<Source, Engine> {
  readonly draft: (move: Move) => Draft<Source>
  /** Builds these, side by side, and calls off all others. */
  readonly want: (compiled: readonly Compiled<Source>[]) => void
  /** One of those that are wanted. */
  readonly engine: (compiled: Compiled<Source>) => Promise<Engine>
  /** Until nothing is being built. */
  readonly quiet: () => Promise<void>
  readonly close: () => Promise<void>
}

export function buildAhead<Source, Engine>(workshop: Workshop<Source, Engine>): Ahead<Source, Engine> {
  const known = new Map<string, Draft<Source>['compiled']>()
  /** By the engine's name. */
  const builds = new Map<string, { readonly engine: Promise<Engine>; readonly abort: AbortController }>()
  const running = new Set<Promise<void>>()

  const compile = (schedule: Schedule): Draft<Source>['compiled'] => {
    const key = JSON.stringify(schedule)
    const compiled = known.get(key) ?? compiledBy(workshop, schedule)
    known.set(key, compiled)
    return compiled
  }
  const begin = ({ name, source }: Compiled<Source>): void => {
    const abort = new AbortController()
    const engine = workshop.build(source, abort.signal)
    builds.set(name, { engine, abort })
    const ended: Promise<void> = engine.then(
      () => void running.delete(ended),
      () => void running.delete(ended),
    )
    running.add(ended)
  }
  const want = (wanted: readonly Compiled<Source>[]): void => {
    for (const [name, { abort }] of builds) {
      if (wanted.some((w) => w.name === name)) continue
      builds.delete(name)
      abort.abort()
    }
    for (const w of wanted) if (!builds.has(w.name)) begin(w)
  }
  const quiet = async (): Promise<void> => {
    await Promise.all(running)
  }
  return {
    draft: (move) => draftOf(move, compile),
    want,
    engine: ({ name }) => builds.get(name)!.engine,
    quiet,
    close: () => {
      want([])
      return quiet()
    },
  }
}

function compiledBy<Source>(workshop: Workshop<Source, unknown>, schedule: Schedule): Draft<Source>['compiled'] {
  try {
    return workshop.compile(schedule)
  } catch (error) {
    if (error instanceof DiagnosticError) return error
    throw error
  }
}

/** Findings of shared memory alone: something else may give way. */
const tooLarge = ({ diagnostics }: DiagnosticError): boolean => diagnostics.every((d) => d.code === 'TILE3030')

function draftOf<Source>(
  { what, schedule, otherwise = [] }: Move,
  compile: (schedule: Schedule) => Draft<Source>['compiled'],
): Draft<Source> {
  const compiled = compile(schedule)
  if (compiled instanceof DiagnosticError && tooLarge(compiled)) {
    for (const other of otherwise) {
      const draft = draftOf(other, compile)
      if (!(draft.compiled instanceof DiagnosticError)) return draft
    }
  }
  return { what, schedule, compiled }
}
