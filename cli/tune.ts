/** `tilec tune MODEL`: a faster schedule for this machine, found by trying, and never one that computes something else. */
import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { DiagnosticError, diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import { printSchedule } from '../dsl/schedule-ir.ts'
import { axisNames, type Candidate, type Tuned, tune } from '../runtime/session/tune.ts'
import type { BenchCommandOptions } from './bench.ts'
import { rankRequest, withRank } from './bench-rank.ts'
import { positive, withModel, withTarget } from './model-options.ts'
import { progressLine } from './progress.ts'
import { printJson, type Terminal } from './terminal.ts'

interface TuneCommandOptions extends BenchCommandOptions {
  readonly candidates: number
  readonly axes?: readonly string[]
  readonly output: string
}

const examples = `
Examples:
  tilec tune nano --target host --candidates 6 -o nano.schedule
  tilec tune mimo-v2.5-pro --rank 0/8 --layers 8 --drafter none --context 4096 -o pro.schedule
  tilec run nano --schedule nano.schedule

Tries one change of the schedule at a time (${axisNames.join(', ')}), on made up weights, and keeps what is faster and gives
the logits of the author's schedule. The result is a schedule like any other: read it, then put it beside the model.`

export function addTune(program: Command, terminal: Terminal): void {
  const command = program.command('tune').description('search schedule parameters on this machine')
  withRank(withTarget(withModel(command), 'fitting'), { present: 1, ranks: 1 })
    .option('--candidates <n>', 'schedules to try at most', positive(1), 40)
    .option('--axes <list>', `what to change: ${axisNames.join(', ')}`, (given) =>
      given.split(',').map((a) => a.trim()),
    )
    .option('--warmup <n>', 'runs that do not count', positive(0), 1)
    .option('--repeat <n>', 'runs that count', positive(1), 5)
    .option('-o, --output <file>', 'where to write the schedule', 'tuned.schedule')
    .option('--json', 'print one object')
    .addHelpText('after', examples)
    .action((model: string, options: TuneCommandOptions) => tuneModel(model, options, terminal))
}

async function tuneModel(model: string, options: TuneCommandOptions, terminal: Terminal): Promise<void> {
  const unknown = options.axes?.find((a) => !axisNames.includes(a))
  if (unknown !== undefined)
    throw new DiagnosticError([
      diagnostic('TILE5112', `there is no axis '${unknown}'`, { help: `axes are ${axisNames.join(', ')}` }),
    ])
  const progress = progressLine(terminal)
  const request = rankRequest(model, { ...options, syntheticWeights: true }, terminal)
  let tuned: Tuned
  try {
    tuned = await tune({
      ...request,
      candidates: options.candidates,
      axes: options.axes,
      onProgress: progress.show,
      onCandidate: (c) => {
        progress.done()
        if (!options.json) terminal.out(`${line(c)}\n`)
      },
    })
  } finally {
    progress.done()
  }
  write(options.output, tuned)
  if (options.json) {
    printJson(terminal, { model, ...tuned, schedule: printSchedule(tuned.schedule), file: options.output })
    return
  }
  const gain = (100 * (tuned.authorUs - tuned.bestUs)) / tuned.authorUs
  terminal.out(
    `${options.output}: ${tuned.bestUs.toFixed(1)} us a round, ${gain.toFixed(1)}% less than the author's, on ${tuned.device} [SYNTHETIC weights and acceptance]\n`,
  )
}

const line = ({ what, outcome, roundUs, why }: Candidate): string =>
  `${outcome.padEnd(7)} ${roundUs === undefined ? ''.padStart(10) : `${roundUs.toFixed(1)} us`.padStart(10)}  ${what}${why ? `: ${why}` : ''}`

function write(file: string, { schedule }: Tuned): void {
  try {
    writeFileSync(file, printSchedule(schedule))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new DiagnosticError([diagnostic('TILE5110', `cannot write: ${reason}`, { subject: file })])
  }
}
