/**
 * The spec of tile programs: what the types of tile.ts cannot say. Findings are the author's, with the statement's span.
 *
 * Checked: a value is used after it is made and inside the loop that made it; places are indexed by the axes that their
 * operand has, all of them in scope; a sum is joined over what its accumulator was spread over, outside that loop; pairs
 * come from paired weights; every result is stored exactly once, at the grid's indices; tile sizes are the engine's.
 */
import type { Problem, Report } from './problem.ts'
import type { AxisKind, Operand, TileProgram, TileStatement } from './tile-ir.ts'
import { currentSpan } from './where.ts'

/** What is known of a value. */
interface Known {
  /** Loop axes that were open where it was made. */
  readonly open: readonly number[]
  /** Axes that its accumulation ran over, and weights that went into it. */
  readonly spread: Set<AxisKind>
  readonly weights: Set<number>
}

/** Axis kinds that index each kind of operand; results are indexed by the whole grid. */
const indexedBy: Record<Exclude<Operand['kind'], 'result'>, (o: Operand) => readonly AxisKind[]> = {
  weight: (o) => (o.kind === 'weight' && o.routed ? ['rows', 'k', 'experts'] : ['rows', 'k']),
  cache: () => ['heads', 'spans'],
  activation: () => [],
  routing: () => [],
}
const joinsOver: Record<'k' | 'slots' | 'spans', AxisKind> = { k: 'k', slots: 'experts', spans: 'spans' }
/** The steps that pages, the multiplier and the cache are made for. */
const steps: { readonly [K in AxisKind]?: number } = { rows: 16, k: 32, spans: 64 }
/** Axes of a grid that a join sums away, so that the result has none of them. */
const gridJoins: ReadonlySet<AxisKind> = new Set(['spans'])

export function checkTile(program: TileProgram, report: Report): void {
  const known = new Map<number, Known>()
  const stores = new Map<number, number>()
  const { operands, axes } = program

  const walk = (statements: readonly TileStatement[], open: readonly number[]): void => {
    for (const s of statements) {
      const problem = (message: string, help?: string): void => {
        const found: Problem = { code: 'TILE1050', message: `${program.name}: ${message}`, span: s.span, help }
        report(found)
      }
      const use = (id: number): Known => {
        const value = known.get(id)
        if (!value?.open.every((a) => open.includes(a))) {
          problem(`%${id} is used outside the loop that made it`)
          return fresh(open)
        }
        return value
      }
      const make = (id: number, from: readonly Known[] = []): void => {
        known.set(id, {
          open,
          spread: new Set(from.flatMap((v) => [...v.spread])),
          weights: new Set(from.flatMap((v) => [...v.weights])),
        })
      }
      const inScope = (at: readonly number[]): void => {
        for (const a of at) {
          if (!open.includes(a) && !program.grid.includes(a)) {
            problem(`an index along '${axes[a]!.kind}' is used outside its loop`)
          }
        }
      }
      const indices = (operand: number, at: readonly number[]): void => {
        const o = operands[operand]!
        inScope(at)
        if (o.kind === 'result') return
        const wanted = [...indexedBy[o.kind](o)].sort()
        const given = at.map((a) => axes[a]!.kind).sort()
        if (o.kind !== 'activation' && wanted.join() !== given.join()) {
          problem(`'${o.name}' is indexed by ${wanted.join(', ') || 'nothing'}, got ${given.join(', ') || 'nothing'}`)
        }
      }
      const accumulate = (acc: number, inputs: readonly number[]): void => {
        const target = use(acc)
        for (const a of open) if (!target.open.includes(a)) target.spread.add(axes[a]!.kind)
        for (const input of inputs) for (const w of use(input).weights) target.weights.add(w)
        for (const g of program.grid) if (gridJoins.has(axes[g]!.kind)) target.spread.add(axes[g]!.kind)
      }
      const rules: { readonly [K in TileStatement['kind']]: (s: Extract<TileStatement, { kind: K }>) => void } = {
        zeros: (z) => make(z.value),
        loop: (l) => walk(l.body, [...open, l.axis]),
        load: (l) => {
          indices(l.operand, l.at)
          make(l.value)
          known.get(l.value)!.weights.add(l.operand)
        },
        dequant: (d) => {
          const page = use(d.page)
          if ([...page.weights].some((w) => operands[w]!.kind !== 'weight'))
            problem('only a weight page can be dequantised')
          make(d.value, [page])
        },
        stage: (g) => {
          indices(g.operand, g.at)
          make(g.value)
        },
        mma: (m) => {
          use(m.staged)
          accumulate(m.acc, [m.fragment])
        },
        attend: (a) => {
          use(a.queries)
          accumulate(a.acc, [a.keys, a.values])
        },
        join: (j) => {
          const acc = use(j.acc)
          const over = joinsOver[j.over]
          if (!acc.spread.has(over)) {
            problem(
              `joined over ${j.over}, but the accumulator was spread over ${[...acc.spread].join(', ') || 'nothing'}`,
              'join over what the loop around its mma ran over',
            )
          }
          make(j.value, [acc])
        },
        pair: (p) => {
          const sum = use(p.sum)
          const plain = [...sum.weights].map((w) => operands[w]!).filter((o) => o.kind === 'weight' && !o.paired)
          if (plain.length > 0) {
            problem(
              `'${plain[0]!.name}' is not paired, so a tile has no halves`,
              'declare it as pairedMatrix or pairedExpertMatrix',
            )
          }
          make(p.low, [sum])
          make(p.high, [sum])
        },
        map: (m) => make(m.value, m.inputs.map(use)),
        store: (t) => {
          use(t.sum)
          indices(t.operand, t.at)
          if (open.length > 0) problem('a result is stored inside a loop', 'store after the loop, once a tile')
          stores.set(t.operand, (stores.get(t.operand) ?? 0) + 1)
          const missing = program.grid.filter((g) => !gridJoins.has(axes[g]!.kind) && !t.at.includes(g))
          if (missing.length > 0) {
            problem(
              `tiles differ along ${missing.map((g) => axes[g]!.kind).join(', ')}, but the result is stored at the same place`,
            )
          }
        },
      }
      const rule = rules[s.kind] as (s: TileStatement) => void
      rule(s)
    }
  }
  for (const axis of axes) {
    const step = steps[axis.kind]
    if ('tile' in axis && axis.tile !== step) {
      const message = `${program.name}: ${axis.kind} run in steps of ${step}, got ${axis.tile}`
      report({ code: 'TILE1050', message, span: currentSpan() })
    }
  }
  walk(program.body, [])
  operands.forEach((o, i) => {
    const count = stores.get(i) ?? 0
    if (o.kind === 'result' && count !== 1) {
      report({ code: 'TILE1050', message: `${program.name}: '${o.name}' is stored ${count} times instead of once` })
    }
  })
}

const fresh = (open: readonly number[]): Known => ({ open, spread: new Set(), weights: new Set() })
