/**
 * One cache that two programs know by names of their own is one place to the race check of the host (codegen/emit/regions.ts): what a
 * commit remembers and what the draft's layer reads of the same cache race, unless one is handed over to the other.
 *
 * In the engine both names are written by the same SMs in program order, so a lost wait shows by one name as soon as by both. Here
 * nothing but the two accesses is left (cache-races.cpp), and the emitted tables are all that tells that they meet.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Plan } from '../../compiler/plan/ir.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { program } from '../support/made-once.ts'

const folder = mkdtempSync(join(tmpdir(), 'tilec-cache-races-'))
afterAll(() => rmSync(folder, { recursive: true }))

const layers = ['layers.0', 'layers.1', 'layers.2', 'layers.3']

const regionOf = (plan: Plan, cache: string, segment?: string): number =>
  plan.buffers.findIndex((b) => b.cache?.name === cache && b.cache.segment === segment)

/** The program for the keys or for the values of all layers. */
async function build(form: 'keys' | 'values'): Promise<string> {
  const { plan, source } = compileModel(resolveModel({ model: 'nano' }), { target: 'host', gpus: 1, ctx: 128 })
  const roles = source.indexOf('// ==== roles ====')
  expect(roles).toBeGreaterThan(0)
  writeFileSync(join(folder, 'emitted.h'), source.slice(0, roles))
  const entryOf = (segment: string, layer?: string): number =>
    plan.entries.findIndex((e) => plan.segments[e.segment]!.name === segment && e.layer === layer)
  const words = {
    REMEMBERED_REGIONS: layers.map((l) => regionOf(plan, `${l}.${form}`)),
    DRAFT_REGION: [regionOf(plan, `{layer}.${form}`, 'draft_sliding_dense')],
    COMMIT_ENTRY: [entryOf('commit_begin')],
    DRAFT_ENTRIES: layers.map((l) => entryOf('draft_sliding_dense', l)),
  }
  expect(Object.values(words).flat()).not.toContain(-1)
  const defined = Object.entries(words).map(([name, values]) => `-D${name}=${values.join(',')}`)
  const path = join(folder, 'cache-races.cpp')
  cpSync('test/dflash/cache-races.cpp', path)
  return program(path, ['-O0', '-Wno-psabi', '-DTILE_CHECK', ...defined])
}

describe.each(['keys', 'values'] as const)('%s that a commit remembers', (form) => {
  let races: string
  beforeAll(async () => {
    races = await build(form)
  }, 120_000)
  const said = async (...words: readonly number[]) =>
    (await execa(races, words.map(String), { reject: false })).stdout.trim()

  it.each([0, 1, 2, 3])('race with the draft of layer %i, by the one name', async (layer) => {
    expect(await said(layer, layer, 0)).toMatch(
      new RegExp(`^race: cache layers\\.${layer}\\.${form} part .*not ordered with the access of rank 0 SM `),
    )
  })
  it('do not where they are handed over', async () => {
    expect(await said(1, 1, 1)).toBe('')
  })
  it('are nothing to the draft of another layer', async () => {
    expect(await said(1, 2, 0)).toBe('')
  })
})
