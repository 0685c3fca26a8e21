/**
 * What a caller may ask of one generation, checked, as the engine wants it.
 *
 * Vocabulary: *end tokens* end an answer because the model says so; *stop strings* because the caller does, and are matched
 * in the text, not in tokens. Temperature 0 is greedy; everything else that is left out is off.
 * Invariant: what is returned is a request that the engine accepts; all that is wrong is told together.
 */
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { GenerationDefaults } from '../checkpoint/generation.ts'
import { type DraftRequest, type EngineRequest, maxBiases, maxLogprobs } from '../engine/wire.ts'
import { type RoundTimes, WidthPolicy } from './width-policy.ts'

export interface SamplingOptions {
  /** 0, or left out: greedy. */
  readonly temperature?: number | undefined
  readonly topK?: number | undefined
  readonly topP?: number | undefined
  readonly minP?: number | undefined
  /** Same seed, same request: same text. 0 when left out. */
  readonly seed?: number | bigint | undefined
  /** Divides logits of tokens that the prompt or the text has where they are above 0, multiplies them below. 1: off. */
  readonly repetitionPenalty?: number | undefined
  /** Taken off logits of tokens that the text has, once. 0: off. */
  readonly presencePenalty?: number | undefined
  /** Taken off logits of tokens that the text has, each time. 0: off. */
  readonly frequencyPenalty?: number | undefined
  /** Added to logits, by token: up to 300 of them, -100 to 100. */
  readonly logitBias?: ReadonlyMap<number, number> | undefined
}

/** Rows that the target verifies at once: so many, as many as pay (`auto`), or no drafting. */
export type DraftChoice = 'off' | 'auto' | number

export interface DecodeOptions extends SamplingOptions {
  /** As many as the context holds when left out. */
  readonly maxTokens?: number | undefined
  /** Strings that end the text; they are not part of it. */
  readonly stop?: readonly string[] | undefined
  /** Goes on past the model's end tokens. */
  readonly ignoreEnd?: boolean | undefined
  /** Log probabilities of each token, and of so many of the likeliest: 0 to 20. */
  readonly logprobs?: number | undefined
  /** `auto` when left out; a model without a drafter does not draft. */
  readonly draft?: DraftChoice | undefined
  /** Tokens that are expected to follow the prompt: they are proposed in the drafter's place. */
  readonly predicted?: readonly number[] | undefined
  /** For measurements: each proposal counts as right with this probability. The text is meaningless. */
  readonly syntheticAcceptance?: number | undefined
}

export interface Room {
  readonly ctx: number
  /** Ids are below. */
  readonly vocabulary: number
  /** The engine's drafter, if it has one. */
  readonly drafter?: { readonly block: number; readonly times: RoundTimes } | undefined
}

export function engineRequest(
  prompt: readonly number[],
  options: DecodeOptions,
  { endTokens }: Pick<GenerationDefaults, 'endTokens'>,
  { ctx, vocabulary, drafter }: Room,
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
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0, logitBias, logprobs } = options
  const between = (name: string, n: number, low: number, high: number) =>
    demand(n >= low && n <= high, `${name} is ${n}; it is a number from ${low} to ${high}`)
  demand(
    repetitionPenalty > 0 && Number.isFinite(repetitionPenalty),
    `repetitionPenalty is ${repetitionPenalty}; it is a number above 0 (1: off)`,
  )
  between('presencePenalty', presencePenalty, -100, 100)
  between('frequencyPenalty', frequencyPenalty, -100, 100)
  demand((logitBias?.size ?? 0) <= maxBiases, `there are ${logitBias?.size} logit biases; at most ${maxBiases} fit`)
  for (const [id, value] of logitBias ?? []) {
    demand(whole(id) && id >= 0 && id < vocabulary, `logitBias names the token ${id}; ids are 0 to ${vocabulary - 1}`)
    between(`logitBias of token ${id}`, value, -100, 100)
  }
  demand(
    logprobs === undefined || (whole(logprobs) && logprobs >= 0 && logprobs <= maxLogprobs),
    `logprobs is ${logprobs}; it is a whole number from 0 to ${maxLogprobs}`,
  )
  const { draft: choice = 'auto', predicted = [], syntheticAcceptance } = options
  demand(
    choice === 'off' || choice === 'auto' || (whole(choice) && choice >= 2 && choice <= (drafter?.block ?? 8)),
    `draft is ${choice}; it is 'off', 'auto' or the rows to verify at once, 2 to ${drafter?.block ?? 8}`,
  )
  demand(
    typeof choice !== 'number' || drafter !== undefined,
    `draft is ${choice}, but the model has no drafter; leave it out, or open the model with one`,
  )
  between('syntheticAcceptance', syntheticAcceptance ?? 0, 0, 1)
  const strange = predicted.find((t) => !whole(t) || t < -1 || t >= vocabulary)
  demand(strange === undefined, `the token ${strange} is predicted; ids are 0 to ${vocabulary - 1}`)
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
    sampling: {
      ...{ temperature, topK, topP, minP, seed, repetitionPenalty, presencePenalty, frequencyPenalty },
      ...(logitBias && { logitBias }),
    },
    eos: options.ignoreEnd ? [] : endTokens,
    ...(logprobs !== undefined && { logprobs }),
    ...(drafter && choice !== 'off' && { draft: draftRequest(choice, drafter, options) }),
  }
}

function draftRequest(
  choice: 'auto' | number,
  { block, times }: NonNullable<Room['drafter']>,
  { predicted, syntheticAcceptance }: DecodeOptions,
): DraftRequest {
  const more = {
    block,
    ...(predicted && { predicted }),
    ...(syntheticAcceptance !== undefined && { synthetic: syntheticAcceptance }),
  }
  if (choice !== 'auto') return { rows: choice, ...more }
  const policy = new WidthPolicy({ block, times })
  return { rows: policy.first, next: (round) => policy.next(round), ...more }
}
