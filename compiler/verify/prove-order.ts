/**
 * prove-order: no deadlock, no race, no miscount, over every rank, SM and role.
 *
 * How: for a few valuations of the data, unroll a few rounds of short walks through the plan's entries (walk.ts) on
 * representatives of the ranks, SMs and warps (shares.ts, machine.ts), and run them (run.ts).
 *
 * Twice: a write that is to be read (or written over) must have become visible, for which packets are no help, because
 * they travel without fences. A read that is to be written over must only be over, and packets tell that: their sender
 * had done what it did before. So one run takes no order from packets and looks at earlier writes, the other takes it and
 * looks at earlier reads. Visibility never crosses ranks, so that two ranks are enough for the first run.
 */
import type { PhasePlan, Plan, RoleName, Step } from '../plan/ir.ts'
import { roleNames } from '../plan/ir.ts'
import { cacheOf } from '../plan/place-caches.ts'
import { isCache } from '../tile/forms.ts'
import { Global, Note } from './clocks.ts'
import { Agent, type Fault, type Findings, Sm, type Stage } from './machine.ts'
import { type Op, roundProgram, type Source, type Traffic, warpProgram } from './program.ts'
import { talliesOf } from './prove-counts.ts'
import { hopOf, Run, signalsOf } from './run.ts'
import { type Representative, representatives, type Valuation } from './shares.ts'
import { passEntries, passesOf, shortWalk } from './walk.ts'

export interface OrderOptions {
  /** Everything as it is, instead of representatives: all ranks, SMs, warps, turns and entries. For small plans. */
  readonly whole?: boolean
  readonly fault?: Fault
}

export interface OrderResult {
  readonly events: number
  readonly joins: number
  readonly agents: number
  readonly classes: number
  readonly instances: number
  readonly blocked: readonly { readonly agent: Agent; readonly op: Op; readonly stage: Stage }[]
}

/** What the data decides, for an entry in a round. */
export type Scenario = (round: number, entry: number) => Valuation

/** Most work, and a mixture of least, some and most in which no two neighbours are alike. */
export function scenarios(plan: Plan): readonly Scenario[] {
  const { maxActive } = plan.route
  const least = { active: 1, spans: 1e-9 }
  const most = { active: maxActive, spans: 1 }
  const half = { active: Math.ceil(maxActive / 3), spans: 0.4 }
  return [() => most, (round, entry) => [least, half, most][(round * 2 + entry) % 3]!]
}

export function proveOrder(
  plan: Plan,
  scenario: Scenario,
  order: 'seen' | 'done',
  findings: Findings,
  options: OrderOptions,
): OrderResult {
  const whole = options.whole === true
  const depth = Math.max(plan.ring.depth, plan.join.depth)
  const most = whole ? Number.POSITIVE_INFINITY : depth + 2
  const passes = passesOf(plan)
  const walks = passes.map((pass, i) =>
    whole ? passEntries(plan, pass) : shortWalk(plan, pass, passes.findIndex((p) => p.join() === pass.join()) === i),
  )
  const valuations = distinct(walks.flatMap((walk, r) => walk.map((e) => scenario(r, e))))
  const sms: Representative[] = whole
    ? Array.from({ length: plan.sms }, (_, sm) => ({ sm, like: sm }))
    : representatives(plan, valuations, most, 2)
  const ranks = Array.from({ length: whole ? plan.ranks : Math.min(order === 'seen' ? 2 : 3, plan.ranks) }, (_, r) => r)
  const warps = (role: RoleName): number => {
    const all = plan.roles.find((r) => r.name === role)!.warps
    return whole ? all : Math.min(2, all)
  }
  const { machines, nothing, size } = build(plan, order, ranks, sms, warps)
  const counts: Counts = { senders: new Map(), receivers: new Map(), signals: new Map() }
  const like = new Map(sms.map((r) => [r.sm, r.like]))
  const stages = unroll(plan, { walks, like, scenario, valuations, most, warps, counts })
  const programs = new Map(machines.flatMap((m) => m.agents).map((a) => [a, stages(a)]))
  const warpsOfRank = machines.filter((m) => m.rank === 0).reduce((n, m) => n + m.agents.length, 0)
  const run = new Run(
    { agents: size, warpsOfRank, sms: sms.length, ranks, order, ...counts },
    homes(plan),
    findings,
    new Map(options.fault ? [[options.fault.site, options.fault.kind]] : []),
    nothing,
  )
  run.execute(machines, (a) => programs.get(a)!)
  const blocked = machines
    .flatMap((m) => m.agents)
    .filter((a) => a.stage < programs.get(a)!.length)
    .map((agent) => {
      const stage = programs.get(agent)![agent.stage]!
      return { agent, op: stage.ops[agent.op]!, stage }
    })
  const instances = walks.flat().reduce((n, e) => n + plan.segments[plan.entries[e]!.segment]!.phases.length, 0)
  return { events: run.events, joins: run.joins, agents: size, classes: sms.length, instances, blocked }
}

/** A named cache is what its name is at an entry, and another one is of its entry; every other buffer is itself. */
function homes(plan: Plan): (name: string, entry: number) => string {
  const caches = plan.buffers.filter((b) => isCache(b.form))
  const at = new Map(caches.map((b) => [b.name, plan.entries.map((entry, i) => cacheOf(b, entry, i))]))
  return (name, entry) => at.get(name)?.[entry] ?? name
}

const distinct = (valuations: readonly Valuation[]): Valuation[] => [
  ...new Map(valuations.map((v) => [`${v.active} ${v.spans}`, v])).values(),
]

/** The SMs that are run, with their agents: warps by role, and a copy engine for pages and one for rows. */
function build(
  plan: Plan,
  order: 'seen' | 'done',
  ranks: readonly number[],
  sms: readonly Representative[],
  warps: (role: RoleName) => number,
): { machines: Sm[]; nothing: Global; size: number } {
  const perSm = roleNames.reduce((n, r) => n + warps(r), 0) + 2
  const size = ranks.length * sms.length * perSm
  const nothing = new Global(new Int32Array(size))
  const fresh = (): Note => new Note(nothing, perSm)
  const machines = ranks.flatMap((rank, r) =>
    sms.map(({ sm }, s) => {
      const machine = new Sm({ rank, sm }, (r * sms.length + s) * perSm, plan, order, warps, fresh)
      let index = 0
      for (const role of roleNames) {
        for (let w = 0; w < warps(role); w++) machine.agents.push(new Agent(machine, role, w, index++, nothing, perSm))
      }
      machine.engine = new Agent(machine, 'copy', 0, index, nothing, perSm)
      machine.rowsEngine = new Agent(machine, 'copy', 1, index + 1, nothing, perSm)
      return machine
    }),
  )
  return { machines, nothing, size }
}

interface Unrolling {
  /** Entries of each round. */
  readonly walks: readonly (readonly number[])[]
  /** The SM whose program an SM runs. */
  readonly like: ReadonlyMap<number, number>
  readonly scenario: Scenario
  readonly valuations: readonly Valuation[]
  readonly most: number
  readonly warps: (role: RoleName) => number
  readonly counts: Counts
}

type Counts = { readonly [K in 'senders' | 'receivers' | 'signals']: Map<string, number> }

/** The stages of an agent. Programs are shared between the entries, rounds and ranks for which they are equal. */
function unroll(plan: Plan, u: Unrolling): (agent: Agent) => Stage[] {
  const shared = new Map<string, Map<PhasePlan, Op[]>[]>()
  const sources = new Map<Step, Source>()
  const runs = countRuns(plan, u)
  const valuationAt = u.walks.map((walk, r) =>
    walk.map((e) => u.valuations.findIndex((v) => sameValuation(v, u.scenario(r, e)))),
  )
  return (agent) => {
    const { rank } = agent.sm
    const sm = u.like.get(agent.sm.sm)!
    const role = agent.role as RoleName
    const view = { plan, sm, rank, role, warp: agent.warp, warps: u.warps(role), most: u.most }
    // Ranks but the first are alike, unless it matters which tiles they own.
    const key = `${Number.isFinite(u.most) ? rank === 0 : rank} ${sm} ${role} ${agent.warp}`
    const programs = shared.get(key) ?? u.valuations.map(() => new Map<PhasePlan, Op[]>())
    shared.set(key, programs)
    const stages: Stage[] = []
    let execution = 0
    let entry = 0
    u.walks.forEach((walk, r) => {
      const round = r + 1
      const ops = roundProgram(plan.segments[0]!.phases[0]!, { ...view, valuation: u.valuations[0]! }, round)
      stages.push({ ops, round, entry: 0, execution: 0, runs: runs[0]! })
      walk.forEach((e, at) => {
        const segment = plan.segments[plan.entries[e]!.segment]!
        const v = valuationAt[r]![at]!
        for (const phase of segment.phases) {
          execution++
          if (phase.roles[role].length === 0) continue
          const all =
            programs[v]!.get(phase) ??
            warpProgram(segment.name, phase, sources, { ...view, valuation: u.valuations[v]! })
          programs[v]!.set(phase, all)
          // Only the last program of a pass says what comes next.
          const concludes = plan.entries[e]!.program === plan.entries[walk.at(-1)!]!.program
          const ops = concludes ? all : all.filter((o) => o.kind !== 'publish')
          count(ops, execution, rank, u.counts)
          if (ops.length > 0) stages.push({ ops, round, entry: e, execution, runs: runs[entry]! })
        }
        entry++
      })
    })
    return stages
  }
}

/** Who has received a sum has heard of all parts of it; an owner that has added them has not heard of those of other tiles. */
const hears = (o: Extract<Op, { kind: 'receive' }>, what: Traffic): boolean =>
  !o.toOwner && (o.what === what || (o.what === 'sums' && what === 'exchange'))
const traffics: readonly Traffic[] = ['exchange', 'sums', 'logits']
const sameValuation = (a: Valuation, b: Valuation): boolean => a.active === b.active && a.spans === b.spans

function count(ops: readonly Op[], execution: number, rank: number, counts: Counts): void {
  const add = (to: Map<string, number>, key: string): void => void to.set(key, (to.get(key) ?? 0) + 1)
  for (const what of traffics) {
    const key = hopOf(execution, what)
    if (ops.some((o) => o.kind === 'send' && o.what === what)) add(counts.senders, key)
    if (rank === 0 && ops.some((o) => o.kind === 'receive' && hears(o, what))) add(counts.receivers, key)
  }
  if (rank > 0) return
  for (const o of ops) if (o.kind === 'signal') add(counts.signals, signalsOf(execution, o.counter))
}

/** Executions of every tally before each entry of the unrolled walk. */
function countRuns(plan: Plan, u: Unrolling): Map<string, number>[] {
  const before: Map<string, number>[] = []
  const now = new Map(plan.tallies.map((t) => [t.name, 0]))
  const add = (name: string, n: number): void => void now.set(name, (now.get(name) ?? 0) + n)
  for (const e of u.walks.flat()) {
    before.push(new Map(now))
    for (const phase of plan.segments[plan.entries[e]!.segment]!.phases) {
      for (const name of talliesOf(phase)) add(name, 1)
    }
  }
  return before
}
