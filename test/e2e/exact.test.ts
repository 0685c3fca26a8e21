/**
 * `exchange as exact`: the number of ranks changes no bit of the logits. On nano, whose schedules say so, and on random models
 * of other shapes, formats and numbers of SMs.
 */
import { describe, expect, it } from 'vitest'
import { scheduleOf } from '../../dsl/schedule.ts'
import { type BuiltEngine, buildForHost, compileForHost } from '../support/host-engine.ts'
import { buildNano, oraclePrompts } from '../support/nano-engine.ts'
import { buildQuickly } from '../support/quick-builds.ts'
import { Dice, randomModel } from '../support/random-model.ts'
import { sourceOf } from '../support/real-shapes.ts'

const allRanks = [1, 2, 4, 8]

/** The bits of the logits after each token of each prompt. */
async function bits(built: BuiltEngine, prompts: readonly (readonly number[])[], seed = 0): Promise<Uint32Array[]> {
  const engine = await built.start({ seed })
  try {
    const out: Uint32Array[] = []
    for (const prompt of prompts)
      for (const row of await engine.logits(prompt)) out.push(new Uint32Array(Float32Array.from(row).buffer))
    return out
  } finally {
    await engine.close()
  }
}

const differing = (a: readonly Uint32Array[], b: readonly Uint32Array[]): number =>
  a.reduce((n, row, i) => n + (row.every((v, j) => v === b[i]![j]) ? 0 : 1), 0)

describe('nano', () => {
  it('has the same logits to the bit on 1, 2, 4 and 8 ranks', { timeout: 400_000 }, async () => {
    const prompts = oraclePrompts().slice(0, 4)
    const one = await bits(await buildNano(), prompts)
    expect(one.length).toBe(256)
    for (const ranks of allRanks.slice(1)) {
      const other = await bits(await buildNano({ ranks }), prompts)
      expect([ranks, differing(one, other)]).toEqual([ranks, 0])
    }
  })
})

const exactly = (sms: number, compute: number) =>
  scheduleOf({
    roles: { load: { warps: 1 }, compute: { warps: compute }, epilogue: { warps: 2 }, communicate: { warps: 1 } },
    ring: { name: 'weights', depth: 2, pageBytes: 40 * 1024 },
    exchangeAs: 'exact',
    sms,
  })

describe('random models', () => {
  buildQuickly()
  // Models that eight ranks can share, and whose leaves a warp can hold: attention, dense and routed blocks in all formats.
  it.each([
    [24, 2, 4],
    [44, 3, 2],
    [89, 2, 8],
  ])('seed %i on %i SMs with %i compute warps', { timeout: 400_000 }, async (seed, sms, compute) => {
    const { graph, weightSeed } = randomModel(seed)
    const params = new Map(graph.params.map((p) => [p.name, p]))
    const dice = new Dice(seed)
    const vocabulary = params.get('embed')!.dims[0]!.size
    const prompt = Array.from({ length: 21 }, () => dice.int(0, vocabulary - 1))
    const build = (ranks: number) =>
      buildForHost({
        ...{ graph, ranks, ctx: 64, schedule: exactly(sms, compute) },
        sources: (name) => sourceOf(params.get(name)!, weightSeed),
      })
    const one = await bits(await build(1), [prompt])
    expect(one.flatMap((row) => [...new Float32Array(row.buffer)]).every(Number.isFinite)).toBe(true)
    expect(one.some((row) => row.some((v) => v !== row[0]))).toBe(true)
    for (const ranks of allRanks.slice(1))
      expect([ranks, differing(one, await bits(await build(ranks), [prompt], ranks))]).toEqual([ranks, 0])
  })
})

describe('contractions that are too large for it', () => {
  it('are refused, with what would be legal', () => {
    const { graph } = randomModel(99)
    expect(() => compileForHost({ graph, ranks: 1, ctx: 64, schedule: exactly(2, 4) })).toThrow(
      /an exact sum over 4096 values has leaves of 512/,
    )
  })
})
