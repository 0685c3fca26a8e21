/** What a traced engine tells: phases that add up to rounds, bytes and floors beside them, and slices that nest. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { buildQuickly } from '../support/quick-builds.ts'
import { tilec } from '../support/terminal.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })
buildQuickly()

const folder = mkdtempSync(join(tmpdir(), 'tilec-traces-'))
afterAll(() => rmSync(folder, { recursive: true }))

const nano = ['nano', '--rank', '0/2', '--target', 'host', '--ctx', '512', '--context', '100', '--rounds', '20']
const bench = ['bench', ...nano, '--synthetic-weights', '--warmup', '0', '--repeat', '1', '--roofline']

interface Line {
  readonly program: string
  readonly segment: string
  readonly phase: string
  readonly runs: number
  readonly bytes: number
  readonly active?: number
  readonly us: number
  readonly syncUs: number
  readonly floorUs: number
}

describe('bench --roofline', () => {
  let result: { ceiling: number; roundUs: number; phases: Line[]; totals: (Line & { name: string })[] }
  beforeAll(async () => {
    const { out, err } = await tilec([...bench, '--json'])
    expect(err).not.toContain('TILE')
    result = JSON.parse(out)
  })

  it('has a line for every phase of every program, once a kind of layer', () => {
    const names = result.phases.map((p) => `${p.segment}.${p.phase}`)
    expect(new Set(names).size).toBe(names.length)
    for (const name of ['full_dense.qkv', 'sliding_experts.expert.up', 'end.head', 'draft_end.head'])
      expect(names).toContain(name)
    expect(new Set(result.phases.map((p) => p.program))).toEqual(new Set(['target', 'commit', 'draft']))
    expect(result.phases.find((p) => p.segment === 'sliding_experts' && p.phase === 'qkv')?.runs).toBe(3)
  })

  it('counts the experts that the rows met', () => {
    for (const p of result.phases.filter((p) => p.phase.startsWith('expert.'))) {
      expect(p.active).toBeGreaterThan(8)
      expect(p.active).toBeLessThanOrEqual(16)
    }
    expect(result.phases.every((p) => p.phase.startsWith('expert.') === (p.active !== undefined))).toBe(true)
  })

  it('takes floors from the ceiling that it measured', () => {
    expect(result.ceiling).toBeGreaterThan(1e9)
    for (const p of result.phases) expect(p.floorUs).toBeCloseTo((p.bytes / result.ceiling) * 1e6, 6)
  })

  it('adds its phases up to a round', () => {
    const round = result.totals.find((t) => t.name === 'round')!
    const sum = result.phases.reduce((n, p) => n + p.runs * p.us, 0)
    expect(round.us).toBeCloseTo(sum, 3)
    expect(round.syncUs).toBeLessThan(round.us)
    expect(result.roundUs).toBeGreaterThan(0)
  })

  it('shows what sums over ranks cost, and which rank the others wait for', async () => {
    const { out } = await tilec(bench.map((word) => (word === '0/2' ? '0-1/4' : word)))
    expect(out).toMatch(/sliding_experts\.expert\.down +3( +\d+\.\d\d){6}/)
    expect(out).toMatch(/An SM's wait for packets, us of a round: rank 0 [\d.]+, rank 1 [\d.]+\n/)
  })

  it('prints a table', async () => {
    const { out } = await tilec(bench)
    expect(out).toMatch(/Ceiling: \d+ GB\/s/)
    expect(out).toMatch(/sliding_experts\.expert\.up +3 +1\d\.\d /)
    expect(out).toMatch(/^ {2}round /m)
  })
})

describe('trace', () => {
  interface Slice {
    readonly name: string
    readonly ph: string
    readonly pid: number
    readonly tid: number
    readonly ts: number
    readonly dur: number
    readonly cat: string
    readonly args: Readonly<Record<string, string>>
  }
  let slices: Slice[]
  beforeAll(async () => {
    const file = join(folder, 'trace.json')
    const { out } = await tilec(['trace', ...nano, '-o', file, '--sm', '0,1'])
    expect(out).toContain('2 rounds of 2 SMs')
    const { traceEvents } = JSON.parse(readFileSync(file, 'utf8'))
    slices = traceEvents.filter((e: Slice) => e.ph === 'X')
  })

  it('has a slice for each phase of a role, with layer, tiles and the author’s line', () => {
    const up = slices.filter((s) => s.name === 'sliding_experts.expert.up' && s.tid === 1)
    expect(up).toHaveLength(3 * 2)
    for (const s of up) {
      expect(s.args.layer).toMatch(/^model\.layers\.\d$/)
      expect(s.args.tiles).toMatch(/^each \d+ from \d+ on, of \d+$/)
      expect(s.args.line).toMatch(/^models\/mimo\/graph\.ts:\d+$|^dsl\/library\/.*:\d+$/)
    }
  })

  it('shows a wait as a slice that names what it waits for', () => {
    const names = new Set(slices.filter((s) => s.cat === 'wait').map((s) => s.name))
    for (const what of ['what comes through ring', 'a free place in ring', 'what comes through join', 'receive'])
      expect(names).toContain(`wait: ${what}`)
    expect(slices.find((s) => s.name === 'wait: route')?.args.site).toMatch(/\/(load|epilogue) wait route$/)
  })

  it('nests: a slice of a thread ends before what it began in', () => {
    const threads = [...new Set(slices.map((s) => `${s.pid} ${s.tid}`))]
    for (const of of threads.map((t) => slices.filter((s) => `${s.pid} ${s.tid}` === t))) {
      const open: number[] = []
      for (const s of [...of].sort((a, b) => a.ts - b.ts || b.dur - a.dur)) {
        while (open.length > 0 && open.at(-1)! <= s.ts + 1e-6) open.pop()
        if (open.length > 0) expect(s.ts + s.dur).toBeLessThanOrEqual(open.at(-1)! + 1e-3)
        open.push(s.ts + s.dur)
      }
    }
  })

  it('refuses an SM that is not there', async () => {
    const { status, err } = await tilec(['trace', ...nano, '-o', join(folder, 'x.json'), '--sm', '9'])
    expect(status).toBe(1)
    expect(err).toContain('TILE5112')
  })
})
