/** Arguments and options that several verbs share, and the numbers in them, read strictly. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { engineKinds } from '../codegen/engines.ts'
import type { DraftChoice } from '../runtime/decode/sampling.ts'
import { spillAllowance } from '../runtime/session/build-model.ts'
import { defaultCtx } from '../runtime/session/open-model.ts'
import type { ModelRequest } from '../runtime/session/resolve-model.ts'

export interface ModelOptions {
  readonly config?: string
  readonly checkpoint?: string
  readonly drafter?: string
  readonly schedule?: string
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
    .option('--schedule <file>', "a schedule in place of the model's own, e.g. what tilec tune wrote")
    .option('--drafter <folder>', "a drafter's folder, or none; the checkpoint's own dflash/ when left out")

/** `ctx`: positions where none are asked for; `fitting` leaves it to the verb. */
export const withTarget = (command: Command, ctx: number | 'fitting' = defaultCtx): Command =>
  command
    .option('--target <target>', 'host, sm_90a, or auto: a Hopper GPU where nvcc and one are there', 'auto')
    .option('--gpus <n>', 'ranks: 1, 2, 4 or 8; on the host, slabs of memory', whole, 1)
    .option('--ctx <n>', 'positions that a sequence may have', whole, ctx === 'fitting' ? undefined : ctx)

/** --spills, for builds: what is over it is refused. */
export const spillsOption = (): Option =>
  new Option('--spills <bytes>', `bytes that a thread may spill (${spillAllowance})`).argParser(positive(0))

/** --engine: what is compiled, the engine or what it is compared with. */
export const engineOption = (): Option =>
  new Option(
    '--engine <engine>',
    'persistent; graph: the control, a kernel a phase; nccl: the same with NCCL all-reduces',
  )
    .choices(engineKinds)
    .default('persistent')

export const modelRequest = (model: string, options: ModelOptions): ModelRequest => {
  const { config, checkpoint, drafter, schedule } = options
  return { model, config, checkpoint, drafter, schedule }
}

export function whole(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('It is a whole number.')
  return Number(text)
}

/** A whole number from `least`. */
export const positive = (least: number) => (given: string) => {
  const n = whole(given)
  if (n < least) throw new InvalidArgumentError(`It is a whole number from ${least}.`)
  return n
}

export function real(text: string): number {
  const n = Number(text)
  if (text.trim() === '' || !Number.isFinite(n)) throw new InvalidArgumentError('It is a number.')
  return n
}

/** --draft: off, auto, or rows. */
export function draftChoice(text: string): DraftChoice {
  if (text === 'off' || text === 'auto') return text
  if (!/^[2-8]$/.test(text))
    throw new InvalidArgumentError("It is 'off', 'auto' or the rows to verify at once, 2 to 8.")
  return Number(text)
}

/** --logit-bias ID=VALUE, several times. */
export function biases(text: string, before: ReadonlyMap<number, number> = new Map()): ReadonlyMap<number, number> {
  const [, id, value] = /^(\d+)=(-?[\d.]+)$/.exec(text) ?? []
  if (id === undefined) throw new InvalidArgumentError('It is a token id and a number: 1234=-5.')
  return new Map([...before, [Number(id), real(value!)]])
}

/** Collects an option that may be given several times. */
export const several = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]
