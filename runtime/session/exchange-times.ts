/**
 * What sums over ranks cost, from the traces of all ranks that ran: how long after its last send a rank had every rank's
 * packets, and how long its SMs waited for them.
 *
 * Vocabulary: a sum over ranks is *exposed* on a rank from when its last SM has sent its last tile until its last SM has
 * received, added and signalled; an SM *waits* from its own last send on. The rank that waits least is the one that the
 * others wait for.
 * Invariants: ranks' clocks are never compared, only times of one rank with each other; figures are medians over rounds of
 * means over a round's executions, in microseconds, one for each rank.
 */
import { type PhasePlan, type Plan, receivesTiles } from '../../compiler/plan/ir.ts'
import type { TraceFile, TraceRound } from '../engine/trace-file.ts'
import { median } from './statistics.ts'

export interface ExchangeTime {
  readonly segment: string
  readonly phase: string
  /** Executions in a round. */
  readonly runs: number
  readonly exposedUs: readonly number[]
  readonly waitUs: readonly number[]
}

export interface Exchange {
  readonly sums: readonly ExchangeTime[]
  /** All sums of a round together. */
  readonly exposedUs: readonly number[]
  readonly waitUs: readonly number[]
}

/** `traces`: one a rank. */
export function exchangeTimes(traces: readonly TraceFile[], plan: Plan): Exchange {
  const sums = plan.segments.flatMap((s, segment) =>
    s.phases.flatMap((phase, p): ExchangeTime[] => {
      if (!isSum(phase)) return []
      const ranks = traces.map((trace) => timesOf(trace, plan, segment, p))
      const runs = Math.max(...ranks.map((r) => r.runs))
      if (runs === 0) return []
      const of = (value: 'exposed' | 'wait') => ranks.map((r) => r[value])
      return [{ segment: s.name, phase: phase.name, runs, exposedUs: of('exposed'), waitUs: of('wait') }]
    }),
  )
  const all = (of: (t: ExchangeTime) => readonly number[]) =>
    traces.map((_, rank) => sums.reduce((n, t) => n + t.runs * of(t)[rank]!, 0))
  return { sums, exposedUs: all((t) => t.exposedUs), waitUs: all((t) => t.waitUs) }
}

/** Whether the compute role receives what the epilogue role of every rank sends. */
const isSum = (phase: PhasePlan): boolean => phase.roles.compute.some((s) => s.kind === 'loop' && receivesTiles(s))

function timesOf(trace: TraceFile, plan: Plan, segment: number, phase: number) {
  const rounds = trace.rounds.flatMap((round) => {
    const executions = round.entries
      .filter((e) => plan.entries[e]!.segment === segment)
      .flatMap((entry) => executionOf(trace, round, entry, phase, plan.sms))
    return executions.length > 0 ? [executions] : []
  })
  const over = (of: (e: { exposed: number; wait: number }) => number): number =>
    rounds.length === 0 ? 0 : median(rounds.map((r) => r.reduce((n, e) => n + of(e), 0) / r.length)) / 1000
  const runs = rounds.length === 0 ? 0 : median(rounds.map((r) => r.length))
  return { runs, exposed: over((e) => e.exposed), wait: over((e) => e.wait) }
}

function executionOf(trace: TraceFile, { slot }: TraceRound, entry: number, phase: number, sms: number) {
  const pairs = Array.from({ length: sms }, (_, sm) => ({
    sent: trace.event(slot, entry, phase, 'epilogue', sm)?.end,
    received: trace.event(slot, entry, phase, 'compute', sm)?.end,
  })).filter((p): p is { sent: number; received: number } => p.sent !== undefined && p.received !== undefined)
  if (pairs.length === 0) return []
  const exposed = Math.max(...pairs.map((p) => p.received)) - Math.max(...pairs.map((p) => p.sent))
  const wait = pairs.reduce((n, p) => n + Math.max(0, p.received - p.sent), 0) / pairs.length
  return [{ exposed: Math.max(0, exposed), wait }]
}
