/**
 * cut-layers: a model without its last layers, for measuring and for looking: everything before, between and after layers
 * stays, and what read the last layer's results reads those of the last layer that is left.
 *
 * Vocabulary: an *exit* of a layer is a value of it that later pieces read; exits of two layers answer to each other in
 * order.
 * Invariant: the result is a graph like any other (ids are positions, params are those that are read), or a finding.
 */
import type { Graph, GraphNode } from '../../dsl/graph.ts'
import type { Session } from '../diagnostics/diagnostic.ts'
import { type Piece, splitPieces } from '../tile/split-segments.ts'

export function cutLayers(graph: Graph, count: number, session: Session): Graph {
  const pieces = splitPieces(graph.nodes)
  const layers = pieces.filter((p) => p.layer !== undefined)
  if (!(Number.isInteger(count) && count >= 1 && count <= layers.length)) {
    session.report('TILE5108', `layers is ${count}; '${graph.name}' has ${layers.length}`, {
      help: `it is a whole number from 1 to ${layers.length}`,
    })
    return graph
  }
  const last = layers[count - 1]!
  const dropped = new Set(layers.slice(count))
  const kept = pieces.filter((p) => !dropped.has(p))
  const stands = new Map<number, number>()
  const leaves = exits(last, graph.nodes)
  for (const layer of dropped) {
    const theirs = exits(layer, graph.nodes)
    if (theirs.length !== leaves.length) {
      session.report('TILE5108', `'${graph.name}' cannot be cut to ${count} layers`, {
        help: `${leaves.length} values leave '${last.layer}', ${theirs.length} leave '${layer.layer}'`,
      })
      return graph
    }
    theirs.forEach((value, i) => void stands.set(value, leaves[i]!))
  }
  const ids = new Map<number, number>()
  const nodes: GraphNode[] = []
  for (const node of kept.flatMap((p) => p.nodes)) {
    ids.set(node.id, nodes.length)
    nodes.push({ ...node, id: nodes.length, inputs: node.inputs.map((i) => ids.get(stands.get(i) ?? i)!) })
  }
  const read = new Set(nodes.flatMap(paramsOf))
  return { ...graph, nodes, params: graph.params.filter((p) => read.has(p.name)) }
}

/** Values of a layer that nodes behind it read, in order. */
function exits({ nodes }: Piece, all: readonly GraphNode[]): number[] {
  const end = nodes.at(-1)!.id
  const read = new Set(all.slice(end + 1).flatMap((n) => n.inputs))
  return nodes.map((n) => n.id).filter((id) => read.has(id))
}

/** Params that a node reads. */
const paramsOf = (n: GraphNode): string[] =>
  [
    'param' in n ? n.param : undefined,
    'instead' in n ? n.instead?.param : undefined,
    'sink' in n ? n.sink : undefined,
    'bias' in n ? n.bias : undefined,
  ].filter((name) => name !== undefined)
