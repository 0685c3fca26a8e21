/**
 * mutate-plan: plans that are wrong in one place, to test that the prover refuses them, and that the host back end catches
 * the same fault when the prover is bypassed.
 *
 * Vocabulary
 *   mutant    a plan with one step left out, doubled, moved or miscounted; its name is the site's and what was done
 *   fault     what a plan cannot express: a wait for one arrival more or fewer, a channel taken for one place deeper
 *   runtime   the same for a running engine (codegen/device/host/mutate.h), where that has it
 *   harmless  why the mutant may be right all the same; checked against the plan, not against the prover
 * Invariant: a mutant without `harmless` must be refused. Not generated, because they change no order: waiting, acquiring
 * or awaiting twice, meeting at a barrier twice, a channel taken for one place shallower, and changing places of two steps
 * that only wait.
 */
import { InternalError } from '../diagnostics/diagnostic.ts'
import type { Domain, Loop, PhasePlan, Plan, RoleName, SegmentPlan, Step } from '../plan/ir.ts'
import { roleNames } from '../plan/ir.ts'
import { aloneAnyway, freeAnyway, orderedAnyway, routedAnyway } from './harmless.ts'
import type { Fault } from './machine.ts'

export type RuntimeMutation = 'drop' | 'twice' | 'late' | 'target_up' | 'target_down'

export interface Mutant {
  readonly name: string
  readonly kind: string
  readonly plan: Plan
  readonly fault?: Fault
  readonly runtime?: { readonly site: number; readonly mutation: RuntimeMutation }
  readonly harmless?: string
}

/** A step and the way to it. */
export interface Located {
  readonly plan: Plan
  readonly segment: SegmentPlan
  readonly phase: PhasePlan
  readonly role: RoleName
  /** Indices from the role's program down. */
  readonly path: readonly number[]
  readonly siblings: readonly Step[]
  readonly index: number
  /** Innermost last. */
  readonly loops: readonly Loop[]
}

type Made = Omit<Mutant, 'name' | 'plan'> & { readonly plan?: Plan }
type Rules = { [K in Step['kind']]?: (step: Extract<Step, { kind: K }>, at: Located) => readonly Made[] }

export function* mutantsOf(plan: Plan): Generator<Mutant> {
  for (const at of located(plan)) {
    const step = at.siblings[at.index]!
    const rule = rules[step.kind] as ((s: Step, at: Located) => readonly Made[]) | undefined
    const site = 'site' in step ? plan.sites[step.site] : undefined
    const where = site ?? `${at.segment.name}.${at.phase.name}/${at.role} ${step.kind}`
    for (const made of rule?.(step, at) ?? []) yield { plan, name: `${where}: ${made.kind}`, ...made }
  }
  yield* tallyMutants(plan)
}

function* located(plan: Plan): Generator<Located> {
  function* inside(base: Omit<Located, 'index'>): Generator<Located> {
    for (const [index, step] of base.siblings.entries()) {
      yield { ...base, path: [...base.path, index], index }
      if (step.kind !== 'loop') continue
      yield* inside({ ...base, siblings: step.body, path: [...base.path, index], loops: [...base.loops, step] })
    }
  }
  for (const segment of plan.segments) {
    for (const phase of segment.phases) {
      for (const role of roleNames) {
        yield* inside({ plan, segment, phase, role, path: [], siblings: phase.roles[role], loops: [] })
      }
    }
  }
}

// ---- edits ----

/** The plan with the steps around a step replaced. */
function edit(at: Located, change: (siblings: readonly Step[], index: number) => readonly Step[]): Plan {
  const inside = (steps: readonly Step[], path: readonly number[]): readonly Step[] => {
    const [first, ...rest] = path
    if (first === undefined) throw new InternalError('a step has a place')
    if (rest.length === 0) return change(steps, first)
    return steps.map((s, i) => (i === first && s.kind === 'loop' ? { ...s, body: inside(s.body, rest) } : s))
  }
  const roles = { ...at.phase.roles, [at.role]: inside(at.phase.roles[at.role], at.path) }
  return withPhase(at.plan, at.phase, { ...at.phase, roles })
}

function withPhase(plan: Plan, old: PhasePlan, phase: PhasePlan): Plan {
  const segments = plan.segments.map((s) => ({ ...s, phases: s.phases.map((p) => (p === old ? phase : p)) }))
  return { ...plan, segments }
}

const replace = (at: Located, ...steps: readonly Step[]): Plan =>
  edit(at, (all, i) => [...all.slice(0, i), ...steps, ...all.slice(i + 1)])
const drop = (at: Located): Plan => replace(at)
const twice = (at: Located): Plan => replace(at, at.siblings[at.index]!, at.siblings[at.index]!)
/** The step changes places with its neighbour, `by` steps away. */
const move = (at: Located, by: number): Plan =>
  edit(at, (all, i) => {
    const without = [...all.slice(0, i), ...all.slice(i + 1)]
    return [...without.slice(0, i + by), all[i]!, ...without.slice(i + by)]
  })

// ---- mutations of each kind of step ----

const runtime = (site: number, mutation: RuntimeMutation): Pick<Mutant, 'runtime'> => ({ runtime: { site, mutation } })
const waits = new Set<Step['kind']>(['wait', 'waitLocal', 'acquire', 'await'])
/** What no other step depends on. */
const idle = new Set<Step['kind']>(['clear', 'prefetch', 'rotations'])
/** Whether a step, or one inside it, does more than wait. */
const acts = (s: Step): boolean => (s.kind === 'loop' ? s.body.some(acts) : !waits.has(s.kind) && !idle.has(s.kind))

/** Behind the next step that does anything; undefined when none follows. */
function late(at: Located): Plan | undefined {
  const by = at.siblings.slice(at.index + 1).findIndex(acts) + 1
  return by > 0 ? move(at, by) : undefined
}
const synchronises = new Set<Step['kind']>([...waits, 'signal', 'signalLocal', 'commit', 'release', 'barrier'])
/** In front of the last work before it. */
function early(at: Located): Plan | undefined {
  const before = at.siblings.slice(0, at.index).findLastIndex((s) => acts(s) && !synchronises.has(s.kind))
  return before >= 0 ? move(at, before - at.index) : undefined
}
const list = (...made: readonly (Made | undefined)[]): Made[] => made.filter((m) => m !== undefined)
const moved = (kind: string, plan: Plan | undefined, more: Partial<Made> = {}): Made | undefined =>
  plan && { kind, plan, ...more }

const rules: Rules = {
  wait: (s, at) => {
    const harmless = orderedAnyway(at)
    return list(
      { kind: 'dropped', plan: drop(at), ...runtime(s.site, 'drop'), ...harmless },
      { kind: 'for one execution more', plan: replace(at, { ...s, after: s.after + 1 }) },
      { kind: 'for one execution fewer', plan: replace(at, { ...s, after: s.after - 1 }), ...harmless },
      { kind: 'for one arrival more', fault: { site: s.site, kind: 'targetUp' }, ...runtime(s.site, 'target_up') },
      {
        kind: 'for one arrival fewer',
        fault: { site: s.site, kind: 'targetDown' },
        ...runtime(s.site, 'target_down'),
        ...harmless,
      },
      moved('behind the work', late(at), harmless),
      otherCounter(s, at),
    )
  },
  signal: (s, at) =>
    list(
      { kind: 'dropped', plan: drop(at), ...runtime(s.site, 'drop') },
      { kind: 'twice', plan: twice(at), ...runtime(s.site, 'twice') },
      moved('before the work', early(at)),
      { kind: 'of another counter', plan: replace(at, { ...s, counter: another(at.plan, s.counter) }) },
      ...signalledOtherwise(s, at),
    ),
  waitLocal: (s, at) => {
    const harmless = s.local === 'route' ? routedAnyway(at) : {}
    return list(
      { kind: 'dropped', plan: drop(at), ...runtime(s.site, 'drop'), ...harmless },
      { kind: 'for one more', plan: replace(at, { ...s, after: s.after + 1 }), ...runtime(s.site, 'target_up') },
      {
        kind: 'for one fewer',
        plan: replace(at, { ...s, after: s.after - 1 }),
        ...runtime(s.site, 'target_down'),
        ...harmless,
      },
      moved('behind the work', late(at), harmless),
    )
  },
  signalLocal: (s, at) =>
    list(
      { kind: 'dropped', plan: drop(at), ...runtime(s.site, 'drop') },
      { kind: 'twice', plan: twice(at), ...runtime(s.site, 'twice') },
      moved('before the work', early(at)),
    ),
  acquire: (s, at) => {
    const harmless = freeAnyway(s.channel, at)
    return list(
      { kind: 'dropped', plan: drop(at), ...runtime(s.site, 'drop'), ...harmless },
      moved('behind the work', late(at), harmless),
      {
        kind: 'one place deeper',
        fault: { site: s.site, kind: 'targetDown' },
        ...runtime(s.site, 'target_down'),
        ...harmless,
      },
    )
  },
  commit: (s, at) =>
    list(
      { kind: 'dropped', plan: drop(at), ...runtime(s.site, 'drop') },
      { kind: 'twice', plan: twice(at), ...runtime(s.site, 'twice') },
      moved('before the work', early(at)),
    ),
  await: (s, at) =>
    list(
      { kind: 'dropped', plan: drop(at), ...runtime(s.site, 'drop') },
      moved('behind the work', late(at)),
      { kind: 'one use too late', fault: { site: s.site, kind: 'targetUp' }, ...runtime(s.site, 'target_up') },
      { kind: 'one use too early', fault: { site: s.site, kind: 'targetDown' }, ...runtime(s.site, 'target_down') },
    ),
  release: (s, at) =>
    list(
      { kind: 'dropped', plan: drop(at), ...runtime(s.site, 'drop') },
      { kind: 'twice', plan: twice(at), ...runtime(s.site, 'twice') },
      moved('before the work', early(at), s.channel === 'slots' ? freeAnyway(s.channel, at) : {}),
    ),
  barrier: (s, at) => {
    const harmless = aloneAnyway(at)
    return list(
      { kind: 'dropped', plan: drop(at), ...runtime(s.site, 'drop'), ...harmless },
      moved('behind the signal', late(at), harmless),
    )
  },
  copyPage: (_s, at) => [{ kind: 'dropped', plan: drop(at) }],
  copyGroup: (_s, at) => [{ kind: 'dropped', plan: drop(at) }],
  copySpan: (_s, at) => [{ kind: 'dropped', plan: drop(at) }],
  findActive: (_s, at) => [{ kind: 'dropped', plan: drop(at) }],
  bringRows: (s, at) => [
    { kind: 'dropped', plan: drop(at) },
    { kind: 'for the other half', plan: replace(at, { ...s, local: s.early, early: s.local }) },
  ],
  loop: (s, at) => {
    // Which experts a half has is the same for all: there is nothing to miscount.
    if (s.domain.kind === 'halves') return [{ kind: 'without the loop', plan: replace(at, ...s.body) }]
    const { domain } = s
    return [
      ...(domain.kind === 'owned'
        ? list(
            { kind: 'dropped', plan: drop(at) },
            { kind: 'of other owners', plan: replace(at, { ...s, domain: { ...domain, ranks: domain.ranks / 2 } }) },
            moved('behind the sums', late(at)),
          )
        : []),
      { kind: 'one turn too few', plan: replace(at, { ...s, domain: turnsChanged(s.domain, -1) }) },
      { kind: 'one turn too many', plan: replace(at, { ...s, domain: turnsChanged(s.domain, 1) }) },
    ]
  },
  finish: (s, at) => {
    const sends = s.elements === 'before'
    return sends || s.elements === 'after' ? hop(s, at) : []
  },
  addParts: (s, at) => hop(s, at),
  spread: (s, at) =>
    list(...hop(s, at), { kind: 'twice', plan: twice(at) }, moved('before the parts are added', early(at))),
  gatherLogits: (_s, at) => [{ kind: 'dropped', plan: drop(at) }],
}

const hop = (s: Extract<Step, { kind: 'finish' | 'addParts' | 'spread' }>, at: Located): Made[] => [
  { kind: 'under the next epoch', plan: replace(at, { ...s, after: s.after + 1 }) },
  { kind: 'under the last epoch', plan: replace(at, { ...s, after: s.after - 1 }) },
  { kind: 'dropped', plan: drop(at) },
]

const domainChange: { [K in Domain['kind']]: (d: Extract<Domain, { kind: K }>, by: number) => Domain } = {
  share: (d, by) => ({ ...d, count: d.count + by }),
  owned: (d, by) => ({ ...d, count: d.count + by }),
  halves: (d) => d,
  activeShare: (d, by) => ({ ...d, count: d.count + by }),
  activeGroups: (d, by) => ({ ...d, size: d.size + (d.size + by > 0 ? by : 2) }),
  chunkShare: (d, by) => ({ ...d, kv: d.kv + by }),
  chunk: (d, by) => ({ ...d, spans: d.spans + by }),
  range: (d, by) => ({ ...d, count: d.count + by }),
}
const turnsChanged = (d: Domain, by: number): Domain =>
  (domainChange[d.kind] as (d: Domain, by: number) => Domain)(d, by)

const another = (plan: Plan, counter: string): string => {
  const counters = plan.tallies.filter((t) => t.scope === 'counter').map((t) => t.name)
  return counters[(counters.indexOf(counter) + 1) % counters.length]!
}

/** An SM where tiles are counted, or another number of them. */
function signalledOtherwise(s: Extract<Step, { kind: 'signal' }>, at: Located): Made[] {
  const { of, ...forSm } = s
  if (of === undefined) return []
  return [
    { kind: 'for the SM', plan: replace(at, forSm) },
    ...(of === 'tile' ? [] : [{ kind: 'of one tile more', plan: replace(at, { ...s, of: of + 1 }) }]),
  ]
}

/** Waits for what the phase before the awaited one signals: done too early. */
function otherCounter(s: Extract<Step, { kind: 'wait' }>, at: Located): Made | undefined {
  const { phases } = at.segment
  const here = phases.indexOf(at.phase)
  const awaited = phases.slice(0, here).findLastIndex((p) => p.counter === s.counter)
  const before = phases[awaited - 1]
  if (!before || s.after === 0) return undefined
  const after = phases.slice(0, awaited).filter((p) => p.counter === before.counter).length
  return {
    kind: `on '${before.counter}' instead`,
    plan: replace(at, { ...s, counter: before.counter, after }),
    ...orderedAnyway(at),
  }
}

/** Runs that rounds and entries count from. */
function* tallyMutants(plan: Plan): Generator<Mutant> {
  for (const [i, tally] of plan.tallies.entries()) {
    for (const by of [-1, 1]) {
      const tallies = plan.tallies.map((t, k) => (k === i ? { ...t, perRound: t.perRound + by } : t))
      const kind = by > 0 ? 'one run too many' : 'one run too few'
      yield { kind, name: `a round of '${tally.name}': ${kind}`, plan: { ...plan, tallies } }
    }
    const last = plan.entries.length - 1
    const entries = plan.entries.map((e, k) =>
      k === last ? { ...e, runs: e.runs.map((n, t) => (t === i ? n + 1 : n)) } : e,
    )
    yield {
      kind: 'one run too many',
      name: `entry ${last}, '${tally.name}': one run too many`,
      plan: { ...plan, entries },
    }
  }
}
