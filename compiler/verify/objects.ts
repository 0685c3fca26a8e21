/**
 * Objects: the synchronisation objects of a run, and what an agent learns from them.
 *
 * All of them hand over by position. A counter's execution n is complete when all who signal in it have (every SM, or every warp that has a tile); a
 * channel's page p is full when all producers have committed it and free when all consumers have released it; a barrier's
 * generation g ends when all warps of the role have come for the g-th time. Who waits learns what all those who completed
 * it knew then, and nothing that came later.
 * Exchanges (which order only where the run counts packets as order) are taken as a whole: a receive waits until all SMs of all ranks have sent their tiles (in truth it waits for
 * the tiles that it sums: less), and learns only what every sender knew when it began to send (in truth, more). That every
 * tile has been received is learnt where all receivers are done: with the counter that they signal. So the treatment is
 * the same for every SM, whichever tiles it owns. A sum in two shots is two exchanges: of parts, of which a rank receives only some, and
 * of the sums made of them, whose receivers learn, where all are done, what all senders of either had done.
 */

import type { ChannelName } from '../plan/ir.ts'
import { Global, joinTimes, type Note, overlay, type Times } from './clocks.ts'
import type { Agent } from './machine.ts'
import type { Source } from './program.ts'

/** One execution of a phase, seen from its counter. */
export class Execution {
  readonly times: Times
  readonly signallers: Agent[] = []
  readonly #times: number[] = []
  /** Signals that make it complete, as soon as there is one. */
  #expected = Number.POSITIVE_INFINITY
  readonly exchanges = new Set<Exchange>()
  #complete: Global | undefined
  constructor(size: number) {
    this.times = new Int32Array(size)
  }
  signal(agent: Agent, expected = Number.POSITIVE_INFINITY): void {
    this.#expected = expected
    this.signallers.push(agent)
    this.#times.push(agent.time)
    joinTimes(this.times, agent.global.times)
    overlay(this.times, agent.local, agent.sm.at)
    for (const x of agent.received) this.exchanges.add(x)
  }
  isComplete(): boolean {
    return this.signallers.length >= this.#expected
  }
  knownTo(agent: Agent): boolean {
    return this.signallers.every((s, i) => agent.knows(s, this.#times[i]!))
  }
  /** What those know who see the counter complete. */
  complete(): Global {
    if (!this.#complete) {
      const { rank } = this.signallers[0]!.sm
      for (const x of this.exchanges) if (x.receivedAll(rank)) joinTimes(this.times, x.sent)
      this.#complete = new Global(this.times)
    }
    return this.#complete
  }
}

/** Grows for each SM of its rank that is done with a phase, or for each tile that has been made in it. */
export class Counter {
  readonly #executions: Execution[] = []
  constructor(readonly size: number) {}
  at(execution: number): Execution {
    for (let n = this.#executions.length; n <= execution; n++) this.#executions.push(new Execution(this.size))
    return this.#executions[execution]!
  }
  isComplete(execution: number): boolean {
    return execution <= 0 || this.at(execution).isComplete()
  }
  isBegun(execution: number): boolean {
    return this.at(execution).signallers.length > 0
  }
}

/** A page of the ring, a slot of the join or of the routed sums, in one use. */
export interface Page {
  readonly full: Note
  readonly free: Note
  commits: number
  releases: number
  /** Copies into it (ring), parts put into it (join). */
  copies: number
  puts: number
  filledBy: Source | undefined
  execution: number
}

export interface ChannelShape {
  readonly depth: number
  /** Arrivals that make a page full, and free. */
  readonly producers: number
  readonly consumers: number
  readonly copied: boolean
}

export class Channel {
  readonly #pages = new Map<number, Page>()
  constructor(
    readonly name: ChannelName,
    readonly shape: ChannelShape,
    readonly fresh: () => Note,
  ) {}
  page(position: number): Page {
    let page = this.#pages.get(position)
    if (!page) {
      page = {
        full: this.fresh(),
        free: this.fresh(),
        commits: 0,
        releases: 0,
        copies: 0,
        puts: 0,
        filledBy: undefined,
        execution: 0,
      }
      this.#pages.set(position, page)
    }
    return page
  }
  /** Nobody who waits for this page or a later one looks further back than two uses of its place. */
  freed(position: number): void {
    this.#pages.delete(position - 2 * this.shape.depth - 1)
  }
  /** The use before of the same place, if there was one and it is remembered. */
  before(position: number): Page | undefined {
    return this.#pages.get(position - this.shape.depth)
  }
  isFree(position: number): boolean {
    return position < 0 || this.page(position).releases >= this.shape.consumers
  }
  isFull(position: number): boolean {
    const page = this.page(position)
    return page.commits >= this.shape.producers && (!this.shape.copied || page.copies > 0)
  }
}

/** Meeting of all warps of a role, one generation after the other. */
export class Meeting {
  readonly #generations: { came: number; readonly note: Note }[] = []
  constructor(
    readonly warps: number,
    readonly fresh: () => Note,
  ) {}
  at(generation: number): { came: number; readonly note: Note } {
    for (let n = this.#generations.length; n <= generation; n++) {
      this.#generations.push({ came: 0, note: this.fresh() })
    }
    return this.#generations[generation]!
  }
}

/** One all-reduce, or the gathering of logits: tiles of every SM of every rank, under one epoch. */
export class Exchange {
  readonly sent: Times
  /** What every sender knew when it began. */
  #common: Times | undefined
  readonly #began = new Set<Agent>()
  #done = 0
  readonly #receivers = new Map<number, number>()
  sender: { readonly source: Source; readonly execution: number } | undefined
  constructor(
    readonly senders: number,
    readonly receivers: number,
    readonly size: number,
  ) {
    this.sent = new Int32Array(size)
  }
  send(agent: Agent, last: boolean, orders: boolean): void {
    if (orders && !this.#began.has(agent)) {
      this.#began.add(agent)
      const times = agent.global.times.slice()
      overlay(times, agent.local, agent.sm.at)
      if (this.#common) for (let i = 0; i < times.length; i++) this.#common[i] = Math.min(this.#common[i]!, times[i]!)
      else this.#common = times
    }
    if (!last) return
    this.#done++
    if (!orders) return
    joinTimes(this.sent, agent.global.times)
    overlay(this.sent, agent.local, agent.sm.at)
  }
  isSent(): boolean {
    return this.#done >= this.senders
  }
  #shared: Global | undefined
  common(): Global {
    this.#shared ??= new Global(this.#common ?? new Int32Array(this.size))
    return this.#shared
  }
  receive(rank: number): void {
    this.#receivers.set(rank, (this.#receivers.get(rank) ?? 0) + 1)
  }
  receivedAll(rank: number): boolean {
    return (this.#receivers.get(rank) ?? 0) >= this.receivers
  }
}
