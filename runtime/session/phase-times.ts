/**
 * What each phase took, from a trace: medians over rounds, beside the bytes that it streamed.
 *
 * Vocabulary: a phase lasts from the last signal of the phase before it to its own last signal, so the phases of a round
 * add up to the round. *Sync* is what an SM waits for others, on average: until it has seen the signal that it waits for, and,
 * when it is done, until the slowest SM is. *Staging* is the time from there to the first multiplication's operands.
 * Invariant: executions of one phase of one kind of layer are one line; times are microseconds of one execution.
 */
import type { Compiled } from '../../codegen/compile.ts'
import type { PhasePlan } from '../../compiler/plan/ir.ts'
import { expertsOf, type Load, phaseBytes } from '../../compiler/plan/phase-bytes.ts'
import type { PhaseKind } from '../../compiler/tile/ir.ts'
import type { TraceEvent, TraceFile, TraceRound } from '../engine/trace-file.ts'
import { median } from './statistics.ts'

export interface PhaseTime {
  readonly program: string
  readonly segment: string
  readonly phase: string
  readonly kind: PhaseKind
  /** Executions in a round. */
  readonly runs: number
  readonly bytes: number
  /** Experts that the rows met, in a routed phase. */
  readonly active?: number
  readonly us: number
  readonly syncUs: number
  readonly stagingUs: number
}

interface Execution {
  readonly us: number
  readonly sync: number
  readonly staging: number
  readonly active: number
}

/** `load`: rows and context of a program's block. */
export function phaseTimes(trace: TraceFile, { plan, phases }: Compiled, load: (program: string) => Load): PhaseTime[] {
  const executions = new Map<string, Execution[][]>()
  for (const round of trace.rounds) {
    const found = new Map<string, Execution[]>()
    let before = round.begin
    for (const e of round.entries) {
      const segment = plan.entries[e]!.segment
      plan.segments[segment]!.phases.forEach((phase, p) => {
        const events = eventsOf(trace, round, e, p, phase, plan.sms)
        if (!events) return
        const execution = timeOf(events, before)
        before = Math.max(before, execution.end)
        const key = `${segment} ${p}`
        found.set(key, [...(found.get(key) ?? []), execution])
      })
    }
    for (const [key, list] of found) executions.set(key, [...(executions.get(key) ?? []), list])
  }
  return plan.segments.flatMap((s, segment) =>
    s.phases.flatMap((phase, p): PhaseTime[] => {
      const rounds = executions.get(`${segment} ${p}`)
      if (!rounds) return []
      const program = plan.programs[plan.entries.find((e) => e.segment === segment)!.program]!
      const tile = phases.segments[segment]!.phases[p]!
      const mean = (of: (e: Execution) => number): number => median(rounds.map((r) => average(r.map(of))))
      const routed = expertsOf(tile) !== undefined
      const active = routed ? mean((e) => e.active) : undefined
      return [
        {
          ...{ program, segment: s.name, phase: phase.name, kind: tile.kind },
          runs: median(rounds.map((r) => r.length)),
          bytes: phaseBytes(phase, tile, plan.route.topK, { ...load(program), active }),
          ...(active !== undefined && { active }),
          us: mean((e) => e.us),
          syncUs: mean((e) => e.sync),
          stagingUs: mean((e) => e.staging),
        },
      ]
    }),
  )
}

interface PhaseEvents {
  readonly compute: readonly TraceEvent[]
  readonly signals: readonly TraceEvent[]
}

function eventsOf(
  trace: TraceFile,
  { slot }: TraceRound,
  entry: number,
  index: number,
  phase: PhasePlan,
  sms: number,
): PhaseEvents | undefined {
  const of = (role: PhasePlan['signals']): TraceEvent[] =>
    Array.from({ length: sms }, (_, sm) => trace.event(slot, entry, index, role, sm)).filter((e) => e !== undefined)
  const signals = of(phase.signals)
  return signals.length > 0 ? { signals, compute: of('compute') } : undefined
}

function timeOf({ compute, signals }: PhaseEvents, before: number): Execution & { readonly end: number } {
  const end = Math.max(before, ...signals.map((e) => e.end))
  // Where compute waits for no counter, its first page brings what load has waited for.
  const seen = compute.map((e) => Math.max(before, e.ready ?? e.page ?? e.begin))
  const staging = compute.map((e, i) => Math.max(0, (e.staged ?? seen[i]!) - seen[i]!))
  const sync = average(seen.map((t) => t - before)) + average(signals.map((e) => end - Math.max(before, e.end)))
  const active = Math.max(0, ...compute.map((e) => e.active))
  return { end, active, us: (end - before) / 1000, sync: sync / 1000, staging: average(staging) / 1000 }
}

const average = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((a, b) => a + b) / values.length
