/**
 * Writes the arrays of a load plan as bytes. Layouts are those of codegen/device/engine/load_plan.h, field by field.
 *
 * Invariants: little endian; every array is padded to a multiple of 8; equal tables, files and sources are written once
 * (experts share their row table, and ranks their files).
 */
import type { WeightEntry } from '../../codegen/manifest.ts'
import type { FileTensor } from '../checkpoint/safetensors.ts'

import { ByteWriter } from './byte-writer.ts'

const magic = 0x314c5054

export type SourceRecord =
  | {
      readonly kind: 'stored'
      readonly format: number
      readonly tensor: FileTensor
      /** Its first row that counts, in bytes from the tensor's start; and the bytes of a row. */
      readonly at: number
      readonly rowBytes: number
      readonly scale?: { readonly tensor: FileTensor; readonly at: number; readonly rowBytes: number }
    }
  | {
      readonly kind: 'synthetic'
      readonly format: number
      readonly seed: number
      readonly mean: number
      readonly amplitude: number
    }

export interface ItemRecord {
  readonly rank: number
  readonly entry: WeightEntry
  readonly format: number
  readonly table: number
  /** Where `sources` put those of the first expert, and how many each has. */
  readonly firstSource: number
  readonly sourcesEach: number
  readonly firstExpert: number
  readonly experts: number
  readonly imageAt: number
  readonly expertBytes: number
}

export class PlanBytes {
  private readonly fileBytes: { path: string; bytes: number }[] = []
  private readonly fileIndex = new Map<string, number>()
  private readonly tables = new ByteWriter()
  private readonly rows = new ByteWriter()
  private readonly tableIndex = new Map<string, number>()
  private readonly sources = new ByteWriter()
  private readonly items = new ByteWriter()
  private readonly strings = new ByteWriter()

  constructor(
    private readonly ranks: number,
    private readonly imageBytes: number,
    private readonly kvBytes: number,
  ) {}

  private file(tensor: FileTensor): number {
    let index = this.fileIndex.get(tensor.file)
    if (index === undefined) {
      index = this.fileBytes.length
      this.fileIndex.set(tensor.file, index)
      this.fileBytes.push({ path: tensor.file, bytes: 0 })
    }
    const file = this.fileBytes[index]!
    file.bytes = Math.max(file.bytes, tensor.offset + tensor.bytes)
    return index
  }

  table(rows: Int32Array): number {
    const data = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength)
    const key = Buffer.from(data).toString('latin1')
    let index = this.tableIndex.get(key)
    if (index === undefined) {
      index = this.tables.count++
      this.tableIndex.set(key, index)
      this.tables.u32(this.rows.count, rows.length / 3)
      this.rows.append(data)
      this.rows.count += rows.length / 3
    }
    return index
  }

  private text(text: string): readonly [at: number, length: number] {
    const at = this.strings.length
    const data = new TextEncoder().encode(text)
    this.strings.append(data)
    return [at, data.length]
  }

  /** Appends source records and says where the first lies. */
  addSources(records: readonly SourceRecord[]): number {
    const first = this.sources.count
    for (const s of records) this.source(s)
    return first
  }

  private source(s: SourceRecord): void {
    this.sources.count++
    if (s.kind === 'synthetic') {
      this.sources.u32(1, s.format, 0, 0).u64(0).u64(0).u64(0).u64(0)
      this.sources.u32(s.seed).f32(s.mean).f32(s.amplitude).u32(0)
      return
    }
    const { tensor, scale } = s
    this.sources.u32(0, s.format, this.file(tensor), scale ? this.file(scale.tensor) : 0)
    this.sources.u64(tensor.offset + s.at).u64(s.rowBytes)
    this.sources.u64(scale ? scale.tensor.offset + scale.at : 0).u64(scale?.rowBytes ?? 0)
    this.sources.u32(0).f32(0).f32(0).u32(0)
  }

  item(item: ItemRecord): void {
    const e = item.entry
    const tiles = e.kind === 'tiles'
    this.items.u32(item.rank, tiles ? 1 : 0, item.format, item.table, item.firstSource, item.sourcesEach)
    this.items
      .u32(...this.text(e.name))
      .u64(item.imageAt)
      .u64(item.expertBytes)
    this.items.u32(item.experts, item.firstExpert, e.firstColumn, e.columns)
    if (tiles) {
      this.items.u32(e.pages, e.pageBytes, e.cells, e.cellBytes, e.units)
      this.items.u32(e.pagesPerTile, e.tilesPerPage, e.cellsPerTile, e.pageUnitStride, e.cellUnitStride)
    } else this.items.u32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    this.items.count++
  }

  finish(): Uint8Array {
    const files = new ByteWriter()
    for (const f of this.fileBytes) files.u64(f.bytes).u32(...this.text(f.path))
    const head = new ByteWriter()
    const { tables, rows, sources, items, strings } = this
    head.u32(
      magic,
      this.ranks,
      this.fileBytes.length,
      tables.count,
      rows.count,
      sources.count,
      items.count,
      strings.length,
    )
    head.u64(this.imageBytes).u64(this.kvBytes)
    return Buffer.concat([head, files, tables, rows, sources, items, strings].map((r) => r.padded()))
  }
}
