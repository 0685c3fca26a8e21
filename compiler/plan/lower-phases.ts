/**
 * lower-phases: a phase becomes one program for each role. Every kind of phase has its own lowering in the table below;
 * what they share are the site numbers and the waits that derive-waits found.
 *
 * Invariants: a role that reads or writes what other SMs touch has waited for all counters of its phase before, or has been
 * handed something by a role that has; the role that signals does so as its last step, after all its warps on the SM
 * (barrier). Packets hand over nothing but themselves: the communicate role waits for itself. The prover checks all this.
 */
import { InternalError } from '../diagnostics/diagnostic.ts'
import { ROWS, TILE_ROWS } from '../tile/forms.ts'
import type {
  AttendPhase,
  EmbedPhase,
  MergePhase,
  NormedPhase,
  Phase,
  PhaseKind,
  PointwisePhase,
  ProductPhase,
  RoutePhase,
  SamplePhase,
} from '../tile/ir.ts'
import type { DerivedWait } from './derive-waits.ts'
import type { Access, Domain, ImagePlace, Kept, PhasePlan, ProductPlan, RoleName, Step } from './ir.ts'
import { groupOf, type PlanSchedule, roleOf } from './schedule.ts'

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
  readonly sites: Sites
  readonly counter: string
  /** Whether any phase waits for the counter; if none does, nobody signals it. */
  readonly awaited: boolean
  readonly waits: readonly DerivedWait[]
  /** Route executions and exchanges of the segment before this phase. */
  readonly routesBefore: number
  readonly exchangesBefore: number
  /** Whether this is the first phase that uses the table of the last routing. */
  readonly firstRouted: boolean
  /** Phases after which load says that it is done with the table, and how many of them come before in the entry. */
  readonly tableGuards: ReadonlySet<ProductPhase>
  readonly guardsBefore: number
  readonly product: (phase: ProductPhase) => ProductPlan
  /** Whether a product's input is staged for a later phase as well, or was by an earlier one. */
  readonly kept?: Kept
  readonly plain: (param: string) => ImagePlace
  readonly caches: ReadonlySet<string>
}

type Roles = Partial<Record<RoleName, readonly Step[]>>
interface Lowered {
  readonly roles: Roles
  readonly signals: RoleName
  readonly weightBytes?: number
}
type Lowering<P> = (phase: P, to: Steps, ctx: LowerContext) => Lowered

/** Makes the steps of one phase, with their sites. */
class Steps {
  constructor(
    readonly phase: string,
    readonly ctx: LowerContext,
  ) {}
  site(role: RoleName, what: string): number {
    return this.ctx.sites.add(`${this.ctx.segment}.${this.phase}/${role} ${what}`)
  }
  waits(role: RoleName): Step[] {
    return this.ctx.waits.map((w) => ({ kind: 'wait', site: this.site(role, `wait ${w.counter}`), ...w }))
  }
  signal(role: RoleName): Step[] {
    const { counter, schedule, awaited } = this.ctx
    if (!awaited) return []
    const barrier: Step[] =
      roleOf(schedule, role).warps > 1 ? [{ kind: 'barrier', site: this.site(role, 'barrier') }] : []
    return [...barrier, { kind: 'signal', site: this.site(role, `signal ${counter}`), counter }]
  }
  channel(role: RoleName, kind: 'acquire' | 'commit' | 'await' | 'release', channel: 'ring' | 'join' | 'slots'): Step {
    return { kind, site: this.site(role, `${kind} ${channel}`), channel }
  }
  /** Other roles than compute, which routes itself, wait for the table once. */
  routed(role: RoleName): Step[] {
    if (!this.ctx.firstRouted) return []
    return [{ kind: 'waitLocal', site: this.site(role, 'wait route'), local: 'route', after: this.ctx.routesBefore }]
  }
  /** Load has read the table for the last time. */
  doneWithTable(phase: ProductPhase): Step[] {
    if (!this.ctx.tableGuards.has(phase)) return []
    return [{ kind: 'signalLocal', site: this.site('load', 'signal table'), local: 'table' }]
  }
}

const loop = (variable: string, domain: Domain, body: readonly Step[]): Step => ({
  kind: 'loop',
  variable,
  domain,
  body,
})
const all = (region: string): Access => ({ region, part: 'all' })
const own = (region: string): Access => ({ region, part: 'own' })

function lowerProduct(phase: ProductPhase, to: Steps, ctx: LowerContext): Lowered {
  const product = ctx.product(phase)
  return phase.routed === 'down' ? lowerDown(phase, product, to, ctx) : lowerPaged(phase, product, to, ctx)
}

/** Accesses of the element steps, before or after the exchange. */
function elementAccess(product: ProductPlan, when: 'before' | 'after' | 'all'): { reads: Access[]; writes: Access[] } {
  const steps = product.sections.flatMap((s) => {
    const at = s.elements.findIndex((e) => e.kind === 'exchange')
    if (when === 'all' || at < 0) return s.elements
    return when === 'before' ? s.elements.slice(0, at) : s.elements.slice(at)
  })
  return {
    reads: steps.filter((e) => e.kind === 'load').map((e) => own(e.buffer)),
    writes: steps.filter((e) => e.kind === 'store').map((e) => own(e.buffer)),
  }
}

/** Tiles come through the ring in pages, parts of k meet in the join. */
function lowerPaged(phase: ProductPhase, product: ProductPlan, to: Steps, ctx: LowerContext): Lowered {
  const g = product.geometry
  const tileGroups = (g.pages / g.pagesPerTile) * g.chunks
  const pagesPerTurn = g.pagesPerTile / g.chunks
  const domain: Domain =
    phase.routed === 'up'
      ? { kind: 'activeShare', count: tileGroups, experts: phase.experts! }
      : { kind: 'share', count: tileGroups }
  const routeRead = phase.routed ? [all('route')] : []
  const logits = logitsStore(phase, ctx)
  const ring = {
    acquire: to.channel('load', 'acquire', 'ring'),
    copy: { kind: 'copyPage' as const, site: to.site('load', 'copy page'), product, reads: routeRead },
    commit: to.channel('load', 'commit', 'ring'),
  }
  const load = [
    ...to.routed('load'),
    loop('tile', domain, pages(pagesPerTurn, [ring.acquire, ring.copy, ring.commit])),
    ...to.doneWithTable(phase),
  ]
  const compute: Step[] = [
    ...to.waits('compute'),
    {
      kind: 'stage',
      site: to.site('compute', 'norm barrier'),
      product,
      ...(ctx.kept && { kept: ctx.kept }),
      reads: ctx.kept?.role === 'reuse' ? [] : [all(product.source)],
    },
    loop('tile', domain, [
      { kind: 'clear', product },
      ...pages(pagesPerTurn, [
        to.channel('compute', 'await', 'ring'),
        { kind: 'multiply', product },
        to.channel('compute', 'release', 'ring'),
      ]),
      to.channel('compute', 'acquire', 'join'),
      { kind: 'joinPut', product },
      to.channel('compute', 'commit', 'join'),
    ]),
  ]
  const remote = product.exchange || logits !== undefined
  const epilogueWork: Step = product.exchange
    ? {
        kind: 'finish',
        product,
        from: 'join',
        elements: 'before',
        site: to.site('epilogue', 'send'),
        after: ctx.exchangesBefore + 1,
        reads: [...routeRead, ...elementAccess(product, 'before').reads],
      }
    : logits
      ? {
          kind: 'finish',
          product,
          from: 'join',
          elements: 'all',
          site: to.site('epilogue', 'send logits'),
          after: 0,
          reads: elementAccess(product, 'all').reads,
          // What travels is stored where it arrives.
          writes: elementAccess(product, 'all').writes.filter((w) => w.region !== logits),
        }
      : {
          kind: 'finish',
          product,
          from: 'join',
          elements: 'all',
          site: to.site('epilogue', 'finish'),
          after: 0,
          reads: [...routeRead, ...elementAccess(product, 'all').reads],
          writes: elementAccess(product, 'all').writes,
        }
  // Where every SM has a tile, the first sum that comes through the join brings what compute has waited for.
  const idleSms = phase.routed !== undefined || tileGroups < ctx.schedule.sms
  const epilogue: Step[] = [
    ...(idleSms ? to.waits('epilogue') : []),
    ...to.routed('epilogue'),
    loop('tile', domain, [
      to.channel('epilogue', 'await', 'join'),
      epilogueWork,
      to.channel('epilogue', 'release', 'join'),
    ]),
    ...(remote ? [] : to.signal('epilogue')),
  ]
  const communicate: Step[] | undefined = product.exchange
    ? [
        ...to.waits('communicate'),
        loop('tile', { kind: 'share', count: g.tiles }, [
          {
            kind: 'finish',
            product,
            from: 'join',
            elements: 'after',
            site: to.site('communicate', 'receive'),
            after: ctx.exchangesBefore + 1,
            ...elementAccess(product, 'after'),
          },
        ]),
        ...to.signal('communicate'),
      ]
    : logits
      ? [
          ...to.waits('communicate'),
          {
            kind: 'gatherLogits',
            product,
            buffer: logits,
            site: to.site('communicate', 'receive logits'),
            writes: [own(logits)],
          },
          ...to.signal('communicate'),
        ]
      : undefined
  return {
    roles: { load, compute, epilogue, ...(communicate && { communicate }) },
    signals: remote ? 'communicate' : 'epilogue',
    weightBytes: g.bytes * (phase.experts ?? 1),
  }
}

/** With several ranks the logits of all are gathered on rank 0. */
function logitsStore(phase: ProductPhase, ctx: LowerContext): string | undefined {
  if (ctx.ranks === 1) return undefined
  return phase.writes.find((w) => w.includes('.logits'))
}

const pages = (count: number, body: readonly Step[]): Step[] =>
  count === 1 ? [...body] : [loop('page', { kind: 'range', count }, body)]

/** Each SM owns tiles; active experts come in groups; each (row, slot) sum goes to a place of its own. */
function lowerDown(phase: ProductPhase, product: ProductPlan, to: Steps, ctx: LowerContext): Lowered {
  const own = Math.ceil(product.geometry.tiles / ctx.schedule.sms) * product.geometry.cellBytes
  const size = groupOf(phase.name, own, ctx.schedule)
  const groups: Domain = { kind: 'activeGroups', size, experts: phase.experts! }
  const load: Step[] = [
    ...to.routed('load'),
    loop('first', groups, [
      to.channel('load', 'acquire', 'ring'),
      { kind: 'copyGroup', site: to.site('load', 'copy group'), product, reads: [all('route')] },
      to.channel('load', 'commit', 'ring'),
    ]),
    ...to.doneWithTable(phase),
  ]
  const compute: Step[] = [
    ...to.waits('compute'),
    ...(product.input?.shared
      ? [
          { kind: 'stageRows' as const, product, reads: [all(product.source)] },
          { kind: 'barrier' as const, site: to.site('compute', 'rows barrier') },
        ]
      : []),
    to.channel('compute', 'acquire', 'slots'),
    loop('first', groups, [
      to.channel('compute', 'await', 'ring'),
      {
        kind: 'multiplyGroup',
        product,
        reads: [...(product.input?.shared ? [] : [all(product.source)]), all('route')],
      },
      to.channel('compute', 'release', 'ring'),
    ]),
    to.channel('compute', 'commit', 'slots'),
  ]
  const finish = (elements: 'before' | 'all', what: string): Step => {
    const access = elementAccess(product, elements)
    const site = to.site('epilogue', what)
    return {
      kind: 'finish',
      product,
      from: 'slots',
      elements,
      site,
      after: product.exchange ? ctx.exchangesBefore + 1 : 0,
      reads: [all('route'), ...access.reads],
      writes: access.writes,
    }
  }
  const epilogue: Step[] = [
    ...to.routed('epilogue'),
    to.channel('epilogue', 'await', 'slots'),
    finish(product.exchange ? 'before' : 'all', product.exchange ? 'send' : 'finish'),
    to.channel('epilogue', 'release', 'slots'),
    ...(product.exchange ? [] : to.signal('epilogue')),
  ]
  const communicate: Step[] | undefined = product.exchange
    ? [
        ...to.waits('communicate'),
        loop('tile', { kind: 'share', count: product.geometry.tiles }, [
          {
            kind: 'finish',
            product,
            from: 'slots',
            elements: 'after',
            site: to.site('communicate', 'receive'),
            after: ctx.exchangesBefore + 1,
            ...elementAccess(product, 'after'),
          },
        ]),
        ...to.signal('communicate'),
      ]
    : undefined
  return {
    roles: { load, compute, epilogue, ...(communicate && { communicate }) },
    signals: product.exchange ? 'communicate' : 'epilogue',
    weightBytes: product.geometry.bytes * phase.experts!,
  }
}

function lowerEmbed(phase: EmbedPhase, to: Steps, ctx: LowerContext): Lowered {
  const table = ctx.plain(phase.param)
  const instead = phase.instead && ctx.plain(phase.instead.param)
  return {
    roles: {
      compute: [
        ...to.waits('compute'),
        {
          kind: 'embed',
          phase,
          table,
          ...(instead && { instead }),
          reads: [all('control')],
          writes: phase.writes.map(own),
        },
        ...to.signal('compute'),
      ],
    },
    signals: 'compute',
  }
}

function lowerNormed(phase: NormedPhase, to: Steps, ctx: LowerContext): Lowered {
  const weight = ctx.plain(phase.norm.param)
  return {
    roles: {
      compute: [
        ...to.waits('compute'),
        { kind: 'normed', phase, weight, reads: phase.reads.map(all), writes: phase.writes.map(own) },
        ...to.signal('compute'),
      ],
    },
    signals: 'compute',
  }
}

function lowerPointwise(phase: PointwisePhase, to: Steps): Lowered {
  return {
    roles: {
      compute: [
        ...to.waits('compute'),
        { kind: 'pointwise', phase, reads: phase.reads.map(own), writes: phase.writes.map(own) },
        ...to.signal('compute'),
      ],
    },
    signals: 'compute',
  }
}

function lowerAttend(phase: AttendPhase, to: Steps, ctx: LowerContext): Lowered {
  const domain: Domain = {
    kind: 'spanShare',
    kv: phase.kv,
    mTiles: Math.ceil((ROWS * phase.group) / TILE_ROWS),
    ...(phase.window !== undefined && { window: phase.window }),
  }
  return {
    roles: {
      load: [
        ...to.waits('load'),
        loop('task', domain, [
          to.channel('load', 'acquire', 'ring'),
          {
            kind: 'copySpan',
            site: to.site('load', 'copy span'),
            attend: phase,
            reads: [all(phase.keys), all(phase.values)],
          },
          to.channel('load', 'commit', 'ring'),
        ]),
      ],
      compute: [
        // The first span of keys brings what load has waited for; an SM without one must wait for itself.
        ...(phase.kv < ctx.schedule.sms ? to.waits('compute') : []),
        loop('task', domain, [
          to.channel('compute', 'await', 'ring'),
          { kind: 'attendSpan', attend: phase, reads: [all(phase.queries)], writes: [own(phase.partials)] },
          to.channel('compute', 'release', 'ring'),
        ]),
        ...to.signal('compute'),
      ],
    },
    signals: 'compute',
  }
}

function lowerMerge(phase: MergePhase, to: Steps, ctx: LowerContext): Lowered {
  return {
    roles: {
      compute: [
        ...to.waits('compute'),
        {
          kind: 'mergeSpans',
          merge: phase,
          ...(phase.sink !== undefined && { sink: ctx.plain(phase.sink) }),
          reads: [all(phase.attend.partials)],
          writes: [own(phase.output)],
        },
        ...to.signal('compute'),
      ],
    },
    signals: 'compute',
  }
}

function lowerRoute(phase: RoutePhase, to: Steps, ctx: LowerContext): Lowered {
  return {
    roles: {
      compute: [
        ...to.waits('compute'),
        ...(ctx.tableGuards.size > 0
          ? [
              {
                kind: 'waitLocal' as const,
                site: to.site('compute', 'wait table'),
                local: 'table',
                after: ctx.guardsBefore,
              },
            ]
          : []),
        {
          kind: 'route',
          phase,
          site: to.site('compute', 'route barrier'),
          ...(phase.bias !== undefined && { bias: ctx.plain(phase.bias) }),
          reads: [all(phase.logits)],
          writes: [all('route')],
        },
        { kind: 'signalLocal', site: to.site('compute', 'signal route'), local: 'route' },
        ...to.signal('compute'),
      ],
    },
    signals: 'compute',
  }
}

function lowerSample(phase: SamplePhase, to: Steps): Lowered {
  return {
    roles: {
      compute: [
        ...to.waits('compute'),
        {
          kind: 'sample',
          phase,
          site: to.site('compute', 'sample'),
          reads: phase.reads.map(all),
          writes: [all('control')],
        },
        ...to.signal('compute'),
      ],
    },
    signals: 'compute',
  }
}

const lowerings: { [K in PhaseKind]: Lowering<Extract<Phase, { kind: K }>> } = {
  product: lowerProduct,
  embed: lowerEmbed,
  normed: lowerNormed,
  pointwise: lowerPointwise,
  attend: lowerAttend,
  merge: lowerMerge,
  route: lowerRoute,
  sample: lowerSample,
}

export function lowerPhase(phase: Phase, ctx: LowerContext): PhasePlan {
  const lowering = lowerings[phase.kind] as Lowering<Phase> | undefined
  if (!lowering) throw new InternalError(`no lowering for phase kind '${phase.kind}'`)
  const { roles, signals, weightBytes } = lowering(phase, new Steps(phase.name, ctx), ctx)
  return {
    name: phase.name,
    ...(phase.span && { span: phase.span }),
    counter: ctx.counter,
    signals,
    roles: {
      load: roles.load ?? [],
      compute: roles.compute ?? [],
      epilogue: roles.epilogue ?? [],
      communicate: roles.communicate ?? [],
    },
    weightBytes: weightBytes ?? 0,
  }
}
