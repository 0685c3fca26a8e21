/** Tuning: moves change one setting, nothing is kept that computes something else, and what is written is a schedule. */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { type Axis, axes, type Move } from '../../compiler/plan/schedule-moves.ts'
import { readSchedule } from '../../dsl/schedule.ts'
import { printSchedule, type Schedule, withoutSpans } from '../../dsl/schedule-ir.ts'
import { scheduleFile } from '../../dsl/schedule-text.ts'
import type { LogProbs } from '../../runtime/engine/wire.ts'
import { type RankModel, type RankOptions, resolveRank } from '../../runtime/session/bench-rank.ts'
import { buildAhead } from '../../runtime/session/build-ahead.ts'
import { cutModel } from '../../runtime/session/cut-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import type { Candidate } from '../../runtime/session/search-schedules.ts'
import { disagreement, rankBench } from '../../runtime/session/tune.ts'
import { buildQuickly } from '../support/quick-builds.ts'
import { tilec } from '../support/terminal.ts'

vi.setConfig({ testTimeout: 300_000 })
buildQuickly()

const folder = mkdtempSync(join(tmpdir(), 'tilec-tune-'))
afterAll(() => rmSync(folder, { recursive: true }))

const read = (text: string): Schedule | undefined => readSchedule(scheduleFile('x', text), () => {})
const pro = withoutSpans(resolveModel({ model: 'mimo-v2.5-pro', drafter: 'none' }).model.schedules.get('sm_90a')!)

describe('a move', () => {
  it.each(axes)('of $name gives a schedule that reads and prints as itself', ({ moves }) => {
    for (const { what, schedule } of moves(pro)) {
      const text = printSchedule(schedule)
      expect(withoutSpans(read(text)!), what).toEqual(withoutSpans(schedule))
      expect(text).not.toBe(printSchedule(pro))
    }
  })

  const of = (axis: string) => axes.find((a) => a.name === axis)!.moves(pro)
  const move = (axis: string, what: string): Move => of(axis).find((m) => m.what === what)!

  it('keeps a ring about as large as it was', () => {
    const size = (s: Schedule) => s.ring!.depth * s.ring!.pageBytes
    for (const { schedule } of of('ring')) {
      expect(size(schedule)).toBeLessThanOrEqual(1.1 * size(pro))
      expect(size(schedule)).toBeGreaterThan(0.9 * size(pro))
    }
  })

  it('of the ring to parts of a tile keeps every byte of them', () => {
    expect(move('ring', 'ring 6 x 26112 B').schedule.ring).toMatchObject({ depth: 6, pageBytes: (51 * 1024) / 2 })
  })

  it('of compute warps takes along what depends on them', () => {
    const { schedule } = move('compute warps', 'role compute 8 warps')
    const split = (s: Schedule, phase: string) => s.phases.find((p) => p.name === phase)?.split?.value
    expect(split(schedule, 'expert.down')).toEqual({ by: 'rows', parts: 8 })
    expect(split(schedule, 'qkv')?.parts).toBe(8)
    expect(schedule.roles.find((r) => r.name === 'compute')?.registers).toBeUndefined()
    // k that was cut for every warp is cut for every warp again; what was cut less is not.
    const more = move('compute warps', 'role compute 16 warps').schedule
    expect(['expert.down', 'qkv', 'o'].map((p) => split(more, p)?.parts)).toEqual([16, 16, 8])
  })

  it('of the exchange says in how many shots, also where the author did not', () => {
    expect(of('exchange').map((m) => m.what)).toEqual(['exchange in one shot', 'exchange in two shots'])
    const two = move('exchange', 'exchange in two shots').schedule
    expect(printSchedule(two)).toContain('exchange as bf16 in two shots')
    expect(
      axes
        .find((a) => a.name === 'exchange')!
        .moves(two)
        .map((m) => m.what),
    ).toEqual(['exchange in one shot'])
  })

  it('says what gives way where it does not fit', () => {
    const [least, smaller] = move('compute warps', 'role compute 16 warps').otherwise!
    expect(least?.what).toBe('role compute 16 warps, role epilogue 1 warp, join depth 1')
    expect(least?.schedule.joinDepth?.value).toBe(1)
    expect(smaller?.what).toBe('role compute 16 warps, ring 3 x 50 KiB')
    for (const axis of axes)
      for (const { otherwise = [] } of axis.moves(pro))
        for (const { what, schedule } of otherwise)
          expect(withoutSpans(read(printSchedule(schedule))!), what).toEqual(withoutSpans(schedule))
  })
})

describe('moves of V2.5-Pro on 8 ranks', () => {
  const model = async (): Promise<RankModel> => ({
    resolved: cutModel(resolveModel({ model: 'mimo-v2.5-pro', drafter: 'none' }), 8),
    ...{ target: 'sm_90a', ctx: 8192, built: undefined },
  })
  it('of every axis are such as the compiler accepts, but for prefetches, of which it has none', async () => {
    const ranks = { present: 1, ranks: 8 }
    const options = { model: 'mimo-v2.5-pro', ranks, context: 4096, rows: 8, routing: 'uniform', rounds: 32 } as const
    const ahead = buildAhead(rankBench({ ...options, warmup: 1, repeat: 5 }, await model()))
    const names = (axis: Axis) =>
      axis.moves(pro).flatMap((m) => {
        const { compiled } = ahead.draft(m)
        return compiled instanceof DiagnosticError ? [] : [compiled.name]
      })
    const engines = Object.fromEntries(axes.map((a) => [a.name, new Set(names(a)).size]))
    expect(engines.prefetch).toBe(0)
    for (const [axis, count] of Object.entries(engines)) if (axis !== 'prefetch') expect(count, axis).toBeGreaterThan(0)
  })
})

describe('the check', () => {
  const row = (...logprobs: number[]): LogProbs => ({
    logprob: logprobs[0]!,
    top: logprobs.map((logprob, token) => ({ token, logprob })),
    digest: '',
  })

  it('sees how far two engines are apart', () => {
    expect(disagreement([row(-1, -2)], [row(-1, -2)])).toBe(0)
    expect(disagreement([row(-1, -2)], [row(-1.25, -2)])).toBeCloseTo(0.25, 9)
  })
  it('does not compare what is not there, or is no number', () => {
    expect(disagreement([row(-1)], [])).toBe(Number.POSITIVE_INFINITY)
    expect(disagreement([row(-1)], [row(Number.NaN)])).toBe(Number.POSITIVE_INFINITY)
  })
  it('misses a token that the other engine finds much less likely', () => {
    const other: LogProbs = {
      logprob: -1,
      digest: '',
      top: [
        { token: 7, logprob: -1 },
        { token: 8, logprob: -5 },
      ],
    }
    expect(disagreement([row(-1, -2)], [other])).toBeCloseTo(4, 9)
  })
})

describe('an engine that stands still while it is checked', () => {
  it('is reported with its code, and its process is gone', async () => {
    const options: RankOptions = {
      ...{ model: 'nano', target: 'host', drafter: 'none', layers: 2, ctx: 128, context: 30 },
      ...{ ranks: { present: 1, ranks: 1 }, rows: 8, routing: 'uniform', rounds: 6, warmup: 0, repeat: 1 },
      engineArgs: ['--stall', '0:1', '--deadline-ms', '500'],
    }
    const model = await resolveRank(options)
    const bench = rankBench(options, model)
    const author = bench.compile(withoutSpans(model.resolved.model.schedules.get('host')!))
    const built = await bench.build(author.source, new AbortController().signal)
    const error = await bench.measure(built).catch((e) => e)
    expect(error).toBeInstanceOf(DiagnosticError)
    expect(error.diagnostics[0].code).toBe('TILE6011')
    expect(processesOf(built.executable)).toEqual([])
  })
})

/** Processes that run an executable. */
const processesOf = (executable: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/exe`) === executable
    } catch {
      return false
    }
  })

describe('tilec tune', () => {
  const nano = [
    'tune',
    'nano',
    '--target',
    'host',
    '--layers',
    '2',
    '--drafter',
    'none',
    '--ctx',
    '128',
    '--context',
    '30',
  ]
  const quick = ['--rounds', '6', '--warmup', '0', '--repeat', '1']

  it('tries, checks, and writes a schedule that the model runs with', async () => {
    const file = join(folder, 'nano.schedule')
    const { status, out } = await tilec([
      ...nano,
      ...quick,
      '--candidates',
      '2',
      '--axes',
      'join',
      '-o',
      file,
      '--json',
    ])
    expect(status).toBe(0)
    const result = JSON.parse(out)
    const [author, ...tried]: Candidate[] = result.candidates
    expect(author?.outcome).toBe('author')
    expect(tried.filter((c) => c.outcome === 'kept' || c.outcome === 'slower')).toHaveLength(2)
    // Where one is kept, the author's depth is the next to be offered, and known.
    for (const c of tried) expect(['kept', 'slower', 'same']).toContain(c.outcome)
    expect(result.bestUs).toBeLessThanOrEqual(result.authorUs)
    const text = readFileSync(file, 'utf8')
    expect(printSchedule(read(text)!)).toBe(text)
    const compiled = await tilec(['compile', 'nano', '--target', 'host', '--emit-only', '--schedule', file])
    expect(compiled.status).toBe(0)
  })

  it('of all ranks, or of the first few', async () => {
    const file = join(folder, 'ranks.schedule')
    const tune = async (...words: string[]) => {
      const search = ['--candidates', '1', '--axes', 'join', '-o', file, '--json']
      const { status, out } = await tilec([...nano, ...quick, ...search, ...words])
      expect(status).toBe(0)
      return JSON.parse(out)
    }
    for (const [words, present] of [
      [['--gpus', '2'], 2],
      [['--rank', '0/2'], 1],
    ] as const) {
      const result = await tune(...words)
      expect(result).toMatchObject({ present, ranks: 2, ended: 'spent' })
      expect(['kept', 'slower']).toContain(result.candidates[1].outcome)
      expect(result.candidates[1].apart).toBeLessThan(0.1)
    }
    expect((await tilec([...nano, '--rank', '0/2', '--gpus', '4'])).err).toContain('TILE5112')
  })

  it('Ctrl-C ends it with what was found, in the file', async () => {
    const file = join(folder, 'interrupted.schedule')
    const interrupt = new AbortController()
    const onOut = (text: string): void => {
      if (text.startsWith('author')) interrupt.abort()
    }
    const { status, out } = await tilec([...nano, ...quick, '--axes', 'join', '-o', file], {
      signal: interrupt.signal,
      onOut,
    })
    expect(status).toBe(130)
    expect(out).toMatch(/^author .*\nstopped: nothing was tried\n.*interrupted\.schedule: .* 0\.0% less/)
    expect(printSchedule(read(readFileSync(file, 'utf8'))!)).toBe(readFileSync(file, 'utf8'))
  })

  it('says so where there is no time for anything, or no place to write', async () => {
    const late = await tilec([...nano, ...quick, '--minutes', '0.00001', '-o', join(folder, 'late')])
    expect(late.status).toBe(1)
    expect(late.err).toContain('there was no time')
    const nowhere = await tilec([...nano, ...quick, '--axes', 'join', '-o', join(folder, 'none', 'x')])
    expect(nowhere.status).toBe(1)
    expect(nowhere.err).toContain('TILE5110')
    const elsewhere = await tilec([...nano, '--engine-folder', folder])
    expect(elsewhere.err).toContain('TILE5112')
  })

  it('knows its axes', async () => {
    const { status, err } = await tilec([...nano, '--axes', 'colour'])
    expect(status).toBe(1)
    expect(err).toContain('axes are compute warps, ring')
  })

  it('--schedule points into the file that is wrong', async () => {
    const file = join(folder, 'wrong.schedule')
    writeFileSync(file, 'role load 1 warp\nrole compute 4 warps\nring weights 0 x 4 KiB\n')
    const { status, err } = await tilec(['compile', 'nano', '--target', 'host', '--emit-only', '--schedule', file])
    expect(status).toBe(1)
    expect(err).toContain('wrong.schedule:3')
    expect((await tilec(['check', 'nano', '--schedule', join(folder, 'none')])).err).toContain('TILE5105')
  })
})
