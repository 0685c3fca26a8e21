/**
 * Measures ranks of a plan with weights made up on the device: all of them, or the first few, a GPU each. Ranks that are there
 * stand in for those that are not, so that every packet still travels.
 *
 * Vocabulary: a *round* yields tokens: the draft, where there is a drafter, and the target's verify of `rows` rows; the
 * *context* is how many positions the caches hold when the rounds begin (they hold zeros: nobody waits for a prompt).
 * Invariants: what is verified are random tokens, all taken for right, so that rows differ and every round has `rows` of
 * them; medians are over the rounds of one request, spreads over requests; nothing here means anything as text.
 */
import { createHash } from 'node:crypto'
import type { Compiled } from '../../codegen/compile.ts'
import { type EngineKind, engines } from '../../codegen/engines.ts'
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { presetDrafter } from '../../compiler/frontend/presets.ts'
import { type EngineFolder, openEngineFolder, type Variant } from '../build/engine-folder.ts'
import type { Target } from '../build/toolchain.ts'
import { type RunningEngine, startEngine } from '../engine/engine.ts'
import { writeLoadPlan } from '../engine/load-plan.ts'
import { hashU32 } from '../engine/synthetic.ts'
import { syntheticSources } from '../engine/synthetic-source.ts'
import type { EngineRequest, Ready, RoundOutcome } from '../engine/wire.ts'
import { executableOf } from './build-model.ts'
import { compileModel } from './compile-model.ts'
import { cutModel } from './cut-model.ts'
import { chooseTarget } from './machine.ts'
import type { OpenOptions } from './open-model.ts'
import { type ResolvedModel, resolveModel } from './resolve-model.ts'
import { median, type Spread, spread } from './statistics.ts'
import { type Routing, routerBiases } from './synthetic-routing.ts'

/** Ranks 0 to `present` - 1 of a plan for `ranks`. Rank 0 is always there: it decides the rounds. */
export interface PresentRanks {
  readonly present: number
  readonly ranks: number
}

export interface RankOptions extends Omit<OpenOptions, 'gpus'> {
  readonly ranks: PresentRanks
  readonly layers?: number | undefined
  readonly context: number
  readonly rows: number
  readonly routing: Routing
  /** Rounds of a request. */
  readonly rounds: number
  readonly warmup: number
  readonly repeat: number
  /** Digest the logits of every token: costs a pass over them each. */
  readonly digest?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly onRun?: ((run: { readonly counts: boolean; readonly roundUs: number }) => void) | undefined
}

export interface RankResult {
  readonly ready: Ready
  readonly layers: number
  readonly drafter: boolean
  readonly runs: number
  readonly load: Load
  /** Of all logits that tokens were chosen from, where that was asked for: equal where every bit is. */
  readonly digest?: string
  /** Medians over a request's rounds, in microseconds. */
  readonly roundUs: Spread
  readonly draftUs: Spread
  readonly verifyUs: Spread
}

/** Making the weights: bytes of all ranks together. */
export interface Load {
  readonly bytes: number
  readonly seconds: number
}

/** Ranks that are ready to be measured, and what they were compiled from. */
export interface RankBench {
  readonly engine: RunningEngine
  readonly compiled: Compiled
  readonly resolved: ResolvedModel
  /** Rows of the drafter's block. */
  readonly block: number | undefined
  readonly layers: number
  readonly target: Target
  readonly load: Load
}

export async function benchRank(options: RankOptions): Promise<RankResult> {
  const bench = await openRank(options)
  try {
    const { runs, digest } = await measureRank(bench, options)
    const over = (of: (r: RoundOutcome) => number): Spread =>
      spread(runs.map((rounds) => median(rounds.map(of)) / 1000))
    return {
      ready: bench.engine.ready,
      layers: bench.layers,
      drafter: bench.block !== undefined,
      runs: runs.length,
      load: bench.load,
      ...(digest !== undefined && { digest }),
      roundUs: over((r) => r.roundNs),
      draftUs: over((r) => r.draftNs),
      verifyUs: over((r) => r.roundNs - r.draftNs),
    }
  } finally {
    await bench.engine.close()
  }
}

/** What is measured: the model, cut and with the drafter that it is measured with, and the positions that the rounds need. */
export interface RankModel {
  readonly resolved: ResolvedModel
  readonly target: Target
  readonly ctx: number
  /** The folder that engines are taken from, where one is named. */
  readonly built: EngineFolder | undefined
}

/** Compiles, takes or builds the engine, and loads it. `args` are further words of the engine's command line. */
export async function openRank(
  options: RankOptions,
  variant: Variant = 'plain',
  args: readonly string[] = [],
): Promise<RankBench> {
  const model = await resolveRank(options, variant)
  const { resolved, target, ctx, built } = model
  const { onProgress, engine, check, spills } = options
  onProgress?.({ stage: 'compile' })
  const gpus = options.ranks.ranks
  const compiled = compileModel(resolved, { target, gpus, ctx, engine, proved: built?.record.proof })
  if (!built) onProgress?.({ stage: 'build', target })
  const executable = await executableOf(compiled, target, variant, built, { check, spills })
  return loadRank(options, model, compiled, executable, args)
}

/** Refuses what cannot be measured. */
export async function resolveRank(options: RankOptions, variant: Variant = 'plain'): Promise<RankModel> {
  const { present, ranks } = options.ranks
  const { onProgress, engineFolder, rows, context, rounds } = options
  checkPresence({ first: 0, present, ranks })
  checkMeasurable(options.engine ?? 'persistent', present, variant)
  if (!(Number.isInteger(rows) && rows >= 1 && rows <= 8)) throw refused(`a round of ${rows} rows`, 'it has 1 to 8')
  const needed = context + (rounds + 1) * rows
  onProgress?.({ stage: 'read' })
  const built = openEngineFolder(engineFolder)
  const record = built?.record
  // Weights are made up, so a drafter's config is enough; an engine that was built without one has none.
  const drafterOf = options.drafter ?? (record?.drafter === false ? 'none' : presetDrafter(options.model))
  const resolved = cutModel(resolveModel({ ...options, drafter: drafterOf }), options.layers ?? record?.layers)
  const ctx = options.ctx ?? record?.ctx ?? Math.ceil(needed / 64) * 64
  if (ctx < needed || context < 1)
    throw refused(
      `a context of ${context} and ${rounds} rounds of ${rows} rows in ${ctx} positions`,
      `they need ${needed}`,
    )
  return { resolved, ctx, built, target: record?.target ?? (await chooseTarget(options.target ?? 'auto', present)) }
}

/** Starts an executable and makes its weights. */
export async function loadRank(
  { ranks: { present }, onProgress, routing, engineArgs = [] }: RankOptions,
  { resolved, target, ctx }: RankModel,
  compiled: Compiled,
  executable: string,
  args: readonly string[] = [],
): Promise<RankBench> {
  const loaded = compiled.manifest.map((weights, r) => (r < present ? weights : { ...weights, params: [] }))
  const load = { bytes: 0, began: 0, ended: 0 }
  const engine = await startEngine({
    executable,
    loadPlan: writeLoadPlan(loaded, madeUp(compiled, resolved, routing)),
    ctx,
    vocabulary: compiled.plan.vocabulary.whole,
    // Rounds begin behind positions that nobody computed.
    args: ['--present', `${present}`, '--made-up-caches', '1', ...args, ...engineArgs],
    onProgress: (loaded, total) => {
      load.ended = performance.now()
      load.began ||= load.ended
      load.bytes = loaded
      onProgress?.({ stage: 'load', loaded, total })
    },
  })
  const layers = compiled.plan.entries.filter((e) => e.layer !== undefined && e.program === 0).length
  return {
    ...{ engine, compiled, resolved, layers, target },
    block: resolved.drafter?.built.block.rows,
    load: { bytes: load.bytes, seconds: (load.ended - load.began) / 1000 },
  }
}

/** Weights of a model and its drafter that nobody trained. */
export function madeUp(compiled: Compiled, { model, drafter }: ResolvedModel, routing: Routing) {
  return syntheticSources(compiled.manifest, {
    bindings: [...model.bindings, ...(drafter?.bindings ?? [])],
    params: [
      ...model.graph.params,
      ...(drafter ? [...drafter.built.commit.params, ...drafter.built.draft.params] : []),
    ],
    routerBias: routerBiases(model.graph, routing),
  })
}

/** Refuses ranks that cannot run by themselves: rank 0 decides the rounds, and each stands in for as many as any other. */
export function checkPresence({ first, present, ranks }: PresentRanks & { readonly first: number }): void {
  const legal = [1, 2, 4, 8].filter((p) => ranks % p === 0)
  if (first === 0 && legal.includes(present)) return
  const forms = legal.map((p) => `${rankRange(0, p)}/${ranks}`)
  throw refused(
    `rank${present === 1 ? '' : 's'} ${rankRange(first, present)} of ${ranks}`,
    `they begin with rank 0, which decides the rounds, and each stands in for as many as any other: ${forms.join(', ')}`,
  )
}

/** Refuses what would measure nothing: sums over ranks of one that is alone, and traces whose phases are not the plan's. */
function checkMeasurable(engine: EngineKind, present: number, variant: Variant): void {
  const { leastRanks, traceable } = engines[engine]
  if (present < leastRanks)
    throw refused(`engine '${engine}' with one rank alone`, `it sums over the ranks that run: ${leastRanks} at least`)
  if (variant === 'traced' && !traceable)
    throw refused(`single phases of engine '${engine}'`, "they are not the plan's: trace another engine")
}

/** `0`, or `0-3`. */
export const rankRange = (first: number, count: number): string =>
  count === 1 ? `${first}` : `${first}-${first + count - 1}`

/** The rounds that count of each request that counts; the digest is of all. */
export async function measureRank(
  { engine, compiled, block }: Pick<RankBench, 'engine' | 'compiled' | 'block'>,
  { context, rows, rounds, warmup, repeat, digest, signal, onRun }: RankOptions,
): Promise<{ readonly runs: readonly (readonly RoundOutcome[])[]; readonly digest?: string }> {
  const valid = Math.min(compiled.plan.vocabulary.whole, compiled.validIds)
  const runs: RoundOutcome[][] = []
  const hash = createHash('sha256')
  for (let run = 0; run < warmup + repeat && !signal?.aborted; run++) {
    const random = (count: number, key: number) =>
      Array.from({ length: count }, (_, i) => hashU32(run * 2 + key, i, 0) % valid)
    const maxNewTokens = rounds * rows + 1
    const request: EngineRequest = {
      prompt: random(context, 0),
      cached: context - 1,
      maxNewTokens,
      ...(digest && { logprobs: 0 }),
      ...(rows > 1 && {
        draft: { rows, block: block ?? rows, predicted: random(maxNewTokens, 1), synthetic: 1 },
      }),
    }
    const outcomes: RoundOutcome[] = []
    for await (const event of engine.generate(request, signal && { signal })) {
      if (event.type === 'round') outcomes.push(event.outcome)
      if (event.type === 'token' && event.logprobs) hash.update(event.logprobs.digest)
    }
    // The first round of a request reads the prompt's last token.
    const measured = outcomes.slice(1)
    if (measured.length === 0) break
    onRun?.({ counts: run >= warmup, roundUs: median(measured.map((r) => r.roundNs)) / 1000 })
    if (run >= warmup) runs.push(measured)
  }
  return { runs, ...(digest && { digest: hash.digest('hex').slice(0, 16) }) }
}

const refused = (what: string, help: string): DiagnosticError =>
  new DiagnosticError([diagnostic('TILE5112', `${what} cannot be measured`, { help })])
