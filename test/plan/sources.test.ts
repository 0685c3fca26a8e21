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
import { nanoDrafter } from '../drafter/nano-drafter.ts'

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
  expect(await errorsOf(source, `${model}-${gpus}`)).toEqual([0, []])
})

it('a drafter that turns its heads, which are normalised first, by angles that nobody else has', async () => {
  const drafter = join(folder, 'drafter.json')
  writeFileSync(drafter, JSON.stringify({ ...nanoDrafter, rope_theta: 777 }))
  const { source } = compileModel(resolveModel({ model: 'nano', drafter }), { target: 'host', gpus: 1, ctx: 256 })
  expect(await errorsOf(source, 'angles')).toEqual([0, []])
})

it('shared memory that the headers lay out otherwise than the plan does is refused, and rotations leave nothing to contract', async () => {
  const { source } = compileModel(resolveModel({ model: 'nano' }), { target: 'host', gpus: 1, ctx: 256 })
  const said = /Shared::bytes == (\d+)/.exec(source)
  expect(await errorsOf(source.replace(said![0], `Shared::bytes == ${Number(said![1]) - 256}`), 'shared')).toEqual([
    1,
    [expect.stringContaining('as the plan was proved to fit an SM')],
  ])
  // A difference of two products has other bits in a build that fuses the other one.
  expect(source).toContain('by.of(')
  expect(source).not.toMatch(/\* by\.(co)?sine/)
})

/** What a compiler says of a source: its exit status, and its errors. */
async function errorsOf(source: string, name: string): Promise<readonly [number | undefined, readonly string[]]> {
  const file = join(folder, `${name}.cpp`)
  writeFileSync(file, source)
  const flags = ['-std=c++17', '-Wno-psabi', '-fsyntax-only', `-I${asset('codegen', 'device')}`]
  const { stderr, exitCode } = await execa('g++', [...flags, file], { reject: false })
  return [exitCode, stderr.split('\n').filter((l) => /error/.test(l))]
}
