/**
 * Where the reference takes weights from: dense arrays in the order of a param's dims, decoded on first use.
 *
 * Vocabulary: a *slice* is the sub-array at one index of a param's first dim (one expert of an expert weight, one row of
 * an embedding table), so that a large param is never decoded whole.
 * Invariant: an array that a source hands out is never written again, by anyone.
 */
import { InternalError } from '../diagnostics/diagnostic.ts'

export type Values = Float64Array | Float32Array

export interface ParamSource {
  dense(name: string): Values
  slice(name: string, index: number): Values
}

/** Weights that are in memory already, e.g. of a test. `first` is the size of each param's first dim. */
export function paramsFromArrays(arrays: ReadonlyMap<string, { values: Values; first: number }>): ParamSource {
  const entry = (name: string) => {
    const found = arrays.get(name)
    if (!found) throw new InternalError(`the reference asks for param '${name}', which the source does not have`)
    return found
  }
  return {
    dense: (name) => entry(name).values,
    slice(name, index) {
      const { values, first } = entry(name)
      const size = values.length / first
      return values.subarray(index * size, (index + 1) * size)
    },
  }
}

/** Keeps what `source` decoded: right for models that fit in memory. */
export function cachedParams(source: ParamSource): ParamSource {
  const dense = new Map<string, Values>()
  const slices = new Map<string, Map<number, Values>>()
  return {
    dense: (name) => remember(dense, name, () => source.dense(name)),
    slice: (name, index) =>
      remember(
        remember(slices, name, () => new Map<number, Values>()),
        index,
        () => source.slice(name, index),
      ),
  }
}

/** `map`'s entry for `key`, made on first use. */
export function remember<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
