/** `tilec run MODEL [PROMPT]`: opens a model and streams what it writes. */
import type { Command } from 'commander'
import { diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import type { DraftChoice } from '../runtime/decode/sampling.ts'
import type { LogProbs } from '../runtime/engine/wire.ts'
import { readTarget } from '../runtime/session/machine.ts'
import { type Completion, openModel, type Prompt, type Session } from '../runtime/session/open-model.ts'
import { draftJson, draftLines, unusableText } from './draft-report.ts'
import {
  biases,
  draftChoice,
  type ModelOptions,
  modelRequest,
  real,
  several,
  type TargetOptions,
  whole,
  withModel,
  withTarget,
} from './model-options.ts'
import { progressLine } from './progress.ts'
import { paintFor, printJson, showDiagnostics, type Terminal } from './terminal.ts'

interface RunOptions extends ModelOptions, TargetOptions {
  readonly chat?: boolean
  readonly thinking?: boolean
  readonly system?: string
  readonly maxTokens: number
  readonly sample?: boolean
  readonly temperature?: number
  readonly topP?: number
  readonly topK?: number
  readonly minP?: number
  readonly seed?: number
  readonly stop?: readonly string[]
  readonly repetitionPenalty?: number
  readonly presencePenalty?: number
  readonly frequencyPenalty?: number
  readonly logitBias?: ReadonlyMap<number, number>
  readonly logprobs?: number
  readonly draft?: DraftChoice
  readonly stats?: boolean
  readonly json?: boolean
}

/** What nano is good at, for those who only want to see it write. */
const defaultPrompt = `/**
 * Returns the sum of all numbers in the list.
 */
export function sum(`

const examples = `
Examples:
  tilec run nano                                        a first text, greedy
  tilec run nano "function clamp(" --max-tokens 80
  tilec run nano --chat "Write a function that adds two numbers"
  tilec run nano "import " --temperature 0.8 --top-p 0.95 --seed 7 --stop ";"
  tilec run nano "const x" --json                       one object: text, tokenIds, tokens, seconds, ...
  tilec run ./MiMo-V2.5-Pro --gpus 8 --ctx 32768 --chat "Hello"

Without --temperature or --sample the most likely token is taken each time (greedy). Ctrl-C ends the text.`

export function addRun(program: Command, terminal: Terminal): void {
  withTarget(withModel(program.command('run').description('stream text from a model')))
    .argument('[prompt]', 'text to go on with; with --chat, what the user says')
    .option('--chat', "treat the prompt as a user's message, through the model's chat template")
    .option('--system <text>', 'with --chat: the system message')
    .option('--thinking', 'with --chat: let the model think first, where its template knows how')
    .option('--max-tokens <n>', 'most tokens to write', whole, 200)
    .option('--sample', "sample as the checkpoint's generation_config.json recommends")
    .option('--temperature <t>', '0 is greedy', real)
    .option('--top-p <p>', 'only the likeliest tokens that make up p', real)
    .option('--top-k <k>', 'only the k likeliest tokens', whole)
    .option('--min-p <p>', 'only tokens at least p times as likely as the likeliest', real)
    .option('--seed <n>', 'same seed, same text', whole)
    .option('--repetition-penalty <x>', 'divides the odds of tokens that were there before; 1 is off', real)
    .option('--presence-penalty <x>', 'taken off logits of tokens that the text has', real)
    .option('--frequency-penalty <x>', 'taken off logits of tokens that the text has, each time', real)
    .option('--logit-bias <id=x>', "added to a token's logit; may be given several times", biases)
    .option('--logprobs <n>', 'with --json: log probabilities of each token and of the n likeliest', whole)
    .option('--draft <rows>', 'rows to verify at once: off, 2 to 8, or auto, as many as pay', draftChoice)
    .option('--stats', 'say what drafting did: rounds, acceptance length, widths')
    .option('--stop <text>', 'end before this text; may be given several times', several)
    .option('--json', 'print one object at the end instead of streaming')
    .addHelpText('after', examples)
    .action((model: string, prompt: string | undefined, options: RunOptions) => run(model, prompt, options, terminal))
}

async function run(model: string, prompt: string | undefined, options: RunOptions, terminal: Terminal): Promise<void> {
  const progress = progressLine(terminal)
  let session: Session
  try {
    session = await openModel({
      ...modelRequest(model, options),
      target: readTarget(options.target),
      gpus: options.gpus,
      ctx: options.ctx,
      onProgress: progress.show,
    })
  } finally {
    progress.done()
  }
  try {
    showDiagnostics(terminal, session.warnings, undefined)
    const asked = promptOf(
      prompt ?? (options.chat ? 'Write a function that adds two numbers.' : defaultPrompt),
      options,
    )
    if (!options.json && 'prompt' in asked) terminal.out(paintFor(terminal, 'out')('dim', asked.prompt))
    const completion = await write(session, asked, options, terminal)
    const unusable = unusableText(completion.stats.draft)
    if (unusable) showDiagnostics(terminal, [diagnostic('TILE6016', unusable, { severity: 'warning' })], undefined)
    if (options.json) printJson(terminal, summary(completion))
    else {
      terminal.out('\n')
      const lines = [footer(completion, session), ...(options.stats ? draftLines(completion.stats.draft) : [])]
      terminal.err(paintFor(terminal, 'err')('dim', `${lines.join('\n')}\n`))
    }
  } finally {
    await session.close()
  }
}

function promptOf(text: string, { chat, system, thinking }: RunOptions): Prompt {
  if (!chat) return { prompt: text }
  const messages = [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: text },
  ]
  return { messages, thinking: thinking ?? false }
}

async function write(session: Session, prompt: Prompt, options: RunOptions, terminal: Terminal): Promise<Completion> {
  const { temperature, topP, topK } = options.sample ? session.defaults : {}
  let text = ''
  const tokenIds: number[] = []
  const logprobs: LogProbs[] = []
  for await (const event of session.generate({
    ...prompt,
    maxTokens: options.maxTokens,
    temperature: options.temperature ?? temperature,
    topP: options.topP ?? topP,
    topK: options.topK ?? topK,
    minP: options.minP,
    seed: options.seed,
    stop: options.stop,
    repetitionPenalty: options.repetitionPenalty,
    presencePenalty: options.presencePenalty,
    frequencyPenalty: options.frequencyPenalty,
    logitBias: options.logitBias,
    logprobs: options.json ? options.logprobs : undefined,
    draft: options.draft,
    signal: terminal.signal,
  })) {
    text += event.text
    if (!options.json) terminal.out(event.text)
    if (event.type === 'end') return { text, tokenIds, logprobs, reason: event.reason, stats: event.stats }
    tokenIds.push(...event.tokenIds)
    logprobs.push(...(event.logprobs ?? []))
  }
  throw new Error('a generation ended without its end event')
}

function summary({ text, tokenIds, logprobs = [], reason, stats }: Completion) {
  return {
    text,
    tokenIds,
    tokens: tokenIds.length,
    promptTokens: stats.promptTokens,
    reason,
    seconds: stats.totalMs / 1000,
    firstTokenSeconds: stats.firstTokenMs / 1000,
    tokensPerSecond: stats.tokensPerSecond,
    ...draftJson(stats.draft),
    ...(logprobs.length > 0 && { logprobs }),
  }
}

function footer({ tokenIds, reason, stats }: Completion, session: Session): string {
  const { target, name, ranks } = session.ready
  const where = `${target === name ? target : `${target}, ${name}`}${ranks > 1 ? `, ${ranks} ranks` : ''}`
  return `[${tokenIds.length} tokens in ${(stats.totalMs / 1000).toFixed(2)} s, ${stats.tokensPerSecond.toFixed(1)} tok/s, ended by ${reason}; ${where}]`
}
