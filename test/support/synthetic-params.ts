/**
 * Made-up weights of any graph, twice: as load-plan sources, from which an engine makes them itself, and as numbers for the
 * reference (runtime/engine/synthetic.ts has the rule of one element).
 *
 * Vocabulary: a param is a matrix of rows by the columns that some op contracts over; a vector is one row.
 * Invariants: numbers depend on the param's name and the seed; amplitudes keep activations of order one through any depth.
 */

import { toBf16 } from '../../compiler/reference/bf16.ts'
import { cachedParams, type ParamSource as ReferenceParams } from '../../compiler/reference/params.ts'
import { sizeOf } from '../../dsl/dim.ts'
import type { Graph, Param } from '../../dsl/graph.ts'
import type { Format, SyntheticSource } from '../../runtime/engine/load-plan.ts'
import {
  hashU32,
  syntheticE2m1,
  syntheticE4m3,
  syntheticE8m0,
  syntheticNumber,
  syntheticScale,
} from '../../runtime/engine/synthetic.ts'

export interface SyntheticParams {
  readonly source: (param: string) => SyntheticSource
  readonly params: ReferenceParams
}

/** Standard deviation of uniform codes at amplitude 1. */
const spread: Readonly<Record<Format, number>> = { f32: 3 ** -0.5, bf16: 3 ** -0.5, e4m3: 0.5, e2m1: 0.45 }
/** Vectors: what a norm multiplies by lies around one, what a router or softmax adds around zero. */
const vectors = {
  norm: { mean: 1, amplitude: 0.3 },
  route: { mean: 0, amplitude: 0.3 },
  attention: { mean: 0, amplitude: 1 },
}

export function syntheticParams(graph: Graph, seed: number, gain = 1.4): SyntheticParams {
  const sources = new Map(graph.params.map((p) => [p.name, sourceOf(graph, p, seed, gain)]))
  const source = (name: string) => sources.get(name)!
  const experts = new Map(
    graph.nodes.flatMap((n) =>
      n.op === 'expertLinear' ? [[n.param, graph.params.find((p) => p.name === n.param)!.dims[0]!.size] as const] : [],
    ),
  )
  const decode = (name: string, from: number, rows: number) => {
    const s = source(name)
    const each = s.rows / (experts.get(name) ?? 1)
    const of = Array.from({ length: s.rows / each }, (_, expert) =>
      // Experts after the first have seeds of their own.
      elements[s.format](expert === 0 ? s : { ...s, seed: hashU32(s.seed, expert, 0) }),
    )
    return Float64Array.from({ length: rows * s.columns }, (_, i) => {
      const row = from + Math.floor(i / s.columns)
      return of[Math.floor(row / each)]!(row % each, i % s.columns)
    })
  }
  return {
    source,
    params: cachedParams({
      dense: (name) => decode(name, 0, source(name).rows),
      slice(name, index) {
        const each = source(name).rows / graph.params.find((p) => p.name === name)!.dims[0]!.size
        return decode(name, index * each, each)
      },
    }),
  }
}

/** Element (row, column) of a tensor, or of one expert of it, as the engine makes it. */
const elements: Readonly<Record<Format, (s: SyntheticSource) => (row: number, column: number) => number>> = {
  f32: (s) => (r, c) => syntheticNumber(s.seed, r, c, s.mean, s.amplitude),
  bf16: (s) => (r, c) => toBf16(syntheticNumber(s.seed, r, c, s.mean, s.amplitude)),
  e4m3: (s) => (r, c) =>
    Math.fround(
      e4m3Value(syntheticE4m3(s.seed, r, c)) * syntheticScale(s.seed, Math.floor(r / 128), c >> 7, s.amplitude),
    ),
  e2m1: (s) => (r, c) =>
    e2m1Values[syntheticE2m1(s.seed, r, c)]! * 2 ** (syntheticE8m0(s.seed, r, c >> 5, s.amplitude) - 127),
}

const e2m1Values = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6]
function e4m3Value(code: number): number {
  const [exponent, mantissa] = [(code >> 3) & 15, code & 7]
  const size = exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10)
  return code & 0x80 ? -size : size
}

function sourceOf(graph: Graph, param: Param, seed: number, gain: number): SyntheticSource {
  const { columns, vector } = shapeOf(graph, param)
  const f = param.format
  const format = f.kind === 'plain' ? f.scalar : (f.codes.name as Format)
  return {
    kind: 'synthetic',
    rows: sizeOf(param.dims) / columns,
    columns,
    format,
    seed: [...param.name].reduce((hash, c) => hashU32(hash, c.codePointAt(0)!, 0), seed),
    ...(vector ?? { mean: 0, amplitude: Math.fround((gain * columns ** -0.5) / spread[format]) }),
  }
}

/** Columns are what the param's reader contracts over; a table's rows have unit size. */
function shapeOf(graph: Graph, param: Param): { columns: number; vector?: { mean: number; amplitude: number } } {
  const all = sizeOf(param.dims)
  for (const n of graph.nodes) {
    if (n.op === 'embed' && n.param === param.name) {
      return { columns: all / param.dims[0]!.size, vector: { mean: 0, amplitude: 1.5 } }
    }
    if (n.op === 'norm' && n.param === param.name) return { columns: all, vector: vectors.norm }
    if (n.op === 'route' && n.bias === param.name) return { columns: all, vector: vectors.route }
    if (n.op === 'attention' && n.sink === param.name) return { columns: all, vector: vectors.attention }
    if ((n.op === 'linear' || n.op === 'expertLinear') && n.param === param.name) {
      const dims = graph.nodes[n.inputs[0]!]!.dims
      return { columns: sizeOf(dims[0]?.name === 'slot' ? dims.slice(1) : dims) }
    }
  }
  throw new Error(`nothing reads '${param.name}'`)
}
