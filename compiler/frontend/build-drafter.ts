/**
 * Builds a drafter for a target: config JSON in, its two programs out.
 *
 * Vocabulary: *own* parameters come from the drafter's checkpoint; *shared* ones are the target's, found by name.
 * Invariants: programs leave here only when the config is legal, the drafter fits the target, both graphs passed their
 * spec check and every shared parameter is declared as the target declares it; all findings are shown together.
 */
import { type Drafter, type DrafterPrograms, differentParams } from '../../dsl/drafter.ts'
import type { Graph, Param } from '../../dsl/graph.ts'
import { type DiagnosticParts, InternalError, Session } from '../diagnostics/diagnostic.ts'
import { assertGraph } from '../graph/check-graph.ts'
import { authored } from './authored.ts'
import { reportTo } from './build-graph.ts'
import { readConfig } from './read-config.ts'

export interface BuiltDrafter<Config> extends DrafterPrograms {
  readonly config: Config
  /** Rows of a block, the newest token's included, and the token of the others. */
  readonly block: { readonly rows: number; readonly mask: number }
  /** Parameters of both programs, each once, that the drafter's own checkpoint holds. */
  readonly own: readonly Param[]
}

/** The target that a drafter is built for. */
export interface DraftTarget<Target> {
  readonly config: Target
  readonly graph: Graph
}

/** The drafter's config, checked by itself. Its taps are needed before the target can be built. */
export function readDrafterConfig<Config, Target>(
  drafter: Drafter<Config, Target>,
  json: unknown,
  source: DiagnosticParts = {},
): Config {
  const session = new Session()
  const config = readConfig(drafter.config, json, session, source)
  session.throwIfFailed()
  return config!.value
}

/** Throws a DiagnosticError where the drafter cannot serve a target of this config. */
export function checkDrafterFit<Config, Target>(
  drafter: Drafter<Config, Target>,
  config: Config,
  target: Target,
  source: DiagnosticParts = {},
): void {
  const session = new Session()
  drafter.fit(config, target, ({ code, message, span, notes, help }) =>
    session.report(code, message, { ...source, span, help, ...(notes && { notes }) }),
  )
  session.throwIfFailed()
}

/** Throws a DiagnosticError with all findings. */
export function buildDrafter<Config, Target>(
  drafter: Drafter<Config, Target>,
  json: unknown,
  target: DraftTarget<Target>,
  source: DiagnosticParts = {},
): BuiltDrafter<Config> {
  const config = readDrafterConfig(drafter, json, source)
  checkDrafterFit(drafter, config, target.config, source)
  const session = new Session()
  const report = reportTo(session)
  const programs = authored(`drafter '${drafter.name}'`, session, () => drafter.build(config, target.config, report))
  for (const graph of programs ? [programs.commit, programs.draft] : []) {
    for (const problem of differentParams(target.graph, graph)) report(problem)
  }
  session.throwIfFailed()
  if (!programs) throw new InternalError('a build without findings has programs')
  const shared = new Set(target.graph.params.map((p) => p.name))
  const own = new Map<string, Param>()
  for (const graph of [programs.commit, programs.draft]) {
    assertGraph(graph, 'drafter')
    for (const p of graph.params) if (!shared.has(p.name)) own.set(p.name, p)
  }
  const draft = limited(programs.draft, target.graph)
  return { commit: programs.commit, draft, config, block: drafter.block(config), own: [...own.values()] }
}

/** What the target never says is never proposed. */
function limited(draft: Graph, target: Graph): Graph {
  const last = target.nodes.findLast((n) => n.op === 'logits')
  const limit = last?.op === 'logits' ? last.valid : undefined
  if (limit === undefined) return draft
  const nodes = draft.nodes.map((n) => (n.op === 'logits' ? { ...n, valid: Math.min(n.valid ?? limit, limit) } : n))
  return { ...draft, nodes }
}
