/**
 * resolve-schedule: an author's schedule, checked against the phases of a model, with the compiler's choices filled in.
 *
 * Vocabulary: what the author left out is decided here and nowhere else: registers (an equal share of the SM's file), the
 * depth of the join (two slots, but one for every epilogue warp), how many experts come first (five eighths), parts of k (one a compute warp), experts of a page (as many as fit).
 * Invariant: a phase that the schedule names exists; a plan is made from the result alone.
 */
import type { RoleName, Schedule } from '../../dsl/schedule-ir.ts'
import { didYouMean, type Session } from '../diagnostics/diagnostic.ts'
import type { PhaseProgram } from '../tile/ir.ts'
import { checkSettings } from './check-settings.ts'
import { halvedExperts } from './halve-experts.ts'
import { resolvePrefetch } from './resolve-prefetch.ts'
import { DEFAULT_EARLY_EIGHTHS, defaultJoinDepth, type PlanSchedule } from './schedule.ts'

/** An SM has four register files, and deals its warps out over them. */
const FILES = 4
const REGISTER_FILE = 16384
const roles: readonly RoleName[] = ['load', 'compute', 'epilogue', 'communicate']

export interface Target {
  readonly name: 'host' | 'sm_90a'
  /** SMs of the machine, where the schedule names none. */
  readonly sms: number
}

export function resolveSchedule(
  schedule: Schedule,
  program: PhaseProgram,
  target: Target,
  session: Session,
): PlanSchedule {
  const phases = new Map(program.segments.flatMap((s) => s.phases.map((p) => [p.name, p] as const)))
  const names = [...phases.keys()]
  const warps = (name: RoleName): number => schedule.roles.find((r) => r.name === name)?.warps ?? 1
  for (const named of schedule.phases) {
    const phase = phases.get(named.name)
    if (phase) {
      checkSettings(named, phase, warps('compute'), session)
      continue
    }
    const meant = didYouMean(named.name, names)
    session.report('TILE2050', `the schedule names phase '${named.name}', which the model does not have`, {
      span: named.span,
      help: meant ? `did you mean '${meant}'?` : `phases of '${program.name}': ${names.join(', ')}`,
    })
  }
  if (schedule.earlyEighths && halvedExperts(program.segments).length === 0)
    session.report(
      'TILE2052',
      `'experts ${schedule.earlyEighths.value} eighths first' decides nothing: '${program.name}' has no routed product that takes the rows of another`,
      {
        span: schedule.earlyEighths.span,
      },
    )
  const prefetches = schedule.prefetches.flatMap((p) => resolvePrefetch(p, program, session) ?? [])
  const all = roles.reduce((n, r) => n + warps(r), 0)
  const share = Math.floor(REGISTER_FILE / (Math.ceil(all / FILES) * 32) / 8) * 8
  return {
    roles: roles.map((name) => ({
      name,
      warps: warps(name),
      registers: schedule.roles.find((r) => r.name === name)?.registers ?? Math.min(255, share),
    })),
    ring: schedule.ring ?? { depth: 4, pageBytes: 32 * 1024 },
    joinDepth: schedule.joinDepth?.value ?? defaultJoinDepth(warps('epilogue')),
    earlyEighths: schedule.earlyEighths?.value ?? DEFAULT_EARLY_EIGHTHS,
    sms: schedule.sms?.value ?? target.sms,
    exchangeAs: schedule.exchangeAs?.value ?? 'bf16',
    ...(schedule.shots && { shots: schedule.shots.value }),
    prefetches,
    phase: (name) => {
      const p = schedule.phases.find((x) => x.name === name)
      return {
        ...(p?.split?.value.by === 'k' && { splitK: p.split.value.parts }),
        ...(p?.group && { group: p.group.value }),
        ...(p?.stage && { stage: p.stage }),
      }
    },
  }
}
