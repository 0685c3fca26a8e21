/** The logits of nano as a hash, to compare engines to the bit. */
import { createHash } from 'node:crypto'
import type { HostEngineOptions, StartOptions } from './host-engine.ts'
import { buildNano, oraclePrompts } from './nano-engine.ts'

/** A hash of the bits of the logits after each token of a prompt, for each start of one engine. */
export async function bits(
  options: Partial<HostEngineOptions>,
  starts: readonly StartOptions[] = [{}],
): Promise<readonly string[]> {
  const built = await buildNano(options)
  const found: string[] = []
  for (const start of starts) {
    const engine = await built.start(start)
    const rows = await engine.logits(oraclePrompts()[0]!.slice(0, 24))
    await engine.close()
    const hash = createHash('sha256')
    for (const row of rows) hash.update(new Uint8Array(Float32Array.from(row).buffer))
    found.push(hash.digest('hex'))
  }
  return found
}
