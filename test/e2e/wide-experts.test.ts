/**
 * Experts so wide that the rows between `up` and `down` do not fit an SM's shared memory: every cell of `down` takes its rows from where
 * `up` left them. The host engine computes what the reference computes.
 */
import { expect, it } from 'vitest'
import { bf16Reference } from '../../compiler/reference/bf16.ts'
import { createReference } from '../../compiler/reference/reference.ts'
import {
  add,
  bf16,
  type Dim,
  defineModel,
  dim,
  experts,
  f32,
  linear,
  mxfp4,
  parallelDim,
  rmsNorm,
  route,
  scheduleOf,
  sigmoid,
  type Tensor,
  weight,
} from '../../dsl/index.ts'
import { buildForHost } from '../support/host-engine.ts'
import { buildQuickly } from '../support/quick-builds.ts'
import { syntheticParams } from '../support/synthetic-params.ts'

buildQuickly()

const hidden = dim('hidden', 128)
type Rows = Tensor<[Dim<'hidden', 128>]>

const model = defineModel('wide', { safeParse: (data) => ({ success: true, data }) }, (m) => {
  const vocabulary = parallelDim('vocabulary', 96)
  const [expert, inter] = [dim('expert', 6), parallelDim('inter', 2304)]
  const normed = (x: Rows, name: string): Rows => rmsNorm(x, weight(name, [hidden], bf16), 1e-5)

  const x: Rows = m.embed(weight('embed', [dim('token', 96), hidden], bf16))
  const h = normed(x, 'norm')
  const chosen = route(linear(h, weight('router', [expert, hidden], f32), { phase: 'router' }), {
    score: sigmoid,
    topK: 2,
    normalise: true,
  })
  const gate = weight('gate', [expert, inter, hidden], mxfp4)
  const up = weight('up', [expert, inter, hidden], mxfp4)
  const down = weight('down', [expert, hidden, inter], mxfp4)
  const mixed = add(x, experts(h, chosen, { gate, up, down }))
  m.logits(linear(normed(mixed, 'final'), weight('head', [vocabulary, hidden], bf16), { phase: 'head' }))
})

const schedule = scheduleOf({
  roles: { load: { warps: 1 }, compute: { warps: 4 }, epilogue: { warps: 1 }, communicate: { warps: 1 } },
  ring: { name: 'weights', depth: 2, pageBytes: 40 * 1024 },
  exchangeAs: 'f32',
  sms: 3,
})

it.each([
  { ranks: 1, units: 72, together: 8 },
  { ranks: 2, units: 36, together: 6 },
])('on $ranks ranks, $together of $units units of k at a time', { timeout: 120_000 }, async ({ ranks, together }) => {
  const graph = model.build({}, ({ message }) => {
    throw new Error(message)
  })
  const { source, params } = syntheticParams(graph, 5, 0.9)
  const built = await buildForHost({ graph, schedule, ranks, ctx: 64, check: true, sources: source })
  expect(built.compiled.source).toMatch(new RegExp(`Staged<${together}> x = \\{\\};[^}]*stage_routed<false>`))
  const engine = await built.start()
  try {
    const tokens = Array.from({ length: 21 }, (_, i) => (i * 29 + 5) % 96)
    const block = tokens.map((token, position) => ({ token, position }))
    const want = createReference(graph, params, { ctx: 64 }).step(block).logits
    const rounded = bf16Reference(graph, params, 64).step(block).logits
    const got = await engine.logits(tokens)
    const error = (rows: readonly ArrayLike<number>[]): number =>
      Math.max(
        ...want.map(
          (row, i) => Math.max(...row.map((v, n) => Math.abs(v - rows[i]![n]!))) / Math.max(...row.map(Math.abs)),
        ),
      )
    expect(error(got)).toBeLessThan(2 * error(rounded))
    expect(error(got)).toBeLessThan(0.1)
    expect(Math.max(...want[0]!)).not.toBe(Math.min(...want[0]!))
  } finally {
    await engine.close()
  }
})
