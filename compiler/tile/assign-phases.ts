/**
 * assign-phases: decides which nodes run together as one phase.
 *
 * Vocabulary: an *anchor* starts a phase; a *follower* joins the latest phase among its inputs when that phase takes
 * followers; a *prologue* belongs to no phase, its consumers apply it while they stage their input: a norm that only
 * products read, if the schedule lets them. Other norms are phases. Two products
 * of the same input whose results meet in one map are *paired* into one phase.
 * Invariants: drafts are in program order; every node that is not a prologue is in exactly one draft.
 */
import { sameDim } from '../../dsl/dim.ts'
import type { GraphNode } from '../../dsl/graph.ts'
import { draftRules } from './build-phases.ts'
import type { Fusions } from './fusions.ts'
import { type DraftKind, ruleOf } from './op-rules.ts'
import type { Piece } from './split-segments.ts'

export interface Draft {
  readonly kind: DraftKind
  /** The nodes that start the phase: one, or two when paired. */
  readonly anchors: readonly GraphNode[]
  /** Nodes fused behind the anchors, in order. */
  readonly followers: GraphNode[]
}

/** Which norms are applied by those who stage their result. */
export interface Prologues {
  /** Every reader applies the norm, so it is no phase. */
  readonly everywhere: (norm: number) => boolean
  /** The user applies the norm that is its first input. */
  readonly by: (user: GraphNode, input: number) => boolean
}

/** A norm can be applied where it is staged: as the first input of a product, if the schedule lets the product take it along. */
export function findPrologues(nodes: readonly GraphNode[], fusions: Fusions): Prologues {
  const everywhere = new Set(nodes.filter((n) => n.op === 'norm').map((n) => n.id))
  const norms = new Set(everywhere)
  const applied = new Set<string>()
  for (const user of nodes) {
    user.inputs.forEach((input, i) => {
      if (!norms.has(input)) return
      const takes = i === 0 && ruleOf(user).stages && fusions.takes(nodes[input]!, phaseNameOf(user))
      if (takes) applied.add(`${user.id} ${input}`)
      else everywhere.delete(input)
    })
  }
  return {
    everywhere: (norm) => everywhere.has(norm),
    by: (user, input) => applied.has(`${user.id} ${input}`),
  }
}

/** What a phase is called that a node starts, or that begins with it: by its author, by its param, or after the op. */
export function phaseNameOf(node: GraphNode): string {
  if (node.phase !== undefined) return node.phase
  if (ruleOf(node).namedByParam && 'param' in node) return node.param.split('.').at(-1)!
  return node.op
}

/** The name of a draft's phase, before twins within a segment are numbered. */
export const wantedName = (d: Draft): string =>
  phaseNameOf(d.anchors.find((n) => n.phase !== undefined) ?? d.anchors[0] ?? d.followers[0]!)

/** The graph that a piece is cut from. */
export interface Surrounding {
  readonly nodes: readonly GraphNode[]
  /** Ids of the nodes that read each value. */
  readonly consumers: ReadonlyMap<number, readonly number[]>
  readonly prologues: Prologues
  readonly fusions: Fusions
}

export function assignPhases(piece: Piece, around: Surrounding): Draft[] {
  const { consumers, prologues, fusions } = around
  const drafts: Draft[] = []
  const draftOf = new Map<number, Draft>()
  const byId = new Map(piece.nodes.map((n) => [n.id, n]))

  const add = (draft: Draft): void => {
    drafts.push(draft)
    for (const n of [...draft.anchors, ...draft.followers]) draftOf.set(n.id, draft)
  }
  for (const node of piece.nodes) {
    const rule = ruleOf(node)
    if (prologues.everywhere(node.id) || rule.outside) continue
    if (rule.starts) {
      add({ kind: rule.starts, anchors: [node], followers: [] })
      continue
    }
    const pair = pairedProducts(node, byId, draftOf, consumers)
    if (pair && fusions.takes(node, phaseNameOf(pair[0]!), boundTo(node, around))) {
      for (const p of pair) drafts.splice(drafts.indexOf(draftOf.get(p.id)!), 1)
      add({ kind: 'product', anchors: pair, followers: [node] })
      continue
    }
    const latest = Math.max(-1, ...node.inputs.map((i) => (draftOf.has(i) ? drafts.indexOf(draftOf.get(i)!) : -1)))
    const host = drafts[latest]
    if (host && draftRules[host.kind].takesFollowers && follows(node, host, around)) {
      host.followers.push(node)
      draftOf.set(node.id, host)
    } else {
      add({ kind: 'pointwise', anchors: [], followers: [node] })
    }
  }
  return drafts
}

/** Whether a node joins the phase of its latest input: structure always does, small work where the schedule lets it. */
function follows(node: GraphNode, host: Draft, around: Surrounding): boolean {
  return ruleOf(node).fuses === undefined || around.fusions.takes(node, wantedName(host), boundTo(node, around))
}

/** Why a node cannot be a phase of its own: that phase would load its inputs, and store its result, element by element. */
function boundTo(node: GraphNode, around: Surrounding): string | undefined {
  const { fuses } = ruleOf(node)
  if (typeof fuses === 'string') return fuses
  if (node.dims[0]?.name === 'slot') return 'rows of chosen experts are made and read by products alone'
  for (const id of around.consumers.get(node.id) ?? []) {
    const reader = around.nodes[id]!
    const rule = ruleOf(reader)
    if (rule.starts || rule.outside) {
      const form = rule.reads?.(reader.inputs.indexOf(node.id), false)
      if (form !== undefined && form !== 'plain' && form !== 'columns')
        return `'${reader.op}' reads its result as ${form}, which a product writes`
    } else {
      const why =
        rule.fuses === undefined ? (rule.alias ? undefined : `'${reader.op}' follows it`) : boundTo(reader, around)
      if (why) return why
    }
  }
  return undefined
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
