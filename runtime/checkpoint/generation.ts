/**
 * What a checkpoint says about generating: the tokens that end an answer and the sampling its authors recommend.
 *
 * Invariant: generation_config.json goes before config.json, whose eos_token_id is often only one of several; a
 * checkpoint that names no end token is refused, because nothing else would end an answer.
 */
import { z } from 'zod'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { Checkpoint } from './checkpoint.ts'

export interface GenerationDefaults {
  readonly endTokens: readonly number[]
  readonly temperature?: number
  readonly topP?: number
  readonly topK?: number
}

const tokens = z.union([z.int().nonnegative(), z.array(z.int().nonnegative())]).nullish()
const schema = z.looseObject({
  eos_token_id: tokens,
  temperature: z.number().nonnegative().nullish(),
  top_p: z.number().positive().max(1).nullish(),
  top_k: z.int().nonnegative().nullish(),
})

export function generationDefaults(checkpoint: Checkpoint): GenerationDefaults {
  const session = new Session()
  const subject = checkpoint.folder
  const parsed = schema.safeParse(checkpoint.generationConfig ?? {})
  const fallback = tokens.safeParse(checkpoint.config.eos_token_id)
  for (const issue of [...(parsed.error?.issues ?? []), ...(fallback.error?.issues ?? [])]) {
    session.report('TILE7027', `${issue.path.join('.') || 'eos_token_id'}: ${issue.message}`, { subject })
  }
  const { eos_token_id, temperature, top_p, top_k } = parsed.data ?? {}
  const endTokens = [eos_token_id ?? fallback.data ?? []].flat()
  if (!session.failed && endTokens.length === 0) {
    session.report('TILE7027', 'neither generation_config.json nor config.json names an eos_token_id', { subject })
  }
  session.throwIfFailed()
  return {
    endTokens,
    ...(temperature != null && { temperature }),
    ...(top_p != null && { topP: top_p }),
    ...(top_k ? { topK: top_k } : {}),
  }
}
