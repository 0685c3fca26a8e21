/** The first ranks of several: the plan of all ranks, peers stood in for, rounds of the rows and the depth that were asked for. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { startEngine } from '../../runtime/engine/engine.ts'
import { writeLoadPlan } from '../../runtime/engine/load-plan.ts'
import { madeUp, measureRank, openRank, type RankOptions } from '../../runtime/session/bench-rank.ts'
import { buildModel } from '../../runtime/session/build-model.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { cutModel } from '../../runtime/session/cut-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { nanoSchedule } from '../support/nano-engine.ts'
import { buildQuickly } from '../support/quick-builds.ts'
import { tilec } from '../support/terminal.ts'

vi.setConfig({ testTimeout: 240_000 })
buildQuickly()

const folder = mkdtempSync(join(tmpdir(), 'tilec-rank-'))
afterAll(() => rmSync(folder, { recursive: true }))

const rank = (ranks: number, options: Partial<RankOptions> = {}): RankOptions => ({
  model: 'nano',
  target: 'host',
  ranks: { present: 1, ranks },
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
    const { runs, digest } = await measureRank(bench, options)
    return { ready: bench.engine.ready, rounds: runs.flat(), plan: bench.compiled.plan, digest }
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

  it('attends to numbers, not to zeros, where nobody has computed the context', async () => {
    const digest = async (context: number, caches: string): Promise<string | undefined> => {
      const options = { drafter: 'none' as const, layers: 2, context, digest: true }
      return (await rounds(rank(2, { ...options, engineArgs: ['--made-up-caches', caches] }))).digest
    }
    const [made, again, zeros] = [await digest(40, '1'), await digest(40, '1'), await digest(40, '0')]
    expect(again).toBe(made)
    expect(zeros).not.toBe(made)
    // Behind a context of one position there is nothing to make up.
    expect(await digest(1, '1')).toBe(await digest(1, '0'))
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
    expect(await code(openRank(rank(2, { ranks: { present: 3, ranks: 4 } })))).toBe('TILE5112')
    expect(await code(openRank(rank(2, { ctx: 48 })))).toBe('TILE5112')
    expect(await code(openRank(rank(2, { layers: 7 })))).toBe('TILE5108')
    expect(await code(openRank(rank(2, { routing: 1000 })))).toBe('TILE5112')
  })
})

/** The digest of rounds of all ranks, where rank r has the weights of rank r % `different`. */
async function digestOfTwins(options: RankOptions, different: number): Promise<string | undefined> {
  const { ranks } = options.ranks
  const resolved = cutModel(resolveModel(options), options.layers)
  const compiled = compileModel(resolved, { target: 'host', gpus: ranks, ctx: options.ctx! })
  const twins = compiled.manifest.map((_, r) => compiled.manifest[r % different]!)
  const engine = await startEngine({
    executable: (await buildModel(compiled, 'host', {})).executable,
    loadPlan: writeLoadPlan(twins, madeUp(compiled, resolved, options.routing)),
    ctx: options.ctx!,
    vocabulary: compiled.plan.vocabulary.whole,
    args: ['--made-up-caches', '1'],
  })
  try {
    return (await measureRank({ engine, compiled, block: resolved.drafter?.built.block.rows }, options)).digest
  } finally {
    await engine.close()
  }
}

describe('some ranks of several', () => {
  const some = (present: number, options: Partial<RankOptions> = {}) =>
    rank(4, { ranks: { present, ranks: 4 }, digest: true, rounds: 2, ...options })

  it.each([1, 2, 4])('%i of 4 give the bits of 4 ranks that have the weights of those', async (present) => {
    const { digest, ready } = await rounds(some(present))
    expect(ready).toMatchObject({ ranks: 4, present })
    expect(digest).toMatch(/^[0-9a-f]{16}$/)
    expect(digest).toBe(await digestOfTwins(some(present), present))
  })

  it('and so they do where sums travel as bf16', async () => {
    const schedule = { ...nanoSchedule(), exchangeAs: { value: 'bf16' as const } }
    const options = some(2, { schedule, layers: 2, drafter: 'none' })
    const { digest } = await rounds(options)
    expect(digest).toBe(await digestOfTwins(options, 2))
    expect(digest).not.toBe((await rounds(some(2, { layers: 2, drafter: 'none' }))).digest)
  })

  it.each(['exact', 'bf16'] as const)('and the same in two shots, as %s', async (as) => {
    const exchange = (value: 1 | 2) => ({ ...nanoSchedule(), exchangeAs: { value: as }, shots: { value } })
    for (const present of [1, 2, 4]) {
      const options = some(present, { schedule: exchange(2), layers: 2, drafter: 'none' })
      const { digest } = await rounds(options)
      expect([present, digest]).toEqual([present, await digestOfTwins(options, present)])
      expect(digest).toBe((await rounds({ ...options, schedule: exchange(1) })).digest)
    }
  })

  it('the same bits in any order of events, and no race', async () => {
    const { digest } = await rounds(some(2))
    for (const seed of ['3', '8']) {
      const checked = { check: true, engineArgs: ['--seed', seed] }
      expect((await rounds(some(2, checked))).digest).toBe(digest)
      const twoShots = { ...nanoSchedule(), shots: { value: 2 as const } }
      expect((await rounds(some(2, { ...checked, schedule: twoShots }))).digest).toBe(digest)
    }
  })

  it('as the control, too', async () => {
    expect((await rounds(some(2, { engine: 'graph' }))).digest).toBe((await rounds(some(2))).digest)
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

  it('runs several ranks, or all, and prints the same digest twice', async () => {
    const two = words.map((w) => (w === '0/2' ? '0-1/4' : w))
    const { out } = await tilec([...two, '--target', 'host', '--digest'])
    expect(out).toContain('ranks 0-1 of 4, without the others, on host')
    expect(out).toContain('SYNTHETIC weights, peers and acceptance')
    expect(out).toMatch(/weights: [\d.]+ MiB made in \d+\.\d s, [\d.]+ [MG]iB a second/)
    const [, digest] = /digest of the logits of all rounds: ([0-9a-f]{16})/.exec(out) ?? []
    const again = await tilec([...two, '--target', 'host', '--digest', '--json'])
    expect(JSON.parse(again.out)).toMatchObject({ present: 2, ranks: 4, digest })
    const all = words.filter((w) => !['--rank', '0/2'].includes(w))
    const full = await tilec([...all, '--gpus', '2', '--target', 'host', '--synthetic-acceptance', '7.5'])
    expect(full.out).toContain('2 ranks on host')
    expect(full.out).toContain('[SYNTHETIC weights and acceptance:')
    expect(full.out.match(/\d\.\d\d(?= tokens a round)/g)).toEqual(['7.50', '6.30', '5.56', '4.29'])
  })

  it.each([
    [['--rank', '2-3/8'], 'ranks 2-3 of 8', '0/8, 0-1/8, 0-3/8, 0-7/8'],
    [['--rank', '0-2/4'], 'ranks 0-2 of 4', '0/4, 0-1/4, 0-3/4'],
    [['--rank', '0-1/4', '--gpus', '2'], 'ranks of 4 with --gpus 2', 'leave --gpus out'],
    [['--rank', '0/2', '--draft', '4'], 'rounds with --draft', '--rows'],
    [['--rank', '0/2', '--synthetic-acceptance', '9'], '9 tokens from a round of 8 rows', '1 to 8'],
  ])('refuses %j', async (given, what, help) => {
    const { status, err } = await tilec(['bench', 'nano', '--synthetic-weights', ...given])
    expect(status).toBe(1)
    expect(err).toContain(`TILE5112`)
    expect(err).toContain(what)
    expect(err).toContain(help)
  })

  it.each(['--layers', '--context', '--rows', '--rounds'])('text has no %s', async (option) => {
    const { status, err } = await tilec(['bench', 'nano', option, '2'])
    expect(status).toBe(1)
    expect(err).toContain(`TILE5112`)
    expect(err).toContain(`text with ${option}`)
    expect(err).toContain('--synthetic-weights')
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
      expect(JSON.parse(out)).toMatchObject({ target: 'host', present: 1, ranks: 2, rows: 8, layers: 6, runs: 1 })
    } finally {
      process.env.PATH = path
    }
    expect((await tilec([...words, '--engine-folder', to, '--layers', '2', '--drafter', 'none'])).err).toContain(
      'TILE5113',
    )
    const text = ['bench', 'nano', '--gpus', '2', '--prompt-tokens', '9', '--output-tokens', '4', '--repeat', '1']
    process.env.PATH = '/nowhere'
    try {
      const { out, err } = await tilec([...text, '--warmup', '0', '--engine-folder', to, '--json'])
      expect(err).not.toContain('TILE')
      expect(JSON.parse(out)).toMatchObject({ target: 'host', ranks: 2, synthetic: [], outputTokens: 4, runs: 1 })
    } finally {
      process.env.PATH = path
    }
    const other = await tilec([...text, '--engine-folder', to, '--drafter', 'none'])
    expect(other.err).toContain('TILE5113')
    const record = JSON.parse(readFileSync(join(to, 'engine.json'), 'utf8'))
    writeFileSync(join(to, 'engine.json'), JSON.stringify({ ...record, headers: 'others' }))
    expect((await tilec([...words, '--engine-folder', to])).err).toContain('other device headers')
    expect((await tilec([...words, '--engine-folder', folder])).err).toContain('TILE5113')
    expect((await tilec([...text, '--engine-folder', folder])).err).toContain('TILE5113')
  })
})
