/** A folder that is gone after the test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tilec-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The findings of `fn` as `code message`, the empty list when it succeeds. */
export function findings(fn: () => unknown): string[] {
  try {
    fn()
  } catch (error) {
    if (error instanceof DiagnosticError) return error.diagnostics.map((d) => `${d.code} ${d.subject}: ${d.message}`)
    throw error
  }
  return []
}
