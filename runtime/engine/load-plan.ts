/**
 * The binary load plan: the compiler's weight manifest joined with where a checkpoint keeps each row. The engine reads it
 * (codegen/device/engine/load_plan.h lists the same records) and does the rest by itself.
 *
 * Vocabulary: a *source* of a parameter is a checkpoint (its binding and the headers of its files) or a generator of
 * synthetic numbers; a *part* is a run of a parameter's rows that one source record describes. Rows of expert weights
 * count through all experts, as bindings do; a manifest's runs count within one expert.
 * Invariants: what is written names bytes inside tensors whose headers were read; every row that the engine wants and a
 * source does not have, or has in another format, is a finding that names both.
 */
import type { RankWeights, Run, WeightEntry, WeightManifest } from '../../codegen/manifest.ts'
import { type Diagnostic, DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { type Binding, scaleRow } from '../../dsl/weights.ts'
import type { FileTensor } from '../checkpoint/safetensors.ts'
import { PlanBytes, type SourceRecord } from './plan-bytes.ts'

/** Rows of a checkpoint's tensors. */
export interface StoredSource {
  readonly kind: 'stored'
  readonly binding: Binding
  readonly tensors: ReadonlyMap<string, FileTensor>
}

/** Numbers made up by the engine: uniform in mean +- amplitude where the format is plain, codes and scales otherwise. */
export interface SyntheticSource {
  readonly kind: 'synthetic'
  readonly rows: number
  readonly columns: number
  readonly format: Format
  readonly seed: number
  readonly mean: number
  readonly amplitude: number
}

export type ParamSource = StoredSource | SyntheticSource

export type Format = WeightEntry['format']
const formats: readonly Format[] = ['f32', 'bf16', 'e4m3', 'e2m1']
const columnBytes: Readonly<Record<Format, number>> = { f32: 4, bf16: 2, e4m3: 1, e2m1: 0.5 }
/** Which format each stored dtype holds. */
const dtypeFormats: Readonly<Partial<Record<FileTensor['dtype'], Format>>> = {
  F32: 'f32',
  BF16: 'bf16',
  F8_E4M3: 'e4m3',
  U8: 'e2m1',
}
/** The engine knows one scale layout for each scaled format. */
const scaleLayout: Readonly<Partial<Record<Format, { readonly columns: number; readonly bytes: number }>>> = {
  e4m3: { columns: 128, bytes: 4 },
  e2m1: { columns: 32, bytes: 1 },
}

/** Writes the plan for all ranks. Throws a DiagnosticError that lists every mismatch. */
export function writeLoadPlan(weights: WeightManifest, sourceOf: (param: string) => ParamSource): Uint8Array {
  const findings: Diagnostic[] = []
  const most = (of: (rank: RankWeights) => number) => Math.max(...weights.map(of))
  const plan = new PlanBytes(
    weights.length,
    most((r) => r.imageBytes),
    most((r) => r.kvBytes),
  )
  // Ranks take turns entry by entry: a tensor's bytes are still in the page cache when the next rank wants its share.
  const entries = weights.flatMap(({ params }, rank) => params.map((entry, order) => ({ rank, order, entry })))
  entries.sort((a, b) => a.order - b.order || a.rank - b.rank)
  for (const { rank, entry } of entries) writeEntry(plan, rank, entry, entry.members.map(sourceOf), findings)
  if (findings.length > 0) throw new DiagnosticError(findings.slice(0, 20))
  return plan.finish()
}

function writeEntry(
  plan: PlanBytes,
  rank: number,
  entry: WeightEntry,
  sources: readonly ParamSource[],
  findings: Diagnostic[],
): void {
  const rows = expand(entry.runs)
  const size =
    entry.kind === 'tiles' ? entry.pages * entry.pageBytes : rows.length * entry.columns * columnBytes[entry.format]
  const tables = new Map<string, number>()
  for (let expert = 0; expert < Math.max(1, entry.experts); expert++) {
    const before = findings.length
    const members = sources.map((source, i) => partsOf(entry, entry.members[i]!, source, expert, findings))
    if (findings.length > before) return
    const parts = members.flat()
    // Experts differ in where they lie, hardly ever in how: then they share a table.
    const shape = parts.map((p) => p.shape).join()
    let table = tables.get(shape)
    if (table === undefined) {
      table = plan.table(rowTable(entry, rows, members, findings))
      tables.set(shape, table)
    }
    if (findings.length > before) return
    plan.item({
      rank,
      entry,
      format: formats.indexOf(entry.format),
      table,
      sources: parts.map((p) => p.record),
      imageAt: entry.imageOffset + expert * size,
      name: entry.experts > 0 ? `${entry.name}, expert ${expert}` : entry.name,
    })
  }
}

interface Part {
  readonly rows: number
  /** The tensor's row and the scale row of the part's row i. */
  readonly at: (i: number) => readonly [row: number, scaleRow: number]
  readonly record: SourceRecord
  /** What `at` depends on. */
  readonly shape: string
}

/** The parts that hold the rows of one expert (of all rows, where there are no experts). */
function partsOf(
  entry: WeightEntry,
  member: string,
  source: ParamSource,
  expert: number,
  findings: Diagnostic[],
): Part[] {
  const report = (message: string, subject?: string) =>
    void findings.push(diagnostic('TILE6001', `parameter '${member}': ${message}`, { subject }))
  const { rows, columns } = source.kind === 'stored' ? source.binding : source
  if (entry.firstColumn + entry.columns > columns) {
    const last = entry.firstColumn + entry.columns - 1
    report(`the engine wants columns ${entry.firstColumn} to ${last}, it has ${columns} columns`)
  }
  const each = rows / Math.max(1, entry.experts)
  if (!Number.isInteger(each)) report(`its ${rows} rows are not the rows of ${entry.experts} experts`)
  const first = expert * each
  if (source.kind === 'synthetic') {
    if (!compatible(source.format, entry.format))
      report(`the engine wants ${entry.format}, the synthetic source makes ${source.format}`)
    const block = source.format === 'e4m3' ? 128 : 1
    return [
      {
        rows: each,
        at: (i) => [first + i, Math.floor((first + i) / block)],
        record: { kind: 'synthetic', format: formats.indexOf(source.format), ...synthesis(source) },
        shape: `synthetic ${first}`,
      },
    ]
  }
  const parts: Part[] = []
  let at = 0
  for (const segment of source.binding.segments) {
    const from = Math.max(first, at)
    const to = Math.min(first + each, at + segment.rows)
    const tensorRow = segment.firstRow + from - at
    at += segment.rows
    if (from >= to) continue
    const tensor = source.tensors.get(segment.tensor.name)
    if (!tensor) {
      report(`the checkpoint has no tensor '${segment.tensor.name}'`)
      continue
    }
    const format = dtypeFormats[tensor.dtype]
    if (!format || !compatible(format, entry.format)) {
      report(`tensor '${tensor.name}' is ${tensor.dtype}, which ${entry.format} is not made from`, tensor.file)
      continue
    }
    const rowBytes = columns * columnBytes[format]
    if ((tensorRow + to - from) * rowBytes > tensor.bytes)
      report(
        `tensor '${tensor.name}' [${tensor.shape.join(', ')}] does not hold row ${tensorRow + to - from - 1} of ${columns} columns`,
        tensor.file,
      )
    const layout = scaleLayout[entry.format]
    const grid = layout && segment.scale
    const scale = grid && source.tensors.get(grid.tensor.name)
    if (layout && !scale) report(`tensor '${tensor.name}' has no scales, and ${entry.format} needs them`, tensor.file)
    if (layout && grid && grid.block[1] !== layout.columns)
      report(
        `'${grid.tensor.name}' has a scale for ${grid.block[1]} columns; the engine's ${entry.format} has one for ${layout.columns}`,
      )
    const scaleRowBytes = layout ? Math.ceil(columns / layout.columns) * layout.bytes : 0
    const rowOfScale = (i: number) => (grid ? scaleRow(grid, tensorRow + i) : 0)
    if (scale && (rowOfScale(to - from - 1) + 1) * scaleRowBytes > scale.bytes)
      report(
        `scale tensor '${scale.name}' [${scale.shape.join(', ')}] does not hold row ${rowOfScale(to - from - 1)}`,
        scale.file,
      )
    parts.push({
      rows: to - from,
      at: (i) => [tensorRow + i, rowOfScale(i)],
      record: {
        kind: 'stored',
        format: formats.indexOf(format),
        tensor,
        rowBytes,
        ...(scale && { scale, scaleRowBytes }),
      },
      shape: `${to - from} from ${tensorRow} ${grid ? `${grid.period}/${grid.block[0]}` : ''}`,
    })
  }
  return parts
}

const synthesis = ({ seed, mean, amplitude }: SyntheticSource) => ({ seed, mean, amplitude })

/** Plain formats convert into each other; codes are taken as they are. */
const compatible = (from: Format, to: Format) => from === to || (columnBytes[from] > 1 && columnBytes[to] > 1)

/** Member and logical row of every row that the image wants. */
const expand = (runs: readonly Run[]) =>
  runs.flatMap(([member, first, count, stride]) =>
    Array.from({ length: count }, (_, i) => ({ member, row: first + i * stride })),
  )

/** Source, row and scale row of each, as the engine's table has them. */
function rowTable(
  entry: WeightEntry,
  rows: readonly { readonly member: number; readonly row: number }[],
  members: readonly (readonly Part[])[],
  findings: Diagnostic[],
): Int32Array {
  const table = new Int32Array(rows.length * 3)
  rows.forEach(({ member, row }, i) => {
    const found = member < 0 ? ([-1, 0, 0] as const) : locate(members, member, row)
    if (found) {
      table.set(found, i * 3)
      return
    }
    const name = entry.members[member] ?? `member ${member}`
    const has = (members[member] ?? []).reduce((n, p) => n + p.rows, 0)
    findings.push(diagnostic('TILE6001', `parameter '${name}': the engine wants row ${row}, it has ${has} rows`))
  })
  if (entry.kind === 'tiles' && entry.format === 'e4m3') checkHalves(entry, table, findings)
  return table
}

function locate(members: readonly (readonly Part[])[], member: number, row: number) {
  let source = members.slice(0, member).reduce((n, parts) => n + parts.length, 0)
  let begin = 0
  for (const part of members[member] ?? []) {
    if (row < begin + part.rows) return [source, ...part.at(row - begin)] as const
    begin += part.rows
    source++
  }
  return undefined
}

/** Eight tile rows share one scale of a block format, so they must use one row of one grid. */
function checkHalves(entry: WeightEntry, table: Int32Array, findings: Diagnostic[]): void {
  for (let first = 0; first < table.length / 3; first += 8) {
    const used = new Set<string>()
    for (let i = first; i < first + 8; i++) if (table[i * 3]! >= 0) used.add(`${table[i * 3]}/${table[i * 3 + 2]}`)
    if (used.size <= 1) continue
    const message = `'${entry.name}': tile rows ${first} to ${first + 7} take their scales from ${used.size} rows of scale grids, the engine keeps one for eight rows`
    findings.push(diagnostic('TILE6002', message))
    return
  }
}
