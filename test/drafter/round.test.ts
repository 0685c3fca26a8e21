/**
 * Rounds on the reference: whatever is proposed, the text is that of plain greedy decoding, the counters add up and the
 * caches hold what is committed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createDrafterReference,
  createDraftingReference,
  type DraftedText,
  generateDrafting,
  type Proposer,
} from '../../compiler/reference/drafting.ts'
import type { Row } from '../../compiler/reference/frame.ts'
import { generateGreedy } from '../../compiler/reference/generate.ts'
import { createReference, type Reference } from '../../compiler/reference/reference.ts'
import { type LoadedDrafter, loadDrafter, writeSmallDrafter } from '../support/small-drafter.ts'

const ctx = 64
const prompt = [3, 17, 41, 5, 8]
const count = 40

let folder: string
let loaded: LoadedDrafter
let target: Reference
let greedy: readonly number[]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilec-'))
  writeSmallDrafter(folder)
  loaded = loadDrafter(folder)
  target = createReference(loaded.target.graph, loaded.target.params, { ctx })
  greedy = generateGreedy(target, prompt, count)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A proposer without a model; `committed` is what it was told is final. */
function fake(propose: (anchor: Row, committed: readonly Row[]) => readonly number[]) {
  let committed: Row[] = []
  const proposer: Proposer = {
    propose: (anchor) => propose(anchor, committed),
    commit: (rows, taps) => {
      expect(taps.length).toBe(rows.length * 2 * 64)
      committed.push(...rows)
    },
    reset: () => {
      committed = []
    },
  }
  return { proposer, committed: () => committed }
}
const textAt = (position: number): number => greedy[position - prompt.length] ?? 0
const oracle = fake(({ position }) => Array.from({ length: 7 }, (_, j) => textAt(position + 1 + j)))
const wrong = fake(({ position }) => Array.from({ length: 7 }, (_, j) => (textAt(position + 1 + j) + 1) % 50))

const run = (proposer: Proposer, width: number, stop?: ReadonlySet<number>, length = count): DraftedText =>
  generateDrafting(createDraftingReference(target, proposer, ctx), prompt, length, { width, ...(stop && { stop }) })

/** Emitted = sum of (accepted + 1), less what was cut off, plus the token that the prompt gave. */
function addsUp({ tokens, rounds }: DraftedText, width: number): void {
  const emitted = rounds.reduce((n, r) => n + r.accepted + 1, 1)
  expect(emitted - tokens.length).toBeGreaterThanOrEqual(0)
  expect(emitted - tokens.length).toBeLessThan(width)
  for (const r of rounds) {
    expect(r.drafted.length).toBeLessThan(width)
    expect(r.emitted.length).toBe(r.accepted + 1)
    expect(r.emitted.slice(0, -1)).toEqual(r.drafted.slice(0, r.accepted))
  }
}

describe.each([1, 2, 5, 8])('width %i', (width) => {
  test('the drafter gives the text of plain decoding', () => {
    const { built, params } = loaded
    const text = run(createDrafterReference(built, params, { ctx, block: built.block }), width)
    expect(text.tokens).toEqual(greedy)
    addsUp(text, width)
  })

  test('so does one that is always right, in as few rounds as there can be', () => {
    const text = run(oracle.proposer, width)
    expect(text.tokens).toEqual(greedy)
    addsUp(text, width)
    expect(text.rounds.length).toBe(Math.ceil((count - 1) / width))
  })

  test('and one that is always wrong, a token a round', () => {
    const text = run(wrong.proposer, width)
    expect(text.tokens).toEqual(greedy)
    expect(text.rounds.map((r) => r.accepted)).toEqual(text.rounds.map(() => 0))
    expect(text.rounds.length).toBe(count - 1)
  })
})

test('a proposer that is right up to a random place', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat(7)), fc.integer({ min: 1, max: 8 }), (places, width) => {
      const { proposer, committed } = fake(({ position }) => {
        const right = places.next().value!
        return Array.from({ length: 7 }, (_, j) => (textAt(position + 1 + j) + (j < right ? 0 : 1)) % 50)
      })
      const text = run(proposer, width)
      expect(text.tokens).toEqual(greedy)
      addsUp(text, width)
      // every position once, in order, up to the last anchor, with the tokens of the text
      const final = [...prompt, ...greedy]
      expect(committed().map((r) => r.position)).toEqual(committed().map((_, i) => i))
      for (const { token, position } of committed()) if (position < final.length) expect(token).toBe(final[position])
    }),
    { numRuns: 15 },
  )
})

test('a stop token ends the text at every place of a block', () => {
  for (let at = 1; at < 18; at++) {
    const stop = new Set([greedy[at]!])
    const plain = generateGreedy(target, prompt, count, { stop })
    expect(run(oracle.proposer, 8, stop).tokens).toEqual(plain)
  }
})

test('so does the number of tokens', () => {
  for (let length = 1; length < 18; length++) {
    expect(run(oracle.proposer, 8, undefined, length).tokens).toEqual(greedy.slice(0, length))
  }
})

test('rounds end where the context does', () => {
  const reference = createDraftingReference(target, oracle.proposer, ctx)
  const long = Array.from({ length: 60 }, (_, i) => (i * 7) % 50)
  reference.start(long)
  const round = reference.round(8)
  expect(round.drafted.length).toBe(3)
})

test('the drafter works behind the end of the context, too', () => {
  const { built, params } = loaded
  const drafter = createDrafterReference(built, params, { ctx, block: built.block })
  const reference = createDraftingReference(target, drafter, ctx)
  reference.start(Array.from({ length: 62 }, (_, i) => (i * 7) % 50))
  expect(reference.round(8).drafted.length).toBe(1)
})

test('a second request after a round starts clean', () => {
  const { built, params } = loaded
  const drafter = createDrafterReference(built, params, { ctx, block: built.block })
  const reference = createDraftingReference(target, drafter, ctx)
  const fresh = generateDrafting(reference, [7, 7, 9], 12, { width: 8 })
  generateDrafting(reference, prompt, 9, { width: 8 })
  expect(generateDrafting(reference, [7, 7, 9], 12, { width: 8 })).toEqual(fresh)
})
