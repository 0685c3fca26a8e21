/**
 * row-steps: work that goes over rows and not over tiles of weights: the embedding, norms and pointwise work that no product
 * takes along, routing, sampling, and what load asks L2 for.
 */
import type { WorkStep } from '../../compiler/plan/ir.ts'
import type { EmitContext } from './context.ts'
import { emitPairElements, emitScalarElements } from './elements.ts'
import { floatLiteral, lambda, cppExpr as lambdaBody } from './expr.ts'
import { imageAt, type StepRules, scaleLeft } from './step-rules.ts'

type RowSteps =
  | 'openTable'
  | 'choose'
  | 'route'
  | 'findActive'
  | 'embed'
  | 'normed'
  | 'pointwise'
  | 'firsts'
  | 'sample'
  | 'prefetch'

export const rowSteps: Pick<StepRules<WorkStep>, RowSteps> = {
  openTable: (s, { out }) => out.line(`open_table(w, ${s.site});`),
  choose: (s, ctx) => {
    const { out } = ctx
    const p = s.phase
    const bias = s.bias === undefined ? 'nullptr' : `reinterpret_cast<const float*>(w.image(${imageAt(s.bias, ctx)}))`
    const { form } = ctx.buffer(p.logits)
    const parts = form.kind === 'plain' ? (form.parts ?? 1) : 1
    out.line(
      `choose<${p.experts}, ${p.topK}>(w, w.ws<const float>(${ctx.offset(p.logits)}), ${parts}, ${bias}, at.block->rows,`,
    )
    out.line(`      ${lambda(p.score, ['logit'])},`)
    const scale = s.scaled?.norm?.scale
    out.line(`      ${lambda(p.choose, ['score', 'bias'])}${scale ? ',' : ');'}`)
    if (!s.scaled || !scale) return
    out.line(`      ${scaleLeft(s.scaled, scale)});`)
  },
  route: ({ phase: p, site }, { out }) =>
    out.line(
      `route<${p.topK}>(w, at.block->rows, ${p.normalise}, ${floatLiteral(p.epsilon)}, ${floatLiteral(p.factor)}, ${site});`,
    ),
  findActive: (_s, ctx) => {
    ctx.out.line('const ActiveExperts found = active_experts(w, at.block->rows);')
    ctx.found = true
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
  normed: (s, ctx) => ctx.out.block('', () => normed(s, ctx)),
  prefetch: (s, { out }) =>
    out.line(
      `prefetch_share(w, ${s.site}, ahead_${s.prefetch}_at[at.entry], ahead_${s.prefetch}_bytes[at.entry]);  // ${s.what}`,
    ),
  pointwise: (s, ctx) => scalars(s.phase.n, ctx, () => emitScalarElements(s.phase.elements, s.phase.n, ctx)),
  firsts: (s, ctx) => {
    const { logits, vocabulary, output } = s.phase
    ctx.out.line(
      `if (w.rank == 0) find_firsts(w, w.ws<const float>(${ctx.offset(logits)}), ${vocabulary}, w.ws<u64>(${ctx.offset(output)}), at.round->sample_from, at.block->rows);`,
    )
  },
  sample: (s, ctx) => {
    const { program, logits, firsts, vocabulary } = s.phase
    const found = firsts === undefined ? '' : `, w.ws<const u64>(${ctx.offset(firsts)})`
    const values = logits === undefined ? '' : `, w.ws<const float>(${ctx.offset(logits)}), ${vocabulary}`
    ctx.out.line('const RoundControl* round = at.round;')
    ctx.out.line(
      `if (w.rank == 0 && w.sm == 0) called(w, [=](Warp& w) { finish_${program}(w, *round${values}${found}); });`,
    )
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

/** Norms of one phase are dealt out each from another warp on, so that an SM has one of each where there are few; a block each. */
function normed(s: Extract<WorkStep, { kind: 'normed' }>, ctx: EmitContext): void {
  const { out } = ctx
  const p = s.part
  const pairs = p.head / 2
  out.line(
    `// a warp takes one head of one row: pair i is (i, i + ${p.rotary / 2}) where it rotates, neighbours behind that`,
  )
  out.line('const int warps = w.sms * w.count;')
  out.line(
    `const Share tasks = share_of(at.block->rows * ${p.heads}, (w.sm * w.count + w.index + ${s.turn}) % warps, warps);`,
  )
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
        out.line(`for (int n = lane; n < ${p.head}; n += 32) part[lane] += ${lambdaBody(p.norm.stat, ['source[n]'])};`)
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
}
