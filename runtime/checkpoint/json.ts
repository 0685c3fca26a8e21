/**
 * Reading JSON that somebody else wrote: bounded size, valid UTF-8, no key twice. `JSON.parse` alone keeps the last of
 * two equal keys without a word, which for a list of tensors means that a file says one thing and is read as another.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** No header, index or config is larger; a length beyond it is a corrupt or hostile file. */
export const jsonLimit = 100_000_000

export type JsonRead =
  | { readonly ok: true; readonly value: unknown; readonly duplicates: readonly string[] }
  | { readonly ok: false; readonly reason: string }

export function parseJson(bytes: Uint8Array): JsonRead {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return { ok: false, reason: 'it is not valid UTF-8' }
  }
  try {
    return { ok: true, value: JSON.parse(text), duplicates: duplicateKeys(text) }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

export function readJsonFile(path: string): JsonRead {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    return { ok: false, reason: `it cannot be opened (${errorCode(error)})` }
  }
  try {
    const { size } = fstatSync(fd)
    if (size > jsonLimit) return { ok: false, reason: `it has ${size} bytes where at most ${jsonLimit} are read` }
    const bytes = new Uint8Array(size)
    const read = readSync(fd, bytes, 0, size, 0)
    return parseJson(bytes.subarray(0, read))
  } catch (error) {
    return { ok: false, reason: `it cannot be read (${errorCode(error)})` }
  } finally {
    closeSync(fd)
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error)

/** The keys that occur twice in one object of `text`, which is valid JSON. By hand: a pattern would overflow on hostile input. */
function duplicateKeys(text: string): string[] {
  const duplicates: string[] = []
  const open: Set<string>[] = []
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (c === '{') open.push(new Set())
    else if (c === '}') open.pop()
    else if (c === '"') {
      const end = stringEnd(text, i)
      if (nextVisible(text, end) === ':') {
        const key: string = JSON.parse(text.slice(i, end))
        const keys = open.at(-1)!
        if (keys.has(key)) duplicates.push(key)
        keys.add(key)
      }
      i = end - 1
    }
  }
  return duplicates
}

/** The index after the closing quote of the string that starts at `start`. */
function stringEnd(text: string, start: number): number {
  let i = start + 1
  while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1
  return i + 1
}

function nextVisible(text: string, from: number): string | undefined {
  let i = from
  while (text[i] === ' ' || text[i] === '\n' || text[i] === '\r' || text[i] === '\t') i++
  return text[i]
}
