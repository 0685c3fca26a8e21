import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { argmax, generateGreedy } from '../../compiler/reference/generate.ts'
import { createReference } from '../../compiler/reference/reference.ts'
import { smallModel, smallParams, V } from './small-model.ts'

const rowsOf = (tokens: readonly number[], from = 0) => tokens.map((token, i) => ({ token, position: from + i }))
const run = (tokens: readonly number[], window?: number) =>
  createReference(smallModel(window), smallParams(), { ctx: 64 }).step(rowsOf(tokens))

describe('reference', () => {
  it('gives a row the same bits however rows are grouped into steps', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(V.size - 1), { minLength: 2, maxLength: 12 }),
        fc.nat(10),
        fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
        (tokens, cut, window) => {
          const whole = run(tokens, window).logits
          const at = 1 + (cut % (tokens.length - 1))
          const parts = createReference(smallModel(window), smallParams(), { ctx: 64 })
          const first = parts.step(rowsOf(tokens.slice(0, at))).logits
          const second = parts.step(rowsOf(tokens.slice(at), at)).logits
          expect([...first, ...second]).toEqual(whole)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('is causal and sees exactly `window` keys, the row itself included', () => {
    const base = [1, 2, 3, 4, 5, 6]
    const logitsAt = (tokens: number[], window?: number) => run(tokens, window).logits
    const changedLast = logitsAt([1, 2, 3, 4, 5, 7], 3)
    expect(changedLast.slice(0, 5)).toEqual(logitsAt(base, 3).slice(0, 5))
    const changedFirst = logitsAt([9, 2, 3, 4, 5, 6], 3)
    const same = changedFirst.map((row, i) => row.every((z, j) => z === logitsAt(base, 3)[i]![j]))
    expect(same).toEqual([false, false, false, true, true, true])
  })

  it('replaces positions that are processed again', () => {
    const model = createReference(smallModel(), smallParams(), { ctx: 64 })
    model.step(rowsOf([1, 2, 3, 4]))
    const again = model.step(rowsOf([7, 8], 2)).logits
    expect(again).toEqual(run([1, 2, 7, 8]).logits.slice(2))
  })

  it('agrees with sums written out from the definition', () => {
    const p = smallParams()
    const step = run([3])
    const hidden = Array.from(p.slice('embed', 3))
    const mean = hidden.reduce((s, h) => s + h * h, 0) / 8
    const normed = hidden.map((h, i) => (h / Math.sqrt(mean + 1e-5)) * p.dense('norm')[i]!)
    const qkv = Array.from({ length: 30 }, (_, o) => normed.reduce((s, h, i) => s + h * p.dense('qkv')[o * 8 + i]!, 0))
    // at position 0 the only key's share is 1 / (1 + exp(sink - z)), whatever rope did (it turned nothing)
    const attended: number[] = []
    for (let kv = 0; kv < 2; kv++) {
      for (let g = 0; g < 2; g++) {
        let z = 0
        for (let i = 0; i < 4; i++) z += 0.5 * qkv[kv * 15 + g * 4 + i]! * qkv[kv * 15 + 8 + i]!
        const share = 1 / (1 + Math.exp(p.dense('sink')[kv * 2 + g]! - z))
        for (let i = 0; i < 3; i++) attended.push(share * qkv[kv * 15 + 12 + i]!)
      }
    }
    const matrix = (name: string, rows: number, x: ArrayLike<number>, from = 0) =>
      Array.from({ length: rows }, (_, o) =>
        Array.from(x).reduce((s, v, i) => s + v * p.dense(name)[from + o * x.length + i]!, 0),
      )
    const r1 = matrix('o', 8, attended).map((v, i) => v + hidden[i]!)
    const scores = matrix('router', 5, r1).map((z) => 1 / (1 + Math.exp(-z)))
    const order = [0, 1, 2, 3, 4].sort((a, b) => scores[b]! + p.dense('bias')[b]! - scores[a]! - p.dense('bias')[a]!)
    const sum = scores[order[0]!]! + scores[order[1]!]!
    const r2 = [...r1]
    for (const e of order.slice(0, 2)) {
      const act = matrix('up', 6, r1, e * 48).map((u) => u / (1 + Math.exp(-u)))
      matrix('down', 8, act, e * 48).forEach((d, i) => {
        r2[i]! += ((1.5 * scores[e]!) / sum) * d
      })
    }
    matrix('head', V.size, r2).forEach((z, i) => void expect(step.logits[0]![i]).toBeCloseTo(z, 12))
    expect([...step.taps.get(0)![0]!]).toEqual(r2.map((v) => expect.closeTo(v, 12)))
    expect([...step.choices(12)]).toEqual(order.slice(0, 2))
  })

  it('refuses holes, positions past the context and unknown tokens', () => {
    const model = createReference(smallModel(), smallParams(), { ctx: 4 })
    expect(() => model.step(rowsOf([1], 2))).toThrow('position 2 leaves a hole: the cache ends at 0')
    expect(() => model.step(rowsOf([1], 4))).toThrow('position 4 is outside the context of 4')
    expect(() => model.step(rowsOf([V.size]))).toThrow(`token ${V.size} is not one of the ${V.size} rows`)
    expect(() => model.step([])).toThrow('at least one row')
  })

  it('continues greedily, the lower id on a tie', () => {
    expect(argmax(Float64Array.of(1, 3, 3, 2))).toBe(1)
    expect(argmax(Float64Array.of(1, 2, 9), 2)).toBe(1)
    const model = createReference(smallModel(), smallParams(), { ctx: 64 })
    const out = generateGreedy(model, [1, 2], 6)
    const teacher = run([1, 2, ...out]).logits
    expect(out).toEqual(out.map((_, i) => argmax(teacher[i + 1]!)))
  })
})
