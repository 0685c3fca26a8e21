/**
 * The binary load plan: the compiler's weight manifest joined with where a checkpoint keeps each row. The engine reads it
 * (codegen/device/engine/load_plan.h lists the same records) and does the rest by itself.
 *
 * Vocabulary: a *stored matrix* says where the rows of a logical parameter lie: in *spans* of consecutive tensor rows. A
 * scale grid restarts wherever a span says so (`scaleRow` of its first row, and how many rows of that scale row came
 * before), which is how a fused tensor of several groups keeps its groups' own grids.
 * Invariants: what is written here names bytes inside files whose headers were read; shapes were compared with the
 * manifest, and every mismatch is a finding that names parameter, tensor, expected and found.
 */

import type { RankWeights, Run, WeightEntry, WeightManifest } from '../../codegen/manifest.ts'
import { type Diagnostic, DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import type { StoredTensor } from '../checkpoint/safetensors.ts'
import { PlanBytes } from './plan-bytes.ts'

export interface RowSpan {
  /** Logical rows that the span covers; spans follow each other. */
  readonly rows: number
  readonly tensor: StoredTensor
  /** The tensor's row that holds the span's first logical row. */
  readonly firstRow: number
  /** For scaled formats: the grid, the row of it that the span's first row uses, and how far into that grid row it is. */
  readonly scale?: {
    readonly tensor: StoredTensor
    readonly firstRow: number
    readonly skew: number
    readonly blockRows: number
  }
}

/** Where the rows of one logical parameter (of one expert) lie. */
export interface StoredMatrix {
  readonly kind: 'stored'
  readonly columns: number
  readonly spans: readonly RowSpan[]
}

/** Numbers made up by the engine: uniform in mean +- amplitude where the format is plain. */
export interface SyntheticMatrix {
  readonly kind: 'synthetic'
  readonly rows: number
  readonly columns: number
  /** How a checkpoint would store it. */
  readonly format: 'f32' | 'bf16' | 'e4m3' | 'e2m1'
  readonly seed: number
  readonly mean: number
  readonly amplitude: number
}

export type MatrixSource = StoredMatrix | SyntheticMatrix
/** Finds a logical parameter; `expert` is undefined where the parameter has no experts. */
export type SourceOf = (param: string, expert: number | undefined) => MatrixSource

const formats = ['f32', 'bf16', 'e4m3', 'e2m1'] as const
type Format = (typeof formats)[number]
const code = (f: Format) => formats.indexOf(f)
const columnBytes: Readonly<Record<Format, number>> = { f32: 4, bf16: 2, e4m3: 1, e2m1: 0.5 }
/** Which stored dtype each format is read from. */
const dtypeFormats: Readonly<Record<string, Format>> = {
  F32: 'f32',
  BF16: 'bf16',
  F8_E4M3: 'e4m3',
  U8: 'e2m1',
  F4: 'e2m1',
}
const scaleBytes: Readonly<Partial<Record<Format, { readonly bytes: number; readonly dtypes: readonly string[] }>>> = {
  e4m3: { bytes: 4, dtypes: ['F32'] },
  e2m1: { bytes: 1, dtypes: ['U8', 'F8_E8M0'] },
}

/** Writes the plan for all ranks. Throws a DiagnosticError that lists every mismatch. */
export function writeLoadPlan(weights: WeightManifest, sourceOf: SourceOf): Uint8Array {
  const findings: Diagnostic[] = []
  const plan = new PlanBytes(
    weights.length,
    Math.max(...weights.map((r) => r.imageBytes)),
    Math.max(...weights.map((r) => r.kvBytes)),
  )
  // Ranks take turns entry by entry, so that a tensor's bytes are still in the page cache when the next rank wants its part.
  const entries = weights.flatMap((rank: RankWeights, r) => rank.params.map((entry, order) => ({ r, order, entry })))
  entries.sort((a, b) => a.order - b.order || a.r - b.r)
  for (const { r, entry } of entries) {
    for (let expert = 0; expert < Math.max(1, entry.experts); expert++) {
      writeItem(plan, r, entry, entry.experts ? expert : undefined, sourceOf, findings)
    }
  }
  if (findings.length > 0) throw new DiagnosticError(findings.slice(0, 20))
  return plan.finish()
}

function writeItem(
  plan: PlanBytes,
  rank: number,
  entry: WeightEntry,
  expert: number | undefined,
  sourceOf: SourceOf,
  findings: Diagnostic[],
) {
  const matrices = entry.members.map((member) => sourceOf(member, expert))
  const before = findings.length
  const members = matrices.map((m, i) => checked(entry, entry.members[i]!, expert, m, findings))
  if (findings.length > before) return
  const sources = members.flat().map((part) => part.write(plan))
  const table = plan.table(rowsOf(entry, members, findings))
  if (findings.length > before) return
  const size =
    entry.kind === 'tiles'
      ? entry.pages * entry.pageBytes
      : expand(entry.runs).length * entry.columns * columnBytes[entry.format]
  plan.item({
    rank,
    entry,
    format: code(entry.format),
    table,
    sources,
    imageAt: entry.imageOffset + (expert ?? 0) * size,
    name: expert === undefined ? entry.name : `${entry.name} (expert ${expert})`,
  })
}

/** Part of a member that one source record describes. */
interface Part {
  readonly rows: number
  /** Tensor row and scale row of local row i. */
  readonly at: (i: number) => readonly [row: number, scaleRow: number]
  readonly write: (plan: PlanBytes) => readonly number[]
}

function checked(
  entry: WeightEntry,
  member: string,
  expert: number | undefined,
  m: MatrixSource,
  findings: Diagnostic[],
): Part[] {
  const name = expert === undefined ? member : `${member} (expert ${expert})`
  const report = (message: string, subject?: string) =>
    void findings.push(diagnostic('TILE6001', `parameter '${name}': ${message}`, { subject }))
  if (entry.firstColumn + entry.columns > m.columns)
    report(
      `the engine wants columns ${entry.firstColumn} to ${entry.firstColumn + entry.columns - 1}, it has ${m.columns}`,
    )
  if (m.kind === 'synthetic') {
    if (!compatible(m.format, entry.format))
      report(`the engine wants ${entry.format}, the synthetic source makes ${m.format}`)
    const blockRows = m.format === 'e4m3' ? 128 : 1
    return [
      {
        rows: m.rows,
        at: (i) => [i, Math.floor(i / blockRows)],
        write: (plan) => plan.synthetic(code(m.format), m.seed, m.mean, m.amplitude),
      },
    ]
  }
  return m.spans.map((span): Part => {
    const { tensor, scale } = span
    const format = dtypeFormats[tensor.dtype]
    if (!format || !compatible(format, entry.format))
      report(`tensor '${tensor.name}' is ${tensor.dtype}, the engine wants ${entry.format}`, tensor.file)
    const rowBytes = m.columns * columnBytes[format ?? 'f32']
    if ((span.firstRow + span.rows) * rowBytes > tensor.bytes)
      report(
        `rows ${span.firstRow} to ${span.firstRow + span.rows - 1} of ${m.columns} columns do not lie in tensor '${tensor.name}' of shape [${tensor.shape.join(', ')}]`,
        tensor.file,
      )
    const wanted = scaleBytes[entry.format]
    if (wanted && !scale) report(`tensor '${tensor.name}' has no scales, and ${entry.format} needs them`, tensor.file)
    if (wanted && scale && !wanted.dtypes.includes(scale.tensor.dtype))
      report(
        `scale tensor '${scale.tensor.name}' is ${scale.tensor.dtype}, expected ${wanted.dtypes.join(' or ')}`,
        scale.tensor.file,
      )
    const scaleRowBytes = wanted ? Math.ceil(m.columns / (entry.format === 'e4m3' ? 128 : 32)) * wanted.bytes : 0
    const scaleRow = (i: number) => (scale ? scale.firstRow + Math.floor((scale.skew + i) / scale.blockRows) : 0)
    if (wanted && scale && (scaleRow(span.rows - 1) + 1) * scaleRowBytes > scale.tensor.bytes)
      report(
        `scale rows up to ${scaleRow(span.rows - 1)} do not lie in '${scale.tensor.name}' of shape [${scale.tensor.shape.join(', ')}]`,
        scale.tensor.file,
      )
    return {
      rows: span.rows,
      at: (i) => [span.firstRow + i, scaleRow(i)],
      write: (plan) =>
        plan.stored(code(format ?? 'f32'), tensor, rowBytes, wanted ? scale?.tensor : undefined, scaleRowBytes),
    }
  })
}

/** Plain formats convert into each other; codes are taken as they are. */
const compatible = (from: Format, to: Format) => from === to || (columnBytes[from] > 1 && columnBytes[to] > 1)

const expand = (runs: readonly Run[]) =>
  runs.flatMap(([member, first, rows, stride]) =>
    Array.from({ length: rows }, (_, i) => [member, first + i * stride] as const),
  )

/** Source, row and scale row of every row the entry wants, as the engine's table has them. */
function rowsOf(entry: WeightEntry, members: readonly (readonly Part[])[], findings: Diagnostic[]): Int32Array {
  const firstSource: number[] = []
  let sources = 0
  for (const parts of members) {
    firstSource.push(sources)
    sources += parts.length
  }
  const rows = expand(entry.runs)
  const table = new Int32Array(rows.length * 3)
  rows.forEach(([member, logical], i) => {
    let found: readonly [number, number, number] | undefined = member < 0 ? [-1, 0, 0] : undefined
    const parts = members[member] ?? []
    for (let p = 0, begin = 0; p < parts.length && !found; begin += parts[p]!.rows, p++) {
      if (logical - begin < parts[p]!.rows) found = [firstSource[member]! + p, ...parts[p]!.at(logical - begin)]
    }
    if (found) table.set(found, i * 3)
    else {
      const have = parts.reduce((n, p) => n + p.rows, 0)
      findings.push(
        diagnostic(
          'TILE6001',
          `parameter '${entry.members[member] ?? `member ${member}`}': the engine wants row ${logical}, it has ${have}`,
        ),
      )
    }
    // Eight rows share one scale of a block format.
    if (entry.kind === 'tiles' && entry.format === 'e4m3' && found && found[0] >= 0) {
      const first = Math.floor(i / 8) * 8
      for (let k = first; k < i; k++)
        if (table[k * 3]! >= 0 && (table[k * 3] !== found[0] || table[k * 3 + 2] !== found[2])) {
          findings.push(
            diagnostic('TILE6002', `'${entry.name}': tile rows ${first} to ${first + 7} straddle two scale blocks`),
          )
          break
        }
    }
  })
  return table
}
