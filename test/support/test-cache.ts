/** Where tests and campaigns keep what they build, from file to file and from run to run on one machine; the user's engines are left alone. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const testCache = process.env.TILEC_CACHE ?? join(tmpdir(), 'tilec-test-cache')
process.env.TILEC_CACHE = testCache
