/** One rank of several, alone: the plan of all ranks, peers stood in for, rounds of the rows and the depth that were asked for. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { measureRank, openRank, type RankOptions } from '../../runtime/session/bench-rank.ts'
import { tilec } from '../support/terminal.ts'

process.env.TILEC_CACHE ??= join(tmpdir(), 'tilec-test-cache')
vi.setConfig({ testTimeout: 240_000 })

const folder = mkdtempSync(join(tmpdir(), 'tilec-rank-'))
afterAll(() => rmSync(folder, { recursive: true }))

const rank = (ranks: number, options: Partial<RankOptions> = {}): RankOptions => ({
  model: 'nano',
  target: 'host',
  rank: { rank: 0, ranks },
  ctx: 128,
  context: 40,
  rows: 8,
  routing: 'uniform',
  rounds: 3,
  warmup: 0,
  repeat: 1,
  ...options,
})

async function rounds(options: RankOptions) {
  const bench = await openRank(options)
  try {
    const { runs } = await measureRank(bench, options)
    return { ready: bench.engine.ready, rounds: runs.flat(), plan: bench.compiled.plan }
  } finally {
    await bench.engine.close()
  }
}

const code = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error) => (error instanceof DiagnosticError ? error.diagnostics.map((d) => d.code).join() : String(error)),
  )

describe('a rank alone', () => {
  it.each([
    [2, 8],
    [4, 5],
    [1, 2],
  ])('of %i runs rounds of %i rows, drafter and all', async (ranks, rows) => {
    const { rounds: done, ready, plan } = await rounds(rank(ranks, { rows }))
    expect(ready.ranks).toBe(ranks)
    expect(plan.ranks).toBe(ranks)
    expect(done.map((r) => [r.tokens, r.drafted, r.accepted])).toEqual(Array(3).fill([rows, rows - 1, rows - 1]))
    expect(done.every((r) => r.draftNs > 0 && r.draftNs < r.roundNs)).toBe(true)
  })

  it('decodes plainly with one row', async () => {
    const { rounds: done } = await rounds(rank(2, { rows: 1, rounds: 5 }))
    expect(done.map((r) => [r.tokens, r.drafted])).toEqual(Array(5).fill([1, 0]))
  })

  it('verifies what is predicted where there is no drafter', async () => {
    const { rounds: done } = await rounds(rank(2, { drafter: 'none', layers: 2, rows: 3 }))
    expect(done.map((r) => [r.tokens, r.drafted, r.accepted])).toEqual(Array(3).fill([3, 2, 2]))
  })

  it('survives shuffled delivery and the race check', async () => {
    const { rounds: done } = await rounds(
      rank(2, { check: true, engineArgs: ['--seed', '5'], layers: 2, rounds: 2, drafter: 'none' }),
    )
    expect(done).toHaveLength(2)
  })

  it('is refused where it could not decide rounds, or has no room', async () => {
    expect(await code(openRank(rank(2, { rank: { rank: 1, ranks: 2 } })))).toBe('TILE5112')
    expect(await code(openRank(rank(2, { ctx: 48 })))).toBe('TILE5112')
    expect(await code(openRank(rank(2, { layers: 7 })))).toBe('TILE5108')
    expect(await code(openRank(rank(2, { routing: 1000 })))).toBe('TILE5112')
  })
})

describe('tilec bench --rank', () => {
  const words = [
    'bench',
    'nano',
    '--rank',
    '0/2',
    '--synthetic-weights',
    '--rounds',
    '2',
    '--repeat',
    '1',
    '--context',
    '9',
    '--ctx',
    '128',
  ]

  it('says what it measured and that it means nothing as text', async () => {
    const { status, out } = await tilec([...words, '--target', 'host', '--rows', '8'])
    expect(status).toBe(0)
    expect(out).toContain('rank 0 of 2 alone on host: 6 layers and the drafter')
    expect(out).toContain('SYNTHETIC weights, peers and acceptance')
    expect(out).toMatch(/6\.30 tokens a round \/ [\d.]+ ms = \d+ tokens a second/)
  })

  it('wants to hear that weights are made up', async () => {
    const { status, err } = await tilec(['bench', 'nano', '--rank', '0/2'])
    expect(status).toBe(1)
    expect(err).toContain('TILE5112')
  })

  it('takes an engine that was built before, and no other', async () => {
    const to = join(folder, 'engine')
    const built = await tilec(['compile', 'nano', '--target', 'host', '--gpus', '2', '--ctx', '128', '-o', to])
    expect(built.out).toContain('engine.json')
    const path = process.env.PATH
    process.env.PATH = '/nowhere'
    try {
      const { out, err } = await tilec([...words, '--engine-folder', to, '--json'])
      expect(err).not.toContain('TILE')
      expect(JSON.parse(out)).toMatchObject({ target: 'host', rank: 0, ranks: 2, rows: 8, layers: 6, runs: 1 })
    } finally {
      process.env.PATH = path
    }
    expect((await tilec([...words, '--engine-folder', to, '--layers', '2', '--drafter', 'none'])).err).toContain(
      'TILE5113',
    )
    const record = JSON.parse(readFileSync(join(to, 'engine.json'), 'utf8'))
    writeFileSync(join(to, 'engine.json'), JSON.stringify({ ...record, headers: 'others' }))
    expect((await tilec([...words, '--engine-folder', to])).err).toContain('other device headers')
    expect((await tilec([...words, '--engine-folder', folder])).err).toContain('TILE5113')
  })
})
