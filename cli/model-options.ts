/** Arguments and options that several verbs share, and the numbers in them, read strictly. */
import { type Command, InvalidArgumentError } from 'commander'
import { defaultCtx } from '../runtime/session/open-model.ts'
import type { ModelRequest } from '../runtime/session/resolve-model.ts'

export interface ModelOptions {
  readonly config?: string
  readonly checkpoint?: string
}

export interface TargetOptions {
  readonly target: string
  readonly gpus: number
  readonly ctx: number
}

const modelText = 'a preset (nano, mimo-v2.5-pro, mimo-v2-flash), a checkpoint folder, or a model file (.ts)'

export const withModel = (command: Command, required = true): Command =>
  command
    .argument(required ? '<model>' : '[model]', modelText)
    .option('--config <file>', 'config.json for a model file, or instead of the one that comes with the model')
    .option('--checkpoint <folder>', 'folder with the weights, as Hugging Face publishes it')

export const withTarget = (command: Command): Command =>
  command
    .option('--target <target>', 'host, sm_90a, or auto: a Hopper GPU where nvcc and one are there', 'auto')
    .option('--gpus <n>', 'ranks: 1, 2, 4 or 8; on the host, slabs of memory', whole, 1)
    .option('--ctx <n>', 'positions that a sequence may have', whole, defaultCtx)

export const modelRequest = (model: string, { config, checkpoint }: ModelOptions): ModelRequest => ({
  model,
  config,
  checkpoint,
})

export function whole(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('It is a whole number.')
  return Number(text)
}

export function real(text: string): number {
  const n = Number(text)
  if (text.trim() === '' || !Number.isFinite(n)) throw new InvalidArgumentError('It is a number.')
  return n
}

/** Collects an option that may be given several times. */
export const several = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]
