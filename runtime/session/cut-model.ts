/**
 * A resolved model without its last layers: what `--layers` asks for.
 *
 * Invariant: a drafter stays only if every layer that it taps does.
 */
import { DiagnosticError, Session } from '../../compiler/diagnostics/diagnostic.ts'
import { cutLayers } from '../../compiler/graph/cut-layers.ts'
import type { Graph } from '../../dsl/graph.ts'
import type { ResolvedModel } from './resolve-model.ts'

export function cutModel(resolved: ResolvedModel, layers: number | undefined): ResolvedModel {
  if (layers === undefined) return resolved
  const session = new Session()
  const graph = cutLayers(resolved.model.graph, layers, session)
  if (session.failed) throw new DiagnosticError(session.diagnostics)
  const { drafter, ...rest } = resolved
  const model = { ...resolved.model, graph }
  return taps(graph) < taps(resolved.model.graph) || !drafter ? { ...rest, model } : { ...rest, model, drafter }
}

const taps = (graph: Graph): number => graph.nodes.filter((n) => n.op === 'tap').length
