/**
 * `tilec doctor`: what of tilec works on this machine, and what to install for the rest.
 *
 * Vocabulary: a *finding* is ok, missing (something that a target needs) or a remark. Nothing is changed; the C++ compiler
 * is asked for its version only.
 */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import type { Command } from 'commander'
import { execa } from 'execa'
import { DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
import { cacheFolder } from '../runtime/build/build-engine.ts'
import { findToolchain, type Target } from '../runtime/build/toolchain.ts'
import { findGpus, type Gpu, suits } from '../runtime/session/machine.ts'
import { bytes, table } from './table.ts'
import { paintFor, printJson, type Style, type Terminal } from './terminal.ts'

interface Finding {
  readonly what: string
  readonly state: 'ok' | 'missing' | 'remark'
  readonly found: string
  /** What to do about it. */
  readonly help?: string
}

interface Diagnosis {
  readonly findings: readonly Finding[]
  /** Targets that engines can be built for and run on here. */
  readonly targets: Readonly<Record<Target, boolean>>
}

/** CUDA's first release whose nvcc knows all that the device headers use. */
const oldestCuda = [12, 4] as const

export function addDoctor(program: Command, terminal: Terminal, status: (code: number) => void): void {
  program
    .command('doctor')
    .description('say what works on this machine and what to install for the rest')
    .option('--json', 'print an object')
    .addHelpText('after', '\nExit status 0 when engines can be built and run here, for the host or a GPU; else 1.')
    .action(async (options: { readonly json?: boolean }) => {
      const diagnosis = await diagnose()
      if (options.json) printJson(terminal, diagnosis)
      else print(diagnosis, terminal)
      status(Object.values(diagnosis.targets).some((works) => works) ? 0 : 1)
    })
}

async function diagnose(): Promise<Diagnosis> {
  const [host, cuda, gpus] = await Promise.all([compiler('host'), compiler('sm_90a'), findGpus()])
  const gpu = gpuFinding(gpus)
  const findings = [node(), host, cuda, gpu, ...(await peers(gpus)), memory(), cache()]
  return {
    findings,
    targets: { host: host.state === 'ok', sm_90a: cuda.state === 'ok' && gpu.state === 'ok' },
  }
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const ok = major > 20 || (major === 20 && minor >= 19)
  return {
    what: 'Node',
    state: ok ? 'ok' : 'missing',
    found: process.version,
    ...(!ok && { help: 'install Node 20.19 or later' }),
  }
}

const compilerHelp: Readonly<Record<Target, string>> = {
  host: 'install g++ (apt install g++, dnf install gcc-c++), or name another compiler with CXX',
  sm_90a: `install the CUDA toolkit ${oldestCuda.join('.')} or later, or name an nvcc with NVCC or CUDA_HOME`,
}

async function compiler(target: Target): Promise<Finding> {
  const what = target === 'host' ? 'C++ compiler' : 'nvcc'
  try {
    const { compiler, version } = await findToolchain(target)
    const lines = version.split('\n').filter((line) => line.trim() !== '')
    const found = `${compiler}: ${lines.find((line) => /release/.test(line)) ?? lines[0] ?? 'no version'}`
    const release = /release (\d+)\.(\d+)/.exec(version)
    const old =
      target === 'sm_90a' &&
      release &&
      Number(release[1]) * 100 + Number(release[2]) < oldestCuda[0] * 100 + oldestCuda[1]
    return { what, state: old ? 'missing' : 'ok', found, ...(old && { help: compilerHelp[target] }) }
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error
    return { what, state: 'missing', found: 'none', help: compilerHelp[target] }
  }
}

function gpuFinding(gpus: readonly Gpu[]): Finding {
  const what = 'GPUs'
  if (gpus.length === 0) {
    return {
      what,
      state: 'missing',
      found: 'none (nvidia-smi shows none)',
      help: 'engines run on the host; a GPU needs its driver',
    }
  }
  const found = gpus
    .map(
      (g) =>
        `${g.index}: ${g.name}, ${bytes(g.memoryMiB * 2 ** 20)}, sm_${g.capability.replace('.', '')}, driver ${g.driver}`,
    )
    .join('\n')
  if (gpus.some(suits)) return { what, state: 'ok', found }
  return { what, state: 'missing', found, help: 'sm_90a needs a Hopper GPU (H100, H200): compute capability 9.0' }
}

async function peers(gpus: readonly Gpu[]): Promise<Finding[]> {
  if (gpus.length < 2) return []
  const run = await execa('nvidia-smi', ['topo', '-p2p', 'r'], { reject: false, timeout: 20_000 })
  if (run.failed) return [{ what: 'peer access', state: 'remark', found: 'unknown: nvidia-smi topo -p2p r failed' }]
  const pairs = run.stdout
    .split('\n')
    .filter((line) => /^\s*GPU\d+\s+(X|[A-Z]+)\s/.test(line))
    .flatMap((line) => line.trim().split(/\s+/).slice(1))
    .filter((cell) => cell !== 'X')
  const bad = pairs.filter((cell) => cell !== 'OK').length
  if (pairs.length > 0 && bad === 0)
    return [{ what: 'peer access', state: 'ok', found: 'every GPU reaches every other' }]
  return [
    {
      what: 'peer access',
      state: 'remark',
      found: `${bad} of ${pairs.length} pairs do not reach each other`,
      help: 'several ranks need GPUs that reach each other (NVLink); one GPU works',
    },
  ]
}

function memory(): Finding {
  return { what: 'memory', state: 'ok', found: `${bytes(freemem())} free of ${bytes(totalmem())}` }
}

function cache(): Finding {
  const found = cacheFolder()
  try {
    mkdirSync(found, { recursive: true })
    accessSync(found, constants.W_OK)
    return { what: 'build cache', state: 'ok', found }
  } catch {
    return {
      what: 'build cache',
      state: 'missing',
      found,
      help: 'it cannot be written; set TILEC_CACHE to a folder that can',
    }
  }
}

const marks: Readonly<Record<Finding['state'], readonly [text: string, style: Style]>> = {
  ok: ['ok', 'green'],
  missing: ['missing', 'red'],
  remark: ['remark', 'yellow'],
}

function print({ findings, targets }: Diagnosis, terminal: Terminal): void {
  const paint = paintFor(terminal, 'out')
  const rows = findings.flatMap((f) => {
    const [first = '', ...rest] = f.found.split('\n')
    const more = [...rest, ...(f.help === undefined ? [] : [`-> ${f.help}`])]
    return [[f.what, marks[f.state][0], first], ...more.map((text) => ['', '', text])]
  })
  const text = table([{ title: '' }, { title: '' }, { title: '' }], rows, '')
    .split('\n')
    .slice(1)
    .join('\n')
  terminal.out(
    text.replace(/^(.+?)(ok|missing|remark)( {2,})/gm, (_, a: string, b: string, c: string) => {
      const style = Object.values(marks).find((m) => m[0] === b)![1]
      return `${a}${paint(style, b)}${c}`
    }),
  )
  for (const [target, works] of Object.entries(targets)) {
    terminal.out(`${target}: engines ${works ? 'can be built and run here' : 'cannot be built and run here'}\n`)
  }
}
