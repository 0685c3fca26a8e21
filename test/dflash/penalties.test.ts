/** Penalties, biases and log probabilities: the device's tokens equal the reference's one by one. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { RunningEngine } from '../../runtime/engine/engine.ts'
import { sampleReference } from '../../runtime/engine/sampler-reference.ts'
import type { LogProbs, SamplingParams } from '../../runtime/engine/wire.ts'
import { logitsAfter, startBigram, trap } from '../engine/bigram.ts'

vi.setConfig({ testTimeout: 60_000 })

let engine: RunningEngine
beforeAll(async () => {
  engine = await startBigram()
}, 120_000)
afterAll(() => engine.close())

async function generate(prompt: readonly number[], sampling: SamplingParams, count: number, logprobs?: number) {
  const tokens: number[] = []
  const told: LogProbs[] = []
  const request = { prompt, maxNewTokens: count, sampling, stop: [trap], ...(logprobs !== undefined && { logprobs }) }
  for await (const e of engine.generate(request)) {
    if (e.type !== 'token') continue
    tokens.push(e.token)
    if (e.logprobs) told.push(e.logprobs)
  }
  return { tokens, told }
}

const bias = new Map(Array.from({ length: 300 - 11 }, (_, i) => [i, ((i * 7) % 13) - 6] as const))
const settings: readonly SamplingParams[] = [
  { repetitionPenalty: 1.3 },
  { presencePenalty: 0.8 },
  { frequencyPenalty: 0.6 },
  { repetitionPenalty: 0.7, frequencyPenalty: -0.3, temperature: 0.8 },
  { logitBias: new Map([[5, 100]]) },
  { logitBias: bias, temperature: 1.2, topP: 0.9 },
  {
    repetitionPenalty: 1.2,
    presencePenalty: 0.5,
    frequencyPenalty: 0.25,
    logitBias: bias,
    temperature: 1,
    topK: 30,
    topP: 0.95,
    minP: 0.01,
  },
]

describe('penalties and bias', () => {
  it.each(settings)('choose what the reference chooses: %j', async (params) => {
    const prompt = [3, 17, 3, 250, 9, 9, 9, 41, 2, 100, 7]
    for (const seed of [1, 99]) {
      const sampling = { ...params, seed }
      const { tokens } = await generate(prompt, sampling, 120)
      const generated: number[] = []
      let last = prompt.at(-1)!
      for (const [i, token] of tokens.entries()) {
        const history = { prompt, generated }
        expect(token, `token ${i}`).toBe(sampleReference(logitsAfter(last), sampling, prompt.length + i, history))
        generated.push(token)
        last = token
      }
    }
  })

  it('do not outlive their request', async () => {
    const plain = (await generate([5], { temperature: 1, seed: 4 }, 60)).tokens
    await generate([5, 6, 7], { frequencyPenalty: 2, repetitionPenalty: 2, logitBias: bias }, 60)
    expect((await generate([5], { temperature: 1, seed: 4 }, 60)).tokens).toEqual(plain)
    const first = (await generate([5], { frequencyPenalty: 1, temperature: 1 }, 60)).tokens
    expect((await generate([5], { frequencyPenalty: 1, temperature: 1 }, 60)).tokens).toEqual(first)
  })
})

describe('log probabilities', () => {
  const exact = (token: number): number[] => {
    const logits = logitsAfter(token)
    const largest = Math.max(...logits)
    const total = Math.log(logits.reduce((sum, z) => sum + Math.exp(z - largest), 0))
    return logits.map((z) => z - largest - total)
  }

  it.each([0, 1, 5, 20])('are those of the model, with the %i likeliest in order', async (count) => {
    const { tokens, told } = await generate([8], { temperature: 0.9, frequencyPenalty: 1 }, 50, count)
    expect(told).toHaveLength(tokens.length)
    let last = 8
    for (const [i, { logprob, top }] of told.entries()) {
      const wanted = exact(last)
      const order = wanted.map((_, id) => id).sort((a, b) => wanted[b]! - wanted[a]! || a - b)
      expect(logprob).toBeCloseTo(wanted[tokens[i]!]!, 5)
      expect(top.map((t) => t.token)).toEqual(order.slice(0, count))
      for (const t of top) expect(t.logprob).toBeCloseTo(wanted[t.token]!, 5)
      last = tokens[i]!
    }
  })

  it('have a digest of all logits, which follow from the token before', async () => {
    const digests = new Map<number, string>()
    for (const sampling of [
      { temperature: 1.1, seed: 3 },
      { temperature: 0.9, seed: 4, frequencyPenalty: 1 },
    ]) {
      const { tokens, told } = await generate([8], sampling, 80, 0)
      for (const [i, { digest }] of told.entries()) {
        const last = tokens[i - 1] ?? 8
        expect(digests.get(last) ?? digest).toBe(digest)
        digests.set(last, digest)
      }
    }
    expect(new Set(digests.values()).size).toBe(digests.size)
  })
})

describe('what is refused', () => {
  it('names the value', async () => {
    const bad = { repetitionPenalty: 0, presencePenalty: 101, logitBias: new Map([[9999, 1]]) }
    const message = await generate([1], bad, 1, 21).then(
      () => '',
      (e: Error) => e.message,
    )
    for (const text of ['repetitionPenalty is 0', 'presencePenalty is 101', 'token 9999', 'logprobs is 21'])
      expect(message).toContain(text)
    const many = new Map(Array.from({ length: 301 }, (_, i) => [i % 301, 0]))
    await expect(generate([1], { logitBias: many }, 1)).rejects.toThrow(/301 logit biases; at most 300/)
  })
})
