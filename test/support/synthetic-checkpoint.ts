/**
 * Writes small random checkpoints in exactly the layout that is published: safetensors shards, index, config.json.
 *
 * The tensors are those that a model's bindings read, with the first accepted dtype, so one writer serves every model and
 * layout (fused or split qkv, fp8, mxfp4). Values are seeded and tame: scales and codes are legal, sums stay of order 1.
 * `edit` lets a test spoil a checkpoint before it is written; `writeSafetensors` writes any header, also a wrong one.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Binding, StoredDtype, StoredTensor } from '../../dsl/weights.ts'

export interface SyntheticTensor {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

export interface SyntheticOptions {
  readonly seed?: number
  /** Files that the tensors are dealt over; 1 writes model.safetensors without an index. */
  readonly shards?: number
  readonly edit?: (tensors: Map<string, SyntheticTensor>) => unknown
}

export function writeCheckpoint(
  folder: string,
  config: object,
  bindings: readonly Binding[],
  { seed = 1, shards = 2, edit }: SyntheticOptions = {},
): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2))
  const tensors = randomTensors(bindings, seed)
  edit?.(tensors)
  if (shards === 1) {
    writeSafetensors(join(folder, 'model.safetensors'), tensors)
    return
  }
  const weightMap: Record<string, string> = {}
  const list = [...tensors]
  for (let s = 0; s < shards; s++) {
    const file = `model-${String(s + 1).padStart(5, '0')}-of-${String(shards).padStart(5, '0')}.safetensors`
    const part = list.slice(Math.floor((list.length * s) / shards), Math.floor((list.length * (s + 1)) / shards))
    for (const [name] of part) weightMap[name] = file
    writeSafetensors(join(folder, file), new Map(part))
  }
  const index = { metadata: { total_size: list.reduce((n, [, t]) => n + t.bytes.length, 0) }, weight_map: weightMap }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify(index, null, 2))
}

export function writeSafetensors(path: string, tensors: ReadonlyMap<string, SyntheticTensor>): void {
  let at = 0
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  for (const [name, { dtype, shape, bytes }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] }
    at += bytes.length
  }
  writeRaw(path, JSON.stringify(header), ...[...tensors.values()].map((t) => t.bytes))
}

/** A header as text, padded to 8 bytes with spaces, and whatever follows. */
export function writeRaw(path: string, header: string, ...data: readonly Uint8Array[]): void {
  const json = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  writeFileSync(path, Buffer.concat([length, json, ...data]))
}

/** Every tensor that the bindings read, weights and scales, in order of first use. */
export function randomTensors(bindings: readonly Binding[], seed: number): Map<string, SyntheticTensor> {
  const next = random(seed)
  const tensors = new Map<string, SyntheticTensor>()
  const add = (tensor: StoredTensor, fill: Fill) => {
    if (tensors.has(tensor.name)) return
    const dtype = tensor.dtypes[0]!
    const count = tensor.shape.reduce((n, d) => n * d, 1)
    const bytes = new Uint8Array(count * elementBytes[dtype])
    fill(bytes, count, next)
    tensors.set(tensor.name, { dtype, shape: tensor.shape, bytes })
  }
  for (const { segments, columns, rows } of bindings) {
    for (const { tensor, scale } of segments) {
      // vectors (norms, sinks, biases) are around 1, matrices small enough that sums over a row are
      add(tensor, (rows === 1 ? vectorFills : matrixFills(columns))[tensor.dtypes[0]!])
      if (scale) add(scale.tensor, scaleFills(columns)[scale.tensor.dtypes[0]!])
    }
  }
  return tensors
}

type Random = () => number
type Fill = (bytes: Uint8Array, count: number, next: Random) => void

const elementBytes: Record<StoredDtype, number> = { F32: 4, BF16: 2, F8_E4M3: 1, U8: 1 }

const f32From =
  (value: (next: Random) => number): Fill =>
  (bytes, count, next) => {
    const view = new DataView(bytes.buffer)
    for (let i = 0; i < count; i++) view.setFloat32(4 * i, value(next), true)
  }
const bf16From =
  (value: (next: Random) => number): Fill =>
  (bytes, count, next) => {
    const [whole, view] = [new DataView(new ArrayBuffer(4)), new DataView(bytes.buffer)]
    for (let i = 0; i < count; i++) {
      whole.setFloat32(0, value(next))
      view.setUint16(2 * i, whole.getUint16(0), true)
    }
  }
const bytesFrom =
  (value: (next: Random) => number): Fill =>
  (bytes, count, next) => {
    for (let i = 0; i < count; i++) bytes[i] = value(next)
  }

const around = (centre: number, spread: number) => (next: Random) => centre + (next() - 0.5) * spread
const vectorFills: Record<StoredDtype, Fill> = {
  F32: f32From(around(1, 0.5)),
  BF16: bf16From(around(1, 0.5)),
  F8_E4M3: bytesFrom(e4m3Code),
  U8: bytesFrom((next) => Math.floor(next() * 256)),
}
const matrixFills = (columns: number): Record<StoredDtype, Fill> => ({
  F32: f32From(around(0, 4 / Math.sqrt(columns))),
  BF16: bf16From(around(0, 4 / Math.sqrt(columns))),
  F8_E4M3: bytesFrom(e4m3Code),
  U8: bytesFrom((next) => Math.floor(next() * 256)),
})
/** Codes reach 448 and 6; a scale brings a row's sum back to order 1, a different one for each block. */
const scaleFills = (columns: number): Record<StoredDtype, Fill> => ({
  F32: f32From((next) => (0.5 + next()) / (100 * Math.sqrt(columns))),
  BF16: bf16From((next) => (0.5 + next()) / (100 * Math.sqrt(columns))),
  F8_E4M3: bytesFrom(e4m3Code),
  U8: bytesFrom((next) => 127 - Math.round(Math.log2(3 * Math.sqrt(columns))) + Math.floor(next() * 3) - 1),
})

/** Any code but the two NaNs. */
function e4m3Code(next: Random): number {
  const code = Math.floor(next() * 256)
  return (code & 0x7f) === 0x7f ? code - 1 : code
}

/** mulberry32 */
function random(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
