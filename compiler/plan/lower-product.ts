/**
 * lower-product: the role programs of a product. Two layouts of weights make two ways through an SM: pages of tiles whose
 * parts of k meet in the join, and the `down` of experts, of which each SM owns tiles and sums them by row and slot.
 * Routed products go over the active experts half by half (halve-experts.ts).
 */
import type { ProductPhase } from '../tile/ir.ts'
import { gathersLogits, tileGroups as groupsOf } from './hand-tiles.ts'
import { type Access, type Domain, type ProductPlan, rotatesAhead, type Step } from './ir.ts'
import { all, halves, type LowerContext, type Lowered, loop, ofHalf, own, type Steps } from './lower-steps.ts'

export function lowerProduct(phase: ProductPhase, to: Steps, ctx: LowerContext): Lowered {
  const product = ctx.product(phase)
  return phase.routed === 'down' ? lowerDown(phase, product, to, ctx) : lowerPaged(phase, product, to, ctx)
}

/** Accesses of the element steps, before or after the exchange. */
function elementAccess(product: ProductPlan, when: 'before' | 'after' | 'all'): { reads: Access[]; writes: Access[] } {
  const steps = product.sections.flatMap((s) => {
    const at = s.elements.findIndex((e) => e.kind === 'exchange')
    if (when === 'all' || at < 0) return s.elements
    return when === 'before' ? s.elements.slice(0, at) : s.elements.slice(at)
  })
  return {
    reads: steps.filter((e) => e.kind === 'load').map((e) => own(e.buffer)),
    writes: steps.filter((e) => e.kind === 'store').map((e) => own(e.buffer)),
  }
}

/** Tiles come through the ring in pages, parts of k meet in the join. */
function lowerPaged(phase: ProductPhase, product: ProductPlan, to: Steps, ctx: LowerContext): Lowered {
  const g = product.geometry
  const tileGroups = groupsOf(product)
  const pagesPerTurn = g.pagesPerTile / g.chunks
  const domain: Domain =
    phase.routed === 'up'
      ? { kind: 'activeShare', count: tileGroups, experts: phase.experts! }
      : { kind: 'share', count: tileGroups }
  const byHalves =
    phase.routed === 'up'
      ? (body: readonly Step[]): Step[] => [halves(body)]
      : (body: readonly Step[]): readonly Step[] => body
  const routeRead = phase.routed ? [all('route')] : []
  const logits = logitsStore(phase, ctx)
  const ring = {
    acquire: to.channel('load', 'acquire', 'ring'),
    copy: {
      kind: 'copyPage' as const,
      site: to.site('load', 'copy page'),
      product,
      reads: ctx.routedBefore === 0 ? [] : routeRead,
    },
    commit: to.channel('load', 'commit', 'ring'),
  }
  const load = [
    ...to.routed('load', phase.routed === 'up'),
    ...byHalves([loop('tile', domain, pages(pagesPerTurn, [ring.acquire, ring.copy, ring.commit]))]),
    ...to.doneWithTable(phase),
  ]
  const waits = to.waits('compute')
  const stage: Step = {
    kind: 'stage',
    site: to.site('compute', 'norm barrier'),
    product,
    ...(ctx.kept && { kept: ctx.kept }),
    reads: ctx.kept?.role === 'reuse' || product.restaged ? [] : [all(product.source)],
  }
  const { byChunk } = product
  const compute: Step[] = [
    ...waits,
    ...(byChunk ? [] : [stage]),
    ...byHalves([
      loop('tile', domain, [
        ...(byChunk ? [{ kind: 'stageChunk' as const, product, reads: [all(product.source)] }] : []),
        { kind: 'clear', product },
        ...pages(pagesPerTurn, [
          ...(product.restaged ? [{ kind: 'stagePage' as const, product, reads: [all(product.source)] }] : []),
          to.channel('compute', 'await', 'ring'),
          { kind: 'multiply', product },
          to.channel('compute', 'release', 'ring'),
        ]),
        to.channel('compute', 'acquire', 'join'),
        { kind: 'joinPut', product },
        to.channel('compute', 'commit', 'join'),
      ]),
    ]),
    ...(byChunk ? [stage] : []),
    ...(product.exchange ? received(product, 'join', to, ctx) : logits ? gathered(product, logits, to) : []),
  ]
  const remote = product.exchange !== undefined || logits !== undefined
  const epilogueWork: Step = product.exchange
    ? {
        kind: 'finish',
        product,
        from: 'join',
        elements: 'before',
        site: to.site('epilogue', 'send'),
        after: ctx.exchangesBefore + 1,
        reads: [...routeRead, ...elementAccess(product, 'before').reads],
      }
    : logits
      ? {
          kind: 'finish',
          product,
          from: 'join',
          elements: 'all',
          site: to.site('epilogue', 'send logits'),
          after: 0,
          reads: elementAccess(product, 'all').reads,
          // What travels is stored where it arrives.
          writes: elementAccess(product, 'all').writes.filter((w) => w.region !== logits),
        }
      : {
          kind: 'finish',
          product,
          from: 'join',
          elements: 'all',
          site: to.site('epilogue', 'finish'),
          after: 0,
          reads: [...routeRead, ...elementAccess(product, 'all').reads],
          writes: elementAccess(product, 'all').writes.map((w) => (ctx.givesHalves ? ofHalf(w) : w)),
        }
  // Where every SM has a tile, the first sum that comes through the join brings what compute has waited for.
  const idleSms = phase.routed !== undefined || tileGroups < ctx.schedule.sms
  const halved = ctx.givesHalves ? to.relayHalf('epilogue') : undefined
  // Hand-overs are dealt out: no warp may wait for those of the next phase while another still has one of this. Where no SM has two, the first
  // warp has them all, and signals; the others come to the next when it has been routed, which the signal went before.
  const alone = !remote && ctx.routedNext && tileGroups <= ctx.schedule.sms
  const together = remote ? to.meet('epilogue') : to.conclude('epilogue')
  const conclude = halved ? [] : alone ? to.signalAlone('epilogue') : together
  const epilogue: Step[] = [
    ...(idleSms ? to.waits('epilogue') : []),
    ...to.routed('epilogue'),
    ...(product.scaleLeft ? [{ kind: 'takeScale' as const, product }] : []),
    ...byHalves([
      loop('tile', domain, [
        ...(rotatesAhead(product) ? [{ kind: 'rotations' as const, product }] : []),
        to.channel('epilogue', 'await', 'join'),
        epilogueWork,
        to.channel('epilogue', 'release', 'join'),
        ...(remote ? [] : to.signalTile('epilogue')),
      ]),
      ...(halved?.stored ?? []),
    ]),
    ...conclude,
  ]
  return {
    roles: { load, compute, epilogue, ...(halved && { communicate: [halved.relay] }) },
    signals: remote ? 'compute' : halved ? 'communicate' : 'epilogue',
    weightBytes: g.bytes * (phase.experts ?? 1),
  }
}

/**
 * What ranks send comes to the compute role: it has nothing else to do until that is there, and it has warps enough to take
 * all tiles of an SM at once. Who announces them one by one meets the others where it waits next.
 *
 * In two shots a warp first adds what it owns of its tiles, all of it, and only then waits for sums: parts are sent by epilogues,
 * which wait for no sum of the exchange, so every owner gets its parts, sends its sums, and nobody waits in a circle.
 */
const received = (product: ProductPlan, from: 'join' | 'slots', to: Steps, ctx: LowerContext): Step[] => [
  ...(product.exchange === 2
    ? [
        loop('term', { kind: 'owned', count: product.geometry.tiles, ranks: ctx.ranks }, [
          { kind: 'addParts', product, site: to.site('compute', 'add parts'), after: ctx.exchangesBefore + 1 },
          { kind: 'spread', product, site: to.site('compute', 'send sum'), after: ctx.exchangesBefore + 1 },
        ]),
      ]
    : []),
  loop('sum', { kind: 'share', count: product.geometry.tiles }, [
    {
      kind: 'finish',
      product,
      from,
      elements: 'after',
      site: to.site('compute', 'receive'),
      after: ctx.exchangesBefore + 1,
      ...elementAccess(product, 'after'),
    },
    ...to.signalTile('compute'),
  ]),
  ...(ctx.awaited && ctx.byTile ? [] : to.conclude('compute')),
]
const gathered = (product: ProductPlan, buffer: string, to: Steps): Step[] => [
  { kind: 'gatherLogits', product, buffer, site: to.site('compute', 'receive logits'), writes: [own(buffer)] },
  ...to.conclude('compute'),
]

/** With several ranks the logits of all are gathered on rank 0. */
function logitsStore(phase: ProductPhase, ctx: LowerContext): string | undefined {
  return gathersLogits(phase, ctx.ranks) ? phase.writes.find((w) => w.includes('.logits')) : undefined
}

const pages = (count: number, body: readonly Step[]): Step[] =>
  count === 1 ? [...body] : [loop('page', { kind: 'range', count }, body)]

/** Each SM owns tiles; active experts come in groups; each (row, slot) sum goes to a place of its own. */
function lowerDown(phase: ProductPhase, product: ProductPlan, to: Steps, ctx: LowerContext): Lowered {
  const { experts, pages } = product.paging!
  const groups: Domain = { kind: 'activeGroups', size: experts, experts: phase.experts! }
  const inPages = (body: readonly Step[]): readonly Step[] =>
    pages === 1 ? body : [loop('piece', { kind: 'range', count: pages }, body)]
  const load: Step[] = [
    ...to.routed('load'),
    halves([
      loop(
        'first',
        groups,
        inPages([
          to.channel('load', 'acquire', 'ring'),
          { kind: 'copyGroup', site: to.site('load', 'copy group'), product, reads: [all('route')] },
          to.channel('load', 'commit', 'ring'),
        ]),
      ),
    ]),
    ...to.doneWithTable(phase),
  ]
  const shared = product.input?.shared === true
  const rows = ctx.takesHalves === undefined ? all(product.source) : ofHalf(all(product.source))
  const compute: Step[] = [
    ...to.waits('compute'),
    to.channel('compute', 'acquire', 'slots'),
    halves([
      ...(shared ? to.nearRows('compute', product) : to.waitsForHalf('compute')),
      loop(
        'first',
        groups,
        inPages([
          to.channel('compute', 'await', 'ring'),
          { kind: 'multiplyGroup', product, reads: [...(shared ? [] : [rows]), all('route')] },
          to.channel('compute', 'release', 'ring'),
        ]),
      ),
    ]),
    to.channel('compute', 'commit', 'slots'),
    ...(product.exchange ? received(product, 'slots', to, ctx) : []),
  ]
  const finish = (elements: 'before' | 'all', what: string): Step => {
    const access = elementAccess(product, elements)
    const site = to.site('epilogue', what)
    return {
      kind: 'finish',
      product,
      from: 'slots',
      elements,
      site,
      after: product.exchange ? ctx.exchangesBefore + 1 : 0,
      reads: [all('route'), ...access.reads],
      writes: access.writes,
    }
  }
  const epilogue: Step[] = [
    ...to.routed('epilogue'),
    to.channel('epilogue', 'await', 'slots'),
    finish(product.exchange ? 'before' : 'all', product.exchange ? 'send' : 'finish'),
    to.channel('epilogue', 'release', 'slots'),
    ...(product.exchange ? [] : to.signal('epilogue')),
  ]
  return {
    roles: { load, compute, epilogue },
    signals: product.exchange ? 'compute' : 'epilogue',
    weightBytes: product.geometry.bytes * phase.experts!,
  }
}
