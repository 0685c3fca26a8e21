#!/usr/bin/env node
/**
 * The command line: `tilec VERB ...`, one file a verb.
 *
 * Exit status: 0 done, 1 diagnostics (or a failed check of doctor), 2 the command line itself is wrong, 130 interrupted.
 * A bug of tilec prints its stack and ends with 70, so that it is never mistaken for a finding.
 */
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Command, CommanderError } from 'commander'
import { DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
import { packageVersion } from '../runtime/session/compile-model.ts'
import { addBench } from './bench.ts'
import { addCheck } from './check.ts'
import { addCompile } from './compile.ts'
import { addDoctor } from './doctor.ts'
import { addExplain } from './explain.ts'
import { addInspect } from './inspect.ts'
import { addRun } from './run.ts'
import { showDiagnostics, type Terminal } from './terminal.ts'
import { addTrace } from './trace.ts'
import { addTune } from './tune.ts'

/** A verb that found something wrong without an error to throw. */
export type Verb = (program: Command, terminal: Terminal, status: (code: number) => void) => void

const verbs: readonly Verb[] = [
  addRun,
  addBench,
  addCompile,
  addCheck,
  addTrace,
  addTune,
  addInspect,
  addExplain,
  addDoctor,
]

const examples = `
Examples:
  tilec run nano "export function add("            stream text from the model that comes with tilec
  tilec run nano --chat "Write a function that reverses a string"
  tilec compile mimo-v2.5-pro --gpus 8 --target sm_90a --emit-only -o engine
  tilec check my/graph.ts --config my/config.json
  tilec inspect nano --at plan --html plan.html
  tilec doctor`

/** Runs one command line and returns its exit status. */
export async function main(words: readonly string[], terminal: Terminal): Promise<number> {
  let code = 0
  const program = new Command('tilec')
    .description('Compiles a model graph and a warp-role schedule into one persistent engine per GPU, and runs it.')
    .version(packageVersion(), '-V, --version')
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .addHelpText('after', examples)
    .showHelpAfterError('(tilec --help, or tilec VERB --help, says what there is)')
  const status = (ended: number): void => {
    code = ended
  }
  for (const add of verbs) add(program, terminal, status)
  try {
    if (words.length === 0) {
      program.outputHelp()
      return 2
    }
    await program.parseAsync([...words], { from: 'user' })
    return terminal.signal.aborted ? 130 : code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (terminal.signal.aborted) return 130
    if (error instanceof DiagnosticError) {
      showDiagnostics(terminal, error.diagnostics, error.sources)
      return 1
    }
    terminal.err(
      `tilec itself failed; this is a bug of tilec.\n${error instanceof Error ? error.stack : String(error)}\n`,
    )
    return 70
  }
}

/** The terminal of this process. The first Ctrl-C asks for an orderly end, the second ends at once. */
function processTerminal(): Terminal {
  const interrupt = new AbortController()
  process.on('SIGINT', () => {
    if (interrupt.signal.aborted) process.exit(130)
    interrupt.abort()
  })
  // A reader that has had enough (`| head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    outIsTty: process.stdout.isTTY === true,
    errIsTty: process.stderr.isTTY === true,
    env: process.env,
    signal: interrupt.signal,
    columns: process.stderr.columns ?? 80,
  }
}

const isEntry = process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)
if (isEntry) process.exitCode = await main(process.argv.slice(2), processTerminal())
