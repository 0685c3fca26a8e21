/**
 * The engine as its callers know it: streaming, ends of requests, cancelling, and every way of dying.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { type EngineEvent, type RunningEngine, startEngine } from '../../runtime/engine/engine.ts'
import { writeLoadPlan } from '../../runtime/engine/load-plan.ts'
import type { EngineRequest } from '../../runtime/engine/wire.ts'
import { bigramOptions, ctx, logitsAfter, startBigram, tableManifest, trap, vocabulary } from './bigram.ts'

vi.setConfig({ testTimeout: 60_000 })

const engines: RunningEngine[] = []
async function start(...args: Parameters<typeof startBigram>): Promise<RunningEngine> {
  const engine = await startBigram(...args)
  engines.push(engine)
  return engine
}
beforeAll(() => bigramOptions(), 120_000)
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close()
})

async function collect(events: AsyncIterable<EngineEvent>) {
  const tokens: number[] = []
  let end: Extract<EngineEvent, { type: 'end' }> | undefined
  for await (const e of events) {
    if (e.type === 'token') tokens.push(e.token)
    if (e.type === 'end') end = e
  }
  return { tokens, reason: end?.reason, stats: end?.stats }
}

function greedy(first: number, count: number): number[] {
  const tokens: number[] = []
  for (let last = first; tokens.length < count; ) {
    const logits = logitsAfter(last)
    last = logits.indexOf(Math.max(...logits))
    tokens.push(last)
  }
  return tokens
}

const codes = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error) => {
      if (!(error instanceof DiagnosticError)) throw error
      return error.message
    },
  )

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('requests', () => {
  it('continues a prompt of any length: blocks of eight rows, then one row a round', async () => {
    const engine = await start()
    for (const length of [1, 7, 8, 9, 16, 21]) {
      const prompt = Array.from({ length }, (_, i) => i + 1)
      const { tokens, reason, stats } = await collect(engine.generate({ prompt, maxNewTokens: 12 }))
      expect(tokens).toEqual(greedy(length, 12))
      expect(reason).toBe('length')
      expect(stats).toMatchObject({ promptTokens: length, tokens: 12, rounds: 12 })
    }
  })

  it('ends at eos, at a stop id, and when the context is full', async () => {
    const engine = await start()
    const tokens = greedy(5, 6)
    const at = (extra: Partial<EngineRequest>) => collect(engine.generate({ prompt: [5], maxNewTokens: 100, ...extra }))
    expect(await at({ eos: [tokens[3]!] })).toMatchObject({ tokens: tokens.slice(0, 4), reason: 'eos' })
    expect(await at({ eos: [trap], stop: [1, tokens[2]!] })).toMatchObject({
      tokens: tokens.slice(0, 3),
      reason: 'stop',
    })
    const prompt = Array.from({ length: ctx - 2 }, (_, i) => i % 250)
    expect(await collect(engine.generate({ prompt, maxNewTokens: 100 }))).toMatchObject({
      tokens: greedy(prompt.at(-1)!, 3),
      reason: 'context',
    })
  })

  it('queues requests and answers them in order', async () => {
    const engine = await start()
    const answers = await Promise.all(
      [1, 2, 3, 4].map((t) => collect(engine.generate({ prompt: [t], maxNewTokens: 5 }))),
    )
    expect(answers.map((a) => a.tokens)).toEqual([1, 2, 3, 4].map((t) => greedy(t, 5)))
  })

  it('cancels on abort and on leaving the loop, and goes on with the next request', async () => {
    const engine = await start()
    const endless = { prompt: [1], maxNewTokens: ctx, sampling: { temperature: 1, topK: 2 } }
    const controller = new AbortController()
    let seen = 0
    let reason: string | undefined
    for await (const e of engine.generate(endless, { signal: controller.signal })) {
      if (e.type === 'token' && ++seen === 10) controller.abort()
      if (e.type === 'end') reason = e.reason
    }
    expect(reason).toBe('cancel')
    for await (const e of engine.generate(endless)) if (e.type === 'token') break
    const { reason: never } = await collect(engine.generate(endless, { signal: AbortSignal.abort() }))
    expect(never).toBe('cancel')
    expect(await collect(engine.generate({ prompt: [9], maxNewTokens: 3 }))).toMatchObject({ tokens: greedy(9, 3) })
  })

  it('refuses what it cannot do, naming every fault and the legal values', async () => {
    const engine = await start()
    const bad = {
      prompt: [1, 2, vocabulary],
      maxNewTokens: 0,
      sampling: { temperature: -1, topP: 0, minP: 2, topK: 1.5 },
    }
    const message = await codes(collect(engine.generate(bad)))
    for (const word of [
      'token 2 of the prompt is 300; ids are 0 to 299',
      'maxNewTokens',
      'temperature',
      'topP',
      'minP',
      'topK',
    ])
      expect(message).toContain(word)
    expect(await codes(collect(engine.generate({ prompt: [], maxNewTokens: 1 })))).toContain('the prompt is empty')
    expect(await codes(collect(engine.generate({ prompt: [295], maxNewTokens: 1 })))).toContain('not an id below 290')
    expect(await collect(engine.generate({ prompt: [9], maxNewTokens: 3 }))).toMatchObject({ tokens: greedy(9, 3) })
  })

  it('gives the same tokens when the host back end runs in any other order', async () => {
    const sampling = { temperature: 1, topP: 0.9, seed: 5 }
    const request = { prompt: [1, 2, 3, 4, 5, 6, 7, 8, 9], maxNewTokens: 40, sampling, stop: [trap] }
    const { tokens } = await collect((await start()).generate(request))
    for (const seed of ['1', '2', '3'])
      expect((await collect((await start({ args: ['--seed', seed] })).generate(request))).tokens).toEqual(tokens)
  })
})

describe('death', () => {
  it('survives kill -9: the request in hand fails, the next one works', async () => {
    const engine = await start()
    const { pid } = engine
    const lost = codes(
      (async () => {
        for await (const e of engine.generate({
          prompt: [1],
          maxNewTokens: ctx,
          sampling: { temperature: 1, topK: 2 },
        }))
          if (e.type === 'token' && e.position === 5) process.kill(pid!, 'SIGKILL')
      })(),
    )
    expect(await lost).toMatch(/TILE6010.*killed by SIGKILL/)
    expect(await collect(engine.generate({ prompt: [9], maxNewTokens: 3 }))).toMatchObject({ tokens: greedy(9, 3) })
    expect(engine.pid).not.toBe(pid)
    expect(alive(pid!)).toBe(false)
  })

  it('reports a warp that waits for ever in the words of the plan, and starts again', async () => {
    const engine = await start()
    const message = await codes(collect(engine.generate({ prompt: [1, trap], maxNewTokens: 3 })))
    expect(message).toMatch(/TILE6011.*bigram\/compute wait (trap|logits)/)
    expect(message).toMatch(/counter '(the trap|logits)': expected \d+, got \d+/)
    expect(await collect(engine.generate({ prompt: [9], maxNewTokens: 3 }))).toMatchObject({ tokens: greedy(9, 3) })
  })

  it('notices an engine that says nothing', async () => {
    const engine = await start({ silenceMs: 1500 })
    const request = codes(
      collect(engine.generate({ prompt: [1], maxNewTokens: ctx, sampling: { temperature: 1, topK: 2 } })),
    )
    process.kill(engine.pid!, 'SIGSTOP')
    expect(await request).toMatch(/TILE6012.*1.5 s/)
    expect(await collect(engine.generate({ prompt: [9], maxNewTokens: 3 }))).toMatchObject({ tokens: greedy(9, 3) })
  })

  it('leaves no process behind when it is closed, or when its parent is killed', async () => {
    const engine = await start()
    const { pid } = engine
    await engine.close()
    expect(alive(pid!)).toBe(false)
    expect(await codes(collect(engine.generate({ prompt: [1], maxNewTokens: 1 })))).toContain('TILE6014')

    const { executable } = await bigramOptions()
    const path = join(tmpdir(), `tilec-orphan-${process.pid}`)
    const script = `
      const { spawn } = require('node:child_process'), net = require('node:net'), path = ${JSON.stringify(path)}
      net.createServer(() => { console.log(child.pid); process.kill(process.pid, 'SIGKILL') }).listen(path, () => {
        child = spawn(${JSON.stringify(executable)}, [path], { stdio: 'ignore' })
      })
      let child`
    let orphan = 0
    try {
      execFileSync(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
    } catch (error) {
      orphan = Number((error as { stdout: Buffer }).stdout.toString())
    }
    rmSync(path, { force: true })
    expect(orphan).toBeGreaterThan(0)
    for (let tries = 0; alive(orphan) && tries < 100; tries++) await new Promise((r) => setTimeout(r, 20))
    expect(alive(orphan)).toBe(false)
  })
})

describe('loading', () => {
  it('refuses a truncated file and a plan of another engine, and leaves nothing running', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tilec-test-'))
    try {
      const file = join(folder, 'table.safetensors')
      const bytes = vocabulary * vocabulary * 4
      writeFileSync(file, new Uint8Array(bytes))
      const tensor = { name: 'table', shape: [vocabulary, vocabulary] }
      const stored = {
        kind: 'stored' as const,
        binding: {
          param: 'table',
          rows: vocabulary,
          columns: vocabulary,
          segments: [{ tensor: { ...tensor, dtypes: ['F32' as const] }, firstRow: 0, rows: vocabulary }],
        },
        tensors: new Map([['table', { ...tensor, file, dtype: 'F32' as const, offset: 0, bytes }]]),
      }
      const loadPlan = writeLoadPlan(tableManifest, () => stored)
      expect((await collect((await start({ loadPlan })).generate({ prompt: [9], maxNewTokens: 2 }))).tokens).toEqual([
        0, 0,
      ])
      truncateSync(file, bytes - 1)
      expect(await codes(startBigram({ loadPlan }))).toMatch(
        /TILE6003.*table.safetensors: is truncated: it has 359999 bytes/,
      )
      rmSync(file)
      expect(await codes(startBigram({ loadPlan }))).toMatch(/TILE6003.*cannot be opened/)
      expect(await codes(startBigram({ loadPlan: loadPlan.subarray(0, 100) }))).toMatch(/TILE6006/)
      const one = writeLoadPlan(tableManifest.slice(1), () => stored)
      expect(await codes(startBigram({ loadPlan: one }))).toMatch(/TILE6006.*for 1 ranks, the engine was built for 2/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('reports progress up to the end', async () => {
    const seen: [number, number][] = []
    await start({ onProgress: (loaded, total) => seen.push([loaded, total]) })
    expect(seen.at(-1)).toEqual([2 * 360_000, 2 * 360_000])
  })

  it('says so when the executable cannot run', async () => {
    const options = await bigramOptions({ executable: '/nonexistent/engine' })
    expect(await codes(startEngine(options))).toMatch(/TILE6010.*ENOENT/)
  })
})
