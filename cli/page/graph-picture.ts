/**
 * A picture of the graph: ops as boxes, values as arrows, top to bottom.
 *
 * Layers that are alike are drawn once: the first of each kind, with the list of those it stands for. A box's *depth* is
 * its longest path from the top; boxes of a depth stand side by side, each near the mean of its inputs.
 */

import { printNode } from '../../compiler/graph/print-graph.ts'
import type { Plan } from '../../compiler/plan/ir.ts'
import { printDims } from '../../dsl/dim.ts'
import type { Graph, GraphNode } from '../../dsl/graph.ts'
import { around, arrow, type Box, picture, rect, text, textWidth, tooltip } from './svg.ts'

const boxHeight = 40
const rowGap = 34
const columnGap = 18
const margin = 20

interface Group {
  readonly title: string
  readonly nodes: readonly GraphNode[]
}

/** The scope of the layer that a node belongs to: the path up to its first number. */
function layerOf(scope: string): string | undefined {
  const parts = scope.split('.')
  const at = parts.findIndex((p) => /^\d+$/.test(p))
  return at < 0 ? undefined : parts.slice(0, at + 1).join('.')
}

/** What is drawn: nodes outside of layers, and one layer of each kind of the plan. */
function groups(graph: Graph, plan: Plan): Group[] {
  const drawn = new Map(plan.segments.filter((s) => s.layers.length > 0).map((s) => [s.layers[0]!, s]))
  const out: { title: string; nodes: GraphNode[] }[] = []
  let current: string | undefined | null = null
  for (const node of graph.nodes) {
    const layer = layerOf(node.scope)
    const segment = layer === undefined ? undefined : drawn.get(layer)
    if (layer !== undefined && !segment) continue
    if (layer !== current) {
      const numbers = segment?.layers.map((l) => l.split('.').at(-1)).join(', ')
      const several = (segment?.layers.length ?? 0) > 1
      out.push({ title: segment ? `${segment.name}: ${several ? 'layers' : 'layer'} ${numbers}` : '', nodes: [] })
    }
    current = layer
    out.at(-1)!.nodes.push(node)
  }
  return out
}

const label = (n: GraphNode): string => (n.phase === undefined ? n.op : `${n.op} · ${n.phase}`)

export function graphPicture(graph: Graph, plan: Plan): string {
  const parts: string[] = []
  let top = margin
  let widest = 0
  for (const group of groups(graph, plan)) {
    const placed = place(group.nodes, top + (group.title ? 30 : 0))
    if (group.title) {
      const frame = { x: margin / 2, y: top - 4, width: placed.width + 2 * margin, height: placed.bottom - top + 16 }
      parts.push(rect(frame, 'frame'), text(margin, top + 14, group.title, 'heading'))
    }
    parts.push(...draw(group.nodes, placed.boxes))
    widest = Math.max(widest, placed.width)
    top = placed.bottom + 36
  }
  return picture(widest + 3 * margin, top, parts)
}

function place(nodes: readonly GraphNode[], top: number) {
  const depth = new Map<number, number>()
  for (const n of nodes) depth.set(n.id, Math.max(0, ...n.inputs.map((i) => (depth.get(i) ?? -1) + 1)))
  const rows: GraphNode[][] = Array.from({ length: Math.max(0, ...depth.values()) + 1 }, () => [])
  for (const n of nodes) rows[depth.get(n.id)!]!.push(n)
  const boxes = new Map<number, Box>()
  const middle = (id: number): number | undefined => {
    const b = boxes.get(id)
    return b && b.x + b.width / 2
  }
  let width = 0
  rows.forEach((row, level) => {
    const wanted = (n: GraphNode): number => {
      const from = n.inputs.map(middle).filter((x) => x !== undefined)
      return from.length === 0 ? 0 : from.reduce((a, b) => a + b, 0) / from.length
    }
    let x = margin
    for (const n of row.toSorted((a, b) => wanted(a) - wanted(b))) {
      const w = Math.max(textWidth(label(n)), textWidth(printDims(n.dims))) + 20
      x = Math.max(x, wanted(n) - w / 2)
      boxes.set(n.id, { x, y: top + level * (boxHeight + rowGap), width: w, height: boxHeight })
      x += w + columnGap
    }
    width = Math.max(width, x)
  })
  return { boxes, width, bottom: top + rows.length * (boxHeight + rowGap) - rowGap }
}

function draw(nodes: readonly GraphNode[], boxes: ReadonlyMap<number, Box>): string[] {
  const edges = nodes.flatMap((n) =>
    n.inputs.flatMap((i) => {
      const [from, to] = [boxes.get(i), boxes.get(n.id)!]
      return from ? [edge(from, to, [...boxes.values()])] : []
    }),
  )
  const drawn = nodes.map((n) => {
    const b = boxes.get(n.id)!
    const param = 'param' in n ? ' weighted' : ''
    return `<g>${tooltip(`${n.scope}\n${printNode(n)}`)}${rect(b, `op${param}`)}${text(b.x + 10, b.y + 17, label(n))}${text(b.x + 10, b.y + 33, printDims(n.dims), 'dims')}</g>`
  })
  return [...edges, ...drawn]
}

/** To the next row straight down; further than that around everything that lies between. */
function edge(from: Box, to: Box, all: readonly Box[]): string {
  const bottom = from.y + from.height
  const between = all.filter((b) => b.y > bottom && b.y + b.height < to.y)
  if (between.length === 0) return arrow(from.x + from.width / 2, bottom, to.x + to.width / 2, to.y)
  const side = Math.max(...[from, to, ...between].map((b) => b.x + b.width)) + 24
  return around(from.x + from.width, from.y + from.height / 2, to.x + to.width, to.y + to.height / 2, side)
}
