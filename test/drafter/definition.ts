/**
 * The drafter written out once more from its description, tensor by tensor as they are stored: no graph, no bindings, no
 * reference. What the graph computes is compared with this.
 */
import { readTensor } from '../../runtime/checkpoint/bytes.ts'
import type { Checkpoint } from '../../runtime/checkpoint/checkpoint.ts'

type Vector = readonly number[]

interface Keys {
  readonly position: number
  /** By KV head. */
  readonly k: readonly Vector[]
  readonly v: readonly Vector[]
}

export interface Definition {
  commit(taps: readonly Vector[], position: number): void
  /** Logits of each row of the block. */
  draft(anchor: number, position: number): Vector[]
}

export interface Sizes {
  readonly layers: number
  readonly heads: number
  readonly kv: number
  readonly qd: number
  readonly vd: number
  readonly rotary: number
  readonly theta: number
  readonly window: number
  readonly valueScale: number
  readonly epsilon: number
  readonly block: number
}

export function definition(drafter: Checkpoint, target: Checkpoint, s: Sizes): Definition {
  const store = new Map<string, number[]>()
  const read = (name: string, from = drafter): number[] => {
    const known = store.get(name)
    if (known) return known
    const bytes = readTensor(from.tensors.get(name)!)
    const bits = new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
    const values = Array.from(bits, (b) => new Float32Array(Uint32Array.of(b << 16).buffer)[0]!)
    store.set(name, values)
    return values
  }
  const times = (w: Vector, x: Vector): number[] =>
    Array.from({ length: w.length / x.length }, (_, o) => x.reduce((sum, v, i) => sum + v * w[o * x.length + i]!, 0))
  const rms = (x: Vector, w: Vector): number[] => {
    const mean = x.reduce((sum, v) => sum + v * v, 0) / x.length
    return x.map((v, i) => (v / Math.sqrt(mean + s.epsilon)) * w[i]!)
  }
  const heads = (x: Vector, size: number): Vector[] =>
    Array.from({ length: x.length / size }, (_, h) => x.slice(h * size, (h + 1) * size))
  const turned = (x: Vector, position: number): Vector => {
    const half = s.rotary / 2
    return x.map((v, i) => {
      if (i >= s.rotary) return v
      const pair = i % half
      const angle = position * s.theta ** ((-2 * pair) / s.rotary)
      return i < half
        ? v * Math.cos(angle) - x[i + half]! * Math.sin(angle)
        : v * Math.cos(angle) + x[i - half]! * Math.sin(angle)
    })
  }
  const plus = (a: Vector, b: Vector): number[] => a.map((v, i) => v + b[i]!)
  const silu = (v: number) => v / (1 + Math.exp(-v))
  const layer = (l: number, name: string) => read(`layers.${l}.${name}`)
  const keysOf = (l: number, x: Vector, position: number): Keys => ({
    position,
    k: heads(times(layer(l, 'self_attn.k_proj.weight'), x), s.qd).map((k) =>
      turned(rms(k, layer(l, 'self_attn.k_norm.weight')), position),
    ),
    v: heads(times(layer(l, 'self_attn.v_proj.weight'), x), s.vd).map((v) => v.map((e) => e * s.valueScale)),
  })

  const context: Keys[][] = Array.from({ length: s.layers }, () => [])
  return {
    commit(taps, position) {
      const c = rms(times(read('fc.weight'), taps.flat()), read('hidden_norm.weight'))
      context.forEach((keys, l) => void keys.push(keysOf(l, c, position)))
    },
    draft(anchor, p) {
      const hidden = read('mask_embedding').length
      const row = read('model.embed_tokens.weight', target).slice(anchor * hidden, (anchor + 1) * hidden)
      let x: Vector[] = Array.from({ length: s.block }, (_, j) => (j === 0 ? row : read('mask_embedding')))
      for (let l = 0; l < s.layers; l++) {
        const h = x.map((r) => rms(r, layer(l, 'input_layernorm.weight')))
        const all = [...context[l]!.filter((e) => e.position < p), ...h.map((r, j) => keysOf(l, r, p + j))]
        const sinks = layer(l, 'self_attn.attention_sink_bias')
        const mixed = h.map((r, j) =>
          heads(times(layer(l, 'self_attn.q_proj.weight'), r), s.qd).flatMap((raw, n) => {
            const q = turned(rms(raw, layer(l, 'self_attn.q_norm.weight')), p + j)
            const g = Math.floor(n / (s.heads / s.kv))
            const seen = all.filter((e) => Math.abs(e.position - (p + j)) <= s.window - 1)
            const weights = seen.map((e) => Math.exp(e.k[g]!.reduce((z, k, i) => z + k * q[i]!, 0) / Math.sqrt(s.qd)))
            const sum = weights.reduce((a, b) => a + b, Math.exp(sinks[n]!))
            return Array.from({ length: s.vd }, (_, i) =>
              seen.reduce((o, e, t) => o + (weights[t]! / sum) * e.v[g]![i]!, 0),
            )
          }),
        )
        x = x.map((r, j) => plus(r, times(layer(l, 'self_attn.o_proj.weight'), mixed[j]!)))
        x = x.map((r) => {
          const g = rms(r, layer(l, 'post_attention_layernorm.weight'))
          const up = times(layer(l, 'mlp.up_proj.weight'), g)
          const inner = times(layer(l, 'mlp.gate_proj.weight'), g).map((v, i) => silu(v) * up[i]!)
          return plus(r, times(layer(l, 'mlp.down_proj.weight'), inner))
        })
      }
      return x.map((r) => times(read('lm_head.weight', target), rms(r, read('norm.weight'))))
    },
  }
}
