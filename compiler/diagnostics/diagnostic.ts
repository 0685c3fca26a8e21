/**
 * Diagnostics: what tilec tells its users. A finding is a value; passes collect findings in a Session and never throw
 * them one by one, so that a user sees all of them at once. Only a broken invariant of tilec itself throws InternalError.
 *
 * Vocabulary: code `TILEnnnn` (1xxx frontend, 2xxx schedule, 3xxx layout and memory, 4xxx codegen, 5xxx build, 6xxx
 * runtime, 7xxx checkpoint), explicit and stable, listed in catalogue.ts; a note is the other side of a conflict.
 */
import type { Span } from '../../dsl/span.ts'
import type { Code } from './catalogue.ts'

export interface Note {
  readonly message: string
  readonly span?: Span
}

export interface Diagnostic {
  readonly code: Code
  readonly severity: 'error' | 'warning'
  readonly message: string
  readonly span?: Span
  /** A file or tensor that the finding is about, where there is no source span (checkpoints, processes). */
  readonly subject?: string
  readonly notes: readonly Note[]
  readonly help?: string
}

export interface DiagnosticParts {
  readonly span?: Span | undefined
  readonly subject?: string | undefined
  readonly notes?: readonly Note[]
  readonly help?: string | undefined
  readonly severity?: 'error' | 'warning'
}

export function diagnostic(code: Code, message: string, parts: DiagnosticParts = {}): Diagnostic {
  return {
    code,
    severity: parts.severity ?? 'error',
    message,
    notes: parts.notes ?? [],
    ...(parts.span && { span: parts.span }),
    ...(parts.subject !== undefined && { subject: parts.subject }),
    ...(parts.help !== undefined && { help: parts.help }),
  }
}

/** Collects the findings of a stage. */
export class Session {
  readonly diagnostics: Diagnostic[] = []
  report(code: Code, message: string, parts?: DiagnosticParts): void {
    this.diagnostics.push(diagnostic(code, message, parts))
  }
  get failed(): boolean {
    return this.diagnostics.some((d) => d.severity === 'error')
  }
  /** Ends a stage: throws every finding together when one of them is an error. */
  throwIfFailed(): void {
    if (this.failed) throw new DiagnosticError(this.diagnostics)
  }
}

/** All findings of a failed stage. The CLI and the runtime's callers catch it; nothing else does. */
export class DiagnosticError extends Error {
  override readonly name = 'DiagnosticError'
  constructor(
    readonly diagnostics: readonly Diagnostic[],
    /** Text by the file name that spans use, where the thrower had it. */
    readonly sources?: ReadonlyMap<string, string>,
  ) {
    super(diagnostics.map((d) => `${d.code}: ${d.subject ? `${d.subject}: ` : ''}${d.message}`).join('\n'))
  }
}

/** A broken invariant of tilec itself: a bug here, never the user's fault. */
export class InternalError extends Error {
  override readonly name = 'InternalError'
}

export { didYouMean } from '../../dsl/typo.ts'
