import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer as Library } from '@huggingface/tokenizers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tokenizerFiles } from '../../runtime/checkpoint/checkpoint.ts'
import { createTextDecoder } from '../../runtime/tokenizer/stream.ts'
import { loadTokenizer } from '../../runtime/tokenizer/tokenizer.ts'
import { findings, temporaryFolder } from '../checkpoint/temporary.ts'
import { nanoFolder } from '../support/nano.ts'
import fixture from './fixtures/nano-ids.json' with { type: 'json' }

const files = tokenizerFiles(nanoFolder)
const tokenizer = loadTokenizer(files)
/** Any text, of any planes; half of a surrogate pair is no text. */
const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.string())
const addedIds = [...Array(tokenizer.size).keys()].filter((id) => id >= 4069)

describe('nano tokenizer', () => {
  it.each(fixture.cases.map((c) => [c.text.slice(0, 40), c] as const))(
    'encodes %j as the Rust library does',
    (_, c) => {
      expect(tokenizer.encode(c.text, 'markup')).toEqual(c.ids)
      expect(tokenizer.decode(c.ids)).toBe(c.decoded)
      expect(tokenizer.decode(c.ids, { skipSpecial: true })).toBe(c.skipped)
    },
  )

  it('decodes what it encoded, in every mode', () => {
    fc.assert(
      fc.property(text, fc.constantFrom('text', 'markup', 'content'), (s, mode) => {
        expect(tokenizer.decode(tokenizer.encode(s, mode))).toBe(s.normalize('NFC'))
      }),
      { numRuns: 500 },
    )
  })

  it('never yields an added token from plain text, and all of them from markup', () => {
    const tokens = fc.constantFrom(...addedIds.map((id) => new TextDecoder().decode(tokenizer.bytes(id))))
    fc.assert(
      fc.property(fc.array(fc.oneof(text, tokens)), (parts) => {
        const ids = tokenizer.encode(parts.join(''), 'text')
        expect(ids.filter((id) => addedIds.includes(id))).toEqual([])
        expect(tokenizer.encode(parts.join(''), 'content').filter((id) => tokenizer.isSpecial(id))).toEqual([])
      }),
    )
    expect(tokenizer.encode('<|im_start|><think></think><|im_end|>', 'markup')).toHaveLength(4)
    expect(tokenizer.encode('<think>', 'content')).toEqual([tokenizer.idOf('<think>')])
  })

  it('decodes any tokens as the library decodes them', () => {
    const library = new Library(JSON.parse(readFileSync(files.tokenizer!, 'utf8')), {
      clean_up_tokenization_spaces: false,
    })
    fc.assert(
      // the library cuts at added tokens, so bytes on both sides of one are another matter: leave them out
      fc.property(fc.array(fc.nat(4068), { minLength: 1 }), (ids) => {
        expect(tokenizer.decode(ids)).toBe(library.decode(ids))
      }),
    )
  })

  it('refuses ids that are padding', () => {
    expect(tokenizer.size).toBe(4096)
    expect(() => tokenizer.decode([4096])).toThrow('token 4096 is not one of the tokenizer')
  })
})

describe('a stream of tokens', () => {
  it('joins to the decoding of the whole and never shows a broken character', () => {
    fc.assert(
      fc.property(text, (s) => {
        const stream = createTextDecoder(tokenizer)
        const pieces = tokenizer.encode(s, 'text').map((id) => stream.push(id))
        expect(stream.end()).toBe('')
        expect(pieces.join('')).toBe(s.normalize('NFC'))
        for (const piece of pieces) {
          expect(Buffer.from(piece).toString()).toBe(piece)
          if (!s.includes('\ufffd')) expect(piece).not.toContain('\ufffd')
        }
      }),
      { numRuns: 300 },
    )
  })

  it('holds an unfinished character back and ends it as U+FFFD', () => {
    const byte = (b: number) =>
      [...Array(4096).keys()].find((id) => tokenizer.bytes(id).length === 1 && tokenizer.bytes(id)[0] === b)!
    const stream = createTextDecoder(tokenizer, { skipSpecial: true })
    expect([0xf0, 0x9f, 0x98, 0x80].map((b) => stream.push(byte(b)))).toEqual(['', '', '', '😀'])
    expect([byte(0xe6), tokenizer.idOf('<|im_end|>')!].map((id) => stream.push(id))).toEqual(['', ''])
    expect(stream.end()).toBe('\ufffd')
  })
})

describe('tokenizer files', () => {
  const json = JSON.parse(readFileSync(files.tokenizer!, 'utf8'))
  const load = (change: (json: Record<string, never>) => unknown) => {
    const path = join(temporaryFolder(), 'tokenizer.json')
    const copy = structuredClone(json)
    writeFileSync(path, JSON.stringify(change(copy) ?? copy))
    return findings(() => loadTokenizer({ tokenizer: path })).join('\n')
  }
  it.each<[string, (t: typeof json) => unknown, string]>([
    ['another model', (t) => ({ ...t, model: { ...t.model, type: 'Unigram' } }), 'TILE7031'],
    ['another decoder', (t) => ({ ...t, decoder: { type: 'Metaspace' } }), 'TILE7031'],
    ['no vocabulary', (t) => ({ ...t, model: { type: 'BPE', merges: [] } }), 'model.vocab'],
    ['a byte missing', (t) => void delete t.model.vocab.Ċ, 'no token for 1 of 256 bytes (10'],
    ['an id twice', (t) => ({ ...t, added_tokens: [{ ...t.added_tokens[0], id: 5 }] }), 'the id 5 belongs to both'],
    ['a negative id', (t) => ({ ...t, added_tokens: [{ ...t.added_tokens[0], id: -5 }] }), 'added_tokens.0.id'],
    ['an unknown normalizer', (t) => ({ ...t, normalizer: { type: 'Nope' } }), 'TILE7031'],
    ['a list', () => [], 'TILE7030'],
  ])('with %s are refused', (_, change, message) => {
    expect(load(change)).toContain(message)
  })
  it('that are absent are named', () => {
    expect(findings(() => loadTokenizer({}, '/models/x')).join()).toContain('TILE7030 /models/x: has no tokenizer.json')
  })
})
