/**
 * Weights as numbers: what the reference computes with. Each value is the format's exact value, rounded once to float32
 * (only e4m3 times an f32 scale needs it).
 *
 * Vocabulary: a *run* is a range of a param's rows; segments that it touches are read and decoded, others are not.
 * Invariants: the checkpoint has passed `matchWeights`; scales are found by the grid of the binding, never by a grid of
 * the decoder's own; a NaN or an infinity is reported with its tensor and place, never handed on.
 */
import { DiagnosticError, diagnostic, InternalError } from '../../compiler/diagnostics/diagnostic.ts'
import { cachedParams, type ParamSource } from '../../compiler/reference/params.ts'
import type { CodeFormat, ScaledFormat, WeightFormat } from '../../dsl/format.ts'
import type { Param } from '../../dsl/graph.ts'
import { type Binding, type ScaleGrid, type Segment, scaleRow } from '../../dsl/weights.ts'
import { readTensor } from './bytes.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Dtype } from './dtype.ts'
import type { FileTensor } from './safetensors.ts'

/** The whole of `param`, in the order of its dims. */
export function decodeParam(checkpoint: Checkpoint, param: Param, binding: Binding): Float32Array {
  return decodeRun(checkpoint, param.format, binding, 0, binding.rows)
}

/** Params of a checkpoint as the reference takes them; what was decoded is kept. */
export function checkpointParams(
  checkpoint: Checkpoint,
  params: readonly Param[],
  bindings: readonly Binding[],
): ParamSource {
  const paramOf = new Map(params.map((p) => [p.name, p]))
  const bindingOf = new Map(bindings.map((b) => [b.param, b]))
  const lookup = (name: string) => {
    const [param, binding] = [paramOf.get(name), bindingOf.get(name)]
    if (!param || !binding) throw new InternalError(`param '${name}' has no ${param ? 'binding' : 'declaration'}`)
    return { param, binding }
  }
  return cachedParams({
    dense(name) {
      const { param, binding } = lookup(name)
      return decodeParam(checkpoint, param, binding)
    },
    slice(name, index) {
      const { param, binding } = lookup(name)
      const rows = binding.rows / param.dims[0]!.size
      if (!Number.isInteger(rows)) {
        throw new InternalError(`${binding.rows} rows of '${name}' are not a multiple of ${param.dims[0]!.size} slices`)
      }
      return decodeRun(checkpoint, param.format, binding, index * rows, rows)
    },
  })
}

function decodeRun(
  checkpoint: Checkpoint,
  format: WeightFormat,
  binding: Binding,
  first: number,
  rows: number,
): Float32Array {
  const out = new Float32Array(rows * binding.columns)
  let segmentAt = 0
  for (const segment of binding.segments) {
    const from = Math.max(first, segmentAt)
    const to = Math.min(first + rows, segmentAt + segment.rows)
    if (from < to) {
      const part = out.subarray((from - first) * binding.columns, (to - first) * binding.columns)
      decodeSegment(checkpoint, format, segment, segment.firstRow + from - segmentAt, binding.columns, part)
    }
    segmentAt += segment.rows
  }
  if (segmentAt !== binding.rows) {
    throw new InternalError(`the segments of '${binding.param}' have ${segmentAt} rows, the param ${binding.rows}`)
  }
  return out
}

/** Decodes rows of one tensor, from `row` on, as many as fill `out`. */
function decodeSegment(
  checkpoint: Checkpoint,
  format: WeightFormat,
  segment: Segment,
  row: number,
  columns: number,
  out: Float32Array,
): void {
  const tensor = held(checkpoint, segment.tensor.name)
  const rows = out.length / columns
  if (format.kind === 'plain') {
    const reader = plainReaders[tensor.dtype]
    if (!reader) throw new InternalError(`'${tensor.name}' is ${tensor.dtype}, which is not a plain format`)
    reader.read(readTensor(tensor, row * columns * reader.bytes, out.length * reader.bytes), out)
    checkFinite(out, columns, row, tensor)
    return
  }
  if (!segment.scale) throw new InternalError(`'${tensor.name}' is ${format.codes.name}, but its binding has no scales`)
  const rowBytes = (columns * format.codes.bits) / 8
  readCodes(readTensor(tensor, row * rowBytes, rows * rowBytes), format.codes, out)
  checkFinite(out, columns, row, tensor)
  multiplyScales(checkpoint, format, segment.scale, row, columns, out)
}

interface PlainReader {
  readonly bytes: number
  /** Little-endian, as safetensors stores it. */
  read(bytes: Uint8Array, out: Float32Array): void
}

const plainReaders: Partial<Record<Dtype, PlainReader>> = {
  F32: {
    bytes: 4,
    read(bytes, out) {
      const view = new DataView(bytes.buffer, bytes.byteOffset)
      for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(4 * i, true)
    },
  },
  BF16: {
    bytes: 2,
    read(bytes, out) {
      // a bf16 is the upper half of a float32
      const bits = new Uint32Array(out.buffer, out.byteOffset, out.length)
      for (let i = 0; i < out.length; i++) bits[i] = ((bytes[2 * i + 1]! << 24) | (bytes[2 * i]! << 16)) >>> 0
    },
  },
}

function readCodes(bytes: Uint8Array, codes: CodeFormat, out: Float32Array): void {
  const { values } = codes
  if (codes.bits === 8) {
    for (let i = 0; i < out.length; i++) out[i] = values[bytes[i]!]!
    return
  }
  for (let i = 0; i < out.length; i += 2) {
    const byte = bytes[i >> 1]!
    out[i] = values[byte & 15]!
    out[i + 1] = values[byte >> 4]!
  }
}

function multiplyScales(
  checkpoint: Checkpoint,
  format: ScaledFormat,
  grid: ScaleGrid,
  firstRow: number,
  columns: number,
  out: Float32Array,
): void {
  const tensor = held(checkpoint, grid.tensor.name)
  const perRow = Math.ceil(columns / grid.block[1])
  const rows = out.length / columns
  const firstScaleRow = scaleRow(grid, firstRow)
  const count = (scaleRow(grid, firstRow + rows - 1) - firstScaleRow + 1) * perRow
  const scales = scaleReaders[format.scale](tensor, firstScaleRow * perRow, count)
  const bad = scales.findIndex((s) => !Number.isFinite(s))
  if (bad >= 0) {
    const [r, c] = [firstScaleRow + Math.floor(bad / perRow), bad % perRow]
    throw illegal('TILE7025', tensor, `has an illegal scale at [${r}, ${c}]: ${format.scale} ${scales[bad]}`)
  }
  for (let r = 0; r < rows; r++) {
    const scaleAt = (scaleRow(grid, firstRow + r) - firstScaleRow) * perRow
    for (let c = 0; c < columns; c++) out[r * columns + c]! *= scales[scaleAt + Math.floor(c / grid.block[1])]!
  }
}

/** Scales as numbers, `count` of them from `first` on; an illegal one is not finite. */
const scaleReaders: Record<ScaledFormat['scale'], (t: FileTensor, first: number, count: number) => Float64Array> = {
  f32(tensor, first, count) {
    const values = new Float32Array(count)
    plainReaders.F32!.read(readTensor(tensor, first * 4, count * 4), values)
    return Float64Array.from(values)
  },
  e8m0: (tensor, first, count) =>
    Float64Array.from(readTensor(tensor, first, count), (b) => (b === 255 ? Number.NaN : 2 ** (b - 127))),
}

function checkFinite(values: Float32Array, columns: number, firstRow: number, tensor: FileTensor): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      const place = `[${firstRow + Math.floor(i / columns)}, ${i % columns}]`
      throw illegal('TILE7026', tensor, `has an illegal value at ${place}: ${values[i]}`)
    }
  }
}

const illegal = (code: 'TILE7025' | 'TILE7026', tensor: FileTensor, what: string) =>
  new DiagnosticError([diagnostic(code, `tensor '${tensor.name}' ${what}`, { subject: tensor.file })])

function held(checkpoint: Checkpoint, name: string): FileTensor {
  const tensor = checkpoint.tensors.get(name)
  if (!tensor) throw new InternalError(`'${name}' was not matched before it was decoded`)
  return tensor
}
