/** `tilec compile MODEL`: from a model to an engine, and what it will ask of the machine. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Compiled } from '../codegen/compile.ts'
import { type EngineKind, engines } from '../codegen/engines.ts'
import { DiagnosticError, diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import { headersHash } from '../runtime/build/build-engine.ts'
import { writeEngines } from '../runtime/build/engine-folder.ts'
import type { Target } from '../runtime/build/toolchain.ts'
import { buildModel } from '../runtime/session/build-model.ts'
import { compileModel } from '../runtime/session/compile-model.ts'
import { cutModel } from '../runtime/session/cut-model.ts'
import { chooseTarget, readTarget } from '../runtime/session/machine.ts'
import { resolveModel } from '../runtime/session/resolve-model.ts'
import {
  engineOption,
  type ModelOptions,
  modelRequest,
  spillsOption,
  type TargetOptions,
  whole,
  withModel,
  withTarget,
} from './model-options.ts'
import { progressLine } from './progress.ts'
import { printReport, reportOf } from './report.ts'
import { printJson, showDiagnostics, type Terminal } from './terminal.ts'

interface CompileOptions extends ModelOptions, TargetOptions {
  readonly sms?: number
  readonly layers?: number
  readonly traced?: boolean
  readonly engine: EngineKind
  readonly spills?: number
  readonly emitOnly?: boolean
  readonly output?: string
  readonly manifest: boolean
  readonly json?: boolean
}

const examples = `
Examples:
  tilec compile nano                                             builds for what this machine has
  tilec compile nano --target host --gpus 4                      four ranks as slabs of memory
  tilec compile mimo-v2.5-pro --target sm_90a --gpus 8 --emit-only -o engine
  tilec compile my/graph.ts --config my/config.json --emit-only --json

  tilec compile mimo-v2.5-pro --target sm_90a --gpus 8 --ctx 8192 --traced -o pro8     for tilec bench --engine-folder pro8

-o writes engine.cu, plan.json (the figures that are printed) and manifest.json (which rows of which parameters fill
which bytes of each rank's image), and, unless --emit-only, the executable and engine.json, by which tilec bench takes it
to a machine without a compiler. Without -o the executable stays in the cache.`

export function addCompile(program: Command, terminal: Terminal): void {
  withTarget(withModel(program.command('compile').description('compile a model into an engine')))
    .option('--sms <n>', 'SMs of a GPU, where the schedule names none (132)', whole)
    .option('--layers <n>', 'the first layers only, for measuring; without a drafter that needs more', whole)
    .option('--traced', 'build it a second time, with events of every role (for tilec trace and bench --roofline)')
    .addOption(engineOption())
    .addOption(spillsOption())
    .option('--emit-only', 'write the source, run no C++ compiler')
    .option('-o, --output <folder>', 'where to write')
    .option('--no-manifest', 'leave manifest.json out, which is long for a large model')
    .option('--json', 'print an object')
    .addHelpText('after', examples)
    .action((model: string, options: CompileOptions) => compile(model, options, terminal))
}

async function compile(name: string, options: CompileOptions, terminal: Terminal): Promise<void> {
  if (options.traced && !engines[options.engine].traceable)
    throw new DiagnosticError([
      diagnostic('TILE5108', `engine '${options.engine}' has no traces`, { help: 'leave --traced out' }),
    ])
  const target = await chooseTarget(readTarget(options.target), options.gpus)
  const began = performance.now()
  const resolved = cutModel(resolveModel(modelRequest(name, options)), options.layers)
  const { gpus, ctx, sms, engine } = options
  const compiled = compileModel(resolved, { target, gpus, ctx, engine, ...(sms !== undefined && { sms }) })
  const compileSeconds = (performance.now() - began) / 1000
  showDiagnostics(terminal, [...resolved.warnings, ...compiled.warnings], resolved.sources)
  const report = reportOf(compiled, target)
  if (!options.json) {
    terminal.out(printReport(report))
    const { milliseconds, events, agents } = compiled.proof
    const proved = `${(milliseconds / 1000).toFixed(2)} s of it for the proof: ${events} events of ${agents} agents`
    terminal.out(`Compiled in ${compileSeconds.toFixed(2)} s, ${proved}\n`)
  }
  const headers = headersHash()
  const built = options.emitOnly ? undefined : await build(compiled, target, options.spills, terminal)
  if (built && !options.json) {
    for (const k of built.ptxas)
      terminal.out(`ptxas: ${k.kernel}: ${k.registers} registers, ${k.spills} bytes spilled\n`)
    terminal.out(
      built.cached
        ? `Executable (built before): ${built.executable}\n`
        : `Built in ${built.seconds.toFixed(1)} s: ${built.executable}\n`,
    )
  }
  const traced = built && options.traced ? await buildModel(compiled, target, { trace: true }) : undefined
  const executables = built && { plain: built.executable, ...(traced && { traced: traced.executable }) }
  const record = {
    headers,
    proof: compiled.proof,
    target,
    ranks: gpus,
    ctx,
    ...layersOf(options),
    drafter: resolved.drafter !== undefined,
  }
  const files =
    options.output === undefined ? [] : write(options.output, compiled, report, record, executables, options)
  if (options.json) printJson(terminal, { ...report, compileSeconds, ...(built && { built }), files })
  else if (files.length > 0) terminal.out(`Wrote ${files.join(', ')}\n`)
}

async function build(compiled: Compiled, target: Target, spills: number | undefined, terminal: Terminal) {
  const progress = progressLine(terminal)
  const began = performance.now()
  try {
    progress.show({ stage: 'build', target })
    return { ...(await buildModel(compiled, target, { spills })), seconds: (performance.now() - began) / 1000 }
  } finally {
    progress.done()
  }
}

const layersOf = ({ layers }: CompileOptions) => (layers === undefined ? {} : { layers })

function write(
  folder: string,
  compiled: Compiled,
  report: object,
  record: Parameters<typeof writeEngines>[1],
  engines: Parameters<typeof writeEngines>[2] | undefined,
  { manifest }: CompileOptions,
): string[] {
  const texts: readonly (readonly [string, string])[] = [
    ['engine.cu', compiled.source],
    ['plan.json', `${JSON.stringify(report, null, 2)}\n`],
    ...(manifest ? [['manifest.json', `${JSON.stringify(compiled.manifest)}\n`] as const] : []),
  ]
  try {
    mkdirSync(folder, { recursive: true })
    for (const [name, text] of texts) writeFileSync(join(folder, name), text)
    const built = engines ? writeEngines(folder, record, engines) : []
    return [...texts.map(([name]) => name), ...built].map((f) => join(folder, f))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new DiagnosticError([diagnostic('TILE5110', `cannot write: ${reason}`, { subject: folder })])
  }
}
