/**
 * Bytes that a phase streams from memory in one execution: what no schedule can avoid, and what floors are made of.
 *
 * Vocabulary: *rows* are the token rows of a block, *context* the position of the first of them, *active* the experts that
 * at least one row goes to; where nobody counted them, routing is taken as uniform and independent.
 * Invariant: bytes are of one rank and include padding, as they are streamed: weights of the phase's pages, and whole spans of
 * the caches that the rows can see.
 */
import { keySpanBytes, SPAN, valueSpanBytes } from '../tile/forms.ts'
import type { Phase } from '../tile/ir.ts'
import type { PhasePlan } from './ir.ts'

export interface Load {
  readonly rows: number
  readonly context: number
  readonly active?: number | undefined
}

export const phaseBytes = (plan: PhasePlan, phase: Phase, topK: number, load: Load): number =>
  plan.weightBytes * activeShare(phase, topK, load) + cacheBytes(phase, load)

/** Experts that uniform routing meets. */
export const expectedActive = (experts: number, topK: number, rows: number): number =>
  experts * (1 - (1 - topK / experts) ** rows)

/** Whether a phase's bytes depend on the routing, and on how many experts it has. */
export const expertsOf = (phase: Phase): number | undefined =>
  phase.kind === 'product' && phase.routed ? phase.experts : undefined

/** The part of a phase's weights that the rows touch. */
function activeShare(phase: Phase, topK: number, { rows, active }: Load): number {
  const experts = expertsOf(phase)
  return experts === undefined ? 1 : (active ?? expectedActive(experts, topK, rows)) / experts
}

const cacheBytes = (phase: Phase, load: Load): number =>
  'keys' in phase
    ? phase.kv * visibleSpans(phase.window, load) * (keySpanBytes(phase.keyDim) + valueSpanBytes(phase.valueDim))
    : 0

/** Spans between the first key that the first row sees and the last row. */
function visibleSpans(window: number | undefined, { rows, context }: Load): number {
  const first = window === undefined ? 0 : Math.max(0, context - window + 1)
  return Math.floor((context + rows - 1) / SPAN) - Math.floor(first / SPAN) + 1
}
