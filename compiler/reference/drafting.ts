/**
 * Rounds of speculative decoding on the reference: draft a block, verify it in one step of the target, accept what the
 * target would have said, commit exactly that. Greedy: what an engine's rounds are compared with.
 *
 * Vocabulary: the *anchor* is the newest token, sampled and processed by nobody yet; a *proposer* is whatever drafts, the
 * drafter's two programs or a test's. A *round* verifies `width` rows: the anchor and width - 1 proposals.
 * Invariants: between rounds the target's caches and the proposer's hold positions 0 to anchor - 1 and nothing else that
 * is ever read; the tokens are those of plain greedy decoding, whatever is proposed; a block is drafted whole, so that
 * proposals do not depend on the width.
 */
import type { Graph } from '../../dsl/graph.ts'
import { InternalError } from '../diagnostics/diagnostic.ts'
import type { Row } from './frame.ts'
import { argmax } from './generate.ts'
import type { ParamSource } from './params.ts'
import { type Caches, createReference, type Reference, type ReferenceOptions, type Step } from './reference.ts'

export interface Proposer {
  /** Tokens for the positions after the anchor's. */
  propose(anchor: Row): readonly number[]
  /** Takes the taps of rows that are final, `rows x tap x hidden`. */
  commit(rows: readonly Row[], taps: Float64Array): void
  reset(): void
}

export interface DraftedRound {
  /** The anchor of the round. */
  readonly anchor: Row
  /** Proposals that were verified, width - 1 of them. */
  readonly drafted: readonly number[]
  /** How many of them the target agreed with, up to the first that it did not. */
  readonly accepted: number
  /** The accepted proposals and the target's own token after them, which is the next anchor. */
  readonly emitted: readonly number[]
}

export interface DraftingReference {
  /** Processes a prompt from position 0 and returns the first anchor. */
  start(prompt: readonly number[]): number
  /** `width` rows, 1 (plain decoding) to the block's; fewer where the context ends. */
  round(width: number): DraftedRound
}

export interface DrafterReferenceOptions extends ReferenceOptions {
  /** Rows of a block, and the token of those that are to be filled in. */
  readonly block: { readonly rows: number; readonly mask: number }
}

export interface DrafterReference extends Proposer {
  /** The draft program's result for a block, for comparisons beyond its proposals. */
  draft(anchor: Row): Step
}

/** The drafter's two programs over caches that both see. `params` has the target's shared ones too. */
export function createDrafterReference(
  programs: { readonly commit: Graph; readonly draft: Graph },
  params: ParamSource,
  options: DrafterReferenceOptions,
): DrafterReference {
  const { rows: block, mask } = options.block
  const caches: Caches = options.caches ?? new Map()
  const commit = createReference(programs.commit, params, { ...options, caches })
  // rows of a block that lie behind the context propose nothing that is used, and are kept nowhere
  const draft = createReference(programs.draft, params, { ...options, ctx: options.ctx + block - 1, caches })
  const run = ({ token, position }: Row): Step =>
    draft.step(Array.from({ length: block }, (_, j) => ({ token: j === 0 ? token : mask, position: position + j })))
  return {
    draft: run,
    // row j is about its own position; row 0 is the anchor, which is known
    propose: (anchor) =>
      run(anchor)
        .logits.slice(1)
        .map((logits) => argmax(logits, draft.valid)),
    commit: (rows, taps) => void commit.step(rows, { taps }),
    reset: () => caches.clear(),
  }
}

export function createDraftingReference(target: Reference, proposer: Proposer, ctx: number): DraftingReference {
  let anchor: Row | undefined
  const next = (logits: Float64Array): number => argmax(logits, target.valid)
  const rowsFrom = (tokens: readonly number[], position: number): Row[] =>
    tokens.map((token, i) => ({ token, position: position + i }))
  return {
    start(prompt) {
      target.reset()
      proposer.reset()
      const rows = rowsFrom(prompt, 0)
      const step = target.step(rows)
      proposer.commit(rows, tapsOf(step, rows.length))
      anchor = { token: next(step.logits.at(-1)!), position: rows.length }
      return anchor.token
    },
    round(width) {
      if (!anchor) throw new InternalError('a round before the prompt')
      const from = anchor
      const rows = Math.min(width, ctx - from.position)
      const drafted = rows > 1 ? proposer.propose(from).slice(0, rows - 1) : []
      const block = rowsFrom([from.token, ...drafted], from.position)
      const step = target.step(block)
      const said = step.logits.map(next)
      let accepted = 0
      while (accepted < drafted.length && drafted[accepted] === said[accepted]) accepted++
      proposer.commit(block.slice(0, accepted + 1), tapsOf(step, accepted + 1))
      const emitted = [...drafted.slice(0, accepted), said[accepted]!]
      anchor = { token: said[accepted]!, position: from.position + accepted + 1 }
      return { anchor: from, drafted, accepted, emitted }
    },
  }
}

/** The tapped values of the first `rows` rows, layers in ascending order. */
function tapsOf(step: Step, rows: number): Float64Array {
  const layers = [...step.taps].sort(([a], [b]) => a - b).map(([, values]) => values)
  const size = layers[0]?.[0]?.length ?? 0
  const taps = new Float64Array(rows * layers.length * size)
  layers.forEach((values, t) => {
    for (let r = 0; r < rows; r++) taps.set(values[r]!, (r * layers.length + t) * size)
  })
  return taps
}

export interface DraftedText {
  readonly tokens: readonly number[]
  readonly rounds: readonly DraftedRound[]
}

/** `generateGreedy` by rounds. A stop token ends the text, also inside a block; `count` cuts a block off. */
export function generateDrafting(
  reference: DraftingReference,
  prompt: readonly number[],
  count: number,
  options: { readonly width: number; readonly stop?: ReadonlySet<number> },
): DraftedText {
  const tokens = [reference.start(prompt)]
  const rounds: DraftedRound[] = []
  const ended = () => options.stop?.has(tokens.at(-1)!) === true || tokens.length === count
  while (!ended()) {
    const round = reference.round(options.width)
    rounds.push(round)
    for (const token of round.emitted) {
      if (ended()) break
      tokens.push(token)
    }
  }
  return { tokens, rounds }
}
