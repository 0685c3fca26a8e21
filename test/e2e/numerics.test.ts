/**
 * How far the host engine's logits are from the float64 reference on nano, and that BF16 alone explains the distance.
 *
 * Vocabulary: the *error* of a row is its largest difference over its largest logit. A row is *settled* when in every
 * layer the last expert chosen beats the first one left out by more than `routerMargin`: rounding cannot change which
 * experts it runs through. Where it can, no bound on logits holds for any engine; the BF16 reference, which rounds what
 * the engine stages and nothing else, shows errors of the same size there.
 * The figures are those of docs/verification.md.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bf16Reference } from '../../compiler/reference/bf16.ts'
import { argmax } from '../../compiler/reference/generate.ts'
import { createReference, type Reference } from '../../compiler/reference/reference.ts'
import type { HostEngine } from '../support/host-engine.ts'
import { buildNano, nano, oraclePrompts } from '../support/nano-engine.ts'
import { routerGaps } from '../support/router-gaps.ts'

/** In units of the choice, a score plus its bias. */
const routerMargin = 4e-3
/** Error of a settled row. */
const settledError = 0.02
/** Root mean square over all logits of all rows, over the row's largest logit. */
const rmsError = 0.004
/** The BF16 margin: in units of logits, how far two logits of a settled row may move against each other. */
const greedyMargin = 0.3

let engine: HostEngine
let rows: readonly Row[]

interface Row {
  readonly place: string
  readonly want: Float64Array
  readonly got: Float64Array
  readonly rounded: Float64Array
  readonly settled: boolean
}

beforeAll(async () => {
  engine = await (await buildNano()).start()
  const { graph, params } = nano()
  const [plain, rounded] = [createReference(graph, params, { ctx: 64 }), bf16Reference(graph, params, 64)]
  rows = []
  for (const [i, prompt] of oraclePrompts().entries()) rows = [...rows, ...(await compare(i, prompt, plain, rounded))]
}, 300_000)
afterAll(() => engine.close())

async function compare(at: number, tokens: readonly number[], plain: Reference, rounded: Reference): Promise<Row[]> {
  const block = tokens.map((token, position) => ({ token, position }))
  const got = await engine.logits(tokens)
  for (const reference of [plain, rounded]) reference.reset()
  const step = plain.step(block)
  const other = rounded.step(block).logits
  const { graph, params } = nano()
  const gaps = routerGaps(graph, params, step, block.length)
  return step.logits.map((want, i) => ({
    place: `prompt ${at}, position ${i}`,
    want,
    got: Float64Array.from(got[i]!),
    rounded: other[i]!,
    settled: gaps.slice(Math.max(0, i - 2), i + 1).every((gap) => gap > routerMargin),
  }))
}

type Values = Float64Array
const peak = (v: Values): number => v.reduce((m, x) => Math.max(m, Math.abs(x)), 0)
const error = (want: Values, got: Values): number =>
  want.reduce((m, v, i) => Math.max(m, Math.abs(v - got[i]!)), 0) / peak(want)
const squares = (want: Values, got: Values): number => {
  const scale = peak(want)
  return want.reduce((s, v, i) => s + ((v - got[i]!) / scale) ** 2, 0) / want.length
}
const rms = (of: (r: Row) => Values): number =>
  Math.sqrt(rows.reduce((s, r) => s + squares(r.want, of(r)), 0) / rows.length)
const worst = (from: readonly Row[], of: (r: Row) => Values): number =>
  from.reduce((m, r) => Math.max(m, error(r.want, of(r))), 0)

it('stays within what BF16 costs', () => {
  const settled = rows.filter((r) => r.settled)
  const figures = {
    rows: rows.length,
    settled: settled.length,
    rms: [rms((r) => r.got), rms((r) => r.rounded)],
    worstSettled: [worst(settled, (r) => r.got), worst(settled, (r) => r.rounded)],
    worst: [worst(rows, (r) => r.got), worst(rows, (r) => r.rounded)],
  }
  console.log('error of [engine, BF16 reference]:', JSON.stringify(figures))
  expect(rows.length).toBe(512)
  expect(settled.length).toBeGreaterThan(60)
  expect(figures.worstSettled[0]).toBeLessThan(settledError)
  expect(figures.rms[0]).toBeLessThan(rmsError)
  // The engine rounds once more than the BF16 reference: what a norm reads is staged before it is normalised.
  expect(figures.rms[0]).toBeLessThan(2 * figures.rms[1]!)
})

it('chooses what the reference chooses, but for near ties', () => {
  const wrong: string[] = []
  const close: string[] = []
  for (const { place, want, got, settled } of rows) {
    const [a, b] = [argmax(want), argmax(got)]
    if (a === b) continue
    const gap = want[a]! - want[b]!
    const line = `${place}: reference ${a} by ${gap.toFixed(3)} over the engine's ${b}${settled ? '' : ', router unsettled'}`
    ;(gap < greedyMargin || !settled ? close : wrong).push(line)
  }
  console.log(`${close.length} of ${rows.length} rows decided by rounding:\n${close.join('\n')}`)
  expect(wrong).toEqual([])
})
