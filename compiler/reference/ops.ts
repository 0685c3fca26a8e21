/** The table of ops: what each kind means. A kind that is missing here does not type-check. */
import type { GraphNode, OpKind } from '../../dsl/graph.ts'
import { InternalError } from '../diagnostics/diagnostic.ts'
import { attention, remember, rope } from './attention.ts'
import type { Evaluate, Frame } from './frame.ts'
import { combine, expertLinear, linear } from './linear.ts'
import { embed, logits, map, norm, slice, tap } from './pointwise.ts'
import { route } from './route.ts'

const ops: { readonly [K in OpKind]: Evaluate<K> } = {
  embed,
  input: (node, frame) => frame.external(node.name),
  norm,
  linear,
  map,
  slice,
  rope,
  attention,
  remember,
  route,
  expertLinear,
  combine,
  tap,
  logits,
  allReduce: () => {
    throw new InternalError('the reference evaluates a whole model; a sharded graph has no meaning on one rank')
  },
}

/** Evaluates one node in a frame of the caller's making; how tests and per-phase comparisons run a single op. */
export function evaluateNode(node: GraphNode, frame: Frame): Float64Array {
  return (ops[node.op] as Evaluate<OpKind>)(node, frame)
}
