/**
 * The compilers that engines are built with: g++ (or $CXX) for the host, its flags followed by $CXXFLAGS, and nvcc (or
 * $NVCC, or the one under $CUDA_HOME) for a GPU.
 *
 * Invariant: `version` and `machine` name everything outside the flags that changes what the compiler makes of a source.
 */
import { existsSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'

export const targets = ['host', 'sm_90a'] as const
export type Target = (typeof targets)[number]

export interface Toolchain {
  readonly compiler: string
  readonly flags: readonly string[]
  readonly version: string
  readonly machine: string
}

interface Kind {
  readonly candidates: () => readonly string[]
  readonly flags: readonly string[]
  /** Behind those, so that theirs is the last word. */
  readonly more: () => readonly string[]
  readonly machine: () => string
  readonly wanted: string
  /** Its engines run on the processors that compilers run on: a build beside a measurement would slow what is measured. */
  readonly sharesProcessors: boolean
}

const present = (paths: readonly (string | undefined)[]) =>
  paths.filter((p): p is string => p !== undefined && p !== '')

const kinds: Readonly<Record<Target, Kind>> = {
  host: {
    candidates: () => present([process.env.CXX, 'g++', 'c++', 'clang++']),
    // -O3 takes half as long again, for engines that are no faster; -O1 two thirds, and they are a fifth slower. Nothing throws.
    flags: ['-x', 'c++', '-std=c++17', '-O2', '-fno-exceptions', '-march=native', '-pthread'],
    more: () => (process.env.CXXFLAGS ?? '').split(/\s+/).filter((flag) => flag !== ''),
    machine: hostProcessor,
    wanted: 'a C++17 compiler (g++ or clang++; CXX names another)',
    sharesProcessors: true,
  },
  sm_90a: {
    candidates: () => {
      const home = process.env.CUDA_HOME ?? '/usr/local/cuda'
      return present([process.env.NVCC, 'nvcc', join(home, 'bin', 'nvcc')])
    },
    flags: [
      '-gencode',
      'arch=compute_90a,code=sm_90a',
      '-std=c++17',
      '-O3',
      '-lineinfo',
      '-Xptxas',
      '-v',
      '-cudart',
      'static',
    ],
    more: () => [],
    machine: () => '',
    wanted: 'nvcc of CUDA 12.4 or later (NVCC or CUDA_HOME name another)',
    sharesProcessors: false,
  },
}

/** Whether engines of a target run where builds do, so that neither may be measured beside the other. */
export const sharesProcessors = (target: Target): boolean => kinds[target].sharesProcessors

export async function findToolchain(target: Target): Promise<Toolchain> {
  const { candidates, flags, more, machine, wanted } = kinds[target]
  const tried = candidates()
  for (const compiler of tried) {
    const run = await execa(compiler, ['--version'], { reject: false, env: { LC_ALL: 'C' } })
    if (!run.failed) return { compiler, flags: [...flags, ...more()], version: run.stdout, machine: machine() }
  }
  throw new DiagnosticError([
    diagnostic('TILE5001', `no compiler for ${target}: it takes ${wanted}; tried ${tried.join(', ')}`, {
      help: target === 'host' ? 'install g++' : 'install the CUDA toolkit, or build for the host: --target host',
    }),
  ])
}

/** What -march=native looks at. */
function hostProcessor(): string {
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  const flags = /^(flags|Features)\s*:.*$/m.exec(info)?.[0] ?? ''
  return `${process.arch} ${cpus()[0]?.model ?? ''} ${flags}`
}
