/**
 * prove-resources: what an SM must hold fits into what it has.
 *
 * Checked: shared memory, area by area; registers of all roles; operands that compute warps keep staged; ring pages for
 * weight pages, groups of experts and spans of attention; parts of the join; tiles of the routed sums; sums of near attention;
 * warps of the roles whose work cannot be dealt out; what tables of routing hold.
 */
import type { Schedule } from '../../dsl/schedule-ir.ts'
import type { Span } from '../../dsl/span.ts'
import { joinPlaces, slotsBytes } from '../plan/exact.ts'
import { type Plan, productIn, type RoleName, roleNames, type Step } from '../plan/ir.ts'
import { stagedRegisters } from '../plan/registers.ts'
import { MOST_SHARED, sharedMemory } from '../plan/shared-memory.ts'
import { keySpanBytes, valueSpanBytes } from '../tile/forms.ts'
import { nearSums } from '../tile/near-attention.ts'
import { noteAt, type Place, type PlanFinding, placeName } from './findings.ts'
import { shareOf } from './shares.ts'

export const limits = {
  /** Shared memory that a block may have on sm_90a. */
  sharedBytes: MOST_SHARED,
  registers: 65536,
  /** Of a row, and in all: results of experts have numbers of a byte with a sign, and a lane routes by a word of 32 experts (codegen/device: RouteTable,
      RouteChoice). */
  chosen: 16,
  experts: 1024,
} as const

type Report = (finding: PlanFinding) => void

export function proveResources(plan: Plan, schedule: Schedule | undefined, report: Report): void {
  const spans = spansOf(schedule)
  shared(plan, spans, report)
  registers(plan, spans, report)
  oneLoadWarp(plan, spans, report)
  routing(plan, report)
  for (const segment of plan.segments) {
    for (const phase of segment.phases) {
      for (const role of roleNames) {
        visit(phase.roles[role], (step) => {
          const rule = needs[step.kind] as ((s: Step, n: Need) => void) | undefined
          rule?.(step, { plan, spans, report, place: { segment: segment.name, phase, role } })
        })
      }
    }
  }
}

interface Spans {
  readonly role: (name: RoleName) => Span | undefined
  readonly ring: Span | undefined
  readonly join: Span | undefined
}
const spansOf = (s: Schedule | undefined): Spans => ({
  role: (name) => s?.roles.find((r) => r.name === name)?.span,
  ring: s?.ring?.span,
  join: s?.joinDepth?.span,
})

function visit(steps: readonly Step[], see: (s: Step) => void): void {
  for (const s of steps) {
    see(s)
    if (s.kind === 'loop') visit(s.body, see)
  }
}

function shared(plan: Plan, spans: Spans, report: Report): void {
  const { areas, total } = sharedMemory(plan)
  if (total <= limits.sharedBytes) return
  const largest = [...areas].sort((a, b) => b.bytes - a.bytes)
  const over = total - limits.sharedBytes
  const page = Math.floor((plan.ring.pageBytes - over / plan.ring.depth) / 1024)
  const levers: Partial<Record<string, string>> = {
    ring:
      page > 0
        ? `give the ring pages of at most ${page} KiB, or a depth below ${plan.ring.depth}`
        : 'give the ring fewer and smaller pages',
    join: 'let the join have less depth, or split k into fewer parts',
    slots: 'use more ranks or more SMs, so that an SM owns fewer tiles of the experts',
  }
  report({
    code: 'TILE3030',
    subject: 'shared memory',
    message: `an SM would need ${total} bytes of shared memory, ${over} more than the ${limits.sharedBytes} there are`,
    span: spans.ring,
    notes: largest
      .filter((a) => a.bytes > 0)
      .map((a) => ({
        message: `${a.name}: ${a.bytes} bytes`,
        ...(a.name === 'join' && spans.join && { span: spans.join }),
      })),
    help: levers[largest[0]!.name] ?? `the largest area is '${largest[0]!.name}'`,
  })
}

function registers(plan: Plan, spans: Spans, report: Report): void {
  const used = plan.roles.map((r) => ({ ...r, used: r.warps * 32 * r.registers }))
  const total = used.reduce((n, r) => n + r.used, 0)
  if (total <= limits.registers) return
  const largest = [...used].sort((a, b) => b.used - a.used)[0]!
  report({
    code: 'TILE3031',
    subject: 'registers',
    message: `the roles use ${total} registers together, an SM has ${limits.registers}`,
    span: spans.role(largest.name),
    notes: used.map((r) => {
      const span = spans.role(r.name)
      return {
        message: `${r.name}: ${r.warps} warps x 32 x ${r.registers} = ${r.used}`,
        ...(span && { span }),
      }
    }),
    help: `give ${largest.name} at most ${Math.floor((largest.registers - (total - limits.registers) / (largest.warps * 32)) / 8) * 8} registers, or fewer warps`,
  })
}

/** One warp keeps the copy engine busy; several would have to agree on the order of pages. */
function oneLoadWarp(plan: Plan, spans: Spans, report: Report): void {
  const { warps } = plan.roles.find((r) => r.name === 'load')!
  if (warps === 1) return
  report({
    code: 'TILE3036',
    subject: 'load',
    message: `role 'load' has ${warps} warps; it must have 1`,
    span: spans.role('load'),
    notes: [],
    help: 'role load 1 warp',
  })
}

/** What tables of routing hold. */
function routing({ route }: Plan, report: Report): void {
  const find = (message: string, help: string): void =>
    report({ code: 'TILE3037', subject: 'routing', message, span: undefined, notes: [], help })
  if (route.topK > limits.chosen)
    find(
      `a row goes to ${route.topK} experts; tables of routing hold ${limits.chosen}`,
      `choose at most ${limits.chosen} experts for a row`,
    )
  if (route.experts > limits.experts)
    find(
      `there are ${route.experts} experts; tables of routing hold ${limits.experts}`,
      `let a layer have at most ${limits.experts} experts`,
    )
}

interface Need {
  readonly plan: Plan
  readonly spans: Spans
  readonly report: Report
  readonly place: Place
}

/** Finds that `needed` is more than `there` is. */
function hold(n: Need, code: PlanFinding['code'], needed: number, there: number, text: string, help: string): void {
  if (needed <= there) return
  const span = code === 'TILE3033' ? n.spans.ring : code === 'TILE3034' ? n.spans.join : n.spans.role('compute')
  n.report({
    code,
    subject: placeName(n.place),
    message: text,
    span: span ?? n.place.phase.span,
    notes: [noteAt(n.place, `for phase '${n.place.phase.name}'`)],
    help,
  })
}

type Needs = { [K in Step['kind']]?: (step: Extract<Step, { kind: K }>, n: Need) => void }
const needs: Needs = {
  copyPage: ({ product: { geometry: g } }, n) => {
    const { pageBytes } = n.plan.ring
    const text = `a page of weights has ${g.pageBytes} bytes, a ring page holds ${pageBytes}`
    hold(n, 'TILE3033', g.pageBytes, pageBytes, text, `give the ring pages of at least ${g.pageBytes} bytes`)
  },
  loop: (loop, n) => {
    const product = productIn(loop.body)
    if (loop.domain.kind !== 'activeGroups' || !product) return
    const tiles = Math.ceil(mostTiles(product.geometry.tiles, n.plan) / (product.paging?.pages ?? 1))
    const bytes = tiles * product.geometry.cellBytes * loop.domain.size
    const { pageBytes } = n.plan.ring
    const text = `${loop.domain.size} experts' tiles of one SM take ${bytes} bytes, a ring page holds ${pageBytes}`
    hold(
      n,
      'TILE3033',
      bytes,
      pageBytes,
      text,
      'let the phase take smaller groups of experts, or give the ring larger pages',
    )
  },
  copySpan: ({ attend }, n) => {
    const bytes = keySpanBytes(attend.keyDim) + valueSpanBytes(attend.valueDim)
    const { pageBytes } = n.plan.ring
    const text = `keys and values of one span take ${bytes} bytes, a ring page holds ${pageBytes}`
    hold(n, 'TILE3033', bytes, pageBytes, text, `give the ring pages of at least ${bytes} bytes`)
  },
  stage: ({ product: { geometry: g, restaged } }, n) => {
    const units = restaged ? g.unitsPerCell : g.unitsPerPart
    const compute = n.plan.roles.find((r) => r.name === 'compute')!
    const needed = stagedRegisters(units)
    const text = `a compute warp keeps ${units} units of its input staged and needs about ${needed} registers a lane, it has ${compute.registers}`
    hold(n, 'TILE3032', needed, compute.registers, text, 'give compute more registers, or split k over more warps')
  },
  joinPut: ({ product: { geometry: g } }, n) => {
    const places = joinPlaces(g)
    const text = `a hand-over has ${places} parts, a slot of the join holds ${n.plan.join.parts}`
    hold(n, 'TILE3034', places, n.plan.join.parts, text, 'split k over fewer warps')
    const parts = g.parts * g.groups
    const compute = n.plan.roles.find((r) => r.name === 'compute')!
    const many = `${parts} parts are put by ${compute.warps} compute warps, one each`
    hold(n, 'TILE3034', parts, compute.warps, many, 'give compute more warps, or split k into fewer parts')
  },
  multiplyGroup: ({ product: { geometry: g } }, n) => {
    const needed = slotsBytes(g, mostTiles(g.tiles, n.plan), n.plan.route.topK)
    const text = `an SM's routed sums take ${needed} bytes, its slots hold ${n.plan.slots.bytes}`
    hold(n, 'TILE3035', needed, n.plan.slots.bytes, text, 'this is a bug of tilec: the slots are sized by the plan')
  },
  attendNear: ({ near }, n) => {
    const needed = nearSums(near)
    const { scratchBytes } = n.plan
    const text = `the sums of an m tile's blocks of keys take ${needed} bytes, the scratch memory has ${scratchBytes}`
    hold(n, 'TILE3035', needed, scratchBytes, text, 'this is a bug of tilec: the scratch memory is sized by the plan')
  },
}

/** Tiles of the SM that owns most. */
const mostTiles = (tiles: number, plan: Plan): number =>
  Math.max(...Array.from({ length: plan.sms }, (_, sm) => shareOf(tiles, sm, plan.sms)))
