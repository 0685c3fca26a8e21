/**
 * The rule for the width, on recorded traces of nano's drafter (record-traces.ts) and on made-up ones: how far it stays
 * behind the best fixed width, plain decoding included. docs/dflash.md has the table that this prints.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RoundTimes, WidthPolicy } from '../../runtime/decode/width-policy.ts'
import { type Costs, fixed, simulate } from '../../runtime/decode/width-simulator.ts'

interface Trace {
  readonly kind: string
  readonly temperature: number
  readonly right: readonly number[]
}

const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'traces.json'), 'utf8')) as readonly Trace[]

/** Shapes of engines; milliseconds, or any unit. */
const engines: Readonly<Record<string, Costs>> = {
  /** nano on two cores, processor time (speed.ts): experts and drafting cost; measured by the clock of a machine at work. */
  host: { verify: [5.2, 6.5, 7.5, 8.6, 9.2, 9.5, 9.9, 10.3], commit: 0.4, draft: 2.7, noise: 0.3 },
  /** V2.5-Pro on eight H200, from bytes: rows touch more experts. */
  pro: { verify: [1.45, 1.9, 2.25, 2.5, 2.75, 2.95, 3.1, 3.25], commit: 0.06, draft: 0.27, noise: 0.03 },
  /** A dense model: rows are nearly free. */
  dense: { verify: [1, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07], commit: 0.02, draft: 0.15, noise: 0.05 },
}
/** Keeping the drafter in step costs a fifth of plain decoding: it cannot wait long for better text. */
const dearUpkeep: Costs = {
  verify: [15.7, 20, 23, 25.2, 27.2, 29, 31, 32.8],
  commit: 3.5,
  draft: 6.9,
  noise: 0.3,
}

const tokens = 1024

/** Time over that of the best fixed width, over many beginnings of the text. */
function behind(trace: readonly number[], costs: Costs, times?: RoundTimes): number {
  const starts = Array.from({ length: 24 }, (_, i) => ({
    trace,
    costs,
    tokens,
    from: (i * 37) % trace.length,
    seed: i + 1,
  }))
  const total = (width: number) => starts.reduce((n, s) => n + simulate(s, fixed(width)).time, 0)
  const best = Math.min(...[0, 2, 3, 4, 5, 6, 7, 8].map(total))
  const mine = (s: (typeof starts)[number]) =>
    simulate(s, new WidthPolicy({ block: 8, times: times ?? new RoundTimes() })).time
  return starts.reduce((n, s) => n + mine(s), 0) / best - 1
}

/** By trace; cold: each request finds an engine that was never measured, warm: one that served the others. */
function onRecorded(name: string, costs: Costs, state: string): readonly number[] {
  const times = state === 'warm' ? new RoundTimes() : undefined
  const all = recorded.map((t) => behind(t.right, costs, times))
  const percent = (x: number) => `${(100 * x).toFixed(1)} %`
  const each = recorded.map((t, i) => `${t.kind} T ${t.temperature}: ${percent(all[i]!)}`)
  console.log(`${name}, ${state}: mean ${percent(mean(all))}, ${each.join(', ')}`)
  return all
}
const mean = (all: readonly number[]) => all.reduce((a, b) => a + b) / all.length

describe.each(Object.entries(engines))('on %s', (name, costs) => {
  it.each(['cold', 'warm'])('%s: never worse by 3 percent than the best fixed width on a recorded trace', (state) => {
    const all = onRecorded(name, costs, state)
    expect(mean(all)).toBeLessThan(0.02)
    expect(Math.max(...all)).toBeLessThan(0.03)
  })

  it('finds the extremes', () => {
    expect(behind([7], costs)).toBeLessThan(0.03)
    expect(behind([0], costs)).toBeLessThan(0.045)
  })

  it('other work on the machine does not drive it away', () => {
    const swaying = { ...costs, sway: { factor: 1.6, rounds: 40 } }
    expect(Math.max(...onRecorded(`${name}, swaying`, swaying, 'warm'))).toBeLessThan(0.08)
  })
})

it.each(['cold', 'warm'])('%s, where waiting is dear: as close', (state) => {
  const all = onRecorded('dear upkeep', dearUpkeep, state)
  expect(mean(all)).toBeLessThan(0.02)
  expect(Math.max(...all)).toBeLessThan(0.03)
})

it('depends on the outcomes alone', () => {
  const request = { trace: recorded[0]!.right, costs: engines.host!, tokens }
  const play = () => simulate(request, new WidthPolicy({ block: 8, times: new RoundTimes() }))
  expect(play()).toEqual(play())
})

it('finds its way back when the text becomes predictable', () => {
  const trace = [...new Array<number>(100).fill(0), ...new Array<number>(900).fill(7)]
  const request = { trace, costs: engines.pro!, tokens: 1000 }
  const plain = simulate(request, fixed(0)).time
  expect(simulate(request, new WidthPolicy({ block: 8, times: new RoundTimes() })).time).toBeLessThan(0.65 * plain)
})
