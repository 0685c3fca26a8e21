/** For a test file, or a describe, that builds many host engines and lets each write little: -Og builds in half the time, and runs half as fast. */
import { afterAll, beforeAll, vi } from 'vitest'

export function buildQuickly(): void {
  beforeAll(() => {
    vi.stubEnv('CXXFLAGS', '-Og')
  })
  afterAll(() => {
    vi.unstubAllEnvs()
  })
}
