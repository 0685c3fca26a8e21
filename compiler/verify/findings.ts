/**
 * Findings of the prover: what is wrong with a plan, as data; prove-plan.ts turns each into a diagnostic.
 *
 * Invariant: a finding names both sides: what waits and what should have come, what writes and what else touches the same.
 */
import type { Span } from '../../dsl/span.ts'
import type { Code } from '../diagnostics/catalogue.ts'
import type { Note } from '../diagnostics/diagnostic.ts'
import type { PhasePlan } from '../plan/ir.ts'

export interface PlanFinding {
  readonly code: Code
  readonly message: string
  /** `segment.phase/role`, or the part of the schedule. */
  readonly subject: string
  readonly span?: Span | undefined
  readonly notes: readonly Note[]
  readonly help: string
}

export interface Place {
  readonly segment: string
  readonly phase: PhasePlan
  readonly role: string
}

export const placeName = (p: Place): string => `${p.segment}.${p.phase.name}/${p.role}`

/** A note at the author's line for a phase, where there is one. */
export const noteAt = (p: Place, message: string): Note => ({ message, ...(p.phase.span && { span: p.phase.span }) })
