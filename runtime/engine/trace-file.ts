/**
 * The file that a traced engine writes when it ends (codegen/device/common/trace.h and traces.h): when each role of each SM
 * ran each phase of the last rounds, and what it waited for.
 *
 * Vocabulary: a *slot* is one of the rounds that are kept, overwritten in turn, so what a slot holds of programs that its
 * last round did not run is of an older one and not shown. Times are nanoseconds of one clock.
 * Invariant: rounds come in the order of time; the oldest is left out, because nothing says where it began.
 */
import { type Plan, type RoleName, roleNames } from '../../compiler/plan/ir.ts'

export interface TraceEvent {
  readonly begin: number
  readonly end: number
  /** Experts that were active when it ended. */
  readonly active: number
  /** When the last counter was seen, the input staged, the first page there; undefined where that did not happen. */
  readonly ready: number | undefined
  readonly staged: number | undefined
  readonly page: number | undefined
}

export interface TraceWait {
  readonly begin: number
  readonly end: number
  readonly site: number
}

export interface TraceRound {
  readonly slot: number
  /** Indices of the plan's entries that the round ran. */
  readonly entries: readonly number[]
  readonly begin: number
}

const SLOTS = 16
const EVENT = 32
const WAIT = 16
const WAITS = 16384

export class TraceFile {
  readonly rounds: readonly TraceRound[]
  private readonly phases: number
  private readonly eventBytes: number

  constructor(
    private readonly bytes: Buffer,
    private readonly plan: Plan,
  ) {
    this.phases = Math.max(...plan.segments.map((s) => s.phases.length))
    this.eventBytes = EVENT * SLOTS * plan.entries.length * this.phases * roleNames.length * plan.sms
    this.rounds = this.findRounds()
  }

  event(slot: number, entry: number, phase: number, role: RoleName, sm: number): TraceEvent | undefined {
    const { entries, sms } = this.plan
    const place = ((slot * entries.length + entry) * this.phases + phase) * roleNames.length + roleNames.indexOf(role)
    const at = (place * sms + sm) * EVENT
    const begin = Number(this.bytes.readBigUInt64LE(at))
    if (begin === 0) return undefined
    const [duration, active, ...marks] = [8, 12, 16, 20, 24].map((field) => this.bytes.readUInt32LE(at + field))
    const [ready, staged, page] = marks.map((m) => (m > 0 ? begin + m : undefined))
    return { begin, end: begin + duration!, active: active!, ready, staged, page }
  }

  /** Waits of a role's first warp in order; empty where the engine was not asked for them. */
  waits(role: RoleName, sm: number): TraceWait[] {
    const first = this.eventBytes + (roleNames.indexOf(role) * this.plan.sms + sm) * WAITS * WAIT
    if (first + WAITS * WAIT > this.bytes.length) return []
    const waits: TraceWait[] = []
    for (let at = first; at < first + WAITS * WAIT; at += WAIT) {
      const begin = Number(this.bytes.readBigUInt64LE(at))
      if (begin === 0) break
      waits.push({ begin, end: begin + this.bytes.readUInt32LE(at + 8), site: this.bytes.readUInt16LE(at + 12) })
    }
    return waits.sort((a, b) => a.begin - b.begin)
  }

  private findRounds(): TraceRound[] {
    // A round begins when the last phase of the one before has begun long since: by begins, rounds do not overlap on an SM.
    const slots = Array.from({ length: SLOTS }, (_, slot) => ({ slot, begins: this.begins(slot) }))
      .filter(({ begins }) => begins.size > 0)
      .map(({ slot, begins }) => ({ slot, begins, last: Math.max(...[...begins.values()].map((b) => b.last)) }))
      .sort((a, b) => a.last - b.last)
    return slots.slice(1).map(({ slot, begins }, i) => {
      const before = slots[i]!.last
      const current = [...begins].filter(([, b]) => b.first > before)
      return {
        slot,
        entries: current.map(([entry]) => entry).sort((a, b) => a - b),
        begin: Math.min(...current.map(([, b]) => b.first)),
      }
    })
  }

  /** First and last begin of each entry on SM 0. */
  private begins(slot: number): Map<number, { first: number; last: number }> {
    const found = new Map<number, { first: number; last: number }>()
    this.plan.entries.forEach((entry, e) => {
      this.plan.segments[entry.segment]!.phases.forEach((_, p) => {
        for (const role of roleNames) {
          const event = this.event(slot, e, p, role, 0)
          if (!event) continue
          const { first, last } = found.get(e) ?? { first: event.begin, last: event.begin }
          found.set(e, { first: Math.min(first, event.begin), last: Math.max(last, event.begin) })
        }
      })
    })
    return found
  }
}
