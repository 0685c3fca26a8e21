/**
 * The spec of the plan level. A plan that breaks it is a bug of tilec, so the check throws; what an author's schedule may
 * cause is the prover's business (compiler/verify).
 *
 * Invariants checked: sites are unique and in range; counters, locals and regions that steps name exist; buffers lie
 * behind the reserved areas, inside the workspace, without overlap; inboxes hold two halves of every tile; params lie in their segment's image, aligned, without
 * overlap; entries lie in the image; a cache has one place, and it alone; what is prefetched is a weight; geometry closes (parts, pages and cells make up the matrix); every role has a program.
 */

import type { Shots } from '../../dsl/schedule-ir.ts'
import { InternalError } from '../diagnostics/diagnostic.ts'
import { isCache, UNIT_K } from '../tile/forms.ts'
import { partBytes, sumBytes } from './choose-shots.ts'
import type { Geometry } from './geometry.ts'
import {
  type ImagePlace,
  type ImageRange,
  type PhasePlan,
  type Plan,
  type ProductPlan,
  roleNames,
  type Step,
} from './ir.ts'
import { cacheOf, isFixed } from './place-caches.ts'
import { sharedMemory } from './shared-memory.ts'

type Demand = (holds: boolean, message: string) => void

/** Every way in which the plan breaks the spec. */
export function planViolations(plan: Plan): string[] {
  const found: string[] = []
  const demand = (at: string): Demand => {
    return (holds, message) => {
      if (!holds) found.push(`${at}: ${message}`)
    }
  }
  checkSteps(plan, demand)
  checkMemory(plan, demand)
  checkImages(plan, demand)
  const names = plan.roles.map((r) => r.name)
  demand(plan.name)(
    roleNames.every((r) => names.filter((n) => n === r).length === 1),
    `roles are ${names.join(', ')}`,
  )
  demand(plan.name)(
    sharedMemory(plan).total === plan.sharedBytes,
    `${plan.sharedBytes} bytes of shared memory, areas make ${sharedMemory(plan).total}`,
  )
  return found
}

/** Throws InternalError when the plan that left `stage` breaks the spec. */
export function assertPlan(plan: Plan, stage: string): void {
  const found = planViolations(plan)
  if (found.length > 0) throw new InternalError(`plan '${plan.name}' after ${stage}:\n  ${found.join('\n  ')}`)
}

function checkSteps(plan: Plan, demand: (at: string) => Demand): void {
  const sites = new Map<number, string>()
  const tallies = (scope: string): Set<string> =>
    new Set(plan.tallies.filter((t) => t.scope === scope).map((t) => t.name))
  const [counters, locals] = [tallies('counter'), tallies('local')]
  // Regions that are no buffers: what every SM has for itself, and the control of rounds.
  const regions = new Set([...plan.buffers.map((b) => b.name), 'route', 'control'])
  for (const segment of plan.segments) {
    for (const phase of segment.phases) {
      for (const role of roleNames) {
        const at = `${segment.name}.${phase.name}/${role}`
        const say = demand(at)
        const visit = (steps: readonly Step[]): void => {
          for (const s of steps) {
            if (s.kind === 'loop') {
              visit(s.body)
              continue
            }
            if ('site' in s) {
              say(plan.sites[s.site] !== undefined, `site ${s.site} has no name`)
              say(!sites.has(s.site), `site ${s.site} is used by ${sites.get(s.site)} as well`)
              sites.set(s.site, at)
            }
            if ('counter' in s) say(counters.has(s.counter), `counter '${s.counter}' does not exist`)
            if ('local' in s) say(locals.has(s.local), `local counter '${s.local}' does not exist`)
            if ('early' in s) {
              const there = 'local' in s ? locals : counters
              say(there.has(s.early!), `${'local' in s ? 'local counter' : 'counter'} '${s.early}' does not exist`)
            }
            if ('reads' in s || 'writes' in s) {
              for (const a of [...(s.reads ?? []), ...(s.writes ?? [])]) {
                say(regions.has(a.region), `region '${a.region}' does not exist`)
              }
            }
            if ('product' in s) checkProduct(s.product, say)
            if (s.kind === 'bringRows') checkProduct(s.of, say)
            if (s.kind === 'prefetch')
              say(plan.prefetches[s.prefetch] !== undefined, `prefetch ${s.prefetch} does not exist`)
          }
        }
        visit(phase.roles[role])
      }
      demand(`${segment.name}.${phase.name}`)(counters.has(phase.counter), `counter '${phase.counter}' does not exist`)
    }
  }
  demand(plan.name)(new Set(plan.tallies.map((t) => t.name)).size === plan.tallies.length, 'two tallies of one name')
}

/** One cache has one place, and no two have a byte in common, whatever entries use them. */
function checkCaches(plan: Plan, say: Demand): void {
  const caches = new Map(plan.buffers.filter((b) => isCache(b.form)).map((b) => [b.name, b]))
  const places = new Map<string, { readonly begin: number; readonly end: number }>()
  plan.entries.forEach((entry, at) => {
    for (const name of regionsOf(plan.segments[entry.segment]?.phases ?? [])) {
      const b = caches.get(name)
      if (!b) continue
      const begin = b.offset + (isFixed(b) ? 0 : entry.kvOffset)
      const id = cacheOf(b, entry, at)
      const known = places.get(id)
      say(
        known === undefined || known.begin === begin,
        `cache '${id}' lies at ${known?.begin} and, at entry ${at}, at ${begin}`,
      )
      places.set(id, { begin, end: begin + b.bytes })
    }
  })
  let end = 0
  for (const [id, place] of [...places].sort(([, a], [, b]) => a.begin - b.begin)) {
    say(place.begin >= end, `cache '${id}' at ${place.begin} overlaps what ends at ${end}`)
    end = place.end
  }
  say(end <= plan.kvBytes, `caches end at ${end} of ${plan.kvBytes} bytes`)
}

/** What the steps of phases read and write. */
function regionsOf(phases: readonly PhasePlan[]): Set<string> {
  const found = new Set<string>()
  const visit = (steps: readonly Step[]): void => {
    for (const s of steps) {
      if (s.kind === 'loop') visit(s.body)
      else if ('reads' in s || 'writes' in s)
        for (const a of [...(s.reads ?? []), ...(s.writes ?? [])]) found.add(a.region)
    }
  }
  for (const phase of phases) for (const role of roleNames) visit(phase.roles[role])
  return found
}

function checkMemory(plan: Plan, demand: (at: string) => Demand): void {
  const say = demand('workspace')
  const placed = plan.buffers.filter((b) => !isCache(b.form)).sort((a, b) => a.offset - b.offset)
  const areas = Object.entries(plan.areas).filter(([name]) => name !== 'end' && name !== 'zeroed')
  const first = Math.max(...areas.map(([, offset]) => offset))
  let end = first
  for (const b of placed) {
    say(b.offset >= end, `buffer '${b.name}' at ${b.offset} overlaps what ends at ${end}`)
    say(b.offset % 128 === 0, `buffer '${b.name}' at ${b.offset} is not aligned`)
    end = b.offset + b.bytes
  }
  checkInboxes(plan, say)
  checkCaches(plan, demand('kv'))
  say(end <= plan.workspaceBytes, `buffers end at ${end} of ${plan.workspaceBytes} bytes`)
  for (const [i, entry] of plan.entries.entries()) {
    const segment = plan.segments[entry.segment]
    const at = demand(`entry ${i}`)
    at(segment !== undefined, `segment ${entry.segment} does not exist`)
    at(plan.programs[entry.program] !== undefined, `program ${entry.program} does not exist`)
    at(entry.imageOffset % 128 === 0, `its weights at ${entry.imageOffset} are not aligned`)
    at(entry.imageOffset + (segment?.imageBytes ?? 0) <= plan.imageBytes, 'its weights leave the image')
    at(entry.runs.length === plan.tallies.length, `${entry.runs.length} runs for ${plan.tallies.length} tallies`)
  }
  for (const p of plan.prefetches) {
    demand(`prefetch ${p.what}`)(p.ranges.length === plan.entries.length, `${p.ranges.length} ranges`)
    for (const r of p.ranges) {
      if (r) demand(`prefetch ${p.what}`)(isWeight(r, plan), `${r.bytes} bytes at ${r.offset} are no weight`)
    }
  }
  const images = [...plan.entries].sort((a, b) => a.imageOffset - b.imageOffset)
  images.slice(1).forEach((e, i) => {
    const before = images[i]!
    const ends = before.imageOffset + plan.segments[before.segment]!.imageBytes
    demand('image')(e.imageOffset >= ends, `entries overlap at ${e.imageOffset}`)
  })
}

/** Two halves of every tile: of parts from every rank, and of sums from one. */
function checkInboxes({ areas, ranks, exchangeAs, segments }: Plan, say: Demand): void {
  const steps = (list: readonly Step[]): Step[] => list.flatMap((s) => (s.kind === 'loop' ? steps(s.body) : [s]))
  const all = segments.flatMap((s) => s.phases).flatMap((p) => roleNames.flatMap((r) => steps(p.roles[r])))
  const tiles = (shots: readonly Shots[]): number =>
    Math.max(
      0,
      ...all.flatMap((s) =>
        'product' in s && s.product.exchange && shots.includes(s.product.exchange) ? [s.product.geometry.tiles] : [],
      ),
    )
  const inboxes: readonly [what: string, at: number, bytes: number, next: number][] = [
    ['parts', areas.inbox, 2 * ranks * tiles([1, 2]) * partBytes(exchangeAs), areas.logitsInbox],
    ['sums', areas.sumsInbox, 2 * tiles([2]) * sumBytes, areas.zeroed],
  ]
  for (const [what, at, bytes, next] of inboxes)
    say(at + bytes <= next, `the inbox of ${what} takes ${bytes} bytes, ${next - at} are there`)
}

function checkImages(plan: Plan, demand: (at: string) => Demand): void {
  for (const segment of plan.segments) {
    const say = demand(`image of ${segment.name}`)
    const placed = [...segment.image].sort((a, b) => a.offset - b.offset)
    let end = 0
    for (const p of placed) {
      say(p.offset >= end, `'${p.params.join("', '")}' at ${p.offset} overlaps what ends at ${end}`)
      say(p.offset % 128 === 0, `'${p.params.join("', '")}' at ${p.offset} is not aligned`)
      end = p.offset + p.bytes
      if (p.layout.kind !== 'tiles') continue
      const { geometry, experts } = p.layout
      say(p.bytes === geometry.bytes * (experts ?? 1), `'${p.params[0]}' takes ${p.bytes} bytes`)
    }
    say(end <= segment.imageBytes, `params end at ${end} of ${segment.imageBytes} bytes`)
    const inside = (place: ImagePlace): boolean => {
      const home = place.segment === undefined ? segment : plan.segments[place.segment]
      return home?.image.some((p) => p.offset === place.offset) === true
    }
    for (const phase of segment.phases) {
      for (const place of placesOf(Object.values(phase.roles).flat())) {
        say(inside(place), `'${phase.name}' reads params at ${place.offset}, where none lie`)
      }
    }
  }
}

/** Whether a range of the image is one packed weight of some entry. */
const isWeight = (r: ImageRange, plan: Plan): boolean =>
  plan.entries.some((e) =>
    plan.segments[e.segment]!.image.some(
      (p) => p.layout.kind === 'tiles' && e.imageOffset + p.offset === r.offset && p.bytes === r.bytes,
    ),
  )

/** Places of the image that a kind of step reads, besides those of its product. */
const stepPlaces: {
  readonly [K in Step['kind']]?: (s: Extract<Step, { kind: K }>) => readonly (ImagePlace | undefined)[]
} = {
  loop: (s) => placesOf(s.body),
  choose: (s) => [s.bias],
  attendNear: (s) => [s.sink],
  mergeChunks: (s) => [s.sink],
  embed: (s) => [s.table, s.instead],
  normed: (s) => [s.weight],
}

function placesOf(steps: readonly Step[]): ImagePlace[] {
  return steps.flatMap((s) => {
    const rule = stepPlaces[s.kind] as ((s: Step) => readonly (ImagePlace | undefined)[]) | undefined
    const product = 'product' in s ? [s.product.image, s.product.norm?.image] : []
    return [...product, ...(rule?.(s) ?? [])].filter((p) => p !== undefined)
  })
}

function checkProduct({ geometry: g, name, period }: ProductPlan, say: Demand): void {
  const demand: Demand = (holds, message) => say(holds, `'${name}': ${message}`)
  checkGeometry(g, demand)
  demand(g.tiles % period === 0, `${g.tiles} tiles are no multiple of the period ${period}`)
}

function checkGeometry(g: Geometry, demand: Demand): void {
  demand(
    g.parts * g.unitsPerPart === g.units,
    `${g.parts} parts of ${g.unitsPerPart} units of ${UNIT_K} make no ${g.units}`,
  )
  demand(g.unitsPerCell * g.pagesPerTile === g.unitsPerPart, 'cells do not make up a part')
  demand(g.cellBytes === g.codeBytes + g.scaleBytes && g.cellBytes % 16 === 0, `a cell has ${g.cellBytes} bytes`)
  demand(g.pageBytes === g.groups * g.parts * g.cellBytes, `a page has ${g.pageBytes} bytes`)
  demand(g.pages === Math.ceil(g.tiles / g.groups) * g.pagesPerTile, `${g.pages} pages for ${g.tiles} tiles`)
  demand(g.bytes === g.pages * g.pageBytes, `${g.pages} pages make no ${g.bytes} bytes`)
}
