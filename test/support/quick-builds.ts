/** For a test file, or a describe, that builds many host engines and lets each write little: of an engine with -O1, one with -Og takes three fifths of the time to build and writes at two fifths of the speed. */
import { afterAll, beforeAll, vi } from 'vitest'

export function buildQuickly(): void {
  beforeAll(() => {
    vi.stubEnv('CXXFLAGS', '-Og')
  })
  afterAll(() => {
    vi.unstubAllEnvs()
  })
}
