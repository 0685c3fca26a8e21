/**
 * Where MiMo's parameters lie in a Hugging Face checkpoint.
 *
 * Three layouts of query, key and value exist: separate q_proj, k_proj, v_proj; one qkv_proj of *fused groups*, each
 * holding the queries, the keys and the values of its KV heads and its own scale grid. Experts are stored one by one.
 * Scales are called `weight_scale_inv` (F32, multiplied) for FP8 and `weight_scale` (E8M0 bytes) for MXFP4.
 */
import {
  type Binding,
  type Param,
  range,
  type Segment,
  type StoredTensor,
  scaleRows,
  sizeOf,
  type WeightFormat,
  type WeightSource,
} from '../../dsl/index.ts'
import type { AttentionKind, MimoConfig } from './config.ts'

type Stored = Pick<Segment, 'tensor' | 'scale'>

/** A matrix as the file stores it, with its scale grid where its format has one. */
function matrix(module: string, rows: number, columns: number, format: WeightFormat, period = rows): Stored {
  const name = `${module}.weight`
  if (format.kind === 'plain') {
    // Widening BF16 to F32 is exact; the other way round is not and is refused.
    const dtypes = format.scalar === 'f32' ? (['F32', 'BF16'] as const) : (['BF16'] as const)
    return { tensor: { name, shape: [rows, columns], dtypes } }
  }
  const { codes, block, scale } = format
  const grid = [scaleRows(rows, period, block[0]), Math.ceil(columns / block[1])]
  const scaleTensor: StoredTensor =
    scale === 'f32'
      ? { name: `${name}_scale_inv`, shape: grid, dtypes: ['F32'] }
      : { name: `${name}_scale`, shape: grid, dtypes: ['U8'] }
  const tensor: StoredTensor =
    codes.bits === 8
      ? { name, shape: [rows, columns], dtypes: ['F8_E4M3'] }
      : { name, shape: [rows, columns / 2], dtypes: ['U8'] }
  return { tensor, scale: { tensor: scaleTensor, period, block } }
}

const whole = (stored: Stored, rows: number): Segment => ({ ...stored, firstRow: 0, rows })

/** For each KV head, its queries, its key and its value, out of fused groups. */
function fusedQkv(
  module: string,
  kind: AttentionKind,
  groups: number,
  columns: number,
  format: WeightFormat,
): Segment[] {
  const heads = kind.kvHeads / groups
  const queries = (kind.heads / kind.kvHeads) * kind.queryDim
  const keysAt = heads * queries
  const valuesAt = keysAt + heads * kind.queryDim
  const groupRows = valuesAt + heads * kind.valueDim
  const stored = matrix(module, groups * groupRows, columns, format, groupRows)
  return range(kind.kvHeads).flatMap((head) => {
    const first = Math.floor(head / heads) * groupRows
    const within = head % heads
    return merged([
      { ...stored, firstRow: first + within * queries, rows: queries },
      { ...stored, firstRow: first + keysAt + within * kind.queryDim, rows: kind.queryDim },
      { ...stored, firstRow: first + valuesAt + within * kind.valueDim, rows: kind.valueDim },
    ])
  })
}

/** The same out of three tensors with all heads each. */
function splitQkv(scope: string, kind: AttentionKind, columns: number, format: WeightFormat): Segment[] {
  const queries = (kind.heads / kind.kvHeads) * kind.queryDim
  const parts = [
    { name: 'q_proj', rows: queries },
    { name: 'k_proj', rows: kind.queryDim },
    { name: 'v_proj', rows: kind.valueDim },
  ].map(({ name, rows }) => ({ rows, stored: matrix(`${scope}.${name}`, kind.kvHeads * rows, columns, format) }))
  return range(kind.kvHeads).flatMap((head) =>
    parts.map(({ stored, rows }) => ({ ...stored, firstRow: head * rows, rows })),
  )
}

/** Joins segments that touch, so that one KV head of a fused tensor is one read. */
function merged(segments: readonly Segment[]): Segment[] {
  const out: Segment[] = []
  for (const s of segments) {
    const last = out.at(-1)
    if (last && last.tensor === s.tensor && last.firstRow + last.rows === s.firstRow) {
      out[out.length - 1] = { ...last, rows: last.rows + s.rows }
    } else out.push(s)
  }
  return out
}

/** One rule for each parameter name that the graph uses. `rowDims` says how many of its dims are rows. */
interface Rule {
  readonly name: RegExp
  readonly rowDims: number
  readonly segments: (p: Param, rows: number, columns: number, cfg: MimoConfig) => Segment[]
}

const rules: readonly Rule[] = [
  {
    name: /^model\.layers\.\d+\.self_attn\.qkv_proj$/,
    rowDims: 2,
    segments: (p, _, columns, cfg) => {
      const [, , layer] = p.name.split('.')
      const kind = cfg.layers[Number(layer)]!.attention
      return cfg.fusedGroups
        ? fusedQkv(p.name, kind, cfg.fusedGroups, columns, p.format)
        : splitQkv(p.name.slice(0, -'.qkv_proj'.length), kind, columns, p.format)
    },
  },
  {
    name: /\.mlp\.experts\.(gate|up|down)_proj$/,
    rowDims: 2,
    segments: (p, rows, columns, cfg) => {
      const [scope, projection] = p.name.split('.experts.')
      const each = rows / cfg.experts
      return range(cfg.experts).map((e) =>
        whole(matrix(`${scope}.experts.${e}.${projection}`, each, columns, p.format), each),
      )
    },
  },
  {
    // Vectors that are no module's `weight`. The bias must not be rounded: its spacing decides ties.
    name: /\.(attention_sink_bias|e_score_correction_bias)$/,
    rowDims: 0,
    segments: (p, _, columns) => [
      {
        tensor: {
          name: p.name,
          shape: [columns],
          dtypes: p.format.kind === 'plain' && p.format.scalar === 'f32' ? ['F32'] : ['BF16'],
        },
        firstRow: 0,
        rows: 1,
      },
    ],
  },
  {
    name: /(^model\.norm|_layernorm)$/,
    rowDims: 0,
    segments: (p, _, columns) => [
      { tensor: { name: `${p.name}.weight`, shape: [columns], dtypes: ['BF16'] }, firstRow: 0, rows: 1 },
    ],
  },
  {
    name: /^(model\.embed_tokens|lm_head)$|\.(o_proj|gate|gate_proj|up_proj|down_proj)$/,
    rowDims: 1,
    segments: (p, rows, columns) => [whole(matrix(p.name, rows, columns, p.format), rows)],
  },
]

export const weights: WeightSource<MimoConfig> = {
  bind(param, config): Binding | undefined {
    const rule = rules.find((r) => r.name.test(param.name))
    if (!rule) return undefined
    const rows = sizeOf(param.dims.slice(0, rule.rowDims))
    const columns = sizeOf(param.dims.slice(rule.rowDims))
    return { param: param.name, rows, columns, segments: rule.segments(param, rows, columns, config) }
  },
  // The multi-token-prediction layers are another drafter.
  unread: ['model.mtp.'],
}
