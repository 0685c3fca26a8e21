/**
 * The whole of losslessness: 200 prompts (code, prose, chat, random tokens, a loop) x greedy and three ways to sample x
 * widths x ranks, DFlash with nano's trained drafter against plain decoding of the same engine, tokens and log
 * probabilities; then the faults that need engines of their own against the acceptance gate.
 *
 *   npm run campaign:dflash -- [prompts] [ranks ...]
 */
import { readFileSync, rmSync } from 'node:fs'
import { asset } from '../../runtime/paths.ts'
import type { Session } from '../../runtime/session/open-model.ts'
import { openNano } from '../support/run-nano.ts'
import { countersAddUp, samplings, widths, write } from './drafting.ts'
import { configFaults } from './faults.ts'
import { acceptanceLength, gatePrompts, gateRounds } from './gate.ts'

const [count = 200, ...ranks] = process.argv.slice(2).map(Number)
const tokens = 48

interface Held {
  readonly ids: readonly number[]
}

function prompts(session: Session): readonly (readonly number[])[] {
  const file = asset('models', 'mimo', 'nano', 'train', 'drafter', 'heldout.json')
  const { code, chat } = JSON.parse(readFileSync(file, 'utf8')) as { code: readonly Held[]; chat: readonly Held[] }
  const prose = readFileSync(asset('docs', 'engine.md'), 'utf8').split('\n\n').slice(0, 12)
  const random = Array.from({ length: 12 }, (_, p) =>
    Array.from({ length: 5 + 7 * p }, (_, i) => ((p * 7919 + i * 104729) ^ (i << 5)) % session.tokenizer.size),
  )
  const loop = session.tokenizer.encode('ab ab ab ab ab ab ab ab', 'text')
  const all = [
    loop,
    ...random,
    ...prose.map((text) => session.tokenizer.encode(text.slice(0, 400), 'text')),
    ...code.map((h) => h.ids),
    ...chat.map((h) => h.ids),
  ]
  // Every kind, however few are wanted.
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!)
}

let wrong = 0
let compared = 0
for (const gpus of ranks.length > 0 ? ranks : [1, 2]) {
  const session = await openNano({ gpus })
  const lengths = new Map<string, number[]>()
  for (const [p, prompt] of prompts(session).entries()) {
    for (const [s, sampling] of samplings.entries()) {
      const how = { ...sampling, maxTokens: tokens, ignoreEnd: false }
      const plain = await write(session, prompt, { ...how, draft: 'off' })
      for (const draft of widths) {
        const drafted = await write(session, prompt, { ...how, draft })
        const same =
          JSON.stringify([drafted.tokens, drafted.logprobs, drafted.reason]) ===
          JSON.stringify([plain.tokens, plain.logprobs, plain.reason])
        compared++
        if (!same || !countersAddUp(drafted)) {
          wrong++
          console.log(`DIFFERENT: ${gpus} ranks, prompt ${p}, sampling ${s}, width ${draft}`)
        }
        const key = `${gpus} ranks, sampling ${s}, width ${draft}`
        lengths.set(key, [...(lengths.get(key) ?? []), drafted.draft.acceptanceLength])
      }
    }
  }
  for (const [key, all] of lengths)
    console.log(`${key}: ${(all.reduce((a, b) => a + b) / all.length).toFixed(2)} tokens a round`)
  await session.close()
}
console.log(`${compared} comparisons, ${wrong} different`)

const measured = async (drafter?: string): Promise<number> => {
  const session = await openNano(drafter === undefined ? {} : { drafter })
  const length = acceptanceLength(await gateRounds(session, gatePrompts(6)))
  await session.close()
  return length
}
const right = await measured()
for (const [name, fault] of Object.entries(configFaults)) {
  const folder = fault()
  const length = await measured(folder)
  rmSync(folder, { recursive: true })
  const seen = length < 0.98 * right
  if (!seen) wrong++
  console.log(`${name}: ${length.toFixed(2)} of ${right.toFixed(2)}${seen ? '' : ' NOT SEEN'}`)
}
process.exitCode = wrong > 0 ? 1 : 0
