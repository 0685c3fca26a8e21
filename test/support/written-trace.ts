/** A trace as a traced engine writes it (codegen/device/common/trace.h), made by hand: phase after phase takes 10 us. */
import { type Plan, type RoleName, roleNames } from '../../compiler/plan/ir.ts'

export const PHASE = 10_000

/** Of a role's event on an SM: how long it lasts, and its marks, in nanoseconds since the phase began. */
export interface WrittenEvent {
  readonly lasts: number
  readonly marks?: readonly [ready: number, staged: number, page: number]
}

/** Rounds of a plan, each event as `of` says. Five experts are active throughout. */
export function writtenTrace(plan: Plan, rounds: number, of: (role: RoleName, sm: number) => WrittenEvent): Buffer {
  const phases = Math.max(...plan.segments.map((s) => s.phases.length))
  const bytes = Buffer.alloc(32 * 16 * plan.entries.length * phases * 4 * plan.sms)
  let now = 1_000_000
  for (let round = 0; round < rounds; round++) {
    plan.entries.forEach((entry, e) => {
      plan.segments[entry.segment]!.phases.forEach((phase, p) => {
        roleNames.forEach((role, r) => {
          if (phase.roles[role].length === 0) return
          for (let sm = 0; sm < plan.sms; sm++) {
            const at = (((((round % 16) * plan.entries.length + e) * phases + p) * 4 + r) * plan.sms + sm) * 32
            const { lasts, marks = [0, 0, 0] } = of(role, sm)
            bytes.writeBigUInt64LE(BigInt(now), at)
            for (const [i, word] of [lasts, 5, ...marks].entries()) bytes.writeUInt32LE(word, at + 8 + 4 * i)
          }
        })
        now += PHASE
      })
    })
  }
  return bytes
}
