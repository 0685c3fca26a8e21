/**
 * Elements: what happens to each result between the sum and the stores, as C++ over one pair of a tile.
 *
 * Vocabulary: a tile's pair i holds rows i and i + 8, `low` and `high`; which output rows these are depends on the
 * section: neighbours (n, n + 8), rotary partners (d, d + rotary / 2), or, of a paired weight, one row of either matrix,
 * which become one value (`low` only). `outer` counts periods (KV heads), `n` rows within the section of one period,
 * `c` is the token row.
 */
import { InternalError } from '../../compiler/diagnostics/diagnostic.ts'
import type { ElementStep, Section } from '../../compiler/tile/ir.ts'
import { loadElement, storeElement } from './address.ts'
import type { EmitContext } from './context.ts'
import { cppExpr } from './expr.ts'

type Half = 'low' | 'high'

export interface ElementScope {
  /** Rows of the section within one period. */
  readonly rows: number
  readonly head: number
  readonly rotary: number
  readonly halves: readonly Half[]
  /** The last tile has rows from here on that are nobody's: they are not loaded and not stored. */
  readonly limit?: number
  /** Tiles that hold what was loaded ahead, by the value's number. */
  readonly ahead?: ReadonlyMap<number, string>
  /** Tiles that hold what rotary embeddings turn by, a pair's cosine and sine, by the value's number. */
  readonly rotations?: ReadonlyMap<number, string>
}

const value = (n: number, half: Half): string => `v${n}_${half}`

type StepRule<K extends ElementStep['kind']> = (
  step: Extract<ElementStep, { kind: K }>,
  scope: ElementScope,
  ctx: EmitContext,
) => void

const rules: { [K in ElementStep['kind']]: StepRule<K> } = {
  acc: (s, scope, { out }) => {
    for (const h of scope.halves) out.line(`const float ${value(s.value, h)} = ${h};`)
  },
  pair: (s, _scope, { out }) => {
    out.line(`const float ${value(s.value, 'low')} = ${cppExpr(s.expr, ['low', 'high'])};`)
  },
  load: (s, scope, ctx) => {
    const ahead = scope.ahead?.get(s.value)
    for (const h of scope.halves) {
      if (ahead !== undefined) {
        ctx.out.line(`const float ${value(s.value, h)} = ${h}_of(${ahead}, i, c);`)
        continue
      }
      const load = loadElement(s.buffer, `n_${h}`, scope, ctx)
      const found = scope.limit === undefined ? load : `n_${h} < ${scope.limit} ? ${load} : 0.0f`
      ctx.out.line(`const float ${value(s.value, h)} = ${found};`)
    }
  },
  map: (s, scope, { out }) => {
    for (const h of scope.halves) {
      out.line(
        `const float ${value(s.value, h)} = ${cppExpr(
          s.expr,
          s.inputs.map((i) => value(i, h)),
        )};`,
      )
    }
  },
  rope: (s, scope, { out }) => {
    const ahead = scope.rotations?.get(s.value)
    const [low, high] = [value(s.input, 'low'), value(s.input, 'high')]
    out.line(`float ${value(s.value, 'low')} = ${low}, ${value(s.value, 'high')} = ${high};`)
    out.block('if (rotates)', () => {
      if (ahead === undefined) emitRotation(s, out)
      else out.line(`const Rotation by{low_of(${ahead}, i, c), high_of(${ahead}, i, c)};`)
      out.line(`${value(s.value, 'low')} = by.of(${low}, -${high});`)
      out.line(`${value(s.value, 'high')} = by.of(${high}, ${low});`)
    })
  },
  exchange: () => {
    throw new InternalError('an exchange is no element work: it splits it')
  },
  store: (s, scope, ctx) => {
    for (const h of scope.halves) {
      const store = storeElement(s, `n_${h}`, value(s.input, h), scope, ctx)
      ctx.out.line(scope.limit === undefined ? store : `if (n_${h} < ${scope.limit}) ${store}`)
    }
  },
}

/** Frequencies of a rotary embedding, by theta and width. */
export const ropeTable = (s: { readonly theta: number; readonly rotary: number }): string =>
  `rope_${String(s.theta).replace(/[^0-9]/g, '_')}_${s.rotary}`

type Rope = Extract<ElementStep, { kind: 'rope' }>

/** `by`: what the pair at `d` turns by, in token row `c`. */
function emitRotation(s: Rope, out: EmitContext['out']): void {
  out.line(`const float angle = float(at.block->position[c]) * ${ropeTable(s)}[d];`)
  out.line('const Rotation by = rotation(angle);')
}

type Which = 'before' | 'after' | 'all'

/** The steps of a section that run before or after its exchange. */
function stepsOf(section: Section, which: Which): readonly ElementStep[] {
  const at = section.elements.findIndex((e) => e.kind === 'exchange')
  if (which === 'all') return section.elements
  return which === 'after' ? section.elements.slice(at + 1) : at < 0 ? section.elements : section.elements.slice(0, at)
}

const aheadName = (i: number): string => `ahead_${i}`

/** How many tiles what the section loads needs. */
export const loadsOf = (section: Section, which: Which): number =>
  stepsOf(section, which).filter((s) => s.kind === 'load').length

/** What the section loads, into tiles `ahead_0`.. of its own: one trip to memory for all, while the sum is on its way. */
export function emitLoads(section: Section, which: Which, paired: boolean, rows: number, ctx: EmitContext): void {
  const { out } = ctx
  const scope = scopeOf(section, paired, rows)
  const loads = stepsOf(section, which).filter((s) => s.kind === 'load')
  loads.forEach((s, i) => {
    out.block(
      `each_pair(w, ${aheadName(i)}, [&](float& low, float& high, int i, int c)`,
      () => {
        out.line('if (c >= at.block->rows) return;')
        emitRows(section, paired, ctx)
        rules.load(s, scope, ctx)
        for (const h of scope.halves) out.line(`${h} = ${value(s.value, h)};`)
      },
      ');',
    )
  })
}

const ropesOf = (section: Section): readonly Rope[] => section.elements.filter((s) => s.kind === 'rope')
const rotationName = (i: number): string => `rotation_${i}`

/** How many tiles what the section turns by needs. */
export const rotationsOf = (section: Section): number => ropesOf(section).length

/** The same for sections of which pairs at the same place of a tile turn by the same. */
export const rotationsKey = (section: Section): string =>
  [section.head, section.rotary, ...ropesOf(section).map(ropeTable)].join()

/** What the section's rotary embeddings turn by, into tiles `rotation_0`..: nothing of it waits for the sum. */
export function emitRotations(section: Section, ctx: EmitContext): void {
  const { out } = ctx
  ropesOf(section).forEach((s, i) => {
    out.block(
      `each_pair_in_turn(w, ${rotationName(i)}, [&](float& low, float& high, int i, int c)`,
      () => {
        out.line('if (c >= at.block->rows) return;')
        emitTurned(section, ctx)
        out.line('if (!rotates) return;')
        emitRotation(s, out)
        out.line('low = by.cosine, high = by.sine;')
      },
      ');',
    )
  })
}

function scopeOf(section: Section, paired: boolean, rows: number): ElementScope {
  const tiled = section.tiles * (paired ? 8 : 16)
  return {
    rows: Math.min(tiled, rows),
    ...(rows < tiled && { limit: rows }),
    head: section.head,
    rotary: section.rotary,
    halves: paired ? ['low'] : ['low', 'high'],
  }
}

/**
 * Prints steps; `before` an exchange, or before logits go to rank 0, leaves the value that travels in the sum itself. What
 * the section loads is in the tiles of emitLoads.
 */
export function emitElements(
  section: Section,
  which: Which,
  paired: boolean,
  /** Rows of the product. */
  rows: number,
  /** emitRotations has been there. */
  ahead: boolean,
  ctx: EmitContext,
): void {
  const { out } = ctx
  const at = section.elements.findIndex((e) => e.kind === 'exchange')
  const exchange = section.elements[at]
  const gathered = section.elements.find((e) => e.kind === 'store' && ctx.buffer(e.buffer).form.kind === 'logits')
  const travels = exchange ?? gathered
  const steps = stepsOf(section, which).filter((e) => which !== 'before' || exchange || e !== gathered)
  const loads = steps.filter((s) => s.kind === 'load')
  const scope = {
    ...scopeOf(section, paired, rows),
    ahead: new Map(loads.map((s, i) => [s.value, aheadName(i)])),
    ...(ahead && { rotations: new Map(ropesOf(section).map((s, i) => [s.value, rotationName(i)])) }),
  }
  if (which === 'before' && steps.every((s) => s.kind === 'acc')) return
  out.block(
    'each_pair_in_turn(w, acc, [&](float& low, float& high, int i, int c)',
    () => {
      out.line('if (c >= at.block->rows) return;')
      if (steps.some((s) => s.kind === 'store' && ctx.buffer(s.buffer).form.kind === 'routedRows')) {
        out.line('const int result = w.table().result[active][c];')
        out.line('if (result < 0) return;  // the row is not of this expert')
      }
      emitRows(section, paired, ctx)
      if (which === 'after' && exchange?.kind === 'exchange') {
        rules.acc({ kind: 'acc', value: exchange.value }, scope, ctx)
      }
      for (const step of steps) (rules[step.kind] as StepRule<typeof step.kind>)(step as never, scope, ctx)
      if (which === 'before' && travels && 'input' in travels) {
        for (const h of scope.halves) out.line(`${h} = ${value(travels.input, h)};`)
      }
    },
    ');',
  )
}

/** Which rows of the section the pair holds: n_low, n_high. Unsigned, so that what divides them is a shift or a product. */
function emitRows(section: Section, paired: boolean, ctx: EmitContext): void {
  const { out } = ctx
  if (paired) {
    out.line('const u32 n_low = u32(u) * 8 + u32(i);')
    out.line('(void)high;')
    return
  }
  if (section.rotary === 0) {
    out.line('const u32 n_low = u32(u) * 16 + u32(i), n_high = n_low + 8;')
    return
  }
  emitTurned(section, ctx)
  out.line(`const u32 first = u32(u) / ${section.head / 16} * ${section.head};`)
  out.line(
    `const u32 n_low = first + (rotates ? d : 16 * j + u32(i)), n_high = n_low + (rotates ? ${section.rotary / 2} : 8);`,
  )
}

/** Which pair of the rotary dims it is, if it is one: `d`. */
function emitTurned(section: Section, { out }: EmitContext): void {
  out.line(`const u32 j = u32(u) % ${section.head / 16};`)
  out.line(`const bool rotates = j < ${section.rotary / 16};`)
  out.line('const u32 d = 8 * j + u32(i);')
}

/** Element steps over a pair of values, outside of any tile. */
export function emitPairElements(steps: readonly ElementStep[], scope: ElementScope, ctx: EmitContext): void {
  for (const step of steps) (rules[step.kind] as StepRule<typeof step.kind>)(step as never, scope, ctx)
}

/** Element steps over one value, outside of any tile: `low` is the value, `n_low` its row. */
export function emitScalarElements(steps: readonly ElementStep[], n: number, ctx: EmitContext): void {
  const scope: ElementScope = { rows: n, head: n, rotary: 0, halves: ['low'] }
  for (const step of steps) (rules[step.kind] as StepRule<typeof step.kind>)(step as never, scope, ctx)
}
