/**
 * Runs a model's function on a config: JSON in, graph out.
 *
 * Invariants: a graph leaves here only when neither the config nor the model reported anything and it passed its spec
 * check; every finding of a run is shown together.
 */
import type { Model } from '../../dsl/builder.ts'
import type { Graph } from '../../dsl/graph.ts'
import type { Report } from '../../dsl/problem.ts'
import { type DiagnosticParts, InternalError, Session } from '../diagnostics/diagnostic.ts'
import { assertGraph } from '../graph/check-graph.ts'
import { authored } from './authored.ts'
import { readConfig } from './read-config.ts'

/** Reads `json` with the model's schema and builds its graph. Throws DiagnosticError with all findings. */
export function buildGraph<Config>(model: Model<Config>, json: unknown, source: DiagnosticParts = {}): Graph {
  const session = new Session()
  const config = readConfig(model.config, json, session, source)
  const graph = config && runModel(model, config.value, session)
  session.throwIfFailed()
  if (!graph) throw new InternalError('a build without findings has a graph')
  return graph
}

/** The graph of a checked config, or undefined when something was reported. */
export function runModel<Config>(model: Model<Config>, config: Config, session: Session): Graph | undefined {
  const before = session.diagnostics.length
  const graph = authored(`model '${model.name}'`, session, () => model.build(config, reportTo(session)))
  if (!graph || session.diagnostics.length > before) return undefined
  assertGraph(graph, 'graph')
  return graph
}

/** Takes the DSL's problems into a session. */
export const reportTo = (session: Session): Report => {
  return ({ code, message, span, notes, help }) =>
    session.report(code, message, { span, help, ...(notes && { notes }) })
}
