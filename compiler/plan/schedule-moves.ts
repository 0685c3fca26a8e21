/**
 * Moves: the ways in which a schedule may be changed one setting at a time; what a tuner tries.
 *
 * Vocabulary: an *axis* is one setting with its values, the present one left out. Shared memory and registers are scarce, so
 * some axes move two numbers together: a deeper ring has smaller pages, fewer warps have more registers. What a move is
 * *otherwise* is what it becomes where it alone does not fit an SM's memory: something else gives way, the first that is enough.
 * Not moved: registers. The compiler's own choice is an equal share of the file; more there is not, and less only spills.
 * Invariants: pure; a move changes nothing else that an author wrote; its name says all that it changes, whatever it starts from; whether
 * its plan fits, holds together and is legal is for the compiler to say, as of any schedule.
 */
import { exchangeShots, type PhaseSchedule, printShots, type RoleName, type Schedule } from '../../dsl/schedule-ir.ts'
import { DEFAULT_EARLY_EIGHTHS, defaultJoinDepth } from './schedule.ts'

export interface Move {
  /** As it is told: `ring 4 x 38 KiB`. */
  readonly what: string
  readonly schedule: Schedule
  /** Tried in its place, in this order, where it does not fit shared memory. */
  readonly otherwise?: readonly Move[]
}

export interface Axis {
  readonly name: string
  readonly moves: (schedule: Schedule) => readonly Move[]
}

const KIB = 1024
const inKib = (bytes: number): string => (bytes % KIB === 0 ? `${bytes / KIB} KiB` : `${bytes} B`)

const pagesOf = (s: Schedule, depth: number, pageBytes: number): Move => ({
  what: `ring ${depth} x ${inKib(pageBytes)}`,
  schedule: { ...s, ring: { ...s.ring!, depth, pageBytes } },
})

/**
 * Rings of about the memory that there is. Pages of a part of a tile are a half or a third of those of the whole to the byte. Others are
 * whole KiB: no larger ring, and pages of the next 8 KiB, for what must lie in one page (a span of keys and values) has such sizes.
 */
const ring: Axis = {
  name: 'ring',
  moves: (s) => {
    if (!s.ring) return []
    const { depth, pageBytes } = s.ring
    const parts = [2, 3].map((n) => pagesOf(s, depth * n, Math.floor(pageBytes / n / 16) * 16))
    const depths = [depth - 1, depth + 1, depth + 2].filter((d) => d >= 2)
    const whole = depths.flatMap((d) =>
      [KIB, 8 * KIB].map((step) => {
        const each = (depth * pageBytes) / d
        const move = pagesOf(s, d, (step === KIB ? Math.floor(each / step) : Math.ceil(each / step)) * step)
        return { ...move, otherwise: leastJoin(move) }
      }),
    )
    return unlike(s, [...whole, ...parts])
  },
}

/** Each once, and none that changes nothing. */
const unlike = (s: Schedule, moves: readonly Move[]): Move[] => {
  const seen = new Set([JSON.stringify(s)])
  return moves.filter(({ schedule }) => {
    const text = JSON.stringify(schedule)
    return !seen.has(text) && seen.add(text)
  })
}

/** The same with one epilogue warp and one place to hand sums over: what takes least memory without being anywhere else. */
function leastJoin({ what, schedule }: Move): Move[] {
  const one = withWarps(schedule, 'epilogue', 1)
  return [{ what: `${what}, role epilogue 1 warp, join depth 1`, schedule: { ...one, joinDepth: { value: 1 } } }]
}

/** The same with smaller pages, down to three quarters. */
function smallerPages({ what, schedule }: Move): Move[] {
  if (!schedule.ring) return []
  const { depth, pageBytes } = schedule.ring
  const most = Math.ceil(pageBytes / KIB) - 1
  return Array.from({ length: Math.floor(most / 4) }, (_, i) => {
    const smaller = pagesOf(schedule, depth, (most - i) * KIB)
    return { what: `${what}, ${smaller.what}`, schedule: smaller.schedule }
  })
}

const join: Axis = {
  name: 'join',
  moves: (s) => {
    const each = warpsOf(s, 'epilogue')
    return [1, 2, 3, 4]
      .filter((d) => d % each === 0 && d !== (s.joinDepth?.value ?? defaultJoinDepth(each)))
      .map((d) => {
        const move = { what: `join depth ${d}`, schedule: { ...s, joinDepth: { value: d } } }
        return { ...move, otherwise: smallerPages(move) }
      })
  },
}

const warpsOf = (s: Schedule, role: RoleName): number => s.roles.find((r) => r.name === role)?.warps ?? 1

/** Registers are the compiler's to choose when the warps change; rows, and k that was split over all compute warps, are split over all of them again. */
function withWarps(s: Schedule, role: RoleName, warps: number): Schedule {
  const roles = s.roles.map((r) => {
    if (r.name !== role && r.name !== 'compute') return r
    const { registers: _, ...rest } = r
    return r.name === role ? { ...rest, warps } : rest
  })
  const before = warpsOf(s, 'compute')
  const compute = warpsOf({ ...s, roles }, 'compute')
  const phases = s.phases.map((p): PhaseSchedule => {
    if (!p.split) return p
    const { by, parts } = p.split.value
    return {
      ...p,
      split: { value: { by, parts: by === 'rows' || parts === before ? compute : Math.min(parts, compute) } },
    }
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
      .map((n) => {
        const what = `role ${role} ${n} ${n === 1 ? 'warp' : 'warps'}`
        const move = { what, schedule: withWarps(s, role, n) }
        // Smaller pages hold parts of tiles and leave the rest of a slot empty, so the join gives way first.
        return { ...move, otherwise: [...(role === 'epilogue' ? [] : leastJoin(move)), ...smallerPages(move)] }
      })
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
      return [2, 3, 4, 6, 8, 12, 16]
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
      return [1, 2, 3, 4, 6, 8, 12]
        .filter((n) => n !== p.group?.value)
        .map((n) => ({
          what: `phase ${p.name} group ${n} experts`,
          schedule: changed(s, { ...p, group: { value: n } }),
        }))
    }),
}

const stage: Axis = {
  name: 'stage',
  moves: (s) =>
    s.phases.flatMap((p) => {
      if (p.split?.value.by !== 'k') return []
      const { stage: now, ...rest } = p
      const other: PhaseSchedule = now ? rest : { ...p, stage: { value: 'chunk' } }
      return [{ what: `phase ${p.name} stage ${now ? 'at once' : 'by chunk'}`, schedule: changed(s, other) }]
    }),
}

const experts: Axis = {
  name: 'experts first',
  moves: (s) => {
    if (!s.phases.some((p) => p.split?.value.by === 'rows')) return []
    const now = s.earlyEighths?.value ?? DEFAULT_EARLY_EIGHTHS
    return [now - 2, now - 1, now + 1, now + 2]
      .filter((n) => n >= 1 && n <= 7)
      .map((n) => ({ what: `experts ${n} eighths first`, schedule: { ...s, earlyEighths: { value: n } } }))
  },
}

/** Of all sums over ranks. Where an author leaves it to the compiler, one of the two is what it has chosen: the same engine. */
const exchange: Axis = {
  name: 'exchange',
  moves: (s) =>
    exchangeShots
      .filter((n) => n !== s.shots?.value)
      .map((n) => ({ what: `exchange ${printShots(n)}`, schedule: { ...s, shots: { value: n } } })),
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
  experts,
  stage,
  warps('epilogue', [1, 2, 3, 4]),
  join,
  exchange,
  prefetch,
]
