import { expect, test } from 'vitest'
import { z } from 'zod'
import { DiagnosticError, InternalError } from '../../compiler/diagnostics/diagnostic.ts'
import { buildGraph } from '../../compiler/frontend/build-graph.ts'
import { assertGraph, graphViolations } from '../../compiler/graph/check-graph.ts'
import { printGraph, printNode } from '../../compiler/graph/print-graph.ts'
import type { GraphBuilder } from '../../dsl/builder.ts'
import type { Graph, GraphNode } from '../../dsl/graph.ts'
import {
  activation,
  add,
  applyTile,
  attention,
  bf16,
  combine,
  defineModel,
  dim,
  expertLinear,
  f32,
  linear,
  map,
  mul,
  norm,
  pairedMatrix,
  parallelDim,
  result,
  rope,
  route,
  scale,
  sigmoid,
  silu,
  slice,
  sqrt,
  type Tensor,
  tanh,
  tileOp,
  weight,
} from '../../dsl/index.ts'
import { atSpan, currentSpan, spanOfThrown } from '../../dsl/where.ts'

const hidden = dim('hidden', 64)
const token = parallelDim('token', 128)
const build = (body: (m: GraphBuilder, x: Tensor<[typeof hidden]>) => Tensor<[typeof hidden]>): Graph =>
  buildGraph(
    defineModel('test', z.strictObject({}), (m) => {
      const x = m.embed(weight('embed', [token, hidden], bf16))
      m.logits(linear(body(m, x), weight('head', [token, hidden], bf16)), { valid: 100 })
    }),
    {},
  )

/** A model that uses every op, in shapes unlike MiMo's. */
const everything = (): Graph =>
  build((m, x) => {
    const kv = parallelDim('kv', 2)
    const group = dim('group', 3)
    const [qd, vd] = [dim('qd', 8), dim('vd', 4)]
    const attended = m.scope('layers.0', () => {
      const h = norm(x, weight('norm', [hidden], f32), {
        stat: (v) => v.mul(v),
        apply: (v, mean, w) => v.div(sqrt(mean)).mul(w),
      })
      const all = linear(h, weight('qkv', [kv, dim('rows', 36), hidden], bf16), { phase: 'qkv' })
      const q = rope(slice(all, 'rows', 0, [group, qd]), { theta: 100, rotary: 4 })
      const k = slice(all, 'rows', 24, [qd])
      const v = scale(slice(all, 'rows', 32, [vd]), 2)
      const mixed = attention(q, k, v, { scale: 1, window: 5, sink: weight('sink', [kv, group], bf16) })
      return add(x, linear(mixed, weight('o', [hidden, kv, group, vd], bf16)))
    })
    m.tap(0, attended)
    const expert = dim('expert', 6)
    const chosen = route(linear(attended, weight('router', [expert, hidden], bf16)), {
      score: sigmoid,
      bias: weight('bias', [expert], f32),
      choose: (s, b) => s.add(b),
      topK: 2,
      normalise: false,
      factor: 2.5,
    })
    const up = expertLinear(attended, chosen, weight('up', [expert, dim('inter', 16), hidden], bf16))
    const down = expertLinear(silu(up), chosen, weight('down', [expert, hidden, dim('inter', 16)], bf16))
    return mul(
      combine(down, chosen),
      map(attended, (v) => v.max(0)),
    )
  })

test('a graph of every op satisfies its spec and prints', () => {
  const g = everything()
  expect(graphViolations(g)).toEqual([])
  expect(new Set(g.nodes.map((n) => n.op)).size).toBe(12)
  expect(printGraph(g)).toBe(printGraph(everything()))
  expect(printGraph(g)).toContain(
    '  %8 [kv=2, group=3, vd=4] = attention(%4, %5, %7) scale=1 window=5 sink=layers.0.sink',
  )
  expect(printGraph(g)).toContain('param layers.0.o [hidden=64, kv=2, group=3, vd=4] bf16 parallel kv')
})

test('a weight used twice is one parameter', () => {
  const g = build((_, x) => {
    const w = weight('w', [hidden, hidden], bf16)
    return linear(linear(x, w), w)
  })
  expect(g.params.map((p) => p.name)).toEqual(['embed', 'w', 'head'])
})

test('all mistakes of one run are found', () => {
  const mistaken = () =>
    build((m, x) => {
      const y = linear(x, weight('a', [hidden, dim('hidden', 32 as number)], bf16))
      const r = rope(add(x, y), { theta: -1, rotary: 7 })
      m.logits(linear(r, weight('early', [token, hidden], bf16)))
      return r
    })
  expect(mistaken).toThrow(DiagnosticError)
  try {
    mistaken()
  } catch (error) {
    expect((error as DiagnosticError).diagnostics.map((d) => d.code)).toEqual([
      'TILE1020',
      'TILE1028',
      'TILE1028',
      'TILE1042',
    ])
  }
})

test('values of another model are refused', () => {
  let stray: Tensor<[typeof hidden]> | undefined
  build((_, x) => {
    stray = x
    return x
  })
  expect(() => build((_, x) => add(x, stray!))).toThrow(/belongs to model 'test'/)
})

/** Each change must break the spec, and the message must name the node. */
const mutations: [what: string, change: (n: GraphNode) => GraphNode | undefined, message: RegExp][] = [
  ['forward input', (n) => (n.op === 'norm' ? { ...n, inputs: [n.id] } : undefined), /do not point backwards/],
  ['wrong id', (n) => (n.op === 'rope' ? { ...n, id: 0 } : undefined), /id is 0/],
  ['wrong dims', (n) => (n.op === 'rope' ? { ...n, dims: [hidden] } : undefined), /rope: changes dims/],
  ['missing param', (n) => (n.op === 'linear' ? { ...n, param: 'nowhere' } : undefined), /'nowhere' is not listed/],
  ['rotary too large', (n) => (n.op === 'rope' ? { ...n, rotary: 10 } : undefined), /rotary 10 out of range/],
  ['slice outside', (n) => (n.op === 'slice' ? { ...n, start: 30 } : undefined), /outside the dim/],
  ['topK of zero', (n) => (n.op === 'route' ? { ...n, topK: 0 } : undefined), /topK out of range/],
  [
    'lost input',
    (n) => (n.op === 'combine' ? { ...n, inputs: n.inputs.slice(1) } : undefined),
    /takes 2 inputs, has 1/,
  ],
  ['no route', (n) => (n.op === 'combine' ? { ...n, inputs: [n.inputs[0]!, 0] } : undefined), /is no route/],
  [
    'expression of too much',
    (n) => (n.op === 'map' ? { ...n, expr: { kind: 'input', index: 9 } } : undefined),
    /reads an input that there is not/,
  ],
]
test.each(mutations)('spec check: %s', (_, change, message) => {
  const g = everything()
  const at = g.nodes.findIndex((n) => change(n) !== undefined)
  const broken = { ...g, nodes: g.nodes.map((n, i) => (i === at ? change(n)! : n)) }
  expect(graphViolations(broken).join('\n')).toMatch(message)
  expect(() => assertGraph(broken, 'a pass')).toThrow(InternalError)
})

test('the innermost call in progress is where things are built', () => {
  const span = (start: number) => ({ file: 'm.ts', start, end: start + 1 })
  expect(atSpan(span(1), () => atSpan(span(2), currentSpan))).toEqual(span(2))
  const error = new Error('x')
  expect(() =>
    atSpan(span(1), () =>
      atSpan(span(2), () => {
        throw error
      }),
    ),
  ).toThrow(error)
  expect(spanOfThrown(error)).toEqual(span(2))
  expect(currentSpan()).toBeUndefined()
})

test('a tile op of a model is nodes of its phase', () => {
  const tiles = tileOp('scaled.up', { x: activation, w: pairedMatrix, out: result }, (t, { x, w, out }) => {
    const [rows] = t.over(w.rows(16))
    const acc = t.zeros()
    t.loop(w.k(32), (k) => t.mma(acc, t.dequant(t.load(w.page(rows, k))), t.staged(x.at(k))))
    const [a, b] = t.pair(t.join(acc))
    t.store(
      out.at(rows),
      t.map(t.map(a, tanh), b, (p, q) => p.sub(q)),
    )
  })
  const g = build((_, x) => {
    const w = (name: string) => weight(name, [hidden, hidden], bf16)
    return applyTile(tiles, { x, w: [w('a'), w('b')] }, { out: [hidden] })
  })
  expect(g.nodes.slice(1, 5).map(printNode)).toEqual([
    '%1 [scaled.up] [hidden=64] = linear(%0) param=a',
    '%2 [scaled.up] [hidden=64] = linear(%0) param=b',
    '%3 [hidden=64] = map(%1) expr=tanh(a)',
    '%4 [hidden=64] = map(%3, %2) expr=(a - b)',
  ])
})
