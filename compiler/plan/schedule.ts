/**
 * What the plan takes from a schedule, defaults filled in. The author's text is dsl/schedule.ts; this is the part of it
 * that decides the plan.
 */
import type { ExchangeType, Located, Shots } from '../../dsl/schedule-ir.ts'
import type { Session } from '../diagnostics/diagnostic.ts'
import type { Role } from './ir.ts'

export interface PhaseSchedule {
  /** Most parts that k is cut into; undefined: as many as compute warps. */
  readonly splitK?: number
  /** Experts that one ring page of a routed `down` holds. */
  readonly group?: number
  /** Its input is staged by the chunk that a tile takes first, where that can be (stage-by-chunk.ts). */
  readonly stage?: Located<'chunk'>
}

/** While a phase runs, load brings the weights of another into L2: of the same entry, or of the one that follows. */
export interface PrefetchSchedule {
  readonly during: string
  readonly phase: string
  readonly next: boolean
}

export interface PlanSchedule {
  readonly roles: readonly Role[]
  readonly ring: { readonly depth: number; readonly pageBytes: number }
  readonly joinDepth: number
  /** Of the active experts, what the first half has at most. */
  readonly earlyEighths: number
  readonly sms: number
  readonly exchangeAs: ExchangeType
  /** Of every sum over ranks; undefined: as its size asks for (choose-shots.ts). */
  readonly shots?: Shots
  readonly phase: (name: string) => PhaseSchedule
  readonly prefetches: readonly PrefetchSchedule[]
}

/** What the plan is made from besides the phases. */
export interface PlanContext {
  readonly schedule: PlanSchedule
  readonly ctx: number
  readonly session: Session
}

/** Eighths of the active experts that the first half has, where a schedule does not say. It is the greater: what `down` does with it is what the
    second half's way to all SMs hides behind. The best of what was tried with V2.5-Pro on 132 SMs (docs/ladder.md 2). */
export const DEFAULT_EARLY_EIGHTHS = 5

/** Of the join, where a schedule does not say: two places, or as many more as the epilogue's warps take in turn. */
export const defaultJoinDepth = (epilogueWarps: number): number => Math.ceil(2 / epilogueWarps) * epilogueWarps

export const roleOf = (schedule: PlanSchedule, name: Role['name']): Role => schedule.roles.find((r) => r.name === name)!
