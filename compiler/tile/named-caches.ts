/**
 * Named caches: which cache of keys or values a buffer is, where programs share it by a name (dsl: `cache` of an attention or a remember).
 *
 * Vocabulary: the name of a cache is *relative* where each layer that its segment runs as has a cache of its own. Such a cache says its
 * segment, too: another kind of layer may keep keys of other dims, or another window, under a name that is relative like this one.
 * Invariant: a relative name and a segment come together; two buffers are one cache at an entry if they have one name there.
 */
import type { NamedCache } from './ir.ts'
import { absoluteName, relativeName } from './split-segments.ts'

/** The keys or values that a segment knows by `name` in layer `layer`. */
export function namedCache(
  name: string,
  form: 'keys' | 'values',
  segment: string,
  layer: string | undefined,
): NamedCache {
  const relative = relativeName(name, layer)
  return { name: `${relative}.${form}`, ...(relative !== name && { segment }) }
}

/** Its name in the layer that its segment runs as. */
export const cacheIn = (cache: NamedCache, layer: string | undefined): string => absoluteName(cache.name, layer)

/** What its buffer is called, and how it is printed; nobody reads it back. */
export const printCache = ({ name, segment }: NamedCache): string =>
  `cache ${name}${segment === undefined ? '' : ` in ${segment}`}`
