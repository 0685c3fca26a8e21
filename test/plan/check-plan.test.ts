/** The specs of tile and plan level hold for what the compiler makes, and notice what they are there for. */
import { describe, expect, it } from 'vitest'
import { planViolations } from '../../compiler/plan/check-plan.ts'
import type { Plan } from '../../compiler/plan/ir.ts'
import { phaseViolations } from '../../compiler/tile/check-phases.ts'
import type { PhaseProgram } from '../../compiler/tile/ir.ts'
import { mimoGraph, nanoConfig, nanoDrafterGraphs, planOf, proPlan } from '../support/plans.ts'

describe('specs hold', () => {
  it.each([1, 2, 4, 8])('nano, %i ranks', (ranks) => {
    const { phases, plan } = planOf([mimoGraph(nanoConfig)], { ranks })
    expect(phaseViolations(phases)).toEqual([])
    expect(planViolations(plan)).toEqual([])
  })
  it.each([1, 8])('nano with its drafter, %i ranks', (ranks) => {
    const { phases, plan } = planOf(nanoDrafterGraphs(), { ranks })
    expect(phaseViolations(phases)).toEqual([])
    expect(planViolations(plan)).toEqual([])
  })
  it('the large model', () => {
    expect(planViolations(proPlan())).toEqual([])
  })
})

describe('specs notice', () => {
  const { phases, plan } = planOf([mimoGraph(nanoConfig)], { ranks: 2 })
  const planCases: [string, Plan, RegExp][] = [
    [
      'a buffer on top of another',
      { ...plan, buffers: plan.buffers.map((b) => (b.name === 'x.plain' ? { ...b, offset: b.offset - 128 } : b)) },
      /overlaps/,
    ],
    ['a site without a name', { ...plan, sites: plan.sites.slice(0, -1) }, /has no name/],
    [
      'a counter that is gone',
      { ...plan, tallies: plan.tallies.filter((t) => t.name !== 'x') },
      /counter 'x' does not exist/,
    ],
    ['weights outside the image', { ...plan, imageBytes: plan.imageBytes - 4096 }, /leave the image/],
    ['a wrong sum of shared memory', { ...plan, sharedBytes: plan.sharedBytes + 1 }, /areas make/],
  ]
  const { plan: drafted } = planOf(nanoDrafterGraphs(), { ranks: 1 })
  const withParts = (part: (kvOffset: number, entry: number) => number): Plan => ({
    ...drafted,
    entries: drafted.entries.map((e, i) => ({ ...e, kvOffset: part(e.kvOffset, i) })),
  })
  const moved: Plan = {
    ...drafted,
    buffers: drafted.buffers.map((b) => (b.name === 'cache layers.1.keys' ? { ...b, offset: b.offset + 128 } : b)),
  }
  planCases.push(
    [
      'a cache that lies elsewhere for another program',
      moved,
      /^kv: cache 'layers.1.keys' lies at \d+ and, at entry \d+, at \d+$/,
    ],
    [
      'two caches in one place',
      withParts((_, i) => drafted.entries[Math.max(1, i - 1)]!.kvOffset),
      /cache 'sliding_experts.qkv.keys@\d+' at \d+ overlaps/,
    ],
  )
  it.each(planCases)('%s', (_, broken, says) => {
    expect(planViolations(broken).join('\n')).toMatch(says)
  })
  const withFirst = (change: (p: PhaseProgram['segments'][number]['phases'][number]) => object): PhaseProgram => ({
    ...phases,
    segments: phases.segments.map((s, i) =>
      i === 1 ? { ...s, phases: s.phases.map((p, k) => (k === 0 ? ({ ...p, ...change(p) } as typeof p) : p)) } : s,
    ),
  })
  const phaseCases: [string, PhaseProgram, RegExp][] = [
    ['a read that nobody says', withFirst(() => ({ reads: [] })), /reads 'x.columns' without saying so/],
    ['a write of no buffer', withFirst((p) => ({ writes: [...p.writes, 'nothing'] })), /'nothing', which is no buffer/],
    [
      'a value that nobody makes',
      { ...phases, segments: phases.segments.map((s, i) => (i === 1 ? { ...s, phases: s.phases.slice(1) } : s)) },
      /which nobody has made/,
    ],
    [
      'layers that are not listed',
      { ...phases, segments: phases.segments.map((s) => ({ ...s, layers: [] })) },
      /is none of/,
    ],
  ]
  it.each(phaseCases)('%s', (_, broken, says) => {
    expect(phaseViolations(broken).join('\n')).toMatch(says)
  })
})
