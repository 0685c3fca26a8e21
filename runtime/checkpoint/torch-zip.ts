/**
 * The archive that torch.save writes, opened as the zip it is: stored entries, found through the central directory.
 *
 * Vocabulary: the *directory* is the zip's central directory, the only place that sizes are taken from; an *entry* is one
 * file of the archive. Names lose the archive's own prefix: `mask_embedding/data.pkl` is `data.pkl`.
 * Invariant: nothing in the file is trusted. Entries are uncompressed and unencrypted, lie before the directory without
 * overlap, are named once, say the same in the directory and in front of their bytes, and have the checksum they claim.
 */
import { readFileSync, statSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { errorCode } from './json.ts'

export interface ZipEntry {
  readonly name: string
  /** Of the first byte of its contents, from the start of the file. */
  readonly offset: number
  readonly bytes: Uint8Array
}

/** Real ones take a few hundred KB; all of it is held in memory. */
const sizeLimit = 16 * 2 ** 20
const entryLimit = 64

const endBytes = 22
const directoryBytes = 46
const localBytes = 30

/** Entries by name, or undefined after reporting. */
export function readTorchZip(path: string, session: Session): ReadonlyMap<string, ZipEntry> | undefined {
  const refuse = (what: string) => void session.report('TILE7101', what, { subject: path })
  let file: Buffer
  try {
    const { size } = statSync(path)
    if (size > sizeLimit) return refuse(`has ${size} bytes; at most ${sizeLimit} are read`)
    file = readFileSync(path)
  } catch (error) {
    return void session.report('TILE7002', `cannot be read (${errorCode(error)})`, { subject: path })
  }
  try {
    return directory(file)
  } catch (error) {
    if (error instanceof Malformed) return refuse(error.message)
    throw error
  }
}

class Malformed extends Error {}
function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Malformed(what)
}

function directory(file: Buffer): Map<string, ZipEntry> {
  // torch writes no comment, so the end record is the last 22 bytes
  const end = file.length - endBytes
  demand(end >= 0 && file.readUInt32LE(end) === 0x06054b50, 'is no zip archive, or it is cut short')
  demand(file.readUInt32LE(end + 4) === 0, 'is one part of a divided archive')
  const count = file.readUInt16LE(end + 10)
  demand(
    count === file.readUInt16LE(end + 8) && count > 0 && count <= entryLimit,
    `has a directory of ${count} entries`,
  )
  const [size, start] = [file.readUInt32LE(end + 12), file.readUInt32LE(end + 16)]
  demand(start + size <= end, `has a directory at bytes ${start}..${start + size} of ${end}`)
  const entries: ZipEntry[] = []
  let at = start
  for (let i = 0; i < count; i++) {
    demand(at + directoryBytes <= start + size && file.readUInt32LE(at) === 0x02014b50, `has no directory entry ${i}`)
    const length = directoryBytes + file.readUInt16LE(at + 28) + file.readUInt16LE(at + 30) + file.readUInt16LE(at + 32)
    demand(at + length <= start + size, `has a directory entry ${i} that is cut short`)
    entries.push(entry(file, at, start))
    at += length
  }
  demand(at === start + size, 'has a directory that is longer than its entries')
  return byName(entries)
}

function entry(file: Buffer, at: number, end: number): ZipEntry {
  const nameBytes = file.subarray(at + directoryBytes, at + directoryBytes + file.readUInt16LE(at + 28))
  const name = nameBytes.toString('latin1')
  const [flags, method] = [file.readUInt16LE(at + 8), file.readUInt16LE(at + 10)]
  // sizes after the contents and names in UTF-8 are harmless; everything else changes how the contents are to be read
  demand((flags & ~0x0808) === 0, `has an entry '${name}' with flags 0x${flags.toString(16)}`)
  demand(method === 0, `has an entry '${name}' that is compressed (method ${method})`)
  const [crc, packed, size] = [file.readUInt32LE(at + 16), file.readUInt32LE(at + 20), file.readUInt32LE(at + 24)]
  demand(packed === size, `gives the entry '${name}' the sizes ${packed} and ${size}`)
  const local = file.readUInt32LE(at + 42)
  demand(
    local + localBytes <= end && file.readUInt32LE(local) === 0x04034b50,
    `has nothing at byte ${local}, where the entry '${name}' should be`,
  )
  const nameLength = file.readUInt16LE(local + 26)
  const offset = local + localBytes + nameLength + file.readUInt16LE(local + 28)
  demand(offset + size <= end, `has an entry '${name}' that ends at byte ${offset + size} of ${end}`)
  demand(
    file.subarray(local + localBytes, local + localBytes + nameLength).equals(nameBytes),
    `calls the entry '${name}' something else in front of its contents`,
  )
  const bytes = file.subarray(offset, offset + size)
  demand(crc32(bytes) === crc, `has an entry '${name}' whose checksum is wrong`)
  return { name, offset, bytes }
}

function byName(entries: readonly ZipEntry[]): Map<string, ZipEntry> {
  const sorted = [...entries].sort((a, b) => a.offset - b.offset)
  sorted.forEach((e, i) => {
    const next = sorted[i + 1]
    demand(
      !next || e.offset + e.bytes.length <= next.offset,
      `has entries '${e.name}' and '${next?.name}' at the same bytes`,
    )
  })
  const prefix = entries[0]!.name.split('/')[0]!
  const found = new Map<string, ZipEntry>()
  for (const e of entries) {
    demand(e.name.startsWith(`${prefix}/`), `has an entry '${e.name}' outside '${prefix}/'`)
    const name = e.name.slice(prefix.length + 1)
    demand(!found.has(name), `has two entries '${e.name}'`)
    found.set(name, { ...e, name })
  }
  return found
}
