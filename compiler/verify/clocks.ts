/**
 * Clocks: what an agent knows to have happened.
 *
 * Vocabulary
 *   agent    a warp, or the copy engine of an SM
 *   time     of an agent: how often it has let others know of what it did
 *   local    the times of the agents of one's own SM that one knows of
 *   global   the same for the agents of all SMs, shared by reference: it changes only when an SM learns something of
 *            another, which is rare next to what agents of one SM tell each other
 * Invariants: a Global is never changed once it is shared; in it, the part of one's own SM is never ahead of `local`;
 * an event e of agent a at time t happened before what agent b does now exactly if b's time for a is at least t.
 */
export type Times = Int32Array

export class Global {
  /** The last Global that was found to add nothing to this one, and the last join with another. */
  #covers: Global | undefined
  #joined: readonly [Global, Global] | undefined
  constructor(readonly times: Times) {}

  covers(other: Global): boolean {
    if (other === this || other === this.#covers) return true
    for (let i = 0; i < this.times.length; i++) if (other.times[i]! > this.times[i]!) return false
    this.#covers = other
    return true
  }
  join(other: Global): Global {
    if (this.covers(other)) return this
    if (this.#joined?.[0] === other) return this.#joined[1]
    const joined = other.covers(this) ? other : new Global(joinTimes(this.times.slice(), other.times))
    this.#joined = [other, joined]
    return joined
  }
}

export function joinTimes(into: Times, from: Times): Times {
  for (let i = 0; i < from.length; i++) if (from[i]! > into[i]!) into[i] = from[i]!
  return into
}

/** The same for the agents of one SM. */
export type LocalTimes = number[]

export function joinLocal(into: LocalTimes, from: LocalTimes): void {
  for (let i = 0; i < from.length; i++) if (from[i]! > into[i]!) into[i] = from[i]!
}

/** Times of the agents of one SM as part of all agents' times. */
export function overlay(into: Times, local: LocalTimes, at: number): void {
  for (let a = 0; a < local.length; a++) if (local[a]! > into[at + a]!) into[at + a] = local[a]!
}

/** What somebody knew when he let others know: a message between agents of one SM. */
export class Note {
  global: Global
  readonly local: LocalTimes
  constructor(global: Global, agents: number) {
    this.global = global
    this.local = new Array<number>(agents).fill(0)
  }
  /** Whether somebody of the SM who knows `local` has heard it, directly or through others. */
  heardBy(local: LocalTimes): boolean {
    return this.local.every((time, a) => local[a]! >= time)
  }
  add(local: LocalTimes, global: Global): void {
    joinLocal(this.local, local)
    this.global = global.join(this.global)
  }
}
