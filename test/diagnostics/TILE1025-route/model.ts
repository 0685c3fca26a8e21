import { bf16, defineModel, dim, experts, linear, route, sigmoid, weight } from 'tilec'
import { z } from 'zod'

const Config = z.strictObject({ hidden: z.int().positive(), inter: z.int().positive() })

export default defineModel('example', Config, (m, cfg) => {
  const hidden = dim('hidden', cfg.hidden)
  const inter = dim('inter', cfg.inter)
  const token = dim('token', 64)
  const x = m.embed(weight('embed', [token, hidden], bf16))
  const expert = dim('expert', 4)
  const chosen = route(linear(x, weight('router', [expert, hidden], bf16)), { score: sigmoid, topK: 8, normalise: true })
  const y = experts(x, chosen, {
    gate: weight('gate', [expert, inter, hidden], bf16),
    up: weight('up', [expert, inter, hidden], bf16),
    down: weight('down', [expert, hidden, inter], bf16),
  })
  m.logits(linear(y, weight('head', [token, hidden], bf16)))
})
