/**
 * guard-table: when the route table of an SM may be written again.
 *
 * The compute role reads the table itself, the epilogue's part is done before its phase is signalled. What is left is the
 * load role, which reads how many experts are active before it knows whether this SM has anything to do: where it has, the
 * pages that it hands over tell compute that the table has been read; where it may not have, it says so by a local counter
 * (`table`), and routing waits for it.
 */
import type { ProductPhase, Segment } from '../tile/ir.ts'

/**
 * Phases after which load is done with a table and must say so: the last routed one before the next routing.
 * `handsOver`: whether load hands a page over on every SM in the phase, whatever the data decides.
 */
export function tableGuards(segments: readonly Segment[], handsOver: (p: ProductPhase) => boolean): Set<ProductPhase> {
  const guards = new Set<ProductPhase>()
  for (const { phases } of segments) {
    let last: ProductPhase | undefined
    let silent = false
    for (const phase of [...phases, undefined]) {
      if (phase === undefined || phase.kind === 'route') {
        if (last && silent) guards.add(last)
        last = undefined
        silent = false
      } else if (phase.kind === 'product' && phase.routed) {
        last = phase
        silent = !handsOver(phase)
      }
    }
  }
  return guards
}
