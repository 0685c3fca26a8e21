/**
 * count-runs: how often counters, locals and exchanges run in a round, and how often before each entry, which is what the
 * same code of a segment adds its own executions to.
 */
import type { PhaseProgram, Segment } from '../tile/ir.ts'
import { countersOf, type Entry, localsOf, type SegmentPlan, signalledByEach, type Tally } from './ir.ts'

/** Counters in order of first use, then locals, then the exchange epoch. `tiles`: of counters that count those. */
export function countTallies(
  program: PhaseProgram,
  segments: readonly SegmentPlan[],
  tiles: ReadonlyMap<string, number>,
): Tally[] {
  const counts = new Map<string, number>()
  let exchanges = 0
  const locals = new Map<string, number>()
  const phases = segments.flatMap((s) => s.phases)
  for (const entry of program.sequence) {
    for (const phase of segments[entry.segment]!.phases) {
      for (const counter of countersOf(phase)) counts.set(counter, (counts.get(counter) ?? 0) + 1)
      for (const local of localsOf(phase)) locals.set(local, (locals.get(local) ?? 0) + 1)
    }
    exchanges += exchangesIn(program.segments[entry.segment]!)
  }
  return [
    ...[...counts].map(([name, perRound]): Tally => {
      const of = tiles.get(name)
      return { name, scope: 'counter', perRound, ...(of !== undefined && { tiles: of }) }
    }),
    ...[...locals].map(([name, perRound]): Tally => {
      const each = phases.map((p) => signalledByEach(p, name)).find((r) => r !== undefined)
      return { name, scope: 'local', perRound, ...(each && { each }) }
    }),
    { name: 'exchange', scope: 'exchange', perRound: exchanges },
  ]
}

const exchangesIn = (s: Segment): number =>
  s.phases.filter((p) => p.kind === 'product' && p.sections.some((x) => x.elements.some((e) => e.kind === 'exchange')))
    .length

export function placeEntries(
  program: PhaseProgram,
  segments: readonly SegmentPlan[],
  tallies: readonly Tally[],
  kvOffsets: readonly number[],
): { entries: Entry[]; imageBytes: number } {
  const runs = new Map(tallies.map((t) => [t.name, 0]))
  const add = (name: string, n: number): void => void runs.set(name, runs.get(name)! + n)
  let imageBytes = 0
  const entries = program.sequence.map(({ program: of, segment, layer, taps }, at): Entry => {
    const s = segments[segment]!
    const entry: Entry = {
      program: of,
      taps,
      segment,
      ...(layer !== undefined && { layer }),
      imageOffset: imageBytes,
      kvOffset: kvOffsets[at]!,
      runs: tallies.map((t) => runs.get(t.name)!),
    }
    imageBytes += s.imageBytes
    for (const phase of s.phases) for (const name of [...countersOf(phase), ...localsOf(phase)]) add(name, 1)
    add('exchange', exchangesIn(program.segments[segment]!))
    return entry
  })
  return { entries, imageBytes }
}
