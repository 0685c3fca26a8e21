import { applyTile, bf16, defineModel, dim, linear, linearTile, pairedTile, weight } from 'tilec'
import { z } from 'zod'

const gated = pairedTile((gate, up) => gate.mul(up))

export default defineModel('example', z.strictObject({}), (m) => {
  const [token, hidden, inter] = [dim('token', 64), dim('hidden', 32), dim('inter', 96)]
  const table = weight('embed', [token, hidden], bf16)
  const up = weight('up', [inter, hidden], bf16)
  const x = m.embed(table)
  const single = applyTile(gated, { x, w: up }, { out: [inter] })
  const narrow = applyTile(linearTile, { x, w: up }, { out: [hidden] })
  m.tap(0, single)
  m.logits(linear(narrow, table))
})
