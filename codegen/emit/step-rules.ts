/**
 * step-rules: what the emitters of all steps share: the shape of their tables, where params lie, and which tile a turn of a
 * loop stands for.
 */

import type { ImagePlace, ProductPlan, RoleName, Step } from '../../compiler/plan/ir.ts'
import type { ExprNode } from '../../dsl/expr.ts'
import type { EmitContext } from './context.ts'
import { lambda } from './expr.ts'

/** How steps of each kind are printed. */
export type StepRules<S extends Step> = {
  readonly [K in S['kind']]: (step: Extract<S, { kind: K }>, ctx: EmitContext, role: RoleName) => void
}

/** Byte offset of a param in the image: the entry's, or where the segment that it was placed with has it. */
export function imageAt(place: ImagePlace, { plan }: EmitContext): string {
  if (place.segment === undefined) return `at.image + ${place.offset}`
  const entry = plan.entries.find((e) => e.segment === place.segment)!
  return `size_t(${entry.imageOffset + place.offset}ull)`
}

/** The tile, or group of tiles, that a turn over a product's share works on. */
export const localTile = (p: ProductPlan): string =>
  p.routed === 'up'
    ? `(tile % ${p.geometry.pages / p.geometry.pagesPerTile})`
    : p.geometry.chunks > 1
      ? `(tile / ${p.geometry.chunks})`
      : 'tile'

/** What a norm has left for the sum of this product's parts, from the squares that come with them: nothing where they were left for all (scaleLeft). */
export const scaleOfSum = (p: ProductPlan): ExprNode | undefined =>
  p.byChunk || p.scaleLeft ? undefined : p.norm?.scale
/** The scale of a row, from the squares that the warps which staged have left. */
export const scaleLeft = ({ geometry: { parts, units } }: ProductPlan, scale: ExprNode): string =>
  `scale_of_squares(w, ${parts}, ${units}, ${lambda(scale, ['mean'])})`

/** Sums are fixed point from the leaves of k up to the end of the exchange. */
export const exact = (p: ProductPlan): boolean => p.geometry.unitsPerLeaf !== undefined
