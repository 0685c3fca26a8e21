/**
 * compile: the way from a graph and a schedule to everything that an engine is built from. No I/O: the caller brings the
 * skeleton's text and writes what comes back.
 *
 * Stages: shard -> phases -> schedule -> plan -> proof -> source and weight manifest. Each stage's findings are thrown
 * together before the next one begins.
 */
import type { Diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import { Session } from '../compiler/diagnostics/diagnostic.ts'
import { assertPlan } from '../compiler/plan/check-plan.ts'
import type { Plan } from '../compiler/plan/ir.ts'
import { makePlan } from '../compiler/plan/make-plan.ts'
import { resolveSchedule, type Target } from '../compiler/plan/resolve-schedule.ts'
import { type ShardedGraph, shardGraph } from '../compiler/shard/shard-graph.ts'
import { assertPhases } from '../compiler/tile/check-phases.ts'
import { formPhases } from '../compiler/tile/form-phases.ts'
import type { PhaseProgram } from '../compiler/tile/ir.ts'
import { type Proof, provePlan } from '../compiler/verify/prove-plan.ts'
import type { Graph } from '../dsl/graph.ts'
import type { Schedule } from '../dsl/schedule-ir.ts'
import { emitSource, type SourceOptions } from './emit/source.ts'
import { checkEngine } from './engines.ts'
import { makeManifest } from './make-manifest.ts'
import type { WeightManifest } from './manifest.ts'

/** A drafter's two programs, which run between the target's rounds. */
export interface DrafterGraphs {
  readonly commit: Graph
  readonly draft: Graph
}

export interface CompileOptions extends Pick<SourceOptions, 'template' | 'version' | 'lineOf' | 'engine'> {
  readonly ranks: number
  /** Positions that the caches of full attention hold. */
  readonly ctx: number
  readonly target: Target
  readonly drafter?: DrafterGraphs
  /** What was proved of the very same plan before, which need not be proved again. The caller makes sure that it is the same. */
  readonly proved?: Proof | undefined
  /** Resources and counts are proved, order is not: the caller has that done before the engine runs (runtime/session/prove-beside.ts). */
  readonly orderLater?: boolean | undefined
}

export interface Compiled {
  /** Of each program. */
  readonly sharded: readonly ShardedGraph[]
  readonly phases: PhaseProgram
  readonly plan: Plan
  readonly proof: Proof
  readonly source: string
  readonly manifest: WeightManifest
  readonly warnings: readonly Diagnostic[]
  /** Ids that may be sampled. */
  readonly validIds: number
}

/** Throws DiagnosticError with all findings of the first stage that has any. */
export function compile(graph: Graph, schedule: Schedule, options: CompileOptions): Compiled {
  const session = new Session()
  const { drafter } = options
  const programs = [
    { program: 'target', graph },
    ...(drafter
      ? [
          { program: 'commit', graph: drafter.commit },
          { program: 'draft', graph: drafter.draft },
        ]
      : []),
  ].map(({ program, graph }) => ({ program, graph: shardGraph(graph, { ranks: options.ranks, session }) }))
  session.throwIfFailed()
  const phases = formPhases(programs, { session, fusions: schedule.fusions })
  session.throwIfFailed()
  assertPhases(phases, 'form-phases')
  const resolved = resolveSchedule(schedule, phases, options.target, session)
  checkEngine(options.engine ?? 'persistent', { ranks: options.ranks, exchangeAs: resolved.exchangeAs }, session)
  session.throwIfFailed()
  const plan = makePlan(phases, { schedule: resolved, ctx: options.ctx, session })
  session.throwIfFailed()
  assertPlan(plan, 'make-plan')
  const proof = options.proved ?? provePlan(plan, { session, schedule, orderLater: options.orderLater })
  session.throwIfFailed()
  const logits = graph.nodes.find((n) => n.op === 'logits')
  const validIds = logits?.op === 'logits' ? (logits.valid ?? plan.vocabulary.whole) : plan.vocabulary.whole
  return {
    sharded: programs.map((p) => p.graph),
    phases,
    plan,
    proof,
    source: emitSource(plan, { ...options, validIds }),
    manifest: makeManifest(plan, phases.params),
    warnings: session.diagnostics,
    validIds,
  }
}
