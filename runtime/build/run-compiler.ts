/**
 * One run of a compiler: what it wrote, and whether it failed. nvcc is a driver of several processes, so a run that can be called off is
 * a process group of its own, which ends as a whole.
 *
 * Invariants: its temporary files lie in the folder that it is given; when a run is called off, or this process ends, none of its
 * processes is left.
 */
import { execa } from 'execa'
import { endWithUs } from './end-with-us.ts'

export interface CompilerRun {
  readonly log: string
  /** What went wrong, in a few words. */
  readonly failure: string | undefined
}

/** Throws the signal's reason when the run was called off, by then its processes are gone. */
export async function runCompiler(
  compiler: string,
  args: readonly string[],
  temporary: string,
  signal?: AbortSignal,
): Promise<CompilerRun> {
  signal?.throwIfAborted()
  let leader: number | undefined
  const endAll = (): void => {
    if (leader !== undefined) endGroup(leader)
  }
  // All before the compiler starts: a signal that comes in between must not leave it behind.
  const ended = signal && endWithUs(endAll)
  signal?.addEventListener('abort', endAll)
  try {
    const child = execa(compiler, args, {
      reject: false,
      all: true,
      env: { LC_ALL: 'C', TMPDIR: temporary },
      detached: signal !== undefined,
    })
    leader = child.pid
    const run = await child
    signal?.throwIfAborted()
    return { log: run.all ?? '', failure: run.failed ? (run.shortMessage ?? 'it did not run') : undefined }
  } finally {
    signal?.removeEventListener('abort', endAll)
    ended?.()
  }
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
