/**
 * lower-phases: a phase becomes one program for each role. Every kind of phase has its own lowering in the table below;
 * what they share are the site numbers and the waits that derive-waits found.
 *
 * Invariants: a role that reads or writes what other SMs touch has waited for all counters of its phase before, or has been
 * handed something by a role that has; the role that signals does so as its last step, after all its warps on the SM
 * (barrier), or each warp for each tile that it has made (hand-tiles.ts). Packets hand over nothing but themselves: who receives them waits for itself. The prover checks all this.
 */
import { InternalError } from '../diagnostics/diagnostic.ts'
import { touched } from '../tile/chain.ts'
import { chunkSpans, mTilesOf } from '../tile/forms.ts'
import type {
  AttendPhase,
  EmbedPhase,
  FirstsPhase,
  MergePhase,
  NearPhase,
  NormedPhase,
  Phase,
  PhaseKind,
  PointwisePhase,
  RoutePhase,
  SamplePhase,
} from '../tile/ir.ts'
import { nearTasks } from '../tile/near-attention.ts'
import { earlyOf } from './halve-experts.ts'
import type { Domain, PhasePlan, Step } from './ir.ts'
import { lowerProduct } from './lower-product.ts'
import { all, type LowerContext, type Lowered, type Lowering, loop, own, Steps } from './lower-steps.ts'

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
  const norms = phase.parts.map((part, turn): Step => {
    const { reads, writes } = touched(part.elements)
    const weight = ctx.plain(part.norm.param)
    return { kind: 'normed', part, turn, weight, reads: [part.source, ...reads].map(all), writes: writes.map(own) }
  })
  return {
    roles: {
      compute: [...to.waits('compute'), ...norms, ...to.signal('compute')],
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
  const { window } = phase
  const spans = chunkSpans(window, ctx.positions)
  const tasks: Domain = {
    kind: 'chunkShare',
    kv: phase.kv,
    mTiles: mTilesOf(phase.group),
    spans,
    ...(window !== undefined && { window }),
  }
  const each = (body: readonly Step[]): Step => loop('span', { kind: 'chunk', spans }, body)
  return {
    roles: {
      load: [
        ...to.waits('load'),
        loop('number', tasks, [
          each([
            to.channel('load', 'acquire', 'ring'),
            {
              kind: 'copySpan',
              site: to.site('load', 'copy span'),
              attend: phase,
              reads: [all(phase.keys), all(phase.values)],
            },
            to.channel('load', 'commit', 'ring'),
          ]),
        ]),
      ],
      compute: [
        // The first span brings what load has waited for, but the queries are staged before it.
        ...to.waits('compute'),
        loop('number', tasks, [
          { kind: 'openTile', attend: phase, reads: [all(phase.queries)] },
          each([
            to.channel('compute', 'await', 'ring'),
            { kind: 'attendSpan', attend: phase, reads: [all(phase.queries)] },
            to.channel('compute', 'release', 'ring'),
          ]),
          { kind: 'leaveTile', attend: phase, writes: [own(phase.partials)] },
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
          kind: 'mergeChunks',
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

/** Keys and values come straight from the caches: load has nothing to do. */
function lowerNear(phase: NearPhase, to: Steps, ctx: LowerContext): Lowered {
  const tasks = nearTasks(phase)
  return {
    roles: {
      compute: [
        ...to.waits('compute'),
        loop('task', { kind: 'share', count: tasks }, [
          // The sums of the task before have been read.
          ...(tasks > ctx.schedule.sms
            ? [{ kind: 'barrier' as const, site: to.site('compute', 'barrier of tasks') }]
            : []),
          {
            kind: 'attendNear',
            near: phase,
            ...(phase.sink !== undefined && { sink: ctx.plain(phase.sink) }),
            reads: phase.reads.map(all),
          },
          { kind: 'barrier', site: to.site('compute', 'barrier of sums'), within: true },
          { kind: 'mergeNear', near: phase, writes: [own(phase.output)] },
        ]),
        ...to.conclude('compute'),
      ],
    },
    signals: 'compute',
  }
}

function lowerRoute(phase: RoutePhase, to: Steps, ctx: LowerContext): Lowered {
  return {
    roles: {
      compute: [
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
        { kind: 'openTable', site: to.site('compute', 'open table'), writes: [all('route')] },
        ...to.waits('compute'),
        {
          kind: 'choose',
          phase,
          ...(phase.bias !== undefined && { bias: ctx.plain(phase.bias) }),
          ...(ctx.scaled && { scaled: ctx.scaled }),
          reads: [all(phase.logits)],
        },
        { kind: 'signalLocal', site: to.site('compute', 'signal chosen'), local: 'chosen', each: true },
        { kind: 'route', phase, site: to.site('compute', 'route barrier'), writes: [all('route')] },
        { kind: 'signalLocal', site: to.site('compute', 'signal route'), local: 'route' },
        ...to.signal('compute'),
      ],
    },
    signals: 'compute',
  }
}

function lowerFirsts(phase: FirstsPhase, to: Steps): Lowered {
  return {
    roles: {
      compute: [
        ...to.waits('compute'),
        { kind: 'firsts', phase, reads: [all('control'), ...phase.reads.map(all)], writes: phase.writes.map(own) },
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
  near: lowerNear,
  merge: lowerMerge,
  route: lowerRoute,
  firsts: lowerFirsts,
  sample: lowerSample,
}

export function lowerPhase(phase: Phase, ctx: LowerContext): PhasePlan {
  const lowering = lowerings[phase.kind] as Lowering<Phase> | undefined
  if (!lowering) throw new InternalError(`no lowering for phase kind '${phase.kind}'`)
  const steps = new Steps(phase.name, ctx)
  const { roles, signals, weightBytes } = lowering(phase, steps, ctx)
  return {
    name: phase.name,
    ...(phase.span && { span: phase.span }),
    counter: ctx.counter,
    ...(ctx.givesHalves && { early: earlyOf(ctx.counter) }),
    signals,
    roles: {
      load: [...(roles.load ?? []), ...steps.prefetches()],
      compute: roles.compute ?? [],
      epilogue: roles.epilogue ?? [],
      communicate: roles.communicate ?? [],
    },
    weightBytes: weightBytes ?? 0,
  }
}
