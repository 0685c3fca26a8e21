/**
 * An engine's tokens as text: what a caller streams.
 *
 * Vocabulary: a *text* event comes for each token, with the text that became certain with it, often none: half a character
 * and the beginning of a stop string wait. The *end* event comes once and last; its reason is the engine's, or 'stop' when
 * a stop string was found, which ends the request on the device.
 * Invariants: texts joined are the decoding of all tokens without special ones, cut where the stop string begins.
 */
import type { EngineEvent, RequestStats } from '../engine/engine.ts'
import type { FinishReason, LogProbs, RoundOutcome } from '../engine/wire.ts'
import { createStopMatcher } from '../tokenizer/stop.ts'
import { createTextDecoder, type TokenBytes } from '../tokenizer/stream.ts'
import { type DraftStats, draftStats } from './draft-stats.ts'

export type GenerationEvent =
  | {
      readonly type: 'text'
      readonly text: string
      readonly tokenIds: readonly number[]
      /** Of each token, where they were asked for. */
      readonly logprobs?: readonly LogProbs[]
    }
  | {
      readonly type: 'end'
      /** Text that was waiting and turned out to be text. */
      readonly text: string
      readonly reason: FinishReason
      /** The stop string that was found. */
      readonly stop?: string
      readonly stats: GenerationStats
    }

export interface GenerationStats {
  readonly promptTokens: number
  readonly tokens: number
  /** From the request to its first token: the prompt's processing. */
  readonly firstTokenMs: number
  readonly totalMs: number
  /** Tokens after the first, by the time after the first. */
  readonly tokensPerSecond: number
  /** What the rounds after the prompt's add up to; the last may have tokens that a stop string cut off. */
  readonly draft: DraftStats
}

export async function* textEvents(
  events: AsyncIterable<EngineEvent>,
  tokens: TokenBytes,
  options: { readonly stop: readonly string[]; readonly promptTokens: number },
): AsyncGenerator<GenerationEvent> {
  const decoder = createTextDecoder(tokens, { skipSpecial: true })
  const matcher = createStopMatcher(options.stop)
  const began = performance.now()
  let firstTokenMs = 0
  let count = 0
  const rounds: RoundOutcome[] = []
  for await (const event of events) {
    if (event.type === 'end') {
      const last = matcher.push(decoder.end())
      const text = last.text + (last.stop === undefined ? matcher.end() : '')
      const reason = last.stop === undefined ? event.reason : 'stop'
      yield {
        type: 'end',
        text,
        reason,
        ...(last.stop !== undefined && { stop: last.stop }),
        stats: statsOf(event.stats, rounds),
      }
      return
    }
    if (event.type === 'round') {
      if (count > 0) rounds.push(event.outcome)
      continue
    }
    if (count++ === 0) firstTokenMs = performance.now() - began
    const { text, stop } = matcher.push(decoder.push(event.token))
    yield { type: 'text', text, tokenIds: [event.token], ...(event.logprobs && { logprobs: [event.logprobs] }) }
    if (stop === undefined) continue
    const totalMs = performance.now() - began
    const stats = statsOf({ promptTokens: options.promptTokens, tokens: count, firstTokenMs, totalMs }, rounds)
    yield { type: 'end', text: '', reason: 'stop', stop, stats }
    return
  }
}

type Counted = Pick<RequestStats, 'promptTokens' | 'tokens' | 'firstTokenMs' | 'totalMs'>

function statsOf(
  { promptTokens, tokens, firstTokenMs, totalMs }: Counted,
  rounds: readonly RoundOutcome[],
): GenerationStats {
  const seconds = (totalMs - firstTokenMs) / 1000
  const tokensPerSecond = tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : 0
  return { promptTokens, tokens, firstTokenMs, totalMs, tokensPerSecond, draft: draftStats(rounds) }
}
