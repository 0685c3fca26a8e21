/**
 * attention-steps: spans of keys and values through the ring, attention of an m tile over a span, the merge of spans; attention
 * over a short window, which is all of that at once.
 */
import type { Domain, WorkStep } from '../../compiler/plan/ir.ts'
import { cacheSlots, keySpanBytes, SPAN, valueSpanBytes } from '../../compiler/tile/forms.ts'
import type { AttendPhase, Attention } from '../../compiler/tile/ir.ts'
import type { EmitContext } from './context.ts'
import { floatLiteral } from './expr.ts'
import { imageAt, type StepRules } from './step-rules.ts'

const attendSlots = (a: Attention, ctx: EmitContext): number => cacheSlots(a.window, ctx.plan.ctx)
const mRows = (a: Attention): number => Math.ceil((8 * a.group) / 16) * 16
/** Value dims that a warp merges: one a lane, so that it can have many spans on their way. */
const mergeDims = (a: AttendPhase): number => (a.valueDim % 32 === 0 ? 32 : a.valueDim)

const tasksCall = (window: number | undefined, kv: number, mTiles: number): string =>
  `span_tasks(w, at.block->position, at.block->rows, ${window ?? 0}, ${kv}, ${mTiles})`

/** Which spans the rows see and which of them are this SM's: the round's own data says so, whatever a phase waits for. */
export function spanTasks(d: Extract<Domain, { kind: 'spanShare' }>, { out }: EmitContext): void {
  out.line(`const SpanTasks all = ${tasksCall(d.window, d.kv, d.mTiles)};`)
  out.line('const Spans spans = all.spans;')
  out.line('const int parts = all.parts;')
  out.line('const Share tasks = all.tasks;')
}
export function mergeTasks(a: AttendPhase, { out }: EmitContext): void {
  out.line(`const Spans spans = ${tasksCall(a.window, a.kv, mRows(a) / 16)}.spans;`)
  out.line(
    `const Share tasks = share_of(${a.kv * (a.valueDim / mergeDims(a))} * at.block->rows * ${a.group}, w.sm * w.count + w.index, w.sms * w.count);`,
  )
}

type NearStep = Extract<WorkStep, { kind: 'attendNear' }>
const rowsOf = (a: Attention): string => `at.block->position, at.block->rows${a.block ? ', true' : ''}`

/** Blocks and sinks are brought near while the queries are waited for. */
export function touchNear(s: NearStep, d: Extract<Domain, { kind: 'share' }>, ctx: EmitContext): void {
  const { out } = ctx
  const a = s.near
  const sizes = [a.group, a.keyDim, a.valueDim, a.window, attendSlots(a, ctx), a.parts]
  const caches = [a.keys, a.values].map((c) => `w.kv(at.kv + ${ctx.offset(c)})`)
  out.line(`const NearAttention<${sizes.join(', ')}> near{${caches.join(', ')}, {${rowsOf(a)}}};`)
  out.line(`touch_near(w, near, share(w, ${d.count}));`)
  if (s.sink !== undefined) out.line(`touch(w, w.image(${imageAt(s.sink, ctx)}), ${a.kv * a.group * 4});`)
}

export const attentionSteps: Pick<
  StepRules<WorkStep>,
  'copySpan' | 'attendSpan' | 'attendNear' | 'mergeNear' | 'mergeSpans'
> = {
  copySpan: (s, ctx) => {
    const { out } = ctx
    const a = s.attend
    const slots = attendSlots(a, ctx)
    const [k, v] = [keySpanBytes(a.keyDim), valueSpanBytes(a.valueDim)]
    out.line(
      a.kv === 1
        ? `const size_t slot = size_t((spans.first + task / parts) % ${slots});`
        : `const size_t slot = size_t(task / (parts * spans.count) * ${slots} + (spans.first + task / parts % spans.count) % ${slots});`,
    )
    out.line(`w.ring_copy(${s.site}, 0, w.kv(at.kv + ${ctx.offset(a.keys)}) + slot * ${k}, ${k});`)
    out.line(`w.ring_copy(${s.site}, ${k}, w.kv(at.kv + ${ctx.offset(a.values)}) + slot * ${v}, ${v});`)
    ctx.copied = String(k + v)
  },
  attendSpan: (s, ctx) => {
    const { out } = ctx
    const a = s.attend
    const rows = mRows(a)
    const slots = attendSlots(a, ctx)
    out.line(
      a.kv === 1
        ? 'const int span = task / parts, part = task - span * parts, head = 0;'
        : 'const int part = task % parts, span = task / parts % spans.count, head = task / (parts * spans.count);',
    )
    out.line(`const Share tiles = share_of(${rows / 16}, part, parts);`)
    out.line(`const bf16* q = w.ws<bf16>(${ctx.offset(a.queries)}) + size_t(head) * ${rows * a.keyDim};`)
    out.line(`float* o = w.ws<float>(${ctx.offset(a.partials)}) + size_t(head) * ${slots * rows * (a.valueDim + 2)};`)
    out.line(`float* peak = o + ${slots * rows * a.valueDim};`)
    out.line(`float* total = peak + ${slots * rows};`)
    out.block('for (int first = tiles.begin; first < tiles.end; first += attend_teams)', () => {
      out.line('const int m = attend_tile(w, first, tiles.end);')
      out.line(`const size_t row = size_t(span) * ${rows} + m * 16;`)
      out.line(
        `attend_span<${a.group}, ${a.keyDim}, ${a.valueDim}>(w, ${s.site}, page, page + ${keySpanBytes(a.keyDim)}, q, m, (spans.first + span) * ${SPAN},`,
      )
      out.line(
        `    RowPositions{${rowsOf(a)}}, ${a.window ?? 0}, ${floatLiteral(a.scale)}, o + row * ${a.valueDim}, peak + row, total + row);`,
      )
    })
  },
  attendNear: (s, ctx) => {
    const { out } = ctx
    const a = s.near
    const sinks = s.sink === undefined ? 'nullptr' : `reinterpret_cast<const float*>(w.image(${imageAt(s.sink, ctx)}))`
    out.line(
      `attend_near(w, near, task, w.ws<const bf16>(${ctx.offset(a.queries)}), ${floatLiteral(a.scale)}, ${sinks});`,
    )
  },
  mergeNear: (s, ctx) => ctx.out.line(`merge_near(w, near, task, w.ws<bf16>(${ctx.offset(s.near.output)}));`),
  mergeSpans: (s, ctx) => {
    const { out } = ctx
    const a = s.merge.attend
    const rows = mRows(a)
    const slots = attendSlots(a, ctx)
    out.block('for (int task = tasks.begin; task < tasks.end; ++task)', () => {
      const parts = a.valueDim / mergeDims(a)
      out.line(`const int first_dim = task % ${parts} * ${mergeDims(a)}, of_all = task / ${parts};`)
      out.line(
        a.kv === 1
          ? 'const int head = 0, m_row = of_all;'
          : `const int head = of_all / (at.block->rows * ${a.group}), m_row = of_all % (at.block->rows * ${a.group});`,
      )
      out.line(
        `const float* o = w.ws<const float>(${ctx.offset(a.partials)}) + size_t(head) * ${slots * rows * (a.valueDim + 2)};`,
      )
      const query = `head * ${a.group} + m_row % ${a.group}`
      const sink =
        s.sink === undefined ? 'nullptr' : `reinterpret_cast<const float*>(w.image(${imageAt(s.sink, ctx)})) + ${query}`
      out.line(
        `merge_spans<${a.valueDim}, ${mergeDims(a)}, ${slots}>(w, o, o + ${slots * rows * a.valueDim}, o + ${slots * rows * (a.valueDim + 1)}, ${rows}, m_row, first_dim, spans.count, ${sink},`,
      )
      out.line(`    w.ws<bf16>(${ctx.offset(s.merge.output)}), m_row / ${a.group}, (${query}) * ${a.valueDim});`)
    })
  },
}
