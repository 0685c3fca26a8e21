/**
 * steps-of: all steps of a phase, loops and what is in them, each with its role and how deep it stands.
 */
import { type Loop, type PhasePlan, type RoleName, roleNames, type Step } from '../plan/ir.ts'

export interface Found {
  readonly step: Step
  readonly role: RoleName
  /** Loops around it, and whether one of them goes over both halves and nothing else. */
  readonly loops: number
  readonly byHalves: boolean
  /** The innermost of them. */
  readonly loop?: Loop
}

export function* stepsOf(phase: PhasePlan): Generator<Found> {
  function* inside(steps: readonly Step[], at: Omit<Found, 'step'>): Generator<Found> {
    for (const step of steps) {
      yield { step, ...at }
      if (step.kind !== 'loop') continue
      const byHalves = at.loops === 0 && step.domain.kind === 'halves'
      yield* inside(step.body, { ...at, loops: at.loops + 1, byHalves, loop: step })
    }
  }
  for (const role of roleNames) yield* inside(phase.roles[role], { role, loops: 0, byHalves: false })
}
