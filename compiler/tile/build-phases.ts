/**
 * build-phases: turns the drafts of one piece into phases: names, operands, element steps and stores.
 *
 * Vocabulary: the *chain* of a section is what its followers do to one element (chain.ts).
 * Each draft kind has one entry in the table at the end; products have a file of their own (build-product.ts).
 */
import { sizeOf } from '../../dsl/dim.ts'
import type { GraphNode, NodeOf } from '../../dsl/graph.ts'
import { InternalError } from '../diagnostics/diagnostic.ts'
import { type Draft, wantedName } from './assign-phases.ts'
import { buildProduct } from './build-product.ts'
import { cacheReader, chain, formOf, rotaryOf, type Scope, type Start, touched } from './chain.ts'
import type { Surroundings } from './form-phases.ts'
import { mTilesOf } from './forms.ts'
import type { NamedCache, Phase } from './ir.ts'
import { namedCache, printCache } from './named-caches.ts'
import { nearParts } from './near-attention.ts'
import { normsTogether } from './norms-together.ts'
import { type DraftKind, type FormKind, ruleOf } from './op-rules.ts'
import { type Piece, relativeName } from './split-segments.ts'

export function buildPhases(
  segment: string,
  piece: Piece,
  drafts: readonly Draft[],
  around: Surroundings,
): readonly Phase[] {
  const taken = new Set<string>()
  const phaseName = new Map<Draft, string>()
  const name = (wanted: string): string => {
    let name = wanted
    for (let i = 2; taken.has(name); i++) name = `${wanted}${i}`
    taken.add(name)
    return name
  }
  for (const d of drafts) phaseName.set(d, name(wantedName(d)))
  const owner = new Map<number, Draft>()
  for (const d of drafts) for (const n of [...d.anchors, ...d.followers]) owner.set(n.id, d)
  const cacheOf = (value: number, form: FormKind): NamedCache | undefined => {
    if ((form !== 'keys' && form !== 'values') || around.slot(value) !== undefined) return undefined
    const { cache } = cacheReader(value, around)
    return cache === undefined ? undefined : namedCache(cache, form, segment, piece.layer)
  }
  const bufferOf = (value: number, form: FormKind): string => {
    const slot = around.slot(value)
    if (slot !== undefined) return `${slot}.${form}`
    const { buffer } = ruleOf(around.node(value))
    if (buffer !== undefined) return buffer
    const cache = cacheOf(value, form)
    if (cache !== undefined) return printCache(cache)
    const draft = owner.get(value)
    if (!draft) throw new InternalError(`value ${value} is read in '${segment}' but neither made there nor carried`)
    const made = [...draft.anchors, ...draft.followers].filter((n) => around.demands(n.id).has(form))
    const ordinal = made.length > 1 ? made.findIndex((n) => n.id === value) : 0
    return `${segment}.${phaseName.get(draft)}.${form}${ordinal > 0 ? ordinal + 1 : ''}`
  }
  const scope: Scope = { segment, piece, around, bufferOf, cacheOf, name, phaseName }
  return normsTogether(drafts.flatMap((d) => draftRules[d.kind].build(d, phaseName.get(d)!, scope)))
}

const spanOf = (nodes: readonly GraphNode[]): Pick<Phase, 'span'> => {
  const span = nodes.find((n) => n.span)?.span
  return span ? { span } : {}
}

function buildEmbed(draft: Draft, name: string, scope: Scope): Phase[] {
  const node = draft.anchors[0] as NodeOf<'embed'>
  const elements = chain({ node: node.id, step: { kind: 'acc', value: 0 } }, draft.followers, scope)
  const n = sizeOf(node.dims)
  const param = relativeName(node.param, scope.piece.layer)
  const instead = node.instead && {
    token: node.instead.token,
    param: relativeName(node.instead.param, scope.piece.layer),
  }
  const t = touched(elements)
  return [{ kind: 'embed', name, ...spanOf([node]), param, ...(instead && { instead }), n, elements, ...t }]
}

function buildNormed(draft: Draft, name: string, scope: Scope): Phase[] {
  const node = draft.anchors[0] as NodeOf<'norm'>
  const source = scope.bufferOf(scope.around.alias(node.inputs[0]!), 'plain')
  const elements = chain({ node: node.id, step: { kind: 'acc', value: 0 } }, draft.followers, scope)
  const sizes = node.dims.map((d) => d.size)
  const head = sizeOf(scope.around.graph.params.find((p) => p.name === node.param)!.dims)
  const heads = sizeOf(node.dims) / head
  const t = touched(elements)
  return [
    {
      kind: 'normed',
      name,
      ...spanOf([node]),
      parts: [
        {
          norm: { param: relativeName(node.param, scope.piece.layer), stat: node.stat, apply: node.apply },
          source,
          heads,
          head,
          group: heads > 1 && sizes.length > 1 ? heads / sizes[0]! : heads,
          rotary: rotaryOf(elements),
          elements,
        },
      ],
      reads: [source, ...t.reads],
      writes: t.writes,
    },
  ]
}

function buildPointwise(draft: Draft, name: string, scope: Scope): Phase[] {
  const [first] = draft.followers
  // The first input is loaded, so that the chain has a value to start from.
  const origin = scope.around.alias(first!.inputs[0]!)
  const load: Start['step'] = { kind: 'load', value: 0, buffer: scope.bufferOf(origin, 'plain') }
  const steps = chain({ node: origin, step: load }, draft.followers, scope)
  // `chain` stores what it is given; the origin is stored already by the phase that made it.
  const elements = steps.filter((s) => !(s.kind === 'store' && s.input === 0))
  const t = touched(elements)
  return [{ kind: 'pointwise', name, ...spanOf(draft.followers), n: sizeOf(first!.dims), elements, ...t }]
}

/** One phase where the window is short enough, else one that leaves partials and one that merges them. */
function buildAttend(draft: Draft, name: string, scope: Scope): Phase[] {
  const { around } = scope
  const node = draft.anchors[0] as NodeOf<'attention'>
  const [kv, group, valueDim] = node.dims.map((d) => d.size) as [number, number, number]
  const [q, k, v] = node.inputs.map(around.alias) as [number, number, number]
  const keyDim = around.node(k).dims.at(-1)!.size
  const queries = scope.bufferOf(q, 'queries')
  const keys = scope.bufferOf(k, 'keys')
  const values = scope.bufferOf(v, 'values')
  const block = node.block === true
  const attention = { kv, group, keyDim, valueDim, scale: node.scale, block, queries, keys, values }
  const outputs = [...around.demands(node.id)].map((kind) => {
    const buffer = scope.bufferOf(node.id, kind)
    around.declare({ name: buffer, form: formOf(node, kind, scope), carried: around.slot(node.id) !== undefined })
    return { buffer, kind }
  })
  if (outputs.length !== 1 || outputs[0]!.kind !== 'columns') {
    around.session.report('TILE3012', 'the result of attention must be read by linear ops', { span: node.span })
  }
  const output = outputs[0]?.buffer ?? ''
  const finish = {
    ...spanOf([node]),
    ...(node.sink !== undefined && { sink: relativeName(node.sink, scope.piece.layer) }),
    output,
    writes: [output],
  }
  const reads = [queries, keys, values]
  const { window } = node
  const parts = window === undefined ? undefined : nearParts(window, valueDim)
  if (window !== undefined && parts !== undefined)
    return [{ kind: 'near', name, ...attention, window, parts, ...finish, reads }]
  const slid = window === undefined ? {} : { window }
  const partials = `${scope.segment}.${name}.partials`
  const mTiles = mTilesOf(group)
  around.declare({ name: partials, form: { kind: 'partials', kv, mTiles, dim: valueDim, ...slid }, carried: false })
  const attend = {
    kind: 'attend' as const,
    name,
    ...spanOf([node]),
    ...attention,
    ...slid,
    partials,
    reads,
    writes: [partials],
  }
  return [attend, { kind: 'merge', name: scope.name(`${name}.merge`), attend, ...finish, reads: [partials] }]
}

function buildRoute(draft: Draft, name: string, scope: Scope): Phase[] {
  const node = draft.anchors[0] as NodeOf<'route'>
  const logits = scope.bufferOf(scope.around.alias(node.inputs[0]!), 'plain')
  return [
    {
      kind: 'route',
      name,
      ...spanOf([node]),
      logits,
      experts: scope.around.node(node.inputs[0]!).dims[0]!.size,
      topK: node.topK,
      ...(node.bias !== undefined && { bias: relativeName(node.bias, scope.piece.layer) }),
      score: node.score,
      choose: node.choose,
      normalise: node.normalise,
      epsilon: node.epsilon,
      factor: node.factor,
      reads: [logits],
      writes: [],
    },
  ]
}

function buildSample(draft: Draft, name: string, scope: Scope): Phase[] {
  const node = draft.anchors[0] as NodeOf<'logits'>
  const logits = scope.bufferOf(scope.around.alias(node.inputs[0]!), 'logits')
  const whole = node.dims[0]!.parallel ? sizeOf(node.dims) * scope.around.graph.ranks : sizeOf(node.dims)
  const { program, samples } = scope.around
  const firsts = `${scope.segment}.${name}.firsts`
  scope.around.declare({ name: firsts, form: { kind: 'firsts' }, carried: false })
  return [
    {
      kind: 'firsts',
      name: scope.name(`${name}.firsts`),
      ...spanOf([node]),
      logits,
      vocabulary: whole,
      output: firsts,
      reads: [logits],
      writes: [firsts],
    },
    {
      kind: 'sample',
      name,
      ...spanOf([node]),
      program,
      ...(samples && { logits }),
      firsts,
      vocabulary: whole,
      reads: [...(samples ? [logits] : []), firsts],
      writes: [],
    },
  ]
}

interface DraftRule {
  /** Whether ops that start nothing may join a phase of this kind. */
  readonly takesFollowers: boolean
  readonly build: (draft: Draft, name: string, scope: Scope) => Phase[]
}

export const draftRules: { readonly [K in DraftKind]: DraftRule } = {
  embed: { takesFollowers: true, build: buildEmbed },
  product: { takesFollowers: true, build: buildProduct },
  attend: { takesFollowers: false, build: buildAttend },
  route: { takesFollowers: false, build: buildRoute },
  normed: { takesFollowers: true, build: buildNormed },
  pointwise: { takesFollowers: true, build: buildPointwise },
  sample: { takesFollowers: false, build: buildSample },
}
