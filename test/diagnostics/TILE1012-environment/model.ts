import { readFileSync } from 'node:fs'
import { bf16, defineModel, dim, linear, weight } from 'tilec'
import { z } from 'zod'

const Config = z.strictObject({ hidden: z.int().positive(), inter: z.int().positive() })

export default defineModel('example', Config, (m, cfg) => {
  const hidden = dim('hidden', cfg.hidden)
  const inter = dim('inter', cfg.inter)
  const token = dim('token', 64)
  const x = m.embed(weight('embed', [token, hidden], bf16))
  const rows = dim('rows', Number(process.env.ROWS ?? readFileSync('rows', 'utf8')))
  m.logits(linear(x, weight('head', [rows, hidden], bf16)))
})
