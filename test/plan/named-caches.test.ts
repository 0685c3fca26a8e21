/** A drafter's programs and the caches that they name: one kind of layer for all, one place and one identity for each cache. */
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { Step } from '../../compiler/plan/ir.ts'
import { isFixed } from '../../compiler/plan/place-caches.ts'
import { phaseViolations } from '../../compiler/tile/check-phases.ts'
import { cacheIn, namedCache } from '../../compiler/tile/named-caches.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { nanoDrafterGraphs, planOf } from '../support/plans.ts'

const { phases, plan } = planOf(nanoDrafterGraphs(), { ranks: 2 })

describe('layers of a draft that differ in nothing but their layer', () => {
  it('are one kind, so that their code is there once', () => {
    const kinds = phases.segments.filter((s) => s.name.startsWith('draft_') && s.layers.length > 0)
    expect(kinds.map((s) => s.layers)).toEqual([['layers.0', 'layers.1', 'layers.2', 'layers.3']])
  })

  it('find in their part what commit has remembered at a place of its own', () => {
    const at = (name: string, entry = 0): number => {
      const b = plan.buffers.find((x) => x.name === name)!
      return b.offset + (isFixed(b) ? 0 : plan.entries[entry]!.kvOffset)
    }
    const draft = plan.segments.findIndex((s) => s.name === 'draft_sliding_dense')
    const entries = plan.entries.flatMap((e, i) => (e.segment === draft ? [i] : []))
    for (const form of ['keys', 'values'])
      expect(entries.map((e) => at(`cache {layer}.${form} in draft_sliding_dense`, e))).toEqual(
        [0, 1, 2, 3].map((l) => at(`cache layers.${l}.${form}`)),
      )
  })
})

it('two kinds of layers do not share a buffer because their caches have one relative name', () => {
  const [a, b] = ['narrow', 'wide'].map((kind) => namedCache('layers.3.kv', 'keys', kind, 'layers.3'))
  expect(a).not.toEqual(b)
  expect([a, b].map((cache) => cacheIn(cache!, 'layers.3'))).toEqual(['layers.3.kv.keys', 'layers.3.kv.keys'])
  expect(cacheIn(namedCache('layers.3.kv', 'keys', 'commit_begin', undefined), undefined)).toBe('layers.3.kv.keys')
})

it.each([
  [{ name: 'layers.0.keys', segment: 'draft_sliding_dense' }, /is 'layers\.0\.keys' of segment 'draft_sliding_dense'/],
  [{ name: '{layer}.keys' }, /is '\{layer\}\.keys' of segment 'undefined'/],
  [{ name: '{layer}.keys', segment: 'nowhere' }, /segment 'nowhere' does not exist/],
  [{ name: '{layer}.keys', segment: 'sliding_dense' }, /of segment 'sliding_dense', but 'draft_sliding_dense' uses it/],
  [{ name: '{layer}.values', segment: 'draft_sliding_dense' }, /and so are 1 others/],
])('the spec refuses a buffer that is %j', (cache, message) => {
  const buffers = phases.buffers.map((b) =>
    b.cache?.segment !== undefined && b.form.kind === 'keys' ? { ...b, cache } : b,
  )
  expect(phaseViolations(phases)).toEqual([])
  expect(phaseViolations({ ...phases, buffers }).join('\n')).toMatch(message)
})

it('the proof knows a cache by whatever name: a draft must not touch what a commit is still remembering', () => {
  const hasty = (steps: readonly Step[]): Step[] => steps.filter((s) => s.kind !== 'wait')
  const segments = plan.segments.map((s) => {
    if (s.name !== 'commit_end' && !s.name.startsWith('draft_')) return s
    const phases = s.phases.map((p) => {
      const { load, compute, epilogue, communicate } = p.roles
      return { ...p, roles: { communicate, load: hasty(load), compute: hasty(compute), epilogue: hasty(epilogue) } }
    })
    return { ...s, phases }
  })
  const session = new Session()
  provePlan({ ...plan, segments }, { session })
  const races = session.diagnostics.filter((d) => d.code === 'TILE2102').map((d) => d.message)
  expect(races.filter((m) => m.includes('draft_sliding_dense') && m.includes('commit_begin'))).not.toEqual([])
})
