/** Tuning: moves change one setting, nothing is kept that computes something else, and what is written is a schedule. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { axes } from '../../compiler/plan/schedule-moves.ts'
import { readSchedule } from '../../dsl/schedule.ts'
import { printSchedule, type Schedule, withoutSpans } from '../../dsl/schedule-ir.ts'
import { scheduleFile } from '../../dsl/schedule-text.ts'
import type { LogProbs } from '../../runtime/engine/wire.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { disagreement } from '../../runtime/session/tune.ts'
import { tilec } from '../support/terminal.ts'

process.env.TILEC_CACHE ??= join(tmpdir(), 'tilec-test-cache')
vi.setConfig({ testTimeout: 300_000 })

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

  it('keeps a ring as large as it was, or a little smaller', () => {
    const size = (s: Schedule) => s.ring!.depth * s.ring!.pageBytes
    for (const { schedule } of axes.find((a) => a.name === 'ring')!.moves(pro)) {
      expect(size(schedule)).toBeLessThanOrEqual(size(pro))
      expect(size(schedule)).toBeGreaterThan(0.9 * size(pro))
    }
  })

  it('of compute warps takes along what depends on them', () => {
    const { schedule } = axes[0]!.moves(pro).find((m) => m.what === 'role compute 8 warps')!
    expect(schedule.phases.find((p) => p.name === 'expert.down')?.split?.value).toEqual({ by: 'rows', parts: 8 })
    expect(schedule.phases.find((p) => p.name === 'qkv')?.split?.value.parts).toBe(8)
    expect(schedule.roles.find((r) => r.name === 'compute')?.registers).toBeUndefined()
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
    expect(result.candidates).toHaveLength(3)
    expect(result.candidates[0].outcome).toBe('author')
    for (const c of result.candidates.slice(1)) expect(['kept', 'slower']).toContain(c.outcome)
    expect(result.bestUs).toBeLessThanOrEqual(result.authorUs)
    const text = readFileSync(file, 'utf8')
    expect(printSchedule(read(text)!)).toBe(text)
    const compiled = await tilec(['compile', 'nano', '--target', 'host', '--emit-only', '--schedule', file])
    expect(compiled.status).toBe(0)
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
