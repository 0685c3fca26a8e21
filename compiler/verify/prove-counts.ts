/**
 * prove-counts: what can be counted without running anything.
 *
 * Checked for every phase: the counter is signalled once by each SM, or grows by as many tiles as there are, and by nobody else; a wait asks for no execution that
 * comes later in the program; producer and consumer of a channel take equally many turns of the same loops, one use each;
 * an exchange is sent and received under the same epoch, all tiles of it, in two shots by way of one owner for each; near attention deals out as many tasks as there are; the
 * runs that entries start from are the executions before them.
 * Loops of a share count the same on one SM exactly if their domains are equal, so domains are compared, not numbers.
 */
import type { ChannelName, Domain, PhasePlan, Plan, RoleName, SegmentPlan, Step } from '../plan/ir.ts'
import { countersOf, dealsTurns, localsOf, productIn, roleNames } from '../plan/ir.ts'
import { nearTasks } from '../tile/near-attention.ts'
import { noteAt, type Place, type PlanFinding, placeName } from './findings.ts'
import { proveExchange } from './prove-exchange.ts'
import { proveRows } from './prove-rows.ts'
import { type Found, stepsOf } from './steps-of.ts'
import { passesOf } from './walk.ts'

type Report = (finding: PlanFinding) => void

export function proveCounts(plan: Plan, report: Report): void {
  const awaited = new Set<string>()
  for (const { step } of allSteps(plan)) if (step.kind === 'wait') awaited.add(step.counter)
  for (const segment of plan.segments) {
    let exchanges = 0
    for (const [index, phase] of segment.phases.entries()) {
      if (exchangesIn(phase)) exchanges++
      signals(plan, segment, phase, awaited, report)
      waits(segment, index, report)
      for (const c of channels) channel(segment, phase, c, report)
      if (exchangesIn(phase)) proveExchange({ segment: segment.name, phase }, exchanges, plan.ranks, report)
      stores(segment, phase, report)
      proveRows(segment, index, report)
      tasks(segment, phase, report)
    }
    locals(plan, segment, report)
  }
  foreign(plan, report)
  runs(plan, report)
}

/**
 * A tally grows in the rounds of one program, and a wait counts those: only a program that runs in each of the waiter's
 * rounds, before it, may be waited for.
 */
function foreign(plan: Plan, report: Report): void {
  const owners = new Map<string, Set<number>>()
  const programsOf = (segment: SegmentPlan): number[] => [
    ...new Set(plan.entries.filter((e) => plan.segments[e.segment] === segment).map((e) => e.program)),
  ]
  for (const segment of plan.segments) {
    for (const phase of segment.phases) {
      for (const name of [...countersOf(phase), ...localsOf(phase)]) {
        owners.set(name, new Set([...(owners.get(name) ?? []), ...programsOf(segment)]))
      }
    }
  }
  const passes = passesOf(plan)
  const runsWith = (owner: number, waiter: number): boolean =>
    owner <= waiter && passes.every((p) => !p.includes(waiter) || p.includes(owner))
  const named = (programs: readonly number[]): string => programs.map((p) => `'${plan.programs[p]}'`).join(', ')
  for (const [name, of] of owners) {
    if (of.size < 2) continue
    report({
      code: 'TILE2104',
      subject: name,
      message: `'${name}' grows in the rounds of ${named([...of])}, so nobody can tell how often it has grown`,
      notes: [],
      help: 'this is a bug of tilec: every counter belongs to one program',
    })
  }
  for (const segment of plan.segments) {
    const waiters = programsOf(segment)
    for (const phase of segment.phases) {
      for (const { step, role } of stepsOf(phase)) {
        const name = step.kind === 'wait' ? step.counter : step.kind === 'waitLocal' ? step.local : undefined
        const strangers = [...(owners.get(name ?? '') ?? [])].filter((o) => !waiters.every((w) => runsWith(o, w)))
        if (strangers.length === 0) continue
        const place: Place = { segment: segment.name, phase, role }
        report({
          code: 'TILE2104',
          subject: placeName(place),
          message: `${named(waiters)} waits for '${name}', which grows in rounds of ${named(strangers)}`,
          span: phase.span,
          notes: [noteAt(place, `not every round of ${named(waiters)} runs ${named(strangers)} before`)],
          help: 'this is a bug of tilec: what programs of different rounds hand to each other is ordered by the rounds',
        })
      }
    }
  }
}

function* allSteps(plan: Plan): Generator<Found> {
  for (const s of plan.segments) for (const p of s.phases) yield* stepsOf(p)
}

export const exchangesIn = (phase: PhasePlan): boolean =>
  productIn(Object.values(phase.roles).flat())?.exchange !== undefined
export const routesIn = (phase: PhasePlan): boolean => phase.roles.compute.some((s) => s.kind === 'route')

function signals(
  plan: Plan,
  segment: SegmentPlan,
  phase: PhasePlan,
  awaited: ReadonlySet<string>,
  report: Report,
): void {
  const place: Place = { segment: segment.name, phase, role: phase.signals }
  const found = [...stepsOf(phase)].flatMap((f) => (f.step.kind === 'signal' ? [{ ...f, step: f.step }] : []))
  // What nobody waits for may be signalled or not.
  const expected = awaited.has(phase.counter) ? 1 : Math.min(1, found.length)
  // One that hands over by halves signals the early counter in the first turn and its own in the second.
  const once = (f: Found): boolean => (phase.early === undefined ? f.loops === 0 : f.byHalves)
  const right = found.filter(
    (f) =>
      f.role === phase.signals &&
      (f.step.of === 'tile' || once(f)) &&
      f.step.counter === phase.counter &&
      f.step.early === phase.early,
  )
  if (right.length === expected && found.length === expected) {
    for (const f of right) growth(plan, place, f, f.step, report)
    return
  }
  const others = found.filter((f) => !right.includes(f)).map((f) => `${f.role} signals '${f.step.counter}'`)
  report({
    code: 'TILE2103',
    subject: placeName(place),
    message: `an SM signals counter '${phase.counter}' ${right.length} times in one execution of '${phase.name}', its waiters count on ${expected}`,
    span: phase.span,
    notes: others.map((o) => noteAt(place, `besides, ${o}${found.some((f) => f.loops > 0) ? ', inside a loop' : ''}`)),
    help: `let ${phase.signals} signal '${phase.counter}' exactly once, as its last step`,
  })
}

/** A counter of tiles grows in each execution by as many as waits count on: one by each warp that takes a turn of the loop around, or all of them at once. */
function growth(plan: Plan, place: Place, f: Found, step: Extract<Step, { kind: 'signal' }>, report: Report): void {
  const expected = plan.tallies.find((t) => t.name === step.counter)?.tiles
  const grows = step.of === 'tile' ? turnsOfAll(plan, f) : step.of
  if (grows === expected) return
  const named = (n: number | undefined): string => (n === undefined ? 'one for each SM' : `${n}`)
  report({
    code: 'TILE2103',
    subject: placeName(place),
    message: `an execution of '${place.phase.name}' grows counter '${step.counter}' by ${named(grows)}, its waiters count on ${named(expected)}`,
    span: place.phase.span,
    notes: [],
    help: 'phases that share a counter grow it by the same number, tile by tile or a share at once',
  })
}
/** Turns of the loop around a step over all SMs, once for each warp that takes them. */
function turnsOfAll(plan: Plan, { loop, loops, role }: Found): number {
  if (loops !== 1 || loop?.domain.kind !== 'share') return Number.NaN
  const { warps } = plan.roles.find((r) => r.name === role)!
  return loop.domain.count * (dealsTurns(loop) ? 1 : warps)
}

function waits(segment: SegmentPlan, index: number, report: Report): void {
  const phase = segment.phases[index]!
  const before = (counter: string): number => segment.phases.slice(0, index).filter((p) => p.counter === counter).length
  for (const { step, role } of stepsOf(phase)) {
    if (step.kind !== 'wait') continue
    // Who signals the phase's own counter may wait for the other SMs: that it does so first, the order tells.
    const own = role === phase.signals && step.counter === phase.counter ? 1 : 0
    if (step.after <= before(step.counter) + own) continue
    const place: Place = { segment: segment.name, phase, role }
    report({
      code: 'TILE2104',
      subject: placeName(place),
      message: `waits for execution ${step.after} of counter '${step.counter}' in its entry, but only ${before(step.counter)} come before it`,
      span: phase.span,
      notes: segment.phases
        .filter((p) => p.counter === step.counter)
        .map((p) => noteAt({ ...place, phase: p }, `'${p.name}' signals it`)),
      help: 'a wait may only ask for what an earlier phase of the same order signals',
    })
  }
}

const channels: readonly { name: ChannelName; producer: RoleName; consumer: RoleName; fills: Step['kind'] }[] = [
  { name: 'ring', producer: 'load', consumer: 'compute', fills: 'commit' },
  { name: 'join', producer: 'compute', consumer: 'epilogue', fills: 'commit' },
  { name: 'slots', producer: 'compute', consumer: 'epilogue', fills: 'commit' },
]
const opens: Partial<Record<Step['kind'], string>> = { acquire: 'use', await: 'use' }
const closes: Partial<Record<Step['kind'], string>> = { commit: 'done', release: 'done' }

/** The loops around a channel's steps, and the order of the steps in them. */
function outline(steps: readonly Step[], name: ChannelName): string {
  return steps
    .map((s) => {
      if (s.kind === 'loop') {
        const inner = outline(s.body, name)
        return inner === '' ? '' : `${printDomain(s.domain)} { ${inner} }`
      }
      return 'channel' in s && s.channel === name ? (opens[s.kind] ?? closes[s.kind] ?? '') : ''
    })
    .filter((t) => t !== '')
    .join(' ')
}
const printDomain = (d: Domain): string => `each ${Object.values(d).join(' ')}`

function channel(segment: SegmentPlan, phase: PhasePlan, c: (typeof channels)[number], report: Report): void {
  const produced = outline(phase.roles[c.producer], c.name)
  const consumed = outline(phase.roles[c.consumer], c.name)
  const strangers = roleNames.filter(
    (r) => r !== c.producer && r !== c.consumer && outline(phase.roles[r], c.name) !== '',
  )
  const balanced = /^(?:use done|each [^{]*\{ | \}|\s)*$/.test(produced)
  if (produced === consumed && balanced && strangers.length === 0) return
  const place: Place = { segment: segment.name, phase, role: c.producer }
  report({
    code: 'TILE2105',
    subject: placeName(place),
    message: `${c.producer} and ${c.consumer} do not agree on the uses of the ${c.name}: ${produced || 'none'} against ${consumed || 'none'}`,
    span: phase.span,
    notes: [
      noteAt(place, `${c.producer} acquires and commits: ${produced || 'nothing'}`),
      noteAt({ ...place, role: c.consumer }, `${c.consumer} awaits and releases: ${consumed || 'nothing'}`),
      ...strangers.map((r) => noteAt({ ...place, role: r }, `${r} has no business with the ${c.name}`)),
    ],
    help: 'every page that is committed must be awaited and released once, in loops over the same domain',
  })
}

/** Every result of a product is written by one of its roles. */
function stores(segment: SegmentPlan, phase: PhasePlan, report: Report): void {
  const product = productIn(Object.values(phase.roles).flat())
  const written = new Set(
    [...stepsOf(phase)].flatMap(({ step }) => ('writes' in step ? (step.writes ?? []) : [])).map((w) => w.region),
  )
  const wanted =
    product?.sections.flatMap((s) => s.elements.flatMap((e) => (e.kind === 'store' ? [e.buffer] : []))) ?? []
  const missing = [...new Set(wanted)].filter((b) => !written.has(b))
  if (missing.length === 0) return
  const place: Place = { segment: segment.name, phase, role: phase.signals }
  report({
    code: 'TILE2106',
    subject: placeName(place),
    message: `the results ${missing.map((m) => `'${m}'`).join(', ')} of '${phase.name}' are computed and stored by nobody`,
    span: phase.span,
    notes: [noteAt(place, 'who finishes the sums, or receives them, must store them')],
    help: 'finish every tile: with several ranks, where its packets are received',
  })
}

/** No other role counts the tasks of near attention. */
function tasks(segment: SegmentPlan, phase: PhasePlan, report: Report): void {
  for (const { step, role } of stepsOf(phase)) {
    const near = step.kind === 'loop' && step.body.find((s) => s.kind === 'attendNear')?.near
    if (!near) continue
    const { domain } = step
    const [taken, there] = [domain.kind === 'share' ? domain.count : 0, nearTasks(near)]
    if (taken === there) continue
    report({
      code: 'TILE2106',
      subject: placeName({ segment: segment.name, phase, role }),
      message: `${taken} tasks of attention are dealt out over the SMs, there are ${there}`,
      span: phase.span,
      notes: [],
      help: 'every m tile of every KV head is attended to once for each part of the value dims',
    })
  }
}

/** A local is signalled once where its count goes on, and waited for within what has been counted. */
function locals(plan: Plan, segment: SegmentPlan, report: Report): void {
  const seen = new Map<string, number>()
  for (const phase of segment.phases) {
    const place: Place = { segment: segment.name, phase, role: 'compute' }
    const bad = (message: string, help: string): void =>
      report({ code: 'TILE2103', subject: placeName(place), message, span: phase.span, notes: [], help })
    const signalled = localsOf(phase)
    if (routesIn(phase) && signalled.filter((l) => l === 'route').length !== 1) {
      bad(
        `the routing step signals its table ${signalled.filter((l) => l === 'route').length} times instead of once`,
        "signal local 'route' once, after the routing step",
      )
    }
    for (const { step, role, loops, byHalves } of stepsOf(phase)) {
      if (step.kind === 'signalLocal' && !(step.early === undefined ? loops === 0 : byHalves)) {
        bad(
          `${role} signals '${step.local}' in a loop, so nobody can tell how often`,
          'signal a local once in an execution, or one for either half',
        )
      }
      if (step.kind !== 'waitLocal') continue
      // Roles of a phase run side by side: one may wait for what another signals.
      const there = (seen.get(step.local) ?? 0) + (signalled.includes(step.local) ? 1 : 0)
      if (step.after <= there) continue
      bad(
        `waits for signal ${step.after} of '${step.local}' in its entry, but only ${there} come before it`,
        'a role may only wait for what an earlier phase, or another role of its own, signals',
      )
    }
    for (const local of signalled) {
      seen.set(local, (seen.get(local) ?? 0) + 1)
      if (!plan.tallies.some((t) => t.name === local && t.scope === 'local')) {
        bad(`signals '${local}', which is no local counter of the plan`, 'list the local among the tallies')
      }
    }
  }
}

/** Names of the tallies that grow with one execution of a phase. */
export const talliesOf = (phase: PhasePlan): string[] => [
  ...countersOf(phase),
  ...localsOf(phase),
  ...(exchangesIn(phase) ? ['exchange'] : []),
]

function runs(plan: Plan, report: Report): void {
  const now = new Map(plan.tallies.map((t) => [t.name, 0]))
  const wrong = (message: string): void =>
    report({
      code: 'TILE2103',
      subject: plan.name,
      message,
      notes: [],
      help: 'this is a bug of tilec: the table of runs is derived',
    })
  for (const [i, entry] of plan.entries.entries()) {
    const segment = plan.segments[entry.segment]!
    plan.tallies.forEach((t, k) => {
      if (entry.runs[k] === now.get(t.name)) return
      wrong(
        `entry ${i} (${entry.layer ?? segment.name}) begins with ${entry.runs[k]} runs of '${t.name}', after ${now.get(t.name)}`,
      )
    })
    for (const phase of segment.phases) {
      for (const name of talliesOf(phase)) now.set(name, (now.get(name) ?? 0) + 1)
    }
  }
  for (const t of plan.tallies) {
    if (now.get(t.name) !== t.perRound) {
      wrong(`a round counts ${t.perRound} runs of '${t.name}', its entries make ${now.get(t.name)}`)
    }
  }
}
