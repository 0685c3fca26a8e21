/**
 * Walk: a short sequence of entries in which everything happens that happens in the real one.
 *
 * What an entry does to another depends on what lies between them; what lies between two entries only adds order (the
 * happens-before relation is transitive, and counters only grow). So an unordered pair of accesses shows in the closest
 * places where its two kinds of entry occur: side by side, or with one entry between. The walk therefore contains every
 * run of three consecutive kinds that the plan's sequence contains, begins where it begins and ends where it ends.
 */
import type { Plan } from '../plan/ir.ts'

/** Indices into plan.entries, in order; the same entry never twice. */
export function shortWalk(plan: Plan): number[] {
  const kinds = plan.entries.map((e) => e.segment)
  const run = (at: number): string => kinds.slice(at, at + 3).join()
  const kept = new Set<number>()
  const seen = new Set<string>()
  for (let at = 0; at + 3 <= kinds.length; at++) {
    if (seen.has(run(at))) continue
    seen.add(run(at))
    for (let i = at; i < at + 3; i++) kept.add(i)
  }
  if (kinds.length < 3) return kinds.map((_, i) => i)
  kept.add(0)
  kept.add(kinds.length - 1)
  return [...kept].sort((a, b) => a - b)
}
