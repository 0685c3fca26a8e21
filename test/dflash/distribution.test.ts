/**
 * What drafted rounds write follows the target's distribution: chi-squared over the first three tokens jointly, and the
 * three known ways to get it wrong, which the same statistic refuses.
 *
 * The rounds are those of the engine in miniature, on the reference sampler: a drafter that proposes the likeliest token
 * of a target of its own, the engine's rule (a row's token is drawn as in plain decoding; a proposal counts if it is that
 * token), and nothing else. The device's sampler equals the reference's token for token (sampler.test.ts, penalties.test.ts).
 */
import { describe, expect, it } from 'vitest'
import { distribution, editedLogits, sampleReference } from '../../runtime/engine/sampler-reference.ts'
import type { SamplingParams } from '../../runtime/engine/wire.ts'

const ids = 5
const samples = 100_000
const prompt = [0]

/** Logits after a token; the drafter's are another model's. */
const target = (last: number): number[] => Array.from({ length: ids }, (_, i) => 2 * Math.sin(3 * last + 1.7 * i + 1))
const drafter = (last: number): number[] => target(last).map((z, i) => z + Math.sin(11 * i + last))
const argmax = (x: readonly number[]) => x.indexOf(Math.max(...x))

type Round = (history: readonly number[], params: SamplingParams, seed: number) => readonly number[]

const after = (history: readonly number[], params: SamplingParams, seed: number): number =>
  sampleReference(target(history.at(-1)!), { ...params, seed }, history.length, { prompt, generated: history.slice(1) })

/** Proposals for the next three positions, argmax of the drafter along its own text. */
function propose(history: readonly number[]): number[] {
  const text = [...history]
  for (let i = 0; i < 3; i++) text.push(argmax(drafter(text.at(-1)!)))
  return text.slice(history.length)
}

/** The engine's: every token is drawn from its own row; the row counts while its input was what had been drawn. */
const exactMatch: Round = (history, params, seed) => {
  const text = [...history]
  for (const proposal of propose(history)) {
    text.push(after(text, params, seed))
    if (text.at(-1) !== proposal) break
  }
  return text.slice(history.length)
}

const chance = (seed: number, position: number, purpose: number): number => {
  let x = (seed * 2654435761 + position * 40503 + purpose * 69069) >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d) >>> 0
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b) >>> 0
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32
}
const lawOf = (history: readonly number[], params: SamplingParams): number[] =>
  distribution(editedLogits(target(history.at(-1)!), params, { prompt, generated: history.slice(1) }), params)
const draw = (law: readonly number[], u: number): number => {
  let left = u * law.reduce((a, b) => a + b, 0)
  const at = law.findIndex((p) => {
    left -= p
    return left < 0
  })
  return Math.max(0, at)
}

/** Bug 1: what follows a rejection is drawn from the whole distribution, not from what the proposal left. */
const residualForgotten: Round = (history, params, seed) => {
  const text = [...history]
  for (const proposal of propose(history)) {
    const law = lawOf(text, params)
    const accepted = chance(seed, text.length, 1) < law[proposal]!
    text.push(accepted ? proposal : draw(law, chance(seed, text.length, 2)))
    if (!accepted) break
  }
  return text.slice(history.length)
}
/** Bug 2: a proposal that was chosen for being likeliest is tested as if it had been drawn from the drafter's softmax. */
const softmaxTest: Round = (history, params, seed) => {
  const text = [...history]
  for (const proposal of propose(history)) {
    const [p, q] = [lawOf(text, params), distribution(drafter(text.at(-1)!), params)]
    const accepted = chance(seed, text.length, 1) * q[proposal]! < p[proposal]!
    const rest = p.map((x, i) => Math.max(0, x - q[i]!))
    text.push(accepted ? proposal : draw(rest, chance(seed, text.length, 2)))
    if (!accepted) break
  }
  return text.slice(history.length)
}
/** Bug 3: the random number that decided about a proposal is used again for the token in its place. */
const randomTwice: Round = (history, params, seed) => {
  const text = [...history]
  for (const proposal of propose(history)) {
    const law = lawOf(text, params)
    const u = chance(seed, text.length, 1)
    const accepted = u < law[proposal]!
    text.push(
      accepted
        ? proposal
        : draw(
            law.map((p, i) => (i === proposal ? 0 : p)),
            u,
          ),
    )
    if (!accepted) break
  }
  return text.slice(history.length)
}
/** Bug 4: penalties of a block's first row are used for all of its rows. */
const penaltiesBroadcast: Round = (history, params, seed) => {
  const text = [...history]
  for (const proposal of propose(history)) {
    const known = { prompt, generated: history.slice(1) }
    text.push(sampleReference(target(text.at(-1)!), { ...params, seed }, text.length, known))
    if (text.at(-1) !== proposal) break
  }
  return text.slice(history.length)
}

function threeTokens(round: Round, params: SamplingParams, seed: number): number {
  let text: readonly number[] = prompt
  while (text.length < 4) text = [...text, ...round(text, params, seed)]
  return text.slice(1, 4).reduce((n, t) => n * ids + t, 0)
}

/** The exact law of three tokens, by enumeration. */
function exact(params: SamplingParams): number[] {
  const law = new Array<number>(ids ** 3).fill(0)
  const walk = (history: readonly number[], p: number) => {
    if (history.length === 4) law[history.slice(1).reduce((n, t) => n * ids + t, 0)] = p
    else for (const [t, q] of lawOf(history, params).entries()) if (q > 0) walk([...history, t], p * q)
  }
  walk(prompt, 1)
  return law
}

/** Chi-squared less its critical value at 1e-4 (Wilson and Hilferty): below 0 is a fit. Cells of small expectation pooled. */
function misfit(round: Round, params: SamplingParams): number {
  const law = exact(params)
  const counts = new Array<number>(law.length).fill(0)
  for (let seed = 0; seed < samples; seed++) counts[threeTokens(round, params, seed)]!++
  let [statistic, cells, small, expected] = [0, 0, 0, 0]
  for (const [i, p] of law.entries()) {
    if (p * samples < 8) [small, expected] = [small + counts[i]!, expected + p * samples]
    else [statistic, cells] = [statistic + (counts[i]! - p * samples) ** 2 / (p * samples), cells + 1]
  }
  if (expected > 0) [statistic, cells] = [statistic + (small - expected) ** 2 / expected, cells + 1]
  else if (small > 0) return Number.POSITIVE_INFINITY
  const df = cells - 1
  return statistic - df * (1 - 2 / (9 * df) + 3.719 * Math.sqrt(2 / (9 * df))) ** 3
}

const settings: readonly SamplingParams[] = [
  { temperature: 0.7 },
  { temperature: 1 },
  { temperature: 1, topP: 0.85 },
  { temperature: 1, topK: 3 },
  { temperature: 1, repetitionPenalty: 1.4, presencePenalty: 0.6, frequencyPenalty: 0.4 },
]

describe('the first three tokens', { timeout: 300_000 }, () => {
  it.each(settings)('follow the target: %j', (params) => {
    expect(misfit(exactMatch, params)).toBeLessThan(0)
  })
  it.each([
    ['the residual is forgotten', residualForgotten, settings[1]!],
    ["a best guess is tested with the drafter's softmax", softmaxTest, settings[1]!],
    ['a random number is used twice', randomTwice, settings[1]!],
    ['penalties are broadcast over a block', penaltiesBroadcast, settings[4]!],
  ] as const)('show it when %s', (_, round, params) => {
    expect(misfit(round, params)).toBeGreaterThan(0)
  })
})
