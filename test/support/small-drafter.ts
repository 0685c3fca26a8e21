/**
 * A small target with a small drafter, random weights in the published layout, written and read as a user's would be.
 * The drafter's window is shorter than its block, so that both ends of it matter.
 */
import { join } from 'node:path'
import { type BuiltDrafter, buildDrafter, readDrafterConfig } from '../../compiler/frontend/build-drafter.ts'
import { buildGraph } from '../../compiler/frontend/build-graph.ts'
import type { ParamSource } from '../../compiler/reference/params.ts'
import mimoDrafter, { drafterWeights } from '../../models/mimo/drafter.ts'
import { type MimoDrafterConfig, targetSection } from '../../models/mimo/drafter-config.ts'
import mimo from '../../models/mimo/graph.ts'
import { weights } from '../../models/mimo/weights.ts'
import { bindParams } from '../../runtime/checkpoint/bind.ts'
import type { Checkpoint } from '../../runtime/checkpoint/checkpoint.ts'
import { drafterParams, drafterWeightsOf, openDrafterFolder } from '../../runtime/checkpoint/drafter.ts'
import { type LoadedModel, loadMimo } from './nano.ts'
import { plainStyle } from './small-config.ts'
import { type SyntheticTensor, writeCheckpoint, writeSafetensors } from './synthetic-checkpoint.ts'

export const smallTarget = { ...plainStyle, num_key_value_heads: 2, swa_num_key_value_heads: 2 }

export const smallDrafter = {
  hidden_size: 64,
  intermediate_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  v_head_dim: 8,
  partial_rotary_factor: 0.5,
  block_size: 8,
  dflash_config: {
    target_layer_ids: [0, 2],
    mask_token_id: 49,
    block_size: 8,
    use_swa: true,
    swa_window_size: 6,
    backbone_rotary_base: 500,
    attention_value_scale: 0.612,
    attention_sink_bias: true,
  },
  num_target_layers: 3,
  vocab_size: 48,
  rope_theta: 100,
  sliding_window: 6,
  rms_norm_eps: 1e-5,
  hidden_act: 'silu',
}

export interface LoadedDrafter {
  readonly folder: string
  readonly target: LoadedModel
  readonly built: BuiltDrafter<MimoDrafterConfig>
  readonly checkpoint: Checkpoint
  readonly params: ParamSource
}

/** The drafter in `folder/dflash` for the MiMo checkpoint in `folder`. */
export function loadDrafter(folder: string, extra: object = {}, tilec?: object): LoadedDrafter {
  const opened = openDrafterFolder(join(folder, 'dflash'))
  const json = { ...opened.config, ...(tilec && { tilec }) }
  const config = readDrafterConfig(mimoDrafter, json)
  const target = loadMimo(folder, { ...extra, dflash_config: targetSection(config) })
  const built = buildDrafter(mimoDrafter, json, target)
  const drafter = drafterWeightsOf(opened, built, drafterWeights)
  return {
    folder,
    target,
    built,
    checkpoint: drafter.checkpoint,
    params: drafterParams(drafter, built, target.params),
  }
}

/** Writes both; `edit` spoils the drafter's tensors, the mask embedding among them. */
export function writeSmallDrafter(
  folder: string,
  edit?: (tensors: Map<string, SyntheticTensor>) => unknown,
  drafterJson: object = smallDrafter,
): void {
  const config = readDrafterConfig(mimoDrafter, drafterJson)
  const targetJson = { ...smallTarget, dflash_config: targetSection(config) }
  const graph = buildGraph(mimo, targetJson)
  const parsed = mimo.config.safeParse(targetJson)
  if (!parsed.success) throw new Error('the small target is legal')
  writeCheckpoint(folder, smallTarget, bindParams(weights, graph.params, parsed.data))
  const { own } = buildDrafter(mimoDrafter, drafterJson, { config: parsed.data, graph })
  const dflash = join(folder, 'dflash')
  const mask = new Map<string, SyntheticTensor>()
  writeCheckpoint(dflash, drafterJson, bindParams(drafterWeights, own, config), {
    seed: 7,
    shards: 1,
    edit: (tensors) => {
      edit?.(tensors)
      const vector = tensors.get('mask_embedding')
      tensors.delete('mask_embedding')
      if (vector) mask.set('embedding', vector)
    },
  })
  if (mask.size > 0) writeSafetensors(join(dflash, 'mask_embedding.safetensors'), mask)
}
