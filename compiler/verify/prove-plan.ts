/**
 * prove-plan: refuses a plan that could hang, race, miscount or not fit. What it accepts cannot do so on any rank, SM and
 * role, whatever the data decides (docs/architecture.md).
 *
 * Three proofs: resources, then counts, then order. Order is only looked at when the counts agree, because its argument
 * rests on them (every page has one filler, every wait a signal). Findings that differ in SM, rank, warp or round only are
 * one finding.
 */
import type { Schedule } from '../../dsl/schedule-ir.ts'
import type { Session } from '../diagnostics/diagnostic.ts'
import type { Plan } from '../plan/ir.ts'
import { noteAt, type PlanFinding, placeName } from './findings.ts'
import type { Agent, Fault, Findings, Stage } from './machine.ts'
import type { Op, Source } from './program.ts'
import { proveCounts } from './prove-counts.ts'
import { type OrderResult, proveOrder, scenarios } from './prove-order.ts'
import { proveResources } from './prove-resources.ts'
import type { Touch } from './regions.ts'

export interface ProofOptions {
  readonly session: Session
  /** Where the author wrote roles and ring, for findings about them. */
  readonly schedule?: Schedule | undefined
  /** Order, which takes seconds where the others take none, is left to whoever proves the plan again: it counts as unproved. */
  readonly orderLater?: boolean | undefined
  /** Everything instead of representatives: for tests of the reduction, on small plans. */
  readonly whole?: boolean
  /** One site that behaves otherwise than written: for mutations. */
  readonly fault?: Fault
}

export interface Proof {
  readonly proved: boolean
  /** Of all scenarios together: operations executed, and times that somebody learnt from somebody else. */
  readonly events: number
  readonly joins: number
  /** Represented SMs and warps of the largest scenario. */
  readonly smClasses: number
  readonly agents: number
  /** Executions of phases. */
  readonly instances: number
  readonly milliseconds: number
}

export function provePlan(plan: Plan, options: ProofOptions): Proof {
  const started = performance.now()
  const { session } = options
  const before = session.diagnostics.length
  const report = (f: PlanFinding): void => session.report(f.code, f.message, f)
  proveResources(plan, options.schedule, report)
  proveCounts(plan, report)
  const total = { events: 0, joins: 0, smClasses: 0, agents: 0, instances: 0 }
  if (session.diagnostics.length === before && !options.orderLater) {
    for (const [scenario, order] of scenarios(plan).flatMap((s) => [[s, 'seen'] as const, [s, 'done'] as const])) {
      const findings = new Collected()
      const result = proveOrder(plan, scenario, order, findings, options)
      total.events += result.events
      total.joins += result.joins
      total.smClasses = Math.max(total.smClasses, result.classes)
      total.agents = Math.max(total.agents, result.agents)
      total.instances += result.instances
      const all = [...findings.list(), ...deadlock(plan, result)]
      for (const f of all) report(f)
      // One run's findings are enough to refuse; others would repeat them.
      if (all.length > 0) break
    }
  }
  const proved = session.diagnostics.length === before && !options.orderLater
  return { proved, ...total, milliseconds: performance.now() - started }
}

const MOST_FINDINGS = 8

/** Findings of a run, each pair of places once. */
class Collected implements Findings {
  readonly #found = new Map<string, PlanFinding>()
  #add(key: string, make: () => PlanFinding): void {
    if (!this.#found.has(key) && this.#found.size < MOST_FINDINGS) this.#found.set(key, make())
  }
  list(): PlanFinding[] {
    return [...this.#found.values()]
  }
  race(region: string, earlier: Touch, later: Touch): void {
    this.#add(`race ${region} ${earlier.source.text} ${later.source.text}`, () => ({
      code: 'TILE2102',
      subject: placeName(later.source),
      message: `${act(later)} '${region}' while ${act(earlier)} it: nothing orders the two`,
      span: later.source.phase.span,
      notes: [
        noteAt(later.source, `${who(later.actor)}: ${later.source.text}`),
        noteAt(earlier.source, `${who(earlier.actor)}: ${earlier.source.text}`),
      ],
      help: `let ${placeName(later.source)} wait for what ${placeName(earlier.source)} signals when it is done`,
    }))
  }
  mismatch(message: string, at: Source, other: Source | undefined, agent: Agent): void {
    this.#add(`mismatch ${message} ${at.text} ${other?.text}`, () => ({
      code: 'TILE2106',
      subject: placeName(at),
      message: `${at.text} ${message}`,
      span: at.phase.span,
      notes: [noteAt(at, who(agent)), ...(other ? [noteAt(other, `it comes from ${other.text}`)] : [])],
      help: 'producer and consumer must count the same turns',
    }))
  }
  alias(counter: string, at: Source, agent: Agent): void {
    this.#add(`alias ${counter} ${at.text}`, () => ({
      code: 'TILE2107',
      subject: placeName(at),
      message: `an SM can signal counter '${counter}' again before every SM has signalled it: its sum would stand for SMs that are not done`,
      span: at.phase.span,
      notes: [noteAt(at, `${who(agent)}: ${at.text}`)],
      help: `let '${at.phase.name}' wait for something that implies that its last execution is done on every SM`,
    }))
  }
  parity(what: string, at: Source, agent: Agent): void {
    this.#add(`parity ${what} ${at.text}`, () => ({
      code: 'TILE2108',
      subject: placeName(at),
      message: `${at.text} can wait for ${what} two uses ahead: it has not heard of the use before, and takes an older one for its own`,
      span: at.phase.span,
      notes: [noteAt(at, `${who(agent)}: ${at.text}`)],
      help: 'let the warps of the role meet between phases, and the depth of the join be a multiple of them',
    }))
  }
}

const act = (t: Touch): string => `${placeName(t.source)} ${t.write ? 'writes' : 'reads'}`
const who = (a: Agent): string => `rank ${a.rank}, SM ${a.sm.sm}, ${a.name}`

/** Every role that is stuck, and whom it waits for. */
function deadlock(plan: Plan, result: OrderResult): PlanFinding[] {
  const stuck = new Map<string, (typeof result.blocked)[number]>()
  // Who waits for the next round is stuck because of somebody else.
  const working = result.blocked.filter((b) => b.op.kind !== 'enter' && b.op.kind !== 'relay')
  for (const b of working.length > 0 ? working : result.blocked) {
    const key = b.op.source.text
    if (!stuck.has(key)) stuck.set(key, b)
  }
  if (stuck.size === 0) return []
  const all = [...stuck.values()].sort((a, b) => a.stage.execution - b.stage.execution)
  const [first] = all
  return [
    {
      code: 'TILE2101',
      subject: placeName(first!.op.source),
      message: `no role can go on: ${all.length === 1 ? 'one step waits' : `${all.length} steps wait`} for what never comes`,
      span: first!.op.source.phase.span,
      notes: all
        .slice(0, MOST_FINDINGS)
        .map((b) => noteAt(b.op.source, `${who(b.agent)}, ${b.op.source.text}: ${awaited(plan, b.op, b.stage)}`)),
      help: 'follow the waits: each names who should have let it go on',
    },
  ]
}

type AwaitRules = { readonly [K in Op['kind']]?: (op: Extract<Op, { kind: K }>, stage: Stage, plan: Plan) => string }
const awaits: AwaitRules = {
  wait: (op, stage, plan) => {
    const who = plan.segments.flatMap((s) =>
      s.phases.filter((p) => p.counter === op.counter).map((p) => `${s.name}.${p.name}/${p.signals}`),
    )
    return `waits for execution ${stage.runs.get(op.counter)! + op.after} of '${op.counter}', which ${who.join(' or ')} signals`
  },
  waitLocal: (op) => `waits for '${op.local}' of its own SM`,
  acquire: (op) => `waits for a free place in the ${op.channel}, which its consumer releases`,
  await: (op) => `waits for the ${op.channel}, which its producer commits`,
  receive: ({ what }) =>
    what === 'sums' ? 'waits for sums, which the ranks that own tiles send' : 'waits for packets that every rank sends',
  barrier: () => 'waits for the other warps of its role',
}

function awaited(plan: Plan, op: Op, stage: Stage): string {
  const rule = awaits[op.kind] as ((op: Op, stage: Stage, plan: Plan) => string) | undefined
  return rule?.(op, stage, plan) ?? 'waits for the control of the round, which rank 0 publishes after sampling'
}
