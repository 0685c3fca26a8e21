/**
 * Two workers: most tests that take long run a C++ compiler or an engine, which take a core each. They keep what they have
 * imported from file to file (TypeScript's compiler alone takes most of a second), so no test file may leave changes in a module behind.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/package/fixture/**'],
    maxWorkers: 2,
    isolate: false,
    // Executables are shared by all test files, and kept between runs on one machine; the user's are left alone. Tests
    // build some ninety, so those are optimised less than the user's.
    env: {
      TILEC_CACHE: process.env.TILEC_CACHE ?? join(tmpdir(), 'tilec-test-cache'),
      CXXFLAGS: process.env.CXXFLAGS ?? '-O1',
    },
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
})
