/**
 * The search for a schedule, with a workshop that is a function of the schedule: what is tried and kept does not depend on how much is
 * built side by side, nothing is measured that must not be, nothing is left behind.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Code } from '../../compiler/diagnostics/catalogue.ts'
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import type { Axis } from '../../compiler/plan/schedule-moves.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { hashU32 } from '../../runtime/engine/synthetic.ts'
import { type Bench, type SearchOptions, searchSchedules } from '../../runtime/session/search-schedules.ts'

/** Schedules of the tests are three numbers, kept where a schedule has them. */
type Point = readonly [depth: number, join: number, sms: number]
const schedule = ([depth, join, sms]: Point): Schedule => ({
  kind: 'schedule',
  roles: [],
  ring: { name: 'weights', depth, pageBytes: 1024 },
  joinDepth: { value: join },
  phases: [],
  fusions: [],
  prefetches: [],
  sms: { value: sms },
})
const point = (s: Schedule): Point => [s.ring!.depth, s.joinDepth!.value, s.sms!.value]

const axis = (name: string, at: 0 | 1 | 2): Axis => ({
  name,
  moves: (s) =>
    [0, 1, 2, 3, 4, 5]
      .filter((n) => n !== point(s)[at])
      .map((n) => ({ what: `${name} ${n}`, schedule: schedule(point(s).with(at, n) as unknown as Point) })),
})
const axes = [axis('ring', 0), axis('join', 1), axis('sms', 2)]
const author = schedule([2, 2, 2])

const refusal = (code: Code): DiagnosticError => new DiagnosticError([diagnostic(code, 'it says no')])

interface World {
  /** Time of a round; negative: what the engine computes is wrong. */
  readonly us: (p: Point) => number
  readonly compile?: (p: Point) => Code | undefined
  readonly build?: (p: Point) => Code | undefined
  readonly measure?: (p: Point) => Code | undefined
  /** Milliseconds. */
  readonly buildTime?: (p: Point) => number
  readonly sharesProcessors?: boolean
  readonly name?: (p: Point) => string
  readonly onMeasure?: (p: Point) => void | Promise<void>
}

/** A workshop that writes down what goes on beside what. */
function workshop(world: World) {
  const seen = { running: 0, most: 0, measuring: 0, begun: [] as string[], calledOff: [] as string[] }
  const besides: number[] = []
  const order: string[] = []
  const bench: Bench<Point, Point, number> = {
    sharesProcessors: world.sharesProcessors ?? false,
    tolerance: 0.1,
    apart: (a, b) => Math.abs(a - b),
    compile: (s) => {
      const code = world.compile?.(point(s))
      if (code) throw refusal(code)
      return { name: (world.name ?? String)(point(s)), source: point(s) }
    },
    build: async (p, signal) => {
      seen.begun.push(String(p))
      seen.most = Math.max(seen.most, ++seen.running)
      try {
        await sleep(world.buildTime?.(p) ?? 0, undefined, { signal })
      } catch (error) {
        seen.calledOff.push(String(p))
        throw error
      } finally {
        seen.running--
      }
      const code = world.build?.(p)
      if (code) throw refusal(code)
      return p
    },
    measure: async (p) => {
      expect(++seen.measuring, 'one engine at a time').toBe(1)
      order.push(String(p))
      besides.push(seen.running)
      await world.onMeasure?.(p)
      await sleep(1)
      besides.push(seen.running)
      seen.measuring--
      const code = world.measure?.(p)
      if (code) throw refusal(code)
      const us = world.us(p)
      return { roundUs: Math.abs(us), logits: us < 0 ? 1 : 0 }
    },
  }
  return { bench, seen, besides, order }
}

const never = new AbortController().signal
const options = (given: Partial<SearchOptions> = {}): SearchOptions => ({
  ...{ candidates: 1000, jobs: 1, stop: never, signal: never },
  ...given,
})

const noise = (key: number, p: Point): number => hashU32(key, p[0] * 36 + p[1] * 6 + p[2], 3) / 2 ** 32
/** A landscape with valleys, refusals of each kind, engines that die, engines that are wrong, and schedules that give the same engine. */
const random = (seed: number): World => {
  const engine = ([d, j, sms]: Point): Point => [d, j, sms === 5 ? 4 : sms]
  const chance = (key: number, p: Point, part: number) => String(p) !== '2,2,2' && noise(seed * 10 + key, p) < part
  return {
    us: (p) => (100 + 50 * noise(seed * 10, engine(p))) * (chance(1, engine(p), 0.1) ? -1 : 1),
    compile: (p) => (chance(2, p, 0.2) ? 'TILE3032' : undefined),
    build: (p) => (chance(3, engine(p), 0.1) ? 'TILE5003' : undefined),
    measure: (p) => (chance(4, engine(p), 0.1) ? 'TILE6011' : undefined),
    name: (p) => String(engine(p)),
  }
}

describe('what is tried and kept', () => {
  it.each([1, 2, 3, 4, 5, 6])('is the same however many are built side by side, landscape %i', async (seed) => {
    const run = async (jobs: number, sharesProcessors: boolean, time: number) => {
      const { bench, seen } = workshop({
        ...random(seed),
        sharesProcessors,
        buildTime: (p) => 4 * noise(time, p),
      })
      const found = await searchSchedules(author, axes, bench, options({ jobs, candidates: 40 }))
      expect(seen.running).toBe(0)
      return found
    }
    const alone = await run(1, true, 1)
    expect(new Set(alone.candidates.map((c) => c.outcome)).size).toBeGreaterThan(4)
    for (const jobs of [1, 2, 3, 8])
      for (const sharesProcessors of [true, false]) expect(await run(jobs, sharesProcessors, 100 + jobs)).toEqual(alone)
  })

  it('is the best of each axis, from the best of those before, until nothing helps', async () => {
    // join is worth moving only where the ring is 4.
    const us = ([d, j, s]: Point): number =>
      100 - (d === 4 ? 10 + (j === 5 ? 10 : 0) : 0) - (j === 5 && s === 1 ? 5 : 0)
    const { bench } = workshop({ us })
    const kept: Point[] = []
    const found = await searchSchedules(author, axes, bench, options({ jobs: 4, onBest: (s) => kept.push(point(s)) }))
    expect(point(found.schedule)).toEqual([4, 5, 1])
    expect(found).toMatchObject({ authorUs: 100, bestUs: 75, ended: 'settled' })
    expect(kept).toEqual([
      [2, 2, 2],
      [4, 2, 2],
      [4, 5, 2],
      [4, 5, 1],
    ])
  })

  it('a sweep offers each move once, from the best so far', async () => {
    // Both are worth keeping: the second is tried on top of the first, not instead of it.
    const { bench, order } = workshop({ us: ([d, j]) => 100 - (d === 0 ? 10 : 0) - (j === 0 ? 10 : 0) })
    const found = await searchSchedules(author, axes.slice(0, 2), bench, options({ jobs: 3 }))
    expect(point(found.schedule)).toEqual([0, 0, 2])
    expect(order).toHaveLength(new Set(order).size)
    expect(order.slice(0, 3)).toEqual(['2,2,2', '0,2,2', '1,2,2'])
    expect(order).toContain('0,0,2')
    expect(order.indexOf('0,0,2')).toBe(order.findIndex((p) => p.includes(',0,')))
  })

  it('is nothing that is wrong, however fast, and no gain below the noise', async () => {
    const us = ([d]: Point): number => (d === 3 ? -10 : d === 4 ? 99.6 : 100)
    const { bench } = workshop({ us })
    const { schedule: best, candidates } = await searchSchedules(author, axes.slice(0, 1), bench, options())
    expect(best).toEqual(author)
    const of = (what: string) => candidates.find((c) => c.what === what)
    expect(of('ring 3')).toMatchObject({ outcome: 'wrong', roundUs: 10, apart: 1 })
    expect(of('ring 4')).toMatchObject({ outcome: 'slower', roundUs: 99.6, bestUs: 100 })
  })

  it('takes an engine that is refused or dies as an outcome, with its code, and goes on', async () => {
    const { bench, order } = workshop({
      us: ([d]) => (d === 5 ? 50 : 100),
      compile: ([d]) => (d === 0 ? 'TILE3032' : undefined),
      build: ([d]) => (d === 1 ? 'TILE5003' : undefined),
      measure: ([d]) => (d === 3 ? 'TILE6011' : undefined),
    })
    const { candidates, bestUs } = await searchSchedules(author, axes.slice(0, 1), bench, options({ jobs: 2 }))
    expect(candidates.slice(1).map((c) => [c.what, c.outcome, c.code])).toEqual([
      ['ring 0', 'refused', 'TILE3032'],
      ['ring 1', 'refused', 'TILE5003'],
      ['ring 3', 'failed', 'TILE6011'],
      ['ring 4', 'slower', undefined],
      ['ring 5', 'kept', undefined],
    ])
    expect(candidates[1]?.why).toBe('it says no')
    expect(bestUs).toBe(50)
    expect(order).toEqual(['2,2,2', '3,2,2', '4,2,2', '5,2,2'])
  })

  it('is no engine twice', async () => {
    const { bench, order, seen } = workshop({ us: () => 100, name: ([d]) => (d % 2 === 0 ? 'even' : 'odd') })
    const { candidates } = await searchSchedules(author, axes.slice(0, 1), bench, options({ jobs: 5 }))
    expect(order).toEqual(['2,2,2', '1,2,2'])
    expect(seen.begun).toEqual(['2,2,2', '1,2,2'])
    expect(candidates.find((c) => c.what === 'ring 4')).toMatchObject({ outcome: 'same', why: "the author's schedule" })
    expect(candidates.find((c) => c.what === 'ring 5')).toMatchObject({ outcome: 'same', why: 'ring 1' })
  })

  it('is what a move becomes where it does not fit shared memory, and nothing else', async () => {
    const [to, smaller, smallest] = [schedule([5, 2, 2]), schedule([4, 2, 2]), schedule([3, 2, 2])]
    const move: Axis = {
      name: 'one',
      moves: () => [
        {
          what: 'large',
          schedule: to,
          otherwise: [
            { what: 'large, less', schedule: smaller },
            { what: 'large, least', schedule: smallest },
          ],
        },
      ],
    }
    const of = async (code: Code) => {
      const compile = ([d]: Point): Code | undefined => (d === 5 ? code : d === 4 ? 'TILE3030' : undefined)
      const { bench } = workshop({ us: ([d]) => (d === 3 ? 50 : 100), compile })
      return searchSchedules(author, [move], bench, options())
    }
    const found = await of('TILE3030')
    expect(found.candidates[1]).toMatchObject({ what: 'large, least', outcome: 'kept' })
    expect(found.schedule).toEqual(smallest)
    expect((await of('TILE3032')).candidates[1]).toMatchObject({ what: 'large', outcome: 'refused', code: 'TILE3032' })
  })

  it('is as many engines as were asked for: what the compiler refuses is not one', async () => {
    const compile = ([d]: Point): Code | undefined => (d === 0 ? 'TILE3032' : undefined)
    const { bench, seen } = workshop({ us: () => 100, compile })
    const found = await searchSchedules(author, axes.slice(0, 1), bench, options({ jobs: 8, candidates: 2 }))
    expect(found.ended).toBe('spent')
    expect(found.candidates.map((c) => c.outcome)).toEqual(['author', 'refused', 'slower', 'slower'])
    expect(seen.begun).toHaveLength(3)
  })
})

describe('building ahead', () => {
  it('goes on while an engine is measured, where that has processors of its own', async () => {
    const { bench, besides, seen } = workshop({ us: () => 100, buildTime: () => 30 })
    await searchSchedules(author, axes, bench, options({ jobs: 4 }))
    expect(Math.max(...besides)).toBeGreaterThan(0)
    expect(seen.most).toBe(4)
  })

  it('pauses while an engine is measured, where both share processors', async () => {
    const { bench, besides, seen } = workshop({
      us: () => 100,
      buildTime: (p) => 10 * noise(1, p),
      sharesProcessors: true,
    })
    await searchSchedules(author, axes, bench, options({ jobs: 4 }))
    expect(Math.max(...besides)).toBe(0)
    expect(seen.most).toBe(4)
  })

  it('calls off what does not come next any more, when something is kept', async () => {
    const { bench, seen } = workshop({
      us: ([d]) => (d === 0 ? 50 : 100),
      buildTime: ([d, j]) => (d === 2 && j !== 2 ? 10_000 : 1),
    })
    await searchSchedules(author, axes.slice(0, 2), bench, options({ jobs: 8 }))
    expect(seen.calledOff.sort()).toEqual(['2,0,2', '2,1,2', '2,3,2', '2,4,2'])
  })
})

describe('an end before the end', () => {
  it('when time is up: no candidate is begun, the one that is measured counts', async () => {
    const stop = new AbortController()
    const { bench, order, seen } = workshop({
      us: ([d]) => 100 - d,
      buildTime: ([d]) => (d > 3 ? 10_000 : 0),
      onMeasure: ([d]) => void (d === 3 && stop.abort()),
    })
    const found = await searchSchedules(author, axes, bench, options({ jobs: 4, stop: stop.signal }))
    expect(found.ended).toBe('stopped')
    expect(point(found.schedule)).toEqual([3, 2, 2])
    expect(order.at(-1)).toBe('3,2,2')
    expect(seen.running).toBe(0)
  })

  it('while a build is waited for: it is called off and no candidate', async () => {
    const stop = new AbortController()
    const { bench, seen } = workshop({ us: () => 100, buildTime: ([d]) => (d === 1 ? 10_000 : 0) })
    const search = searchSchedules(author, axes, bench, options({ stop: stop.signal }))
    await sleep(100)
    stop.abort()
    expect((await search).candidates.map((c) => c.what)).toEqual(["the author's schedule", 'ring 0'])
    expect(seen.calledOff).toEqual(['1,2,2'])
  })

  it('by Ctrl-C: what is measured does not count, what was kept stays', async () => {
    const interrupt = new AbortController()
    const { bench } = workshop({ us: ([d]) => 100 - 10 * d, onMeasure: ([d]) => void (d === 4 && interrupt.abort()) })
    const both = { stop: interrupt.signal, signal: interrupt.signal }
    const found = await searchSchedules(author, axes, bench, options({ jobs: 2, ...both }))
    expect(found).toMatchObject({ ended: 'stopped', bestUs: 70 })
    expect(found.candidates.map((c) => c.what)).not.toContain('ring 4')
  })

  it("before the author's schedule is measured there is nothing to tell", async () => {
    const stop = AbortSignal.abort()
    const { bench, seen } = workshop({ us: () => 100 })
    await expect(searchSchedules(author, axes, bench, options({ jobs: 3, stop }))).rejects.toThrow('TILE5112')
    expect(seen.running).toBe(0)
  })

  it("the author's engine dies: that is no candidate", async () => {
    const { bench, seen } = workshop({ us: () => 100, measure: () => 'TILE6011', buildTime: () => 5 })
    await expect(searchSchedules(author, axes, bench, options({ jobs: 3 }))).rejects.toThrow('TILE6011')
    expect(seen.running).toBe(0)
  })
})
