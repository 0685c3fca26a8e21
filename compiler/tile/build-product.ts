/**
 * build-product: one or two contractions and what follows them become a product phase.
 *
 * Vocabulary: a *paired* product interleaves the rows of two params, which meet in one follower. A fused projection is cut
 * by slices into *sections*, which repeat after a *period* (one KV head). A product is *routed* when it multiplies by the
 * weights of chosen experts: `up` makes rows of experts, `down` sums them.
 * Invariant: sections cover the period from its first tile to its last.
 */
import { type Dim, printDims, sizeOf } from '../../dsl/dim.ts'
import type { NodeOf } from '../../dsl/graph.ts'
import type { Draft } from './assign-phases.ts'
import { chain, rotaryOf, type Scope, type Start, touched } from './chain.ts'
import { TILE_ROWS } from './forms.ts'
import type { ElementStep, Norm, Phase, ProductPhase, Section } from './ir.ts'
import { ruleOf } from './op-rules.ts'
import { relativeName } from './split-segments.ts'

type Anchor = NodeOf<'linear'> | NodeOf<'expertLinear'>

/** What the sections of a product are cut from. */
interface Result {
  readonly draft: Draft
  readonly scope: Scope
  /** Dims of the result, the slots left out, and their rows. */
  readonly dims: readonly Dim[]
  readonly rows: number
}
interface Sections {
  readonly period: number
  readonly sections: readonly Section[]
}

export function buildProduct(draft: Draft, name: string, scope: Scope): Phase[] {
  const { around, piece } = scope
  const anchors = draft.anchors as readonly Anchor[]
  const anchor = anchors[0]!
  const param = around.graph.params.find((p) => p.name === anchor.param)!
  const routedBy = anchor.op === 'expertLinear' ? (around.node(anchor.inputs[1]!) as NodeOf<'route'>) : undefined
  const experts = routedBy ? param.dims[0]!.size : undefined
  const dims = routedBy ? anchor.dims.slice(1) : anchor.dims
  const rows = sizeOf(dims)
  const k = sizeOf(param.dims) / rows / (experts ?? 1)

  const input = around.node(anchor.inputs[0]!)
  const normNode = around.applies(anchor, input.id) ? (input as NodeOf<'norm'>) : undefined
  const sourceValue = around.alias(normNode ? normNode.inputs[0]! : input.id)
  const sourceRouted = around.node(sourceValue).dims[0]?.name === 'slot'
  const source = scope.bufferOf(sourceValue, sourceRouted ? 'routedRows' : 'columns')
  const sourceNode = around.node(sourceValue)
  // What lies in a buffer of its own is whole on every rank, whatever is cut over ranks here.
  const ofRank =
    around.graph.ranks > 1 && ruleOf(sourceNode).buffer !== undefined && sourceNode.dims.some((d) => d.parallel)
  const norm: Norm | undefined = normNode && {
    param: relativeName(normNode.param, piece.layer),
    stat: normNode.stat,
    apply: normNode.apply,
  }
  const combined = draft.followers.some((f) => f.op === 'combine')
  const routed = routedBy ? (combined ? 'down' : 'up') : undefined

  const result: Result = { draft, scope, dims, rows }
  const sliced = draft.followers.some((f) => f.op === 'slice')
  const cut = sliced ? slicedSections : anchors.length === 2 ? pairedSection : wholeSection
  const { period, sections } = cut(result)
  checkRotation(sections, result)

  const t = touched(sections.flatMap((s) => s.elements))
  const contracted = param.dims.length - dims.length - (routedBy ? 1 : 0)
  const acrossRanks = param.dims.slice(-contracted).some((d) => d.parallel)
  const span = draft.anchors.find((n) => n.span)?.span
  const phase: ProductPhase = {
    kind: 'product',
    name,
    ...(span && { span }),
    params: anchors.map((a) => relativeName(a.param, piece.layer)),
    format: param.format,
    rows,
    k,
    contracted,
    ...(acrossRanks && { acrossRanks }),
    source,
    ...(ofRank && { ofRank }),
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

const section = (first: number, tiles: number, head: number, elements: readonly ElementStep[]): Section => ({
  first,
  tiles,
  head,
  rotary: rotaryOf(elements),
  elements,
})
const sumOf = (node: number): Start => ({ node, step: { kind: 'acc', value: 0 } })

/** One section for each slice of the last dim. */
function slicedSections({ draft, scope, dims }: Result): Sections {
  const slices = draft.followers.filter((f): f is NodeOf<'slice'> => f.op === 'slice')
  const last = dims.at(-1)!
  const whole = last.size
  const ordered = [...slices].sort((a, b) => a.start - b.start)
  const refuse = (s: NodeOf<'slice'>, message: string): void =>
    scope.around.session.report('TILE3011', message, { span: s.span })
  const sections = ordered.map((s, i) => {
    if (s.start % TILE_ROWS || s.count % TILE_ROWS || whole % TILE_ROWS || s.dim !== last.name) {
      refuse(
        s,
        `a slice of '${s.dim}' must cut the last dim at multiples of ${TILE_ROWS} rows, got ${s.start}..${s.start + s.count} of ${printDims(dims)}`,
      )
    }
    const [end, next] = [s.start + s.count, ordered[i + 1]?.start ?? whole]
    if ((i === 0 && s.start !== 0) || end !== next) {
      const [from, to] = i === 0 && s.start !== 0 ? [0, s.start] : [end, next]
      refuse(
        s,
        `slices of '${s.dim}' must be read once each and leave nothing out, but ${Math.min(from, to)}..${Math.max(from, to)} of ${whole} is ${from < to ? 'in none' : 'in two'}`,
      )
    }
    const others = draft.followers.filter((f) => f !== s)
    return section(s.start / TILE_ROWS, s.count / TILE_ROWS, s.dims.at(-1)!.size, chain(sumOf(s.id), others, scope))
  })
  return { period: whole / TILE_ROWS, sections }
}

/** Both halves of a tile become one row. */
function pairedSection({ draft, scope, rows }: Result): Sections {
  const [meets, ...followers] = draft.followers
  const expr = ruleOf(meets!).joins!(meets!)
  const elements = chain({ node: meets!.id, step: { kind: 'pair', value: 0, expr } }, followers, scope)
  const period = Math.ceil(rows / (TILE_ROWS / 2))
  return { period, sections: [section(0, period, rows, elements)] }
}

function wholeSection({ draft, scope, dims, rows }: Result): Sections {
  const anchor = draft.anchors[0]!
  const elements = chain(sumOf(anchor.id), draft.followers, scope)
  const cached = elements.some((e) => e.kind === 'store' && /\.(queries|keys|values)/.test(e.buffer))
  // What attention reads is addressed by KV head: the rows of one make a period.
  const each = cached ? rows / dims[0]!.size : rows
  if (cached && each % TILE_ROWS !== 0) {
    scope.around.session.report(
      'TILE3011',
      `a KV head's rows must be a multiple of ${TILE_ROWS} to be told apart, got ${each} of ${printDims(dims)}`,
      { span: anchor.span },
    )
  }
  const period = Math.ceil(each / TILE_ROWS)
  const headed = cached || rotaryOf(elements) > 0
  return { period, sections: [section(0, period, headed ? dims.at(-1)!.size : rows, elements)] }
}

/** Rotary partners are paired in tiles: whole tiles of heads and of what turns. */
function checkRotation(sections: readonly Section[], { draft, scope }: Result): void {
  for (const { head, rotary } of sections) {
    if (rotary % TILE_ROWS === 0 && (rotary === 0 || head % TILE_ROWS === 0)) continue
    scope.around.session.report(
      'TILE3013',
      `rope turns ${rotary} of ${head} elements; a product can take it along when both are multiples of ${TILE_ROWS}`,
      { span: draft.followers.find((f) => f.op === 'rope')?.span },
    )
  }
}
