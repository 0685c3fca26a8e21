/**
 * Walk: a short sequence of entries in which everything happens that happens in the real one.
 *
 * What lies between two entries only adds order (happens-before is transitive, counters only grow), so leaving entries out
 * loses order and never makes it up: a walk that is proved is a subsequence, and the whole sequence is proved for the same
 * entries. Which entries need to be met: an unordered pair of accesses shows where its two kinds of entry are closest,
 * side by side or with one between. The walk of the first round therefore contains every three consecutive kinds that
 * the plan's sequence contains; in later rounds every kind once is enough, to follow an entry into the next round.
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
  const kinds = entries.map((e) => plan.entries[e]!.segment)
  const length = first ? 3 : 1
  const walk = kinds.length <= length ? kinds.map((_, i) => i) : leaveOut(cover(kinds, length), kinds, length)
  return walk.map((i) => entries[i]!)
}

/** Runs of `length` consecutive kinds. */
const runs = (kinds: readonly number[], length: number): Set<string> =>
  new Set(kinds.slice(length - 1).map((_, at) => kinds.slice(at, at + length).join()))

/** The first occurrence of every run, and both ends. */
function cover(kinds: readonly number[], length: number): number[] {
  const kept = new Set([0, kinds.length - 1])
  const seen = new Set<string>()
  for (let at = 0; at + length <= kinds.length; at++) {
    const run = kinds.slice(at, at + length).join()
    if (seen.has(run)) continue
    seen.add(run)
    for (let i = at; i < at + length; i++) kept.add(i)
  }
  return [...kept].sort((a, b) => a - b)
}

/** Leaves out what can be left out without losing a run. */
function leaveOut(walk: readonly number[], kinds: readonly number[], length: number): number[] {
  const needed = runs(kinds, length)
  let kept = [...walk]
  // From behind: programs that share caches keep the same, earliest layers.
  for (const entry of walk.slice(1, -1).reverse()) {
    const without = kept.filter((e) => e !== entry)
    const left = runs(
      without.map((e) => kinds[e]!),
      length,
    )
    if ([...needed].every((r) => left.has(r))) kept = without
  }
  return kept
}
