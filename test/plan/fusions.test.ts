/** What a schedule's `fuse` decides: which small ops run with a phase, which in phases of their own, and what is refused. */
import { describe, expect, it } from 'vitest'
import { type Diagnostic, DiagnosticError, Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { Phase } from '../../compiler/tile/ir.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { readSchedule } from '../../dsl/schedule.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { schedule } from '../../dsl/schedule-text.ts'
import { mimoGraph, nanoConfig, planOf } from '../support/plans.ts'

const base = readSchedule(
  schedule`
    role load 1 warp | role compute 4 warps | role epilogue 1 warp | role communicate 1 warp
    ring weights 4 x 32 KiB
    exchange as exact
  `,
  ({ message }) => {
    throw new Error(message)
  },
)!
/** `norm, map -> o, qkv ; ...` */
const fusing = (text: string): Schedule => {
  const names = (list: string) => list.split(',').map((n) => ({ value: n.trim() }))
  const fusions = text.split(';').map((f) => {
    const [what, into] = f.split('->') as [string, string]
    return { what: names(what), into: names(into) }
  })
  return { ...base, fusions }
}
const graph = mimoGraph(nanoConfig)
const plan = (text: string) => planOf([graph], { ranks: 2, schedule: fusing(text) })
const segment = (text: string, kind: string): readonly Phase[] =>
  plan(text).phases.segments.find((s) => s.name.endsWith(kind))!.phases
const product = (phases: readonly Phase[], name: string) => {
  const found = phases.find((p) => p.name === name)
  if (found?.kind !== 'product') throw new Error(name)
  return found
}

function refusal(text: string): readonly Diagnostic[] {
  try {
    plan(text)
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics
    throw error
  }
  return []
}

describe('fuse', () => {
  it('leaves phases that it does not name to the compiler, which fuses all it can', () => {
    const phases = segment('norm -> router', 'experts')
    expect(phases.filter((p) => p.kind === 'normed' || p.kind === 'pointwise')).toEqual([])
  })

  it('that leaves out a norm makes it a phase, whose result is what the product stages', () => {
    const phases = segment('rope, map -> qkv', 'experts')
    expect(phases[0]!.kind).toBe('normed')
    expect(product(phases, 'qkv').norm).toBeUndefined()
    expect(phases[0]!.writes).toContain(product(phases, 'qkv').source)
    expect(product(phases, 'router').norm).toBeDefined()
  })

  it('of a rotary embedding has its angles found before the sum is awaited; nobody else finds any', () => {
    const segment = plan('norm, rope, map -> qkv').plan.segments.find((s) => s.name.endsWith('experts'))!
    const epilogue = (name: string): string[] =>
      segment.phases
        .flatMap((p) => (p.name === name ? p.roles.epilogue : []))
        .flatMap((s) => (s.kind === 'loop' ? s.body.map((b) => b.kind) : []))
    expect(epilogue('qkv')).toEqual(['rotations', 'await', 'finish', 'release'])
    expect(epilogue('router')).toEqual(['await', 'finish', 'release'])
  })

  it('decides for each reader of a norm', () => {
    const phases = segment('nothing -> router', 'experts')
    expect(product(phases, 'router').norm).toBeUndefined()
    expect(product(phases, 'expert.up').norm).toBeDefined()
  })

  it('that leaves out the residual makes it a phase behind the sum over ranks', () => {
    const phases = segment('nothing -> o', 'experts')
    const at = phases.findIndex((p) => p.name === 'o')
    expect(phases[at + 1]!.kind).toBe('pointwise')
    expect(product(phases, 'o').sections[0]!.elements.map((e) => e.kind)).toEqual(['acc', 'exchange', 'store'])
  })

  it('that leaves out an activation makes two products and a phase of it', () => {
    const names = segment('norm -> dense.up', 'dense').map((p) => p.name)
    expect(names).toEqual(expect.arrayContaining(['dense.up', 'dense.up2', 'map']))
  })

  it.each([
    'rope, map -> qkv',
    'nothing -> router, o, dense.down, expert.down',
    'rope, map -> qkv ; nothing -> dense.up, o, head, router, dense.down, expert.down ; map -> expert.up',
  ])('%s: the plan is proved', (text) => {
    const session = new Session()
    provePlan(plan(text).plan, { session })
    expect(session.diagnostics).toEqual([])
  })

  it.each([
    ['norm, map -> qkv', 'TILE2054', /'rope' cannot run apart from 'qkv'/, /fuse norm, map, rope -> qkv/],
    [
      'norm, rope -> qkv',
      'TILE2054',
      /'map' cannot run apart from 'qkv': 'attention' reads its result as values/,
      /fuse norm, rope, map -> qkv/,
    ],
    ['norm -> expert.up', 'TILE2054', /'map' cannot run apart from 'expert.up': rows of chosen experts/, /norm, map/],
    ['norm -> rooter', 'TILE2051', /nothing can be fused into 'rooter'/, /did you mean 'router'/],
    ['rope -> o', 'TILE2051', /'o' has no 'rope' beside it/, /it can take along: map/],
  ])('%s is refused', (text, code, message, help) => {
    expect(refusal(text).map((d) => [d.code, d.message, d.help])).toEqual([
      [code, expect.stringMatching(message), expect.stringMatching(help)],
    ])
  })
})
