import { attention, bf16, defineModel, dim, linear, weight } from 'tilec'
import { z } from 'zod'

const Config = z.strictObject({ hidden: z.int().positive(), inter: z.int().positive() })

export default defineModel('example', Config, (m, cfg) => {
  const hidden = dim('hidden', cfg.hidden)
  const inter = dim('inter', cfg.inter)
  const token = dim('token', 64)
  const x = m.embed(weight('embed', [token, hidden], bf16))
  const kv = dim('kv', 2)
  const group = dim('group', 2)
  const q = linear(x, weight('q', [kv, group, dim('qd', 16), hidden], bf16))
  const k = linear(x, weight('k', [kv, dim('qd', cfg.hidden), hidden], bf16))
  const v = linear(x, weight('v', [kv, dim('vd', 8), hidden], bf16))
  const mixed = attention(q, k, v, { scale: 0.25, window: 0 })
  m.logits(linear(mixed, weight('head', [token, kv, group, dim('vd', 8)], bf16)))
})
