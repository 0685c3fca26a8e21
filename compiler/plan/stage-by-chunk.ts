/**
 * stage-by-chunk: which products stage their input in two goes: first the chunk of k that a tile takes, then, with nothing left to
 * multiply, all of it, for the phase that uses it next.
 *
 * A router's tiles are few, so their k is cut over SMs too, and an SM that stages all of x before it multiplies by a part of it keeps
 * everybody waiting for its sums. What it would wait for besides is the norm's scale, for which all of x has to be seen: so sums are left
 * without it, and who adds them up, routing, applies it. Every SM has seen all of x by then, for it routes for itself.
 *
 * Who uses the input next takes the scale of its own sums from the same squares (`scaleLeft`), once a phase.
 *
 * Invariant: a schedule's `stage by chunk` is done, or refused with the reason (TILE2052).
 */
import type { Phase, ProductPhase, Segment } from '../tile/ir.ts'
import type { Kept, ProductPlan } from './ir.ts'
import type { PlanContext } from './schedule.ts'

type Products = ReadonlyMap<ProductPhase, ProductPlan>

/** The products of a segment, those marked that the schedule wants staged by chunk. */
export function stageByChunk(
  segment: Segment,
  products: Products,
  kept: ReadonlyMap<Phase, Kept>,
  { schedule, session }: PlanContext,
): Products {
  const marked = new Map(products)
  for (const [phase, product] of products) {
    const { stage } = schedule.phase(phase.name)
    if (!stage) continue
    const why = obstacle(product, kept.get(phase))
    if (why === undefined) marked.set(phase, { ...product, byChunk: true })
    else
      session.report(
        'TILE2052',
        `'stage by chunk' decides nothing in phase '${phase.name}' of '${segment.name}': ${why}`,
        {
          span: stage.span,
          ...(phase.span && { notes: [{ message: `'${phase.name}' is this`, span: phase.span }] }),
          help: 'it is for a product that decides routing, and whose normed input the experts take too',
        },
      )
  }
  for (const [phase, product] of marked) {
    const of = kept.get(phase)
    const left = of?.role === 'reuse' && [...marked].some(([p, { byChunk }]) => byChunk && p.name === of.name)
    if (left) marked.set(phase, { ...product, scaleLeft: true })
  }
  return marked
}

function obstacle({ geometry, norm, sections }: ProductPlan, kept: Kept | undefined): string | undefined {
  if (geometry.chunks === 1) return 'an SM takes all of the k of a tile'
  if (kept?.role !== 'keep') return 'no later phase uses what it stages'
  if (!norm?.scale) return 'its input has no norm that is a weight and one scale a row'
  if (!sections.every((s) => s.elements.every((e) => e.kind === 'acc' || e.kind === 'store')))
    return 'its results are more than sums'
  return undefined
}

/** The product whose sums are left for a routing phase to scale. */
export function scaledByRouting(logits: string, products: Products): ProductPlan | undefined {
  for (const [phase, product] of products) if (product.byChunk && phase.writes.includes(logits)) return product
  return undefined
}
