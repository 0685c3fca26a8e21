/**
 * place-caches: where each cache lies in the KV memory of a rank.
 *
 * Vocabulary: a cache is two buffers, keys and values. An attention has a cache of its own for each layer that it runs as;
 * a *named* cache (`cache NAME.keys`) is one for all programs that name it.
 * Invariant: the buffers of a segment have equal offsets from the entry's place in the KV memory in every program.
 */
import { formBytes, isCache } from '../tile/forms.ts'
import type { PhaseProgram, Segment, SequenceEntry } from '../tile/ir.ts'
import { absoluteName } from '../tile/split-segments.ts'

export interface CachePart {
  readonly name: string
  /** From the entry's place. */
  readonly offset: number
  readonly bytes: number
}

/** The cache buffers that a segment writes. */
export function segmentCaches(segment: Segment, program: PhaseProgram, ctx: number): CachePart[] {
  let end = 0
  const used = new Set(segment.phases.flatMap((p) => p.writes))
  return program.buffers
    .filter((b) => isCache(b.form) && used.has(b.name))
    .map((b) => {
      const bytes = formBytes(b.form, { ctx, ranks: program.ranks })
      end += bytes
      return { name: b.name, offset: end - bytes, bytes }
    })
}

/** The identity of a cache buffer at one entry: what two entries share, if they share it. */
export function cacheOf(name: string, entry: SequenceEntry, at: number): string {
  return name.startsWith('cache ') ? absoluteName(name, entry.layer) : `${name}@${at}`
}

/** The place of each entry's caches, and the bytes of all. */
export function placeCaches(
  program: PhaseProgram,
  ctx: number,
): { readonly offsets: number[]; readonly bytes: number } {
  const places = new Map<string, number>()
  let end = 0
  const offsets = program.sequence.map((entry, at) => {
    const parts = segmentCaches(program.segments[entry.segment]!, program, ctx)
    const first = parts[0]
    if (!first) return end
    const id = cacheOf(first.name, entry, at)
    const known = places.get(id)
    if (known !== undefined) return known
    const offset = end
    places.set(id, offset)
    end += parts.reduce((n, p) => n + p.bytes, 0)
    return offset
  })
  return { offsets, bytes: end }
}
