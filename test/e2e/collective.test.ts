/**
 * The control whose sums over ranks are all-reduces between kernels. On the host a loop adds what ranks leave, in rank order: sums of f32
 * have the bits that the resident engine gets from packets, sums of bf16 are rounded once more than there. Of two ranks that holds for
 * NCCL's f32 as well, for they are one addition.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import type { EngineKind } from '../../codegen/engines.ts'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { createReference } from '../../compiler/reference/reference.ts'
import { type ExchangeType, printSchedule } from '../../dsl/schedule-ir.ts'
import { openRank, type RankOptions } from '../../runtime/session/bench-rank.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import type { HostEngine } from '../support/host-engine.ts'
import { buildNano, nano, nanoSchedule, oraclePrompts } from '../support/nano-engine.ts'
import { compileForHopper, hasNvcc } from '../support/nvcc.ts'
import { buildQuickly } from '../support/quick-builds.ts'
import { tilec } from '../support/terminal.ts'

vi.setConfig({ testTimeout: 300_000 })
buildQuickly()

const folder = mkdtempSync(join(tmpdir(), 'tilec-collective-'))
const open: { close(): Promise<void> }[] = []
afterAll(async () => {
  await Promise.all(open.map((s) => s.close()))
  rmSync(folder, { recursive: true })
})

const exchanging = (value: ExchangeType, target: 'host' | 'sm_90a' = 'host') => ({
  ...nanoSchedule(target),
  exchangeAs: { value },
})

describe('nano, the logits of a prompt', () => {
  const prompt = oraclePrompts()[0]!
  /** Of the first `present` of so many ranks. */
  async function logits(engine: EngineKind, exchange: ExchangeType, ranks: number, { present = ranks, seed = 0 } = {}) {
    const built = await buildNano({ ranks, engine, schedule: exchanging(exchange) })
    const running: HostEngine = await built.start({ present, seed })
    open.push(running)
    return running.logits(prompt)
  }
  /** Root mean square of the error over that of the logits, of the row in the middle. */
  function distance(got: readonly ArrayLike<number>[], want: readonly ArrayLike<number>[]): number {
    const rms = (row: ArrayLike<number>) => Math.sqrt(Array.from(row).reduce((n, v) => n + v * v, 0) / row.length)
    const errors = want.map((row, r) => rms(Array.from(row, (v, i) => v - got[r]![i]!)) / rms(row))
    return errors.sort((a, b) => a - b)[errors.length >> 1]!
  }

  it("are the resident engine's to the bit where sums are f32, in any order of events", async () => {
    const resident = await logits('persistent', 'f32', 2)
    expect(await logits('nccl', 'f32', 2)).toEqual(resident)
    expect(await logits('nccl', 'f32', 2, { seed: 3 })).toEqual(resident)
  })

  it('are the reference where sums are bf16, as near as those of any engine', async () => {
    const { graph, params } = nano()
    const block = prompt.map((token, position) => ({ token, position }))
    const want = createReference(graph, params, { ctx: 64 }).step(block).logits
    expect(distance(await logits('nccl', 'bf16', 2), want)).toBeLessThan(0.004)
  })

  it('count the ranks that run for those that they stand in for', async () => {
    const resident = await logits('persistent', 'f32', 4, { present: 2 })
    expect(distance(await logits('nccl', 'f32', 4, { present: 2 }), resident)).toBeLessThan(0.004)
    // As sums of two ranks alone they would be others: what is added to a row would be half.
    expect(distance(await logits('persistent', 'f32', 4), resident)).toBeGreaterThan(0.1)
  })
})

it.skipIf(!hasNvcc)('compiles for sm_90a', () => compileForHopper('nccl', exchanging('bf16', 'sm_90a')))

describe('what is no such control', () => {
  const refused = (work: () => unknown): Promise<string> =>
    Promise.resolve()
      .then(work)
      .then(
        () => 'nothing',
        (error) =>
          error instanceof DiagnosticError
            ? error.diagnostics.map((d) => `${d.code} ${d.message}`).join()
            : String(error),
      )
  const compiled = (gpus: number, value: ExchangeType) => () =>
    compileModel(resolveModel({ model: 'nano', drafter: 'none', schedule: exchanging(value) }), {
      ...{ target: 'host', gpus, ctx: 128, engine: 'nccl' },
    })
  const ranks = (present: number): RankOptions => ({
    ...{ model: 'nano', drafter: 'none', target: 'host', engine: 'nccl', schedule: exchanging('f32') },
    ...{ ranks: { present, ranks: 2 }, ctx: 128, context: 40, rows: 8, rounds: 2, warmup: 0, repeat: 1 },
    routing: 'uniform',
  })

  it('one rank, of the plan or of those that run', async () => {
    expect(await refused(compiled(1, 'f32'))).toMatch(/^TILE5108 engine 'nccl' sums over ranks, and there is one/)
    expect(await refused(() => openRank(ranks(1)))).toMatch(/^TILE5112 engine 'nccl' with one rank alone/)
  })
  it('exact sums', async () => {
    expect(await refused(compiled(2, 'exact'))).toMatch(/^TILE5108 engine 'nccl' cannot exchange as exact/)
  })
  it('a traced one', async () => {
    expect(await refused(() => openRank(ranks(2), 'traced'))).toMatch(/^TILE5112 single phases of engine 'nccl'/)
    const { status, err } = await tilec(['compile', 'nano', '--gpus', '2', '--engine', 'nccl', '--traced'])
    expect([status, err]).toEqual([1, expect.stringContaining("[TILE5108]: engine 'nccl' has no traces")])
  })
})

it('tilec bench says that it was the control, and what adds', async () => {
  const file = join(folder, 'nano.schedule')
  writeFileSync(file, printSchedule(exchanging('f32')))
  const words = [
    '--layers',
    '2',
    '--drafter',
    'none',
    '--rounds',
    '2',
    '--repeat',
    '1',
    '--context',
    '9',
    '--ctx',
    '128',
  ]
  const about = ['bench', 'nano', '--rank', '0-1/2', '--synthetic-weights', '--target', 'host', '--schedule', file]
  const text = await tilec([...about, ...words, '--engine', 'nccl'])
  expect(text.out).toContain(
    '\nthe control with all-reduces: a kernel a phase, and NCCL between them, in a CUDA graph\n',
  )
  const json = await tilec([...about, ...words, '--engine', 'nccl', '--json'])
  expect(JSON.parse(json.out)).toMatchObject({ engine: 'nccl', present: 2, ranks: 2 })
})
