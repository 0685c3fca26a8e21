/** `tilec trace MODEL`: where the time of a round goes, on every SM and in every role, for Perfetto. */
import { writeFileSync } from 'node:fs'
import { type Command, InvalidArgumentError } from 'commander'
import { DiagnosticError, diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import { traced } from '../runtime/session/roofline.ts'
import { traceJson } from '../runtime/session/trace-json.ts'
import type { BenchCommandOptions } from './bench.ts'
import { rankRequest, ranksAsked, withRank } from './bench-rank.ts'
import { whole, withModel, withTarget } from './model-options.ts'
import { progressLine } from './progress.ts'
import { printJson, type Terminal } from './terminal.ts'

interface TraceCommandOptions extends BenchCommandOptions {
  readonly output: string
  readonly sm: readonly number[] | 'all' | undefined
  readonly last: number
}

const examples = `
Examples:
  tilec trace nano -o nano.json                                  two rounds, some SMs
  tilec trace mimo-v2.5-pro --rank 0/8 --sm 0,1,131 --engine-folder pro8

Opens in ui.perfetto.dev or chrome://tracing. An SM is a process, a role a thread; a phase's slice has its layer, this SM's
tiles and the author's file and line; a wait is a slice of its own, named after what it waits for. Weights are made up.`

export function addTrace(program: Command, terminal: Terminal): void {
  const command = program.command('trace').description('write what each role of an SM did and waited for, for Perfetto')
  withRank(withTarget(withModel(command), 'fitting'))
    .option('-o, --output <file>', 'where to write', 'trace.json')
    .option('--sm <list>', 'SMs to show: 0,1,66, or all; four of them when left out', smList)
    .option('--last <n>', 'rounds to show: the last so many', whole, 2)
    .option('--json', 'print one object')
    .addHelpText('after', examples)
    .action((model: string, options: TraceCommandOptions, command: Command) =>
      trace(model, { ...options, rank: ranksAsked(options, command) }, terminal),
    )
}

const smList = (given: string): readonly number[] | 'all' => {
  if (given === 'all') return given
  if (!/^\d+(,\d+)*$/.test(given)) throw new InvalidArgumentError("It is 'all', or numbers of SMs: 0,1,66.")
  return given.split(',').map(Number)
}

async function trace(model: string, options: TraceCommandOptions, terminal: Terminal): Promise<void> {
  const progress = progressLine(terminal)
  const request = { ...rankRequest(model, { ...options, syntheticWeights: true }, terminal), warmup: 0, repeat: 1 }
  try {
    const written = await traced(
      { ...request, onProgress: progress.show, onRun: progress.done },
      ['--trace-waits', '1'],
      ({ compiled, resolved }, _, [trace]) => {
        const file = trace!
        const { sms } = compiled.plan
        const shown = chosen(options.sm, sms)
        const events = traceJson(file, compiled, { sms: shown, rounds: options.last, sources: resolved.sources })
        write(options.output, events)
        return {
          file: options.output,
          sms: shown,
          rounds: Math.min(options.last, file.rounds.length),
          events: events.length,
        }
      },
    )
    progress.done()
    if (options.json) printJson(terminal, written)
    else
      terminal.out(
        `${written.file}: ${written.rounds} rounds of ${written.sms.length} SMs, ${written.events} events [SYNTHETIC weights and acceptance]\n`,
      )
  } finally {
    progress.done()
  }
}

function chosen(sm: TraceCommandOptions['sm'], sms: number): readonly number[] {
  const all = Array.from({ length: sms }, (_, i) => i)
  if (sm === 'all') return all
  if (sm === undefined) return [...new Set([0, 1, 2, 3].map((i) => Math.floor((i * (sms - 1)) / 3)))]
  const outside = sm.find((i) => i >= sms)
  if (outside !== undefined)
    throw new DiagnosticError([diagnostic('TILE5112', `there is no SM ${outside}`, { help: `there are ${sms}` })])
  return sm
}

/** One event a line, so that a long trace needs no string of its whole length. */
function write(file: string, events: readonly object[]): void {
  const lines = events.map((e) => JSON.stringify(e))
  try {
    writeFileSync(file, '{"displayTimeUnit":"ns","traceEvents":[\n')
    for (let i = 0; i < lines.length; i += 10_000)
      writeFileSync(file, `${i > 0 ? ',\n' : ''}${lines.slice(i, i + 10_000).join(',\n')}`, { flag: 'a' })
    writeFileSync(file, '\n]}\n', { flag: 'a' })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new DiagnosticError([diagnostic('TILE5110', `cannot write: ${reason}`, { subject: file })])
  }
}
