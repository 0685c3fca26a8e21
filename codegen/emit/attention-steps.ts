/**
 * attention-steps: spans of keys and values through the ring, attention of m tiles over the spans of a chunk, the merge of chunks;
 * attention over a short window, which is all of that at once.
 */
import type { Domain, WorkStep } from '../../compiler/plan/ir.ts'
import {
  cacheSlots,
  chunkSpans,
  keySpanBytes,
  mostChunks,
  mTilesOf,
  TILE_ROWS,
  valueSpanBytes,
} from '../../compiler/tile/forms.ts'
import type { AttendPhase, Attention } from '../../compiler/tile/ir.ts'
import type { EmitContext } from './context.ts'
import { floatLiteral } from './expr.ts'
import { imageAt, type StepRules } from './step-rules.ts'

const attendSlots = (a: Attention, ctx: EmitContext): number => cacheSlots(a.window, ctx.plan.ctx)
const attendChunks = (a: Attention, ctx: EmitContext): number => mostChunks(a.window, ctx.plan.ctx)
const mRows = (a: Attention): number => mTilesOf(a.group) * TILE_ROWS
/** Value dims that a warp merges: one a lane, so that it can have many chunks on their way. */
const mergeDims = (a: AttendPhase): number => (a.valueDim % 32 === 0 ? 32 : a.valueDim)

const tasksCall = (kv: number, mTiles: number, spans: number, window: number | undefined): string =>
  `attend_tasks<${kv}, ${mTiles}, ${spans}>(w, at.block->position, at.block->rows, ${window ?? 0})`

/** Which chunks the rows see and which of them are this SM's: the round's own data says so, whatever a phase waits for. */
export function attendTasks(d: Extract<Domain, { kind: 'chunkShare' }>, { out }: EmitContext): void {
  out.line(`const auto tasks = ${tasksCall(d.kv, d.mTiles, d.spans, d.window)};`)
}
export function mergeTasks(a: AttendPhase, { out, plan }: EmitContext): void {
  const spans = chunkSpans(a.window, plan.ctx)
  out.line(`const int chunks = ${tasksCall(a.kv, mTilesOf(a.group), spans, a.window)}.chunks;`)
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
  const caches = [a.keys, a.values].map((c) => ctx.cache(c))
  out.line(`const NearAttention<${sizes.join(', ')}> near{${caches.join(', ')}, {${rowsOf(a)}}};`)
  out.line(`touch_near(w, near, share(w, ${d.count}));`)
  if (s.sink !== undefined) out.line(`touch(w, w.image(${imageAt(s.sink, ctx)}), ${a.kv * a.group * 4});`)
}

export const attentionSteps: Pick<
  StepRules<WorkStep>,
  'copySpan' | 'openTile' | 'attendSpan' | 'leaveTile' | 'attendNear' | 'mergeNear' | 'mergeChunks'
> = {
  copySpan: (s, ctx) => {
    const { out } = ctx
    const a = s.attend
    const slots = attendSlots(a, ctx)
    const [k, v] = [keySpanBytes(a.keyDim), valueSpanBytes(a.valueDim)]
    out.line(`const size_t slot = size_t(${a.kv === 1 ? '' : `task.head * ${slots} + `}span % ${slots});`)
    out.line(`w.ring_copy(${s.site}, 0, ${ctx.cache(a.keys)} + slot * ${k}, ${k});`)
    out.line(`w.ring_copy(${s.site}, ${k}, ${ctx.cache(a.values)} + slot * ${v}, ${v});`)
    ctx.copied = String(k + v)
  },
  openTile: (s, ctx) => {
    const { out } = ctx
    const a = s.attend
    const sizes = [a.group, a.keyDim, a.valueDim, mTilesOf(a.group)]
    const queries = `w.ws<bf16>(${ctx.offset(a.queries)}) + size_t(task.head) * ${mRows(a) * a.keyDim}`
    out.line(`AttendTile<${sizes.join(', ')}> tile(w, task, ${queries}, RowPositions{${rowsOf(a)}}, ${a.window ?? 0});`)
  },
  attendSpan: (s, ctx) => {
    const a = s.attend
    ctx.out.line(`tile.add(w, page, page + ${keySpanBytes(a.keyDim)}, span, ${floatLiteral(a.scale)});`)
  },
  leaveTile: (s, ctx) => {
    const { out } = ctx
    const a = s.attend
    const [rows, chunks] = [mRows(a), attendChunks(a, ctx)]
    const head = `size_t(task.head) * ${chunks * rows * (a.valueDim + 2)}`
    out.line(`float* o = w.ws<float>(${ctx.offset(a.partials)}) + ${head} + size_t(task.chunk) * ${rows * a.valueDim};`)
    out.line(
      `float* peaks = w.ws<float>(${ctx.offset(a.partials)}) + ${head} + ${chunks * rows * a.valueDim} + task.chunk * ${rows};`,
    )
    out.line(`tile.leave(w, o, peaks, peaks + ${chunks * rows});`)
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
  mergeChunks: (s, ctx) => {
    const { out } = ctx
    const a = s.merge.attend
    const [rows, chunks] = [mRows(a), attendChunks(a, ctx)]
    out.block('for (int task = tasks.begin; task < tasks.end; ++task)', () => {
      const parts = a.valueDim / mergeDims(a)
      out.line(`const int first_dim = task % ${parts} * ${mergeDims(a)}, of_all = task / ${parts};`)
      out.line(
        a.kv === 1
          ? 'const int head = 0, m_row = of_all;'
          : `const int head = of_all / (at.block->rows * ${a.group}), m_row = of_all % (at.block->rows * ${a.group});`,
      )
      out.line(
        `const float* o = w.ws<const float>(${ctx.offset(a.partials)}) + size_t(head) * ${chunks * rows * (a.valueDim + 2)};`,
      )
      const query = `head * ${a.group} + m_row % ${a.group}`
      const sink =
        s.sink === undefined ? 'nullptr' : `reinterpret_cast<const float*>(w.image(${imageAt(s.sink, ctx)})) + ${query}`
      out.line(
        `merge_chunks<${a.valueDim}, ${mergeDims(a)}, ${chunks}>(w, o, o + ${chunks * rows * a.valueDim}, o + ${chunks * rows * (a.valueDim + 1)}, ${rows}, m_row, first_dim, chunks, ${sink},`,
      )
      out.line(`    w.ws<bf16>(${ctx.offset(s.merge.output)}), m_row / ${a.group}, (${query}) * ${a.valueDim});`)
    })
  },
}
