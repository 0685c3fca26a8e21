/** The shipped nano model, read: checkpoint, graph, bindings, and the reference's view of its weights. */
import { buildGraph } from '../../compiler/frontend/build-graph.ts'
import type { ParamSource } from '../../compiler/reference/params.ts'
import type { Graph } from '../../dsl/graph.ts'
import type { Binding } from '../../dsl/weights.ts'
import type { MimoConfig } from '../../models/mimo/config.ts'
import mimo from '../../models/mimo/graph.ts'
import { weights } from '../../models/mimo/weights.ts'
import { bindParams } from '../../runtime/checkpoint/bind.ts'
import { type Checkpoint, openCheckpoint } from '../../runtime/checkpoint/checkpoint.ts'
import { checkpointParams } from '../../runtime/checkpoint/decode.ts'
import { matchWeights } from '../../runtime/checkpoint/match.ts'
import { asset } from '../../runtime/paths.ts'

export interface LoadedModel {
  readonly checkpoint: Checkpoint
  readonly config: MimoConfig
  readonly graph: Graph
  readonly bindings: readonly Binding[]
  readonly params: ParamSource
}

/** Opens any MiMo checkpoint; `extra` are fields that a loader adds to config.json. */
export function loadMimo(folder: string, extra: Readonly<Record<string, unknown>> = {}): LoadedModel {
  const checkpoint = openCheckpoint(folder)
  const json = { ...checkpoint.config, ...extra }
  const graph = buildGraph(mimo, json)
  const parsed = mimo.config.safeParse(json)
  if (!parsed.success) throw new Error('buildGraph accepted a config that its schema refuses')
  const bindings = bindParams(weights, graph.params, parsed.data)
  matchWeights(checkpoint, bindings, weights.unread)
  return {
    checkpoint,
    config: parsed.data,
    graph,
    bindings,
    params: checkpointParams(checkpoint, graph.params, bindings),
  }
}

export const nanoFolder = asset('models', 'mimo', 'nano')
export const loadNano = (): LoadedModel =>
  loadMimo(nanoFolder, { valid_vocab_size: 4096, dflash_config: { target_layer_ids: [0, 3, 5] } })
