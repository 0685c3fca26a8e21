/** A schedule meets the phases that a model has: names that it has not are reported, all of them, with what was meant. */
import { expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { resolveSchedule } from '../../compiler/plan/resolve-schedule.ts'
import { readSchedule } from '../../dsl/schedule.ts'
import { schedule } from '../../dsl/schedule-text.ts'
import { mimoGraph, nanoConfig, planOf } from '../support/plans.ts'

it('names every phase that the model does not have, and what was meant', () => {
  const { phases } = planOf([mimoGraph(nanoConfig)], { ranks: 1 })
  const session = new Session()
  const text = schedule`
    role load 1 warp | role compute 4 warps | role epilogue 1 warp | role communicate 1 warp
    ring weights 4 x 32 KiB
    fuse rmsNorm -> rooter
    phase expert.upp { tile 16 rows }
    phase nonsense { tile 16 rows }
  `
  const read = readSchedule(text, ({ message }) => {
    throw new Error(message)
  })
  resolveSchedule(read!, phases, { name: 'host', sms: 2 }, session)
  expect(session.diagnostics.map((d) => [d.code, d.help])).toEqual([
    ['TILE2050', "did you mean 'expert.up'?"],
    ['TILE2050', expect.stringContaining('expert.down')],
    ['TILE2051', "did you mean 'router'?"],
  ])
})
