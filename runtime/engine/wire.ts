/**
 * Frames between the runtime and an engine process (codegen/device/engine/wire.h is the other end).
 *
 * Vocabulary: a frame is {u32 type, u32 bytes, payload}, little endian. A *result* is one generated token, or the end of
 * a request without one (token -1).
 */
import { z } from 'zod'
import { ByteWriter } from './byte-writer.ts'

export const frameTypes = {
  load: 1,
  request: 2,
  cancel: 3,
  quit: 4,
  progress: 16,
  ready: 17,
  token: 18,
  fault: 19,
  heartbeat: 20,
  error: 21,
  bye: 22,
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

/** How tokens are chosen. Left out: greedy. */
export interface SamplingParams {
  /** 0: greedy. */
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly minP?: number
  readonly seed?: bigint | number
}

export interface EngineRequest {
  readonly prompt: readonly number[]
  readonly maxNewTokens: number
  readonly sampling?: SamplingParams
  /** Ids after which generation ends: those that the model ends with, and those that the caller adds. */
  readonly eos?: readonly number[]
  readonly stop?: readonly number[]
  /** Rows that the target verifies at once, 2 to 8; 0 or left out: no drafting. Engines without a drafter ignore it. */
  readonly draft?: number
}

/** Sampling parameters as the device takes them (codegen/device/engine/mailbox.h, struct Sampling). */
export interface DeviceSampling {
  readonly inverseTemperature: number
  readonly minPLog: number
  readonly topP: number
  readonly topK: number
  readonly seed: readonly [number, number]
}

export function deviceSampling(s: SamplingParams): DeviceSampling {
  const seed = BigInt.asUintN(64, BigInt(s.seed ?? 0))
  const topP = s.topP === undefined || s.topP >= 1 ? 0 : Math.max(1, Math.round(s.topP * 2 ** 32))
  return {
    inverseTemperature: s.temperature ? Math.fround(1 / Math.fround(s.temperature)) : 0,
    minPLog: s.minP ? Math.fround(Math.log(s.minP)) : Number.NEGATIVE_INFINITY,
    topP: Math.min(topP, 0xffffffff),
    topK: s.topK ?? 0,
    seed: [Number(seed & 0xffffffffn), Number(seed >> 32n)],
  }
}

export function requestFrame(serial: number, r: EngineRequest): Buffer {
  const eos = r.eos ?? []
  const stops = [...eos, ...(r.stop ?? [])]
  const s = deviceSampling(r.sampling ?? {})
  const ids = Array.from({ length: maxStops }, (_, i) => stops[i] ?? 0)
  const w = new ByteWriter()
  w.u32(serial, r.prompt.length, r.maxNewTokens, stops.length, ...ids, eos.length, r.draft ?? 0)
  w.f32(s.inverseTemperature)
    .f32(s.minPLog)
    .u32(s.topP, s.topK, ...s.seed)
  for (const token of r.prompt) w.u32(token)
  return frame('request', w.bytes())
}

const finishes = [undefined, 'eos', 'stop', 'length', 'cancel', 'context'] as const
export type FinishReason = NonNullable<(typeof finishes)[number]>

export interface Result {
  readonly request: number
  /** -1: none. */
  readonly token: number
  readonly position: number
  readonly round: number
  readonly finish: FinishReason | undefined
  readonly roundNs: number
  /** Rows that the round processed. */
  readonly rows: number
}

export function resultsOf(payload: Buffer): Result[] {
  return Array.from({ length: payload.length / 32 }, (_, i) => {
    const u32 = (field: number) => payload.readUInt32LE(i * 32 + field * 4)
    return {
      request: u32(1),
      token: payload.readInt32LE(i * 32 + 8),
      position: u32(3),
      round: u32(4),
      finish: finishes[u32(5)],
      roundNs: u32(6),
      rows: u32(7),
    }
  })
}

/** What an engine says of itself once it is loaded. */
export const Ready = z.object({
  target: z.string(),
  name: z.string(),
  ranks: z.number(),
  sms: z.number(),
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
