/**
 * Messages to prompt, through the template that the checkpoint ships; nothing about a model's markup is written here.
 *
 * Vocabulary: *markup* is what the template adds (`<|im_start|>`, roles); *content* is what the messages say.
 * Invariants: special tokens in content stay plain text: before the template runs they are replaced by stand-ins that no
 * message contains, and put back as plain text after the markup was recognised. `enable_thinking` is always passed, because
 * templates differ in what its absence means.
 */
import { readFileSync } from 'node:fs'
import { Template } from '@huggingface/jinja'
import type { Code } from '../../compiler/diagnostics/catalogue.ts'
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import type { TokenizerFiles } from '../checkpoint/checkpoint.ts'
import { isObject, readJsonFile } from '../checkpoint/json.ts'
import type { EncodeMode, Tokenizer } from './tokenizer.ts'

/** One message as OpenAI's API has it; the template decides which fields it reads. */
export interface ChatMessage {
  readonly role: string
  readonly content?: unknown
  readonly [field: string]: unknown
}

export interface ChatOptions {
  readonly enableThinking: boolean
  readonly tools?: readonly unknown[]
  /** Ends the prompt with the beginning of the assistant's turn; true when left out. */
  readonly addGenerationPrompt?: boolean
  /** Further variables of the template. */
  readonly variables?: Readonly<Record<string, unknown>>
}

export interface ChatTemplate {
  /** The prompt as text, for people; `encode` is what a model gets. */
  render(messages: readonly ChatMessage[], options: ChatOptions): string
  encode(messages: readonly ChatMessage[], options: ChatOptions): number[]
}

export function loadChatTemplate(files: TokenizerFiles, tokenizer: Tokenizer, folder = 'the checkpoint'): ChatTemplate {
  const config = readConfig(files)
  const { source, subject } = findSource(files, config, folder)
  const template = attempt('TILE7033', subject, () => new Template(source))
  const tokens = namedTokens(config)
  const render = (messages: readonly ChatMessage[], options: ChatOptions) =>
    attempt('TILE7034', subject, () =>
      template.render({
        ...tokens,
        ...options.variables,
        messages,
        ...(options.tools && { tools: options.tools }),
        add_generation_prompt: options.addGenerationPrompt ?? true,
        enable_thinking: options.enableThinking,
      }),
    )
  return {
    render,
    encode(messages, options) {
      const guard = createGuard(tokenizer.special, JSON.stringify([messages, options.tools, options.variables]))
      const { tools, variables, ...rest } = options
      const text = render(guard.hide(messages), {
        ...rest,
        ...(tools && { tools: guard.hide(tools) }),
        ...(variables && { variables: guard.hide(variables) }),
      })
      return guard.split(text).flatMap((part) => tokenizer.encode(part.text, part.mode))
    },
  }
}

interface Guard {
  hide<T>(value: T): T
  /** Cuts rendered text into markup, and content whose special tokens are text. */
  split(text: string): { readonly text: string; readonly mode: EncodeMode }[]
}

/** Stand-ins are `mark index mark`, the mark being a noncharacter of Unicode that occurs nowhere in `content`. */
function createGuard(special: readonly string[], content: string): Guard {
  const hidden = special.filter((s) => content.includes(JSON.stringify(s).slice(1, -1)))
  if (hidden.length === 0) return { hide: (value) => value, split: (text) => [{ text, mode: 'markup' }] }
  const mark = unusedNoncharacter(content)
  // longest first: a special token may contain another
  const ordered = hidden.map((token, i) => ({ token, standIn: `${mark}${i}${mark}` }))
  ordered.sort((a, b) => b.token.length - a.token.length)
  const replace = (text: string) => ordered.reduce((t, o) => t.replaceAll(o.token, o.standIn), text)
  const restore = (text: string) => ordered.reduce((t, o) => t.replaceAll(o.standIn, o.token), text)
  const boundary = new RegExp(`(${special.map(escapeRegExp).join('|')})`)
  return {
    hide: (value) => mapStrings(value, replace) as typeof value,
    // only a run between two special tokens of the template is encoded as one piece, as it would be unguarded
    split: (text) =>
      text
        .split(boundary)
        .filter((part) => part !== '')
        .map((part) =>
          part.includes(mark) ? { text: restore(part), mode: 'content' } : { text: part, mode: 'markup' },
        ),
  }
}

function unusedNoncharacter(content: string): string {
  for (let code = 0xfdd0; code <= 0xfdef; code++) {
    const mark = String.fromCharCode(code)
    if (!content.includes(mark)) return mark
  }
  throw new RangeError('the messages contain all 32 noncharacters U+FDD0..U+FDEF, which no text does')
}

const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

function mapStrings(value: unknown, fn: (text: string) => string): unknown {
  if (typeof value === 'string') return fn(value)
  if (Array.isArray(value)) return value.map((v) => mapStrings(v, fn))
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([k, v]) => [fn(k), mapStrings(v, fn)]))
  return value
}

function readConfig(files: TokenizerFiles): Readonly<Record<string, unknown>> {
  if (files.config === undefined) return {}
  const json = readJsonFile(files.config)
  if (json.ok && isObject(json.value)) return json.value
  throw new DiagnosticError([
    diagnostic('TILE7030', json.ok ? 'is JSON, but not an object' : `is not JSON: ${json.reason}`, {
      subject: files.config,
    }),
  ])
}

/** chat_template.jinja, or the template inside tokenizer_config.json, of several the one named 'default'. */
function findSource(files: TokenizerFiles, config: Readonly<Record<string, unknown>>, folder: string) {
  if (files.template !== undefined) {
    const path = files.template
    return { source: attempt('TILE7032', path, () => readFileSync(path, 'utf8')), subject: path }
  }
  const inConfig = config.chat_template
  const chosen = Array.isArray(inConfig)
    ? inConfig.filter(isObject).find((t) => t.name === 'default')?.template
    : inConfig
  if (typeof chosen === 'string') return { source: chosen, subject: files.config ?? folder }
  throw new DiagnosticError([diagnostic('TILE7032', 'has no chat template', { subject: folder })])
}

/** bos_token and its like, which templates may print. Older files wrap the text in an object. */
function namedTokens(config: Readonly<Record<string, unknown>>): Record<string, string> {
  const tokens: Record<string, string> = {}
  for (const name of ['bos_token', 'eos_token', 'pad_token', 'unk_token']) {
    const value = config[name]
    const text = isObject(value) ? value.content : value
    if (typeof text === 'string') tokens[name] = text
  }
  return tokens
}

function attempt<T>(code: Code, subject: string, fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new DiagnosticError([diagnostic(code, reason, { subject })])
  }
}
