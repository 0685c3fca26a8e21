/**
 * Schedules as data: how the work of an engine is laid out over the warps of an SM, and how each phase is cut up.
 *
 * Vocabulary: a *role* is a number of warps that run one program; the *ring* hands weight pages from the load role to
 * the compute role; a *phase* is named by the graph's anchors; a *fusion* says which small ops join which phases.
 * What is left out is for the compiler to choose. Everything else (barriers, counters, page order) is derived.
 * Invariants: a role, a phase or a setting occurs once; every part that an author wrote carries its span; spans take no
 * part in equality or printing.
 */
import { z } from 'zod'
import type { Span } from './span.ts'

export const roleNames = ['load', 'compute', 'epilogue', 'communicate'] as const
export type RoleName = (typeof roleNames)[number]

/** A value and where it was written. */
export interface Located<T> {
  readonly value: T
  readonly span?: Span
}

export interface RoleSchedule {
  readonly name: RoleName
  readonly warps: number
  /** Registers a thread; the compiler's choice when left out. */
  readonly registers?: number
  readonly span?: Span
}

export interface Ring {
  readonly name: string
  readonly depth: number
  readonly pageBytes: number
  readonly span?: Span
}

export interface Split {
  /** `k`: parts of the contraction; `rows`: tiles of different rows side by side. */
  readonly by: 'k' | 'rows'
  readonly parts: number
}

export interface PhaseSchedule {
  readonly name: string
  readonly span?: Span
  /** Output rows of a tile. */
  readonly tile?: Located<number>
  readonly split?: Located<Split>
  /** Experts that one ring page holds. */
  readonly group?: Located<number>
  /** Keys of one span of attention. */
  readonly keys?: Located<number>
  /** flat: one range over all active experts' tiles, dealt out over the SMs; there is no other yet. */
  readonly balance?: Located<'flat'>
  /** chunk: of its input, an SM stages the part of k that its tile takes before it multiplies, and all of it, for a later phase, behind that. */
  readonly stage?: Located<'chunk'>
}

export interface Fusion {
  readonly what: readonly Located<string>[]
  readonly into: readonly Located<string>[]
}

export interface Prefetch {
  /** The phase during which the memory is idle. */
  readonly phase: Located<string>
  readonly what: Located<string>
  readonly into: 'l2'
  readonly span?: Span
}

/** `exact`: in fixed point, so that a sum does not depend on how many ranks it is cut over (docs/engine.md 5). */
export const exchangeTypes = ['f32', 'bf16', 'exact'] as const
export type ExchangeType = (typeof exchangeTypes)[number]

/**
 * How a sum over ranks travels. One shot: every rank sends its part of a tile to every rank, and each adds. Two shots: every
 * rank sends its part to the one that owns the tile, which adds and sends the sum to all. The bits are the same.
 */
export const exchangeShots = [1, 2] as const
export type Shots = (typeof exchangeShots)[number]

export interface Schedule {
  readonly kind: 'schedule'
  readonly roles: readonly RoleSchedule[]
  readonly ring?: Ring
  readonly joinDepth?: Located<number>
  /** Of the active experts so many eighths, in whole groups, are handed from one routed product to the next before the others are multiplied. */
  readonly earlyEighths?: Located<number>
  readonly phases: readonly PhaseSchedule[]
  readonly fusions: readonly Fusion[]
  /** What partial sums travel as between ranks. */
  readonly exchangeAs?: Located<ExchangeType>
  /** In how many shots every sum over ranks travels; for each the compiler's choice when left out. */
  readonly shots?: Located<Shots>
  readonly prefetches: readonly Prefetch[]
  /** Streaming multiprocessors; the device's own number when left out. */
  readonly sms?: Located<number>
}

const located = <T extends z.ZodType>(value: T) => z.strictObject({ value })
const name = located(z.string())
const count = z.int().nonnegative()

/** A schedule from a JSON file, e.g. what a tuner wrote. */
export const scheduleJson = z.strictObject({
  kind: z.literal('schedule'),
  roles: z.array(z.strictObject({ name: z.enum(roleNames), warps: count, registers: count.exactOptional() })),
  ring: z.strictObject({ name: z.string(), depth: count, pageBytes: count }).exactOptional(),
  joinDepth: located(count).exactOptional(),
  earlyEighths: located(count).exactOptional(),
  phases: z.array(
    z.strictObject({
      name: z.string(),
      tile: located(count).exactOptional(),
      split: located(z.strictObject({ by: z.enum(['k', 'rows']), parts: count })).exactOptional(),
      group: located(count).exactOptional(),
      keys: located(count).exactOptional(),
      balance: located(z.literal('flat')).exactOptional(),
      stage: located(z.literal('chunk')).exactOptional(),
    }),
  ),
  fusions: z.array(z.strictObject({ what: z.array(name), into: z.array(name) })),
  exchangeAs: located(z.enum(exchangeTypes)).exactOptional(),
  shots: located(z.literal(exchangeShots)).exactOptional(),
  prefetches: z.array(z.strictObject({ phase: name, what: name, into: z.literal('l2') })),
  sms: located(count).exactOptional(),
}) satisfies z.ZodType<Schedule>

/** The same schedule without spans: what is compared, hashed and written as JSON. */
export function withoutSpans(schedule: Schedule): Schedule {
  return JSON.parse(JSON.stringify(schedule, (key, value) => (key === 'span' ? undefined : value)))
}

/** Canonical text: `readSchedule` of it gives an equal schedule. */
export function printSchedule(s: Schedule): string {
  const lines: string[] = []
  for (const r of s.roles) {
    const registers = r.registers === undefined ? '' : ` regs ${r.registers}`
    lines.push(`role ${r.name} ${r.warps} ${r.warps === 1 ? 'warp' : 'warps'}${registers}`)
  }
  if (s.ring) lines.push(`ring ${s.ring.name} ${s.ring.depth} x ${printBytes(s.ring.pageBytes)}`)
  if (s.joinDepth) lines.push(`join depth ${s.joinDepth.value}`)
  if (s.earlyEighths) lines.push(`experts ${s.earlyEighths.value} eighths first`)
  for (const p of s.phases) lines.push(printPhase(p))
  for (const f of s.fusions) lines.push(`fuse ${printNames(f.what)} -> ${printNames(f.into)}`)
  const exchange = [s.exchangeAs && `as ${s.exchangeAs.value}`, s.shots && printShots(s.shots.value)]
  if (exchange.some((t) => t)) lines.push(['exchange', ...exchange.filter((t) => t)].join(' '))
  for (const p of s.prefetches) lines.push(`while ${p.phase.value} prefetch ${p.what.value} into ${p.into}`)
  if (s.sms) lines.push(`sms ${s.sms.value}`)
  return `${lines.join('\n')}\n`
}

function printPhase(p: PhaseSchedule): string {
  const settings = [
    p.tile && `tile ${p.tile.value} rows`,
    p.split && `split ${p.split.value.by} ${p.split.value.parts}`,
    p.group && `group ${p.group.value} experts`,
    p.keys && `span ${p.keys.value} keys`,
    p.balance && `balance ${p.balance.value}`,
    p.stage && `stage by ${p.stage.value}`,
  ].filter((t) => t !== undefined)
  return settings.length === 0 ? `phase ${p.name} {}` : `phase ${p.name} { ${settings.join(', ')} }`
}
export const printShots = (shots: Shots): string => (shots === 1 ? 'in one shot' : 'in two shots')
const printNames = (names: readonly Located<string>[]): string => names.map((n) => n.value).join(', ')
const printBytes = (bytes: number): string => (bytes % 1024 === 0 && bytes > 0 ? `${bytes / 1024} KiB` : `${bytes} B`)
