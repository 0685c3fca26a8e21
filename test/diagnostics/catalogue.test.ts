/** Every code that the sources report can be explained. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { catalogue } from '../../compiler/diagnostics/catalogue.ts'

const root = join(import.meta.dirname, '../..')
const folders = ['cli', 'codegen', 'compiler', 'dsl', 'models', 'runtime']

function reported(): Set<string> {
  const codes = new Set<string>()
  for (const folder of folders) {
    for (const file of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts') || file.endsWith('catalogue.ts')) continue
      for (const [code] of readFileSync(join(root, folder, file), 'utf8').matchAll(/TILE\d{4}/g)) codes.add(code)
    }
  }
  return codes
}

it('lists every code that is reported', () => {
  expect([...reported()].filter((code) => !(code in catalogue)).sort()).toEqual([])
})
