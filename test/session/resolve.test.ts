/** From what a user names to a model: presets, checkpoint folders, model files, and what is refused by name. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { printGraph } from '../../compiler/graph/print-graph.ts'
import { asset } from '../../runtime/paths.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { parseGpus, suits } from '../../runtime/session/machine.ts'
import { type ModelRequest, resolveModel } from '../../runtime/session/resolve-model.ts'
import { nanoFolder } from '../support/nano.ts'

const folder = mkdtempSync(join(tmpdir(), 'tilec-resolve-'))
afterAll(() => rmSync(folder, { recursive: true }))
const graphFile = asset('models', 'mimo', 'graph.ts')

function refusal(act: () => unknown): DiagnosticError {
  try {
    act()
  } catch (error) {
    if (error instanceof DiagnosticError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
const codes = (request: ModelRequest) => refusal(() => resolveModel(request)).diagnostics.map((d) => d.code)

describe('one model, however it is named', () => {
  const preset = resolveModel({ model: 'nano' })
  it.each<[string, ModelRequest]>([
    ['checkpoint folder', { model: nanoFolder }],
    ['model file with a checkpoint', { model: graphFile, checkpoint: nanoFolder }],
    ['preset with a checkpoint', { model: 'mimo-v2.5-pro', checkpoint: nanoFolder }],
    ['checkpoint folder with its config named', { model: nanoFolder, config: join(nanoFolder, 'config.json') }],
  ])('%s', (_, request) => {
    const { model, checkpoint, tokenizer } = resolveModel(request)
    expect(printGraph(model.graph)).toBe(printGraph(preset.model.graph))
    expect(checkpoint?.tensors.size).toBe(preset.checkpoint?.tensors.size)
    expect(tokenizer?.size).toBe(4096)
  })

  it('never samples what the tokenizer does not know', () => {
    expect(preset.model.graph.nodes.at(-1)).toMatchObject({ op: 'logits', valid: 4096, dims: [{ size: 4224 }] })
  })

  it('has no weights where only a config is known', () => {
    const { checkpoint, model } = resolveModel({ model: 'mimo-v2.5-pro' })
    expect(checkpoint).toBeUndefined()
    expect(model.bindings.length).toBe(model.graph.params.length)
  })
})

describe('a checkpoint with a drafter, for a model file without one', () => {
  const own = join(folder, 'own')
  mkdirSync(own)
  for (const name of ['graph.ts', 'schedule.ts', 'config.ts', 'weights.ts']) {
    const text = readFileSync(asset('models', 'mimo', name), 'utf8')
    const lines = text.replaceAll('../../dsl/index.ts', 'tilec').split('\n')
    writeFileSync(join(own, name), lines.filter((l) => !/drafterWeights/.test(l)).join('\n'))
  }
  const request: ModelRequest = { model: join(own, 'graph.ts'), checkpoint: nanoFolder }

  it('runs without, and says so', () => {
    const { drafter, warnings, model } = resolveModel(request)
    expect(drafter).toBeUndefined()
    expect(model.drafter).toBeUndefined()
    expect(warnings.map((d) => [d.code, d.severity])).toEqual([['TILE1105', 'warning']])
  })
  it('says nothing where none is wanted', () => {
    expect(resolveModel({ ...request, drafter: 'none' }).warnings).toEqual([])
  })
  it('is refused where the drafter is asked for', () => {
    expect(codes({ ...request, drafter: join(nanoFolder, 'dflash') })).toEqual(['TILE1006'])
  })
})

describe('refused', () => {
  const broken = join(folder, 'broken')
  it('a checkpoint of an unknown family, with the known ones', () => {
    cpSync(nanoFolder, broken, { recursive: true, filter: (f) => !f.includes('train') })
    const config = JSON.parse(readFileSync(join(broken, 'config.json'), 'utf8'))
    writeFileSync(join(broken, 'config.json'), JSON.stringify({ ...config, model_type: 'granite' }))
    const [d] = refusal(() => resolveModel({ model: broken })).diagnostics
    expect(d).toMatchObject({ code: 'TILE5104', message: expect.stringContaining('granite') })
    expect(d!.help).toContain('mimo_v2_flash')
  })
  it('a config that the checkpoint does not fit', () => {
    const config = asset('models', 'mimo', 'configs', 'mimo-v2-flash.json')
    expect(codes({ model: nanoFolder, config, drafter: 'none' })).toContain('TILE7020')
  })
  it.each<[string, ModelRequest]>([
    ['TILE5101', { model: 'mimo' }],
    ['TILE5103', { model: graphFile }],
    ['TILE5105', { model: 'nano', config: join(folder, 'none.json') }],
    ['TILE7001', { model: 'nano', checkpoint: join(folder, 'none') }],
  ])('%s', (code, request) => expect(codes(request)).toEqual([code]))

  it('a config file that is not JSON', () => {
    writeFileSync(join(folder, 'bad.json'), '{"a": }')
    expect(codes({ model: 'nano', config: join(folder, 'bad.json') })).toEqual(['TILE5105'])
  })

  it('a model file without weights for a checkpoint, or without a schedule for a target, with its source at hand', () => {
    const file = join(folder, 'bare.ts')
    writeFileSync(file, bare)
    writeFileSync(join(folder, 'config.json'), '{"hidden": 64, "vocabulary": 64}')
    const config = join(folder, 'config.json')
    expect(codes({ model: file, config, checkpoint: nanoFolder, drafter: 'none' })).toEqual(['TILE5106'])
    const resolved = resolveModel({ model: file, config })
    const error = refusal(() => compileModel(resolved, { target: 'sm_90a', gpus: 1, ctx: 64 }))
    expect(error.diagnostics[0]).toMatchObject({ code: 'TILE5107', help: 'it has one for host' })
    const wrong = refusal(() => compileModel(resolved, { target: 'host', gpus: 8, ctx: 64 }))
    for (const d of wrong.diagnostics) if (d.span) expect(wrong.sources?.get(d.span.file)).toBe(bare)
  })
})

const bare = `
import { bf16, defineModel, dim, f32, linear, parallelDim, schedule, weight } from 'tilec'
import { z } from 'zod'
export default defineModel('bare', z.strictObject({ hidden: z.int(), vocabulary: z.int() }), (m, cfg) => {
  const hidden = dim('hidden', cfg.hidden)
  const x = m.embed(weight('embed', [dim('token', cfg.vocabulary), hidden], bf16))
  m.logits(linear(x, weight('head', [parallelDim('vocabulary', cfg.vocabulary - 4), hidden], f32), { phase: 'head' }))
})
export const schedules = {
  host: schedule\`role load 1 warp | role compute 4 warps | role epilogue 1 warp | role communicate 1 warp
    ring weights 4 x 32 KiB
    sms 2\`,
}
`

describe('GPUs', () => {
  it('are read from nvidia-smi', () => {
    const csv = '0, NVIDIA H200, 143771, 9.0, 570.86.15\n1, NVIDIA A100-SXM4-80GB, 81920, 8.0, 570.86.15\n'
    const gpus = parseGpus(csv)
    expect(gpus[0]).toEqual({
      index: 0,
      name: 'NVIDIA H200',
      memoryMiB: 143771,
      capability: '9.0',
      driver: '570.86.15',
    })
    expect(gpus.map(suits)).toEqual([true, false])
  })
  it('are none where it says something else', () => {
    expect(parseGpus('NVIDIA-SMI has failed because it could not communicate\n')).toEqual([])
  })
})
