/**
 * What drafted rounds write follows the target's distribution: chi-squared over the first three tokens jointly, 100,000
 * samples, on the engine's own rounds over a model of five tokens (rounds.cpp: control loop, sampler, history as compiled
 * into every executable, on one compute warp). Known ways to get it wrong, in the same program, are refused by the same statistic.
 */
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { distribution, editedLogits } from '../../runtime/engine/sampler-reference.ts'
import { deviceSampling, type SamplingParams } from '../../runtime/engine/wire.ts'
import { program } from '../support/made-once.ts'

const ids = 5
const samples = 100_000
const prompt = [0]

/** Logits after a token; the drafter's are another model's. */
const target = (last: number): number[] => Array.from({ length: ids }, (_, i) => 2 * Math.sin(3 * last + 1.7 * i + 1))
const drafter = (last: number): number[] => target(last).map((z, i) => z + Math.sin(11 * i + last))
const tables = [target, drafter].flatMap((model) => Array.from({ length: ids }, (_, last) => model(last)).flat())

let rounds: string
let roundsOfTwo: string
beforeAll(async () => {
  const flags = ['-O1', '-Wno-psabi']
  rounds = await program('test/dflash/rounds.cpp', flags)
  roundsOfTwo = await program('test/dflash/rounds.cpp', [...flags, '-DCOMPUTE_WARPS=2'])
})

/** struct Sampling of codegen/device/engine/mailbox.h, word by word; the program gives each request a seed of its own. */
function samplingWords(params: SamplingParams): number[] {
  const s = deviceSampling(params)
  const bits = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]!
  return [
    ...[bits(s.inverseTemperature), bits(s.minPLog), s.topP, s.topK, 0, 0],
    ...[bits(s.repetition), bits(s.inverseRepetition), bits(s.presence), bits(s.frequency), 0, 0],
  ]
}

/** How often each of the 125 texts came, with a mistake put in; 0: none, the engine as it is. */
async function counts(bug: number, rows: number, params: SamplingParams, executable = rounds): Promise<number[]> {
  const words = [bug, samples, rows, ...tables.map(Math.fround), ...samplingWords(params)].map(String)
  return (await execa(executable, words)).stdout.trim().split(' ').map(Number)
}

/** The exact law of three tokens, by enumeration. */
function exact(params: SamplingParams): number[] {
  const law = new Array<number>(ids ** 3).fill(0)
  const walk = (history: readonly number[], p: number) => {
    if (history.length === 4) {
      law[history.slice(1).reduce((n, t) => n * ids + t, 0)] = p
      return
    }
    const edited = editedLogits(target(history.at(-1)!), params, { prompt, generated: history.slice(1) })
    for (const [t, q] of distribution(edited, params).entries()) if (q > 0) walk([...history, t], p * q)
  }
  walk(prompt, 1)
  return law
}

/** Chi-squared less its critical value at 1e-4 (Wilson and Hilferty): below 0 is a fit. Cells of small expectation pooled. */
function misfit(seen: readonly number[], params: SamplingParams): number {
  const law = exact(params)
  expect(seen.reduce((a, b) => a + b)).toBe(samples)
  let [statistic, cells, small, expected] = [0, 0, 0, 0]
  for (const [i, p] of law.entries()) {
    if (p * samples < 8) [small, expected] = [small + seen[i]!, expected + p * samples]
    else [statistic, cells] = [statistic + (seen[i]! - p * samples) ** 2 / (p * samples), cells + 1]
  }
  if (expected > 0) [statistic, cells] = [statistic + (small - expected) ** 2 / expected, cells + 1]
  else if (small > 0) return Number.POSITIVE_INFINITY
  const df = cells - 1
  return statistic - df * (1 - 2 / (9 * df) + 3.719 * Math.sqrt(2 / (9 * df))) ** 3
}

const settings: readonly SamplingParams[] = [
  { temperature: 0.7 },
  { temperature: 1 },
  { temperature: 1, topP: 0.85 },
  { temperature: 0.7, topP: 0.85 },
  { temperature: 1, topK: 3 },
  { temperature: 1, minP: 0.1 },
  { temperature: 1, repetitionPenalty: 1.4, presencePenalty: 0.6, frequencyPenalty: 0.4 },
  { temperature: 0.7, topK: 4, topP: 0.9, repetitionPenalty: 1.2, frequencyPenalty: 0.5 },
]

describe('the first three tokens', { timeout: 300_000 }, () => {
  it.each(settings)('follow the target, and are those of plain decoding, seed by seed: %j', async (params) => {
    const drafted = await counts(0, 4, params)
    expect(misfit(drafted, params)).toBeLessThan(0)
    expect(drafted).toEqual(await counts(0, 0, params))
  })

  it('are the same whether one warp samples or two', async () => {
    const all = settings.at(-1)!
    expect(await counts(0, 4, all, roundsOfTwo)).toEqual(await counts(0, 4, all))
  })

  it('follow the target under rejection sampling, too, where that is right', async () => {
    expect(misfit(await counts(-1, 4, settings[0]!), settings[0]!)).toBeLessThan(0)
    expect(misfit(await counts(-1, 4, settings[1]!), settings[1]!)).toBeLessThan(0)
  })

  it.each([
    ['the residual is forgotten', 1, settings[1]!],
    ["a best guess is tested with the drafter's softmax", 2, settings[1]!],
    ['a random number is used twice', 3, settings[1]!],
    ['penalties are broadcast over a block', 4, settings[6]!],
    ['random bits do not know the position', 5, settings[1]!],
  ] as const)('show it when %s', async (_, bug, params) => {
    expect(misfit(await counts(bug, 4, params), params)).toBeGreaterThan(0)
  })
})
