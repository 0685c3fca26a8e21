/**
 * Run: executes the operations of all agents until nobody can go on.
 *
 * Each operation is one entry of the table: it returns false when it has to wait, having changed nothing, and is tried
 * again later. Vocabulary and the argument why this proves anything: machine.ts, objects.ts, regions.ts.
 */
import { InternalError } from '../diagnostics/diagnostic.ts'
import type { ChannelName } from '../plan/ir.ts'
import type { Global, Note } from './clocks.ts'
import type { Agent, Fault, Findings, Local, Sm, Stage } from './machine.ts'
import { Counter, Exchange, Execution, type Page } from './objects.ts'
import type { Op, Source, Traffic } from './program.ts'
import { type OnRace, Region } from './regions.ts'

export interface Sizes {
  /** Agents of all SMs together, and program agents of a rank. */
  readonly agents: number
  readonly warpsOfRank: number
  /** SMs run for each rank. */
  readonly sms: number
  readonly ranks: readonly number[]
  /** Warps that send, over all ranks, and that receive, on one rank, by what hopOf says. */
  readonly senders: ReadonlyMap<string, number>
  readonly receivers: ReadonlyMap<string, number>
  /** Signals of a counter on one rank, by what signalsOf says. */
  readonly signals: ReadonlyMap<string, number>
  /**
   * What counts as order. `seen`: only what makes writes visible (counters, channels, barriers). `done`: packets too; they
   * come after what their sender did, but without a fence they make nothing else visible.
   */
  readonly order: 'seen' | 'done'
}

/** The group of what each warp has for itself, in whatever phase: no execution's. */
const ofWarps = -1

/** What packets bring in one execution of a phase. */
export const hopOf = (execution: number, what: Traffic): string => `${what} ${execution}`
/** A counter in one execution of a phase. */
export const signalsOf = (execution: number, counter: string): string => `${counter} ${execution}`

type Rules = { [K in Op['kind']]: (op: Extract<Op, { kind: K }>, agent: Agent, stage: Stage, run: Run) => boolean }

interface OfRank {
  readonly counters: Map<string, Counter>
  /** By what `home` says. */
  readonly regions: Map<string, Region>
}

interface OnTheWay {
  readonly exchange: Exchange
  readonly epoch: number
  /** The half of the inbox. */
  readonly half: string
  /** Of sums: what they were made of. */
  readonly parts?: Exchange
}

export class Run {
  readonly #ranks: OfRank[] = []
  readonly #exchanges = new Map<string, Exchange>()
  readonly #anywhere = new Map<Source, Source>()
  readonly #rounds = new Map<string, Execution>()
  readonly #race: OnRace = (region, earlier, later) => this.findings.race(region, earlier, later)
  events = 0
  joins = 0
  constructor(
    readonly sizes: Sizes,
    /** The memory that a buffer is at an entry: the same for two that are one cache. */
    readonly home: (name: string, entry: number) => string,
    readonly findings: Findings,
    readonly faults: ReadonlyMap<number, Fault['kind']>,
    readonly nothing: Global,
  ) {}

  /** Runs every agent as far as it gets. */
  execute(sms: readonly Sm[], stages: (agent: Agent) => readonly Stage[]): void {
    const programs = new Map(sms.flatMap((sm) => sm.agents).map((a) => [a, stages(a)]))
    for (let moved = true; moved; ) {
      moved = false
      for (const sm of sms) {
        for (let again = true; again; ) {
          again = false
          for (const agent of sm.agents) if (this.#advance(agent, programs.get(agent)!)) again = true
          moved ||= again
        }
      }
    }
  }

  #advance(agent: Agent, stages: readonly Stage[]): boolean {
    let moved = false
    for (; agent.stage < stages.length; agent.stage++, agent.op = 0) {
      const stage = stages[agent.stage]!
      for (; agent.op < stage.ops.length; agent.op++) {
        const op = stage.ops[agent.op]!
        const rule = rules[op.kind] as (op: Op, agent: Agent, stage: Stage, run: Run) => boolean
        if (!rule(op, agent, stage, this)) return moved
        this.events++
        moved = true
      }
    }
    return moved
  }

  counter(rank: number, name: string): Counter {
    const make = (): Counter => new Counter(this.sizes.agents)
    return found(this.#of(rank).counters, name, make)
  }
  region(rank: number, name: string, entry: number): Region {
    const make = (): Region => new Region(name, this.sizes.order === 'seen' ? 'writes' : 'reads')
    return found(this.#of(rank).regions, this.home(name, entry), make)
  }
  /** Memory that packets are sent to. */
  inbox(rank: number, name: string): Region {
    const make = (): Region => new Region(name, this.sizes.order === 'seen' ? 'none' : 'all')
    return found(this.#of(rank).regions, name, make)
  }
  #of(rank: number): OfRank {
    this.#ranks[rank] ??= { counters: new Map(), regions: new Map() }
    return this.#ranks[rank]
  }
  exchange({ what, after }: Op & { kind: 'send' | 'receive' }, stage: Stage): OnTheWay {
    const epoch = what === 'logits' ? stage.round : stage.runs.get('exchange')! + after
    const { agents, senders, receivers } = this.sizes
    const of = (what: Traffic): Exchange => {
      const count = (of: ReadonlyMap<string, number>): number => of.get(hopOf(stage.execution, what)) ?? 0
      return found(this.#exchanges, `${what} ${epoch}`, () => new Exchange(count(senders), count(receivers), agents))
    }
    const half = `${what} inbox ${epoch & 1}`
    return { exchange: of(what), epoch, half, ...(what === 'sums' && { parts: of('exchange') }) }
  }
  /** Signals of the round's control, on a rank. */
  control(what: 'published' | 'relayed' | 'left', rank: number, round: number): Execution {
    return found(this.#rounds, `${what} ${rank} ${round}`, () => new Execution(this.sizes.agents))
  }
  /** Accesses of one group never meet: packets carry their epoch, within which sender and receiver agree by themselves. */
  apart(region: Region, agent: Agent, op: Op, write: boolean, group: number): void {
    const source = found(this.#anywhere, op.source, () => ({ ...op.source, step: undefined }))
    region.access(agent, source, write, true, group, this.#race)
  }
  touch(region: Region, agent: Agent, op: Op, write: boolean, own: boolean, execution: number): void {
    region.access(agent, op.source, write, own, execution, this.#race)
  }
}

function found<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const value = make()
  map.set(key, value)
  return value
}

/** A page of another execution than the agent's: producer and consumer count differently. */
function expectOwn(page: Page, op: Op, agent: Agent, stage: Stage, run: Run, channel: ChannelName): void {
  if (page.filledBy && page.execution !== stage.execution) {
    run.findings.mismatch(
      `gets a page of the ${channel} that was filled for another phase`,
      op.source,
      page.filledBy,
      agent,
    )
  }
}

/** mbarriers tell uses apart by parity: who waits for one must have heard of the one before, or takes an older one for it. */
function expectHeard(before: Note | undefined, what: string, op: Op, agent: Agent, run: Run): void {
  if (before && !before.heardBy(agent.local)) run.findings.parity(what, op.source, agent)
}

/** A step that reads a page must find it filled; that it has waited for it, the region's order tells. */
function expectFull(name: 'ring' | 'join', op: Op, agent: Agent, run: Run): void {
  const channel = agent.sm.channels[name]
  const page = channel.page(agent.positions[name])
  const filled = name === 'ring' ? page.copies > 0 : page.puts >= channel.shape.producers
  if (!filled) run.findings.mismatch(`reads a page of the ${name} that is not filled`, op.source, page.filledBy, agent)
}

const rules: Rules = {
  wait: (op, agent, stage, run) => {
    const counter = run.counter(agent.rank, op.counter)
    const fault = run.faults.get(op.site)
    const runs = stage.runs.get(op.counter)! + op.after
    if (fault === 'targetUp' && !counter.isBegun(runs + 1)) return false
    // One arrival fewer: whose is missing is anybody's guess.
    const seen = fault === 'targetDown' ? runs - 1 : runs
    if (!counter.isComplete(seen)) return false
    if (seen > 0) {
      agent.learn(counter.at(seen).complete())
      run.joins++
    }
    return true
  },
  signal: (op, agent, stage, run) => {
    const counter = run.counter(agent.rank, op.counter)
    const n = stage.runs.get(op.counter)! + op.after
    const before = n > 1 ? counter.at(n - 1) : undefined
    const seen = run.sizes.order === 'seen'
    if (seen && before && (!counter.isComplete(n - 1) || !before.knownTo(agent))) {
      run.findings.alias(op.counter, op.source, agent)
    }
    counter.at(n).signal(agent, run.sizes.signals.get(signalsOf(stage.execution, op.counter)))
    agent.received = []
    agent.tick()
    return true
  },
  waitLocal: (op, agent, stage, run) => {
    const local = localOf(agent, op.local)
    const fault = run.faults.get(op.site)
    const runs = stage.runs.get(op.local)! + op.after + (fault === 'targetUp' ? 1 : fault === 'targetDown' ? -1 : 0)
    if (local.runs < runs) return false
    if (!fault && runs > 1) expectHeard(local.notes[runs - 2], `execution ${runs} of '${op.local}'`, op, agent, run)
    if (runs > 0) agent.hear(local.notes[runs - 1]!)
    return true
  },
  signalLocal: (op, agent) => {
    const local = localOf(agent, op.local)
    local.coming ??= agent.sm.fresh()
    agent.tell(local.coming)
    local.came++
    if (local.came < op.of) return true
    local.notes.push(local.coming)
    delete local.coming
    local.came = 0
    local.runs++
    return true
  },
  acquire: (op, agent, _stage, run) => {
    const channel = agent.sm.channels[op.channel]
    const deeper = run.faults.get(op.site) === 'targetDown' ? 1 : 0
    const position = agent.positions[op.channel] - channel.shape.depth - deeper
    if (position < 0) return true
    if (!channel.isFree(position)) return false
    if (!deeper) expectHeard(channel.before(position)?.free, `a free place in the ${op.channel}`, op, agent, run)
    agent.hear(channel.page(position).free)
    run.joins++
    return true
  },
  commit: (op, agent, stage) => {
    const channel = agent.sm.channels[op.channel]
    const page = channel.page(agent.positions[op.channel]++)
    page.commits++
    page.filledBy = op.source
    page.execution = stage.execution
    agent.tell(page.full)
    return true
  },
  await: (op, agent, stage, run) => {
    const channel = agent.sm.channels[op.channel]
    const fault = run.faults.get(op.site)
    const position = agent.positions[op.channel]
    const target =
      position + (fault === 'targetUp' ? channel.shape.depth : fault === 'targetDown' ? -channel.shape.depth : 0)
    if (target < 0) return true
    if (!channel.isFull(target)) return false
    if (!fault) expectHeard(channel.before(target)?.full, `the ${op.channel}`, op, agent, run)
    const page = channel.page(target)
    agent.hear(page.full)
    run.joins++
    if (!fault) expectOwn(page, op, agent, stage, run, op.channel)
    return true
  },
  release: (op, agent) => {
    const channel = agent.sm.channels[op.channel]
    const position = agent.positions[op.channel]++
    const page = channel.page(position)
    page.releases++
    agent.tell(page.free)
    if (page.releases === channel.shape.consumers) channel.freed(position)
    return true
  },
  skip: (_op, agent) => {
    agent.positions.join++
    return true
  },
  barrier: (_op, agent) => {
    if (agent.role === 'copy') throw new InternalError('a copy engine meets nobody')
    const meeting = agent.sm.meetings[agent.role]
    const now = meeting.at(agent.generation)
    // The first try arrives, later ones look whether all others have.
    if (!agent.arrived) {
      now.came++
      agent.tell(now.note)
      agent.arrived = true
    }
    if (now.came < meeting.warps) return false
    agent.arrived = false
    agent.generation++
    agent.hear(now.note)
    return true
  },
  access: (op, agent, stage, run) => {
    run.touch(run.region(agent.rank, op.region, stage.entry), agent, op, op.write, op.own, stage.execution)
    return true
  },
  copyFrom: (op, agent, stage, run) => {
    const engine = engineOf(agent)
    run.touch(run.region(agent.rank, op.region, stage.entry), engine, op, false, false, stage.execution)
    return true
  },
  bring: (op, agent, stage, run) => {
    const { rowsEngine: engine } = agent.sm
    engine.follow(agent)
    run.touch(run.region(agent.rank, op.region, stage.entry), engine, op, false, false, stage.execution)
    run.touch(agent.sm.regions[op.to], engine, op, true, true, stage.execution)
    const local = localOf(agent, op.local)
    local.coming ??= agent.sm.fresh()
    engine.tell(local.coming)
    return true
  },
  copy: (op, agent, _stage, run) => {
    const engine = engineOf(agent)
    const position = agent.positions.ring
    const channel = agent.sm.channels.ring
    run.touch(agent.sm.ringPages[position % channel.shape.depth]!, engine, op, true, true, position)
    const page = channel.page(position)
    page.copies++
    engine.tell(page.full)
    return true
  },
  local: (op, agent, stage, run) => {
    const region = agent.sm.regions[op.region]
    if (op.ofWarp) run.apart(region, agent, op, op.write, ofWarps)
    else run.touch(region, agent, op, op.write, op.own, stage.execution)
    return true
  },
  page: (op, agent, stage, run) => {
    const { depth } = agent.sm.channels.ring.shape
    expectFull('ring', op, agent, run)
    run.touch(agent.sm.ringPages[agent.positions.ring % depth]!, agent, op, false, false, stage.execution)
    return true
  },
  put: (op, agent, _stage, run) => {
    const { depth } = agent.sm.channels.join.shape
    const { join } = agent.positions
    agent.sm.channels.join.page(join).puts++
    run.touch(agent.sm.joinSlots[join % depth]!, agent, op, true, true, join)
    return true
  },
  take: (op, agent, _stage, run) => {
    expectFull('join', op, agent, run)
    const { depth } = agent.sm.channels.join.shape
    const { join } = agent.positions
    run.touch(agent.sm.joinSlots[join % depth]!, agent, op, false, false, join)
    return true
  },
  send: (op, agent, stage, run) => {
    const { exchange, epoch, half } = run.exchange(op, stage)
    if (exchange.sender && exchange.sender.execution !== stage.execution) {
      run.findings.mismatch(
        `sends packets with the epoch of another exchange`,
        op.source,
        exchange.sender.source,
        agent,
      )
    }
    exchange.sender = { source: op.source, execution: stage.execution }
    for (const rank of op.what === 'logits' ? [0] : run.sizes.ranks) {
      run.apart(run.inbox(rank, half), agent, op, true, epoch)
    }
    exchange.send(agent, op.last, run.sizes.order === 'done')
    agent.tick()
    return true
  },
  receive: (op, agent, stage, run) => {
    const { exchange, epoch, half, parts } = run.exchange(op, stage)
    if (!exchange.isSent()) return false
    if (exchange.sender && exchange.sender.execution !== stage.execution) {
      run.findings.mismatch(`receives packets of another exchange`, op.source, exchange.sender.source, agent)
    }
    if (run.sizes.order === 'done') agent.learn(exchange.common())
    run.joins++
    run.apart(run.inbox(agent.rank, half), agent, op, false, epoch)
    // An owner has heard of its tiles only. Who has all sums has heard of all parts: each sum is of every rank's.
    if (op.last && !op.toOwner) {
      for (const all of parts ? [exchange, parts] : [exchange]) {
        all.receive(agent.rank)
        if (run.sizes.order === 'done') agent.received.push(all)
      }
    }
    return true
  },
  publish: (op, agent, stage, run) => {
    for (const rank of run.sizes.ranks) {
      run.touch(run.inbox(rank, `control inbox ${(stage.round + 1) & 1}`), agent, op, true, false, stage.round + 1)
    }
    run.control('published', 0, stage.round + 1).signal(agent)
    agent.tick()
    return true
  },
  leave: (op, agent, stage, run) => {
    run.touch(run.region(agent.rank, `control ${(stage.round - 1) & 1}`, 0), agent, op, false, false, stage.round - 1)
    run.control('left', agent.rank, stage.round - 1).signal(agent)
    agent.tick()
    return true
  },
  relay: (op, agent, stage, run) => {
    const { round } = stage
    const published = run.control('published', 0, round)
    const left = run.control('left', agent.rank, round - 1)
    if (round > 1 && published.signallers.length === 0) return false
    if (round > 1 && left.signallers.length < run.sizes.warpsOfRank) return false
    if (round > 1) agent.learn(published.complete())
    if (round > 1) agent.learn(left.complete())
    run.touch(run.inbox(agent.rank, `control inbox ${round & 1}`), agent, op, false, false, round)
    run.touch(run.region(agent.rank, `control ${round & 1}`, 0), agent, op, true, false, round)
    run.control('relayed', agent.rank, round).signal(agent)
    agent.tick()
    return true
  },
  enter: (op, agent, stage, run) => {
    const relayed = run.control('relayed', agent.rank, stage.round)
    if (relayed.signallers.length === 0) return false
    agent.learn(relayed.complete())
    run.touch(run.region(agent.rank, `control ${stage.round & 1}`, 0), agent, op, false, false, stage.round)
    return true
  },
}

const localOf = (agent: Agent, name: string): Local =>
  found(agent.sm.locals, name, () => ({ runs: 0, came: 0, notes: [] }))

/** The copy engine, knowing what the warp knows that sets it to work. */
function engineOf(agent: Agent): Agent {
  const { engine } = agent.sm
  engine.follow(agent)
  return engine
}
