/**
 * What a caller may ask of one generation, checked, as the engine wants it.
 *
 * Vocabulary: *end tokens* end an answer because the model says so; *stop strings* because the caller does, and are matched
 * in the text, not in tokens. Temperature 0 is greedy; everything else that is left out is off.
 * Invariant: what is returned is a request that the engine accepts; all that is wrong is told together.
 */
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { GenerationDefaults } from '../checkpoint/generation.ts'
import type { EngineRequest } from '../engine/wire.ts'

export interface SamplingOptions {
  /** 0, or left out: greedy. */
  readonly temperature?: number | undefined
  readonly topK?: number | undefined
  readonly topP?: number | undefined
  readonly minP?: number | undefined
  /** Same seed, same request: same text. 0 when left out. */
  readonly seed?: number | bigint | undefined
}

export interface DecodeOptions extends SamplingOptions {
  /** As many as the context holds when left out. */
  readonly maxTokens?: number | undefined
  /** Strings that end the text; they are not part of it. */
  readonly stop?: readonly string[] | undefined
  /** Goes on past the model's end tokens. */
  readonly ignoreEnd?: boolean | undefined
}

export interface Room {
  readonly ctx: number
  /** Ids are below. */
  readonly vocabulary: number
}

export function engineRequest(
  prompt: readonly number[],
  options: DecodeOptions,
  { endTokens }: Pick<GenerationDefaults, 'endTokens'>,
  { ctx, vocabulary }: Room,
): EngineRequest {
  const session = new Session()
  const demand = (holds: boolean, message: string) => void (holds || session.report('TILE6101', message))
  const { temperature = 0, topK = 0, topP = 1, minP = 0, seed = 0, maxTokens, stop = [] } = options
  const whole = (n: number) => Number.isInteger(n)
  demand(
    temperature >= 0 && Number.isFinite(temperature),
    `temperature is ${temperature}; it is a number from 0 (greedy)`,
  )
  demand(whole(topK) && topK >= 0, `topK is ${topK}; it is a whole number from 0 (off)`)
  demand(topP > 0 && topP <= 1, `topP is ${topP}; it is above 0 and at most 1 (off)`)
  demand(minP >= 0 && minP <= 1, `minP is ${minP}; it is between 0 (off) and 1`)
  demand(typeof seed === 'bigint' || Number.isSafeInteger(seed), `seed is ${seed}; it is a whole number`)
  demand(
    maxTokens === undefined || (whole(maxTokens) && maxTokens >= 1),
    `maxTokens is ${maxTokens}; it is a whole number from 1`,
  )
  demand(!stop.includes(''), 'a stop string is empty; it would end every text at once')
  const outside = prompt.find((t) => !whole(t) || t < 0 || t >= vocabulary)
  demand(outside === undefined, `the prompt has the token ${outside}; ids are 0 to ${vocabulary - 1}`)
  if (prompt.length === 0) {
    session.report('TILE6102', 'the prompt is empty; a model continues at least one token')
  }
  if (prompt.length > ctx) {
    session.report('TILE6103', `the prompt has ${prompt.length} tokens; the context holds ${ctx}`, {
      help: `open the model with a larger context (--ctx ${Math.ceil((prompt.length + 256) / 256) * 256}), or shorten the prompt`,
    })
  }
  session.throwIfFailed()
  return {
    prompt,
    maxNewTokens: maxTokens ?? Math.max(1, ctx - prompt.length),
    sampling: { temperature, topK, topP, minP, seed },
    eos: options.ignoreEnd ? [] : endTokens,
  }
}
