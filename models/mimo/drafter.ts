/**
 * DFlash for MiMo: a few dense layers that fill in a block of tokens at once, from what the target thought before it.
 *
 * `commit`: the taps of accepted rows, projected to one vector (`fc`, `hidden_norm`); each layer remembers a key and a
 * value of it. These rows pass through nothing else: no input norm, no earlier layer of the drafter.
 * `draft`: [newest token, mask, ...] through the layers; every row sees the whole block and the remembered context before
 * it. Row j is about its own position; row 0 is the newest token itself and proposes nothing.
 * Embedding and head are the target's; the mask token has a vector of its own. Everything that public implementations
 * read differently is a switch of drafter-config.ts.
 */
import {
  add,
  attention,
  bf16,
  type Dim,
  defineDrafter,
  dim,
  type GraphBuilder,
  linear,
  parallelDim,
  range,
  remember,
  rmsNorm,
  rope,
  scale,
  slice,
  swiglu,
  type Tensor,
  weight,
} from '../../dsl/index.ts'
import type { MimoConfig } from './config.ts'
import { MimoDrafterConfig, misfits, targetSection } from './drafter-config.ts'

export { drafterWeights } from './drafter-weights.ts'

type Hidden = Dim<'hidden', number>

/** Dims and parts that both programs use. */
function parts(cfg: MimoDrafterConfig) {
  const hidden: Hidden = dim('hidden', cfg.hidden)
  const kv = parallelDim('kv', cfg.kvHeads)
  const group = dim('group', cfg.heads / cfg.kvHeads)
  const qd = dim('qd', cfg.queryDim)
  const vd = dim('vd', cfg.valueDim)
  const cache = (layer: number) => `layers.${layer}`
  return {
    hidden,
    kv,
    group,
    qd,
    vd,
    normed: (x: Tensor<[Hidden]>, name: string) => rmsNorm(x, weight(name, [hidden], bf16), cfg.epsilon),
    /** Queries and keys are normalised head by head, before they are turned. */
    key: (x: Tensor<[typeof kv, typeof qd]>, norm: string, theta: number) =>
      rope(rmsNorm(x, weight(norm, [qd], bf16), cfg.epsilon), { theta, rotary: cfg.rotary }),
    query: (x: Tensor<[typeof kv, typeof group, typeof qd]>, theta: number) =>
      rope(rmsNorm(x, weight('q_norm', [qd], bf16), cfg.epsilon), { theta, rotary: cfg.rotary }),
    cache,
  }
}

function commit(m: GraphBuilder, cfg: MimoDrafterConfig): void {
  const { hidden, kv, qd, vd, normed, key, cache } = parts(cfg)
  const width = cfg.taps.length * cfg.hidden
  // Cut over the ranks where each of as many as eight gets whole units of 32, else whole on each.
  const taps = (width % (8 * 32) === 0 ? parallelDim : dim)('taps', width)
  const projected = linear(m.taps([taps]), weight('fc', [hidden, taps], bf16), { phase: 'fc' })
  const context = normed(projected, 'hidden_norm')
  // No layer needs another's, so all are projected at once: one product of some height instead of a small one a layer.
  const each = qd.size + vd.size
  const rows = dim('rows', cfg.layers * each)
  const all = linear(context, weight('kv_proj', [kv, rows, hidden], bf16), { phase: 'kv' })
  for (const l of range(cfg.layers)) {
    const k = key(slice(all, 'rows', l * each, [qd]), `layers.${l}.self_attn.k_norm`, cfg.contextTheta)
    const v = scale(slice(all, 'rows', l * each + qd.size, [vd]), cfg.valueScale)
    remember(k, v, { cache: cache(l), window: cfg.window })
  }
}

function draft(m: GraphBuilder, cfg: MimoDrafterConfig, target: MimoConfig): void {
  const { hidden, kv, group, qd, vd, normed, key, query, cache } = parts(cfg)
  const dense = parallelDim('dense', cfg.inter)
  const queries = group.size * qd.size
  const qkv = dim('qkv', queries + qd.size + vd.size)

  const attend = (h: Tensor<[Hidden]>, layer: number): Tensor<[Hidden]> => {
    const all = linear(h, weight('qkv_proj', [kv, qkv, hidden], bf16), { phase: 'qkv' })
    const q = query(slice(all, 'qkv', 0, [group, qd]), cfg.blockTheta)
    const k = key(slice(all, 'qkv', queries, [qd]), 'k_norm', cfg.blockTheta)
    const v = scale(slice(all, 'qkv', queries + qd.size, [vd]), cfg.valueScale)
    const mixed = attention(q, k, v, {
      scale: cfg.queryDim ** -0.5,
      window: cfg.window,
      sink: cfg.sink ? weight('attention_sink_bias', [kv, group], bf16) : undefined,
      block: true,
      cache: cache(layer),
      phase: 'attend',
    })
    return linear(mixed, weight('o_proj', [hidden, kv, group, vd], bf16), { phase: 'o' })
  }
  const feedForward = (h: Tensor<[Hidden]>): Tensor<[Hidden]> =>
    swiglu(h, {
      gate: weight('gate_proj', [dense, hidden], bf16),
      up: weight('up_proj', [dense, hidden], bf16),
      down: weight('down_proj', [hidden, dense], bf16),
    })

  let x = m.embed(weight('model.embed_tokens', [dim('token', target.vocabulary), hidden], bf16), {
    instead: { token: cfg.mask, weight: weight('mask_embedding', [hidden], bf16) },
  })
  for (const l of range(cfg.layers)) {
    m.scope(`layers.${l}`, () => {
      const h = normed(x, 'input_layernorm')
      x = add(
        x,
        m.scope('self_attn', () => attend(h, l)),
      )
      const g = normed(x, 'post_attention_layernorm')
      x = add(
        x,
        m.scope('mlp', () => feedForward(g)),
      )
    })
  }
  const head = weight('lm_head', [parallelDim('vocabulary', target.vocabulary), hidden], bf16)
  m.logits(linear(normed(x, 'norm'), head, { phase: 'head' }), {
    valid: Math.min(cfg.vocabulary, target.validVocabulary),
  })
}

export default defineDrafter<MimoDrafterConfig, MimoConfig>('dflash', MimoDrafterConfig, {
  block: (cfg) => ({ rows: cfg.block, mask: cfg.mask }),
  fit: (cfg, target, report) => misfits(cfg, target).forEach(report),
  section: (cfg) => ({ dflash_config: targetSection(cfg) }),
  commit,
  draft,
})
