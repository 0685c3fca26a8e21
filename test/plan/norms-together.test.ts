/** Which norms go side by side: neighbours that need nothing of one another. */
import { describe, expect, it } from 'vitest'
import type { NormedPhase, Phase } from '../../compiler/tile/ir.ts'
import { normsTogether } from '../../compiler/tile/norms-together.ts'
import { nanoDrafterGraphs, planOf } from '../support/plans.ts'

const { phases } = planOf(nanoDrafterGraphs(), { ranks: 2 })
const normedIn = (name: string) =>
  phases.segments.find((s) => s.name === name)!.phases.filter((p): p is NormedPhase => p.kind === 'normed')

describe('norms of a drafter', () => {
  it.each([
    ['queries and keys of a draft', 'draft_sliding_dense', ['{layer}.self_attn.q_norm', '{layer}.self_attn.k_norm']],
    ['keys of all layers in a commit', 'commit_begin', [0, 1, 2, 3].map((l) => `layers.${l}.self_attn.k_norm`)],
  ])('%s are one phase', (_, name, params) => {
    const found = normedIn(name)
    expect(found.map((p) => p.parts.map((part) => part.norm.param))).toEqual([params])
  })
})

describe('neighbours', () => {
  const [one] = normedIn('commit_begin')
  const norm = (reads: string, writes: string): NormedPhase => ({
    ...one!,
    name: `${reads} to ${writes}`,
    parts: one!.parts.slice(0, 1),
    reads: [reads],
    writes: [writes],
  })
  const names = (list: readonly Phase[]) => list.map((p) => (p.kind === 'normed' ? p.parts.length : p.name))

  it('of which one reads what the other makes stay apart', () => {
    expect(names(normsTogether([norm('a', 'b'), norm('b', 'c')]))).toEqual([1, 1])
    expect(names(normsTogether([norm('a', 'b'), norm('c', 'd'), norm('b', 'e')]))).toEqual([2, 1])
  })
  it('that write over what the other reads, or writes, stay apart', () => {
    expect(names(normsTogether([norm('a', 'b'), norm('c', 'a')]))).toEqual([1, 1])
    expect(names(normsTogether([norm('a', 'b'), norm('c', 'b')]))).toEqual([1, 1])
  })
  it('with something between them stay where they are', () => {
    const between = phases.segments.flatMap((s) => s.phases).find((p) => p.kind === 'product')!
    expect(names(normsTogether([norm('a', 'b'), between, norm('c', 'd')]))).toEqual([1, between.name, 1])
  })
})
