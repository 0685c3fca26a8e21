// Collects the training corpus from npm packages.
//
//   node fetch_corpus.mjs OUT_DIR            # packages and versions as pinned in corpus.json
//   node fetch_corpus.mjs OUT_DIR --resolve  # as pinned, the newest version where none is; rewrites corpus.json
//   node fetch_corpus.mjs OUT_DIR --newest   # the newest version of every package; rewrites corpus.json
//
// Reads   corpus.json            [{ name, version, licence, split, files, bytes }, ...]
// Writes  OUT_DIR/train.jsonl    {"pkg","path","text"} a line, one line a source file
//         OUT_DIR/heldout.jsonl  the same for the packages that are never trained on
//
// A package is used only if its licence is on the list below. Per package: TypeScript sources if it ships a fair amount of
// them, else readable JavaScript (one build variant of each file), plus a capped share of .d.ts. Minified and generated files
// are dropped, leading licence comments are cut, and a file whose lines were mostly seen before is skipped.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, createWriteStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const LICENCES = new Set(['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'MIT-0', 'Unlicense', 'CC0-1.0', 'BlueOak-1.0.0'])
const PACKAGE_CAP = 24_000_000          // bytes of text from one package
const DTS_SHARE = 0.08                 // of a package's other text
const here = dirname(fileURLToPath(import.meta.url))
const manifestPath = join(here, 'corpus.json')
const [out, flag] = process.argv.slice(2)
if (!out) throw new Error('usage: fetch_corpus.mjs OUT_DIR [--resolve]')
mkdirSync(out, { recursive: true })

const walk = (dir) => readdirSync(dir, { withFileTypes: true }).flatMap((e) => {
  const p = join(dir, e.name)
  if (e.isDirectory()) return e.name === 'node_modules' || e.name === '__snapshots__' ? [] : walk(p)
  return e.isFile() ? [p] : []
})

const readable = (text) => {
  if (text.length < 200 || text.length > 10_000_000 || text.includes('\0') || text.includes('\ufffd')) return false
  const lines = text.split('\n')
  if (text.length / lines.length > 75) return false
  if (lines.reduce((n, l) => n + (l.length > 600 ? l.length : 0), 0) > text.length * 0.01) return false
  if (/@generated|DO NOT EDIT|automatically generated|auto-generated/i.test(text.slice(0, 600))) return false
  const digits = (text.match(/[0-9]/g) ?? []).length
  return digits / text.length < 0.12
}

const clean = (text) => {
  let t = text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n')
  for (;;) {                                          // leading licence comments
    const m = /^\s*(\/\*[\s\S]*?\*\/|(?:\/\/[^\n]*\n)+)/.exec(t)
    if (!m || !/licen[cs]e|copyright|\(c\)|eslint-disable|use strict/i.test(m[1])) break
    t = t.slice(m[0].length)
  }
  t = t.replace(/^\/\/# sourceMappingURL=.*$/gm, '').replace(/^["']use strict["'];?\n/gm, '').replace(/[ \t]+$/gm, '').replace(/\n{4,}/g, '\n\n\n')
  return t.trim() + '\n'
}

const VARIANT = /(^|\/)(cjs|esm|es|es6|es2015|es2020|esnext|lib|lib-esm|lib-commonjs|dist|dist-es|dist-cjs|build|umd|modules|module|modern|legacy|development|production|_esm|_cjs|commonjs|node|browser|main|ssr|solid|fesm2022|mjs|out|output)(?=\/)/g
const PREFER = ['src', 'esm', 'es', 'modern', 'module', 'modules', 'mjs', 'lib', 'dist', 'build', 'cjs', 'umd', 'legacy']
const rank = (p) => { const i = PREFER.findIndex((d) => p.split('/').includes(d)); return i < 0 ? 4 : i }
const variantKey = (p) => p.replace(VARIANT, '$1').replace(/\/+/g, '/').replace(/\.(m|c)?js$/, '.js')

const seenFiles = new Set()
const seenLines = new Set()
const novel = (text) => {
  const h = createHash('sha1').update(text.replace(/\s+/g, '')).digest('base64')
  if (seenFiles.has(h)) return false
  seenFiles.add(h)
  const lines = text.split('\n').map((l) => l.trim()).filter((l) => l.length > 24)
  const old = lines.filter((l) => seenLines.has(l)).length
  if (lines.length > 4 && old / lines.length > 0.55) return false
  for (const l of lines) seenLines.add(l)
  return true
}

const manifest = JSON.parse(readFileSync(manifestPath, 'utf8'))
const streams = { train: createWriteStream(join(out, 'train.jsonl')), heldout: createWriteStream(join(out, 'heldout.jsonl')) }
const result = []
// held-out packages first: whatever they share with another package is then missing from the training text
for (const entry of [...manifest].sort((a, b) => (a.split === 'heldout' ? 0 : 1) - (b.split === 'heldout' ? 0 : 1))) {
  const spec = flag === '--newest' || !entry.version ? entry.name : `${entry.name}@${entry.version}`
  const tmp = mkdtempSync(join(tmpdir(), 'corpus-'))
  try {
    const tgz = execFileSync('npm', ['pack', spec, '--silent', '--ignore-scripts', '--pack-destination', tmp], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 90_000 }).trim().split('\n').pop()
    execFileSync('tar', ['xzf', join(tmp, basename(tgz)), '-C', tmp], { stdio: 'ignore' })
    rmSync(join(tmp, basename(tgz)))
    const root = join(tmp, readdirSync(tmp)[0])
    const pkg = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const licence = typeof pkg.license === 'string' ? pkg.license : pkg.license?.type ?? pkg.licenses?.[0]?.type ?? 'unknown'
    if (!licence.replace(/[()]/g, '').split(/ OR /).some((l) => LICENCES.has(l))) { console.error(`skip ${spec}: licence ${licence}`); continue }
    const files = walk(root).map((p) => relative(root, p)).filter((p) => !/(^|\/)(__tests__|tests?|locales?|i18n|fixtures?|languages|vendor|third_party|polyfills?)(\/|$)|\.min\.|bundle[./]|\.test\.|\.spec\./i.test(p))
    const pick = (re, not) => files.filter((p) => re.test(p) && !(not && not.test(p)) && statSync(join(root, p)).size < 10_000_000)
    const load = (list) => list.map((path) => ({ path, text: clean(readFileSync(join(root, path), 'utf8')) })).filter((f) => readable(f.text))
    const ts = load(pick(/\.(ts|tsx|mts|cts)$/, /\.d\.[mc]?ts$/))
    const tsBytes = ts.reduce((n, f) => n + f.text.length, 0)
    let kept = ts
    if (tsBytes < 60_000) {
      const js = load(pick(/\.(js|mjs|cjs|jsx)$/)).sort((a, b) => rank(a.path) - rank(b.path))
      const byKey = new Map()
      for (const f of js) { const k = variantKey(f.path); if (!byKey.has(k)) byKey.set(k, f) }
      kept = [...ts, ...byKey.values()]
    }
    const dts = load(pick(/\.d\.[mc]?ts$/))
    let bytes = 0, count = 0
    const take = (f, cap) => {
      if (bytes + f.text.length > cap || !novel(f.text)) return
      streams[entry.split].write(JSON.stringify({ pkg: pkg.name, path: f.path, text: f.text }) + '\n')
      bytes += f.text.length; count += 1
    }
    for (const f of kept) take(f, PACKAGE_CAP)
    const cap = bytes * (1 + DTS_SHARE)
    if (entry.split === 'train') for (const f of dts) take(f, cap)
    result.push({ name: pkg.name, version: pkg.version, licence, split: entry.split, files: count, bytes })
    console.error(`${pkg.name}@${pkg.version} ${licence} ${entry.split} ${tsBytes >= 60_000 ? 'ts' : 'js'} files ${count} bytes ${bytes}`)
  } catch (e) {
    console.error(`skip ${spec}: ${String(e.message).split('\n')[0]}`)
  } finally {
    if (existsSync(tmp)) rmSync(tmp, { recursive: true })
  }
}
for (const s of Object.values(streams)) s.end()
if (flag) writeFileSync(manifestPath, '[\n' + result.map((r) => '  ' + JSON.stringify(r)).join(',\n') + '\n]\n')
const total = (split) => result.filter((r) => r.split === split).reduce((n, r) => n + r.bytes, 0)
console.error(`packages ${result.length} train ${total('train')} heldout ${total('heldout')}`)
