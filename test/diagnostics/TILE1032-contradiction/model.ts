import { bf16, defineModel, dim, linear, weight } from 'tilec'
import { z } from 'zod'

const Config = z
  .strictObject({
    hidden_size: z.int().positive(),
    num_hidden_layers: z.int().positive(),
    layer_types: z.array(z.enum(['full', 'sliding'])),
    hidden_act: z.literal('silu'),
  })
  .superRefine((c, ctx) => {
    if (c.layer_types.length === c.num_hidden_layers) return
    const message = `has ${c.layer_types.length} entries, but num_hidden_layers is ${c.num_hidden_layers}`
    ctx.addIssue({ code: 'custom', path: ['layer_types'], message })
  })

export default defineModel('example', Config, (m, cfg) => {
  const hidden = dim('hidden', cfg.hidden_size)
  const token = dim('token', 64)
  const table = weight('embed', [token, hidden], bf16)
  m.logits(linear(m.embed(table), table))
})
