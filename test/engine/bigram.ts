/**
 * The bigram engine of fixtures/bigram.cu, built and started: its logits after token t are row t of a table.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildEngine } from '../../runtime/build/build-engine.ts'
import { type EngineOptions, type RunningEngine, startEngine } from '../../runtime/engine/engine.ts'
import { type ParamSource, writeLoadPlan } from '../../runtime/engine/load-plan.ts'
import { syntheticNumber } from '../../runtime/engine/synthetic.ts'

export const vocabulary = 300
export const validIds = 290
/** A row that holds this id makes the engine wait forever. */
export const trap = 289
export const ctx = 20_000

const seed = 7
const amplitude = 5
export const synthetic: ParamSource = {
  kind: 'synthetic',
  rows: vocabulary,
  columns: vocabulary,
  format: 'f32',
  seed,
  mean: 0,
  amplitude,
}

/** Logits after `token`, those that may be chosen. */
export const logitsAfter = (token: number): number[] =>
  Array.from({ length: validIds }, (_, id) => syntheticNumber(seed, token, id, 0, amplitude))

export const tableManifest = [0, 1].map(() => ({
  imageBytes: vocabulary * vocabulary * 4,
  kvBytes: 0,
  params: [
    {
      kind: 'plain' as const,
      format: 'f32' as const,
      name: 'table',
      members: ['table'],
      imageOffset: 0,
      runs: [[0, 0, vocabulary, 1] as [number, number, number, number]],
      firstColumn: 0,
      columns: vocabulary,
      experts: 0,
    },
  ],
}))

export const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8')

export async function bigramOptions(parts: Partial<EngineOptions> = {}): Promise<EngineOptions> {
  const { executable } = await buildEngine({ source: fixture('bigram.cu'), target: 'host' })
  return { executable, loadPlan: writeLoadPlan(tableManifest, () => synthetic), ctx, vocabulary, ...parts }
}

export const startBigram = async (parts: Partial<EngineOptions> = {}): Promise<RunningEngine> =>
  startEngine(await bigramOptions(parts))
