/** MiMo's graph, config and weight layout, against what is published and against the nano checkpoint that is shipped. */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { DiagnosticError, Session } from '../../compiler/diagnostics/diagnostic.ts'
import { buildGraph } from '../../compiler/frontend/build-graph.ts'
import { readConfig } from '../../compiler/frontend/read-config.ts'
import { printNode } from '../../compiler/graph/print-graph.ts'
import type { Graph } from '../../dsl/graph.ts'
import type { Segment } from '../../dsl/weights.ts'
import { scaleRow } from '../../dsl/weights.ts'
import { MimoConfig } from '../../models/mimo/config.ts'
import mimo, { weights } from '../../models/mimo/graph.ts'

const models = new URL('../../models/mimo/', import.meta.url)
const json = (path: string) => JSON.parse(readFileSync(new URL(path, models), 'utf8'))
const nano = json('nano/config.json')
const pro = json('configs/mimo-v2.5-pro.json')
const flash = json('configs/mimo-v2-flash.json')

const configOf = (raw: unknown): MimoConfig => readConfig(MimoConfig, raw, new Session())!.value
const segmentsOf = (graph: Graph, raw: unknown): Map<string, readonly Segment[]> =>
  new Map(graph.params.map((p) => [p.name, weights.bind(p, configOf(raw))!.segments]))
const lines = (g: Graph, scope: string) => g.nodes.filter((n) => n.scope.startsWith(scope)).map(printNode)

describe('graph', () => {
  test('a full dense layer and a sliding expert layer of nano', () => {
    const g = buildGraph(mimo, nano)
    expect(lines(g, 'model.layers.0')).toMatchInlineSnapshot(`
      [
        "%1 [hidden=384] = norm(%0) param=model.layers.0.input_layernorm stat=(x * x) apply=((x * rsqrt((mean + 0.00001))) * w)",
        "%2 [qkv] [kv=8, qkv=176] = linear(%1) param=model.layers.0.self_attn.qkv_proj",
        "%3 [kv=8, group=2, qd=48] = slice(%2) dim=qkv start=0 count=96",
        "%4 [kv=8, group=2, qd=48] = rope(%3) theta=500000 rotary=16",
        "%5 [kv=8, qd=48] = slice(%2) dim=qkv start=96 count=48",
        "%6 [kv=8, qd=48] = rope(%5) theta=500000 rotary=16",
        "%7 [kv=8, vd=32] = slice(%2) dim=qkv start=144 count=32",
        "%8 [kv=8, vd=32] = map(%7) expr=(a * 0.612)",
        "%9 [attend] [kv=8, group=2, vd=32] = attention(%4, %6, %8) scale=0.14433756729740643",
        "%10 [o] [hidden=384] = linear(%9) param=model.layers.0.self_attn.o_proj",
        "%11 [hidden=384] = map(%0, %10) expr=(a + b)",
        "%12 [hidden=384] = norm(%11) param=model.layers.0.post_attention_layernorm stat=(x * x) apply=((x * rsqrt((mean + 0.00001))) * w)",
        "%13 [dense.up] [dense=1024] = linear(%12) param=model.layers.0.mlp.gate_proj",
        "%14 [dense.up] [dense=1024] = linear(%12) param=model.layers.0.mlp.up_proj",
        "%15 [dense=1024] = map(%13, %14) expr=((a * sigmoid(a)) * b)",
        "%16 [dense.down] [hidden=384] = linear(%15) param=model.layers.0.mlp.down_proj",
        "%17 [hidden=384] = map(%11, %16) expr=(a + b)",
      ]
    `)
    expect(lines(g, 'model.layers.1.mlp')).toMatchInlineSnapshot(`
      [
        "%30 [router] [expert=16] = linear(%29) param=model.layers.1.mlp.gate",
        "%31 [slot=4] = route(%30) bias=model.layers.1.mlp.gate.e_score_correction_bias score=sigmoid(logit) choose=(score + bias) topK=4 normalise=true epsilon=1e-20 factor=1",
        "%32 [expert.up] [slot=4, inter=256] = expertLinear(%29, %31) param=model.layers.1.mlp.experts.gate_proj",
        "%33 [expert.up] [slot=4, inter=256] = expertLinear(%29, %31) param=model.layers.1.mlp.experts.up_proj",
        "%34 [slot=4, inter=256] = map(%32, %33) expr=((a * sigmoid(a)) * b)",
        "%35 [expert.down] [slot=4, hidden=384] = expertLinear(%34, %31) param=model.layers.1.mlp.experts.down_proj",
        "%36 [hidden=384] = combine(%35, %31)",
      ]
    `)
  })

  test('attention kinds differ as the config says', () => {
    const attend = (raw: unknown) => buildGraph(mimo, raw).nodes.filter((n) => n.op === 'attention')
    const layers = (raw: unknown) => attend(raw).map((n) => [n.dims[0]!.size, n.window, n.sink !== undefined])
    expect(new Set(layers(flash).map(String))).toEqual(new Set(['4,,false', '8,128,true']))
    const full = layers(pro).flatMap(([, window], l) => (window === undefined ? [l] : []))
    expect(full).toEqual([0, 7, 15, 23, 31, 39, 47, 55, 62, 69])
  })

  test('taps are the layers that the drafter names', () => {
    const taps = (raw: unknown) => buildGraph(mimo, raw).nodes.flatMap((n) => (n.op === 'tap' ? [n.layer] : []))
    expect(taps(pro)).toEqual([0, 15, 31, 47, 69])
    expect(taps(nano)).toEqual([])
  })

  test('padding of the vocabulary is never sampled', () => {
    const logits = buildGraph(mimo, { ...nano, valid_vocab_size: 4096 }).nodes.at(-1)
    expect(logits).toMatchObject({ op: 'logits', valid: 4096 })
  })
})

describe('weights', () => {
  test('all bytes of the published FP4 checkpoint are accounted for', () => {
    const segments = [...segmentsOf(buildGraph(mimo, pro), pro).values()].flat()
    const tensors = new Map(
      segments.flatMap((s) => [s.tensor, ...(s.scale ? [s.scale.tensor] : [])]).map((t) => [t.name, t]),
    )
    const elements = (dtype: string) =>
      [...tensors.values()]
        .filter((t) => t.dtypes[0] === dtype)
        .reduce((n, t) => n + t.shape.reduce((a, b) => a * b, 1), 0)
    // Facts of the published headers, less the three multi-token-prediction layers; the router counts as F32 here.
    const router = 69 * 384 * 6144
    expect(elements('F8_E4M3')).toBe(70 * 27136 * 6144 + 3 * 16384 * 6144)
    expect(elements('U8')).toBe(531_351_207_936)
    expect(elements('F32')).toBe(70 * 216 * 48 + 3 * 128 * 48 + 69 * 384 + router)
    expect(elements('BF16')).toBe(2 * 152576 * 6144 + 6144 + 70 * (2 * 6144 + 6144 * 16384) + 60 * 128)
    // 159,581 in all; 48 belong to the multi-token-prediction layers.
    expect(tensors.size).toBe(159_581 - 48)
  })

  test('fused qkv: one KV head is one run of rows, with a scale grid of its own', () => {
    const qkv = segmentsOf(buildGraph(mimo, pro), pro).get('model.layers.3.self_attn.qkv_proj')!
    expect(qkv.map((s) => [s.firstRow, s.rows])).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((g) => [3392 * g, 3392]))
    const grid = qkv[0]!.scale!
    expect(grid.tensor).toEqual({
      name: 'model.layers.3.self_attn.qkv_proj.weight_scale_inv',
      shape: [216, 48],
      dtypes: ['F32'],
    })
    // Block 25 of a group covers K rows 128..191 and V rows 0..63.
    expect([3071, 3072, 3199, 3200, 3327, 3328, 3391, 3392].map((r) => scaleRow(grid, r))).toEqual([
      23, 24, 24, 25, 25, 26, 26, 27,
    ])
  })

  test('fused groups with several KV heads are taken apart', () => {
    const fused = { ...flash, attention_projection_layout: 'fused_qkv' }
    const all = segmentsOf(buildGraph(mimo, fused), fused)
    const shape = (layer: number) => all.get(`model.layers.${layer}.self_attn.qkv_proj`)![0]!.tensor.shape
    expect([shape(0), shape(1)]).toEqual([
      [13568, 4096],
      [14848, 4096],
    ])
    // Sliding layers: four groups of [16 queries][2 keys][2 values].
    const rows = all.get('model.layers.1.self_attn.qkv_proj')!.map((s) => [s.firstRow, s.rows])
    expect(rows.slice(0, 9)).toEqual([
      [0, 8 * 192],
      [16 * 192, 192],
      [18 * 192, 128],
      [8 * 192, 8 * 192],
      [17 * 192, 192],
      [18 * 192 + 128, 128],
      [3712, 8 * 192],
      [3712 + 16 * 192, 192],
      [3712 + 18 * 192, 128],
    ])
  })

  test('split q, k and v', () => {
    const qkv = segmentsOf(buildGraph(mimo, flash), flash).get('model.layers.0.self_attn.qkv_proj')!
    expect(
      qkv.slice(3, 6).map((s) => [s.tensor.name.split('.').at(-2), s.tensor.shape[0], s.firstRow, s.rows]),
    ).toEqual([
      ['q_proj', 12288, 3072, 3072],
      ['k_proj', 768, 192, 192],
      ['v_proj', 512, 128, 128],
    ])
  })

  test('the nano checkpoint has exactly the tensors, shapes and dtypes that are described', () => {
    const headers = readdirSync(new URL('nano/', models))
      .filter((f) => /^model.*\.safetensors$/.test(f))
      .map((f) => header(new URL(`nano/${f}`, models)))
    const stored = new Map(headers.flatMap((h) => Object.entries(h)).filter(([name]) => name !== '__metadata__'))
    const segments = [...segmentsOf(buildGraph(mimo, nano), nano).values()].flat()
    const described = new Map(
      segments.flatMap((s) => [s.tensor, ...(s.scale ? [s.scale.tensor] : [])]).map((t) => [t.name, t]),
    )
    expect([...stored.keys()].filter((n) => !n.startsWith('model.mtp.')).sort()).toEqual([...described.keys()].sort())
    for (const [name, tensor] of described) {
      const { dtype, shape } = stored.get(name)!
      expect({ name, shape }).toEqual({ name, shape: tensor.shape })
      expect(tensor.dtypes, name).toContain(dtype)
    }
  })
})

interface Header {
  readonly [name: string]: { readonly dtype: string; readonly shape: readonly number[] }
}
function header(file: URL): Header {
  const fd = openSync(file, 'r')
  const read = (length: number, at: number) => {
    const bytes = Buffer.alloc(length)
    readSync(fd, bytes, 0, length, at)
    return bytes
  }
  const length = Number(read(8, 0).readBigUInt64LE())
  const parsed = JSON.parse(read(length, 8).toString('utf8')) as Header
  closeSync(fd)
  return parsed
}

describe('config', () => {
  const findings = (changes: object) => {
    try {
      buildGraph(mimo, { ...nano, ...changes })
      return []
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error
      return error.diagnostics.map((d) => `${d.code} ${d.message}${d.help ? ` (${d.help})` : ''}`)
    }
  }
  const cases: [what: string, changes: object, finding: string][] = [
    [
      'short layer list',
      { moe_layer_freq: [0, 1] },
      "TILE1032 config field 'moe_layer_freq' has 2 entries, but num_hidden_layers is 6",
    ],
    [
      'other scores',
      { scoring_func: 'softmax' },
      `TILE1033 config field 'scoring_func' is "softmax", which this model does not support (accepted: "sigmoid")`,
    ],
    [
      'other choice',
      { topk_method: 'greedy' },
      `TILE1033 config field 'topk_method' is "greedy", which this model does not support (accepted: "noaux_tc")`,
    ],
    [
      'other activation',
      { hidden_act: 'gelu' },
      `TILE1033 config field 'hidden_act' is "gelu", which this model does not support (accepted: "silu")`,
    ],
    [
      'groups of experts',
      { n_group: 8 },
      "TILE1033 config field 'n_group' is 8, which this model does not support (accepted: 1)",
    ],
    [
      'shared experts',
      { n_shared_experts: 1 },
      "TILE1033 config field 'n_shared_experts' is 1, which this model does not support (accepted: null, 0)",
    ],
    [
      'attention bias',
      { attention_bias: true },
      "TILE1033 config field 'attention_bias' is true, which this model does not support (accepted: false)",
    ],
    [
      'scaled rope',
      { rope_scaling: { type: 'yarn' } },
      `TILE1033 config field 'rope_scaling' is {"type":"yarn"}, which this model does not support (accepted: null, "default")`,
    ],
    [
      'uneven heads',
      { num_attention_heads: 12 },
      "TILE1032 config field 'num_attention_heads' 12 query heads cannot be shared out evenly over 8 KV heads",
    ],
    [
      'odd rotary',
      { partial_rotary_factor: 0.32 },
      "TILE1032 config field 'partial_rotary_factor' rotates int(48 * 0.32) = 15 elements of a full head; it must be even and at least 2",
    ],
    [
      'uneven groups',
      { swa_num_key_value_heads: 12, swa_num_attention_heads: 24 },
      "TILE1032 config field 'attention_projection_layout' fused_qkv interleaves 8 groups, which must divide both 8 (full) and 12 (swa) KV heads",
    ],
    [
      'two windows',
      { sliding_window_size: 64 },
      "TILE1032 config field 'sliding_window_size' is 64, but sliding_window is 128; they must be equal",
    ],
    [
      'too many chosen',
      { num_experts_per_tok: 17 },
      "TILE1032 config field 'num_experts_per_tok' is 17, but there are only 16 experts (n_routed_experts)",
    ],
    [
      'misspelt field',
      { rope_tehta: 1 },
      "TILE1031 config field 'rope_tehta' is unknown to this model (did you mean 'rope_theta'?)",
    ],
    [
      'misspelt inner field',
      { quantization_config: { ...nano.quantization_config, store_dtyp: 'mxfp4' } },
      "TILE1031 config field 'quantization_config.store_dtyp' is unknown to this model (did you mean 'store_dtype'?)",
    ],
    ['missing field', { hidden_size: undefined }, "TILE1034 config field 'hidden_size' is missing (accepted: number)"],
    [
      'wrong type',
      { layernorm_epsilon: '1e-5' },
      `TILE1030 config field 'layernorm_epsilon' is "1e-5": invalid input: expected number, received string`,
    ],
    [
      'taps out of order',
      { dflash_config: { target_layer_ids: [3, 1] } },
      "TILE1032 config field 'dflash_config' target_layer_ids [3, 1] must be ascending layers below 6",
    ],
  ]
  test.each(cases)('%s', (_, changes, finding) => expect(findings(changes)).toContain(finding))

  test('router dtype decides the format, and BF16 widens exactly', () => {
    const router = (raw: object) => {
      const g = buildGraph(mimo, raw)
      const p = g.params.find((q) => q.name.endsWith('mlp.gate'))!
      return [p.format, weights.bind(p, configOf(raw))!.segments[0]!.tensor.dtypes]
    }
    expect(router(nano)).toEqual([{ kind: 'plain', scalar: 'f32' }, ['F32', 'BF16']])
    expect(router({ ...nano, moe_router_dtype: 'bfloat16' })).toEqual([{ kind: 'plain', scalar: 'bf16' }, ['BF16']])
  })
})
