/**
 * One folder for each code of the frontend and the schedule language: what an author may write wrong, and all that
 * tilec then says. `expected.txt` is reviewed as prose.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { catalogue } from '../../compiler/diagnostics/catalogue.ts'
import { positionOf, renderDiagnostics } from '../../compiler/diagnostics/render.ts'
import { type LoadResult, loadModel } from '../../compiler/frontend/load-model.ts'
import { loadPreset } from '../../compiler/frontend/presets.ts'

const here = new URL('.', import.meta.url).pathname
const fixtures = readdirSync(here).filter((name) => name.startsWith('TILE') && /^TILE(1|20)/.test(name))

function load(folder: string): LoadResult {
  if (existsSync(`${folder}/preset.txt`)) return loadPreset(readFileSync(`${folder}/preset.txt`, 'utf8').trim())
  const config = JSON.parse(readFileSync(`${folder}/config.json`, 'utf8'))
  return loadModel(`${folder}/model.ts`, { config, configFile: 'config.json' })
}

test.each(fixtures)('%s', async (name) => {
  const { model, diagnostics, sources } = load(`${here}${name}`)
  expect(model).toBeUndefined()
  const code = name.slice(0, 'TILE1001'.length)
  expect(diagnostics.map((d) => d.code)).toContain(code)
  for (const { span } of diagnostics) {
    if (!span) continue
    const text = sources.get(span.file)!
    expect(span.end).toBeLessThanOrEqual(text.length)
    expect(positionOf(text, span.start).line).toBeGreaterThan(0)
  }
  const shown = renderDiagnostics(diagnostics, { sources: (file) => sources.get(file) })
  await expect(shown).toMatchFileSnapshot(`${here}${name}/expected.txt`)
})

test('every code of the frontend and the schedule language has a fixture', () => {
  // a drafter needs a target, which a fixture has not: its codes are shown by test/drafter
  const drafters = /^TILE(1043|11\d\d)$/
  // only a tiled model knows its phases: test/plan/resolve-schedule.test.ts
  const phases = /^TILE205[0-9]$/
  const codes = Object.keys(catalogue).filter(
    (c) => /^TILE(1\d|20)\d\d$/.test(c) && !drafters.test(c) && !phases.test(c),
  )
  const shown = new Set(fixtures.map((name) => name.slice(0, 'TILE1001'.length)))
  expect(codes.filter((c) => !shown.has(c))).toEqual([])
})
