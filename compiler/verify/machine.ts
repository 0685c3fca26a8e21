/**
 * Machine: runs the programs of all represented warps and keeps, for each, what it knows to have happened.
 *
 * Why one order of execution is enough: an operation that may go on stays so until it does, because every object only
 * moves forward and hands over by position (objects.ts). If this greedy order gets to the end, every order does; if it
 * gets stuck, every order gets stuck at the same operations. Happens-before is the same for all of them too.
 *
 * Vocabulary
 *   agent  a warp with its program, or the copy engine of an SM (one for pages, one for rows), which has times but no program
 *   tick   after letting others know, an agent's time goes on, so that what it does next is not covered by it
 *   fault  a site that is treated otherwise than written, for mutations that a plan cannot express
 * Warps of a role beyond the second do what the second does, and are not run; the same holds for SMs of a class beyond the
 * representatives and for ranks beyond the third. Mapping each left-out warp, SM and rank to the last that is run maps
 * every edge of the happens-before relation to an edge, so what is ordered among those that are run is ordered by a path
 * among them.
 */
import type { ChannelName, Plan, RoleName } from '../plan/ir.ts'
import { type Global, joinLocal, type LocalTimes, type Note } from './clocks.ts'
import { Channel, type Exchange, Meeting } from './objects.ts'
import type { LocalRegion, Op, Source } from './program.ts'
import { type OnRace, Region } from './regions.ts'

export interface Fault {
  readonly site: number
  /** One arrival more or fewer than written; for a free page, one slot deeper. */
  readonly kind: 'targetUp' | 'targetDown'
}

/** One execution of a phase by one warp. */
export interface Stage {
  readonly ops: readonly Op[]
  readonly round: number
  /** What caches belong to. */
  readonly entry: number
  readonly execution: number
  /** Executions of every tally before the entry. */
  readonly runs: ReadonlyMap<string, number>
}

export interface Findings {
  readonly race: OnRace
  /** A page, packet or signal that another execution was meant to get. */
  readonly mismatch: (message: string, at: Source, other: Source | undefined, agent: Agent) => void
  readonly alias: (counter: string, at: Source, agent: Agent) => void
  readonly parity: (what: string, at: Source, agent: Agent) => void
}

/** A local counter. `came`: warps that have signalled what is not complete; `coming`: what they, and copies, have done by then. */
export interface Local {
  runs: number
  came: number
  readonly notes: Note[]
  coming?: Note
}

/** An SM that is run. */
export class Sm {
  readonly rank: number
  readonly sm: number
  readonly channels: Readonly<Record<ChannelName, Channel>>
  readonly meetings: Readonly<Record<RoleName, Meeting>>
  readonly locals = new Map<string, Local>()
  readonly ringPages: readonly Region[]
  readonly joinSlots: readonly Region[]
  readonly regions: Readonly<Record<LocalRegion, Region>>
  /** Warps that run a program, in the order in which they are tried. */
  readonly agents: Agent[] = []
  engine!: Agent
  /** The copy engine where it brings rows: they are there when a local says so, whatever pages have come. That either half is waited for by
      itself, prove-rows demands. */
  rowsEngine!: Agent
  constructor(
    shape: { readonly rank: number; readonly sm: number },
    /** Where the SM's agents begin among all. */
    readonly at: number,
    plan: Plan,
    order: 'seen' | 'done',
    warps: (role: RoleName) => number,
    readonly fresh: () => Note,
  ) {
    this.rank = shape.rank
    this.sm = shape.sm
    const [compute, epilogue] = [warps('compute'), warps('epilogue')]
    const channel = (name: ChannelName, depth: number, producers: number, consumers: number): Channel =>
      new Channel(name, { depth, producers, consumers, copied: name === 'ring' }, fresh)
    this.channels = {
      ring: channel('ring', plan.ring.depth, 1, compute),
      join: channel('join', plan.join.depth, compute, 1),
      slots: channel('slots', 1, compute, epilogue),
    }
    const region = (name: string): Region => new Region(name, order === 'seen' ? 'writes' : 'reads')
    this.regions = {
      choice: region('what rows have chosen'),
      route: region('the route table'),
      weights: region('the route weights'),
      slots: region('the routed sums'),
      'early scratch': region('the scratch memory'),
      'late scratch': region('the scratch memory'),
    }
    this.ringPages = Array.from({ length: plan.ring.depth }, (_, i) => region(`ring page ${i}`))
    this.joinSlots = Array.from({ length: plan.join.depth }, (_, i) => region(`join slot ${i}`))
    const meeting = (role: RoleName): Meeting => new Meeting(warps(role), fresh)
    this.meetings = {
      load: meeting('load'),
      compute: meeting('compute'),
      epilogue: meeting('epilogue'),
      communicate: meeting('communicate'),
    }
  }
}

export class Agent {
  readonly local: LocalTimes
  global: Global
  readonly rank: number
  received: Exchange[] = []
  readonly positions: Record<ChannelName, number> = { ring: 0, join: 0, slots: 0 }
  generation = 0
  /** Came to the barrier and waits for the others. */
  arrived = false
  stage = 0
  op = 0
  constructor(
    readonly sm: Sm,
    readonly role: RoleName | 'copy',
    readonly warp: number,
    /** Place among the agents of the SM. */
    readonly index: number,
    none: Global,
    agents: number,
  ) {
    this.rank = sm.rank
    this.global = none
    this.local = new Array<number>(agents).fill(0)
    this.local[index] = 1
  }
  get name(): string {
    return this.role === 'copy' ? 'copy engine' : this.role
  }
  get time(): number {
    return this.local[this.index]!
  }
  tick(): void {
    this.local[this.index]!++
  }
  knows(other: Agent, time: number): boolean {
    return (other.sm === this.sm ? this.local[other.index]! : this.global.times[other.sm.at + other.index]!) >= time
  }
  hear(note: Note): void {
    joinLocal(this.local, note.local)
    this.global = this.global.join(note.global)
  }
  /** Learns all that an agent of the same SM knows. */
  follow(other: Agent): void {
    if (other.global !== this.global) this.global = this.global.join(other.global)
    joinLocal(this.local, other.local)
  }
  tell(note: Note): void {
    note.add(this.local, this.global)
    this.tick()
  }
  learn(global: Global): void {
    this.global = this.global.join(global)
    const { at } = this.sm
    for (let a = 0; a < this.local.length; a++)
      if (global.times[at + a]! > this.local[a]!) this.local[a] = global.times[at + a]!
  }
}
