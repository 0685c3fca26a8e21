/**
 * What compilers make for tests besides engines, kept where those are kept: unit programs, and whether nvcc takes a source.
 *
 * Vocabulary: a *making* is a folder named by a hash of everything that what lies in it depends on: sources, headers, flags, the
 * compiler's own version text, the processor.
 * Invariants: a making is renamed into place when it is whole; one that failed leaves nothing, and is tried again by who asks next.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { execa } from 'execa'
import { cacheFolder, deviceFolder, headersHash } from '../../runtime/build/build-engine.ts'
import { findToolchain } from '../../runtime/build/toolchain.ts'
import './test-cache.ts'

/** The folder that `make` filled for these inputs, now or in an earlier run. */
export async function madeOnce(inputs: readonly string[], make: (folder: string) => Promise<unknown>): Promise<string> {
  const hash = createHash('sha256')
  for (const input of inputs) hash.update(`${input.length}:`).update(input)
  const making = join(cacheFolder(), 'makings', hash.digest('hex').slice(0, 40))
  if (existsSync(making)) return making
  mkdirSync(dirname(making), { recursive: true })
  const aside = mkdtempSync(join(dirname(making), '.making-'))
  try {
    await make(aside)
    try {
      renameSync(aside, making)
    } catch (error) {
      // Somebody else made the same first; theirs is as good.
      if (!existsSync(making)) throw error
    }
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
  return making
}

/** The sources of a folder: what a program may include beside the device headers. */
export const sourcesIn = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => ['.h', '.cpp', '.cu', '.sh'].includes(extname(name)))
    .sort()
    .flatMap((name) => [name, readFileSync(join(folder, name), 'utf8')])

/** The path of a C++ program, built with the host's compiler as engines are, these flags behind. `device`: the headers. */
export async function program(source: string, flags: readonly string[], device = deviceFolder()): Promise<string> {
  const { compiler, flags: host, version, machine } = await findToolchain('host')
  const all = [...host, ...flags]
  const inputs = [basename(source), version, machine, ...all, headersHash(device), ...sourcesIn(dirname(source))]
  const folder = await madeOnce(inputs, (to) =>
    execa(compiler, [...all, `-I${device}`, source, '-o', join(to, 'program')]),
  )
  return join(folder, 'program')
}
