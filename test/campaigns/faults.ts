/**
 * Faults while an engine generates: nano on several ranks is killed, stopped, and stalled on purpose on one rank, each in a life
 * of its own. Every fault is reported in bounded time, leaves no process behind, and the next request is answered as ever.
 *
 *   npm run campaign:faults -- [--ranks 2] [--from 0] [--count 34] [--tokens 300] [--stops 1]
 *
 * On GPUs: TILEC_TEST_TARGET=sm_90a. TILEC_ENGINE_FOLDER names what tilec compile -o wrote for so many ranks, for machines
 * without a compiler.
 *
 * A case is an engine that meets all three (with --stops 0 no stop), in a seeded order, at seeded tokens, plain or drafted. Verdicts: reported; bad
 * are: late, unnamed (another code, or no place), alive (the process is still there), answer (another text), missed (the
 * request went through). A stall is in no reach of the lives before and after it: rounds count from a life's beginning.
 */
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import { engineIn, readEngineRecord } from '../../runtime/build/engine-folder.ts'
import { type EngineOptions, type RunningEngine, startEngine } from '../../runtime/engine/engine.ts'
import { writeLoadPlan } from '../../runtime/engine/load-plan.ts'
import { hashU32 } from '../../runtime/engine/synthetic.ts'
import type { EngineRequest } from '../../runtime/engine/wire.ts'
import { buildModel } from '../../runtime/session/build-model.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import { resolveModel } from '../../runtime/session/resolve-model.ts'
import { ctx, target } from '../support/run-nano.ts'
import { campaign, options } from './campaign.ts'

const kinds = ['kill', 'stop', 'stall'] as const
type Kind = (typeof kinds)[number]

/** What an engine is told to wait, and how long it may say nothing; a stalled rank says nothing until its deadline. */
const deadlineMs = 1000
const silenceMs = 2000
/** What comes on top until a fault must have been reported. */
const graceMs = 2000
const limits: Readonly<Record<Kind, number>> = { kill: graceMs, stop: silenceMs + graceMs, stall: deadlineMs + graceMs }

/** What a report must say. Of a stall: the phase and role that waited, for what, and the rank that it waited for or on. */
const report = (kind: Kind, rank: number): RegExp =>
  kind === 'kill'
    ? /TILE6010.*SIGKILL/
    : kind === 'stop'
      ? /TILE6012.*(has said nothing|has not moved)/
      : new RegExp(
          `TILE6011.*at '[\\w.]+/\\w+ [^']*': waited for (packets of tile \\d+ from rank ${rank} |.* \\(rank ${rank}, ).*round [1-9]`,
        )

export interface Injected {
  readonly kind: Kind
  readonly verdict: string
  readonly ms: number
  readonly said: string
}

interface Calm {
  readonly text: string
  /** Rounds that the short request takes, and the long one after it. */
  readonly short: number
  readonly long: number
}

export class FaultRunner {
  private constructor(
    private readonly engine: EngineOptions,
    private readonly requests: { readonly short: EngineRequest; readonly long: EngineRequest },
    private readonly block: number,
    private readonly calm: readonly Calm[],
    readonly ranks: number,
  ) {}

  static async of(ranks: number, tokens: number): Promise<FaultRunner> {
    const folder = process.env.TILEC_ENGINE_FOLDER
    const record = folder === undefined ? undefined : readEngineRecord(folder)
    const resolved = resolveModel({ model: 'nano' })
    const { model, drafter, checkpoint, tokenizer } = resolved
    const [positions, builtFor] = [record?.ctx ?? ctx, record?.target ?? target]
    const compiled = compileModel(resolved, { target: builtFor, gpus: ranks, ctx: positions, proved: record?.proof })
    const stored = [
      ...model.bindings.map((binding) => [binding, checkpoint!.tensors] as const),
      ...drafter!.bindings.map((binding) => [binding, drafter!.checkpoint!.tensors] as const),
    ]
    const places = new Map(stored.map(([binding, tensors]) => [binding.param, { binding, tensors }] as const))
    const engine = {
      executable:
        folder === undefined
          ? (await buildModel(compiled, builtFor, {})).executable
          : engineIn(folder, record!, 'plain', compiled.source),
      loadPlan: writeLoadPlan(compiled.manifest, (param) => ({ kind: 'stored', ...places.get(param)! })),
      ...{ ctx: positions, vocabulary: tokenizer!.size, silenceMs },
    }
    const prompt = tokenizer!.encode('export function add(a: number, b: number): number {\n', 'text')
    const requests = { short: { prompt, maxNewTokens: 24 }, long: { prompt, maxNewTokens: tokens } }
    const block = drafter!.built.block.rows
    const calm: Calm[] = []
    for (const drafts of [false, true]) {
      const running = await startEngine(engine)
      const short = await answer(running, drafted(requests.short, drafts, block))
      const long = await answer(running, drafted(requests.long, drafts, block))
      await running.close()
      calm.push({ text: short.text, short: short.rounds, long: long.rounds - short.rounds })
    }
    return new FaultRunner(engine, requests, block, calm, ranks)
  }

  async try(seed: number, met: readonly Kind[] = kinds): Promise<readonly Injected[]> {
    const random = (key: number, count: number): number => hashU32(seed, key, 0x6661) % count
    const drafts = random(0, 2) === 1
    const { text, short, long } = this.calm[drafts ? 1 : 0]!
    const of = (request: EngineRequest) => drafted(request, drafts, this.block)
    // In the second half of the long request; whoever kills or stops does so in its first quarter.
    const round = short + Math.ceil(long / 2) + random(1, Math.floor(long / 2) - 2)
    const stalled = random(2, this.ranks)
    const order = [...met].sort((a, b) => random(kinds.indexOf(a) + 3, 1000) - random(kinds.indexOf(b) + 3, 1000))
    const args = ['--deadline-ms', `${deadlineMs}`, '--stall', `${stalled}:${round}`]
    const engine = await startEngine({ ...this.engine, args })
    const found: Injected[] = []
    try {
      if ((await answer(engine, of(this.requests.short))).text !== text)
        return [{ kind: order[0]!, verdict: 'answer', ms: 0, said: 'before any fault' }]
      for (const kind of order) {
        const token = 2 + random(kinds.indexOf(kind) + 6, Math.floor(this.requests.long.maxNewTokens / 4))
        const fault = await inject(engine, of(this.requests.long), kind, token, report(kind, stalled))
        const next = await answer(engine, of(this.requests.short))
        found.push(next.text === text ? fault : { ...fault, verdict: 'answer' })
      }
      return found
    } finally {
      await engine.close()
    }
  }
}

const drafted = (request: EngineRequest, drafts: boolean, block: number): EngineRequest =>
  drafts ? { ...request, draft: { rows: block, block } } : request

/** The ids of a request's tokens, and the last round that brought some. */
async function answer(engine: RunningEngine, request: EngineRequest, onToken: (count: number) => void = () => {}) {
  const ids: number[] = []
  let rounds = 0
  for await (const event of engine.generate(request)) {
    if (event.type !== 'token') continue
    ids.push(event.token)
    rounds = event.round
    onToken(ids.length)
  }
  return { text: ids.join(' '), rounds }
}

async function inject(
  engine: RunningEngine,
  request: EngineRequest,
  kind: Kind,
  token: number,
  named: RegExp,
): Promise<Injected> {
  const pid = engine.pid!
  let since = performance.now()
  const said = await answer(engine, request, (count) => {
    // A stall comes by itself: it cannot have begun before the last token.
    if (kind === 'stall' || count === token) since = performance.now()
    if (kind !== 'stall' && count === token) process.kill(pid, kind === 'kill' ? 'SIGKILL' : 'SIGSTOP')
  }).then(
    () => undefined,
    (error: unknown) => (error instanceof DiagnosticError ? error.message : String(error)),
  )
  const ms = Math.round(performance.now() - since)
  const verdict =
    said === undefined
      ? 'missed'
      : !named.test(said)
        ? 'unnamed'
        : ms > limits[kind]
          ? 'late'
          : alive(pid)
            ? 'alive'
            : 'reported'
  return { kind, verdict, ms, said: (said ?? '').split('\n')[0]! }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

if (import.meta.filename === process.argv[1]) {
  const o = options({ ranks: 2, from: 0, count: 34, tokens: 300, stops: 1 })
  const runner = await FaultRunner.of(o.ranks, o.tokens)
  const met = kinds.filter((kind) => kind !== 'stop' || o.stops > 0)
  const numbers = Array.from({ length: o.count }, (_, i) => o.from + i)
  const results = await campaign('faults', numbers, {
    ...{ jobs: 1, fresh: o.fresh, state: `${target} ${o.ranks} ${o.tokens} ${met}` },
    key: (seed) => `seed ${seed}`,
    run: async (seed) => {
      try {
        const found = await runner.try(seed, met)
        const bad = found.find((f) => f.verdict !== 'reported')
        return { verdict: bad ? `${bad.kind} ${bad.verdict}` : 'reported', detail: JSON.stringify(found) }
      } catch (error) {
        return { verdict: 'failed', detail: String(error) }
      }
    },
    bad: (verdict) => verdict !== 'reported',
  })
  const all = results.flatMap((r): Injected[] => (r.verdict === 'failed' ? [] : JSON.parse(r.detail!)))
  for (const kind of met) {
    const of = all.filter((f) => f.kind === kind)
    const good = of.filter((f) => f.verdict === 'reported').length
    const worst = Math.max(0, ...of.map((f) => f.ms))
    console.log(`${kind}: ${good} of ${of.length} reported, the slowest after ${worst} ms of ${limits[kind]}`)
  }
}
