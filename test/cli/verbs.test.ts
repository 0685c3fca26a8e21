/** The verbs that work on models: what they print, what they write, what they never do. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ctx, prompts } from '../support/run-nano.ts'
import { tilec } from '../support/terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'tilec-verbs-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('compile --emit-only', () => {
  it('prints roles, ledgers and phases, and writes the three files', async () => {
    const to = join(folder, 'nano')
    const { status, out } = await tilec(['compile', 'nano', '--target', 'host', '--gpus', '2', '--emit-only', '-o', to])
    expect(status).toBe(0)
    for (const text of ['Roles of an SM', 'Shared memory of an SM', 'registers:', 'expert.up', 'floor', 'a round:']) {
      expect(out).toContain(text)
    }
    expect(readFileSync(join(to, 'engine.cu'), 'utf8')).toContain('TILE_ROLE void role_compute')
    expect(JSON.parse(readFileSync(join(to, 'manifest.json'), 'utf8'))).toHaveLength(2)
    expect(existsSync(join(to, 'engine'))).toBe(false)
  })

  it('gives the same figures as JSON', async () => {
    const { out } = await tilec(['compile', 'nano', '--target', 'sm_90a', '--emit-only', '--json'])
    const report = JSON.parse(out)
    expect(report).toMatchObject({ target: 'sm_90a', ranks: 1, sms: 132 })
    expect(report.registers.used).toBeLessThanOrEqual(report.registers.limit)
    expect(report.shared.used).toBeLessThanOrEqual(report.shared.limit)
    const streamed = report.phases.reduce(
      (n: number, p: { runs: number; rowBytes: number }) => n + p.runs * p.rowBytes,
      0,
    )
    expect(report.round.rowBytes).toBe(streamed)
    expect(report.round.blockBytes).toBeGreaterThan(report.round.rowBytes)
  })

  it('counts the experts that a block touches, not all of them', async () => {
    const { out } = await tilec(['compile', 'nano', '--target', 'host', '--emit-only', '--json'])
    const up = JSON.parse(out).phases.find((p: { phase: string }) => p.phase === 'expert.up')
    expect(up.rowBytes / up.weightBytes).toBeCloseTo(4 / 16, 5)
    expect(up.blockBytes / up.weightBytes).toBeCloseTo(1 - (1 - 4 / 16) ** 8, 5)
  })
})

describe('inspect', () => {
  it.each([
    ['graph', 'graph mimo'],
    ['shard', 'allReduce'],
    ['tile', 'segment sliding_experts'],
    ['plan', 'role compute'],
    ['source', '#include "tile.h"'],
  ])('shows the %s', async (level, text) => {
    const { status, out } = await tilec(['inspect', 'nano', '--at', level, '--gpus', '2', '--target', 'host'])
    expect(status).toBe(0)
    expect(out).toContain(text)
  })

  it('writes a page that loads nothing', async () => {
    const file = join(folder, 'nano.html')
    expect((await tilec(['inspect', 'nano', '--target', 'host', '--html', file])).status).toBe(0)
    const html = readFileSync(file, 'utf8')
    expect(html.match(/<svg /g)).toHaveLength(2)
    expect(html).not.toMatch(/<script|<link|<img|https?:\/\/(?!www\.w3\.org)/)
    for (const text of ['expert.up', 'load: 1 warp', 'segment sliding_experts']) expect(html).toContain(text)
  })

  it('says why a page cannot be written', async () => {
    const { status, err } = await tilec([
      'inspect',
      'nano',
      '--target',
      'host',
      '--html',
      join(folder, 'no', 'page.html'),
    ])
    expect(status).toBe(1)
    expect(err).toContain('TILE5110')
  })
})

describe('check', () => {
  it('tries every target', async () => {
    const { status, out } = await tilec(['check', 'nano'])
    expect(status).toBe(0)
    expect(out).toMatch(/^host, 1 rank: ok/m)
    expect(out).toMatch(/^sm_90a, 1 rank: ok/m)
  })
  it('tells editors', async () => {
    const { status, out, err } = await tilec(['check', 'nano', '--gpus', '5', '--json'])
    expect(status).toBe(1)
    expect(err).toBe('')
    expect(JSON.parse(out)).toMatchObject({ ok: false, diagnostics: [{ code: 'TILE5108', severity: 'error' }] })
  })
})

describe('run', () => {
  const nano = ['run', 'nano', '--target', 'host', '--ctx', `${ctx}`]

  it('streams text to stdout and says what it did on stderr', { timeout: 180_000 }, async () => {
    const { status, out, err } = await tilec([...nano, prompts[0]!, '--max-tokens', '12'])
    expect(status).toBe(0)
    expect(out.startsWith(prompts[0]!)).toBe(true)
    expect(out.length).toBeGreaterThan(prompts[0]!.length + 5)
    expect(err).toMatch(/12 tokens in .* tok\/s, ended by length; host/)
    expect(err).not.toContain('\r')
  })

  it('gives one object with --json', { timeout: 180_000 }, async () => {
    const { out } = await tilec([...nano, prompts[0]!, '--max-tokens', '12', '--json'])
    const result = JSON.parse(out)
    expect(result).toMatchObject({ tokens: 12, reason: 'length' })
    expect(result.tokenIds).toHaveLength(12)
    expect(result.seconds).toBeGreaterThan(0)
    expect(result.tokensPerSecond).toBeGreaterThan(0)
    const again = await tilec([...nano, prompts[0]!, '--max-tokens', '12'])
    expect(again.out).toBe(`${prompts[0]}${result.text}\n`)
  })

  it('shows what it is doing on a terminal only', { timeout: 180_000 }, async () => {
    const { err } = await tilec([...nano, 'x', '--max-tokens', '2'], { tty: true })
    expect(err).toContain('\r')
    expect(err).toMatch(/building the engine for host/)
  })

  it('samples, stops and chats', { timeout: 180_000 }, async () => {
    const sampled = async (seed: string) =>
      (
        await tilec([
          ...nano,
          prompts[0]!,
          '--max-tokens',
          '20',
          '--temperature',
          '1.2',
          '--top-p',
          '0.9',
          '--seed',
          seed,
          '--json',
        ])
      ).out
    expect(JSON.parse(await sampled('3')).tokenIds).toEqual(JSON.parse(await sampled('3')).tokenIds)
    const { out } = await tilec([...nano, prompts[0]!, '--max-tokens', '50', '--stop', ';', '--json'])
    expect(JSON.parse(out).text).not.toContain(';')
    const chat = await tilec([...nano, '--chat', 'Write a function.', '--system', 'Be brief.', '--max-tokens', '5'])
    expect(chat).toMatchObject({ status: 0 })
  })

  it('refuses a prompt that is longer than the context', { timeout: 180_000 }, async () => {
    const { status, err } = await tilec([...nano, 'word '.repeat(ctx + 200)])
    expect(status).toBe(1)
    expect(err).toContain('TILE6103')
  })

  it('ends with 130 when it is interrupted', { timeout: 180_000 }, async () => {
    const interrupt = new AbortController()
    let pieces = 0
    const onOut = () => void (++pieces === 4 && interrupt.abort())
    const { status } = await tilec([...nano, prompts[3]!, '--max-tokens', '400'], { signal: interrupt.signal, onOut })
    expect(status).toBe(130)
    expect(pieces).toBeLessThan(200)
  })
})
