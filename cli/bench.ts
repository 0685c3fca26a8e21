/** `tilec bench MODEL`: how fast an engine writes, plain or drafted; with made up weights, what a round takes. */
import type { Command } from 'commander'
import type { EngineKind } from '../codegen/engines.ts'
import { DiagnosticError, diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import type { DraftChoice } from '../runtime/decode/sampling.ts'
import { type BenchResult, benchModel } from '../runtime/session/bench-model.ts'
import type { PresentRanks } from '../runtime/session/bench-rank.ts'
import { readTarget } from '../runtime/session/machine.ts'
import type { Spread } from '../runtime/session/statistics.ts'
import type { Routing } from '../runtime/session/synthetic-routing.ts'
import { benchOfRank, controlLine, ranksAsked, withRank } from './bench-rank.ts'
import { draftJson, draftLines } from './draft-report.ts'
import {
  draftChoice,
  type ModelOptions,
  modelRequest,
  positive,
  real,
  type TargetOptions,
  withModel,
  withTarget,
} from './model-options.ts'
import { progressLine } from './progress.ts'
import { printJson, type Terminal } from './terminal.ts'

export interface BenchCommandOptions extends ModelOptions, Omit<TargetOptions, 'ctx'> {
  readonly ctx?: number
  readonly promptTokens: number
  readonly outputTokens: number
  readonly warmup: number
  readonly repeat: number
  readonly draft?: DraftChoice
  readonly prompt?: string
  readonly syntheticWeights?: boolean
  readonly syntheticAcceptance?: number
  readonly json?: boolean
  readonly rank?: PresentRanks
  readonly layers?: number
  readonly context: number
  readonly rows: number
  readonly routing: Routing
  readonly rounds: number
  readonly acceptance: readonly number[]
  readonly engine: EngineKind
  readonly spills?: number
  readonly engineFolder?: string
  readonly digest?: boolean
  readonly roofline?: boolean
}

/** Code that no model has learnt by heart, and that a small one goes on with. */
const text = `/** Counts how often each word comes, whatever its case. */
export function countWords(text: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const word of text.toLowerCase().split(/[^a-z]+/)) {
    if (word === '') continue
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return counts
}

`

const examples = `
Examples:
  tilec bench nano                                      drafted as it pays
  tilec bench nano --draft off --repeat 9               plain decoding
  tilec bench mimo-v2.5-pro --gpus 8 --synthetic-weights --synthetic-acceptance 6.3
  tilec bench mimo-v2.5-pro --rank 0-3/8 --synthetic-weights --engine-folder pro8
  tilec bench mimo-v2.5-pro --rank 0/8 --synthetic-weights --context 32768 --routing 37

With --synthetic-weights rounds are measured instead of text: they verify random tokens that all count as right, behind a
context of zeros. --gpus N runs all ranks of a plan for N; --rank 0-3/8 runs the first four of eight, a GPU each, which stand in
for the others, so that every rank gets as many packets as from eight; --rank 0/8 runs one alone.

--engine-folder takes the engine that tilec compile -o left there, for rounds and for text: a machine with GPUs needs no compiler.

--roofline takes a traced engine and shows what each phase of a round streamed, what that takes at the rate that the machine
reached just before, what it took, and how much of that an SM waited for others; with several ranks, what sums over them cost.

Synthetic weights and synthetic acceptance measure an engine, not a model: their results say so wherever they appear.`

const reals = (given: string): number[] => given.split(',').map(real)

export function addBench(program: Command, terminal: Terminal): void {
  withRank(withTarget(withModel(program.command('bench').description('measure how fast a model writes')), 'fitting'))
    .option('--prompt <text>', 'what the prompt is made of, again and again')
    .option('--prompt-tokens <n>', 'length of the prompt', positive(1), 128)
    .option('--output-tokens <n>', 'tokens to write', positive(2), 256)
    .option('--warmup <n>', 'runs that do not count', positive(0), 1)
    .option('--repeat <n>', 'runs that count', positive(1), 5)
    .option('--draft <rows>', 'rows to verify at once: off, 2 to 8, or auto, as many as pay', draftChoice)
    .option('--synthetic-weights', 'make the weights up: for models that are not here')
    .option('--synthetic-acceptance <a>', 'make rounds yield so many tokens, whatever the drafter says', real)
    .option('--acceptance <list>', 'of measured rounds: tokens of one, to derive speeds', reals, [6.3, 5.56, 4.29])
    .option('--digest', 'of measured rounds: a hash of all logits, to compare runs to the bit')
    .option('--roofline', 'of measured rounds: bytes, floor and time of each phase')
    .option('--json', 'print one object')
    .addHelpText('after', examples)
    .action((model: string, options: BenchCommandOptions, command: Command) =>
      options.rank || options.roofline || options.syntheticWeights
        ? benchOfRounds(model, options, command, terminal)
        : bench(model, options, command, terminal),
    )
}

/** Rounds of made up weights: ranks are those that --rank names, or all; what only text has is refused. */
async function benchOfRounds(model: string, options: BenchCommandOptions, command: Command, terminal: Terminal) {
  const { syntheticAcceptance: length, rows } = options
  const rank = ranksAsked(options, command)
  refuseGiven(command, ofText, 'rounds', 'they have --context, --rows and --rounds')
  if (length !== undefined && !(length >= 1 && length <= rows))
    throw refused(`${length} tokens from a round of ${rows} rows`, `a round yields 1 to ${rows}`)
  const acceptance = [...new Set([...(length === undefined ? [] : [length]), ...options.acceptance])]
  await benchOfRank(model, { ...options, rank, acceptance }, terminal)
}

/** What only text has, and what only measured rounds have. */
const ofText = ['--prompt', '--prompt-tokens', '--output-tokens', '--draft']
const ofRounds = ['--layers', '--context', '--rows', '--routing', '--rounds', '--acceptance', '--digest']

function refuseGiven(command: Command, options: readonly string[], of: string, help: string): void {
  for (const option of command.options)
    if (options.includes(option.long ?? '') && command.getOptionValueSource(option.attributeName()) === 'cli')
      throw refused(`${of} with ${option.long}`, help)
}

const refused = (what: string, help: string): DiagnosticError =>
  new DiagnosticError([diagnostic('TILE5112', `${what} cannot be measured`, { help })])

/** Text of the model's own weights. */
async function bench(model: string, options: BenchCommandOptions, command: Command, terminal: Terminal): Promise<void> {
  refuseGiven(command, ofRounds, 'text', 'it is for rounds of made up weights: add --synthetic-weights')
  const progress = progressLine(terminal)
  let result: BenchResult
  try {
    result = await benchModel({
      ...modelRequest(model, options),
      ...options,
      target: readTarget(options.target),
      text: options.prompt ?? text,
      onProgress: progress.show,
      onRun: progress.done,
      signal: terminal.signal,
    })
  } finally {
    progress.done()
  }
  if (options.json) printJson(terminal, asJson(model, options.engine, result))
  else terminal.out(`${controlLine(options.engine, result.ready)}${asText(model, result).join('\n')}\n`)
}

const asJson = (model: string, engine: EngineKind, r: BenchResult) => ({
  model,
  engine,
  ...(r.ready.nccl !== undefined && { nccl: r.ready.nccl }),
  target: r.ready.target,
  device: r.ready.name,
  ranks: r.ready.ranks,
  synthetic: r.synthetic,
  draft: r.draft,
  promptTokens: r.promptTokens,
  outputTokens: r.outputTokens,
  runs: r.runs,
  tokensPerSecond: r.tokensPerSecond,
  firstTokenMs: r.firstTokenMs,
  ...draftJson(r.rounds),
})

function asText(model: string, r: BenchResult): string[] {
  const { target, name, ranks } = r.ready
  const marked =
    r.synthetic.length > 0 ? ` [SYNTHETIC ${r.synthetic.join(' and ')}: an engine's speed, not a model's]` : ''
  const range = ({ median, least, greatest }: Spread, digits: number) =>
    `${median.toFixed(digits)} (${least.toFixed(digits)} to ${greatest.toFixed(digits)})`
  return [
    `${model} on ${target === name ? target : `${target}, ${name}`}, ${ranks} rank${ranks > 1 ? 's' : ''}, draft ${r.draft}${marked}`,
    `${r.promptTokens} tokens of prompt, ${r.outputTokens} written, ${r.runs} runs: median (least to greatest)`,
    `tokens a second  ${range(r.tokensPerSecond, 1)}`,
    `first token, ms  ${range(r.firstTokenMs, 1)}`,
    ...draftLines(r.rounds),
  ]
}
