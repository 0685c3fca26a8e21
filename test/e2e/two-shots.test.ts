/**
 * Sums over ranks in two shots have the bits of one shot: whatever travels, on any number of ranks, plain and drafted, in any order of
 * events, as the controls, and the owner of a tile says whose part it lacks.
 */
import { describe, expect, it, vi } from 'vitest'
import type { EngineKind } from '../../codegen/engines.ts'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import type { ExchangeType, Schedule, Shots } from '../../dsl/schedule-ir.ts'
import type { OpenOptions } from '../../runtime/session/open-model.ts'
import { bits } from '../support/logit-bits.ts'
import { nanoSchedule } from '../support/nano-engine.ts'
import { compileForHopper, hasNvcc } from '../support/nvcc.ts'
import { buildQuickly } from '../support/quick-builds.ts'
import { openNano, prompts } from '../support/run-nano.ts'

vi.setConfig({ testTimeout: 300_000 })

const exchanging = (as: ExchangeType, shots: Shots, target: 'host' | 'sm_90a' = 'host'): Schedule => ({
  ...nanoSchedule(target),
  exchangeAs: { value: as },
  shots: { value: shots },
})

describe('the logits of nano', () => {
  buildQuickly()

  it.each([2, 4, 8])('exact, on %i ranks: those of one rank', async (ranks) => {
    const [one] = await bits({})
    expect(await bits({ ranks, schedule: exchanging('exact', 2) })).toEqual([one])
  })

  it.each([
    ['f32', 2],
    ['f32', 8],
    ['bf16', 4],
  ] as const)('%s, on %i ranks: those of one shot, and of the sums of the ranks that run', async (as, ranks) => {
    const starts = [{}, { present: ranks / 2 }]
    const one = await bits({ ranks, schedule: exchanging(as, 1) }, starts)
    expect(await bits({ ranks, schedule: exchanging(as, 2) }, starts)).toEqual(one)
    expect(one[0]).not.toEqual(one[1])
  })

  it('do not depend on the order of events, and no two accesses race', async () => {
    const options = { ranks: 4, schedule: exchanging('bf16', 2) }
    const plain = await bits(options, [{}, { present: 2 }])
    const seeds = [3, 4, 5].flatMap((seed) => [{ seed }, { seed, present: 2 }])
    expect(await bits({ ...options, check: true }, seeds)).toEqual([...plain, ...plain, ...plain])
  })

  it.each<[EngineKind]>([['graph'], ['nccl']])('as the control %s: those of the engine', async (engine) => {
    const options = { ranks: 2, schedule: exchanging('f32', 2) }
    expect(await bits({ ...options, engine }, [{}, { seed: 7 }])).toEqual(await bits(options, [{}, {}]))
  })
})

describe('a session', () => {
  const written = async (options: Partial<OpenOptions>) => {
    const session = await openNano({ gpus: 2, ctx: 256, ...options })
    try {
      const said = []
      for (const draft of ['off', 8] as const) {
        const request = { prompt: prompts[1]!, draft, maxTokens: 24, seed: 7, ignoreEnd: true, logprobs: 0 }
        const { text, logprobs } = await session.complete(request)
        said.push({ text, digests: logprobs!.map((l) => l.digest) })
      }
      return said
    } finally {
      await session.close()
    }
  }

  it('writes the same text with the same digests, plain and drafted', async () => {
    expect(await written({ schedule: exchanging('exact', 2) })).toEqual(await written({}))
  })

  it('says whose part of a sum is missing, not who waits for the sum', async () => {
    const engineArgs = ['--deadline-ms', '1000', '--stall', '3:5']
    const said = await written({ gpus: 4, schedule: exchanging('exact', 2), engineArgs }).then(
      () => 'nothing',
      (error) => (error instanceof DiagnosticError ? error.message : String(error)),
    )
    expect(said).toMatch(/compute add parts': waited for packets of tile \d+ from rank 3/)
  })
})

it.skipIf(!hasNvcc)('compiles for sm_90a', () => compileForHopper('persistent', exchanging('bf16', 2, 'sm_90a')))
