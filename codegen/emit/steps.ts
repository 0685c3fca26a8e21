/**
 * Steps: every kind of plan step with the C++ that it prints. Sync steps become one call with their site; work steps call
 * the primitives of codegen/device (API.md).
 *
 * Vocabulary: `at` is the entry (what the segment runs as), `turn` the ordinal of a hand-over within a phase: an epilogue
 * warp takes those that are its own and skips the rest, so that every warp sees the same sequence of slots.
 */

import { InternalError } from '../../compiler/diagnostics/diagnostic.ts'
import type {
  Access,
  Domain,
  ImagePlace,
  ProductPlan,
  RoleName,
  Step,
  SyncStep,
  WorkStep,
} from '../../compiler/plan/ir.ts'
import { cacheSlots, keySpanBytes, SPAN, UNIT_K, valueSpanBytes } from '../../compiler/tile/forms.ts'
import type { AttendPhase, Form, Section } from '../../compiler/tile/ir.ts'
import type { ExprNode } from '../../dsl/expr.ts'
import type { EmitContext } from './context.ts'
import { emitElements, emitPairElements, emitScalarElements } from './elements.ts'
import { floatLiteral, lambda, cppExpr as lambdaBody } from './expr.ts'
import { scaleOfColumns } from './norm.ts'

type Rules<S extends Step> = {
  [K in S['kind']]: (step: Extract<S, { kind: K }>, ctx: EmitContext, role: RoleName) => void
}

/** Byte offset of a param in the image: the entry's, or where the segment that it was placed with has it. */
function imageAt(place: ImagePlace, { plan }: EmitContext): string {
  if (place.segment === undefined) return `at.image + ${place.offset}`
  const entry = plan.entries.find((e) => e.segment === place.segment)!
  return `size_t(${entry.imageOffset + place.offset}ull)`
}

const runs = (tally: string, after: number): string =>
  after === 0 ? `at.runs(${tally})` : `at.runs(${tally}) + ${after}`
const formatTag = { f32: 'F32', bf16: 'BF16', e4m3: 'E4M3', e2m1: 'E2M1' }

const sync: Rules<SyncStep> = {
  wait: (s, { out, counter }) =>
    out.line(`w.wait(${s.site}, ${counter(s.counter)}, ${runs(counter(s.counter), s.after)});`),
  signal: (s, ctx, role) => {
    const call = `w.signal(${s.site}, ${ctx.counter(s.counter)});`
    ctx.out.line(ctx.warps(role) > 1 ? `if (w.index == 0) ${call}` : call)
  },
  waitLocal: (s, { out }) => out.line(`w.wait_local(${s.site}, L_${s.local}, ${runs(`T_${s.local}`, s.after)});`),
  signalLocal: (s, { out }) => out.line(`if (w.index == 0) w.signal_local(${s.site}, L_${s.local});`),
  barrier: (s, { out }) => out.line(`w.role_barrier(${s.site});`),
  acquire: (s, { out }) => out.line(`w.${s.channel}_acquire(${s.site});`),
  commit: (s, { out, copied }) =>
    out.line(`w.${s.channel}_commit(${s.site}${s.channel === 'ring' ? `, ${copied}` : ''});`),
  await: (s, { out }) => {
    if (s.channel === 'ring') out.line(`const char* page = w.ring_await(${s.site});`)
    else out.line(s.channel === 'join' ? `w.join_wait(${s.site});` : `w.slots_await(${s.site});`)
  },
  release: (s, { out }) => out.line(`w.${s.channel}_release(${s.site});`),
}

/** Groups of tiles (or tiles) that one unit of the share stands for, and the expert that it belongs to. */
function tileOfShare(p: ProductPlan, { out }: EmitContext): void {
  if (p.geometry.chunks > 1) out.line(`const int chunk = tile % ${p.geometry.chunks};`)
  if (p.routed !== 'up') return
  const groups = p.geometry.pages / p.geometry.pagesPerTile
  out.line(`const int active = tile / ${groups};`)
}
const localTile = (p: ProductPlan): string =>
  p.routed === 'up'
    ? `(tile % ${p.geometry.pages / p.geometry.pagesPerTile})`
    : p.geometry.chunks > 1
      ? `(tile / ${p.geometry.chunks})`
      : 'tile'
const pageVariable = (p: ProductPlan): string => (p.geometry.pagesPerTile > 1 ? ' + page_of_tile' : '')

/** Whether results go where the address counts KV heads. */
const perHead = (s: Section, ctx: EmitContext): boolean =>
  s.elements.some((e) => e.kind === 'store' && headed.has(ctx.buffer(e.buffer).form.kind))
const headed: ReadonlySet<Form['kind']> = new Set(['queries', 'keys', 'values'])

/** The rows that a tile's sum belongs to go their section's way. `t` is the tile. */
function emitSections(p: ProductPlan, which: 'before' | 'after' | 'all', ctx: EmitContext): void {
  const { out } = ctx
  const paired = p.tileRows === 8
  const periods = p.geometry.tiles > p.period
  if (periods) out.line(`const int in_period = t % ${p.period}, outer = t / ${p.period};`)
  else if (
    p.sections.length > 1 ||
    p.sections.some((x) => x.head !== Math.min(x.tiles * p.tileRows, p.rows) || perHead(x, ctx))
  )
    out.line('constexpr int outer = 0;')
  const position = periods ? 'in_period' : 't'
  p.sections.forEach((section, i) => {
    const body = (): void => {
      out.line(`const int u = ${section.first === 0 ? position : `${position} - ${section.first}`};`)
      emitElements(section, which, paired, p.rows, ctx)
    }
    if (p.sections.length === 1) {
      body()
      return
    }
    const end = section.first + section.tiles
    const test =
      section.first === 0 ? `${position} < ${end}` : `${position} >= ${section.first} && ${position} < ${end}`
    out.block(`${i > 0 ? 'else ' : ''}if (${test})`, body)
  })
}

const ownTiles = (p: ProductPlan): string => `const Share own = share(w, ${p.geometry.tiles});`
const attendSlots = (a: AttendPhase, ctx: EmitContext): number => cacheSlots(a.window, ctx.plan.ctx)
const mRows = (a: AttendPhase): number => Math.ceil((8 * a.group) / 16) * 16
const epoch = (after: number): string => `at.epoch(${after})`

const work: Rules<WorkStep> = {
  copyPage: (s, ctx) => {
    const p = s.product
    const { pageBytes, pagesPerTile, bytes } = p.geometry
    const local = localTile(p)
    const index = pagesPerTile > 1 ? `(size_t(${local}) * ${pagesPerTile}${pageVariable(p)})` : `size_t(${local})`
    const expert = p.routed === 'up' ? ` + size_t(w.table().expert[active]) * ${bytes}` : ''
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
    out.block('for (int i = 0; i < group; ++i)', () => {
      const from = `${imageAt(s.product.image, ctx)} + size_t(routes.expert[first + i]) * ${g.bytes} + size_t(own.begin) * ${g.cellBytes}`
      out.line(`w.ring_copy(${s.site}, u32(i) * each, w.image(${from}), each);`)
    })
    ctx.copied = 'u32(group) * each'
  },
  copySpan: (s, ctx) => {
    const { out } = ctx
    const a = s.attend
    const slots = attendSlots(a, ctx)
    const [k, v] = [keySpanBytes(a.keyDim), valueSpanBytes(a.valueDim)]
    out.line(
      `const size_t slot = size_t(task / (parts * spans.count) * ${slots} + (spans.first + task / parts % spans.count) % ${slots});`,
    )
    out.line(`w.ring_copy(${s.site}, 0, w.kv(at.kv + ${ctx.offset(a.keys)}) + slot * ${k}, ${k});`)
    out.line(`w.ring_copy(${s.site}, ${k}, w.kv(at.kv + ${ctx.offset(a.values)}) + slot * ${v}, ${v});`)
    ctx.copied = String(k + v)
  },
  stage: (s, ctx) => {
    const { out } = ctx
    const p = s.product
    const g = p.geometry
    const scale = normScale(p)
    out.line(`const int part = w.index % ${g.parts};`)
    if (g.groups > 1) out.line(`const int tile_of_page = w.index / ${g.parts};`)
    if (p.restaged) return
    if (s.kept) {
      if (s.kept.role === 'reuse') out.line(`// staged by ${s.kept.name}`)
      out.line(`Staged<${g.unitsPerPart}>& x = kept.x;`)
      if (scale) out.line('ColumnScale& scale = kept.scale;')
      if (s.kept.role === 'reuse') return
    } else {
      out.line(`Staged<${g.unitsPerPart}> x;`)
    }
    const stage = p.norm ? 'stage_for_norm' : 'stage'
    out.line(`${stage}(w, x, ${sourceOf(p, ctx)}, part * ${g.unitsPerPart});`)
    if (!p.norm) return
    const weight = `reinterpret_cast<const bf16*>(w.image(${imageAt(p.norm.image, ctx)}))`
    const operands = `w, x, part * ${g.unitsPerPart}, ${g.units}, ${weight}, ${g.parts}, ${s.site},`
    if (scale) {
      out.line(`${s.kept ? '' : 'const ColumnScale '}scale = normalise_by_scale(${operands}`)
      out.line(`          ${lambda(scale, ['mean'])});`)
    } else {
      out.line(`normalise(${operands}`)
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
  stageRows: (s, ctx) => {
    const { topK } = s.product.input!
    const count = `at.block->rows * ${topK * s.product.geometry.units * UNIT_K}`
    ctx.out.line(`stage_rows(w, w.scratch<bf16>(), w.ws<const bf16>(${ctx.offset(s.product.source)}), ${count});`)
  },
  clear: (s, { out }) => out.line(exact(s.product) ? 'Exact acc = nothing();' : 'Acc acc = zeros();'),
  multiply: (s, ctx) => {
    const p = s.product
    const g = p.geometry
    const cell = g.groups > 1 ? `(tile_of_page * ${g.parts} + part)` : 'part'
    const unit = `page_of_tile * ${g.unitsPerCell}`
    const staged = g.pagesPerTile > 1 && !p.restaged ? `units_of<${g.unitsPerCell}>(x, ${unit})` : 'x'
    const from = `page + ${cell} * ${g.cellBytes}`
    const format = formatTag[p.format]
    const leaf = g.unitsPerLeaf
    const name =
      leaf === undefined
        ? `multiply<${format}, ${g.unitsPerCell}>`
        : `multiply_leaves<${format}, ${leaf}, ${g.unitsPerCell / leaf}>`
    const call = `${name}(w, acc, ${from}, ${from} + ${g.codeBytes}, ${staged});`
    ctx.out.line(idleWarps(p, ctx) ? `if (w.index < ${g.parts * g.groups}) ${call}` : call)
  },
  joinPut: (s, ctx) => {
    const g = s.product.geometry
    if (normScale(s.product)) ctx.out.line('scale_columns(acc, scale);')
    ctx.out.line(
      idleWarps(s.product, ctx)
        ? `if (w.index < ${g.parts * g.groups}) w.join_put(w.index, acc);`
        : 'w.join_put(w.index, acc);',
    )
  },
  multiplyGroup: (s, ctx) => {
    const { out } = ctx
    const p = s.product
    const g = p.geometry
    if (!p.input) throw new InternalError(`'${p.name}' has no rows of experts as its input`)
    const { shared, topK } = p.input
    const leaf = g.unitsPerLeaf
    const chunk = leaf ?? downChunk(g.units)
    const format = formatTag[p.format]
    const cut = p.paging!.pages > 1
    if (cut) emitPiece(p, ctx)
    out.line('// cells of all groups are dealt out in turn: no warp waits for the end of a page')
    out.line(
      cut
        ? 'const int tiles = piece_tiles.end - piece_tiles.begin, before = first * (own.end - own.begin) + piece_tiles.begin;'
        : 'const int tiles = own.end - own.begin, before = first * tiles;',
    )
    out.block(
      'for (int cell = (w.index + w.count - before % w.count) % w.count; cell < group * tiles; cell += w.count)',
      () => {
        out.line('const int active = first + cell / tiles;')
        out.line(`const char* codes = page + cell * ${g.cellBytes};`)
        out.line(leaf === undefined ? 'Acc acc = zeros();' : 'Exact sum = nothing();')
        const source = shared ? 'w.scratch<const bf16>()' : `w.ws<const bf16>(${ctx.offset(p.source)})`
        const body = (unit: string): void => {
          out.line(`Staged<${chunk}> x;`)
          out.line(
            `stage_routed<${shared}, ${topK}>(w, x, ${source}, ${g.units * UNIT_K}, routes.slot[active], ${unit});`,
          )
          if (leaf !== undefined) out.line('Acc acc = zeros();')
          const unitCodes = g.codeBytes / g.units
          const unitScales = scaleStride(p)
          const offset = (stride: number): string => (unit === '0' || stride === 0 ? '' : ` + ${unit} * ${stride}`)
          out.line(
            `multiply<${format}, ${chunk}>(w, acc, codes${offset(unitCodes)}, codes + ${g.codeBytes}${offset(unitScales)}, x);`,
          )
          if (leaf !== undefined) out.line('add_routed(w, sum, acc, active);')
        }
        if (chunk === g.units) body('0')
        else out.block(`for (int unit = 0; unit < ${g.units}; unit += ${chunk})`, () => body('unit'))
        out.line(
          `w.slots_put(${leaf === undefined ? 'acc' : 'sum'}, ${cut ? 'piece_tiles.begin + ' : ''}cell % tiles, active);`,
        )
      },
    )
  },
  finish: (s, ctx, role) => finish(s, ctx, role),
  gatherLogits: (s, ctx) => {
    const { out, plan } = ctx
    const { tiles } = s.product.geometry
    out.line('// the logits of all ranks meet on rank 0')
    out.block('if (w.rank == 0)', () => {
      out.line(`const Share all = share(w, ${plan.ranks * tiles});`)
      out.block('for (int i = all.begin; i < all.end; ++i)', () => {
        out.line(`const int source = i / ${tiles}, t = i % ${tiles};`)
        out.line(`Acc acc = w.receive_from(${s.site}, Plan::logits_inbox_at, source, t, at.round->round);`)
        out.block(
          'each(w, acc, [&](float& value, int row, int c)',
          () => {
            const { whole, local } = plan.vocabulary
            const n = `t * 16 + row`
            out.line(
              `if (c < at.block->rows && ${n} < ${local}) w.ws<float>(${ctx.offset(s.buffer)})[size_t(c) * ${whole} + source * ${local} + ${n}] = value;`,
            )
          },
          ');',
        )
      })
    })
  },
  route: (s, ctx) => {
    const { out } = ctx
    const p = s.phase
    const bias = s.bias === undefined ? 'nullptr' : `reinterpret_cast<const float*>(w.image(${imageAt(s.bias, ctx)}))`
    const { form } = ctx.buffer(p.logits)
    const parts = form.kind === 'plain' ? (form.parts ?? 1) : 1
    out.line(
      `route<${p.experts}, ${p.topK}>(w, w.ws<const float>(${ctx.offset(p.logits)}), ${parts}, ${bias}, at.block->rows, ${p.normalise}, ${floatLiteral(p.epsilon)}, ${floatLiteral(p.factor)}, ${s.site},`,
    )
    out.line(`      ${lambda(p.score, ['logit'])},`)
    out.line(`      ${lambda(p.choose, ['score', 'bias'])});`)
  },
  attendSpan: (s, ctx) => {
    const { out } = ctx
    const a = s.attend
    const rows = mRows(a)
    const slots = attendSlots(a, ctx)
    out.line('const int part = task % parts, span = task / parts % spans.count, head = task / (parts * spans.count);')
    out.line(`const Share tiles = share_of(${rows / 16}, part, parts);`)
    out.line(`const bf16* q = w.ws<bf16>(${ctx.offset(a.queries)}) + size_t(head) * ${rows * a.keyDim};`)
    out.line(`float* o = w.ws<float>(${ctx.offset(a.partials)}) + size_t(head) * ${slots * rows * (a.valueDim + 2)};`)
    out.line(`float* peak = o + ${slots * rows * a.valueDim};`)
    out.line(`float* total = peak + ${slots * rows};`)
    out.block(
      `for (int m = tiles.begin + (w.index + w.count - task * ${rows / 16} % w.count) % w.count; m < tiles.end; m += w.count)`,
      () => {
        out.line(`const size_t row = size_t(span) * ${rows} + m * 16;`)
        out.line(
          `attend_span<${a.group}, ${a.keyDim}, ${a.valueDim}>(w, page, page + ${keySpanBytes(a.keyDim)}, q, m, (spans.first + span) * ${SPAN},`,
        )
        out.line(
          `    RowPositions{at.block->position, at.block->rows${a.block ? ', true' : ''}}, ${a.window ?? 0}, ${floatLiteral(a.scale)}, o + row * ${a.valueDim}, peak + row, total + row);`,
        )
      },
    )
  },
  mergeSpans: (s, ctx) => {
    const { out } = ctx
    const a = s.merge.attend
    const rows = mRows(a)
    const slots = attendSlots(a, ctx)
    out.line(`const Spans spans = visible_spans(at.block->position, at.block->rows, ${a.window ?? 0});`)
    out.line(
      `const Share tasks = share_of(${a.kv} * at.block->rows * ${a.group}, w.sm * w.count + w.index, w.sms * w.count);`,
    )
    out.block('for (int task = tasks.begin; task < tasks.end; ++task)', () => {
      out.line(`const int head = task / (at.block->rows * ${a.group}), m_row = task % (at.block->rows * ${a.group});`)
      out.line(
        `const float* o = w.ws<const float>(${ctx.offset(a.partials)}) + size_t(head) * ${slots * rows * (a.valueDim + 2)};`,
      )
      const query = `head * ${a.group} + m_row % ${a.group}`
      const sink =
        s.sink === undefined ? 'nullptr' : `reinterpret_cast<const float*>(w.image(${imageAt(s.sink, ctx)})) + ${query}`
      out.line(
        `merge_spans<${a.valueDim}>(w, o, o + ${slots * rows * a.valueDim}, o + ${slots * rows * (a.valueDim + 1)}, ${rows}, m_row, spans.count, ${sink},`,
      )
      out.line(`    w.ws<bf16>(${ctx.offset(s.merge.output)}), m_row / ${a.group}, (${query}) * ${a.valueDim});`)
    })
  },
  embed: (s, ctx) => {
    const { out } = ctx
    scalars(s.phase.n, ctx, () => {
      out.line(`const bf16* table = reinterpret_cast<const bf16*>(w.image(${imageAt(s.table, ctx)}));`)
      out.line(`float low = to_f32(table[size_t(at.block->token[c]) * ${s.phase.n} + n_low]);`)
      if (s.instead && s.phase.instead) {
        const vector = `reinterpret_cast<const bf16*>(w.image(${imageAt(s.instead, ctx)}))`
        out.line(`if (at.block->token[c] == ${s.phase.instead.token}) low = to_f32(${vector}[n_low]);`)
      }
      emitScalarElements(s.phase.elements, s.phase.n, ctx)
    })
  },
  normed: (s, ctx) => {
    const { out } = ctx
    const p = s.phase
    const pairs = p.head / 2
    out.line(
      `// a warp takes one head of one row: pair i is (i, i + ${p.rotary / 2}) where it rotates, neighbours behind that`,
    )
    out.line(`const Share tasks = share_of(at.block->rows * ${p.heads}, w.sm * w.count + w.index, w.sms * w.count);`)
    out.block('for (int task = tasks.begin; task < tasks.end; ++task)', () => {
      out.line(
        `const int c = task / ${p.heads}, outer = task % ${p.heads} / ${p.group}, first = task % ${p.group} * ${p.head};`,
      )
      out.line(`const float* source = w.ws<const float>(${ctx.offset(p.source)}) + size_t(task) * ${p.head};`)
      out.line(`const bf16* weight = reinterpret_cast<const bf16*>(w.image(${imageAt(s.weight, ctx)}));`)
      out.line('PerLane<float> part;')
      out.block(
        'w.lanes([&](int lane)',
        () => {
          out.line('part[lane] = 0;')
          out.line(
            `for (int n = lane; n < ${p.head}; n += 32) part[lane] += ${lambdaBody(p.norm.stat, ['source[n]'])};`,
          )
        },
        ');',
      )
      out.line(`const float mean = w.sum(part) / ${p.head}.0f;`)
      out.block(
        'w.lanes([&](int lane)',
        () => {
          out.block(`for (int i = lane; i < ${pairs}; i += 32)`, () => {
            out.line(`const bool rotates = i < ${p.rotary / 2};`)
            out.line(
              `const int d = i, at_low = rotates ? i : 2 * i, at_high = rotates ? i + ${p.rotary / 2} : 2 * i + 1;`,
            )
            out.line('(void)d;')
            out.line('const int n_low = first + at_low, n_high = first + at_high;')
            for (const half of ['low', 'high']) {
              const names = [`source[at_${half}]`, 'mean', `to_f32(weight[at_${half}])`]
              out.line(`const float ${half} = ${lambdaBody(p.norm.apply, names)};`)
            }
            emitPairElements(
              p.elements,
              { rows: p.group * p.head, head: p.head, rotary: p.rotary, halves: ['low', 'high'] },
              ctx,
            )
          })
        },
        ');',
      )
    })
  },
  prefetch: (s, { out }) =>
    out.line(
      `prefetch_share(w, ${s.site}, ahead_${s.prefetch}_at[at.entry], ahead_${s.prefetch}_bytes[at.entry]);  // ${s.what}`,
    ),
  pointwise: (s, ctx) => scalars(s.phase.n, ctx, () => emitScalarElements(s.phase.elements, s.phase.n, ctx)),
  sample: (s, ctx) => {
    const { program, logits, vocabulary } = s.phase
    const values = logits === undefined ? '' : `, w.ws<const float>(${ctx.offset(logits)}), ${vocabulary}`
    ctx.out.line('const RoundControl* round = at.round;')
    ctx.out.line(`if (w.rank == 0 && w.sm == 0) called(w, [=](Warp& w) { finish_${program}(w, *round${values}); });`)
  },
}

/** Every (row, token row) of a value, 32 rows to a warp at a time. */
function scalars(n: number, { out }: EmitContext, body: () => void): void {
  out.line(`const Share units = share_of(${Math.ceil(n / 32)}, w.sm * w.count + w.index, w.sms * w.count);`)
  out.block('for (int unit = units.begin; unit < units.end; ++unit)', () => {
    out.block(
      'w.lanes([&](int lane)',
      () => {
        out.line('const int n_low = unit * 32 + lane;')
        if (n % 32 !== 0) out.line(`if (n_low >= ${n}) return;`)
        out.block('for (int c = 0; c < at.block->rows; ++c)', body)
      },
      ');',
    )
  })
}

function finish(s: Extract<WorkStep, { kind: 'finish' }>, ctx: EmitContext, role: RoleName): void {
  const { out, plan } = ctx
  const p = s.product
  const g = p.geometry
  const toLogits =
    plan.ranks > 1 &&
    p.sections.some((x) => x.elements.some((e) => e.kind === 'store' && ctx.buffer(e.buffer).form.kind === 'logits'))
  const sum = (name: string, first: string, of = ''): string => {
    if (!exact(p)) return `Acc acc = w.${name}_sum${of}(${first});`
    const total = `w.${name}_total${of}(${first})`
    return s.elements === 'before' ? `const Exact acc = ${total};` : `Acc acc = rounded(w, ${total});`
  }
  const conclude = (): void => {
    if (toLogits) {
      emitSections(p, 'before', ctx)
      out.line(`w.send_to(${s.site}, 0, Plan::logits_inbox_at, acc, t, at.round->round);`)
      return
    }
    emitSections(p, s.elements, ctx)
    if (s.elements === 'before') out.line(`w.send(${s.site}, acc, t, ${epoch(s.after)});`)
  }
  if (s.elements === 'after') {
    out.line('const int t = tile;')
    out.line(sum('receive', `${s.site}, t, ${epoch(s.after)}`))
    emitSections(p, 'after', ctx)
  } else if (s.from === 'slots') {
    out.block(`for (int t = own.begin${ctx.warps(role) > 1 ? ' + w.index' : ''}; t < own.end; t += w.count)`, () => {
      out.line(sum('slots', 't - own.begin', `<${p.topK}>`))
      conclude()
    })
  } else if (g.groups === 1) {
    out.line(`const int t = ${localTile(p)};`)
    out.line(sum('join', `0, ${g.parts}`))
    conclude()
  } else {
    out.block(`for (int g = 0; g < ${g.groups}; ++g)`, () => {
      out.line(`const int t = ${localTile(p)} * ${g.groups} + g;`)
      if (g.tiles % g.groups !== 0) out.line(`if (t >= ${g.tiles}) break;`)
      out.line(sum('join', `g * ${g.parts}, ${g.parts}`))
      conclude()
    })
  }
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

/** Units of k that a `down` cell stages at once: all, or the largest divisor that registers hold. */
export function downChunk(units: number): number {
  for (let c = Math.min(units, 8); ; c--) if (units % c === 0) return c
}
/** Sums are fixed point from the leaves of k up to the end of the exchange. */
const exact = (p: ProductPlan): boolean => p.geometry.unitsPerLeaf !== undefined
/** The scale of columns that a norm leaves for the sum; fixed-point sums take what is staged as it is. */
const normScale = (p: ProductPlan): ExprNode | undefined => (p.norm && !exact(p) ? scaleOfColumns(p.norm) : undefined)
const idleWarps = (p: ProductPlan, ctx: EmitContext): boolean =>
  p.geometry.parts * p.geometry.groups < ctx.warps('compute')
const scaleStride = (p: ProductPlan): number => ({ f32: 0, bf16: 0, e4m3: 8, e2m1: 16 })[p.format]

const domains: {
  [K in Domain['kind']]: (d: Extract<Domain, { kind: K }>, variable: string, ctx: EmitContext, chunks: number) => string
} = {
  share: (d, v, { out }) => {
    out.line(`const Share ${v}s = share(w, ${d.count});`)
    return `for (int ${v} = ${v}s.begin; ${v} < ${v}s.end; ++${v})`
  },
  activeShare: (d, v, { out }) => {
    out.line(`const Share ${v}s = share(w, w.table().active * ${d.count});`)
    return `for (int ${v} = ${v}s.begin; ${v} < ${v}s.end; ++${v})`
  },
  activeGroups: (d, v, { out }) => {
    out.line('const RouteTable& routes = w.table();')
    return `for (int ${v} = 0; ${v} < (own.begin < own.end ? routes.active : 0); ${v} += ${d.size})`
  },
  spanShare: (d, v, { out }) => {
    out.line(`const Spans spans = visible_spans(at.block->position, at.block->rows, ${d.window ?? 0});`)
    out.line(`const int parts = attend_parts(w.sms, ${d.kv} * spans.count, ${d.mTiles});`)
    out.line(`const Share ${v}s = share(w, ${d.kv} * spans.count * parts);`)
    return `for (int ${v} = ${v}s.begin; ${v} < ${v}s.end; ++${v})`
  },
  range: (d, v, { out }, chunks) => {
    out.directive('TILE_LOOP')
    const name = v !== 'page' ? v : chunks > 1 ? 'page_of_chunk' : 'page_of_tile'
    return `for (int ${name} = 0; ${name} < ${d.count}; ++${name})`
  },
}

/** An SM without a tile stages nothing, so it reads nothing that somebody would have to wait for. */
function emitGuard(p: ProductPlan, { out }: EmitContext): void {
  const { pages, pagesPerTile, chunks } = p.geometry
  const count = `${p.routed === 'up' ? 'w.table().active * ' : ''}${(pages / pagesPerTile) * chunks}`
  out.line(`if (empty(share(w, ${count}))) return;  // no tile on this SM`)
}

/** What the race check of the host back end is told (nothing on a GPU). */
function emitAccess(step: WorkStep, ctx: EmitContext): void {
  const call = (a: Access, verb: 'reads' | 'writes'): void => {
    if (!ctx.plan.buffers.some((b) => b.name === a.region)) return
    const everything = a.part === 'all' || (verb === 'reads' && !step.writes?.some((x) => x.region === a.region))
    ctx.out.line(`${verb}_${everything ? 'all' : 'own'}(w, at, ${ctx.region(a.region)});`)
  }
  for (const a of step.reads ?? []) call(a, 'reads')
  for (const a of step.writes ?? []) call(a, 'writes')
}

export function emitSteps(steps: readonly Step[], role: RoleName, ctx: EmitContext): void {
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
    if (workStep.kind === 'stage' && workStep.kept?.role !== 'keep') emitGuard(workStep.product, ctx)
    emitAccess(workStep, ctx)
    const rule = work[workStep.kind] as ((s: Step, c: EmitContext, r: RoleName) => void) | undefined
    if (!rule) throw new InternalError(`no emitter for step '${step.kind}'`)
    rule(step, ctx, role)
  }
}

function emitLoop(loop: Extract<Step, { kind: 'loop' }>, role: RoleName, ctx: EmitContext): void {
  const { out } = ctx
  const product = productOf(loop.body)
  const head = (domains[loop.domain.kind] as (d: Domain, v: string, c: EmitContext, chunks: number) => string)(
    loop.domain,
    loop.variable,
    ctx,
    product?.geometry.chunks ?? 1,
  )
  out.block(head, () => {
    if (loop.domain.kind === 'activeGroups') {
      out.line(
        `const int group = routes.active - ${loop.variable} < ${loop.domain.size} ? routes.active - ${loop.variable} : ${loop.domain.size};`,
      )
    }
    const joins = loop.body.some((s) => s.kind === 'await' && s.channel === 'join')
    if (joins && ctx.warps(role) > 1) {
      out.block(`if ((${loop.variable} - ${loop.variable}s.begin) % w.count != w.index)`, () => {
        out.line('w.join_skip();')
        out.line('continue;')
      })
    }
    if (product && (loop.domain.kind === 'activeShare' || loop.domain.kind === 'share')) tileOfShare(product, ctx)
    if (product && loop.domain.kind === 'range' && product.geometry.chunks > 1)
      out.line(`const int page_of_tile = chunk * ${loop.domain.count} + page_of_chunk;`)
    emitSteps(loop.body, role, ctx)
  })
}

function productOf(steps: readonly Step[]): ProductPlan | undefined {
  for (const s of steps) {
    if (s.kind === 'loop') {
      const inner = productOf(s.body)
      if (inner) return inner
    } else if ('product' in s) return s.product
  }
  return undefined
}

export { ownTiles, productOf }
