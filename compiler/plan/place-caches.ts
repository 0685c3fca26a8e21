/**
 * place-caches: where each cache lies in the KV memory of a rank.
 *
 * Vocabulary: a cache is two buffers, keys and values. An attention has a cache of its own for each layer that it runs as, in the
 * *part* of the entry, at the same offset in each; a *named* cache (`cache NAME.keys`) is one for all programs that name it. Where
 * its name says no layer it is *fixed*: its place is the same for every entry, whichever and how many of them an entry uses.
 * Invariants: one cache has one place, two caches have no byte in common (check-plan.ts).
 */
import { formBytes, isCache } from '../tile/forms.ts'
import type { PhaseProgram, Segment, SequenceEntry } from '../tile/ir.ts'
import { absoluteName } from '../tile/split-segments.ts'

export interface CachePart {
  readonly name: string
  /** From the entry's part of the KV memory; of a fixed cache, from its beginning. */
  readonly offset: number
  readonly bytes: number
}

const isNamed = (name: string): boolean => name.startsWith('cache ')
export const isFixed = (name: string): boolean => isNamed(name) && !name.includes('{layer}')

/** Caches one behind the other. */
function placed(program: PhaseProgram, ctx: number, wanted: (name: string) => boolean): CachePart[] {
  let end = 0
  return program.buffers
    .filter((b) => isCache(b.form) && wanted(b.name))
    .map((b) => {
      const bytes = formBytes(b.form, { ctx, ranks: program.ranks })
      end += bytes
      return { name: b.name, offset: end - bytes, bytes }
    })
}

const bytesOf = (parts: readonly CachePart[]): number => parts.reduce((n, p) => n + p.bytes, 0)

/** The fixed caches, which lie before all others. */
export const fixedCaches = (program: PhaseProgram, ctx: number): CachePart[] => placed(program, ctx, isFixed)

/** Of the cache buffers that a segment writes, those in its entries' parts. */
export function segmentCaches(segment: Segment, program: PhaseProgram, ctx: number): CachePart[] {
  const used = new Set(segment.phases.flatMap((p) => p.writes))
  return placed(program, ctx, (name) => used.has(name) && !isFixed(name))
}

/** The identity of a cache buffer at one entry: what two entries share, if they share it. */
export function cacheOf(name: string, entry: { readonly layer?: string }, at: number): string {
  return isNamed(name) ? absoluteName(name, entry.layer) : `${name}@${at}`
}

/** The place of each entry's part, and the bytes of all. */
export function placeCaches(
  program: PhaseProgram,
  ctx: number,
): { readonly offsets: number[]; readonly bytes: number } {
  const places = new Map<string, number>()
  let end = bytesOf(fixedCaches(program, ctx))
  const offsets = program.sequence.map((entry: SequenceEntry, at) => {
    const parts = segmentCaches(program.segments[entry.segment]!, program, ctx)
    const first = parts[0]
    if (!first) return end
    const id = cacheOf(first.name, entry, at)
    const known = places.get(id)
    if (known !== undefined) return known
    const offset = end
    places.set(id, offset)
    end += bytesOf(parts)
    return offset
  })
  return { offsets, bytes: end }
}
