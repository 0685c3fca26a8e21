/**
 * exact: how a product whose contraction is cut over ranks is summed so that its bits do not depend on their number.
 *
 * Vocabulary: a *leaf* is an eighth of the whole contraction (8 = most ranks), so a rank holds 8 / ranks of them. One warp
 * sums a leaf, from its first unit to its last and from zero: the same bits wherever it lies. Everything above leaves
 * (parts of k, expert slots, ranks) is added in fixed point, where the order does not matter (codegen/device/common/exact.h).
 * Invariants: a part of k and a page hold whole leaves; a leaf has at most MOST_UNITS units.
 */
import type { Session } from '../diagnostics/diagnostic.ts'
import { ROWS, TILE_ROWS, UNIT_K } from '../tile/forms.ts'
import type { ProductPhase } from '../tile/ir.ts'
import type { Geometry } from './geometry.ts'

const LEAVES = 8
/** A warp keeps a leaf's input staged in registers, and multiplies it in one go. */
const MOST_UNITS = 8

/** Leaves of a product on one rank; undefined when its k cannot be cut into them, which is reported. */
export function leavesOf(phase: ProductPhase, ranks: number, subject: string, session: Session): number | undefined {
  const leaves = LEAVES / ranks
  const leaf = phase.k / leaves
  if (Number.isInteger(leaf / UNIT_K) && leaf <= MOST_UNITS * UNIT_K) return leaves
  session.report(
    'TILE3024',
    `an exact sum over ${phase.k * ranks} values has leaves of ${leaf}; a leaf is a multiple of ${UNIT_K} and at most ${MOST_UNITS * UNIT_K}`,
    {
      span: phase.span,
      subject,
      help: `exact is for small models, with contractions of ${LEAVES * UNIT_K} to ${LEAVES * UNIT_K * MOST_UNITS}; larger ones take 'exchange as bf16' or 'exchange as f32'`,
    },
  )
  return undefined
}

/** Bytes of one number of a sum: fixed point takes twice as many. */
const sumBytes = (g: Geometry): number => (g.unitsPerLeaf === undefined ? 4 : 8)

/** Places of a join slot (of 128 floats each) that the product's parts take. */
export const joinPlaces = (g: Geometry): number => (g.parts * g.groups * sumBytes(g)) / 4

/** Bytes of the routed sums of `tiles` tiles. */
export const slotsBytes = (g: Geometry, tiles: number, topK: number): number =>
  tiles * ROWS * topK * TILE_ROWS * sumBytes(g)
