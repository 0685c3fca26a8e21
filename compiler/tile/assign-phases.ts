/**
 * assign-phases: decides which nodes run together as one phase.
 *
 * Vocabulary: an *anchor* starts a phase; a *follower* joins the latest phase among its inputs when that phase takes
 * followers; a *prologue* belongs to no phase, its consumers apply it while they stage their input: a norm that only
 * products read. Other norms are phases. Two products
 * of the same input whose results meet in one map are *paired* into one phase.
 * Invariants: drafts are in program order; every node that is not a prologue is in exactly one draft.
 */
import { sameDim } from '../../dsl/dim.ts'
import type { GraphNode } from '../../dsl/graph.ts'
import { draftRules } from './build-phases.ts'
import { type DraftKind, ruleOf } from './op-rules.ts'
import type { Piece } from './split-segments.ts'

export interface Draft {
  readonly kind: DraftKind
  /** The nodes that start the phase: one, or two when paired. */
  readonly anchors: readonly GraphNode[]
  /** Nodes fused behind the anchors, in order. */
  readonly followers: GraphNode[]
}

/** The norms that their consumers apply while they stage: products, and nothing else, read them as their first input. */
export function findPrologues(nodes: readonly GraphNode[]): Set<number> {
  const norms = new Set(nodes.filter((n) => n.op === 'norm').map((n) => n.id))
  for (const user of nodes) {
    user.inputs.forEach((input, i) => {
      if (i > 0 || !ruleOf(user).stages) norms.delete(input)
    })
  }
  return norms
}

/** `consumers`: ids of the nodes that read each value, over the whole graph. */
export function assignPhases(
  piece: Piece,
  consumers: ReadonlyMap<number, readonly number[]>,
  prologues: ReadonlySet<number>,
): Draft[] {
  const drafts: Draft[] = []
  const draftOf = new Map<number, Draft>()
  const byId = new Map(piece.nodes.map((n) => [n.id, n]))

  const add = (draft: Draft): void => {
    drafts.push(draft)
    for (const n of [...draft.anchors, ...draft.followers]) draftOf.set(n.id, draft)
  }
  for (const node of piece.nodes) {
    const rule = ruleOf(node)
    if (prologues.has(node.id) || rule.outside) continue
    if (rule.starts) {
      add({ kind: rule.starts, anchors: [node], followers: [] })
      continue
    }
    const pair = pairedProducts(node, byId, draftOf, consumers)
    if (pair) {
      for (const p of pair) drafts.splice(drafts.indexOf(draftOf.get(p.id)!), 1)
      add({ kind: 'product', anchors: pair, followers: [node] })
      continue
    }
    const latest = Math.max(-1, ...node.inputs.map((i) => (draftOf.has(i) ? drafts.indexOf(draftOf.get(i)!) : -1)))
    const host = drafts[latest]
    if (host && draftRules[host.kind].takesFollowers) {
      host.followers.push(node)
      draftOf.set(node.id, host)
    } else {
      add({ kind: 'pointwise', anchors: [], followers: [node] })
    }
  }
  return drafts
}

/** The two products that a node of both alone can join, in the order of its inputs. */
function pairedProducts(
  node: GraphNode,
  byId: ReadonlyMap<number, GraphNode>,
  draftOf: ReadonlyMap<number, Draft>,
  consumers: ReadonlyMap<number, readonly number[]>,
): readonly GraphNode[] | undefined {
  if (!ruleOf(node).joins || node.inputs.length !== 2) return undefined
  const [a, b] = node.inputs.map((i) => byId.get(i))
  if (!a || !b || a === b || a.op !== b.op || draftOf.get(a.id)?.kind !== 'product') return undefined
  const alone = [a, b].every((n) => consumers.get(n.id)?.length === 1 && draftOf.get(n.id)!.followers.length === 0)
  const sameInputs = a.inputs.length === b.inputs.length && a.inputs.every((v, i) => v === b.inputs[i])
  const sameDims = a.dims.length === b.dims.length && a.dims.every((d, i) => sameDim(d, b.dims[i]!))
  return alone && sameInputs && sameDims ? [a, b] : undefined
}
