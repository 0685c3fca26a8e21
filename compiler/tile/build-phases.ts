/**
 * build-phases: turns the drafts of one piece into phases: names, operands, sections, element steps and stores.
 *
 * Vocabulary: the *chain* of a section is what its followers do to one element. A value that a section made is known by
 * its number; a value from elsewhere is loaded from its plain buffer at the same place.
 * Each draft kind has its own builder in the table at the end; they share the chain.
 */
import { printDims, sizeOf } from '../../dsl/dim.ts'
import type { GraphNode, NodeOf } from '../../dsl/graph.ts'
import { InternalError } from '../diagnostics/diagnostic.ts'
import type { Draft } from './assign-phases.ts'
import { type Surroundings, TAPS } from './form-phases.ts'
import { ROWS, TILE_ROWS } from './forms.ts'
import type { Buffer, ElementStep, Form, MergePhase, Norm, Phase, ProductPhase, Section } from './ir.ts'
import { type Piece, relativeName } from './split-segments.ts'

interface Scope {
  readonly segment: string
  readonly piece: Piece
  readonly around: Surroundings
  readonly bufferOf: (value: number, form: Form['kind']) => string
  readonly name: (wanted: string) => string
  readonly phaseName: Map<Draft, string>
}

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
  const bufferOf = (value: number, form: Form['kind']): string => {
    const slot = around.slot(value)
    if (slot !== undefined) return `${slot}.${form}`
    if (around.node(value).op === 'input') return TAPS
    if (form === 'keys' || form === 'values') {
      const named = cacheReader(value, around).cache
      if (named !== undefined) return `cache ${relativeName(named, piece.layer)}.${form}`
    }
    const draft = owner.get(value)
    if (!draft) throw new InternalError(`value ${value} is read in '${segment}' but neither made there nor carried`)
    const made = [...draft.anchors, ...draft.followers].filter((n) => around.demands(n.id).has(form))
    const ordinal = made.length > 1 ? made.findIndex((n) => n.id === value) : 0
    return `${segment}.${phaseName.get(draft)}.${form}${ordinal > 0 ? ordinal + 1 : ''}`
  }
  const scope: Scope = { segment, piece, around, bufferOf, name, phaseName }
  return drafts.flatMap((d) => builders[d.kind](d, phaseName.get(d)!, scope))
}

/** The attention, or the remember, that a value is the key or the value of. */
function cacheReader(value: number, around: Surroundings): NodeOf<'attention'> | NodeOf<'remember'> {
  const reader = around.readers(value).find((n) => n.op === 'attention' || n.op === 'remember')
  if (!reader) throw new InternalError(`value ${value} goes to no cache`)
  return reader as NodeOf<'attention'> | NodeOf<'remember'>
}

function wantedName(d: Draft): string {
  const node = d.anchors.find((n) => n.phase !== undefined) ?? d.anchors[0] ?? d.followers[0]!
  if (node.phase !== undefined) return node.phase
  if ('param' in node && node.op !== 'norm') return node.param.split('.').slice(-1)[0]!
  return node.op
}

const spanOf = (nodes: readonly GraphNode[]): Pick<Phase, 'span'> => {
  const span = nodes.find((n) => n.span)?.span
  return span ? { span } : {}
}

/** Reads and writes that follow from the element steps. */
function touched(elements: readonly ElementStep[]): { reads: string[]; writes: string[] } {
  return {
    reads: elements.filter((e) => e.kind === 'load').map((e) => e.buffer),
    writes: elements.filter((e) => e.kind === 'store').map((e) => e.buffer),
  }
}

/** The form of a value for one kind of consumer. */
function formOf(value: GraphNode, kind: Form['kind'], scope: Scope): Form {
  const cached = kind === 'keys' || kind === 'values' ? cacheReader(value.id, scope.around) : undefined
  const window = cached?.window !== undefined ? { window: cached.window } : {}
  const [first, ...rest] = value.dims.map((d) => d.size) as [number, ...number[]]
  const n = sizeOf(value.dims)
  switch (kind) {
    case 'plain':
    case 'columns':
      return { kind, n }
    case 'routedRows':
      return { kind, n: n / first, topK: first }
    case 'queries':
      return { kind, kv: first, group: rest[0]!, dim: rest[1]! }
    case 'keys':
    case 'values':
      return { kind, kv: first, dim: rest[0]!, ...window }
    case 'logits':
      return { kind, n: n * (value.dims[0]!.parallel ? scope.around.graph.ranks : 1), local: n }
    case 'partials':
      throw new InternalError('partials are no form of a graph value')
  }
}

/** Follows the followers of a value for one section: numbered element steps, stores included. */
function chain(
  start: readonly { readonly node: number; readonly step: ElementStep & { readonly value: number } }[],
  followers: readonly GraphNode[],
  scope: Scope,
): ElementStep[] {
  const { around } = scope
  const steps: ElementStep[] = []
  const numbers = new Map<number, number>()
  let next = 0
  const give = (node: number, value: number): void => {
    numbers.set(node, value)
    next = Math.max(next, value + 1)
    for (const kind of around.demands(node)) {
      const buffer: Buffer = {
        name: scope.bufferOf(node, kind),
        form: formOf(around.node(node), kind, scope),
        carried: around.slot(node) !== undefined,
      }
      around.declare(buffer)
      steps.push({ kind: 'store', input: value, buffer: buffer.name })
    }
  }
  for (const s of start) {
    steps.push(s.step)
    give(s.node, s.step.value)
  }
  const numberOf = (id: number): number => {
    const known = numbers.get(around.alias(id)) ?? numbers.get(id)
    if (known !== undefined) return known
    const value = next++
    steps.push({ kind: 'load', value, buffer: scope.bufferOf(around.alias(id), 'plain') })
    numbers.set(id, value)
    return value
  }
  for (const f of followers) {
    if (!f.inputs.some((i) => numbers.has(i) || numbers.has(around.alias(i)))) continue
    switch (f.op) {
      case 'map': {
        const inputs = f.inputs.map(numberOf)
        steps.push({ kind: 'map', value: next, expr: f.expr, inputs })
        give(f.id, next)
        break
      }
      case 'rope':
        steps.push({ kind: 'rope', value: next, input: numberOf(f.inputs[0]!), theta: f.theta, rotary: f.rotary })
        give(f.id, next)
        break
      case 'allReduce':
        steps.push({ kind: 'exchange', value: next, input: numberOf(f.inputs[0]!) })
        give(f.id, next)
        break
      case 'combine':
      case 'tap':
        numbers.set(f.id, numberOf(f.inputs[0]!))
        if (f.op === 'combine') give(f.id, numbers.get(f.id)!)
        else if (around.tapped) steps.push(tapStore(f, numbers.get(f.id)!, scope))
        break
      default:
        throw new InternalError(`'${f.op}' cannot follow within a phase`)
    }
  }
  return steps
}

/** Taps lie one behind the other in one staged buffer, as the drafter contracts over all of them. */
function tapStore(tap: NodeOf<'tap'>, input: number, scope: Scope): ElementStep {
  const count = scope.around.graph.nodes.filter((n) => n.op === 'tap').length
  scope.around.declare({ name: TAPS, form: { kind: 'columns', n: count * sizeOf(tap.dims) }, carried: false })
  return { kind: 'store', input, buffer: TAPS, tapped: true }
}

function buildProduct(draft: Draft, name: string, scope: Scope): Phase[] {
  const { around, piece } = scope
  const anchors = draft.anchors as readonly (NodeOf<'linear'> | NodeOf<'expertLinear'>)[]
  const anchor = anchors[0]!
  const param = around.graph.params.find((p) => p.name === anchor.param)!
  const routedBy = anchor.op === 'expertLinear' ? (around.node(anchor.inputs[1]!) as NodeOf<'route'>) : undefined
  const experts = routedBy ? param.dims[0]!.size : undefined
  const resultDims = routedBy ? anchor.dims.slice(1) : anchor.dims
  const rows = sizeOf(resultDims)
  const k = sizeOf(param.dims) / rows / (experts ?? 1)

  const input = around.node(anchor.inputs[0]!)
  const normNode = around.prologue(input.id) ? (input as NodeOf<'norm'>) : undefined
  const sourceValue = around.alias(normNode ? normNode.inputs[0]! : input.id)
  const sourceRouted = around.node(sourceValue).dims[0]?.name === 'slot'
  const source = scope.bufferOf(sourceValue, sourceRouted ? 'routedRows' : 'columns')
  const norm: Norm | undefined = normNode && {
    param: relativeName(normNode.param, piece.layer),
    stat: normNode.stat,
    apply: normNode.apply,
  }
  const combined = draft.followers.some((f) => f.op === 'combine')
  const routed = routedBy ? (combined ? 'down' : 'up') : undefined

  const slices = draft.followers.filter((f): f is NodeOf<'slice'> => f.op === 'slice')
  const paired = anchors.length === 2
  const tileRows = paired ? TILE_ROWS / 2 : TILE_ROWS
  const chainFor = (start: Parameters<typeof chain>[0], followers: readonly GraphNode[]) =>
    chain(start, followers, scope)
  let sections: Section[]
  let period = Math.ceil(rows / tileRows)
  if (slices.length > 0) {
    const whole = resultDims.at(-1)!.size
    period = whole / TILE_ROWS
    const ordered = [...slices].sort((a, b) => a.start - b.start)
    sections = ordered.map((s, i) => {
      const head = s.dims.at(-1)!.size
      if (s.start % TILE_ROWS || s.count % TILE_ROWS || whole % TILE_ROWS || s.dim !== resultDims.at(-1)!.name) {
        around.session.report(
          'TILE3011',
          `a slice of '${s.dim}' must cut the last dim at multiples of ${TILE_ROWS} rows, got ${s.start}..${s.start + s.count} of ${printDims(resultDims)}`,
          { span: s.span },
        )
      }
      const [end, next] = [s.start + s.count, ordered[i + 1]?.start ?? whole]
      if ((i === 0 && s.start !== 0) || end !== next) {
        const [from, to] = i === 0 && s.start !== 0 ? [0, s.start] : [end, next]
        around.session.report(
          'TILE3011',
          `slices of '${s.dim}' must be read once each and leave nothing out, but ${Math.min(from, to)}..${Math.max(from, to)} of ${whole} is ${from < to ? 'in none' : 'in two'}`,
          { span: s.span },
        )
      }
      const elements = chainFor(
        [{ node: s.id, step: { kind: 'acc', value: 0 } }],
        draft.followers.filter((f) => f !== s),
      )
      return section(s.start / TILE_ROWS, s.count / TILE_ROWS, head, elements)
    })
  } else if (paired) {
    const map = draft.followers[0] as NodeOf<'map'>
    const start = [{ node: map.id, step: { kind: 'pair' as const, value: 0, expr: map.expr } }]
    sections = [section(0, period, rows, chainFor(start, draft.followers.slice(1)))]
  } else {
    const start = [{ node: anchor.id, step: { kind: 'acc' as const, value: 0 } }]
    const elements = chainFor(start, draft.followers)
    const cached = elements.some((e) => e.kind === 'store' && /\.(queries|keys|values)/.test(e.buffer))
    // What attention reads is addressed by KV head: the rows of one make a period.
    if (cached) {
      const each = rows / resultDims[0]!.size
      if (each % TILE_ROWS !== 0) {
        around.session.report(
          'TILE3011',
          `a KV head's rows must be a multiple of ${TILE_ROWS} to be told apart, got ${each} of ${printDims(resultDims)}`,
          { span: anchor.span },
        )
      }
      period = Math.ceil(each / TILE_ROWS)
    }
    const headed = cached || elements.some((e) => e.kind === 'rope')
    sections = [section(0, period, headed ? resultDims.at(-1)!.size : rows, elements)]
  }
  for (const { head, rotary } of sections) {
    if (rotary % TILE_ROWS === 0 && (rotary === 0 || head % TILE_ROWS === 0)) continue
    around.session.report(
      'TILE3013',
      `rope turns ${rotary} of ${head} elements; a product can take it along when both are multiples of ${TILE_ROWS}`,
      { span: draft.followers.find((f) => f.op === 'rope')?.span },
    )
  }
  const t = touched(sections.flatMap((s) => s.elements))
  const contracted = param.dims.length - resultDims.length - (routedBy ? 1 : 0)
  const acrossRanks = param.dims.slice(-contracted).some((d) => d.parallel)
  const phase: ProductPhase = {
    kind: 'product',
    name,
    ...spanOf(draft.anchors),
    params: anchors.map((a) => relativeName(a.param, piece.layer)),
    format: param.format,
    rows,
    k,
    contracted,
    ...(acrossRanks && { acrossRanks }),
    source,
    ...(norm && { norm }),
    ...(routed && { routed, experts: experts! }),
    topK: routedBy?.topK ?? 0,
    period,
    sections,
    reads: [source, ...t.reads],
    writes: t.writes,
  }
  return [phase]
}

function section(first: number, tiles: number, head: number, elements: readonly ElementStep[]): Section {
  const rotary = elements.reduce((r, e) => (e.kind === 'rope' ? e.rotary : r), 0)
  return { first, tiles, head, rotary, elements }
}

function buildEmbed(draft: Draft, name: string, scope: Scope): Phase[] {
  const node = draft.anchors[0] as NodeOf<'embed'>
  const elements = chain([{ node: node.id, step: { kind: 'acc', value: 0 } }], draft.followers, scope)
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
  const elements = chain([{ node: node.id, step: { kind: 'acc', value: 0 } }], draft.followers, scope)
  const sizes = node.dims.map((d) => d.size)
  const head = sizes.at(-1)!
  const heads = sizeOf(node.dims) / head
  const t = touched(elements)
  return [
    {
      kind: 'normed',
      name,
      ...spanOf([node]),
      norm: { param: relativeName(node.param, scope.piece.layer), stat: node.stat, apply: node.apply },
      source,
      heads,
      head,
      group: sizes.length > 1 ? heads / sizes[0]! : heads,
      rotary: elements.reduce((r, e) => (e.kind === 'rope' ? e.rotary : r), 0),
      elements,
      reads: [source, ...t.reads],
      writes: t.writes,
    },
  ]
}

function buildPointwise(draft: Draft, name: string, scope: Scope): Phase[] {
  const [first] = draft.followers
  // The first input is loaded, so that the chain has a value to start from.
  const origin = scope.around.alias(first!.inputs[0]!)
  const load: ElementStep & { value: number } = { kind: 'load', value: 0, buffer: scope.bufferOf(origin, 'plain') }
  const steps = chain([{ node: origin, step: load }], draft.followers, scope)
  // `chain` stores what it is given; the origin is stored already by the phase that made it.
  const elements = steps.filter((s) => !(s.kind === 'store' && s.input === 0))
  const t = touched(elements)
  return [{ kind: 'pointwise', name, ...spanOf(draft.followers), n: sizeOf(first!.dims), elements, ...t }]
}

function buildAttend(draft: Draft, name: string, scope: Scope): Phase[] {
  const { around } = scope
  const node = draft.anchors[0] as NodeOf<'attention'>
  const [kv, group, valueDim] = node.dims.map((d) => d.size) as [number, number, number]
  const [q, k, v] = node.inputs.map(around.alias) as [number, number, number]
  const keyDim = around.node(k).dims.at(-1)!.size
  const window = node.window !== undefined ? { window: node.window } : {}
  const queries = scope.bufferOf(q, 'queries')
  const keys = scope.bufferOf(k, 'keys')
  const values = scope.bufferOf(v, 'values')
  const partials = `${scope.segment}.${name}.partials`
  const mTiles = Math.ceil((ROWS * group) / 16)
  around.declare({ name: partials, form: { kind: 'partials', kv, mTiles, dim: valueDim, ...window }, carried: false })
  const attend = {
    kind: 'attend' as const,
    name,
    ...spanOf([node]),
    kv,
    group,
    keyDim,
    valueDim,
    scale: node.scale,
    ...window,
    block: node.block === true,
    queries,
    keys,
    values,
    partials,
    reads: [queries, keys, values],
    writes: [partials],
  }
  const outputs = [...around.demands(node.id)].map((kind) => {
    const buffer = scope.bufferOf(node.id, kind)
    around.declare({ name: buffer, form: formOf(node, kind, scope), carried: around.slot(node.id) !== undefined })
    return { buffer, kind }
  })
  if (outputs.length !== 1 || outputs[0]!.kind !== 'columns') {
    around.session.report('TILE3012', 'the result of attention must be read by linear ops', { span: node.span })
  }
  const output = outputs[0]?.buffer ?? ''
  const merge: MergePhase = {
    kind: 'merge',
    name: scope.name(`${name}.merge`),
    ...spanOf([node]),
    attend,
    ...(node.sink !== undefined && { sink: relativeName(node.sink, scope.piece.layer) }),
    output,
    reads: [partials],
    writes: [output],
  }
  return [attend, merge]
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
  const { program } = scope.around
  return [{ kind: 'sample', name, ...spanOf([node]), program, logits, vocabulary: whole, reads: [logits], writes: [] }]
}

const builders: Record<Draft['kind'], (draft: Draft, name: string, scope: Scope) => Phase[]> = {
  embed: buildEmbed,
  product: buildProduct,
  attend: buildAttend,
  route: buildRoute,
  normed: buildNormed,
  pointwise: buildPointwise,
  sample: buildSample,
}
