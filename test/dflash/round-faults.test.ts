/**
 * Faults of the round itself, as engines are known to have had them: positions that count what was rejected, a prompt that
 * is captured in part, a block's own keys left where accepted rows belong, a row that speaks for another position. Each
 * is put into a copy of the device headers and switched on in one engine: the text stays right, and the acceptance gate
 * sees it. What is harmless here by construction, rejected rows that are committed too, is shown to be.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { deviceFolder } from '../../runtime/build/build-engine.ts'
import { startEngine } from '../../runtime/engine/engine.ts'
import { writeLoadPlan } from '../../runtime/engine/load-plan.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { program } from '../support/made-once.ts'
import { gatePrompts, measure, type Recorded } from './gate.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 600_000 })

interface Fault {
  readonly what: string
  readonly right: string
  readonly wrong: string
}

/** By the number that switches it on. */
const faults: readonly Fault[] = [
  {
    what: 'positions of a block count the rows that were rejected',
    right: 'block.position[row] = d.position + row, block.token[row] = row == 0 ? d.anchor : Plan::mask_token',
    wrong:
      'block.position[row] = d.position + row + done.block[target_program].rows - accepted, block.token[row] = row == 0 ? d.anchor : Plan::mask_token',
  },
  {
    what: 'of the prompt only the last block is captured',
    right: 'return drafts ? draft_round(w, d, c, block.rows, false) : prompt_round(w, d, round);',
    wrong: 'return prompt_round(w, d, round);',
  },
  {
    what: "a block's own keys stay where accepted rows belong",
    right: 'c.block[commit_program].rows = accepted;',
    wrong: 'c.block[commit_program].rows = done.sample_from == 0 ? 1 : accepted;',
  },
  {
    what: 'a row speaks for the position after it',
    right: 'sampler.likeliest(gathered[count])',
    wrong: 'sampler.likeliest(gathered[count - 1])',
  },
]
const harmless: Fault = {
  what: 'rejected rows are committed, too',
  right: 'c.block[commit_program].rows = accepted;',
  wrong: 'c.block[commit_program].rows = done.block[target_program].rows;',
}

const folder = mkdtempSync(join(tmpdir(), 'tilec-faulty-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The one statement with the fault beside it, by the environment. */
function withFaults(header: string, all: readonly Fault[]): string {
  const byStatement = new Map<string, string>()
  all.forEach(({ right, wrong }, i) => {
    if (header.split(right).length !== 2) throw new Error(`control.h has no longer one '${right}'`)
    const isReturn = right.startsWith('return')
    const chosen = byStatement.get(right) ?? (isReturn || right.endsWith(';') ? right : `(${right})`)
    const number = `fault_number() == ${i + 1}`
    byStatement.set(
      right,
      right.endsWith(';') ? `if (${number}) { ${wrong} } else { ${chosen} }` : `(${number} ? (${wrong}) : ${chosen})`,
    )
  })
  let text = header
  for (const [right, chosen] of byStatement) text = text.replace(right, () => chosen)
  const switched =
    'inline int fault_number() { static const int n = std::getenv("FAULT") ? std::atoi(std::getenv("FAULT")) : 0; return n; }'
  return text.replace('namespace tile {', () => `#include <cstdlib>\nnamespace tile {\n${switched}`)
}

const resolved = resolveModel({ model: 'nano' })
let executable: string
let loadPlan: Uint8Array
let vocabulary: number

beforeAll(async () => {
  const compiled = compileModel(resolved, { target: 'host', gpus: 1, ctx: 256 })
  const device = join(folder, 'device')
  cpSync(deviceFolder(), device, { recursive: true })
  const control = join(device, 'engine', 'control.h')
  writeFileSync(control, withFaults(readFileSync(control, 'utf8'), [...faults, harmless]))
  writeFileSync(join(folder, 'engine.cu'), compiled.source)
  writeFileSync(join(folder, 'main.cu'), '#include "engine.cu"\n#include "engine/main.h"\n')
  executable = await program(join(folder, 'main.cu'), [], device)
  const { checkpoint, model, drafter } = resolved
  const places = new Map([
    ...drafter!.bindings.map((b) => [b.param, { binding: b, tensors: drafter!.checkpoint!.tensors }] as const),
    ...model.bindings.map((b) => [b.param, { binding: b, tensors: checkpoint!.tensors }] as const),
  ])
  loadPlan = writeLoadPlan(compiled.manifest, (param) => ({ kind: 'stored', ...places.get(param)! }))
  vocabulary = compiled.plan.vocabulary.whole
})

/** The gate's measure on some prompts, with one fault switched on; 0: none. */
async function measured(fault: number) {
  process.env.FAULT = String(fault)
  const engine = await startEngine({ executable, loadPlan, ctx: 256, vocabulary })
  try {
    const all: Recorded[] = []
    const session = { engineEvents: engine.generate.bind(engine), defaults: { endTokens: [] } }
    for (const prompt of gatePrompts(4)) all.push(await measure(session, prompt))
    const sum = (of: (r: Recorded) => number) => all.reduce((n, r) => n + of(r), 0)
    return { texts: all.map((r) => r.text), length: sum((r) => r.tokens) / sum((r) => r.rounds) }
  } finally {
    delete process.env.FAULT
    await engine.close()
  }
}

describe('a round', () => {
  let right: Awaited<ReturnType<typeof measured>>
  beforeAll(async () => {
    right = await measured(0)
  })

  it.each(faults.map((f, i) => [f.what, i + 1] as const))('shows it when %s', async (what, number) => {
    const wrong = await measured(number)
    console.log(`${what}: ${wrong.length.toFixed(2)} of ${right.length.toFixed(2)}`)
    expect(wrong.texts).toEqual(right.texts)
    expect(wrong.length).toBeLessThan(0.98 * right.length)
  })

  it('is the same when rejected rows are committed, too: what comes next is written over them', async () => {
    expect(await measured(faults.length + 1)).toEqual(right)
  })
})
