/**
 * The config.json of a published `dflash/` folder, checked, and how well it fits its target.
 *
 * Vocabulary: a *tap* is a layer of the target whose result the drafter reads; a *block* is [newest token, mask, ...]; a
 * *switch* is a point that public implementations read differently. Switches stand in `tilec`, an object that published
 * configs do not have, each with its default and what the other reading is.
 * Invariants: as for the target's config: nothing is defaulted that changes results, and a field that is neither used nor
 * listed as bookkeeping is an error.
 */
import { z } from 'zod'
import type { Problem } from '../../dsl/index.ts'
import type { MimoConfig } from './config.ts'

const positive = z.int().positive()
const bookkeeping = z.unknown().optional()

const ignored = {
  architectures: bookkeeping,
  attention_dropout: bookkeeping,
  auto_map: bookkeeping,
  bos_token_id: bookkeeping,
  dtype: bookkeeping,
  eos_token_id: bookkeeping,
  initializer_range: bookkeeping,
  max_position_embeddings: bookkeeping,
  max_window_layers: bookkeeping,
  model_type: bookkeeping,
  pad_token_id: bookkeeping,
  torch_dtype: bookkeeping,
  transformers_version: bookkeeping,
  use_cache: bookkeeping,
  use_sliding_window: bookkeeping,
}

const switches = z
  .strictObject({
    /**
     * Which theta turns queries and keys: `config` (rope_theta for context and block alike: vLLM, SGLang, MAX, miles),
     * `backbone` (dflash_config.backbone_rotary_base for both) or `mixed` (backbone for context, rope_theta for blocks:
     * ik_llama.cpp).
     */
    rope: z.enum(['config', 'backbone', 'mixed']).default('config'),
    /** A tap of the target's last layer: `raw`, before the final norm (vLLM, MAX, miles), or `post_norm`, after it. */
    last_tap: z.enum(['raw', 'post_norm']).default('raw'),
    /** Whether attention_value_scale multiplies values (SGLang, newer vLLM) or not (older vLLM). */
    value_scale: z.boolean().default(true),
    /** Window W: true, |q - k| <= W - 1, the row itself is one of W; false, |q - k| <= W. */
    window_counts_self: z.boolean().default(true),
  })
  .prefault({})

const dflash = z.strictObject({
  target_layer_ids: z.array(z.int().nonnegative()).min(1),
  mask_token_id: z.int().nonnegative(),
  block_size: positive.optional(),
  use_swa: z.boolean().default(false),
  swa_window_size: positive.nullish(),
  backbone_rotary_base: z.number().positive().nullish(),
  attention_value_scale: z.number().positive().nullish(),
  attention_sink_bias: z.boolean().default(false),
  /** The block sees itself both ways; a causal drafter is another algorithm. */
  causal: z.literal(false).optional(),
  num_anchors: bookkeeping,
  loss_decay_gamma: bookkeeping,
})

const fields = z.strictObject({
  ...ignored,
  hidden_size: positive,
  num_hidden_layers: positive,
  num_target_layers: positive,
  vocab_size: positive,
  rms_norm_eps: z.number().positive(),
  hidden_act: z.literal('silu'),
  tie_word_embeddings: z.literal(false).optional(),
  intermediate_size: positive,
  num_attention_heads: positive,
  num_key_value_heads: positive,
  head_dim: positive,
  v_head_dim: positive.optional(),
  partial_rotary_factor: z.number().positive().max(1).default(1),
  rope_theta: z.number().positive(),
  rope_scaling: z.null().optional(),
  sliding_window: positive.nullish(),
  attention_bias: z.literal(false).optional(),
  is_causal: z.literal(false).optional(),
  block_size: positive,
  dflash_config: dflash,
  tilec: switches,
})

export interface MimoDrafterConfig {
  readonly hidden: number
  readonly layers: number
  readonly targetLayers: number
  readonly vocabulary: number
  readonly epsilon: number
  readonly inter: number
  readonly heads: number
  readonly kvHeads: number
  readonly queryDim: number
  readonly valueDim: number
  readonly rotary: number
  readonly contextTheta: number
  readonly blockTheta: number
  /** Keys that a row sees before it, itself included; as many after it. */
  readonly window: number | undefined
  readonly sink: boolean
  readonly valueScale: number
  /** Rows of a block, the newest token's included. */
  readonly block: number
  readonly mask: number
  readonly taps: readonly number[]
  readonly lastTap: 'raw' | 'post_norm'
}

type Fields = z.output<typeof fields>

const rotaryOf = (c: Fields): number => Math.trunc(c.head_dim * c.partial_rotary_factor)

function contradictions(c: Fields): { readonly field: string; readonly message: string }[] {
  const found: { field: string; message: string }[] = []
  const demand = (holds: boolean, field: string, message: string) => {
    if (!holds) found.push({ field, message })
  }
  const d = c.dflash_config
  demand(
    c.num_attention_heads % c.num_key_value_heads === 0,
    'num_attention_heads',
    `${c.num_attention_heads} query heads cannot be shared out evenly over ${c.num_key_value_heads} KV heads`,
  )
  demand(
    rotaryOf(c) >= 2 && rotaryOf(c) % 2 === 0,
    'partial_rotary_factor',
    `rotates int(${c.head_dim} * ${c.partial_rotary_factor}) = ${rotaryOf(c)} elements of a head; it must be even and at least 2`,
  )
  demand(
    (d.block_size ?? c.block_size) === c.block_size,
    'dflash_config.block_size',
    `is ${d.block_size}, but block_size is ${c.block_size}; they must be equal`,
  )
  const layers = d.target_layer_ids
  demand(
    layers.every((l, i) => i === 0 || l > layers[i - 1]!),
    'dflash_config.target_layer_ids',
    `[${layers.join(', ')}] must be ascending layers, each once`,
  )
  if (d.use_swa) {
    demand(d.swa_window_size != null, 'dflash_config.swa_window_size', 'is missing, but use_swa is true')
    demand(
      c.sliding_window == null || c.sliding_window === d.swa_window_size,
      'sliding_window',
      `is ${c.sliding_window}, but dflash_config.swa_window_size is ${d.swa_window_size}; they must be equal`,
    )
  }
  demand(
    c.tilec.rope === 'config' || d.backbone_rotary_base != null,
    'tilec.rope',
    `is '${c.tilec.rope}', but dflash_config has no backbone_rotary_base`,
  )
  return found
}

function derive(c: Fields): MimoDrafterConfig {
  const d = c.dflash_config
  const window = d.use_swa ? d.swa_window_size! : undefined
  const backbone = d.backbone_rotary_base ?? c.rope_theta
  return {
    hidden: c.hidden_size,
    layers: c.num_hidden_layers,
    targetLayers: c.num_target_layers,
    vocabulary: c.vocab_size,
    epsilon: c.rms_norm_eps,
    inter: c.intermediate_size,
    heads: c.num_attention_heads,
    kvHeads: c.num_key_value_heads,
    queryDim: c.head_dim,
    valueDim: c.v_head_dim ?? c.head_dim,
    rotary: rotaryOf(c),
    contextTheta: c.tilec.rope === 'config' ? c.rope_theta : backbone,
    blockTheta: c.tilec.rope === 'backbone' ? backbone : c.rope_theta,
    window: window === undefined || c.tilec.window_counts_self ? window : window + 1,
    sink: d.attention_sink_bias,
    valueScale: c.tilec.value_scale ? (d.attention_value_scale ?? 1) : 1,
    block: c.block_size,
    mask: d.mask_token_id,
    taps: d.target_layer_ids,
    lastTap: c.tilec.last_tap,
  }
}

/** dflash/config.json in, checked dimensions out. */
export const MimoDrafterConfig: z.ZodType<MimoDrafterConfig> = fields
  .superRefine((c, ctx) => {
    for (const { field, message } of contradictions(c)) {
      ctx.addIssue({ code: 'custom', path: field.split('.'), message, params: { contradiction: true } })
    }
  })
  .transform(derive)

/** Rows that one pass of an engine verifies. */
const maxRows = 8

/** What keeps a drafter from serving a target; the target's side is named in each. */
export function misfits(drafter: MimoDrafterConfig, target: MimoConfig): Problem[] {
  const found: Problem[] = []
  const demand = (holds: boolean, code: Problem['code'], message: string, help?: string) => {
    if (!holds) found.push({ code, message, help })
  }
  demand(
    drafter.hidden === target.hidden,
    'TILE1100',
    `the drafter's hidden_size is ${drafter.hidden}, the target's ${target.hidden}`,
  )
  const beyond = drafter.taps.filter((l) => l >= target.layers.length)
  demand(
    beyond.length === 0,
    'TILE1101',
    `the drafter taps layer ${beyond.join(', ')}, but the target's layers are 0 to ${target.layers.length - 1}`,
  )
  demand(
    drafter.targetLayers === target.layers.length,
    'TILE1101',
    `the drafter was made for a target of ${drafter.targetLayers} layers (num_target_layers); this one has ${target.layers.length}`,
  )
  demand(
    drafter.lastTap === 'raw' || drafter.taps.at(-1) === target.layers.length - 1,
    'TILE1101',
    `tilec.last_tap is 'post_norm', but the last tap is layer ${drafter.taps.at(-1)}, not the target's last, ${target.layers.length - 1}`,
  )
  demand(
    drafter.vocabulary <= target.vocabulary,
    'TILE1102',
    `the drafter proposes ids below ${drafter.vocabulary}, but the target's vocabulary ends at ${target.vocabulary}`,
    'a smaller vocabulary is fine: the target pads its own',
  )
  demand(
    drafter.mask < target.vocabulary,
    'TILE1103',
    `the drafter's mask_token_id is ${drafter.mask}, but the target's vocabulary ends at ${target.vocabulary}`,
  )
  demand(
    drafter.block >= 2 && drafter.block <= maxRows,
    'TILE1104',
    `the drafter fills blocks of ${drafter.block} rows; an engine verifies 2 to ${maxRows}`,
  )
  return found
}

/** What a loader merges into the target's config.json as `dflash_config`, so that the target taps what the drafter reads. */
export const targetSection = (drafter: MimoDrafterConfig) => ({
  target_layer_ids: drafter.taps,
  last_tap: drafter.lastTap,
})
