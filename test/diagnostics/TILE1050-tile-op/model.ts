import { activation, bf16, defineModel, dim, linear, matrix, result, tileOp, weight } from 'tilec'
import { z } from 'zod'

export const lost = tileOp('lost', { x: activation, w: matrix, out: result }, (t, { x, w, out }) => {
  const [rows] = t.over(w.rows(16))
  const acc = t.zeros()
  t.loop(w.k(32), (k) => t.mma(acc, t.dequant(t.load(w.page(rows, k))), t.staged(x.at(k))))
  const [low] = t.pair(t.join(acc, 'slots'))
  t.store(out.at(), low)
})

export default defineModel('example', z.strictObject({}), (m) => {
  const table = weight('embed', [dim('token', 64), dim('hidden', 32)], bf16)
  m.logits(linear(m.embed(table), table))
})
