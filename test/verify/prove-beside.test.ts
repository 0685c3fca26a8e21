/** The prover as a process of its own: the same answers, findings as findings, and an end when it is called off. */
import { describe, expect, it } from 'vitest'
import { DiagnosticError, Session } from '../../compiler/diagnostics/diagnostic.ts'
import { mutantsOf } from '../../compiler/verify/mutate-plan.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { proveBeside } from '../../runtime/session/prove-beside.ts'
import { nanoSchedule } from '../support/nano-engine.ts'
import { nanoPlan, proPlan } from '../support/plans.ts'

const never = new AbortController().signal
const request = { plan: nanoPlan({ ranks: 2 }), schedule: nanoSchedule() }

describe('the prover beside', () => {
  it('proves what is right, as the prover here does', async () => {
    const { milliseconds: _, ...proof } = await proveBeside(request, never)
    const { milliseconds: __, ...here } = provePlan(request.plan, { session: new Session() })
    expect(proof).toEqual(here)
    expect(proof.proved).toBe(true)
  })

  it('refuses what is wrong with the same findings', async () => {
    const mutant = [...mutantsOf(request.plan)].find(
      (m) => m.name === 'full_dense.attend/load wait full_dense.qkv: dropped',
    )!
    const session = new Session()
    provePlan(mutant.plan, { session })
    const error = await proveBeside({ ...request, plan: mutant.plan }, never).catch((e) => e)
    expect(error).toBeInstanceOf(DiagnosticError)
    expect(error.diagnostics).toEqual(session.diagnostics)
  })

  it('ends when it is called off', async () => {
    const abort = new AbortController()
    const proof = proveBeside({ ...request, plan: proPlan() }, abort.signal)
    setTimeout(() => abort.abort(new Error('enough')), 300)
    await expect(proof).rejects.toThrow('enough')
    await expect(proveBeside(request, abort.signal)).rejects.toThrow('enough')
  })

  it('left for later, order is not proved, and nobody is told that it was', () => {
    const session = new Session()
    const proof = provePlan(request.plan, { session, orderLater: true })
    expect(session.diagnostics).toEqual([])
    expect(proof).toMatchObject({ proved: false, events: 0 })
  })
})
