/**
 * op-rules: what the tile level knows of each kind of graph op, one entry a kind. A new op is a new entry here; the passes
 * that assign, form and build phases ask the table and know no kind.
 *
 * Vocabulary: an op that `starts` a phase is an anchor; one that can `follow` turns into element steps behind an anchor
 * (chain.ts); `reads` says in which form it takes an input that another phase made.
 */
import type { ExprNode } from '../../dsl/expr.ts'
import type { GraphNode, NodeOf, OpKind } from '../../dsl/graph.ts'
import type { Chain } from './chain.ts'
import type { Form } from './ir.ts'

export type FormKind = Form['kind']

/** The kinds of work that phases are built of (build-phases.ts has a builder for each). */
export type DraftKind = 'embed' | 'product' | 'attend' | 'route' | 'normed' | 'pointwise' | 'sample'

/** The buffer that a target's taps leave for a drafter. */
export const TAPS = 'taps.columns'

export interface OpRule<K extends OpKind> {
  readonly starts?: DraftKind
  /** Runs in no phase: it only names a buffer or a cache. */
  readonly outside?: true
  /** A phase that it starts is called after its param where the author gave no name. */
  readonly namedByParam?: true
  /** Its result is its input's, under another name. */
  readonly alias?: true
  /** Its result lies in this buffer, which another program fills. */
  readonly buffer?: string
  /** Its result is made by every SM for itself: no phase reads it from a buffer. */
  readonly everywhere?: true
  /** Takes a norm of its first input along, applied while it stages. */
  readonly stages?: true
  /** What it makes of two products that meet in it alone, so that they become one phase. */
  readonly joins?: (node: NodeOf<K>) => ExprNode
  /** Form of input i made by another phase (`routed`: by chosen experts); undefined: it cannot read it, or has no need to. */
  readonly reads?: (input: number, routed: boolean) => FormKind | undefined
  /** As a follower, it is the author's choice whether it is one; else why it cannot run apart. */
  readonly fuses?: true | string
  /** Its element steps as a follower. */
  readonly follow?: (node: NodeOf<K>, chain: Chain) => void
}

type OpRules = { readonly [K in OpKind]: OpRule<K> }

const rules: OpRules = {
  embed: { starts: 'embed', namedByParam: true },
  input: { outside: true, buffer: TAPS },
  norm: { starts: 'normed', reads: () => 'plain' },
  linear: { starts: 'product', namedByParam: true, stages: true, reads: () => 'columns' },
  expertLinear: {
    starts: 'product',
    namedByParam: true,
    stages: true,
    reads: (input, routed) => (input > 0 ? undefined : routed ? 'routedRows' : 'columns'),
  },
  attention: { starts: 'attend', reads: (input) => (['queries', 'keys', 'values'] as const)[input] },
  remember: { outside: true, reads: (input) => (['keys', 'values'] as const)[input] },
  route: { starts: 'route', everywhere: true, reads: () => 'plain' },
  logits: { starts: 'sample', reads: () => 'logits' },
  map: {
    reads: () => 'plain',
    joins: (node) => node.expr,
    fuses: true,
    follow: (node, chain) => chain.make(node, (value, inputs) => ({ kind: 'map', value, expr: node.expr, inputs })),
  },
  // Sections of a product tell its rows apart; nothing is left to do for an element.
  slice: {},
  rope: {
    fuses: 'what turns pairs of elements has them at hand',
    follow: (node, chain) =>
      chain.make(node, (value, [input]) => ({
        kind: 'rope',
        value,
        input: input!,
        theta: node.theta,
        rotary: node.rotary,
      })),
  },
  // The product that it follows has summed over the slots.
  combine: { follow: (node, chain) => chain.give(node.id, chain.number(node.inputs[0]!)) },
  allReduce: {
    follow: (node, chain) => chain.make(node, (value, [input]) => ({ kind: 'exchange', value, input: input! })),
  },
  tap: {
    alias: true,
    follow: (node, chain) => {
      const value = chain.number(node.inputs[0]!)
      chain.name(node.id, value)
      if (chain.scope.around.tapped) chain.storeTap(node, value)
    },
  },
}

export const ruleOf = (node: GraphNode): OpRule<OpKind> => rules[node.op] as OpRule<OpKind>
