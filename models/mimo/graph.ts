/**
 * MiMo: one graph for V2-Flash, V2.5-Pro, V2.5-Pro-FP4-DFlash and nano; everything that differs comes from the config.
 *
 * Each layer: sliding or full attention over a fused qkv projection (partial rotary, scaled values, sinks where the
 * config says so), then a dense SwiGLU or a mixture of experts chosen by biased sigmoid scores.
 */
import {
  add,
  attention,
  bf16,
  type Dim,
  defineModel,
  dim,
  experts,
  f32,
  fp8Block128,
  linear,
  mxfp4,
  parallelDim,
  rmsNorm,
  rope,
  route,
  scale,
  sigmoid,
  slice,
  swiglu,
  type Tensor,
  type WeightFormat,
  weight,
} from '../../dsl/index.ts'
import { type AttentionKind, MimoConfig, type WeightStore } from './config.ts'

export { default as drafter, drafterWeights } from './drafter.ts'
export { schedules } from './schedule.ts'
export { weights } from './weights.ts'

type Hidden = Dim<'hidden', number>

const formats: Record<WeightStore, WeightFormat> = { bf16, fp8: fp8Block128, mxfp4 }

export default defineModel('mimo', MimoConfig, (m, cfg) => {
  const hidden: Hidden = dim('hidden', cfg.hidden)
  const vocabulary = parallelDim('vocabulary', cfg.vocabulary)
  const expert = dim('expert', cfg.experts)
  const inter = parallelDim('inter', cfg.expertInter)
  const dense = parallelDim('dense', cfg.denseInter)

  const normed = (x: Tensor<[Hidden]>, name: string) => rmsNorm(x, weight(name, [hidden], bf16), cfg.epsilon)

  const attend = (h: Tensor<[Hidden]>, layer: string, kind: AttentionKind): Tensor<[Hidden]> => {
    const kv = parallelDim('kv', kind.kvHeads)
    const group = dim('group', kind.heads / kind.kvHeads)
    const qd = dim('qd', kind.queryDim)
    const vd = dim('vd', kind.valueDim)
    const queries = group.size * qd.size
    // One row block a KV head: its queries, its key, its value; the unit that tensor parallelism deals out.
    const qkv = dim('qkv', queries + qd.size + vd.size)
    const stored = formats[cfg.storeOf(`${layer}.${cfg.fusedGroups ? 'qkv_proj' : 'q_proj'}`)]

    const all = linear(h, weight('qkv_proj', [kv, qkv, hidden], stored), { phase: 'qkv' })
    const rotary = { theta: kind.theta, rotary: kind.rotary }
    const q = rope(slice(all, 'qkv', 0, [group, qd]), rotary)
    const k = rope(slice(all, 'qkv', queries, [qd]), rotary)
    const v = scale(slice(all, 'qkv', queries + qd.size, [vd]), cfg.valueScale)
    const mixed = attention(q, k, v, {
      scale: kind.queryDim ** -0.5,
      window: kind.window,
      sink: kind.sink ? weight('attention_sink_bias', [kv, group], bf16) : undefined,
      phase: 'attend',
    })
    const output = weight('o_proj', [hidden, kv, group, vd], formats[cfg.storeOf(`${layer}.o_proj`)])
    return linear(mixed, output, { phase: 'o' })
  }

  const feedForward = (h: Tensor<[Hidden]>, layer: string, moe: boolean): Tensor<[Hidden]> => {
    if (!moe) {
      const stored = formats[cfg.storeOf(`${layer}.gate_proj`)]
      return swiglu(h, {
        gate: weight('gate_proj', [dense, hidden], stored),
        up: weight('up_proj', [dense, hidden], stored),
        down: weight('down_proj', [hidden, dense], stored),
      })
    }
    const router = weight('gate', [expert, hidden], cfg.routerDtype === 'bf16' ? bf16 : f32)
    const chosen = route(linear(h, router, { phase: 'router' }), {
      score: sigmoid,
      // The bias only ranks; its mean is far from zero and ties are real, so the sum is taken as it stands.
      bias: weight('gate.e_score_correction_bias', [expert], f32),
      choose: (score, bias) => score.add(bias),
      topK: cfg.topK,
      normalise: cfg.normaliseTopK,
      epsilon: 1e-20,
      factor: cfg.routedScale,
    })
    const stored = formats[cfg.storeOf(`${layer}.experts.0.gate_proj`)]
    return experts(h, chosen, {
      gate: weight('experts.gate_proj', [expert, inter, hidden], stored),
      up: weight('experts.up_proj', [expert, inter, hidden], stored),
      down: weight('experts.down_proj', [expert, hidden, inter], stored),
    })
  }

  const normedTap = cfg.lastTap === 'post_norm' ? cfg.layers.length - 1 : undefined
  let x = m.embed(weight('model.embed_tokens', [dim('token', cfg.vocabulary), hidden], bf16))
  for (const [l, layer] of cfg.layers.entries()) {
    const path = `model.layers.${l}`
    m.scope(path, () => {
      const h = normed(x, 'input_layernorm')
      x = add(
        x,
        m.scope('self_attn', () => attend(h, `${path}.self_attn`, layer.attention)),
      )
      const g = normed(x, 'post_attention_layernorm')
      x = add(
        x,
        m.scope('mlp', () => feedForward(g, `${path}.mlp`, layer.moe)),
      )
      if (cfg.taps.includes(l) && l !== normedTap) m.tap(l, x)
    })
  }
  const final = normed(x, 'model.norm')
  if (normedTap !== undefined && cfg.taps.includes(normedTap)) m.tap(normedTap, final)
  const head = weight('lm_head', [vocabulary, hidden], bf16)
  m.logits(linear(final, head, { phase: 'head' }), { valid: cfg.validVocabulary })
})
