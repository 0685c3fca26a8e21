/** The drafter's programs for the published config and for nano's, and what a config or a target may not be. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { buildDrafter } from '../../compiler/frontend/build-drafter.ts'
import { buildGraph } from '../../compiler/frontend/build-graph.ts'
import { printNode } from '../../compiler/graph/print-graph.ts'
import { sizeOf } from '../../dsl/dim.ts'
import type { Graph } from '../../dsl/graph.ts'
import mimoDrafter, { drafterWeights } from '../../models/mimo/drafter.ts'
import { type MimoDrafterConfig, targetSection } from '../../models/mimo/drafter-config.ts'
import mimo from '../../models/mimo/graph.ts'
import { findings } from '../checkpoint/temporary.ts'
import { nanoDrafter } from './nano-drafter.ts'

const models = new URL('../../models/mimo/', import.meta.url)
const json = (path: string) => JSON.parse(readFileSync(new URL(path, models), 'utf8'))
const pro = json('configs/mimo-v2.5-pro.json')
const proDrafter = json('configs/mimo-v2.5-pro-dflash.json')
const nano = json('nano/config.json')

function build(drafterJson: unknown, targetJson: object) {
  const read = mimoDrafter.config.safeParse(drafterJson)
  const section = read.success ? { dflash_config: targetSection(read.data) } : {}
  // A drafter that does not fit is to be told so by its own check, not by the target's.
  const parsed = mimo.config.safeParse(targetJson)
  if (!parsed.success) throw new Error('the target of a test is legal')
  const fits = read.success && read.data.taps.every((l) => l < parsed.data.layers.length)
  const graph = buildGraph(mimo, { ...targetJson, ...(fits && section) })
  return { ...buildDrafter(mimoDrafter, drafterJson, { config: parsed.data, graph }, {}), target: graph }
}
const lines = (g: Graph, scope = '') => g.nodes.filter((n) => n.scope.startsWith(scope)).map(printNode)

describe('programs', () => {
  test('commit projects the taps once, keys and values of all layers at once, and remembers them layer by layer', () => {
    const { commit } = build(nanoDrafter, nano)
    expect(lines(commit).slice(0, 10)).toMatchInlineSnapshot(`
      [
        "%0 [taps=1152] = input() name=taps",
        "%1 [fc] [hidden=384] = linear(%0) param=fc",
        "%2 [hidden=384] = norm(%1) param=hidden_norm stat=(x * x) apply=((x * rsqrt((mean + 0.00001))) * w)",
        "%3 [kv] [kv=8, rows=256] = linear(%2) param=kv_proj",
        "%4 [kv=8, qd=32] = slice(%3) dim=rows start=0 count=32",
        "%5 [kv=8, qd=32] = norm(%4) param=layers.0.self_attn.k_norm stat=(x * x) apply=((x * rsqrt((mean + 0.00001))) * w)",
        "%6 [kv=8, qd=32] = rope(%5) theta=10000 rotary=16",
        "%7 [kv=8, vd=32] = slice(%3) dim=rows start=32 count=32",
        "%8 [kv=8, vd=32] = map(%7) expr=(a * 0.612)",
        "%9 [] = remember(%6, %8) cache=layers.0 window=256",
      ]
    `)
    expect(commit.nodes.filter((n) => n.op === 'remember').map((n) => n.cache)).toEqual([
      'layers.0',
      'layers.1',
      'layers.2',
      'layers.3',
    ])
    expect(commit.nodes.some((n) => n.op === 'norm' && n.param.includes('input_layernorm'))).toBe(false)
  })

  test('a layer of draft', () => {
    const { draft } = build(nanoDrafter, nano)
    expect([...lines(draft).slice(0, 1), ...lines(draft, 'layers.0')]).toMatchInlineSnapshot(`
      [
        "%0 [hidden=384] = embed() param=model.embed_tokens instead={"token":4095,"param":"mask_embedding"}",
        "%1 [hidden=384] = norm(%0) param=layers.0.input_layernorm stat=(x * x) apply=((x * rsqrt((mean + 0.00001))) * w)",
        "%2 [qkv] [kv=8, qkv=128] = linear(%1) param=layers.0.self_attn.qkv_proj",
        "%3 [kv=8, group=2, qd=32] = slice(%2) dim=qkv start=0 count=64",
        "%4 [kv=8, group=2, qd=32] = norm(%3) param=layers.0.self_attn.q_norm stat=(x * x) apply=((x * rsqrt((mean + 0.00001))) * w)",
        "%5 [kv=8, group=2, qd=32] = rope(%4) theta=10000 rotary=16",
        "%6 [kv=8, qd=32] = slice(%2) dim=qkv start=64 count=32",
        "%7 [kv=8, qd=32] = norm(%6) param=layers.0.self_attn.k_norm stat=(x * x) apply=((x * rsqrt((mean + 0.00001))) * w)",
        "%8 [kv=8, qd=32] = rope(%7) theta=10000 rotary=16",
        "%9 [kv=8, vd=32] = slice(%2) dim=qkv start=96 count=32",
        "%10 [kv=8, vd=32] = map(%9) expr=(a * 0.612)",
        "%11 [attend] [kv=8, group=2, vd=32] = attention(%5, %8, %10) scale=0.17677669529663687 window=256 sink=layers.0.self_attn.attention_sink_bias block=true cache=layers.0",
        "%12 [o] [hidden=384] = linear(%11) param=layers.0.self_attn.o_proj",
        "%13 [hidden=384] = map(%0, %12) expr=(a + b)",
        "%14 [hidden=384] = norm(%13) param=layers.0.post_attention_layernorm stat=(x * x) apply=((x * rsqrt((mean + 0.00001))) * w)",
        "%15 [dense.up] [dense=256] = linear(%14) param=layers.0.mlp.gate_proj",
        "%16 [dense.up] [dense=256] = linear(%14) param=layers.0.mlp.up_proj",
        "%17 [dense=256] = map(%15, %16) expr=((a * sigmoid(a)) * b)",
        "%18 [dense.down] [hidden=384] = linear(%17) param=layers.0.mlp.down_proj",
        "%19 [hidden=384] = map(%13, %18) expr=(a + b)",
      ]
    `)
    expect(lines(draft).at(-1)).toMatchInlineSnapshot(`"%79 [vocabulary=4224] = logits(%78) valid=4096"`)
  })

  test('the published config', () => {
    const { commit, draft, own, target } = build(proDrafter, pro)
    expect(target.nodes.filter((n) => n.op === 'tap').map((n) => n.layer)).toEqual([0, 15, 31, 47, 69])
    expect(commit.params.find((p) => p.name === 'fc')!.dims.map((d) => d.size)).toEqual([6144, 5 * 6144])
    expect(lines(draft, 'layers.4.self_attn').filter((l) => /rope|attention/.test(l))).toMatchInlineSnapshot(`
      [
        "%81 [kv=8, group=16, qd=128] = rope(%80) theta=10000 rotary=64",
        "%84 [kv=8, qd=128] = rope(%83) theta=10000 rotary=64",
        "%87 [attend] [kv=8, group=16, vd=128] = attention(%81, %84, %86) scale=0.08838834764831843 window=1024 sink=layers.4.self_attn.attention_sink_bias block=true cache=layers.4",
      ]
    `)
    expect(lines(draft).at(-1)).toContain('valid=152064')
    const config = (mimoDrafter.config.safeParse(proDrafter) as { data: MimoDrafterConfig }).data
    const tensors = new Map(
      own
        .flatMap((p) => drafterWeights.bind(p, config)!.segments)
        .map(({ tensor }) => [tensor.name, tensor.shape.reduce((n, d) => n * d, 1)]),
    )
    tensors.delete('mask_embedding')
    expect(tensors.size).toBe(63)
    expect([...tensors.values()].reduce((n, size) => n + size, 0)).toBe(2_768_316_288)
    for (const p of own) {
      const { rows, columns, segments } = drafterWeights.bind(p, config)!
      expect([p.name, rows * columns]).toEqual([p.name, sizeOf(p.dims)])
      expect([p.name, segments.reduce((n, s) => n + s.rows, 0)]).toEqual([p.name, rows])
    }
  })

  test('each switch changes what it says and nothing else', () => {
    const diff = (tilec: object, part: 'commit' | 'draft' | 'target') => {
      const base = lines(build(nanoDrafter, nano)[part])
      const changed = lines(build({ ...nanoDrafter, tilec }, nano)[part])
      return changed.filter((line, i) => line !== base[i]).length
    }
    const layers = nanoDrafter.num_hidden_layers
    expect(diff({ rope: 'backbone' }, 'commit')).toBe(layers)
    expect(diff({ rope: 'backbone' }, 'draft')).toBe(2 * layers)
    expect([diff({ rope: 'mixed' }, 'commit'), diff({ rope: 'mixed' }, 'draft')]).toEqual([layers, 0])
    expect([diff({ value_scale: false }, 'commit'), diff({ value_scale: false }, 'draft')]).toEqual([layers, layers])
    expect(build({ ...nanoDrafter, tilec: { window_counts_self: false } }, nano).draft.nodes).toContainEqual(
      expect.objectContaining({ op: 'attention', window: 257 }),
    )
    const postNorm = build({ ...nanoDrafter, tilec: { last_tap: 'post_norm' } }, nano).target
    const last = postNorm.nodes.findLast((n) => n.op === 'tap')!
    expect(postNorm.nodes[last.inputs[0]!]).toMatchObject({ op: 'norm', param: 'model.norm' })
  })
})

describe('refused', () => {
  const dflash = (changes: object) => ({ dflash_config: { ...nanoDrafter.dflash_config, ...changes } })
  const cases: [what: string, changes: object, finding: string][] = [
    ['another width', { hidden_size: 512 }, "TILE1100 undefined: the drafter's hidden_size is 512, the target's 384"],
    [
      'a tap beyond the last layer',
      dflash({ target_layer_ids: [0, 3, 6] }),
      "TILE1101 undefined: the drafter taps layer 6, but the target's layers are 0 to 5",
    ],
    [
      'another depth',
      { num_target_layers: 70 },
      'TILE1101 undefined: the drafter was made for a target of 70 layers (num_target_layers); this one has 6',
    ],
    [
      'a larger vocabulary',
      { vocab_size: 5000 },
      "TILE1102 undefined: the drafter proposes ids below 5000, but the target's vocabulary ends at 4224",
    ],
    [
      'a mask token that there is not',
      dflash({ mask_token_id: 151669 }),
      "TILE1103 undefined: the drafter's mask_token_id is 151669, but the target's vocabulary ends at 4224",
    ],
    [
      'blocks of 16',
      { block_size: 16, ...dflash({ block_size: 16 }) },
      'TILE1104 undefined: the drafter fills blocks of 16 rows; an engine verifies 2 to 8',
    ],
    [
      'two block sizes',
      dflash({ block_size: 4 }),
      "TILE1032 undefined: config field 'dflash_config.block_size' is 4, but block_size is 8; they must be equal",
    ],
    [
      'two windows',
      { sliding_window: 1024 },
      "TILE1032 undefined: config field 'sliding_window' is 1024, but dflash_config.swa_window_size is 256; they must be equal",
    ],
    [
      'taps out of order',
      dflash({ target_layer_ids: [3, 0, 5] }),
      "TILE1032 undefined: config field 'dflash_config.target_layer_ids' [3, 0, 5] must be ascending layers, each once",
    ],
    [
      'a causal block',
      dflash({ causal: true }),
      "TILE1033 undefined: config field 'dflash_config.causal' is true, which this model does not support",
    ],
    [
      'a switch that there is not',
      { tilec: { ropes: 'mixed' } },
      "TILE1031 undefined: config field 'tilec.ropes' is unknown to this model",
    ],
    [
      'backbone without a base',
      { tilec: { rope: 'backbone' }, ...dflash({ backbone_rotary_base: undefined }) },
      "TILE1032 undefined: config field 'tilec.rope' is 'backbone', but dflash_config has no backbone_rotary_base",
    ],
    [
      'the final norm of a layer that is not the last',
      { tilec: { last_tap: 'post_norm' }, ...dflash({ target_layer_ids: [0, 3] }) },
      "TILE1101 undefined: tilec.last_tap is 'post_norm', but the last tap is layer 3, not the target's last, 5",
    ],
    [
      'an odd rotary',
      { partial_rotary_factor: 0.35 },
      "TILE1032 undefined: config field 'partial_rotary_factor' rotates int(32 * 0.35) = 11 elements of a head; it must be even and at least 2",
    ],
  ]
  test.each(cases)('%s', (_, changes, finding) => {
    expect(findings(() => build({ ...nanoDrafter, ...changes }, nano))).toContain(finding)
  })
})
