/**
 * split-segments: cuts the node list into begin, layers and end, and finds the layers that are of one kind.
 *
 * Vocabulary: a node belongs to layer L when its scope starts with a path whose last part is a number
 * (`model.layers.3`); the shortest such prefix counts. Two layers are of one kind when their nodes print equally once
 * param names and value ids are made relative to the layer. Values that enter a layer are numbered by first use.
 * A tap that nothing reads makes no difference between layers.
 * Invariant: layers are contiguous; a value from before the previous layer may be used too, it is carried then.
 */
import type { GraphNode } from '../../dsl/graph.ts'

export interface Piece {
  /** Scope of the layer, undefined for the pieces before, between and after layers. */
  readonly layer?: string
  readonly nodes: readonly GraphNode[]
}

const layerScope = /^(?:.*?\.)?\d+(?=\.|$)/

export function splitPieces(nodes: readonly GraphNode[]): Piece[] {
  const pieces: { layer?: string; nodes: GraphNode[] }[] = []
  for (const node of nodes) {
    const layer = layerScope.exec(node.scope)?.[0]
    const last = pieces.at(-1)
    if (last && last.layer === layer) last.nodes.push(node)
    else pieces.push({ ...(layer !== undefined && { layer }), nodes: [node] })
  }
  return pieces
}

/** The text by which pieces compare: equal texts are layers of one kind. `taps`: whether somebody reads them. */
export function pieceShape(piece: Piece, taps: boolean): string {
  const local = new Map<number, string>()
  for (const [i, n] of piece.nodes.entries()) local.set(n.id, `%${i}`)
  const entering = new Map<number, string>()
  const valueName = (id: number): string => {
    const inside = local.get(id)
    if (inside) return inside
    if (!entering.has(id)) entering.set(id, `in${entering.size}`)
    return entering.get(id)!
  }
  return piece.nodes
    .filter((n) => taps || n.op !== 'tap')
    .map((n) => {
      if (n.op === 'tap') return `tap ${n.inputs.map(valueName).join(' ')}`
      const { id: _id, inputs, scope: _scope, span: _span, ...rest } = n
      const relative = Object.fromEntries(
        Object.entries(rest).map(([key, v]) => [key, typeof v === 'string' ? relativeName(v, piece.layer) : v]),
      )
      return JSON.stringify({ ...relative, inputs: inputs.map(valueName) })
    })
    .join('\n')
}

/** `model.layers.3.mlp.gate` in layer `model.layers.3` is `{layer}.mlp.gate`; the layer's own name is `{layer}`. */
export function relativeName(name: string, layer: string | undefined): string {
  const inside = layer !== undefined && (name === layer || name.startsWith(`${layer}.`))
  return inside ? `{layer}${name.slice(layer.length)}` : name
}

/** Whether relativeName has made a name so: another one in each layer. */
export const dependsOnLayer = (name: string): boolean => name.includes('{layer}')

/** The inverse of relativeName for the layer that a segment runs as. */
export function absoluteName(name: string, layer: string | undefined): string {
  return layer === undefined ? name : name.replace('{layer}', layer)
}
