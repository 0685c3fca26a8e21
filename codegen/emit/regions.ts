/**
 * Regions: what the race check of the host back end calls the buffers, as C++ names and tables. A GPU knows nothing of them.
 *
 * Vocabulary: a buffer that is handed over by halves is two regions, the `.early` one that of the first half. A cache's *home* is the
 * region that stands for it: programs may know one cache by names of their own (place-caches.ts), and a fixed name is its home.
 * Invariant: two accesses to one place of memory have one home; an access of another entry's cache has not.
 */
import type { Plan, Step } from '../../compiler/plan/ir.ts'
import { cacheOf, isFixed } from '../../compiler/plan/place-caches.ts'
import { isCache } from '../../compiler/tile/forms.ts'
import type { Writer } from './writer.ts'

/** Buffers, and behind them what is handed over by halves once more, for its first half. */
export const regionNames = (plan: Plan): string[] => [
  ...plan.buffers.map((b) => b.name),
  ...new Set(plan.segments.flatMap((s) => s.phases.flatMap((p) => writtenByHalves(p.roles.epilogue)))),
]
const writtenByHalves = (steps: readonly Step[]): string[] =>
  steps.flatMap((s) => {
    if (s.kind === 'loop') return writtenByHalves(s.body)
    return 'writes' in s ? (s.writes ?? []).flatMap((a) => (a.ofHalf ? [`${a.region}.early`] : [])) : []
  })

/** `region_is_cache`: whether it is another place for each entry. `home_of`: the home of a region at an entry. */
export function emitHomes(plan: Plan, out: Writer): void {
  const caches = plan.buffers.flatMap((buffer, region) => (isCache(buffer.form) ? [{ buffer, region }] : []))
  const fixed = new Map(caches.filter((c) => isFixed(c.buffer)).map((c) => [cacheOf(c.buffer, {}, 0), c.region]))
  const own = caches.filter((c) => !isFixed(c.buffer))
  const shared = own.flatMap(({ buffer, region }) => {
    const homes = plan.entries.map((entry, at) => fixed.get(cacheOf(buffer, entry, at)) ?? region)
    return homes.every((h) => h === region) ? [] : [{ region, homes }]
  })
  const is = own.map((c) => `region == ${c.region}`)
  out.line(`TILE_FN bool region_is_cache(int region) { return ${is.join(' || ') || 'region < 0'}; }`)
  for (const { region, homes } of shared) out.line(`TILE_TABLE short home_${region}[] = {${homes.join(', ')}};`)
  const home = shared.map(({ region }) => `region == ${region} ? home_${region}[entry] : `).join('')
  out.line(`TILE_FN int home_of(int region, ${home === '' ? 'int' : 'int entry'}) { return ${home}region; }`)
}
