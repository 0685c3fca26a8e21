/**
 * A drafter's folder as it is published (`dflash/` in its target's): config.json, weights, the mask embedding beside them.
 *
 * Vocabulary: *own* parameters are read from this folder, shared ones from the target's checkpoint.
 * Invariant: as for any checkpoint: nothing is executed or unpickled, every tensor is compared with what the drafter reads
 * before a weight is read, and all findings of a step are reported together.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { BuiltDrafter } from '../../compiler/frontend/build-drafter.ts'
import type { ParamSource } from '../../compiler/reference/params.ts'
import { sizeOf } from '../../dsl/dim.ts'
import type { Binding, WeightSource } from '../../dsl/weights.ts'
import { bindParams } from './bind.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { checkpointParams } from './decode.ts'
import { openFolder } from './folder.ts'
import { maskEmbedding, maskFiles, readMaskEmbedding } from './mask-embedding.ts'
import { matchWeights } from './match.ts'

export interface DrafterWeights {
  /** The drafter's folder; the mask embedding is one of its tensors. */
  readonly checkpoint: Checkpoint
  /** One for each own parameter, in the order of `own`. */
  readonly bindings: readonly Binding[]
}

/** The folder in which a checkpoint's drafter is published, if it comes with one. */
export function drafterFolder(checkpoint: string): string | undefined {
  const path = join(checkpoint, 'dflash')
  return existsSync(path) ? path : undefined
}

/** Config and tensors of a drafter's folder, the mask embedding aside: what is needed to build it. */
export const openDrafterFolder = (path: string): Checkpoint => openCheckpoint(path, maskFiles)

/** Compares the folder with what the drafter reads and adds the mask embedding. Throws a DiagnosticError. */
export function drafterWeightsOf<Config>(
  folder: Checkpoint,
  built: BuiltDrafter<Config>,
  weights: WeightSource<Config>,
): DrafterWeights {
  const bindings = bindParams(weights, built.own, built.config)
  const checkpoint = withMaskEmbedding(folder, built)
  matchWeights(checkpoint, bindings, weights.unread)
  return { checkpoint, bindings }
}

function withMaskEmbedding<Config>(checkpoint: Checkpoint, built: BuiltDrafter<Config>): Checkpoint {
  const param = built.own.find((p) => p.name === maskEmbedding)
  if (!param) return checkpoint
  const session = new Session()
  const folder = openFolder(checkpoint.folder, session)
  const tensor = folder && readMaskEmbedding(folder, { token: built.block.mask, hidden: sizeOf(param.dims) }, session)
  session.throwIfFailed()
  return { ...checkpoint, tensors: new Map([...checkpoint.tensors, [maskEmbedding, tensor!]]) }
}

/** Parameters of the drafter's programs: its own, and the target's where they are shared. */
export function drafterParams<Config>(
  { checkpoint, bindings }: DrafterWeights,
  built: BuiltDrafter<Config>,
  target: ParamSource,
): ParamSource {
  const own = checkpointParams(checkpoint, built.own, bindings)
  const names = new Set(built.own.map((p) => p.name))
  const source = (name: string) => (names.has(name) ? own : target)
  return { dense: (name) => source(name).dense(name), slice: (name, index) => source(name).slice(name, index) }
}
