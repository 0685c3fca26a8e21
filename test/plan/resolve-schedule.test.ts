/** A schedule meets the phases that a model has: names that it has not are reported, all of them, with what was meant. */
import { expect, it } from 'vitest'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { resolveSchedule } from '../../compiler/plan/resolve-schedule.ts'
import { bf16, defineModel, dim, linear, parallelDim, weight } from '../../dsl/index.ts'
import { readSchedule } from '../../dsl/schedule.ts'
import { schedule } from '../../dsl/schedule-text.ts'
import { mimoGraph, nanoConfig, planOf } from '../support/plans.ts'

it('names every phase that the model does not have, and what was meant', () => {
  const { phases } = planOf([mimoGraph(nanoConfig)], { ranks: 1 })
  const session = new Session()
  const text = schedule`
    role load 1 warp | role compute 4 warps | role epilogue 1 warp | role communicate 1 warp
    ring weights 4 x 32 KiB
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
  ])
})

it('refuses settings that decide nothing, with those that do', () => {
  const { phases } = planOf([mimoGraph(nanoConfig)], { ranks: 1 })
  const session = new Session()
  const text = schedule`
    role load 1 warp | role compute 4 warps | role epilogue 1 warp | role communicate 1 warp
    ring weights 4 x 32 KiB
    phase qkv { balance flat }
    phase attend { tile 16 rows, span 64 keys }
    phase expert.up { tile 16 rows, split k 4, balance flat, group 2 experts }
    phase expert.down { split k 4 }
    phase route { tile 16 rows }
  `
  const read = readSchedule(text, ({ message }) => {
    throw new Error(message)
  })
  resolveSchedule(read!, phases, { name: 'host', sms: 2 }, session)
  expect(session.diagnostics.map((d) => [d.code, d.message, d.help])).toEqual([
    [
      'TILE2052',
      expect.stringContaining("'balance' decides nothing in phase 'qkv'"),
      expect.stringMatching(/tile, split k, stage by chunk$/),
    ],
    ['TILE2052', expect.stringContaining("'tile' decides nothing in phase 'attend'"), expect.stringMatching(/span$/)],
    ['TILE2052', expect.stringContaining("'group' decides nothing"), expect.stringMatching(/balance$/)],
    ['TILE2052', expect.stringContaining("'split k' decides nothing"), expect.stringMatching(/split rows, group$/)],
    ['TILE2052', expect.stringContaining("phase 'route', which is small work"), 'such a phase has no settings'],
  ])
})

it('refuses to order experts where there are none', () => {
  const model = defineModel('dense', { safeParse: (data) => ({ success: true, data }) }, (m) => {
    const hidden = dim('hidden', 64)
    const x = m.embed(weight('embed', [dim('token', 64), hidden], bf16))
    m.logits(linear(x, weight('head', [parallelDim('vocabulary', 128), hidden], bf16), { phase: 'head' }))
  })
  const graph = model.build({}, ({ message }) => {
    throw new Error(message)
  })
  const { phases } = planOf([graph], { ranks: 1 })
  const session = new Session()
  const text = schedule`
    role load 1 warp | role compute 4 warps | role epilogue 1 warp | role communicate 1 warp
    ring weights 4 x 32 KiB ; experts 4 eighths first
  `
  const read = readSchedule(text, ({ message }) => {
    throw new Error(message)
  })
  resolveSchedule(read!, phases, { name: 'host', sms: 2 }, session)
  expect(session.diagnostics.map((d) => [d.code, d.message])).toEqual([
    ['TILE2052', expect.stringMatching(/^'experts 4 eighths first' decides nothing: .* has no routed product/)],
  ])
})

it('lets rows be split over the compute warps that there are', () => {
  const { phases } = planOf([mimoGraph(nanoConfig)], { ranks: 1 })
  const session = new Session()
  const text = schedule`
    role load 1 warp | role compute 4 warps | role epilogue 1 warp | role communicate 1 warp
    ring weights 4 x 32 KiB
    phase expert.down { split rows 8 }
  `
  const read = readSchedule(text, ({ message }) => {
    throw new Error(message)
  })
  resolveSchedule(read!, phases, { name: 'host', sms: 2 }, session)
  expect(session.diagnostics.map((d) => [d.code, d.help])).toEqual([['TILE2052', 'split rows 4']])
})
