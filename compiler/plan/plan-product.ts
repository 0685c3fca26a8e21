/**
 * plan-product: how a product is cut up: the geometry of its weight, whether its input stays staged for the next one, and
 * whether the rows of a routed input are shared by the warps of an SM.
 */
import { ROWS, TILE_ROWS, UNIT_K } from '../tile/forms.ts'
import type { Phase, PhaseProgram, ProductPhase, Segment } from '../tile/ir.ts'
import { leavesOf } from './exact.ts'
import { deviceFormat, type Geometry, pagedGeometry, tiledGeometry, unitBytes } from './geometry.ts'
import type { Kept, ProductPlan } from './ir.ts'
import { mostStaged } from './registers.ts'
import { type PlanContext, roleOf } from './schedule.ts'

/** Whether nothing but the routing reads what a phase writes: it adds up partial sums. */
const decidesRouting = (phase: ProductPhase, segment: Segment): boolean =>
  phase.routed === undefined &&
  !phase.sections.some((s) => s.elements.some((e) => e.kind === 'exchange')) &&
  phase.writes.length > 0 &&
  phase.writes.every((w) => {
    const readers = segment.phases.filter((p) => p.reads.includes(w))
    return readers.length > 0 && readers.every((p) => p.kind === 'route')
  })

interface Where {
  readonly span: ProductPhase['span']
  readonly subject: string
}

export function productGeometry(
  phase: ProductPhase,
  segment: Segment,
  ranks: number,
  ctx: PlanContext,
): Pick<ProductPlan, 'geometry' | 'format' | 'paging' | 'restaged'> | undefined {
  const { schedule, session } = ctx
  const format = deviceFormat(phase.format)
  const tileRows = phase.params.length === 2 ? TILE_ROWS / 2 : TILE_ROWS
  const tiles = Math.ceil(phase.rows / tileRows)
  const where: Where = { span: phase.span, subject: `${segment.name}.${phase.name}` }
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
    const paging = pagingOf(phase, geometry, where, ctx)
    return paging && { geometry, format, paging }
  }
  const { warps, registers } = roleOf(schedule, 'compute')
  // A norm needs all of a row at once.
  const most = phase.norm ? undefined : mostStaged(registers)
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
    ...(most !== undefined && most > 0 && { mostStaged: most }),
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
  const restaged = most !== undefined && geometry.unitsPerPart > most && geometry.pagesPerTile > 1
  return { geometry, format, ...(restaged && { restaged }) }
}

/** Bytes of shared memory that a routed input may take. */
const MOST_SHARED_INPUT = 32 * 1024
const inputBytes = (topK: number, k: number): number => ROWS * topK * k * 2
/** Bytes of shared memory that the input of a routed `down` takes. */
export const sharedInput = (p: ProductPlan): number =>
  p.input?.shared ? inputBytes(p.input.topK, p.geometry.units * UNIT_K) : 0

/** Bytes of shared memory that the weights of its norm take: each compute warp keeps those of its part of k. */
export const normWeights = (p: ProductPlan, warps: number): number =>
  p.norm ? warps * Math.ceil((p.geometry.unitsPerPart * UNIT_K * 2) / 128) * 128 : 0

/** Rows that fit shared memory are stored as they are staged there, for nobody else reads them. */
export function routedInput(phase: ProductPhase, program: PhaseProgram): Pick<ProductPlan, 'input'> {
  const form = program.buffers.find((b) => b.name === phase.source)?.form
  if (form?.kind !== 'routedRows') return {}
  const readers = program.segments.flatMap((s) => s.phases).filter((p) => p.reads.includes(phase.source))
  const shared = readers.length === 1 && inputBytes(form.topK, phase.k) <= MOST_SHARED_INPUT
  return { input: { topK: form.topK, shared } }
}

/** Pairs of products with nothing but routing between them whose inputs are staged alike: the second takes what is there. */
export function keptInputs(segment: Segment, products: ReadonlyMap<ProductPhase, ProductPlan>): Map<Phase, Kept> {
  const kept = new Map<Phase, Kept>()
  const staged = (p: ProductPhase): string => {
    const { geometry: g, norm, source, ofRank } = products.get(p)!
    return JSON.stringify([source, ofRank, norm?.param, g.parts, g.unitsPerPart])
  }
  let before: ProductPhase | undefined
  for (const phase of segment.phases) {
    if (phase.kind === 'route') continue
    const product =
      phase.kind === 'product' && phase.routed !== 'down' && !products.get(phase)!.restaged ? phase : undefined
    if (before && product && staged(before) === staged(product)) {
      const { name } = before
      kept.set(before, { role: 'keep', name })
      kept.set(product, { role: 'reuse', name })
      before = undefined
    } else before = product
  }
  return kept
}

/** Pages of a routed `down`: as many experts' own tiles as fit, or those of one over several pages. */
function pagingOf(
  phase: ProductPhase,
  { tiles, cellBytes }: Geometry,
  where: Where,
  { schedule, session }: PlanContext,
): ProductPlan['paging'] | undefined {
  const { pageBytes } = schedule.ring
  const own = Math.ceil(tiles / schedule.sms)
  const fit = Math.floor(pageBytes / cellBytes)
  const asked = schedule.phase(phase.name).group
  const refuse = (what: string, bytes: number, help: string): void =>
    session.report('TILE3022', `${what} ${bytes} bytes, a ring page holds ${pageBytes}`, {
      ...where,
      help: `${help}give the ring pages of ${bytes} bytes`,
    })
  if (fit === 0) {
    refuse("one tile of one expert's down product takes", cellBytes, '')
    return undefined
  }
  const experts = asked ?? Math.max(1, Math.min(16, Math.floor(fit / own)))
  if (experts > 1 && experts * own > fit) {
    const what = `the tiles that one SM owns of ${experts} experts take`
    refuse(what, experts * own * cellBytes, 'let the phase take fewer experts at once (group), or ')
    return undefined
  }
  return { experts, pages: Math.ceil(own / fit) }
}
