/**
 * Walk: a short sequence of entries in which everything happens that happens in the real one.
 *
 * What lies between two entries only adds order (happens-before is transitive, counters only grow), so leaving entries out
 * loses order and never makes it up: a walk that is proved is a subsequence, and the whole sequence is proved for the same
 * entries. Which entries need to be met: an unordered pair of accesses shows where its two kinds of entry are closest,
 * side by side or with one between. The walk of the first round therefore contains every three consecutive kinds that
 * the plan's sequence contains; in later rounds every kind once is enough, to follow an entry into the next round.
 * No walk puts kinds side by side that never are: what the one hands over, the other would not take.
 */
import type { Plan } from '../plan/ir.ts'

/** Programs that run together in a round, by index in plan.programs. */
export type Pass = readonly number[]

/**
 * The rounds that are unrolled. One program: three rounds, because double-buffered things (control, packets) are used again
 * in the round after the next. With a drafter every succession of rounds that occurs, and each of them into the third.
 */
export function passesOf(plan: Plan): readonly Pass[] {
  return plan.programs.length === 1 ? [[0], [0], [0]] : [[0], [1, 2], [0], [1], [0], [1, 2], [0], [0]]
}

/** All entries of a pass: indices into plan.entries, in order. */
export const passEntries = (plan: Plan, pass: Pass): number[] =>
  plan.entries.flatMap((e, i) => (pass.includes(e.program) ? [i] : []))

/** A short walk through the entries of a pass; `first`: whether its programs have not run before. */
export function shortWalk(plan: Plan, pass: Pass, first: boolean): number[] {
  const entries = passEntries(plan, pass)
  const kindOf = (e: number): number => plan.entries[e]!.segment
  const needed = runs(entries.map(kindOf), first ? 3 : 1)
  const neighbours = runs(entries.map(kindOf), 2)
  const fits = (walk: readonly number[]): boolean => {
    const kinds = walk.map(kindOf)
    const met = runs(kinds, first ? 3 : 1)
    return [...runs(kinds, 2)].every((pair) => neighbours.has(pair)) && [...needed].every((r) => met.has(r))
  }
  // Long stretches first, and from behind: programs that share caches keep the same, earliest layers.
  let walk = entries
  for (let stretch = Math.floor(entries.length / 2); stretch >= 1; stretch--) {
    for (let at = walk.length - 1 - stretch; at >= 1; at--) {
      const without = [...walk.slice(0, at), ...walk.slice(at + stretch)]
      if (fits(without)) walk = without
    }
  }
  return walk
}

/** Runs of `length` consecutive kinds. */
const runs = (kinds: readonly number[], length: number): Set<string> =>
  new Set(kinds.slice(Math.min(length, kinds.length) - 1).map((_, at) => kinds.slice(at, at + length).join()))
