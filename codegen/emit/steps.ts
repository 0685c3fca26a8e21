/**
 * Steps: every kind of plan step with the C++ that it prints. Sync steps become one call with their site; work steps call
 * the primitives of codegen/device (API.md). Those of products are here, the others in files of their own, one table each; what
 * loops run over is domains.ts.
 *
 * Vocabulary: `at` is the entry (what the segment runs as), `turn` the ordinal of a hand-over within a phase: an epilogue
 * warp takes those that are its own and skips the rest, so that every warp sees the same sequence of slots. `half` is which
 * half of the active experts a loop over both is at, `experts` its range.
 */

import { InternalError } from '../../compiler/diagnostics/diagnostic.ts'
import {
  type Access,
  bringsWeights,
  type ProductPlan,
  productIn,
  type RoleName,
  receivesTiles,
  type Step,
  type SyncStep,
  type WorkStep,
} from '../../compiler/plan/ir.ts'
import { UNIT_K } from '../../compiler/tile/forms.ts'
import { attendTasks, attentionSteps, mergeTasks, touchNear } from './attention-steps.ts'
import { type EmitContext, identifier } from './context.ts'
import { domainRule } from './domains.ts'
import { lambda } from './expr.ts'
import { finishSteps } from './finish-steps.ts'
import { rowSteps } from './row-steps.ts'
import { exact, imageAt, localTile, type StepRules, scaleLeft, scaleOfSum } from './step-rules.ts'

const runs = (tally: string, after: number): string =>
  after === 0 ? `at.runs(${tally})` : `at.runs(${tally}) + ${after}`
const formatTag = { f32: 'F32', bf16: 'BF16', e4m3: 'E4M3', e2m1: 'E2M1' }

const byHalf = (early: string, late: string): string => `half == 0 ? ${early} : ${late}`
/** What a step says that it waits for, or signals: one of two where it does so for either half. */
const eitherHalf = (name: (of: string) => string, of: string, early: string | undefined): string =>
  early === undefined ? name(of) : byHalf(name(early), name(of))

const localName = (local: string): string => `L_${identifier(local)}`

const sync: StepRules<SyncStep> = {
  // Both counters of what is handed over by halves have grown equally often.
  wait: (s, ctx) => {
    const counter = eitherHalf((c) => ctx.counter(c), s.counter, s.early)
    ctx.out.line(`w.wait(${s.site}, ${counter}, ${runs(ctx.counter(s.counter), s.after)});`)
  },
  signal: (s, ctx, role) => {
    const counter = eitherHalf((c) => ctx.counter(c), s.counter, s.early)
    const alone = (call: string): string => (ctx.warps(role) > 1 ? `if (w.index == 0) ${call}` : call)
    if (typeof s.of === 'number') {
      ctx.out.line(alone(`w.signal_share(${s.site}, ${counter}, share(w, ${s.of}));`))
      return
    }
    ctx.out.line(s.of === 'tile' ? `w.signal_tile(${s.site}, ${counter});` : alone(`w.signal(${s.site}, ${counter});`))
  },
  waitLocal: (s, { out }) => {
    const after = runs(`T_${identifier(s.local)}`, s.after)
    out.line(`w.wait_local(${s.site}, ${eitherHalf(localName, s.local, s.early)}, ${after});`)
  },
  signalLocal: (s, { out }) => {
    const call = `w.signal_local(${s.site}, ${eitherHalf(localName, s.local, s.early)});`
    out.line(s.each ? call : `if (w.index == 0) ${call}`)
  },
  barrier: (s, { out }) => out.line(`w.role_barrier${s.within ? '_within' : ''}(${s.site});`),
  acquire: (s, { out }) => out.line(`w.${s.channel}_acquire(${s.site});`),
  commit: (s, { out, copied }) =>
    out.line(`w.${s.channel}_commit(${s.site}${s.channel === 'ring' ? `, ${copied}` : ''});`),
  await: (s, { out, rehearsed }) => {
    if (s.channel === 'ring')
      out.line(`const char* page = ${rehearsed ? 'rehearsal ? ring_of(w) : ' : ''}w.ring_await(${s.site});`)
    else out.line(s.channel === 'join' ? `w.join_wait(${s.site});` : `w.slots_await(${s.site});`)
  },
  release: (s, { out }) => out.line(`w.${s.channel}_release(${s.site});`),
}

const pageVariable = (p: ProductPlan): string => (p.geometry.pagesPerTile > 1 ? ' + page_of_tile' : '')

/** What a phase over an SM's own tiles of all active experts begins with. Compute deals cells of all pages out in turn, so that no warp
    waits for the end of a page: `cell` is the warp's next, counted from the page at hand. */
function emitOwn(p: ProductPlan, role: RoleName, { out }: EmitContext): void {
  out.line(`const Share own = share(w, ${p.geometry.tiles});`)
  if (role !== 'compute') return
  if (p.paging!.pages === 1) out.line('const Quotient by_tiles(own.end - own.begin);')
  out.line('int cell = w.index;')
  // Outside of all loops: columns without a row may stay what they were.
  out.line(`Staged<${downChunk(p)}> x = {};`)
}

const work: StepRules<WorkStep> = {
  ...attentionSteps,
  ...finishSteps,
  ...rowSteps,
  copyPage: (s, ctx) => {
    const p = s.product
    const { pageBytes, pagesPerTile, bytes } = p.geometry
    const local = localTile(p)
    const index = pagesPerTile > 1 ? `(size_t(${local}) * ${pagesPerTile}${pageVariable(p)})` : `size_t(${local})`
    const active = ctx.found ? 'expert_at(w, found, active)' : 'w.table().expert[active]'
    const expert = p.routed === 'up' ? ` + size_t(${active}) * ${bytes}` : ''
    ctx.out.line(
      `w.ring_copy(${s.site}, 0, w.image(${imageAt(p.image, ctx)}${expert} + ${index} * ${pageBytes}), ${pageBytes});`,
    )
    ctx.copied = String(pageBytes)
  },
  copyGroup: (s, ctx) => {
    const { out } = ctx
    const g = s.product.geometry
    if (s.product.paging!.pages > 1) {
      emitPiece(s.product, ctx)
      out.line(`const u32 each = u32(piece_tiles.end - piece_tiles.begin) * ${g.cellBytes};`)
      const from = `${imageAt(s.product.image, ctx)} + size_t(routes.expert[first]) * ${g.bytes} + size_t(own.begin + piece_tiles.begin) * ${g.cellBytes}`
      out.line(`if (each > 0) w.ring_copy(${s.site}, 0, w.image(${from}), each);`)
      ctx.copied = 'each'
      return
    }
    out.line(`const u32 each = u32(own.end - own.begin) * ${g.cellBytes};`)
    const from = `${imageAt(s.product.image, ctx)} + size_t(routes.expert[first + i]) * ${g.bytes} + size_t(own.begin) * ${g.cellBytes}`
    const most = s.product.paging!.experts
    out.line(`w.ring_copies<${most}>(${s.site}, group, each, [&](int i) { return w.image(${from}); });`)
    ctx.copied = 'u32(group) * each'
  },
  stage: (s, ctx) => {
    const { out } = ctx
    const p = s.product
    const g = p.geometry
    const scale = p.norm?.scale
    const again = scale !== undefined && !s.kept
    out.line(`${again ? '' : 'const '}int part = w.index % ${g.parts};`)
    if (g.groups > 1) out.line(`${again ? '' : 'const '}int tile_of_page = w.index / ${g.parts};`)
    if (p.restaged) return
    if (s.kept) {
      if (s.kept.role === 'reuse') out.line(`// staged by ${s.kept.name}`)
      out.line(`Staged<${g.unitsPerPart}>& x = kept.x;`)
      if (scaleOfSum(p)) out.line('ColumnSums& squares = kept.squares;')
      if (s.kept.role === 'reuse') return
    } else {
      out.line(`Staged<${g.unitsPerPart}> x;`)
    }
    const stage = p.norm ? 'stage_for_norm' : 'stage'
    out.line(`${stage}(w, x, columns, 0);`)
    if (!p.norm) return
    const weight = normWeightsOf(p, ctx)
    const unit = `part * ${g.unitsPerPart}`
    if (scale) {
      out.line(`${s.kept && !p.byChunk ? '' : 'const ColumnSums '}squares = weigh_for_norm(w, x, ${unit}, ${weight});`)
      if (p.byChunk) out.line('leave_squares(w, squares);')
      // What was found before all of x was held would wait in local memory: it is found again.
      else if (again) {
        const group = g.groups > 1 ? `, tile_of_page = w.index / ${g.parts}` : ''
        out.line(`w.afresh(), part = w.index % ${g.parts}${group};`)
      }
    } else {
      out.line(`normalise(w, x, ${unit}, ${g.units}, ${weight}, ${g.parts}, ${s.site},`)
      out.line(`          ${lambda(p.norm.stat, ['x'])},`)
      out.line(`          ${lambda(p.norm.apply, ['x', 'mean', 'weight'])});`)
    }
  },
  stagePage: (s, ctx) => {
    const { geometry: g } = s.product
    ctx.out.line(`Staged<${g.unitsPerCell}> x;`)
    const unit = `part * ${g.unitsPerPart} + page_of_tile * ${g.unitsPerCell}`
    ctx.out.line(`stage(w, x, ${sourceOf(s.product, ctx)}, ${unit});`)
  },
  stageChunk: (s, ctx) => {
    const { out } = ctx
    const p = s.product
    const g = p.geometry
    const units = unitsOfChunk(p)
    const [first, near] = [`part * ${g.unitsPerPart} + chunk * ${units}`, `chunk * ${units}`]
    out.line(`const int part = w.index % ${g.parts};`)
    out.line(`Staged<${units}> x;`)
    out.line(`stage_for_norm(w, x, columns, ${near});`)
    out.line(`weigh_units(w, x, ${first}, ${near}, ${normWeightsOf(p, ctx)});`)
  },
  stageRows: (s, ctx) => {
    const { topK } = s.product.input!
    const from = `w.ws<const bf16>(${ctx.offset(s.product.source)})`
    const k = s.product.geometry.units * UNIT_K
    ctx.out.line(`stage_rows<${topK}, ${k}>(w, w.scratch<bf16>(), ${from}, at.block->rows, half);`)
  },
  bringRows: (s, ctx) => {
    const { topK } = s.of.input!
    const from = `w.ws<const bf16>(${ctx.offset(s.of.source)})`
    const k = s.of.geometry.units * UNIT_K
    const local = eitherHalf(localName, s.local, s.early)
    ctx.out.line(`bring_rows<${topK}, ${k}>(w, ${local}, w.scratch<bf16>(), ${from}, at.block->rows, half);`)
  },
  takeScale: ({ product: p }, { out }) =>
    out.line(`const ColumnScale scale = scale_of_columns(w, ${scaleLeft(p, p.norm!.scale!)});`),
  clear: (s, { out }) => out.line(exact(s.product) ? 'Exact acc = nothing();' : 'Acc acc = zeros();'),
  multiply: (s, ctx) => {
    const p = s.product
    const g = p.geometry
    const cell = g.groups > 1 ? `(tile_of_page * ${g.parts} + part)` : 'part'
    const staged = stagedForPage(p)
    const from = `page + ${cell} * ${g.cellBytes}`
    const format = formatTag[p.format]
    const leaf = g.unitsPerLeaf
    const name =
      leaf === undefined
        ? `multiply<${format}, ${g.unitsPerCell}>`
        : `multiply_leaves<${format}, ${leaf}, ${g.unitsPerCell / leaf}>`
    const call = `${name}(w, acc, ${from}, ${from} + ${g.codeBytes}, ${staged});`
    ctx.out.line(idleWarps(p, ctx) ? `if (w.index < ${g.parts * g.groups}) ${call}` : call)
    if (ctx.rehearsed) ctx.out.line('if (rehearsal) return rehearsed(acc);')
  },
  joinPut: (s, ctx) => {
    const g = s.product.geometry
    const put = `w.join_put(w.index, acc${scaleOfSum(s.product) ? ', squares' : ''});`
    ctx.out.line(idleWarps(s.product, ctx) ? `if (w.index < ${g.parts * g.groups}) ${put}` : put)
  },
  multiplyGroup: (s, ctx) => {
    const { out } = ctx
    const p = s.product
    const g = p.geometry
    if (!p.input) throw new InternalError(`'${p.name}' has no rows of experts as its input`)
    const { shared } = p.input
    const leaf = g.unitsPerLeaf
    const chunk = downChunk(p)
    const format = formatTag[p.format]
    const cut = p.paging!.pages > 1
    if (cut) emitPiece(p, ctx)
    const n = ctx.warps('compute')
    if (cut) out.line('const Quotient by_tiles(piece_tiles.end - piece_tiles.begin);')
    out.line('const int tiles = by_tiles.by;')
    out.block(`for (; cell < group * tiles; cell += ${n})`, () => {
      out.line('const int of_group = by_tiles.of(cell), active = first + of_group;')
      out.line(`const char* codes = page + cell * ${g.cellBytes};`)
      out.line(leaf === undefined ? 'Acc acc = zeros();' : 'Exact sum = nothing();')
      if (leaf !== undefined) out.line('const ColumnScale weights = routed_weights(w, active);')
      const source = shared ? 'w.scratch<const bf16>()' : `w.ws<const bf16>(${ctx.offset(p.source)})`
      const body = (unit: string): void => {
        out.line(
          `stage_routed<${shared}>(w, x, ${source}, ${g.units * UNIT_K}, routes.result[active], ${unit}, ${shared ? 'half' : 0});`,
        )
        if (leaf !== undefined) out.line('Acc acc = zeros();')
        const unitCodes = g.codeBytes / g.units
        const unitScales = scaleStride(p)
        const offset = (stride: number): string => (unit === '0' || stride === 0 ? '' : ` + ${unit} * ${stride}`)
        out.line(
          `multiply<${format}, ${chunk}>(w, acc, codes${offset(unitCodes)}, codes + ${g.codeBytes}${offset(unitScales)}, x);`,
        )
        if (leaf !== undefined) out.line('add_routed(w, sum, acc, weights);')
      }
      if (chunk === g.units) body('0')
      else out.block(`for (int unit = 0; unit < ${g.units}; unit += ${chunk})`, () => body('unit'))
      out.line(
        `w.slots_put(${leaf === undefined ? 'acc' : 'sum'}, ${cut ? 'piece_tiles.begin + ' : ''}cell - of_group * tiles, active);`,
      )
    })
    out.line('cell -= group * tiles;')
  },
}

/** Units of a warp's part of the input that a tile's chunk takes. */
const unitsOfChunk = ({ geometry: g }: ProductPlan): number => (g.unitsPerCell * g.pagesPerTile) / g.chunks
const normWeightsOf = (p: ProductPlan, ctx: EmitContext): string =>
  `reinterpret_cast<const bf16*>(w.image(${imageAt(p.norm!.image, ctx)}))`
/** What of the staged input a page is multiplied by. */
function stagedForPage(p: ProductPlan): string {
  const { pagesPerTile, unitsPerCell, chunks } = p.geometry
  if (p.restaged || pagesPerTile === (p.byChunk ? chunks : 1)) return 'x'
  return `units_of<${unitsPerCell}>(x, ${p.byChunk ? 'page_of_chunk' : 'page_of_tile'} * ${unitsPerCell})`
}

/** Where a product's input in columns begins. */
const sourceOf = (p: ProductPlan, ctx: EmitContext): string =>
  `w.ws<bf16>(${ctx.offset(p.source)})${p.ofRank ? ` + size_t(w.rank) * ${p.geometry.units * COLUMN_UNIT}` : ''}`
/** Elements of one unit of k of eight columns. */
const COLUMN_UNIT = 256

/** Which of an SM's own tiles of an expert come with one page. */
function emitPiece(p: ProductPlan, { out }: EmitContext): void {
  out.line(`const Share piece_tiles = share_of(own.end - own.begin, piece, ${p.paging!.pages});`)
}

/** Units of k that a `down` cell stages at once: a leaf of a sum in fixed point, or the largest divisor up to four, or up to eight where rows
    come from L2, which is a long way. */
function downChunk({ input, geometry: { units, unitsPerLeaf } }: ProductPlan): number {
  if (unitsPerLeaf !== undefined) return unitsPerLeaf
  for (let c = Math.min(units, input?.shared ? 4 : 8); ; c--) if (units % c === 0) return c
}
const idleWarps = (p: ProductPlan, ctx: EmitContext): boolean =>
  p.geometry.parts * p.geometry.groups < ctx.warps('compute')
const scaleStride = (p: ProductPlan): number => ({ f32: 0, bf16: 0, e4m3: 8, e2m1: 16 })[p.format]

/** What the steps need and no wait brings: constants are fetched, and shares and places found, before the first wait. */
export function emitAhead(steps: readonly Step[], ctx: EmitContext): void {
  const staged = stagedColumns(steps)
  if (staged) {
    const { parts, unitsPerPart } = staged.geometry
    ctx.out.line(
      `const bf16* columns = early(${sourceOf(staged, ctx)} + w.index % ${parts} * ${unitsPerPart * COLUMN_UNIT});`,
    )
  }
  const guarded = guardedStage(steps)
  if (guarded && guarded.product.routed !== 'up')
    ctx.out.line(`const bool idle = early(empty(share(w, ${unitsOf(guarded.product)})));`)
  for (const step of steps) {
    if (step.kind === 'loop' && step.domain.kind === 'chunkShare') attendTasks(step.domain, ctx)
    if (step.kind === 'loop' && step.domain.kind === 'share')
      for (const inner of step.body) if (inner.kind === 'attendNear') touchNear(inner, step.domain, ctx)
    if (step.kind === 'mergeChunks') mergeTasks(step.merge.attend, ctx)
    if (bringsWeights(step)) {
      const { parts, unitsPerPart } = step.product.geometry
      const norm = step.product.norm!
      const alone = norm.scale !== undefined
      const bytes = unitsPerPart * UNIT_K * 2
      const image = imageAt(norm.image, ctx)
      ctx.out.line(
        `bring_weights<${unitsPerPart}, ${alone}>(w, ${step.site}, w.image(${image}) + w.index % ${parts} * ${bytes});`,
      )
    }
    if (step.kind === 'normed') ctx.out.line(`touch(w, w.image(${imageAt(step.weight, ctx)}), ${step.part.head * 2});`)
    if (step.kind === 'choose' && step.bias !== undefined)
      ctx.out.line(`touch(w, w.image(${imageAt(step.bias, ctx)}), ${step.phase.experts * 4});`)
  }
}

/** The product whose input in columns the steps stage, each warp its part. */
function stagedColumns(steps: readonly Step[]): ProductPlan | undefined {
  for (const s of steps) {
    const found =
      s.kind === 'loop'
        ? stagedColumns(s.body)
        : s.kind === 'stageChunk' || (s.kind === 'stage' && !s.product.restaged && s.kept?.role !== 'reuse')
          ? s.product
          : undefined
    if (found) return found
  }
  return undefined
}

/** What is dealt out over SMs: tiles, groups of them, or chunks of their k. */
const unitsOf = ({ geometry: { pages, pagesPerTile, chunks } }: ProductPlan): number => (pages / pagesPerTile) * chunks

/** The step that an SM without a tile leaves out, with all that follows: it stages nothing, so it reads nothing that somebody would have to wait for. */
const guardedStage = (steps: readonly Step[]): StageStep | undefined =>
  steps.find((s): s is StageStep => s.kind === 'stage' && s.kept?.role !== 'keep')
type StageStep = Extract<Step, { kind: 'stage' }>

/** What the race check of the host back end is told (nothing on a GPU). */
function emitAccess(step: WorkStep, ctx: EmitContext): void {
  const call = (a: Access, verb: 'reads' | 'writes'): void => {
    if (!ctx.plan.buffers.some((b) => b.name === a.region)) return
    const everything = a.part === 'all' || (verb === 'reads' && !step.writes?.some((x) => x.region === a.region))
    const region = a.ofHalf ? byHalf(ctx.earlyRegion(a.region), ctx.region(a.region)) : ctx.region(a.region)
    ctx.out.line(`${verb}_${everything ? 'all' : 'own'}(w, at, ${region});`)
  }
  for (const a of step.reads ?? []) call(a, 'reads')
  for (const a of step.writes ?? []) call(a, 'writes')
}

/** A role's steps of a phase. An SM without a tile leaves out what it would do with one; what ranks send it receives all the same. */
export function emitSteps(steps: readonly Step[], role: RoleName, ctx: EmitContext): void {
  const stage = guardedStage(steps)
  const guarded = stage ? steps.indexOf(stage) : steps.length
  emitEach(steps.slice(0, guarded), role, ctx)
  if (!stage) return
  const rest = steps.slice(guarded)
  const idle = stage.product.routed === 'up' ? `w.sm >= w.table().active * ${unitsOf(stage.product)}` : 'idle'
  const test = `${ctx.rehearsed ? '!rehearsal && ' : ''}${idle}`
  const received = rest.findIndex((s) => (s.kind === 'loop' ? receivesTiles(s) : s.kind === 'gatherLogits'))
  if (received < 0) {
    ctx.out.line(`if (${test}) return;  // no tile on this SM`)
    emitEach(rest, role, ctx)
  } else {
    ctx.out.block(`if (!(${test}))`, () => emitEach(rest.slice(0, received), role, ctx))
    emitEach(rest.slice(received), role, ctx)
  }
}

function emitEach(steps: readonly Step[], role: RoleName, ctx: EmitContext): void {
  for (const step of steps) {
    if (step.kind === 'loop') {
      emitLoop(step, role, ctx)
      continue
    }
    if (step.kind in sync) {
      const rule = sync[step.kind as SyncStep['kind']] as (s: Step, c: EmitContext, r: RoleName) => void
      rule(step, ctx, role)
      continue
    }
    const workStep = step as WorkStep
    emitAccess(workStep, ctx)
    const rule = work[workStep.kind] as ((s: Step, c: EmitContext, r: RoleName) => void) | undefined
    if (!rule) throw new InternalError(`no emitter for step '${step.kind}'`)
    rule(step, ctx, role)
  }
}

/** Halves with nothing to do between them are one loop: the first has whole groups, and units are dealt out over both. */
const isWhole = (loop: Extract<Step, { kind: 'loop' }>): boolean =>
  loop.domain.kind === 'halves' && loop.body.length === 1 && loop.body[0]!.kind === 'loop' && !knowsHalf(loop.body)
const knowsHalf = (steps: readonly Step[]): boolean =>
  steps.some((s) => (s.kind === 'loop' ? knowsHalf(s.body) : accessesOf(s).some((a) => a.ofHalf)))
const accessesOf = (s: Step): readonly Access[] => [
  ...('reads' in s ? (s.reads ?? []) : []),
  ...('writes' in s ? (s.writes ?? []) : []),
]

function emitLoop(loop: Extract<Step, { kind: 'loop' }>, role: RoleName, ctx: EmitContext): void {
  const { out } = ctx
  if (isWhole(loop)) {
    if (!ctx.found) out.line('const RouteTable& routes = w.table();')
    out.line(`const Share experts{0, ${ctx.found ? 'found.count' : 'routes.active'}};`)
    emitEach(loop.body, role, ctx)
    return
  }
  const product = productIn(loop.body)
  const rule = domainRule(loop.domain)
  const v = loop.variable
  const whole = rule.head(loop.domain, v, ctx, product)
  const head =
    receivesTiles(loop) && ctx.warps(role) > 1
      ? `for (int ${v} = ${v}s.begin + w.index; ${v} < ${v}s.end; ${v} += w.count)`
      : whole
  out.block(head, () => {
    if (handsOver(loop) && ctx.warps(role) > 1) {
      out.block(`if (${rule.turn?.(v) ?? `(${v} - ${v}s.begin)`} % w.count != w.index)`, () => {
        out.line('w.join_skip();')
        out.line('continue;')
      })
    }
    rule.opens?.(loop.domain, v, ctx, role, product)
    emitEach(loop.body, role, ctx)
  })
}

const handsOver = (loop: Extract<Step, { kind: 'loop' }>): boolean =>
  loop.body.some((s) => s.kind === 'await' && s.channel === 'join')

/** The routed `down` whose active experts the steps go over; sums over ranks are taken tile by tile like any product's. */
function ownTiles(steps: readonly Step[]): ProductPlan | undefined {
  const product = productIn(steps.filter((s) => s.kind !== 'loop' || !receivesTiles(s)))
  return product?.routed === 'down' ? product : undefined
}

export { emitOwn, ownTiles }
