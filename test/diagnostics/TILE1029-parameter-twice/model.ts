import { add, bf16, defineModel, dim, linear, weight } from 'tilec'
import { z } from 'zod'

const Config = z.strictObject({ hidden: z.int().positive(), inter: z.int().positive() })

export default defineModel('example', Config, (m, cfg) => {
  const hidden = dim('hidden', cfg.hidden)
  const inter = dim('inter', cfg.inter)
  const token = dim('token', 64)
  const x = m.embed(weight('embed', [token, hidden], bf16))
  const a = linear(x, weight('proj', [inter, hidden], bf16))
  const b = linear(x, weight('proj', [token, hidden], bf16))
  m.logits(linear(a, weight('head', [token, inter], bf16)))
  m.tap(0, b)
})
