/**
 * Prints a graph as text: for inspect, for diffs between passes, for tests and for comparing two builds.
 *
 * Invariants: the text shows everything but spans, so equal text means equal graphs; it does not depend on the machine.
 * One line a node: `%7 [qkv] self_attn: [kv=8, qkv=176] = linear(%5) param=...`; a header whenever the scope changes.
 */
import { printDims } from '../../dsl/dim.ts'
import { type ExprNode, printExpr } from '../../dsl/expr.ts'
import { printFormat } from '../../dsl/format.ts'
import type { Graph, GraphNode } from '../../dsl/graph.ts'

/** What a node's attributes are called in the inputs of its expressions. */
const inputNames: Readonly<Record<string, readonly string[]>> = {
  stat: ['x'],
  apply: ['x', 'mean', 'w'],
  expr: ['a', 'b', 'c', 'd'],
  score: ['logit'],
  choose: ['score', 'bias'],
}
const structural = new Set(['id', 'op', 'inputs', 'dims', 'scope', 'phase', 'span'])

export function printNode(n: GraphNode): string {
  const attributes = Object.entries(n)
    .filter(([key, value]) => !structural.has(key) && value !== undefined)
    .map(([key, value]) => `${key}=${printAttribute(key, value)}`)
  const inputs = n.inputs.map((i) => `%${i}`).join(', ')
  const phase = n.phase === undefined ? '' : ` [${n.phase}]`
  return `%${n.id}${phase} ${printDims(n.dims)} = ${n.op}(${inputs})${attributes.map((a) => ` ${a}`).join('')}`
}

function printAttribute(key: string, value: unknown): string {
  const names = inputNames[key]
  if (names) return printExpr(value as ExprNode, names)
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

export function printGraph(g: Graph): string {
  const lines = [`graph ${g.name}`]
  for (const p of g.params)
    lines.push(`param ${p.name} ${printDims(p.dims)} ${printFormat(p.format)}${printParallel(p.dims)}`)
  let scope = ''
  for (const n of g.nodes) {
    if (n.scope !== scope) lines.push(`${n.scope || '(model)'}:`)
    scope = n.scope
    lines.push(`  ${printNode(n)}`)
  }
  return `${lines.join('\n')}\n`
}

const printParallel = (dims: Graph['params'][number]['dims']): string => {
  const names = dims.filter((d) => d.parallel).map((d) => d.name)
  return names.length > 0 ? ` parallel ${names.join(', ')}` : ''
}
