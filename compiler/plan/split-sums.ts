/**
 * split-sums: the plan of the control whose sums over ranks somebody else makes (NCCL, between two kernels). A phase that sums over
 * ranks becomes two: the first ends where it would send and leaves this rank's part of every tile; the second, `<name>.sum`, takes
 * the sum and runs what receiving would have run.
 *
 * Vocabulary: a *part* is what one rank leaves: all tiles of the phase, dense, as [row][column] (codegen/device/common/parts.h).
 * Invariants: the steps are those of the phase, each in one of the two and in their order, but for what owners of tiles do where the
 * sum would travel in two shots: nobody owns a tile here. Sites keep their numbers; what travels in other ways than sums, the logits and
 * the round control, goes on as packets.
 */
import { addsParts, type PhasePlan, type Plan, type Step, takesSums } from './ir.ts'

export const splitSums = (plan: Plan): Plan => ({
  ...plan,
  segments: plan.segments.map((s) => ({ ...s, phases: s.phases.flatMap(split) })),
})

function split(phase: PhasePlan): readonly PhasePlan[] {
  const { epilogue } = phase.roles
  const compute = phase.roles.compute.filter((s) => s.kind !== 'loop' || !addsParts(s))
  const tiles = compute.map(receivedTiles)
  const at = tiles.findIndex((n) => n !== undefined)
  if (at < 0) return [phase]
  return [
    {
      ...phase,
      leaves: tiles[at]!,
      roles: { ...phase.roles, compute: compute.slice(0, at), epilogue: epilogue.map(byParts) },
    },
    {
      ...phase,
      name: `${phase.name}.sum`,
      signals: 'compute',
      roles: { load: [], compute: compute.slice(at).map(byParts), epilogue: [], communicate: [] },
      weightBytes: 0,
    },
  ]
}

/** Of the loop that takes a sum over ranks: its tiles. */
function receivedTiles(step: Step): number | undefined {
  return step.kind === 'loop' && takesSums(step) && step.domain.kind === 'share' ? step.domain.count : undefined
}

function byParts(step: Step): Step {
  if (step.kind === 'loop') return { ...step, body: step.body.map(byParts) }
  return step.kind === 'finish' && step.elements !== 'all' ? { ...step, byParts: true } : step
}
