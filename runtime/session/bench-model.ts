/**
 * Measures an engine: the same request several times, after some that do not count.
 *
 * Vocabulary: *synthetic acceptance* makes proposals count as right at random, so that a round's cost can be seen at any
 * acceptance length. The text then means nothing, and whatever is reported of it says so.
 * Invariant: speed is tokens after the first by the time after the first; medians are of whole requests.
 */
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { type DraftStats, draftStats } from '../decode/draft-stats.ts'
import { type DraftChoice, engineRequest } from '../decode/sampling.ts'
import { RoundTimes } from '../decode/width-policy.ts'
import type { Ready, RoundOutcome } from '../engine/wire.ts'
import { type OpenOptions, openModel } from './open-model.ts'
import { type Spread, spread } from './statistics.ts'

export interface BenchOptions extends OpenOptions {
  readonly promptTokens: number
  readonly outputTokens: number
  readonly warmup: number
  readonly repeat: number
  readonly draft?: DraftChoice | undefined
  /** Text that the prompt is made of, again and again. */
  readonly text: string
  /** Tokens a round, 1 to the width. */
  readonly syntheticAcceptance?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onRun?: ((run: BenchRun) => void) | undefined
}

export interface BenchRun {
  readonly counts: boolean
  readonly tokensPerSecond: number
  readonly firstTokenMs: number
}

export interface BenchResult {
  readonly ready: Ready
  readonly synthetic: readonly string[]
  readonly draft: DraftChoice
  readonly promptTokens: number
  readonly outputTokens: number
  readonly runs: number
  readonly tokensPerSecond: Spread
  readonly firstTokenMs: Spread
  /** Over the rounds of all runs that count. */
  readonly rounds: DraftStats
}

export async function benchModel(options: BenchOptions): Promise<BenchResult> {
  const { promptTokens, outputTokens, warmup, repeat, syntheticAcceptance: length } = options
  const fitting =
    options.engineFolder === undefined ? Math.ceil((promptTokens + outputTokens) / 64) * 64 + 64 : undefined
  const session = await openModel({ ...options, ctx: options.ctx ?? fitting })
  try {
    const { tokenizer, ctx, draftBlock: block } = session
    const choice = choiceOf(options, block)
    const tokens = repeated(tokenizer.encode(options.text, 'text'), promptTokens)
    const drafter = block === undefined ? undefined : { block, times: new RoundTimes() }
    const room = { ctx, vocabulary: tokenizer.size, drafter }
    const rate = length === undefined ? undefined : rateFor(length, choice)
    const rounds: RoundOutcome[] = []
    const runs: BenchRun[] = []
    for (let i = 0; i < warmup + repeat; i++) {
      const asked = { maxTokens: outputTokens, ignoreEnd: true, draft: choice, syntheticAcceptance: rate, seed: i }
      const request = engineRequest(tokens, asked, { endTokens: [] }, room)
      const outcomes: RoundOutcome[] = []
      let run: BenchRun | undefined
      for await (const event of session.engineEvents(request, options.signal)) {
        if (event.type === 'round') outcomes.push(event.outcome)
        if (event.type !== 'end') continue
        const { tokens, totalMs, firstTokenMs } = event.stats
        const seconds = (totalMs - firstTokenMs) / 1000
        run = { counts: i >= warmup, tokensPerSecond: seconds > 0 ? (tokens - 1) / seconds : 0, firstTokenMs }
      }
      if (options.signal?.aborted) break
      options.onRun?.(run!)
      if (i < warmup) continue
      runs.push(run!)
      rounds.push(...outcomes.slice(1))
    }
    return {
      ready: session.ready,
      synthetic: length === undefined ? [] : ['acceptance'],
      draft: choice,
      promptTokens,
      outputTokens,
      runs: runs.length,
      tokensPerSecond: spread(runs.map((r) => r.tokensPerSecond)),
      firstTokenMs: spread(runs.map((r) => r.firstTokenMs)),
      rounds: draftStats(rounds),
    }
  } finally {
    await session.close()
  }
}

function choiceOf({ draft, syntheticAcceptance }: BenchOptions, block: number | undefined): DraftChoice {
  const choice = draft ?? (block === undefined ? 'off' : syntheticAcceptance === undefined ? 'auto' : block)
  const most = typeof choice === 'number' ? choice : 0
  if (syntheticAcceptance !== undefined && !(syntheticAcceptance >= 1 && syntheticAcceptance <= most)) {
    throw new DiagnosticError([
      diagnostic(
        'TILE6101',
        `a synthetic acceptance of ${syntheticAcceptance} needs a drafter and as many rows: draft is ${choice}`,
        {
          help: 'it is 1 to the rows that --draft names, 2 to 8',
        },
      ),
    ])
  }
  return choice
}

/** The rate r of every proposal with 1 + r + r^2 + ... + r^(rows - 1) = length. */
function rateFor(length: number, choice: DraftChoice): number {
  const rows = Number(choice)
  let [low, high] = [0, 1]
  for (let i = 0; i < 60; i++) {
    const rate = (low + high) / 2
    const tokens = Array.from({ length: rows }, (_, k) => rate ** k).reduce((a, b) => a + b)
    if (tokens < length) low = rate
    else high = rate
  }
  return high
}

const repeated = (tokens: readonly number[], count: number): number[] =>
  Array.from({ length: count }, (_, i) => tokens[i % tokens.length]!)
