/**
 * chain: what the followers of a section do to one element, as numbered element steps.
 *
 * Vocabulary: a value that the section made is known by its number; a value from elsewhere is loaded from its plain buffer
 * at the same place. A value that other phases read is stored as soon as it has its number, once in each form demanded.
 * Invariants: a number is given before it is used; what each op adds is its rule's business (op-rules.ts).
 */
import { sizeOf } from '../../dsl/dim.ts'
import type { GraphNode, NodeOf } from '../../dsl/graph.ts'
import { InternalError } from '../diagnostics/diagnostic.ts'
import type { Draft } from './assign-phases.ts'
import type { Surroundings } from './form-phases.ts'
import type { Buffer, ElementStep, Form, NamedCache } from './ir.ts'
import { type FormKind, ruleOf, TAPS } from './op-rules.ts'
import type { Piece } from './split-segments.ts'

/** What the builders of phases share: the piece that they build, names, and the graph around. */
export interface Scope {
  readonly segment: string
  readonly piece: Piece
  readonly around: Surroundings
  readonly bufferOf: (value: number, form: FormKind) => string
  /** The named cache that this buffer is, if it is one. */
  readonly cacheOf: (value: number, form: FormKind) => NamedCache | undefined
  readonly name: (wanted: string) => string
  readonly phaseName: Map<Draft, string>
}

/** The attention, or the remember, that a value is the key or the value of. */
export function cacheReader(value: number, around: Surroundings): NodeOf<'attention'> | NodeOf<'remember'> {
  const reader = around.readers(value).find((n) => n.op === 'attention' || n.op === 'remember')
  if (!reader) throw new InternalError(`value ${value} goes to no cache`)
  return reader as NodeOf<'attention'> | NodeOf<'remember'>
}

type FormRules = { readonly [K in FormKind]: (value: GraphNode, scope: Scope) => Form }

const cached =
  (kind: 'keys' | 'values') =>
  (value: GraphNode, { around }: Scope): Form => {
    const { window } = cacheReader(value.id, around)
    const [kv, dim] = value.dims as [Sized, Sized]
    return { kind, kv: kv.size, dim: dim.size, ...(window !== undefined && { window }) }
  }
type Sized = GraphNode['dims'][number]

const forms: FormRules = {
  plain: (value) => ({ kind: 'plain', n: sizeOf(value.dims) }),
  columns: (value) => ({ kind: 'columns', n: sizeOf(value.dims) }),
  routedRows: ({ dims }) => ({ kind: 'routedRows', n: sizeOf(dims) / dims[0]!.size, topK: dims[0]!.size }),
  queries: ({ dims: [kv, group, dim] }) => ({ kind: 'queries', kv: kv!.size, group: group!.size, dim: dim!.size }),
  keys: cached('keys'),
  values: cached('values'),
  logits: ({ dims }, { around }) => {
    const local = sizeOf(dims)
    return { kind: 'logits', n: local * (dims[0]!.parallel ? around.graph.ranks : 1), local }
  },
  partials: () => {
    throw new InternalError('partials are no form of a graph value')
  },
  firsts: () => {
    throw new InternalError('firsts are no form of a graph value')
  },
}

/** The form of a value for one kind of consumer. */
export const formOf = (value: GraphNode, kind: FormKind, scope: Scope): Form => forms[kind](value, scope)

export class Chain {
  readonly steps: ElementStep[] = []
  readonly #numbers = new Map<number, number>()
  #next = 0
  constructor(readonly scope: Scope) {}

  /** Whether the value of a node is the chain's. */
  has(node: number): boolean {
    return this.#numbers.has(node) || this.#numbers.has(this.scope.around.alias(node))
  }
  /** The number of a node's value, loaded if the chain does not have it. */
  number(node: number): number {
    const { around, bufferOf } = this.scope
    const known = this.#numbers.get(around.alias(node)) ?? this.#numbers.get(node)
    if (known !== undefined) return known
    const value = this.#next++
    this.steps.push({ kind: 'load', value, buffer: bufferOf(around.alias(node), 'plain') })
    this.#numbers.set(node, value)
    return value
  }
  /** A node's value is the one with this number. */
  name(node: number, value: number): void {
    this.#numbers.set(node, value)
    this.#next = Math.max(this.#next, value + 1)
  }
  /** Names a value, and stores it for those who read it in other phases. */
  give(node: number, value: number): void {
    const { around, bufferOf, cacheOf } = this.scope
    this.name(node, value)
    for (const kind of around.demands(node)) {
      const cache = cacheOf(node, kind)
      const buffer: Buffer = {
        name: bufferOf(node, kind),
        form: formOf(around.node(node), kind, this.scope),
        carried: around.slot(node) !== undefined,
        ...(cache && { cache }),
      }
      around.declare(buffer)
      this.steps.push({ kind: 'store', input: value, buffer: buffer.name })
    }
  }
  /** Adds the step that makes a node's value of its inputs' numbers. */
  make(node: GraphNode, step: (value: number, inputs: readonly number[]) => ElementStep): void {
    const inputs = node.inputs.map((i) => this.number(i))
    const value = this.#next
    this.steps.push(step(value, inputs))
    this.give(node.id, value)
  }
  /** Taps lie one behind the other in one staged buffer, as the drafter contracts over all of them. */
  storeTap(tap: NodeOf<'tap'>, input: number): void {
    const { around } = this.scope
    const count = around.graph.nodes.filter((n) => n.op === 'tap').length
    around.declare({ name: TAPS, form: { kind: 'columns', n: count * sizeOf(tap.dims) }, carried: false })
    this.steps.push({ kind: 'store', input, buffer: TAPS, tapped: true })
  }
}

/** A value that a section begins with. */
export interface Start {
  readonly node: number
  readonly step: ElementStep & { readonly value: number }
}

/** Element steps of one section: from what it starts with through those of the followers that it reaches. */
export function chain(start: Start, followers: readonly GraphNode[], scope: Scope): readonly ElementStep[] {
  const chain = new Chain(scope)
  chain.steps.push(start.step)
  chain.give(start.node, start.step.value)
  for (const f of followers) {
    if (!f.inputs.some((i) => chain.has(i))) continue
    const { follow } = ruleOf(f)
    if (!follow) throw new InternalError(`'${f.op}' cannot follow within a phase`)
    follow(f, chain)
  }
  return chain.steps
}

/** Reads and writes that follow from the element steps. */
export function touched(elements: readonly ElementStep[]): { reads: string[]; writes: string[] } {
  return {
    reads: elements.filter((e) => e.kind === 'load').map((e) => e.buffer),
    writes: elements.filter((e) => e.kind === 'store').map((e) => e.buffer),
  }
}

/** Leading elements of each head that rotate. */
export const rotaryOf = (elements: readonly ElementStep[]): number =>
  elements.reduce((r, e) => (e.kind === 'rope' ? e.rotary : r), 0)
