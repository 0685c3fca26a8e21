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

/** Indices into plan.entries, in order, for a round (from 1). */
export function shortWalk(plan: Plan, round: number): number[] {
  const kinds = plan.entries.map((e) => e.segment)
  const length = round === 1 ? 3 : 1
  if (kinds.length <= length) return kinds.map((_, i) => i)
  const walk = cover(kinds, length)
  return leaveOut(walk, kinds, length)
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
  for (const entry of walk.slice(1, -1)) {
    const without = kept.filter((e) => e !== entry)
    const left = runs(
      without.map((e) => kinds[e]!),
      length,
    )
    if ([...needed].every((r) => left.has(r))) kept = without
  }
  return kept
}
