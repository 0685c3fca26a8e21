/**
 * Where the drafter's parameters lie in a published `dflash/` folder: BF16, names without a prefix.
 *
 * Queries, keys and values are separate tensors; the graph wants them KV head by KV head, so a parameter is read from
 * all of them in turn. Keys and values are read twice, for the block (`qkv_proj`) and for the context, where `kv_proj` has those
 * of all layers, layer by layer within a head.
 * `mask_embedding` is a file of its own beside the others; its reader calls the tensor so.
 */
import {
  type Binding,
  type Param,
  range,
  type Segment,
  type StoredTensor,
  sizeOf,
  type WeightSource,
} from '../../dsl/index.ts'
import type { MimoDrafterConfig } from './drafter-config.ts'

const stored = (name: string, shape: readonly number[]): StoredTensor => ({ name, shape, dtypes: ['BF16'] })
const whole = (name: string, rows: number, columns: number): Segment[] => [
  { tensor: stored(name, [rows, columns]), firstRow: 0, rows },
]
const vector = (name: string, size: number): Segment[] => [{ tensor: stored(name, [size]), firstRow: 0, rows: 1 }]

/** The rows of each KV head out of the named projections of some layers, head by head. */
function byHead(
  scopes: readonly string[],
  names: readonly ('q' | 'k' | 'v')[],
  columns: number,
  c: MimoDrafterConfig,
): Segment[] {
  const rowsOf = { q: (c.heads / c.kvHeads) * c.queryDim, k: c.queryDim, v: c.valueDim }
  const parts = scopes.flatMap((scope) =>
    names.map((n) => ({
      rows: rowsOf[n],
      tensor: stored(`${scope}.${n}_proj.weight`, [c.kvHeads * rowsOf[n], columns]),
    })),
  )
  return range(c.kvHeads).flatMap((head) => parts.map(({ tensor, rows }) => ({ tensor, firstRow: head * rows, rows })))
}

interface Rule {
  readonly name: RegExp
  /** How many of the parameter's dims are rows. */
  readonly rowDims: number
  readonly segments: (p: Param, rows: number, columns: number, cfg: MimoDrafterConfig) => Segment[]
}

const scopeOf = (p: Param): string => p.name.slice(0, p.name.lastIndexOf('.'))

const rules: readonly Rule[] = [
  {
    name: /\.qkv_proj$/,
    rowDims: 2,
    segments: (p, _, columns, cfg) => byHead([scopeOf(p)], ['q', 'k', 'v'], columns, cfg),
  },
  {
    name: /^kv_proj$/,
    rowDims: 2,
    segments: (_p, _, columns, cfg) => {
      const scopes = range(cfg.layers).map((l) => `layers.${l}.self_attn`)
      return byHead(scopes, ['k', 'v'], columns, cfg)
    },
  },
  {
    name: /^mask_embedding$|\.attention_sink_bias$/,
    rowDims: 0,
    segments: (p, _, columns) => vector(p.name, columns),
  },
  {
    name: /^(norm|hidden_norm)$|\.([qk]_norm|input_layernorm|post_attention_layernorm)$/,
    rowDims: 0,
    segments: (p, _, columns) => vector(`${p.name}.weight`, columns),
  },
  {
    name: /^fc$|\.(o_proj|gate_proj|up_proj|down_proj)$/,
    rowDims: 1,
    segments: (p, rows, columns) => whole(`${p.name}.weight`, rows, columns),
  },
]

export const drafterWeights: WeightSource<MimoDrafterConfig> = {
  bind(param, config): Binding | undefined {
    const rule = rules.find((r) => r.name.test(param.name))
    if (!rule) return undefined
    const rows = sizeOf(param.dims.slice(0, rule.rowDims))
    const columns = sizeOf(param.dims.slice(rule.rowDims))
    return { param: param.name, rows, columns, segments: rule.segments(param, rows, columns, config) }
  },
  unread: [],
}
