/**
 * place-image: where the params of a segment lie in the image of an entry.
 *
 * Vocabulary: a *plain* param is read as it is (norm weights, sinks, biases, the embedding table); the others are packed
 * into the tiles of a product. A param that belongs to no layer is placed once, with the first segment that reads it.
 * Invariants: params lie in order of use, each at a multiple of 128 bytes.
 */
import { sizeOf } from '../../dsl/dim.ts'
import type { Shots } from '../../dsl/schedule-ir.ts'
import { InternalError } from '../diagnostics/diagnostic.ts'
import type { ShardedParam } from '../shard/shard-graph.ts'
import { TILE_ROWS } from '../tile/forms.ts'
import type { Phase, PhaseKind, PhaseProgram, ProductPhase, Segment } from '../tile/ir.ts'
import { absoluteName } from '../tile/split-segments.ts'
import { chooseShots } from './choose-shots.ts'
import type { ImagePlace, Placement, ProductPlan } from './ir.ts'
import { scaleOfColumns } from './norm-scale.ts'
import { productGeometry, routedInput } from './plan-product.ts'
import type { PlanContext } from './schedule.ts'

const align = (n: number, to: number): number => Math.ceil(n / to) * to

/** Params that belong to no layer are placed once and used by every segment that reads them in the same layout. */
export type SharedParams = Map<string, ImagePlace>

export interface Image {
  readonly placements: readonly Placement[]
  readonly plain: ReadonlyMap<string, ImagePlace>
  readonly products: ReadonlyMap<ProductPhase, ProductPlan>
  readonly bytes: number
}

type PlainParam = readonly [name: string, scalar: 'f32' | 'bf16']

/** The params that each kind of phase reads as they are; a norm that a product applies is placed with the product. */
const plainParams: { readonly [K in PhaseKind]?: (p: Extract<Phase, { kind: K }>) => readonly PlainParam[] } = {
  embed: (p) => [p.param, ...(p.instead ? [p.instead.param] : [])].map((name) => [name, 'bf16'] as const),
  normed: (p) => p.parts.map(({ norm }) => [norm.param, 'bf16'] as const),
  near: (p) => (p.sink === undefined ? [] : [[p.sink, 'f32']]),
  merge: (p) => (p.sink === undefined ? [] : [[p.sink, 'f32']]),
  route: (p) => (p.bias === undefined ? [] : [[p.bias, 'f32']]),
}

/** Lays out the params of one segment. */
export function placeImage(
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
    const rule = plainParams[phase.kind] as ((p: Phase) => readonly PlainParam[]) | undefined
    for (const [name, scalar] of rule?.(phase) ?? []) plain(name, scalar)
    if (phase.kind !== 'product') continue
    const geometry = productGeometry(phase, segment, program.ranks, ctx)
    if (!geometry) continue
    // Fixed-point sums take what is staged as it is.
    const scale = phase.norm && !geometry.geometry.unitsPerLeaf && scaleOfColumns(phase.norm)
    const norm = phase.norm && { ...phase.norm, image: plain(phase.norm.param, 'bf16'), ...(scale && { scale }) }
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
      ...(geometry.restaged && { restaged: geometry.restaged }),
      ...(geometry.paging && { paging: geometry.paging }),
      source: phase.source,
      ...(phase.ofRank && { ofRank: phase.ofRank }),
      ...(norm && { norm }),
      ...(phase.routed && { routed: phase.routed }),
      topK: phase.topK,
      sections: phase.sections,
      period: phase.period,
      rows: phase.rows,
      tileRows: phase.params.length === 2 ? TILE_ROWS / 2 : TILE_ROWS,
      ...(exchanges(phase) && { exchange: shotsOf(geometry.geometry.tiles, program.ranks, ctx) }),
      ...routedInput(phase, program),
    })
  }
  return { placements, plain: plains, products, bytes: align(end, 128) }
}

const exchanges = (phase: ProductPhase): boolean =>
  phase.sections.some((s) => s.elements.some((e) => e.kind === 'exchange'))
const shotsOf = (tiles: number, ranks: number, { schedule }: PlanContext): Shots =>
  schedule.shots ?? chooseShots(ranks, tiles, schedule.exchangeAs)

/** Equal for layouts that pack a param into the same bytes. */
function layoutKey(params: readonly string[], layout: Placement['layout']): string {
  if (layout.kind === 'plain') return JSON.stringify([params, layout])
  const { sections, ...rest } = layout
  return JSON.stringify([params, rest, sections.map(({ first, tiles, head, rotary }) => [first, tiles, head, rotary])])
}
