/**
 * The whole of losslessness: prompts (code, prose, chat, random bytes, random tokens, a loop) x greedy and three ways to
 * sample x widths x ranks. Rounds of nano's trained drafter against plain decoding of the same engine: tokens, why the
 * text ended, and of every emitted token the digest of all logits of its row.
 *
 *   npm run campaign:dflash -- [--prompts 200] [--tokens 24] [--ranks 0] [--part 0 --parts 1]
 *
 * On GPUs: TILEC_TEST_TARGET=sm_90a. Parts are for several processes, each with an XDG_CACHE_HOME of its own.
 *
 * A case is one prompt with one way to sample on so many ranks: plain decoding once, then every width. Verdicts: same;
 * different (tokens, logits or end), counters (they do not add up), failed. One engine a number of ranks serves all cases.
 */
import { readFileSync } from 'node:fs'
import { engineRequest } from '../../runtime/decode/sampling.ts'
import { RoundTimes, WidthPolicy } from '../../runtime/decode/width-policy.ts'
import type { DraftRequest, RoundOutcome } from '../../runtime/engine/wire.ts'
import { asset } from '../../runtime/paths.ts'
import { buildModel } from '../../runtime/session/build-model.ts'
import { compileModel } from '../../runtime/session/compile-model.ts'
import type { Session } from '../../runtime/session/open-model.ts'
import { campaign, options } from '../campaigns/campaign.ts'
import { ctx, openNano, target } from '../support/run-nano.ts'
import { samplings } from './drafting.ts'

interface Case {
  readonly ranks: number
  readonly prompt: number
  readonly sampling: number
}

const widths = [1, 2, 5, 8, 'auto'] as const
type Width = (typeof widths)[number]

/** Prompts are cut, all but every twentieth: what they cost is the same for every width. */
const shortPrompt = 40

function prompts(session: Session, count: number): readonly (readonly number[])[] {
  const file = asset('models', 'mimo', 'nano', 'train', 'drafter', 'heldout.json')
  const held = JSON.parse(readFileSync(file, 'utf8')) as Record<'code' | 'chat', readonly { ids: number[] }[]>
  const encode = (text: string) => session.tokenizer.encode(text, 'text')
  const some = <T>(n: number, make: (p: number) => T): T[] => Array.from({ length: n }, (_, p) => make(p))
  const bytes = (p: number) => String.fromCharCode(...some(4 + 6 * p, (i) => ((i + 3) * (p + 5) * 2654435761) >>> 24))
  const tokens = (p: number) => some(5 + 7 * p, (i) => ((p * 7919 + i * 104729) ^ (i << 5)) % session.tokenizer.size)
  const prose = readFileSync(asset('docs', 'engine.md'), 'utf8').split('\n\n').slice(0, 12)
  const all = [
    encode('ab ab ab ab ab ab ab ab'),
    ...some(12, (p) => encode(bytes(p))),
    ...some(12, tokens),
    ...prose.map((text) => encode(text.slice(0, 400))),
    ...held.code.map((h) => h.ids),
    ...held.chat.map((h) => h.ids),
  ]
  // Every kind, however few are wanted.
  return some(count, (i) => all[Math.floor((i * all.length) / count)]!).map((ids, i) =>
    i % 20 === 19 ? ids.slice(0, ctx - 64) : ids.slice(0, shortPrompt),
  )
}

interface Run {
  readonly text: string
  readonly rounds: readonly RoundOutcome[]
  readonly tokens: number
}

async function run(session: Session, ids: readonly number[], c: Case, count: number, draft?: DraftRequest) {
  const how = { ...samplings[c.sampling]!, maxTokens: count, logprobs: 0 }
  const room = { ctx: session.ctx, vocabulary: session.tokenizer.size }
  const request = engineRequest(ids, how, session.defaults, room)
  const rows: string[] = []
  const rounds: RoundOutcome[] = []
  for await (const e of session.engineEvents({ ...request, ...(draft && { draft }) })) {
    if (e.type === 'token') rows.push(`${e.token}:${e.logprobs?.digest}`)
    if (e.type === 'end') rows.push(e.reason)
    if (e.type === 'round') rounds.push(e.outcome)
  }
  return { text: rows.join(' '), rounds, tokens: rows.length - 1 } satisfies Run
}

function draftOf(width: Width, block: number, times: RoundTimes): DraftRequest {
  if (width !== 'auto') return { rows: width, block }
  const policy = new WidthPolicy({ block, times })
  return { rows: policy.first, block, next: (round) => policy.next(round) }
}

/** emitted = sum of (accepted + 1) - truncated, and acceptance does not grow with the position. */
function addsUp({ rounds, tokens }: Run): boolean {
  const sum = (of: (r: RoundOutcome) => number) => rounds.reduce((n, r) => n + of(r), 0)
  const truncated = rounds.filter((r) => r.tokens === r.accepted && r.tokens > 0).length
  return (
    tokens === sum((r) => r.accepted + 1) - truncated &&
    tokens === sum((r) => r.tokens) &&
    rounds.every((r) => r.accepted <= r.drafted)
  )
}

const o = options({ prompts: 200, tokens: 24, ranks: 0, part: 0, parts: 1 })
const rankCounts = o.ranks > 0 ? [o.ranks] : [1, 2]
const open = new Map<number, { session: Session; times: RoundTimes; prompts: readonly (readonly number[])[] }>()
const engines: string[] = []
for (const ranks of rankCounts) {
  const session = await openNano({ gpus: ranks })
  const compiled = compileModel(session.resolved, { target, gpus: ranks, ctx })
  engines.push((await buildModel(compiled, target, {})).executable.split('/').at(-2)!)
  open.set(ranks, { session, times: new RoundTimes(), prompts: prompts(session, o.prompts) })
}
// Kinds of prompts and numbers of ranks in turn: a campaign that is interrupted has seen some of each.
const stride = 37
const order = Array.from({ length: o.prompts }, (_, i) => (i * stride) % o.prompts)
const cases = order
  .filter((_, i) => i % o.parts === o.part)
  .flatMap((prompt) => rankCounts.flatMap((ranks) => samplings.map((_, sampling) => ({ ranks, prompt, sampling }))))
if (new Set(order).size !== o.prompts) throw new Error(`--prompts: not a multiple of ${stride}`)
const results = await campaign('dflash', cases, {
  jobs: 1,
  fresh: o.fresh,
  state: [...engines, o.prompts, o.tokens].join(),
  key: (c) => `ranks ${c.ranks} prompt ${c.prompt} sampling ${c.sampling}`,
  run: async (c) => {
    try {
      const { session, times, prompts } = open.get(c.ranks)!
      const ids = prompts[c.prompt]!
      const plain = await run(session, ids, c, o.tokens)
      const lengths: number[] = []
      for (const width of widths) {
        const drafted = await run(session, ids, c, o.tokens, draftOf(width, session.draftBlock!, times))
        if (drafted.text !== plain.text)
          return { verdict: 'different', detail: `width ${width}: ${drafted.text} instead of ${plain.text}` }
        if (!addsUp(drafted))
          return { verdict: 'counters', detail: `width ${width}: ${JSON.stringify(drafted.rounds)}` }
        const after = drafted.rounds.slice(1)
        lengths.push(after.length > 0 ? after.reduce((n, r) => n + r.tokens, 0) / after.length : 1)
      }
      return { verdict: 'same', detail: lengths.map((l) => l.toFixed(2)).join(' ') }
    } catch (error) {
      return { verdict: 'failed', detail: String(error) }
    }
  },
  bad: (v) => v !== 'same',
})
for (const { session } of open.values()) await session.close()

const lengths = results.map((r) => (r.verdict === 'same' ? r.detail!.split(' ').map(Number) : []))
for (const [s, how] of samplings.entries()) {
  const of = lengths.filter((l, i) => l.length > 0 && cases[i]!.sampling === s)
  const mean = widths.map((w, i) => `${w}: ${(of.reduce((n, l) => n + l[i]!, 0) / of.length).toFixed(2)}`)
  console.log(`tokens a round, ${JSON.stringify(how)}: width ${mean.join(', ')}`)
}
