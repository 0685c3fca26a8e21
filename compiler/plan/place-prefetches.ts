/**
 * place-prefetches: which bytes of the image a schedule's `while .. prefetch .. into l2` means at each entry.
 *
 * Vocabulary: `next.qkv` is the phase of the entry that follows, `qkv` that of the entry itself. An entry asks where its
 * segment has the phase during which the memory is free; where nothing of the name follows, it asks for nothing.
 * Nothing waits for a prefetch and it waits for nothing: weights are written before the first round and never after.
 */
import {
  type Entry,
  type ImageRange,
  type PhasePlan,
  type Prefetch,
  type ProductPlan,
  productIn,
  roleNames,
  type SegmentPlan,
} from './ir.ts'
import type { PrefetchSchedule } from './schedule.ts'

export const prefetchName = (p: PrefetchSchedule): string => `${p.next ? 'next.' : ''}${p.phase}`

/** The product whose weights a phase fetches. */
const productOf = (phase: PhasePlan | undefined): ProductPlan | undefined =>
  phase && productIn(roleNames.flatMap((r) => phase.roles[r]))

export function placePrefetches(
  schedules: readonly PrefetchSchedule[],
  segments: readonly SegmentPlan[],
  entries: readonly Entry[],
): Prefetch[] {
  const segmentOf = (e: Entry): SegmentPlan => segments[e.segment]!
  const range = (entry: Entry, phase: string): ImageRange | undefined => {
    const product = productOf(segmentOf(entry).phases.find((p) => p.name === phase))
    if (!product) return undefined
    const { image, geometry } = product
    const home = image.segment === undefined ? entry : entries.find((e) => e.segment === image.segment)!
    return { offset: home.imageOffset + image.offset, bytes: geometry.bytes }
  }
  return schedules.map((s): Prefetch => {
    const ranges = entries.map((entry, i) => {
      if (!segmentOf(entry).phases.some((p) => p.name === s.during)) return undefined
      const of = s.next ? entries[i + 1] : entry
      return of && of.program === entry.program ? range(of, s.phase) : undefined
    })
    return { what: prefetchName(s), ranges }
  })
}
