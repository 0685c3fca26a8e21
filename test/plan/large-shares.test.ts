/** Large models on few ranks and SMs: what an SM owns of an expert, and what a warp stages, is cut over pages; the plans are proved. */
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { Plan, ProductPlan, Step } from '../../compiler/plan/ir.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import type { Graph } from '../../dsl/graph.ts'
import { mimoGraph, nanoDrafterGraphs, planOf, proConfig } from '../support/plans.ts'

const flashConfig = 'models/mimo/configs/mimo-v2-flash.json'
const planFor = (config: string, ranks: number): Plan =>
  planOf([mimoGraph(config)], {
    ranks,
    sms: 32,
    schedule: {
      roles: (['load', 'compute', 'epilogue', 'communicate'] as const).map((name) => ({
        name,
        warps: name === 'compute' ? 4 : 1,
        registers: 248,
      })),
      ring: { depth: 2, pageBytes: 52 * 1024 },
    },
  }).plan

function products(plan: Plan): ProductPlan[] {
  const inside = (steps: readonly Step[]): ProductPlan[] =>
    steps.flatMap((s) => (s.kind === 'loop' ? inside(s.body) : 'product' in s ? [s.product] : []))
  return plan.segments.flatMap((s) => s.phases.flatMap((p) => inside(p.roles.compute)))
}

describe.each([
  ['mimo-v2.5-pro', proConfig, [1, 2, 4, 8]],
  ['mimo-v2-flash', flashConfig, [1, 2, 4]],
] as const)('%s', (_name, config, all) => {
  it.each(all)('on %i ranks', { timeout: 60_000 }, (ranks) => {
    const plan = planFor(config, ranks)
    const session = new Session()
    provePlan(plan, { session })
    expect(session.diagnostics).toEqual([])
    for (const { paging, geometry } of products(plan)) {
      if (!paging) continue
      const most = Math.ceil(Math.ceil(geometry.tiles / plan.sms) / paging.pages) * paging.experts
      expect(most * geometry.cellBytes).toBeLessThanOrEqual(plan.ring.pageBytes)
    }
  })
})

it('an expert that does not fit a page comes in several, several that do in one', () => {
  const paging = (ranks: number) => products(planFor(proConfig, ranks)).find((p) => p.paging)!.paging
  expect(paging(1)).toEqual({ experts: 1, pages: 4 })
  expect(paging(8)).toEqual({ experts: 2, pages: 1 })
})

it('a warp that cannot hold its part of k stages page by page, products with a norm never', () => {
  const restaged = (ranks: number) => [
    ...new Set(
      products(planFor(proConfig, ranks))
        .filter((p) => p.restaged)
        .map((p) => p.name),
    ),
  ]
  expect(restaged(1)).toEqual(['o', 'dense.down'])
  expect(restaged(8)).toEqual([])
})

it('taps that are cut over ranks lie whole on each: a rank stages its part of them', () => {
  const fcOf = (parallel: boolean): ProductPlan => {
    const graphs = nanoDrafterGraphs().map(
      (g) =>
        JSON.parse(
          JSON.stringify(g).replaceAll(
            '"name":"taps","size":1152,"parallel":false',
            `"name":"taps","size":1152,"parallel":${parallel}`,
          ),
        ) as Graph,
    )
    return products(planOf(graphs, { ranks: 2 }).plan).find((p) => p.name === 'fc')!
  }
  expect([fcOf(true).ofRank, fcOf(true).exchange, fcOf(true).geometry.units]).toEqual([true, 1, 18])
  expect([fcOf(false).ofRank, fcOf(false).exchange, fcOf(false).geometry.units]).toEqual([undefined, undefined, 36])
})
