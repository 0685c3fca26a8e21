/**
 * Writes traces.json: for each position of some texts, how many proposals the drafter gets right when a round begins there.
 * Run by hand when nano or its drafter changes: npx tsx test/dflash/record-traces.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asset } from '../../runtime/paths.ts'
import { openNano } from '../support/run-nano.ts'

interface Held {
  readonly ids: readonly number[]
}

const count = 128
const heldout = JSON.parse(
  readFileSync(asset('models', 'mimo', 'nano', 'train', 'drafter', 'heldout.json'), 'utf8'),
) as { readonly code: readonly Held[]; readonly chat: readonly Held[] }

const wanted = [
  ...heldout.code.slice(20, 23).map((h) => ({ ...h, kind: 'code', temperature: 0 })),
  ...heldout.chat.slice(20, 22).map((h) => ({ ...h, kind: 'chat', temperature: 0 })),
  ...heldout.code.slice(23, 25).map((h) => ({ ...h, kind: 'code', temperature: 0.7 })),
  ...heldout.chat.slice(22, 23).map((h) => ({ ...h, kind: 'chat', temperature: 0.7 })),
]
const session = await openNano()
const traces = []
for (const { ids, kind, temperature } of wanted) {
  const how = { temperature, seed: 3, ignoreEnd: true }
  const whole = await session.complete({ tokens: ids, maxTokens: count + 10, draft: 8, ...how })
  const right: number[] = []
  for (let p = 0; p < count; p++) {
    const prompt = [...ids, ...whole.tokenIds.slice(0, p)]
    const rounds: number[] = []
    const request = { prompt, maxNewTokens: 9, sampling: { temperature, seed: 3 }, draft: { rows: 8, block: 8 } }
    for await (const e of session.engineEvents(request)) if (e.type === 'round') rounds.push(e.outcome.accepted)
    right.push(rounds[1]!)
  }
  traces.push({ kind, temperature, right })
  console.log(kind, temperature, right.join(''))
}
await session.close()
writeFileSync(join(import.meta.dirname, 'traces.json'), `${JSON.stringify(traces)}\n`)
