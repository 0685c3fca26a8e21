/**
 * The sampler in TypeScript, written from its definition and not from the device's code: it sorts. Tests compare the
 * device's tokens with it one by one, and it with the exact distribution.
 *
 * Vocabulary and order of operations: codegen/device/engine/sampler.h. Weights are integers in units of 2^-44.
 * Invariant: float32 arithmetic is emulated step by step. A fused multiply-add is computed in float64 and rounded once
 * more, which differs from the fused result about once in 2^29 operations.
 */
import { type DeviceSampling, deviceSampling, type SamplingParams } from './wire.ts'

const f = Math.fround
const fma = (a: number, b: number, c: number) => f(a * b + c)

const purposeToken = 1

/** Philox4x32-10. */
export function philox(key: readonly [number, number], counter: readonly [number, number, number, number]) {
  let [k0, k1] = key
  let [a, b, c, d] = counter
  const product = (x: number, y: number) => BigInt(x >>> 0) * BigInt(y >>> 0)
  for (let i = 0; i < 10; i++) {
    const p = product(0xd2511f53, a)
    const q = product(0xcd9e8d57, c)
    const a1 = (Number(q >> 32n) ^ b ^ k0) >>> 0
    const c1 = (Number(p >> 32n) ^ d ^ k1) >>> 0
    b = Number(q & 0xffffffffn)
    d = Number(p & 0xffffffffn)
    a = a1
    c = c1
    k0 = (k0 + 0x9e3779b9) >>> 0
    k1 = (k1 + 0xbb67ae85) >>> 0
  }
  return [a, b, c, d] as const
}

/** exp(x) * 2^44 for x <= 0, truncated, by the device's polynomial. */
export function weightOf(x: number): bigint {
  if (!(x > -31)) return 0n
  const magic = 12582912
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: the device's float32 constant
  const n = f(fma(x, f(1.44269504), magic) - magic)
  const r = fma(n, f(-1.42860677e-6), fma(n, f(-0.693145752), x))
  let p = fma(f(1.98756912e-4), r, f(1.39819994e-3))
  for (const c of [8.33345205e-3, 4.16657962e-2, 1.66666657e-1, 0.5]) p = fma(p, r, f(c))
  p = f(fma(p, f(r * r), r) + 1)
  const shift = 44 - 24 + n
  const mantissa = BigInt(p * 2 ** 24)
  return shift >= 0 ? mantissa << BigInt(shift) : mantissa >> BigInt(-shift)
}

interface Weighed {
  readonly id: number
  readonly x: number
  readonly weight: bigint
}

/** Ids in the sampler's order with their weights: greater logit first, on ties the lower id. */
function ranked(logits: readonly number[], inverseTemperature: number): Weighed[] {
  const order = logits.map((logit, id) => ({ logit: f(logit), id }))
  order.sort((a, b) => b.logit - a.logit || a.id - b.id)
  const largest = order[0]!.logit
  return order.map(({ logit, id }) => {
    const x = f(f(logit - largest) * inverseTemperature)
    return { id, x, weight: weightOf(x) }
  })
}

/** The prefix of the order that truncation keeps, as the mass in which the draw falls. */
function keptMass(all: readonly Weighed[], s: DeviceSampling): bigint {
  const mass = (tokens: readonly Weighed[]) => tokens.reduce((sum, t) => sum + t.weight, 0n)
  let kept = mass(s.topK > 0 ? all.slice(0, s.topK) : all)
  if (s.topP > 0) {
    const target = (kept * BigInt(s.topP)) >> 32n || 1n
    let reached = 0n
    for (const t of all) {
      reached += t.weight
      if (reached >= target) break
    }
    kept = reached
  }
  const likely = mass(all.filter((t) => t.x >= s.minPLog))
  // biome-ignore lint/complexity/useMathMinMax: these are bigints
  return likely < kept ? likely : kept
}

/** The tokens before a row: those of the prompt, and those that were generated, in any order. */
export interface TokenHistory {
  readonly prompt: readonly number[]
  readonly generated: readonly number[]
}

/** Logits after penalties and biases (codegen/device/engine/history.h). */
export function editedLogits(logits: readonly number[], params: SamplingParams, history: TokenHistory): number[] {
  const s = deviceSampling(params)
  const count = new Map<number, number>()
  for (const token of history.generated) count.set(token, (count.get(token) ?? 0) + 1)
  const seen = new Set([...history.prompt, ...history.generated])
  return logits.map((raw, id) => {
    let logit = f(raw)
    if (seen.has(id)) logit = f(logit * (logit > 0 ? s.inverseRepetition : s.repetition))
    const times = count.get(id) ?? 0
    if (times > 0) logit = f(fma(-s.frequency, times, logit) - s.presence)
    return f(logit + f(params.logitBias?.get(id) ?? 0))
  })
}

const noHistory: TokenHistory = { prompt: [], generated: [] }

/** The token that will stand at `position`. Logits beyond those that may be chosen are left out by the caller. */
export function sampleReference(
  raw: readonly number[],
  params: SamplingParams,
  position: number,
  history: TokenHistory = noHistory,
): number {
  const s = deviceSampling(params)
  const logits = editedLogits(raw, params, history)
  if (s.inverseTemperature === 0) return ranked(logits, 1)[0]!.id
  const all = ranked(logits, s.inverseTemperature)
  const [low, high] = philox(s.seed, [position, purposeToken, 0, 0])
  const uniform = (BigInt(high) << 32n) | BigInt(low)
  const draw = (uniform * keptMass(all, s)) >> 64n
  let reached = 0n
  for (const t of all) {
    reached += t.weight
    if (reached > draw) return t.id
  }
  throw new Error('unreachable: the draw lies below the kept mass')
}

/** The distribution that sampling follows, from its textbook definition in float64. */
export function distribution(logits: readonly number[], params: SamplingParams): number[] {
  const temperature = params.temperature ?? 0
  const order = logits.map((_, id) => id).sort((a, b) => logits[b]! - logits[a]! || a - b)
  if (temperature === 0) return logits.map((_, id) => (id === order[0] ? 1 : 0))
  const largest = logits[order[0]!]!
  const weight = (id: number) => Math.exp((logits[id]! - largest) / temperature)
  const total = (ids: readonly number[]) => ids.reduce((sum, id) => sum + weight(id), 0)
  let kept = params.topK ? order.slice(0, params.topK) : order
  if (params.topP !== undefined && params.topP < 1) {
    const target = params.topP * total(kept)
    let reached = 0
    kept = kept.filter((id) => {
      const needed = reached < target
      reached += weight(id)
      return needed
    })
  }
  kept = kept.filter((id) => weight(id) >= (params.minP ?? 0))
  const sum = total(kept)
  return logits.map((_, id) => (kept.includes(id) ? weight(id) / sum : 0))
}
