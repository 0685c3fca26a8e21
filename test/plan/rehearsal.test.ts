/**
 * Who rehearses: SMs that have no tile of the phase which stages what routed experts read, where routing lies between. A rehearsal goes
 * through the multiplication alone; whoever waits, signals or stores is behind it.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'

const sourceOf = (model: string, gpus: number): string =>
  compileModel(resolveModel({ model }), { target: 'sm_90a', gpus, ctx: 1024 }).source
const between = (text: string, from: string, to: string): string => {
  const begin = text.indexOf(from)
  expect(begin, from).toBeGreaterThan(-1)
  return text.slice(begin, text.indexOf(to, begin))
}

describe('mimo-v2.5-pro on 8 ranks', () => {
  let source = ''
  beforeAll(() => {
    source = sourceOf('mimo-v2.5-pro', 8)
  }, 60_000)

  it('SMs without one of the 96 tiles of the router go through expert.up before they route', () => {
    const group = between(source, 'rehearses(w, 96)', '\n            }\n')
    expect(group).toMatch(
      /if \(!rehearsal\) run\(w, \[\]\(.*\) \{\s+traced\(w, at, \d+, sliding_experts_route_compute\)/,
    )
    expect(group).toContain('sliding_experts_expert_up_compute(w, at, kept, rehearsal)')
    expect(group.indexOf('route_compute')).toBeLessThan(group.indexOf('expert_up_compute'))
  })

  it('a rehearsal leaves behind the multiplication, and has waited for nothing', () => {
    const phase = between(source, 'static void sliding_experts_expert_up_compute(', '\n}\n')
    const [before, after] = phase.split('if (rehearsal) return rehearsed(acc);')
    expect(before).toMatch(/page = rehearsal \? ring_of\(w\) : w\.ring_await\(/)
    expect(before).toContain('multiply<E2M1')
    expect(before!.replace(/rehearsal \? ring_of\(w\) : w\.ring_await/g, '')).not.toMatch(
      /w\.(ring|join|wait|signal)\w*\(/,
    )
    for (const step of ['ring_release', 'join_acquire', 'join_put', 'join_commit']) expect(after).toContain(step)
  })

  it('the code is there once: no second call of the phase', () => {
    expect(source.match(/sliding_experts_expert_up_compute\(w, at, kept/g)).toHaveLength(1)
  })
})

it('a product in fixed point, and an engine of a kernel a phase, have no rehearsal', () => {
  expect(sourceOf('nano', 1)).not.toContain('rehears')
  const { source } = compileModel(resolveModel({ model: 'mimo-v2.5-pro' }), {
    target: 'sm_90a',
    gpus: 8,
    ctx: 1024,
    engine: 'graph',
  })
  expect(source).not.toContain('rehears')
})
