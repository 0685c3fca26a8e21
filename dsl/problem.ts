/**
 * Problems: what the DSL has to say about an author's program. The DSL never throws them: whoever runs it passes a
 * `Report`, collects, and shows them together; the DSL goes on with the most plausible reading of what was meant.
 *
 * Invariant: structurally a problem is what compiler/diagnostics calls a diagnostic, so that a compiler session can
 * take it as it is; it is declared here because nothing in dsl/ may import from the compiler.
 */
import type { Span } from './span.ts'

export interface Problem {
  /** Stable, listed in the compiler's catalogue. */
  readonly code: `TILE${number}`
  readonly message: string
  readonly span?: Span | undefined
  readonly notes?: readonly { readonly message: string; readonly span?: Span }[]
  readonly help?: string | undefined
}

export type Report = (problem: Problem) => void
