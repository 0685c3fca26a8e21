/**
 * A static cost model: what one execution of a phase takes on an H200, from the plan alone.
 *
 * How: before it can work, a phase has seen its input's signal and staged the input; meanwhile the load role fills the ring, so
 * that much of its bytes are there already. Then it streams or multiplies, whichever takes longer, at the pace of the SM that has most to do; then
 * it finishes and signals, and where ranks exchange, packets travel.
 * Vocabulary: *exposed* is the time in which nothing is multiplied: signal, staging, the end.
 * Invariants: pure; machine constants live in hopper-costs.ts; a kind of phase carries its own rule in the table below.
 */

import { attendTasks, chunkSpans, mTilesOf, ROWS, SPAN, TILE_ROWS, UNIT_K } from '../tile/forms.ts'
import type { Phase, PhaseKind, ProductPhase } from '../tile/ir.ts'
import { hopBytes } from './choose-shots.ts'
import * as h200 from './hopper-costs.ts'
import { type PhasePlan, type Plan, type ProductPlan, productIn } from './ir.ts'
import { expectedActive, expertsOf, type Load, phaseBytes } from './phase-bytes.ts'

export interface Prediction {
  readonly us: number
  /** Of it: bytes at the rate of memory, multiplication, and time in which nothing is multiplied. */
  readonly streamUs: number
  readonly multiplyUs: number
  readonly exposedUs: number
}

interface Situation {
  readonly plan: Plan
  readonly phase: PhasePlan
  readonly load: Load
  /** Bytes over the rate of memory. */
  readonly streamUs: number
}

type Rule<K extends PhaseKind> = (phase: Extract<Phase, { kind: K }>, s: Situation) => Prediction

/** `bytesPerUs`: what memory delivers, where it was measured. */
export function predictPhase(
  plan: Plan,
  phase: PhasePlan,
  tile: Phase,
  load: Load,
  bytesPerUs = h200.streamBytesPerUs,
): Prediction {
  const streamUs = phaseBytes(phase, tile, plan.route.topK, load) / bytesPerUs
  return (rules[tile.kind] as Rule<PhaseKind>)(tile, { plan, phase, load, streamUs })
}

const fixed = (us: number): Prediction => ({ us, streamUs: 0, multiplyUs: 0, exposedUs: us })

const product: Rule<'product'> = (tile, { plan, phase, load, streamUs }) => {
  const p = productIn(phase.roles.compute)
  if (!p) return fixed(h200.handoverUs)
  const active =
    expertsOf(tile) === undefined ? 1 : (load.active ?? expectedActive(tile.experts!, tile.topK, load.rows))
  const most = imbalance(p, plan.sms, active)
  const weights = p.geometry.units * UNIT_K * TILE_ROWS * p.geometry.tiles * active
  const multiplyUs = (weights / (plan.sms * h200.weightsPerClock * h200.clocksPerUs)) * most
  const staged = phase.roles.compute.some((s) => s.kind === 'stage' && s.kept?.role === 'reuse')
    ? 0
    : stagedBytes(p, load)
  const before = h200.handoverUs + staged / h200.stageBytesPerUs
  const after = h200.finishUs + exchangedUs(p, tile, plan)
  const ringUs = (plan.ring.depth * plan.ring.pageBytes * plan.sms) / h200.streamBytesPerUs
  const work = Math.max(multiplyUs, streamUs * most - Math.min(before, ringUs))
  return { us: before + work + after, streamUs, multiplyUs, exposedUs: before + after }
}

/** What travels between ranks: tiles of a sum, or logits. */
function exchangedUs(p: ProductPlan, tile: ProductPhase, plan: Plan): number {
  if (!p.exchange) return gathers(tile, plan) ? h200.gatherUs(plan.ranks) : 0
  return h200.exchangeUs(plan.ranks, p.exchange, hopBytes(p.geometry.tiles, plan.exchangeAs))
}

/** Logits of all ranks meet on rank 0. */
const gathers = (tile: ProductPhase, plan: Plan): boolean =>
  plan.ranks > 1 && tile.writes.some((w) => w.includes('.logits'))

/** Work of the SM that has most, over the mean. */
function imbalance({ geometry: g, routed }: ProductPlan, sms: number, active: number): number {
  const units = routed === 'down' ? g.tiles : (g.pages / g.pagesPerTile) * g.chunks * (routed === 'up' ? active : 1)
  return (Math.ceil(units / sms) * sms) / units
}

/** What every SM reads of the input before it multiplies, unless an earlier phase has left it staged. */
function stagedBytes(p: ProductPlan, load: Load): number {
  const k = (p.geometry.units * UNIT_K) / (p.byChunk ? p.geometry.chunks : 1)
  return p.routed === 'down' ? load.rows * (p.input?.topK ?? 1) * k * 2 : ROWS * k * 2
}

const attend: Rule<'attend'> = (tile, { plan, load, streamUs }) => {
  const first = tile.window === undefined ? 0 : Math.max(0, load.context - tile.window + 1)
  const spans = Math.floor((load.context + load.rows - 1) / SPAN) - Math.floor(first / SPAN) + 1
  const chunk = chunkSpans(tile.window, plan.ctx)
  const { warps } = plan.roles.find((r) => r.name === 'compute')!
  const shape = { kv: tile.kv, mTiles: mTilesOf(tile.group) }
  const tasks = attendTasks(shape, Math.ceil(spans / chunk), warps, plan.sms)
  const turns = Math.ceil(tasks / plan.sms) * Math.min(spans, chunk)
  const multiplyUs = h200.attendColdUs + (turns - 1) * h200.attendAgainUs
  const exposedUs = 2 * h200.handoverUs + h200.finishUs
  return { us: exposedUs + Math.max(multiplyUs, streamUs), streamUs, multiplyUs, exposedUs }
}

const near: Rule<'near'> = (_tile, { streamUs }) => {
  const exposedUs = h200.handoverUs + h200.finishUs
  return { us: exposedUs + Math.max(h200.nearUs, streamUs), streamUs, multiplyUs: h200.nearUs, exposedUs }
}

const rules: { readonly [K in PhaseKind]: Rule<K> } = {
  product,
  attend,
  embed: () => fixed(h200.handoverUs + h200.pointwiseUs),
  near,
  merge: () => fixed(h200.handoverUs + h200.mergeUs),
  route: () => fixed(h200.handoverUs + h200.routeUs),
  normed: () => fixed(h200.handoverUs + h200.pointwiseUs),
  pointwise: () => fixed(h200.handoverUs + h200.pointwiseUs),
  firsts: () => fixed(h200.handoverUs + h200.firstsUs),
  // Of a program that only remembers, a wait is all there is.
  sample: (tile) => fixed(h200.handoverUs + (tile.firsts === undefined ? 0 : h200.sampleUs)),
}
