/** What a rank of several has of attention with fewer KV heads than ranks: dims, slices of a fused projection, rows of weights. */
import { expect, it } from 'vitest'
import { makeManifest } from '../../codegen/make-manifest.ts'
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { assertGraph } from '../../compiler/graph/check-graph.ts'
import { type ShardedGraph, shardGraph } from '../../compiler/shard/shard-graph.ts'
import { printDims } from '../../dsl/dim.ts'
import type { Graph } from '../../dsl/graph.ts'
import { attention, bf16, defineModel, dim, linear, parallelDim, remember, slice, weight } from '../../dsl/index.ts'
import { mimoGraph, nanoDrafterGraphs, planOf } from '../support/plans.ts'

const hidden = dim('hidden', 64)

/** Attention of `kvHeads` x `groups` over a fused projection of heads of 32. */
function fused(kvHeads: number, groups: number): Graph {
  const model = defineModel('fused', { safeParse: (data) => ({ success: true, data }) }, (m) => {
    const [kv, group, head] = [parallelDim('kv', kvHeads), dim('group', groups), dim('head', 32)]
    const qkv = dim('qkv', (groups + 2) * 32)
    const x = m.embed(weight('embed', [dim('token', 64), hidden], bf16))
    const all = linear(x, weight('qkv', [kv, qkv, hidden], bf16), { phase: 'qkv' })
    const mixed = attention(
      slice(all, 'qkv', 0, [group, head]),
      slice(all, 'qkv', groups * 32, [head]),
      slice(all, 'qkv', (groups + 1) * 32, [head]),
      { scale: 0.25 },
    )
    const y = linear(mixed, weight('o', [hidden, kv, group, head], bf16), { phase: 'o' })
    m.logits(linear(y, weight('lm', [parallelDim('vocabulary', 128), hidden], bf16), { phase: 'head' }))
  })
  return model.build({}, ({ message }) => {
    throw new Error(message)
  })
}
function shard(graph: Graph, ranks: number): { sharded: ShardedGraph; session: Session } {
  const session = new Session()
  return { sharded: shardGraph(graph, { ranks, session }), session }
}

it('ranks that share a head have its key and value, and consecutive queries of it', () => {
  const { sharded } = shard(fused(2, 4), 8)
  assertGraph(sharded, 'shard')
  const dims = (op: string) => sharded.nodes.filter((n) => n.op === op).map((n) => printDims(n.dims))
  expect(dims('slice')).toEqual(['[kv=1, group=1, head=32]', '[kv=1, head=32]', '[kv=1, head=32]'])
  expect(sharded.nodes.flatMap((n) => (n.op === 'slice' ? [[n.start, n.count]] : []))).toEqual([
    [0, 32],
    [32, 32],
    [64, 32],
  ])
  expect(sharded.params.map((p) => printDims(p.dims))).toEqual([
    '[token=64, hidden=64]',
    '[kv=1, qkv=96, hidden=64]',
    '[hidden=64, kv=1, group=1, head=32]',
    '[vocabulary=16, hidden=64]',
  ])
})

it('rows of a fused projection are those of the rank: its queries, the key, the value', () => {
  const { plan } = planOf([fused(2, 4)], { ranks: 8 })
  const manifest = makeManifest(plan, shard(fused(2, 4), 8).sharded.params)
  const rows = (rank: number, name: string) =>
    manifest[rank]!.params.filter((p) => p.name === name).flatMap((p) =>
      p.runs.flatMap(([, first, count, stride]) => Array.from({ length: count }, (_, i) => first + i * stride)),
    )
  const range = (first: number) => Array.from({ length: 32 }, (_, i) => first + i)
  // A head has 192 rows: four queries of 32, then the key at 128 and the value at 160. Rank 6 has the third query of head 1.
  expect(rows(6, 'qkv').sort((a, b) => a - b)).toEqual([...range(192 + 64), ...range(192 + 128), ...range(192 + 160)])
  const columns = (rank: number) => manifest[rank]!.params.find((p) => p.name === 'o')!
  expect([columns(6).firstColumn, columns(6).columns]).toEqual([192, 32])
})

it('a drafter whose keys and values are remembered shares heads in both of its programs', () => {
  const [, commit] = nanoDrafterGraphs()
  const halved = JSON.parse(JSON.stringify(commit).replaceAll('"name":"kv","size":8', '"name":"kv","size":2')) as Graph
  const { sharded, session } = shard(halved, 8)
  expect(session.diagnostics).toEqual([])
  const remembered = sharded.nodes.filter((n) => n.op === 'remember')
  for (const n of remembered) expect(sharded.nodes[n.inputs[0]!]!.dims[0]!.size).toBe(1)
  const kept = sharded.params.find((p) => p.name.endsWith('kv_proj'))!
  expect(kept.shared!.copies).toBe(4)
  expect(kept.shared!.pieces!.map((p) => p.step)).toEqual(remembered.flatMap(() => [0, 0]))
})

it('is refused where groups of queries cannot be dealt out, with the numbers of ranks that can be', () => {
  const { session } = shard(fused(2, 2), 8)
  expect(session.diagnostics.map((d) => [d.code, d.message, d.help])).toEqual([
    ['TILE3001', "8 ranks do not divide dim 'kv' of size 2", expect.stringMatching(/dealt out to: 1, 2, 4$/)],
  ])
})

it('is refused where something else sums over heads that several ranks have', () => {
  const model = defineModel('summed', { safeParse: (data) => ({ success: true, data }) }, (m) => {
    const [kv, head] = [parallelDim('kv', 2), dim('head', 16)]
    const x = m.embed(weight('embed', [dim('token', 64), hidden], bf16))
    const k = linear(x, weight('k', [kv, head, hidden], bf16))
    remember(k, linear(x, weight('v', [kv, head, hidden], bf16)), { cache: 'c' })
    const y = linear(k, weight('back', [hidden, kv, head], bf16))
    m.logits(linear(y, weight('lm', [parallelDim('vocabulary', 128), hidden], bf16)))
  })
  const graph = model.build({}, ({ message }) => {
    throw new Error(message)
  })
  const { session } = shard(graph, 4)
  expect(session.diagnostics.map((d) => [d.code, d.message])).toEqual([
    ['TILE3001', expect.stringMatching(/counted more than once/)],
  ])
})

it('MiMo-V2-Flash, with 4 KV heads in layers of full attention, has a plan on 8 ranks', { timeout: 60_000 }, () => {
  const { plan } = planOf([mimoGraph('models/mimo/configs/mimo-v2-flash.json')], {
    ranks: 8,
    sms: 32,
    schedule: { ring: { depth: 2, pageBytes: 52 * 1024 }, exchangeAs: 'bf16' },
  })
  expect(plan.ranks).toBe(8)
})
