/** The model of docs/first-model.md, with random weights: its engine computes what the reference computes. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { loadModel } from '../../compiler/frontend/load-model.ts'
import { asset } from '../../runtime/paths.ts'
import { nanoFolder } from '../support/nano.ts'
import { buildQuickly } from '../support/quick-builds.ts'
import { writeCheckpoint } from '../support/synthetic-checkpoint.ts'
import { tilec } from '../support/terminal.ts'

buildQuickly()

const folder = mkdtempSync(join(tmpdir(), 'tilec-pebble-'))
afterAll(() => rmSync(folder, { recursive: true }))

const doc = readFileSync(asset('docs', 'first-model.md'), 'utf8')
const block = (title: string) => doc.split(`\n\`\`\`${title}\n`)[1]!.split('\n```\n')[0]!

it('agrees with the reference on one rank and on two', { timeout: 240_000 }, async () => {
  const graph = join(folder, 'graph.ts')
  const config = JSON.parse(block('json pebble/config.json'))
  writeFileSync(graph, block('ts pebble/graph.ts'))
  const { model, diagnostics } = loadModel(graph, { config })
  expect(diagnostics).toEqual([])
  const checkpoint = join(folder, 'weights')
  mkdirSync(checkpoint)
  writeCheckpoint(checkpoint, config, model!.bindings)
  for (const file of ['tokenizer.json', 'generation_config.json'])
    copyFileSync(join(nanoFolder, file), join(checkpoint, file))
  for (const gpus of ['1', '2']) {
    const words = [
      'check',
      graph,
      '--checkpoint',
      checkpoint,
      '--target',
      'host',
      '--gpus',
      gpus,
      '--numbers',
      '--json',
    ]
    const { out } = await tilec(words)
    expect(JSON.parse(out), out).toMatchObject({ ok: true, model: 'pebble', numbers: { tokens: 64 } })
  }
})
