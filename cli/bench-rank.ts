/** `tilec bench MODEL --rank 0/N`: what a round of one rank takes, and the speed that follows from it. */
import { type Command, InvalidArgumentError } from 'commander'
import { DiagnosticError, diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import { benchRank, type RankOptions, type RankResult } from '../runtime/session/bench-rank.ts'
import { readTarget } from '../runtime/session/machine.ts'
import type { Spread } from '../runtime/session/statistics.ts'
import type { Routing } from '../runtime/session/synthetic-routing.ts'
import type { BenchCommandOptions } from './bench.ts'
import { engineOption, modelRequest, positive, real, spillsOption } from './model-options.ts'
import { progressLine } from './progress.ts'
import { roofline } from './roofline.ts'
import { table } from './table.ts'
import { printJson, type Terminal } from './terminal.ts'

/** Options that say which rank is measured, and at what. `rank`: the one that is meant where none is named. */
export const withRank = (command: Command, rank?: RankOptions['rank']): Command =>
  command
    .option('--rank <rank>', 'one rank of several, alone: 0/8', rankOf, rank)
    .option('--layers <n>', 'the first layers only', positive(1))
    .option('--context <n>', 'positions before the rounds', positive(1), 4096)
    .option('--rows <n>', 'rows of a round', positive(1), 8)
    .option('--routing <how>', 'uniform, or the mean of experts that eight rows meet', routing, 'uniform')
    .option('--rounds <n>', 'rounds of a run', positive(1), 32)
    .addOption(engineOption())
    .addOption(spillsOption())
    .option('--engine-folder <folder>', 'take the engine from what tilec compile -o wrote')

function rankOf(given: string): RankOptions['rank'] {
  const [, rank, ranks] = /^(\d+)\/(\d+)$/.exec(given) ?? []
  if (rank === undefined) throw new InvalidArgumentError('It is a rank and how many there are: 0/8.')
  return { rank: Number(rank), ranks: Number(ranks) }
}

const routing = (given: string): Routing => (given === 'uniform' ? given : real(given))

/** What the options of the command say of a rank to measure. */
export function rankRequest(model: string, options: BenchCommandOptions, terminal: Terminal): RankOptions {
  const rank = options.rank!
  if (!options.syntheticWeights) {
    throw new DiagnosticError([
      diagnostic('TILE5112', 'a rank without its peers cannot be measured with real weights', {
        help: 'its text would mean nothing: add --synthetic-weights',
      }),
    ])
  }
  const { layers, context, rows, routing, rounds, warmup, repeat, engine, spills, engineFolder, ctx } = options
  return {
    ...modelRequest(model, options),
    ...{ rank, layers, context, rows, routing, rounds, warmup, repeat, engine, spills, engineFolder, ctx },
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
    const { rank, context, rows, routing, rounds } = request
    const { ready, ...measured } = result
    const { target, name: device } = ready
    const synthetic = ['weights', 'peers', 'acceptance']
    printJson(terminal, {
      model,
      target,
      device,
      ...rank,
      context,
      rows,
      routing,
      rounds,
      synthetic,
      ...measured,
      speeds,
    })
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
  for (const { tokens, tokensPerSecond } of speeds) {
    const round = `${(result.roundUs.median / 1000).toFixed(3)} ms`
    terminal.out(`  ${tokens.toFixed(2)} tokens a round / ${round} = ${tokensPerSecond.toFixed(0)} tokens a second\n`)
  }
}

export function headline(
  model: string,
  r: RankOptions,
  { ready, layers, drafter, runs }: Pick<RankResult, 'ready' | 'layers' | 'drafter' | 'runs'>,
): string {
  const { rank, ranks } = r.rank
  const routing = r.routing === 'uniform' ? r.routing : `a mean of ${r.routing} experts`
  return `${model}, rank ${rank} of ${ranks} alone on ${ready.name}: ${layers} layers${drafter ? ' and the drafter' : ''}, ${r.rows} row${r.rows > 1 ? 's' : ''} at context ${r.context}, routing ${routing} [SYNTHETIC weights, peers and acceptance: an engine's speed, not a model's]
${runs} runs of ${r.rounds} rounds`
}
