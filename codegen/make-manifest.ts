/**
 * make-manifest: the weight manifest of a plan: for each rank, which rows and columns of which parameters fill which
 * bytes of its image.
 *
 * Vocabulary: *row dims* and *column dims* of a parameter: the contraction's dims are columns, the others rows; a vector
 * is one row. The *order* of a packed weight lists the local output row of each of the 16 rows of each tile.
 * Invariant: a rank's slice is contiguous, but for KV heads that ranks share (compiler/shard/share-heads.ts): the split dim is
 * the first row dim (after the experts) or the first column dim.
 */
import { InternalError } from '../compiler/diagnostics/diagnostic.ts'
import type { Placement, Plan } from '../compiler/plan/ir.ts'
import type { ShardedParam, SharedRows } from '../compiler/shard/shard-graph.ts'
import { TILE_ROWS } from '../compiler/tile/forms.ts'
import type { Section } from '../compiler/tile/ir.ts'
import { absoluteName } from '../compiler/tile/split-segments.ts'
import { type Dim, sizeOf } from '../dsl/dim.ts'
import type { RankWeights, Run, WeightEntry, WeightManifest } from './manifest.ts'

type Tiles = Extract<Placement['layout'], { kind: 'tiles' }>

export function makeManifest(plan: Plan, params: readonly ShardedParam[]): WeightManifest {
  const byName = new Map(params.map((p) => [p.name, p]))
  const order = new Map<Placement, readonly (readonly [member: number, row: number])[]>()
  const rank = (r: number): RankWeights => ({
    imageBytes: plan.imageBytes,
    kvBytes: plan.kvBytes,
    params: plan.entries.flatMap((entry) =>
      plan.segments[entry.segment]!.image.map((placement) => {
        const members = placement.params.map((name) => byName.get(absoluteName(name, entry.layer))!)
        const at = entry.imageOffset + placement.offset
        if (placement.layout.kind === 'plain')
          return plainEntry(members[0]!, at, placement.layout.scalar, r, plan.ranks)
        if (!order.has(placement)) order.set(placement, tileOrder(placement.layout, members.length))
        return tilesEntry(members, at, placement.layout, order.get(placement)!, r, plan.ranks)
      }),
    ),
  })
  return Array.from({ length: plan.ranks }, (_, r) => rank(r))
}

/** A rank's slice of a parameter. */
interface Slice {
  /** The whole parameter's row that is a local row. */
  readonly row: (local: number) => number
  readonly firstColumn: number
  readonly columns: number
}

function slice(p: ShardedParam, rowDims: number, rank: number): Slice {
  const columnDims = p.dims.slice(rowDims)
  const columns = sizeOf(columnDims)
  if (p.split === undefined) return { row: (local) => local, firstColumn: 0, columns }
  if (p.split >= rowDims) {
    requireFirst(p, columnDims, p.split - rowDims)
    return { row: (local) => local, firstColumn: rank * columns, columns }
  }
  const rows = p.dims.slice(0, rowDims)
  const expertDims = rows[0]!.name === 'expert' ? 1 : 0
  requireFirst(p, rows.slice(expertDims), p.split - expertDims)
  const first = rank * sizeOf(rows.slice(expertDims))
  const row = p.shared ? (local: number) => sharedRow(p.shared!, local, rank) : (local: number) => first + local
  return { row, firstColumn: 0, columns }
}

/** The row of the whole parameter of a rank that shares an element of the split dim with others. */
function sharedRow({ copies, rows, pieces }: SharedRows, local: number, rank: number): number {
  const element = Math.floor(rank / copies) * rows
  let rest = local
  for (const { first, count, step } of pieces) {
    if (rest < count) return element + first + (rank % copies) * step + rest
    rest -= count
  }
  throw new InternalError(`row ${local} is behind the last of a shared element`)
}

function requireFirst(p: ShardedParam, dims: readonly Dim[], index: number): void {
  if (dims.slice(0, index).some((d) => d.size > 1)) {
    throw new InternalError(
      `'${p.name}' is split over ranks along '${p.dims[p.split!]!.name}', which is not its outermost dim`,
    )
  }
}

function plainEntry(
  p: ShardedParam,
  imageOffset: number,
  format: 'f32' | 'bf16',
  rank: number,
  ranks: number,
): WeightEntry {
  // A table has rows; everything else that is plain is a vector.
  const rowDims = p.dims.length === 2 && p.split === undefined && p.dims[0]!.name === 'token' ? 1 : 0
  const vector = rowDims === 0
  const columns = vector ? sizeOf(p.dims) : p.dims[1]!.size
  return {
    kind: 'plain',
    format,
    name: p.name,
    members: [p.name],
    imageOffset,
    runs: [[0, 0, vector ? 1 : p.dims[0]!.size, 1]],
    firstColumn: p.split === undefined || ranks === 1 ? 0 : Math.floor(rank / (p.shared?.copies ?? 1)) * columns,
    columns,
    experts: 0,
  }
}

function tilesEntry(
  members: readonly ShardedParam[],
  imageOffset: number,
  layout: Tiles,
  order: readonly (readonly [number, number])[],
  rank: number,
  ranks: number,
): WeightEntry {
  const g = layout.geometry
  const p = members[0]!
  const rowDims = p.dims.length - layout.contracted
  const { row: wholeRow, firstColumn, columns } = slice(p, rowDims, ranks === 1 ? 0 : rank)
  const down =
    g.parts === 1 &&
    layout.experts !== undefined &&
    g.pages === g.tiles &&
    g.groups === 1 &&
    g.pageBytes === g.cellBytes
  return {
    kind: 'tiles',
    format: layout.format,
    name: members.map((m) => m.name).join(' + '),
    members: members.map((m) => m.name),
    imageOffset,
    runs: runsOf(order.map(([member, row]) => [member, member < 0 ? 0 : wholeRow(row)] as const)),
    firstColumn,
    columns,
    experts: layout.experts ?? 0,
    pages: g.pages,
    pageBytes: g.pageBytes,
    cells: g.groups * g.parts,
    cellBytes: g.cellBytes,
    units: g.unitsPerCell,
    pagesPerTile: g.pagesPerTile,
    tilesPerPage: g.groups,
    cellsPerTile: g.parts,
    pageUnitStride: down ? 0 : g.unitsPerCell,
    cellUnitStride: g.unitsPerPart,
  }
}

/** Member and local row of each of the 16 rows of each tile, tiles that only fill a page included (member -1). */
export function tileOrder(layout: Tiles, members: number): readonly (readonly [member: number, row: number])[] {
  const { geometry: g, sections, period, rows } = layout
  const tiles = (g.pages / g.pagesPerTile) * g.groups
  const order: [number, number][] = []
  for (let t = 0; t < tiles; t++) {
    for (let r = 0; r < TILE_ROWS; r++) {
      if (members === 2) {
        const row = t * 8 + (r % 8)
        order.push(row < rows ? [Math.floor(r / 8), row] : [-1, 0])
        continue
      }
      const outer = Math.floor(t / period)
      const inPeriod = t % period
      const section = sections.find((s) => inPeriod >= s.first && inPeriod < s.first + s.tiles)
      const row =
        t >= g.tiles
          ? rows
          : section
            ? outer * period * TILE_ROWS + section.first * TILE_ROWS + sectionRow(section, inPeriod - section.first, r)
            : outer * period * TILE_ROWS + inPeriod * TILE_ROWS + r
      order.push(row < rows ? [0, row] : [-1, 0])
    }
  }
  return order
}

/** Row within the section of row r of its tile u: rotary partners are paired, all others are neighbours. */
export function sectionRow(section: Section, u: number, r: number): number {
  const i = r % 8
  const high = r >= 8
  if (section.rotary === 0) return u * TILE_ROWS + r
  const perHead = section.head / TILE_ROWS
  const first = Math.floor(u / perHead) * section.head
  const j = u % perHead
  if (j < section.rotary / TILE_ROWS) return first + 8 * j + i + (high ? section.rotary / 2 : 0)
  return first + TILE_ROWS * j + i + (high ? 8 : 0)
}

/** Rows as runs of equal stride. */
function runsOf(rows: readonly (readonly [member: number, row: number])[]): Run[] {
  const runs: Run[] = []
  for (const [member, row] of rows) {
    const last = runs.at(-1)
    if (last && last[0] === member) {
      const [, first, count, stride] = last
      if (member < 0) {
        last[2]++
        continue
      }
      if (count === 1 && row > first) {
        last[2] = 2
        last[3] = row - first
        continue
      }
      if (count > 1 && row === first + count * stride) {
        last[2]++
        continue
      }
    }
    runs.push([member, row, 1, 1])
  }
  return runs
}
