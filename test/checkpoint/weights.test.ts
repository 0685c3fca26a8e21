/** Matching and decoding, on synthetic checkpoints in the published layouts. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { buildGraph } from '../../compiler/frontend/build-graph.ts'
import { createReference } from '../../compiler/reference/reference.ts'
import { e4m3 } from '../../dsl/format.ts'
import type { Binding } from '../../dsl/weights.ts'
import mimo from '../../models/mimo/graph.ts'
import { weights } from '../../models/mimo/weights.ts'
import { bindParams } from '../../runtime/checkpoint/bind.ts'
import { openCheckpoint } from '../../runtime/checkpoint/checkpoint.ts'
import { decodeParam } from '../../runtime/checkpoint/decode.ts'
import { type LoadedModel, loadMimo } from '../support/nano.ts'
import { flashStyle, plainStyle, proStyle } from '../support/small-config.ts'
import {
  type SyntheticOptions,
  type SyntheticTensor,
  writeCheckpoint,
  writeSafetensors,
} from '../support/synthetic-checkpoint.ts'
import { findings, temporaryFolder } from './temporary.ts'

function bindingsOf(config: object): readonly Binding[] {
  const parsed = mimo.config.safeParse(config)
  if (!parsed.success) throw new Error('the small config is refused')
  return bindParams(weights, buildGraph(mimo, config).params, parsed.data)
}

function write(config: object, options: SyntheticOptions = {}): string {
  const folder = temporaryFolder()
  writeCheckpoint(folder, config, bindingsOf(config), options)
  return folder
}

const decode = (model: LoadedModel, name: string): Float32Array =>
  decodeParam(
    model.checkpoint,
    model.graph.params.find((p) => p.name === name)!,
    model.bindings.find((b) => b.param === name)!,
  )

type Edit = NonNullable<SyntheticOptions['edit']>
const qkv = 'model.layers.1.self_attn.qkv_proj'
const update =
  (name: string, change: (t: SyntheticTensor) => SyntheticTensor): Edit =>
  (tensors) =>
    void tensors.set(name, change(tensors.get(name)!))

describe('a synthetic checkpoint', () => {
  it.each([
    ['Pro', proStyle],
    ['Flash', flashStyle],
    ['unquantised', plainStyle],
  ])('in %s style loads and the reference computes finite logits from it', (_, config) => {
    for (const shards of [1, 3]) {
      const model = loadMimo(write(config, { shards }))
      const reference = createReference(model.graph, model.params, { ctx: 16 })
      const { logits } = reference.step([1, 2, 3, 4, 5, 6].map((token, position) => ({ token, position })))
      const spread = Math.max(...logits.at(-1)!) - Math.min(...logits.at(-1)!)
      expect(spread).toBeGreaterThan(0.1)
      expect(spread).toBeLessThan(100)
    }
  })

  it('is the same bytes for the same seed', () => {
    const [x, y, z] = [1, 1, 2].map((seed) => openCheckpoint(write(proStyle, { seed })).tensors)
    expect([...x!.keys()]).toEqual([...y!.keys()])
    const first = (folder: string) => decode(loadMimo(folder), 'lm_head').slice(0, 8)
    expect(first(write(proStyle))).toEqual(first(write(proStyle)))
    expect(first(write(proStyle, { seed: 2 }))).not.toEqual(first(write(proStyle)))
    expect(z!.size).toBe(x!.size)
  })
})

describe('decoding', () => {
  it('reads a fused group with the grid that starts anew in it, and V with the grid of its group', () => {
    let stored!: SyntheticTensor
    let scales!: SyntheticTensor
    const folder = write(proStyle, {
      edit: (tensors) => {
        stored = tensors.get(`${qkv}.weight`)!
        scales = tensors.get(`${qkv}.weight_scale_inv`)!
      },
    })
    expect([stored.shape, scales.shape]).toEqual([
      [272, 64],
      [4, 1],
    ])
    const scale = new Float32Array(scales.bytes.buffer)
    const values = decode(loadMimo(folder), qkv)
    for (const row of [0, 127, 128, 135, 136, 263, 264, 271]) {
      const group = Math.floor(row / 136)
      const s = scale[group * 2 + Math.floor((row % 136) / 128)]!
      for (let c = 0; c < 64; c++) {
        expect(values[row * 64 + c]).toBe(Math.fround(e4m3.values[stored.bytes[row * 64 + c]!]! * s))
      }
    }
  })

  it('reads MXFP4: low nibble first, one power of two for 32 columns', () => {
    const name = 'model.layers.1.mlp.experts.4.down_proj'
    const folder = write(proStyle, {
      edit: (tensors) => {
        const w = tensors.get(`${name}.weight`)!
        w.bytes.set([0x21, 0x4f, 0x80])
        tensors.get(`${name}.weight_scale`)!.bytes[0] = 128
      },
    })
    const model = loadMimo(folder)
    const expert = model.params.slice('model.layers.1.mlp.experts.down_proj', 4)
    expect([...expert.subarray(0, 6)]).toEqual([1, 2, -12, 4, 0, -0])
    const all = decode(model, 'model.layers.1.mlp.experts.down_proj')
    expect(all.slice(4 * 64 * 32, 5 * 64 * 32)).toEqual(expert)
  })

  it('puts split and fused projections into the same order', () => {
    const fusedConfig = { ...plainStyle, swa_num_key_value_heads: 2, attention_projection_layout: 'fused_qkv' }
    const splitConfig = { ...fusedConfig, attention_projection_layout: 'split' }
    const parts = new Map<string, SyntheticTensor>()
    const split = loadMimo(
      write(splitConfig, {
        edit: (tensors) => {
          for (const [name, t] of tensors) if (/[qkv]_proj/.test(name)) parts.set(name, t)
        },
      }),
    )
    const fused = loadMimo(
      write(fusedConfig, {
        edit: update(`${qkv}.weight`, (t) => {
          const rows: Uint8Array[] = []
          for (let g = 0; g < 2; g++) {
            for (const [part, n] of [
              ['q', 96],
              ['k', 24],
              ['v', 16],
            ] as const) {
              const bytes = parts.get(`model.layers.1.self_attn.${part}_proj.weight`)!.bytes
              rows.push(bytes.subarray(g * n * 128, (g + 1) * n * 128))
            }
          }
          return { ...t, bytes: Buffer.concat(rows) }
        }),
      }),
    )
    expect(decode(fused, qkv)).toEqual(decode(split, qkv))
  })

  it('reads one row of an embedding as the whole has it', () => {
    const model = loadMimo(write(plainStyle))
    const row = model.params.slice('model.embed_tokens', 7)
    expect(row).toEqual(decode(model, 'model.embed_tokens').slice(7 * 64, 8 * 64))
  })

  it.each<[string, object, string, Edit, string]>([
    [
      'an e8m0 NaN',
      proStyle,
      'model.layers.1.mlp.experts.gate_proj',
      (t) => t.get('model.layers.1.mlp.experts.0.gate_proj.weight_scale')!.bytes.fill(255, 5, 6),
      "TILE7025 tensor 'model.layers.1.mlp.experts.0.gate_proj.weight_scale' has an illegal scale at [2, 1]: e8m0 NaN",
    ],
    [
      'an e4m3 NaN',
      proStyle,
      qkv,
      (t) => t.get(`${qkv}.weight`)!.bytes.fill(0xff, 12803, 12804),
      `TILE7026 tensor '${qkv}.weight' has an illegal value at [200, 3]: NaN`,
    ],
    [
      'an infinite scale',
      proStyle,
      qkv,
      (t) => t.get(`${qkv}.weight_scale_inv`)!.bytes.set([0, 0, 0x80, 0x7f], 4),
      `TILE7025 tensor '${qkv}.weight_scale_inv' has an illegal scale at [1, 0]: f32 Infinity`,
    ],
    [
      'a bf16 NaN',
      plainStyle,
      'model.norm',
      (t) => t.get('model.norm.weight')!.bytes.set([0xc0, 0x7f], 2),
      "TILE7026 tensor 'model.norm.weight' has an illegal value at [0, 1]: NaN",
    ],
  ])('refuses %s and says where it is', (_, config, param, edit, message) => {
    const model = loadMimo(write(config, { edit }))
    const found = findings(() => decode(model, param)).join()
    expect(found.replace(/ \S+:/, '')).toBe(message)
  })
})

describe('matching', () => {
  const refused = (config: object, edit: Edit) => findings(() => loadMimo(write(config, { edit }))).join('\n')

  it('accepts the drafter and multi-token-prediction tensors that the model lists as unread', () => {
    const edit: Edit = (t) =>
      void t.set('model.mtp.layers.0.eh_proj.weight', { dtype: 'U8', shape: [2], bytes: new Uint8Array(2) })
    expect(refused(proStyle, edit)).toBe('')
  })

  it('accepts a router in BF16 where F32 is computed, not a bias', () => {
    const gate = 'model.layers.1.mlp.gate'
    const narrow = (t: SyntheticTensor) => ({ ...t, dtype: 'BF16', bytes: t.bytes.slice(t.bytes.length / 2) })
    expect(refused(proStyle, update(`${gate}.weight`, narrow))).toBe('')
    expect(refused(proStyle, update(`${gate}.e_score_correction_bias`, narrow))).toContain(
      `tensor '${gate}.e_score_correction_bias' is BF16; the model expects F32`,
    )
  })

  it('reports missing, extra, misshapen and mistyped tensors together, with what was expected and found', () => {
    const found = refused(proStyle, (t) => {
      t.delete('model.norm.weight')
      t.set('model.norms.weight', { dtype: 'BF16', shape: [64], bytes: new Uint8Array(128) })
      update('lm_head.weight', (x) => ({ ...x, shape: [64, 50] }))(t)
      update('model.layers.0.self_attn.o_proj.weight', (x) => ({ ...x, dtype: 'F16' }))(t)
    })
    expect(found).toContain("has no tensor 'model.norm.weight', which 'model.norm' is read from: BF16 [64]")
    expect(found).toContain("tensor 'model.norms.weight' (BF16 [64]) is not one that the model reads")
    expect(found).toContain("tensor 'lm_head.weight' is [64, 50]; the model expects [50, 64]")
    expect(found).toContain("tensor 'model.layers.0.self_attn.o_proj.weight' is F16; the model expects BF16")
  })

  it('names a grid over all rows for what it is', () => {
    const found = refused(
      proStyle,
      update(`${qkv}.weight_scale_inv`, (t) => ({ ...t, shape: [3, 1], bytes: t.bytes.slice(0, 12) })),
    )
    expect(found).toContain('TILE7024')
    expect(found).toContain(
      'has 3 scale rows, one grid over all 272 rows; the model expects 4, a grid for each of 2 groups of 136 rows',
    )
  })

  it('does not drown a user in the tensors of another model', () => {
    const folder = write(proStyle)
    writeSafetensors(join(folder, 'model-00001-of-00002.safetensors'), new Map())
    writeSafetensors(join(folder, 'model-00002-of-00002.safetensors'), new Map())
    writeCheckpoint(folder, proStyle, [], { shards: 2 })
    const found = findings(() => loadMimo(folder))
    expect(found.length).toBeLessThan(30)
    expect(found.at(-1)).toMatch(/and \d+ more of this kind/)
  })
})
