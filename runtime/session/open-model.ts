/**
 * A model, opened: from what a user names to a running engine that writes text. Everything in between happens here, once:
 * resolve, compile, build (remembered in the cache), plan the loading, start.
 *
 * Vocabulary: a *session* owns one engine process; its generations run one after the other, in the order they came.
 * Invariants: what goes wrong is a DiagnosticError; a session that could not be opened leaves no process behind; when the
 * engine dies during a generation, that generation throws and the next one works.
 */
import type { EngineKind } from '../../codegen/engines.ts'
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { openEngineFolder } from '../build/engine-folder.ts'
import { type GenerationDefaults, generationDefaults } from '../checkpoint/generation.ts'
import { type DecodeOptions, engineRequest } from '../decode/sampling.ts'
import { type GenerationEvent, type GenerationStats, textEvents } from '../decode/text-events.ts'
import { RoundTimes } from '../decode/width-policy.ts'
import { type EngineEvent, type RunningEngine, startEngine } from '../engine/engine.ts'
import { writeLoadPlan } from '../engine/load-plan.ts'
import type { EngineRequest, FinishReason, LogProbs, Ready } from '../engine/wire.ts'
import { type ChatMessage, type ChatTemplate, loadChatTemplate } from '../tokenizer/chat.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import { executableOf } from './build-model.ts'
import { compileModel } from './compile-model.ts'
import { chooseTarget, type TargetChoice } from './machine.ts'
import { type ModelRequest, type ResolvedModel, resolveModel, withSources } from './resolve-model.ts'

export interface OpenOptions extends ModelRequest {
  /** `auto`: a Hopper GPU where nvcc and one are there, else the host. That is the default. */
  readonly target?: TargetChoice | undefined
  /** 1, 2, 4 or 8 ranks; on the host they are slabs of memory. 1 by default. */
  readonly gpus?: number | undefined
  /** Positions that a sequence may have; 2048 by default. */
  readonly ctx?: number | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** `graph`: the control that engines are compared with, a kernel a phase; it writes the same, slower. `nccl`: the same with NCCL's sums over ranks. */
  readonly engine?: EngineKind | undefined
  /** Host: with race and bounds checks. */
  readonly check?: boolean | undefined
  /** Bytes that a thread may spill; the usual when left out. */
  readonly spills?: number | undefined
  /** What `tilec compile -o` left there, in place of a build: its target, and its positions where `ctx` is left out. Another engine's is refused (TILE5113). */
  readonly engineFolder?: string | undefined
  /** Further words of the engine's command line (codegen/device/engine/options.h). */
  readonly engineArgs?: readonly string[] | undefined
}

export type Progress =
  | { readonly stage: 'read' | 'compile' }
  | { readonly stage: 'build'; readonly target: string }
  | { readonly stage: 'load'; readonly loaded: number; readonly total: number }

export type Prompt =
  /** Text to go on with; special tokens in it are plain text. */
  | { readonly prompt: string }
  /** A conversation, through the checkpoint's chat template. */
  | { readonly messages: readonly ChatMessage[]; readonly thinking?: boolean }
  | { readonly tokens: readonly number[] }

export type GenerateOptions = Prompt & DecodeOptions & { readonly signal?: AbortSignal | undefined }

export interface Completion {
  readonly text: string
  readonly tokenIds: readonly number[]
  /** Of each token, where they were asked for. */
  readonly logprobs?: readonly LogProbs[]
  readonly reason: FinishReason
  readonly stats: GenerationStats
}

export const defaultCtx = 2048

/** Opens a model. Throws a DiagnosticError when anything on the way fails. */
export async function openModel(options: OpenOptions): Promise<Session> {
  const { gpus = 1, onProgress, check, spills } = options
  onProgress?.({ stage: 'read' })
  const built = openEngineFolder(options.engineFolder)
  const ctx = options.ctx ?? built?.record.ctx ?? defaultCtx
  // An engine that was built without a drafter has no use for the checkpoint's.
  const drafterOf = options.drafter ?? (built?.record.drafter === false ? 'none' : undefined)
  const resolved = resolveModel({ ...options, drafter: drafterOf })
  const { checkpoint, tokenizer, model, drafter, sources } = resolved
  if (drafter && !drafter.checkpoint) {
    throw new DiagnosticError([
      diagnostic('TILE5109', `there are no weights for the drafter of '${resolved.title}'`, {
        help: 'name the folder that its config.json lies in, not the file',
      }),
    ])
  }
  if (!checkpoint || !tokenizer) {
    throw new DiagnosticError([
      diagnostic('TILE5109', `there are no ${checkpoint ? 'tokenizer files' : 'weights'} for '${resolved.title}'`, {
        help: checkpoint
          ? `${checkpoint.folder} needs a tokenizer.json`
          : 'give a checkpoint folder, as Hugging Face publishes it, with --checkpoint',
      }),
    ])
  }
  const defaults = generationDefaults(checkpoint)
  const target = built?.record.target ?? (await chooseTarget(options.target ?? 'auto', gpus))
  onProgress?.({ stage: 'compile' })
  const compiled = compileModel(resolved, { target, gpus, ctx, engine: options.engine, proved: built?.record.proof })
  if (!built) onProgress?.({ stage: 'build', target })
  const executable = await executableOf(compiled, target, 'plain', built, { check, spills })
  const places = new Map([
    ...(drafter?.bindings ?? []).map((b) => [b.param, { binding: b, tensors: drafter!.checkpoint!.tensors }] as const),
    ...model.bindings.map((b) => [b.param, { binding: b, tensors: checkpoint.tensors }] as const),
  ])
  const loadPlan = withSources(sources, () =>
    writeLoadPlan(compiled.manifest, (param) => ({ kind: 'stored', ...places.get(param)! })),
  )
  const engine = await startEngine({
    executable,
    loadPlan,
    ctx,
    vocabulary: tokenizer.size,
    ...(options.engineArgs && { args: options.engineArgs }),
    ...(onProgress && { onProgress: (loaded: number, total: number) => onProgress({ stage: 'load', loaded, total }) }),
  })
  return new Session(resolved, engine, tokenizer, defaults, ctx)
}

export class Session {
  private template: ChatTemplate | undefined
  /** What rounds of each width take on this engine, for all its requests. */
  private readonly times = new RoundTimes()

  constructor(
    readonly resolved: ResolvedModel,
    private readonly engine: RunningEngine,
    readonly tokenizer: Tokenizer,
    /** What the checkpoint recommends. */
    readonly defaults: GenerationDefaults,
    readonly ctx: number,
  ) {}

  /** What the engine says of itself. */
  get ready(): Ready {
    return this.engine.ready
  }
  /** Findings that were no errors. */
  get warnings(): ResolvedModel['warnings'] {
    return this.resolved.warnings
  }
  /** Rows of the drafter's block, where the model has a drafter. */
  get draftBlock(): number | undefined {
    return this.resolved.drafter?.built.block.rows
  }
  /** The engine's process, while there is one. */
  get pid(): number | undefined {
    return this.engine.pid
  }

  /** The ids that a model gets for `prompt`. */
  encode(prompt: Prompt): readonly number[] {
    if ('tokens' in prompt) return prompt.tokens
    if ('prompt' in prompt) return this.tokenizer.encode(prompt.prompt, 'text')
    const { checkpoint } = this.resolved
    this.template ??= loadChatTemplate(checkpoint!.tokenizer, this.tokenizer, checkpoint!.folder)
    return this.template.encode(prompt.messages, { enableThinking: prompt.thinking ?? false })
  }

  /** Streams a generation. Leaving the loop, or aborting the signal, cancels it on the device. */
  async *generate(options: GenerateOptions): AsyncGenerator<GenerationEvent> {
    const { signal, stop = [] } = options
    const request = engineRequest(this.encode(options), options, this.defaults, {
      ctx: this.ctx,
      vocabulary: this.tokenizer.size,
      drafter: this.draftBlock === undefined ? undefined : { block: this.draftBlock, times: this.times },
    })
    const events = this.engine.generate(request, signal && { signal })
    yield* textEvents(events, this.tokenizer, { stop, promptTokens: request.prompt.length })
  }

  /** A request as the engine knows it, for tools and tests: no text, nothing defaulted. */
  engineEvents(request: EngineRequest, signal?: AbortSignal): AsyncIterable<EngineEvent> {
    return this.engine.generate(request, signal && { signal })
  }

  /** The whole of a generation at once. */
  async complete(options: GenerateOptions): Promise<Completion> {
    let text = ''
    const tokenIds: number[] = []
    const logprobs: LogProbs[] = []
    for await (const event of this.generate(options)) {
      text += event.text
      if (event.type === 'text') {
        tokenIds.push(...event.tokenIds)
        logprobs.push(...(event.logprobs ?? []))
      } else {
        const { reason, stats } = event
        return { text, tokenIds, reason, stats, ...(options.logprobs !== undefined && { logprobs }) }
      }
    }
    throw new DiagnosticError([diagnostic('TILE6014', 'the engine ended without saying so')])
  }

  async close(): Promise<void> {
    await this.engine.close()
  }
}
