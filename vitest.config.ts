/**
 * Two workers: most tests that take long run a C++ compiler or an engine, which take a core each. They keep what they have
 * imported from file to file (TypeScript's compiler alone takes most of a second), so no test file may leave changes in a module behind.
 */
import { defineConfig } from 'vitest/config'
import { testCache } from './test/support/test-cache.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'test/package/fixture/**'],
    maxWorkers: 2,
    isolate: false,
    // Tests build some hundred engines, so those are optimised less than the user's; where little is written, hardly
    // (test/support/quick-builds.ts).
    env: {
      TILEC_CACHE: testCache,
      CXXFLAGS: process.env.CXXFLAGS ?? '-O1',
    },
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
})
