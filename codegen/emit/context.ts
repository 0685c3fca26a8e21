/**
 * What emitters know: the plan, the names that the source uses for its numbers, and the page that a ring slot receives.
 *
 * Vocabulary: `C_x` a counter's number, `R_x` a region's (a buffer's), `B_x` a buffer's byte offset. Names are the plan's
 * with everything but letters and digits turned into underscores.
 */
import { InternalError } from '../../compiler/diagnostics/diagnostic.ts'
import type { PlacedBuffer, Plan } from '../../compiler/plan/ir.ts'
import { isFixed } from '../../compiler/plan/place-caches.ts'
import type { Writer } from './writer.ts'

export const identifier = (name: string): string => name.replace(/[^A-Za-z0-9]+/g, '_')

export class EmitContext {
  /** Bytes that the copies since the last commit announced. */
  copied = ''
  /** In a phase that has a rehearsal: the function's `rehearsal` tells whether this is it. */
  rehearsed = false
  /** The role has found the active experts by itself (`findActive`), and has them from there, not from the table. */
  found = false
  constructor(
    readonly plan: Plan,
    readonly out: Writer,
  ) {}
  warps(role: string): number {
    return this.plan.roles.find((r) => r.name === role)!.warps
  }
  buffer(name: string): PlacedBuffer {
    const found = this.plan.buffers.find((b) => b.name === name)
    if (!found) throw new InternalError(`the plan has no buffer '${name}'`)
    return found
  }
  counter(name: string): string {
    return `C_${identifier(name)}`
  }
  offset(buffer: string): string {
    return `B_${identifier(buffer)}`
  }
  /** The address of a cache. */
  cache(buffer: string): string {
    return `w.kv(${isFixed(this.buffer(buffer)) ? '' : 'at.kv + '}${this.offset(buffer)})`
  }
  region(buffer: string): string {
    return `R_${identifier(buffer)}`
  }
  /** What of a buffer belongs to the first half of the experts, where that is handed over by itself. */
  earlyRegion(buffer: string): string {
    return `R_${identifier(`${buffer}.early`)}`
  }
}
