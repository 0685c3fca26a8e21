/**
 * derive-waits: which counters a phase waits for, from nothing but what phases read and write.
 *
 * How: unroll two rounds, each a pass of the target and, with a drafter, a pass of its programs. An instance needs the last writer of what it reads, and the last writer and all later readers of
 * what it writes. Of what it needs it waits only for what nothing else implies: when instance j is done on every SM, all
 * that j waited for is done too, because the role that signals j waits for the same counters. Occurrences of a segment
 * are then folded: `after` counts executions from the beginning of the entry, and 0 means the last one before it.
 * Each counter is a resource of its own as well: an execution may only be signalled when the one before is complete on all
 * SMs, else a fast SM's second signal would stand in for a slow SM's first.
 * Packets of a sum over ranks overwrite those of the last but one: a sum begins when the one before it has been received here, for
 * then every rank has sent that one, and had received the one before.
 * The route table is made by every SM for itself: a phase that uses it on an SM runs after the routing there, so that once
 * it is done everywhere, the routing is done everywhere, and whatever the routing waited for.
 */
import { isCache } from '../tile/forms.ts'
import type { Phase, PhaseProgram } from '../tile/ir.ts'
import { cacheOf } from './place-caches.ts'

export interface DerivedWait {
  readonly counter: string
  readonly after: number
}

/** The counter that an execution of a phase signals: phases that write the same carried values share one. */
export function counterOf(program: PhaseProgram, segment: number, phase: number): string {
  const s = program.segments[segment]!
  const p = s.phases[phase]!
  const carried = new Set(program.buffers.filter((b) => b.carried).map((b) => b.name))
  const slots = [...new Set(p.writes.filter((w) => carried.has(w)).map((w) => w.split('.')[0]!))]
  return slots.length > 0 ? slots.sort().join('+') : `${s.name}.${p.name}`
}

/** Whether the pass that entry `at` belongs to ends with it: the target's, or a drafter's programs together. */
function endsPass(program: PhaseProgram, at: number): boolean {
  const [here, next] = [program.sequence[at]!.program, program.sequence[at + 1]?.program]
  return here === 0 && next !== here
}

/** Whether a phase sums over ranks. */
const exchanges = (p: Phase): boolean =>
  p.kind === 'product' && p.sections.some((s) => s.elements.some((e) => e.kind === 'exchange'))

type Cover = ReadonlyMap<string, number>
interface Instance {
  /** Position in program order. */
  readonly order: number
  readonly counter: string
  readonly execution: number
  readonly cover: Cover
}

/** Waits of each phase, by segment and phase. */
export function deriveWaits(program: PhaseProgram): DerivedWait[][][] {
  const caches = new Map(program.buffers.filter((b) => isCache(b.form)).map((b) => [b.name, b]))
  const waits = program.segments.map((s) => s.phases.map(() => new Map<string, number>()))
  const executions = new Map<string, number>()
  const lastWriter = new Map<string, Instance>()
  const readers = new Map<string, Instance[]>()
  let base: Cover = new Map()
  let order = 0
  /** The routing that an SM did last: who uses its table runs after it on the same SM, without a counter. */
  let routed: Instance | undefined
  for (let round = 0; round < 2; round++) {
    program.sequence.forEach((entry, at) => {
      // Passes are rounds: a rank begins none before every warp of it has left the one before, with all that it did.
      if (at > 0 && endsPass(program, at - 1)) base = new Map(executions)
      const before = new Map(executions)
      program.segments[entry.segment]!.phases.forEach((phase, index) => {
        const counter = counterOf(program, entry.segment, index)
        const resource = (name: string): string => {
          const cache = caches.get(name)
          return cache ? cacheOf(cache, entry, at) : name
        }
        const reads = phase.reads.map(resource)
        const sums = exchanges(phase) ? ['packets'] : []
        const writes = [...phase.writes.map(resource), `counter ${counter}`, ...sums]
        const needed = [
          ...reads.flatMap((r) => lastWriter.get(r) ?? []),
          ...writes.flatMap((w) => [...(readers.get(w) ?? []), ...(lastWriter.has(w) ? [lastWriter.get(w)!] : [])]),
        ]
        const cover = new Map(base)
        if (routed && phase.kind === 'product' && phase.routed) {
          for (const [c, n] of [...routed.cover, [routed.counter, routed.execution] as const])
            cover.set(c, Math.max(cover.get(c) ?? 0, n))
        }
        const chosen = waits[entry.segment]![index]!
        // Latest first: what a later instance implies needs no wait of its own.
        for (const need of needed.sort((a, b) => b.order - a.order)) {
          if ((cover.get(need.counter) ?? 0) >= need.execution) continue
          const after = Math.max(0, need.execution - (before.get(need.counter) ?? 0))
          chosen.set(need.counter, Math.max(chosen.get(need.counter) ?? 0, after))
          for (const [c, n] of need.cover) cover.set(c, Math.max(cover.get(c) ?? 0, n))
          cover.set(need.counter, Math.max(cover.get(need.counter) ?? 0, need.execution))
        }
        const execution = (executions.get(counter) ?? 0) + 1
        executions.set(counter, execution)
        const instance: Instance = { order: order++, counter, execution, cover }
        for (const r of reads) readers.set(r, [...(readers.get(r) ?? []), instance])
        for (const w of writes) {
          lastWriter.set(w, instance)
          readers.set(w, [])
        }
        if (phase.kind === 'route') routed = instance
      })
    })
    base = new Map(executions)
  }
  return waits.map((s) => s.map((w) => [...w].map(([counter, after]) => ({ counter, after }))))
}
