/**
 * Random models: accepted ones are proved, built with race checks, run under a shuffled order of events, and equal to the
 * reference within what BF16 costs; others are refused with a code.
 *
 *   npm run campaign:models -- [--from 0] [--count 1000] [--jobs 2]
 *
 * Verdicts: equal; refused TILEnnnn; bad are: differs (logits), variant (a row's bits depend on the rows beside it),
 * unproved, fault (the engine stopped by name), failed (anything that has no code).
 * Prompts are chosen so that no router is close to a tie: there rounding decides, in any engine (docs/verification.md). How
 * far rounding moves anything is seen from several roundings: to BF16, and by as much at random.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DiagnosticError, Session } from '../../compiler/diagnostics/diagnostic.ts'
import { bf16Reference, roundedReference } from '../../compiler/reference/bf16.ts'
import { createReference, type Reference, type Step } from '../../compiler/reference/reference.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { evaluateExpr } from '../../dsl/expr.ts'
import type { Graph, NodeOf } from '../../dsl/graph.ts'
import { buildForHost, compileForHost } from '../support/host-engine.ts'
import { type SyntheticParams, syntheticParams } from '../support/synthetic-params.ts'
import { campaign, options, type Result } from './campaign.ts'
import { Dice, randomSample, type Sample } from './random-model.ts'

/** Deadlock, race, mismatch of counts: what the proof says of order. */
const ordering = /^TILE210[1-8]/
/** What a schedule or a size may be refused for; TILE6002: rows of a tile that use two rows of a scale grid. */
const refusals = /^TILE(2|3|6002)/

export type Verdict = Omit<Result, 'key'>

/** `discard`: its engine is not kept; a campaign builds thousands. */
export async function tryModel(number: number, discard = false): Promise<Verdict> {
  let about = ''
  try {
    const sample = randomSample(number)
    about = sample.about
    return await trySample(sample, discard)
  } catch (error) {
    if (!(error instanceof DiagnosticError))
      return { verdict: 'failed', detail: `${error instanceof Error ? error.stack : String(error)}\n  ${about}` }
    const told = error.diagnostics.map((d) => [d.message, ...d.notes.map((n) => `  ${n.message}`)].join('\n'))
    const detail = `${told.join('\n')}\n  ${about}`
    const codes = [...new Set(error.diagnostics.map((d) => d.code))].sort()
    if (codes.includes('TILE6011')) return { verdict: 'fault', detail }
    // A proof that finds no order refuses the compiler's own work: these plans are meant to be right.
    if (codes.some((c) => ordering.test(c))) return { verdict: 'unproved', detail }
    return { verdict: codes.every((c) => refusals.test(c)) ? `refused ${codes.join(' ')}` : 'failed', detail }
  }
}

async function trySample(s: Sample, discard: boolean): Promise<Verdict> {
  const { plan } = compileForHost(s)
  const session = new Session()
  provePlan(plan, { session, schedule: s.schedule })
  session.throwIfFailed()
  const synthetic = syntheticParams(s.graph, s.number)
  const prompt = settledPrompt(s, synthetic)
  if (!prompt) return { verdict: 'unsettled', detail: s.about }
  const built = await buildForHost({ ...s, check: true, sources: synthetic.source })
  try {
    const running = await built.start({ seed: 1 + (s.number % 1000) })
    try {
      const got = await running.logits(prompt.tokens)
      // The same rows, in blocks that begin and end elsewhere.
      const cut = Math.max(1, prompt.tokens.length - 3)
      const again = await running.logits(prompt.tokens.slice(0, cut))
      const variant = again.findIndex((row, i) => !sameBits(row, got[i]!))
      if (variant >= 0) return { verdict: 'variant', detail: `position ${variant}\n  ${s.about}` }
      return compare(prompt, got, s)
    } finally {
      await running.close()
    }
  } finally {
    if (discard) rmSync(dirname(built.executable), { recursive: true, force: true })
  }
}

interface Prompt {
  readonly tokens: readonly number[]
  readonly want: readonly Float64Array[]
  /** Of each row, what each rounding made of it. */
  readonly rounded: readonly (readonly Float64Array[])[]
}

/** Picks tokens one by one so that no row is close to another choice of experts; undefined when none can be found. */
function settledPrompt(s: Sample, { params }: SyntheticParams): Prompt | undefined {
  const d = new Dice(s.number + 7)
  const plain = createReference(s.graph, params, { ctx: s.ctx })
  const rounded = [
    bf16Reference(s.graph, params, s.ctx),
    ...[1, 2, 3].map((number) => {
      const noise = new Dice(number)
      return roundedReference(s.graph, params, s.ctx, (v) => v * (1 + (2 * noise.unit() - 1) * 2 ** -8))
    }),
  ]
  const tokens: number[] = []
  const out = { tokens, want: [] as Float64Array[], rounded: [] as Float64Array[][] }
  for (let position = 0; position < s.length; position++) {
    const found = nextSettled(plain, rounded, s.graph, params, position, d)
    if (!found) return undefined
    tokens.push(found.token)
    out.want.push(found.want)
    out.rounded.push(found.rounded)
  }
  return out
}

function nextSettled(
  plain: Reference,
  rounded: readonly Reference[],
  graph: Graph,
  params: SyntheticParams['params'],
  position: number,
  d: Dice,
): { token: number; want: Float64Array; rounded: Float64Array[] } | undefined {
  for (let attempt = 0; attempt < 60; attempt++) {
    const token = d.int(0, plain.valid - 1)
    const a = plain.step([{ token, position }])
    const others = rounded.map((r) => r.step([{ token, position }]))
    const routes = graph.nodes.filter((n): n is NodeOf<'route'> => n.op === 'route')
    const same = (n: NodeOf<'route'>, b: Step) => a.choices(n.id).every((e, i) => b.choices(n.id)[i] === e)
    if (routes.every((n) => others.every((b) => settled(n, a, b, params) && same(n, b))))
      return { token, want: a.logits[0]!, rounded: others.map((b) => b.logits[0]!) }
  }
  return undefined
}

/** Whether the last expert chosen beats the first one left out by far more than rounding moves any choice. */
function settled(node: NodeOf<'route'>, plain: Step, rounded: Step, params: SyntheticParams['params']): boolean {
  const bias = node.bias === undefined ? undefined : params.dense(node.bias)
  const choices = (step: Step): number[] =>
    Array.from(step.value(node.inputs[0]!), (z, e) =>
      evaluateExpr(node.choose, [evaluateExpr(node.score, [z]), bias?.[e] ?? 0]),
    )
  const [a, b] = [choices(plain), choices(rounded)]
  if (a.length === node.topK) return true
  const moved = a.reduce((m, v, e) => Math.max(m, Math.abs(v - b[e]!)), 0)
  const order = [...a].sort((x, y) => y - x)
  const mean = a.reduce((x, y) => x + y, 0) / a.length
  const deviation = Math.sqrt(a.reduce((x, y) => x + (y - mean) ** 2, 0) / a.length)
  return order[node.topK - 1]! - order[node.topK]! > Math.max(4 * moved, 0.04 * deviation)
}

const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength))

/** No row may be further off than a few times what the worst row of any rounding is. */
function compare(prompt: Prompt, got: readonly Float32Array[], s: Sample): Verdict {
  const peak = Math.max(...prompt.want.map((row) => row.reduce((m, v) => Math.max(m, Math.abs(v)), 0)))
  const error = (row: Float64Array, other: Float64Array | Float32Array): number =>
    row.reduce((m, v, i) => Math.max(m, Number.isFinite(other[i]!) ? Math.abs(v - other[i]!) : Infinity), 0) / peak
  const engine = prompt.want.map((row, i) => error(row, got[i]!))
  const bf16 = Math.max(...prompt.want.map((row, i) => Math.max(...prompt.rounded[i]!.map((r) => error(row, r)))))
  const exchange = s.ranks > 1 && s.schedule.exchangeAs?.value === 'bf16' ? 0.02 : 0.005
  const most = 3 * bf16 + exchange
  const worst = Math.max(...engine)
  const figures = `error ${worst.toExponential(2)} of ${most.toExponential(2)}, bf16 ${bf16.toExponential(2)}`
  if (worst <= most) return { verdict: 'equal', detail: figures }
  const wrong = engine.flatMap((e, i) => (e > most ? [i] : []))
  return { verdict: 'differs', detail: `${figures}, positions ${wrong.slice(0, 20)} of ${got.length}\n  ${s.about}` }
}

const bad = (verdict: string): boolean =>
  verdict !== 'equal' && verdict !== 'unsettled' && !verdict.startsWith('refused')

if (import.meta.filename === process.argv[1]) {
  const o = options({ from: 0, count: 1000, jobs: 2 })
  process.env.TILEC_CACHE = mkdtempSync(join(tmpdir(), 'tilec-models-'))
  process.env.CXXFLAGS ??= '-Og'
  try {
    const numbers = Array.from({ length: o.count }, (_, i) => o.from + i)
    await campaign('models', numbers, {
      ...o,
      state: '1',
      key: (n) => `model ${n}`,
      run: (n) => tryModel(n, true),
      bad,
    })
  } finally {
    rmSync(process.env.TILEC_CACHE, { recursive: true, force: true })
  }
}
