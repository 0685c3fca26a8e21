/**
 * The package as users get it: packed, unpacked into an empty folder beside its dependencies, and put to work by nothing
 * but docs/first-model.md, block by block.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../runtime/paths.ts'

const app = mkdtempSync(join(tmpdir(), 'tilec-package-'))
const modules = join(app, 'node_modules')
let packed: string[] = []

beforeAll(async () => {
  // As `npm run build` does, except for the grammar, which other tests are reading.
  await execa('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: packageRoot })
  await execa('node', ['dsl/copy-grammar.mjs'], { cwd: packageRoot })
  const pack = await execa('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', app], {
    cwd: packageRoot,
  })
  const [{ filename, files }] = JSON.parse(pack.stdout)
  packed = files.map((f: { path: string }) => f.path)
  mkdirSync(join(modules, 'tilec'), { recursive: true })
  await execa('tar', ['-xzf', join(app, filename), '--strip-components=1', '-C', join(modules, 'tilec')])
  linkDependencies()
  mkdirSync(join(modules, '.bin'))
  chmodSync(join(modules, 'tilec/dist/cli/main.js'), 0o755)
  symlinkSync('../tilec/dist/cli/main.js', join(modules, '.bin/tilec'))
  writeFileSync(join(app, 'package.json'), '{ "name": "somebody", "type": "module" }')
})
afterAll(() => rmSync(app, { recursive: true, force: true }))

/** What `npm install` would fetch: everything that the lockfile does not mark as for development. */
function linkDependencies(): void {
  const { packages } = JSON.parse(readFileSync(join(packageRoot, 'package-lock.json'), 'utf8'))
  for (const [path, entry] of Object.entries<{ dev?: boolean }>(packages)) {
    const nested = path.lastIndexOf('node_modules/') > 0
    if (path === '' || entry.dev || nested || !existsSync(join(packageRoot, path))) continue
    mkdirSync(dirname(join(app, path)), { recursive: true })
    symlinkSync(join(packageRoot, path), join(app, path))
  }
}

const shell = (command: string) =>
  execa('bash', ['-euo', 'pipefail', '-c', command], { cwd: app, reject: false, all: true, env: { NO_COLOR: '1' } })

describe('the tarball', () => {
  it('has what is needed at run time', () => {
    expect(packed).toEqual(
      expect.arrayContaining([
        'dist/cli/main.js',
        'dist/dsl/index.js',
        'dist/dsl/index.d.ts',
        'dist/dsl/schedule-grammar.js',
        'dist/runtime/index.d.ts',
        'codegen/device/tile.h',
        'codegen/device/engine/main.h',
        'codegen/templates/engine.cu.hbs',
        'models/mimo/graph.ts',
        'models/mimo/configs/mimo-v2.5-pro.json',
        'models/mimo/nano/config.json',
        'models/mimo/nano/tokenizer.json',
        'docs/first-model.md',
        'README.md',
        'LICENSE',
        'CHANGELOG.md',
      ]),
    )
  })
  it('has nothing else', () => {
    const odd = packed.filter((f) => /^(test|generated|\.ci)\/|\.test\.|train\/|oracle|\.map$|vitest/.test(f))
    expect(odd).toEqual([])
    const size = packed.reduce((n, f) => n + statSync(join(modules, 'tilec', f)).size, 0)
    expect(size).toBeLessThan(40e6)
  })
})

describe('installed', () => {
  it('runs nano', { timeout: 240_000 }, async () => {
    const { stdout, exitCode } = await shell('npx tilec run nano "function add(" --target host --max-tokens 8 --json')
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ tokens: 8 })
  })

  it('can be imported, DSL and runtime', { timeout: 120_000 }, async () => {
    const program = `
      import { dim } from 'tilec'
      import { DiagnosticError, openModel } from 'tilec/runtime'
      try { await openModel({ model: 'nano', target: 'host', gpus: 3 }) } catch (e) {
        console.log(e instanceof DiagnosticError, e.diagnostics[0].code, dim('hidden', 4).size)
      }`
    writeFileSync(join(app, 'program.mjs'), program)
    expect((await shell('node program.mjs')).stdout).toBe('true TILE5108 4')
  })
})

describe('docs/first-model.md', () => {
  const doc = readFileSync(join(packageRoot, 'docs/first-model.md'), 'utf8')
  const blocks = [...doc.matchAll(/^```(\w+) ([^\n]*)\n([\s\S]*?)^```$/gm)].map(([, language, title, text]) => ({
    language: language!,
    title: title!,
    text: text!,
  }))

  it('says what is so, block by block', { timeout: 300_000 }, async () => {
    let said = ''
    let before: string | undefined
    for (const { language, title, text } of blocks) {
      const [file = '', edit] = title.split(' ')
      if (language === 'sh' && title !== 'install') {
        const { all, exitCode } = await shell(text)
        said = all ?? ''
        expect(exitCode, `${text}\n${said}`).toBe(title === 'wrong' ? 1 : 0)
      } else if (title === 'says') {
        for (const line of text.trim().split('\n')) expect(said).toContain(line)
      } else if (edit === 'before') {
        before = text.trimEnd()
      } else if (edit === 'after') {
        const path = join(app, file)
        const parts = readFileSync(path, 'utf8').split(before!)
        expect(parts, `'${before}' stands once in ${file}`).toHaveLength(2)
        writeFileSync(path, parts.join(text.trimEnd()))
      } else if (language !== 'sh') {
        mkdirSync(dirname(join(app, file)), { recursive: true })
        writeFileSync(join(app, file), text)
      }
    }
    expect(blocks.length).toBeGreaterThan(15)
    expect(existsSync(join(app, 'pebble.html'))).toBe(true)
  })
})
