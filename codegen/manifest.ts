/**
 * The weights of a compiled engine: what the image of each rank holds, where, and from which rows and columns of which
 * logical parameters. The compiler writes it beside engine.cu; runtime/engine/load-plan.ts turns it, with a checkpoint's
 * headers, into the binary plan that the engine loads by.
 *
 * Vocabulary: an *entry* is one packed weight or one plain array of one rank; its *members* are the logical parameters
 * whose rows it interleaves (gate and up, for one). A *run* [member, first, count, stride] stands for rows first,
 * first + stride, ... of a member; member -1 for rows of zeros. A *page* is what one ring slot receives, a *cell* what
 * one warp multiplies, a *unit* 16 tile rows by 32 columns (docs/engine.md 2).
 * Invariants: a logical parameter is a matrix per expert: its last (contraction) dims flattened are columns, the others
 * rows; runs list exactly the rows the image wants, in its order; column c of the entry is `firstColumn + c` of the
 * members; an entry's bytes lie inside the image and do not overlap another's.
 */
import { z } from 'zod'

const count = z.number().int().positive()
const offset = z.number().int().nonnegative()

/** [member, first row, count, stride]. */
export const Run = z.tuple([z.number().int().min(-1), offset, count, z.number().int()])

const common = {
  name: z.string(),
  members: z.array(z.string()).min(1),
  imageOffset: offset,
  runs: z.array(Run).min(1).readonly(),
  firstColumn: offset,
  columns: count,
  /** 0: the members are no expert weights; else every expert's weight follows, in order, the same size each. */
  experts: offset,
}

export const PlainEntry = z.object({ kind: z.literal('plain'), format: z.enum(['f32', 'bf16']), ...common }).strict()

/**
 * Page p, cell c belong to tile `floor(p / pagesPerTile) * tilesPerPage + floor(c / cellsPerTile)` and begin at unit
 * `(p % pagesPerTile) * pageUnitStride + (c % cellsPerTile) * cellUnitStride`; a cell holds `units` units from there, and
 * zeros past the last column. A cell's bytes are its units' codes, then their scales.
 */
export const TilesEntry = z
  .object({
    kind: z.literal('tiles'),
    format: z.enum(['f32', 'bf16', 'e4m3', 'e2m1']),
    ...common,
    /** Of one expert. */
    pages: count,
    pageBytes: count,
    cells: count,
    cellBytes: count,
    units: count,
    pagesPerTile: count,
    tilesPerPage: count,
    cellsPerTile: count,
    pageUnitStride: offset,
    cellUnitStride: offset,
  })
  .strict()

export const WeightEntry = z.discriminatedUnion('kind', [PlainEntry, TilesEntry])

export const RankWeights = z.object({ imageBytes: offset, kvBytes: offset, params: z.array(WeightEntry) }).strict()

/** One per rank. */
export const WeightManifest = z.array(RankWeights).min(1)

export type Run = z.infer<typeof Run>
export type PlainEntry = z.infer<typeof PlainEntry>
export type TilesEntry = z.infer<typeof TilesEntry>
export type WeightEntry = z.infer<typeof WeightEntry>
export type RankWeights = z.infer<typeof RankWeights>
export type WeightManifest = z.infer<typeof WeightManifest>

/** Bytes that the units of each format take in an image: codes, scales. */
export const unitBytes: Readonly<Record<TilesEntry['format'], readonly [codes: number, scales: number]>> = {
  f32: [2048, 0],
  bf16: [1024, 0],
  e4m3: [512, 8],
  e2m1: [256, 16],
}
