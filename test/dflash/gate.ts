/** The prompts of the acceptance gate and how they are measured. The recorded value is the engine's own, on the host. */
import { readFileSync } from 'node:fs'
import type { EngineEvent } from '../../runtime/engine/engine.ts'
import type { EngineRequest, RoundOutcome } from '../../runtime/engine/wire.ts'
import { asset } from '../../runtime/paths.ts'

interface Held {
  readonly ids: readonly number[]
}

export const gateTokens = 64
export const stored = { acceptanceLength: 3.0897 }

/** Ten of code and ten of chat. */
export function gatePrompts(count = 20): readonly (readonly number[])[] {
  const file = asset('models', 'mimo', 'nano', 'train', 'drafter', 'heldout.json')
  const { code, chat } = JSON.parse(readFileSync(file, 'utf8')) as { code: readonly Held[]; chat: readonly Held[] }
  const half = count / 2
  return [...code.slice(40, 40 + half), ...chat.slice(40, 40 + half)].map((h) => h.ids)
}

interface Drafting {
  engineEvents(request: EngineRequest): AsyncIterable<EngineEvent>
  readonly defaults: { readonly endTokens: readonly number[] }
}

/** The rounds after the prompt's, of whole blocks. */
export async function gateRounds(session: Drafting, prompts: readonly (readonly number[])[]): Promise<RoundOutcome[]> {
  const rounds: RoundOutcome[] = []
  for (const prompt of prompts) {
    const request = { prompt, maxNewTokens: gateTokens, eos: session.defaults.endTokens, draft: { rows: 8, block: 8 } }
    const all: RoundOutcome[] = []
    for await (const e of session.engineEvents(request)) if (e.type === 'round') all.push(e.outcome)
    rounds.push(...all.slice(1))
  }
  return rounds
}

export const acceptanceLength = (rounds: readonly RoundOutcome[]): number =>
  rounds.reduce((n, r) => n + r.accepted + 1, 0) / rounds.length
