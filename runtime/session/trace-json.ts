/**
 * A trace as the JSON that Perfetto (ui.perfetto.dev) and chrome://tracing open: a process an SM, a thread a role, a slice
 * for each phase, and inside it a slice for each wait of the role's first warp, named after what it waited for.
 *
 * Vocabulary: *tiles* are the part of a phase's work that an SM has by its share; where routing decides, it is counted over
 * active experts. A site's name is `segment.phase/role what`: the plan's name for one sync step.
 * Invariant: slices of one thread nest; times begin at the first round that is shown.
 */
import type { Compiled } from '../../codegen/compile.ts'
import { positionOf } from '../../compiler/diagnostics/render.ts'
import type { Domain, Loop, PhasePlan, Step } from '../../compiler/plan/ir.ts'
import { roleNames } from '../../compiler/plan/ir.ts'
import type { TraceEvent, TraceFile, TraceRound } from '../engine/trace-file.ts'

export interface ChromeEvent {
  readonly name: string
  readonly ph: 'X' | 'M'
  readonly pid: number
  readonly tid?: number
  /** Microseconds. */
  readonly ts?: number
  readonly dur?: number
  readonly cat?: 'phase' | 'wait' | 'round'
  readonly args?: Readonly<Record<string, string | number>>
}

export interface TraceOptions {
  readonly sms: readonly number[]
  /** The last so many rounds. */
  readonly rounds: number
  /** Text of the author's files by the name that spans use. */
  readonly sources: ReadonlyMap<string, string>
}

export function traceJson(trace: TraceFile, { plan }: Compiled, options: TraceOptions): readonly ChromeEvent[] {
  const rounds = trace.rounds.slice(-options.rounds)
  const begin = rounds[0]?.begin ?? 0
  const at = (ns: number): number => (ns - begin) / 1000
  const slice = (pid: number, tid: number, name: string, e: { begin: number; end: number }) =>
    ({ name, ph: 'X', pid, tid, ts: at(e.begin), dur: (e.end - e.begin) / 1000 }) as const
  const lines = new Map<PhasePlan, string>()
  const lineOf = (phase: PhasePlan): string => {
    if (!lines.has(phase)) lines.set(phase, authorLine(phase, options.sources))
    return lines.get(phase)!
  }
  const events: ChromeEvent[] = []
  for (const sm of options.sms) {
    events.push({ name: 'process_name', ph: 'M', pid: sm, args: { name: `SM ${sm}` } })
    roleNames.forEach((role, tid) => {
      events.push({ name: 'thread_name', ph: 'M', pid: sm, tid, args: { name: role } })
      let end = begin
      for (const round of rounds) {
        for (const [entry, p, phase] of phasesOf(round, plan)) {
          const event = phase.roles[role].length > 0 ? trace.event(round.slot, entry, p, role, sm) : undefined
          if (!event) continue
          end = Math.max(end, event.end)
          const { segment, layer } = plan.entries[entry]!
          const args = {
            ...(layer !== undefined && { layer }),
            ...tilesOf(phase.roles[role], event, sm, plan.sms),
            ...(lineOf(phase) && { line: lineOf(phase) }),
          }
          const name = `${plan.segments[segment]!.name}.${phase.name}`
          events.push({ ...slice(sm, tid, name, event), cat: 'phase', args })
        }
      }
      for (const wait of trace.waits(role, sm)) {
        if (wait.begin < begin || wait.end > end) continue
        const site = plan.sites[wait.site] ?? 'round control'
        events.push({ ...slice(sm, tid, `wait: ${awaited(site)}`, wait), cat: 'wait', args: { site } })
      }
    })
  }
  return events
}

const phasesOf = (round: TraceRound, plan: Compiled['plan']): [entry: number, index: number, phase: PhasePlan][] =>
  round.entries.flatMap((entry) =>
    plan.segments[plan.entries[entry]!.segment]!.phases.map(
      (phase, p) => [entry, p, phase] as [number, number, PhasePlan],
    ),
  )

/** What the wait at a site is for: a counter by its name, a channel by what it must have. */
function awaited(site: string): string {
  const step = /\/\w+ (.*)$/.exec(site)?.[1] ?? site
  const rules: readonly (readonly [RegExp, string])[] = [
    [/^wait /, ''],
    [/^acquire (.*)$/, 'a free place in $1'],
    [/^await (.*)$/, 'what comes through $1'],
  ]
  return rules.reduce((text, [pattern, by]) => text.replace(pattern, by), step)
}

function authorLine({ span }: PhasePlan, sources: ReadonlyMap<string, string>): string {
  const text = span && sources.get(span.file)
  return span && text !== undefined ? `${span.file}:${positionOf(text, span.start).line}` : ''
}

interface OnSm {
  readonly loop: Loop
  readonly active: number
  readonly sm: number
  readonly sms: number
}
/** Which units of a loop are an SM's, where the plan and the routing alone say it. */
const tileTexts: {
  readonly [K in Domain['kind']]?: (d: Extract<Domain, { kind: K }>, on: OnSm) => string | undefined
} = {
  share: ({ count }, { sm, sms }) => {
    const [first, end] = [Math.floor((count * sm) / sms), Math.floor((count * (sm + 1)) / sms)]
    return first < end ? `${first} to ${end - 1} of ${count}` : `none of ${count}`
  },
  halves: (_d, on) => textOf(on.loop.body, on),
  activeShare: ({ count }, { active, sm, sms }) => {
    const all = count * active
    return sm < all ? `each ${sms} from ${sm} on, of ${all}` : `none of ${all}`
  },
}
function textOf(steps: readonly Step[], on: Omit<OnSm, 'loop'>): string | undefined {
  const loop = steps.find((s) => s.kind === 'loop')
  const rule = loop && (tileTexts[loop.domain.kind] as ((d: Domain, on: OnSm) => string | undefined) | undefined)
  return rule?.(loop!.domain, { ...on, loop: loop! })
}

/** The share of an SM in the first loop of a role's steps. */
function tilesOf(steps: readonly Step[], event: TraceEvent, sm: number, sms: number): { tiles?: string } {
  const tiles = textOf(steps, { active: event.active, sm, sms })
  return tiles === undefined ? {} : { tiles }
}
