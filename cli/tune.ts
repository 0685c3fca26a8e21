/** `tilec tune MODEL`: a faster schedule for this machine, found by trying, and never one that computes something else. */
import { renameSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { type Command, InvalidArgumentError } from 'commander'
import { DiagnosticError, diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import { printSchedule, type Schedule } from '../dsl/schedule-ir.ts'
import { type Candidate, outcomes } from '../runtime/session/search-schedules.ts'
import { axisNames, type Tuned, tune } from '../runtime/session/tune.ts'
import type { BenchCommandOptions } from './bench.ts'
import { rankRequest, ranksAsked, withRank } from './bench-rank.ts'
import { positive, real, withModel, withTarget } from './model-options.ts'
import { progressLine } from './progress.ts'
import { printJson, type Terminal } from './terminal.ts'

interface TuneCommandOptions extends BenchCommandOptions {
  readonly candidates: number
  readonly jobs: number
  readonly minutes?: number
  readonly axes?: readonly string[]
  readonly output: string
}

const examples = `
Examples:
  tilec tune nano --target host --candidates 6 -o nano.schedule
  tilec tune mimo-v2.5-pro --rank 0/8 --layers 8 --drafter none --jobs 8 --minutes 30 -o pro.schedule
  tilec run nano --schedule nano.schedule

Tries one change of the schedule at a time (${axisNames.join(', ')}), on made up weights, and keeps what is faster and gives
the logits of the author's schedule. Engines are built beside each other and measured one by one: on a GPU while others are
built, on the host while none is. The file holds the best schedule so far, from the author's on; after --minutes, or Ctrl-C,
what was found until then stays. The result is a schedule like any other: read it, then put it beside the model.`

/** A compiler of a large engine takes two GiB. */
const usualJobs = Math.max(1, Math.floor(availableParallelism() / 2))

export function addTune(program: Command, terminal: Terminal): void {
  const command = program.command('tune').description('search schedule parameters on this machine')
  withRank(withTarget(withModel(command), 'fitting'))
    .option('--candidates <n>', 'engines to try at most', positive(1), 40)
    .option('--jobs <n>', 'engines to build side by side', positive(1), usualJobs)
    .option('--minutes <m>', 'begin no candidate after so long', aboveZero)
    .option('--axes <list>', `what to change: ${axisNames.join(', ')}`, (given) =>
      given.split(',').map((a) => a.trim()),
    )
    .option('--warmup <n>', 'runs that do not count', positive(0), 1)
    .option('--repeat <n>', 'runs that count', positive(1), 5)
    .option('-o, --output <file>', 'where to write the schedule', 'tuned.schedule')
    .option('--json', 'print one object')
    .addHelpText('after', examples)
    .action((model: string, options: TuneCommandOptions, command: Command) =>
      tuneModel(model, { ...options, rank: ranksAsked(options, command) }, terminal),
    )
}

function aboveZero(given: string): number {
  const n = real(given)
  if (n <= 0) throw new InvalidArgumentError('It is a number above 0.')
  return n
}

async function tuneModel(model: string, options: TuneCommandOptions, terminal: Terminal): Promise<void> {
  const unknown = options.axes?.find((a) => !axisNames.includes(a))
  if (unknown !== undefined)
    throw new DiagnosticError([
      diagnostic('TILE5112', `there is no axis '${unknown}'`, { help: `axes are ${axisNames.join(', ')}` }),
    ])
  const { candidates, jobs, minutes, axes, output } = options
  const progress = progressLine(terminal)
  const request = rankRequest(model, { ...options, syntheticWeights: true }, terminal)
  let tuned: Tuned
  try {
    tuned = await tune({
      ...request,
      ...{ candidates, jobs, minutes, axes },
      onProgress: progress.show,
      onBest: (schedule) => write(output, schedule),
      onCandidate: (c) => {
        progress.done()
        if (!options.json) terminal.out(`${line(c)}\n`)
      },
    })
  } finally {
    progress.done()
  }
  if (options.json)
    printJson(terminal, { model, ...request.ranks, ...tuned, schedule: printSchedule(tuned.schedule), file: output })
  else terminal.out(summary(tuned, output))
}

const micros = (us: number | undefined): string => (us === undefined ? '' : `${us.toFixed(1)} us`)

/** `kept  712.3 us  -1.8%  ring 2 x 76 KiB`: the part is of the best before it. */
function line({ what, outcome, roundUs, bestUs, apart, code, why }: Candidate): string {
  const part = roundUs !== undefined && bestUs !== undefined ? (100 * (roundUs - bestUs)) / bestUs : undefined
  const gain = part === undefined ? '' : `${part > 0 ? '+' : ''}${part.toFixed(1)}%`
  const off = outcome === 'wrong' ? `logits differ by ${apart!.toPrecision(2)}` : undefined
  const notes = [code, why ?? off].filter((t) => t !== undefined).join(' ')
  const told = [outcome.padEnd(7), micros(roundUs).padStart(10), gain.padStart(7), ` ${what}`].join(' ')
  return notes === '' ? told : `${told}: ${notes}`
}

const endings: Readonly<Record<Tuned['ended'], string>> = {
  settled: 'no change helps any more',
  spent: 'all candidates are spent',
  stopped: 'stopped',
}

function summary({ candidates, authorUs, bestUs, device, ended }: Tuned, file: string): string {
  const counts = outcomes.slice(1).flatMap((outcome) => {
    const count = candidates.filter((c) => c.outcome === outcome).length
    return count === 0 ? [] : [`${count} ${outcome}`]
  })
  const gain = (100 * (authorUs - bestUs)) / authorUs
  return `${endings[ended]}: ${counts.join(', ') || 'nothing was tried'}
${file}: ${micros(bestUs)} a round, ${gain.toFixed(1)}% less than the author's, on ${device} [SYNTHETIC weights and acceptance]\n`
}

/** Whole or not at all: who reads the file meanwhile finds the schedule before. */
function write(file: string, schedule: Schedule): void {
  try {
    writeFileSync(`${file}.new`, printSchedule(schedule))
    renameSync(`${file}.new`, file)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new DiagnosticError([diagnostic('TILE5110', `cannot write: ${reason}`, { subject: file })])
  }
}
