/**
 * The header of one safetensors file: an 8-byte little-endian length, that many bytes of JSON, then the tensors' bytes.
 *
 * Vocabulary: the *data* is what follows the header; a tensor's `data_offsets` are relative to its start.
 * Invariant: nothing in the file is trusted. A tensor is only handed out when its dtype is known, its shape times its
 * dtype is its size, its bytes lie inside the file and no other tensor claims one of them. The whole data is claimed:
 * a file with bytes that belong to nobody was cut or patched. Every finding names file, tensor, expected and found.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { didYouMean, type Session } from '../../compiler/diagnostics/diagnostic.ts'
import { type Dtype, dtypeBits, isDtype } from './dtype.ts'
import { errorCode, isObject, jsonLimit, parseJson } from './json.ts'

export interface FileTensor {
  readonly name: string
  /** Path of the file that holds it. */
  readonly file: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  /** Of its first byte, from the start of the file. */
  readonly offset: number
  readonly bytes: number
}

/** The tensors of `path`, or undefined when the file has no header to speak of. Findings go to `session`. */
export function readSafetensors(path: string, session: Session): FileTensor[] | undefined {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    session.report('TILE7002', `cannot be opened (${errorCode(error)})`, { subject: path })
    return undefined
  }
  try {
    const { size } = fstatSync(fd)
    const json = readHeader(fd, size, path, session)
    if (!json) return undefined
    return checkTensors(json.entries, json.dataAt, size, path, session)
  } finally {
    closeSync(fd)
  }
}

function readHeader(fd: number, size: number, path: string, session: Session) {
  const length = new DataView(new ArrayBuffer(8))
  if (size < 8) {
    session.report('TILE7006', `is cut short: it has ${size} bytes where the header's length alone takes 8`, {
      subject: path,
    })
    return undefined
  }
  readSync(fd, length, 0, 8, 0)
  const headerBytes = length.getBigUint64(0, true)
  if (headerBytes > BigInt(jsonLimit)) {
    session.report('TILE7007', `announces a header of ${headerBytes} bytes; at most ${jsonLimit} are accepted`, {
      subject: path,
      help: 'the file is not a safetensors file, or it is corrupt: download it again',
    })
    return undefined
  }
  const dataAt = 8 + Number(headerBytes)
  if (dataAt > size) {
    session.report('TILE7006', `is cut short: its header ends at byte ${dataAt}, the file at byte ${size}`, {
      subject: path,
      help: 'download the file again',
    })
    return undefined
  }
  const bytes = new Uint8Array(dataAt - 8)
  readSync(fd, bytes, 0, bytes.length, 8)
  const json = parseJson(bytes)
  if (!json.ok || !isObject(json.value)) {
    const reason = json.ok ? 'it is not a JSON object' : json.reason
    session.report('TILE7008', `has a header that cannot be read: ${reason}`, { subject: path })
    return undefined
  }
  for (const key of json.duplicates) {
    session.report('TILE7014', `has a header that names '${key}' twice`, { subject: path })
  }
  const { __metadata__: _, ...entries } = json.value
  return { entries, dataAt }
}

function checkTensors(
  entries: Readonly<Record<string, unknown>>,
  dataAt: number,
  size: number,
  path: string,
  session: Session,
): FileTensor[] {
  const tensors: FileTensor[] = []
  // the claims of tensors that were refused still count, or each of them would be reported as a hole as well
  let unclaimed = false
  for (const [name, entry] of Object.entries(entries)) {
    const tensor = checkTensor(name, entry, dataAt, size, path, session)
    if (tensor) tensors.push(tensor)
    else unclaimed = true
  }
  tensors.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes)
  let end = dataAt
  let previous: FileTensor | undefined
  for (const tensor of tensors) {
    if (tensor.offset < end && tensor.bytes > 0) {
      const both = `'${tensor.name}' and '${previous?.name}' share bytes ${tensor.offset}..${end} of the file`
      session.report('TILE7012', both, { subject: path })
    } else if (tensor.offset > end && !unclaimed) {
      reportHole(end, tensor.offset, path, session)
    }
    if (tensor.offset + tensor.bytes >= end) {
      end = tensor.offset + tensor.bytes
      previous = tensor
    }
  }
  if (end < size && !unclaimed) reportHole(end, size, path, session)
  return tensors
}

function checkTensor(
  name: string,
  entry: unknown,
  dataAt: number,
  size: number,
  path: string,
  session: Session,
): FileTensor | undefined {
  const malformed = (what: string) => void session.report('TILE7008', `tensor '${name}' has ${what}`, { subject: path })
  if (!isObject(entry)) return malformed('no description')
  const { dtype, shape, data_offsets: offsets } = entry
  if (typeof dtype !== 'string') return malformed('no dtype')
  if (!isDtype(dtype)) {
    const near = didYouMean(dtype, Object.keys(dtypeBits))
    session.report(
      'TILE7009',
      `tensor '${name}' has dtype '${dtype}'; known are ${Object.keys(dtypeBits).join(', ')}`,
      {
        subject: path,
        help: near && `did you mean '${near}'?`,
      },
    )
    return undefined
  }
  if (!isCounts(shape)) return malformed(`the shape ${JSON.stringify(shape)}, which is not a list of counts`)
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    return malformed(`the data_offsets ${JSON.stringify(offsets)}, which are not [begin, end]`)
  }
  const [begin, end] = [offsets[0]!, offsets[1]!]
  if (dataAt + end > size) {
    const lies = `tensor '${name}' lies at bytes ${begin}..${end} of the data, which has ${size - dataAt}`
    session.report('TILE7011', lies, { subject: path, help: 'the file is cut short: download it again' })
    return undefined
  }
  const expected = (shape.reduce((n, d) => n * d, 1) * dtypeBits[dtype]) / 8
  if (expected !== end - begin) {
    const takes = `tensor '${name}', ${dtype} [${shape.join(', ')}], takes ${expected} bytes; the header gives it ${end - begin}`
    session.report('TILE7010', takes, { subject: path })
    return undefined
  }
  return { name, file: path, dtype, shape, offset: dataAt + begin, bytes: end - begin }
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0)

function reportHole(from: number, to: number, path: string, session: Session): void {
  session.report('TILE7013', `bytes ${from}..${to} belong to no tensor`, { subject: path })
}
