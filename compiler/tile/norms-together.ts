/**
 * norms-together: norms that follow one another become one phase, as far as none needs what another has made.
 *
 * Why: a norm of a few heads is over in less time than it takes to hand its result over, and as a phase of its own it would have a
 * hand-over of its own. The norms of queries and keys are the usual case.
 * Invariants: order is kept; a phase's parts read and write nothing that another of its parts writes.
 */
import type { NormedPhase, Phase } from './ir.ts'

export function normsTogether(phases: readonly Phase[]): readonly Phase[] {
  const together: Phase[] = []
  for (const phase of phases) {
    const before = together.at(-1)
    if (phase.kind === 'normed' && before?.kind === 'normed' && apart(before, phase)) {
      together[together.length - 1] = join(before, phase)
    } else together.push(phase)
  }
  return together
}

const apart = (a: NormedPhase, b: NormedPhase): boolean =>
  ![...b.reads, ...b.writes].some((name) => a.writes.includes(name)) && !b.writes.some((name) => a.reads.includes(name))

const join = (a: NormedPhase, b: NormedPhase): NormedPhase => ({
  ...a,
  parts: [...a.parts, ...b.parts],
  reads: [...new Set([...a.reads, ...b.reads])],
  writes: [...a.writes, ...b.writes],
})
