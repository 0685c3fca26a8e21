/** The switch `last_tap`: a tap behind the final norm is made by a phase that nothing of the target's own pass waits for. */
import { rmSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { editedDrafter } from '../support/edited-drafter.ts'

vi.setConfig({ testTimeout: 120_000 })

it.each([1, 2])('post_norm is planned and proved on %i ranks', (gpus) => {
  const drafter = editedDrafter(() => {}, { tilec: { last_tap: 'post_norm' } })
  try {
    const { plan } = compileModel(resolveModel({ model: 'nano', drafter }), { target: 'host', gpus, ctx: 512 })
    const names = plan.segments.flatMap((s) => s.phases.map((p) => `${s.name}.${p.name}`))
    expect(names).toContain('end.norm')
  } finally {
    rmSync(drafter, { recursive: true })
  }
})
