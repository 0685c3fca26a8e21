/**
 * The binary load plan: the compiler's weight manifest joined with where a checkpoint keeps each row. The engine reads it
 * (codegen/device/engine/load_plan.h lists the same records) and does the rest by itself.
 *
 * Vocabulary: a *source* of a parameter is a checkpoint (its binding and the headers of its files) or a generator of
 * synthetic numbers; a *part* is a run of a parameter's rows that one source record describes. Rows of expert weights
 * count through all experts, as bindings do; a manifest's runs count within one expert. Experts that differ only in where
 * they lie share one item and one table of rows.
 * Invariants: what is written names bytes inside tensors whose headers were read; every row that the engine wants and a
 * source does not have, or has in another format, is a finding that names both.
 */
import type { RankWeights, Run, WeightEntry, WeightManifest } from '../../codegen/manifest.ts'
import { type Diagnostic, DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { type Binding, type Segment, scaleRow } from '../../dsl/weights.ts'
import type { FileTensor } from '../checkpoint/safetensors.ts'
import { PlanBytes, type SourceRecord } from './plan-bytes.ts'
import { hashU32 } from './synthetic.ts'

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
  const shared = new Map<string, Members>()
  for (const { rank, entry } of entries) {
    const key = `${entry.format} ${entry.experts} ${entry.members.join()}`
    const members = shared.get(key) ?? membersOf(plan, entry, entry.members.map(sourceOf), findings)
    shared.set(key, members)
    writeEntry(plan, rank, entry, members, findings)
  }
  if (findings.length > 0) throw new DiagnosticError(findings.slice(0, 20))
  return plan.finish()
}

function writeEntry(plan: PlanBytes, rank: number, entry: WeightEntry, members: Members, findings: Diagnostic[]): void {
  const rows = expand(entry.runs)
  const size =
    entry.kind === 'tiles' ? entry.pages * entry.pageBytes : rows.length * entry.columns * columnBytes[entry.format]
  members.sources.forEach((source, i) => {
    const { columns } = source.kind === 'stored' ? source.binding : source
    if (entry.firstColumn + entry.columns <= columns) return
    const wanted = `the engine wants columns ${entry.firstColumn} to ${entry.firstColumn + entry.columns - 1}`
    findings.push(diagnostic('TILE6001', `parameter '${entry.members[i]}': ${wanted}, it has ${columns} columns`))
  })
  for (const run of members.runs) {
    plan.item({
      rank,
      entry,
      format: formats.indexOf(entry.format),
      table: plan.table(rowTable(entry, rows, run.parts, findings)),
      firstSource: run.firstSource,
      sourcesEach: run.parts.flat().length,
      firstExpert: run.first,
      experts: run.experts,
      imageAt: entry.imageOffset + run.first * size,
      expertBytes: size,
    })
  }
}

/** The sources of an entry's members, the same for every rank: experts in a row that differ in place only make a run. */
interface Members {
  readonly sources: readonly ParamSource[]
  readonly runs: readonly {
    readonly first: number
    readonly experts: number
    readonly firstSource: number
    readonly parts: readonly (readonly Part[])[]
  }[]
}

function membersOf(
  plan: PlanBytes,
  entry: WeightEntry,
  sources: readonly ParamSource[],
  findings: Diagnostic[],
): Members {
  const experts = sources.map((s, i) => expertsOf(entry, entry.members[i]!, s, findings))
  const runs: { first: number; experts: number; firstSource: number; parts: Part[][]; shape: string }[] = []
  for (let expert = 0; expert < Math.max(1, entry.experts); expert++) {
    const parts = experts.map((of) => of[expert] ?? [])
    const shape = parts.map((of) => of.map((p) => p.shape).join()).join(';')
    const firstSource = plan.addSources(parts.flat().map((p) => p.record))
    const last = runs.at(-1)
    if (last?.shape === shape) last.experts++
    else runs.push({ first: expert, experts: 1, firstSource, parts, shape })
  }
  return { sources, runs }
}

/** A run of a parameter's rows that one source record describes. */
interface Part {
  readonly rows: number
  /** The scale row of row i, from the record's first. */
  readonly scaleRow: (i: number) => number
  readonly record: SourceRecord
  /** What `rows` and `scaleRow` amount to. */
  readonly shape: string
}

/** The parts of each expert (of the one, where there are none). */
function expertsOf(entry: WeightEntry, member: string, source: ParamSource, findings: Diagnostic[]): Part[][] {
  const { rows } = source.kind === 'stored' ? source.binding : source
  const experts = Math.max(1, entry.experts)
  const each = rows / experts
  const report = (message: string, subject?: string): undefined => {
    findings.push(diagnostic('TILE6001', `parameter '${member}': ${message}`, { subject }))
  }
  if (!Number.isInteger(each)) {
    report(`its ${rows} rows are not the rows of ${experts} experts`)
    return []
  }
  if (source.kind === 'synthetic') {
    if (!compatible(source.format, entry.format))
      report(`the engine wants ${entry.format}, the synthetic source makes ${source.format}`)
    return Array.from({ length: experts }, (_, expert) => [syntheticPart(source, each, expert)])
  }
  const parts: Part[][] = Array.from({ length: experts }, () => [])
  let at = 0
  for (const segment of source.binding.segments) {
    const end = at + segment.rows
    while (at < end) {
      const expert = Math.floor(at / each)
      const count = Math.min(end, (expert + 1) * each) - at
      const firstRow = segment.firstRow + segment.rows - (end - at)
      const part = storedPart(entry, source, segment, firstRow, count, report)
      if (part) parts[expert]?.push(part)
      at += count
    }
  }
  return parts
}

/** Rows count within an expert, and each expert has a key of its own. */
function syntheticPart(source: SyntheticSource, rows: number, expert: number): Part {
  const { format, mean, amplitude } = source
  const block = format === 'e4m3' ? 128 : 1
  const seed = expert === 0 ? source.seed : hashU32(source.seed, expert, 0)
  return {
    rows,
    scaleRow: (i) => Math.floor(i / block),
    record: { kind: 'synthetic', format: formats.indexOf(format), seed, mean, amplitude },
    shape: `${rows}/${block}`,
  }
}

function storedPart(
  entry: WeightEntry,
  { binding: { columns }, tensors }: StoredSource,
  segment: Segment,
  firstRow: number,
  rows: number,
  report: (message: string, subject?: string) => undefined,
): Part | undefined {
  const tensor = tensors.get(segment.tensor.name)
  if (!tensor) return report(`the checkpoint has no tensor '${segment.tensor.name}'`)
  const format = dtypeFormats[tensor.dtype]
  if (!format || !compatible(format, entry.format))
    return report(`tensor '${tensor.name}' is ${tensor.dtype}, which ${entry.format} is not made from`, tensor.file)
  const holds = (t: FileTensor, row: number, bytes: number) => {
    if ((row + 1) * bytes > t.bytes) report(`tensor '${t.name}' [${t.shape.join(', ')}] has no row ${row}`, t.file)
  }
  const rowBytes = columns * columnBytes[format]
  holds(tensor, firstRow + rows - 1, rowBytes)
  const place = { kind: 'stored', format: formats.indexOf(format), tensor, at: firstRow * rowBytes, rowBytes } as const
  const layout = scaleLayout[entry.format]
  if (!layout) return { rows, scaleRow: () => 0, record: place, shape: `${rows}` }
  const grid = segment.scale
  const scale = grid && tensors.get(grid.tensor.name)
  if (!grid || !scale)
    return report(`tensor '${tensor.name}' has no scales, and ${entry.format} needs them`, tensor.file)
  if (grid.block[1] !== layout.columns)
    return report(
      `'${scale.name}' has a scale for ${grid.block[1]} columns; the engine's ${entry.format} has one for ${layout.columns}`,
      scale.file,
    )
  const scaleRowBytes = Math.ceil(columns / layout.columns) * layout.bytes
  const firstScale = scaleRow(grid, firstRow)
  holds(scale, scaleRow(grid, firstRow + rows - 1), scaleRowBytes)
  const phase = grid.block[0] === 1 ? '' : `${firstRow % grid.period} of ${grid.period}/${grid.block[0]}`
  return {
    rows,
    scaleRow: (i) => scaleRow(grid, firstRow + i) - firstScale,
    record: { ...place, scale: { tensor: scale, at: firstScale * scaleRowBytes, rowBytes: scaleRowBytes } },
    shape: `${rows} ${phase}`,
  }
}

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
  if (entry.kind === 'tiles' && entry.format === 'e4m3') checkHalves(entry, table, members.flat(), findings)
  return table
}

function locate(members: readonly (readonly Part[])[], member: number, row: number) {
  let source = members.slice(0, member).reduce((n, parts) => n + parts.length, 0)
  let begin = 0
  for (const part of members[member] ?? []) {
    if (row < begin + part.rows) return [source, row - begin, part.scaleRow(row - begin)] as const
    begin += part.rows
    source++
  }
  return undefined
}

/** Eight tile rows share one scale of a block format, so they must use one row of one grid. */
function checkHalves(entry: WeightEntry, table: Int32Array, parts: readonly Part[], findings: Diagnostic[]): void {
  const gridRow = (i: number): string => {
    const record = parts[table[i * 3]!]!.record
    const grid = record.kind === 'stored' ? record.scale : undefined
    const row = (grid ? grid.at / grid.rowBytes : 0) + table[i * 3 + 2]!
    return grid ? `${grid.tensor.name} ${row}` : `${table[i * 3]} ${row}`
  }
  for (let first = 0; first < table.length / 3; first += 8) {
    const used = new Set<string>()
    for (let i = first; i < first + 8; i++) if (table[i * 3]! >= 0) used.add(gridRow(i))
    if (used.size <= 1) continue
    const what = `take their scales from ${used.size} rows of scale grids, the engine keeps one for eight rows`
    findings.push(diagnostic('TILE6002', `'${entry.name}': tile rows ${first} to ${first + 7} ${what}`))
    return
  }
}
