/** The prompts of the acceptance gate and how they are measured. The recorded value is the engine's own, on the host. */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EngineEvent } from '../../runtime/engine/engine.ts'
import type { EngineRequest, RoundOutcome } from '../../runtime/engine/wire.ts'
import { asset } from '../../runtime/paths.ts'

interface Held {
  readonly ids: readonly number[]
}

export const gateTokens = 64

/**
 * What was measured: for each prompt its rounds, the tokens of them, and the text (a hash of its ids). Rounding may change
 * a text when the engine's arithmetic does, and then its rounds; a fault of the drafter never does. So a prompt is held
 * against its record only while its text is the recorded one.
 */
export interface Recorded {
  readonly rounds: number
  readonly tokens: number
  readonly text: string
}

const file = join(import.meta.dirname, 'gate.json')
export const recorded = (): readonly Recorded[] => JSON.parse(readFileSync(file, 'utf8'))
export const record = (all: readonly Recorded[]): void => writeFileSync(file, `${JSON.stringify(all, null, 1)}\n`)

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

/** One prompt's record on this engine. */
export async function measure(session: Drafting, prompt: readonly number[]): Promise<Recorded> {
  const ids: number[] = []
  const rounds: RoundOutcome[] = []
  const request = { prompt, maxNewTokens: gateTokens, eos: session.defaults.endTokens, draft: { rows: 8, block: 8 } }
  for await (const e of session.engineEvents(request)) {
    if (e.type === 'round') rounds.push(e.outcome)
    if (e.type === 'token') ids.push(e.token)
  }
  const after = rounds.slice(1)
  return {
    rounds: after.length,
    tokens: after.reduce((n, r) => n + r.accepted + 1, 0),
    text: createHash('sha256').update(ids.join()).digest('hex').slice(0, 16),
  }
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
