import { expect, test } from 'vitest'
import { siluGate } from '../../dsl/library/feed-forward.ts'
import { attendTile, expertDownTile, expertUpTile, linearTile, pairedTile } from '../../dsl/library/tiles.ts'
import type { Problem } from '../../dsl/problem.ts'
import { activation, matrix, pairedMatrix, result, type TileOp, tileOp } from '../../dsl/tile.ts'
import { printTile } from '../../dsl/tile-ir.ts'

function trace(op: TileOp) {
  const problems: Problem[] = []
  return { program: op.trace((p) => problems.push(p)), problems: problems.map((p) => p.message) }
}

test('library tile ops satisfy the spec', () => {
  for (const op of [linearTile, pairedTile(siluGate), expertUpTile(siluGate), expertDownTile, attendTile]) {
    expect(trace(op).problems, op.name).toEqual([])
  }
})

test('a traced program reads like its source', () => {
  expect(
    printTile(trace(expertUpTile(siluGate)).program),
  ).toBe(`tile expert.up(x: activation, w: paired routed weight, route: routing, out: result) over experts in route.experts, rows in w.rows(16)
  %0 = zeros
  loop k in w.k(32)
    %1 = load w[rows, k, experts]
    %2 = dequant %1
    %3 = stage x[k]
    %0 += %2 * %3
  %4 = join %0 over k
  %5, %6 = halves of %4
  %7 = ((%5 * sigmoid(%5)) * %6)
  store out[experts, rows] = %7
`)
})

const operands = { x: activation, w: matrix, out: result }
const misuses: Record<string, { op: TileOp; message: string }> = {
  'no store': {
    op: tileOp('t', operands, (t, { w }) => void t.over(w.rows(16))),
    message: "t: 'out' is stored 0 times instead of once",
  },
  'halves of a plain weight': {
    op: tileOp('t', operands, (t, { x, w, out }) => {
      const [rows] = t.over(w.rows(16))
      const acc = t.zeros()
      t.loop(w.k(32), (k) => t.mma(acc, t.dequant(t.load(w.page(rows, k))), t.staged(x.at(k))))
      t.store(out.at(rows), t.pair(t.join(acc))[0])
    }),
    message: "t: 'w' is not paired, so a tile has no halves",
  },
  'an accumulator that dies with its loop': {
    op: tileOp('t', { ...operands, w: pairedMatrix }, (t, { x, w, out }) => {
      const [rows] = t.over(w.rows(16))
      let acc = t.zeros()
      t.loop(w.k(32), (k) => {
        acc = t.zeros()
        t.mma(acc, t.dequant(t.load(w.page(rows, k))), t.staged(x.at(k)))
      })
      t.store(out.at(rows), t.join(acc))
    }),
    message: 't: %1 is used outside the loop that made it',
  },
  'a join over what was not summed': {
    op: tileOp('t', operands, (t, { x, w, out }) => {
      const [rows] = t.over(w.rows(16))
      const acc = t.zeros()
      t.loop(w.k(32), (k) => t.mma(acc, t.dequant(t.load(w.page(rows, k))), t.staged(x.at(k))))
      t.store(out.at(rows), t.join(acc, 'slots'))
    }),
    message: 't: joined over slots, but the accumulator was spread over k',
  },
  'all tiles at one place': {
    op: tileOp('t', operands, (t, { x, w, out }) => {
      const [rows] = t.over(w.rows(16))
      const acc = t.zeros()
      t.loop(w.k(32), (k) => t.mma(acc, t.dequant(t.load(w.page(rows, k))), t.staged(x.at(k))))
      t.store(out.at(), t.join(acc))
    }),
    message: 't: tiles differ along rows, but the result is stored at the same place',
  },
}
misuses['steps that pages do not have'] = {
  op: tileOp('t', operands, (t, { x, w, out }) => {
    const [rows] = t.over(w.rows(8))
    const acc = t.zeros()
    t.loop(w.k(32), (k) => t.mma(acc, t.dequant(t.load(w.page(rows, k))), t.staged(x.at(k))))
    t.store(out.at(rows), t.join(acc))
  }),
  message: 't: rows run in steps of 16, got 8',
}
test.each(Object.entries(misuses))('refuses %s', (_, { op, message }) => {
  expect(trace(op).problems).toContain(message)
})
