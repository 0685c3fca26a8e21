/**
 * Packing: what the engine puts into its image, read back element by element with a decoder written from docs/engine.md
 * and common/forms.h, against the checkpoint's bytes.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type TilesEntry, unitBytes, type WeightEntry } from '../../codegen/manifest.ts'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import type { Binding, Segment, StoredDtype } from '../../dsl/weights.ts'
import { buildEngine } from '../../runtime/build/build-engine.ts'
import type { FileTensor } from '../../runtime/checkpoint/safetensors.ts'
import { EngineProcess } from '../../runtime/engine/engine-process.ts'
import { type Format, type ParamSource, writeLoadPlan } from '../../runtime/engine/load-plan.ts'
import {
  hashU32,
  syntheticE2m1,
  syntheticE4m3,
  syntheticE8m0,
  syntheticNumber,
  syntheticScale,
} from '../../runtime/engine/synthetic.ts'
import { fixture } from './bigram.ts'

vi.setConfig({ testTimeout: 60_000 })
const imageBytes = 1 << 20
let executable: string
let folder: string

beforeAll(async () => {
  const source = fixture('bigram.cu')
    .replace('ranks = 2', 'ranks = 1')
    .replace(/image_bytes = [^,]+/, `image_bytes = ${imageBytes}`)
  executable = (await buildEngine({ source, target: 'host' })).executable
  folder = mkdtempSync(join(tmpdir(), 'tilec-pack-'))
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The image that the engine makes of the entries; throws what the engine says. */
async function load(entries: readonly WeightEntry[], sourceOf: (param: string) => ParamSource): Promise<Buffer> {
  const loadPlan = writeLoadPlan([{ imageBytes, kvBytes: 0, params: [...entries] }], sourceOf)
  const error = await new EngineProcess({ executable, loadPlan, args: ['--dump', folder] }).died
  if (error && !error.message.includes('ended with status 0')) throw error
  return readFileSync(join(folder, 'image.0'))
}

/** A file of random tensors: bytes are a hash, so any of them can be recomputed. */
class File {
  private readonly path = join(folder, `tensors-${Math.random()}`)
  private length = 24
  readonly tensors = new Map<string, FileTensor>()
  readonly bytes = new Map<string, Buffer>()

  add(name: string, dtype: StoredDtype, shape: readonly number[], make: (i: number) => number): FileTensor {
    const elementBytes = { F32: 4, BF16: 2, F8_E4M3: 1, U8: 1 }[dtype]
    const count = shape.reduce((a, b) => a * b, 1)
    const data = Buffer.alloc(count * elementBytes)
    for (let i = 0; i < count; i++) data.writeUIntLE(make(i), i * elementBytes, elementBytes)
    const tensor = { name, file: this.path, dtype, shape, offset: this.length, bytes: data.length }
    const fd = openSync(this.path, this.length === 24 ? 'w' : 'r+')
    writeSync(fd, data, 0, data.length, this.length)
    closeSync(fd)
    this.length += data.length
    this.tensors.set(name, tensor)
    this.bytes.set(name, data)
    return tensor
  }
}

const stored = (file: File, rows: number, columns: number, segments: readonly Segment[]): ParamSource => ({
  kind: 'stored',
  binding: { param: 'p', rows, columns, segments } satisfies Binding,
  tensors: file.tensors,
})
const shapeOf = (t: FileTensor, dtypes: readonly StoredDtype[]) => ({ name: t.name, shape: t.shape, dtypes })

const float = (bits: number) => new Float32Array(new Uint32Array([bits]).buffer)[0]!
const bitsOf = (value: number) => new Uint32Array(new Float32Array([value]).buffer)[0]!
const finite = (bits: number) => (((bits >>> 23) & 255) === 255 ? bits ^ 0x40000000 : bits) >>> 0

/** Where (tile, row 0..15, column) lies: its cell, and its unit and k within. */
function placeOf(e: TilesEntry, tile: number, column: number) {
  const unit = Math.floor(column / 32)
  for (let p = 0; p < e.pages; p++)
    for (let c = 0; c < e.cells; c++) {
      const owner = Math.floor(p / e.pagesPerTile) * e.tilesPerPage + Math.floor(c / e.cellsPerTile)
      const first = (p % e.pagesPerTile) * e.pageUnitStride + (c % e.cellsPerTile) * e.cellUnitStride
      if (owner === tile && unit >= first && unit < first + e.units)
        return { cell: p * e.pageBytes + c * e.cellBytes, unit: unit - first, k: column % 32 }
    }
  throw new Error(`no cell holds tile ${tile}, column ${column}`)
}

/** Lane, register half and element of (row, k) in a unit: docs/engine.md 2. */
function lanePlace(row: number, k: number) {
  return { lane: (row % 8) * 4 + Math.floor(k / 8), half: row >> 3, j: k % 8 }
}

/** The raw code (or number's bits) and the raw scale of one element. */
function element(image: Buffer, e: TilesEntry, base: number, tile: number, row: number, column: number) {
  const { cell, unit, k } = placeOf(e, tile, column)
  const { lane, half, j } = lanePlace(row, k)
  const [codeBytes, scaleBytes] = unitBytes[e.format]
  const codes = base + cell + unit * codeBytes
  const scales = base + cell + e.units * codeBytes + unit * scaleBytes
  const decoders: Record<Format, () => readonly [code: number, scale: number]> = {
    f32: () => [image.readUInt32LE(codes + ((((j >> 2) * 2 + half) * 32 + lane) * 4 + (j % 4)) * 4), 0],
    bf16: () => [image.readUInt16LE(codes + ((half * 32 + lane) * 8 + j) * 2), 0],
    e4m3: () => {
      const byte = [1, 3, 0, 2][j % 4]!
      return [image[codes + lane * 16 + half * 8 + (j >> 2) * 4 + byte]!, image.readUInt32LE(scales + half * 4)]
    },
    e2m1: () => {
      const [low, high] = [image.readUInt32LE(codes + lane * 8), image.readUInt32LE(codes + lane * 8 + 4)]
      const turned = (word: number, left: number) =>
        left === 0 ? word : ((word << left) | (word >>> (32 - left))) >>> 0
      const rest = (low & 0x06030603) | (turned(high, 2) & ~0x06030603)
      const pair = j >> 1
      const word = pair < 3 ? turned(half === 0 ? low : high, [0, 4, 10][pair]!) : turned(rest, half === 0 ? 6 : 12)
      const value = word >>> ((j % 2) * 16)
      return [((value >>> 15) & 1) * 8 + ((value >>> 6) & 7), image[scales + (row % 8) * 2 + half]!]
    },
  }
  return decoders[e.format]()
}

interface Geometry {
  readonly tiles: number
  readonly columns: number
  readonly format: Format
  /** Cells that share a tile's columns, pages that do, and tiles that share a page. */
  readonly kCells?: number
  readonly kPages?: number
  readonly tilesPerPage?: number
}

function entry(g: Geometry, parts: Partial<TilesEntry>): TilesEntry {
  const { kCells = 1, kPages = 1, tilesPerPage = 1 } = g
  const units = Math.ceil(g.columns / 32 / kCells / kPages)
  const [codes, scales] = unitBytes[g.format]
  const cells = kCells * tilesPerPage
  const cellBytes = units * (codes + scales)
  return {
    kind: 'tiles',
    format: g.format,
    name: 'packed',
    members: ['p'],
    imageOffset: 1024,
    runs: [[0, 0, g.tiles * 16, 1]],
    firstColumn: 0,
    columns: g.columns,
    experts: 0,
    pages: (g.tiles / tilesPerPage) * kPages,
    pageBytes: Math.ceil((cells * cellBytes) / 16) * 16,
    cells,
    cellBytes,
    units,
    pagesPerTile: kPages,
    tilesPerPage,
    cellsPerTile: kCells,
    pageUnitStride: units,
    cellUnitStride: units * kPages,
    ...parts,
  }
}

/** Rows of an entry in image order: [member, row], row -1 for zeros. */
const rowsOf = (e: WeightEntry) =>
  e.runs.flatMap(([member, first, count, stride]) =>
    Array.from({ length: count }, (_, i) => [member, first + i * stride] as const),
  )

describe('stored tensors', () => {
  it('packs bf16, split over cells and pages, with a slice of the columns and rows of zeros', async () => {
    const file = new File()
    const t = file.add('w', 'BF16', [40, 224], (i) => finite(hashU32(1, i, 0)) >>> 16)
    const source = stored(file, 40, 224, [{ tensor: shapeOf(t, ['BF16']), firstRow: 0, rows: 40 }])
    const e = entry(
      { tiles: 3, columns: 128, format: 'bf16', kCells: 2, kPages: 2 },
      {
        firstColumn: 64,
        runs: [
          [0, 0, 8, 2],
          [0, 1, 8, 2],
          [0, 16, 24, 1],
          [-1, 0, 8, 0],
        ],
      },
    )
    const image = await load([e], () => source)
    rowsOf(e).forEach(([member, row], i) => {
      for (let c = 0; c < 128; c += 5) {
        const expected = member < 0 ? 0 : file.bytes.get('w')!.readUInt16LE((row * 224 + 64 + c) * 2)
        expect(element(image, e, e.imageOffset, i >> 4, i % 16, c)[0]).toBe(expected)
      }
    })
  })

  it('widens bf16 to f32 and rounds f32 to bf16; packs several tiles into a page; pads a last unit', async () => {
    const file = new File()
    const narrow = file.add('narrow', 'BF16', [32, 40], (i) => finite(hashU32(2, i, 0)) >>> 16)
    const wide = file.add('wide', 'F32', [32, 40], (i) => finite(hashU32(3, i, 0)))
    const sources: Record<string, ParamSource> = {
      narrow: stored(file, 32, 40, [{ tensor: shapeOf(narrow, ['BF16']), firstRow: 0, rows: 32 }]),
      wide: stored(file, 32, 40, [{ tensor: shapeOf(wide, ['F32']), firstRow: 0, rows: 32 }]),
    }
    const a = entry({ tiles: 2, columns: 40, format: 'f32', tilesPerPage: 2 }, { members: ['narrow'], imageOffset: 0 })
    const b = entry({ tiles: 2, columns: 40, format: 'f32', kCells: 2 }, { members: ['wide'], imageOffset: 65536 })
    const c: WeightEntry = {
      kind: 'plain',
      name: 'plain',
      format: 'bf16',
      members: ['wide'],
      imageOffset: 131072,
      runs: [[0, 31, 32, -1]],
      firstColumn: 3,
      columns: 20,
      experts: 0,
    }
    const image = await load([a, b, c], (param) => sources[param]!)
    for (let row = 0; row < 32; row++)
      for (let column = 0; column < 64; column++) {
        const at = (row * 40 + column) * 2
        const inside = column < 40
        expect(element(image, a, 0, row >> 4, row % 16, column)[0]).toBe(
          inside ? file.bytes.get('narrow')!.readUInt16LE(at) * 65536 : 0,
        )
        const bits = inside ? file.bytes.get('wide')!.readUInt32LE(at * 2) : 0
        expect(element(image, b, 65536, row >> 4, row % 16, column)[0]).toBe(bits)
        if (column < 3 || column >= 23) continue
        const rounded = Math.fround(float(bits))
        const kept = float(image.readUInt16LE(131072 + ((31 - row) * 20 + column - 3) * 2) * 65536)
        expect(Math.abs(kept - rounded)).toBeLessThanOrEqual(Math.abs(rounded) * 2 ** -8 + 2 ** -133)
      }
  })

  it('packs fp8 of fused groups, each with a scale grid of its own that ends in half a block', async () => {
    const file = new File()
    const period = 192
    const scaleRowOf = (row: number) => Math.floor(row / period) * 2 + Math.floor((row % period) / 128)
    const t = file.add('qkv', 'F8_E4M3', [384, 320], (i) => (hashU32(4, i, 0) & 0x7f) % 0x7f)
    const s = file.add('scale', 'F32', [4, 3], (i) => bitsOf(2 ** -(i + 1)))
    const grid = { tensor: shapeOf(s, ['F32']), period, block: [128, 128] as const }
    const segment = (firstRow: number, rows: number): Segment => ({
      tensor: shapeOf(t, ['F8_E4M3']),
      firstRow,
      rows,
      scale: grid,
    })
    // Logical order: the second group's last 64 rows first, then the first group.
    const source = stored(file, 256, 320, [segment(320, 64), segment(0, 192)])
    const tensorRow = (row: number) => (row < 64 ? 320 + row : row - 64)
    const e = entry(
      { tiles: 16, columns: 192, format: 'e4m3', kCells: 3 },
      {
        firstColumn: 96,
        runs: Array.from({ length: 16 }, (_, tile) => [
          [0, tile * 8, 8, 1],
          [0, 128 + tile * 8, 8, 1],
        ]).flat() as [number, number, number, number][],
      },
    )
    const image = await load([e], () => source)
    rowsOf(e).forEach(([, row], i) => {
      for (let c = 0; c < 192; c += 7) {
        const at = tensorRow(row)
        const expected = [
          file.bytes.get('qkv')![at * 320 + 96 + c],
          file.bytes.get('scale')!.readUInt32LE((scaleRowOf(at) * 3 + Math.floor((96 + c) / 128)) * 4),
        ]
        expect(element(image, e, e.imageOffset, i >> 4, i % 16, c)).toEqual(expected)
      }
    })
    const straddling = { ...e, runs: [[0, 4, 256, 1] as [number, number, number, number]] }
    expect(() => writeLoadPlan([{ imageBytes, kvBytes: 0, params: [straddling] }], () => source)).toThrow(
      /TILE6001.*wants row 256/,
    )
    const skewed = {
      ...e,
      runs: [
        [0, 60, 192, 1],
        [-1, 0, 64, 0],
      ] as [number, number, number, number][],
    }
    expect(() => writeLoadPlan([{ imageBytes, kvBytes: 0, params: [skewed] }], () => source)).toThrow(/TILE6002/)
  })

  it('packs mxfp4 experts, gate and up interleaved, striped over columns', async () => {
    const file = new File()
    const [experts, rows, columns] = [3, 16, 128]
    const sources: Record<string, ParamSource> = {}
    for (const name of ['gate', 'up']) {
      const segments = Array.from({ length: experts }, (_, x): Segment => {
        const t = file.add(`${x}.${name}`, 'U8', [rows, columns / 2], (i) => hashU32(x, i, name.length) & 255)
        const s = file.add(`${x}.${name}.scale`, 'U8', [rows, columns / 32], (i) => 1 + (hashU32(x, i, 99) % 254))
        const scale = { tensor: shapeOf(s, ['U8']), period: rows, block: [1, 32] as const }
        return { tensor: shapeOf(t, ['U8']), firstRow: 0, rows, scale }
      })
      sources[name] = stored(file, experts * rows, columns, segments)
    }
    const e = entry(
      { tiles: 2, columns: 64, format: 'e2m1', kPages: 2 },
      {
        members: ['gate', 'up'],
        experts,
        firstColumn: 64,
        runs: [
          [0, 0, 8, 1],
          [1, 0, 8, 1],
          [0, 8, 8, 1],
          [1, 8, 8, 1],
        ],
      },
    )
    const image = await load([e], (param) => sources[param]!)
    for (let x = 0; x < experts; x++)
      rowsOf(e).forEach(([member, row], i) => {
        const name = ['gate', 'up'][member]!
        for (let c = 0; c < 64; c++) {
          const packed = file.bytes.get(`${x}.${name}`)![row * 64 + ((64 + c) >> 1)]!
          const expected = [
            c % 2 ? packed >> 4 : packed & 15,
            file.bytes.get(`${x}.${name}.scale`)![row * 4 + 2 + (c >> 5)],
          ]
          const base = e.imageOffset + x * e.pages * e.pageBytes
          expect(element(image, e, base, i >> 4, i % 16, c)).toEqual(expected)
        }
      })
  })

  it('refuses codes and scales that are not numbers, naming the parameter', async () => {
    const make = (dtype: 'F8_E4M3' | 'U8', code: number, scale: number) => {
      const file = new File()
      const fp8 = dtype === 'F8_E4M3'
      const t = file.add('t', dtype, [16, fp8 ? 128 : 64], (i) => (i === 77 ? code : 0x33))
      const s = file.add('s', fp8 ? 'F32' : 'U8', fp8 ? [1, 1] : [16, 4], (i) => (i === 0 ? scale : 120))
      const grid = {
        tensor: shapeOf(s, ['F32', 'U8']),
        period: 16,
        block: fp8 ? ([128, 128] as const) : ([1, 32] as const),
      }
      const source = stored(file, 16, 128, [{ tensor: shapeOf(t, [dtype]), firstRow: 0, rows: 16, scale: grid }])
      return load(
        [entry({ tiles: 1, columns: 128, format: fp8 ? 'e4m3' : 'e2m1' }, { name: 'the.weight' })],
        () => source,
      )
    }
    const one = bitsOf(1)
    await expect(make('F8_E4M3', 0xff, one)).rejects.toThrow(/TILE6007.*the.weight: contains an e4m3 NaN/)
    await expect(make('F8_E4M3', 1, 0x7f800000)).rejects.toThrow(/TILE6007.*scale that is not finite/)
    await expect(make('U8', 1, 255)).rejects.toThrow(/TILE6007.*scale byte 255/)
    await expect(make('U8', 1, 0)).rejects.toThrow(/TILE6007.*scale byte 0/)
    await expect(make('U8', 1, 127)).resolves.toBeInstanceOf(Buffer)
  })
})

describe('synthetic sources', () => {
  const [rows, columns, seed, amplitude] = [48, 256, 5, 0.02]
  const source = (format: Format): ParamSource => ({
    kind: 'synthetic',
    rows,
    columns,
    format,
    seed,
    mean: 1,
    amplitude,
  })

  it.each(['f32', 'bf16', 'e4m3', 'e2m1'] as const)('make the numbers that TypeScript makes: %s', async (format) => {
    const e = entry({ tiles: 2, columns: 128, format, kCells: 2 }, { firstColumn: 128, runs: [[0, 16, 32, 1]] })
    const image = await load([e], () => source(format))
    for (let i = 0; i < 32; i++)
      for (let c = 0; c < 128; c += 3) {
        const [row, column] = [16 + i, 128 + c]
        const number = bitsOf(syntheticNumber(seed, row, column, 1, amplitude))
        const expected: Record<Format, readonly [number, number]> = {
          f32: [number, 0],
          bf16: [(number + 0x7fff + ((number >>> 16) & 1)) >>> 16, 0],
          e4m3: [syntheticE4m3(seed, row, column), bitsOf(syntheticScale(seed, 0, column >> 7, amplitude))],
          e2m1: [syntheticE2m1(seed, row, column), syntheticE8m0(seed, row, column >> 5, amplitude)],
        }
        expect(element(image, e, e.imageOffset, i >> 4, i % 16, c)).toEqual(expected[format])
      }
  })

  it('does not make codes where the engine wants numbers', () => {
    const e = entry({ tiles: 1, columns: 32, format: 'f32' }, {})
    expect(() => writeLoadPlan([{ imageBytes, kvBytes: 0, params: [e] }], () => source('e2m1'))).toThrow(
      DiagnosticError,
    )
  })
})
