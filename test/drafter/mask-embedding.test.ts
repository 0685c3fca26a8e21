/**
 * mask_embedding.pt, as torch.save wrote it (fixtures: torch 2.13, a vector of 64 elements i / 8 for token 49) and as
 * somebody else might: whatever is done to it ends in a coded error or in the same vector.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { readTensor } from '../../runtime/checkpoint/bytes.ts'
import { openFolder } from '../../runtime/checkpoint/folder.ts'
import { type MaskDemand, readMaskEmbedding } from '../../runtime/checkpoint/mask-embedding.ts'
import { temporaryFolder } from '../checkpoint/temporary.ts'
import { writeSafetensors } from '../support/synthetic-checkpoint.ts'

const fixture = (name: string) => new URL(`fixtures/${name}`, import.meta.url)
const real = readFileSync(fixture('mask_embedding.pt'))
const demand: MaskDemand = { token: 49, hidden: 64 }
const vector = Buffer.from(
  Uint16Array.from({ length: 64 }, (_, i) => new Uint32Array(Float32Array.of(i / 8).buffer)[0]! >>> 16).buffer,
)

function read(folder: string, wanted = demand) {
  const session = new Session()
  const tensor = readMaskEmbedding(openFolder(folder, session)!, wanted, session)
  return {
    tensor,
    codes: session.diagnostics.map((d) => d.code),
    text: session.diagnostics.map((d) => d.message).join('\n'),
  }
}
function readBytes(bytes: Uint8Array, folder = temporaryFolder()) {
  writeFileSync(join(folder, 'mask_embedding.pt'), bytes)
  return read(folder)
}

describe('accepted', () => {
  test.each(['mask_embedding.pt', 'param.pt'])('%s, as torch.save writes it', (name) => {
    const folder = temporaryFolder()
    copyFileSync(fixture(name), join(folder, 'mask_embedding.pt'))
    const { tensor, codes } = read(folder)
    expect(codes).toEqual([])
    expect(tensor).toMatchObject({ name: 'mask_embedding', dtype: 'BF16', shape: [64], bytes: 128 })
    expect(Buffer.from(readTensor(tensor!))).toEqual(vector)
  })

  test.each([[[64]], [[1, 64]]])('a safetensors file with one vector %j', (shape) => {
    const folder = temporaryFolder()
    const tensors = new Map([['embedding', { dtype: 'BF16', shape, bytes: vector }]])
    writeSafetensors(join(folder, 'mask_embedding.safetensors'), tensors)
    const { tensor, codes } = read(folder)
    expect(codes).toEqual([])
    expect(Buffer.from(readTensor(tensor!))).toEqual(vector)
  })
})

describe('refused', () => {
  test('no file, and two of them', () => {
    const folder = temporaryFolder()
    expect(read(folder).codes).toEqual(['TILE7100'])
    copyFileSync(fixture('mask_embedding.pt'), join(folder, 'mask_embedding.pt'))
    writeSafetensors(join(folder, 'mask_embedding.safetensors'), new Map())
    expect(read(folder).codes).toEqual(['TILE7100'])
  })

  test('another token, another width', () => {
    const folder = temporaryFolder()
    copyFileSync(fixture('mask_embedding.pt'), join(folder, 'mask_embedding.pt'))
    expect(read(folder, { token: 7, hidden: 64 })).toMatchObject({
      codes: ['TILE7104'],
      text: "is for token 49; the drafter's mask_token_id is 7",
    })
    expect(read(folder, { token: 49, hidden: 128 })).toMatchObject({
      codes: ['TILE7103'],
      text: 'holds BF16 [64]; the drafter needs BF16 [128]',
    })
  })

  test('a pickle that would run a command is named, not run', () => {
    const { codes, text } = readBytes(readFileSync(fixture('evil.pt')))
    expect(codes).toEqual(['TILE7102'])
    expect(text).toBe("holds a pickle that is not a mask embedding: it names 'posix.system'")
  })

  const pickle = Buffer.from(entryOf(real, 'data.pkl'))
  const text = (s: string) => Buffer.from(s, 'latin1')
  const replaced = (from: string, to: string) => {
    const at = pickle.indexOf(text(from))
    if (at < 0) throw new Error(`the fixture has no ${JSON.stringify(from)}`)
    return Buffer.concat([pickle.subarray(0, at), text(to), pickle.subarray(at + from.length)])
  }
  const foreign: [what: string, pickle: Buffer, said: string][] = [
    ['another global', replaced('collections\nOrderedDict\n', 'builtins\neval\n'), "names 'builtins.eval'"],
    ['another opcode', replaced('q\x03', '\x93\x30'), 'has opcode 0x93'],
    ['another protocol', replaced('\x80\x02', '\x80\x04'), 'is not of protocol 2'],
    [
      'another key',
      replaced('\x09\0\0\0embedding', '\x09\0\0\0weights!!'),
      "is a dict of 'mask_token_id' and 'weights!!'",
    ],
    ['a text of 4 GB', replaced('\x0d\0\0\0mask_token_id', '\xff\xff\xff\xffmask_token_id'), 'is cut short'],
    ['an unbounded line', Buffer.concat([text('\x80\x02c'), Buffer.alloc(100, 'a')]), 'is cut short'],
    ['nothing on the stack', text('\x80\x02.'), 'takes a value that there is not'],
    ['something after the end', Buffer.concat([pickle, text('x')]), 'goes on after its end'],
    ['a call of data', text('\x80\x02K\x01)R.'), 'calls what is no function'],
    ['hooks', replaced(')R', '}\x85R'), 'not as a plain tensor'],
    ['another call', replaced('_rebuild_tensor_v2', '_rebuild_parameter'), 'has an embedding that is no tensor'],
    ['a negative token', replaced('K\x31', 'J\xff\xff\xff\xff'), 'has something else for a count'],
  ]
  test.each(foreign)('a pickle with %s', (_, bytes, said) => {
    const result = readBytes(
      archive([
        ['data.pkl', bytes],
        ['data/0', vector],
      ]),
    )
    expect(result.codes).toEqual(['TILE7102'])
    expect(result.text).toContain(said)
  })

  const archives: [what: string, bytes: Buffer, code: string, said: string][] = [
    ['no archive at all', text('PK\x03\x04'), 'TILE7101', 'is no zip archive'],
    [
      'a compressed entry',
      archive(
        [
          ['data.pkl', pickle],
          ['data/0', vector],
        ],
        { method: 8 },
      ),
      'TILE7101',
      'compressed (method 8)',
    ],
    [
      'an encrypted entry',
      archive(
        [
          ['data.pkl', pickle],
          ['data/0', vector],
        ],
        { flags: 1 },
      ),
      'TILE7101',
      'flags 0x1',
    ],
    [
      'a wrong checksum',
      archive(
        [
          ['data.pkl', pickle],
          ['data/0', vector],
        ],
        { crc: 1 },
      ),
      'TILE7101',
      'checksum is wrong',
    ],
    [
      'an entry twice',
      archive([
        ['data.pkl', pickle],
        ['data.pkl', pickle],
      ]),
      'TILE7101',
      "has two entries 'a/data.pkl'",
    ],
    ['no pickle', archive([['data/0', vector]]), 'TILE7101', "has no entry 'data.pkl'"],
    ['no data', archive([['data.pkl', pickle]]), 'TILE7101', "has no entry 'data/0'"],
    [
      'big-endian data',
      archive([
        ['data.pkl', pickle],
        ['byteorder', text('big')],
        ['data/0', vector],
      ]),
      'TILE7101',
      'is not little-endian',
    ],
    [
      'too few bytes',
      archive([
        ['data.pkl', pickle],
        ['data/0', vector.subarray(2)],
      ]),
      'TILE7103',
      'describes elements 0..64 of 64, in 126 bytes',
    ],
    [
      'float32',
      archive([
        ['data.pkl', replaced('BFloat16', 'Float')],
        ['data/0', vector],
      ]),
      'TILE7103',
      'holds a torch.FloatStorage',
    ],
    [
      'entries that share bytes',
      archive(
        [
          ['data.pkl', pickle],
          ['data/0', vector],
        ],
        { shared: true },
      ),
      'TILE7101',
      '',
    ],
  ]
  test.each(archives)('%s', (_, bytes, code, said) => {
    const result = readBytes(bytes)
    expect(result.codes).toEqual([code])
    expect(result.text).toContain(said)
  })

  test('the archive of these tests is legal when nothing is wrong with it', () => {
    expect(
      readBytes(
        archive([
          ['data.pkl', pickle],
          ['data/0', vector],
        ]),
      ).codes,
    ).toEqual([])
  })

  test('any damage is a coded error or harmless, never another vector or another exception', () => {
    const folder = temporaryFolder()
    const damage = fc.oneof(
      fc.record({ at: fc.nat(real.length - 1), to: fc.nat(255) }).map(({ at, to }) => {
        const bytes = Buffer.from(real)
        bytes[at] = to
        return bytes
      }),
      fc.nat(real.length).map((end) => real.subarray(0, end)),
      fc
        .record({ at: fc.nat(real.length), more: fc.uint8Array({ maxLength: 8 }) })
        .map(({ at, more }) => Buffer.concat([real.subarray(0, at), more, real.subarray(at)])),
    )
    fc.assert(
      fc.property(damage, (bytes) => {
        const { tensor, codes } = readBytes(bytes, folder)
        if (codes.length === 0) expect(Buffer.from(readTensor(tensor!))).toEqual(vector)
        else for (const code of codes) expect(code).toMatch(/^TILE71/)
      }),
      { numRuns: 600 },
    )
  })

  test('any pickle is a coded error, and reading it ends', () => {
    const folder = temporaryFolder()
    const opcode = fc.constantFrom(...'()JKMQRXchjqrstu}\x85\x86\x87\x88\x89.'.split('')).map((c) => [c.charCodeAt(0)])
    const program = fc.array(
      fc.oneof({ weight: 3, arbitrary: opcode }, { weight: 1, arbitrary: fc.array(fc.nat(255), { maxLength: 4 }) }),
    )
    fc.assert(
      fc.property(program, (parts) => {
        const bytes = Buffer.from([0x80, 2, ...parts.flat()])
        expect(
          readBytes(
            archive([
              ['data.pkl', bytes],
              ['data/0', vector],
            ]),
            folder,
          ).codes,
        ).toEqual(['TILE7102'])
      }),
      { numRuns: 300 },
    )
  })
})

interface Faults {
  readonly method?: number
  readonly flags?: number
  readonly crc?: number
  /** All directory entries point at the first one's contents. */
  readonly shared?: boolean
}

/** A zip as torch writes it, without padding; `faults` go into the last entry. */
function archive(entries: readonly (readonly [string, Buffer])[], faults: Faults = {}): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  entries.forEach(([short, bytes], i) => {
    const { method = 0, flags = 0x0808, crc = 0, shared = false } = i === entries.length - 1 ? faults : {}
    const name = Buffer.from(`a/${short}`)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(name.length, 26)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(flags, 8)
    entry.writeUInt16LE(method, 10)
    entry.writeUInt32LE((crc32(bytes) ^ crc) >>> 0, 16)
    entry.writeUInt32LE(bytes.length, 20)
    entry.writeUInt32LE(bytes.length, 24)
    entry.writeUInt16LE(name.length, 28)
    entry.writeUInt32LE(shared ? 0 : at, 42)
    locals.push(local, name, bytes)
    directory.push(entry, name)
    at += 30 + name.length + bytes.length
  })
  const size = directory.reduce((n, b) => n + b.length, 0)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(size, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...locals, ...directory, end])
}

/** The contents of an entry of a real archive, found by its local header. */
function entryOf(zip: Buffer, name: string): Uint8Array {
  const at = zip.indexOf(`mask_embedding/${name}`)
  const offset = at + zip.readUInt16LE(at - 4) + zip.readUInt16LE(at - 2)
  return zip.subarray(offset, zip.indexOf('PK\x07\x08', offset))
}
