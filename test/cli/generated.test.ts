/** generated/ is what `npm run generate` writes: the script's own command lines, run again into another folder. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { asset } from '../../runtime/paths.ts'
import { tilec } from '../support/terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'tilec-generated-'))
afterAll(() => rmSync(folder, { recursive: true }))

const { scripts } = JSON.parse(readFileSync(asset('package.json'), 'utf8'))
const commands: { words: string[]; target: string }[] = scripts.generate
  .split(' && ')
  .map((line: string) => line.split(' '))
  .filter(([program, file]: string[]) => program === 'node' && file === 'dist/cli/main.js')
  .map((words: string[]) => ({ words: words.slice(2), target: words[words.indexOf('-o') + 1]! }))

describe('generated sources', () => {
  it.each(commands)('$target', { timeout: 60_000 }, async ({ words, target }) => {
    const to = join(folder, target)
    const { status, err } = await tilec(words.map((w) => (w === target ? to : w)))
    expect({ status, err }).toEqual({ status: 0, err: '' })
    const names = readdirSync(to).sort()
    expect(readdirSync(asset(target)).sort(), '`npm run generate` writes them').toEqual(names)
    for (const name of names) {
      const same = readFileSync(join(to, name)).equals(readFileSync(asset(target, name)))
      expect(same, `${target}/${name} is not what the compiler emits; run \`npm run generate\``).toBe(true)
    }
  })

  it('do not grow with the number of layers', () => {
    const lines = (name: string) => readFileSync(asset('generated', name, 'engine.cu'), 'utf8').split('\n').length
    expect(lines('mimo-v2.5-pro')).toBeLessThanOrEqual(3 * lines('mimo-nano'))
  })
})
