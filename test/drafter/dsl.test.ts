/** defineDrafter and its ops: what the two programs of a drafter may not disagree about. */
import { expect, test } from 'vitest'
import { graphViolations } from '../../compiler/graph/check-graph.ts'
import {
  attention,
  bf16,
  defineDrafter,
  dim,
  f32,
  type GraphBuilder,
  linear,
  type Problem,
  parallelDim,
  remember,
  slice,
  weight,
} from '../../dsl/index.ts'

const hidden = dim('hidden', 8)
const kv = parallelDim('kv', 2)
const group = dim('group', 2)
const qd = dim('qd', 4)
const vd = dim('vd', 3)
const vocabulary = dim('vocabulary', 10)

interface Parts {
  readonly cache?: string
  readonly window?: number
  readonly valueDim?: ReturnType<typeof dim<'vd', number>>
  readonly times?: number
}

function commit(m: GraphBuilder, { cache = 'a', window = 5, valueDim = vd, times = 1 }: Parts): void {
  const tap = dim('tap', 2)
  const c = linear(m.taps([tap, hidden]), weight('fc', [hidden, tap, hidden], bf16))
  const rows = dim('rows', qd.size + valueDim.size)
  const both = linear(c, weight('kv', [kv, rows, hidden], bf16))
  const [k, v] = [slice(both, 'rows', 0, [qd]), slice(both, 'rows', qd.size, [valueDim])]
  for (let i = 0; i < times; i++) remember(k, v, { cache, window })
}

function draft(
  m: GraphBuilder,
  { cache, token = 9, mask = hidden }: { cache?: string; token?: number; mask?: typeof hidden },
) {
  const x = m.embed(weight('table', [vocabulary, hidden], bf16), {
    instead: { token, weight: weight('mask', [mask], bf16) },
  })
  const rows = dim('rows', group.size * qd.size + qd.size + vd.size)
  const all = linear(x, weight('qkv', [kv, rows, hidden], bf16))
  const q = slice(all, 'rows', 0, [group, qd])
  const [k, v] = [slice(all, 'rows', 8, [qd]), slice(all, 'rows', 12, [vd])]
  const mixed = attention(q, k, v, { scale: 0.5, window: 5, block: true, cache })
  m.logits(linear(mixed, weight('o', [vocabulary, kv, group, vd], bf16)))
}

function problems(first: Parts = {}, second: Parameters<typeof draft>[1] = { cache: 'a' }) {
  const found: Problem[] = []
  const any = { safeParse: (data: unknown) => ({ success: true as const, data }) }
  const programs = defineDrafter('d', any, {
    block: () => ({ rows: 8, mask: 9 }),
    fit: () => {},
    section: () => ({}),
    commit: (m) => commit(m, first),
    draft: (m) => draft(m, second),
  }).build({}, {}, (p) => found.push(p))
  return { programs, found: found.map((p) => `${p.code} ${p.message}`) }
}

test('programs that agree', () => {
  const { programs, found } = problems()
  expect(found).toEqual([])
  expect(graphViolations(programs.commit)).toEqual([])
  expect(graphViolations(programs.draft)).toEqual([])
})

test('caches that they disagree about', () => {
  expect(problems({ cache: 'b' }).found).toEqual([
    "TILE1043 'd.draft' attends to cache 'a', which 'd.commit' does not remember",
    "TILE1043 cache 'b' is remembered, but 'd.draft' does not attend to it",
  ])
  expect(problems({ times: 2 }).found).toEqual(["TILE1043 cache 'a' is remembered twice in 'd.commit'"])
  expect(problems({ window: 6 }).found).toEqual(["TILE1043 cache 'a' keeps 6 keys, but 5 are attended to"])
  expect(problems({ valueDim: dim('vd', 4) }).found).toEqual([
    "TILE1043 cache 'a' is given [kv=2, qd=4] and [kv=2, vd=4] but attended to as [kv=2, qd=4] and [kv=2, vd=3]",
  ])
})

test('a block without a cache to read', () => {
  expect(problems({}, {}).found[0]).toBe(
    'TILE1024 attention: a block keeps no keys of its own; name the cache that it reads',
  )
})

test('a vector in the place of a row that there is not, or of another size', () => {
  expect(problems({}, { cache: 'a', token: 10 }).found).toEqual([
    "TILE1020 embed: token 10 is not one of the 10 rows of 'table'",
  ])
  expect(problems({}, { cache: 'a', mask: dim('hidden', 7) as never }).found).toEqual([
    "TILE1020 embed: 'mask' is [hidden=7], a row of 'table' [hidden=8]",
  ])
})

test('a parameter that they declare differently', () => {
  const found: Problem[] = []
  const any = { safeParse: (data: unknown) => ({ success: true as const, data }) }
  defineDrafter('d', any, {
    block: () => ({ rows: 8, mask: 9 }),
    fit: () => {},
    section: () => ({}),
    commit: (m) => {
      linear(m.taps([dim('tap', 1), hidden]), weight('o', [vocabulary, dim('tap', 1), hidden], f32))
      commit(m, {})
    },
    draft: (m) => draft(m, { cache: 'a' }),
  }).build({}, {}, (p) => found.push(p))
  expect(found.map((p) => p.message)).toEqual([
    "parameter 'o' is [vocabulary=10, kv=2, group=2, vd=3] bf16 in 'd.draft' but [vocabulary=10, tap=1, hidden=8] f32 in 'd.commit'",
  ])
})
