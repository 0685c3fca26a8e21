/** nano as a host engine that can be probed: what numerics and campaigns run. */
import { join } from 'node:path'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { readSchedule } from '../../dsl/schedule.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { schedules } from '../../models/mimo/schedule.ts'
import { readTensor } from '../../runtime/checkpoint/bytes.ts'
import { readSafetensors } from '../../runtime/checkpoint/safetensors.ts'
import { loadTokenizer } from '../../runtime/tokenizer/tokenizer.ts'
import { type BuiltEngine, buildForHost, type HostEngineOptions } from './host-engine.ts'
import { type LoadedModel, loadNano, nanoFolder } from './nano.ts'

let loaded: LoadedModel | undefined
export const nano = (): LoadedModel => (loaded ??= loadNano())

export function nanoSchedule(target: 'host' | 'sm_90a' = 'host'): Schedule {
  const schedule = readSchedule(schedules(nano().config)[target]!, ({ message }) => {
    throw new Error(message)
  })
  return schedule!
}

export function buildNano(
  options: Partial<Pick<HostEngineOptions, 'ranks' | 'ctx' | 'check' | 'engine' | 'schedule'>> = {},
): Promise<BuiltEngine> {
  const { graph, bindings, checkpoint } = nano()
  const byParam = new Map(bindings.map((b) => [b.param, b]))
  return buildForHost({
    graph,
    schedule: nanoSchedule(),
    sources: (param) => ({ kind: 'stored', binding: byParam.get(param)!, tensors: checkpoint.tensors }),
    ...options,
  })
}

/** The oracle's prompts: 8 of 64 tokens. */
export function oraclePrompts(): readonly (readonly number[])[] {
  const tensor = readSafetensors(join(nanoFolder, 'oracle.safetensors'), new Session())!.find((t) => t.name === 'ids')!
  const ids = Array.from(new Int32Array(readTensor(tensor).buffer))
  return Array.from({ length: ids.length / 64 }, (_, i) => ids.slice(i * 64, (i + 1) * 64))
}

const tokenizer = () => loadTokenizer(nano().checkpoint.tokenizer!)
export const encode = (text: string): readonly number[] => tokenizer().encode(text, 'text')
