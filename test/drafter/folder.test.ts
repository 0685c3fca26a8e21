/** A published drafter's folder: what is missing, foreign or of another drafter is a coded error before a weight is read. */
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findings, temporaryFolder } from '../checkpoint/temporary.ts'
import { loadDrafter, smallDrafter, writeSmallDrafter } from '../support/small-drafter.ts'
import type { SyntheticTensor } from '../support/synthetic-checkpoint.ts'

function found(edit?: (tensors: Map<string, SyntheticTensor>) => unknown, spoil?: (dflash: string) => void): string[] {
  const folder = temporaryFolder()
  writeSmallDrafter(folder, edit)
  spoil?.(join(folder, 'dflash'))
  return findings(() => loadDrafter(folder)).map((f) => f.replaceAll(folder, ''))
}

test('all is well', () => expect(found()).toEqual([]))

test('mask_embedding.pt instead of .safetensors', () => {
  const pt = new URL('fixtures/mask_embedding.pt', import.meta.url)
  const folder = temporaryFolder()
  writeSmallDrafter(folder, (tensors) => tensors.delete('mask_embedding'))
  copyFileSync(pt, join(folder, 'dflash', 'mask_embedding.pt'))
  const { params } = loadDrafter(folder)
  expect([...params.dense('mask_embedding')]).toEqual(Array.from({ length: 64 }, (_, i) => i / 8))
})

test('no mask embedding', () => {
  expect(found((tensors) => tensors.delete('mask_embedding'))).toEqual([
    'TILE7100 /dflash: has neither mask_embedding.pt nor mask_embedding.safetensors',
  ])
})

test('a foreign pickle', () => {
  const evil = new URL('fixtures/evil.pt', import.meta.url)
  const spoil = (dflash: string) => {
    rmSync(join(dflash, 'mask_embedding.safetensors'))
    copyFileSync(evil, join(dflash, 'mask_embedding.pt'))
  }
  expect(found(undefined, spoil)).toEqual([
    "TILE7102 /dflash/mask_embedding.pt: holds a pickle that is not a mask embedding: it names 'posix.system'",
  ])
})

test('tensors that are missing, foreign or of another shape', () => {
  const findings = found((tensors) => {
    const sink = tensors.get('layers.1.self_attn.attention_sink_bias')!
    tensors.delete('layers.1.self_attn.attention_sink_bias')
    tensors.set('lm_head.weight', sink)
    const fc = tensors.get('fc.weight')!
    tensors.set('fc.weight', { ...fc, shape: [128, 64] })
  })
  expect(findings.map((f) => f.split(': ')[0])).toEqual([
    'TILE7020 /dflash',
    'TILE7021 /dflash/model.safetensors',
    'TILE7022 /dflash/model.safetensors',
  ])
  expect(findings[2]).toContain("tensor 'fc.weight' is [128, 64]; the model expects [64, 128]")
})

test('its target is another', () => {
  const folder = temporaryFolder()
  writeSmallDrafter(folder)
  expect(findings(() => loadDrafter(folder, { hidden_size: 128 })).length).toBeGreaterThan(0)
  expect(() => writeSmallDrafter(temporaryFolder(), undefined, { ...smallDrafter, hidden_size: 32 })).toThrow(
    'TILE1100',
  )
})
