/**
 * An engine as the rest of the runtime sees it: requests in, tokens out, one request at a time, in the order they came.
 *
 * Vocabulary: an *event* is a token or the end of a request. Aborting a request, or leaving its loop early, cancels it on
 * the device; the next request waits until the device has said so.
 * Invariants: a request ends with exactly one `end` event or by throwing a DiagnosticError. When the process dies, the
 * request in hand throws, naming what happened, and the next request starts a new process, which loads again.
 */
import { DiagnosticError, diagnostic, Session } from '../../compiler/diagnostics/diagnostic.ts'
import { EngineProcess, type ProcessOptions } from './engine-process.ts'
import {
  type EngineRequest,
  type FinishReason,
  type LogProbs,
  logProbsOf,
  maxBiases,
  maxLogprobs,
  maxRows,
  maxStops,
  type Ready,
  type Result,
  type RoundOutcome,
  requestFrame,
  serialFrame,
} from './wire.ts'

export interface EngineOptions extends ProcessOptions {
  /** Positions that a sequence may have. */
  readonly ctx: number
  readonly vocabulary: number
}

export interface RequestStats {
  readonly promptTokens: number
  readonly tokens: number
  /** Rounds that yielded tokens, and the device's time in them. */
  readonly rounds: number
  readonly roundNs: number
  readonly firstTokenMs: number
  readonly totalMs: number
}

export type EngineEvent =
  /** Comes before the tokens of its round. */
  | { readonly type: 'round'; readonly outcome: RoundOutcome }
  | {
      readonly type: 'token'
      readonly token: number
      readonly position: number
      readonly round: number
      readonly logprobs?: LogProbs
    }
  | { readonly type: 'end'; readonly reason: FinishReason; readonly stats: RequestStats }

export interface Engine {
  readonly ready: Ready
  generate(request: EngineRequest, options?: { readonly signal?: AbortSignal }): AsyncIterable<EngineEvent>
  close(): Promise<void>
}

/** Starts and loads an engine. Throws a DiagnosticError when it does not come up. */
export async function startEngine(options: EngineOptions): Promise<RunningEngine> {
  const engine = new RunningEngine(options)
  await engine.start()
  return engine
}

export class RunningEngine implements Engine {
  private process: EngineProcess | undefined
  private starting: Promise<EngineProcess> | undefined
  private tail: Promise<void> = Promise.resolve()
  private serial = 0
  private closed = false
  private said: Ready | undefined

  constructor(private readonly options: EngineOptions) {}

  get ready(): Ready {
    return this.said!
  }
  get pid(): number | undefined {
    return this.process?.pid
  }

  /** The process, started anew when there is none. */
  async start(): Promise<EngineProcess> {
    if (this.closed) throw new DiagnosticError([diagnostic('TILE6014', 'the engine was closed')])
    if (this.process) return this.process
    this.starting ??= this.launch().finally(() => {
      this.starting = undefined
    })
    return this.starting
  }

  private async launch(): Promise<EngineProcess> {
    const process = new EngineProcess(this.options)
    this.process = process
    void process.died.then(() => {
      if (this.process === process) this.process = undefined
    })
    this.said = await process.ready
    return process
  }

  async *generate(
    request: EngineRequest,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<EngineEvent> {
    checkRequest(request, this.options)
    const before = this.tail
    let release!: () => void
    this.tail = new Promise((resolve) => {
      release = resolve
    })
    try {
      await before
      yield* this.run(request, signal)
    } finally {
      release()
    }
  }

  private async *run(request: EngineRequest, signal: AbortSignal | undefined): AsyncGenerator<EngineEvent> {
    const process = await this.start()
    const serial = ++this.serial
    const inbox = new Inbox()
    process.onResults = (results) => inbox.push(results.filter((r) => r.request === serial))
    const logs: LogProbs[] = []
    process.onLogs = (records) => logs.push(...logProbsOf(records, request.logprobs ?? 0))
    process.onRefused = (error) => inbox.fail(error)
    void process.died.then((error) =>
      inbox.fail(error ?? new DiagnosticError([diagnostic('TILE6014', 'the engine was closed during a request')])),
    )
    const cancel = () => process.send(serialFrame('cancel', serial))
    const began = performance.now()
    let firstTokenMs = 0
    let tokens = 0
    let rounds = 0
    let roundNs = 0
    let width = request.draft?.rows ?? 0
    let ended = false
    process.send(requestFrame(serial, request))
    signal?.addEventListener('abort', cancel)
    if (signal?.aborted) cancel()
    try {
      while (!ended) {
        const batch = await inbox.take()
        ended = batch.some((r) => r.finish)
        for (const r of batch) {
          if (r.tokens > 0) {
            if (tokens === 0) firstTokenMs = performance.now() - began
            const next = tokens === 0 ? width : (request.draft?.next?.(r) ?? width)
            if (next !== width && !ended) {
              width = next
              process.send(serialFrame('width', serial, width))
            }
            tokens += r.tokens
            rounds++
            roundNs += r.roundNs
            yield { type: 'round', outcome: r }
          }
          for (const [i, token] of r.tokenIds.entries()) {
            const logprobs = logs.shift()
            yield { type: 'token', token, position: r.position + i, round: r.round, ...(logprobs && { logprobs }) }
          }
          if (!r.finish) continue
          const totalMs = performance.now() - began
          const stats = { promptTokens: request.prompt.length, tokens, rounds, roundNs, firstTokenMs, totalMs }
          yield { type: 'end', reason: r.finish, stats }
        }
      }
    } finally {
      signal?.removeEventListener('abort', cancel)
      if (!ended && !inbox.failed) {
        cancel()
        await inbox.drain()
      }
    }
  }

  async close(): Promise<void> {
    this.closed = true
    await this.process?.close()
  }
}

/** Results as they arrive, for one reader. */
class Inbox {
  private results: Result[] = []
  private error: unknown
  private wake: () => void = () => {}

  get failed(): boolean {
    return this.error !== undefined
  }
  push(results: readonly Result[]): void {
    this.results.push(...results)
    this.wake()
  }
  fail(error: unknown): void {
    this.error ??= error
    this.wake()
  }
  async take(): Promise<Result[]> {
    while (this.results.length === 0) {
      if (this.error !== undefined) throw this.error
      await new Promise<void>((resolve) => {
        this.wake = resolve
      })
    }
    return this.results.splice(0)
  }
  /** Waits for the end of the request, or of the engine. */
  async drain(): Promise<void> {
    while (!this.failed) {
      const results = await this.take().catch(() => [])
      if (results.some((r) => r.finish)) return
    }
  }
}

function checkRequest(r: EngineRequest, { ctx, vocabulary }: EngineOptions): void {
  const session = new Session()
  const refuse = (message: string) => session.report('TILE6013', message)
  const s = r.sampling ?? {}
  const stops = (r.eos?.length ?? 0) + (r.stop?.length ?? 0)
  const outside = r.prompt.findIndex((t) => !Number.isInteger(t) || t < 0 || t >= vocabulary)
  if (r.prompt.length === 0) refuse('the prompt is empty; it needs at least one token')
  if (r.prompt.length > ctx) refuse(`the prompt has ${r.prompt.length} tokens; the engine's context holds ${ctx}`)
  if (outside >= 0) refuse(`token ${outside} of the prompt is ${r.prompt[outside]}; ids are 0 to ${vocabulary - 1}`)
  if (!Number.isInteger(r.maxNewTokens) || r.maxNewTokens < 1)
    refuse(`maxNewTokens is ${r.maxNewTokens}; it is a whole number from 1`)
  if (stops > maxStops) refuse(`there are ${stops} eos and stop ids; at most ${maxStops} are possible`)
  if (s.temperature !== undefined && !(s.temperature >= 0 && Number.isFinite(s.temperature)))
    refuse(`temperature is ${s.temperature}; it is a number from 0 (greedy)`)
  if (s.topK !== undefined && !(Number.isInteger(s.topK) && s.topK >= 0))
    refuse(`topK is ${s.topK}; it is a whole number from 0 (off)`)
  if (s.topP !== undefined && !(s.topP > 0 && s.topP <= 1))
    refuse(`topP is ${s.topP}; it is above 0 and at most 1 (off)`)
  if (s.minP !== undefined && !(s.minP >= 0 && s.minP <= 1)) refuse(`minP is ${s.minP}; it is between 0 (off) and 1`)
  const number = (name: string, value: number | undefined, low: number, high: number) => {
    if (value !== undefined && !(value >= low && value <= high))
      refuse(`${name} is ${value}; it is a number from ${low} to ${high}`)
  }
  if (s.repetitionPenalty !== undefined && !(s.repetitionPenalty > 0 && Number.isFinite(s.repetitionPenalty)))
    refuse(`repetitionPenalty is ${s.repetitionPenalty}; it is a number above 0 (1: off)`)
  number('presencePenalty', s.presencePenalty, -100, 100)
  number('frequencyPenalty', s.frequencyPenalty, -100, 100)
  const biases = [...(s.logitBias ?? [])]
  if (biases.length > maxBiases) refuse(`there are ${biases.length} logit biases; at most ${maxBiases} are possible`)
  for (const [id, value] of biases) {
    if (!Number.isInteger(id) || id < 0 || id >= vocabulary)
      refuse(`logitBias names token ${id}; ids are 0 to ${vocabulary - 1}`)
    number(`logitBias of token ${id}`, value, -100, 100)
  }
  const whole = (name: string, value: number | undefined, low: number, high: number) => {
    if (value !== undefined && !(Number.isInteger(value) && value >= low && value <= high))
      refuse(`${name} is ${value}; it is a whole number from ${low} to ${high}`)
  }
  whole('logprobs', r.logprobs, 0, maxLogprobs)
  whole('draft.rows', r.draft?.rows, 0, maxRows)
  whole('draft.block', r.draft?.block, 2, maxRows)
  number('draft.synthetic', r.draft?.synthetic, 0, 1)
  whole('cached', r.cached, 0, Math.max(0, r.prompt.length - 1))
  if ((r.draft?.predicted?.length ?? 0) > ctx) refuse(`more tokens are predicted than the context holds, ${ctx}`)
  session.throwIfFailed()
}
