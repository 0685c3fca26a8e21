/** Routing on order: the bias at which eight rows meet a given mean of experts, and what a cut graph keeps. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { buildGraph } from '../../compiler/frontend/build-graph.ts'
import { presetDrafter } from '../../compiler/frontend/presets.ts'
import { graphViolations } from '../../compiler/graph/check-graph.ts'
import { cutLayers } from '../../compiler/graph/cut-layers.ts'
import type { RouteNode } from '../../dsl/graph.ts'
import mimo from '../../models/mimo/graph.ts'
import { asset } from '../../runtime/paths.ts'
import { cutModel } from '../../runtime/session/cut-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { meanActive, routerBiases, uniformActive } from '../../runtime/session/synthetic-routing.ts'

const published = JSON.parse(readFileSync(asset('models', 'mimo', 'configs', 'mimo-v2.5-pro.json'), 'utf8'))
const pro = buildGraph(mimo, published)

describe('routing', () => {
  const router = pro.nodes.find((n): n is RouteNode => n.op === 'route')!

  it('at random meets 59.5 of 384 experts', () => {
    expect(uniformActive(384, 8)).toBeCloseTo(59.5, 1)
    expect(meanActive(router, 384, 0)).toBeCloseTo(59.5, -0.3)
    expect(new Set(routerBiases(pro, 'uniform').values())).toEqual(new Set([0]))
  })

  it('meets the mean that was asked for', () => {
    const biases = routerBiases(pro, 37)
    expect(biases.size).toBe(pro.nodes.filter((n) => n.op === 'route').length)
    expect(Math.abs(meanActive(router, 384, [...biases.values()][0]!) - 37)).toBeLessThan(0.6)
  })
})

describe('the drafter of a preset', () => {
  it('comes with V2.5-Pro, where weights are made up, and goes with the layers that it taps', () => {
    const resolved = resolveModel({ model: 'mimo-v2.5-pro', drafter: presetDrafter('mimo-v2.5-pro') })
    expect(resolved.drafter?.built.block.rows).toBe(8)
    expect(cutModel(resolved, 70).drafter).toBeDefined()
    expect(cutModel(resolved, 8).drafter).toBeUndefined()
    expect(presetDrafter('mimo-v2-flash')).toBeUndefined()
    expect(presetDrafter('/some/folder')).toBeUndefined()
  })
})

describe('a cut graph', () => {
  const cut = (layers: number) => {
    const session = new Session()
    const graph = cutLayers(pro, layers, session)
    return { graph, codes: session.diagnostics.map((d) => d.code) }
  }

  it('is a graph with fewer layers, whose end reads what the last of them made', () => {
    const { graph, codes } = cut(3)
    expect(codes).toEqual([])
    expect(graphViolations(graph)).toEqual([])
    expect(graph.params.some((p) => p.name.startsWith('model.layers.2.'))).toBe(true)
    expect(graph.params.some((p) => p.name.startsWith('model.layers.3.'))).toBe(false)
    expect(graph.nodes.at(-1)!.op).toBe('logits')
  })

  it('of all layers is the graph itself', () => {
    expect(cut(published.num_hidden_layers).graph).toEqual(pro)
  })

  it('has at least one layer and no more than there are', () => {
    expect(cut(0).codes).toEqual(['TILE5108'])
    expect(cut(71).codes).toEqual(['TILE5108'])
  })
})
