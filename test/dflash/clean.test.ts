/**
 * After a request has ended, whatever way and at whatever row of a block, the next one is what a fresh engine makes of it:
 * every logit of the target and of the drafter, to the bit. So the caches of both hold what a fresh prefill puts there.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { EngineRequest } from '../../runtime/engine/wire.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import type { Session } from '../../runtime/session/open-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { ctx, openNano, prompts } from '../support/run-nano.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 300_000 })

const folder = mkdtempSync(join(tmpdir(), 'tilec-clean-'))
const file = join(folder, 'rounds')
const { plan } = compileModel(resolveModel({ model: 'nano' }), { target: 'host', gpus: 1, ctx })
const buffers = ['end.head.logits', 'draft_end.head.logits'].map((name) => plan.buffers.find((b) => b.name === name)!)
const engineArgs = [...['--probe', file], ...buffers.flatMap((b) => ['--probe-range', `${b.offset}:${b.bytes}`])]
const head = 8 + 8 * 4
const recordBytes = head + buffers.reduce((n, b) => n + b.bytes, 0)

let session: Session
let first: readonly number[]
let plain: readonly number[]
let fresh: string

/** Everything that the rounds after its prompt computed, of a request whose drafter drafts. */
async function next(): Promise<string> {
  const prompt = session.encode({ prompt: prompts[5]! })
  const request = { prompt, maxNewTokens: 16, draft: { rows: 8, block: 8 } }
  truncateSync(file)
  for await (const _ of session.engineEvents(request));
  const all = readFileSync(file)
  const hash = createHash('sha256')
  let rounds = 0
  for (let at = 0; at < all.length; at += recordBytes) {
    const rows = all.readUInt32LE(at + 4)
    if (all.readInt32LE(at + 8) < prompt.length) continue
    const [target, draft] = buffers.map((b, i) => {
      const from = at + head + (i > 0 ? buffers[0]!.bytes : 0)
      return all.subarray(from, from + b.bytes)
    })
    // Rows that were not verified are of earlier rounds; a block is drafted whole.
    hash.update(all.subarray(at + 8, at + 8 + 4 * rows)).update(target!.subarray(0, (target!.length / 8) * rows))
    hash.update(draft!)
    rounds++
  }
  expect(rounds).toBeGreaterThan(2)
  return `${rounds} ${hash.digest('hex')}`
}

beforeAll(async () => {
  session = await openNano({ engineArgs })
  first = session.encode({ prompt: prompts[0]! })
  // The file is there once a round has run; the engine that tells what is right starts anew.
  await session.complete({ tokens: first, maxTokens: 2 })
  await session.close()
  session = await openNano({ engineArgs })
  fresh = await next()
  plain = (await session.complete({ tokens: first, maxTokens: 40, draft: 'off', ignoreEnd: true })).tokenIds
})
afterAll(async () => {
  await session?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a request to its end, or cancels it after so many rounds. */
async function end(request: Partial<EngineRequest>, cancelAfter?: number): Promise<string | undefined> {
  const cancel = new AbortController()
  let [rounds, reason] = [0, undefined as string | undefined]
  const draft = { rows: 8, block: 8, predicted: plain }
  const whole = { prompt: first, maxNewTokens: 40, draft, ...request }
  for await (const e of session.engineEvents(whole, cancel.signal)) {
    if (e.type === 'round' && ++rounds === cancelAfter) cancel.abort()
    if (e.type === 'end') reason = e.reason
  }
  return reason
}

it('a fresh engine agrees with itself', async () => {
  expect(await next()).toBe(fresh)
})

it.each([0, 1, 2, 3, 4, 5, 6, 7])('after an end at row %i: by length, end token, stop id', async (row) => {
  expect(await end({ maxNewTokens: 10 + row })).toBe('length')
  expect(await next()).toBe(fresh)
  const place = plain.findIndex((t, i) => i >= 9 + row && !plain.slice(0, i).includes(t))
  const lead = place - (9 + row)
  const draft = { rows: 8, block: 8, predicted: plain.slice(lead) }
  const rest = { prompt: [...first, ...plain.slice(0, lead)], draft }
  for (const kind of ['eos', 'stop'] as const) {
    expect(await end({ ...rest, [kind]: [plain[place]!] })).toBe(kind)
    expect(await next()).toBe(fresh)
  }
})

it.each([1, 2, 3, 4, 5])('after a request that was cancelled in round %i', async (round) => {
  const wrongNowAndThen = plain.map((t, i) => (i % 3 === 2 ? (t + 1) % 4000 : t))
  const draft = { rows: 4, block: 8, predicted: wrongNowAndThen }
  expect(await end({ maxNewTokens: 300, draft }, round)).toBe('cancel')
  expect(await next()).toBe(fresh)
})

it('after one whose prompt was cancelled half way, and one without a drafter', async () => {
  const long = Array.from({ length: ctx - 20 }, (_, i) => 100 + (i % 900))
  const cancel = new AbortController()
  const events = session.engineEvents({ prompt: long, maxNewTokens: 4, draft: { rows: 8, block: 8 } }, cancel.signal)
  setTimeout(() => cancel.abort(), 30)
  for await (const _ of events);
  expect(await next()).toBe(fresh)
  await session.complete({ tokens: long, maxTokens: 12, draft: 'off', ignoreEnd: true })
  expect(await next()).toBe(fresh)
})
