import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseJson } from '../../runtime/checkpoint/json.ts'

const parse = (text: string) => parseJson(Buffer.from(text))

describe('JSON of others', () => {
  it('is read as JSON.parse reads it and has no duplicate keys when none were written', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(3), (text, indent) => {
        const value: unknown = JSON.parse(text)
        // what a JS object can hold has no key twice
        expect(parse(JSON.stringify(value, null, indent))).toEqual({ ok: true, value, duplicates: [] })
      }),
    )
  })

  it('names a key that occurs twice, however it is spelled or nested', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), fc.constantFrom('', ' ', '\n\t'), (key, value, space) => {
        const k = JSON.stringify(key)
        const escaped = `"${[...Array(key.length).keys()].map((i) => `\\u${key.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`
        const v = JSON.stringify(value)
        const read = parse(`[{"deep": {${k}${space}:${v},${escaped}${space}:${v}}}]`)
        expect(read.ok && read.duplicates).toEqual([key])
      }),
    )
  })

  it('survives a string of tens of megabytes', () => {
    const read = parse(`{"a":"${'\\n'.repeat(5_000_000)}","a":1}`)
    expect(read.ok && read.duplicates).toEqual(['a'])
  })

  it('is refused when it is not UTF-8', () => {
    expect(parseJson(new Uint8Array([0x22, 0xff, 0x22]))).toEqual({ ok: false, reason: 'it is not valid UTF-8' })
  })
})
