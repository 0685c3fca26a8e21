/**
 * The library's tile ops: products of a weight with the rows of a block, plain and routed, and attention over a cache.
 * They use nothing that an author of a model has not got.
 *
 * Invariant: a tile is 16 output rows; the contraction runs in steps of 32 columns, the unit of every page.
 */
import type { Expr } from '../expr.ts'
import {
  activation,
  cache,
  expertMatrix,
  matrix,
  pairedExpertMatrix,
  pairedMatrix,
  result,
  routing,
  type TileOp,
  tileOp,
} from '../tile.ts'

const ROWS = 16
const UNIT = 32

/** out = w x */
export const linearTile: TileOp = tileOp('linear', { x: activation, w: matrix, out: result }, (t, { x, w, out }) => {
  const [rows] = t.over(w.rows(ROWS))
  const acc = t.zeros()
  t.loop(w.k(UNIT), (k) => t.mma(acc, t.dequant(t.load(w.page(rows, k))), t.staged(x.at(k))))
  t.store(out.at(rows), t.join(acc))
})

/** out = activate(w.low x, w.high x) */
export const pairedTile = (activate: (low: Expr, high: Expr) => Expr): TileOp =>
  tileOp('paired', { x: activation, w: pairedMatrix, out: result }, (t, { x, w, out }) => {
    const [rows] = t.over(w.rows(ROWS))
    const acc = t.zeros()
    t.loop(w.k(UNIT), (k) => t.mma(acc, t.dequant(t.load(w.page(rows, k))), t.staged(x.at(k))))
    const [low, high] = t.pair(t.join(acc))
    t.store(out.at(rows), t.map(low, high, activate))
  })

/** out[expert] = activate(w.low[expert] x, w.high[expert] x) for each active expert */
export const expertUpTile = (activate: (low: Expr, high: Expr) => Expr): TileOp =>
  tileOp('expert.up', { x: activation, w: pairedExpertMatrix, route: routing, out: result }, (t, o) => {
    const { x, w, route, out } = o
    const [e, rows] = t.over(route.experts, w.rows(ROWS))
    const acc = t.zeros()
    t.loop(w.k(UNIT), (k) => t.mma(acc, t.dequant(t.load(w.page(rows, k, e))), t.staged(x.at(k))))
    const [low, high] = t.pair(t.join(acc))
    t.store(out.at(e, rows), t.map(low, high, activate))
  })

/** out = sum over a row's slots, in slot order, of its weight times w[expert of slot] x[expert of slot] */
export const expertDownTile: TileOp = tileOp(
  'expert.down',
  { x: activation, w: expertMatrix, route: routing, out: result },
  (t, { x, w, route, out }) => {
    const [rows] = t.over(w.rows(ROWS))
    const acc = t.zeros()
    t.loop(route.experts, (e) => {
      t.loop(w.k(UNIT), (k) => t.mma(acc, t.dequant(t.load(w.page(rows, k, e))), t.staged(x.at(e, k))))
    })
    t.store(out.at(rows), t.join(acc, 'slots'))
  },
)

/** Attention over a cache, one span of keys a tile, merged in span order. */
export const attendTile: TileOp = tileOp(
  'attend',
  { q: activation, keys: cache, values: cache, out: result },
  (t, { q, keys, values, out }) => {
    const [head, span] = t.over(keys.heads, keys.spans(64))
    const acc = t.zeros()
    t.attend(acc, t.staged(q.at(head)), t.load(keys.page(head, span)), t.load(values.page(head, span)))
    t.store(out.at(head), t.join(acc, 'spans'))
  },
)
