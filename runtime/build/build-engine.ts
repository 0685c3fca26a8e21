/**
 * From an engine's source to its executable: one compiler run, remembered in a cache.
 *
 * Vocabulary: the *key* of a build is a hash of everything its result depends on: the source, every device header, the
 * flags, the compiler's own version text, and on the host the processor. An *entry* is a folder of the cache named by
 * the key; it holds `engine`, `engine.cu` and `build.json`.
 * Invariants: an entry is made in a folder of its own beside the cache and renamed into place when it is whole, so a
 * reader never sees half of one, and of two builds of one key the first to finish wins; a failed build leaves nothing.
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { buildFailure } from './build-errors.ts'
import { type Ptxas, parsePtxas } from './ptxas.ts'
import { runCompiler } from './run-compiler.ts'
import { findToolchain, type Target, type Toolchain } from './toolchain.ts'

export interface BuildRequest {
  readonly source: string
  readonly target: Target
  /** Host: with the race and bounds checks of TILE_CHECK, which mutations need too. */
  readonly check?: boolean
  /** With events of every role (codegen/device/common/trace.h), which costs a few percent. */
  readonly trace?: boolean | undefined
  /** CUDA: what the engine kernel may use; exceeding it is an error. */
  readonly budget?: { readonly registers: number; readonly spillBytes: number }
  /** Calls the build off: it throws the signal's reason, and leaves no compiler running and nothing in the cache. */
  readonly signal?: AbortSignal | undefined
}

export interface Build {
  readonly executable: string
  readonly cached: boolean
  /** One entry a kernel; empty on the host. */
  readonly ptxas: readonly Ptxas[]
}

const BuildRecord = z.object({
  ptxas: z.array(z.object({ kernel: z.string(), registers: z.number(), spills: z.number(), stack: z.number() })),
})

/** codegen/device, beside the sources or beside dist/. */
export function deviceFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'codegen', 'device', 'tile.h'))) {
    const parent = dirname(folder)
    if (parent === folder)
      throw new DiagnosticError([
        diagnostic('TILE5005', 'codegen/device, which every engine includes, is not installed'),
      ])
    folder = parent
  }
  return join(folder, 'codegen', 'device')
}

export const cacheFolder = (): string =>
  process.env.TILEC_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'tilec')

export async function buildEngine(request: BuildRequest): Promise<Build> {
  const device = deviceFolder()
  const toolchain = await findToolchain(request.target)
  const flags = [
    ...toolchain.flags,
    ...(request.check ? ['-DTILE_CHECK=1'] : []),
    ...(request.trace ? ['-DTILE_TRACE=1'] : []),
  ]
  const entry = join(cacheFolder(), 'engines', keyOf(request, toolchain, flags, device))
  if (!existsSync(join(entry, 'build.json'))) await compile(entry, request, toolchain, flags, device)
  else return { ...resultOf(entry, request), cached: true }
  return { ...resultOf(entry, request), cached: false }
}

function resultOf(entry: string, { budget }: BuildRequest): Omit<Build, 'cached'> {
  const { ptxas } = BuildRecord.parse(JSON.parse(readFileSync(join(entry, 'build.json'), 'utf8')))
  const over = budget ? ptxas.filter((p) => p.registers > budget.registers || p.spills > budget.spillBytes) : []
  if (budget && over.length > 0)
    throw new DiagnosticError(
      over.map((p) =>
        diagnostic(
          'TILE5003',
          `kernel '${p.kernel}' uses ${p.registers} registers a thread and spills ${p.spills} bytes; the schedule allows ${budget.registers} and ${budget.spillBytes}`,
          { help: 'give the role fewer warps, or shorten the split that a warp holds in registers' },
        ),
      ),
    )
  return { executable: join(entry, 'engine'), ptxas }
}

function keyOf(
  { source }: BuildRequest,
  { version, machine }: Toolchain,
  flags: readonly string[],
  device: string,
): string {
  const hash = createHash('sha256')
  const add = (text: string | Uint8Array) => hash.update(`${text.length}:`).update(text)
  for (const part of [source, version, machine, ...flags, headersHash(device)]) add(part)
  return hash.digest('hex').slice(0, 40)
}

/** Of everything that an engine includes. */
export function headersHash(device = deviceFolder()): string {
  const hash = createHash('sha256')
  const add = (text: string | Uint8Array) => hash.update(`${text.length}:`).update(text)
  for (const path of readdirSync(device, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!path.endsWith('.h')) continue
    add(path)
    add(readFileSync(join(device, path)))
  }
  return hash.digest('hex').slice(0, 40)
}

async function compile(
  entry: string,
  { source, signal }: BuildRequest,
  toolchain: Toolchain,
  flags: readonly string[],
  device: string,
): Promise<void> {
  const aside = newFolder(dirname(entry))
  try {
    const from = join(aside, 'engine.cu')
    const to = join(aside, 'engine')
    const all = join(aside, 'main.cu')
    writeFileSync(from, source)
    writeFileSync(all, '#include "engine.cu"\n#include "engine/main.h"\n')
    const run = await runCompiler(toolchain.compiler, [...flags, '-I', device, '-o', to, all], aside, signal)
    if (run.failure !== undefined) throw buildFailure(toolchain.compiler, run.log, from, run.failure)
    chmodSync(to, 0o755)
    writeFileSync(join(aside, 'build.json'), JSON.stringify({ ptxas: parsePtxas(run.log) }))
    try {
      renameSync(aside, entry)
    } catch (error) {
      // Somebody else finished the same build first; theirs is as good.
      if (!existsSync(join(entry, 'build.json'))) throw notWritable(entry, error)
    }
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
}

function newFolder(beside: string): string {
  try {
    mkdirSync(beside, { recursive: true })
    return mkdtempSync(join(beside, '.building-'))
  } catch (error) {
    throw notWritable(beside, error)
  }
}

const notWritable = (path: string, error: unknown) =>
  new DiagnosticError([
    diagnostic(
      'TILE5004',
      `the build cache cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      {
        subject: path,
        help: 'set TILEC_CACHE to a folder that can be written',
      },
    ),
  ])
