/**
 * Tunes a schedule on the machine that it is for: the workshop of search-schedules.ts with real engines.
 *
 * Every candidate is planned here, at once; its plan's order is proved in one process while a compiler builds it in others; then it runs
 * as ranks alone do (bench-rank.ts), and is held against the author's own engine before it is timed.
 * Invariants: nothing runs that was not proved; an engine's process is gone before the next one starts.
 */
import { createHash } from 'node:crypto'
import type { Compiled } from '../../codegen/compile.ts'
import { DiagnosticError, diagnostic, Session } from '../../compiler/diagnostics/diagnostic.ts'
import { reportTo } from '../../compiler/frontend/build-graph.ts'
import { axes } from '../../compiler/plan/schedule-moves.ts'
import { checkSchedule } from '../../dsl/check-schedule.ts'
import { type Schedule, withoutSpans } from '../../dsl/schedule-ir.ts'
import { sharesProcessors } from '../build/toolchain.ts'
import { hashU32 } from '../engine/synthetic.ts'
import type { EngineRequest, LogProbs, Ready } from '../engine/wire.ts'
import { loadRank, measureRank, type RankBench, type RankModel, type RankOptions, resolveRank } from './bench-rank.ts'
import { buildModel } from './build-model.ts'
import { compileModel, scheduleOf } from './compile-model.ts'
import { proveBeside } from './prove-beside.ts'
import { type Bench, type Found, type Measured, type SearchOptions, searchSchedules } from './search-schedules.ts'
import { median } from './statistics.ts'

export interface TuneOptions extends RankOptions, Omit<SearchOptions, 'stop' | 'signal'> {
  /** Names of axes; all when left out. */
  readonly axes?: readonly string[] | undefined
  /** After these no candidate is begun. */
  readonly minutes?: number | undefined
}

export interface Tuned extends Found {
  readonly target: string
  readonly device: string
}

/** Logarithms of probabilities may differ by so much: what another order of sums and BF16 between ranks make of the same weights. */
const TOLERANCE = 0.1
const CHECKED = 24

export const axisNames: readonly string[] = axes.map((a) => a.name)

export async function tune(options: TuneOptions): Promise<Tuned> {
  const { signal = new AbortController().signal, minutes } = options
  const limits = minutes === undefined ? [] : [AbortSignal.timeout(Math.ceil(minutes * 60_000))]
  const stop = AbortSignal.any([signal, ...limits])
  if (options.engineFolder !== undefined)
    throw new DiagnosticError([
      diagnostic('TILE5112', 'an engine that was built elsewhere cannot be tuned', {
        help: 'each candidate is built anew: leave --engine-folder out',
      }),
    ])
  const model = await resolveRank(options)
  const author = withoutSpans(scheduleOf(model.resolved.model, model.target))
  const wanted = axes.filter((a) => options.axes === undefined || options.axes.includes(a.name))
  let ready: Ready | undefined
  const bench = rankBench(options, model, (said) => {
    ready ??= said
  })
  const found = await searchSchedules(author, wanted, bench, { ...options, stop, signal })
  return { ...found, target: model.target, device: ready!.name }
}

/** Compiles, builds and measures schedules of a model's ranks. */
export function rankBench(
  options: RankOptions,
  model: RankModel,
  onReady: (ready: Ready) => void = () => {},
): Bench<Source, Built, readonly LogProbs[]> {
  const { resolved, target, ctx } = model
  return {
    sharesProcessors: sharesProcessors(target),
    tolerance: TOLERANCE,
    apart: disagreement,
    compile: (schedule) => {
      const session = new Session()
      checkSchedule(schedule, reportTo(session))
      session.throwIfFailed()
      const schedules = new Map([[target, schedule]])
      const compiled = compileModel(
        { ...resolved, model: { ...resolved.model, schedules } },
        { target, gpus: options.ranks.ranks, ctx, engine: options.engine, orderLater: true },
      )
      const name = createHash('sha256').update(compiled.source).digest('hex')
      return { name, source: { compiled, schedule } }
    },
    build: async ({ compiled, schedule }, signal) => {
      options.onProgress?.({ stage: 'build', target })
      const refused = new AbortController()
      const { check, spills } = options
      const proof = proveBeside({ plan: compiled.plan, schedule }, signal).catch((error) => {
        refused.abort(error)
        throw error
      })
      const build = buildModel(compiled, target, { check, spills, signal: AbortSignal.any([signal, refused.signal]) })
      // What the prover says comes first, whichever is done first.
      const [proved, built] = await Promise.allSettled([proof, build])
      if (proved.status === 'rejected') throw proved.reason
      if (built.status === 'rejected') throw built.reason
      return { compiled: { ...compiled, proof: proved.value }, executable: built.value.executable }
    },
    measure: async ({ compiled, executable }) => {
      const bench = await loadRank(options, model, compiled, executable)
      onReady(bench.engine.ready)
      try {
        return await measured(bench, options)
      } finally {
        await bench.engine.close()
      }
    },
  }
}

interface Source {
  readonly compiled: Compiled
  readonly schedule: Schedule
}

interface Built {
  readonly compiled: Compiled
  readonly executable: string
}

async function measured(bench: RankBench, options: RankOptions): Promise<Measured<readonly LogProbs[]>> {
  const logits = await checkRun(bench, options.signal)
  const { runs } = await measureRank(bench, options)
  if (runs.length === 0) throw new DiagnosticError([diagnostic('TILE5112', 'no round was measured')])
  return { logits, roundUs: median(runs.map((r) => median(r.map((x) => x.roundNs)))) / 1000 }
}

/** What the engine thinks of each of a few positions, of tokens that do not depend on what it thinks. */
async function checkRun({ engine, compiled, block }: RankBench, signal?: AbortSignal): Promise<LogProbs[]> {
  const valid = Math.min(compiled.plan.vocabulary.whole, compiled.validIds)
  const random = (count: number, key: number) => Array.from({ length: count }, (_, i) => hashU32(key, i, 5) % valid)
  const request: EngineRequest = {
    prompt: random(16, 1),
    maxNewTokens: CHECKED,
    logprobs: 20,
    draft: { rows: 8, block: block ?? 8, predicted: random(CHECKED, 2), synthetic: 1 },
  }
  const found: LogProbs[] = []
  for await (const event of engine.generate(request, signal && { signal }))
    if (event.type === 'token' && event.logprobs) found.push(event.logprobs)
  return found
}
/** The greatest difference between what two engines think of the tokens that the first thinks likeliest; infinite where they cannot be compared. */
export function disagreement(expected: readonly LogProbs[], got: readonly LogProbs[]): number {
  if (expected.length !== got.length || expected.length === 0) return Number.POSITIVE_INFINITY
  let most = 0
  expected.forEach(({ top }, i) => {
    const theirs = new Map(got[i]!.top.map((t) => [t.token, t.logprob]))
    // The last of a list may be another one in the other list: only those well above it must be there.
    const edge = Math.min(...got[i]!.top.map((t) => t.logprob))
    for (const { token, logprob } of top) {
      const other = theirs.get(token)
      const off = other === undefined ? Math.max(0, logprob - edge) : Math.abs(other - logprob)
      most = Math.max(most, Number.isFinite(off) ? off : Number.POSITIVE_INFINITY)
    }
  })
  return most
}
