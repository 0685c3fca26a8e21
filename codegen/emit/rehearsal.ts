/**
 * Rehearsal: an SM that has no tile of the phase that stages an input goes once through the code of the routed product that uses that
 * input later, while the other SMs multiply and routing is waited for. Without it the first page of the product took 3.6 us where later ones
 * take 1.3, and 1.4 us of that were instructions that had not come (docs/ladder.md 3): probably because all SMs ask for weights at
 * once when routing is done, and code that is in no cache near them stands in line behind. That SMs side by side share such a cache is
 * inferred from what a rehearsal brought.
 *
 * Vocabulary: `kept` phases share what is staged (source.ts has their group: who keeps it, what lies between, who uses it).
 * Invariants: a rehearsal multiplies what lies in the ring and throws the sum away: it waits for nothing, signals nothing, and stores nothing. On
 * the host nobody rehearses (device/API.md).
 */
import { type Loop, type PhasePlan, productIn, type RoleName, type Step } from '../../compiler/plan/ir.ts'
import { exact } from './step-rules.ts'

/** `phase` is rehearsed on SMs that have nothing of the `tiles` of the phase that keeps. */
export interface Rehearsal {
  readonly phase: PhasePlan
  readonly tiles: number
}

/** Of a group of phases that share what a role has staged. Without a phase between them there is no time to rehearse. */
export function rehearsalOf(group: readonly PhasePlan[], role: RoleName): Rehearsal | undefined {
  if (group.length < 3) return undefined
  const [first, phase] = [group[0]!, group.at(-1)!]
  const keeps = loopsOf(first.roles[role])[0]?.domain
  const uses = loopsOf(phase.roles[role])
  const product = productIn(phase.roles[role])
  if (keeps?.kind !== 'share' || uses.length !== 1 || !product || exact(product)) return undefined
  return uses[0]!.domain.kind === 'activeShare' ? { phase, tiles: keeps.count } : undefined
}

/** Loops with something to do of their own: not those over halves with nothing between them. */
const loopsOf = (steps: readonly Step[]): Loop[] =>
  steps.flatMap((s) =>
    s.kind !== 'loop' ? [] : s.domain.kind === 'halves' ? loopsOf(s.body) : [s, ...loopsOf(s.body)],
  )
