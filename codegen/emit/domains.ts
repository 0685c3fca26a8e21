/**
 * Domains: every kind of what a loop of a plan runs over, with the C++ that it prints: the loop's head, what its body begins with, and how
 * an epilogue warp counts the turns. One table; a new kind of domain is a new entry.
 *
 * Vocabulary: `chunk` of a tile is a part of its k that one SM takes (an AttendTask's chunk is keys); `experts` is the half that a loop over
 * halves is at.
 */
import type { Domain, ProductPlan, RoleName } from '../../compiler/plan/ir.ts'
import type { EmitContext } from './context.ts'

/** A loop over a domain: what stands at its head, and what its body begins with, once an epilogue warp knows the turn for its own. */
export interface DomainRule<D> {
  head(d: D, variable: string, ctx: EmitContext, product: ProductPlan | undefined): string
  opens?(d: D, variable: string, ctx: EmitContext, role: RoleName, product: ProductPlan | undefined): void
  /** Which of the SM's turns this one is; else the variable counts them from the share's begin on. */
  turn?(variable: string): string
}
const domains: { [K in Domain['kind']]: DomainRule<Extract<Domain, { kind: K }>> } = {
  share: {
    head: (d, v, { out }) => {
      out.line(`const Share ${v}s = share(w, ${d.count});`)
      return `for (int ${v} = ${v}s.begin; ${v} < ${v}s.end; ++${v})`
    },
    opens: (_d, _v, ctx, role, product) => {
      if (!product) return
      tileOfShare(product, ctx)
      // A chunk of one page has no loop over pages.
      if (looksAtPage(product, role) && onePageChunks(product)) ctx.out.line('const int page_of_tile = chunk;')
    },
  },
  owned: {
    head: (d, v, { out }) => {
      out.line(`const Share ${v}s = share(w, ${d.count});`)
      return `for (int ${v} = ${v}s.begin; ${v} < ${v}s.end; ++${v})`
    },
    opens: (_d, v, { out }) => out.line(`if (!w.owns(${v})) continue;  // another rank adds it`),
  },
  halves: {
    // Who only passes on that a half is done looks at no expert.
    head: (_d, v, { out }, product) => {
      if (product) out.line('const RouteTable& routes = w.table();')
      out.directive('TILE_LOOP')
      return `for (int ${v} = 0; ${v} < 2; ++${v})`
    },
    opens: (_d, v, { out }, _role, product) => {
      if (product) out.line(`const Share experts = half_of(routes, ${v});`)
    },
  },
  activeShare: {
    head: (d, v, { out, rehearsed }) => {
      if (rehearsed) out.directive('TILE_LOOP')
      return `for (int ${v} = dealt_from(experts.begin * ${d.count}, w.sm, w.sms); ${rehearsed ? 'rehearsal || ' : ''}${v} < experts.end * ${d.count}; ${v} += w.sms)`
    },
    opens: (_d, _v, ctx, _role, product) => {
      if (product) tileOfShare(product, ctx)
    },
    turn: (v) => `${v} / w.sms`,
  },
  activeGroups: {
    head: (d, v) => `for (int ${v} = experts.begin; ${v} < (own.begin < own.end ? experts.end : 0); ${v} += ${d.size})`,
    opens: (d, v, { out }) =>
      out.line(`const int group = experts.end - ${v} < ${d.size} ? experts.end - ${v} : ${d.size};`),
  },
  // emitAhead has found the tasks.
  chunkShare: {
    head: (_d, v) => `for (int ${v} = tasks.own.begin; ${v} < tasks.own.end; ++${v})`,
    opens: (_d, v, { out }) => out.line(`const AttendTask task = tasks.task(${v});`),
  },
  chunk: {
    head: (_d, v, { out }) => {
      out.directive('TILE_LOOP')
      return `for (int ${v} = task.spans.begin; ${v} < task.spans.end; ++${v})`
    },
  },
  range: {
    head: (d, v, { out }, product) => {
      out.directive('TILE_LOOP')
      const name = v !== 'page' ? v : (product?.geometry.chunks ?? 1) > 1 ? 'page_of_chunk' : 'page_of_tile'
      return `for (int ${name} = 0; ${name} < ${d.count}; ++${name})`
    },
    opens: (d, _v, { out }, role, product) => {
      if (product && product.geometry.chunks > 1 && looksAtPage(product, role))
        out.line(`const int page_of_tile = chunk * ${d.count} + page_of_chunk;`)
    },
  },
}

/** Of any domain. */
export const domainRule = (d: Domain): DomainRule<Domain> => domains[d.kind] as DomainRule<Domain>

/** Groups of tiles (or tiles) that one unit of the share stands for, and the expert that it belongs to. */
function tileOfShare(p: ProductPlan, { out }: EmitContext): void {
  if (p.geometry.chunks > 1) out.line(`const int chunk = tile % ${p.geometry.chunks};`)
  if (p.routed !== 'up') return
  const groups = p.geometry.pages / p.geometry.pagesPerTile
  out.line(`const int active = tile / ${groups};`)
}
/** Load asks for a page by its number in the tile, and compute multiplies by what of its input that meets, where it has staged all of it. */
const looksAtPage = (p: ProductPlan, role: RoleName): boolean =>
  role !== 'epilogue' && !(p.byChunk && role === 'compute')
const onePageChunks = ({ geometry: g }: ProductPlan): boolean => g.chunks > 1 && g.chunks === g.pagesPerTile
