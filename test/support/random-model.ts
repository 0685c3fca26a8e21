/**
 * Random small models with schedules that fit them: what property tests prove, compile and run.
 *
 * Vocabulary: a *block* is one residual branch of a layer (attention, dense or routed feed-forward, a chain of linears);
 * blocks of a layer run one after the other or side by side. A model has kinds of layers, and repeats them.
 * Invariants: equal seeds give equal models; every model is legal: dims that ranks split are multiples of what a rank's
 * tiles need, contractions are multiples of 32 on a rank, rotary parts multiples of 16. FP8 appears where its blocks of 128
 * are not cut by ranks.
 */
import { GraphBuilder } from '../../dsl/builder.ts'
import type { Graph } from '../../dsl/graph.ts'
import {
  add,
  attention,
  bf16,
  type Dim,
  dim,
  experts,
  f32,
  fp8Block128,
  linear,
  map,
  mxfp4,
  norm,
  parallelDim,
  rmsNorm,
  rope,
  route,
  rsqrt,
  scale,
  sigmoid,
  silu,
  slice,
  swiglu,
  type Tensor,
  type WeightFormat,
  weight,
} from '../../dsl/index.ts'
import { scheduleOf } from '../../dsl/schedule.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'

export interface RandomModel {
  readonly name: string
  readonly graph: Graph
  readonly schedule: Schedule
  readonly ranks: number
  readonly ctx: number
  /** For whoever makes weights. */
  readonly weightSeed: number
  /** What is in it, for the name of a failing test. */
  readonly summary: string
}

/** Uniform picks from a seed (mulberry32). */
export class Dice {
  #state: number
  constructor(seed: number) {
    this.#state = (seed * 0x9e3779b9) >>> 0
  }
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }
  pick<T>(from: readonly T[]): T {
    return from[this.int(0, from.length - 1)]!
  }
  chance(p: number): boolean {
    return this.next() < p
  }
}

type Hidden = Dim<'hidden', number>
type Block = (x: Tensor<[Hidden]>, name: string) => Tensor<[Hidden]>

export function randomModel(seed: number): RandomModel {
  const dice = new Dice(seed)
  const ranks = dice.pick([1, 1, 2, 2, 4, 8])
  const hidden: Hidden = dim('hidden', dice.pick([64, 96, 128, 128, 160, 256]))
  const m = new GraphBuilder(`random${seed}`, (problem) => {
    throw new Error(`seed ${seed}: ${problem.message}`)
  })
  const make = blocks(dice, hidden, ranks)
  const kinds = Array.from({ length: dice.int(1, 3) }, () => layerKind(m, dice, make))
  const pattern = Array.from({ length: dice.int(1, 4) }, () => dice.int(0, kinds.length - 1))

  const token = dim('token', dice.int(40, 90))
  let x = m.embed(weight('embed', [token, hidden], bf16)) as Tensor<[Hidden]>
  if (dice.chance(0.2)) x = scale(x, 0.5)
  pattern.forEach((kind, layer) => {
    x = m.scope(`layers.${layer}`, () => kinds[kind]!.build(x))
  })
  const vocabulary = parallelDim('vocabulary', ranks * 16 * dice.int(1, 4))
  const last = make.normed(x, 'final_norm')
  m.logits(linear(last as Tensor, weight('head', [vocabulary, hidden], dice.pick([bf16, f32])), { phase: 'head' }))
  return {
    name: `random${seed}`,
    graph: m.graph(),
    schedule: randomSchedule(dice),
    ranks,
    ctx: dice.pick([64, 128, 200]),
    weightSeed: dice.int(1, 2 ** 30),
    summary: `${ranks} ranks, hidden ${hidden.size}: ${pattern.map((k) => kinds[k]!.text).join(' | ')}`,
  }
}

/** Roles, ring and SMs that hold every model of `randomModel`. */
function randomSchedule(dice: Dice): Schedule {
  const compute = dice.pick([1, 2, 3, 4, 4, 8])
  const epilogue = dice.int(1, 3)
  return scheduleOf({
    roles: {
      load: { warps: 1, registers: 40 },
      compute: { warps: compute, registers: 168 },
      epilogue: { warps: epilogue, registers: 96 },
      communicate: { warps: dice.int(1, 3), registers: 96 },
    },
    ring: { name: 'weights', depth: dice.int(2, 4), pageBytes: 1024 * dice.pick([32, 34, 40]) },
    joinDepth: epilogue * dice.int(1, 3),
    sms: dice.pick([1, 2, 2, 3, 4, 7]),
    exchangeAs: dice.pick(['f32', 'bf16']),
  })
}

interface Makers {
  readonly normed: Block
  readonly attention: () => { readonly text: string; readonly block: Block }
  readonly dense: () => { readonly text: string; readonly block: Block }
  readonly experts: () => { readonly text: string; readonly block: Block }
  readonly chain: () => { readonly text: string; readonly block: Block }
}

function layerKind(
  m: GraphBuilder,
  dice: Dice,
  make: Makers,
): { readonly text: string; readonly build: (x: Tensor<[Hidden]>) => Tensor<[Hidden]> } {
  const makers = [make.attention, make.dense, make.experts, make.chain]
  const chosen = Array.from({ length: dice.int(1, 3) }, () => dice.pick(makers)())
  // At most one routing a layer: expert phases are told apart by their names.
  const parts = chosen.filter(
    (c, i) => !c.text.startsWith('experts') || chosen.findIndex((d) => d.text.startsWith('experts')) === i,
  )
  const sideBySide = parts.length > 1 && dice.chance(0.3)
  const stretch = dice.chance(0.2)
  return {
    text: parts.map((p) => p.text).join(sideBySide ? ' & ' : ' + '),
    build: (input) => {
      let x = input
      const branches: Tensor<[Hidden]>[] = []
      parts.forEach((part, i) => {
        const name = `part${i}`
        const y = m.scope(name, () => part.block(make.normed(sideBySide ? input : x, 'norm'), name))
        if (sideBySide) branches.push(y)
        else x = add(x, y)
      })
      for (const b of branches) x = add(x, b)
      return stretch ? map(x, (v) => v.mul(0.9)) : x
    },
  }
}

function blocks(dice: Dice, hidden: Hidden, ranks: number): Makers {
  const wide = hidden.size % 128 === 0
  const stored = (fp8Fits: boolean): WeightFormat =>
    dice.pick<WeightFormat>([bf16, bf16, f32, mxfp4, ...(fp8Fits && wide ? [fp8Block128] : [])])
  const named = (f: WeightFormat): string => (f.kind === 'plain' ? f.scalar : f.codes.name)
  const unusual = dice.chance(0.3)
  const normed: Block = (x, name) =>
    unusual
      ? norm(x, weight(name, [hidden], bf16), {
          stat: (v) => v.mul(v).mul(0.5),
          apply: (v, mean, gain) => v.mul(rsqrt(mean.add(1e-3))).mul(gain.add(1)),
        })
      : rmsNorm(x, weight(name, [hidden], bf16), 1e-5)

  const attend = () => {
    const kv = parallelDim('kv', ranks * dice.int(1, 2))
    const group = dim('group', dice.pick([1, 2, 4]))
    const qd = dim('qd', dice.pick([32, 48, 64]))
    const vd = dim('vd', dice.pick([32, 64]))
    const rotary = dice.pick([0, 16, 32])
    const window = dice.chance(0.5) ? dice.pick([16, 40, 128, 256]) : undefined
    const sink = dice.chance(0.4)
    const format = dice.pick([bf16, f32, mxfp4])
    const queries = group.size * qd.size
    const qkv = dim('qkv', queries + qd.size + vd.size)
    const turn = <D extends readonly Dim[]>(x: Tensor<D>): Tensor<D> =>
      rotary > 0 ? rope(x, { theta: 1e4, rotary }) : x
    const block: Block = (x) => {
      const all = linear(x as Tensor, weight('qkv_proj', [kv, qkv, hidden], format), { phase: 'qkv' }) as Tensor<
        [typeof kv, typeof qkv]
      >
      const q = turn(slice(all, 'qkv', 0, [group, qd]))
      const k = turn(slice(all, 'qkv', queries, [qd]))
      const v = slice(all, 'qkv', queries + qd.size, [vd])
      const mixed = attention(q as Tensor, k as Tensor, v as Tensor, {
        scale: qd.size ** -0.5,
        window,
        sink: sink ? weight('sink', [kv, group], bf16) : undefined,
        phase: 'attend',
      })
      return linear(mixed, weight('o_proj', [hidden, kv, group, vd], dice2(format)), { phase: 'o' }) as Tensor<[Hidden]>
    }
    const text = `attention ${kv.size}x${group.size} of ${qd.size}/${vd.size}${window === undefined ? '' : ` window ${window}`} ${named(format)}`
    return { text, block }
  }
  // A contraction over heads need not be a multiple of an MXFP4 block on every rank's side; BF16 always is legal.
  const dice2 = (format: WeightFormat): WeightFormat => (format.kind === 'plain' ? format : bf16)

  const dense = () => {
    const fp8 = dice.chance(0.4)
    const inner = parallelDim('inner', ranks * (fp8 ? 128 : 32 * dice.int(1, 3)))
    const format = stored(fp8)
    const relu2 = dice.chance(0.3)
    const block: Block = (x) =>
      swiglu(
        x,
        {
          gate: weight('gate', [inner, hidden], format),
          up: weight('up', [inner, hidden], format),
          down: weight('down', [hidden, inner], format),
        },
        relu2 ? { activation: (gate, up) => gate.mul(gate).mul(up) } : {},
      )
    return { text: `dense ${inner.size} ${named(format)}`, block }
  }

  const routed = () => {
    const expert = dim('expert', dice.pick([4, 6, 8, 16]))
    const inner = parallelDim('inner', ranks * 32 * dice.int(1, 2))
    const topK = dice.int(1, Math.min(4, expert.size))
    // All tiles of an expert must fit one page where there is one SM.
    const format = dice.pick<WeightFormat>([bf16, mxfp4, mxfp4, hidden.size <= 128 ? f32 : bf16])
    const biased = dice.chance(0.5)
    const normalise = dice.chance(0.5)
    const block: Block = (x) => {
      const logits = linear(x as Tensor, weight('router', [expert, hidden], f32), { phase: 'router' })
      const chosen = route(logits, {
        score: sigmoid,
        topK,
        normalise,
        epsilon: 1e-20,
        factor: 1.5,
        ...(biased && { bias: weight('bias', [expert], f32), choose: (score, bias) => score.add(bias) }),
      })
      return experts(x, chosen, {
        gate: weight('experts.gate', [expert, inner, hidden], format),
        up: weight('experts.up', [expert, inner, hidden], format),
        down: weight('experts.down', [expert, hidden, inner], format),
      })
    }
    return { text: `experts ${topK} of ${expert.size} x ${inner.size} ${named(format)}`, block }
  }

  const chain = () => {
    const widths = Array.from({ length: dice.int(0, 2) }, (_, i) =>
      parallelDim(`wide${i}`, ranks * 32 * dice.int(1, 3)),
    )
    const formats = [...widths, hidden].map(() => dice.pick([bf16, f32]))
    const block: Block = (x) => {
      // Only the first of a chain is cut over ranks: the next one sums over all.
      const [first] = widths
      const y = first
        ? silu(linear(x as Tensor, weight('in', [first, hidden], formats[0]!), { phase: 'in' }))
        : (x as Tensor)
      const from = first ?? hidden
      return linear(y, weight('out', [dim('hidden', hidden.size), from], formats.at(-1)!), {
        phase: 'out',
      }) as Tensor<[Hidden]>
    }
    return { text: `chain ${widths.length > 0 ? widths[0]!.size : 'straight'}`, block }
  }
  return { normed, attention: attend, dense, experts: routed, chain }
}
