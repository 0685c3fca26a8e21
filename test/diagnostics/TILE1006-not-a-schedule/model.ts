import { bf16, defineModel, dim, linear, weight } from 'tilec'
import { z } from 'zod'

const Config = z.strictObject({ hidden: z.int().positive(), inter: z.int().positive() })

export default defineModel('example', Config, (m, cfg) => {
  const hidden = dim('hidden', cfg.hidden)
  const inter = dim('inter', cfg.inter)
  const token = dim('token', 64)
  const x = m.embed(weight('embed', [token, hidden], bf16))
  m.logits(linear(x, weight('head', [token, hidden], bf16)))
})

export const schedules = { sm_90a: { roles: [] } }
