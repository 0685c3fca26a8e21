/**
 * The drafter's programs on the reference, against its description written out, and against each way in which engines are
 * known to have got it wrong: every one of them gives other logits, so a faulty graph or engine cannot pass as this one.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDrafterReference } from '../../compiler/reference/drafting.ts'
import { createReference } from '../../compiler/reference/reference.ts'
import type { Graph, GraphNode } from '../../dsl/graph.ts'
import { type LoadedDrafter, loadDrafter, smallDrafter, writeSmallDrafter } from '../support/small-drafter.ts'
import { type Definition, definition } from './definition.ts'

const tokens = [3, 17, 41, 5, 8, 29, 11, 2, 40]
const p = tokens.length
const anchor = { token: 23, position: p }
const rows = tokens.map((token, position) => ({ token, position }))
const ctx = 64

let folder: string
let loaded: LoadedDrafter
let written: Definition
let expected: readonly (readonly number[])[]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilec-'))
  writeSmallDrafter(folder)
  loaded = loadDrafter(folder)
  written = definition(loaded.checkpoint, loaded.target.checkpoint, {
    layers: 2,
    heads: 4,
    kv: 2,
    qd: 16,
    vd: 8,
    rotary: 8,
    theta: 100,
    window: 6,
    valueScale: 0.612,
    epsilon: 1e-5,
    block: 8,
  })
  const taps = targetTaps(loaded)
  for (const { position } of rows)
    written.commit(
      taps.map((layer) => [...layer[position]!]),
      position,
    )
  expected = written.draft(anchor.token, p)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** By layer, by row. */
function targetTaps({ target }: LoadedDrafter): readonly (readonly Float64Array[])[] {
  const step = createReference(target.graph, target.params, { ctx }).step(rows)
  return [...step.taps.values()]
}

interface Fault {
  readonly commit?: (graph: Graph) => Graph
  readonly draft?: (graph: Graph) => Graph
  readonly taps?: readonly (readonly Float64Array[])[]
  /** Where the context says that it is. */
  readonly shift?: number
}

/** Logits of the block, with something wrong. */
function drafted(fault: Fault = {}): number[][] {
  const { built, params } = loaded
  const same = (g: Graph): Graph => g
  const { commit = same, draft = same } = fault
  const programs = { commit: commit(built.commit), draft: draft(built.draft) }
  const reference = createDrafterReference(programs, params, { ctx, block: built.block })
  const layers = fault.taps ?? targetTaps(loaded)
  const taps = rows.flatMap(({ position }) => layers.flatMap((layer) => [...layer[position]!]))
  reference.commit(rows, Float64Array.from(taps))
  const { shift = 0 } = fault
  return reference.draft({ ...anchor, position: p + shift }).logits.map((row) => [...row])
}

/** The largest difference of a logit, over the rows that propose. */
function distance(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number {
  return Math.max(...a.slice(1).flatMap((row, r) => row.map((z, i) => Math.abs(z - b[r + 1]![i]!))))
}

const only =
  <K extends GraphNode['op']>(op: K, edit: (node: Extract<GraphNode, { op: K }>) => GraphNode) =>
  (graph: Graph): Graph => ({
    ...graph,
    nodes: graph.nodes.map((n) => (n.op === op ? edit(n as Extract<GraphNode, { op: K }>) : n)),
  })

test('the graph is the description', () => {
  expect(distance(drafted(), expected)).toBeLessThan(1e-9)
  expect(Math.abs(drafted()[0]![0]! - expected[0]![0]!)).toBeLessThan(1e-9)
})

describe('known faults', () => {
  const unscaled = only('map', (n) => (n.inputs.length === 1 ? { ...n, expr: { kind: 'input', index: 0 } } : n))
  const faults: [what: string, fault: () => Fault][] = [
    [
      'the mask token takes its row of the embedding',
      () => ({
        draft: only('embed', ({ instead: _, ...n }) => n),
      }),
    ],
    [
      'rope turns the whole head',
      () => ({
        commit: only('rope', (n) => ({ ...n, rotary: 16 })),
        draft: only('rope', (n) => ({ ...n, rotary: 16 })),
      }),
    ],
    ['another theta for the context', () => ({ commit: only('rope', (n) => ({ ...n, theta: 500 })) })],
    ['the block is causal', () => ({ draft: only('attention', ({ block: _, ...n }) => n) })],
    ['no window', () => ({ draft: only('attention', ({ window: _, ...n }) => n) })],
    ['a window that is one too large', () => ({ draft: only('attention', (n) => ({ ...n, window: 7 })) })],
    ['a window that is one too small', () => ({ draft: only('attention', (n) => ({ ...n, window: 5 })) })],
    ['no sinks', () => ({ draft: only('attention', ({ sink: _, ...n }) => n) })],
    ['context values without their scale', () => ({ commit: unscaled })],
    ['block values without their scale', () => ({ draft: unscaled })],
    ['context rows pass an input norm', () => ({ commit: withInputNorm })],
    ['taps in another order', () => ({ taps: [...targetTaps(loaded)].reverse() })],
    ['a tap one layer too early', () => ({ taps: tapsAt([0, 1]) })],
    ['a tap before its residual', () => ({ taps: tapsAt([0, 2], 1) })],
    ['the last tap after the final norm', () => ({ taps: normedTaps() })],
    ['the context is a row behind', () => ({ taps: shiftedTaps() })],
  ]
  test.each(faults)('%s', (_, fault) => {
    expect(distance(drafted(fault()), expected)).toBeGreaterThan(1e-4)
  })

  test('the context is somewhere else', () => {
    // a block that starts later than the context ends has no meaning; one that starts earlier must not see what is later
    expect(() => drafted({ shift: 1 })).toThrow('the block starts at position 10, but the cache ends at 9')
    expect(distance(drafted({ shift: -1 }), expected)).toBeGreaterThan(1e-4)
    const earlier = drafted({ shift: -1 })
    expect(distance(earlier, written.draft(anchor.token, p - 1))).toBeLessThan(1e-9)
  })

  test('each switch changes the logits', () => {
    const base = drafted()
    for (const tilec of [
      { rope: 'backbone' },
      { rope: 'mixed' },
      { value_scale: false },
      { window_counts_self: false },
    ]) {
      const { built, params } = loadDrafter(folder, {}, tilec)
      const reference = createDrafterReference(built, params, { ctx, block: built.block })
      const layers = targetTaps(loaded)
      reference.commit(rows, Float64Array.from(rows.flatMap((r) => layers.flatMap((l) => [...l[r.position]!]))))
      expect(
        distance(
          reference.draft(anchor).logits.map((r) => [...r]),
          base,
        ),
        JSON.stringify(tilec),
      ).toBeGreaterThan(1e-4)
    }
    const raw = targetTaps(loaded)
    const normed = targetTaps(loadDrafter(folder, {}, { last_tap: 'post_norm' }))
    expect(normed[0]).toEqual(raw[0])
    expect(normed[1]).toEqual(normedTaps()[1])
  })
})

test('a block leaves nothing behind', () => {
  const { built, params } = loaded
  const caches = new Map()
  const reference = createDrafterReference(built, params, { ctx, block: built.block, caches })
  const layers = targetTaps(loaded)
  reference.commit(rows, Float64Array.from(rows.flatMap((r) => layers.flatMap((l) => [...l[r.position]!]))))
  const first = reference.draft(anchor).logits
  expect([...caches.values()].map((c) => c.length)).toEqual([p, p])
  expect(reference.draft(anchor).logits).toEqual(first)
})

test('the drafter of these tests is what it says', () => {
  expect(smallDrafter.dflash_config.swa_window_size).toBeLessThan(smallDrafter.block_size)
})

/** The residual stream after layers, or `back` residual additions before that. */
function tapsAt(layers: readonly number[], back = 0): readonly (readonly Float64Array[])[] {
  const { graph, params } = loaded.target
  const step = createReference(graph, params, { ctx }).step(rows)
  return layers.map((l) => {
    const sums = graph.nodes.filter((n) => n.op === 'map' && n.inputs.length === 2 && n.scope === `model.layers.${l}`)
    const value = step.value(sums.at(-1 - back)!.id)
    return rows.map((_, r) => value.subarray((r * value.length) / rows.length, ((r + 1) * value.length) / rows.length))
  })
}

function normedTaps(): readonly (readonly Float64Array[])[] {
  const { graph, params } = loaded.target
  const step = createReference(graph, params, { ctx }).step(rows)
  const norm = graph.nodes.find((n) => n.op === 'norm' && n.param === 'model.norm')!
  const value = step.value(norm.id)
  const size = value.length / rows.length
  return [targetTaps(loaded)[0]!, rows.map((_, r) => value.subarray(r * size, (r + 1) * size))]
}

/** The first layer's input norm between the context and all that reads it. */
function withInputNorm(graph: Graph): Graph {
  const param = loaded.built.draft.params.find((p) => p.name === 'layers.0.input_layernorm')!
  const at = graph.nodes.findIndex((n) => n.op === 'norm' && n.param === 'hidden_norm')
  const context = graph.nodes[at] as Extract<GraphNode, { op: 'norm' }>
  const later = graph.nodes.slice(at + 1).map((n) => ({
    ...n,
    id: n.id + 1,
    inputs: n.inputs.map((i) => (i >= at ? i + 1 : i)),
  }))
  const extra = { ...context, id: at + 1, inputs: [at], param: param.name }
  return { ...graph, params: [...graph.params, param], nodes: [...graph.nodes.slice(0, at + 1), extra, ...later] }
}

/** The taps of the row before. */
function shiftedTaps(): readonly (readonly Float64Array[])[] {
  return targetTaps(loaded).map((layer) => layer.map((_, r) => layer[Math.max(0, r - 1)]!))
}
