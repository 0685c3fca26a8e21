/** `tilec bench MODEL --rank 0/N`: what a round of one rank takes, and the speed that follows from it. */
import { DiagnosticError, diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import type { Spread } from '../runtime/session/bench-model.ts'
import { benchRank, type RankOptions, type RankResult } from '../runtime/session/bench-rank.ts'
import { readTarget } from '../runtime/session/machine.ts'
import type { BenchCommandOptions } from './bench.ts'
import { modelRequest } from './model-options.ts'
import { progressLine } from './progress.ts'
import { table } from './table.ts'
import { printJson, type Terminal } from './terminal.ts'

/** What the options of the command say of a rank to measure. */
export function rankRequest(
  model: string,
  options: BenchCommandOptions,
  rank: RankOptions['rank'],
  terminal: Terminal,
): RankOptions {
  if (!options.syntheticWeights) {
    throw new DiagnosticError([
      diagnostic('TILE5112', 'a rank without its peers cannot be measured with real weights', {
        help: 'its text would mean nothing: add --synthetic-weights',
      }),
    ])
  }
  const { layers, context, rows, routing, rounds, warmup, repeat, engineFolder, ctx } = options
  return {
    ...modelRequest(model, options),
    ...{ rank, layers, context, rows, routing, rounds, warmup, repeat, engineFolder, ctx },
    target: readTarget(options.target),
    signal: terminal.signal,
  }
}

export async function benchOfRank(
  model: string,
  options: BenchCommandOptions,
  rank: RankOptions['rank'],
  terminal: Terminal,
): Promise<void> {
  const progress = progressLine(terminal)
  const request = rankRequest(model, options, rank, terminal)
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
  terminal.out(`${headline(model, request, result)}\n${times}`)
  for (const { tokens, tokensPerSecond } of speeds) {
    const round = `${(result.roundUs.median / 1000).toFixed(3)} ms`
    terminal.out(`  ${tokens.toFixed(2)} tokens a round / ${round} = ${tokensPerSecond.toFixed(0)} tokens a second\n`)
  }
}

export function headline(
  model: string,
  r: RankOptions,
  { ready, layers, drafter, runs }: Omit<RankResult, `${string}Us`>,
): string {
  const { rank, ranks } = r.rank
  const routing = r.routing === 'uniform' ? r.routing : `a mean of ${r.routing} experts`
  return `${model}, rank ${rank} of ${ranks} alone on ${ready.name}: ${layers} layers${drafter ? ' and the drafter' : ''}, ${r.rows} row${r.rows > 1 ? 's' : ''} at context ${r.context}, routing ${routing} [SYNTHETIC weights, peers and acceptance: an engine's speed, not a model's]
${runs} runs of ${r.rounds} rounds: median of the runs' medians (least to greatest)`
}
