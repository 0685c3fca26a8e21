/**
 * The spec of the graph level. Builders report an author's mistakes before; a graph that breaks this spec is a bug of
 * tilec (or of a pass), so the check throws.
 *
 * Invariants checked: ids equal positions, inputs point backwards, dims follow each op's rule, parameters exist, are
 * used and have the dims that the op needs, attributes are in range, exactly one result (none where the program only
 * remembers). Each op kind has one entry in a table; the driver knows none of them.
 */
import { sameDims, stripDims } from '../../dsl/builder.ts'
import { printDims, sameDim, sizeOf } from '../../dsl/dim.ts'
import type { ExprNode } from '../../dsl/expr.ts'
import type { Graph, GraphNode, NodeOf, OpKind, Param } from '../../dsl/graph.ts'
import type { Dims } from '../../dsl/shapes.ts'
import { InternalError } from '../diagnostics/diagnostic.ts'

interface Context {
  /** Dims of input i; empty when there is no such input. */
  readonly input: (i: number) => Dims
  readonly source: (i: number) => GraphNode | undefined
  /** Notes that the node uses a parameter and returns its dims. */
  readonly param: (name: string) => Dims
  readonly demand: (holds: boolean, message: string) => void
}

interface Rule<K extends OpKind> {
  readonly arity: number | 'any'
  readonly check: (node: NodeOf<K>, c: Context) => void
}

const rules: { readonly [K in OpKind]: Rule<K> } = {
  embed: {
    arity: 0,
    check: (n, c) => {
      const table = c.param(n.param)
      c.demand(sameDims(table.slice(1), n.dims), 'table is not [vocabulary, result dims]')
      if (!n.instead) return
      c.demand(inRange(n.instead.token, 0, (table[0]?.size ?? 0) - 1), `token ${n.instead.token} is not in the table`)
      c.demand(sameDims(c.param(n.instead.param), n.dims), 'the vector of the token apart is not [result dims]')
    },
  },
  input: {
    arity: 0,
    check: (n, c) => c.demand(n.dims.length === 1 || n.dims.length === 2, 'taps are not [tap, hidden] or [taps]'),
  },
  norm: {
    arity: 1,
    check: (n, c) => {
      c.demand(sameDims(n.dims, c.input(0)), 'changes dims')
      c.demand('rest' in stripDims(c.input(0), c.param(n.param)), 'weight is not the tail of the input')
      c.demand(highestInput(n.stat) < 1 && highestInput(n.apply) < 3, 'expression reads an input that there is not')
    },
  },
  linear: {
    arity: 1,
    check: (n, c) => contracts(c, c.param(n.param), c.input(0), n.dims),
  },
  map: {
    arity: 'any',
    check: (n, c) => {
      c.demand(n.inputs.length > 0, 'has no inputs')
      c.demand(
        n.inputs.every((_, i) => sameDims(c.input(i), n.dims)),
        'inputs differ from the result',
      )
      c.demand(highestInput(n.expr) < n.inputs.length, 'expression reads an input that there is not')
    },
  },
  slice: {
    arity: 1,
    check: (n, c) => {
      const x = c.input(0)
      const at = x.findIndex((d) => d.name === n.dim)
      const from = x[at]
      c.demand(from !== undefined && inRange(n.start, 0, from.size - n.count), 'range lies outside the dim')
      const into = n.dims.slice(at, n.dims.length - (x.length - at - 1))
      c.demand(sizeOf(into) === n.count, `result ${printDims(into)} does not hold ${n.count} elements`)
      c.demand(sameDims([...x.slice(0, at), ...into, ...x.slice(at + 1)], n.dims), 'changes other dims')
    },
  },
  rope: {
    arity: 1,
    check: (n, c) => {
      c.demand(sameDims(n.dims, c.input(0)), 'changes dims')
      c.demand(n.rotary % 2 === 0 && inRange(n.rotary, 2, n.dims.at(-1)?.size ?? 0), `rotary ${n.rotary} out of range`)
      c.demand(n.theta > 0, `theta ${n.theta} out of range`)
    },
  },
  attention: {
    arity: 3,
    check: (n, c) => {
      const [kv, group, qd] = c.input(0)
      const [vkv, vd] = c.input(2)
      if (!kv || !group || !qd || !vkv || !vd) return c.demand(false, 'operands lack dims')
      c.demand(sameDims(c.input(1), [kv, qd]) && sameDim(vkv, kv), 'operands disagree')
      c.demand(sameDims(n.dims, [kv, group, vd]), 'result is not [kv, group, vd]')
      c.demand(n.window === undefined || inRange(n.window, 1, Number.MAX_SAFE_INTEGER), 'window out of range')
      c.demand(n.sink === undefined || sameDims(c.param(n.sink), [kv, group]), 'sink is not [kv, group]')
      c.demand(n.block === undefined || n.cache !== undefined, 'a block keeps no keys, so it needs a named cache')
    },
  },
  remember: {
    arity: 2,
    check: (n, c) => {
      const [[kv, qd, ...k], [vkv, vd, ...v]] = [c.input(0), c.input(1)]
      c.demand(!!kv && !!qd && !!vkv && !!vd && k.length + v.length === 0, 'operands are not [kv, qd] and [kv, vd]')
      c.demand(!!kv && !!vkv && sameDim(kv, vkv), 'operands disagree')
      c.demand(n.dims.length === 0, 'has a result')
      c.demand(n.window === undefined || inRange(n.window, 1, Number.MAX_SAFE_INTEGER), 'window out of range')
    },
  },
  route: {
    arity: 1,
    check: (n, c) => {
      const [experts, ...rest] = c.input(0)
      c.demand(experts !== undefined && rest.length === 0 && inRange(n.topK, 1, experts.size), 'topK out of range')
      c.demand(n.dims.length === 1 && n.dims[0]?.size === n.topK, 'result is not [slot]')
      c.demand(n.bias === undefined || sameDims(c.param(n.bias), c.input(0)), 'bias is not [expert]')
      c.demand(highestInput(n.score) < 1, 'score reads more than the logit')
      c.demand(highestInput(n.choose) < (n.bias === undefined ? 1 : 2), 'choose reads a bias that there is not')
    },
  },
  expertLinear: {
    arity: 2,
    check: (n, c) => {
      c.demand(c.source(1)?.op === 'route', 'second input is no route')
      const [slot] = c.input(1)
      const x = c.input(0)
      const routed = slot !== undefined && x[0] !== undefined && sameDim(x[0], slot)
      contracts(c, c.param(n.param).slice(1), routed ? x.slice(1) : x, n.dims.slice(1))
      c.demand(slot !== undefined && n.dims[0] !== undefined && sameDim(n.dims[0], slot), 'result lacks the slot dim')
    },
  },
  combine: {
    arity: 2,
    check: (n, c) => {
      c.demand(c.source(1)?.op === 'route', 'second input is no route')
      c.demand(sameDims(c.input(0), [...c.input(1), ...n.dims]), 'input is not [slot, result dims]')
    },
  },
  allReduce: { arity: 1, check: unchanged },
  tap: { arity: 1, check: unchanged },
  logits: {
    arity: 1,
    check: (n, c) => {
      unchanged(n, c)
      c.demand(n.dims.length === 1, 'result is not one dim')
      c.demand(n.valid === undefined || inRange(n.valid, 1, n.dims[0]?.size ?? 0), 'valid out of range')
    },
  },
}

function unchanged(n: GraphNode, c: Context): void {
  c.demand(sameDims(n.dims, c.input(0)), 'changes dims')
}
function contracts(c: Context, w: Dims, x: Dims, out: Dims): void {
  const fit = stripDims(w, x)
  c.demand(
    'rest' in fit && sameDims(fit.rest, out),
    `weight ${printDims(w)} does not take ${printDims(x)} to ${printDims(out)}`,
  )
}
const inRange = (v: number, low: number, high: number): boolean => Number.isInteger(v) && v >= low && v <= high

/** The highest input that an expression reads; -1 for none. */
function highestInput(e: ExprNode): number {
  switch (e.kind) {
    case 'const':
      return -1
    case 'input':
      return e.index
    case 'unary':
      return highestInput(e.arg)
    case 'binary':
      return Math.max(highestInput(e.left), highestInput(e.right))
    case 'select':
      return Math.max(...[e.left, e.right, e.then, e.other].map(highestInput))
  }
}

/** Every way in which the graph breaks the spec. */
export function graphViolations(graph: Graph): string[] {
  const found: string[] = []
  const params = new Map<string, Param>()
  for (const p of graph.params) {
    if (params.has(p.name)) found.push(`parameter '${p.name}' is listed twice`)
    params.set(p.name, p)
  }
  const used = new Set<string>()
  graph.nodes.forEach((node, position) => {
    const demand = (holds: boolean, message: string) => {
      if (!holds) found.push(`%${position} ${node.op}: ${message}`)
    }
    demand(node.id === position, `id is ${node.id}`)
    demand(
      node.inputs.every((i) => inRange(i, 0, position - 1)),
      `inputs [${node.inputs.join(', ')}] do not point backwards`,
    )
    const rule = rules[node.op] as Rule<OpKind>
    demand(
      rule.arity === 'any' || node.inputs.length === rule.arity,
      `takes ${rule.arity} inputs, has ${node.inputs.length}`,
    )
    rule.check(node, {
      demand,
      source: (i) => graph.nodes[node.inputs[i] ?? -1],
      input: (i) => graph.nodes[node.inputs[i] ?? -1]?.dims ?? [],
      param: (name) => {
        used.add(name)
        demand(params.has(name), `parameter '${name}' is not listed`)
        return params.get(name)?.dims ?? []
      },
    })
  })
  for (const name of params.keys()) if (!used.has(name)) found.push(`parameter '${name}' is not used`)
  const results = graph.nodes.filter((n) => n.op === 'logits').length
  const remembers = graph.nodes.some((n) => n.op === 'remember')
  if (results > 1 || (results === 0 && !remembers)) found.push(`${results} results instead of one`)
  return found
}

/** Throws InternalError when the graph that left `stage` breaks the spec. */
export function assertGraph(graph: Graph, stage: string): void {
  const found = graphViolations(graph)
  if (found.length > 0) throw new InternalError(`graph '${graph.name}' after ${stage}:\n  ${found.join('\n  ')}`)
}
