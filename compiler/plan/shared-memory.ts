/**
 * shared-memory: the map of an SM's shared memory, area by area, as codegen/device/common/shared.h lays it out.
 *
 * Invariant: total is what the kernel is launched with: the generated source asserts that it is the header's own sum.
 */
import { ROWS } from '../tile/forms.ts'
import type { Plan } from './ir.ts'

/** What an SM has for one kernel. */
export const MOST_SHARED = 227 * 1024

export interface SharedArea {
  readonly name: string
  readonly bytes: number
}

const align = (n: number, to: number): number => Math.ceil(n / to) * to
/** One tile on its way into or out of packets, for each warp that sends or receives. */
const EXCHANGE_BYTES = 528
const ROLES = 4

type Shaped = Pick<Plan, 'roles' | 'ring' | 'join' | 'means' | 'slots' | 'scratchBytes' | 'route' | 'tallies'>

export function sharedMemory(plan: Shaped): { readonly areas: readonly SharedArea[]; readonly total: number } {
  const warps = (role: string): number => plan.roles.find((r) => r.name === role)!.warps
  const compute = warps('compute')
  const every = plan.roles.reduce((sum, r) => sum + r.warps, 0)
  const { maxActive, topK, experts } = plan.route
  const barriers = 2 * plan.ring.depth + 2 * plan.join.depth + 2 + ROLES
  const locals = plan.tallies.filter((t) => t.scope === 'local').length
  const table = align(8 + 2 * maxActive, 8) + ROWS * maxActive + ROWS * topK * 5
  const pieces: [string, number, number][] = [
    ['barriers', (barriers + locals) * 8, 16],
    ['route table', table, 16],
    ['round control', 2 * ROLES * 384 + 192 + 16 * every, 16],
    ['route choice', 2 * ROWS * topK + 4 * ROWS * Math.ceil(experts / 32), 16],
    ['norm and sampling sums', Math.max(plan.means ? 2 * compute * ROWS * 4 : 0, (2 * compute + ROWS) * 8), 16],
    ['squares of parts', plan.join.depth * plan.join.squares * ROWS * 4, 16],
    ['packet staging', (compute + warps('epilogue') + warps('communicate')) * EXCHANGE_BYTES, 128],
    ['scratch', plan.scratchBytes, 128],
    ['slots', plan.slots.bytes, 128],
    ['join', plan.join.depth * plan.join.parts * 512, 128],
    ['ring', plan.ring.depth * align(plan.ring.pageBytes, 128), 128],
  ]
  let end = 0
  const areas = pieces.map(([name, bytes, alignment]) => {
    const from = end
    end = align(end + bytes, alignment)
    return { name, bytes: end - from }
  })
  return { areas, total: end }
}

/** What the scratch memory is to have more, so that it and the slots behind it hold attention's queries: as much as there is. Queries that
    find no place come from the first cache, each time. */
export function roomForQueries(plan: Shaped, queries: number): number {
  const free = MOST_SHARED - sharedMemory(plan).total
  const missing = queries - plan.slots.bytes - plan.scratchBytes
  return Math.max(0, Math.min(missing, Math.floor(free / 128) * 128))
}
