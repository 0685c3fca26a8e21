/**
 * Shares: how many turns each loop takes on each SM, for one choice of the data (how many experts are active, how many
 * spans are visible), and which SMs are alike.
 *
 * Vocabulary
 *   valuation  what the data decides for one entry of one round; the same on every SM, because every SM routes for itself
 *   turns      executions of a loop body on one SM
 *   cut        turns beyond `most` are left out of an unrolled loop: once a producer has been stopped by a full channel and
 *              let go again, more turns repeat that state. A bounded channel of depth d shows all its states in d + 2 turns.
 *   class      SMs that take equally many (cut) turns in every loop run the same program
 * Invariants: a round has at least one row and a row at least one expert, so `active` and `spans` are at least 1.
 */
import type { Domain, Loop, Plan, ProductPlan, Step } from '../plan/ir.ts'
import { firstHalf, productIn, roleNames } from '../plan/ir.ts'
import { attendTasks, mostChunks } from '../tile/forms.ts'

export interface Valuation {
  readonly active: number
  /** Share of the visible spans that there can be, above 0 and at most 1. */
  readonly spans: number
}

/** Where the part of SM `sm` of a range dealt out evenly begins: the device's share_of. */
export const shareFrom = (count: number, sm: number, sms: number): number => Math.floor((count * sm) / sms)
/** Turns of that part. */
export const shareOf = (count: number, sm: number, sms: number): number =>
  shareFrom(count, sm + 1, sms) - shareFrom(count, sm, sms)

type ChunkShare = Extract<Domain, { kind: 'chunkShare' }>
/** Tasks of an attention over so many chunks. */
export const chunkTasks = (d: ChunkShare, chunks: number, plan: Plan): number =>
  attendTasks(d, chunks, plan.roles.find((r) => r.name === 'compute')!.warps, plan.sms)
/** Most chunks that rows can see at once. */
export const chunksOf = (d: ChunkShare, plan: Plan): number => mostChunks(d.window, plan.ctx)

export interface SmView {
  readonly plan: Plan
  readonly sm: number
  readonly valuation: Valuation
  /** Most turns that an unrolled loop takes; Infinity for all of them. */
  readonly most: number
  /** Which half a loop over halves is at. */
  readonly half?: 0 | 1
}
export const bothHalves = [0, 1] as const

/** Turns of a loop on an SM, cut. */
export function turnsOf(loop: Loop, view: SmView): number {
  const rule = turns[loop.domain.kind] as (d: Domain, view: SmView, loop: Loop) => number
  const all = rule(loop.domain, view, loop)
  return Math.min(all, loop.domain.kind === 'range' ? Math.min(2, view.most) : view.most)
}

type TurnRules = { [K in Domain['kind']]: (d: Extract<Domain, { kind: K }>, view: SmView, loop: Loop) => number }
const turns: TurnRules = {
  share: (d, v) => shareOf(d.count, v.sm, v.plan.sms),
  // As many as there are tiles: which of them a rank owns, it alone says (program.ts).
  owned: (d, v) => shareOf(d.count, v.sm, v.plan.sms),
  halves: () => bothHalves.length,
  activeShare: (d, v) => {
    const [begin, end] = expertsOf(d.experts, v)
    return dealtTo(v.sm, end * d.count, v.plan.sms) - dealtTo(v.sm, begin * d.count, v.plan.sms)
  },
  activeGroups: (d, v, loop) => {
    const product = productIn(loop.body)
    const own = product ? ownTiles(product, v) : 1
    const [begin, end] = expertsOf(d.experts, v)
    return own === 0 ? 0 : Math.ceil((end - begin) / d.size)
  },
  chunkShare: (d, v) => {
    const chunks = Math.max(1, Math.round(chunksOf(d, v.plan) * v.valuation.spans))
    return shareOf(chunkTasks(d, chunks, v.plan), v.sm, v.plan.sms)
  },
  // The last chunk that is visible may have fewer, for load and compute alike.
  chunk: (d) => d.spans,
  range: (d) => d.count,
}

/** Of the first `count` units, dealt out in turn, those that come to an SM. */
export const dealtTo = (sm: number, count: number, sms: number): number => Math.max(0, Math.ceil((count - sm) / sms))

/** First and last but one of the active experts of the half, of `experts` that there are. */
function expertsOf(experts: number, { plan, valuation, half }: SmView): readonly [number, number] {
  const active = Math.min(valuation.active, experts)
  const early = firstHalf(active, plan.route)
  return half === 0 ? [0, early] : [early, active]
}

/** Tiles of a product's output that an SM owns. */
export const ownTiles = (product: ProductPlan, v: SmView): number => shareOf(product.geometry.tiles, v.sm, v.plan.sms)

/** Which compute warps of an SM gather logits, a bit each. */
function gathering(count: number, { plan, sm }: SmView): number {
  const { warps } = plan.roles.find((r) => r.name === 'compute')!
  let bits = 0
  for (let warp = 0; warp < warps; warp++)
    if (shareOf(count, sm * warps + warp, plan.sms * warps) > 0) bits += 2 ** warp
  return bits
}

/** Every loop of the plan, every product whose tiles SMs own, and every share that is signalled. */
function shapes(plan: Plan): ((view: SmView) => number)[] {
  const found = new Map<string, (view: SmView) => number>()
  const visit = (steps: readonly Step[]): void => {
    for (const s of steps) {
      if (s.kind === 'loop') {
        const tiles = productIn(s.body)?.geometry.tiles ?? 0
        const key = `${JSON.stringify(s.domain)} ${s.domain.kind === 'activeGroups' ? tiles : ''}`
        for (const half of bothHalves) found.set(`${key} ${half}`, (v) => turnsOf(s, { ...v, half }))
        visit(s.body)
      } else if (s.kind === 'signal' && typeof s.of === 'number') {
        const { of } = s
        found.set(`signal ${of}`, (v) => Math.min(1, shareOf(of, v.sm, v.plan.sms)))
      } else if (s.kind === 'finish' && s.from === 'slots') {
        found.set(`own ${s.product.geometry.tiles}`, (v) => Math.min(ownTiles(s.product, v), v.most))
      } else if (s.kind === 'gatherLogits') {
        const count = plan.ranks * s.product.geometry.tiles
        found.set(`gather ${count}`, (v) => gathering(count, v))
      }
    }
  }
  for (const segment of plan.segments) for (const p of segment.phases) for (const r of roleNames) visit(p.roles[r])
  return [...found.values()]
}

/** An SM that stands for its class. */
export interface Representative {
  readonly sm: number
  /** The first SM of the class: its program is everybody's. */
  readonly like: number
}

/**
 * SM 0, which also relays the control of rounds, and `each` SMs of every class: any two SMs of the plan are then
 * mirrored by two representatives.
 */
export function representatives(
  plan: Plan,
  valuations: readonly Valuation[],
  most: number,
  each: number,
): Representative[] {
  const rules = shapes(plan)
  const classes = new Map<string, number[]>()
  for (let sm = 1; sm < plan.sms; sm++) {
    const key = valuations.map((valuation) => rules.map((r) => r({ plan, sm, valuation, most })).join()).join(';')
    const known = classes.get(key)
    if (known) known.push(sm)
    else classes.set(key, [sm])
  }
  const chosen = [...classes.values()].flatMap((sms) => sms.slice(0, each).map((sm) => ({ sm, like: sms[0]! })))
  return [{ sm: 0, like: 0 }, ...chosen]
}
