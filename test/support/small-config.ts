/** Small MiMo configs in the two published layouts: Pro's fused groups in FP8 and MXFP4, Flash's split projections. */
const common = {
  architectures: ['MiMoV2ForCausalLM'],
  model_type: 'mimo_v2',
  hidden_size: 64,
  num_hidden_layers: 3,
  intermediate_size: 96,
  vocab_size: 50,
  layernorm_epsilon: 1e-5,
  hidden_act: 'silu',
  hybrid_layer_pattern: [0, 1, 1],
  num_attention_heads: 8,
  head_dim: 24,
  v_head_dim: 16,
  swa_num_attention_heads: 8,
  swa_head_dim: 24,
  swa_v_head_dim: 16,
  partial_rotary_factor: 0.334,
  rope_theta: 10000,
  swa_rope_theta: 100,
  sliding_window: 4,
  attention_value_scale: 0.7,
  add_swa_attention_sink_bias: true,
  add_full_attention_sink_bias: false,
  moe_layer_freq: [0, 1, 1],
  moe_intermediate_size: 32,
  n_routed_experts: 6,
  num_experts_per_tok: 2,
  scoring_func: 'sigmoid',
  topk_method: 'noaux_tc',
  norm_topk_prob: true,
}

/** 2 fused groups of (4 * 24 + 24 + 16) = 136 rows: each group's grid has 2 scale rows, an ungrouped one would have 3. */
export const proStyle = {
  ...common,
  num_key_value_heads: 2,
  swa_num_key_value_heads: 2,
  attention_projection_layout: 'fused_qkv',
  quantization_config: {
    quant_method: 'fp8',
    fmt: 'e4m3',
    weight_block_size: [128, 128],
    store_dtype: 'mxfp4',
    mxfp4_block_size: 32,
    ignored_layers: [0, 1, 2].map((l) => `model.layers.${l}.self_attn.o_proj`),
  },
}

export const flashStyle = {
  ...common,
  num_key_value_heads: 2,
  swa_num_key_value_heads: 4,
  quantization_config: {
    quant_method: 'fp8',
    fmt: 'e4m3',
    weight_block_size: [128, 128],
    ignored_layers: [0, 1, 2].map((l) => `model.layers.${l}.self_attn.o_proj`),
  },
}

export const plainStyle = { ...common, num_key_value_heads: 2, swa_num_key_value_heads: 4 }
