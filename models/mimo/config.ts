/**
 * MiMo's config.json, checked, and what the graph needs of it.
 *
 * Vocabulary: an *attention kind* is full or swa (sliding window); `hybrid_layer_pattern` picks one a layer, 0 full, 1 swa.
 * A *fused group* is one slice of a fused qkv tensor: the query, key and value rows of some KV heads, with a scale grid
 * of its own (there are as many groups as the kind with fewer KV heads has KV heads).
 * Invariants: nothing is defaulted that changes results unless the reference implementation defaults it the same way; a
 * field that is neither used nor listed as bookkeeping is an error, so a new model revision cannot be misread silently.
 */
import { z } from 'zod'

const positive = z.int().positive()
const bookkeeping = z.unknown().optional()

/** Accepted and unused: they describe training, packaging or other frameworks and change no result. */
const ignored = {
  architectures: bookkeeping,
  attention_dropout: bookkeeping,
  auto_map: bookkeeping,
  bos_token_id: bookkeeping,
  dtype: bookkeeping,
  eos_token_id: bookkeeping,
  initializer_range: bookkeeping,
  max_position_embeddings: bookkeeping,
  model_type: bookkeeping,
  num_nextn_predict_layers: bookkeeping,
  pad_token_id: bookkeeping,
  torch_dtype: bookkeeping,
  transformers_version: bookkeeping,
  use_cache: bookkeeping,
}

const quantization = z.strictObject({
  quant_method: z.literal('fp8'),
  fmt: z.literal('e4m3'),
  activation_scheme: z.literal('dynamic').optional(),
  weight_block_size: z.tuple([z.literal(128), z.literal(128)]),
  /** Only this tells that experts are MXFP4; quant_method says fp8 all the same. */
  store_dtype: z.literal('mxfp4').optional(),
  mxfp4_block_size: z.literal(32).optional(),
  ignored_layers: z.array(z.string()).default([]),
})

const fields = z.strictObject({
  ...ignored,
  hidden_size: positive,
  num_hidden_layers: positive,
  vocab_size: positive,
  /** Added by the loader from the tokenizer: ids from here on are padding. */
  valid_vocab_size: positive.optional(),
  layernorm_epsilon: z.number().positive(),
  hidden_act: z.literal('silu'),
  tie_word_embeddings: z.literal(false).optional(),

  hybrid_layer_pattern: z.array(z.union([z.literal(0), z.literal(1)])),
  num_attention_heads: positive,
  num_key_value_heads: positive,
  head_dim: positive,
  v_head_dim: positive,
  swa_num_attention_heads: positive.optional(),
  swa_num_key_value_heads: positive.optional(),
  swa_head_dim: positive.optional(),
  swa_v_head_dim: positive.optional(),
  partial_rotary_factor: z.number().positive().max(1),
  rope_theta: z.number().positive(),
  swa_rope_theta: z.number().positive().optional(),
  rope_scaling: z
    .union([
      z.null(),
      z.strictObject({ type: z.literal('default').optional(), rope_type: z.literal('default').optional() }),
    ])
    .optional(),
  sliding_window: positive.nullish(),
  sliding_window_size: positive.nullish(),
  attention_chunk_size: positive.nullish(),
  attention_value_scale: z.number().positive().nullish(),
  attention_bias: z.literal(false).optional(),
  attention_projection_layout: z.enum(['fused_qkv', 'split']).optional(),
  add_swa_attention_sink_bias: z.boolean().default(false),
  add_full_attention_sink_bias: z.boolean().default(false),

  moe_layer_freq: z.array(z.union([z.literal(0), z.literal(1)])),
  intermediate_size: positive,
  moe_intermediate_size: positive,
  n_routed_experts: positive,
  n_shared_experts: z.union([z.null(), z.literal(0)]).optional(),
  num_experts_per_tok: positive,
  scoring_func: z.literal('sigmoid'),
  topk_method: z.literal('noaux_tc'),
  n_group: z.literal(1).optional(),
  topk_group: z.literal(1).optional(),
  norm_topk_prob: z.boolean(),
  routed_scaling_factor: z.number().positive().nullish(),
  moe_router_dtype: z.enum(['float32', 'bfloat16']).nullish(),

  quantization_config: quantization.optional(),
  /** The drafter's own section, merged in by the loader when a drafter ships with the model. */
  dflash_config: z
    .looseObject({
      target_layer_ids: z.array(z.int().nonnegative()),
      /** A tap of the last layer: before the final norm, or after it (drafter-config.ts). */
      last_tap: z.enum(['raw', 'post_norm']).default('raw'),
    })
    .optional(),
})

export interface AttentionKind {
  readonly name: 'full' | 'swa'
  readonly heads: number
  readonly kvHeads: number
  readonly queryDim: number
  readonly valueDim: number
  readonly rotary: number
  readonly theta: number
  readonly window: number | undefined
  readonly sink: boolean
}

export interface LayerConfig {
  readonly attention: AttentionKind
  readonly moe: boolean
}

export type WeightStore = 'bf16' | 'fp8' | 'mxfp4'

export interface MimoConfig {
  readonly hidden: number
  readonly vocabulary: number
  readonly validVocabulary: number
  readonly epsilon: number
  readonly layers: readonly LayerConfig[]
  readonly valueScale: number
  readonly denseInter: number
  readonly expertInter: number
  readonly experts: number
  readonly topK: number
  readonly normaliseTopK: boolean
  readonly routedScale: number
  readonly routerDtype: 'f32' | 'bf16'
  /** Groups of a fused qkv tensor; undefined where q, k and v are separate tensors. */
  readonly fusedGroups: number | undefined
  /** How the linear module of this name is stored. */
  readonly storeOf: (module: string) => WeightStore
  /** Layers whose result the drafter reads. */
  readonly taps: readonly number[]
  /** What the drafter reads of the last layer, if it reads it: its result, or that after the final norm. */
  readonly lastTap: 'raw' | 'post_norm'
}

type Fields = z.output<typeof fields>

function attentionKinds(c: Fields): { full: AttentionKind; swa: AttentionKind } {
  const kind = (
    name: 'full' | 'swa',
    heads: number,
    kvHeads: number,
    queryDim: number,
    valueDim: number,
    theta: number,
  ): AttentionKind => ({
    name,
    heads,
    kvHeads,
    queryDim,
    valueDim,
    rotary: Math.trunc(queryDim * c.partial_rotary_factor),
    theta,
    window: name === 'swa' ? (c.sliding_window ?? c.sliding_window_size ?? undefined) : undefined,
    sink: name === 'swa' ? c.add_swa_attention_sink_bias : c.add_full_attention_sink_bias,
  })
  return {
    full: kind('full', c.num_attention_heads, c.num_key_value_heads, c.head_dim, c.v_head_dim, c.rope_theta),
    swa: kind(
      'swa',
      c.swa_num_attention_heads ?? c.num_attention_heads,
      c.swa_num_key_value_heads ?? c.num_key_value_heads,
      c.swa_head_dim ?? c.head_dim,
      c.swa_v_head_dim ?? c.v_head_dim,
      c.swa_rope_theta ?? c.rope_theta,
    ),
  }
}

/** Contradictions between fields that are legal one by one. */
function contradictions(c: Fields): { readonly field: string; readonly message: string }[] {
  const found: { field: string; message: string }[] = []
  const demand = (holds: boolean, field: string, message: string) => {
    if (!holds) found.push({ field, message })
  }
  for (const field of ['hybrid_layer_pattern', 'moe_layer_freq'] as const) {
    demand(
      c[field].length === c.num_hidden_layers,
      field,
      `has ${c[field].length} entries, but num_hidden_layers is ${c.num_hidden_layers}`,
    )
  }
  const { full, swa } = attentionKinds(c)
  for (const kind of [full, swa]) {
    const prefix = kind.name === 'swa' ? 'swa_' : ''
    demand(
      kind.heads % kind.kvHeads === 0,
      `${prefix}num_attention_heads`,
      `${kind.heads} query heads cannot be shared out evenly over ${kind.kvHeads} KV heads`,
    )
    demand(
      kind.rotary >= 2 && kind.rotary % 2 === 0,
      'partial_rotary_factor',
      `rotates int(${kind.queryDim} * ${c.partial_rotary_factor}) = ${kind.rotary} elements of a ${kind.name} head; it must be even and at least 2`,
    )
  }
  const groups = Math.min(full.kvHeads, swa.kvHeads)
  if (c.attention_projection_layout === 'fused_qkv') {
    demand(
      full.kvHeads % groups === 0 && swa.kvHeads % groups === 0,
      'attention_projection_layout',
      `fused_qkv interleaves ${groups} groups, which must divide both ${full.kvHeads} (full) and ${swa.kvHeads} (swa) KV heads`,
    )
  }
  if (c.hybrid_layer_pattern.includes(1)) {
    demand(swa.window !== undefined, 'sliding_window', 'is missing, but hybrid_layer_pattern has sliding layers')
  }
  for (const field of ['sliding_window_size', 'attention_chunk_size'] as const) {
    const value = c[field]
    demand(
      value == null || value === swa.window,
      field,
      `is ${value}, but sliding_window is ${swa.window}; they must be equal`,
    )
  }
  demand(
    c.num_experts_per_tok <= c.n_routed_experts,
    'num_experts_per_tok',
    `is ${c.num_experts_per_tok}, but there are only ${c.n_routed_experts} experts (n_routed_experts)`,
  )
  demand(
    (c.valid_vocab_size ?? 1) <= c.vocab_size,
    'valid_vocab_size',
    `is ${c.valid_vocab_size}, more than vocab_size, ${c.vocab_size}`,
  )
  const q = c.quantization_config
  if (q?.store_dtype === 'mxfp4') {
    demand(
      c.hidden_size % 32 === 0 && c.moe_intermediate_size % 32 === 0,
      'quantization_config',
      `mxfp4 shares a scale among 32 columns, but hidden_size is ${c.hidden_size} and moe_intermediate_size is ${c.moe_intermediate_size}`,
    )
  }
  const taps = c.dflash_config?.target_layer_ids ?? []
  demand(
    taps.every((l, i) => l < c.num_hidden_layers && (i === 0 || l > taps[i - 1]!)),
    'dflash_config',
    `target_layer_ids [${taps.join(', ')}] must be ascending layers below ${c.num_hidden_layers}`,
  )
  return found
}

function derive(c: Fields): MimoConfig {
  const { full, swa } = attentionKinds(c)
  const q = c.quantization_config
  const unquantized = new Set(q?.ignored_layers ?? [])
  return {
    hidden: c.hidden_size,
    vocabulary: c.vocab_size,
    validVocabulary: c.valid_vocab_size ?? c.vocab_size,
    epsilon: c.layernorm_epsilon,
    layers: c.hybrid_layer_pattern.map((swaLayer, l) => ({
      attention: swaLayer ? swa : full,
      moe: c.moe_layer_freq[l] === 1,
    })),
    valueScale: c.attention_value_scale ?? 1,
    denseInter: c.intermediate_size,
    expertInter: c.moe_intermediate_size,
    experts: c.n_routed_experts,
    topK: c.num_experts_per_tok,
    normaliseTopK: c.norm_topk_prob,
    routedScale: c.routed_scaling_factor ?? 1,
    routerDtype: c.moe_router_dtype === 'bfloat16' ? 'bf16' : 'f32',
    fusedGroups: c.attention_projection_layout === 'fused_qkv' ? Math.min(full.kvHeads, swa.kvHeads) : undefined,
    storeOf: (module) => {
      if (!q || unquantized.has(module)) return 'bf16'
      return q.store_dtype === 'mxfp4' && module.includes('.experts.') ? 'mxfp4' : 'fp8'
    },
    taps: c.dflash_config?.target_layer_ids ?? [],
    lastTap: c.dflash_config?.last_tap ?? 'raw',
  }
}

/** config.json in, checked dimensions out. */
export const MimoConfig: z.ZodType<MimoConfig> = fields
  .superRefine((c, ctx) => {
    for (const { field, message } of contradictions(c)) {
      ctx.addIssue({ code: 'custom', path: [field], message, params: { contradiction: true } })
    }
  })
  .transform(derive)
