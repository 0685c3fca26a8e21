/** A sum in two shots that goes wrong is refused, and why: a hop that is missing, an owner that nobody sends to, packets overwritten. */
import { describe, expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { addsParts, type Plan, type Step, takesSums } from '../../compiler/plan/ir.ts'
import type { Findings } from '../../compiler/verify/machine.ts'
import { mutantsOf } from '../../compiler/verify/mutate-plan.ts'
import { proveOrder, scenarios } from '../../compiler/verify/prove-order.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { nanoPlan } from '../support/plans.ts'

const plan = nanoPlan({ ranks: 8, epilogueWarps: 2, schedule: { shots: 2 } })

function refused(mutant: string): { readonly code: string; readonly message: string } {
  const found = [...mutantsOf(plan)].find((m) => m.name === mutant)
  const session = new Session()
  provePlan(found!.plan, { session })
  const { code, message } = session.diagnostics[0]!
  return { code, message }
}

describe('every tile goes all of its way', () => {
  it.each([
    [
      'compute loop: dropped',
      /^tiles are sent under epoch 1, added under epoch none, sent on under epoch none, received/,
    ],
    [
      'compute send sum: dropped',
      /^tiles are sent under epoch 1, added under epoch 1, sent on under epoch none, received/,
    ],
    ['compute send sum: twice', /sent on under epoch 1,1/],
    ['compute add parts: under the next epoch', /added under epoch 2/],
    ['compute loop: of other owners', /^tiles are sent to owners among 8 ranks, and added by owners among 4$/],
    [
      'compute send sum: before the parts are added',
      /^the sum of a tile is not sent to every rank when its parts have been added$/,
    ],
  ])('%s', (what, message) => {
    const found = refused(`full_dense.o/${what}`)
    expect(found.code).toBe('TILE2106')
    expect(found.message).toMatch(message)
  })

  it('all tiles are added', () => {
    const loops = plan.segments[1]!.phases.find((p) => p.name === 'o')!.roles.compute.filter((s) => s.kind === 'loop')
    const { domain } = loops.find(addsParts)!
    expect(domain).toEqual({ kind: 'owned', count: expect.any(Number), ranks: 8 })
    expect(loops.indexOf(loops.find(addsParts)!)).toBe(loops.indexOf(loops.find(takesSums)!) - 1)
  })
})

it('a warp that waits for sums before it has added what it owns waits for itself', () => {
  const { code, message } = refused('full_dense.o/compute loop: behind the sums')
  expect(code).toBe('TILE2101')
  expect(message).toMatch(/^no role can go on/)
})

describe('no packet overwrites what may still be read', () => {
  /** What the proof of order alone finds, of reads and of packets. */
  function races(of: Plan): string[] {
    const found = new Set<string>()
    const nothing = (): void => {}
    const findings: Findings = {
      race: (region, earlier, later) => void found.add(`${region}: ${earlier.source.text}, ${later.source.text}`),
      ...{ mismatch: nothing, alias: nothing, parity: nothing },
    }
    proveOrder(of, scenarios(of)[0]!, 'done', findings, {})
    return [...found]
  }
  const without = (phase: RegExp, gone: (s: Extract<Step, { kind: 'loop' }>) => boolean): Plan => ({
    ...plan,
    segments: plan.segments.map((s) => ({
      ...s,
      phases: s.phases.map((p) =>
        phase.test(p.name)
          ? { ...p, roles: { ...p.roles, compute: p.roles.compute.filter((x) => x.kind !== 'loop' || !gone(x)) } }
          : p,
      ),
    })),
  })

  it('because who sends has the sums of the exchange before', () => {
    expect(races(plan)).toEqual([])
    const found = races(without(/^o$/, takesSums))
    expect(found).toContain(
      'sums inbox 0: full_dense.dense.down/compute receive, sliding_experts.expert.down/compute send sum',
    )
  })
  it('and because those are made of parts of every rank', () => {
    const found = races(without(/./, addsParts))
    expect(found).toContain('exchange inbox 1: full_dense.o/epilogue send, sliding_experts.o/epilogue send')
  })
})
