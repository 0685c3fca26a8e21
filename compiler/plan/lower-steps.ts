/**
 * lower-steps: what the lowerings of all kinds of phase share: numbered sync steps, the waits that derive-waits found, and
 * the context that a phase is lowered in.
 */
import type { Phase, ProductPhase } from '../tile/ir.ts'
import type { DerivedWait } from './derive-waits.ts'
import { earlyOf } from './halve-experts.ts'
import type { Access, Domain, ImagePlace, Kept, ProductPlan, RoleName, Step } from './ir.ts'
import { prefetchName } from './place-prefetches.ts'
import { type PlanSchedule, roleOf } from './schedule.ts'

/** Numbers the sync steps of a plan and names them. */
export class Sites {
  readonly names: string[] = []
  add(name: string): number {
    this.names.push(name)
    return this.names.length - 1
  }
}

export interface LowerContext {
  readonly segment: string
  readonly schedule: PlanSchedule
  readonly ranks: number
  /** That a sequence may have. */
  readonly positions: number
  readonly sites: Sites
  readonly counter: string
  /** Its executions in the entry before the phase. */
  readonly countedBefore: number
  /** The phase hands its first half over early, or takes from this counter what comes by halves (halve-experts.ts). */
  readonly givesHalves: boolean
  readonly takesHalves?: string
  /** The product whose input communicate brings near: as this phase hands it over, or for this phase. `after`: how often it then has in the entry. */
  readonly near?: { readonly of: ProductPlan; readonly after: number }
  /** Whether any phase waits for the counter; if none does, nobody signals it. */
  readonly awaited: boolean
  /** What the counter grows by, where it counts tiles, and whether this phase announces each as it is made (hand-tiles.ts). */
  readonly tiles?: number
  readonly byTile?: boolean
  readonly waits: readonly DerivedWait[]
  /** The next phase of the segment that the epilogue works in is of the experts that are chosen in between. */
  readonly routedNext: boolean
  /** Route executions and exchanges of the segment before this phase. */
  readonly routesBefore: number
  readonly exchangesBefore: number
  /** Phases up to this one that hand over by halves. */
  readonly halvesSoFar: number
  /** Of a phase that uses the table of the last routing: how many before it do. */
  readonly routedBefore?: number
  /** Load has found the active experts of the first of them by itself, and has not waited for the table (findsActive). */
  readonly loadFound: boolean
  /** Phases after which load says that it is done with the table, and how many of them come before in the entry. */
  readonly tableGuards: ReadonlySet<ProductPhase>
  readonly guardsBefore: number
  readonly product: (phase: ProductPhase) => ProductPlan
  /** Of routing: the product whose sums it scales. */
  readonly scaled?: ProductPlan
  /** Whether a product's input is staged for a later phase as well, or was by an earlier one. */
  readonly kept?: Kept
  readonly plain: (param: string) => ImagePlace
}

const rowsLocal = { local: 'rows', early: earlyOf('rows') }

type Roles = Partial<Record<RoleName, readonly Step[]>>
export interface Lowered {
  readonly roles: Roles
  readonly signals: RoleName
  readonly weightBytes?: number
}
export type Lowering<P extends Phase> = (phase: P, to: Steps, ctx: LowerContext) => Lowered

/** Makes the steps of one phase, with their sites. */
export class Steps {
  constructor(
    readonly phase: string,
    readonly ctx: LowerContext,
  ) {}
  site(role: RoleName, what: string): number {
    return this.ctx.sites.add(`${this.ctx.segment}.${this.phase}/${role} ${what}`)
  }
  waits(role: RoleName): Step[] {
    return this.#waits(role, false)
  }
  /** Those for what is handed over by halves, inside a loop over halves. */
  waitsForHalf(role: RoleName): Step[] {
    return this.#waits(role, true)
  }
  #waits(role: RoleName, byHalf: boolean): Step[] {
    return this.ctx.waits
      .filter((w) => (w.counter === this.ctx.takesHalves) === byHalf)
      .map((w) => ({
        kind: 'wait',
        site: this.site(role, `wait ${w.counter}`),
        ...w,
        ...(byHalf && { early: earlyOf(w.counter) }),
      }))
  }
  signal(role: RoleName): Step[] {
    return this.ctx.awaited ? [...this.meet(role), ...this.signalAlone(role)] : []
  }
  /** By the role's first warp, which did all that there was to do. */
  signalAlone(role: RoleName): Step[] {
    const { counter, awaited, tiles: of } = this.ctx
    const signal = (): Step => ({
      kind: 'signal',
      site: this.site(role, `signal ${counter}`),
      counter,
      ...(of !== undefined && { of }),
    })
    return awaited ? [signal()] : []
  }
  /** In a loop over tiles, behind what has been made of one: by who has made it. */
  signalTile(role: RoleName): Step[] {
    const { counter, awaited, byTile } = this.ctx
    return awaited && byTile
      ? [{ kind: 'signal', site: this.site(role, `signal ${counter}`), counter, of: 'tile' }]
      : []
  }
  /**
   * What `role` has stored of a half, each warp of it by itself, announced by communicate: a release takes until all that the SM has asked memory for is there, pages
   * of the ring too (docs/ladder.md 3), and `role` has sums of the other half to take meanwhile. When all SMs have announced the half,
   * communicate has its rows brought near, if somebody shares them there.
   */
  relayHalf(role: RoleName): { readonly stored: Step[]; readonly relay: Step } {
    const { counter, halvesSoFar: after, near } = this.ctx
    const stored = { local: 'stored', early: earlyOf('stored') }
    return {
      stored: [{ kind: 'signalLocal', site: this.site(role, 'signal stored'), ...stored, each: true }],
      relay: halves([
        { kind: 'waitLocal', site: this.site('communicate', 'wait stored'), after, ...stored },
        ...this.meet('communicate'),
        { kind: 'signal', site: this.site('communicate', `signal ${counter}`), counter, early: earlyOf(counter) },
        ...(near ? this.#bringRows(near.of) : []),
      ]),
    }
  }
  #bringRows(of: ProductPlan): Step[] {
    const { counter, countedBefore } = this.ctx
    const made = { counter, after: countedBefore + 1, early: earlyOf(counter) }
    return [
      { kind: 'wait', site: this.site('communicate', `wait ${counter}`), ...made },
      { kind: 'bringRows', of, ...rowsLocal, reads: [ofHalf(all(of.source)), all('route')] },
      ...this.meet('communicate'),
      { kind: 'signalLocal', site: this.site('communicate', 'signal rows'), ...rowsLocal },
    ]
  }
  /** The rows of a half are in shared memory: brought there, or staged by the role itself when all SMs have made them. */
  nearRows(role: RoleName, product: ProductPlan): Step[] {
    const { near, takesHalves } = this.ctx
    const rows = all(product.source)
    if (near) {
      const { after } = near
      return [{ kind: 'waitLocal', site: this.site(role, 'wait rows'), after, ...rowsLocal, rows: product }]
    }
    return [
      ...this.waitsForHalf(role),
      { kind: 'stageRows', product, reads: [takesHalves === undefined ? rows : ofHalf(rows)] },
      { kind: 'barrier', site: this.site(role, 'rows barrier') },
    ]
  }
  /** The role's warps come together, whether or not anybody waits for what they have done. Tiles have been announced one by one. */
  conclude(role: RoleName): Step[] {
    return this.ctx.awaited && !this.ctx.byTile ? this.signal(role) : this.meet(role)
  }
  /** All warps of the role come here, if there are several. */
  meet(role: RoleName): Step[] {
    if (roleOf(this.ctx.schedule, role).warps === 1) return []
    return [{ kind: 'barrier', site: this.site(role, 'barrier') }]
  }
  channel(role: RoleName, kind: 'acquire' | 'commit' | 'await' | 'release', channel: 'ring' | 'join' | 'slots'): Step {
    return { kind, site: this.site(role, `${kind} ${channel}`), channel }
  }
  /** Other roles than compute, which routes itself, wait for the table once. Load, which all wait for, finds the experts whose weights it fetches first
      by itself as soon as rows have chosen, and waits for the table where it comes to another phase. */
  routed(role: RoleName, findsActive = false): Step[] {
    const { routedBefore, loadFound, routesBefore: after } = this.ctx
    const wait = (local: string): Step => ({
      kind: 'waitLocal',
      site: this.site(role, `wait ${local}`),
      local,
      after,
    })
    if (routedBefore === undefined) return []
    if (findsActive && routedBefore === 0) return [wait('chosen'), { kind: 'findActive' }]
    return routedBefore === (role === 'load' && loadFound ? 1 : 0) ? [wait('route')] : []
  }
  /** Load has nothing left to fetch in the phase: weights of a later one may come into L2. */
  prefetches(): Step[] {
    return this.ctx.schedule.prefetches.flatMap((p, i): Step[] => {
      if (p.during !== this.phase) return []
      const what = prefetchName(p)
      return [{ kind: 'prefetch', prefetch: i, what, site: this.site('load', `prefetch ${what}`) }]
    })
  }
  /** Load has read the table for the last time. */
  doneWithTable(phase: ProductPhase): Step[] {
    if (!this.ctx.tableGuards.has(phase)) return []
    return [{ kind: 'signalLocal', site: this.site('load', 'signal table'), local: 'table' }]
  }
}

export const loop = (variable: string, domain: Domain, body: readonly Step[]): Step => ({
  kind: 'loop',
  variable,
  domain,
  body,
})
export const all = (region: string): Access => ({ region, part: 'all' })
export const own = (region: string): Access => ({ region, part: 'own' })
export const ofHalf = (a: Access): Access => ({ ...a, ofHalf: true })
/** One half of the active experts after the other. */
export const halves = (body: readonly Step[]): Step => loop('half', { kind: 'halves' }, body)
