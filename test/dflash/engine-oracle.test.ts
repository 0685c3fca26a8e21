/**
 * The engine's drafts against the independent reading in PyTorch float64 (../drafter/oracle.ts): logits of whole blocks, as
 * the engine left them in its workspace. Then drafters with a fault that acceptance hardly shows: each moves these logits
 * away by far more than rounding does.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { readOracle } from '../drafter/oracle.ts'
import { ctx, openNano } from '../support/run-nano.ts'
import { configFaults, logitFaults } from './faults.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const oracle = readOracle()
const head = 8 + 8 * 4

/** Root mean square of the differences over that of the oracle's logits, over all detailed rounds. */
async function distance(drafter?: string): Promise<number> {
  const resolved = resolveModel({ model: 'nano', ...(drafter !== undefined && { drafter }) })
  const { plan } = compileModel(resolved, { target: 'host', gpus: 1, ctx })
  const { offset, bytes } = plan.buffers.find((b) => b.name === 'draft_end.head.logits')!
  const folder = mkdtempSync(join(tmpdir(), 'tilec-probe-'))
  const file = join(folder, 'rounds')
  const engineArgs = ['--probe', file, '--probe-range', `${offset}:${bytes}`]
  const session = await openNano({ engineArgs, ...(drafter !== undefined && { drafter }) })
  let [squares, whole, compared] = [0, 0, 0]
  try {
    for (const { text, rounds } of oracle.texts)
      for (const { anchor, logits } of rounds) {
        if (!logits) continue
        const prompt = text.slice(0, anchor.position)
        const tokens: number[] = []
        const request = { prompt, maxNewTokens: 2, draft: { rows: 8, block: 8 } }
        for await (const e of session.engineEvents(request)) if (e.type === 'token') tokens.push(e.token)
        // The draft that the last round verified began at the oracle's anchor.
        expect(tokens[0]).toBe(anchor.token)
        const record = readFileSync(file).subarray(-(head + bytes))
        expect(record.readInt32LE(8)).toBe(anchor.position)
        for (const [j, row] of logits.entries())
          for (const [i, expected] of row.entries()) {
            const drafted = record.readFloatLE(head + ((j + 1) * plan.vocabulary.whole + oracle.ids[i]!) * 4)
            squares += (drafted - expected) ** 2
            whole += expected ** 2
            compared++
          }
      }
  } finally {
    await session.close()
    rmSync(folder, { recursive: true })
  }
  expect(compared).toBe(8 * 7 * 256)
  return Math.sqrt(squares / whole)
}

describe('drafts of the engine', () => {
  let right: number
  beforeAll(async () => {
    right = await distance()
    console.log(`the drafter as it is: ${right.toExponential(1)}`)
  })

  it("are PyTorch's, but for rounding to BF16", () => {
    expect(right).toBeLessThan(0.01)
  })

  // Each of the others is another engine to build.
  const built = process.env.TILEC_FAULTS === 'all' ? Object.entries(configFaults) : []

  it.each([...Object.entries(logitFaults), ...built])('are not when %s', async (name, fault) => {
    const folder = fault()
    const wrong = await distance(folder)
    rmSync(folder, { recursive: true })
    console.log(`${name}: ${wrong.toExponential(1)}`)
    expect(wrong).toBeGreaterThan(2 * right)
  })
})
