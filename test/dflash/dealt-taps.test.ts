/**
 * The projection of the taps (`fc`), cut over ranks: nano's trained drafter as one that taps a fourth layer and multiplies it by
 * zero, so that the contraction has whole units on every rank. It proposes what the trained one does, on any number of ranks.
 */
import { expect, it, vi } from 'vitest'
import type { Session } from '../../runtime/session/open-model.ts'
import { editedDrafter } from '../support/edited-drafter.ts'
import { openNano, prompts } from '../support/run-nano.ts'
import { countersAddUp, type Written, write } from './drafting.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 300_000 })

const hidden = 384
const count = 40
const used = [1, 3, 5]

/** Columns of a tap that adds nothing, behind those of the first. */
function wider(): string {
  const dflash = { target_layer_ids: [0, 1, 3, 5], mask_token_id: 4095, block_size: 8 }
  return editedDrafter(
    (tensors) => {
      const fc = tensors.get('fc.weight')!
      const [row, gap] = [3 * hidden * 2, hidden * 2]
      const bytes = new Uint8Array(hidden * (row + gap))
      for (let r = 0; r < hidden; r++) {
        bytes.set(fc.bytes.subarray(r * row, r * row + gap), r * (row + gap))
        bytes.set(fc.bytes.subarray(r * row + gap, (r + 1) * row), r * (row + gap) + 2 * gap)
      }
      tensors.set('fc.weight', { dtype: 'BF16', shape: [hidden, 4 * hidden], bytes })
    },
    {
      dflash_config: {
        ...dflash,
        use_swa: true,
        swa_window_size: 256,
        backbone_rotary_base: 500000,
        attention_value_scale: 0.612,
        attention_sink_bias: true,
      },
    },
  )
}

async function texts(session: Session): Promise<Written[]> {
  const written: Written[] = []
  for (const i of used) {
    const prompt = session.encode({ prompt: prompts[i]! })
    const plain = await write(session, prompt, { draft: 'off', maxTokens: count })
    const drafted = await write(session, prompt, { draft: 8, maxTokens: count })
    expect(drafted.tokens).toEqual(plain.tokens)
    expect(drafted.logprobs).toEqual(plain.logprobs)
    expect(countersAddUp(drafted)).toBe(true)
    written.push(drafted)
  }
  return written
}
async function textsOf(options: { gpus: number; drafter?: string }): Promise<Written[]> {
  const session = await openNano(options)
  try {
    return await texts(session)
  } finally {
    await session.close()
  }
}

it('proposes the same on 1, 2 and 8 ranks, as well as the drafter whose taps are whole on every rank', async () => {
  const drafter = wider()
  const one = await textsOf({ gpus: 1, drafter })
  const accepted = (written: readonly Written[]): number => written.reduce((n, w) => n + w.draft.accepted, 0)
  const trained = accepted(await textsOf({ gpus: 1 }))
  expect(trained).toBeGreaterThan(count)
  expect(Math.abs(accepted(one) - trained)).toBeLessThan(0.05 * trained)
  for (const gpus of [2, 8]) {
    const several = await textsOf({ gpus, drafter })
    expect(several.map((w) => w.draft.histogram)).toEqual(one.map((w) => w.draft.histogram))
  }
})
