/**
 * Sources that make every parameter up, so that an engine of any size runs without a checkpoint: for tests, and for
 * measuring what needs the real sizes and no real text.
 *
 * Invariants: a parameter's numbers depend on its name and the seed alone; their magnitude keeps activations finite
 * through any depth: a matrix has rows of length about one, a vector (a norm's weight) lies around one.
 */
import type { WeightManifest } from '../../codegen/manifest.ts'
import { InternalError } from '../../compiler/diagnostics/diagnostic.ts'
import type { Binding } from '../../dsl/weights.ts'
import type { Format, ParamSource } from './load-plan.ts'
import { hashU32 } from './synthetic.ts'

/** Standard deviation of uniform codes at scale 1, by format; plain numbers are uniform in +- amplitude. */
const spread: Readonly<Record<Format, number>> = { f32: 3 ** -0.5, bf16: 3 ** -0.5, e4m3: 0.5, e2m1: 0.45 }

export function syntheticSources(
  manifest: WeightManifest,
  bindings: readonly Binding[],
  seed = 1,
): (param: string) => ParamSource {
  const formats = new Map<string, Format>()
  for (const { params } of manifest) for (const e of params) for (const m of e.members) formats.set(m, e.format)
  const shapes = new Map(bindings.map((b) => [b.param, b]))
  return (param) => {
    const shape = shapes.get(param)
    const format = formats.get(param)
    if (!shape || !format) throw new InternalError(`no binding for parameter '${param}'`)
    const { rows, columns } = shape
    const vector = rows === 1
    return {
      kind: 'synthetic',
      rows,
      columns,
      format,
      seed: [...param].reduce((hash, c) => hashU32(hash, c.codePointAt(0)!, 0), seed),
      mean: vector ? 1 : 0,
      amplitude: vector ? 0.1 : columns ** -0.5 / spread[format],
    }
  }
}
