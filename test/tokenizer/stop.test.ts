import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createStopMatcher } from '../../runtime/tokenizer/stop.ts'

/** The definition: the stop string completed first, the longest of those that end together. */
function expected(text: string, stops: readonly string[]): { text: string; stop?: string } {
  for (let end = 1; end <= text.length; end++) {
    const [stop] = stops.filter((s) => text.slice(0, end).endsWith(s)).sort((a, b) => b.length - a.length)
    if (stop !== undefined) return { text: text.slice(0, end - stop.length), stop }
  }
  return { text }
}

function run(pieces: readonly string[], stops: readonly string[]) {
  const matcher = createStopMatcher(stops)
  let text = ''
  let stop: string | undefined
  for (const piece of pieces) {
    const out = matcher.push(piece)
    text += out.text
    stop ??= out.stop
  }
  text += matcher.end()
  return stop === undefined ? { text } : { text, stop }
}

const letters = (options: { minLength?: number; maxLength: number }) =>
  fc.string({ unit: fc.constantFrom('a', 'b', '\n'), ...options })

describe('stop strings', () => {
  it('cut the text at the same place however it arrives', () => {
    fc.assert(
      fc.property(
        fc.array(letters({ maxLength: 4 })),
        fc.array(letters({ minLength: 1, maxLength: 4 }), { maxLength: 3 }),
        (pieces, stops) => {
          expect(run(pieces, stops)).toEqual(expected(pieces.join(''), stops))
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('hold back only what may still become one', () => {
    const matcher = createStopMatcher(['</end>', '<stop>'])
    expect(matcher.push('abc<')).toEqual({ text: 'abc' })
    expect(matcher.push('/e')).toEqual({ text: '' })
    expect(matcher.push('x')).toEqual({ text: '</ex' })
    expect(matcher.push('1<st')).toEqual({ text: '1' })
    expect(matcher.push('op>rest')).toEqual({ text: '', stop: '<stop>' })
    expect(matcher.push('more')).toEqual({ text: '', stop: '<stop>' })
    expect(matcher.end()).toBe('')
  })

  it('must not be empty', () => {
    expect(() => createStopMatcher(['a', ''])).toThrow('must not be empty')
  })
})
