/**
 * Sources that make every parameter up, so that an engine of any size runs without a checkpoint: for tests, and for
 * measuring what needs the real sizes and no real text.
 *
 * Vocabulary: a *table* has a row for each token; a param leads *back* when it contracts over a parallel dim: what it
 * makes is added to the residual stream.
 * Invariants: a parameter's numbers depend on its name and the seed alone; their magnitude keeps activations finite
 * through any depth, and rows apart from each other: a table's entries are of size one, a matrix has rows of length about
 * one, one that leads back adds little to what the table gave, a vector (a norm's weight) lies around one. So the routing
 * of different tokens is independent, as far as the biases of the routers let it.
 */
import type { WeightManifest } from '../../codegen/manifest.ts'
import { InternalError } from '../../compiler/diagnostics/diagnostic.ts'
import { sizeOf } from '../../dsl/dim.ts'
import type { Param } from '../../dsl/graph.ts'
import type { Binding } from '../../dsl/weights.ts'
import type { Format, ParamSource } from './load-plan.ts'
import { hashU32 } from './synthetic.ts'

/** A param that leads back adds so much of what it would at full strength: 140 of them stay below the token's own part. */
const backward = 1 / 64

/** Standard deviation of uniform codes at scale 1, by format; plain numbers are uniform in +- amplitude. */
const spread: Readonly<Record<Format, number>> = { f32: 3 ** -0.5, bf16: 3 ** -0.5, e4m3: 0.5, e2m1: 0.45 }

export interface SyntheticOptions {
  readonly bindings: readonly Binding[]
  readonly params: readonly Param[]
  /** How far the biases of routers, by name, lie from zero; 0: routing is as uniform as random weights make it. */
  readonly routerBias?: ReadonlyMap<string, number>
  readonly seed?: number
}

export function syntheticSources(
  manifest: WeightManifest,
  { bindings, params, routerBias, seed = 1 }: SyntheticOptions,
): (param: string) => ParamSource {
  const formats = new Map<string, Format>()
  const tables = new Set<string>()
  for (const entry of manifest.flatMap((rank) => rank.params)) {
    for (const m of entry.members) formats.set(m, entry.format)
    if (entry.kind === 'plain' && entry.runs.some(([, , count]) => count > 1)) tables.add(entry.name)
  }
  const shapes = new Map(bindings.map((b) => [b.param, b]))
  const declared = new Map(params.map((p) => [p.name, p]))
  const numbers = (param: string, { rows, columns }: Binding, format: Format) => {
    const bias = routerBias?.get(param)
    if (bias !== undefined) return { mean: 0, amplitude: bias }
    if (tables.has(param)) return { mean: 0, amplitude: 1 / spread[format] }
    if (rows === 1) return { mean: 1, amplitude: 0.1 }
    const strength = leadsBack(declared.get(param), rows) ? backward : 1
    return { mean: 0, amplitude: (strength * columns ** -0.5) / spread[format] }
  }
  return (param) => {
    const shape = shapes.get(param)
    const format = formats.get(param)
    if (!shape || !format) throw new InternalError(`no binding for parameter '${param}'`)
    return {
      kind: 'synthetic',
      rows: shape.rows,
      columns: shape.columns,
      format,
      seed: [...param].reduce((hash, c) => hashU32(hash, c.codePointAt(0)!, 0), seed),
      ...numbers(param, shape, format),
    }
  }
}

/** Whether a parallel dim is among those that a matrix of `rows` rows contracts over. */
function leadsBack(param: Param | undefined, rows: number): boolean {
  const parallel = param?.dims.findIndex((d) => d.parallel) ?? -1
  return parallel > 0 && sizeOf(param!.dims.slice(0, parallel)) === rows
}
