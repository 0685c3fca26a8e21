/**
 * Regions: finds two accesses to one place, one of them a write, of which neither happened before the other.
 *
 * How: agents are executed in one order that the synchronisation allows, and every access is compared with the earlier
 * ones that it conflicts with. The happens-before relation does not depend on the order of execution, since every object
 * of synchronisation hands over by position: the n-th await gets the n-th commit, whatever came first. So one order is
 * enough to find every unordered pair.
 * Vocabulary: a *group* is what one step of one execution of a phase writes, over all SMs: its parts are disjoint.
 * Invariant: accesses older than the last group but one need not be kept: what is ordered after the group's writes is
 * ordered after what those were ordered after.
 */
import type { Agent } from './machine.ts'
import type { Source } from './program.ts'

export interface Touch {
  readonly actor: Agent
  readonly source: Source
  readonly write: boolean
  readonly own: boolean
  /** Which execution of the phase; for packets, the epoch. */
  readonly execution: number
  time: number
}

/** Which earlier accesses are compared: a write must have become visible, a read only needs to be over. */
export type Watch = 'all' | 'reads' | 'writes' | 'none'

export type OnRace = (region: string, earlier: Touch, later: Touch) => void

export class Region {
  #old: Touch[] = []
  #writes: Touch[] = []
  #reads: Touch[] = []
  constructor(
    readonly name: string,
    readonly watch: Watch = 'all',
  ) {}

  access(actor: Agent, source: Source, write: boolean, own: boolean, execution: number, onRace: OnRace): void {
    if (this.watch === 'none') return
    if (write && !this.#inGroup(source, execution)) {
      this.#old = [...this.#writes, ...this.#reads]
      this.#writes = []
      this.#reads = []
    }
    const list = write ? this.#writes : this.#reads
    let now = list.find((t) => t.actor === actor && t.source.step === source.step && t.execution === execution)
    if (now) now.time = actor.time
    else {
      now = { actor, source, write, own, execution, time: actor.time }
      list.push(now)
    }
    check(this.#old, now, this, onRace)
    check(this.#writes, now, this, onRace)
    if (write) check(this.#reads, now, this, onRace)
  }

  #inGroup(source: Source, execution: number): boolean {
    const [first] = this.#writes
    return first === undefined
      ? this.#reads.length === 0 && this.#old.length === 0
      : first.execution === execution && first.source.step === source.step
  }
}

function check(earlier: readonly Touch[], now: Touch, region: Region, onRace: OnRace): void {
  for (const t of earlier) {
    if (t.actor === now.actor || !(t.write || now.write)) continue
    if (region.watch !== 'all' && (region.watch === 'writes') !== t.write) continue
    const apart = t.own && now.own && t.execution === now.execution && t.source.step === now.source.step
    if (!apart && !now.actor.knows(t.actor, t.time)) onRace(region.name, t, now)
  }
}
