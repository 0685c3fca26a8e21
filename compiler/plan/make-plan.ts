/**
 * make-plan: places weights, caches and buffers, lowers every phase, and counts executions.
 *
 * Vocabulary: see ir.ts. The image of an entry holds, in order of use, the plain params (norm weights, sinks, biases, the
 * embedding table) and the packed weights of its phases; entries of one segment have equal images.
 * Invariants: packed weights begin at multiples of 128 bytes; a param is placed once for each entry.
 */
import { sizeOf } from '../../dsl/dim.ts'
import { InternalError, type Session } from '../diagnostics/diagnostic.ts'
import type { ShardedParam } from '../shard/shard-graph.ts'
import { formBytes, isCache, ROWS, TILE_ROWS, UNIT_K } from '../tile/forms.ts'
import type { Phase, PhaseProgram, ProductPhase, Segment } from '../tile/ir.ts'
import { absoluteName } from '../tile/split-segments.ts'
import { counterOf, deriveWaits } from './derive-waits.ts'
import { joinPlaces, leavesOf, slotsBytes } from './exact.ts'
import { deviceFormat, type Geometry, pagedGeometry, tiledGeometry, unitBytes } from './geometry.ts'
import { tableGuards } from './guard-table.ts'
import {
  type Entry,
  type ImagePlace,
  type Kept,
  type PhasePlan,
  type PlacedBuffer,
  type Placement,
  type Plan,
  type ProductPlan,
  roleNames,
  type SegmentPlan,
  type Tally,
} from './ir.ts'
import { lowerPhase, Sites } from './lower-phases.ts'
import { placeCaches, segmentCaches } from './place-caches.ts'
import { groupOf, type PlanSchedule, roleOf } from './schedule.ts'
import { sharedMemory } from './shared-memory.ts'

export interface PlanContext {
  readonly schedule: PlanSchedule
  readonly ctx: number
  readonly session: Session
}

const align = (n: number, to: number): number => Math.ceil(n / to) * to
/** Counters lie this many bytes apart; the device headers say the same. */
const COUNTER_STRIDE = 128
/** A tile in packets of 16 bytes, which carry three floats, six bf16 or one fixed-point number. */
const PACKET_BYTES = { f32: 43 * 16, bf16: 22 * 16, exact: 128 * 16 }

export function makePlan(program: PhaseProgram, ctx: PlanContext): Plan {
  const { schedule } = ctx
  const caches = new Set(program.buffers.filter((b) => isCache(b.form)).map((b) => b.name))
  const waits = deriveWaits(program, caches)
  const awaited = new Set(waits.flat(2).map((w) => w.counter))
  const sites = new Sites()
  const guards = tableGuards(
    program.segments,
    (p) => p.routed === 'down' && Math.ceil(p.rows / TILE_ROWS) >= schedule.sms,
  )
  const shared: SharedParams = new Map()
  const images = program.segments.map((s, index) => placeImage(s, index, program, ctx, shared))
  ctx.session.throwIfFailed()

  const segments = program.segments.map((segment, si): SegmentPlan => {
    const image = images[si]!
    let routes = 0
    let exchanges = 0
    let routedBefore = false
    const kept = process.env.NOKEEP ? new Map<Phase, Kept>() : keptInputs(segment, image.products)
    const phases = segment.phases.map((phase, pi): PhasePlan => {
      if (phase.kind === 'route') routes++
      const firstRouted = phase.kind === 'product' && phase.routed !== undefined && !routedBefore
      if (phase.kind === 'route') routedBefore = false
      else if (firstRouted) routedBefore = true
      const plan = lowerPhase(phase, {
        segment: segment.name,
        schedule,
        ranks: program.ranks,
        sites,
        counter: counterOf(program, si, pi),
        awaited: awaited.has(counterOf(program, si, pi)),
        waits: waits[si]![pi]!,
        routesBefore: routes,
        firstRouted,
        tableGuards: guards,
        guardsBefore: segment.phases.slice(0, pi).filter((p) => p.kind === 'product' && guards.has(p)).length,
        exchangesBefore: exchanges,
        product: (p) => image.products.get(p)!,
        ...(kept.has(phase) && { kept: kept.get(phase)! }),
        plain: (param) => image.plain.get(param)!,
        caches,
      })
      if (phase.kind === 'product' && image.products.get(phase)!.exchange) exchanges++
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

  const tallies = countTallies(program, segments)
  const caching = placeCaches(program, ctx.ctx)
  const { entries, imageBytes } = placeEntries(program, segments, tallies, caching.offsets)
  const routes = program.segments.flatMap((s) => s.phases).filter((p) => p.kind === 'route')
  const products = images.flatMap((i) => [...i.products.values()])
  const exchangeTiles = Math.max(1, ...products.filter((p) => p.exchange).map((p) => p.geometry.tiles))
  const sample = program.segments.flatMap((s) => s.phases).find((p) => p.kind === 'sample')
  const logits = program.buffers.find((b) => b.form.kind === 'logits')
  const local = logits?.form.kind === 'logits' ? logits.form.local : 0
  const ranks = program.ranks
  const counters = tallies.filter((t) => t.scope === 'counter').length
  const areas = placeAreas({
    // The round control has two counters of its own.
    counters: (counters + 2) * COUNTER_STRIDE,
    abort: 128,
    control: 2 * 384,
    controlInbox: 2 * 512,
    decode: 512,
    inbox: 2 * ranks * exchangeTiles * PACKET_BYTES[schedule.exchangeAs],
    logitsInbox: ranks > 1 ? 2 * ranks * Math.ceil(local / TILE_ROWS) * PACKET_BYTES.f32 : 0,
    zeroed: 0,
    // Two lists of candidates a thread: its share of the vocabulary in fours, and a remainder.
    sampler: 16 * ((sample?.vocabulary ?? 0) + 5 * 32 * roleOf(schedule, 'compute').warps),
    // What was seen of each token, and a row of logits with the penalties that follow.
    history: 8 * (sample?.vocabulary ?? 0),
    end: 0,
  })
  const first = areas.end
  const { buffers, end } = placeBuffers(program, products, ctx.ctx, align(first, 128))

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
    join: { depth: schedule.joinDepth, parts: joinParts },
    slots: {
      tiles: slotTiles,
      bytes: Math.max(0, ...downs.map((p) => slotsBytes(p.geometry, Math.ceil(p.geometry.tiles / schedule.sms), topK))),
    },
    scratchBytes: Math.max(0, ...downs.map(sharedInput)),
    route: { experts: Math.max(1, ...routes.map((r) => r.experts)), maxActive, topK },
    exchangeAs: schedule.exchangeAs,
    exchangeTiles,
    vocabulary: { whole: sample?.vocabulary ?? 0, local },
    buffers,
    tallies,
    sites: sites.names,
    segments,
    entries,
    areas,
    workspaceBytes: end,
    imageBytes,
    kvBytes: caching.bytes,
  }
  return { ...plan, sharedBytes: sharedMemory(plan).total }
}

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

/** Params that belong to no layer are placed once and used by every segment that reads them in the same layout. */
type SharedParams = Map<string, ImagePlace>

interface Image {
  readonly placements: readonly Placement[]
  readonly plain: ReadonlyMap<string, ImagePlace>
  readonly products: ReadonlyMap<ProductPhase, ProductPlan>
  readonly bytes: number
}

/** Lays out the params of one segment. */
function placeImage(
  segment: Segment,
  index: number,
  program: PhaseProgram,
  ctx: PlanContext,
  shared: SharedParams,
): Image {
  const placements: Placement[] = []
  const plains = new Map<string, ImagePlace>()
  const products = new Map<ProductPhase, ProductPlan>()
  let end = 0
  const param = (relative: string): ShardedParam => {
    const name = absoluteName(relative, segment.layers[0])
    const found = program.params.find((p) => p.name === name)
    if (!found) throw new InternalError(`no param '${name}'`)
    return found
  }
  const place = (params: readonly string[], bytes: number, layout: Placement['layout']): ImagePlace => {
    const key = params.some((p) => p.startsWith('{layer}')) ? undefined : layoutKey(params, layout)
    const known = key === undefined ? undefined : shared.get(key)
    if (known) return known
    const offset = align(end, 128)
    placements.push({ params, offset, bytes, layout })
    end = offset + bytes
    if (key !== undefined) shared.set(key, { segment: index, offset })
    return { offset }
  }
  const plain = (name: string, scalar: 'f32' | 'bf16'): ImagePlace => {
    const known = plains.get(name)
    if (known) return known
    const at = place([name], sizeOf(param(name).dims) * (scalar === 'f32' ? 4 : 2), { kind: 'plain', scalar })
    plains.set(name, at)
    return at
  }
  for (const phase of segment.phases) {
    if (phase.kind === 'embed') plain(phase.param, 'bf16')
    if (phase.kind === 'embed' && phase.instead) plain(phase.instead.param, 'bf16')
    if (phase.kind === 'normed') plain(phase.norm.param, 'bf16')
    if (phase.kind === 'merge' && phase.sink !== undefined) plain(phase.sink, 'f32')
    if (phase.kind === 'route' && phase.bias !== undefined) plain(phase.bias, 'f32')
    if (phase.kind !== 'product') continue
    const norm = phase.norm && { ...phase.norm, image: plain(phase.norm.param, 'bf16') }
    const geometry = productGeometry(phase, segment, program.ranks, ctx)
    if (!geometry) continue
    const { format } = geometry
    const layout = {
      kind: 'tiles' as const,
      geometry: geometry.geometry,
      format,
      ...(phase.experts !== undefined && { experts: phase.experts }),
      sections: phase.sections,
      period: phase.period,
      rows: phase.rows,
      contracted: phase.contracted,
    }
    const image = place(phase.params, geometry.geometry.bytes * (phase.experts ?? 1), layout)
    products.set(phase, {
      name: phase.name,
      geometry: geometry.geometry,
      format,
      image,
      source: phase.source,
      ...(norm && { norm }),
      ...(phase.routed && { routed: phase.routed }),
      topK: phase.topK,
      sections: phase.sections,
      period: phase.period,
      rows: phase.rows,
      tileRows: phase.params.length === 2 ? TILE_ROWS / 2 : TILE_ROWS,
      exchange: phase.sections.some((s) => s.elements.some((e) => e.kind === 'exchange')),
      ...routedInput(phase, program),
    })
  }
  return { placements, plain: plains, products, bytes: align(end, 128) }
}

/** Equal for layouts that pack a param into the same bytes. */
function layoutKey(params: readonly string[], layout: Placement['layout']): string {
  if (layout.kind === 'plain') return JSON.stringify([params, layout])
  const { sections, ...rest } = layout
  return JSON.stringify([params, rest, sections.map(({ first, tiles, head, rotary }) => [first, tiles, head, rotary])])
}

/** Whether nothing but the routing reads what a phase writes: it adds up partial sums. */
const decidesRouting = (phase: ProductPhase, segment: Segment): boolean =>
  phase.routed === undefined &&
  !phase.sections.some((s) => s.elements.some((e) => e.kind === 'exchange')) &&
  phase.writes.length > 0 &&
  phase.writes.every((w) => {
    const readers = segment.phases.filter((p) => p.reads.includes(w))
    return readers.length > 0 && readers.every((p) => p.kind === 'route')
  })

/** Bytes of shared memory that a routed input may take. */
const MOST_SHARED_INPUT = 32 * 1024
const inputBytes = (topK: number, k: number): number => ROWS * topK * k * 2
const sharedInput = (p: ProductPlan): number =>
  p.input?.shared ? inputBytes(p.input.topK, p.geometry.units * UNIT_K) : 0

function routedInput(phase: ProductPhase, program: PhaseProgram): Pick<ProductPlan, 'input'> {
  const form = program.buffers.find((b) => b.name === phase.source)?.form
  if (form?.kind !== 'routedRows') return {}
  return { input: { topK: form.topK, shared: inputBytes(form.topK, phase.k) <= MOST_SHARED_INPUT } }
}

/** Pairs of products with nothing but routing between them whose inputs are staged alike: the second takes what is there. */
function keptInputs(segment: Segment, products: ReadonlyMap<ProductPhase, ProductPlan>): Map<Phase, Kept> {
  const kept = new Map<Phase, Kept>()
  const staged = (p: ProductPhase): string => {
    const { geometry: g, norm, source } = products.get(p)!
    return JSON.stringify([source, norm?.param, g.parts, g.unitsPerPart])
  }
  let before: ProductPhase | undefined
  for (const phase of segment.phases) {
    if (phase.kind === 'route') continue
    const product = phase.kind === 'product' && phase.routed !== 'down' ? phase : undefined
    if (before && product && staged(before) === staged(product)) {
      const { name } = before
      kept.set(before, { role: 'keep', name })
      kept.set(product, { role: 'reuse', name })
      before = undefined
    } else before = product
  }
  return kept
}

function productGeometry(
  phase: ProductPhase,
  segment: Segment,
  ranks: number,
  ctx: PlanContext,
): { geometry: Geometry; format: keyof typeof unitBytes } | undefined {
  const { schedule, session } = ctx
  const format = deviceFormat(phase.format)
  const tileRows = phase.params.length === 2 ? TILE_ROWS / 2 : TILE_ROWS
  const tiles = Math.ceil(phase.rows / tileRows)
  const where = { span: phase.span, subject: `${segment.name}.${phase.name}` }
  if (!format) {
    const help = `formats with a device primitive: ${Object.keys(unitBytes).join(', ')}`
    session.report('TILE3021', `no device primitive multiplies this weight format`, { ...where, help })
    return undefined
  }
  if (phase.k % UNIT_K !== 0) {
    session.report('TILE3020', `a rank contracts over ${phase.k} values, which is no multiple of ${UNIT_K}`, {
      ...where,
      help: 'use fewer ranks, or a model whose inner dims are multiples of 32 on each rank',
    })
    return undefined
  }
  const exact = schedule.exchangeAs === 'exact'
  const leaves = exact && phase.acrossRanks ? leavesOf(phase, ranks, where.subject, session) : undefined
  if (exact && phase.acrossRanks && leaves === undefined) return undefined
  const cut = leaves === undefined ? {} : { leaves }
  if (phase.routed === 'down') {
    const geometry = tiledGeometry({ format, k: phase.k, tiles, ...cut })
    const own = Math.ceil(tiles / schedule.sms) * geometry.cellBytes
    const group = groupOf(phase.name, own, schedule)
    if (own * group > schedule.ring.pageBytes) {
      session.report(
        'TILE3022',
        `the tiles that one SM owns of ${group} ${group === 1 ? 'expert' : 'experts'} take ${own * group} bytes, a ring page holds ${schedule.ring.pageBytes}`,
        {
          ...where,
          help: `let the phase take fewer experts at once (group), or give the ring pages of ${own * group} bytes`,
        },
      )
      return undefined
    }
    return { geometry, format }
  }
  const warps = roleOf(schedule, 'compute').warps
  const splitK = schedule.phase(phase.name).splitK ?? warps
  const spread = decidesRouting(phase, segment) ? schedule.sms : 1
  const geometry = pagedGeometry({
    format,
    k: phase.k,
    tiles,
    warps,
    splitK,
    ringPageBytes: schedule.ring.pageBytes,
    steady: exact,
    spread,
    ...cut,
  })
  if (!geometry) {
    session.report(
      'TILE3023',
      `not even one unit of each k part fits a ring page of ${schedule.ring.pageBytes} bytes`,
      {
        ...where,
        help: 'give the ring larger pages, or split k over fewer warps',
      },
    )
    return undefined
  }
  return { geometry, format }
}

function placeBuffers(
  program: PhaseProgram,
  products: readonly ProductPlan[],
  ctx: number,
  first: number,
): { buffers: PlacedBuffer[]; end: number } {
  let end = first
  const parts = new Map<string, number>()
  for (const p of products) {
    if (p.geometry.chunks === 1) continue
    for (const e of p.sections.flatMap((s) => s.elements))
      if (e.kind === 'store') parts.set(e.buffer, p.geometry.chunks)
  }
  const cached = new Map(program.segments.flatMap((s) => segmentCaches(s, program, ctx)).map((c) => [c.name, c]))
  const buffers = program.buffers.map((b): PlacedBuffer => {
    const cut = parts.get(b.name)
    const form = b.form.kind === 'plain' && cut !== undefined ? { ...b.form, parts: cut } : b.form
    const bytes = formBytes(form, { ctx, ranks: program.ranks })
    const cache = cached.get(b.name)
    if (cache) return { ...b, bytes, offset: cache.offset }
    const offset = end
    end += bytes
    return { ...b, form, bytes, offset }
  })
  return { buffers, end }
}

/** Counters in order of first use, then the route table's local, then the exchange epoch. */
function countTallies(program: PhaseProgram, segments: readonly SegmentPlan[]): Tally[] {
  const counts = new Map<string, number>()
  let exchanges = 0
  const locals = new Map<string, number>()
  for (const entry of program.sequence) {
    for (const phase of segments[entry.segment]!.phases) {
      counts.set(phase.counter, (counts.get(phase.counter) ?? 0) + 1)
      for (const local of localsIn(phase)) locals.set(local, (locals.get(local) ?? 0) + 1)
    }
    exchanges += exchangesIn(program.segments[entry.segment]!)
  }
  return [
    ...[...counts].map(([name, perRound]): Tally => ({ name, scope: 'counter', perRound })),
    ...[...locals].map(([name, perRound]): Tally => ({ name, scope: 'local', perRound })),
    { name: 'exchange', scope: 'exchange', perRound: exchanges },
  ]
}

/** Locals that one execution of a phase signals. */
const localsIn = (phase: PhasePlan): string[] =>
  roleNames.flatMap((r) => phase.roles[r].flatMap((s) => (s.kind === 'signalLocal' ? [s.local] : [])))
const exchangesIn = (s: Segment): number =>
  s.phases.filter((p) => p.kind === 'product' && p.sections.some((x) => x.elements.some((e) => e.kind === 'exchange')))
    .length

function placeEntries(
  program: PhaseProgram,
  segments: readonly SegmentPlan[],
  tallies: readonly Tally[],
  kvOffsets: readonly number[],
): { entries: Entry[]; imageBytes: number } {
  const runs = new Map(tallies.map((t) => [t.name, 0]))
  const add = (name: string, n: number): void => void runs.set(name, runs.get(name)! + n)
  let imageBytes = 0
  const entries = program.sequence.map(({ program: of, segment, layer, taps }, at): Entry => {
    const s = segments[segment]!
    const entry: Entry = {
      program: of,
      taps,
      segment,
      ...(layer !== undefined && { layer }),
      imageOffset: imageBytes,
      kvOffset: kvOffsets[at]!,
      runs: tallies.map((t) => runs.get(t.name)!),
    }
    imageBytes += s.imageBytes
    for (const phase of s.phases) for (const name of [phase.counter, ...localsIn(phase)]) add(name, 1)
    add('exchange', exchangesIn(program.segments[segment]!))
    return entry
  })
  return { entries, imageBytes }
}
