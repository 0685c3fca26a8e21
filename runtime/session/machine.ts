/**
 * What this machine has: GPUs as nvidia-smi tells of them, and which target an engine for it should have.
 *
 * Vocabulary: a GPU *suits* sm_90a when its compute capability is 9.0 (Hopper); newer and older ones do not run its code.
 * Invariant: nothing here changes a GPU, and a machine without nvidia-smi simply has none.
 */
import { execa } from 'execa'
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { findToolchain, type Target, targets } from '../build/toolchain.ts'

export interface Gpu {
  readonly index: number
  readonly name: string
  readonly memoryMiB: number
  /** Compute capability, e.g. '9.0'. */
  readonly capability: string
  readonly driver: string
}

export type TargetChoice = Target | 'auto'

/** SMs that an H100 SXM or an H200 gives to a kernel; a schedule or a caller may say otherwise. */
export const hopperSms = 132

export async function findGpus(): Promise<readonly Gpu[]> {
  const run = await execa(
    'nvidia-smi',
    ['--query-gpu=index,name,memory.total,compute_cap,driver_version', '--format=csv,noheader,nounits'],
    { reject: false, timeout: 20_000 },
  )
  return run.failed ? [] : parseGpus(run.stdout)
}

export function parseGpus(csv: string): readonly Gpu[] {
  return csv.split('\n').flatMap((line): Gpu[] => {
    const [index, name, memory, capability, driver] = line.split(',').map((field) => field.trim())
    if (!index || !name || !memory || !capability || !driver) return []
    return [{ index: Number(index), name, memoryMiB: Number(memory), capability, driver }]
  })
}

export const suits = (gpu: Gpu): boolean => gpu.capability === '9.0'

/** `auto` becomes sm_90a where nvcc and enough Hopper GPUs are there, else host. */
export async function chooseTarget(choice: TargetChoice, gpus: number): Promise<Target> {
  if (choice !== 'auto') return choice
  const found = (await findGpus()).filter(suits)
  if (found.length < gpus) return 'host'
  try {
    await findToolchain('sm_90a')
    return 'sm_90a'
  } catch (error) {
    if (error instanceof DiagnosticError) return 'host'
    throw error
  }
}

/** The named target, or a finding that lists the legal ones. */
export function readTarget(name: string): TargetChoice {
  const legal: readonly TargetChoice[] = ['auto', ...targets]
  const found = legal.find((t) => t === name)
  if (found) return found
  throw new DiagnosticError([
    diagnostic('TILE5102', `there is no target '${name}'`, { help: `targets are ${legal.join(', ')}` }),
  ])
}
