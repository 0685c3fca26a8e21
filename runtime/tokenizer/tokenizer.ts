/**
 * Text to token ids and back. Encoding is @huggingface/tokenizers; decoding is by bytes, here, so that a stream and the
 * whole can never differ.
 *
 * Vocabulary: an *added* token stands outside of the BPE vocabulary and has a text of its own (`<think>`); a *special*
 * token is an added one that is markup and never part of an answer (`<|im_end|>`).
 * Invariants: every string can be encoded (all 256 bytes are in the vocabulary); encoding as 'text' yields no added
 * token whatever the text says, so a user cannot forge markup.
 */
import { Tokenizer as Library } from '@huggingface/tokenizers'
import { z } from 'zod'
import { DiagnosticError, diagnostic, Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { TokenizerFiles } from '../checkpoint/checkpoint.ts'
import { isObject, readJsonFile } from '../checkpoint/json.ts'
import { byteCharacters, bytesOfToken } from './byte-level.ts'
import { createTextDecoder } from './stream.ts'

export interface Tokenizer {
  /** One more than the largest id: logits from here on belong to no token. */
  readonly size: number
  /**
   * 'text': added tokens in `text` are plain characters; right for whatever a user wrote. 'markup': they are recognised;
   * right for what a chat template rendered. 'content': only those that are not special are.
   */
  encode(text: string, mode: EncodeMode): number[]
  decode(ids: Iterable<number>, options?: DecodeOptions): string
  /** The id of an added token, e.g. of `<|im_end|>`. */
  idOf(content: string): number | undefined
  isSpecial(id: number): boolean
  /** The texts of all special tokens. */
  readonly special: readonly string[]
  /** The bytes that `id` stands for. Throws a RangeError when it stands for nothing. */
  bytes(id: number): Uint8Array
}

export type EncodeMode = 'text' | 'markup' | 'content'

export interface DecodeOptions {
  /** Leaves special tokens out. */
  readonly skipSpecial?: boolean
}

const id = z.int().nonnegative()
const byteLevel = z.object({ type: z.literal('ByteLevel') })
const tokenizerSchema = z.looseObject({
  model: z.looseObject({ type: z.literal('BPE'), vocab: z.record(z.string(), id), merges: z.array(z.unknown()) }),
  decoder: z.union([byteLevel, z.object({ type: z.literal('Sequence'), decoders: z.tuple([byteLevel]) })]),
  pre_tokenizer: z.looseObject({}),
  normalizer: z.looseObject({}).nullish(),
  post_processor: z.looseObject({}).nullish(),
  added_tokens: z.array(z.looseObject({ id, content: z.string().min(1), special: z.boolean() })),
})
type TokenizerJson = z.infer<typeof tokenizerSchema>

/** Throws a DiagnosticError when the files do not make a byte-level BPE tokenizer. */
export function loadTokenizer(files: TokenizerFiles, folder = 'the checkpoint'): Tokenizer {
  if (files.tokenizer === undefined) {
    throw new DiagnosticError([diagnostic('TILE7030', 'has no tokenizer.json', { subject: folder })])
  }
  const session = new Session()
  const json = checkTokenizer(readObject(files.tokenizer, session), files.tokenizer, session)
  const config = files.config === undefined ? {} : readObject(files.config, session)
  session.throwIfFailed()
  const pieces = new Map<number, Uint8Array>()
  for (const [token, tokenId] of Object.entries(json!.model.vocab))
    addPiece(pieces, tokenId, token, bytesOfToken(token))
  const utf8 = new TextEncoder()
  for (const added of json!.added_tokens) pieces.set(added.id, utf8.encode(added.content))

  const build = (added_tokens: TokenizerJson['added_tokens']) => {
    try {
      return new Library({ normalizer: null, post_processor: null, ...json!, added_tokens }, config ?? {})
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new DiagnosticError([diagnostic('TILE7031', reason, { subject: files.tokenizer })])
    }
  }
  const ids = new Map(json!.added_tokens.map((t) => [t.content, t.id]))
  const special = json!.added_tokens.filter((t) => t.special)
  const encoders: Record<EncodeMode, Library> = {
    text: build([]),
    markup: build(json!.added_tokens),
    content: build(json!.added_tokens.filter((t) => !t.special)),
  }
  const specialIds = new Set(special.map((t) => t.id))

  const tokenizer: Tokenizer = {
    size: Math.max(...pieces.keys()) + 1,
    encode: (text, mode) => encoders[mode].encode(text, { add_special_tokens: false }).ids,
    decode(tokens, options) {
      const decoder = createTextDecoder(tokenizer, options)
      let text = ''
      for (const token of tokens) text += decoder.push(token)
      return text + decoder.end()
    },
    idOf: (content) => ids.get(content),
    isSpecial: (token) => specialIds.has(token),
    special: special.map((t) => t.content),
    bytes(token) {
      const piece = pieces.get(token)
      if (!piece)
        throw new RangeError(`token ${token} is not one of the tokenizer's; its ids end at ${tokenizer.size - 1}`)
      return piece
    },
  }
  return tokenizer
}

function readObject(path: string, session: Session): Readonly<Record<string, unknown>> | undefined {
  const json = readJsonFile(path)
  if (json.ok && isObject(json.value)) return json.value
  session.report('TILE7030', json.ok ? 'is JSON, but not an object' : `is not JSON: ${json.reason}`, { subject: path })
  return undefined
}

function checkTokenizer(
  json: Readonly<Record<string, unknown>> | undefined,
  path: string,
  session: Session,
): TokenizerJson | undefined {
  if (!json) return undefined
  const parsed = tokenizerSchema.safeParse(json)
  if (!parsed.success) {
    for (const issue of parsed.error.issues.slice(0, 5)) {
      session.report('TILE7031', `${issue.path.join('.') || 'the file'}: ${issue.message}`, { subject: path })
    }
    return undefined
  }
  const { vocab } = parsed.data.model
  const missing = byteCharacters.flatMap((c, b) => (Object.hasOwn(vocab, c) ? [] : [b]))
  if (missing.length > 0) {
    const list = missing.slice(0, 5).join(', ')
    session.report('TILE7031', `model.vocab has no token for ${missing.length} of 256 bytes (${list} ...)`, {
      subject: path,
    })
  }
  const owners = new Map<number, string>()
  const claims = [...Object.entries(vocab), ...parsed.data.added_tokens.map((t) => [t.content, t.id] as const)]
  for (const [token, tokenId] of claims) {
    const other = owners.get(tokenId)
    if (other !== undefined && other !== token) {
      session.report('TILE7031', `the id ${tokenId} belongs to both '${other}' and '${token}'`, { subject: path })
    }
    owners.set(tokenId, token)
  }
  return parsed.data
}

/** A vocabulary entry outside of the byte alphabet can be produced by no merge; only its own text can be meant. */
function addPiece(
  pieces: Map<number, Uint8Array>,
  tokenId: number,
  token: string,
  bytes: Uint8Array | undefined,
): void {
  pieces.set(tokenId, bytes ?? new TextEncoder().encode(token))
}
