/**
 * Frames between the runtime and an engine process (codegen/device/engine/wire.h is the other end).
 *
 * Vocabulary: a frame is {u32 type, u32 bytes, payload}, little endian. A *result* is what one round of the target
 * yielded: tokens, or the end of a cancelled request without any. A *log record* tells what a token was chosen from.
 */
import { z } from 'zod'
import { ByteWriter } from './byte-writer.ts'

export const frameTypes = {
  load: 1,
  request: 2,
  cancel: 3,
  quit: 4,
  width: 5,
  progress: 16,
  ready: 17,
  token: 18,
  fault: 19,
  heartbeat: 20,
  error: 21,
  bye: 22,
  logs: 23,
} as const

export interface Frame {
  readonly type: number
  readonly payload: Buffer
}

export function frame(type: keyof typeof frameTypes, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(frameTypes[type], 0)
  head.writeUInt32LE(payload.length, 4)
  return Buffer.concat([head, payload])
}

/** Cuts a stream of chunks into frames. */
export class FrameReader {
  private chunks: Buffer[] = []
  private length = 0

  push(chunk: Buffer): Frame[] {
    this.chunks.push(chunk)
    this.length += chunk.length
    const frames: Frame[] = []
    for (;;) {
      if (this.length < 8) return frames
      const all = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks)
      this.chunks = [all]
      const bytes = all.readUInt32LE(4)
      if (all.length < 8 + bytes) return frames
      frames.push({ type: all.readUInt32LE(0), payload: all.subarray(8, 8 + bytes) })
      this.chunks = [all.subarray(8 + bytes)]
      this.length -= 8 + bytes
    }
  }
}

export const maxStops = 16
export const maxBiases = 300
export const maxLogprobs = 20
/** Rows that a target verifies at once. */
export const maxRows = 8

/** How tokens are chosen. Left out: greedy. */
export interface SamplingParams {
  /** 0: greedy. */
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly minP?: number
  readonly seed?: bigint | number
  /** What logits of tokens that the prompt or the text has are divided by (above 0) or multiplied by (below). 1: off. */
  readonly repetitionPenalty?: number
  /** What logits of generated tokens lose once. */
  readonly presencePenalty?: number
  /** What logits of generated tokens lose each time. */
  readonly frequencyPenalty?: number
  /** Added to logits, by token, after everything else. */
  readonly logitBias?: ReadonlyMap<number, number>
}

export interface EngineRequest {
  readonly prompt: readonly number[]
  readonly maxNewTokens: number
  readonly sampling?: SamplingParams
  /** Ids after which generation ends: those that the model ends with, and those that the caller adds. */
  readonly eos?: readonly number[]
  readonly stop?: readonly number[]
  /** Log probabilities of each token, and of so many of the likeliest. */
  readonly logprobs?: number
  readonly draft?: DraftRequest
  /**
   * So many tokens of the prompt count as rows that the caches hold already; the last token never does. Whoever says so
   * answers for it: for measuring at a context that nobody has to wait for.
   */
  readonly cached?: number
}

/** How a drafter takes part. An engine without one proposes what is predicted, and nothing else. */
export interface DraftRequest {
  /** Rows that the target verifies at once, at first: 2 to 8; 1: none are proposed, but the drafter is kept in step. */
  readonly rows: number
  /** Rows of the drafter's block. */
  readonly block: number
  /** Is told of each round and says how many rows the next ones shall have; 0: drafting ends for this request. */
  readonly next?: (round: RoundOutcome) => number
  /** Tokens that the caller expects to follow the prompt; they are proposed in the drafter's place. -1: it proposes. */
  readonly predicted?: readonly number[]
  /** Each proposal counts as right with this probability, whatever it is: the text means nothing, the speed does. */
  readonly synthetic?: number
}

/** Sampling parameters as the device takes them (codegen/device/engine/mailbox.h, struct Sampling). */
export interface DeviceSampling {
  readonly inverseTemperature: number
  readonly minPLog: number
  readonly topP: number
  readonly topK: number
  readonly seed: readonly [number, number]
  readonly repetition: number
  readonly inverseRepetition: number
  readonly presence: number
  readonly frequency: number
}

const fround = Math.fround

export function deviceSampling(s: SamplingParams): DeviceSampling {
  const seed = BigInt.asUintN(64, BigInt(s.seed ?? 0))
  const topP = s.topP === undefined || s.topP >= 1 ? 0 : Math.max(1, Math.round(s.topP * 2 ** 32))
  const repetition = fround(s.repetitionPenalty ?? 1)
  return {
    inverseTemperature: s.temperature ? fround(1 / fround(s.temperature)) : 0,
    minPLog: s.minP ? fround(Math.log(s.minP)) : Number.NEGATIVE_INFINITY,
    topP: Math.min(topP, 0xffffffff),
    topK: s.topK ?? 0,
    seed: [Number(seed & 0xffffffffn), Number(seed >> 32n)],
    repetition,
    inverseRepetition: fround(1 / repetition),
    presence: fround(s.presencePenalty ?? 0),
    frequency: fround(s.frequencyPenalty ?? 0),
  }
}

export function requestFrame(serial: number, r: EngineRequest): Buffer {
  const eos = r.eos ?? []
  const stops = [...eos, ...(r.stop ?? [])]
  const s = deviceSampling(r.sampling ?? {})
  const ids = Array.from({ length: maxStops }, (_, i) => stops[i] ?? 0)
  const { rows = 0, block = 0, predicted = [], synthetic = 0 } = r.draft ?? {}
  const probability = Math.min(0xffffffff, Math.round(synthetic * 2 ** 32))
  const biases = [...(r.sampling?.logitBias ?? [])]
  const w = new ByteWriter()
  w.u32(serial, r.prompt.length, r.maxNewTokens, stops.length, ...ids, eos.length)
  w.u32(rows, block, predicted.length, r.cached ?? 0, probability)
  w.f32(s.inverseTemperature)
    .f32(s.minPLog)
    .u32(s.topP, s.topK, ...s.seed)
    .f32(s.repetition)
    .f32(s.inverseRepetition)
    .f32(s.presence)
    .f32(s.frequency)
    .u32(biases.length, r.logprobs === undefined ? 0 : r.logprobs + 1)
  for (const token of r.prompt) w.u32(token)
  for (const token of predicted) w.u32(token >>> 0)
  for (const [id, value] of biases) w.u32(id).f32(value)
  return frame('request', w.bytes())
}

export function serialFrame(type: 'cancel' | 'width', serial: number, ...more: readonly number[]): Buffer {
  const payload = Buffer.alloc(4 + 4 * more.length)
  for (const [i, word] of [serial, ...more].entries()) payload.writeUInt32LE(word, 4 * i)
  return frame(type, payload)
}

const finishes = [undefined, 'eos', 'stop', 'length', 'cancel', 'context'] as const
export type FinishReason = NonNullable<(typeof finishes)[number]>

/** How a round went. */
export interface RoundOutcome {
  /** Tokens that it yielded: accepted + 1, or accepted where an accepted one ended the request. */
  readonly tokens: number
  /** Proposals that were verified, and those of them before the first wrong one. */
  readonly drafted: number
  readonly accepted: number
  /** Proposals that were thrown away: the drafter's logits were no numbers. */
  readonly unusable: number
  /** From the result before it, or the request, until its tokens were there; of it, the time before the target began. On the host,
      processor time. */
  readonly roundNs: number
  readonly draftNs: number
}

export interface Result extends RoundOutcome {
  readonly request: number
  readonly round: number
  readonly finish: FinishReason | undefined
  /** Where the first token will stand. */
  readonly position: number
  readonly tokenIds: readonly number[]
}

const resultBytes = 80

export function resultsOf(payload: Buffer): Result[] {
  return Array.from({ length: payload.length / resultBytes }, (_, i) => {
    const u32 = (field: number) => payload.readUInt32LE(i * resultBytes + field * 4)
    const tokens = u32(4)
    return {
      request: u32(1),
      round: u32(2),
      finish: finishes[u32(3)],
      tokens,
      position: u32(5),
      tokenIds: Array.from({ length: tokens }, (_, t) => u32(6 + t)),
      drafted: u32(14),
      accepted: u32(15),
      unusable: u32(16),
      roundNs: u32(17),
      draftNs: u32(18),
    }
  })
}

/** Natural logarithms of what the model thought of a token and of the likeliest, before sampling had its say. */
export interface LogProbs {
  /** Of the bits of all logits: rows of one digest have the same logits. */
  readonly digest: string
  readonly logprob: number
  readonly top: readonly { readonly token: number; readonly logprob: number }[]
}

const logHead = 24
/** Records are aligned to 16 bytes. */
const logBytes = Math.ceil((logHead + 8 * maxLogprobs) / 16) * 16

export function logProbsOf(payload: Buffer, likeliest: number): LogProbs[] {
  return Array.from({ length: payload.length / logBytes }, (_, i) => {
    const at = i * logBytes
    const largest = payload.readFloatLE(at + 4)
    const total = Math.log(Number(payload.readBigUInt64LE(at + 8))) - 44 * Math.LN2
    const logprob = (logit: number) => logit - largest - total
    return {
      digest: payload
        .readBigUInt64LE(at + 16)
        .toString(16)
        .padStart(16, '0'),
      logprob: logprob(payload.readFloatLE(at)),
      top: Array.from({ length: likeliest }, (_, n) => ({
        token: payload.readInt32LE(at + logHead + 4 * n),
        logprob: logprob(payload.readFloatLE(at + logHead + 4 * maxLogprobs + 4 * n)),
      })).filter((t) => t.token >= 0),
    }
  })
}

/** What an engine says of itself once it is loaded. */
export const Ready = z.object({
  target: z.string(),
  name: z.string(),
  /** Of the plan, and those of them that run: the first so many, which stand in for the others. */
  ranks: z.number(),
  present: z.number(),
  sms: z.number(),
  /** Bytes a second that the machine streams, where that was asked for. */
  ceiling: z.number().optional(),
  /** Version of the NCCL that makes its sums over ranks, if one does. */
  nccl: z.string().optional(),
  memory: z.object({ image: z.number(), kv: z.number(), workspace: z.number(), free: z.number() }).optional(),
})
export type Ready = z.infer<typeof Ready>

export const Failure = z.object({ code: z.string(), text: z.string() })
export type Failure = z.infer<typeof Failure>

/** A warp that gave up: who it was, what it waited for. */
export const Fault = z.object({
  rank: z.number(),
  sm: z.number(),
  role: z.string(),
  warp: z.number(),
  round: z.number(),
  what: z.string(),
  site: z.string(),
  counter: z.string(),
  object: z.number(),
  expected: z.number(),
  got: z.number(),
  report: z.string(),
})
export type Fault = z.infer<typeof Fault>
