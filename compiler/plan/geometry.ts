/**
 * Geometry of a packed weight: how its tiles are cut into cells, and how cells make the pages that a ring slot receives.
 *
 * Vocabulary: unit = 16 rows x 32 k; *part* = a warp's range of k; *group* = warps that work on different tiles of a page;
 * *cell* = what one warp multiplies of one page: [units codes][units scales]. A page is [group][part] cells.
 * For a routed `down` weight a cell is a whole tile (no k parts), and what lies together is [expert][tile], so that an SM
 * fetches its own tiles of an expert with one copy.
 * A *leaf* is a run of units that is summed by itself where sums are exact (exact.ts): k is only cut between leaves then.
 * *chunk* = a range of a tile's pages: where tiles are few, the k of one is cut over SMs, and the sums of its chunks are
 * stored apart.
 * Invariants: parts * unitsPerPart = units; pagesPerTile divides unitsPerPart; chunks divides pagesPerTile; every cell is a
 * multiple of 16 bytes.
 */
import type { WeightFormat } from '../../dsl/format.ts'
import { UNIT_K } from '../tile/forms.ts'

export interface Geometry {
  readonly units: number
  readonly parts: number
  readonly unitsPerPart: number
  readonly groups: number
  readonly pagesPerTile: number
  readonly chunks: number
  readonly unitsPerCell: number
  /** Sums are exact: every leaf of a cell is a sum of its own. */
  readonly unitsPerLeaf?: number
  readonly codeBytes: number
  readonly scaleBytes: number
  readonly cellBytes: number
  readonly pageBytes: number
  /** Tiles of the output (of one expert). */
  readonly tiles: number
  /** Pages of one matrix (of one expert). */
  readonly pages: number
  /** Bytes of one matrix (of one expert). */
  readonly bytes: number
}

export type DeviceFormat = 'f32' | 'bf16' | 'e4m3' | 'e2m1'

/** Bytes of codes and of scales in one unit, by the formats that the device multiplies. */
export const unitBytes: Record<DeviceFormat, { readonly codes: number; readonly scales: number }> = {
  f32: { codes: 2048, scales: 0 },
  bf16: { codes: 1024, scales: 0 },
  e4m3: { codes: 512, scales: 8 },
  e2m1: { codes: 256, scales: 16 },
}

/** The device's name for a weight format, undefined if no primitive multiplies it. */
export function deviceFormat(f: WeightFormat): DeviceFormat | undefined {
  if (f.kind === 'plain') return f.scalar
  const known = { e4m3: [128, 'f32'], e2m1: [32, 'e8m0'] } as const
  const rule = known[f.codes.name as keyof typeof known]
  if (!rule || f.block[1] !== rule[0] || f.scale !== rule[1]) return undefined
  return f.codes.name as DeviceFormat
}

const align16 = (n: number): number => Math.ceil(n / 16) * 16
const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0)

export interface GeometryRequest {
  readonly format: DeviceFormat
  readonly k: number
  readonly tiles: number
  readonly warps: number
  /** Most parts that k may be cut into. */
  readonly splitK: number
  readonly ringPageBytes: number
  /** Sums are exact: k has this many leaves. */
  readonly leaves?: number
  /** Pages are cut by k alone: where they end must not depend on how many tiles this rank has. */
  readonly steady?: boolean
  /** Most units that a warp stages of its part of k at once; undefined: all of them, however many. */
  readonly mostStaged?: number
  /** SMs over which the k of a tile may be cut as well; 1: it is not. */
  readonly spread: number
}

/** Undefined when not even one unit a part fits the ring's page. */
export function pagedGeometry(r: GeometryRequest): Geometry | undefined {
  const units = r.k / UNIT_K
  const unit = unitBytes[r.format]
  const cell = (unitsPerCell: number): number =>
    align16(unitsPerCell * unit.codes) + align16(unitsPerCell * unit.scales)
  const grains = r.leaves ?? units
  // Of leaves, as many parts as a page holds one leaf each of: where k is cut changes no exact sum.
  const fits = (parts: number): boolean => r.leaves === undefined || parts * cell(units / r.leaves) <= r.ringPageBytes
  const parts = divisors(grains)
    .filter((d) => d <= Math.min(r.splitK, r.warps) && fits(d))
    .at(-1)
  if (parts === undefined) return undefined
  const unitsPerPart = units / parts
  const most = r.mostStaged ?? unitsPerPart
  const cut = (groups: number): number | undefined =>
    divisors(grains / parts).find(
      (p) => groups * parts * cell(unitsPerPart / p) <= r.ringPageBytes && unitsPerPart / p <= most,
    )
  const steady = r.steady ? cut(1) : undefined
  for (let groups = Math.max(1, Math.min(Math.floor(r.warps / parts), r.tiles)); groups >= 1; groups--) {
    const pagesPerTile = cut(groups)
    if (pagesPerTile === undefined || (r.steady && pagesPerTile !== steady)) continue
    const unitsPerCell = unitsPerPart / pagesPerTile
    const pageBytes = groups * parts * cell(unitsPerCell)
    const items = Math.ceil(r.tiles / groups)
    const pages = items * pagesPerTile
    const turns = (chunks: number): number => (Math.ceil((items * chunks) / r.spread) * pagesPerTile) / chunks
    const chunks = r.spread > 1 ? divisors(pagesPerTile).reduce((best, c) => (turns(c) < turns(best) ? c : best), 1) : 1
    return {
      units,
      parts,
      unitsPerPart,
      groups,
      pagesPerTile,
      chunks,
      unitsPerCell,
      ...(r.leaves !== undefined && { unitsPerLeaf: units / r.leaves }),
      codeBytes: align16(unitsPerCell * unit.codes),
      scaleBytes: align16(unitsPerCell * unit.scales),
      cellBytes: cell(unitsPerCell),
      pageBytes,
      tiles: r.tiles,
      pages,
      bytes: pages * pageBytes,
    }
  }
  return undefined
}

/** The `down` layout: a cell is a tile with all of its k. */
export function tiledGeometry(r: {
  readonly format: DeviceFormat
  readonly k: number
  readonly tiles: number
  readonly leaves?: number
}): Geometry {
  const units = r.k / UNIT_K
  const unit = unitBytes[r.format]
  const codeBytes = align16(units * unit.codes)
  const scaleBytes = align16(units * unit.scales)
  const cellBytes = codeBytes + scaleBytes
  return {
    units,
    parts: 1,
    unitsPerPart: units,
    groups: 1,
    pagesPerTile: 1,
    chunks: 1,
    unitsPerCell: units,
    ...(r.leaves !== undefined && { unitsPerLeaf: units / r.leaves }),
    codeBytes,
    scaleBytes,
    cellBytes,
    pageBytes: cellBytes,
    tiles: r.tiles,
    pages: r.tiles,
    bytes: r.tiles * cellBytes,
  }
}
