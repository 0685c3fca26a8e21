/**
 * V2.5-Pro at the shapes of one rank of eight, cut down in depth: every kind of layer (dense, full, sliding, experts) with
 * its true widths, as a model of as many ranks as are asked for, with made up weights that the engine and the reference both know.
 *
 * Vocabulary: a *slice* is the model that one rank of eight computes, taken as a model of its own: an eighth of the heads,
 * of every expert's channels and of the dense ones; hidden size, experts and head sizes are the published ones. On N ranks the
 * model has N such eighths, so that each rank's shapes are those of eight ranks all the same.
 */
import { readFileSync } from 'node:fs'
import { buildGraph } from '../../compiler/frontend/build-graph.ts'
import { deviceFormat } from '../../compiler/plan/geometry.ts'
import type { ParamSource as Values } from '../../compiler/reference/params.ts'
import { sizeOf } from '../../dsl/dim.ts'
import { e2m1, e4m3 } from '../../dsl/format.ts'
import type { Graph, Param } from '../../dsl/graph.ts'
import type { ScheduleText } from '../../dsl/index.ts'
import type { MimoConfig } from '../../models/mimo/config.ts'
import mimo from '../../models/mimo/graph.ts'
import { schedules } from '../../models/mimo/schedule.ts'
import type { SyntheticSource } from '../../runtime/engine/load-plan.ts'
import {
  hashU32,
  syntheticE4m3,
  syntheticE8m0,
  syntheticNumber,
  syntheticScale,
} from '../../runtime/engine/synthetic.ts'
import { asset } from '../../runtime/paths.ts'

export interface RealShapes {
  readonly graph: Graph
  readonly config: MimoConfig
  readonly schedules: Readonly<Record<string, ScheduleText>>
  readonly source: (param: string) => SyntheticSource
  readonly values: Values
}

/** What a slice is cut to; the first layer is dense. */
export interface SliceOptions {
  /** A layer each: 0 full, 1 sliding. */
  readonly pattern: readonly number[]
  readonly vocabulary: number
  readonly seed: number
  readonly experts?: number
  readonly ranks?: number
}

export function realShapes({ pattern, vocabulary, seed, experts = 384, ranks = 1 }: SliceOptions): RealShapes {
  const published = JSON.parse(readFileSync(asset('models', 'mimo', 'configs', 'mimo-v2.5-pro.json'), 'utf8'))
  const { dflash_config: _, ...rest } = published
  const json = {
    ...rest,
    num_hidden_layers: pattern.length,
    hybrid_layer_pattern: pattern,
    moe_layer_freq: pattern.map((_, i) => (i > 0 ? 1 : 0)),
    num_attention_heads: 16 * ranks,
    num_key_value_heads: ranks,
    swa_num_attention_heads: 16 * ranks,
    swa_num_key_value_heads: ranks,
    n_routed_experts: experts,
    moe_intermediate_size: 256 * ranks,
    intermediate_size: 2048 * ranks,
    vocab_size: vocabulary,
    eos_token_id: 5,
    pad_token_id: 6,
    quantization_config: {
      ...published.quantization_config,
      ignored_layers: pattern.map((_, i) => `model.layers.${i}.self_attn.o_proj`),
    },
  }
  const graph = buildGraph(mimo, json)
  const read = mimo.config.safeParse(json)
  if (!read.success) throw new Error('the slice of a published config is legal')
  const params = new Map(graph.params.map((p) => [p.name, p]))
  const source = (name: string): SyntheticSource => sourceOf(params.get(name)!, seed)
  return { graph, config: read.data, schedules: schedules(read.data), source, values: valuesOf(params, source) }
}

/** A matrix has rows of length about one; a norm's weight lies around one; a table's entries are of size one. */
export function sourceOf(p: Param, seed: number): SyntheticSource {
  const vector = p.dims.length === 1 || /sink/.test(p.name)
  const columns = vector ? sizeOf(p.dims) : columnsOf(p)
  const norm = /norm/.test(p.name)
  const spread = { f32: 3 ** -0.5, bf16: 3 ** -0.5, e4m3: 0.5, e2m1: 0.45 }
  const format = deviceFormat(p.format)!
  const amplitude = norm
    ? 0.1
    : /bias/.test(p.name)
      ? 0.01
      : /embed/.test(p.name)
        ? 1
        : columns ** -0.5 / spread[format]
  return {
    kind: 'synthetic',
    rows: sizeOf(p.dims) / columns,
    columns,
    format,
    seed: [...p.name].reduce((h, c) => hashU32(h, c.codePointAt(0)!, 0), seed),
    mean: norm ? 1 : 0,
    amplitude,
  }
}

/** The contraction's dims: all but the first for o_proj, else the last. */
const columnsOf = (p: Param): number => (/o_proj/.test(p.name) ? sizeOf(p.dims.slice(1)) : p.dims.at(-1)!.size)

function valuesOf(params: ReadonlyMap<string, Param>, source: (name: string) => SyntheticSource): Values {
  const rowsOf = (s: SyntheticSource, count: number, first = 0): Float32Array => {
    const out = new Float32Array(count * s.columns)
    for (let r = 0; r < count; r++) fillRow[s.format](s, first + r, out, r * s.columns)
    return out
  }
  const cache = new Map<string, Float32Array>()
  const cached = (key: string, make: () => Float32Array): Float32Array => {
    if (!cache.has(key)) cache.set(key, make())
    return cache.get(key)!
  }
  return {
    dense: (name) => cached(name, () => rowsOf(source(name), source(name).rows)),
    slice: (name, index) =>
      cached(`${name} ${index}`, () => {
        const s = source(name)
        const each = s.rows / params.get(name)!.dims[0]!.size
        if (!/experts/.test(name)) return rowsOf(s, each, index * each)
        // Experts after the first have seeds of their own.
        return rowsOf(index === 0 ? s : { ...s, seed: hashU32(s.seed, index, 0) }, each)
      }),
  }
}

/** Fills one row; whole runs of columns share a hash or a scale, which is what makes full sizes bearable. */
type FillRow = (s: SyntheticSource, row: number, out: Float32Array, at: number) => void
const fillRow: Record<SyntheticSource['format'], FillRow> = {
  f32: (s, r, out, at) => {
    for (let c = 0; c < s.columns; c++) out[at + c] = syntheticNumber(s.seed, r, c, s.mean, s.amplitude)
  },
  bf16: (s, r, out, at) => {
    for (let c = 0; c < s.columns; c++) out[at + c] = syntheticNumber(s.seed, r, c, s.mean, s.amplitude)
    roundToBf16(out, at, s.columns)
  },
  e4m3: (s, r, out, at) => {
    for (let block = 0; block * 128 < s.columns; block++) {
      const scale = syntheticScale(s.seed, r >> 7, block, s.amplitude)
      const end = Math.min(s.columns, block * 128 + 128)
      for (let c = block * 128; c < end; c++) out[at + c] = e4m3.values[syntheticE4m3(s.seed, r, c)]! * scale
    }
  },
  e2m1: (s, r, out, at) => {
    for (let block = 0; block * 32 < s.columns; block++) {
      const scale = 2 ** (syntheticE8m0(s.seed, r, block, s.amplitude) - 127)
      for (let word = block * 4; word < block * 4 + 4; word++) {
        const codes = hashU32(s.seed, r, word)
        for (let i = 0; i < 8; i++) out[at + word * 8 + i] = e2m1.values[(codes >>> (i * 4)) & 15]! * scale
      }
    }
  },
}

function roundToBf16(values: Float32Array, at: number, count: number): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset + at * 4, count)
  for (let i = 0; i < count; i++) bits[i] = (bits[i]! + 0x7fff + ((bits[i]! >>> 16) & 1)) & 0xffff0000
}
