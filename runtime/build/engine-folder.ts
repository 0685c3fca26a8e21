/**
 * A folder with engines that were built elsewhere: what `tilec compile -o` leaves behind, for machines that have a GPU and no compiler.
 *
 * Vocabulary: a *variant* is one executable of the same source: `plain`, or `traced` (trace.h).
 * Invariant: an engine is used only for the very source that was compiled here, and with headers of this tilec: the record
 * says which headers it was built with, and engine.cu lies beside it.
 */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { DiagnosticError, diagnostic, InternalError } from '../../compiler/diagnostics/diagnostic.ts'
import type { Proof } from '../../compiler/verify/prove-plan.ts'
import { headersHash } from './build-engine.ts'

export const variants = ['plain', 'traced'] as const
export type Variant = (typeof variants)[number]

const EngineRecord = z.object({
  target: z.enum(['host', 'sm_90a']),
  ranks: z.number(),
  ctx: z.number(),
  layers: z.number().optional(),
  drafter: z.boolean(),
  headers: z.string(),
  /** What was proved of its plan (compiler/verify/prove-plan.ts): the same source needs no second proof. */
  proof: z.object({
    proved: z.literal(true),
    events: z.number(),
    joins: z.number(),
    smClasses: z.number(),
    agents: z.number(),
    instances: z.number(),
    milliseconds: z.number(),
  }),
  variants: z.array(z.enum(variants)),
})
/** What engine.json says. */
export type EngineRecord = z.infer<typeof EngineRecord>

/** A folder and what its engine.json says. */
export interface EngineFolder {
  readonly folder: string
  readonly record: EngineRecord
}

export const openEngineFolder = (folder: string | undefined): EngineFolder | undefined =>
  folder === undefined ? undefined : { folder, record: readEngineRecord(folder) }

const fileOf: Readonly<Record<Variant, string>> = { plain: 'engine', traced: 'engine.traced' }

/** Writes executables and their record beside an engine.cu; the names of what was written. `headers` were hashed before the build. */
export function writeEngines(
  folder: string,
  { proof, ...record }: Omit<EngineRecord, 'variants' | 'proof'> & { readonly proof: Proof },
  executables: Readonly<Partial<Record<Variant, string>>>,
): string[] {
  const built = variants.filter((v) => executables[v] !== undefined)
  for (const v of built) copyFileSync(executables[v]!, join(folder, fileOf[v]))
  if (!proof.proved) throw new InternalError('an engine whose plan was not proved')
  const whole: EngineRecord = { ...record, proof: { ...proof, proved: true }, variants: built }
  writeFileSync(join(folder, 'engine.json'), `${JSON.stringify(whole, null, 2)}\n`)
  return [...built.map((v) => fileOf[v]), 'engine.json']
}

export function readEngineRecord(folder: string): EngineRecord {
  const file = join(folder, 'engine.json')
  if (!existsSync(file)) throw unfit(folder, 'it has no engine.json', 'tilec compile MODEL -o FOLDER writes one')
  const read = EngineRecord.safeParse(JSON.parse(readFileSync(file, 'utf8')))
  if (!read.success) throw unfit(folder, 'its engine.json is not what this tilec writes', undefined)
  return read.data
}

/** The executable of a variant, if it was built from `source`. */
export function engineIn(folder: string, record: EngineRecord, variant: Variant, source: string): string {
  const file = resolve(folder, fileOf[variant])
  if (!record.variants.includes(variant) || !existsSync(file))
    throw unfit(folder, `it has no ${variant} engine`, variant === 'plain' ? undefined : `compile it with --${variant}`)
  if (readFileSync(join(folder, 'engine.cu'), 'utf8') !== source)
    throw unfit(folder, 'its engine.cu is not the source of the engine that is asked for', undefined)
  if (record.headers !== headersHash()) throw unfit(folder, 'it was built with other device headers', undefined)
  return file
}

const unfit = (folder: string, why: string, help: string | undefined): DiagnosticError =>
  new DiagnosticError([diagnostic('TILE5113', why, { subject: folder, ...(help && { help }) })])
