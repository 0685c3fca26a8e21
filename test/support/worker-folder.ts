/**
 * A folder that is gone when the worker is: for what is made once and used by tests of a file, or of several. What one test needs is
 * removed with it (test/checkpoint/temporary.ts).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const made: string[] = []
process.once('exit', () => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
})

export function workerFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `tilec-${name}-`))
  made.push(folder)
  return folder
}
