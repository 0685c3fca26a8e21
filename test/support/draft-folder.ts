/** A drafter's folder for nano with made-up weights, in the published layout: everything works but the guessing. */
import { join } from 'node:path'
import { buildDrafter } from '../../compiler/frontend/build-drafter.ts'
import mimoDrafter, { drafterWeights } from '../../models/mimo/drafter.ts'
import { bindParams } from '../../runtime/checkpoint/bind.ts'
import { maskEmbedding } from '../../runtime/checkpoint/mask-embedding.ts'
import { nanoDrafter } from '../drafter/nano-drafter.ts'
import { loadMimo, nanoFolder } from './nano.ts'
import { randomTensors, type SyntheticTensor, writeCheckpoint, writeSafetensors } from './synthetic-checkpoint.ts'
import { workerFolder } from './worker-folder.ts'

export interface DraftFolderOptions {
  readonly seed?: number
  readonly config?: object
  /** Lets a test spoil the tensors. */
  readonly edit?: (tensors: Map<string, SyntheticTensor>) => unknown
}

export function writeDraftFolder({ seed = 5, config = {}, edit }: DraftFolderOptions = {}): string {
  const json = { ...nanoDrafter, ...config }
  const { graph, config: target } = loadMimo(nanoFolder, { dflash_config: { target_layer_ids: [0, 3, 5] } })
  const built = buildDrafter(mimoDrafter, json, { config: target, graph })
  const bindings = bindParams(drafterWeights, built.own, built.config)
  const own = bindings.filter((b) => b.param !== maskEmbedding)
  const folder = workerFolder('draft')
  writeCheckpoint(folder, json, own, { seed, shards: 1, ...(edit && { edit }) })
  const mask = randomTensors(
    bindings.filter((b) => b.param === maskEmbedding),
    seed,
  )
  writeSafetensors(join(folder, 'mask_embedding.safetensors'), mask)
  return folder
}
