/**
 * The order in which a search offers moves: coordinate descent.
 *
 * Vocabulary: a *sweep* offers each move of each axis once, by its name, from the best schedule there is when its turn comes; another
 * sweep follows one in which something was kept. What was judged before is not offered again.
 * Invariant: what comes next depends on what was judged and kept so far, on nothing else.
 */
import type { Axis, Move } from '../../compiler/plan/schedule-moves.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'

export interface Walk {
  readonly next: () => Move | undefined
  /** The next one, and those that follow should nothing more be kept. */
  readonly upcoming: () => Iterable<Move>
  readonly judged: (move: Move) => void
  /** From here on moves start from `schedule`. */
  readonly kept: (schedule: Schedule) => void
}

export function walkMoves(author: Schedule, axes: readonly Axis[]): Walk {
  let best = author
  let improved = false
  const offered = new Set<string>()
  const known = new Set([JSON.stringify(author)])

  function* sweep(without: ReadonlySet<string>): Generator<Move> {
    for (const axis of axes)
      for (const move of axis.moves(best))
        if (!without.has(move.what) && !known.has(JSON.stringify(move.schedule))) yield move
  }
  function* upcoming(): Generator<Move> {
    const now = [...sweep(offered)]
    yield* now
    if (!improved) return
    const names = new Set(now.map((m) => m.what))
    yield* sweep(names)
  }
  return {
    upcoming,
    next: () => {
      const [move] = sweep(offered)
      if (move || !improved) return move
      improved = false
      offered.clear()
      return [...sweep(offered)][0]
    },
    judged: ({ what, schedule }) => {
      offered.add(what)
      known.add(JSON.stringify(schedule))
    },
    kept: (schedule) => {
      best = schedule
      improved = true
      known.add(JSON.stringify(schedule))
    },
  }
}
