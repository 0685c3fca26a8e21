/** Plans of MiMo without weights: the passes of the compiler up to the plan, with the schedule that a test wants. */
import { readFileSync } from 'node:fs'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { buildDrafter } from '../../compiler/frontend/build-drafter.ts'
import { buildGraph } from '../../compiler/frontend/build-graph.ts'
import type { Plan } from '../../compiler/plan/ir.ts'
import { makePlan } from '../../compiler/plan/make-plan.ts'
import { resolveSchedule } from '../../compiler/plan/resolve-schedule.ts'
import type { PlanSchedule } from '../../compiler/plan/schedule.ts'
import { shardGraph } from '../../compiler/shard/shard-graph.ts'
import { formPhases } from '../../compiler/tile/form-phases.ts'
import type { PhaseProgram } from '../../compiler/tile/ir.ts'
import type { Graph } from '../../dsl/graph.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import mimoDrafter from '../../models/mimo/drafter.ts'
import { targetSection } from '../../models/mimo/drafter-config.ts'
import mimo from '../../models/mimo/graph.ts'
import { asset } from '../../runtime/paths.ts'
import { nanoDrafter } from '../drafter/nano-drafter.ts'

export interface PlanRequest {
  readonly ranks: number
  readonly sms?: number
  readonly ctx?: number
  readonly epilogueWarps?: number
  /** An author's schedule; or what differs from the default one. */
  readonly schedule?: Schedule | Partial<PlanSchedule>
}

/** What the host schedules say, unless the request says otherwise. */
function planSchedule(request: PlanRequest, phases: PhaseProgram, session: Session): PlanSchedule {
  const { sms = 2, epilogueWarps = 1, schedule = {} } = request
  if ('kind' in schedule) return resolveSchedule(schedule, phases, { name: 'host', sms }, session)
  return {
    roles: [
      { name: 'load', warps: 1, registers: 24 },
      { name: 'compute', warps: 4, registers: 96 },
      { name: 'epilogue', warps: epilogueWarps, registers: 96 },
      { name: 'communicate', warps: 1, registers: 96 },
    ],
    ring: { depth: 4, pageBytes: 32 * 1024 },
    joinDepth: 2,
    earlyEighths: 5,
    sms,
    exchangeAs: 'f32',
    phase: () => ({}),
    prefetches: [],
    ...schedule,
  }
}

/** Phases and plan of one graph, or of a target with its drafter's commit and draft. */
export function planOf(
  graphs: readonly Graph[],
  request: PlanRequest,
): { readonly phases: PhaseProgram; readonly plan: Plan } {
  const session = new Session()
  const names = ['target', 'commit', 'draft']
  const sharded = graphs.map((g, i) => ({
    program: names[i]!,
    graph: shardGraph(g, { ranks: request.ranks, session }),
  }))
  session.throwIfFailed()
  const fusions = request.schedule && 'kind' in request.schedule ? request.schedule.fusions : undefined
  const phases = formPhases(sharded, { session, ...(fusions && { fusions }) })
  session.throwIfFailed()
  const plan = makePlan(phases, { schedule: planSchedule(request, phases, session), ctx: request.ctx ?? 2048, session })
  session.throwIfFailed()
  return { phases, plan }
}

export const nanoConfig = 'models/mimo/nano/config.json'
export const proConfig = 'models/mimo/configs/mimo-v2.5-pro.json'

/** The target's graph of a config. */
export const mimoGraph = (config: string): Graph =>
  buildGraph(mimo, JSON.parse(readFileSync(asset(...config.split('/')), 'utf8')))

/** nano with its drafter: target, commit and draft. */
export function nanoDrafterGraphs(): readonly Graph[] {
  const read = mimoDrafter.config.safeParse(nanoDrafter)
  if (!read.success) throw new Error(JSON.stringify(read.error.issues))
  const json = JSON.parse(readFileSync(asset(...nanoConfig.split('/')), 'utf8')) as object
  const target = buildGraph(mimo, { ...json, dflash_config: targetSection(read.data) })
  const parsed = mimo.config.safeParse(json)
  if (!parsed.success) throw new Error(JSON.stringify(parsed.error.issues))
  const { commit, draft } = buildDrafter(mimoDrafter, nanoDrafter, { config: parsed.data, graph: target }, {})
  return [target, commit, draft]
}

export const nanoPlan = (request: PlanRequest): Plan => planOf([mimoGraph(nanoConfig)], request).plan

/** What nanoPlan is asked for so that k of a router's one tile is cut over three of four SMs, which stage it by chunk. */
export const chunkwise = {
  ranks: 1,
  sms: 4,
  schedule: {
    ring: { depth: 6, pageBytes: 20 * 1024 },
    phase: (name: string) => (name === 'router' ? { stage: { value: 'chunk' } as const } : {}),
  },
} satisfies PlanRequest

/** The large model as it runs on 8 GPUs of 132 SMs. */
export const proPlan = (): Plan =>
  planOf([mimoGraph(proConfig)], {
    ranks: 8,
    sms: 132,
    schedule: {
      roles: [
        { name: 'load', warps: 1, registers: 128 },
        { name: 'compute', warps: 12, registers: 128 },
        { name: 'epilogue', warps: 2, registers: 128 },
        { name: 'communicate', warps: 1, registers: 128 },
      ],
      ring: { depth: 3, pageBytes: 51 * 1024 },
      exchangeAs: 'bf16',
    },
  }).plan
