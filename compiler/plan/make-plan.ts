/**
 * make-plan: lowers every phase, and places what the engine keeps: weights, caches, buffers, and the areas between them.
 *
 * Vocabulary: see ir.ts. The image of an entry holds, in order of use, the params of its phases (place-image.ts); entries of
 * one segment have equal images. What is counted is count-runs.ts.
 */
import type { Shots } from '../../dsl/schedule-ir.ts'
import { formBytes, queryBytes, ROWS, TILE_ROWS } from '../tile/forms.ts'
import type { Form, Phase, PhaseProgram, ProductPhase } from '../tile/ir.ts'
import { nearSums } from '../tile/near-attention.ts'
import { partBytes, sumBytes } from './choose-shots.ts'
import { countTallies, placeEntries } from './count-runs.ts'
import { counterOf, deriveWaits } from './derive-waits.ts'
import { joinPlaces, slotsBytes } from './exact.ts'
import { tableGuards } from './guard-table.ts'
import { bringsRows, halvedExperts } from './halve-experts.ts'
import { handTiles, tilesBy } from './hand-tiles.ts'
import type { PhasePlan, PlacedBuffer, Plan, ProductPlan, SegmentPlan } from './ir.ts'
import { lowerPhase } from './lower-phases.ts'
import { Sites } from './lower-steps.ts'
import { type CachePart, placeCaches, segmentCaches } from './place-caches.ts'
import { placeImage, type SharedParams } from './place-image.ts'
import { placePrefetches } from './place-prefetches.ts'
import { keptInputs, normWeights, sharedInput } from './plan-product.ts'
import { type PlanContext, roleOf } from './schedule.ts'
import { roomForQueries, sharedMemory } from './shared-memory.ts'
import { scaledByRouting, stageByChunk } from './stage-by-chunk.ts'

const align = (n: number, to: number): number => Math.ceil(n / to) * to
/** Counters lie this many bytes apart; the device headers say the same. */
const COUNTER_STRIDE = 128

export function makePlan(program: PhaseProgram, ctx: PlanContext): Plan {
  const { schedule } = ctx
  const waits = deriveWaits(program)
  const awaited = new Set(waits.flat(2).map((w) => w.counter))
  const sites = new Sites()
  const guards = tableGuards(
    program.segments,
    (p) => p.routed === 'down' && Math.ceil(p.rows / TILE_ROWS) >= schedule.sms,
  )
  const halved = halvedExperts(program.segments)
  const shared: SharedParams = new Map()
  const images = program.segments.map((s, index) => placeImage(s, index, program, ctx, shared))
  ctx.session.throwIfFailed()
  const inputs = program.segments.map((segment, si) => {
    const kept = keptInputs(segment, images[si]!.products)
    return { kept, products: stageByChunk(segment, images[si]!.products, kept, ctx) }
  })
  const tilesOf = tilesBy(schedule, program.ranks)
  const tilesAt = (si: number, pi: number): number | undefined => {
    const { phases } = program.segments[si]!
    const phase = phases[pi]!
    const product = phase.kind === 'product' ? inputs[si]!.products.get(phase) : undefined
    return tilesOf(phase, product, routedNext(phases.slice(pi + 1)))
  }
  const tiles = handTiles(program, tilesAt)

  const segments = program.segments.map((segment, si): SegmentPlan => {
    const image = images[si]!
    let routes = 0
    let exchanges = 0
    let routedBefore = 0
    let loadFound = false
    const { kept, products } = inputs[si]!
    const bringing = halved.filter((h) => segment.phases.includes(h.up) && bringsRows(h, products, kept))
    const phases = segment.phases.map((phase, pi): PhasePlan => {
      if (phase.kind === 'route') routes++
      const takes = halved.find((h) => h.down === phase)
      const near = bringing.find((h) => h.up === phase || h.down === phase)
      const isRouted = phase.kind === 'product' && phase.routed !== undefined
      if (phase.kind === 'route') [routedBefore, loadFound] = [0, false]
      const counter = counterOf(program, si, pi)
      const plan = lowerPhase(phase, {
        segment: segment.name,
        schedule,
        ranks: program.ranks,
        positions: ctx.ctx,
        sites,
        counter,
        countedBefore: segment.phases.slice(0, pi).filter((_, i) => counterOf(program, si, i) === counter).length,
        givesHalves: halved.some((h) => h.up === phase),
        ...(near && { near: { of: products.get(near.down)!, after: bringing.indexOf(near) + 1 } }),
        ...(takes && { takesHalves: counterOf(program, si, segment.phases.indexOf(takes.up)) }),
        awaited: awaited.has(counter),
        ...(tiles.has(counter) && { tiles: tiles.get(counter)!, byTile: tilesAt(si, pi) !== undefined }),
        waits: waits[si]![pi]!,
        routedNext: routedNext(segment.phases.slice(pi + 1)),
        routesBefore: routes,
        ...(isRouted && { routedBefore }),
        loadFound,
        tableGuards: guards,
        guardsBefore: segment.phases.slice(0, pi).filter((p) => p.kind === 'product' && guards.has(p)).length,
        exchangesBefore: exchanges,
        halvesSoFar: segment.phases.slice(0, pi + 1).filter((p) => halved.some((h) => h.up === p)).length,
        product: (p) => products.get(p)!,
        ...scalesIn(phase, products),
        ...(kept.has(phase) && { kept: kept.get(phase)! }),
        plain: (param) => image.plain.get(param)!,
      })
      if (phase.kind === 'product' && products.get(phase)!.exchange) exchanges++
      if (isRouted) routedBefore++
      if (plan.roles.load.some((s) => s.kind === 'findActive')) loadFound = true
      return plan
    })
    return {
      name: segment.name,
      layers: segment.layers,
      phases,
      image: image.placements,
      imageBytes: image.bytes,
    }
  })

  const tallies = countTallies(program, segments, tiles)
  const caching = placeCaches(program, ctx.ctx)
  const { entries, imageBytes } = placeEntries(program, segments, tallies, caching.offsets)
  const prefetches = placePrefetches(schedule.prefetches, segments, entries)
  const routes = program.segments.flatMap((s) => s.phases).filter((p) => p.kind === 'route')
  const products = images.flatMap((i) => [...i.products.values()])
  const exchangeTiles = Math.max(1, mostTiles(products, 1), mostTiles(products, 2))
  const sample = program.segments.flatMap((s) => s.phases).find((p) => p.kind === 'sample')
  const logits = program.buffers.find((b) => b.form.kind === 'logits')
  const local = logits?.form.kind === 'logits' ? logits.form.local : 0
  const ranks = program.ranks
  const counters = tallies.filter((t) => t.scope === 'counter').length
  const computeWarps = roleOf(schedule, 'compute').warps
  const areas = placeAreas({
    // The round control has two counters of its own.
    counters: (counters + 2) * COUNTER_STRIDE,
    abort: 128,
    control: 2 * 384,
    controlInbox: 2 * 512,
    decode: 512,
    inbox: 2 * ranks * exchangeTiles * partBytes(schedule.exchangeAs),
    logitsInbox: ranks > 1 ? 2 * ranks * Math.ceil(local / TILE_ROWS) * partBytes('f32') : 0,
    sumsInbox: 2 * mostTiles(products, 2) * sumBytes,
    zeroed: 0,
    // Two lists of candidates a thread: its share of the vocabulary in fours, and a remainder.
    sampler: 16 * ((sample?.vocabulary ?? 0) + 5 * 32 * computeWarps),
    // What was seen of each token, and a row of logits with the penalties that follow.
    history: 8 * (sample?.vocabulary ?? 0),
    end: 0,
  })
  const first = areas.end
  const { buffers, end } = placeBuffers(program, products, caching.fixed, ctx.ctx, schedule.sms, align(first, 128))

  const phases = program.segments.flatMap((s) => s.phases)
  const nears = phases.filter((p) => p.kind === 'near')
  const attends = phases.filter((p) => p.kind === 'attend')
  const downs = products.filter((p) => p.routed === 'down')
  const topK = Math.max(1, ...routes.map((r) => r.topK))
  const slotTiles = Math.max(0, ...downs.map((p) => Math.ceil(p.geometry.tiles / schedule.sms)))
  const maxActive = Math.max(1, ...routes.map((r) => Math.min(r.experts, ROWS * r.topK)))
  const joinParts = Math.max(1, ...products.filter((p) => p.routed !== 'down').map((p) => joinPlaces(p.geometry)))
  const plan: Omit<Plan, 'sharedBytes'> = {
    name: program.name,
    programs: program.programs,
    ranks,
    sms: schedule.sms,
    ctx: ctx.ctx,
    roles: schedule.roles,
    ring: { depth: schedule.ring.depth, pageBytes: align(schedule.ring.pageBytes, 128) },
    join: {
      depth: schedule.joinDepth,
      parts: joinParts,
      squares: Math.max(0, ...products.filter((p) => p.norm?.scale).map((p) => joinPlaces(p.geometry))),
    },
    means: products.some((p) => p.norm && !p.norm.scale),
    slots: {
      tiles: slotTiles,
      bytes: Math.max(0, ...downs.map((p) => slotsBytes(p.geometry, Math.ceil(p.geometry.tiles / schedule.sms), topK))),
    },
    scratchBytes: Math.max(
      0,
      ...downs.map(sharedInput),
      ...products.map((p) => normWeights(p, computeWarps)),
      ...nears.map(nearSums),
    ),
    route: {
      experts: Math.max(1, ...routes.map((r) => r.experts)),
      maxActive,
      topK,
      earlyEighths: schedule.earlyEighths,
      group: downs.reduce((n, p) => leastCommonMultiple(n, p.paging!.experts), 1),
    },
    exchangeAs: schedule.exchangeAs,
    exchangeTiles,
    vocabulary: { whole: sample?.vocabulary ?? 0, local },
    buffers,
    tallies,
    sites: sites.names,
    segments,
    entries,
    prefetches,
    areas,
    workspaceBytes: end,
    imageBytes,
    kvBytes: caching.bytes,
  }
  const queries = Math.max(0, ...attends.map((a) => queryBytes(a.group, a.keyDim, computeWarps)))
  const roomy = { ...plan, scratchBytes: plan.scratchBytes + roomForQueries(plan, queries) }
  return { ...roomy, sharedBytes: sharedMemory(roomy).total }
}

function scalesIn(phase: Phase, products: ReadonlyMap<ProductPhase, ProductPlan>): { readonly scaled?: ProductPlan } {
  const scaled = phase.kind === 'route' ? scaledByRouting(phase.logits, products) : undefined
  return scaled ? { scaled } : {}
}

/** Whether of these phases routing comes before the first product, and its experts are that. */
function routedNext(phases: readonly Phase[]): boolean {
  const at = phases.findIndex((p) => p.kind === 'product')
  const next = phases[at]
  return next?.kind === 'product' && next.routed === 'up' && phases.slice(0, at).some((p) => p.kind === 'route')
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b]
  while (y > 0) [x, y] = [y, x % y]
  return (a / x) * b
}

/** Most tiles of a sum that travels in so many shots. */
const mostTiles = (products: readonly ProductPlan[], shots: Shots): number =>
  Math.max(0, ...products.filter((p) => p.exchange === shots).map((p) => p.geometry.tiles))

/** Offsets of areas in order, each at a multiple of 128 bytes. */
function placeAreas<K extends string>(bytes: Record<K, number>): Record<K, number> {
  let end = 0
  const offsets = {} as Record<K, number>
  for (const [name, size] of Object.entries(bytes) as [K, number][]) {
    offsets[name] = end
    end = align(end + size, 128)
  }
  return offsets
}

/** What a plan knows of a buffer's form: how many SMs leave their firsts, whether rows are stored as they are staged, in how many parts a sum lies. */
function formInPlan(
  form: Form,
  known: { readonly sms: number; readonly staged: boolean; readonly parts?: number },
): Form {
  if (form.kind === 'firsts') return { ...form, sms: known.sms }
  if (form.kind === 'routedRows' && known.staged) return { ...form, staged: true }
  return form.kind === 'plain' && known.parts !== undefined ? { ...form, parts: known.parts } : form
}

function placeBuffers(
  program: PhaseProgram,
  products: readonly ProductPlan[],
  fixed: readonly CachePart[],
  ctx: number,
  sms: number,
  first: number,
): { buffers: PlacedBuffer[]; end: number } {
  let end = first
  const parts = new Map<string, number>()
  for (const p of products) {
    if (p.geometry.chunks === 1) continue
    for (const e of p.sections.flatMap((s) => s.elements))
      if (e.kind === 'store') parts.set(e.buffer, p.geometry.chunks)
  }
  const staged = new Set(products.filter((p) => p.input?.shared).map((p) => p.source))
  const caches = program.segments.flatMap((s) => segmentCaches(s, program, ctx))
  const cached = new Map([...fixed, ...caches].map((c) => [c.buffer.name, c]))
  const buffers = program.buffers.map((b): PlacedBuffer => {
    const cut = parts.get(b.name)
    const form = formInPlan(b.form, { sms, staged: staged.has(b.name), ...(cut !== undefined && { parts: cut }) })
    const bytes = formBytes(form, { ctx, ranks: program.ranks })
    const cache = cached.get(b.name)
    if (cache) return { ...b, bytes, offset: cache.offset }
    const offset = end
    end += bytes
    return { ...b, form, bytes, offset }
  })
  return { buffers, end }
}
