/** Drafters and targets whose numbers are none: a drafter costs speed and is named, a target ends the engine by name. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { writeDraftFolder } from '../support/draft-folder.ts'
import { nanoFolder } from '../support/nano.ts'
import { openNano, prompts } from '../support/run-nano.ts'
import { tilec } from '../support/terminal.ts'
import { write } from './drafting.ts'

vi.setConfig({ testTimeout: 240_000 })

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

/** BF16 NaN everywhere. */
const spoil = (bytes: Uint8Array) => bytes.fill(0xff)

function brokenDrafter(name: string): string {
  const folder = writeDraftFolder({ edit: (tensors) => spoil(tensors.get(name)!.bytes) })
  folders.push(folder)
  return folder
}

describe('a drafter that returns NaN', () => {
  // Attention treats a key that is no number as one that is not seen, so spoiled keys may surface as bad guesses only.
  it.each([
    ['norm.weight', true],
    ['layers.0.self_attn.k_norm.weight', false],
    ['hidden_norm.weight', false],
  ])('from %s: same text, and named where its logits are', async (name, named) => {
    const session = await openNano({ drafter: brokenDrafter(name) })
    try {
      const prompt = session.encode({ prompt: prompts[0]! })
      const plain = await write(session, prompt, { draft: 'off', maxTokens: 16 })
      for (const draft of [3, 8, 'auto'] as const) {
        const drafted = await write(session, prompt, { draft, maxTokens: 16 })
        expect(drafted).toMatchObject({ tokens: plain.tokens, logprobs: plain.logprobs })
        if (!named) continue
        expect(drafted.draft).toMatchObject({ drafted: 0, accepted: 0, acceptanceLength: 1 })
        expect(drafted.draft.unusable).toBeGreaterThan(0)
      }
    } finally {
      await session.close()
    }
  })

  it('is told by the command line, asked or not', async () => {
    const words = ['run', 'nano', prompts[0]!, '--target', 'host', '--ctx', '512', '--max-tokens', '9']
    const { status, err } = await tilec([...words, '--drafter', brokenDrafter('norm.weight')])
    expect(status).toBe(0)
    expect(err).toMatch(/warning.*TILE6016|TILE6016.*thrown away/s)
  })
})

describe('a target that returns NaN', () => {
  it('ends the engine by name, and the next request starts a new one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tilec-nan-'))
    folders.push(folder)
    const index = JSON.parse(readFileSync(join(nanoFolder, 'model.safetensors.index.json'), 'utf8'))
    const spoiled: string = index.weight_map['model.norm.weight']
    for (const name of [
      'config.json',
      'generation_config.json',
      'model.safetensors.index.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'chat_template.jinja',
      'dflash',
      ...new Set(Object.values(index.weight_map) as string[]),
    ])
      if (basename(name) !== spoiled) cpSync(join(nanoFolder, name), join(folder, name), { recursive: true })
    const bytes = readFileSync(join(nanoFolder, spoiled))
    const length = Number(bytes.readBigUInt64LE(0))
    const [begin, end] = JSON.parse(bytes.subarray(8, 8 + length).toString())['model.norm.weight'].data_offsets
    spoil(bytes.subarray(8 + length + begin, 8 + length + end))
    writeFileSync(join(folder, spoiled), bytes)
    const session = await openNano({ checkpoint: folder })
    try {
      for (const draft of ['off', 8] as const) {
        const prompt = session.encode({ prompt: prompts[0]! })
        await expect(write(session, prompt, { draft, maxTokens: 4 })).rejects.toThrow(
          new RegExp(`TILE6015.*after position ${prompt.length - 1} are no numbers`),
        )
      }
    } finally {
      await session.close()
    }
  })
})
