/**
 * What is emitted for the published sizes is C++ that a compiler takes, on every number of ranks: few ranks cut weights and
 * inputs over pages in ways that nano never meets, many share KV heads. A GPU's 132 SMs, so that few tiles are cut over them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, expect, it } from 'vitest'
import { asset } from '../../runtime/paths.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'tilec-sources-'))
afterAll(() => rmSync(folder, { recursive: true }))

it.each([
  ['mimo-v2-flash', 1],
  ['mimo-v2-flash', 2],
  ['mimo-v2-flash', 4],
  ['mimo-v2-flash', 8],
  ['mimo-v2.5-pro', 1],
  ['mimo-v2.5-pro', 8],
])('%s on %i ranks', { timeout: 120_000 }, async (model, gpus) => {
  const { source } = compileModel(resolveModel({ model }), { target: 'sm_90a', gpus, ctx: 1024 })
  const file = join(folder, `${model}-${gpus}.cpp`)
  writeFileSync(file, source)
  const flags = ['-std=c++17', '-Wno-psabi', '-fsyntax-only', `-I${asset('codegen', 'device')}`]
  const { stderr, exitCode } = await execa('g++', [...flags, file], { reject: false })
  expect([exitCode, stderr.split('\n').filter((l) => /error/.test(l))]).toEqual([0, []])
})
