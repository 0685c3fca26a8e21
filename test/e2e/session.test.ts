/** What a caller of a session can rely on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GenerationEvent } from '../../runtime/decode/text-events.ts'
import type { GenerateOptions, Session } from '../../runtime/session/open-model.ts'
import { openNano, prompts } from '../support/run-nano.ts'

let session: Session
beforeAll(async () => {
  session = await openNano({ ctx: 256 })
}, 180_000)
afterAll(() => session.close())

const prompt = prompts[0]!
async function events(options: Omit<GenerateOptions, 'prompt'> & Partial<GenerateOptions>): Promise<GenerationEvent[]> {
  const out: GenerationEvent[] = []
  for await (const e of session.generate({ prompt, ...options } as GenerateOptions)) out.push(e)
  return out
}
const text = (list: readonly GenerationEvent[]) => list.map((e) => e.text).join('')
const code = (error: unknown) => (error as { diagnostics: { code: string }[] }).diagnostics.map((d) => d.code)

describe('generation', { timeout: 60_000 }, () => {
  it('streams text that adds up to the decoding of its tokens', async () => {
    const list = await events({ maxTokens: 40 })
    const ids = list.flatMap((e) => (e.type === 'text' ? e.tokenIds : []))
    expect(text(list)).toBe(session.tokenizer.decode(ids, { skipSpecial: true }))
    expect(list.at(-1)).toMatchObject({ type: 'end', reason: 'length', stats: { tokens: 40 } })
  })

  it('ends before a stop string, wherever tokens cut it', async () => {
    const whole = text(await events({ maxTokens: 40 }))
    const stop = whole.slice(9, 14)
    const list = await events({ maxTokens: 40, stop: [stop] })
    expect(text(list)).toBe(whole.slice(0, whole.indexOf(stop)))
    expect(list.at(-1)).toMatchObject({ type: 'end', reason: 'stop', stop })
  })

  it('gives the same text for the same seed and another for another', async () => {
    const sampled = async (seed: number) => text(await events({ maxTokens: 30, temperature: 1.5, seed }))
    const [a, b, c] = [await sampled(1), await sampled(1), await sampled(2)]
    expect(a).toBe(b)
    expect(a).not.toBe(c)
  })

  it('is greedy with top-k 1 whatever the temperature', async () => {
    expect(text(await events({ maxTokens: 20, temperature: 2, topK: 1, seed: 5 }))).toBe(
      text(await events({ maxTokens: 20 })),
    )
  })

  it('stops when its signal is aborted, and goes on with the next', async () => {
    const abort = new AbortController()
    const list: GenerationEvent[] = []
    for await (const e of session.generate({ prompt, ignoreEnd: true, signal: abort.signal })) {
      list.push(e)
      if (list.length === 3) abort.abort()
    }
    expect(list.at(-1)).toMatchObject({ type: 'end', reason: 'cancel' })
    expect(list.length).toBeLessThan(100)
    expect(await session.complete({ prompt, maxTokens: 3 })).toMatchObject({ reason: 'length' })
  })

  it('is cancelled by leaving the loop', async () => {
    for await (const _ of session.generate({ prompt, ignoreEnd: true })) break
    expect((await session.complete({ prompt, maxTokens: 3 })).tokenIds).toHaveLength(3)
  })

  it('ends where the context does', async () => {
    const { reason, tokenIds, stats } = await session.complete({ prompt, ignoreEnd: true })
    expect(reason === 'context' || reason === 'length').toBe(true)
    expect(stats.promptTokens + tokenIds.length).toBeGreaterThanOrEqual(256)
    expect(stats.promptTokens + tokenIds.length).toBeLessThanOrEqual(257)
  })

  it('answers messages through the chat template', async () => {
    const messages = [{ role: 'user', content: 'Write a function that adds two numbers.' }]
    const ids = session.encode({ messages })
    expect(session.tokenizer.decode(ids)).toContain('<|im_start|>user\n')
    const answer = await session.complete({ messages, maxTokens: 100 })
    expect(answer.text).not.toContain('<|im_end|>')
    expect(answer.text.length).toBeGreaterThan(0)
  })

  it('serves generations one after the other, in order', async () => {
    const ends: number[] = []
    await Promise.all(
      [5, 1, 3].map(async (n) => ends.push((await session.complete({ prompt, maxTokens: n })).tokenIds.length)),
    )
    expect(ends).toEqual([5, 1, 3])
  })
})

describe('refusals', () => {
  it('of a prompt longer than the context', async () => {
    const tokens = Array.from({ length: 257 }, () => 300)
    const error = await session.complete({ tokens }).catch((e: unknown) => e)
    expect(code(error)).toEqual(['TILE6103'])
    expect(String(error)).toContain('257 tokens; the context holds 256')
  })

  it.each<[string, Partial<GenerateOptions>]>([
    ['TILE6101', { temperature: -1 }],
    ['TILE6101', { topP: 0 }],
    ['TILE6101', { topK: 1.5 }],
    ['TILE6101', { minP: 2 }],
    ['TILE6101', { maxTokens: 0 }],
    ['TILE6101', { stop: [''] }],
    ['TILE6101', { tokens: [99999] }],
    ['TILE6102', { tokens: [] }],
  ])('%s for %j', async (expected, options) => {
    const error = await session.complete({ prompt, ...options } as GenerateOptions).catch((e: unknown) => e)
    expect(code(error)).toEqual([expected])
  })
})

describe('a dying engine', { timeout: 120_000 }, () => {
  it('fails the generation by name, and the next one works', async () => {
    const before = await session.complete({ prompt, maxTokens: 5 })
    const running = (async () => {
      for await (const e of session.generate({ prompt, ignoreEnd: true })) {
        if (e.type === 'text' && session.pid !== undefined) process.kill(session.pid, 'SIGKILL')
      }
    })()
    expect(code(await running.catch((e: unknown) => e))).toEqual(['TILE6010'])
    expect((await session.complete({ prompt, maxTokens: 5 })).tokenIds).toEqual(before.tokenIds)
  })
})
