import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { diagnosticsAsJson, positionOf, renderDiagnostics } from '../../compiler/diagnostics/render.ts'
import { type LoadResult, loadModel } from '../../compiler/frontend/load-model.ts'
import { loadPreset, presets } from '../../compiler/frontend/presets.ts'

const textOf = (r: LoadResult, span: { file: string; start: number; end: number } | undefined) =>
  r.sources.get(span!.file)!.slice(span!.start, span!.end)

describe('presets', () => {
  test.each(Object.keys(presets))('%s loads with spans, schedules and bindings', (name) => {
    const r = loadPreset(name)
    expect(r.diagnostics).toEqual([])
    const { graph, schedules, bindings } = r.model!
    expect(bindings.map((b) => b.param)).toEqual(graph.params.map((p) => p.name))
    expect([...schedules.keys()]).toEqual(['sm_90a', 'host'])
    const text = (op: string) => textOf(r, graph.nodes.find((n) => n.op === op)!.span)
    expect(graph.nodes.every((n) => n.span?.file === 'models/mimo/graph.ts')).toBe(true)
    expect(text('slice')).toBe("slice(all, 'qkv', 0, [group, qd])")
    expect(text('embed')).toMatch(/^m\.embed\(weight\('model\.embed_tokens'/)
    // Ops of a composite point at the author's call of it.
    expect(text('combine')).toMatch(/^experts\(h, chosen, \{/)
    expect(textOf(r, schedules.get('host')!.ring!.span)).toMatch(/^ring weights \d x \d+ KiB$/)
  })

  test('loading is fast enough to be unnoticed', () => {
    // Processor time: on a machine that has other work, no clock tells.
    const start = process.cpuUsage()
    loadPreset('mimo-v2.5-pro')
    const { user, system } = process.cpuUsage(start)
    expect((user + system) / 1000).toBeLessThan(2000)
  })
})

describe('a model of its own, outside the package', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tilec-model-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  const load = (files: Record<string, string>, config: unknown = {}) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return loadModel(join(folder, 'model.ts'), { config })
  }
  const helper = `
    import { bf16, type Dim, linear, type Tensor, weight } from 'tilec'
    export const twice = <D extends Dim>(x: Tensor<[D]>, d: D): Tensor<[D]> => {
      const w = weight('w', [d, d], bf16)
      const once = linear(x as Tensor, w)
      return linear(once, w) as Tensor as Tensor<[D]>
    }
  `
  const model = `
    import * as t from 'tilec'
    import { z } from 'zod'
    import { twice } from './helper.ts'
    import sizes from './sizes.json' with { type: 'json' }

    const half = (n: number): number => n / 2
    export const schedules = { host: t.schedule\`role load \${half(2)} warp | role compute 4 warps
      role epilogue 1 warp | role communicate 1 warp
      ring w 4 x 1 KiB\` }
    export default t.defineModel('own', z.strictObject({ layers: z.int() }), (m, cfg) => {
      const hidden = t.dim('hidden', sizes.hidden)
      const table = t.weight('embed', [t.dim('token', 64), hidden], t.bf16)
      let x = m.embed(table)
      for (const l of t.range(cfg.layers)) x = m.scope(\`layers.\${l}\`, () => twice(x, hidden))
      m.logits(t.linear(x, table))
    })
  `
  test('loads: helpers, JSON, namespace imports, interpolation, chains', () => {
    const r = load({ 'model.ts': model, 'helper.ts': helper, 'sizes.json': '{ "hidden": 32 }' }, { layers: 2 })
    expect(renderDiagnostics(r.diagnostics, { sources: (f) => r.sources.get(f) })).toBe('')
    const { graph, schedules } = r.model!
    expect(graph.nodes.map((n) => `${n.scope} ${n.op}`)).toEqual([
      ' embed',
      'layers.0 linear',
      'layers.0 linear',
      'layers.1 linear',
      'layers.1 linear',
      ' linear',
      ' logits',
    ])
    expect(textOf(r, graph.nodes[2]!.span)).toBe('linear(once, w)')
    expect(graph.nodes[2]!.span!.file).toBe('helper.ts')
    expect(schedules.get('host')!.roles[0]).toMatchObject({ name: 'load', warps: 1 })
    expect(textOf(r, schedules.get('host')!.roles[0]!.span)).toBe(`role load \${half(2)} warp`)
  })

  test('a type error is found before anything runs', () => {
    const r = load({
      'model.ts': `${model}\nconst n: string = 1; throw new Error('ran')`,
      'helper.ts': helper,
      'sizes.json': '{ "hidden": 32 }',
    })
    expect(r.diagnostics.map((d) => [d.code, d.message, textOf(r, d.span)])).toEqual([
      ['TILE1001', "Type 'number' is not assignable to type 'string'. (TS2322)", 'n'],
    ])
  })

  test('a mistake in a helper is shown where it is, in the helper', () => {
    const wrong = helper.replace('[d, d]', '[d, { ...d, size: d.size + 1 }]')
    const r = load({ 'model.ts': model, 'helper.ts': wrong, 'sizes.json': '{ "hidden": 32 }' }, { layers: 1 })
    expect(r.diagnostics.map((d) => [d.code, d.span!.file, textOf(r, d.span)])).toEqual([
      ['TILE1020', 'helper.ts', 'linear(x as Tensor, w)'],
      ['TILE1020', 'helper.ts', 'linear(once, w)'],
    ])
  })

  test('names of its own are not the globals that are refused', () => {
    const own = model.replace(
      'const half',
      'const process = (n: { Date: number }) => n.Date\nprocess({ Date: 1 })\nconst half',
    )
    expect(
      load({ 'model.ts': own, 'helper.ts': helper, 'sizes.json': '{ "hidden": 32 }' }, { layers: 1 }).diagnostics,
    ).toEqual([])
  })

  test('calls that must not be wrapped are left alone', () => {
    const odd = `
      class A { static of(n?: number) { return n === undefined ? undefined : new A(n) } constructor(readonly n: number) {} add(k: number) { return new A(this.n + k) } }
      class B extends A { constructor() { super(A.of(3)?.add(1)?.add(2).n ?? 0) } }
      function* count(): Generator<number, void, number | undefined> { let n = 0; while (true) n += (yield Math.max(n, 1)) ?? 1 }
      if (new B().n !== 6 || A.of()?.add(1).n !== undefined || count().next().value !== 1) throw new Error('meaning changed')
    `
    const r = load({ 'model.ts': model + odd, 'helper.ts': helper, 'sizes.json': '{ "hidden": 32 }' }, { layers: 1 })
    expect(r.diagnostics).toEqual([])
  })
})

describe('rendering', () => {
  test('survives spans that lie', () => {
    const d = [
      { code: 'TILE1001', severity: 'error', message: 'm', notes: [], span: { file: 'a', start: 50, end: 10 } },
    ] as const
    expect(renderDiagnostics(d, { sources: () => 'short\n' })).toContain('a:2:1')
    expect(renderDiagnostics(d)).toBe('error[TILE1001]: m\n  --> a\n')
  })
  test('marks several lines by their first, and keeps tabs', () => {
    const text = 'x\n\tcall(\n\t\ta)\n'
    const d = [
      {
        code: 'TILE1001',
        severity: 'warning',
        message: 'm',
        notes: [{ message: 'n' }],
        span: { file: 'a', start: 3, end: 12 },
      },
    ] as const
    expect(renderDiagnostics(d, { sources: () => text })).toBe(
      'warning[TILE1001]: m\n  --> a:2:2\n  |\n2 | \tcall(\n  | \t^^^^^...\nnote: n\n',
    )
  })
  test('JSON spells positions out', () => {
    const d = [
      { code: 'TILE1001', severity: 'error', message: 'm', notes: [], span: { file: 'a', start: 2, end: 4 } },
    ] as const
    expect(JSON.parse(diagnosticsAsJson(d, () => 'a\nbcd'))).toEqual([
      {
        code: 'TILE1001',
        severity: 'error',
        message: 'm',
        file: 'a',
        offset: 2,
        length: 2,
        start: { line: 2, column: 1 },
        end: { line: 2, column: 3 },
        notes: [],
      },
    ])
    expect(positionOf('', 5)).toEqual({ line: 1, column: 1 })
  })
})
