/** `tilec bench MODEL --rank 0-3/8`, or any --gpus with --synthetic-weights: what a round takes, and the speed that follows from it. */
import { type Command, InvalidArgumentError } from 'commander'
import { type EngineKind, engines } from '../codegen/engines.ts'
import { DiagnosticError, diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import type { Ready } from '../runtime/engine/wire.ts'
import {
  benchRank,
  checkPresence,
  type PresentRanks,
  type RankOptions,
  type RankResult,
  rankRange,
} from '../runtime/session/bench-rank.ts'
import { readTarget } from '../runtime/session/machine.ts'
import type { Spread } from '../runtime/session/statistics.ts'
import type { Routing } from '../runtime/session/synthetic-routing.ts'
import type { BenchCommandOptions } from './bench.ts'
import { engineOption, modelRequest, positive, real, spillsOption } from './model-options.ts'
import { progressLine } from './progress.ts'
import { roofline } from './roofline.ts'
import { bytes, table } from './table.ts'
import { printJson, type Terminal } from './terminal.ts'

/** Options that say which ranks are measured, and at what. */
export const withRank = (command: Command): Command =>
  command
    .option('--rank <ranks>', 'the first ranks of several, a GPU each, without the others: 0/8, 0-3/8', ranksOf)
    .option('--layers <n>', 'the first layers only', positive(1))
    .option('--context <n>', 'positions before the rounds', positive(1), 4096)
    .option('--rows <n>', 'rows of a round', positive(1), 8)
    .option('--routing <how>', 'uniform, or the mean of experts that eight rows meet', routing, 'uniform')
    .option('--rounds <n>', 'rounds of a run', positive(1), 32)
    .addOption(engineOption())
    .addOption(spillsOption())
    .option('--engine-folder <folder>', 'take the engine from what tilec compile -o wrote')

function ranksOf(given: string): PresentRanks {
  const [, from, to = from, all] = /^(\d+)(?:-(\d+))?\/(\d+)$/.exec(given) ?? []
  if (from === undefined) throw new InvalidArgumentError('It is a rank, or some, and how many there are: 0/8, 0-3/8.')
  const [first, ranks] = [Number(from), Number(all)]
  const present = Number(to) - first + 1
  checkPresence({ first, present, ranks })
  return { present, ranks }
}

/** The ranks that --rank names, or all of --gpus; not both, unless they agree. */
export function ranksAsked(
  { gpus, rank = { present: gpus, ranks: gpus } }: Pick<BenchCommandOptions, 'gpus' | 'rank'>,
  command: Command,
): PresentRanks {
  if (command.getOptionValueSource('gpus') !== 'cli' || gpus === rank.ranks) return rank
  const help = '--rank says how many ranks there are; leave --gpus out'
  throw new DiagnosticError([
    diagnostic('TILE5112', `ranks of ${rank.ranks} with --gpus ${gpus} cannot be measured`, { help }),
  ])
}

const routing = (given: string): Routing => (given === 'uniform' ? given : real(given))

/** What the options of the command say of ranks to measure. */
export function rankRequest(model: string, options: BenchCommandOptions, terminal: Terminal): RankOptions {
  const ranks = options.rank!
  if (!options.syntheticWeights) {
    throw new DiagnosticError([
      diagnostic('TILE5112', 'ranks without their peers cannot be measured with real weights', {
        help: 'its text would mean nothing: add --synthetic-weights',
      }),
    ])
  }
  const { layers, context, rows, routing, rounds, warmup, repeat, engine, spills, engineFolder, ctx, digest } = options
  return {
    ...modelRequest(model, options),
    ...{ ranks, layers, context, rows, routing, rounds, warmup, repeat, engine, spills, engineFolder, ctx, digest },
    target: readTarget(options.target),
    signal: terminal.signal,
  }
}

export async function benchOfRank(model: string, options: BenchCommandOptions, terminal: Terminal): Promise<void> {
  const request = rankRequest(model, options, terminal)
  if (options.roofline) {
    await roofline(model, request, options.json ?? false, terminal)
    return
  }
  const progress = progressLine(terminal)
  let result: RankResult
  try {
    result = await benchRank({ ...request, onProgress: progress.show, onRun: progress.done })
  } finally {
    progress.done()
  }
  const speeds = options.acceptance
    .filter((tokens) => tokens <= request.rows)
    .map((tokens) => ({ tokens, tokensPerSecond: (tokens / result.roundUs.median) * 1e6 }))
  if (options.json) {
    const { ready, ...measured } = result
    printJson(terminal, { ...about(model, request, ready), ...measured, speeds })
    return
  }
  const right = (title: string) => ({ title, align: 'right' as const })
  const row = (name: string, s: Spread) => [name, ...[s.median, s.least, s.greatest].map((us) => us.toFixed(1))]
  const rows = [
    row('round', result.roundUs),
    ...(result.drafter && request.rows > 1 ? [row('  draft', result.draftUs), row('  verify', result.verifyUs)] : []),
  ]
  const times = table([{ title: 'us' }, right('median'), right('least'), right('greatest')], rows)
  terminal.out(`${headline(model, request, result)}: median of the runs' medians (least to greatest)\n${times}`)
  const { load } = result
  const rate = load.seconds > 0 ? `, ${bytes(load.bytes / load.seconds)} a second` : ''
  terminal.out(`  weights: ${bytes(load.bytes)} made in ${load.seconds.toFixed(1)} s${rate}\n`)
  if (result.digest !== undefined) terminal.out(`  digest of the logits of all rounds: ${result.digest}\n`)
  for (const { tokens, tokensPerSecond } of speeds) {
    const round = `${(result.roundUs.median / 1000).toFixed(3)} ms`
    terminal.out(`  ${tokens.toFixed(2)} tokens a round / ${round} = ${tokensPerSecond.toFixed(0)} tokens a second\n`)
  }
}

const syntheticParts = ({ present, ranks }: PresentRanks): readonly string[] =>
  present < ranks ? ['weights', 'peers', 'acceptance'] : ['weights', 'acceptance']

/** What was measured, for programs. */
export function about(model: string, request: RankOptions, { target, name: device, nccl }: Ready) {
  const { ranks, context, rows, routing, rounds, engine = 'persistent' } = request
  const what = { model, engine, ...(nccl !== undefined && { nccl }), target, device }
  return { ...what, ...ranks, context, rows, routing, rounds, synthetic: syntheticParts(ranks) }
}

export function headline(
  model: string,
  r: RankOptions,
  { ready, layers, drafter, runs }: Pick<RankResult, 'ready' | 'layers' | 'drafter' | 'runs'>,
): string {
  const routing = r.routing === 'uniform' ? r.routing : `a mean of ${r.routing} experts`
  const parts = syntheticParts(r.ranks)
  return `${model}, ${whoRuns(r.ranks)} on ${ready.name}: ${layers} layers${drafter ? ' and the drafter' : ''}, ${r.rows} row${r.rows > 1 ? 's' : ''} at context ${r.context}, routing ${routing} [SYNTHETIC ${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}: an engine's speed, not a model's]
${controlLine(r.engine, ready)}${runs} runs of ${r.rounds} rounds`
}

/** What was measured, where it is not the engine itself. */
export function controlLine(engine: EngineKind = 'persistent', { nccl, present, ranks }: Ready): string {
  const { resident, title } = engines[engine]
  if (resident) return ''
  const over = present < ranks ? `the ${present} ranks that run` : `${ranks} ranks`
  return `${title}${nccl === undefined ? '' : `; NCCL ${nccl} adds over ${over}`}\n`
}

function whoRuns({ present, ranks }: PresentRanks): string {
  if (present === ranks) return `${ranks} rank${ranks > 1 ? 's' : ''}`
  if (present === 1) return `rank 0 of ${ranks} alone`
  return `ranks ${rankRange(0, present)} of ${ranks}, without the others,`
}
