/**
 * Determinism: one configuration gives the same tokens and the same bits of every logit, whatever the order of events.
 *
 *   npm run campaign:seeds -- [--from 1] [--count 200] [--ranks 0] [--jobs 2] [--check 0]
 *
 * A seed shuffles which warp runs next, preempts at sync points, cuts bulk copies in pieces, and delivers copies and
 * packets late and out of order. Every tenth seed reads a prompt that wraps the rings of the sliding layers.
 */
import type { BuiltEngine } from '../support/host-engine.ts'
import { buildNano, encode } from '../support/nano-engine.ts'
import { campaign, options } from './campaign.ts'

export interface SeedCase {
  readonly ranks: number
  readonly seed: number
}

const short =
  'export function isSorted(values: readonly number[]): boolean {\n  for (let i = 1; i < values.length; i++) '
const long = Array.from({ length: 12 }, (_, i) => `export const step${i} = (x: number) => x * ${i} + ${i + 1}\n`).join(
  '',
)
/** Sliding layers keep 256 positions of nano. */
const wrap = 264

const prompts = () => {
  const all = encode(long)
  return { short: encode(short), long: Array.from({ length: wrap }, (_, i) => all[i % all.length]!) }
}
const engines = new Map<string, Promise<BuiltEngine>>()
const expected = new Map<string, Promise<string>>()

const engine = (ranks: number, check: boolean): Promise<BuiltEngine> =>
  known(engines, `${ranks} ${check}`, () => buildNano({ ranks, check, ctx: 512 }))
const known = <V>(map: Map<string, V>, key: string, make: () => V): V => {
  if (!map.has(key)) map.set(key, make())
  return map.get(key)!
}

/** Tokens and bits of a run, as text. */
async function outcome(ranks: number, seed: number, which: 'short' | 'long', check: boolean): Promise<string> {
  const running = await (await engine(ranks, check)).start({ seed })
  try {
    const tokens = await running.greedy(prompts()[which], which === 'short' ? 12 : 4)
    return `${tokens.join(' ')} bits ${running.digest()}`
  } finally {
    await running.close()
  }
}

/** What is different, or nothing. */
export async function trySeed({ ranks, seed }: SeedCase, check = false): Promise<string | undefined> {
  const which = seed % 10 === 0 ? 'long' : 'short'
  const want = await known(expected, `${ranks} ${which} ${check}`, () => outcome(ranks, 0, which, check))
  const got = await outcome(ranks, seed, which, check)
  return got === want ? undefined : `expected ${want}, got ${got}`
}

if (import.meta.filename === process.argv[1]) {
  const o = options({ from: 1, count: 200, ranks: 0, jobs: 2, check: 0 })
  const rankCounts = o.ranks > 0 ? [o.ranks] : [1, 2, 4, 8]
  const cases = rankCounts.flatMap((ranks) => Array.from({ length: o.count }, (_, i) => ({ ranks, seed: o.from + i })))
  const sources = await Promise.all(rankCounts.map((r) => engine(r, o.check === 1)))
  await campaign('seeds', cases, {
    ...o,
    state: sources.map((s) => s.executable.split('/').at(-2)).join(),
    key: (c) => `ranks ${c.ranks} seed ${c.seed}`,
    run: async (c) => {
      try {
        const different = await trySeed(c, o.check === 1)
        return different ? { verdict: 'different', detail: different } : { verdict: 'same' }
      } catch (error) {
        return { verdict: 'failed', detail: String(error) }
      }
    },
    bad: (v) => v !== 'same',
  })
}
