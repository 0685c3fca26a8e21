/**
 * norm-scale: whether a normalisation is a product x * weight * scale(mean of squares), with one scale for a whole column. Then
 * the weight alone is multiplied into what is staged, and the scale into the sum: a few operations instead of many, and nobody who
 * multiplies waits for the mean.
 *
 * Vocabulary: inputs of `stat` are x; of `apply` x, mean, weight. Anything that does not factor takes the general way.
 */

import type { ExprNode } from '../../dsl/expr.ts'
import type { Norm } from '../tile/ir.ts'

const [X, MEAN, WEIGHT] = [0, 1, 2]

const isInput = (e: ExprNode, index: number): boolean => e.kind === 'input' && e.index === index

function factorsOf(e: ExprNode): ExprNode[] {
  return e.kind === 'binary' && e.op === 'mul' ? [...factorsOf(e.left), ...factorsOf(e.right)] : [e]
}

/** The same expression of input 0, where `e` has the mean; undefined if it has anything else, or a choice. */
function ofMean(e: ExprNode): ExprNode | undefined {
  switch (e.kind) {
    case 'const':
      return e
    case 'input':
      return e.index === MEAN ? { kind: 'input', index: 0 } : undefined
    case 'unary': {
      const arg = ofMean(e.arg)
      return arg && { ...e, arg }
    }
    case 'binary': {
      const [left, right] = [ofMean(e.left), ofMean(e.right)]
      return left && right && { ...e, left, right }
    }
    case 'select':
      return undefined
  }
}

/** The scale as an expression of the mean of squares (input 0), undefined if the norm is not of that kind. */
export function scaleOfColumns(norm: Norm): ExprNode | undefined {
  const squares = factorsOf(norm.stat)
  if (squares.length !== 2 || !squares.every((e) => isInput(e, X))) return undefined
  const factors = factorsOf(norm.apply)
  const rest = factors.filter((e) => !isInput(e, X) && !isInput(e, WEIGHT))
  const once = (index: number): boolean => factors.filter((e) => isInput(e, index)).length === 1
  const [first, ...more] = rest
  if (!once(X) || !once(WEIGHT) || !first) return undefined
  return ofMean(more.reduce((left: ExprNode, right): ExprNode => ({ kind: 'binary', op: 'mul', left, right }), first))
}
