/**
 * The executable of a compiled model: built, or taken from the cache, and held against what its schedule promised; or taken from a
 * folder that was built elsewhere.
 *
 * Vocabulary: the *budget* of a kernel is the most registers that any role may use, and a few bytes of spills for values that
 * live across phases; more than that is a schedule that does not hold what it says.
 */
import type { Compiled } from '../../codegen/compile.ts'
import { type Build, buildEngine } from '../build/build-engine.ts'
import { type EngineFolder, engineIn, type Variant } from '../build/engine-folder.ts'
import type { Target } from '../build/toolchain.ts'

/** Bytes that a thread may spill where nobody says otherwise: over all phases, which are one function on a GPU. */
export const spillAllowance = 2048

export interface BuildOptions {
  readonly check?: boolean | undefined
  readonly trace?: boolean | undefined
  /** Bytes that a thread may spill: more than the usual to measure what is not yet as it should be. */
  readonly spills?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export function buildModel(
  { source, plan }: Compiled,
  target: Target,
  { check = false, trace = false, spills = spillAllowance, signal }: BuildOptions = {},
): Promise<Build> {
  const registers = Math.max(...plan.roles.map((r) => r.registers))
  // What a trace costs in registers is nobody's promise.
  return buildEngine({
    source,
    target,
    check,
    trace,
    signal,
    ...(!trace && { budget: { registers, spillBytes: spills } }),
  })
}

/** The file of a variant: out of `from`, where that is given and was built from this very source, or built here. */
export async function executableOf(
  compiled: Compiled,
  target: Target,
  variant: Variant,
  from: EngineFolder | undefined,
  options: Omit<BuildOptions, 'trace'>,
): Promise<string> {
  if (from) return engineIn(from.folder, from.record, variant, compiled.source)
  return (await buildModel(compiled, target, { ...options, trace: variant === 'traced' })).executable
}
