/**
 * place-caches: where each cache lies in the KV memory of a rank.
 *
 * Vocabulary: a cache is two buffers, keys and values. An attention has a cache of its own for each layer that it runs as, in the
 * *part* of the entry, at the same offset in each; a *named* cache is one for all programs that name it. Where a name depends on the
 * layer, the cache lies in the part of an entry, too; where it does not it is *fixed*: its place is the same for every entry,
 * whichever and how many of them an entry uses. A drafter's commit has the caches of all layers fixed, and each layer of its draft has
 * one of them in its part.
 * Invariants: one cache has one place, two caches have no byte in common (check-plan.ts).
 */
import { formBytes, isCache } from '../tile/forms.ts'
import type { Buffer, PhaseProgram, Segment } from '../tile/ir.ts'
import { cacheIn } from '../tile/named-caches.ts'

export interface CachePart {
  readonly buffer: Buffer
  /** From the entry's part of the KV memory; of a fixed cache, from its beginning. */
  readonly offset: number
  readonly bytes: number
}

export const isFixed = ({ cache }: Pick<Buffer, 'cache'>): boolean => cache !== undefined && cache.segment === undefined

const cachesOf = (program: PhaseProgram, ctx: number): { readonly buffer: Buffer; readonly bytes: number }[] =>
  program.buffers
    .filter((b) => isCache(b.form))
    .map((buffer) => ({ buffer, bytes: formBytes(buffer.form, { ctx, ranks: program.ranks }) }))

/** Of the cache buffers that a segment writes, those in its entries' parts, one behind the other. */
export function segmentCaches(segment: Segment, program: PhaseProgram, ctx: number): CachePart[] {
  const used = new Set(segment.phases.flatMap((p) => p.writes))
  let end = 0
  return cachesOf(program, ctx)
    .filter(({ buffer }) => used.has(buffer.name) && !isFixed(buffer))
    .map(({ buffer, bytes }) => {
      end += bytes
      return { buffer, offset: end - bytes, bytes }
    })
}

/** The identity of a cache buffer at one entry: what two entries share, if they share it. */
export const cacheOf = (
  { name, cache }: Pick<Buffer, 'name' | 'cache'>,
  entry: { readonly layer?: string },
  at: number,
): string => (cache ? cacheIn(cache, entry.layer) : `${name}@${at}`)

/** The place of each entry's part, the fixed caches, which lie in such a part or behind all, and the bytes of everything. */
export function placeCaches(
  program: PhaseProgram,
  ctx: number,
): { readonly offsets: readonly number[]; readonly fixed: readonly CachePart[]; readonly bytes: number } {
  const places = new Map<string, number>()
  let end = 0
  const offsets = program.sequence.map((entry, at) => {
    const parts = segmentCaches(program.segments[entry.segment]!, program, ctx)
    const first = parts[0]
    if (!first) return end
    const known = places.get(cacheOf(first.buffer, entry, at))
    if (known !== undefined) return known
    const offset = end
    for (const p of parts) {
      places.set(cacheOf(p.buffer, entry, at), offset + p.offset)
      end += p.bytes
    }
    return offset
  })
  const fixed = cachesOf(program, ctx)
    .filter(({ buffer }) => isFixed(buffer))
    .map(({ buffer, bytes }): CachePart => {
      const known = places.get(buffer.cache!.name)
      if (known !== undefined) return { buffer, offset: known, bytes }
      end += bytes
      return { buffer, offset: end - bytes, bytes }
    })
  return { offsets, fixed, bytes: end }
}
