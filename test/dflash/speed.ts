/**
 * What drafting is worth on the host: processor time of the engine's process on held-out prompts of code, plain and drafted.
 * The clock of a shared machine says little; processor time is the same whoever else works.
 *
 *   npx tsx test/dflash/speed.ts [prompts] [tokens] [off | auto | 2..8 ...]
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { asset } from '../../runtime/paths.ts'
import { openNano } from '../support/run-nano.ts'

const [count = 8, tokens = 128] = process.argv.slice(2, 4).map(Number)
const named = process.argv.slice(4)
const drafts = (named.length > 0 ? named : ['off', '8', 'auto']).map((d) =>
  d === 'off' || d === 'auto' ? d : Number(d),
)

interface Held {
  readonly ids: readonly number[]
}
const file = asset('models', 'mimo', 'nano', 'train', 'drafter', 'heldout.json')
const { code } = JSON.parse(readFileSync(file, 'utf8')) as { readonly code: readonly Held[] }
const prompts = code.slice(40, 40 + count).map((h) => h.ids)

/** Seconds of processor time that the engine has used so far. */
const ticks = Number(execFileSync('getconf', ['CLK_TCK']))
function used(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticks
}

const session = await openNano()
// The first request starts the process.
await session.complete({ tokens: prompts[0]!, maxTokens: 4 })
const plain = new Map<number, readonly number[]>()
let first: number | undefined
for (const draft of drafts) {
  let [seconds, made, rounds] = [0, 0, 0]
  for (const [p, prompt] of prompts.entries()) {
    // The prompt is the same work for all.
    const before = used(session.pid!)
    await session.complete({ tokens: prompt, maxTokens: 1, draft: 'off', ignoreEnd: true })
    const between = used(session.pid!)
    const { tokenIds, stats } = await session.complete({ tokens: prompt, maxTokens: tokens, draft, ignoreEnd: true })
    seconds += used(session.pid!) - between - (between - before)
    made += tokenIds.length - 1
    rounds += stats.draft.rounds
    const same = JSON.stringify(plain.get(p) ?? tokenIds) === JSON.stringify(tokenIds)
    if (!same) throw new Error(`prompt ${p}, draft ${draft}: another text`)
    plain.set(p, tokenIds)
  }
  const each = (1000 * seconds) / made
  first ??= each
  console.log(
    `draft ${draft}: ${each.toFixed(2)} ms a token, ${((1000 * seconds) / rounds).toFixed(2)} ms a round, ${(made / rounds).toFixed(2)} tokens a round, ${(first / each).toFixed(2)}x`,
  )
}
await session.close()
