import { bf16, combine, defineModel, dim, expertLinear, linear, route, sigmoid, weight } from 'tilec'
import { z } from 'zod'

const Config = z.strictObject({ hidden: z.int().positive(), inter: z.int().positive() })

export default defineModel('example', Config, (m, cfg) => {
  const hidden = dim('hidden', cfg.hidden)
  const inter = dim('inter', cfg.inter)
  const token = dim('token', 64)
  const x = m.embed(weight('embed', [token, hidden], bf16))
  const expert = dim('expert', 4)
  const chosen = route(linear(x, weight('router', [expert, hidden], bf16)), { score: sigmoid, topK: 2, normalise: true })
  const y = combine(expertLinear(x, chosen, weight('w', [dim('expert', 8), inter, hidden], bf16)), chosen)
  m.logits(linear(y, weight('head', [token, inter], bf16)))
})
