/**
 * The bytes of a stored tensor, or a run of them. Reads are bounded by what the header check admitted; a file that
 * changed since then is reported, never read short.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { errorCode } from './json.ts'
import type { FileTensor } from './safetensors.ts'

/** A single read of the operating system moves less than 2 GiB. */
const maxRead = 2 ** 30

export function readTensor(tensor: FileTensor, first = 0, count = tensor.bytes - first): Uint8Array {
  const bytes = new Uint8Array(count)
  const failed = (what: string) =>
    new DiagnosticError([diagnostic('TILE7018', `tensor '${tensor.name}' ${what}`, { subject: tensor.file })])
  let done = 0
  try {
    const fd = openSync(tensor.file, 'r')
    try {
      for (let read = -1; done < count && read !== 0; done += read) {
        read = readSync(fd, bytes, done, Math.min(count - done, maxRead), tensor.offset + first + done)
      }
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    throw failed(`cannot be read (${errorCode(error)})`)
  }
  if (done < count) throw failed(`ends after ${done} of ${count} bytes: the file changed since it was opened`)
  return bytes
}
