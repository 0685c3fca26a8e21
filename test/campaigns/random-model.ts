/**
 * Random small models and schedules, from a number: what the compiler has to take, or to refuse with a code.
 *
 * Vocabulary: a *sample* is a graph, a schedule, a number of ranks and SMs, and prompts to try it on; `about` tells what it is
 * made of. Sizes are small and odd on purpose: rows that fill no tile, vocabularies of no round number, one expert more
 * than a power of two, more SMs than tiles. Numbers from LATER on also have `fuse` and `prefetch` clauses, and KV heads that
 * ranks share; what lower numbers mean stays as it was when campaigns ran them. Numbers from TWO_SHOTS on are the samples again,
 * their sums over ranks in two shots.
 * Invariant: a sample depends on its number alone.
 */
import type { GraphBuilder } from '../../dsl/builder.ts'
import type { Graph } from '../../dsl/graph.ts'
import {
  add,
  attention,
  bf16,
  combine,
  type Dim,
  defineModel,
  dim,
  type Expr,
  exp,
  expertLinear,
  experts,
  f32,
  fp8Block128,
  linear,
  map,
  mxfp4,
  norm,
  parallelDim,
  relu,
  rmsNorm,
  rope,
  route,
  type Schedule,
  scale,
  scheduleOf,
  selectLess,
  sigmoid,
  siluGate,
  slice,
  swiglu,
  type Tensor,
  tanh,
  type WeightFormat,
  weight,
} from '../../dsl/index.ts'
import type { Problem } from '../../dsl/problem.ts'

const LATER = 10_000
const TWO_SHOTS = 20_000

export interface Sample {
  readonly number: number
  readonly about: string
  readonly graph: Graph
  readonly schedule: Schedule
  readonly ranks: number
  readonly ctx: number
  /** Tokens of the prompt. */
  readonly length: number
}

type Hidden = Dim<'hidden', number>
type Rows = Tensor<[Hidden]>

/** mulberry32, and choices made with it. */
export class Dice {
  private state: number
  constructor(seed: number) {
    this.state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) >>> 0
  }
  unit(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  /** Whole, both ends included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.unit() * (to - from + 1))
  }
  chance(p: number): boolean {
    return this.unit() < p
  }
  of<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)]!
  }
}

const formats: readonly WeightFormat[] = [f32, bf16, fp8Block128, mxfp4]
const short = (f: WeightFormat) => (f.kind === 'plain' ? f.scalar : f.codes.name)

type Unary = readonly [name: string, fn: (x: Expr) => Expr]
const unaries: readonly Unary[] = [
  ['silu', (x) => x.mul(sigmoid(x))],
  ['relu2', (x) => relu(x).mul(relu(x))],
  ['tanh', (x) => tanh(x)],
  ['leaky', (x) => selectLess(x, 0, x.mul(0.1), x)],
  ['clip', (x) => x.min(2).max(-2)],
]
type Gate = readonly [name: string, fn: (gate: Expr, up: Expr) => Expr]
const gates: readonly Gate[] = [
  ['silu', siluGate],
  ['relu', (g, u) => relu(g).mul(u)],
  ['tanh', (g, u) => tanh(g).mul(u.add(1))],
  [
    'clipped',
    (g, u) =>
      g
        .min(3)
        .mul(sigmoid(g.mul(1.7)))
        .mul(u.max(-3).min(3)),
  ],
]
type Norm = readonly [name: string, fn: (x: Rows, name: string, hidden: Hidden) => Rows]
const gain = (name: string, hidden: Hidden) => weight(name, [hidden], bf16)
const norms: readonly Norm[] = [
  ['rms', (x, name, h) => rmsNorm(x, gain(name, h), 1e-5)],
  [
    'meanAbs',
    (x, name, h) =>
      norm(x, gain(name, h), { stat: (v) => v.max(v.mul(-1)), apply: (v, mean, w) => v.div(mean.add(1e-3)).mul(w) }),
  ],
  [
    'centred',
    (x, name, h) => norm(x, gain(name, h), { stat: (v) => v, apply: (v, mean, w) => tanh(v.sub(mean)).mul(w) }),
  ],
]
const scores: readonly Unary[] = [
  ['sigmoid', sigmoid],
  // Bounded: past 88 it is no number in float, which engines compute with, while the reference goes on.
  ['exp', (x) => exp(x.min(40))],
  ['softplusish', (x) => relu(x).add(0.1)],
]

class Author {
  readonly notes: string[] = []
  readonly hidden: Hidden
  constructor(
    private readonly m: GraphBuilder,
    private readonly d: Dice,
    private readonly ranks: number,
    private readonly later: boolean,
  ) {
    this.hidden = dim('hidden', 32 * d.int(1, 6))
  }

  private note(text: string): void {
    this.notes.push(text)
  }
  private format(...allowed: readonly WeightFormat[]): WeightFormat {
    return this.d.of(allowed.length > 0 ? allowed : formats)
  }

  model(): void {
    const { m, d, hidden, ranks, later } = this
    const size = d.chance(0.3) ? ranks * d.int(11, 60) : ranks * 16 * d.int(1, 6)
    const vocabulary = parallelDim('vocabulary', size)
    this.note(`hidden ${hidden.size}, vocabulary ${size}`)
    let x: Rows = m.embed(weight('embed', [dim('token', size), hidden], bf16))
    if (d.chance(0.25)) {
      x = scale(x, 2)
      this.note('scaled embedding')
    }
    const kinds = d.int(1, 2)
    const seeds = Array.from({ length: kinds }, () => d.int(0, 1 << 20))
    const layers = d.int(1, 4)
    for (let l = 0; l < layers; l++) {
      // Layers of one kind are built from the same dice, as in a real model.
      const seed = seeds[l % kinds]!
      m.scope(`layers.${l}`, () => {
        x = new Layer(
          m,
          new Dice(seed),
          ranks,
          later,
          hidden,
          l < kinds ? (t) => this.note(`kind ${l}: ${t}`) : () => {},
        ).run(x)
        if (d.chance(0.1)) m.tap(l, x)
      })
    }
    const head = weight('head', [vocabulary, hidden], this.format())
    this.note(`${layers} layers, head ${short(head.format)}`)
    let out: Tensor<[typeof vocabulary]> = linear(d.of(norms)[1](x, 'final', hidden), head, { phase: 'head' })
    if (d.chance(0.25)) {
      out = map(out, (v) => tanh(v.div(5)).mul(5))
      this.note('capped logits')
    }
    m.logits(out, d.chance(0.3) ? { valid: d.int(Math.ceil(size / 2), size) } : {})
  }
}

class Layer {
  constructor(
    private readonly m: GraphBuilder,
    private readonly d: Dice,
    private readonly ranks: number,
    private readonly later: boolean,
    private readonly hidden: Hidden,
    private readonly note: (text: string) => void,
  ) {}

  run(x: Rows): Rows {
    const { d, m, hidden } = this
    let y = x
    const normed = (v: Rows, name: string): Rows => {
      const [kind, fn] = d.of(norms)
      if (d.chance(0.1)) return v
      this.note(kind)
      return fn(v, name, hidden)
    }
    if (!d.chance(0.1)) {
      const h = normed(y, 'attention_norm')
      y = add(
        y,
        m.scope('attention', () => this.attend(h)),
      )
    }
    const g = normed(y, 'mlp_norm')
    const moe = d.chance(0.6)
    const mixed = m.scope('mlp', () => (moe ? this.experts(g) : this.dense(g, 'dense')))
    if (d.chance(0.2)) {
      this.note('scaled residual')
      return map(y, mixed, (a, b) => a.mul(0.9).add(b.mul(0.5)))
    }
    return add(y, mixed)
  }

  private attend(h: Rows): Rows {
    const { d, ranks, hidden } = this
    const shares = this.later && ranks > 1 && d.chance(0.5)
    const kv = parallelDim('kv', shares ? ranks / 2 : ranks * d.int(1, 2))
    const group = dim('group', shares ? 2 * d.int(1, 2) : d.int(1, 3))
    const qd = dim('qd', 16 * d.int(1, 4))
    // A rank contracts over all its heads' values in units of 32; now and then the compiler has to refuse.
    const even = ((kv.size * group.size) / ranks) * 16
    const vd = dim('vd', d.chance(0.95) && even % 32 !== 0 ? 32 * d.int(1, 2) : 16 * d.int(1, 3))
    const stored = d.of(formats)
    const rotary = d.chance(0.03) ? 8 : d.of([0, 16, 32, 48, 64].filter((r) => r <= qd.size))
    const window = d.chance(0.5) ? (d.chance(0.2) ? d.int(185, 260) : d.int(1, 184)) : undefined
    const sink = d.chance(0.4) ? weight('sink', [kv, group], d.of([bf16, f32])) : undefined
    const turned = <T extends readonly Dim[]>(t: Tensor<T>): Tensor<T> =>
      rotary > 0 ? rope(t, { theta: 1000, rotary }) : t
    const fused = d.chance(0.6)
    this.note(
      `${fused ? 'fused' : 'split'} ${short(stored)} kv ${kv.size} group ${group.size} qd ${qd.size} vd ${vd.size} rotary ${rotary}${window ? ` window ${window}` : ''}${sink ? ' sink' : ''}`,
    )
    const valueScale = d.chance(0.5) ? 0.7 : 1
    const make = () => {
      if (!fused) {
        const q = linear(h, weight('q', [kv, group, qd, hidden], stored), { phase: 'q' })
        const k = linear(h, weight('k', [kv, qd, hidden], d.of(formats)), { phase: 'k' })
        const v = linear(h, weight('v', [kv, vd, hidden], d.of(formats)), { phase: 'v' })
        return { q: turned(q), k: turned(k), v: valueScale === 1 ? v : scale(v, valueScale) }
      }
      const queries = group.size * qd.size
      const qkv = dim('qkv', queries + qd.size + vd.size)
      const all = linear(h, weight('qkv', [kv, qkv, hidden], stored), { phase: 'qkv' })
      const v = slice(all, 'qkv', queries + qd.size, [vd])
      return {
        q: turned(slice(all, 'qkv', 0, [group, qd])),
        k: turned(slice(all, 'qkv', queries, [qd])),
        v: valueScale === 1 ? v : scale(v, valueScale),
      }
    }
    const { q, k, v } = make()
    const mixed = attention(q, k, v, { scale: qd.size ** -0.5, window, sink, phase: 'attend' })
    return linear(mixed, weight('o', [hidden, kv, group, vd], d.of(formats)), { phase: 'o' })
  }

  private dense(h: Rows, phase: string): Rows {
    const { d, ranks, hidden } = this
    const inter = parallelDim(`${phase}Inter`, ranks * 32 * d.int(1, 3))
    const stored = d.of(formats)
    if (d.chance(0.3)) {
      const [name, fn] = d.of(unaries)
      this.note(`${phase} unpaired ${name} ${short(stored)} ${inter.size}`)
      const inner = map(linear(h, weight(`${phase}_up`, [inter, hidden], stored), { phase: `${phase}.up` }), fn)
      return linear(inner, weight(`${phase}_down`, [hidden, inter], d.of(formats)), { phase: `${phase}.down` })
    }
    const [name, activation] = d.of(gates)
    this.note(`${phase} ${name} ${short(stored)} ${inter.size}`)
    const w = {
      gate: weight(`${phase}_gate`, [inter, hidden], stored),
      up: weight(`${phase}_up`, [inter, hidden], stored),
      down: weight(`${phase}_down`, [hidden, inter], d.of(formats)),
    }
    return swiglu(h, w, { phase, activation })
  }

  private experts(h: Rows): Rows {
    const { d, ranks, hidden } = this
    const expert = dim('expert', d.int(2, 20))
    const inter = parallelDim('inter', ranks * 32 * d.int(1, 3))
    const topK = d.int(1, Math.min(4, expert.size))
    const [scoreName, score] = d.of(scores)
    const bias = d.chance(0.5) ? weight('bias', [expert], f32) : undefined
    // Exponentials that are not divided by their sum span decades, and rounding with them.
    const normalise = d.chance(0.7) || scoreName === 'exp'
    const logits = linear(h, weight('router', [expert, hidden], d.of([f32, bf16])), { phase: 'router' })
    const chosen = route(logits, {
      score,
      ...(bias && { bias, choose: (s: Expr, b: Expr) => s.add(b) }),
      topK,
      normalise,
      epsilon: 1e-9,
      factor: d.of([1, 2.5]),
    })
    const stored = d.of(formats)
    this.note(
      `${expert.size} experts ${short(stored)} top ${topK} of ${scoreName}${bias ? ' biased' : ''} inter ${inter.size}`,
    )
    const down = weight('down', [expert, hidden, inter], d.of(formats))
    const routed = () => {
      if (d.chance(0.35)) {
        const [name, fn] = d.of(unaries)
        this.note(`unpaired ${name}`)
        const up = expertLinear(h, chosen, weight('up', [expert, inter, hidden], stored), { phase: 'expert.up' })
        return combine(expertLinear(map(up, fn), chosen, down, { phase: 'expert.down' }), chosen) as Rows
      }
      const [name, activation] = d.of(gates)
      this.note(`gate ${name}`)
      const gate = weight('gate', [expert, inter, hidden], stored)
      return experts(h, chosen, { gate, up: weight('up', [expert, inter, hidden], stored), down }, { activation })
    }
    const mixed = routed()
    if (!d.chance(0.25)) return mixed
    this.note('shared expert')
    return add(mixed, this.dense(h, 'shared'))
  }
}

export function randomSample(number: number): Sample {
  if (number >= TWO_SHOTS) {
    const { about, schedule, ...sample } = randomSample(number - TWO_SHOTS)
    return { ...sample, number, about: `two shots, ${about}`, schedule: { ...schedule, shots: { value: 2 } } }
  }
  const d = new Dice(number)
  const ranks = d.of([1, 1, 1, 2, 2, 4])
  const problems: Problem[] = []
  const notes: string[] = []
  const model = defineModel('sample', { safeParse: (data) => ({ success: true, data }) }, (m) => {
    const author = new Author(m, d, ranks, number >= LATER)
    author.model()
    notes.push(...author.notes)
  })
  const graph = model.build({}, (p) => problems.push(p))
  if (problems.length > 0) throw new Error(`sample ${number}: ${problems.map((p) => p.message).join('; ')}`)
  const drawn = number < LATER ? randomSchedule(d, graph) : withClauses(randomSchedule(d, graph), d, graph, notes)
  const schedule: Schedule = number % 12 === 11 ? { ...drawn, exchangeAs: { value: 'exact' } } : drawn
  const { roles, ring, joinDepth, sms, exchangeAs } = schedule
  const about = `ranks ${ranks}, sms ${sms!.value}, ${roles.map((r) => `${r.name} ${r.warps}`).join(' ')}, ring ${ring!.depth} x ${ring!.pageBytes}, join ${joinDepth?.value ?? '-'}, ${exchangeAs?.value ?? '-'}; ${notes.join('; ')}`
  // Past one span of keys now and then, and past the ring of a window.
  const length = d.of([5, 9, 17, 31, 70, 70, 150, 230])
  return { number, about, graph, schedule, ranks, ctx: length + 16, length }
}

/** Clauses about phases that there are; what cannot be done is refused with a code. */
function withClauses(schedule: Schedule, d: Dice, graph: Graph, notes: string[]): Schedule {
  const names = [...new Set(graph.nodes.flatMap((n) => (n.phase && n.op === 'linear' ? [n.phase] : [])))]
  // What attention reads can hardly run apart, so that most clauses about it are refused.
  const fusions = names.flatMap((name) => {
    const value = d.chance(0.9) ? 'nothing' : d.of(['norm', 'map', 'rope'])
    return d.chance(/^(qkv|q|k|v)$/.test(name) ? 0.05 : 0.4) ? [{ what: [{ value }], into: [{ value: name }] }] : []
  })
  const prefetches = d.chance(0.5)
    ? [{ phase: { value: d.of(names) }, what: { value: `next.${d.of(names)}` }, into: 'l2' as const }]
    : []
  for (const f of fusions) notes.push(`fuse ${f.what[0]!.value} -> ${f.into[0]!.value}`)
  for (const p of prefetches) notes.push(`while ${p.phase.value} prefetch ${p.what.value}`)
  return { ...schedule, fusions, prefetches }
}

function randomSchedule(d: Dice, graph: Graph): Schedule {
  const phases: Record<string, { split?: { by: 'k'; parts: number }; group?: number }> = {}
  const names = new Set(graph.nodes.flatMap((n) => (n.phase && n.op === 'linear' ? [n.phase] : [])))
  for (const name of names) if (d.chance(0.3)) phases[name] = { split: { by: 'k', parts: d.int(1, 8) } }
  if (graph.nodes.some((n) => n.phase === 'expert.down') && d.chance(0.3))
    phases['expert.down'] = { group: d.int(1, 3) }
  const epilogue = d.int(1, 3)
  return scheduleOf({
    roles: {
      load: { warps: 1 },
      compute: { warps: d.int(1, 8) },
      epilogue: { warps: epilogue },
      communicate: { warps: d.int(1, 3) },
    },
    ring: { name: 'weights', depth: d.int(2, 5), pageBytes: 1024 * d.of([20, 24, 32, 40]) },
    ...(d.chance(0.5) && { joinDepth: epilogue * d.int(1, 3) }),
    phases,
    exchangeAs: d.of(['f32', 'f32', 'bf16'] as const),
    sms: d.int(1, 5),
  })
}
