/**
 * A router whose SMs stage the chunk of k that their tile takes first, and the rest behind it, gives the bits of one that stages all of it at
 * once: plain, on several ranks, in any order of events, as the control.
 */
import { describe, expect, it, vi } from 'vitest'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { bits } from '../support/logit-bits.ts'
import { buildNano, nanoSchedule } from '../support/nano-engine.ts'
import { compileForHopper, hasNvcc } from '../support/nvcc.ts'
import { buildQuickly } from '../support/quick-builds.ts'

vi.setConfig({ testTimeout: 300_000 })

/** nano with k of its router's one tile cut over three of four SMs: the fourth has all of x to stage, and nothing to multiply. */
const cut = (chunkwise: boolean, target: 'host' | 'sm_90a' = 'host'): Schedule => {
  const nano = nanoSchedule(target)
  const split = { value: { by: 'k' as const, parts: 4 } }
  const router = { name: 'router', split, ...(chunkwise && { stage: { value: 'chunk' as const } }) }
  const ring = { ...nano.ring!, depth: 6, pageBytes: 20 * 1024 }
  return { ...nano, ring, sms: { value: 4 }, phases: [...nano.phases, router] }
}

describe('the logits of nano', () => {
  buildQuickly()

  it.each([1, 2])('on %i ranks are those of one that stages at once', async (ranks) => {
    const { compiled } = await buildNano({ ranks, schedule: cut(true) })
    expect(compiled.source).toContain('weigh_units')
    expect(await bits({ ranks, schedule: cut(true) })).toEqual(await bits({ ranks, schedule: cut(false) }))
  })

  it('do not depend on the order of events, and no two accesses race', async () => {
    const [plain] = await bits({ schedule: cut(true) })
    const seeds = [3, 4, 5].map((seed) => ({ seed }))
    expect(await bits({ schedule: cut(true), check: true }, seeds)).toEqual([plain, plain, plain])
  })

  it('are those of the control, in which the router stages all of x', async () => {
    const { compiled } = await buildNano({ schedule: cut(true), engine: 'graph' })
    expect(compiled.source).not.toContain('weigh_units')
    expect(await bits({ schedule: cut(true), engine: 'graph' }, [{}, { seed: 7 }])).toEqual(
      await bits({ schedule: cut(true) }, [{}, {}]),
    )
  })
})

it.skipIf(!hasNvcc)('compiles for sm_90a', () => compileForHopper('persistent', cut(true, 'sm_90a')))
