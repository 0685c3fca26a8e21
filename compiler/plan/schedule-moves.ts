/**
 * Moves: the ways in which a schedule may be changed one setting at a time; what a tuner tries.
 *
 * Vocabulary: an *axis* is one setting with its values, the present one left out. Shared memory and registers are scarce, so
 * some axes move two numbers together: a deeper ring has smaller pages, fewer warps have more registers.
 * Invariants: pure; a move changes nothing else that an author wrote; whether its plan fits, holds together and is legal is
 * for the compiler to say, as of any schedule.
 */
import type { PhaseSchedule, RoleName, Schedule } from '../../dsl/schedule-ir.ts'
import { defaultJoinDepth } from './schedule.ts'

export interface Move {
  /** As it is told: `ring 4 x 38 KiB`. */
  readonly what: string
  readonly schedule: Schedule
}

export interface Axis {
  readonly name: string
  readonly moves: (schedule: Schedule) => readonly Move[]
}

const KIB = 1024

const ring: Axis = {
  name: 'ring',
  moves: (s) => {
    if (!s.ring) return []
    const { depth, pageBytes } = s.ring
    return [depth - 1, depth + 1, depth + 2]
      .filter((d) => d >= 2)
      .map((d) => {
        const page = Math.floor((depth * pageBytes) / d / KIB) * KIB
        return {
          what: `ring ${d} x ${page / KIB} KiB`,
          schedule: { ...s, ring: { ...s.ring!, depth: d, pageBytes: page } },
        }
      })
  },
}

const join: Axis = {
  name: 'join',
  moves: (s) => {
    const each = warpsOf(s, 'epilogue')
    return [1, 2, 3, 4]
      .filter((d) => d % each === 0 && d !== (s.joinDepth?.value ?? defaultJoinDepth(each)))
      .map((d) => ({ what: `join depth ${d}`, schedule: { ...s, joinDepth: { value: d } } }))
  },
}

const warpsOf = (s: Schedule, role: RoleName): number => s.roles.find((r) => r.name === role)?.warps ?? 1

/** Registers are the compiler's to choose when the warps change; rows are split over all compute warps. */
function withWarps(s: Schedule, role: RoleName, warps: number): Schedule {
  const roles = s.roles.map((r) => {
    if (r.name !== role && r.name !== 'compute') return r
    const { registers: _, ...rest } = r
    return r.name === role ? { ...rest, warps } : rest
  })
  const compute = warpsOf({ ...s, roles }, 'compute')
  const phases = s.phases.map((p): PhaseSchedule => {
    if (!p.split) return p
    const { by, parts } = p.split.value
    return { ...p, split: { value: { by, parts: by === 'rows' ? compute : Math.min(parts, compute) } } }
  })
  // Warps that no longer divide the join's depth get the compiler's.
  const { joinDepth, ...rest } = s
  const kept = joinDepth && joinDepth.value % warpsOf({ ...s, roles }, 'epilogue') === 0
  return { ...rest, roles, phases, ...(kept && { joinDepth }) }
}

const warps = (role: RoleName, counts: readonly number[]): Axis => ({
  name: `${role} warps`,
  moves: (s) => {
    const now = warpsOf(s, role)
    return counts
      .filter((n) => n !== now)
      .map((n) => ({ what: `role ${role} ${n} ${n === 1 ? 'warp' : 'warps'}`, schedule: withWarps(s, role, n) }))
  },
})

const changed = (s: Schedule, phase: PhaseSchedule): Schedule => ({
  ...s,
  phases: s.phases.map((p) => (p.name === phase.name ? phase : p)),
})

const splitK: Axis = {
  name: 'split k',
  moves: (s) =>
    s.phases.flatMap((p) => {
      if (p.split?.value.by !== 'k') return []
      const compute = warpsOf(s, 'compute')
      return [2, 4, 8, 12, 16]
        .filter((n) => n <= compute && n !== p.split!.value.parts)
        .map((parts) => ({
          what: `phase ${p.name} split k ${parts}`,
          schedule: changed(s, { ...p, split: { value: { by: 'k', parts } } }),
        }))
    }),
}

const group: Axis = {
  name: 'group',
  moves: (s) =>
    s.phases.flatMap((p) => {
      if (p.split?.value.by !== 'rows') return []
      return [1, 2, 3, 4, 6]
        .filter((n) => n !== p.group?.value)
        .map((n) => ({
          what: `phase ${p.name} group ${n} experts`,
          schedule: changed(s, { ...p, group: { value: n } }),
        }))
    }),
}

const prefetch: Axis = {
  name: 'prefetch',
  moves: (s) =>
    s.prefetches.map((gone) => ({
      what: `no prefetch while ${gone.phase.value}`,
      schedule: { ...s, prefetches: s.prefetches.filter((p) => p !== gone) },
    })),
}

/** In the order in which they are tried: what changes most comes first. */
export const axes: readonly Axis[] = [
  warps('compute', [8, 12, 16]),
  ring,
  splitK,
  group,
  warps('epilogue', [1, 2, 4]),
  join,
  prefetch,
]
