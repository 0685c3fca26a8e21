/** The control, a kernel a phase, computes what the resident engine computes: the same tokens, the same bits of every logit. */
import { afterAll, describe, expect, it, vi } from 'vitest'
import { perPhase } from '../../compiler/plan/per-phase.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import type { Session } from '../../runtime/session/open-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { compileForHopper, hasNvcc } from '../support/nvcc.ts'
import { openNano, prompts } from '../support/run-nano.ts'

vi.setConfig({ testTimeout: 240_000 })

const open: Session[] = []
afterAll(() => Promise.all(open.map((s) => s.close())))

async function start(
  gpus: number,
  engine: 'persistent' | 'graph',
  engineArgs: readonly string[] = [],
): Promise<Session> {
  const session = await openNano({ gpus, engine, ctx: 256, engineArgs })
  open.push(session)
  return session
}

const written = async (session: Session, prompt: string, draft: 'off' | number, temperature: number) => {
  const { text, tokenIds, logprobs } = await session.complete({
    ...{ prompt, draft, temperature, maxTokens: 24, seed: 7, ignoreEnd: true, logprobs: 0 },
  })
  return { text, tokenIds, digests: logprobs!.map((l) => l.digest) }
}

describe.each([1, 2])('with %i ranks', (gpus) => {
  it('gives the same logits to the bit, plain and drafted, one request after the other', async () => {
    const resident = await start(gpus, 'persistent')
    const control = await start(gpus, 'graph')
    const cases = [
      [prompts[0]!, 'off', 0],
      [prompts[1]!, 8, 0],
      [prompts[4]!, 5, 0.8],
    ] as const
    for (const [prompt, draft, temperature] of cases)
      expect(await written(control, prompt, draft, temperature)).toEqual(
        await written(resident, prompt, draft, temperature),
      )
  })
})

it('does not depend on the order in which warps run and packets come', async () => {
  const plain = await start(2, 'graph')
  const shuffled = await start(2, 'graph', ['--seed', '3'])
  expect(await written(shuffled, prompts[2]!, 4, 0)).toEqual(await written(plain, prompts[2]!, 4, 0))
})

it.skipIf(!hasNvcc)('compiles for sm_90a', () => compileForHopper('graph'))

describe('the plan of the control', () => {
  const { plan } = compileModel(resolveModel({ model: 'nano', drafter: 'none' }), { target: 'host', gpus: 2, ctx: 128 })

  it('has no waits between phases, and everything else', () => {
    const text = (p: typeof plan): string => JSON.stringify(p.segments)
    const count = (p: typeof plan, what: string): number => text(p).split(what).length - 1
    const control = perPhase(plan)
    for (const gone of ['"kind":"wait"', '"kind":"signal"', '"kind":"waitLocal"', '"kind":"signalLocal"', '"kept"'])
      expect(count(control, gone)).toBe(0)
    for (const stays of ['"kind":"multiply"', '"kind":"stage"', '"kind":"commit"', '"kind":"finish"'])
      expect(count(control, stays)).toBe(count(plan, stays))
    expect(control.sites).toBe(plan.sites)
  })
})
