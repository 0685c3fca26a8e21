/**
 * Fewer KV heads than ranks: ranks share a head, each with a part of its queries. One projection is fused and cut by slices, the
 * other is three; the logits are the same to the bit on 1, 2, 4 and 8 ranks, and those of the reference within rounding.
 */
import { expect, it } from 'vitest'
import { bf16Reference } from '../../compiler/reference/bf16.ts'
import { createReference } from '../../compiler/reference/reference.ts'
import {
  add,
  attention,
  bf16,
  type Dim,
  defineModel,
  dim,
  linear,
  mxfp4,
  parallelDim,
  rmsNorm,
  rope,
  scale,
  scheduleOf,
  slice,
  swiglu,
  type Tensor,
  weight,
} from '../../dsl/index.ts'
import { startHostEngine } from '../support/host-engine.ts'
import { buildQuickly } from '../support/quick-builds.ts'
import { syntheticParams } from '../support/synthetic-params.ts'

buildQuickly()

const hidden = dim('hidden', 128)
type Rows = Tensor<[Dim<'hidden', 128>]>

const model = defineModel('shared', { safeParse: (data) => ({ success: true, data }) }, (m) => {
  const vocabulary = parallelDim('vocabulary', 128)
  const [kv, group, head] = [parallelDim('kv', 2), dim('group', 4), dim('head', 32)]
  const dense = parallelDim('dense', 256)
  const turn = { theta: 500, rotary: 16 }
  const normed = (x: Rows, name: string): Rows => rmsNorm(x, weight(name, [hidden], bf16), 1e-5)

  const fused = (h: Rows) => {
    const qkv = dim('qkv', 6 * head.size)
    const all = linear(h, weight('qkv', [kv, qkv, hidden], bf16), { phase: 'qkv' })
    return {
      q: rope(slice(all, 'qkv', 0, [group, head]), turn),
      k: rope(slice(all, 'qkv', 4 * head.size, [head]), turn),
      v: scale(slice(all, 'qkv', 5 * head.size, [head]), 0.7),
    }
  }
  const apart = (h: Rows) => ({
    q: rope(linear(h, weight('q', [kv, group, head, hidden], bf16), { phase: 'q' }), turn),
    k: rope(linear(h, weight('k', [kv, head, hidden], mxfp4), { phase: 'k' }), turn),
    v: linear(h, weight('v', [kv, head, hidden], bf16), { phase: 'v' }),
  })

  let x: Rows = m.embed(weight('embed', [dim('token', 128), hidden], bf16))
  for (const [l, project] of [fused, apart].entries()) {
    m.scope(`layers.${l}`, () => {
      const { q, k, v } = project(normed(x, 'norm1'))
      const mixed = attention(q, k, v, {
        scale: 0.2,
        window: l === 0 ? 11 : undefined,
        sink: weight('sink', [kv, group], bf16),
      })
      x = add(x, linear(mixed, weight('o', [hidden, kv, group, head], bf16), { phase: 'o' }))
      const gated = swiglu(normed(x, 'norm2'), {
        gate: weight('gate', [dense, hidden], bf16),
        up: weight('up', [dense, hidden], bf16),
        down: weight('down', [hidden, dense], bf16),
      })
      x = add(x, gated)
    })
  }
  m.logits(linear(normed(x, 'final'), weight('head', [vocabulary, hidden], bf16), { phase: 'head' }))
})

const graph = model.build({}, ({ message }) => {
  throw new Error(message)
})
const schedule = scheduleOf({
  roles: { load: { warps: 1 }, compute: { warps: 4 }, epilogue: { warps: 1 }, communicate: { warps: 1 } },
  ring: { name: 'weights', depth: 4, pageBytes: 32 * 1024 },
  exchangeAs: 'exact',
  sms: 2,
})
const { source, params } = syntheticParams(graph, 7, 0.9)
const tokens = Array.from({ length: 29 }, (_, i) => (i * 37 + 5) % 128)

async function logitsOn(ranks: number): Promise<Float32Array[]> {
  const engine = await startHostEngine({ graph, schedule, ranks, ctx: 64, check: true, sources: source })
  try {
    return await engine.logits(tokens)
  } finally {
    await engine.close()
  }
}

it('has the same logits to the bit however many ranks share a head', { timeout: 300_000 }, async () => {
  const one = await logitsOn(1)
  const block = tokens.map((token, position) => ({ token, position }))
  const want = createReference(graph, params, { ctx: 64 }).step(block).logits
  const rounded = bf16Reference(graph, params, 64).step(block).logits
  const worst = (rows: readonly ArrayLike<number>[]): number =>
    Math.max(...want.map((row, i) => row.reduce((m, v, n) => Math.max(m, Math.abs(v - rows[i]![n]!)), 0)))
  expect(worst(one)).toBeLessThan(2 * worst(rounded))
  for (const ranks of [2, 4, 8]) expect([ranks, await logitsOn(ranks)]).toEqual([ranks, one])
})
