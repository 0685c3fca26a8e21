/**
 * The sampler: the device's tokens equal the reference's one by one, and both follow the exact distribution.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { RunningEngine } from '../../runtime/engine/engine.ts'
import { distribution, philox, sampleReference, weightOf } from '../../runtime/engine/sampler-reference.ts'
import type { SamplingParams } from '../../runtime/engine/wire.ts'
import { logitsAfter, startBigram, trap, validIds } from './bigram.ts'

vi.setConfig({ testTimeout: 60_000 })

/** Upper 1e-6 quantile of chi-squared with `df` degrees of freedom (Wilson and Hilferty). */
const critical = (df: number) => df * (1 - 2 / (9 * df) + 4.753 * Math.sqrt(2 / (9 * df))) ** 3

/** Chi-squared of counts against probabilities, cells of small expectation pooled; asserts that nothing impossible came. */
function fits(counts: readonly number[], probabilities: readonly number[]): void {
  const n = counts.reduce((a, b) => a + b, 0)
  let pooledCount = 0
  let pooledExpected = 0
  let statistic = 0
  let cells = 0
  probabilities.forEach((p, i) => {
    if (p === 0) expect(counts[i], `token ${i} is impossible`).toBe(0)
    if (p * n < 8) {
      pooledCount += counts[i]!
      pooledExpected += p * n
      return
    }
    statistic += (counts[i]! - p * n) ** 2 / (p * n)
    cells++
  })
  if (pooledExpected >= 1) {
    statistic += (pooledCount - pooledExpected) ** 2 / pooledExpected
    cells++
  }
  if (cells > 1) expect(statistic).toBeLessThan(critical(cells - 1))
}

const settings: readonly SamplingParams[] = [
  { temperature: 1 },
  { temperature: 0.7, topK: 5 },
  { temperature: 1.3, topP: 0.8 },
  { temperature: 1, minP: 0.1 },
  { temperature: 0.9, topK: 40, topP: 0.95, minP: 0.02 },
  { temperature: 2, topK: 289, topP: 0.999 },
]

describe('the reference sampler', () => {
  it('has Philox4x32-10 (known answers of Random123)', () => {
    expect(philox([0, 0], [0, 0, 0, 0]).map((w) => w.toString(16))).toEqual([
      '6627e8d5',
      'e169c58d',
      'bc57ac4c',
      '9b00dbd8',
    ])
    const ones = 0xffffffff
    expect(philox([ones, ones], [ones, ones, ones, ones]).map((w) => w.toString(16))).toEqual([
      '408f276d',
      '41c83b0e',
      'a20bc7c6',
      '6d5451fd',
    ])
  })

  it('weighs exp within 2^-22', () => {
    fc.assert(
      fc.property(fc.double({ min: -14, max: 0, noNaN: true }), (x) => {
        const exact = Math.exp(Math.fround(x)) * 2 ** 44
        expect(Math.abs(Number(weightOf(Math.fround(x))) - exact)).toBeLessThanOrEqual(exact * 2 ** -22 + 1)
      }),
    )
  })

  it.each(settings)('follows the exact distribution: %j', (params) => {
    const logits = [0.1, 2.5, -1, 2.5, 0, 1.2, -4, 3, 0.9, -0.3, 1.2, 2]
    const counts = logits.map(() => 0)
    for (let seed = 0; seed < 6000; seed++) counts[sampleReference(logits, { ...params, seed }, 3)]!++
    fits(counts, distribution(logits, params))
  })
})

describe('the device sampler', () => {
  let engine: RunningEngine
  beforeAll(async () => {
    engine = await startBigram()
  }, 120_000)
  afterAll(() => engine.close())

  async function tokensFrom(first: number, sampling: SamplingParams, maxNewTokens: number): Promise<number[]> {
    const tokens: number[] = []
    const request = { prompt: [first], maxNewTokens, sampling, stop: [trap] }
    for await (const e of engine.generate(request)) if (e.type === 'token') tokens.push(e.token)
    return tokens
  }

  const all = [
    ...settings,
    { temperature: 0 },
    { temperature: 1, topK: 1 },
    { temperature: 0.05 },
    { temperature: 1, topP: 1e-9 },
  ]
  it.each(all)('chooses what the reference chooses: %j', async (params) => {
    for (const seed of [1, 2n ** 63n + 12345n]) {
      const sampling = { ...params, seed }
      const tokens = await tokensFrom(3, sampling, 150)
      let last = 3
      const expected = tokens.map((token, i) => {
        const chosen = sampleReference(logitsAfter(last), sampling, 1 + i)
        last = token
        return chosen
      })
      expect(tokens).toEqual(expected)
    }
  })

  it('follows the exact distribution over many seeds', async () => {
    const params = { temperature: 1.1, topP: 0.9 }
    const counts = Array.from({ length: validIds }, () => 0)
    for (let seed = 0; seed < 3000; seed++) counts[(await tokensFrom(11, { ...params, seed }, 1))[0]!]!++
    fits(counts, distribution(logitsAfter(11), params))
  })
})
