/** Files that are broken, cut, contradictory or malicious: each is refused with its code, and nothing escapes as a crash. */
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { readTensor } from '../../runtime/checkpoint/bytes.ts'
import { openCheckpoint } from '../../runtime/checkpoint/checkpoint.ts'
import { writeRaw, writeSafetensors } from '../support/synthetic-checkpoint.ts'
import { findings, temporaryFolder } from './temporary.ts'

const eight = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])
const a = { dtype: 'U8', shape: [4], data_offsets: [0, 4] }
const b = { dtype: 'F32', shape: [1], data_offsets: [4, 8] }

/** A folder whose one safetensors file has this header and 8 bytes of data. */
function withHeader(header: unknown): string {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'config.json'), '{}')
  writeRaw(join(folder, 'model.safetensors'), typeof header === 'string' ? header : JSON.stringify(header), eight)
  return folder
}
const open = (header: unknown) => findings(() => openCheckpoint(withHeader(header)))

function withIndex(weightMap: unknown, files: Record<string, object> = {}): string {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'config.json'), '{}')
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }))
  for (const [file, header] of Object.entries(files)) writeRaw(join(folder, file), JSON.stringify(header), eight)
  return folder
}

describe('a safetensors file', () => {
  it('opens when it is in order', () => {
    const { tensors } = openCheckpoint(withHeader({ __metadata__: { format: 'pt' }, a, b }))
    expect([...tensors.keys()]).toEqual(['a', 'b'])
    expect([...readTensor(tensors.get('b')!)]).toEqual([5, 6, 7, 8])
    expect([...readTensor(tensors.get('a')!, 1, 2)]).toEqual([2, 3])
  })

  it.each([
    ['overlap', { a, b: { ...b, shape: [], data_offsets: [2, 6] } }, 'TILE7012', "'b' and 'a' share bytes"],
    [
      'one tensor inside another',
      { a: { ...a, shape: [8], data_offsets: [0, 8] }, b },
      'TILE7012',
      "'b' and 'a' share",
    ],
    ['a hole', { a }, 'TILE7013', 'belong to no tensor'],
    ['a hole in the middle', { a: { ...a, shape: [2], data_offsets: [0, 2] }, b }, 'TILE7013', 'belong to no tensor'],
    ['data past the end', { a, b: { ...b, shape: [2], data_offsets: [4, 12] } }, 'TILE7011', "'b' lies at bytes 4..12"],
    ['an unknown dtype', { a, b: { ...b, dtype: 'F33' } }, 'TILE7009', "tensor 'b' has dtype 'F33'"],
    [
      'a size that contradicts the shape',
      { a, b: { ...b, shape: [2] } },
      'TILE7010',
      'F32 [2], takes 8 bytes; the header gives it 4',
    ],
    ['a shape beyond all bounds', { a, b: { ...b, shape: [2 ** 40, 2 ** 40] } }, 'TILE7010', 'takes'],
    ['a negative dim', { a, b: { ...b, shape: [-1] } }, 'TILE7008', 'the shape [-1]'],
    ['a fractional offset', { a, b: { ...b, data_offsets: [4, 7.5] } }, 'TILE7008', 'data_offsets [4,7.5]'],
    ['offsets in the wrong order', { a, b: { ...b, data_offsets: [8, 4] } }, 'TILE7008', 'data_offsets [8,4]'],
    ['no dtype', { a, b: { shape: [1], data_offsets: [4, 8] } }, 'TILE7008', "tensor 'b' has no dtype"],
    ['no description', { a, b: 3 }, 'TILE7008', "tensor 'b' has no description"],
    ['a list for a header', [], 'TILE7008', 'not a JSON object'],
    ['no JSON', '{"a": ', 'TILE7008', 'cannot be read'],
    [
      'a name twice',
      `{"a":${JSON.stringify(a)},"b":${JSON.stringify(b)},"\\u0061":${JSON.stringify(a)}}`,
      'TILE7014',
      "names 'a' twice",
    ],
    [
      'a key twice inside',
      `{"a":{"dtype":"U8","dtype":"I8","shape":[8],"data_offsets":[0,8]}}`,
      'TILE7014',
      "names 'dtype' twice",
    ],
  ])('with %s is refused', (_, header, code, text) => {
    expect(open(header).join('\n')).toContain(code)
    expect(open(header).join('\n')).toContain(text)
  })

  it('reports every finding of a file together', () => {
    const found = open({
      a: { ...a, dtype: 'X' },
      b: { ...b, shape: [7] },
      c: { dtype: 'U8', shape: [9], data_offsets: [0, 9] },
    })
    expect(found.map((f) => f.slice(0, 8))).toEqual(['TILE7009', 'TILE7010', 'TILE7011'])
  })

  it('that is cut anywhere is refused', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (part) => {
        const folder = withHeader({ a, b })
        const file = join(folder, 'model.safetensors')
        truncateSync(file, Math.floor(readFileSync(file).length * part))
        expect(findings(() => openCheckpoint(folder)).join()).toMatch(/TILE70(06|08|11)/)
      }),
      { numRuns: 30 },
    )
  })

  it('with a header length beyond reason is refused without reading it', () => {
    const folder = withHeader({ a, b })
    const huge = Buffer.alloc(16, 0xff)
    writeFileSync(join(folder, 'model.safetensors'), huge)
    expect(findings(() => openCheckpoint(folder)).join()).toContain('TILE7007')
  })

  it('with any byte changed is refused, or still stays within its bounds', () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'config.json'), '{}')
    const file = join(folder, 'model.safetensors')
    writeRaw(file, JSON.stringify({ a, b }), eight)
    const good = readFileSync(file)
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const bytes = Buffer.from(good)
        bytes[at] = value
        writeFileSync(file, bytes)
        try {
          for (const t of openCheckpoint(folder).tensors.values()) {
            expect(t.offset + t.bytes).toBeLessThanOrEqual(bytes.length)
            expect(readTensor(t).length).toBe(t.bytes)
          }
        } catch (error) {
          expect(error).toBeInstanceOf(DiagnosticError)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('that shrinks after it was opened is reported when it is read', () => {
    const folder = withHeader({ a, b })
    const { tensors } = openCheckpoint(folder)
    const file = join(folder, 'model.safetensors')
    truncateSync(file, readFileSync(file).length - 2)
    expect(findings(() => readTensor(tensors.get('b')!)).join()).toContain(
      `TILE7018 ${file}: tensor 'b' ends after 2 of 4 bytes`,
    )
  })
})

describe('a checkpoint folder', () => {
  it.each([
    ['../other.safetensors', 'not inside'],
    ['/etc/passwd', 'not inside'],
    ['sub/../../x', 'not inside'],
    ['..\\x', 'not inside'],
    ['', 'not a file name'],
  ])("whose index names '%s' is refused", (name, text) => {
    const found = findings(() => openCheckpoint(withIndex({ a: name }))).join()
    expect(found).toContain('TILE7005')
    expect(found).toContain(text)
  })

  it('with a link that leads out is refused; one that stays inside is not', () => {
    const outside = temporaryFolder()
    writeRaw(join(outside, 'x.safetensors'), JSON.stringify({ a, b }), eight)
    const folder = withIndex({ a: 'link.safetensors', b: 'link.safetensors' })
    symlinkSync(join(outside, 'x.safetensors'), join(folder, 'link.safetensors'))
    expect(findings(() => openCheckpoint(folder)).join()).toContain('TILE7005')
    const inside = withIndex({ a: 'link.safetensors', b: 'link.safetensors' }, { 'real.safetensors': { a, b } })
    symlinkSync('real.safetensors', join(inside, 'link.safetensors'))
    expect(findings(() => openCheckpoint(inside))).toEqual([])
  })

  it("in the hub's cache may link to the blobs beside it", () => {
    const repo = temporaryFolder()
    const [blobs, snapshot] = [join(repo, 'blobs'), join(repo, 'snapshots', 'abc')]
    mkdirSync(blobs)
    mkdirSync(snapshot, { recursive: true })
    writeFileSync(join(blobs, '1'), '{}')
    writeRaw(join(blobs, '2'), JSON.stringify({ a, b }), eight)
    symlinkSync('../../blobs/1', join(snapshot, 'config.json'))
    symlinkSync('../../blobs/2', join(snapshot, 'model.safetensors'))
    expect(openCheckpoint(snapshot).tensors.size).toBe(2)
  })

  it('reports absent shards, tensors in two shards and disagreement together', () => {
    const folder = withIndex(
      { a: 'one.safetensors', b: 'one.safetensors', c: 'one.safetensors', d: 'gone.safetensors' },
      { 'one.safetensors': { a, b }, 'two.safetensors': { a, b } },
    )
    const twice = withIndex(
      { a: 'one.safetensors', b: 'two.safetensors' },
      { 'one.safetensors': { a, b }, 'two.safetensors': { a, b } },
    )
    const found = findings(() => openCheckpoint(folder)).join('\n')
    expect(found).toContain(`TILE7016 ${join(folder, 'one.safetensors')}: has no usable tensor 'c'`)
    expect(found).toContain('TILE7002')
    expect(found).toContain("names the file 'gone.safetensors', which is not there (ENOENT)")
    expect(findings(() => openCheckpoint(twice)).join('\n')).toContain("tensor 'a' is also in")
  })

  it('warns of a tensor that the index does not list and leaves it out', () => {
    const { tensors, warnings } = openCheckpoint(withIndex({ a: 'one.safetensors' }, { 'one.safetensors': { a, b } }))
    expect([...tensors.keys()]).toEqual(['a'])
    expect(warnings.map((w) => w.code)).toEqual(['TILE7016'])
  })

  it.each([
    ['no folder', () => '/nowhere/at/all', 'TILE7001'],
    ['no config', () => temporaryFolder(), 'TILE7002'],
    ['weight_map of numbers', () => withIndex({ a: 1 }), "maps 'a' to 1"],
    ['no weight_map', () => withIndex(undefined), "no object 'weight_map'"],
  ])('with %s is refused', (_, make, text) => {
    expect(findings(() => openCheckpoint(make())).join()).toContain(text)
  })

  it('with a config that is no JSON object is refused', () => {
    for (const text of ['{', '[]', '{"a":1,"a":2}', '\xff\xfe']) {
      const folder = withHeader({ a, b })
      writeFileSync(join(folder, 'config.json'), Buffer.from(text, 'latin1'))
      expect(findings(() => openCheckpoint(folder)).join()).toMatch(/TILE70(03|14)/)
    }
  })

  it('with several unnamed candidates is refused', () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'config.json'), '{}')
    for (const name of ['x', 'y']) writeSafetensors(join(folder, `${name}.safetensors`), new Map())
    expect(findings(() => openCheckpoint(folder)).join()).toContain(
      'several files that may hold the weights: x.safetensors, y.safetensors',
    )
  })
})
