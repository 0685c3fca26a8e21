/**
 * finish-steps: a tile's sum goes its section's way: the element steps, the exchange in their middle, the logits' way to rank 0.
 */
import { type ProductPlan, type RoleName, rotatesAhead, type WorkStep } from '../../compiler/plan/ir.ts'
import type { Form, Section } from '../../compiler/tile/ir.ts'
import type { EmitContext } from './context.ts'
import { emitElements, emitLoads, emitRotations, loadsOf, rotationsKey, rotationsOf } from './elements.ts'
import { lambda } from './expr.ts'
import { exact, localTile, type StepRules, scaleOfSum } from './step-rules.ts'

/** Whether results go where the address counts KV heads. */
const perHead = (s: Section, ctx: EmitContext): boolean =>
  s.elements.some((e) => e.kind === 'store' && headed.has(ctx.buffer(e.buffer).form.kind))
const headed: ReadonlySet<Form['kind']> = new Set(['queries', 'keys', 'values'])

type Which = 'before' | 'after' | 'all'

/** What the sections load, ahead of the sum. `t` is the tile. */
function emitAhead(p: ProductPlan, which: Which, ctx: EmitContext): void {
  const tiles = Math.max(...p.sections.map((s) => loadsOf(s, which)))
  if (tiles === 0) return
  ctx.out.line(`Acc ${Array.from({ length: tiles }, (_, i) => `ahead_${i} = zeros()`).join(', ')};`)
  ctx.out.block('', () => eachSection(p, ctx, (section, paired) => emitLoads(section, which, paired, p.rows, ctx)))
}

/** The rows that a tile's sum belongs to go their section's way. `t` is the tile. */
const emitSections = (p: ProductPlan, which: Which, ctx: EmitContext): void =>
  eachSection(p, ctx, (section, paired) => emitElements(section, which, paired, p.rows, rotatesAhead(p), ctx))

/** What a norm has left for the sum of the parts from `first` on. */
function emitScale(p: ProductPlan, first: string, { out }: EmitContext): void {
  if (p.scaleLeft) out.line('scale_columns(acc, scale);')
  const scale = scaleOfSum(p)
  if (!scale) return
  const { parts, units } = p.geometry
  out.line(`scale_columns(acc, w.join_scale(${first}, ${parts}, ${units},`)
  out.line(`          ${lambda(scale, ['mean'])}));`)
}

/** Prints what each section does with its tiles. */
function eachSection(p: ProductPlan, ctx: EmitContext, emit: (section: Section, paired: boolean) => void): void {
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
      emit(section, paired)
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

/** Prints what tiles turn by: once for all sections that turn alike, for it is much code. */
function eachRotation(p: ProductPlan, ctx: EmitContext): void {
  const { out } = ctx
  const position = p.geometry.tiles > p.period ? `t % ${p.period}` : 't'
  for (const sections of alike(p.sections.filter((s) => rotationsOf(s) > 0))) {
    const tileOf = sections.reduceRight((other, { first, tiles }) => {
      const test = `${first > 0 ? `position >= ${first} && ` : ''}position < ${first + tiles}`
      return `${test} ? position${first > 0 ? ` - ${first}` : ''} : ${other}`
    }, '-1')
    out.block('', () => {
      out.line(`const int position = ${position}, u = ${tileOf};`)
      out.block('if (u >= 0)', () => emitRotations(sections[0]!, ctx))
    })
  }
}
function alike(sections: readonly Section[]): readonly (readonly Section[])[] {
  const groups = new Map<string, Section[]>()
  for (const s of sections) groups.set(rotationsKey(s), [...(groups.get(rotationsKey(s)) ?? []), s])
  return [...groups.values()]
}

const epoch = (after: number): string => `at.epoch(${after})`

export const finishSteps: Pick<StepRules<WorkStep>, 'rotations' | 'finish' | 'addParts' | 'spread' | 'gatherLogits'> = {
  rotations: ({ product: p }, ctx) => {
    ctx.out.line(`const int t = ${localTile(p)};`)
    const tiles = Math.max(...p.sections.map(rotationsOf))
    ctx.out.line(`Acc ${Array.from({ length: tiles }, (_, i) => `rotation_${i} = zeros()`).join(', ')};`)
    eachRotation(p, ctx)
  },
  finish: (s, ctx, role) => finish(s, ctx, role),
  addParts: (s, { out }) => {
    const at = `(${s.site}, term, ${epoch(s.after)})`
    // Every rank would round a sum in fixed point: its owner does, and floats travel.
    out.line(`const Acc acc = ${exact(s.product) ? `rounded(w, w.parts_total${at})` : `w.parts_sum${at}`};`)
  },
  spread: (s, { out }) => out.line(`w.spread(${s.site}, Plan::sums_inbox_at, acc, term, ${epoch(s.after)});`),
  gatherLogits: (s, ctx) => {
    const { out, plan } = ctx
    const { tiles } = s.product.geometry
    out.line('// the logits of all ranks meet on rank 0')
    out.block('if (w.rank == 0)', () => {
      const count = plan.ranks * tiles
      out.line(
        ctx.warps('compute') > 1
          ? `const Share all = share_of(${count}, w.sm * w.count + w.index, w.sms * w.count);`
          : `const Share all = share(w, ${count});`,
      )
      const from = `${s.site}, Plan::logits_inbox_at, all, ${tiles}, at.round->round`
      out.block(
        `receive_each(w, ${from}, [&](Acc& acc, int source, int t)`,
        () =>
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
          ),
        ');',
      )
    })
  },
}

function finish(s: Extract<WorkStep, { kind: 'finish' }>, ctx: EmitContext, role: RoleName): void {
  const { out, plan } = ctx
  const p = s.product
  const g = p.geometry
  const twoShots = p.exchange === 2
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
    if (s.elements === 'before')
      out.line(
        s.byParts
          ? `leave_part<${g.tiles}>(w, acc, t);`
          : `w.send${twoShots ? '_part' : ''}(${s.site}, acc, t, ${epoch(s.after)});`,
      )
  }
  if (s.elements === 'after') {
    out.line('const int t = sum;')
    emitAhead(p, 'after', ctx)
    out.line(
      s.byParts
        ? `Acc acc = take_sum<${g.tiles}>(w, t);`
        : twoShots
          ? `Acc acc = w.spread_sum(${s.site}, Plan::sums_inbox_at, t, ${epoch(s.after)});`
          : sum('receive', `${s.site}, t, ${epoch(s.after)}`),
    )
    emitSections(p, 'after', ctx)
  } else if (s.from === 'slots') {
    out.block(`for (int t = own.begin${ctx.warps(role) > 1 ? ' + w.index' : ''}; t < own.end; t += w.count)`, () => {
      emitAhead(p, s.elements, ctx)
      out.line(sum('slots', 't - own.begin', `<${p.topK}>`))
      conclude()
    })
  } else if (g.groups === 1) {
    if (!rotatesAhead(p)) out.line(`const int t = ${localTile(p)};`)
    emitAhead(p, s.elements, ctx)
    out.line(sum('join', `0, ${g.parts}`))
    emitScale(p, '0', ctx)
    conclude()
  } else {
    out.block(`for (int g = 0; g < ${g.groups}; ++g)`, () => {
      out.line(`const int t = ${localTile(p)} * ${g.groups} + g;`)
      if (g.tiles % g.groups !== 0) out.line(`if (t >= ${g.tiles}) break;`)
      emitAhead(p, s.elements, ctx)
      out.line(sum('join', `g * ${g.parts}, ${g.parts}`))
      emitScale(p, `g * ${g.parts}`, ctx)
      conclude()
    })
  }
}
