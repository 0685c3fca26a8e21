/**
 * Writes the arrays of a load plan as bytes. Layouts are those of codegen/device/engine/load_plan.h, field by field.
 *
 * Invariants: little endian; every array is padded to a multiple of 8; equal tables, files and sources are written once
 * (experts share their row table, and ranks their files).
 */
import type { WeightEntry } from '../../codegen/manifest.ts'
import type { StoredTensor } from '../checkpoint/safetensors.ts'

const magic = 0x314c5054

/** A growing byte array with the few number types that records have. */
class Records {
  private bytes = new Uint8Array(4096)
  private view = new DataView(this.bytes.buffer)
  length = 0
  count = 0
  private room(n: number): number {
    if (this.length + n > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + n))
      grown.set(this.bytes)
      this.bytes = grown
      this.view = new DataView(grown.buffer)
    }
    const at = this.length
    this.length += n
    return at
  }
  u32(...values: readonly number[]): this {
    for (const v of values) this.view.setUint32(this.room(4), v >>> 0, true)
    return this
  }
  f32(value: number): this {
    this.view.setFloat32(this.room(4), value, true)
    return this
  }
  u64(value: number): this {
    this.view.setBigUint64(this.room(8), BigInt(value), true)
    return this
  }
  append(data: Uint8Array): this {
    this.bytes.set(data, this.room(data.length))
    return this
  }
  padded(): Uint8Array {
    while (this.length % 8 !== 0) this.room(1)
    return this.bytes.subarray(0, this.length)
  }
}

export interface ItemRecord {
  readonly rank: number
  readonly entry: WeightEntry
  readonly format: number
  readonly table: number
  /** Source records, as `stored` and `synthetic` returned them. */
  readonly sources: readonly (readonly number[])[]
  readonly imageAt: number
  readonly name: string
}

export class PlanBytes {
  private readonly fileBytes: { path: string; bytes: number }[] = []
  private readonly fileIndex = new Map<string, number>()
  private readonly tables = new Records()
  private readonly rows = new Records()
  private readonly tableIndex = new Map<string, number>()
  private readonly sources = new Records()
  private readonly items = new Records()
  private readonly strings = new Records()

  constructor(
    private readonly ranks: number,
    private readonly imageBytes: number,
    private readonly kvBytes: number,
  ) {}

  private file(tensor: StoredTensor): number {
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

  /** kind, format, file, scale file, at, row bytes, scale at, scale row bytes, seed, mean, amplitude. */
  stored(
    format: number,
    tensor: StoredTensor,
    rowBytes: number,
    scale: StoredTensor | undefined,
    scaleRowBytes: number,
  ): number[] {
    return [
      0,
      format,
      this.file(tensor),
      scale ? this.file(scale) : 0,
      tensor.offset,
      rowBytes,
      scale?.offset ?? 0,
      scaleRowBytes,
      0,
      0,
      0,
    ]
  }
  synthetic(format: number, seed: number, mean: number, amplitude: number): number[] {
    return [1, format, 0, 0, 0, 0, 0, 0, seed, mean, amplitude]
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

  item(item: ItemRecord): void {
    const first = this.sources.count
    for (const s of item.sources) {
      const [kind, format, file, scaleFile, at, rowBytes, scaleAt, scaleRowBytes, seed, mean, amplitude] = s
      this.sources.u32(kind!, format!, file!, scaleFile!).u64(at!).u64(rowBytes!).u64(scaleAt!).u64(scaleRowBytes!)
      this.sources.u32(seed!).f32(mean!).f32(amplitude!).u32(0)
      this.sources.count++
    }
    const e = item.entry
    const tiles = e.kind === 'tiles'
    this.items.u32(
      item.rank,
      tiles ? 1 : 0,
      item.format,
      item.table,
      first,
      item.sources.length,
      ...this.text(item.name),
    )
    this.items.u64(item.imageAt).u32(e.firstColumn, e.columns)
    if (tiles)
      this.items.u32(
        e.pages,
        e.pageBytes,
        e.cells,
        e.cellBytes,
        e.units,
        e.pagesPerTile,
        e.tilesPerPage,
        e.cellsPerTile,
        e.pageUnitStride,
        e.cellUnitStride,
      )
    else this.items.u32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    this.items.count++
  }

  finish(): Uint8Array {
    const files = new Records()
    for (const f of this.fileBytes) files.u64(f.bytes).u32(...this.text(f.path))
    const head = new Records()
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
