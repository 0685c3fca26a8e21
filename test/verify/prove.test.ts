/** The prover accepts what is right, refuses what is wrong, and its representatives stand for all. */
import { describe, expect, it } from 'vitest'
import { type Diagnostic, Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { Plan } from '../../compiler/plan/ir.ts'
import { mutantsOf } from '../../compiler/verify/mutate-plan.ts'
import { type ProofOptions, provePlan } from '../../compiler/verify/prove-plan.ts'
import { nanoDrafterGraphs, nanoPlan, planOf, proPlan } from '../support/plans.ts'
import { fateOf, mutants } from './mutants.ts'

function findings(plan: Plan, options: Omit<ProofOptions, 'session'> = {}): readonly Diagnostic[] {
  const session = new Session()
  provePlan(plan, { session, ...options })
  return session.diagnostics
}

describe('plans that are right', () => {
  it.each([
    [1, 2],
    [2, 2],
    [8, 2],
    [1, 5],
    [2, 40],
    [1, 132],
  ])('nano, %i ranks of %i SMs', (ranks, sms) => {
    expect(findings(nanoPlan({ ranks, sms }))).toEqual([])
  })
  it.each([1, 2, 8])('nano with its drafter, %i ranks', (ranks) => {
    expect(findings(planOf(nanoDrafterGraphs(), { ranks }).plan)).toEqual([])
  })
  it.each([
    [2, 2],
    [4, 5],
    [8, 2],
    [8, 40],
  ])('nano in two shots, %i ranks of %i SMs', (ranks, sms) => {
    expect(findings(nanoPlan({ ranks, sms, schedule: { shots: 2 } }))).toEqual([])
  })
  it('nano with its drafter in two shots', () => {
    expect(findings(planOf(nanoDrafterGraphs(), { ranks: 8, schedule: { shots: 2 } }).plan)).toEqual([])
  })
  it('the large model on 8 ranks of 132 SMs', () => {
    const session = new Session()
    const proof = provePlan(proPlan(), { session })
    expect(session.diagnostics).toEqual([])
    expect(proof.events).toBeGreaterThan(100_000)
  })
})

describe('plans that are wrong', () => {
  it('a sample of the mutants is refused', { timeout: 120_000 }, () => {
    const seed = Number(process.env.TILEC_SEED ?? Math.floor(Math.random() * 1000))
    const missed: string[] = []
    let count = 0
    for (const { of, mutant } of mutants(20, seed)) {
      count++
      if (fateOf(mutant).fate === 'missed') missed.push(`${of}: ${mutant.name}`)
    }
    expect(missed, `TILEC_SEED=${seed}`).toEqual([])
    expect(count).toBeGreaterThan(150)
  })

  it('names both sides of a race', () => {
    const bare = nanoPlan({ ranks: 1 })
    // As the frontend would have it: every phase knows the line that made it.
    const segments = bare.segments.map((s) => ({
      ...s,
      phases: s.phases.map((p, start) => ({ ...p, span: { file: `${s.name}.ts`, start, end: start + 1 } })),
    }))
    const plan = { ...bare, segments }
    const mutant = [...mutantsOf(plan)].find((m) => m.name === 'full_dense.attend/load wait full_dense.qkv: dropped')!
    const [found] = findings(mutant.plan)
    expect(found!.code).toBe('TILE2102')
    expect(found!.message).toContain('full_dense.attend/load reads')
    expect(found!.message).toContain('full_dense.qkv/epilogue writes')
    expect(found!.notes).toHaveLength(2)
    expect(found!.notes.map((n) => n.span?.file)).toEqual(['full_dense.ts', 'full_dense.ts'])
    expect(found!.span?.start).not.toBe(found!.notes[1]!.span?.start)
  })

  it('refuses epilogue warps that can run ahead of each other: a barrier has a parity and no number', () => {
    const plan = proPlan()
    expect(new Set(findings({ ...plan, join: { ...plan.join, depth: 1 } }).map((d) => d.code))).toEqual(
      new Set(['TILE2108']),
    )
    const [mutant] = [...mutantsOf(plan)].filter((m) => m.name === 'full_dense.o/epilogue barrier: dropped')
    expect(findings(mutant!.plan)[0]!.code).toBe('TILE2108')
  })

  it('names who waits, for what, and who should have signalled', () => {
    const plan = nanoPlan({ ranks: 2 })
    const mutant = [...mutantsOf(plan)].find((m) => m.name === 'full_dense.o/compute receive: under the next epoch')!
    expect(findings(mutant.plan)[0]!.code).toBe('TILE2106')
    const site = plan.sites.indexOf('full_dense.qkv/epilogue await join')
    const session = new Session()
    provePlan(plan, { session, fault: { site, kind: 'targetUp' } })
    expect(session.diagnostics[0]!.code).toBe('TILE2101')
    expect(session.diagnostics[0]!.notes.map((n) => n.message).join('\n')).toContain(
      'full_dense.qkv/epilogue await join: waits for the join, which its producer commits',
    )
  })
})

describe('representatives', () => {
  // Few mutants each: the whole plan is slow to run.
  it.each([
    [1, 4, 1, 1],
    [4, 3, 2, 1],
    [4, 5, 1, 2],
  ] as const)(
    'decide as the whole plan does: %i ranks of %i SMs',
    { timeout: 240_000 },
    (...[ranks, sms, warps, shots]) => {
      const plan = nanoPlan({ ranks, sms, epilogueWarps: warps, ctx: 256, schedule: { shots } })
      expect(findings(plan, { whole: true })).toEqual([])
      const all = [...mutantsOf(plan)]
      for (let i = 7; i < all.length; i += 41) {
        const { plan: mutated, fault, name } = all[i]!
        const options = fault ? { fault } : {}
        const short = findings(mutated, options).length > 0
        const whole = findings(mutated, { ...options, whole: true }).length > 0
        expect({ name, refused: short }).toEqual({ name, refused: whole })
      }
    },
  )
})

describe('resources', () => {
  const codes = (request: Parameters<typeof nanoPlan>[0]): string[] => findings(nanoPlan(request)).map((d) => d.code)
  it('refuses more shared memory than there is, with the largest area first', () => {
    const found = findings(nanoPlan({ ranks: 1, schedule: { ring: { depth: 8, pageBytes: 32 * 1024 } } }))
    expect(found[0]!.code).toBe('TILE3030')
    expect(found[0]!.notes[0]!.message).toMatch(/^ring: 262144 bytes/)
    expect(found[0]!.help).toMatch(/depth below 8/)
  })
  it('refuses more registers than there are, and too few for staged input', () => {
    const roles = (compute: number, load = 24) =>
      ({
        roles: [
          { name: 'load', warps: 1, registers: load },
          { name: 'compute', warps: 4, registers: compute },
          { name: 'epilogue', warps: 1, registers: 96 },
          { name: 'communicate', warps: 1, registers: 96 },
        ],
      }) as const
    expect(codes({ ranks: 1, schedule: roles(512) })).toContain('TILE3031')
    expect(codes({ ranks: 1, schedule: roles(40) })).toContain('TILE3032')
  })
  it('refuses roles that cannot be dealt out', () => {
    const plan = nanoPlan({ ranks: 1 })
    const roles = plan.roles.map((r) => (r.name === 'load' ? { ...r, warps: 2 } : r))
    expect(findings({ ...plan, roles }).map((d) => d.code)).toContain('TILE3036')
  })
  it('refuses more experts, and more of a row, than tables of routing hold', () => {
    const plan = nanoPlan({ ranks: 1 })
    const found = (route: Partial<typeof plan.route>) =>
      findings({ ...plan, route: { ...plan.route, ...route } })
        .filter((d) => d.code === 'TILE3037')
        .map((d) => d.message)
    expect(found({ topK: 16, experts: 1024 })).toEqual([])
    expect(found({ topK: 17, experts: 1025 })).toEqual([
      'a row goes to 17 experts; tables of routing hold 16',
      'there are 1025 experts; tables of routing hold 1024',
    ])
  })
  it('refuses a span of attention that no page holds', () => {
    const plan = nanoPlan({ ranks: 1 })
    expect(findings({ ...plan, ring: { ...plan.ring, pageBytes: 1024 } }).map((d) => d.code)).toContain('TILE3033')
  })
})
